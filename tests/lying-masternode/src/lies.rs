//! What is signed in the place of what was decided.

use clap::ValueEnum;
use codec::Encode as _;
use quern_job_rules::{pay::pays, tasks};
use quern_masternode::{
    Altering,
    core::{End, Entry},
};
use quern_primitives::{
    AccountId, Amount, DeviceId, JobId, TaskIndex,
    batch::{Batch, DeviceChange, Payout},
    device::RecordChange,
    ids::BatchSequence,
    lanes::LANES_MAX,
    merkle::Tree,
    params::Terms,
    verdict::{Finding, ReplicaFinding, Verdict},
};
use std::collections::{BTreeMap, BTreeSet};

/// An account that did nothing. It stands behind all others, so that lists stay in order.
const STRANGER: AccountId = AccountId::new([0xff; 32]);

/// Accepted answers that are enough where a majority of three decides.
const ENOUGH: usize = 2;

/// What is lied about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lie {
    /// A batch pays somebody who did nothing in the place of a worker
    PayStranger,
    /// A verdict leaves somebody out whose answer was accepted
    LeaveOut,
    /// The same where enough others are left, who share its pay: nothing is wrong with the verdict by itself
    KeepBack,
    /// A verdict says of an accepted answer that it was wrong
    CallWrong,
    /// A verdict has more than its task's price
    Overprice,
    /// The chain is sent another batch than the log has
    TwoBatches,
    /// The log has two verdicts on one task, where the job should end
    JudgeTwice,
    /// The log says of a device that it is another account's
    Misassign,
    /// The log says of every replica that its account was in its lane of 32
    OtherLane,
}

/// Lies once in each job.
pub(crate) struct Liar {
    lie: Lie,
    told: BTreeSet<JobId>,
    /// The verdicts as they are in the logs.
    verdicts: BTreeMap<(JobId, TaskIndex), Verdict>,
    /// The batches as they are in the logs.
    batches: BTreeMap<(JobId, BatchSequence), Batch>,
}

impl Liar {
    pub(crate) fn new(lie: Lie) -> Self {
        Self {
            lie,
            told: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            batches: BTreeMap::new(),
        }
    }

    /// Lies if that can be done here and was not done in this job.
    fn once(&mut self, job: JobId, lie: impl FnOnce() -> bool) {
        if !self.told.contains(&job) && lie() {
            self.told.insert(job);
        }
    }

    fn judged(&mut self, job: JobId, mut verdict: Verdict) -> Verdict {
        let lie = self.lie;
        self.once(job, || match lie {
            Lie::LeaveOut => leave_out(&mut verdict),
            Lie::KeepBack => keep_back(&mut verdict),
            Lie::CallWrong => call_wrong(&mut verdict),
            Lie::Overprice => overprice(&mut verdict),
            Lie::PayStranger
            | Lie::TwoBatches
            | Lie::JudgeTwice
            | Lie::Misassign
            | Lie::OtherLane => false,
        });
        self.verdicts.insert((job, verdict.task), verdict.clone());
        verdict
    }

    fn batched(&mut self, job: JobId, batch: Batch) -> Batch {
        // A batch that does not follow from its verdicts is told only where that is the lie.
        let mut batch = self.composed(&batch).unwrap_or(batch);
        let lie = self.lie;
        self.once(job, || match lie {
            Lie::PayStranger => pay_stranger(&mut batch),
            _ => false,
        });
        self.batches.insert((job, batch.sequence), batch.clone());
        batch
    }

    /// The batch of the same tasks over the verdicts that are in the log.
    fn composed(&self, batch: &Batch) -> Option<Batch> {
        let tasks = tasks::validate(&batch.tasks, TaskIndex::MAX).ok()?;
        let verdicts: Vec<&Verdict> = tasks
            .iter()
            .map(|task| self.verdicts.get(&(batch.job, task)))
            .collect::<Option<_>>()?;
        let mut spent: Amount = 0;
        let mut payouts: BTreeMap<AccountId, Amount> = BTreeMap::new();
        let mut devices: BTreeMap<DeviceId, RecordChange> = BTreeMap::new();
        for verdict in &verdicts {
            spent = spent.checked_add(verdict.price)?;
            for found in &verdict.replicas {
                if found.pay > 0 {
                    let pay = payouts.entry(found.account.clone()).or_default();
                    *pay = pay.checked_add(found.pay)?;
                }
                let change = devices.entry(found.device).or_default();
                match found.finding {
                    Finding::Accepted => change.accepted += 1,
                    Finding::Incorrect => change.incorrect += 1,
                    Finding::Failed => change.failed += 1,
                    Finding::Delayed => change.delayed += 1,
                }
            }
        }
        let payouts = payouts
            .into_iter()
            .map(|(account, amount)| Payout { account, amount });
        let devices = devices
            .into_iter()
            .map(|(device, change)| DeviceChange { device, change });
        Some(Batch {
            verdicts_root: Tree::new(verdicts.iter().map(|verdict| verdict.encode())).root(),
            spent,
            payouts: payouts.collect::<Vec<_>>().try_into().ok()?,
            devices: devices.collect::<Vec<_>>().try_into().ok()?,
            ..batch.clone()
        })
    }

