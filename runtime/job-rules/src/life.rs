//! The life of a job: what may happen to it in each state, and what money moves then.
//!
//! ```text
//!             drawn              cancelled by owner
//! Submitted ────────► Running ──────────────────────► Cancelling
//!     │                │  ▲ │                           │    │
//!     │                │  │ │ last task settled,        │    │
//!     │ cancelled      │  │ │ or a task cannot be       │    │
//!     │                │  │ ▼                           │    │
//!     │                │  Settling ◄────────────────────┘    │
//!     │                │  │     ▲                            │
//!     │                │  │     └── refunded with batches ───┤
//!     │                │  │         that are not final       │
//!     ▼                ▼  ▼ last batch final                 ▼
//! Cancelled       Expired Completed                      Cancelled
//! ```
//!
//! What a batch spends is *pending* until it is final: it leaves what is held, and nobody has it. A
//! job of which nothing more is settled is over at once if none of its batches is pending, and waits
//! in `Settling` for the last of them otherwise. Every way out gives the owner back what is still
//! held, and never what is pending. The deadline is the last block in which anything may be settled;
//! after it only the refund is left, and anyone may call it.
//!
//! A batch that is struck takes all later ones of its job along. Their tasks are unsettled again, and
//! their money is held again, for the masternode that goes on; if none does, or time is up, the job
//! ends and the owner has it back. A job that its owner had cancelled goes back to `Cancelling`, and only
//! as long as that would have lasted.

mod error;

pub use error::LifeError;

use crate::{split::Split, tasks};
use quern_primitives::{
    amount::Amount,
    batch::Shares,
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
        /// Who will get what.
        split: Split,
    },
    /// The oldest of its pending batches is final.
    Finalised {
        /// Who gets what.
        shares: Shares,
    },
    /// A batch is struck, and with it all later ones.
    Struck {
        /// The batches that fall.
        batches: u32,
        /// The tasks they settled.
        tasks: u32,
        /// What they spent.
        spent: Amount,
        /// The masternode that goes on, if there is one.
        next: Option<AccountId>,
    },
    /// Another masternode of its group goes on with it, because the one before fell silent.
    TakenOver {
        /// The masternode.
        by: AccountId,
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

/// Money of a job's escrow that moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// From what is held to what is pending.
    pub set_aside: Amount,
    /// From what is pending back to what is held.
    pub taken_back: Amount,
    /// From what is pending to worker accounts, as the batch says.
    pub workers: Amount,
    /// From what is pending to the masternodes that settled and certified the batch.
    pub operators: Amount,
    /// From what is pending to the treasury.
    pub treasury: Amount,
    /// From what is held back to the owner.
    pub owner: Amount,
}

