//! A device's disk: what outlives its worker, if that is killed, and what outlives a power cut.

use crate::grid::violation::Violation;
use quern_primitives::{
    ids::{DeviceId, Digest},
    log::SignedAcknowledgement,
    receipt::receipt_digest,
};
use quern_protocol::{ReplicaId, Request, Response};
use quern_worker::{
    core::{Event, Finished, Restored, Sealed},
    limits::KEEP_FROM_MS,
};
use std::collections::{BTreeMap, BTreeSet};

/// Reports, and masternodes' words that they have taken some.
#[derive(Clone, Debug, Default)]
pub(super) struct Storage {
    reports: BTreeMap<ReplicaId, Report>,
    /// Of the words the receipts that they are about.
    words: BTreeSet<Digest>,
}

#[derive(Clone, Debug)]
struct Report {
    restored: Restored,
    is_synced: bool,
}

/// A report on the disk that a masternode says it has taken: from then on the report or the word is there.
pub(super) struct Promise {
    id: ReplicaId,
    receipt: Digest,
}

impl Storage {
    /// Writes a finished task, as the sandbox does before anybody hears of it, if it is worth that.
    pub(super) fn keep_if_worth_it(
        &mut self,
        masternode: DeviceId,
        finished: &Finished,
        took_ms: u64,
    ) {
        let is_large = matches!(finished.sealed, Sealed::Kept { .. });
        let is_synced = is_large || took_ms >= KEEP_FROM_MS;
        if is_synced || finished.commitment.is_some() {
            self.write(masternode, finished, is_synced);
        }
    }

    /// Writes what a worker that stops still owes.
    pub(super) fn keep(&mut self, masternode: DeviceId, finished: &Finished) {
        if !self.reports.contains_key(&finished.id()) {
            self.write(masternode, finished, true);
        }
    }

    fn write(&mut self, masternode: DeviceId, finished: &Finished, is_synced: bool) {
        let finished = finished.clone();
        let report = Report {
            restored: Restored {
                masternode,
                finished,
            },
            is_synced,
        };
        self.reports.insert(report.restored.id(), report);
    }

    pub(super) fn forget(&mut self, id: &ReplicaId) {
        self.reports.remove(id);
    }

    pub(super) fn keep_word(&mut self, word: &SignedAcknowledgement) {
        self.words.insert(word.payload.receipt);
    }

    /// The power goes, and with it what the system had not written yet.
    pub(super) fn lose_unsynced(&mut self) {
        self.reports.retain(|_, report| report.is_synced);
    }

    /// What the worker finds when it starts.
    pub(super) fn restored(&self) -> Vec<Restored> {
        let reports = self.reports.values();
        reports.map(|report| report.restored.clone()).collect()
    }

    /// Of what a masternode says it has taken that which is on the disk.
    pub(super) fn promises(&self, event: &Event) -> Vec<Promise> {
        let Event::Answered {
            answer: Some(Response::Work(work)),
            ..
        } = event
        else {
            return vec![];
        };
        let said = work.acknowledged.iter().flat_map(|list| &list.words);
        let promises = said.map(|said| Promise {
            id: ReplicaId {
                job: said.job,
                task: said.task,
                replica: said.replica,
            },
            receipt: said.receipt,
        });
        promises
            .filter(|promise| self.has_report(promise))
            .collect()
    }

    fn has_report(&self, promise: &Promise) -> bool {
        let report = self.reports.get(&promise.id);
        let receipt = report.map(|report| receipt_digest(&report.restored.finished.receipt));
        receipt == Some(promise.receipt)
    }

    /// That of each of these the report or the word is there, wherever the worker was killed.
    pub(super) fn check(&self, device: u32, promises: &[Promise]) -> Result<(), Violation> {
        let is_lost = |it: &&Promise| !self.words.contains(&it.receipt) && !self.has_report(it);
        match promises.iter().find(is_lost) {
            Some(lost) => Err(Violation::WordLost {
                device,
                task: lost.id.task,
            }),
            None => Ok(()),
        }
    }

