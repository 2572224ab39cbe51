//! Accounts that have devices, by number.

use quern_primitives::ids::AccountId;
use std::collections::BTreeMap;

/// Accounts, each as long as it has a device.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    numbers: BTreeMap<AccountId, u32>,
    /// Each account with the number of its devices; none where a number is free.
    accounts: Vec<Option<(AccountId, u32)>>,
    free: Vec<u32>,
}

impl Accounts {
    pub(super) fn len(&self) -> u32 {
        self.numbers.len() as u32
    }

    pub(super) fn id(&self, number: u32) -> Option<&AccountId> {
        let (id, _) = self.accounts.get(number as usize)?.as_ref()?;
        Some(id)
    }

    /// The account has one device more. Returns its number.
    pub(super) fn hold(&mut self, id: &AccountId) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            if let Some((_, devices)) = &mut self.accounts[*number as usize] {
                *devices += 1;
            }
            return *number;
        }
        let entry = Some((id.clone(), 1));
        let number = match self.free.pop() {
            Some(number) => {
                self.accounts[number as usize] = entry;
                number
            }
            None => {
                self.accounts.push(entry);
                (self.accounts.len() - 1) as u32
            }
        };
        self.numbers.insert(id.clone(), number);
        number
    }

    /// The account has one device less.
    pub(super) fn release(&mut self, number: u32) {
        let Some(entry) = self.accounts.get_mut(number as usize) else {
            return;
        };
        let Some((id, devices)) = entry else {
            return;
        };
        *devices -= 1;
        if *devices == 0 {
            self.numbers.remove(id);
            *entry = None;
            self.free.push(number);
        }
    }
}
