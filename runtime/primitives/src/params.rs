//! What the council may set, each within its bounds, and what a job keeps of it.
//!
//! There is one table. The pallet that keeps the values, the commands that show and change them and the
//! documentation read it; a parameter more is a line more. Whoever adds one puts it last: its place is
//! how it is encoded.

use crate::{
    amount::{self, Amount, BYTECHIP},
    batch::BondPerExposure,
    custody,
    ids::BlockNumber,
    limits::{NOTICE_PERIODS_MAX, PERIOD_BLOCKS_MAX},
};
use alloc::{format, string::String};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::{fmt, str::FromStr};
use scale_info::TypeInfo;

/// The most that workers and operators may get together, in thousandths of what is spent: the treasury
/// has something of every batch.
pub const SHARES_PERMILLE_MAX: Amount = 950;

/// The first and the largest bond of a device.
const BOND_FIRST: Amount = 10 * BYTECHIP;
const BOND_MOST: Amount = 10_000 * BYTECHIP;

/// The first and the largest bond of a masternode.
const MASTERNODE_BOND_FIRST: Amount = 1_000 * BYTECHIP;
const MASTERNODE_BOND_MOST: Amount = 1_000_000 * BYTECHIP;

/// The first and the largest bond of a dispute.
const DISPUTE_FIRST: Amount = 5 * BYTECHIP;
const DISPUTE_MOST: Amount = 1_000 * BYTECHIP;

/// The first price of storage: 3.65 BC for a GiB kept by one device for a month of hours.
const STORAGE_PRICE_FIRST: Amount = BYTECHIP / 200;

/// The first and the largest bond of a challenge. The first is more than the fees of the four transactions that an
/// answer takes, 1.46 BC.
const CHALLENGE_FIRST: Amount = 2 * BYTECHIP;
const CHALLENGE_MOST: Amount = 1_000 * BYTECHIP;

/// What a missed piece costs at first, and at most.
const MISS_FIRST: Amount = BYTECHIP;
const MISS_MOST: Amount = 10_000 * BYTECHIP;

/// The longest notice, as the table counts.
const NOTICE_MOST: Amount = NOTICE_PERIODS_MAX as Amount;

/// The longest period, as the table counts.
const PERIOD_MOST: Amount = PERIOD_BLOCKS_MAX as Amount;

/// What a parameter's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Unit {
    /// Thousandths.
    Permille,
    /// The smallest units of money; people write and read whole ByteChips.
    Money,
    /// Blocks of 2 seconds.
    Blocks,
    /// Masternodes.
    Masternodes,
    /// Periods of a storage contract.
    Periods,
}

impl Unit {
    /// A value as people read it.
    pub fn write(self, value: Amount) -> String {
        match self {
            Self::Permille => format!("{value} ‰"),
            Self::Money => amount::display(value),
            Self::Blocks if value == 1 => "1 block".into(),
            Self::Blocks => format!("{value} blocks"),
            Self::Masternodes if value == 1 => "1 masternode".into(),
            Self::Masternodes => format!("{value} masternodes"),
            Self::Periods if value == 1 => "1 period".into(),
            Self::Periods => format!("{value} periods"),
        }
    }

    /// Reads a value as people write it. None if the text is none.
    pub fn read(self, text: &str) -> Option<Amount> {
        let text = text.trim();
        match self {
            Self::Permille => text.strip_suffix('‰').unwrap_or(text).trim().parse().ok(),
            Self::Money => amount::parse(text).ok(),
            Self::Blocks => number(text, "block"),
            Self::Masternodes => number(text, "masternode"),
            Self::Periods => number(text, "period"),
        }
    }
}

/// A number that may be followed by what it counts, one or many.
fn number(text: &str, counted: &str) -> Option<Amount> {
    let one = text.strip_suffix('s').unwrap_or(text);
    let number = one.strip_suffix(counted).unwrap_or(text);
    number.trim().parse().ok()
}

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The parameter's name, as it is typed and shown.
    pub name: &'static str,
    /// What its value counts.
    pub unit: Unit,
    /// The least that it may be.
    pub least: Amount,
    /// What it is on a new chain, unless its specification says otherwise.
    pub first: Amount,
    /// The most that it may be.
    pub most: Amount,
    /// What it decides.
    pub about: &'static str,
}