    /// Another verdict on a task that has one.
    fn second_verdict(&self, job: JobId) -> Option<Verdict> {
        let mut verdicts = self.verdicts.range((job, 0)..=(job, TaskIndex::MAX));
        let mut verdict = verdicts.next().map(|(_, verdict)| verdict.clone())?;
        overprice(&mut verdict).then_some(verdict)
    }
}

impl Altering for Liar {
    fn entry(&mut self, job: JobId, entry: Entry) -> Entry {
        match entry {
            Entry::Judged { verdict } => Entry::Judged {
                verdict: self.judged(job, verdict),
            },
            Entry::Batched { batch } => Entry::Batched {
                batch: self.batched(job, batch),
            },
            Entry::Assigned {
                task,
                replica,
                device,
                mut account,
                engine,
                at,
                lanes,
            } => {
                let is_lie = self.lie == Lie::Misassign;
                self.once(job, || {
                    if is_lie {
                        account = STRANGER;
                    }
                    is_lie
                });
                Entry::Assigned {
                    task,
                    replica,
                    device,
                    account,
                    engine,
                    at,
                    // Of one account in 32 it is true, so it is said of all.
                    lanes: match self.lie {
                        Lie::OtherLane => LANES_MAX,
                        _ => lanes,
                    },
                }
            }
            Entry::Ended { end: End::Done } if self.lie == Lie::JudgeTwice => {
                match self.second_verdict(job) {
                    Some(verdict) => Entry::Judged { verdict },
                    None => Entry::Ended { end: End::Done },
                }
            }
            entry => entry,
        }
    }

    fn batch(&mut self, batch: Batch) -> Batch {
        let logged = self.batches.get(&(batch.job, batch.sequence)).cloned();
        let mut batch = logged.unwrap_or(batch);
        if self.lie == Lie::TwoBatches {
            pay_stranger(&mut batch);
        }
        batch
    }
}

/// Where somebody was paid for an answer: the place of the last one.
fn last_paid(verdict: &Verdict) -> Option<usize> {
    let is_paid = |found: &ReplicaFinding| found.finding == Finding::Accepted && found.pay > 0;
    verdict.replicas.iter().rposition(is_paid)
}

fn leave_out(verdict: &mut Verdict) -> bool {
    let place = last_paid(verdict);
    place.map(|place| verdict.replicas.remove(place)).is_some()
}

fn keep_back(verdict: &mut Verdict) -> bool {
    let is_accepted = |found: &&ReplicaFinding| found.finding == Finding::Accepted;
    let accepted = verdict.replicas.iter().filter(is_accepted).count();
    if accepted <= ENOUGH || !leave_out(verdict) {
        return false;
    }
    // Tests have the terms of a new chain.
    let left = u8::try_from(accepted - 1).unwrap_or(u8::MAX);
    let pay = pays(verdict.price, left, Terms::FIRST);
    for found in &mut verdict.replicas {
        if found.finding == Finding::Accepted {
            found.pay = pay;
        }
    }
    true
}

fn call_wrong(verdict: &mut Verdict) -> bool {
    let Some(found) = last_paid(verdict).and_then(|place| verdict.replicas.get_mut(place)) else {
        return false;
    };
    found.finding = Finding::Incorrect;
    found.pay = 0;
    true
}

/// Twice as much, which the chain takes of a task that used less than half of the fuel that it may use.
fn overprice(verdict: &mut Verdict) -> bool {
    match verdict.price {
        0 => false,
        price => {
            verdict.price = price.saturating_mul(2);
            true
        }
    }
}

