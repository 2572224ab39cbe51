//! Money. All arithmetic on amounts is checked and in whole units; there is no floating point.

use alloc::{format, string::String};
use core::fmt;

/// A sum of money in the smallest unit.
pub type Amount = u128;

/// Decimal places of one ByteChip.
pub const DECIMALS: u32 = 9;

/// One ByteChip in the smallest unit.
pub const BYTECHIP: Amount = 1_000_000_000;

/// The ticker shown beside amounts.
pub const SYMBOL: &str = "BC";

/// Thousandths of a whole.
const PERMILLE: u16 = 1_000;

/// So many thousandths of an amount, rounded down; nothing where that is more than any amount. Splits the
/// amount into quotient and remainder first, so that with a proper fraction no step is larger than the
/// amount, or than a million.
pub fn floor_of(amount: Amount, permille: u16) -> Amount {
    let (n, d) = (Amount::from(permille), Amount::from(PERMILLE));
    let whole = amount
        .checked_div(d)
        .and_then(|quotient| quotient.checked_mul(n));
    let rest = amount
        .checked_rem(d)
        .and_then(|rest| rest.checked_mul(n)?.checked_div(d));
    whole
        .zip(rest)
        .and_then(|(whole, rest)| whole.checked_add(rest))
        .unwrap_or(0)
}

/// What [`floor_of`] gives, with more than a thousand thousandths taken as a thousand.
pub fn permille_of(amount: Amount, permille: u16) -> Amount {
    floor_of(amount, permille.min(PERMILLE))
}

/// A text is not an amount of ByteChips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseAmountError {
    /// Something other than digits and one decimal point.
    NotANumber,
    /// More than [`DECIMALS`] decimal places.
    TooPrecise,
    /// More than an [`Amount`] can hold.
    TooLarge,
}

impl fmt::Display for ParseAmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "expected an amount of ByteChips such as 12 or 0.5",
            Self::TooPrecise => "a ByteChip has 9 decimal places; give no more",
            Self::TooLarge => "the amount is larger than any that can exist",
        })
    }
}

impl core::error::Error for ParseAmountError {}

/// Writes units as ByteChips without trailing zeros, such as `12.5 BC`.
pub fn display(units: Amount) -> String {
    let (whole, rest) = (units / BYTECHIP, units % BYTECHIP);
    if rest == 0 {
        return format!("{whole} {SYMBOL}");
    }
    let decimals = format!("{rest:09}");
    format!("{whole}.{} {SYMBOL}", decimals.trim_end_matches('0'))
}

/// Reads ByteChips, such as `12`, `0.5` or `12.5 BC`, into units.
pub fn parse(text: &str) -> Result<Amount, ParseAmountError> {
    let text = text.trim();
    let text = text.strip_suffix(SYMBOL).unwrap_or(text).trim_end();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && decimals.is_empty()) || !digits(whole) || !digits(decimals) {
        return Err(ParseAmountError::NotANumber);
    }
    let given = u32::try_from(decimals.len()).ok();
    let missing = given
        .and_then(|given| DECIMALS.checked_sub(given))
        .ok_or(ParseAmountError::TooPrecise)?;
    let number = |part: &str| {
        if part.is_empty() {
            Ok(0)
        } else {
            part.parse::<Amount>()
        }
        .map_err(|_| ParseAmountError::TooLarge)
    };
    let rest = 10u128
        .checked_pow(missing)
        .and_then(|scale| number(decimals).ok()?.checked_mul(scale))
        .ok_or(ParseAmountError::TooLarge)?;
    number(whole)?
        .checked_mul(BYTECHIP)
        .and_then(|units| units.checked_add(rest))
        .ok_or(ParseAmountError::TooLarge)
}

/// Amounts in JSON: decimal strings of the smallest unit, because JSON numbers lose digits.
#[cfg(feature = "std")]
pub mod as_string {
    use super::Amount;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes an amount as a decimal string.
    pub fn serialize<S: Serializer>(units: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(units)
    }

    /// Reads an amount from a decimal string.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(parse("12").unwrap(), 12 * BYTECHIP);
        assert_eq!(parse(" 0.5 BC ").unwrap(), BYTECHIP / 2);
        assert_eq!(parse(".000000001").unwrap(), 1);
        assert_eq!(display(12_500_000_000), "12.5 BC");
        assert_eq!(display(0), "0 BC");
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_reason() {
        for text in ["", ".", "-1", "1e9", "1,5", "BC"] {
            assert_eq!(parse(text), Err(ParseAmountError::NotANumber), "{text}");
        }
        assert_eq!(parse("0.0000000001"), Err(ParseAmountError::TooPrecise));
        assert_eq!(
            parse("999999999999999999999999999999999999999"),
            Err(ParseAmountError::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn every_amount_reads_back_as_displayed(units: u128) {
            prop_assert_eq!(parse(&display(units)).unwrap(), units);
        }
    }
}
