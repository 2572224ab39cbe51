//! Tasks that other members of a job's group compute for this one, because devices differ on them.
//!
//! Who coordinates a job gives out its tasks and judges them, so it does not say itself what comes out where
//! devices differ: another member does, or three if the job asks for as many. Whom it asks first follows from the
//! job and the task, though nobody holds it to that; the next one if that cannot. Of three, two have to say the
//! same. What one of them signs is held to its own sealed result, which the owner fetches here if no device gave
//! it: the others have signed the same keyed hash of it. A job whose group is one masternode has no other, and
//! there the coordinator computes it.

use super::{
    jury::Jury,
    peers::{PeerError, failure, urls},
};
use crate::{
    core::{REFEREE_REPLICA, Truth, name_of},
    daemon::{Errand, Room, Shared},
    referee::{RefereeError, keep_result},
};
use codec::DecodeAll as _;
use futures::{StreamExt as _, stream::FuturesUnordered};
use jsonrpsee::{core::client::Error as RpcError, ws_client::WsClient};
use quern_jobs_api::{Blob, GroupApiClient as _, GroupError, RefereeRequest, Refereeing};
use quern_ledger::ChainError;
use quern_primitives::{
    AccountId, Digest, JobId, TaskIndex,
    group::{Group, Member},
    limits::{REFEREES_MAX, RESULT_BYTES_MAX},
    log::{RefereeStatement, SignedRefereeReport},
};
use quern_protocol::{Output, limits::INLINE_RESULT_BYTES_MAX};
use quern_sandbox::Exit;
use quern_shards::{chunks::chunk_root, result::open_result, seal::sealed_bytes};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How soon a member is asked again how far it is. It is asked less often the longer it takes.
const AGAIN_MIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(1);

/// How soon members are asked again that all lacked something.
const ROUND: Duration = Duration::from_millis(250);

/// Where enough have said the same, the others are waited for so long at the least.
const PATIENCE_MIN: Duration = Duration::from_secs(5);

/// Has a task computed by as many members of its job's group as the job asks for, none of whom coordinates it;
/// here, if there is no other.
pub(crate) async fn referee(
    shared: &Arc<Shared>,
    room: &Room,
    errand: Errand,
) -> Result<Truth, RefereeError> {
    let began = Instant::now();
    let until = began.checked_add(Duration::from_millis(errand.time_ms));
    let until = until.unwrap_or(began);
    let (group, urls) = loop {
        match group_of(shared, errand.job).await {
            Ok(Some(found)) => break found,
            Ok(None) => return Err(RefereeError::NotOpen),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "no news of the group that is to compute a task; trying again"
                );
            }
        }
        check(&errand, until)?;
        tokio::time::sleep(AGAIN_MAX).await;
    };
    if group.members.len() == 1 {
        return room.compute(shared, errand).await;
    }
    let known = shared.job(errand.job).ok_or(RefereeError::NotOpen)?;
    let referees = known.submission.referees;
    let members = others(&group, &shared.account.id(), errand.job, errand.task);
    let asked: Vec<Asked<'_>> = members
        .into_iter()
        .map(|member| Asked {
            shared,
            member,
            url: urls.get(&member.account).map(String::as_str),
            errand: &errand,
            until,
        })
        .collect();
    // Who has no say any more counts as one of the group, as for whoever reads the log.
    let quorum = referees.quorum(group.members.len().saturating_sub(1));
    let panel = Panel {
        asked: &asked,
        errand: &errand,
        jury: Jury::new(asked.len(), referees.asked(), quorum),
        said: BTreeMap::new(),
        refusals: Vec::new(),
        began,
        until,
        agreed: None,
    };
    panel.truth().await
}

/// Members that are asked, and what they said.
struct Panel<'a> {
    asked: &'a [Asked<'a>],
    errand: &'a Errand,
    jury: Jury,
    /// By their places among those that are asked.
    said: BTreeMap<usize, Said>,
    refusals: Vec<String>,
    began: Instant,
    until: Instant,
    /// Since when enough of them say the same.
    agreed: Option<Instant>,
}