fn pay_stranger(batch: &mut Batch) -> bool {
    let mut payouts: Vec<Payout> = batch.payouts.to_vec();
    let Some(last) = payouts.last_mut() else {
        return false;
    };
    last.account = STRANGER;
    let Ok(payouts) = payouts.try_into() else {
        return false;
    };
    batch.payouts = payouts;
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use quern_primitives::{
        Digest,
        batch::LogRange,
        receipt::{Answer, Exit},
        verdict::Ground,
    };

    const JOB: JobId = JobId([7; 32]);

    fn verdict(task: TaskIndex) -> Verdict {
        let found = |number: u8| ReplicaFinding {
            replica: number,
            device: DeviceId([number; 32]),
            account: AccountId::new([number; 32]),
            finding: Finding::Accepted,
            receipt: Some(Digest([number; 32])),
            pay: 35,
        };
        Verdict {
            job: JOB,
            task,
            answer: Answer {
                result_commitment: Digest([9; 32]),
                result_bytes: 4,
                fuel: 100,
                exit: Exit::Success,
            },
            ground: Ground::Unanimous,
            price: 100,
            replicas: vec![found(0), found(1)],
        }
    }

    fn honest() -> Batch {
        let verdicts = [verdict(0), verdict(1)];
        let pay = |number: u8| Payout {
            account: AccountId::new([number; 32]),
            amount: 70,
        };
        let change = |number: u8| DeviceChange {
            device: DeviceId([number; 32]),
            change: RecordChange {
                accepted: 2,
                ..RecordChange::default()
            },
        };
        Batch {
            job: JOB,
            sequence: 0,
            log: LogRange { first: 0, last: 8 },
            verdicts_root: Tree::new(verdicts.iter().map(|it| it.encode())).root(),
            tasks: tasks::collect([0, 1]).unwrap(),
            spent: 200,
            payouts: vec![pay(0), pay(1)].try_into().unwrap(),
            devices: vec![change(0), change(1)].try_into().unwrap(),
        }
    }

    /// What is in the log, and what is sent, of two verdicts, the job's end and a batch of both.
    fn told(lie: Lie) -> (Vec<Entry>, Batch) {
        let mut liar = Liar::new(lie);
        let entries = [
            Entry::Judged {
                verdict: verdict(0),
            },
            Entry::Judged {
                verdict: verdict(1),
            },
            Entry::Ended { end: End::Done },
            Entry::Batched { batch: honest() },
        ];
        let log = entries.map(|entry| liar.entry(JOB, entry));
        (log.into(), liar.batch(honest()))
    }

    fn batch_of(log: &[Entry]) -> &Batch {
        match log.last() {
            Some(Entry::Batched { batch }) => batch,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn where_nothing_is_lied_about_all_stays_as_it_is() {
        // Nobody is assigned here.
        let (log, sent) = told(Lie::Misassign);
        assert_eq!((batch_of(&log), &sent), (&honest(), &honest()));
    }

    #[test]
    fn a_lie_in_a_verdict_is_told_once_and_its_batch_fits_it() {
        for lie in [Lie::LeaveOut, Lie::CallWrong, Lie::Overprice] {
            let (log, sent) = told(lie);
            let (first, second) = match &log[..2] {
                [
                    Entry::Judged { verdict: first },
                    Entry::Judged { verdict: second },
                ] => (first, second),
                other => panic!("{other:?}"),
            };
            assert!(*first != verdict(0) && *second == verdict(1), "{lie:?}");
            let batch = batch_of(&log);
            assert_eq!(batch, &sent, "{lie:?}");
            let root = Tree::new([first.encode(), second.encode()]).root();
            assert_eq!(batch.verdicts_root, root, "{lie:?}");
            assert_eq!(batch.spent, first.price + second.price, "{lie:?}");
            let paid: Amount = batch.payouts.iter().map(|it| it.amount).sum();
            let all = [first, second].into_iter().flat_map(|it| &it.replicas);
            assert_eq!(paid, all.map(|it| it.pay).sum::<Amount>(), "{lie:?}");
        }
    }

    #[test]
    fn who_is_kept_back_leaves_enough_others_who_share_its_pay() {
        // Of two there would be too few.
        let (log, sent) = told(Lie::KeepBack);
        assert_eq!((batch_of(&log), &sent), (&honest(), &honest()));
        let mut three = verdict(0);
        three.replicas.push(ReplicaFinding {
            replica: 2,
            device: DeviceId([2; 32]),
            account: AccountId::new([2; 32]),
            ..three.replicas[0].clone()
        });
        assert!(keep_back(&mut three));
        let pays: Vec<_> = three.replicas.iter().map(|it| it.pay).collect();
        assert_eq!(pays, [35, 35]);
    }

    #[test]
    fn a_stranger_is_paid_in_the_log_or_behind_its_back() {
        let (log, sent) = told(Lie::PayStranger);
        assert_eq!(batch_of(&log), &sent);
        assert_eq!(sent.payouts[1].account, STRANGER);
        let (log, sent) = told(Lie::TwoBatches);
        assert_eq!(batch_of(&log), &honest());
        assert_eq!(sent.payouts[1].account, STRANGER);
    }

    #[test]
    fn a_task_is_judged_again_where_the_job_ends() {
        let (log, sent) = told(Lie::JudgeTwice);
        let Entry::Judged { verdict: again } = &log[2] else {
            panic!("{:?}", log[2]);
        };
        assert!(again.task == 0 && *again != verdict(0));
        assert_eq!(sent, honest());
    }
}
