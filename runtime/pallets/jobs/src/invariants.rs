//! What always holds of jobs and their money.

use crate::{
    Awaiting, Batches, Config, CurrentPrices, DrawnLately, DueJobs, Exposures, Groups, Jobs,
    JobsCoordinatedBy, JobsOf, KeptOpen, OpenJobs, Operators, Pallet, Pending, PendingOf,
    SettledTasks, Totals, pending::key_of,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use frame_support::{ensure, pallet_prelude::Get};
use quern_job_rules::{
    exposure,
    pay::{self, Tariff},
    tasks,
};
use quern_primitives::{
    AccountId, Amount, JobId,
    batch::BatchState,
    job::{Escrow, Job, JobState},
    limits::{JOBS_AWAITING_PER_OWNER_MAX, OPEN_JOBS_PER_OWNER_MAX},
};
use sp_runtime::TryRuntimeError;

/// Open jobs and what is held for them.
#[derive(Clone, Copy, Default)]
struct Open {
    jobs: u32,
    held: Amount,
}

impl<T: Config> Pallet<T> {
    /// Checks the storage against the pallet's invariants:
    ///
    /// - each job: paid + network + refunded + pending + held = deposited = its quote, nothing held or
    ///   pending once it is over, and its batches add up to its tasks and money;
    /// - each pending batch is kept once and as it was settled, on its job's list and in order, and each
    ///   job waits for the oldest of them, unless that is kept open;
    /// - each masternode: what it has open is what its pending batches spend, and its bond, with what was
    ///   taken of it meanwhile, covers that;
    /// - each owner: what is held on the account is the sum over the open jobs, which are counted
    ///   and within their limit;
    /// - each open job that was drawn has a group, of different masternodes, of which the one whose turn it
    ///   is coordinates and, while the job goes on, has a say; no other job has one, and each pending batch
    ///   was settled and certified by members, who are paid for it;
    /// - what lanes follow from is known of no job in the block in which its group was drawn;
    /// - each open job's settled tasks are as many as the job says, of those it has;
    /// - those awaiting a coordinator are exactly the submitted jobs, each once and with its owner, of
    ///   whom no more of them are than may be;
    /// - the lists by owner and by coordinator name exactly the jobs they should;
    /// - the totals are the sum over all jobs, and the prices are within their bounds.
    ///
    /// Reads every job and batch there is: for tests and auditors.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut owners: BTreeMap<AccountId, Open> = BTreeMap::new();
        let mut totals = Escrow::default();
        for (id, job) in Jobs::<T>::iter() {
            check_money(&job)?;
            check_batches::<T>(&id, &job)?;
            check_lists::<T>(&id, &job)?;
            check_group::<T>(&id, &job)?;
            totals = sum(totals, job.escrow).ok_or("the jobs' money is more than can exist")?;
            let open = owners.entry(job.owner.clone()).or_default();
            if job.state.is_open() {
                open.jobs = open.jobs.saturating_add(1);
                open.held = open.held.saturating_add(job.escrow.held);
                open.held = open.held.saturating_add(job.escrow.pending);
            }
        }
        ensure!(
            totals == Totals::<T>::get(),
            "the totals are not the sum over all jobs"
        );
        check_owners::<T>(&owners)?;
        check_list_lengths::<T>()?;
        check_awaiting::<T>()?;
        check_lanes::<T>()?;
        check_pending::<T>()?;
        check_exposures::<T>()?;
        pay::check_prices(&CurrentPrices::<T>::get())
            .map_err(|_| TryRuntimeError::Other("a price is out of its bounds"))
    }
}

fn check_money(job: &Job) -> Result<(), TryRuntimeError> {
    let Escrow {
        deposited,
        paid,
        network,
        refunded,
        pending,
        held,
    } = job.escrow;
    let accounted = [paid, network, refunded, pending, held]
        .into_iter()
        .try_fold(Amount::MIN, |sum, part| sum.checked_add(part));
    ensure!(
        accounted == Some(deposited),
        "a job's money does not add up to its deposit"
    );
    let quote = Tariff::of_job(job)
        .ok()
        .and_then(|tariff| tariff.task_cap().checked_mul(job.submission.tasks.into()));
    ensure!(quote == Some(deposited), "a job's deposit is not its quote");
    ensure!(
        job.state.is_open() || (held == 0 && pending == 0),
        "money is held for a job that is over"
    );
    Ok(())
}

