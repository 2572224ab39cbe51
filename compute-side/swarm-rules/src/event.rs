//! What happens, and what is to be done.

use crate::message::{DecodeError, Made, Message, PeerId, Statement};
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::{PeerAddress, PieceIndex};

/// What came out of computing a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its length.
    pub bytes: u32,
    /// The root over its chunks.
    pub root: Digest,
}

/// Why a piece did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFault {
    /// The stream ended, or the other does not have it.
    Gone,
    /// A chunk was not under the root.
    Wrong,
    /// There was more of it than was announced.
    Longer,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection stands.
    Joined {
        /// With whom.
        peer: PeerId,
        /// Whether it was opened from here.
        opened: bool,
    },
    /// It does not any more.
    Left(PeerId),
    /// An address was found: in the task file, by discovery, by hand.
    Found(PeerAddress),
    /// Nobody is there, or somebody else.
    DialFailed(PeerId),
    /// A peer said something.
    Said(PeerId, Message),
    /// A peer said something that is no message.
    Garbled(PeerId, DecodeError),
    /// A piece is computed, or could not be.
    Computed {
        /// Which.
        piece: PieceIndex,
        /// What came out; none if nothing did.
        output: Option<Output>,
    },
    /// A command said of two results whether they are the same; see [`Effect::Compare`].
    Compared {
        /// Of which piece.
        piece: PieceIndex,
        /// The other's root.
        root: Digest,
        /// Whether they are.
        same: bool,
    },
    /// A piece came whole, and is under the root of the maker that was named.
    Fetched {
        /// Which.
        piece: PieceIndex,
        /// From whom.
        from: PeerId,
    },
    /// A piece did not come.
    FetchFailed {
        /// Which.
        piece: PieceIndex,
        /// From whom.
        from: PeerId,
        /// Why.
        fault: FetchFault,
    },
    /// A piece is on the disk, synced.
    Stored {
        /// Which.
        piece: PieceIndex,
    },
    /// Who was [holding](crate::Rules::holding) may compute from now on.
    Begin,
    /// It is as late as [`Rules::next_wakeup`](crate::Rules::next_wakeup) said.
    Woke,
}

/// Why a piece is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nobody has it.
    New,
    /// Somebody has, and it is seen whether the same comes out.
    Check,
}

/// Where the bytes are that are to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// They came out of the computing that has just ended.
    Computed,
    /// They have just come from a peer.
    Fetched,
    /// They are on the disk, as another's: only who made them changes.
    There,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write a piece and who made it, sync both, then tell [`Event::Stored`].
    Store {
        /// Who made it, signed.
        made: Signed<Made>,
        /// Where it is.
        bytes: Bytes,
    },
    /// Remove a piece from the disk: who made it lied.
    Discard(PieceIndex),
    /// Compute a piece, then tell [`Event::Computed`]. What came out is kept until the effects that follow
    /// that event are carried out.
    Compute {
        /// Which.
        piece: PieceIndex,
        /// Why.
        why: Why,
    },
    /// End the computing of a piece. Nothing is told of it.
    Abandon(PieceIndex),
    /// Have the task's check command compare what has just come out of a piece with what is on the disk,
    /// then tell [`Event::Compared`].
    Compare {
        /// Which.
        piece: PieceIndex,
        /// The root of what is on the disk.
        root: Digest,
    },
    /// Write down what this peer found when it computed another's piece, before anybody is told of it.
    Keep(Signed<Statement>),
    /// Bring a piece here, then tell [`Event::Fetched`] or [`Event::FetchFailed`].
    Fetch {
        /// Which, as who made it.
        made: Signed<Made>,
        /// From whom.
        from: PeerId,
    },
    /// Say something.
    Send(PeerId, Message),
    /// Open a connection.
    Dial(PeerAddress),
    /// End a connection for no fault, so that another can be opened.
    Part(PeerId),
    /// End a connection because of what the other did.
    Drop(PeerId, Fault),
    /// All pieces are here and vouched for: put the files together.
    Merge,
}

/// What a peer did that ends its connection. It is data: nothing went wrong here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It computes another task.
    #[error("it computes another task")]
    OtherTask,
    /// It said something else first.
    #[error("it did not say hello first")]
    NoHello,
    /// It said hello twice.
    #[error("it said hello twice")]
    HelloAgain,
    /// It computes nothing at a time, or more than anybody does.
    #[error("it says that it computes {slots} pieces at a time")]
    Slots {
        /// How many.
        slots: u8,
    },
    /// What it said is no message.
    #[error("what it said is no message: {0}")]
    Message(#[from] DecodeError),
    /// Its bitfield is not as long as the task.
    #[error("its bitfield has {bytes} bytes, and must have {expected}")]
    BitfieldLength {
        /// How many it has.
        bytes: usize,
        /// How many it must have.
        expected: usize,
    },
    /// Its bitfield has bits behind the last piece.
    #[error("its bitfield has bits behind the last piece")]
    BitfieldSpare,
    /// It sent a bitfield that nobody asked for.
    #[error("it sent a bitfield that nobody asked for")]
    BitfieldAgain,
    /// There is no such piece.
    #[error("it spoke of piece {piece}, which there is not")]
    NoSuchPiece {
        /// Which.
        piece: PieceIndex,
    },
    /// A piece has more bytes than the task lets it have.
    #[error("it announced a piece of {bytes} bytes, and at most {max} are allowed")]
    PieceLong {
        /// How many.
        bytes: u32,
        /// How many it may have.
        max: u32,
    },
    /// A word that it said or passed on is not signed by whom it names.
    #[error("it said a word that is not signed by whom it names")]
    Signature,
    /// A word that it says as its own is another's.
    #[error("it said another's word as its own")]
    NotItsOwn,
    /// It claims more than it said that it computes at a time.
    #[error("it claims more pieces than it computes at a time")]
    Claims,
    /// A claim is for no time, or for too long.
    #[error("it claims a piece for {ttl_ms} ms")]
    ClaimTime {
        /// How long.
        ttl_ms: u32,
    },
    /// An address is none.
    #[error("it told an address that is none")]
    Address,
    /// A chunk that it sent is not under the root.
    #[error("it sent bytes that are not those of the piece")]
    PieceWrong,
    /// It sent more of a piece than was announced.
    #[error("it sent more of a piece than was announced")]
    PieceLonger,
    /// It made a piece of which otherwise came out, or said so wrongly of another's.
    #[error("it made a piece, or told of one, otherwise than it came out")]
    Lied,
    /// There are as many neighbours as there may be.
    #[error("there are enough neighbours")]
    Full,
}
