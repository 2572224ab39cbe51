//! How many devices are connected, and of how many accounts: counted as they come and go, for both are
//! asked again and again, and there may be many.

use super::Devices;
use quern_primitives::ids::{AccountId, DeviceId};
use std::collections::BTreeMap;

/// Devices that are connected.
#[derive(Default)]
pub(super) struct Present {
    devices: u32,
    /// Of each account that has any.
    of: BTreeMap<AccountId, u32>,
}

impl Present {
    /// One more of this account.
    pub(super) fn add(&mut self, account: &AccountId) {
        self.devices = self.devices.saturating_add(1);
        match self.of.get_mut(account) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(self.of.insert(account.clone(), 1)),
        }
    }

    /// One of this account less.
    pub(super) fn remove(&mut self, account: &AccountId) {
        let Some(count) = self.of.get_mut(account) else {
            return;
        };
        self.devices = self.devices.saturating_sub(1);
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.of.remove(account);
        }
    }

    /// How many there are.
    pub(super) fn devices(&self) -> u32 {
        self.devices
    }

    /// The accounts that have one.
    pub(super) fn accounts(&self) -> usize {
        self.of.len()
    }
}

impl Devices {
    /// How many are connected.
    pub(in crate::core) fn connected_devices(&self) -> u32 {
        self.present.devices()
    }

    /// Distinct accounts with a connected device.
    pub(in crate::core) fn connected_accounts(&self) -> usize {
        self.present.accounts()
    }

    /// Says whether a device is connected. True if it was otherwise.
    pub(super) fn set_connected(&mut self, device: &DeviceId, is_connected: bool) -> bool {
        let Some(known) = self.known.get_mut(device) else {
            return false;
        };
        let is_other = std::mem::replace(&mut known.connected, is_connected) != is_connected;
        match (is_other, is_connected) {
            (true, true) => self.present.add(&known.account),
            (true, false) => self.present.remove(&known.account),
            (false, _) => {}
        }
        is_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_counts_once_as_long_as_one_of_its_devices_is_here() {
        let mut present = Present::default();
        let [one, two] = [1, 2].map(|n| AccountId::new([n; 32]));
        [&one, &two, &one]
            .into_iter()
            .for_each(|it| present.add(it));
        assert_eq!((present.devices(), present.accounts()), (3, 2));
        present.remove(&one);
        assert_eq!((present.devices(), present.accounts()), (2, 2));
        present.remove(&one);
        assert_eq!((present.devices(), present.accounts()), (1, 1));
        // Nobody of an account that is not here can go.
        present.remove(&one);
        assert_eq!((present.devices(), present.accounts()), (1, 1));
    }
}
