//! The life of a job: what may happen to it in each state, and what money moves then.
//!
//! ```text
//!             drawn                  cancelled by owner
//! Submitted ────────► Running ──────────────────────────► Settling
//!     │                │   │                                │   │
//!     │ cancelled      │   │ last task settled, or          │   │ refunded
//!     │                │   │ a task cannot be               │   │
//!     ▼                │   └──────────► Completed ◄─────────┘   ▼
//! Cancelled            │ refunded after the deadline        Cancelled
//!                      ▼
//!                   Expired        (a job never drawn expires in the same way)
//! ```
//!
//! Every way out of the open states gives the owner back what is still held. The deadline is the
//! last block in which anything may be settled; after it only the refund is left, and anyone may
//! call it.

use crate::{split::Split, tasks};
use core::fmt;
use quern_primitives::{
    amount::Amount,
    ids::{AccountId, BlockNumber, TaskIndex},
    job::{Escrow, Failure, Job, JobEnd, JobState, Prices, Submission},
    params::Terms,
    receipt::Exit,
    view::Quote,
};

/// What happens to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The chain drew its coordinator.
    Drawn {
        /// The masternode drawn.
        coordinator: AccountId,
    },
    /// A batch is settled. What is in it is checked by [`crate::settlement`].
    Settled {
        /// Who settles.
        by: &'a AccountId,
        /// Tasks settled, none of them before.
        tasks: u32,
        /// Who gets what.
        split: Split,
    },
    /// A task cannot be settled, and the job cannot go on.
    Failed {
        /// Who says so.
        by: &'a AccountId,
        /// The task.
        task: TaskIndex,
        /// What is wrong with it.
        why: Failure,
        /// The tasks settled before, as a bitmap.
        settled: &'a [u8],
    },
    /// The owner wants no more of it.
    Cancelled {
        /// Who says so.
        by: &'a AccountId,
        /// Blocks the coordinator has to settle what was finished.
        grace_blocks: BlockNumber,
    },
    /// Somebody asks for the owner's money back.
    Refunded,
}

/// Money that leaves a job's escrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// To worker accounts, as the batch says.
    pub workers: Amount,
    /// To the coordinator.
    pub operators: Amount,
    /// To the treasury.
    pub treasury: Amount,
    /// Back to the owner.
    pub owner: Amount,
}

impl Moves {
    /// The escrow, of one job or of many together, after these moves; none if it holds less.
    pub fn out_of(&self, escrow: &Escrow) -> Option<Escrow> {
        let Self {
            workers,
            operators,
            treasury,
            owner,
        } = *self;
        let network = operators.checked_add(treasury)?;
        Some(Escrow {
            deposited: escrow.deposited,
            paid: escrow.paid.checked_add(workers)?,
            network: escrow.network.checked_add(network)?,
            refunded: escrow.refunded.checked_add(owner)?,
            held: escrow
                .held
                .checked_sub(workers)?
                .checked_sub(network)?
                .checked_sub(owner)?,
        })
    }
}

/// What an event makes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The job afterwards.
    pub job: Job,
    /// The money that moves.
    pub moves: Moves,
    /// Why the job is over, if it now is.
    pub end: Option<JobEnd>,
}

/// Why an event cannot happen to a job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeError {
    /// The job is over.
    Over,
    /// It has a coordinator already.
    AlreadyDrawn,
    /// It has no coordinator yet.
    NotDrawn,
    /// The one who settles is not its coordinator.
    NotCoordinator,
    /// The one who cancels is not its owner.
    NotOwner,
    /// The owner has cancelled it already.
    AlreadyCancelled,
    /// The last block in which this was possible is past.
    TooLate {
        /// That block.
        until: BlockNumber,
    },
    /// There is no refund yet.
    TooEarly {
        /// The last block in which there is none.
        until: BlockNumber,
    },
    /// The job has no such task.
    NoSuchTask {
        /// The task.
        task: TaskIndex,
    },
    /// The task that is said to be at fault is settled.
    TaskSettled {
        /// The task.
        task: TaskIndex,
    },
    /// A program that succeeds does not fail.
    ExitIsSuccess,
    /// More would be settled than is left of the job.
    MoreThanLeft,
}