impl Panel<'_> {
    /// What enough of them say, once the others were waited for.
    async fn truth(mut self) -> Result<Truth, RefereeError> {
        let asked = self.asked;
        let mut asking = FuturesUnordered::new();
        let mut round = Instant::now();
        loop {
            while let Some(place) = self.jury.ask_next() {
                if let Some(one) = asked.get(place) {
                    asking.push(one.word(place));
                }
            }
            if let Some(place) = self.decided(Instant::now()) {
                if let Some(truth) = self.truth_of(place).await {
                    return Ok(truth);
                }
            } else if self.agreed.is_none() && self.jury.is_over() {
                return Err(self.nobody());
            }
            match timeout(ROUND, asking.next()).await {
                Ok(Some((place, Ok(said)))) => {
                    self.jury.says(place, said.report.payload);
                    self.said.insert(place, said);
                }
                Ok(Some((place, Err(error)))) => self.fails(place, error),
                // Nobody is being asked.
                Ok(None) => tokio::time::sleep(ROUND).await,
                Err(_) => {}
            }
            check(self.errand, self.until)?;
            if self.is_late(Instant::now()) {
                self.jury.ask_all();
            }
            if round.elapsed() >= ROUND {
                round = Instant::now();
                self.jury.ask_again();
            }
        }
    }

    /// Whether two thirds of the time are over. Then those are asked too whose turn has not come: if no word comes
    /// of it, each of them certifies only what follows if it was asked.
    fn is_late(&self, now: Instant) -> bool {
        let all = self.until.saturating_duration_since(self.began);
        now.saturating_duration_since(self.began) >= all / 3 * 2
    }

    /// The first of those who say the same, if they are enough and nobody else is waited for. Whose word is out
    /// when enough of the others agree cannot change it, and is waited for as long as they took, and half of the
    /// time that is left at the most.
    fn decided(&mut self, now: Instant) -> Option<usize> {
        let Some(first) = self.jury.agreeing().first().copied() else {
            self.agreed = None;
            return None;
        };
        let agreed = *self.agreed.get_or_insert(now);
        let took = agreed.saturating_duration_since(self.began);
        let left = self.until.saturating_duration_since(agreed);
        let patience = took.max(PATIENCE_MIN).min(left / 2);
        let is_patient = now.saturating_duration_since(agreed) < patience;
        (self.jury.is_over() || !is_patient).then_some(first)
    }

    /// The result of one of those who agree, with the words of all others; none if it does not have it.
    async fn truth_of(&mut self, place: usize) -> Option<Truth> {
        let (one, said) = (self.asked.get(place)?, *self.said.get(&place)?);
        let mut truth = match one.truth(said).await {
            Ok(truth) => truth,
            Err(error) => {
                self.fails(place, error);
                return None;
            }
        };
        for (other, it) in self.said.iter().filter(|(other, _)| **other != place) {
            let member = self.asked.get(*other)?.member;
            if it.report.payload != said.report.payload {
                let Errand { job, task, .. } = *self.errand;
                tracing::error!(
                    %job,
                    task,
                    account = %member.account,
                    "of the masternodes that computed a task one got another answer; its machine, or its operator, is not to be trusted"
                );
            }
            truth.others.push(RefereeStatement {
                report: it.report,
                node: member.node,
            });
        }
        // Of a job that asks for one the log has one, and of any no more than have room: those first who agree.
        let (quorum, own) = (self.jury.quorum(), said.report.payload);
        truth.others.sort_by_key(|it| it.report.payload != own);
        truth.others.truncate(match quorum {
            0 | 1 => 0,
            _ => REFEREES_MAX.saturating_sub(1) as usize,
        });
        Some(truth)
    }

    /// One of them does not give its word, or not yet, or not the result that it is about.
    fn fails(&mut self, place: usize, error: PeerError) {
        self.said.remove(&place);
        let Some(one) = self.asked.get(place) else {
            return;
        };
        let (account, is_passing) = (&one.member.account, is_passing(&error));
        let error = format!("{:#}", anyhow::Error::from(error));
        if is_passing {
            let Errand { job, task, .. } = *self.errand;
            tracing::debug!(%job, task, %account, error, "a task is not computed yet");
            return self.jury.lacks(place);
        }
        self.refusals.push(format!("{account}: {error}"));
        self.jury.refuses(place);
    }

    /// Why there is no word.
    fn nobody(&self) -> RefereeError {
        let said = self.said.iter().filter_map(|(place, said)| {
            let account = &self.asked.get(*place)?.member.account;
            let result = said.report.payload.answer.result_commitment;
            Some(format!("{account} has the result {result}"))
        });
        let all: Vec<_> = said.chain(self.refusals.iter().cloned()).collect();
        let why = match all.is_empty() {
            true => "all of them are out".to_owned(),
            false => all.join("; "),
        };
        match self.jury.heard() > 1 {
            true => RefereeError::Split { why },
            false => RefereeError::Nobody { why },
        }
    }
}

/// The group of a job, and where masternodes are reached.
async fn group_of(
    shared: &Shared,
    job: JobId,
) -> Result<Option<(Group, BTreeMap<AccountId, String>)>, ChainError> {
    let group = shared.chain.at_finalised().await?.group(job).await?;
    let urls = urls(&shared.chain).await?;
    Ok(group.map(|group| (group, urls)))
}

