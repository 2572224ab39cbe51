//! Tasks that another member of a job's group computes for this one, because devices differ on them.
//!
//! Who coordinates a job gives out its tasks and judges them, so it does not say itself what comes out where
//! devices differ: another member does. Whom it asks first follows from the job and the task, though nobody
//! holds it to that; the next one if that cannot. What it signs is held to its own sealed result, which the
//! owner fetches here if no device gave it. A job whose group is one masternode has no other, and there the
//! coordinator computes it.

use super::peers::{PeerError, failure, urls};
use crate::{
    core::{REFEREE_REPLICA, Truth, name_of},
    daemon::{Errand, Room, Shared},
    referee::{RefereeError, keep_result},
};
use codec::DecodeAll as _;
use jsonrpsee::{core::client::Error as RpcError, ws_client::WsClient};
use quern_jobs_api::{Blob, GroupApiClient as _, GroupError, RefereeRequest, Refereeing};
use quern_ledger::ChainError;
use quern_primitives::{
    AccountId, Digest, JobId, TaskIndex,
    group::{Group, Member},
    limits::RESULT_BYTES_MAX,
    log::SignedRefereeReport,
};
use quern_protocol::{Output, limits::INLINE_RESULT_BYTES_MAX};
use quern_sandbox::Exit;
use quern_shards::{chunks::chunk_root, result::open_result, seal::sealed_bytes};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How soon a member is asked again how far it is. It is asked less often the longer it takes.
const AGAIN_MIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(1);

/// How soon members are asked again that all lacked something.
const ROUND: Duration = Duration::from_millis(250);

/// Has a task computed by a member of its job's group that does not coordinate it; here, if there is no
/// other.
pub(crate) async fn referee(
    shared: &Arc<Shared>,
    room: &Room,
    errand: Errand,
) -> Result<Truth, RefereeError> {
    let now = Instant::now();
    let until = now.checked_add(Duration::from_millis(errand.time_ms));
    let until = until.unwrap_or(now);
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
        pause(&errand, until, AGAIN_MAX).await?;
    };
    if group.members.len() == 1 {
        return room.compute(shared, errand).await;
    }
    let others = others(&group, &shared.account.id(), errand.job, errand.task);
    let mut asked: Vec<Asked<'_>> = others
        .into_iter()
        .map(|member| Asked {
            shared,
            member,
            url: urls.get(&member.account).map(String::as_str),
            errand: &errand,
        })
        .collect();
    let mut refusals = Vec::new();
    while !asked.is_empty() {
        let mut lacking = Vec::new();
        for one in asked {
            match one.computed(until).await? {
                Ok(truth) => return Ok(truth),
                Err(error) if is_passing(&error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    let (job, account) = (errand.job, &one.member.account);
                    tracing::debug!(%job, task = errand.task, %account, error, "a task is not computed yet");
                    lacking.push(one);
                }
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    refusals.push(format!("{}: {error}", one.member.account));
                }
            }
        }
        asked = lacking;
        if !asked.is_empty() {
            pause(&errand, until, ROUND).await?;
        }
    }
    Err(RefereeError::Nobody {
        why: match refusals.is_empty() {
            true => "all of them are out".to_owned(),
            false => refusals.join("; "),
        },
    })
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

/// Waits for a moment. Fails if nobody waits for the task any more, or it takes too long.
async fn pause(errand: &Errand, until: Instant, for_a: Duration) -> Result<(), RefereeError> {
    if errand.cancel.is_cancelled() {
        return Err(RefereeError::GivenUp(Exit::Cancelled));
    }
    if Instant::now() >= until {
        return Err(RefereeError::GivenUp(Exit::WallTime));
    }
    tokio::time::sleep(for_a).await;
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
}

impl Asked<'_> {
    /// What the member computes, once it has. Fails for good if nobody waits for it any more.
    async fn computed(&self, until: Instant) -> Result<Result<Truth, PeerError>, RefereeError> {
        let Errand { job, task, .. } = *self.errand;
        let request = RefereeRequest {
            job,
            task,
            referee: self.member.node,
            time_ms: self.errand.time_ms,
        };
        let signed = self.shared.node.sign(request, &self.shared.genesis);
        let signature = Blob(signed.signature.0.to_vec());
        let mut again = AGAIN_MIN;
        loop {
            match self.ask(request, &signature).await {
                Ok(None) => {}
                Ok(Some(truth)) => return Ok(Ok(truth)),
                Err(error) => return Ok(Err(error)),
            }
            pause(self.errand, until, again).await?;
            again = again.saturating_mul(2).min(AGAIN_MAX);
        }
    }

    /// Asks the member how far it is, once it has the log; none while it computes.
    async fn ask(
        &self,
        request: RefereeRequest,
        signature: &Blob,
    ) -> Result<Option<Truth>, PeerError> {
        let url = self.url.ok_or(PeerError::Nowhere)?;
        let (peers, job) = (&self.shared.peers, request.job);
        peers.hand_on(job, &self.member.account, url).await?;
        let client = peers.client(url).await?;
        let told = client.referee(request, signature.clone()).await;
        match told.map_err(|error| failure(url, error))? {
            Refereeing::Computing => Ok(None),
            Refereeing::Computed {
                report,
                output_root,
                bytes,
            } => {
                let report = self.report(&report)?;
                let sealed = self.sealed(&client, (request, signature), bytes).await;
                let truth = self.truth(report, output_root, sealed?)?;
                Ok(Some(truth))
            }
        }
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
    fn truth(
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
            keep_result(&self.shared.vault, (job, task, name), &sealed)?;
            Output::Delivered {
                bytes: bytes as u64,
            }
        };
        Ok(Truth {
            report,
            node: self.member.node,
            output_root,
            output,
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