impl Moves {
    /// The escrow, of one job or of many together, after these moves; none if it has less.
    pub fn out_of(&self, escrow: &Escrow) -> Option<Escrow> {
        let Self {
            set_aside,
            taken_back,
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
            pending: escrow
                .pending
                .checked_add(set_aside)?
                .checked_sub(taken_back)?
                .checked_sub(workers)?
                .checked_sub(network)?,
            held: escrow
                .held
                .checked_add(taken_back)?
                .checked_sub(set_aside)?
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
        pending_batches: 0,
    }
}

/// What `event`, in block `now`, makes of `job`.
pub fn apply(job: &Job, now: BlockNumber, event: Event<'_>) -> Result<Transition, LifeError> {
    match event {
        Event::Drawn { coordinator } => draw(job, coordinator),
        Event::Settled { by, tasks, split } => settle(job, now, by, tasks, split),
        Event::Finalised { shares } => finalise(job, shares),
        Event::Struck {
            batches,
            tasks,
            spent,
            next,
        } => {
            let job = without(job, batches, tasks)?;
            strike(&job, now, spent, next).ok_or(LifeError::MoreThanLeft)
        }
        Event::TakenOver { by } => take_over(job, now, by),
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
            // What is held stays so until the last batch is final: if one is struck, the job goes on.
            close(job, end, false)
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
        JobState::Cancelling { coordinator, until } => (coordinator, deadline.min(*until)),
        JobState::Settling { .. } => return Err(LifeError::Closed),
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
        JobState::Submitted => stays_open(job, JobState::Running { coordinator }, Moves::default())
            .ok_or(LifeError::MoreThanLeft),
        JobState::Running { .. } | JobState::Cancelling { .. } | JobState::Settling { .. } => {
            Err(LifeError::AlreadyDrawn)
        }
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
    // A batch settles a task, and a job has only so many and is struck only so often.
    let next_batch = job.next_batch.saturating_add(1);
    let pending_batches = job
        .pending_batches
        .checked_add(1)
        .ok_or(LifeError::MoreThanLeft)?;
    let job = Job {
        settled_tasks,
        next_batch,
        pending_batches,
        ..job.clone()
    };
    let set_aside = Moves {
        set_aside: split.spent(),
        ..Moves::default()
    };
    let state = match all_settled {
        // The rest stays held: if a batch is struck, its tasks are computed again.
        true => JobState::Settling {
            coordinator: by.clone(),
            end: JobEnd::AllSettled,
            cancelled: job.state.cancelled(),
        },
        false => job.state.clone(),
    };
    stays_open(&job, state, set_aside).ok_or(LifeError::MoreThanLeft)
}

fn finalise(job: &Job, shares: Shares) -> Result<Transition, LifeError> {
    let Shares {
        workers,
        operators,
        treasury,
    } = shares;
    let job = without(job, 1, 0)?;
    let pay = Moves {
        workers,
        operators,
        treasury,
        ..Moves::default()
    };
    let done = match job.state {
        JobState::Settling { end, .. } if job.pending_batches == 0 => over(&job, end, pay),
        _ => stays_open(&job, job.state.clone(), pay),
    };
    done.ok_or(LifeError::MoreThanLeft)
}

/// The job with so many pending batches fewer, and so many settled tasks.
fn without(job: &Job, batches: u32, tasks: u32) -> Result<Job, LifeError> {
    let pending_batches = job.pending_batches.checked_sub(batches);
    let settled_tasks = job.settled_tasks.checked_sub(tasks);
    let (pending_batches, settled_tasks) = pending_batches
        .zip(settled_tasks)
        .filter(|_| batches > 0)
        .ok_or(LifeError::NotPending)?;
    Ok(Job {
        pending_batches,
        settled_tasks,
        ..job.clone()
    })
}

/// What becomes of a job whose latest batches, already counted out, are struck.
fn strike(
    job: &Job,
    now: BlockNumber,
    spent: Amount,
    next: Option<AccountId>,
) -> Option<Transition> {
    let deadline = job.submission.deadline;
    let taken_back = Moves {
        taken_back: spent,
        ..Moves::default()
    };
    let (state, end) = match (&job.state, next) {
        (JobState::Running { .. }, Some(coordinator)) if now <= deadline => {
            (Some(JobState::Running { coordinator }), JobEnd::BatchStruck)
        }
        (JobState::Cancelling { until, .. }, Some(coordinator)) if now <= deadline.min(*until) => {
            let until = *until;
            let state = JobState::Cancelling { coordinator, until };
            (Some(state), JobEnd::BatchStruck)
        }
        // Time is up already, or what was held is back: whoever would go on could settle nothing.
        (JobState::Settling { end, .. }, _)
            if matches!(
                end,
                JobEnd::OwnerCancelled | JobEnd::DeadlinePassed | JobEnd::BatchStruck
            ) =>
        {
            (None, *end)
        }
        // Who had cancelled it wants no more of it computed than was.
        (
            JobState::Settling {
                cancelled: Some(until),
                ..
            },
            Some(coordinator),
        ) if now <= deadline.min(*until) => {
            let until = *until;
            let state = JobState::Cancelling { coordinator, until };
            (Some(state), JobEnd::BatchStruck)
        }
        (
            JobState::Settling {
                cancelled: None, ..
            },
            Some(coordinator),
        ) if now <= deadline => (Some(JobState::Running { coordinator }), JobEnd::BatchStruck),
        _ => (None, JobEnd::BatchStruck),
    };
    match (state, job.state.coordinator()) {
        (Some(state), _) => stays_open(job, state, taken_back),
        (None, Some(coordinator)) if job.pending_batches > 0 => {
            let state = JobState::Settling {
                coordinator: coordinator.clone(),
                end,
                cancelled: job.state.cancelled(),
            };
            let owner = job.escrow.held.checked_add(spent)?;
            stays_open(
                job,
                state,
                Moves {
                    owner,
                    ..taken_back
                },
            )
        }
        (None, _) => over(job, end, taken_back),
    }
}

/// Of a job whose time is up nothing more is settled, so nobody goes on with it.
fn take_over(job: &Job, now: BlockNumber, by: AccountId) -> Result<Transition, LifeError> {
    let coordinator = job.state.coordinator().ok_or(match job.state {
        JobState::Submitted => LifeError::NotDrawn,
        _ => LifeError::Over,
    })?;
    check_settler(job, now, coordinator)?;
    let state = match job.state {
        JobState::Cancelling { until, .. } => JobState::Cancelling {
            coordinator: by,
            until,
        },
        _ => JobState::Running { coordinator: by },
    };
    stays_open(job, state, Moves::default()).ok_or(LifeError::MoreThanLeft)
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
        JobState::Cancelling { .. } => Err(LifeError::AlreadyCancelled),
        JobState::Settling { .. } => Err(LifeError::Closed),
        _ if now > deadline => Err(LifeError::TooLate { until: deadline }),
        JobState::Running { coordinator } => {
            let until = now.saturating_add(grace_blocks).min(deadline);
            let coordinator = coordinator.clone();
            let state = JobState::Cancelling { coordinator, until };
            stays_open(job, state, Moves::default()).ok_or(LifeError::MoreThanLeft)
        }
        _ => close(job, JobEnd::OwnerCancelled, true),
    }
}

fn refund(job: &Job, now: BlockNumber) -> Result<Transition, LifeError> {
    let deadline = job.submission.deadline;
    let (until, end) = match job.state {
        JobState::Submitted | JobState::Running { .. } => (deadline, JobEnd::DeadlinePassed),
        JobState::Cancelling { until, .. } => (deadline.min(until), JobEnd::OwnerCancelled),
        JobState::Settling { .. } if job.escrow.held == 0 => return Err(LifeError::Closed),
        JobState::Settling { end, cancelled, .. } => {
            (cancelled.map_or(deadline, |until| deadline.min(until)), end)
        }
        JobState::Completed { .. } | JobState::Cancelled | JobState::Expired => {
            return Err(LifeError::Over);
        }
    };
    if now <= until {
        return Err(LifeError::TooEarly { until });
    }
    close(job, end, true)
}

/// Ends the job, or lets it wait for the batches that are pending. Whether what is held goes back to
/// the owner at once is said by `refund`; at the end it does.
fn close(job: &Job, end: JobEnd, refund: bool) -> Result<Transition, LifeError> {
    let closed = match job.state.coordinator() {
        Some(coordinator) if job.pending_batches > 0 => {
            let state = JobState::Settling {
                coordinator: coordinator.clone(),
                end,
                cancelled: job.state.cancelled(),
            };
            let owner = if refund { job.escrow.held } else { 0 };
            let moves = Moves {
                owner,
                ..Moves::default()
            };
            stays_open(job, state, moves)
        }
        _ => over(job, end, Moves::default()),
    };
    closed.ok_or(LifeError::MoreThanLeft)
}

fn stays_open(job: &Job, state: JobState, moves: Moves) -> Option<Transition> {
    Some(Transition {
        job: Job {
            state,
            escrow: moves.out_of(&job.escrow)?,
            ..job.clone()
        },
        moves,
        end: None,
    })
}

/// Ends the job: what is held after `moves` goes back to the owner.
fn over(job: &Job, end: JobEnd, moves: Moves) -> Option<Transition> {
    let owner = moves.out_of(&job.escrow)?.held;
    let moves = Moves { owner, ..moves };
    let state = match end {
        JobEnd::AllSettled
        | JobEnd::ProgramFailed { .. }
        | JobEnd::Undecided { .. }
        | JobEnd::BatchStruck => JobState::Completed { end },
        JobEnd::OwnerCancelled => JobState::Cancelled,
        JobEnd::DeadlinePassed => JobState::Expired,
    };
    Some(Transition {
        job: Job {
            state,
            escrow: moves.out_of(&job.escrow)?,
            ..job.clone()
        },
        moves,
        end: Some(end),
    })
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

    fn cancelling() -> Job {
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

    /// The batch whose whole spending is the workers' and the network's as [`settled`] splits it.
    fn finalised(spent: Amount) -> Event<'static> {
        Event::Finalised {
            shares: Split::of(spent, spent / 2, Terms::FIRST).unwrap().shares(),
        }
    }

    fn struck(batches: u32, tasks: u32, spent: Amount, next: Option<AccountId>) -> Event<'static> {
        Event::Struck {
            batches,
            tasks,
            spent,
            next,
        }
    }

