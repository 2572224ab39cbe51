//! Batches between settlement and finality: when they are due, how they become final, how they are
//! struck.
//!
//! The batches of a job are due in their order, and become final in it. So a job waits for its oldest
//! pending batch, and is kept in the order of the heights of the clock of finality at which those are
//! due. A job whose oldest batch is disputed is taken out of that order until it no longer is: nobody
//! else waits behind it. So is one whose oldest batch is due and cannot be paid; it is left to the call.

use crate::{
    Batches, Config, Devices, DueJobs, Error, Event, Groups, KeptOpen, Pallet, Pending, PendingOf,
    SettledTasks, WeightInfo,
};
use alloc::collections::BTreeMap;
use frame_support::{
    BoundedVec, ensure,
    pallet_prelude::{DispatchResult, Get, Weight},
    storage::with_storage_layer,
    weights::WeightMeter,
};
use quern_job_rules::{life, operators::OperatorPay, settlement::ValidatedBatch, tasks};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    batch::{BatchState, Certified, PendingBatch},
    ids::BatchSequence,
    job::Job,
    limits::{DEVICES_PER_BATCH_MAX, GROUP_MEMBERS_MAX, PAYEES_PER_BATCH_MAX},
};
use sp_runtime::{ArithmeticError, DispatchError};

impl<T: Config> Pallet<T> {
    /// When a batch of this job is due that is settled now: after the window of its terms, and not before those
    /// that are pending.
    pub(crate) fn due_now(id: &JobId, job: &Job) -> BlockNumber {
        let due = T::Finalised::get().saturating_add(job.terms.window_blocks.max(1));
        let before = PendingOf::<T>::get(id).last().map(|(_, due)| *due);
        before.map_or(due, |before| before.max(due))
    }

    /// Keeps a batch that was just settled, until it is final or struck.
    pub(crate) fn keep_pending(
        id: JobId,
        certified: &Certified,
        valid: &ValidatedBatch<'_>,
        by: &AccountId,
        due: BlockNumber,
    ) -> DispatchResult {
        let sequence = certified.batch.sequence;
        let is_oldest = PendingOf::<T>::decode_len(id).unwrap_or(0) == 0;
        PendingOf::<T>::try_append(id, (sequence, due)).map_err(|()| Error::<T>::TooManyPending)?;
        Pending::<T>::insert(id, sequence, valid.pending(by, certified.places(), due));
        if is_oldest {
            Self::await_due(&id, Some(&(sequence, due)));
        }
        Ok(())
    }

    /// From now on a pending batch is not made final, and so are none of the later ones of its job; or it
    /// may be again, with `is_disputed` false. Of a batch that is not pending nothing changes.
    ///
    /// No call: who may dispute a batch, and how long, is for others to say.
    pub fn keep_open(id: &JobId, sequence: BatchSequence, is_disputed: bool) {
        let list = PendingOf::<T>::get(id);
        if !list.iter().any(|(pending, _)| *pending == sequence) {
            return;
        }
        let oldest = list.first();
        if is_disputed {
            KeptOpen::<T>::insert(id, sequence, ());
            if let Some((first, due)) = oldest
                && *first == sequence
            {
                DueJobs::<T>::remove(key_of(*due), id);
            }
        } else {
            KeptOpen::<T>::remove(id, sequence);
            Self::await_due(id, oldest);
        }
    }

    /// Has a job wait until its oldest pending batch is due, unless that is kept open.
    fn await_due(id: &JobId, oldest: Option<&(BatchSequence, BlockNumber)>) {
        if let Some((sequence, due)) = oldest
            && !KeptOpen::<T>::contains_key(id, sequence)
        {
            DueJobs::<T>::insert(key_of(*due), id, ());
        }
    }

