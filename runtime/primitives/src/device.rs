//! Devices: what a worker registers, and the record the chain keeps of each.

mod history;
mod past;

pub use history::History;
pub use past::Past;

use crate::{
    ids::{AccountId, BlockNumber, DeviceId, SealingKey},
    limits::REVIEW_PERIOD_BLOCKS,
    payload::SignedPayload,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The determinism class: replicas are compared only within one.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Class {
    /// One instruction set (x86-64 with a fixed list of features) and one engine version, so every
    /// device runs the same machine code.
    #[default]
    Pinned,
    /// Any machine; canonical NaNs.
    Portable,
}

/// Where a device stands, as owners may restrict it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Region {
    /// Not told.
    #[default]
    Unknown,
    /// North and South America.
    Americas,
    /// Europe.
    Europe,
    /// Asia and Pacific.
    AsiaPacific,
}

/// What kind of machine it is, as owners may restrict it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Hardware {
    /// Not told.
    #[default]
    Unknown,
    /// Phone or tablet.
    Mobile,
    /// Portable computer.
    Laptop,
    /// Desktop computer.
    Desktop,
    /// Server.
    Server,
}

/// What kind of line connects it, as owners may restrict it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Line {
    /// Not told.
    #[default]
    Unknown,
    /// Optical fibre.
    Fibre,
    /// Television cable.
    Cable,
    /// Telephone line.
    Dsl,
    /// Satellite.
    Satellite,
    /// Mobile telephone.
    Mobile,
    /// None of these.
    Other,
}

/// What a device's key signs to show that its holder wants this account to own it. Without it
/// anyone could register another's device.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Possession {
    /// The account that registers the device.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The key to which its data keys will be sealed.
    pub sealing_key: SealingKey,
}

impl SignedPayload for Possession {
    const DOMAIN: &'static str = "quern/device-possession/1";
}

/// What became of the replicas a device was given, counted since it was first registered.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// Answers that were accepted.
    pub accepted: u64,
    /// Of these, those in jobs of the portable class; all others were in jobs of the pinned one.
    pub accepted_portable: u64,
    /// Tasks that failed on this device for its own fault.
    pub failed: u64,
    /// Tasks it was late with.
    pub delayed: u64,
    /// Answers that differed from the accepted one.
    pub incorrect: u64,
    /// Answers accepted since the last task that ended otherwise, each batch's in the order of
    /// [`History::add`].
    pub accepted_in_a_row: u32,
    /// Lies of it that were proved in a dispute and that its account was slashed for. With any it gets
    /// nothing more, whoever registers it.
    pub convicted: u32,
}

/// What one batch adds to a device's record.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct RecordChange {
    /// Answers accepted.
    pub accepted: u32,
    /// Tasks failed.
    pub failed: u32,
    /// Tasks late.
    pub delayed: u32,
    /// Answers that were wrong.
    pub incorrect: u32,
}

impl RecordChange {
    /// All counts together.
    pub fn total(&self) -> u64 {
        [self.accepted, self.failed, self.delayed, self.incorrect]
            .into_iter()
            .map(u64::from)
            .sum()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// Whether it tells of a task that did not end with an accepted answer.
    pub fn has_fault(&self) -> bool {
        self.failed > 0 || self.delayed > 0 || self.incorrect > 0
    }
}

impl Record {
    /// Answers that were accepted in jobs of this class.
    pub fn accepted_in(&self, class: Class) -> u64 {
        match class {
            Class::Pinned => self.accepted.saturating_sub(self.accepted_portable),
            Class::Portable => self.accepted_portable,
        }
    }

    /// Adds the counts of a batch of a job of this class; stops at the largest number rather than wrap.
    pub fn add(&mut self, change: &RecordChange, class: Class) {
        self.accepted = self.accepted.saturating_add(change.accepted.into());
        if class == Class::Portable {
            let accepted = change.accepted.into();
            self.accepted_portable = self.accepted_portable.saturating_add(accepted);
        }
        self.failed = self.failed.saturating_add(change.failed.into());
        self.delayed = self.delayed.saturating_add(change.delayed.into());
        self.incorrect = self.incorrect.saturating_add(change.incorrect.into());
        // A batch's accepted answers count as given after its faults.
        let row = match change.has_fault() {
            true => 0,
            false => self.accepted_in_a_row,
        };
        self.accepted_in_a_row = row.saturating_add(change.accepted);
    }
}

/// A device as the chain keeps it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Device {
    /// The worker account it belongs to.
    pub account: AccountId,
    /// The key to which its data keys are sealed; not derived from its signing key.
    pub sealing_key: SealingKey,
    /// Where it stands.
    pub region: Region,
    /// What kind of machine it is.
    pub hardware: Hardware,
    /// What became of its replicas.
    pub record: Record,
    /// What became of its last tasks, since it was last reviewed.
    pub history: History,
    /// The block of the last batch that named it; 0 if none has.
    pub last_task: BlockNumber,
    /// The block in which it was last reviewed; 0 if it never was.
    pub last_review: BlockNumber,
}

impl Device {
    /// A device as its account registers it, of which nothing has come yet.
    pub fn new(
        account: AccountId,
        sealing_key: SealingKey,
        region: Region,
        hardware: Hardware,
    ) -> Self {
        Self {
            account,
            sealing_key,
            region,
            hardware,
            record: Record::default(),
            history: History::default(),
            last_task: 0,
            last_review: 0,
        }
    }

    /// Whether its faults keep it from work until it is reviewed, or a proved lie for good.
    pub fn is_quarantined(&self) -> bool {
        self.is_convicted() || self.history.is_repeated()
    }

    /// Whether a lie of it was proved; no review helps.
    pub fn is_convicted(&self) -> bool {
        self.record.convicted > 0
    }

    /// The first block in which its own account may review it, if it is quarantined then.
    pub fn reviewable_from(&self) -> BlockNumber {
        match self.last_review {
            0 => 0,
            block => block.saturating_add(REVIEW_PERIOD_BLOCKS),
        }
    }

    /// Forgets its history, in block `now`. Its record stays.
    pub fn review(&mut self, now: BlockNumber) {
        self.history = History::default();
        self.last_review = now;
    }
}
