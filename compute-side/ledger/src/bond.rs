//! What an account has bonded for its devices.

use quern_primitives::Amount;
use subxt::dynamic::{At as _, Value};

/// What an account has bonded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bond {
    /// The active part. What is unbonding covers nothing.
    pub active: Amount,
    /// The devices that it has to cover.
    pub devices: u32,
}

impl Bond {
    /// What is bonded for each device: an equal share of the active part, rounded down.
    pub fn of_each(&self) -> Amount {
        let devices = Amount::from(self.devices.max(1));
        self.active.checked_div(devices).unwrap_or(0)
    }

    /// What the account must bond beside that so that each device has so much.
    pub fn missing(&self, of_each: Amount) -> Amount {
        // More than there can be is missing where the product is no amount.
        let all = of_each.saturating_mul(self.devices.max(1).into());
        all.saturating_sub(self.active)
    }

    /// Reads what the chain's storage holds of a bond, by the names of its fields.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Some(Self {
            active: value.at("active")?.as_u128()?,
            devices: u32::try_from(value.at("devices")?.as_u128()?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bond_is_shared_by_its_devices_in_equal_parts() {
        let bond = |active, devices| Bond { active, devices };
        assert_eq!(bond(100, 3).of_each(), 33);
        assert_eq!((bond(7, 0).of_each(), bond(0, 5).of_each()), (7, 0));
        assert_eq!(bond(100, 3).missing(33), 0);
        assert_eq!(bond(100, 3).missing(34), 2);
        let none = bond(0, u32::MAX);
        assert_eq!(none.missing(Amount::MAX), Amount::MAX);
    }

    #[test]
    fn a_bond_is_read_by_the_names_of_its_fields() {
        let fields = [
            ("devices", Value::u128(2)),
            ("unbonding", Value::unnamed_composite([])),
            ("active", Value::u128(7)),
        ];
        let read = Bond::read(&Value::named_composite(fields));
        let bond = Bond {
            active: 7,
            devices: 2,
        };
        assert_eq!(read, Some(bond));
        let other = Value::named_composite([("active", Value::u128(7))]);
        assert_eq!(Bond::read(&other), None);
    }
}
