//! The slot of a block, which says when it was made.

use crate::ChainError;
use codec::Decode as _;
use quern_primitives::limits::DAY_BLOCKS;
use subxt::config::substrate::DigestItem;

/// Length of a slot, in milliseconds: a day has as many slots as it has blocks at most.
const SLOT_MS: u64 = 24 * 3_600 * 1_000 / DAY_BLOCKS as u64;

/// Whose word the slot is.
const BABE: [u8; 4] = *b"BABE";

/// When the slot began that a header's digest names, in milliseconds since the beginning of 1970; none
/// if it names none.
pub(crate) fn began_at(digest: &[DigestItem]) -> Result<Option<u64>, ChainError> {
    let of_babe = |item: &DigestItem| match item {
        DigestItem::PreRuntime(BABE, bytes) => Some(bytes.clone()),
        _ => None,
    };
    let Some(bytes) = digest.iter().find_map(of_babe) else {
        return Ok(None);
    };
    // However the author got the slot, its number comes behind the author's place in the list.
    let (_how, _author, slot) =
        <(u8, u32, u64)>::decode(&mut &bytes[..]).map_err(|source| ChainError::Foreign {
            what: "the header of a block",
            source,
        })?;
    Ok(Some(slot.saturating_mul(SLOT_MS)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use codec::Encode as _;

    #[test]
    fn a_block_was_made_when_its_slot_began() {
        let secondary = (2u8, 4u32, 880_000_000u64).encode();
        let digest = [
            DigestItem::Consensus(BABE, vec![1]),
            DigestItem::PreRuntime(*b"else", vec![2]),
            DigestItem::PreRuntime(BABE, secondary),
            DigestItem::Seal(BABE, vec![3; 64]),
        ];
        let made_at = began_at(&digest).unwrap();
        assert_eq!(made_at, Some(1_760_000_000_000), "in October 2025");
    }

    #[test]
    fn a_first_block_has_no_time_and_a_foreign_one_is_refused() {
        assert_eq!(began_at(&[]).unwrap(), None);
        let short = [DigestItem::PreRuntime(BABE, vec![1, 2, 3])];
        assert!(matches!(began_at(&short), Err(ChainError::Foreign { .. })));
    }
}