fn check_batches<T: Config>(id: &JobId, job: &Job) -> Result<(), TryRuntimeError> {
    let (mut batches, mut settled) = (0u32, 0u32);
    let (mut spent, mut paid, mut pending): (Amount, Amount, Amount) = (0, 0, 0);
    let mut waiting = Vec::new();
    for (sequence, batch) in Batches::<T>::iter_prefix(id) {
        ensure!(
            sequence < job.next_batch,
            "a job has a batch out of sequence"
        );
        batches = batches.saturating_add(1);
        match batch.state {
            BatchState::Struck { .. } => continue,
            BatchState::Pending { due } => {
                waiting.push((sequence, due));
                pending = pending.saturating_add(batch.spent);
            }
            BatchState::Final { .. } => {
                spent = spent.saturating_add(batch.spent);
                paid = paid.saturating_add(batch.paid);
            }
        }
        settled = settled.saturating_add(batch.tasks);
    }
    waiting.sort();
    ensure!(
        waiting == PendingOf::<T>::get(id).into_inner(),
        "a job's list is not its pending batches in order"
    );
    ensure!(
        waiting.iter().map(|(_, due)| due).is_sorted(),
        "a job's batches are due out of order"
    );
    ensure!(
        waiting.len() == job.pending_batches as usize,
        "a job's pending batches are miscounted"
    );
    ensure!(
        pending == job.escrow.pending,
        "the batches do not add up to what is pending"
    );
    ensure!(
        pending == 0 || job.state.is_open(),
        "a batch is pending of a job that is over"
    );
    ensure!(batches == job.next_batch, "a batch of a job is missing");
    ensure!(
        settled == job.settled_tasks,
        "the batches do not add up to the settled tasks"
    );
    ensure!(
        paid == job.escrow.paid,
        "the batches do not add up to what workers got"
    );
    let network = spent.checked_sub(paid);
    ensure!(
        network == Some(job.escrow.network),
        "the batches do not add up to what is spent"
    );

    let bitmap = SettledTasks::<T>::get(id);
    let tasks = job.submission.tasks;
    if job.state.is_open() {
        ensure!(
            tasks::count(&bitmap) == job.settled_tasks,
            "settled tasks are miscounted"
        );
        let beyond = (tasks..tasks::bitmap_bytes(tasks).saturating_mul(u8::BITS))
            .any(|task| tasks::is_settled(&bitmap, task));
        ensure!(!beyond, "a task is settled that the job does not have");
        let bytes = [0, tasks::bitmap_bytes(tasks) as usize];
        ensure!(
            bytes.contains(&bitmap.len()),
            "settled tasks are kept in too much room"
        );
        ensure!(
            job.settled_tasks < tasks || !job.state.goes_on(),
            "a job goes on with nothing left to settle"
        );
        ensure!(
            job.state.goes_on() || job.pending_batches > 0,
            "a job waits for batches that it does not have"
        );
    } else {
        ensure!(
            bitmap.is_empty(),
            "settled tasks are kept of a job that is over"
        );
    }
    Ok(())
}

fn check_lists<T: Config>(id: &JobId, job: &Job) -> Result<(), TryRuntimeError> {
    ensure!(
        JobsOf::<T>::contains_key(&job.owner, id),
        "a job is not on its owner's list"
    );
    if let Some(coordinator) = job.state.coordinator() {
        ensure!(
            JobsCoordinatedBy::<T>::contains_key(coordinator, id),
            "a job is not on its coordinator's list"
        );
    }
    Ok(())
}

