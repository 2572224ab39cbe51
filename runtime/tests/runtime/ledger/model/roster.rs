//! Masternodes and their bonds, bans, verified devices.

use super::{
    Answer, Fee, Ledger, Sender,
    money::{Money, Purpose},
    need,
};
use quern_primitives::{AccountId, Amount, DeviceId};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks for which what is unbonded stays held.
const WEEK: u32 = super::workforce::WEEK;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    AddMasternode(AccountId),
    RemoveMasternode(AccountId),
    PublishEndpoints {
        network_key: DeviceId,
        device_addresses: Vec<Vec<u8>>,
        jobs_api: Vec<u8>,
    },
    Ban(AccountId),
    LiftBan(AccountId),
    VerifyDevice(DeviceId),
    UnverifyDevice(DeviceId),
    Bond(Amount),
    Unbond(Amount),
    WithdrawUnbonded,
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AddMasternode(_) => "roster.add_masternode",
            Self::RemoveMasternode(_) => "roster.remove_masternode",
            Self::PublishEndpoints { .. } => "roster.publish_endpoints",
            Self::Ban(_) => "roster.ban",
            Self::LiftBan(_) => "roster.lift_ban",
            Self::VerifyDevice(_) => "roster.verify_device",
            Self::UnverifyDevice(_) => "roster.unverify_device",
            Self::Bond(_) => "roster.bond",
            Self::Unbond(_) => "roster.unbond",
            Self::WithdrawUnbonded => "roster.withdraw_unbonded",
        }
    }
}

#[derive(Default)]
pub(crate) struct Roster {
    pub(crate) masternodes: BTreeSet<AccountId>,
    /// Those that can be reached, each with the network key it published last.
    pub(crate) reachable: BTreeMap<AccountId, DeviceId>,
    pub(crate) banned: BTreeSet<AccountId>,
    pub(crate) verified: BTreeSet<DeviceId>,
    /// Who was slashed since its bond last covered all that it had open. Nobody else's bond is ever short of
    /// that.
    pub(crate) short: BTreeSet<AccountId>,
    bonds: BTreeMap<AccountId, Bond>,
}

#[derive(Clone, Debug, Default)]
struct Bond {
    active: Amount,
    /// What can be withdrawn from each block on.
    leaving: BTreeMap<u32, Amount>,
}

impl Roster {
    /// A masternode of the first block, with its bond.
    pub(super) fn begin(&mut self, money: &mut Money, masternode: &AccountId, bond: Amount) {
        self.masternodes.insert(masternode.clone());
        let held = money.hold(masternode, Purpose::MasternodeBond, bond);
        held.expect("it has its bond");
        self.bonds.entry(masternode.clone()).or_default().active = bond;
    }

    /// What is active of an account's bond, and what leaves it when.
    pub(crate) fn bond_of(&self, account: &AccountId) -> (Amount, Vec<(u32, Amount)>) {
        let bond = self.bonds.get(account).cloned().unwrap_or_default();
        (bond.active, bond.leaving.into_iter().collect())
    }

    /// All of a bond, active or on its way out.
    pub(crate) fn held(&self, who: &AccountId) -> Amount {
        let bond = self.bonds.get(who);
        bond.map_or(0, |bond| {
            bond.active + bond.leaving.values().sum::<Amount>()
        })
    }

    /// Takes an amount from a bond: the active part first, then what would leave it last.
    pub(super) fn take(&mut self, who: &AccountId, amount: Amount) {
        if amount == 0 {
            return;
        }
        let bond = self.bonds.get_mut(who).expect("it has a bond");
        let mut left = amount - amount.min(bond.active);
        bond.active -= amount - left;
        for part in bond.leaving.values_mut().rev() {
            let taken = left.min(*part);
            *part -= taken;
            left -= taken;
        }
        bond.leaving.retain(|_, part| *part > 0);
    }

    /// The masternodes that have this bond.
    pub(crate) fn bonded(&self, least: Amount) -> BTreeSet<AccountId> {
        let all = self.masternodes.iter();
        let bonded = all.filter(|account| self.bond_of(account).0 >= least);
        bonded.cloned().collect()
    }

