//! What more than one masternode of a job's group computed, where a device or a referee gave another answer.
//!
//! On one masternode's word no account loses a bond, so who accuses a device or a referee asks others of the group
//! whether they compute the same. They compute only tasks that a pending batch settles, whose answer nobody waits for
//! any more, one at a time beside all else, and only for members of the job's group.

use super::{
    accusing::GroupWords,
    computations::{Computations, Progress},
    not_read,
    peers::{PeerError, failure},
};
use crate::{
    core::Purpose,
    daemon::{Errand, Room, Shared},
};
use codec::DecodeAll as _;
use jsonrpsee::core::client::Error as RpcError;
use quern_jobs_api::{Blob, GroupApiClient as _, GroupError, WitnessRequest, Witnessing};
use quern_ledger::ChainError;
use quern_primitives::{
    JobId, TaskIndex,
    group::{Group, Member},
    log::SignedRefereeReport,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How long a task may take, in milliseconds. Windows are about as long.
const TIME_MS: u64 = 10 * 60 * 1_000;

/// How long another member may take to answer one question.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Tasks that this masternode computes as a witness, or did.
pub(super) struct Witness {
    computations: Computations,
    /// A permit for the one that is computed: referees and recomputations wait behind no more.
    turn: Semaphore,
}

impl Default for Witness {
    fn default() -> Self {
        Self {
            computations: Computations::default(),
            turn: Semaphore::new(1),
        }
    }
}

impl Witness {
    /// What comes out of a task, once it is computed; begins with it if nobody asked for it before.
    pub(super) async fn look(
        self: &Arc<Self>,
        (shared, room): (&Arc<Shared>, &Arc<Room>),
        job: JobId,
        task: TaskIndex,
    ) -> Progress {
        if let Some(told) = self.computations.look(job, task, Instant::now()) {
            return told;
        }
        if !room.is_on() {
            return Err(GroupError::ComputesNothing);
        }
        let context = shared.context(job).ok_or(GroupError::KeyMissing)?;
        let has_input = context.has_input(&shared.vault, task).await;
        if !has_input.map_err(|error| not_read(job, &error))? {
            return Err(GroupError::InputMissing);
        }
        let now = Instant::now();
        let until = now.checked_add(Duration::from_millis(TIME_MS));
        let times = (now, until.unwrap_or(now));
        let cancel = self.computations.begin(job, task, times)?;
        let errand = Errand {
            job,
            task,
            purpose: Purpose::Check,
            accepted: None,
            time_ms: TIME_MS,
            cancel: cancel.clone(),
        };
        let (witness, shared, room) = (self.clone(), shared.clone(), room.clone());
        tokio::spawn(async move {
            // The permits are never taken away.
            let _turn = witness.turn.acquire().await;
            let outcome = room.compute(&shared, errand).await;
            let outcome = outcome.map(Arc::new).map_err(|error| {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(%job, task, error, "a task is not computed here");
                error
            });
            witness.computations.end(job, task, &cancel, outcome);
        });
        Ok(None)
    }
}

/// Asks others of a group what they compute, until as many words are there as are needed. Gives how many have
/// theirs on the way.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    (job, task): (JobId, TaskIndex),
    group: &Group,
    words: &mut GroupWords,
) -> Result<usize, ChainError> {
    let urls = super::peers::urls(&shared.chain).await?;
    let own = shared.node.public();
    let (needed, mut coming) = (words.needed, 0usize);
    // Who coordinates the job gave the task out and judged it, and is asked last.
    let mut members: Vec<_> = (0u8..).zip(&group.members).collect();
    members.sort_by_key(|(place, _)| *place == group.turn);
    for (place, member) in members {
        if words.given.len().saturating_add(coming) >= needed {
            break;
        }
        let is_asked = !member.is_out
            && member.node != own
            && !words.given.contains_key(&place)
            && !words.refused.contains(&place);
        if !is_asked {
            continue;
        }
        let url = urls.get(&member.account).map(String::as_str);
        match word(shared, (job, task), member, url).await {
            Ok(Some(report)) if report.payload == words.report.payload => {
                words.given.insert(place, report.signature);
            }
            Ok(Some(_)) => {
                tracing::error!(
                    %job,
                    task,
                    member = %member.account,
                    "another masternode of the job's group computed another answer; one of the machines, or their operators, is not to be trusted"
                );
                words.refused.insert(place);
            }
            Ok(None) => coming = coming.saturating_add(1),
            Err(error) => {
                let lack = Lack::of(&error);
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::debug!(%job, task, member = %member.account, error, ?lack, "no word of a member on a task");
                match lack {
                    Lack::Passing => coming = coming.saturating_add(1),
                    Lack::Away => {}
                    Lack::Lasting => {
                        words.refused.insert(place);
                    }
                }
            }
        }
    }
    Ok(coming)
}

/// What a member computes; none while it does.
async fn word(
    shared: &Arc<Shared>,
    (job, task): (JobId, TaskIndex),
    member: &Member,
    url: Option<&str>,
) -> Result<Option<SignedRefereeReport>, PeerError> {
    let url = url.ok_or(PeerError::Nowhere)?;
    let request = WitnessRequest {
        job,
        task,
        asker: shared.node.public(),
        witness: member.node,
    };
    let signed = shared.node.sign(request, &shared.genesis);
    let signature = Blob(signed.signature.0.to_vec());
    let client = shared.peers.client(url).await?;
    let told = tokio::time::timeout(ANSWER_WITHIN, client.witness(request, signature)).await;
    let told = told.map_err(|_| PeerError::TooLong)?;
    let report = match told.map_err(|error| failure(url, error))? {
        Witnessing::Computing => return Ok(None),
        Witnessing::Computed { report } => report,
    };
    let report = SignedRefereeReport::decode_all(&mut &report.0[..]);
    let report = report.map_err(|_| PeerError::NotItsReport)?;
    let is_meant = (report.payload.job, report.payload.task) == (job, task);
    match is_meant && report.is_signed_by(&member.node, &shared.genesis) {
        true => Ok(Some(report)),
        false => Err(PeerError::NotItsReport),
    }
}

/// Why a member gives no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// It will give it a little later, without anybody's doing.
    Passing,
    /// It is not reached now.
    Away,
    /// It will not.
    Lasting,
}

impl Lack {
    fn of(error: &PeerError) -> Self {
        match error {
            PeerError::Refused(
                GroupError::NotPending | GroupError::Starting | GroupError::Busy,
            ) => Self::Passing,
            PeerError::NoAnswer { source, .. } if !matches!(**source, RpcError::Call(_)) => {
                Self::Away
            }
            PeerError::TooLong | PeerError::Nowhere => Self::Away,
            _ => Self::Lasting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_behind_or_away_may_give_its_word_later_and_who_computes_nothing_or_lies_does_not() {
        for soon in [
            GroupError::NotPending,
            GroupError::Starting,
            GroupError::Busy,
        ] {
            assert_eq!(Lack::of(&PeerError::Refused(soon)), Lack::Passing);
        }
        assert_eq!(Lack::of(&PeerError::TooLong), Lack::Away);
        for never in [
            PeerError::Refused(GroupError::ComputesNothing),
            PeerError::Refused(GroupError::InputMissing),
            PeerError::NotItsReport,
        ] {
            assert_eq!(Lack::of(&never), Lack::Lasting);
        }
    }
}