fn check_group<T: Config>(id: &JobId, job: &Job) -> Result<(), TryRuntimeError> {
    let kept = Groups::<T>::get(id);
    let Some(coordinator) = job.state.coordinator() else {
        ensure!(kept.is_none(), "a job without a coordinator has a group");
        return Ok(());
    };
    let group = kept.ok_or("a job with a coordinator has no group")?;
    let present = group
        .coordinator()
        .ok_or("nobody has the turn that is now")?;
    ensure!(
        present.account == *coordinator,
        "a job is coordinated by one whose turn it is not"
    );
    ensure!(
        !(present.is_out && job.state.goes_on()),
        "a job goes on with a coordinator that has no say in it"
    );
    let accounts: BTreeSet<_> = group.members.iter().map(|it| &it.account).collect();
    ensure!(
        accounts.len() == group.members.len(),
        "a masternode is twice in a group"
    );
    ensure!(
        group.since <= T::Finalised::get(),
        "a turn began at a height that is not final"
    );
    for (sequence, _) in PendingOf::<T>::get(id) {
        let batch = Pending::<T>::get(id, sequence).ok_or("a pending batch is not kept")?;
        let places = &batch.certified_by;
        ensure!(
            !places.is_empty()
                && places.is_sorted_by(|one, next| one < next)
                && places.iter().all(|place| group.member(*place).is_some())
                && group.place_of(&batch.coordinator).is_some(),
            "a batch was settled or certified by nobody of its job's group"
        );
    }
    Ok(())
}

fn check_lanes<T: Config>() -> Result<(), TryRuntimeError> {
    let drawn: BTreeSet<_> = DrawnLately::<T>::get().into_iter().collect();
    ensure!(
        Groups::<T>::iter().all(|(id, group)| group.lane_seed.is_none() == drawn.contains(&id)),
        "a job's lanes are known in the block in which it was drawn, or never"
    );
    Ok(())
}

fn check_owners<T: Config>(owners: &BTreeMap<AccountId, Open>) -> Result<(), TryRuntimeError> {
    for (owner, open) in owners {
        ensure!(
            Pallet::<T>::escrow_of(owner) == open.held,
            "what is held on an account is not the sum over its open jobs"
        );
        ensure!(
            OpenJobs::<T>::get(owner) == open.jobs,
            "an owner's open jobs are miscounted"
        );
        ensure!(
            open.jobs <= OPEN_JOBS_PER_OWNER_MAX,
            "an owner has too many open jobs"
        );
    }
    ensure!(
        OpenJobs::<T>::iter().all(|(owner, count)| count > 0 && owners.contains_key(&owner)),
        "an owner without open jobs is counted"
    );
    Ok(())
}

/// With each job on its lists, lists of the right length name nothing else.
fn check_list_lengths<T: Config>() -> Result<(), TryRuntimeError> {
    ensure!(
        JobsOf::<T>::iter_keys().count() == Jobs::<T>::iter_keys().count(),
        "an owner's list names another's job"
    );
    let coordinated = Jobs::<T>::iter_values().filter(|job| job.state.coordinator().is_some());
    ensure!(
        JobsCoordinatedBy::<T>::iter_keys().count() == coordinated.count(),
        "a coordinator's list names a job that is not its to settle"
    );
    ensure!(
        Batches::<T>::iter_keys().all(|(job, _)| Jobs::<T>::contains_key(job)),
        "a batch is of no job"
    );
    ensure!(
        Groups::<T>::iter_keys().all(Jobs::<T>::contains_key),
        "a group is of no job"
    );
    ensure!(
        SettledTasks::<T>::iter_keys().all(Jobs::<T>::contains_key),
        "settled tasks are of no job"
    );
    Ok(())
}

fn check_awaiting<T: Config>() -> Result<(), TryRuntimeError> {
    let submitted: BTreeSet<(JobId, AccountId)> = Jobs::<T>::iter()
        .filter_map(|(id, job)| (job.state == JobState::Submitted).then_some((id, job.owner)))
        .collect();
    let queue = Awaiting::<T>::get();
    let awaiting: BTreeSet<(JobId, AccountId)> = queue.iter().cloned().collect();
    ensure!(
        awaiting.len() == queue.len(),
        "a job awaits its coordinator twice"
    );
    ensure!(
        awaiting == submitted,
        "those awaiting a coordinator are not the submitted jobs"
    );
    let mut owners: BTreeMap<&AccountId, u32> = BTreeMap::new();
    for (_, owner) in &queue {
        let jobs = owners.entry(owner).or_default();
        *jobs = jobs.saturating_add(1);
    }
    ensure!(
        owners
            .values()
            .all(|jobs| *jobs <= JOBS_AWAITING_PER_OWNER_MAX),
        "too many jobs of one owner await a coordinator"
    );
    Ok(())
}