impl fmt::Display for LifeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("the job is over; nothing more can happen to it"),
            Self::AlreadyDrawn => f.write_str("the job has its coordinator already"),
            Self::NotDrawn => {
                f.write_str("the job has no coordinator yet; wait for the next block")
            }
            Self::NotCoordinator => {
                f.write_str("only the job's coordinator may settle or close it")
            }
            Self::NotOwner => f.write_str("only the job's owner may cancel it"),
            Self::AlreadyCancelled => {
                f.write_str("the job is cancelled already; wait for the refund")
            }
            Self::TooLate { until } => {
                write!(
                    f,
                    "block {until} was the last for this; call the refund instead"
                )
            }
            Self::TooEarly { until } => {
                write!(
                    f,
                    "the refund is possible after block {until}; wait until then"
                )
            }
            Self::NoSuchTask { task } => write!(f, "the job has no task {task}"),
            Self::TaskSettled { task } => {
                write!(f, "task {task} is settled already; name one that is not")
            }
            Self::ExitIsSuccess => {
                f.write_str("a successful exit is no failure; settle the task instead")
            }
            Self::MoreThanLeft => {
                f.write_str("the batch takes more tasks or money than are left of the job")
            }
        }
    }
}

impl core::error::Error for LifeError {}

/// A job at its beginning, with the whole quote in escrow.
pub fn open(
    owner: AccountId,
    submission: Submission,
    prices: Prices,
    terms: Terms,
    quote: &Quote,
    now: BlockNumber,
) -> Job {
    Job {
        owner,
        submission,
        prices,
        terms,
        submitted_at: now,
        state: JobState::Submitted,
        escrow: Escrow {
            deposited: quote.total,
            held: quote.total,
            ..Escrow::default()
        },
        settled_tasks: 0,
        next_batch: 0,
    }
}

/// What `event`, in block `now`, makes of `job`.
pub fn apply(job: &Job, now: BlockNumber, event: Event<'_>) -> Result<Transition, LifeError> {
    match event {
        Event::Drawn { coordinator } => draw(job, coordinator),
        Event::Settled { by, tasks, split } => settle(job, now, by, tasks, split),
        Event::Failed {
            by,
            task,
            why,
            settled,
        } => {
            check_failure(job, now, by, task, why, settled)?;
            let end = match why {
                Failure::Program(exit) => JobEnd::ProgramFailed { task, exit },
                Failure::Undecided => JobEnd::Undecided { task },
            };
            close(job, Split::default(), end)
        }
        Event::Cancelled { by, grace_blocks } => cancel(job, now, by, grace_blocks),
        Event::Refunded => refund(job, now),
    }
}

/// Whether `by` may settle tasks of the job, or close it, in block `now`.
pub fn check_settler(job: &Job, now: BlockNumber, by: &AccountId) -> Result<(), LifeError> {
    let deadline = job.submission.deadline;
    let (coordinator, until) = match &job.state {
        JobState::Submitted => return Err(LifeError::NotDrawn),
        JobState::Running { coordinator } => (coordinator, deadline),
        JobState::Settling { coordinator, until } => (coordinator, deadline.min(*until)),
        JobState::Completed { .. } | JobState::Cancelled | JobState::Expired => {
            return Err(LifeError::Over);
        }
    };
    if coordinator != by {
        Err(LifeError::NotCoordinator)
    } else if now > until {
        Err(LifeError::TooLate { until })
    } else {
        Ok(())
    }
}

/// A job is drawn whatever its deadline: one that waited too long is then refunded like any other.
fn draw(job: &Job, coordinator: AccountId) -> Result<Transition, LifeError> {
    match job.state {
        JobState::Submitted => Ok(stays_open(job, JobState::Running { coordinator })),
        JobState::Running { .. } | JobState::Settling { .. } => Err(LifeError::AlreadyDrawn),
        JobState::Completed { .. } | JobState::Cancelled | JobState::Expired => {
            Err(LifeError::Over)
        }
    }
}

fn settle(
    job: &Job,
    now: BlockNumber,
    by: &AccountId,
    tasks: u32,
    split: Split,
) -> Result<Transition, LifeError> {
    check_settler(job, now, by)?;
    let settled_tasks = job
        .settled_tasks
        .checked_add(tasks)
        .filter(|settled| tasks > 0 && *settled <= job.submission.tasks)
        .ok_or(LifeError::MoreThanLeft)?;
    let all_settled = settled_tasks == job.submission.tasks;
    // Every batch settles a task, so there are never more batches than tasks.
    let next_batch = job.next_batch.saturating_add(1);
    let job = Job {
        settled_tasks,
        next_batch,
        ..job.clone()
    };
    if all_settled {
        return close(&job, split, JobEnd::AllSettled);
    }
    let (escrow, moves) = spend(&job.escrow, split, 0)?;
    Ok(Transition {
        job: Job { escrow, ..job },
        moves,
        end: None,
    })
}

