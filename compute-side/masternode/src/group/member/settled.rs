//! Batches that a coordinator settles otherwise than it wrote them down in the log that is followed here.
//!
//! What is certified here is what the copy has. Others may have certified another batch under the same number:
//! then its coordinator wrote down one and settled another. So as long as a copy has batches that the chain has
//! not settled, what that settles under their numbers is compared with them.

use super::{Checked, Members, Part};
use crate::{
    daemon::Shared,
    group::{
        copies::{self, Writer},
        lies::{LOOK, Lie, LieError, on_chain, show},
    },
    locks::lock,
    store::{Base, StoreError},
};
use quern_joblog::Entry;
use quern_primitives::{
    AccountId, JobId,
    ids::{BatchSequence, Digest},
};
use quern_recheck::{OnChain, RecheckFault};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Logs whose batches are compared at a time. With more at a time the rest is not looked at.
const LOGS_MAX: usize = 1_024;

/// A log by its job and the place of who writes it.
type Name = (JobId, u8);

/// The logs whose batches are compared, each with the number of its last batch.
#[derive(Default)]
pub(super) struct Comparing(Mutex<BTreeMap<Name, BatchSequence>>);

impl Comparing {
    /// A log has this batch. Gives whether its batches are not compared yet.
    fn begin(&self, log: Name, last: BatchSequence) -> bool {
        let mut logs = lock(&self.0);
        let has_room = logs.len() < LOGS_MAX || logs.contains_key(&log);
        has_room && logs.insert(log, last).is_none()
    }

    /// A log's batches below this number were compared. Gives whether there are no others; then that log is not
    /// compared any more.
    fn end(&self, log: &Name, next: BatchSequence) -> bool {
        let mut logs = lock(&self.0);
        let is_last = logs.get(log).is_none_or(|last| *last < next);
        if is_last {
            logs.remove(log);
        }
        is_last
    }
}

/// A log whose batches are compared.
struct Compared {
    job: JobId,
    place: u8,
    /// Who writes it.
    account: AccountId,
    /// What was settled before it began.
    base: Base,
    roots: Vec<Digest>,
    /// The first block that may have a batch that was not compared.
    from: u64,
}

/// What came of a look.
enum Look {
    /// All that was settled, below this number, is as it was written down.
    Settled(BatchSequence),
    /// The batch of this number is not; the entry at this position has the other.
    Otherwise(BatchSequence, u64),
}

impl Members {
    /// A log has batches that were just checked, the last of this number.
    pub(super) fn compare(&self, id: JobId, part: &Part, checked: &Checked, last: BatchSequence) {
        let log = (id, part.turn);
        let Some(context) = self.shared.context(id).filter(|_| self.disputes) else {
            return;
        };
        if !self.comparing.begin(log, last) {
            return;
        }
        let compared = Compared {
            job: id,
            place: part.turn,
            account: part.coordinator.account.clone(),
            base: checked.base.clone(),
            roots: context.input_roots(),
            from: 0,
        };
        tokio::spawn(compare(
            self.shared.clone(),
            self.comparing.clone(),
            compared,
        ));
    }
}

/// Compares a log's batches until all are settled, or one otherwise than it was written down.
async fn compare(shared: Arc<Shared>, comparing: Arc<Comparing>, mut log: Compared) {
    let (job, name) = (log.job, (log.job, log.place));
    let (sequence, first) = loop {
        if shared.commands.is_closed() {
            return;
        }
        match look(&shared, &mut log).await {
            Ok(Look::Settled(next)) if comparing.end(&name, next) => return,
            Ok(Look::Settled(_)) => {}
            Ok(Look::Otherwise(sequence, first)) => break (sequence, first),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(%job, error, "what was settled could not be compared; trying again");
            }
        }
        tokio::time::sleep(LOOK).await;
    };
    let by = &log.account;
    tracing::error!(%job, %by, batch = sequence, "a coordinator settled another batch than its log has");
    let lie = Lie {
        job,
        place: log.place,
        base: log.base,
        fault: RecheckFault::TwoBatches {
            sequence,
            first,
            second: None,
        },
        refused: None,
        roots: log.roots,
    };
    // It convicts once, and whoever did so has no turn any more.
    show(shared, lie).await;
}

async fn look(shared: &Arc<Shared>, log: &mut Compared) -> Result<Look, LieError> {
    let state = shared.chain.at_finalised().await?;
    let known = on_chain(&state, log.job, log.base.first).await?;
    let Some(known) = known.filter(|it| it.job.state.is_open()) else {
        return Ok(Look::Settled(BatchSequence::MAX));
    };
    let (store, job, place) = (shared.store.clone(), log.job, log.place);
    let (account, from) = (log.account.clone(), log.from);
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Reading::new(known, account, from);
        copies::read_from(&store, job, Writer::Member(place), from, |block| {
            read.take(block.header.payload.index, block.positions())
        })?;
        Ok::<_, StoreError>(read)
    });
    let read = read.await.map_err(|_| LieError::Unread)??;
    log.from = read.from;
    Ok(read.look())
}

/// A log as it is read beside what the chain has.
struct Reading {
    known: OnChain,
    account: AccountId,
    from: u64,
    has_unsettled: bool,
    otherwise: Option<(BatchSequence, u64)>,
}

impl Reading {
    fn new(known: OnChain, account: AccountId, from: u64) -> Self {
        Self {
            known,
            account,
            from,
            has_unsettled: false,
            otherwise: None,
        }
    }

    /// Takes the entries of the next block. Gives whether to read on.
    fn take<'a>(&mut self, index: u64, entries: impl Iterator<Item = (u64, &'a Entry)>) -> bool {
        for (position, entry) in entries {
            let Entry::Batched { batch } = entry else {
                continue;
            };
            self.has_unsettled |= batch.sequence >= self.known.job.next_batch;
            if self.otherwise.is_none() && self.known.has_settled_otherwise(batch, &self.account) {
                self.otherwise = Some((batch.sequence, position));
            }
        }
        if !self.has_unsettled {
            self.from = index.saturating_add(1);
        }
        self.otherwise.is_none()
    }

    fn look(self) -> Look {
        match self.otherwise {
            Some((sequence, position)) => Look::Otherwise(sequence, position),
            None => Look::Settled(self.known.job.next_batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_compared_once_and_until_its_last_batch_is_settled() {
        let comparing = Comparing::default();
        let log = (JobId([1; 32]), 0);
        assert!(comparing.begin(log, 3));
        assert!(!comparing.begin(log, 4));
        assert!(!comparing.end(&log, 0) && !comparing.end(&log, 4));
        assert!(comparing.end(&log, 5));
        assert!(comparing.begin(log, 5));
        let more = (1u8..).map(|place| (JobId([2; 32]), place));
        assert!(more.take(9).all(|other| comparing.begin(other, 0)));
    }
}
