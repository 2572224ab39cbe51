//! What became of a device that did not keep what it held.

use super::challenge::Place;
use crate::{
    amount::Amount,
    ids::{BlockNumber, Digest, Period},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What a device missed, as far as it counts still. Nothing is known of most devices, and that is the default.
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
pub struct Standing {
    /// When it was warned.
    pub warned_at: Option<BlockNumber>,
    /// When it was contained: since then it gets no new pieces, until its account has it reviewed.
    pub contained_at: Option<BlockNumber>,
    /// The last block in which it missed something.
    pub missed_at: BlockNumber,
}

/// What follows from a miss.
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
pub enum Step {
    /// It was asked before it could know of the last step, and what that was is all.
    Known,
    /// It is warned.
    Warning,
    /// It gets no pieces and no tasks until it is reviewed.
    Containment,
    /// Its account pays.
    Penalty,
}

/// The evidence of a miss, for the device's account to see: what was asked, until when, and what of it was
/// answered. Whoever has the piece can tell from it what the answer should have been.
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
pub struct Miss {
    /// Who missed what.
    pub place: Place,
    /// The piece's chunk root, as the device signed it.
    pub chunk_root: Digest,
    /// The piece's bytes, as the device signed them.
    pub bytes: u64,
    /// What the chunks that were asked for follow from.
    pub seed: Digest,
    /// The period in which the piece was to be there.
    pub period: Period,
    /// When the challenge was opened.
    pub opened_at: BlockNumber,
    /// The last block in which it could be answered.
    pub due: BlockNumber,
    /// Bit `i` says whether part `i` was answered.
    pub answered: u8,
    /// What followed.
    pub step: Step,
    /// What it cost the account's bond.
    pub slash: Amount,
}
