//! Whether a batch fits its job, and what it then moves.
//!
//! The chain does not see verdicts, only their Merkle root and sums. What it can hold a batch to is
//! here: who settles and when, the order of batches, each task once, no more than the tasks can
//! cost, no more to workers than their part, and lists in one canonical order.

use crate::{
    life::{self, LifeError},
    pay::{self, PriceOverflow, Tariff},
    split::{Split, WorkersOverShare},
    tasks::{self, TaskSetError, ValidTasks},
};
use core::fmt;
use quern_primitives::{
    amount::Amount,
    batch::{Batch, BatchRecord, BatchState, DeviceChange, Payout, PendingBatch, Places},
    ids::{AccountId, BatchSequence, BlockNumber, Digest},
    job::Job,
    limits::REPLICAS_PER_TASK_MAX,
    params::Terms,
};

/// Why a batch does not fit its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Not this sender, or not now.
    Life(LifeError),
    /// It does not follow the job's last batch.
    WrongSequence {
        /// The sequence number it should have.
        expected: BatchSequence,
    },
    /// Its stretch of the job log ends before it begins.
    LogReversed,
    /// Its set of tasks cannot be settled.
    Tasks(TaskSetError),
    /// It spends more than its tasks can cost.
    OverCap {
        /// The most its tasks can cost.
        most: Amount,
    },
    /// It spends more than is held for the job.
    OverEscrow {
        /// What is held.
        held: Amount,
    },
    /// Payees are not strictly ascending.
    PayoutsUnsorted,
    /// A payout is zero.
    PayoutZero,
    /// More accounts are paid than the tasks can have replicas.
    TooManyPayees {
        /// The most they can have.
        most: u64,
    },
    /// The payouts are more than the workers' part.
    WorkersOverShare(WorkersOverShare),
    /// Devices are not strictly ascending.
    DevicesUnsorted,
    /// A device's record does not change.
    DeviceUnchanged,
    /// The records count more replicas than the tasks can have.
    TooManyFindings {
        /// The most they can have.
        most: u64,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Life(error) => error.fmt(f),
            Self::WrongSequence { expected } => {
                write!(f, "the job's next batch is number {expected}; number it so")
            }
            Self::LogReversed => {
                f.write_str("the stretch of the job log ends before it begins; swap its ends")
            }
            Self::Tasks(error) => error.fmt(f),
            Self::OverCap { most } => {
                write!(
                    f,
                    "these tasks cost at most {most} units together; spend no more"
                )
            }
            Self::OverEscrow { held } => {
                write!(f, "{held} units are held for the job; spend no more")
            }
            Self::PayoutsUnsorted => {
                f.write_str("sort payouts by account and give each account one")
            }
            Self::PayoutZero => f.write_str("leave out payouts of zero"),
            Self::TooManyPayees { most } => write!(
                f,
                "these tasks can have {most} replicas at the most; pay no more accounts"
            ),
            Self::WorkersOverShare(error) => error.fmt(f),
            Self::DevicesUnsorted => f.write_str("sort changes by device and give each device one"),
            Self::DeviceUnchanged => f.write_str("leave out devices whose record does not change"),
            Self::TooManyFindings { most } => write!(
                f,
                "the records count more replicas than these tasks can have; count at most {most}"
            ),
        }
    }
}

impl core::error::Error for BatchError {}

impl From<LifeError> for BatchError {
    fn from(error: LifeError) -> Self {
        Self::Life(error)
    }
}

impl From<TaskSetError> for BatchError {
    fn from(error: TaskSetError) -> Self {
        Self::Tasks(error)
    }
}

impl From<WorkersOverShare> for BatchError {
    fn from(error: WorkersOverShare) -> Self {
        Self::WorkersOverShare(error)
    }
}

/// A batch that fits its job, with the money it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedBatch<'a> {
    batch: &'a Batch,
    tasks: ValidTasks<'a>,
    split: Split,
}