    /// Makes a batch final if it is due and the oldest of its job that is pending; says what that
    /// cost.
    pub(crate) fn do_finalise(id: JobId, sequence: BatchSequence) -> Result<Weight, DispatchError> {
        let list = PendingOf::<T>::get(id);
        let (oldest, due) = *list.first().ok_or(Error::<T>::BatchNotPending)?;
        if oldest != sequence {
            let later = list.iter().any(|(pending, _)| *pending == sequence);
            return Err(match later {
                true => Error::<T>::EarlierPending,
                false => Error::<T>::BatchNotPending,
            }
            .into());
        }
        ensure!(due <= T::Finalised::get(), Error::<T>::BatchNotDue);
        ensure!(
            !KeptOpen::<T>::contains_key(id, sequence),
            Error::<T>::BatchDisputed
        );
        let batch = Pending::<T>::get(id, sequence).ok_or(Error::<T>::BatchNotPending)?;
        let weight = Self::finalise_weight(&batch);
        Self::make_final(id, sequence, batch)?;
        Ok(weight)
    }

    /// Makes final what is due, as far as there is room, and says how much of it was used.
    pub(crate) fn finalise_due(room: Weight) -> Weight {
        let mut meter = WeightMeter::with_limit(room);
        let clock = T::Finalised::get();
        while meter.try_consume(T::WeightInfo::look_for_due()).is_ok() {
            let Some((due, id)) = DueJobs::<T>::iter_keys().next() else {
                break;
            };
            if BlockNumber::from_be_bytes(due) > clock {
                break;
            }
            let oldest = PendingOf::<T>::get(id).first().copied();
            let batch = oldest.and_then(|(sequence, _)| {
                let batch = Pending::<T>::get(id, sequence)?;
                Some((sequence, batch))
            });
            let is_final = match batch {
                Some((sequence, batch)) => {
                    if meter.try_consume(Self::finalise_weight(&batch)).is_err() {
                        break;
                    }
                    with_storage_layer(|| Self::make_final(id, sequence, batch)).is_ok()
                }
                None => false,
            };
            // A batch that cannot be paid must not keep others from their pay: it is left to the call,
            // which says why. The invariants say that there is none.
            if !is_final {
                DueJobs::<T>::remove(due, id);
            }
        }
        meter.consumed()
    }

    /// What making this batch final costs at most: whether who settled it is one of those who certified it
    /// is not looked up for that.
    pub(crate) fn finalise_weight(batch: &PendingBatch) -> Weight {
        // The lists are bounded far below what would not fit.
        let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let answering = length(batch.certified_by.len()).saturating_add(1);
        T::WeightInfo::finalise(
            length(batch.payouts.len()),
            length(batch.devices.len()),
            answering.min(GROUP_MEMBERS_MAX),
        )
    }

    /// What making the largest batch final costs.
    pub(crate) fn finalise_weight_max() -> Weight {
        T::WeightInfo::finalise(
            PAYEES_PER_BATCH_MAX,
            DEVICES_PER_BATCH_MAX,
            GROUP_MEMBERS_MAX,
        )
    }

    /// Pays the oldest pending batch of a job, in parts that add up to what it spends, and changes the
    /// devices' records.
    fn make_final(id: JobId, sequence: BatchSequence, batch: PendingBatch) -> DispatchResult {
        let job = Self::existing(id)?;
        // Those who are out by now are not paid. The group is kept as long as the job is open.
        let group = Groups::<T>::get(id).ok_or(Error::<T>::NotDrawn)?;
        let operators = OperatorPay::of(&group, &batch).ok_or(ArithmeticError::Overflow)?;
        let shares = operators.shares();
        let event = life::Event::Finalised { shares };
        let transition = life::apply(&job, Self::now(), event).map_err(Error::<T>::from)?;
        let spent = batch.split.spent().ok_or(ArithmeticError::Overflow)?;
        Self::close_exposure(&batch.coordinator, spent);
        Pending::<T>::remove(id, sequence);
        DueJobs::<T>::remove(key_of(batch.due), id);
        PendingOf::<T>::mutate_exists(id, |list| {
            *list = list.take().filter(|list| list.len() > 1).map(|mut list| {
                list.remove(0);
                list
            });
            Self::await_due(&id, list.as_ref().and_then(|list| list.first()));
        });
        for payout in &batch.payouts {
            Self::pay(&job.owner, &payout.account, payout.amount)?;
        }
        for device in &batch.devices {
            T::Devices::record(&device.device, job.submission.class, &device.change);
        }
        let at = Self::now();
        Self::mark(id, sequence, BatchState::Final { at });
        Self::deposit_event(Event::BatchFinalised {
            job: id,
            sequence,
            tasks: tasks::count(&batch.tasks.bits),
            workers: shares.workers,
            operators: shares.operators,
            treasury: shares.treasury,
        });
        for account in operators.payees() {
            Self::pay(&job.owner, account, operators.each())?;
        }
        Self::commit(id, &job, transition)
    }