/// The others of a group that have a say, in the order in which they are asked about a task.
fn others<'a>(group: &'a Group, own: &AccountId, job: JobId, task: TaskIndex) -> Vec<&'a Member> {
    let members = group.members.iter();
    let mut others: Vec<_> = members
        .filter(|member| !member.is_out && member.account != *own)
        .collect();
    let first = u64::from(task).wrapping_add(u64::from(job.0[0]));
    let first = first.checked_rem(others.len() as u64).unwrap_or(0);
    others.rotate_left(first as usize);
    others
}

/// Fails if nobody waits for the task any more, or it takes too long.
fn check(errand: &Errand, until: Instant) -> Result<(), RefereeError> {
    if errand.cancel.is_cancelled() {
        return Err(RefereeError::GivenUp(Exit::Cancelled));
    }
    if Instant::now() >= until {
        return Err(RefereeError::GivenUp(Exit::WallTime));
    }
    Ok(())
}

/// Whether a member may compute the task a little later: what it lacks comes with the chain, with the log or
/// from the owner, or the member is started again.
fn is_passing(error: &PeerError) -> bool {
    match error {
        // It does not know what it is asked for.
        PeerError::NoAnswer { source, .. } => !matches!(**source, RpcError::Call(_)),
        PeerError::TooLong | PeerError::Stuck { .. } => true,
        PeerError::Refused(refused) => matches!(
            refused,
            GroupError::Behind { .. }
                | GroupError::Unread { .. }
                | GroupError::NotMember
                | GroupError::NotAwaited
                | GroupError::KeyMissing
                | GroupError::InputMissing
                | GroupError::Starting
                | GroupError::Busy
        ),
        _ => false,
    }
}

/// A member that is asked.
struct Asked<'a> {
    shared: &'a Arc<Shared>,
    member: &'a Member,
    url: Option<&'a str>,
    errand: &'a Errand,
    /// Until when its word is waited for.
    until: Instant,
}

/// What a member says that it computed.
#[derive(Clone, Copy)]
struct Said {
    report: SignedRefereeReport,
    output_root: Digest,
    /// Of the sealed result.
    bytes: u64,
}