    /// What happens one after the other in block 500.
    fn after(job: Job, events: impl IntoIterator<Item = Event<'static>>) -> Transition {
        let mut last = stays_open(&job, job.state.clone(), Moves::default()).unwrap();
        for event in events {
            last = apply(&last.job, 500, event).unwrap();
        }
        last
    }

    #[test]
    fn what_a_batch_spends_is_pending_until_it_is_final() {
        let held = running().escrow.held;
        let pending = after(running(), [settled(30, 1_000)]).job;
        assert_eq!(
            (
                pending.escrow.held,
                pending.escrow.pending,
                pending.escrow.paid
            ),
            (held - 1_000, 1_000, 0)
        );
        let paid = apply(&pending, 2_000, finalised(1_000)).unwrap();
        assert_eq!(paid.end, None);
        let escrow = paid.job.escrow;
        assert_eq!((escrow.pending, escrow.paid, escrow.network), (0, 500, 500));
        assert_eq!(
            apply(&paid.job, 2_000, finalised(0)),
            Err(LifeError::NotPending)
        );
    }

    #[test]
    fn a_job_whose_last_task_is_settled_is_over_when_its_last_batch_is_final() {
        let held = running().escrow.held;
        let whole = after(running(), [settled(30, 1_000), settled(30, 1_000)]);
        assert_eq!((whole.end, whole.moves.owner), (None, 0));
        let end = JobEnd::AllSettled;
        let coordinator = COORDINATOR;
        let cancelled = None;
        let settling = JobState::Settling {
            coordinator,
            end,
            cancelled,
        };
        assert_eq!(whole.job.state, settling);
        let first = after(whole.job, [finalised(1_000)]);
        assert_eq!((first.end, first.moves.owner), (None, 0));
        let last = after(first.job, [finalised(1_000)]);
        assert_eq!(last.end, Some(end));
        assert_eq!(last.job.state, JobState::Completed { end });
        assert_eq!(last.moves.owner, held - 2_000);
        assert_eq!((last.job.escrow.held, last.job.escrow.pending), (0, 0));
        assert_eq!(last.job.next_batch, 2);
    }

