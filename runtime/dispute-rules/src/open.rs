//! Disputes that are open, as the chain keeps them and tells of them.

use crate::{
    evidence::BatchName,
    question::Question,
    ruling::{Offence, Place},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use quern_primitives::{
    amount::Amount,
    ids::{AccountId, BlockNumber},
};
use scale_info::TypeInfo;

/// A dispute's number.
pub type DisputeId = u64;

/// Open disputes, or convictions, in one answer of the chain, to who asks for many. One takes at most 250
/// bytes, so an answer is at most 64 kB, and twice that as a node writes it out.
pub const DISPUTES_PER_PAGE_MAX: u32 = 256;

/// What an open dispute is about.
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
pub enum Matter {
    /// The chain adds up a batch's verdicts.
    #[codec(index = 0)]
    Adding,
    /// A batch's coordinator has to show something.
    #[codec(index = 1)]
    Asked(Question),
}

/// An open dispute.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Dispute {
    /// Who began it.
    pub disputer: AccountId,
    /// What they put up; held.
    pub bond: Amount,
    /// The batch.
    pub batch: BatchName,
    /// The last height, by the chain's clock of finality, at which it can be ended by steps or answers.
    pub until: BlockNumber,
    /// What it is about.
    pub matter: Matter,
}

/// An open dispute as the chain tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct DisputeView {
    /// Its number.
    pub id: DisputeId,
    /// The dispute.
    pub dispute: Dispute,
    /// The verdicts that were added up so far; none where nothing is asked but an answer.
    pub verdicts: u32,
}

/// What was proved of a job, as the chain tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct ConvictionView {
    /// What it is for.
    pub place: Place,
    /// What was proved.
    pub offence: Offence,
}