fn check_failure(
    job: &Job,
    now: BlockNumber,
    by: &AccountId,
    task: TaskIndex,
    why: Failure,
    settled: &[u8],
) -> Result<(), LifeError> {
    check_settler(job, now, by)?;
    if why == Failure::Program(Exit::Success) {
        Err(LifeError::ExitIsSuccess)
    } else if task >= job.submission.tasks {
        Err(LifeError::NoSuchTask { task })
    } else if tasks::is_settled(settled, task) {
        Err(LifeError::TaskSettled { task })
    } else {
        Ok(())
    }
}

fn cancel(
    job: &Job,
    now: BlockNumber,
    by: &AccountId,
    grace_blocks: BlockNumber,
) -> Result<Transition, LifeError> {
    let deadline = job.submission.deadline;
    if !job.state.is_open() {
        return Err(LifeError::Over);
    }
    if job.owner != *by {
        return Err(LifeError::NotOwner);
    }
    match &job.state {
        JobState::Settling { .. } => Err(LifeError::AlreadyCancelled),
        _ if now > deadline => Err(LifeError::TooLate { until: deadline }),
        JobState::Running { coordinator } => {
            let until = now.saturating_add(grace_blocks).min(deadline);
            let coordinator = coordinator.clone();
            Ok(stays_open(job, JobState::Settling { coordinator, until }))
        }
        _ => close(job, Split::default(), JobEnd::OwnerCancelled),
    }
}

fn refund(job: &Job, now: BlockNumber) -> Result<Transition, LifeError> {
    let deadline = job.submission.deadline;
    let (until, end) = match job.state {
        JobState::Submitted | JobState::Running { .. } => (deadline, JobEnd::DeadlinePassed),
        JobState::Settling { until, .. } => (deadline.min(until), JobEnd::OwnerCancelled),
        JobState::Completed { .. } | JobState::Cancelled | JobState::Expired => {
            return Err(LifeError::Over);
        }
    };
    if now <= until {
        return Err(LifeError::TooEarly { until });
    }
    close(job, Split::default(), end)
}

fn stays_open(job: &Job, state: JobState) -> Transition {
    Transition {
        job: Job {
            state,
            ..job.clone()
        },
        moves: Moves::default(),
        end: None,
    }
}

/// Ends the job: `split` is still spent, the rest goes back to the owner.
fn close(job: &Job, split: Split, end: JobEnd) -> Result<Transition, LifeError> {
    let rest = job
        .escrow
        .held
        .checked_sub(split.spent())
        .ok_or(LifeError::MoreThanLeft)?;
    let (escrow, moves) = spend(&job.escrow, split, rest)?;
    let state = match end {
        JobEnd::AllSettled | JobEnd::ProgramFailed { .. } | JobEnd::Undecided { .. } => {
            JobState::Completed { end }
        }
        JobEnd::OwnerCancelled => JobState::Cancelled,
        JobEnd::DeadlinePassed => JobState::Expired,
    };
    Ok(Transition {
        job: Job {
            state,
            escrow,
            ..job.clone()
        },
        moves,
        end: Some(end),
    })
}

