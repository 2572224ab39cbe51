//! What owners of data that are kept say to the masternodes of their contract, and these to each other, at the address
//! at which owners reach them.
//!
//! ```text
//! storage_offer(contract, first)              what is here already; uploads resume from it
//! storage_putList(contract, offset, bytes)    │ in pieces of at most PIECE_BYTES_MAX, in order; the list first,
//! storage_putPiece(contract, piece, offset, …)│ to each member of the group; pieces to one of them, that has them kept
//! storage_status(contract)                    how many devices keep each piece
//! storage_readList(contract, offset)          the list
//! storage_readPiece(contract, piece, offset)  a piece's bytes; brought here first if they are not
//! storage_certify(proved)                     the word of a member that these have proved their pieces
//! ```
//!
//! Nobody says who it is. The list is held to the root that the chain has, and each piece to the list, so nothing can be
//! put here that the owner did not commit to; what is read is sealed, and its names are public. A member's word says
//! what it found out itself, and is meant for the chain.

use crate::Blob;
use jsonrpsee::{core::RpcResult, proc_macros::rpc, types::ErrorObjectOwned};
use quern_primitives::ids::{ContractId, PieceIndex};
use serde::{Deserialize, Serialize};

/// Pieces that one answer tells of.
pub const OFFERED_PIECES_MAX: u32 = 16_384;

/// What a masternode has of the pieces of a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageOffer {
    /// Bytes of the list, from the start without a gap; all of it only if it is checked and kept.
    pub list_bytes: u64,
    /// Whether the list is here, checked and kept.
    pub has_list: bool,
    /// Pieces from the one that was asked for on, at most [`OFFERED_PIECES_MAX`], that are neither here nor with as many
    /// devices as are to keep them, with the bytes of each that are here.
    pub missing: Vec<(PieceIndex, u64)>,
}

/// How it stands with the pieces of a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// Pieces in all.
    pub pieces: u32,
    /// Devices that are to keep each.
    pub copies: u8,
    /// Of so many pieces the bytes are here.
    pub here: u32,
    /// How many devices keep each piece, and will in the next period too, in the pieces' order.
    pub holders: Vec<u8>,
    /// Pieces that are being handed to devices now.
    pub placing: u32,
    /// Devices that are here and may take pieces.
    pub devices: u32,
}

/// Why a masternode does not do what it is asked about data that are kept. Travels as the `data` of the JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum StorageError {
    /// It is not of the contract's group, or there is no such contract.
    #[error(
        "this masternode does not look after the contract; ask the chain who does, or wait for the block that draws them"
    )]
    NotMember,
    /// The list must come first.
    #[error("upload the list of pieces before the pieces")]
    ListMissing,
    /// The list is not the contract's.
    #[error("the list is not the contract's; it was dropped, upload it again: {why}")]
    WrongList {
        /// What is wrong with it.
        why: String,
    },
    /// There is no such piece.
    #[error("the contract has no piece {piece}")]
    NoSuchPiece {
        /// The piece.
        piece: PieceIndex,
    },
    /// The bytes are not the piece that the list names.
    #[error("piece {piece} is not the one that the list names; it was dropped, upload it again")]
    WrongPiece {
        /// The piece.
        piece: PieceIndex,
    },
    /// A part does not follow what is here.
    #[error("expected the part that starts at byte {expected}; resume from there")]
    OutOfOrder {
        /// Where the next part must start.
        expected: u64,
    },
    /// A part is longer than one may be, or goes beyond the end.
    #[error("the part ends beyond {limit} bytes")]
    TooLong {
        /// The length that would have been right.
        limit: u64,
    },
    /// Bytes beyond the end were asked for.
    #[error("there are no bytes at that offset; read it again from its start")]
    NoSuchBytes,
    /// The piece is not here, and is being brought from who keeps it.
    #[error("the piece is not here and is being brought; ask again in a moment")]
    Coming,
    /// Nobody who keeps it is here.
    #[error("nobody who keeps the piece is here now; other pieces of its stripe may be enough")]
    NobodyHasIt,
    /// Not all of them have proved their pieces to this masternode, as yet.
    #[error("not all of these have proved their pieces here yet; ask again in a moment")]
    NotProved,
    /// What is to be certified is nothing that can be.
    #[error("what is to be certified cannot be: {why}")]
    NotCertifiable {
        /// What is wrong with it.
        why: String,
    },
    /// The operator gives no more room for pieces.
    #[error(
        "the masternode has no room for {bytes} more bytes; go on later, when devices have taken what is here"
    )]
    NoRoom {
        /// Bytes that would be needed.
        bytes: u64,
    },
    /// As many contracts are looked after as may be.
    #[error(
        "the masternode looks after as many contracts as it may; hand the list to another one of the group"
    )]
    TooManyContracts,
    /// The disk is full or broken.
    #[error("the masternode cannot store more; try again later")]
    Storage,
    /// The masternode has not caught up with the chain.
    #[error("the masternode is starting; try again in a moment")]
    Starting,
}