impl Asked<'_> {
    /// What the member at this place says, once it has computed the task.
    async fn word(&self, place: usize) -> (usize, Result<Said, PeerError>) {
        let mut again = AGAIN_MIN;
        loop {
            match self.ask().await {
                Ok(None) if Instant::now() < self.until => {}
                Ok(None) => return (place, Err(PeerError::TooLong)),
                Ok(Some(said)) => return (place, Ok(said)),
                Err(error) => return (place, Err(error)),
            }
            tokio::time::sleep(again).await;
            again = again.saturating_mul(2).min(AGAIN_MAX);
        }
    }

    /// What the member is asked for, with this masternode's signature.
    fn request(&self) -> (RefereeRequest, Blob) {
        let left = self.until.saturating_duration_since(Instant::now());
        let request = RefereeRequest {
            job: self.errand.job,
            task: self.errand.task,
            referee: self.member.node,
            time_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        };
        let signed = self.shared.node.sign(request, &self.shared.genesis);
        (request, Blob(signed.signature.0.to_vec()))
    }

    /// Asks the member how far it is, once it has the log; none while it computes.
    async fn ask(&self) -> Result<Option<Said>, PeerError> {
        let url = self.url.ok_or(PeerError::Nowhere)?;
        let (peers, (request, signature)) = (&self.shared.peers, self.request());
        let account = &self.member.account;
        peers.hand_on(request.job, account, url).await?;
        let client = peers.client(url).await?;
        let told = client.referee(request, signature).await;
        match told.map_err(|error| failure(url, error))? {
            Refereeing::Computing => Ok(None),
            Refereeing::Computed {
                report,
                output_root,
                bytes,
            } => Ok(Some(Said {
                report: self.report(&report)?,
                output_root,
                bytes,
            })),
        }
    }

    /// What the core is told, once the member's sealed result is here, and is the one that its report is about.
    async fn truth(&self, said: Said) -> Result<Truth, PeerError> {
        let url = self.url.ok_or(PeerError::Nowhere)?;
        let client = self.shared.peers.client(url).await?;
        let (request, signature) = self.request();
        let sealed = self.sealed(&client, (request, &signature), said.bytes);
        self.checked(said.report, said.output_root, sealed.await?)
            .await
    }

    /// The member's report, if it is its own and about the task.
    fn report(&self, report: &Blob) -> Result<SignedRefereeReport, PeerError> {
        let report = SignedRefereeReport::decode_all(&mut &report.0[..]);
        let report = report.map_err(|_| PeerError::NotItsReport)?;
        let said = &report.payload;
        let (job, task) = (self.errand.job, self.errand.task);
        let asked = self.shared.context(job).and_then(|it| it.question(task));
        let is_meant = (said.job, said.task, Some(said.question)) == (job, task, asked);
        match is_meant && report.is_signed_by(&self.member.node, &self.shared.genesis) {
            true => Ok(report),
            false => Err(PeerError::NotItsReport),
        }
    }

    /// The sealed result, fetched piece by piece.
    async fn sealed(
        &self,
        client: &WsClient,
        (request, signature): (RefereeRequest, &Blob),
        bytes: u64,
    ) -> Result<Vec<u8>, PeerError> {
        if bytes > sealed_bytes(u64::from(RESULT_BYTES_MAX)) {
            return Err(PeerError::OtherResult);
        }
        let url = self.url.unwrap_or_default();
        let mut sealed = Vec::new();
        while (sealed.len() as u64) < bytes {
            let offset = sealed.len() as u64;
            let piece = client.refereed(request, signature.clone(), offset).await;
            let piece = piece.map_err(|error| failure(url, error))?.0;
            let fits = offset.saturating_add(piece.len() as u64) <= bytes;
            if piece.is_empty() || !fits {
                return Err(PeerError::OtherResult);
            }
            sealed.extend(piece);
        }
        Ok(sealed)
    }

    /// What the core is told, if the sealed result is the one that the report is about. One that is too large
    /// to be told is written first.
    async fn checked(
        &self,
        report: SignedRefereeReport,
        output_root: Digest,
        sealed: Vec<u8>,
    ) -> Result<Truth, PeerError> {
        let Errand { job, task, .. } = *self.errand;
        let name = name_of(&self.member.node);
        let context = self.shared.context(job).ok_or(RefereeError::NotOpen)?;
        let manifest = &context.manifest;
        let (Some(key), Some(of_result)) = (
            manifest.shard_key(&context.key, task),
            manifest.result_context(task, REFEREE_REPLICA, name),
        ) else {
            return Err(RefereeError::NoSuchTask.into());
        };
        let key = key.map_err(RefereeError::Key)?;
        let answer = &report.payload.answer;
        let opened = open_result(&key, &of_result, &answer.result_commitment, &sealed);
        let is_meant = opened.is_ok_and(|result| result.len() as u64 == answer.result_bytes);
        if !is_meant || chunk_root(&sealed) != output_root {
            return Err(PeerError::OtherResult);
        }
        let bytes = sealed.len();
        let output = if bytes <= INLINE_RESULT_BYTES_MAX {
            Output::Inline(sealed)
        } else {
            keep_result(&self.shared.vault, (job, task, name), sealed).await?;
            Output::Delivered {
                bytes: bytes as u64,
            }
        };
        Ok(Truth {
            report,
            node: self.member.node,
            output_root,
            output,
            others: vec![],
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::ids::NodeKey;

    fn group(out: &[u8]) -> Group {
        let member = |number: u8| Member {
            account: AccountId::new([number; 32]),
            node: NodeKey([number; 32]),
            is_out: out.contains(&number),
        };
        Group {
            members: (0..4).map(member).collect::<Vec<_>>().try_into().unwrap(),
            turn: 0,
            since: 0,
            lane_seed: None,
        }
    }

    #[test]
    fn the_coordinator_and_who_is_out_are_not_asked_and_the_others_take_turns() {
        let own = AccountId::new([0; 32]);
        let order = |out: &[u8], task| -> Vec<u8> {
            let group = group(out);
            let others = others(&group, &own, JobId([0; 32]), task);
            others.iter().map(|member| member.node.0[0]).collect()
        };
        assert_eq!(order(&[], 0), [1, 2, 3]);
        assert_eq!(order(&[], 1), [2, 3, 1]);
        assert_eq!(order(&[], 5), [3, 1, 2]);
        assert_eq!(order(&[2], 1), [3, 1]);
        assert!(order(&[1, 2, 3], 1).is_empty());
    }

    #[test]
    fn who_lacks_what_comes_by_itself_is_asked_again_and_who_refuses_or_lies_is_not() {
        let refused = PeerError::Refused;
        for passing in [
            refused(GroupError::NotAwaited),
            refused(GroupError::InputMissing),
            refused(GroupError::Behind { next: 1 }),
            PeerError::TooLong,
        ] {
            assert!(is_passing(&passing), "{passing}");
        }
        let why = "no room".to_owned();
        for lasting in [
            refused(GroupError::ComputesNothing),
            refused(GroupError::NotComputed { why }),
            refused(GroupError::OtherBatch),
            PeerError::NotItsReport,
            PeerError::OtherResult,
        ] {
            assert!(!is_passing(&lasting), "{lasting}");
        }
    }
}