/// Checks `batch`, sent by `by` in block `now`, against its job and the bitmap of the tasks that
/// are `settled`. The cheapest checks come first; no check costs more than one pass over the batch.
pub fn validate<'a>(
    job: &Job,
    settled: &[u8],
    batch: &'a Batch,
    by: &AccountId,
    now: BlockNumber,
) -> Result<ValidatedBatch<'a>, BatchError> {
    life::check_settler(job, now, by)?;
    if batch.sequence != job.next_batch {
        return Err(BatchError::WrongSequence {
            expected: job.next_batch,
        });
    }
    if batch.log.last < batch.log.first {
        return Err(BatchError::LogReversed);
    }
    let tasks = tasks::validate(&batch.tasks, job.submission.tasks)?;
    check_spent(job, &tasks, batch.spent)?;
    let replicas = replicas_max(tasks.count());
    let workers = check_payouts(&batch.payouts, replicas, batch.spent, job.terms)?;
    let split = Split::of(batch.spent, workers, job.terms)?;
    check_devices(&batch.devices, replicas)?;
    tasks.check_unsettled(settled)?;
    Ok(ValidatedBatch {
        batch,
        tasks,
        split,
    })
}

impl<'a> ValidatedBatch<'a> {
    /// The tasks it settles.
    pub fn tasks(&self) -> &ValidTasks<'a> {
        &self.tasks
    }

    /// Who gets what.
    pub fn split(&self) -> Split {
        self.split
    }

    /// The pay of each worker account.
    pub fn payouts(&self) -> &'a [Payout] {
        &self.batch.payouts
    }

    /// The changes of the devices' records.
    pub fn devices(&self) -> &'a [DeviceChange] {
        &self.batch.devices
    }

    /// The event that it is for its job, settled by `by`.
    pub fn event<'b>(&self, by: &'b AccountId) -> life::Event<'b> {
        life::Event::Settled {
            by,
            tasks: self.tasks.count(),
            split: self.split,
        }
    }

    /// What the chain keeps of it until it is final, to pay it or to take it back.
    pub fn pending(&self, by: &AccountId, certified_by: Places, due: BlockNumber) -> PendingBatch {
        PendingBatch {
            due,
            coordinator: by.clone(),
            certified_by,
            tasks: self.batch.tasks.clone(),
            payouts: self.batch.payouts.clone(),
            devices: self.batch.devices.clone(),
            split: self.split.shares(),
        }
    }

    /// What the chain keeps of it for good: it rests on a log up to the block of this place and hash. It
    /// is final when height `due` is, by the chain's clock.
    pub fn record(
        &self,
        (block, head): (u64, Digest),
        settled_at: BlockNumber,
        due: BlockNumber,
    ) -> BatchRecord {
        BatchRecord {
            verdicts_root: self.batch.verdicts_root,
            log: self.batch.log,
            block,
            head,
            tasks: self.tasks.count(),
            spent: self.split.spent(),
            paid: self.split.workers(),
            settled_at,
            state: BatchState::Pending { due },
        }
    }
}

fn check_spent(job: &Job, tasks: &ValidTasks<'_>, spent: Amount) -> Result<(), BatchError> {
    let held = job.escrow.held;
    // A job whose price overflowed was never accepted, so a tariff that fails spends nothing.
    let most = Tariff::of_job(job)
        .and_then(|tariff| {
            tariff
                .task_cap()
                .checked_mul(tasks.count().into())
                .ok_or(PriceOverflow)
        })
        .unwrap_or(0);
    if spent > most {
        Err(BatchError::OverCap { most })
    } else if spent > held {
        Err(BatchError::OverEscrow { held })
    } else {
        Ok(())
    }
}

/// The most replicas that so many tasks can have. Nobody is paid, and no record changes, without one: a
/// batch is free of fees, and must not make more accounts and changes than it has work.
fn replicas_max(tasks: u32) -> u64 {
    u64::from(tasks).saturating_mul(REPLICAS_PER_TASK_MAX.into())
}

/// The sum of the payouts.
fn check_payouts(
    payouts: &[Payout],
    replicas: u64,
    spent: Amount,
    terms: Terms,
) -> Result<Amount, BatchError> {
    if !payouts.is_sorted_by(|before, after| before.account < after.account) {
        return Err(BatchError::PayoutsUnsorted);
    }
    if payouts.iter().any(|payout| payout.amount == 0) {
        return Err(BatchError::PayoutZero);
    }
    if payouts.len() as u64 > replicas {
        return Err(BatchError::TooManyPayees { most: replicas });
    }
    let sum = payouts
        .iter()
        .try_fold(Amount::MIN, |sum, payout| sum.checked_add(payout.amount));
    let most = pay::bounty(spent, terms);
    sum.ok_or(
        WorkersOverShare {
            workers: Amount::MAX,
            most,
        }
        .into(),
    )
}