/// Takes `split` and `rest` from what is held.
fn spend(escrow: &Escrow, split: Split, rest: Amount) -> Result<(Escrow, Moves), LifeError> {
    let moves = Moves {
        workers: split.workers(),
        operators: split.operators(),
        treasury: split.treasury(),
        owner: rest,
    };
    Ok((moves.out_of(escrow).ok_or(LifeError::MoreThanLeft)?, moves))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;
    use crate::{pay::PRICES_AT_GENESIS, quote};
    use quern_primitives::params::Params;

    pub(crate) const OWNER: AccountId = AccountId::new([1; 32]);
    pub(crate) const COORDINATOR: AccountId = AccountId::new([2; 32]);
    pub(crate) const STRANGER: AccountId = AccountId::new([3; 32]);
    const GRACE: BlockNumber = 20;

    /// A job of 60 tasks with deadline 1000, submitted in block 10.
    pub(crate) fn submitted() -> Job {
        let submission = quote::tests::submission();
        let quote = quote::quote(&submission, &PRICES_AT_GENESIS, &Params::FIRST, 10).unwrap();
        open(
            OWNER,
            submission,
            PRICES_AT_GENESIS,
            Terms::FIRST,
            &quote,
            10,
        )
    }

    pub(crate) fn running() -> Job {
        apply(
            &submitted(),
            11,
            Event::Drawn {
                coordinator: COORDINATOR,
            },
        )
        .unwrap()
        .job
    }

    fn settling() -> Job {
        apply(&running(), 100, cancelled_by(&OWNER)).unwrap().job
    }

    fn cancelled_by(by: &AccountId) -> Event<'_> {
        Event::Cancelled {
            by,
            grace_blocks: GRACE,
        }
    }

    fn settled(tasks: u32, spent: Amount) -> Event<'static> {
        Event::Settled {
            by: &COORDINATOR,
            tasks,
            split: Split::of(spent, spent / 2, Terms::FIRST).unwrap(),
        }
    }

    fn failed(task: TaskIndex, exit: Exit, settled: &[u8]) -> Event<'_> {
        Event::Failed {
            by: &COORDINATOR,
            task,
            why: Failure::Program(exit),
            settled,
        }
    }

    fn undecided(task: TaskIndex, settled: &[u8]) -> Event<'_> {
        Event::Failed {
            by: &COORDINATOR,
            task,
            why: Failure::Undecided,
            settled,
        }
    }

    #[test]
    fn a_job_runs_once_a_coordinator_is_drawn() {
        let job = running();
        assert_eq!(
            job.state,
            JobState::Running {
                coordinator: COORDINATOR
            }
        );
        let again = apply(
            &job,
            12,
            Event::Drawn {
                coordinator: STRANGER,
            },
        );
        assert_eq!(again, Err(LifeError::AlreadyDrawn));
    }

    #[test]
    fn settling_the_last_task_completes_the_job_and_returns_the_rest() {
        let held = running().escrow.held;
        let half = apply(&running(), 500, settled(30, 1_000)).unwrap();
        assert_eq!((half.end, half.moves.owner), (None, 0));
        let whole = apply(&half.job, 1_000, settled(30, 1_000)).unwrap();
        assert_eq!(whole.end, Some(JobEnd::AllSettled));
        assert_eq!(
            whole.job.state,
            JobState::Completed {
                end: JobEnd::AllSettled
            }
        );
        assert_eq!(whole.moves.owner, held - 2_000);
        assert_eq!(whole.job.escrow.held, 0);
        assert_eq!(whole.job.next_batch, 2);
    }

    #[test]
    fn only_the_coordinator_settles_and_only_until_the_deadline() {
        let by = &STRANGER;
        let theirs = Event::Settled {
            by,
            tasks: 1,
            split: Split::default(),
        };
        assert_eq!(
            apply(&running(), 20, theirs),
            Err(LifeError::NotCoordinator)
        );
        assert_eq!(
            apply(&submitted(), 20, settled(1, 0)),
            Err(LifeError::NotDrawn)
        );
        let late = apply(&running(), 1_001, settled(1, 0));
        assert_eq!(late, Err(LifeError::TooLate { until: 1_000 }));
    }

    #[test]
    fn no_more_is_settled_than_is_left() {
        for event in [
            settled(61, 0),
            settled(0, 0),
            settled(1, running().escrow.held + 1),
        ] {
            assert_eq!(apply(&running(), 20, event), Err(LifeError::MoreThanLeft));
        }
        let all_and_more = settled(60, running().escrow.held + 1);
        assert_eq!(
            apply(&running(), 20, all_and_more),
            Err(LifeError::MoreThanLeft)
        );
    }

    #[test]
    fn a_failing_program_ends_the_job_and_returns_everything_unspent() {
        let held = running().escrow.held;
        let end = apply(&running(), 20, failed(7, Exit::Trap, &[])).unwrap();
        assert_eq!(
            end.end,
            Some(JobEnd::ProgramFailed {
                task: 7,
                exit: Exit::Trap
            })
        );
        assert_eq!(
            end.moves,
            Moves {
                owner: held,
                ..Moves::default()
            }
        );
    }

    #[test]
    fn a_task_without_a_majority_ends_the_job_and_what_was_settled_stays_paid() {
        let deposited = running().escrow.deposited;
        let half = apply(&running(), 20, settled(30, 1_000)).unwrap().job;
        let end = apply(&half, 30, undecided(7, &[])).unwrap();
        let reason = JobEnd::Undecided { task: 7 };
        assert_eq!(end.end, Some(reason));
        assert_eq!(end.job.state, JobState::Completed { end: reason });
        let escrow = end.job.escrow;
        assert_eq!(escrow.paid + escrow.network, 1_000);
        assert_eq!(escrow.refunded, deposited - 1_000);
    }

    #[test]
    fn a_failure_names_an_unsettled_task_and_a_failing_exit() {
        let job = running();
        let cases = [
            (failed(7, Exit::Success, &[]), LifeError::ExitIsSuccess),
            (
                failed(60, Exit::Trap, &[]),
                LifeError::NoSuchTask { task: 60 },
            ),
            (
                failed(1, Exit::Trap, &[2]),
                LifeError::TaskSettled { task: 1 },
            ),
            (undecided(60, &[]), LifeError::NoSuchTask { task: 60 }),
            (undecided(1, &[2]), LifeError::TaskSettled { task: 1 }),
        ];
        for (event, error) in cases {
            assert_eq!(apply(&job, 20, event), Err(error));
        }
    }

    #[test]
    fn cancelling_before_the_draw_returns_everything_at_once() {
        let end = apply(&submitted(), 10, cancelled_by(&OWNER)).unwrap();
        assert_eq!(end.job.state, JobState::Cancelled);
        assert_eq!(end.end, Some(JobEnd::OwnerCancelled));
        assert_eq!(end.moves.owner, end.job.escrow.deposited);
    }

    #[test]
    fn cancelling_after_the_draw_leaves_the_coordinator_a_grace() {
        let job = settling();
        assert_eq!(
            job.state,
            JobState::Settling {
                coordinator: COORDINATOR,
                until: 120
            }
        );
        let settled_late = apply(&job, 121, settled(1, 10));
        assert_eq!(settled_late, Err(LifeError::TooLate { until: 120 }));
        let job = apply(&job, 120, settled(1, 10)).unwrap().job;
        assert_eq!(
            apply(&job, 120, Event::Refunded),
            Err(LifeError::TooEarly { until: 120 })
        );
        let end = apply(&job, 121, Event::Refunded).unwrap();
        assert_eq!(end.job.state, JobState::Cancelled);
        assert_eq!(end.moves.owner, job.escrow.deposited - 10);
    }

    #[test]
    fn the_grace_never_outlasts_the_deadline() {
        let job = apply(&running(), 995, cancelled_by(&OWNER)).unwrap().job;
        assert_eq!(
            job.state,
            JobState::Settling {
                coordinator: COORDINATOR,
                until: 1_000
            }
        );
    }

    #[test]
    fn finishing_every_task_in_the_grace_completes_the_job() {
        let end = apply(&settling(), 110, settled(60, 10)).unwrap();
        assert_eq!(end.end, Some(JobEnd::AllSettled));
    }

    #[test]
    fn only_the_owner_cancels_and_once_and_in_time() {
        assert_eq!(
            apply(&running(), 20, cancelled_by(&STRANGER)),
            Err(LifeError::NotOwner)
        );
        assert_eq!(
            apply(&settling(), 101, cancelled_by(&OWNER)),
            Err(LifeError::AlreadyCancelled)
        );
        for job in [submitted(), running()] {
            let late = apply(&job, 1_001, cancelled_by(&OWNER));
            assert_eq!(late, Err(LifeError::TooLate { until: 1_000 }));
        }
    }

    #[test]
    fn after_the_deadline_the_refund_gives_everything_back() {
        for job in [submitted(), running()] {
            let early = apply(&job, 1_000, Event::Refunded);
            assert_eq!(early, Err(LifeError::TooEarly { until: 1_000 }));
            let end = apply(&job, 1_001, Event::Refunded).unwrap();
            assert_eq!(end.job.state, JobState::Expired);
            assert_eq!(end.end, Some(JobEnd::DeadlinePassed));
            assert_eq!(end.moves.owner, job.escrow.deposited);
        }
    }

    #[test]
    fn nothing_happens_to_a_job_that_is_over() {
        let over = apply(&running(), 1_001, Event::Refunded).unwrap().job;
        let events = [
            Event::Drawn {
                coordinator: COORDINATOR,
            },
            settled(1, 0),
            failed(0, Exit::Trap, &[]),
            cancelled_by(&OWNER),
            Event::Refunded,
        ];
        for event in events {
            assert_eq!(apply(&over, 20, event), Err(LifeError::Over));
        }
    }
}