    /// Those that jobs are given to, if this is the least bond.
    pub(crate) fn eligible(&self, least: Amount) -> Vec<AccountId> {
        let reachable = self.reachable.keys();
        reachable
            .filter(|account| self.bond_of(account).0 >= least)
            .cloned()
            .collect()
    }
}

/// What anybody may do with a bond; the rest of the roster is the council's.
fn answer_bond(ledger: &mut Ledger, account: AccountId, call: &Call) -> Answer {
    let needed = (ledger.jobs.open_of(&account) * ledger.params.per_exposure).div_ceil(1_000);
    let (now, money) = (ledger.now, &mut ledger.money);
    let bond = ledger.roster.bonds.entry(account.clone()).or_default();
    match call {
        Call::Bond(amount) => {
            need(*amount > 0, "ZeroAmount")?;
            money.hold(&account, Purpose::MasternodeBond, *amount)?;
            bond.active += amount;
        }
        Call::Unbond(amount) => {
            need(*amount > 0, "ZeroAmount")?;
            need(*amount <= bond.active, "MoreThanBonded")?;
            let at = now + WEEK;
            let has_room = bond.leaving.contains_key(&at) || bond.leaving.len() < 32;
            need(has_room, "TooManyUnbondings")?;
            bond.active -= amount;
            *bond.leaving.entry(at).or_default() += amount;
        }
        _ => {
            let stays = bond.leaving.split_off(&(now + 1));
            let due: Amount = bond.leaving.values().sum();
            let left = bond.active + stays.values().sum::<Amount>();
            let may = match due {
                0 => need(false, "NothingToWithdraw"),
                _ => need(left >= needed, "BondNeeded"),
            };
            if may.is_err() {
                bond.leaving.extend(stays);
                return may.map(|()| Fee::Charged);
            }
            bond.leaving = stays;
            money.release(&account, Purpose::MasternodeBond, due);
            ledger.roster.short.remove(&account);
        }
    }
    Ok(Fee::Charged)
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    if let Call::Bond(_) | Call::Unbond(_) | Call::WithdrawUnbonded = call {
        return answer_bond(ledger, sender.account()?, call);
    }
    let roster = &mut ledger.roster;
    if let Call::PublishEndpoints {
        network_key,
        device_addresses,
        jobs_api,
    } = call
    {
        let account = sender.account()?;
        need(roster.masternodes.contains(&account), "NotMasternode")?;
        need(!network_key.is_small_order(), "WeakNetworkKey")?;
        need(!device_addresses.is_empty(), "NoDeviceAddress")?;
        for address in device_addresses.iter().chain([jobs_api]) {
            need(!address.is_empty(), "EmptyAddress")?;
            need(String::from_utf8(address.clone()).is_ok(), "AddressNotUtf8")?;
        }
        roster.reachable.insert(account, *network_key);
        return Ok(Fee::Charged);
    }
    sender.council()?;
    match call {
        Call::PublishEndpoints { .. }
        | Call::Bond(_)
        | Call::Unbond(_)
        | Call::WithdrawUnbonded => {}
        Call::AddMasternode(account) => {
            need(!roster.banned.contains(account), "MasternodeIsBanned")?;
            let added = roster.masternodes.insert(account.clone());
            need(added, "AlreadyMasternode")?;
        }
        Call::RemoveMasternode(account) => {
            need(roster.masternodes.contains(account), "NotMasternode")?;
            need(roster.masternodes.len() > 1, "LastMasternode")?;
            roster.masternodes.remove(account);
            roster.reachable.remove(account);
        }
        Call::Ban(account) => {
            need(!roster.masternodes.contains(account), "BannedIsMasternode")?;
            need(roster.banned.insert(account.clone()), "AlreadyBanned")?;
        }
        Call::LiftBan(account) => need(roster.banned.remove(account), "NotBanned")?,
        Call::VerifyDevice(device) => need(roster.verified.insert(*device), "AlreadyVerified")?,
        Call::UnverifyDevice(device) => need(roster.verified.remove(device), "NotVerified")?,
    }
    Ok(Fee::Charged)
}
