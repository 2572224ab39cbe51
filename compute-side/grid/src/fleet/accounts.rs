//! Accounts that have or had devices, by number.
//!
//! An account keeps its number when its last device goes: queues know it by that number, and if
//! another account had it, or this one came back under another, two replicas of a task could go to
//! one account. Once no queue knows it, its number may be another's.

use super::{FleetFull, index::Index};
use quern_primitives::ids::AccountId;
use std::collections::BTreeSet;

/// Accounts, of which there are no more than whoever takes one in allows.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    numbers: Index,
    /// Each account with the number of its devices.
    accounts: Vec<(AccountId, u32)>,
    /// Numbers that no account has.
    free: Vec<u32>,
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

    /// How many have a number.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The account has one device more. Returns its number; one that has none gets one only if there
    /// are fewer than `most`.
    pub(super) fn hold(&mut self, id: &AccountId, most: usize) -> Result<u32, FleetFull> {
        let has = |number| self.id(number) == Some(id);
        let number = match self.numbers.find(id.as_ref(), has) {
            Some(number) => number,
            None if self.len() >= most => return Err(FleetFull),
            None => {
                let number = self.new_number(id);
                self.numbers.insert(id.as_ref(), number);
                number
            }
        };
        let (_, devices) = &mut self.accounts[number as usize];
        self.present += u32::from(*devices == 0);
        *devices += 1;
        Ok(number)
    }

    fn new_number(&mut self, id: &AccountId) -> u32 {
        if let Some(number) = self.free.pop() {
            self.accounts[number as usize] = (id.clone(), 0);
            return number;
        }
        self.accounts.push((id.clone(), 0));
        (self.accounts.len() - 1) as u32
    }

    /// The numbers of those that have no device.
    pub(super) fn without_device(&self) -> BTreeSet<u32> {
        let free: BTreeSet<u32> = self.free.iter().copied().collect();
        (0_u32..)
            .zip(&self.accounts)
            .filter(|(number, (_, devices))| *devices == 0 && !free.contains(number))
            .map(|(number, _)| number)
            .collect()
    }

    /// Forgets an account that has no device.
    pub(super) fn forget(&mut self, number: u32) {
        let Some((id, 0)) = self.accounts.get(number as usize) else {
            return;
        };
        let has = |it: u32| it == number;
        if self.numbers.find(id.as_ref(), has).is_some() {
            self.numbers.remove(id.as_ref(), number);
            self.free.push(number);
        }
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
