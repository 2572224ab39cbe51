//! What happens, and what is to be done.

use quern_primitives::{
    custody::{Contract, Held, Holding, Place},
    device::Region,
    ids::{AccountId, BlockNumber, DeviceId, Digest, Period, PieceIndex},
};
use std::collections::BTreeMap;

/// Something that is to be done, of which it is told once what came. None is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(pub u64);

/// A device that may take pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it stands.
    pub region: Region,
    /// Bytes that it would still keep, as it says itself.
    pub free_bytes: u64,
    /// Its place among all: lower is asked first.
    pub rank: u32,
    /// When it last missed a piece of whatever contract, as the chain says.
    pub missed_at: Option<BlockNumber>,
}

/// What the chain says of the contract in a finalised block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The clock of finality.
    pub clock: BlockNumber,
    /// The contract; none once it is closed.
    pub contract: Option<Contract>,
    /// Who holds what of it, or held it and is not forgotten.
    pub holdings: BTreeMap<Held, Holding>,
    /// The last period of which it is known what challenges follow from, and that.
    pub randomness: Option<(Period, Digest)>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chain said this. Told for each finalised block, or for one in a few.
    Seen(Box<Seen>),
    /// A device is here, or something else is true of it.
    Here(Candidate),
    /// A device is not here any more.
    Gone(DeviceId),
    /// A piece's bytes are here, and are what its name says.
    Brought(PieceIndex),
    /// A piece's bytes are not here any more.
    Lost(PieceIndex),
    /// What came of an order.
    Done(OrderId, Outcome),
}

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done: the device has the piece, has signed, has proved it (as the rules of custody say); the call is in a
    /// finalised block; the bytes are here.
    Done,
    /// Not, and it is no use to ask the same device for it again.
    Refused,
    /// Not, but perhaps later: nobody answered, or a call was not taken.
    Failed,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Have a device fetch a piece that is here.
    Take {
        /// The piece.
        piece: PieceIndex,
        /// The device.
        device: DeviceId,
    },
    /// Ask a device, which has a piece, for its consent to hold it.
    Sign {
        /// The piece.
        piece: PieceIndex,
        /// The device.
        device: DeviceId,
        /// The first period in which it holds it.
        since: Period,
    },
    /// Tell the chain that a device takes a piece, with the consent that it last signed.
    Hold {
        /// The piece.
        piece: PieceIndex,
        /// The device.
        device: DeviceId,
        /// As it is signed.
        since: Period,
    },
    /// Ask a device to prove that it has a piece: for the chunks that the chain's randomness draws.
    Prove {
        /// The piece and the device.
        held: Held,
        /// The period.
        period: Period,
        /// What the chunks follow from.
        randomness: Digest,
    },
    /// Gather the words of the group that these have proved their pieces, and have the chain pay them.
    Certify {
        /// The period.
        period: Period,
        /// Who proved what, ascending; at most [`crate::limits::CERTIFIED_MAX`].
        proved: Vec<Held>,
    },
    /// Challenge a holder on the chain.
    Challenge(Place),
    /// Have the chain end a holding, for this member: its device is gone.
    Release(Place),
    /// Bring a piece here from a device that holds it.
    Fetch {
        /// The piece.
        piece: PieceIndex,
        /// Who holds it and is here.
        from: Vec<DeviceId>,
    },
    /// Make a piece of others of its stripe that are here.
    Make {
        /// The piece.
        piece: PieceIndex,
        /// So many of these are enough, and all are here.
        of: Vec<PieceIndex>,
    },
    /// Erase a piece's bytes here: whoever shall hold it does.
    Erase(PieceIndex),
}
