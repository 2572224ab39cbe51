//! Accounts that have or had devices, by number.
//!
//! An account keeps its number when its last device goes: queues know it by that number, and if
//! another account had it, or this one came back under another, two replicas of a task could go to
//! one account.

use super::{DEVICES_MAX, FleetFull, index::Index};
use quern_primitives::ids::AccountId;

/// Accounts, of which there are no more than there may be devices.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    numbers: Index,
    /// Each account with the number of its devices.
    accounts: Vec<(AccountId, u32)>,
    /// Accounts that have a device.
    present: u32,
}

impl Accounts {
    /// How many have a device.
    pub(super) fn present(&self) -> u32 {
        self.present
    }

    pub(super) fn id(&self, number: u32) -> Option<&AccountId> {
        let (id, _) = self.accounts.get(number as usize)?;
        Some(id)
    }

    /// The account has one device more. Returns its number.
    pub(super) fn hold(&mut self, id: &AccountId) -> Result<u32, FleetFull> {
        let has = |number| self.id(number) == Some(id);
        let number = match self.numbers.find(id.as_ref(), has) {
            Some(number) => number,
            None if self.accounts.len() >= DEVICES_MAX => return Err(FleetFull),
            None => {
                let number = self.accounts.len() as u32;
                self.accounts.push((id.clone(), 0));
                self.numbers.insert(id.as_ref(), number);
                number
            }
        };
        let (_, devices) = &mut self.accounts[number as usize];
        self.present += u32::from(*devices == 0);
        *devices += 1;
        Ok(number)
    }

    /// The account has one device less.
    pub(super) fn release(&mut self, number: u32) {
        let Some((_, devices)) = self.accounts.get_mut(number as usize) else {
            return;
        };
        *devices = devices.saturating_sub(1);
        self.present -= u32::from(*devices == 0);
    }
}