    /// Takes a pending batch back because it is proved wrong, and with it all later ones of its job,
    /// which rest on the same log. Their tasks are unsettled again. Who settled or certified it has no
    /// say in the job any more, and the job goes on with the next member of its group, if there is one and
    /// its time is not up; it ends otherwise, and nobody is paid for them. What was struck stays on
    /// record, and its numbers are not given again.
    ///
    /// No call: who may prove a batch wrong, and how, is for others to say. Costs
    /// [`WeightInfo::strike`] of the batches that fall. Changes nothing where it fails.
    pub fn strike(id: JobId, sequence: BatchSequence) -> DispatchResult {
        with_storage_layer(|| Self::do_strike(id, sequence))
    }

    fn do_strike(id: JobId, sequence: BatchSequence) -> DispatchResult {
        let job = Self::existing(id)?;
        let list = PendingOf::<T>::get(id);
        let place = list
            .iter()
            .position(|(pending, _)| *pending == sequence)
            .ok_or(Error::<T>::BatchNotPending)?;
        let (kept, fallen) = list
            .split_at_checked(place)
            .unwrap_or((list.as_slice(), &[]));

        let mut settled = SettledTasks::<T>::get(id);
        let wrong = Pending::<T>::get(id, sequence).ok_or(Error::<T>::BatchNotPending)?;
        let next = Self::turn_out(id, &wrong)?;
        let (mut batches, mut unsettled, mut spent) = (0u32, 0u32, Amount::MIN);
        // Of the few of a job's group who settled any of them.
        let mut closed = BTreeMap::<AccountId, Amount>::new();
        let at = Self::now();
        if let ([], Some((_, due))) = (kept, fallen.first()) {
            DueJobs::<T>::remove(key_of(*due), id);
        }
        for (sequence, _) in fallen {
            let batch = Pending::<T>::take(id, *sequence).ok_or(Error::<T>::BatchNotPending)?;
            KeptOpen::<T>::remove(id, *sequence);
            let tasks = tasks::count(&batch.tasks.bits);
            let cost = batch.split.spent().ok_or(ArithmeticError::Overflow)?;
            tasks::remove_from(&batch.tasks, settled.as_mut());
            batches = batches.saturating_add(1);
            unsettled = unsettled.saturating_add(tasks);
            spent = spent.checked_add(cost).ok_or(ArithmeticError::Overflow)?;
            let of_one = closed.entry(batch.coordinator).or_default();
            // A part of the sum.
            *of_one = of_one.saturating_add(cost);
            Self::mark(id, *sequence, BatchState::Struck { at });
            Self::deposit_event(Event::BatchStruck {
                job: id,
                sequence: *sequence,
                tasks,
                spent: cost,
            });
        }
        for (coordinator, cost) in closed {
            Self::close_exposure(&coordinator, cost);
        }
        match kept {
            [] => PendingOf::<T>::remove(id),
            kept => PendingOf::<T>::insert(id, BoundedVec::truncate_from(kept.to_vec())),
        }
        SettledTasks::<T>::insert(id, settled);
        let event = life::Event::Struck {
            batches,
            tasks: unsettled,
            spent,
            next,
        };
        let transition = life::apply(&job, at, event).map_err(Error::<T>::from)?;
        if let Some(coordinator) = transition.job.state.coordinator() {
            Self::begin_turn(id, coordinator);
        }
        Self::hand_over(id, &job, &transition.job);
        Self::commit(id, &job, transition)
    }

    fn mark(id: JobId, sequence: BatchSequence, state: BatchState) {
        Batches::<T>::mutate(id, sequence, |record| {
            if let Some(record) = record {
                record.state = state;
            }
        });
    }
}

/// Where jobs are kept whose oldest batch is due at this height.
pub(crate) fn key_of(due: BlockNumber) -> [u8; 4] {
    due.to_be_bytes()
}
