//! What always holds of disputes.

use crate::{
    Config, Disputes, DisputesOf, HoldReason, Matter, NextDispute, OPEN_PER_BATCH_MAX, OpenIn,
    Pallet, Sums, TotalHeld,
};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::fungible::hold::Inspect};
use quern_primitives::{AccountId, Amount};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the storage against the pallet's invariants:
    ///
    /// - each account's hold = the bonds of its open disputes, and their total is right;
    /// - each dispute that adds up has its sum, and no other has one;
    /// - each batch's open disputes are counted, within the limit, and on their job's list;
    /// - no dispute has a number that is still to be given.
    ///
    /// Reads every dispute there is: for tests and auditors.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut held = BTreeMap::<AccountId, Amount>::new();
        let mut open = BTreeMap::<_, u32>::new();
        let mut adding = 0usize;
        for (id, dispute) in Disputes::<T>::iter() {
            ensure!(
                id < NextDispute::<T>::get(),
                "a dispute has a number that was not given"
            );
            ensure!(
                DisputesOf::<T>::contains_key(dispute.batch.job, id),
                "a dispute is not on its job's list"
            );
            let sum = held.entry(dispute.disputer).or_default();
            *sum = sum
                .checked_add(dispute.bond)
                .ok_or("the bonds are more than can exist")?;
            let count = open
                .entry((dispute.batch.job, dispute.batch.sequence))
                .or_default();
            *count = count.saturating_add(1);
            let is_adding = dispute.matter == Matter::Adding;
            ensure!(
                Sums::<T>::contains_key(id) == is_adding,
                "a sum is not of a dispute that adds up"
            );
            adding = adding.saturating_add(usize::from(is_adding));
        }
        ensure!(
            Sums::<T>::iter_keys().count() == adding,
            "a sum is of no dispute"
        );
        let total = held
            .values()
            .try_fold(Amount::MIN, |sum, bonds| sum.checked_add(*bonds));
        ensure!(
            total == Some(TotalHeld::<T>::get()),
            "the total is not the sum of the bonds"
        );
        let listed = DisputesOf::<T>::iter_keys();
        ensure!(
            listed.count() == Disputes::<T>::iter_keys().count(),
            "a job's list names a dispute that is over"
        );
        for (account, bonds) in held {
            ensure!(
                T::Currency::balance_on_hold(&HoldReason::Dispute.into(), &account) == bonds,
                "what is held is not the bonds of the account's disputes"
            );
        }
        for (job, sequence, count) in OpenIn::<T>::iter() {
            ensure!(
                open.remove(&(job, sequence)) == Some(count),
                "a batch's open disputes are miscounted"
            );
            ensure!(
                count <= OPEN_PER_BATCH_MAX,
                "a batch has more disputes than allowed"
            );
        }
        ensure!(open.is_empty(), "a batch's open disputes are not counted");
        Ok(())
    }
}