fn check_pending<T: Config>() -> Result<(), TryRuntimeError> {
    let mut kept = 0usize;
    for (job, sequence, batch) in Pending::<T>::iter() {
        let due = batch.due;
        let record = Batches::<T>::get(job, sequence).ok_or("a pending batch has no record")?;
        ensure!(
            record.state == BatchState::Pending { due }
                && Some(record.spent) == batch.split.spent()
                && record.paid == batch.split.workers,
            "a pending batch is not as it was settled"
        );
        let workers = batch
            .payouts
            .iter()
            .fold(Amount::MIN, |sum, payout| sum.saturating_add(payout.amount));
        ensure!(
            workers == batch.split.workers,
            "payouts are not the workers' part"
        );
        kept = kept.saturating_add(1);
    }
    let listed =
        PendingOf::<T>::iter_values().fold(0usize, |sum, list| sum.saturating_add(list.len()));
    ensure!(kept == listed, "a pending batch is on no list, or not kept");
    ensure!(
        KeptOpen::<T>::iter_keys().all(|(job, sequence)| Pending::<T>::contains_key(job, sequence)),
        "a batch is kept open that is not pending"
    );
    check_due::<T>()
}

/// What each masternode has open is what its pending batches spend, and is covered.
fn check_exposures<T: Config>() -> Result<(), TryRuntimeError> {
    let mut open = BTreeMap::<AccountId, Amount>::new();
    for batch in Pending::<T>::iter_values() {
        let spent = batch.split.spent().unwrap_or(Amount::MAX);
        let sum = open.entry(batch.coordinator).or_default();
        *sum = sum.saturating_add(spent);
    }
    open.retain(|_, spent| *spent > 0);
    for (account, exposure) in Exposures::<T>::iter() {
        ensure!(
            open.remove(&account) == Some(exposure.open),
            "what a masternode has open is not what its pending batches spend"
        );
        ensure!(
            exposure::is_covered(&exposure, T::Operators::bonded(&account)),
            "a masternode's bond does not cover what it has open"
        );
    }
    ensure!(open.is_empty(), "it is not kept what a masternode has open");
    Ok(())
}

/// Each job waits for its oldest pending batch, unless that is kept open, or was due and is left to the
/// call, and for nothing else.
fn check_due<T: Config>() -> Result<(), TryRuntimeError> {
    let mut waiting = 0usize;
    for (job, list) in PendingOf::<T>::iter() {
        let (sequence, due) = list.first().ok_or("a list of pending batches is empty")?;
        let is_waiting = DueJobs::<T>::contains_key(key_of(*due), job);
        let is_kept_open = KeptOpen::<T>::contains_key(job, sequence);
        let is_left = !is_waiting && *due <= T::Finalised::get();
        ensure!(
            is_waiting != is_kept_open || is_left,
            "a job does not wait for its oldest batch, or for one that is kept open"
        );
        waiting = waiting.saturating_add(usize::from(is_waiting));
    }
    ensure!(
        DueJobs::<T>::iter_keys().count() == waiting,
        "a job waits for a batch that it does not have"
    );
    Ok(())
}

fn sum(one: Escrow, other: Escrow) -> Option<Escrow> {
    Some(Escrow {
        deposited: one.deposited.checked_add(other.deposited)?,
        paid: one.paid.checked_add(other.paid)?,
        network: one.network.checked_add(other.network)?,
        refunded: one.refunded.checked_add(other.refunded)?,
        pending: one.pending.checked_add(other.pending)?,
        held: one.held.checked_add(other.held)?,
    })
}