    /// That a device which commits itself to something will open it, though it be killed: it is written.
    pub(super) fn check_commits(&self, device: u32, request: &Request) -> Result<(), Violation> {
        let Request::Exchange(exchange) = request else {
            return Ok(());
        };
        let mut commits = exchange.commitments.iter().map(|commits| &commits.payload);
        let is_written = |id| self.reports.contains_key(&id);
        let unwritten = commits.find(|commits| {
            !is_written(ReplicaId {
                job: commits.job,
                task: commits.task,
                replica: commits.replica,
            })
        });
        match unwritten {
            Some(commits) => Err(Violation::CommittedUnwritten {
                device,
                task: commits.task,
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{machine, work::GENESIS};
    use quern_primitives::{
        device::Class,
        ids::{JobId, ProgramHash, RevealSalt},
        log::{Acknowledgement, Acknowledgements, Commitment},
        payload::NodeSecret,
        receipt::{Exit, Receipt},
    };
    use quern_protocol::{Exchange, Work};

    const MASTERNODE: DeviceId = machine::MASTERNODE;

    fn finished(commits: bool) -> Finished {
        let key = machine::key(&Default::default(), 1);
        let receipt = Receipt {
            job: JobId([1; 32]),
            task: 2,
            replica: 0,
            device: key.id(),
            program: ProgramHash([4; 32]),
            input_root: Digest([5; 32]),
            question: Digest([46; 32]),
            result_commitment: Digest([6; 32]),
            output_root: Digest([7; 32]),
            result_bytes: 0,
            fuel: 1,
            exit: Exit::Success,
            class: Class::Pinned,
            engine: Digest([1; 32]),
            log_position: 3,
            salt: RevealSalt([9; 32]),
        };
        let commitment = Commitment {
            job: receipt.job,
            task: receipt.task,
            replica: receipt.replica,
            device: receipt.device,
            log_position: receipt.log_position,
            commitment: receipt.commitment(),
        };
        Finished {
            shown: machine::SHOWN,
            receipt: key.sign(receipt, &GENESIS),
            commitment: commits.then(|| key.sign(commitment, &GENESIS)),
            sealed: Sealed::Here(vec![]),
        }
    }

    fn word(finished: &Finished) -> SignedAcknowledgement {
        let receipt = &finished.receipt;
        let word = Acknowledgement {
            job: receipt.payload.job,
            task: receipt.payload.task,
            replica: receipt.payload.replica,
            device: receipt.payload.device,
            receipt: receipt_digest(receipt),
            position: 4,
        };
        SignedAcknowledgement::alone(word, &NodeSecret::from_seed(&[8; 32]), &GENESIS)
    }

    fn acknowledges(word: &SignedAcknowledgement) -> Event {
        let work = Work {
            acknowledged: vec![Acknowledgements {
                words: vec![word.payload],
                signature: word.signature,
            }],
            ..Work::default()
        };
        Event::Answered {
            masternode: MASTERNODE,
            connection: 0,
            number: 0,
            answer: Some(Response::Work(work)),
        }
    }

    #[test]
    fn a_report_that_is_dropped_before_the_word_is_written_is_lost_by_who_is_killed_in_between() {
        let finished = finished(false);
        let mut storage = Storage::default();
        let said = word(&finished);
        assert!(storage.promises(&acknowledges(&said)).is_empty());
        storage.keep_if_worth_it(MASTERNODE, &finished, KEEP_FROM_MS);
        let promises = storage.promises(&acknowledges(&said));
        assert_eq!(storage.check(7, &promises), Ok(()));
        let mut hasty = storage.clone();
        hasty.forget(&finished.id());
        let lost = Violation::WordLost { device: 7, task: 2 };
        assert_eq!(hasty.check(7, &promises), Err(lost));
        storage.keep_word(&said);
        storage.forget(&finished.id());
        assert_eq!(storage.check(7, &promises), Ok(()));
    }

    #[test]
    fn what_a_device_commits_itself_to_is_written_and_only_what_took_long_outlives_a_power_cut() {
        let quick = finished(true);
        let commits = |it: &Finished| {
            let exchange = Exchange {
                commitments: it.commitment.into_iter().collect(),
                ..Exchange::default()
            };
            Request::Exchange(exchange)
        };
        let mut storage = Storage::default();
        let unwritten = Violation::CommittedUnwritten { device: 7, task: 2 };
        let checked = storage.check_commits(7, &commits(&quick));
        assert_eq!(checked, Err(unwritten.clone()));
        storage.keep_if_worth_it(MASTERNODE, &quick, KEEP_FROM_MS - 1);
        assert_eq!(storage.check_commits(7, &commits(&quick)), Ok(()));
        assert_eq!(storage.restored().len(), 1);
        storage.lose_unsynced();
        assert_eq!(
            storage.check_commits(7, &commits(&quick)),
            Err(unwritten.clone())
        );
        let bare = finished(false);
        storage.keep_if_worth_it(MASTERNODE, &bare, KEEP_FROM_MS - 1);
        assert!(storage.restored().is_empty());
        storage.keep_if_worth_it(MASTERNODE, &bare, KEEP_FROM_MS);
        storage.lose_unsynced();
        assert_eq!(storage.restored().len(), 1);
    }
}