    #[test]
    fn no_refund_touches_what_is_pending() {
        let job = after(running(), [settled(30, 1_000)]).job;
        let held = job.escrow.held;
        let late = apply(&job, 1_001, Event::Refunded).unwrap();
        assert_eq!((late.end, late.moves.owner), (None, held));
        assert_eq!(late.job.escrow.pending, 1_000);
        assert_eq!(
            apply(&late.job, 1_002, Event::Refunded),
            Err(LifeError::Closed)
        );
        let last = apply(&late.job, 9_000, finalised(1_000)).unwrap();
        assert_eq!(
            (last.end, last.moves.owner),
            (Some(JobEnd::DeadlinePassed), 0)
        );
        assert_eq!(last.job.state, JobState::Expired);
    }

    #[test]
    fn after_the_deadline_a_settled_job_gives_back_what_no_batch_spends() {
        let job = after(running(), [settled(60, 1_000)]).job;
        assert_eq!(
            apply(&job, 1_000, Event::Refunded),
            Err(LifeError::TooEarly { until: 1_000 })
        );
        let held = job.escrow.held;
        let late = apply(&job, 1_001, Event::Refunded).unwrap();
        assert_eq!((late.end, late.moves.owner), (None, held));
        let last = apply(&late.job, 1_002, finalised(1_000)).unwrap();
        assert_eq!((last.end, last.moves.owner), (Some(JobEnd::AllSettled), 0));
    }

