//! Where in the state a value is. A key is the hashes of the names of pallet and item; where an item
//! has an entry for each of something, the something follows, encoded, with its hash before it, so
//! that nobody can choose where in the trie an entry is.
//!
//! The hashes are those that the pallets declare; a test of the runtime compares all of these keys with
//! its own.

use codec::Encode;
use quern_primitives::{AccountId, DeviceId, JobId, ids::BatchSequence};
use sp_crypto_hashing::{blake2_128, twox_64, twox_128};

/// A key of the state.
pub type Key = Vec<u8>;

/// The key of an item of a pallet that has one value: for those that have no name here.
pub fn item(pallet: &str, item: &str) -> Key {
    [twox_128(pallet.as_bytes()), twox_128(item.as_bytes())].concat()
}

/// The key of an entry of an item that hashes what its entries are for with Blake2, 16 bytes
/// (`Blake2_128Concat`).
pub fn entry(pallet: &str, name: &str, of: &impl Encode) -> Key {
    let mut key = item(pallet, name);
    of.using_encoded(|of| {
        key.extend(blake2_128(of));
        key.extend(of);
    });
    key
}

/// The same with XXHash, 8 bytes (`Twox64Concat`), for what nobody can choose.
pub fn counted_entry(pallet: &str, name: &str, of: &impl Encode) -> Key {
    let mut key = item(pallet, name);
    put_counted(&mut key, of);
    key
}

fn put_counted(key: &mut Key, of: &impl Encode) {
    of.using_encoded(|of| {
        key.extend(twox_64(of));
        key.extend(of);
    });
}

/// A job, as long as the chain is: [`quern_primitives::job::Job`].
pub fn job(job: &JobId) -> Key {
    entry("Jobs", "Jobs", job)
}

/// A settled batch: [`quern_primitives::batch::BatchRecord`].
pub fn batch(job: &JobId, sequence: BatchSequence) -> Key {
    let mut key = entry("Jobs", "Batches", job);
    put_counted(&mut key, &sequence);
    key
}

/// With what the keys of all jobs begin.
pub fn jobs() -> Key {
    item("Jobs", "Jobs")
}

/// With what the keys of all settled batches begin. Those of one job follow each other.
pub fn batches() -> Key {
    item("Jobs", "Batches")
}

/// What is kept of a batch as long as it is pending: [`quern_primitives::batch::PendingBatch`].
pub fn pending_batch(job: &JobId, sequence: BatchSequence) -> Key {
    let mut key = entry("Jobs", "Pending", job);
    put_counted(&mut key, &sequence);
    key
}

/// The masternodes of a job that is not over: [`quern_primitives::group::Group`].
pub fn group(job: &JobId) -> Key {
    entry("Jobs", "Groups", job)
}

/// The pending batches of a job, each with the height at which it is due.
pub fn pending_list(job: &JobId) -> Key {
    entry("Jobs", "PendingOf", job)
}

/// With what the keys of the lists of pending batches begin, one for each job that has any.
pub fn pending_lists() -> Key {
    item("Jobs", "PendingOf")
}

/// With what the keys of the sets of settled tasks begin, one for each job that goes on.
pub fn settled_tasks() -> Key {
    item("Jobs", "SettledTasks")
}

/// The money of all jobs together: [`quern_primitives::job::Escrow`].
pub fn job_totals() -> Key {
    item("Jobs", "Totals")
}

/// A registered device: [`quern_primitives::device::Device`].
pub fn device(device: &DeviceId) -> Key {
    entry("Workforce", "Devices", device)
}

/// A worker account's bond.
pub fn bond(account: &AccountId) -> Key {
    entry("Workforce", "Bonds", account)
}

/// Whether an account is banned: there is something, if it is.
pub fn banned(account: &AccountId) -> Key {
    entry("Roster", "BannedAccounts", account)
}

/// What the council has set: [`quern_primitives::params::Params`]; there is nothing until it has.
pub fn params() -> Key {
    item("Params", "Current")
}

/// All bonds together: an amount.
pub fn total_bonded() -> Key {
    item("Workforce", "TotalBonded")
}

/// An account: how many transactions it made, what refers to it, and its money.
pub fn account(account: &AccountId) -> Key {
    entry("System", "Account", account)
}

/// With what the keys of all accounts begin.
pub fn accounts() -> Key {
    item("System", "Account")
}

/// With what the keys of what is held on accounts begin.
pub fn all_holds() -> Key {
    item("Balances", "Holds")
}

/// What of an account's money is held, and for what.
pub fn holds(account: &AccountId) -> Key {
    entry("Balances", "Holds", account)
}

/// All bonds of masternodes together: an amount.
pub fn total_bonded_by_masternodes() -> Key {
    item("Roster", "TotalBonded")
}

/// What is held for open disputes: an amount.
pub fn held_for_disputes() -> Key {
    item("Disputes", "TotalHeld")
}

/// The money of all contracts to keep data: [`quern_primitives::custody::Escrow`].
pub fn custody_totals() -> Key {
    item("Custody", "Totals")
}

/// What is held as bonds of open challenges: an amount.
pub fn held_for_challenges() -> Key {
    item("Custody", "TotalPutUp")
}

/// All that exists: an amount.
pub fn total_issuance() -> Key {
    item("Balances", "TotalIssuance")
}

/// All that existed at genesis: an amount.
pub fn genesis_issuance() -> Key {
    item("Bytechip", "GenesisIssuance")
}

/// What purchases have added since: an amount.
pub fn minted() -> Key {
    item("Bytechip", "Minted")
}

/// What has gone since: an amount.
pub fn burnt() -> Key {
    item("Bytechip", "Burnt")
}

/// What is held for open payouts: an amount.
pub fn held_for_payouts() -> Key {
    item("Bytechip", "Held")
}

/// The hash of the chain's first block, which every later state has.
pub fn genesis() -> Key {
    counted_entry("System", "BlockHash", &0_u32)
}

/// The events of the block.
pub fn events() -> Key {
    item("System", "Events")
}

/// The validators who make the blocks behind this one final: see
/// [`crate::AuthoritySet::read`].
pub fn authorities() -> Key {
    item("Grandpa", "Authorities")
}

/// The number of their set: `u64`.
pub fn authority_set_id() -> Key {
    item("Grandpa", "CurrentSetId")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_s_key_is_the_well_known_one() {
        // What every Substrate chain has for `System.Events` and `System.Account`.
        let known = "26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";
        assert_eq!(hex::encode(events()), known);
        let alice = AccountId::new([1; 32]);
        let known = "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9";
        let key = hex::encode(account(&alice));
        assert_eq!(key.strip_prefix(known).map(str::len), Some(2 * (16 + 32)));
        assert!(key.ends_with(&"01".repeat(32)));
    }

    #[test]
    fn a_batch_s_key_ends_with_its_job_and_its_number() {
        let key = batch(&JobId([5; 32]), 258);
        let of_job = entry("Jobs", "Batches", &JobId([5; 32]));
        let behind = key.strip_prefix(&of_job[..]).map(<[u8]>::to_vec);
        let number = [&twox_64(&[2, 1, 0, 0])[..], &[2, 1, 0, 0]].concat();
        assert_eq!(behind, Some(number));
        assert_ne!(batch(&JobId([6; 32]), 258), key);
    }
}