/// Makes parameters, values and table from one line each.
macro_rules! table {
    ($(
        $(#[$field_attribute:meta])*
        $parameter:ident $field:ident: $number:ty, $name:literal, $unit:ident,
        $least:expr, $first:expr, $most:expr, $about:literal;
    )*) => {
        /// What the council may set.
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Encode,
            Decode,
            DecodeWithMemTracking,
            TypeInfo,
            MaxEncodedLen,
        )]
        pub enum Parameter {
            $(#[doc = $about] $parameter,)*
        }

        impl Parameter {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$parameter),*];

            /// Its line of the table.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$parameter => Row {
                        name: $name,
                        unit: Unit::$unit,
                        least: $least,
                        first: $first,
                        most: $most,
                        about: $about,
                    },)*
                }
            }
        }

        /// A value for each parameter.
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Encode,
            Decode,
            DecodeWithMemTracking,
            TypeInfo,
            MaxEncodedLen,
        )]
        #[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
        pub struct Params {
            $($(#[$field_attribute])* #[doc = $about] pub $field: $number,)*
        }

        impl Params {
            /// What a new chain has, unless its specification says otherwise.
            pub const FIRST: Self = Self { $($field: $first,)* };

            /// The value of a parameter.
            pub fn get(&self, parameter: Parameter) -> Amount {
                match parameter {
                    $(Parameter::$parameter => self.$field.into(),)*
                }
            }

            /// Puts a value in its place. None if it is larger than what is kept of it.
            fn put(&mut self, parameter: Parameter, value: Amount) -> Option<()> {
                match parameter {
                    $(Parameter::$parameter => self.$field = value.try_into().ok()?,)*
                }
                Some(())
            }
        }
    };
}

table! {
    WorkersShare workers_permille: u16, "workers-share", Permille, 500, 700, 900,
        "What workers get of the money that a batch spends, at most.";
    OperatorsShare operators_permille: u16, "operators-share", Permille, 50, 200, 400,
        "What a job's operators get of the money that a batch spends.";
    ReExecution re_execution_permille: u16, "re-execution", Permille, 1, 100, 1_000,
        "Of settled tasks so many are drawn and computed again, and a task may cost the more for it.";
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    BondPerDevice bond_per_device: Amount, "bond-per-device", Money, 1, BOND_FIRST, BOND_MOST,
        "What a worker's bond must be for each of its devices.";
    Window window_blocks: BlockNumber, "window", Blocks, 1, 300, 302_400,
        "By how much the chain's clock of finality goes on before a settled batch is final.";
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    BondPerMasternode bond_per_masternode: Amount, "bond-per-masternode", Money,
        1, MASTERNODE_BOND_FIRST, MASTERNODE_BOND_MOST,
        "What an operator's bond must be for its masternode to be given jobs.";
    GroupSize group_size: u8, "group-size", Masternodes, 1, 3, 7,
        "So many masternodes are drawn for a job, if there are as many; more than half certify a batch.";
    Stall stall_blocks: BlockNumber, "stall", Blocks, 15, 150, 43_200,
        "By how much the chain's clock of finality goes on without a batch before another takes over.";
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    DisputeBond dispute_bond: Amount, "dispute-bond", Money, 1, DISPUTE_FIRST, DISPUTE_MOST,
        "What who disputes puts up, and loses if nothing is wrong.";
    WinnersShare winner_permille: u16, "winners-share", Permille, 0, 200, 900,
        "What the winner of a dispute gets of what the loser loses; the rest is burnt.";
    AnswerTime answer_blocks: BlockNumber, "answer-time", Blocks, 15, 300, 43_200,
        "How long an answer to a dispute, or the whole of a sum, may take, by the clock of finality.";
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    StoragePrice storage_rate: Amount, "storage-price", Money, 1, STORAGE_PRICE_FIRST, BYTECHIP,
        "What it costs to have a GiB kept for a period by one device.";
    StoragePeriod storage_period_blocks: BlockNumber, "storage-period", Blocks, 15, 1_800, PERIOD_MOST,
        "How long a period of storage is, by the chain's clock of finality; in each pieces are proved once.";
    StorageNotice storage_notice_periods: u16, "storage-notice", Periods, 0, 24, NOTICE_MOST,
        "So many whole periods a piece is kept on after its holder or owner wants no more.";
    ChallengeTime challenge_blocks: BlockNumber, "challenge-time", Blocks, 15, 300, 900,
        "How long a holder of a piece has to answer a challenge, by the chain's clock of finality.";
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    ChallengeBond challenge_bond: Amount, "challenge-bond", Money, 1, CHALLENGE_FIRST, CHALLENGE_MOST,
        "What who challenges a holder puts up; the holder gets it if it answers.";
    #[cfg_attr(feature = "std", serde(with = "crate::amount::as_string"))]
    MissedPiece missed_piece: Amount, "missed-piece", Money, 1, MISS_FIRST, MISS_MOST,
        "What each piece that is missed costs a device that was warned and contained before.";
    BondPerExposure bond_per_exposure_permille: u16, "bond-per-exposure", Permille, 1_000, 1_000, 10_000,
        "What a masternode must have bonded for all that it has settled that is not final yet.";
}