/// Each change counts at least one replica, so there are no more devices than replicas either.
fn check_devices(devices: &[DeviceChange], most: u64) -> Result<(), BatchError> {
    if !devices.is_sorted_by(|before, after| before.device < after.device) {
        return Err(BatchError::DevicesUnsorted);
    }
    if devices.iter().any(|device| device.change.total() == 0) {
        return Err(BatchError::DeviceUnchanged);
    }
    let findings = devices.iter().fold(0u64, |sum, device| {
        sum.saturating_add(device.change.total())
    });
    if findings > most {
        Err(BatchError::TooManyFindings { most })
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::life::tests::{COORDINATOR, STRANGER, running, submitted};
    use quern_primitives::{
        batch::LogRange,
        device::RecordChange,
        ids::{DeviceId, JobId},
    };

    const CAP: Amount = 44_000_000;

    fn payout(account: u8, amount: Amount) -> Payout {
        Payout {
            account: AccountId::new([account; 32]),
            amount,
        }
    }

    fn device(device: u8, accepted: u32) -> DeviceChange {
        let change = RecordChange {
            accepted,
            ..RecordChange::default()
        };
        DeviceChange {
            device: DeviceId([device; 32]),
            change,
        }
    }

    /// Settles tasks 8, 9 and 10 at half their cap.
    fn batch() -> Batch {
        Batch {
            job: JobId([9; 32]),
            sequence: 0,
            log: LogRange { first: 3, last: 9 },
            verdicts_root: Digest([7; 32]),
            tasks: tasks::collect([8, 9, 10]).unwrap(),
            spent: CAP * 3 / 2,
            payouts: vec![payout(1, 15_000_000), payout(2, 31_200_000)]
                .try_into()
                .unwrap(),
            devices: vec![device(1, 3), device(2, 6)].try_into().unwrap(),
        }
    }

    fn refusal(change: impl FnOnce(&mut Batch)) -> BatchError {
        let mut batch = batch();
        change(&mut batch);
        validate(&running(), &[0xff], &batch, &COORDINATOR, 20).unwrap_err()
    }

    #[test]
    fn a_batch_that_fits_moves_what_it_says() {
        let batch = batch();
        let valid = validate(&running(), &[0xff], &batch, &COORDINATOR, 20).unwrap();
        assert_eq!(valid.tasks().iter().collect::<Vec<_>>(), [8, 9, 10]);
        let split = valid.split();
        assert_eq!(split.spent(), 66_000_000);
        assert_eq!(split.workers(), 46_200_000);
        assert_eq!(split.operators(), 13_200_000);
        assert_eq!(split.treasury(), 6_600_000);
        let certified_by = Places::truncate_from(vec![0, 2]);
        let pending = valid.pending(&COORDINATOR, certified_by.clone(), 320);
        assert_eq!(pending.certified_by, certified_by);
        assert_eq!(pending.split.spent(), Some(66_000_000));
        assert_eq!((pending.due, &pending.tasks), (320, &batch.tasks));
        let record = valid.record((4, Digest([8; 32])), 20, 320);
        assert_eq!((record.block, record.head), (4, Digest([8; 32])));
        assert!(!record.is_final());
        assert_eq!(
            (record.tasks, record.spent, record.paid),
            (3, 66_000_000, 46_200_000)
        );
    }

    #[test]
    fn a_batch_of_another_sender_or_time_is_refused_first() {
        let broken = Batch {
            sequence: 5,
            ..batch()
        };
        let by_stranger = validate(&running(), &[], &broken, &STRANGER, 20);
        assert_eq!(
            by_stranger,
            Err(BatchError::Life(LifeError::NotCoordinator))
        );
        let undrawn = validate(&submitted(), &[], &broken, &COORDINATOR, 20);
        assert_eq!(undrawn, Err(BatchError::Life(LifeError::NotDrawn)));
    }

    #[test]
    fn a_batch_out_of_order_is_refused() {
        assert_eq!(
            refusal(|b| b.sequence = 1),
            BatchError::WrongSequence { expected: 0 }
        );
        assert_eq!(
            refusal(|b| b.log = LogRange { first: 2, last: 1 }),
            BatchError::LogReversed
        );
    }

    #[test]
    fn a_task_settled_twice_is_refused_by_name() {
        let error = refusal(|b| b.tasks = tasks::collect([7, 8, 9]).unwrap());
        assert_eq!(
            error,
            BatchError::Tasks(TaskSetError::AlreadySettled { task: 7 })
        );
    }

    #[test]
    fn a_task_the_job_does_not_have_is_refused_by_name() {
        let error = refusal(|b| b.tasks = tasks::collect([59, 60]).unwrap());
        assert_eq!(
            error,
            BatchError::Tasks(TaskSetError::NotInJob { task: 60 })
        );
    }

    #[test]
    fn more_than_the_tasks_can_cost_is_refused() {
        assert_eq!(
            refusal(|b| b.spent = 3 * CAP + 1),
            BatchError::OverCap { most: 3 * CAP }
        );
    }

    #[test]
    fn more_than_is_held_is_refused() {
        let mut job = running();
        job.escrow.held = CAP;
        let batch = batch();
        let over = validate(&job, &[], &batch, &COORDINATOR, 20);
        assert_eq!(over, Err(BatchError::OverEscrow { held: CAP }));
    }

    #[test]
    fn payouts_are_ascending_distinct_and_above_zero() {
        let payouts = |list: Vec<Payout>| move |b: &mut Batch| b.payouts = list.try_into().unwrap();
        let unsorted = vec![payout(2, 1), payout(1, 1)];
        assert_eq!(refusal(payouts(unsorted)), BatchError::PayoutsUnsorted);
        let twice = vec![payout(1, 1), payout(1, 1)];
        assert_eq!(refusal(payouts(twice)), BatchError::PayoutsUnsorted);
        assert_eq!(refusal(payouts(vec![payout(1, 0)])), BatchError::PayoutZero);
    }

    #[test]
    fn payouts_never_exceed_the_workers_part_even_where_sums_overflow() {
        let most = 46_200_000;
        let payouts = |list: Vec<Payout>| move |b: &mut Batch| b.payouts = list.try_into().unwrap();
        assert_eq!(
            refusal(payouts(vec![payout(1, most), payout(2, 1)])),
            BatchError::WorkersOverShare(WorkersOverShare {
                workers: most + 1,
                most
            })
        );
        assert_eq!(
            refusal(payouts(vec![
                payout(1, Amount::MAX),
                payout(2, Amount::MAX)
            ])),
            BatchError::WorkersOverShare(WorkersOverShare {
                workers: Amount::MAX,
                most
            })
        );
    }

    #[test]
    fn no_more_accounts_are_paid_than_the_tasks_can_have_replicas() {
        let payouts = |count: u8| {
            move |b: &mut Batch| {
                let all: Vec<_> = (1..=count).map(|account| payout(account, 1)).collect();
                b.payouts = all.try_into().unwrap();
            }
        };
        // Three tasks have fifteen replicas each at the most.
        let most = 45;
        assert_eq!(refusal(payouts(46)), BatchError::TooManyPayees { most });
        let mut batch = batch();
        payouts(45)(&mut batch);
        let valid = validate(&running(), &[0xff], &batch, &COORDINATOR, 20).unwrap();
        assert_eq!(valid.split().workers(), 45);
    }

    #[test]
    fn no_more_devices_change_than_the_tasks_can_have_replicas() {
        let error = refusal(|b| {
            let all: Vec<_> = (1..=46).map(|name| device(name, 1)).collect();
            b.devices = all.try_into().unwrap();
        });
        assert_eq!(error, BatchError::TooManyFindings { most: 45 });
    }

    #[test]
    fn device_changes_are_ascending_real_and_no_more_than_replicas() {
        let devices =
            |list: Vec<DeviceChange>| move |b: &mut Batch| b.devices = list.try_into().unwrap();
        let unsorted = vec![device(2, 1), device(1, 1)];
        assert_eq!(refusal(devices(unsorted)), BatchError::DevicesUnsorted);
        assert_eq!(
            refusal(devices(vec![device(1, 0)])),
            BatchError::DeviceUnchanged
        );
        assert_eq!(
            refusal(devices(vec![device(1, 45), device(2, 1)])),
            BatchError::TooManyFindings { most: 45 }
        );
    }
}
