//! Bonds, devices, their records and histories.

use super::{Answer, Fee, Ledger, Refusal, Sender, money::Purpose, need};
use quern_primitives::{
    AccountId, Amount, DeviceId, GenesisHash, SealingKey,
    device::{Class, Hardware, Possession, RecordChange, Region},
    payload::{DeviceSignature, Signed},
};
use std::collections::BTreeMap;

/// Seven days of blocks of two seconds: how long what is unbonded waits, and how long a device's own
/// account waits from one review to the next.
pub(crate) const WEEK: u32 = 7 * 24 * 3_600 / 2;

/// Amounts of one account that may be on their way out.
const UNBONDINGS_MAX: usize = 32;

/// Tasks that are remembered, and how many of them may have ended badly.
const REMEMBERED: usize = 20;
const BORNE: usize = 10;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Bond(Amount),
    Unbond(Amount),
    WithdrawUnbonded,
    RegisterDevice {
        device: DeviceId,
        sealing_key: SealingKey,
        region: Region,
        hardware: Hardware,
        possession: DeviceSignature,
    },
    RotateSealingKey {
        device: DeviceId,
        sealing_key: SealingKey,
        possession: DeviceSignature,
    },
    RetireDevice(DeviceId),
    Review(DeviceId),
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Bond(_) => "workforce.bond",
            Self::Unbond(_) => "workforce.unbond",
            Self::WithdrawUnbonded => "workforce.withdraw_unbonded",
            Self::RegisterDevice { .. } => "workforce.register_device",
            Self::RotateSealingKey { .. } => "workforce.rotate_sealing_key",
            Self::RetireDevice(_) => "workforce.retire_device",
            Self::Review(_) => "workforce.review",
        }
    }
}

/// An account's bond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bond {
    pub(crate) active: Amount,
    /// What is on its way out, by the first block in which it may be withdrawn.
    pub(crate) leaving: BTreeMap<u32, Amount>,
}

/// How a task ended on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Incorrect,
    Failed,
    Delayed,
    Accepted,
}

/// What is remembered of a device: every task there ever was, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) tasks: Vec<Ending>,
    /// Of the accepted ones, those of jobs of the portable class.
    pub(crate) portable: u64,
    /// Of these, the ones before the last review, which its history has forgotten.
    pub(crate) reviewed: usize,
    pub(crate) last_task: Option<u32>,
    pub(crate) last_review: Option<u32>,
    /// Lies that were proved.
    pub(crate) convicted: u32,
}

impl Past {
    pub(crate) fn count(&self, of: Ending) -> usize {
        self.tasks.iter().filter(|ending| **ending == of).count()
    }

    pub(crate) fn accepted_in_a_row(&self) -> usize {
        let newest = self.tasks.iter().rev();
        newest
            .take_while(|ending| **ending == Ending::Accepted)
            .count()
    }

    /// How its last tasks ended, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = Ending> + '_ {
        self.tasks[self.reviewed..]
            .iter()
            .rev()
            .take(REMEMBERED)
            .copied()
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        let faults = self.newest().filter(|ending| *ending != Ending::Accepted);
        self.convicted > 0 || faults.count() > BORNE
    }

    fn reviewable_from(&self) -> u32 {
        self.last_review.map_or(0, |last| last + WEEK)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) account: AccountId,
    /// The block that registered it.
    pub(crate) since: u32,
    pub(crate) sealing_key: SealingKey,
    pub(crate) region: Region,
    pub(crate) hardware: Hardware,
    pub(crate) past: Past,
}

#[derive(Default)]
pub(crate) struct Workforce {
    pub(crate) bonds: BTreeMap<AccountId, Bond>,
    pub(crate) devices: BTreeMap<DeviceId, Device>,
    pub(crate) retired: BTreeMap<DeviceId, Past>,
    /// Whose the retired ones were, and until when that account answers for them.
    pub(crate) last_owners: BTreeMap<DeviceId, (AccountId, u32)>,
}

