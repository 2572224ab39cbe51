//! Many receipts at once, as an auditor has them.

use codec::Decode;
use quern_primitives::{
    ids::GenesisHash,
    payload::{Signature, SignedPayload},
    receipt::{Receipt, SignedReceipt},
};

/// Bytes of an Ed25519 signature, which end a signed receipt.
const SIGNATURE_BYTES: usize = 64;

/// What is wrong with one of many receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptsFault {
    /// It cannot be read.
    #[error("receipt {index} cannot be read; fetch it again")]
    Malformed {
        /// Which one, counted from zero.
        index: u64,
    },
    /// The device that it names did not sign it for this chain.
    #[error("the signature of receipt {index} does not hold")]
    Signature {
        /// Which one, counted from zero.
        index: u64,
    },
}

/// Whether each of many encoded receipts, one behind the other, is signed by the device that it names,
/// for the chain with this genesis; how many there are. Each is read where it lies and hashed once from
/// there. Signatures are checked one by one: all at a time would be faster, and would not tell of each
/// what the chain tells of it.
pub fn verify_receipts(encoded: &[u8], genesis: &GenesisHash) -> Result<u64, ReceiptsFault> {
    let mut rest = encoded;
    let mut index = 0u64;
    while !rest.is_empty() {
        let before = rest;
        let signed =
            SignedReceipt::decode(&mut rest).map_err(|_| ReceiptsFault::Malformed { index })?;
        let used = before.len().saturating_sub(rest.len());
        let payload = before
            .get(..used.saturating_sub(SIGNATURE_BYTES))
            .ok_or(ReceiptsFault::Malformed { index })?;
        let digest = Receipt::signing_digest_of_encoded(payload, genesis);
        if !signed.signature.holds(&digest, &signed.payload.device) {
            return Err(ReceiptsFault::Signature { index });
        }
        index = index.saturating_add(1);
    }
    Ok(index)
}