    #[test]
    fn struck_batches_give_their_tasks_and_money_to_who_goes_on() {
        let whole = after(running(), [settled(30, 1_000), settled(30, 2_000)]).job;
        let next = Some(STRANGER);
        let one = apply(&whole, 500, struck(1, 30, 2_000, next.clone())).unwrap();
        let coordinator = STRANGER;
        assert_eq!(one.job.state, JobState::Running { coordinator });
        assert_eq!((one.job.settled_tasks, one.job.pending_batches), (30, 1));
        assert_eq!(one.job.next_batch, 2, "no number is given twice");
        assert_eq!(one.job.escrow.pending, 1_000);
        let both = apply(&whole, 500, struck(2, 60, 3_000, next)).unwrap();
        assert_eq!(both.job.escrow, running().escrow);
        assert_eq!((both.end, both.moves.owner), (None, 0));
    }

    #[test]
    fn a_cancelled_job_whose_batch_is_struck_goes_on_being_cancelled() {
        let cancelled = Some(120);
        let settling = |job: &Job| apply(job, 110, settled(60, 1_000)).unwrap().job;
        let failing = |job: &Job| {
            let some = apply(job, 110, settled(30, 1_000)).unwrap().job;
            apply(&some, 110, undecided(7, &[])).unwrap().job
        };
        for (closed, tasks) in [(settling(&cancelling()), 60), (failing(&cancelling()), 30)] {
            assert_eq!(closed.state.cancelled(), cancelled);
            let next = Some(STRANGER);
            let strike = |now, next| apply(&closed, now, struck(1, tasks, 1_000, next)).unwrap();
            let back = strike(120, next.clone());
            let (coordinator, until) = (STRANGER, 120);
            let state = JobState::Cancelling { coordinator, until };
            assert_eq!((back.job.state, back.end), (state, None));
            // When the grace is over nobody could settle anything.
            for (now, next) in [(121, next), (120, None)] {
                let over = strike(now, next);
                assert_eq!(over.end, Some(JobEnd::BatchStruck));
                assert_eq!(over.moves.owner, closed.escrow.deposited);
            }
            // Nor does what is held stay held for that.
            let early = apply(&closed, 120, Event::Refunded);
            assert_eq!(early, Err(LifeError::TooEarly { until: 120 }));
            let refunded = apply(&closed, 121, Event::Refunded).unwrap();
            assert_eq!(refunded.moves.owner, closed.escrow.held);
        }
        // A job that was not cancelled goes on.
        let job = after(running(), [settled(60, 1_000)]).job;
        let back = apply(&job, 500, struck(1, 60, 1_000, Some(STRANGER))).unwrap();
        let coordinator = STRANGER;
        assert_eq!(back.job.state, JobState::Running { coordinator });
    }

    #[test]
    fn without_anyone_to_go_on_a_struck_batch_ends_the_job() {
        let job = after(running(), [settled(30, 1_000), settled(10, 2_000)]).job;
        let all = apply(&job, 500, struck(2, 40, 3_000, None)).unwrap();
        assert_eq!(all.end, Some(JobEnd::BatchStruck));
        assert_eq!(all.moves.owner, job.escrow.deposited);
        let later = apply(&job, 500, struck(1, 10, 2_000, None)).unwrap();
        assert_eq!(later.end, None);
        let escrow = later.job.escrow;
        assert_eq!((escrow.held, escrow.pending), (0, 1_000));
        let last = after(later.job, [finalised(1_000)]);
        assert_eq!(last.end, Some(JobEnd::BatchStruck));
    }