impl Workforce {
    pub(crate) fn active(&self, who: &AccountId) -> Amount {
        self.bonds.get(who).map_or(0, |bond| bond.active)
    }

    pub(crate) fn devices_of(&self, who: &AccountId) -> u32 {
        let own = self
            .devices
            .values()
            .filter(|device| device.account == *who);
        u32::try_from(own.count()).unwrap()
    }

    /// Whose word a device's is: its account's, or that of who retired it, for so long.
    pub(super) fn answering(&self, now: u32, device: &DeviceId) -> Option<AccountId> {
        let registered = self.devices.get(device);
        let registered = registered.map(|device| device.account.clone());
        let last = self.last_owners.get(device);
        let last = last.filter(|(_, until)| now < *until);
        registered.or(last.map(|(account, _)| account.clone()))
    }

    /// All of a bond, active or on its way out.
    pub(super) fn held(&self, who: &AccountId) -> Amount {
        let bond = self.bonds.get(who);
        bond.map_or(0, |bond| {
            bond.active + bond.leaving.values().sum::<Amount>()
        })
    }

    /// Takes an amount from a bond: the active part first, then what would leave it last.
    pub(super) fn take(&mut self, who: &AccountId, amount: Amount) {
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

    /// A part of the active bond is on its way out until a block.
    fn let_go(&mut self, who: &AccountId, amount: Amount, until: u32) -> Result<(), Refusal> {
        if amount == 0 {
            return Ok(());
        }
        let bond = self.bonds.entry(who.clone()).or_default();
        let has_room = bond.leaving.len() < UNBONDINGS_MAX || bond.leaving.contains_key(&until);
        need(has_room, "TooManyUnbondings")?;
        bond.active -= amount;
        *bond.leaving.entry(until).or_default() += amount;
        Ok(())
    }

    fn owned_by(&mut self, who: &AccountId, id: &DeviceId) -> Result<&mut Device, Refusal> {
        let device = self.devices.get_mut(id);
        let device = device.ok_or(Refusal::Named("DeviceUnknown"))?;
        need(device.account == *who, "NotDeviceOwner")?;
        Ok(device)
    }

    /// A settlement's word on a device, registered or retired. Others are not known.
    pub(crate) fn settled(&mut self, id: &DeviceId, class: Class, change: &RecordChange, now: u32) {
        let registered = self.devices.get_mut(id).map(|device| &mut device.past);
        let Some(past) = registered.or(self.retired.get_mut(id)) else {
            return;
        };
        for (ending, tasks) in [
            (Ending::Incorrect, change.incorrect),
            (Ending::Failed, change.failed),
            (Ending::Delayed, change.delayed),
            (Ending::Accepted, change.accepted),
        ] {
            past.tasks.extend((0..tasks).map(|_| ending));
        }
        if class == Class::Portable {
            past.portable += u64::from(change.accepted);
        }
        past.last_task = Some(now);
    }
}

pub(super) fn answer(ledger: &mut Ledger, sender: &Sender, call: &Call) -> Answer {
    let now = ledger.now;
    if let Call::Review(id) = call {
        review(ledger, sender, id)?;
        return Ok(Fee::Charged);
    }
    let who = sender.account()?;
    let bond = ledger.params.bond;
    let needed = |devices: u32| bond * Amount::from(devices);
    let workforce = &mut ledger.workforce;
    match call {
        Call::Review(_) => {}
        Call::Bond(amount) => {
            need(*amount > 0, "ZeroAmount")?;
            ledger.money.hold(&who, Purpose::Bond, *amount)?;
            workforce.bonds.entry(who).or_default().active += amount;
        }
        Call::Unbond(amount) => {
            need(*amount > 0, "ZeroAmount")?;
            let active = workforce.active(&who);
            need(*amount <= active, "MoreThanBonded")?;
            let needed = needed(workforce.devices_of(&who));
            need(active - amount >= needed, "BondNeeded")?;
            workforce.let_go(&who, *amount, now + WEEK)?;
        }
        Call::WithdrawUnbonded => {
            let bond = workforce.bonds.entry(who.clone()).or_default();
            let staying = bond.leaving.split_off(&(now + 1));
            let due: Amount = std::mem::replace(&mut bond.leaving, staying)
                .into_values()
                .sum();
            need(due > 0, "NothingToWithdraw")?;
            ledger.money.release(&who, Purpose::Bond, due);
        }
        Call::RegisterDevice { device, .. } => {
            need(!device.is_small_order(), "WeakDeviceKey")?;
            let is_new = !workforce.devices.contains_key(device);
            need(is_new, "DeviceAlreadyRegistered")?;
            let answering = workforce.answering(now, device);
            need(
                answering.is_none_or(|account| account == who),
                "StillAnswered",
            )?;
            let needed = needed(workforce.devices_of(&who) + 1);
            need(workforce.active(&who) >= needed, "BondTooSmall")?;
            register(ledger, who, call)?;
        }
        Call::RotateSealingKey {
            device,
            sealing_key,
            possession,
        } => {
            let known = workforce.owned_by(&who, device)?;
            let consents = possesses(ledger.genesis, &who, *device, *sealing_key, *possession);
            need(consents, "InvalidPossession")?;
            known.sealing_key = *sealing_key;
        }
        Call::RetireDevice(id) => {
            let past = workforce.owned_by(&who, id)?.past.clone();
            let share = workforce.active(&who) / Amount::from(workforce.devices_of(&who));
            let until = past.reviewable_from().max(now) + WEEK;
            workforce.let_go(&who, share, until)?;
            workforce.devices.remove(id);
            workforce.retired.insert(*id, past);
            workforce.last_owners.insert(*id, (who, until));
        }
    }
    Ok(Fee::Charged)
}

fn register(ledger: &mut Ledger, who: AccountId, call: &Call) -> Result<(), Refusal> {
    let Call::RegisterDevice {
        device,
        sealing_key,
        region,
        hardware,
        possession,
    } = call
    else {
        return Ok(());
    };
    let consents = possesses(ledger.genesis, &who, *device, *sealing_key, *possession);
    need(consents, "InvalidPossession")?;
    let past = ledger.workforce.retired.remove(device);
    ledger.workforce.last_owners.remove(device);
    let registered = Device {
        account: who,
        since: ledger.now,
        sealing_key: *sealing_key,
        region: *region,
        hardware: *hardware,
        past: past.unwrap_or_default(),
    };
    ledger.workforce.devices.insert(*device, registered);
    Ok(())
}

/// Whether the device signed for this account and key, on this chain.
fn possesses(
    genesis: GenesisHash,
    account: &AccountId,
    device: DeviceId,
    sealing_key: SealingKey,
    signature: DeviceSignature,
) -> bool {
    let payload = Possession {
        account: account.clone(),
        device,
        sealing_key,
    };
    Signed { payload, signature }.is_signed_by(&device, &genesis)
}

fn review(ledger: &mut Ledger, sender: &Sender, id: &DeviceId) -> Result<(), Refusal> {
    let now = ledger.now;
    let device = if sender.council().is_ok() {
        let device = ledger.workforce.devices.get_mut(id);
        device.ok_or(Refusal::Named("DeviceUnknown"))?
    } else {
        let device = ledger.workforce.owned_by(&sender.account()?, id)?;
        need(device.past.convicted == 0, "DeviceConvicted")?;
        need(device.past.is_quarantined(), "NotQuarantined")?;
        need(now >= device.past.reviewable_from(), "ReviewedLately")?;
        device
    };
    device.past.reviewed = device.past.tasks.len();
    device.past.last_review = Some(now);
    Ok(())
}