impl StorageError {
    /// The JSON-RPC error code, one for each variant.
    pub fn code(&self) -> i32 {
        match self {
            Self::NotMember => 1201,
            Self::ListMissing => 1202,
            Self::WrongList { .. } => 1203,
            Self::NoSuchPiece { .. } => 1204,
            Self::WrongPiece { .. } => 1205,
            Self::OutOfOrder { .. } => 1206,
            Self::TooLong { .. } => 1207,
            Self::NoSuchBytes => 1208,
            Self::Coming => 1209,
            Self::NobodyHasIt => 1210,
            Self::NotProved => 1211,
            Self::NotCertifiable { .. } => 1212,
            Self::NoRoom { .. } => 1213,
            Self::Storage => 1214,
            Self::Starting => 1215,
            Self::TooManyContracts => 1216,
        }
    }

    /// Reads the error back out of a JSON-RPC error.
    pub fn of(error: &ErrorObjectOwned) -> Option<Self> {
        serde_json::from_str(error.data()?.get()).ok()
    }
}

impl From<StorageError> for ErrorObjectOwned {
    fn from(error: StorageError) -> Self {
        ErrorObjectOwned::owned(error.code(), error.to_string(), Some(error))
    }
}

/// What owners of kept data, and masternodes, say to a masternode.
#[rpc(client, server, namespace = "storage")]
pub trait StorageApi {
    /// What is here of a contract's pieces, from the piece `first` on.
    #[method(name = "offer")]
    async fn offer(&self, contract: ContractId, first: PieceIndex) -> RpcResult<StorageOffer>;

    /// A part of the list of pieces. Answers with the bytes held.
    #[method(name = "putList")]
    async fn put_list(&self, contract: ContractId, offset: u64, part: Blob) -> RpcResult<u64>;

    /// A part of a piece. Answers with the bytes held.
    #[method(name = "putPiece")]
    async fn put_piece(
        &self,
        contract: ContractId,
        piece: PieceIndex,
        offset: u64,
        part: Blob,
    ) -> RpcResult<u64>;

    /// How it stands with the pieces.
    #[method(name = "status")]
    async fn status(&self, contract: ContractId) -> RpcResult<StorageStatus>;

    /// Bytes of the list of pieces.
    #[method(name = "readList")]
    async fn read_list(&self, contract: ContractId, offset: u64) -> RpcResult<Blob>;

    /// Bytes of a piece.
    #[method(name = "readPiece")]
    async fn read_piece(
        &self,
        contract: ContractId,
        piece: PieceIndex,
        offset: u64,
    ) -> RpcResult<Blob>;

    /// This masternode's signature that these have proved their pieces: over
    /// [`Proved`](quern_primitives::custody::Proved), which is given in SCALE.
    #[method(name = "certify")]
    async fn certify(&self, proved: Blob) -> RpcResult<Blob>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_back_as_they_were_with_a_code_each() {
        let errors = [
            StorageError::NotMember,
            StorageError::WrongList { why: "x".into() },
            StorageError::OutOfOrder { expected: 7 },
            StorageError::NoRoom { bytes: 9 },
        ];
        for error in errors {
            let object = ErrorObjectOwned::from(error.clone());
            assert_eq!(object.code(), error.code());
            assert_eq!(StorageError::of(&object), Some(error));
        }
    }
}