    #[test]
    fn nobody_goes_on_with_a_job_whose_time_is_up() {
        let job = after(running(), [settled(30, 1_000)]).job;
        let late = apply(&job, 1_001, struck(1, 30, 1_000, Some(STRANGER))).unwrap();
        assert_eq!(late.end, Some(JobEnd::BatchStruck));
        let refunded = apply(&job, 1_001, Event::Refunded).unwrap().job;
        let late = apply(&refunded, 1_001, struck(1, 30, 1_000, Some(STRANGER))).unwrap();
        assert_eq!(late.end, Some(JobEnd::DeadlinePassed));
        assert_eq!(late.job.escrow.refunded, job.escrow.deposited);
    }

    #[test]
    fn no_more_is_struck_than_is_pending() {
        let job = after(running(), [settled(30, 1_000)]).job;
        for (batches, tasks, spent) in [(2, 30, 1_000), (0, 0, 0), (1, 31, 1_000)] {
            let event = struck(batches, tasks, spent, None);
            assert_eq!(apply(&job, 500, event), Err(LifeError::NotPending));
        }
        let event = struck(1, 30, 1_001, None);
        assert_eq!(apply(&job, 500, event), Err(LifeError::MoreThanLeft));
    }

    #[test]
    fn who_takes_over_goes_on_and_nothing_else_changes() {
        let take_over = |job: &Job, now| {
            let by = STRANGER;
            apply(job, now, Event::TakenOver { by })
        };
        for job in [running(), cancelling()] {
            let taken = take_over(&job, 20).unwrap();
            assert_eq!(taken.job.state.coordinator(), Some(&STRANGER));
            assert_eq!((taken.moves, taken.end), (Moves::default(), None));
            let back = Job {
                state: job.state.clone(),
                ..taken.job
            };
            assert_eq!(back, job);
        }
        assert_eq!(take_over(&submitted(), 20), Err(LifeError::NotDrawn));
        let late = take_over(&running(), 1_001);
        assert_eq!(late, Err(LifeError::TooLate { until: 1_000 }));
        let closed = after(running(), [settled(60, 60)]).job;
        assert_eq!(take_over(&closed, 20), Err(LifeError::Closed));
        let over = apply(&running(), 1_001, Event::Refunded).unwrap().job;
        assert_eq!(take_over(&over, 1_001), Err(LifeError::Over));
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
        assert_eq!((end.end, end.moves.owner), (None, 0));
        let end = apply(&end.job, 5_000, finalised(1_000)).unwrap();
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
        let job = cancelling();
        assert_eq!(
            job.state,
            JobState::Cancelling {
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
        assert_eq!(end.moves.owner, job.escrow.deposited - 10);
        let end = apply(&end.job, 121, finalised(10)).unwrap();
        assert_eq!(end.job.state, JobState::Cancelled);
    }

    #[test]
    fn the_grace_never_outlasts_the_deadline() {
        let job = apply(&running(), 995, cancelled_by(&OWNER)).unwrap().job;
        assert_eq!(
            job.state,
            JobState::Cancelling {
                coordinator: COORDINATOR,
                until: 1_000
            }
        );
    }

    #[test]
    fn finishing_every_task_in_the_grace_completes_the_job() {
        let end = apply(&cancelling(), 110, settled(60, 10)).unwrap();
        let end = apply(&end.job, 110, finalised(10)).unwrap();
        assert_eq!(end.end, Some(JobEnd::AllSettled));
    }

    #[test]
    fn only_the_owner_cancels_and_once_and_in_time() {
        assert_eq!(
            apply(&running(), 20, cancelled_by(&STRANGER)),
            Err(LifeError::NotOwner)
        );
        assert_eq!(
            apply(&cancelling(), 101, cancelled_by(&OWNER)),
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