impl Default for Params {
    fn default() -> Self {
        Self::FIRST
    }
}

impl Params {
    /// These with another value for one parameter, if the council may set it.
    pub fn with(mut self, parameter: Parameter, value: Amount) -> Result<Self, ParamsError> {
        let out_of_bounds = ParamsError::OutOfBounds { parameter, value };
        self.put(parameter, value).ok_or(out_of_bounds)?;
        self.check().map(|()| self)
    }

    /// The first values with others for some parameters, if the council may set them all together.
    pub fn of(values: impl IntoIterator<Item = (Parameter, Amount)>) -> Result<Self, ParamsError> {
        let mut params = Self::FIRST;
        for (parameter, value) in values {
            let out_of_bounds = ParamsError::OutOfBounds { parameter, value };
            params.put(parameter, value).ok_or(out_of_bounds)?;
        }
        params.check().map(|()| params)
    }

    /// Whether each value is within its bounds, and those that share a sum are together.
    pub fn check(&self) -> Result<(), ParamsError> {
        for parameter in Parameter::ALL.iter().copied() {
            let (row, value) = (parameter.row(), self.get(parameter));
            if !(row.least..=row.most).contains(&value) {
                return Err(ParamsError::OutOfBounds { parameter, value });
            }
        }
        let shares = [Parameter::WorkersShare, Parameter::OperatorsShare];
        let together = shares.iter().fold(Amount::MIN, |sum, share| {
            sum.saturating_add(self.get(*share))
        });
        if together > SHARES_PERMILLE_MAX {
            return Err(ParamsError::SharesTooLarge { together });
        }
        Ok(())
    }

    /// What a storage contract opened now keeps of them.
    pub fn storage_terms(&self) -> custody::Terms {
        custody::Terms {
            period_blocks: self.storage_period_blocks,
            answer_blocks: self.challenge_blocks,
            notice_periods: self.storage_notice_periods,
            rate: self.storage_rate,
            holders_permille: self.workers_permille,
            operators_permille: self.operators_permille,
            challenge_bond: self.challenge_bond,
            slash: self.missed_piece,
            winner_permille: self.winner_permille,
        }
    }

    /// What a masternode must have bonded for what it has settled that is not final.
    pub fn bond_per_exposure(&self) -> BondPerExposure {
        BondPerExposure(self.bond_per_exposure_permille)
    }

    /// What a job submitted now keeps of them.
    pub fn terms(&self) -> Terms {
        let Self {
            workers_permille,
            operators_permille,
            re_execution_permille,
            window_blocks,
            ..
        } = *self;
        Terms {
            workers_permille,
            operators_permille,
            re_execution_permille,
            window_blocks,
        }
    }
}

/// What holds for the money of one job, from its submission to its end; later changes do not touch it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Terms {
    /// Thousandths of what a batch spends that are for workers, at most.
    pub workers_permille: u16,
    /// Thousandths of what a batch spends that are for operators.
    pub operators_permille: u16,
    /// Of a thousand settled tasks so many are computed again.
    pub re_execution_permille: u16,
    /// By how much the chain's clock of finality goes on before a batch of it is final.
    pub window_blocks: BlockNumber,
}

impl Terms {
    /// Those of a job on a new chain.
    pub const FIRST: Self = Self {
        workers_permille: Params::FIRST.workers_permille,
        operators_permille: Params::FIRST.operators_permille,
        re_execution_permille: Params::FIRST.re_execution_permille,
        window_blocks: Params::FIRST.window_blocks,
    };
}

impl Default for Terms {
    fn default() -> Self {
        Self::FIRST
    }
}

/// Values that the council may not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamsError {
    /// A value is not between the least and the most of its row.
    OutOfBounds {
        /// The parameter.
        parameter: Parameter,
        /// The value.
        value: Amount,
    },
    /// Workers and operators together would get more than [`SHARES_PERMILLE_MAX`].
    SharesTooLarge {
        /// What they would get, in thousandths.
        together: Amount,
    },
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { parameter, value } => {
                let row = parameter.row();
                let [value, least, most] =
                    [*value, row.least, row.most].map(|value| row.unit.write(value));
                write!(
                    f,
                    "{parameter} cannot be {value}; set it between {least} and {most}"
                )
            }
            Self::SharesTooLarge { together } => write!(
                f,
                "workers and operators would get {together} ‰ together; leave the treasury a part: \
                 set them to at most {SHARES_PERMILLE_MAX} ‰"
            ),
        }
    }
}

impl core::error::Error for ParamsError {}

/// A text names no parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownParameter;

