//! Custody: what an owner commits to and pays for, what a device takes upon itself, and what becomes of who
//! does not keep it. What may happen to all of these is in `quern-custody-rules`.
//!
//! A *piece* is a sealed shard, or what it was coded into; a *contract* has up to 65,536 of them and stands on
//! the chain with the root over their [entries](PieceEntry). A device that keeps a piece *holds* it. Time goes
//! in [periods](Period), by the chain's clock of finality.

mod challenge;
mod piece;
mod standing;

pub use challenge::{Answer, Challenge, ChallengedChunk, Place};
pub use piece::{Audit, AuditAnswer, PieceEntry, ShortProof, piece_chunks};
pub use standing::{Miss, Standing, Step};

use crate::{
    amount::Amount,
    hash::sha256,
    ids::{AccountId, BlockNumber, ContractId, DeviceId, Digest, GenesisHash, Period, PieceIndex},
    job::Salt,
    limits::HOLDERS_PER_CERTIFICATE_MAX,
    payload::SignedPayload,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// A contract's name: SHA-256 over a tag, the chain's genesis, the owner and the owner's salt. The owner
/// knows it before the contract is opened, because the sealed data are bound to it.
pub fn contract_id(genesis: &GenesisHash, owner: &AccountId, salt: &Salt) -> ContractId {
    let owner: &[u8; 32] = owner.as_ref();
    ContractId(sha256(&[b"quern/contract-id/1", &genesis.0, owner, salt]))
}

/// What an owner wants kept.
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
pub struct Offer {
    /// What makes the contract's name one of its own, see [`contract_id`].
    pub salt: Salt,
    /// The Merkle root over the encoded entries of all pieces, in their order.
    pub pieces_root: Digest,
    /// How many pieces there are.
    pub pieces: u32,
    /// Devices that may hold one piece at a time.
    pub copies: u8,
    /// For so many periods behind the one in which the contract is opened.
    pub periods: u32,
}

/// What holds for a contract from its beginning to its end; later changes of what the council sets do not
/// touch it.
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
pub struct Terms {
    /// Blocks of a period.
    pub period_blocks: BlockNumber,
    /// Blocks in which a challenge on the chain is answered.
    pub answer_blocks: BlockNumber,
    /// Whole periods that a piece is held on after holder or owner want no more.
    pub notice_periods: u16,
    /// What 2^30 bytes cost for a period.
    pub rate: Amount,
    /// Thousandths of a price that are for the holder.
    pub holders_permille: u16,
    /// Thousandths of a price that are for operators.
    pub operators_permille: u16,
    /// What whoever opens a challenge puts up, and the holder gets if it answers.
    pub challenge_bond: Amount,
    /// What a piece that is missed costs who was warned and contained before.
    pub slash: Amount,
    /// Thousandths of that which are for who opened the challenge; the rest is burnt.
    pub winner_permille: u16,
}

/// Where the money of a contract is. What was deposited is at any time what was paid, what the network got,
/// what was refunded and what is held, together.
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
pub struct Escrow {
    /// What the owner put in.
    pub deposited: Amount,
    /// What holders got.
    pub paid: Amount,
    /// What operators and treasury got.
    pub network: Amount,
    /// What went back to the owner.
    pub refunded: Amount,
    /// What is still held.
    pub held: Amount,
    /// What of that is set aside for the periods in which those who hold pieces now may prove them, and for
    /// those before that are not paid. So nobody holds a piece for which there is no money.
    pub reserved: Amount,
}

/// A contract as the chain keeps it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Contract {
    /// Whose data are kept, and who pays.
    pub owner: AccountId,
    /// What is kept.
    pub offer: Offer,
    /// On which terms.
    pub terms: Terms,
    /// The first period in which nobody holds a piece any more.
    pub ends: Period,
    /// Its money.
    pub escrow: Escrow,
    /// What all pieces together cost for a period that are held to the end.
    pub running: Amount,
    /// Pieces that are held, or were and are not forgotten yet, counted once for each device.
    pub holdings: u32,
    /// Challenges that are open.
    pub challenges: u32,
}

/// Which periods of a holding are paid.
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
pub struct PaidPeriods {
    /// How many.
    pub count: u32,
    /// The last of them, if there are any.
    pub newest: Period,
    /// Bit `i` says whether the period `newest - i` is paid.
    pub bits: u64,
}

/// That a device holds a piece.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Holding {
    /// The worker account that is paid, and whose bond answers.
    pub account: AccountId,
    /// The piece's chunk root, as the device signed it.
    pub chunk_root: Digest,
    /// The piece's bytes, as the device signed them.
    pub bytes: u64,
    /// What a period of it costs.
    pub price: Amount,
    /// The first period in which the piece is held.
    pub since: Period,
    /// The first in which it is not any more. None if that is when the contract ends, however often that is
    /// put off.
    pub until: Option<Period>,
    /// What is paid of it.
    pub paid: PaidPeriods,
    /// Whether a challenge is open.
    pub is_challenged: bool,
    /// The last period in which a challenge on the chain was answered.
    pub proved_in: Option<Period>,
}

/// What a device signs when it takes a piece: that the bytes it received have this root and length. Nothing
/// moves against a holder but for a piece that it has signed for. It serves once: whoever has given a piece up
/// does not get it back because somebody kept the signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct HoldConsent {
    /// The contract.
    pub contract: ContractId,
    /// The device.
    pub device: DeviceId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The first period in which the piece is held: the one behind that in which it is taken.
    pub since: Period,
    /// The piece.
    pub entry: PieceEntry,
    /// The contract's terms.
    pub terms: Terms,
}

impl SignedPayload for HoldConsent {
    const DOMAIN: &'static str = "quern/hold-consent/1";
}

/// A piece and who holds it.
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
pub struct Held {
    /// The piece.
    pub piece: PieceIndex,
    /// The device.
    pub device: DeviceId,
}

/// What members of a group sign: who has proved which pieces of a contract in a period. Holders are named and
/// not numbered, so that the words mean the same whoever came or went meanwhile.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Proved {
    /// The contract.
    pub contract: ContractId,
    /// The period.
    pub period: Period,
    /// Who proved what: ascending.
    pub holders: BoundedVec<Held, ConstU32<HOLDERS_PER_CERTIFICATE_MAX>>,
}

impl SignedPayload for Proved {
    const DOMAIN: &'static str = "quern/custody-proved/1";
}

#[cfg(test)]
mod tests;
