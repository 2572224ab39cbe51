//! Money as the state has it. The chain's own types are the SDK's, which nobody else has; a test of the
//! runtime writes them and reads them here.

use crate::reading::{self, Malformed};
use quern_primitives::Amount;

/// Bytes of an account, or of all that is held on one: a reason and an amount for each of a few pallets.
const BYTES_MAX: usize = 4 * 1024;

/// An account's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountMoney {
    /// What it can spend.
    pub free: Amount,
    /// What is held of it, for reasons that are named and for others.
    pub reserved: Amount,
}

/// What is held of an account for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The pallet's number, and that of the reason in it.
    reason: [u8; 2],
    /// How much.
    pub amount: Amount,
}

/// Reads what is at [`crate::keys::account`].
pub fn account(bytes: &[u8]) -> Result<AccountMoney, Malformed> {
    // Transactions, and three counts of what refers to the account; then the money, of which the part
    // that cannot be spent and some flags are of no concern.
    type Info = (u32, u32, u32, u32, (Amount, Amount, Amount, u128));
    let (_, _, _, _, (free, reserved, _, _)): Info =
        reading::whole("an account", bytes, BYTES_MAX)?;
    Ok(AccountMoney { free, reserved })
}

/// Reads what is at [`crate::keys::holds`].
pub fn holds(bytes: &[u8]) -> Result<Vec<Held>, Malformed> {
    let held: Vec<([u8; 2], Amount)> =
        reading::whole("what is held on an account", bytes, BYTES_MAX)?;
    let held = held.into_iter();
    Ok(held
        .map(|(reason, amount)| Held { reason, amount })
        .collect())
}

impl Held {
    /// So much for this reason: the pallet's number, and that of the reason in it.
    pub fn new(reason: [u8; 2], amount: Amount) -> Self {
        Self { reason, amount }
    }

    /// The pallet for which it is held, by the runtime's numbers.
    pub fn pallet(&self) -> String {
        let [pallet, _] = self.reason;
        let name = match pallet {
            6 => "Session",
            13 => "Roster",
            14 => "Bytechip",
            15 => "Workforce",
            16 => "Jobs",
            19 => "Disputes",
            20 => "Custody",
            other => return format!("pallet {other}"),
        };
        name.to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use codec::Encode as _;

    #[test]
    fn an_account_is_read_whole_or_not_at_all() {
        let bytes = (1_u32, 2_u32, 3_u32, 4_u32, (5_u128, 6_u128, 7_u128, 8_u128)).encode();
        let read = account(&bytes).unwrap();
        assert_eq!((read.free, read.reserved), (5, 6));
        assert!(account(&bytes[1..]).is_err());
        assert!(account(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn what_is_held_is_told_by_its_pallet() {
        let bytes = vec![([16_u8, 0], 5_u128), ([99, 3], 6)].encode();
        let read = holds(&bytes).unwrap();
        let read: Vec<_> = read.iter().map(|it| (it.pallet(), it.amount)).collect();
        let expected = [("Jobs", 5), ("pallet 99", 6)];
        assert_eq!(
            read,
            expected.map(|(name, amount)| (name.to_owned(), amount))
        );
        assert!(holds(&bytes[..20]).is_err());
    }
}
