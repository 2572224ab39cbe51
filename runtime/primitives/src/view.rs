//! What the chain answers when it is asked: through runtime calls, and as JSON by the node.
//! Amounts are decimal strings of the smallest unit in JSON.

use crate::{
    amount::Amount,
    batch::BondPerExposure,
    device::Device,
    ids::{AccountId, BlockNumber, DeviceId, SealingKey},
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// A masternode as clients need to know it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct MasternodeView {
    /// The operator's account.
    pub account: AccountId,
    /// The Ed25519 key its connections are authenticated by.
    pub network_key: DeviceId,
    /// The X25519 key to which owners seal their delegated job keys.
    pub sealing_key: SealingKey,
    /// Where devices reach it: multiaddrs, as UTF-8.
    pub device_addresses: Vec<Vec<u8>>,
    /// Where owners reach its Jobs API: a URL, as UTF-8.
    pub jobs_api: Vec<u8>,
}

/// A device with what decides whether it may work.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct DeviceView {
    /// The device's name.
    pub id: DeviceId,
    /// What the chain keeps of it.
    pub device: Device,
    /// Whether its account's bond covers all of the account's devices.
    pub bonded: bool,
    /// Whether the device or its account is banned.
    pub banned: bool,
    /// Whether the council verified it (trusted processing).
    pub verified: bool,
    /// Whether its faults keep it from work until it is reviewed, or a proved lie for good; its record
    /// tells which.
    pub quarantined: bool,
}

impl DeviceView {
    /// Whether a masternode may give it work.
    pub fn may_work(&self) -> bool {
        self.bonded && !self.banned && !self.quarantined
    }
}

/// What a job would cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Quote {
    /// The hard cap: what goes into escrow.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub total: Amount,
    /// Of it, at most this for each task.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub task: Amount,
    /// Of the total, at most this to workers.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub workers: Amount,
    /// Of the total, the rest to operators and treasury.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub network: Amount,
}

/// An account's money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct WalletView {
    /// What it can spend.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub free: Amount,
    /// Held for its open jobs, with what their pending batches spend.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub escrow: Amount,
    /// What it will get, as worker or for its masternode, from batches that are not final yet. It is still
    /// in the escrow of those who own the jobs.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub pending: Amount,
    /// Whether there are more pending batches than one answer looks at, so that it may get more.
    pub pending_partly: bool,
    /// Held as its workers' bond, and covering its devices.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub bond_active: Amount,
    /// Held on its way out of the bond, where it covers no device; what can be withdrawn first is
    /// first.
    pub unbonding: Vec<UnbondingView>,
    /// Held for payouts that the treasurer has not answered.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub payouts: Amount,
    /// Held as its masternode's bond, active or on its way out.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub masternode_bond: Amount,
    /// Held as the bonds of disputes that it began and that are open.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub disputes: Amount,
    /// Held for its open contracts to keep data.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub contracts: Amount,
    /// Held as the bonds of challenges that it opened and that wait for their answer.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub challenges: Amount,
}

impl WalletView {
    /// All that is on its way out of the bond.
    pub fn unbonding_total(&self) -> Amount {
        // Parts of one bond, and the bond as a whole is an amount.
        self.unbonding
            .iter()
            .fold(0, |sum: Amount, part| sum.saturating_add(part.amount))
    }
}

/// An amount on its way out of a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct UnbondingView {
    /// How much.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub amount: Amount,
    /// The first block in which it can be withdrawn.
    pub withdrawable_at: BlockNumber,
}

/// An operator's bond for its masternode, and whether it is what jobs are given for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct MasternodeBondView {
    /// What counts.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub active: Amount,
    /// What is on its way out and still answers; what can be withdrawn first is first.
    pub unbonding: Vec<UnbondingView>,
    /// What must count for the masternode to be given jobs.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub least: Amount,
    /// What the masternode has settled that is not final. What it needs of the bond stays, and no more can be
    /// settled than the rest covers.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub open: Amount,
    /// What must be bonded for what is open, in thousandths of that.
    pub per_exposure_permille: u16,
    /// Whether the council has made the account a masternode.
    pub is_masternode: bool,
    /// Whether the masternode has published where it is reached.
    pub is_reachable: bool,
}

impl MasternodeBondView {
    /// All that answers: what counts and what is on its way out.
    pub fn held(&self) -> Amount {
        let unbonding = self.unbonding.iter().map(|part| part.amount);
        // Parts of one bond, and the bond as a whole is an amount.
        unbonding.fold(self.active, Amount::saturating_add)
    }

    /// What may be settled beside what is open.
    pub fn room(&self) -> Amount {
        self.covers(self.held()).saturating_sub(self.open)
    }

    /// The most that may be settled and not final where so much is bonded.
    pub fn covers(&self, bonded: Amount) -> Amount {
        self.per_exposure().covered(bonded)
    }

    /// What may be taken out: what is open does not need it.
    pub fn free(&self) -> Amount {
        self.held().saturating_sub(self.needed())
    }

    /// What is open needs so much of the bond.
    pub fn needed(&self) -> Amount {
        self.per_exposure().needed(self.open)
    }

    fn per_exposure(&self) -> BondPerExposure {
        BondPerExposure(self.per_exposure_permille)
    }

    /// Whether the masternode is among those that jobs are given to.
    pub fn is_given_jobs(&self) -> bool {
        self.is_masternode && self.is_reachable && self.active >= self.least
    }
}

/// The whole chain's money, as the invariants of the ledger relate it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Totals {
    /// All that exists.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub issuance: Amount,
    /// What existed at genesis.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub genesis: Amount,
    /// What purchases added.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub minted: Amount,
    /// What payouts (and lost bonds, fees, and dust) took away.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub burnt: Amount,
    /// What is held for open jobs, with what their pending batches spend.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub escrow: Amount,
    /// Of it, what batches spend that are not final yet.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub pending: Amount,
    /// What is held as bonds of workers.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub bonds: Amount,
    /// What is held for payouts.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub payouts: Amount,
    /// What is held as bonds of masternodes.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub masternode_bonds: Amount,
    /// What is held as bonds of open disputes.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub disputes: Amount,
    /// What is held for open contracts to keep data.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub contracts: Amount,
    /// What is held as bonds of open challenges.
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    pub challenges: Amount,
}

impl Totals {
    /// What is held for data that is kept: for contracts, and as bonds of challenges.
    pub fn custody(&self) -> Amount {
        // Both are parts of what exists, and that is an amount.
        self.contracts.saturating_add(self.challenges)
    }

    /// Whether `issuance = genesis + minted - burnt`.
    pub fn conserves_money(&self) -> bool {
        self.genesis
            .checked_add(self.minted)
            .and_then(|sum| sum.checked_sub(self.burnt))
            == Some(self.issuance)
    }
}

/// The chain's clock of finality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct FinalityView {
    /// The height that the chain holds to be final: what the last claims of more than two thirds of its
    /// validators reach.
    pub clock: BlockNumber,
    /// By how much the clock must go on after a batch of a job that is submitted now is settled, before
    /// that is final. A job that is there has its own, in its terms.
    pub window: BlockNumber,
}
