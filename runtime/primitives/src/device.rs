//! Devices: what a worker registers, and the record the chain keeps of each.

use crate::{
    ids::{AccountId, DeviceId, SealingKey},
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

/// What became of the replicas a device was given, counted since it was registered.
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
    /// Tasks that failed on this device for its own fault.
    pub failed: u64,
    /// Tasks it was late with.
    pub delayed: u64,
    /// Answers that differed from the accepted one.
    pub incorrect: u64,
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
}

impl Record {
    /// Adds a batch's counts; stops at the largest number rather than wrap.
    pub fn add(&mut self, change: &RecordChange) {
        self.accepted = self.accepted.saturating_add(change.accepted.into());
        self.failed = self.failed.saturating_add(change.failed.into());
        self.delayed = self.delayed.saturating_add(change.delayed.into());
        self.incorrect = self.incorrect.saturating_add(change.incorrect.into());
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
}