impl fmt::Display for UnknownParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no parameter has this name; write one of")?;
        for (place, parameter) in Parameter::ALL.iter().enumerate() {
            let before = if place == 0 { " " } else { ", " };
            write!(f, "{before}{parameter}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownParameter {}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

impl FromStr for Parameter {
    type Err = UnknownParameter;

    fn from_str(text: &str) -> Result<Self, UnknownParameter> {
        let mut all = Self::ALL.iter().copied();
        all.find(|parameter| parameter.row().name == text)
            .ok_or(UnknownParameter)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec::Vec};

    #[test]
    fn every_line_has_its_first_value_within_its_bounds_and_a_name_of_its_own() {
        for parameter in Parameter::ALL.iter().copied() {
            let row = parameter.row();
            assert!(
                row.least <= row.first && row.first <= row.most,
                "{parameter}"
            );
            assert_eq!(Params::FIRST.get(parameter), row.first);
            assert_eq!(row.name.parse(), Ok(parameter));
            assert!(row.about.ends_with('.'), "{parameter}");
        }
        assert_eq!(Params::FIRST.check(), Ok(()));
        assert_eq!(Params::FIRST.terms(), Terms::FIRST);
        // A bond of zero would make devices free.
        assert!(Parameter::BondPerDevice.row().least > 0);
    }

    #[test]
    fn a_parameter_is_encoded_by_its_place_in_the_table() {
        let encoded: Vec<_> = Parameter::ALL.iter().map(Encode::encode).collect();
        let places: Vec<_> = (0..Parameter::ALL.len())
            .map(|place| Vec::from([place as u8]))
            .collect();
        assert_eq!(encoded, places);
    }

    #[test]
    fn each_value_may_be_set_to_its_bounds_and_not_beyond() {
        for parameter in Parameter::ALL.iter().copied() {
            // Low shares leave room for either to be as large as it may.
            let low = Params {
                workers_permille: 500,
                operators_permille: 50,
                ..Params::FIRST
            };
            let row = parameter.row();
            for value in [row.least, row.first, row.most] {
                let set = low.with(parameter, value).unwrap();
                assert_eq!(set.get(parameter), value);
                for other in Parameter::ALL.iter().filter(|other| **other != parameter) {
                    assert_eq!(set.get(*other), low.get(*other));
                }
            }
            let below = row.least.checked_sub(1);
            for value in below.into_iter().chain([row.most + 1, Amount::MAX]) {
                let refused = Err(ParamsError::OutOfBounds { parameter, value });
                assert_eq!(low.with(parameter, value), refused);
            }
        }
    }

    #[test]
    fn workers_and_operators_together_leave_the_treasury_a_part() {
        let set = |share, value| Params::FIRST.with(share, value);
        assert!(set(Parameter::WorkersShare, 750).is_ok());
        let error = ParamsError::SharesTooLarge { together: 951 };
        assert_eq!(set(Parameter::WorkersShare, 751), Err(error));
        assert_eq!(set(Parameter::OperatorsShare, 251), Err(error));
        assert!(error.to_string().contains("at most 950 ‰"), "{error}");
    }

    #[test]
    fn values_that_fit_together_only_are_set_together() {
        let both = [
            (Parameter::WorkersShare, 800),
            (Parameter::OperatorsShare, 150),
        ];
        let params = Params::of(both).unwrap();
        assert_eq!(
            (params.workers_permille, params.operators_permille),
            (800, 150)
        );
        assert!(Params::of([both[0]]).is_err());
        assert_eq!(Params::of([]), Ok(Params::FIRST));
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        for parameter in Parameter::ALL.iter().copied() {
            let row = parameter.row();
            for value in [row.least, row.first, row.most] {
                assert_eq!(row.unit.read(&row.unit.write(value)), Some(value));
            }
            assert_eq!(row.unit.read("much"), None);
        }
        assert_eq!(Unit::Money.read("12.5"), Some(25 * BYTECHIP / 2));
        assert_eq!(Unit::Permille.read("15"), Some(15));
        assert_eq!(Unit::Blocks.read("15"), Some(15));
        assert_eq!(Unit::Blocks.read("a day"), None);
        assert_eq!(Unit::Masternodes.read("7"), Some(7));
        assert_eq!(Unit::Periods.read("1 period"), Some(1));
    }

    #[test]
    fn who_names_no_parameter_is_told_which_there_are() {
        let error = "day".parse::<Parameter>().unwrap_err().to_string();
        assert!(error.ends_with("challenge-bond, missed-piece, bond-per-exposure"));
        let error = Params::FIRST
            .with(Parameter::BondPerDevice, 0)
            .unwrap_err()
            .to_string();
        assert!(error.contains("bond-per-device cannot be 0 BC"), "{error}");
    }
}
