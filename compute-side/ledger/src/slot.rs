//! What a block's author says of its slot: when it was, and what the slot's random function gave.

use crate::ChainError;
use codec::Decode as _;
use quern_primitives::limits::DAY_BLOCKS;
use subxt::config::substrate::DigestItem;

/// Length of a slot, in milliseconds: a day has as many slots as it has blocks at most.
const SLOT_MS: u64 = 24 * 3_600 * 1_000 / DAY_BLOCKS as u64;

/// Whose word the slot is.
const BABE: [u8; 4] = *b"BABE";

/// How the author got the slot, where it brings no output of a random function.
const PLAIN: u8 = 2;

/// What the header of a block says of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// When the slot began, in milliseconds since the beginning of 1970.
    pub(crate) began_at: u64,
    /// What the verifiable random function gave its author for the slot, if it brings that: it could be no other.
    pub(crate) output: Option<[u8; 32]>,
}

/// What a header's digest says of the block's slot; none if it names none.
pub(crate) fn of(digest: &[DigestItem]) -> Result<Option<Claim>, ChainError> {
    let of_babe = |item: &DigestItem| match item {
        DigestItem::PreRuntime(BABE, bytes) => Some(bytes.clone()),
        _ => None,
    };
    let Some(bytes) = digest.iter().find_map(of_babe) else {
        return Ok(None);
    };
    let foreign = |source| ChainError::Foreign {
        what: "the header of a block",
        source,
    };
    let mut rest = &bytes[..];
    // However the author got the slot, its number comes behind the author's place in the list.
    let (how, _author, slot) = <(u8, u32, u64)>::decode(&mut rest).map_err(foreign)?;
    let output = match how {
        PLAIN => None,
        // Before its proof, which the nodes have checked.
        _ => Some(<[u8; 32]>::decode(&mut rest).map_err(foreign)?),
    };
    Ok(Some(Claim {
        began_at: slot.saturating_mul(SLOT_MS),
        output,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use codec::Encode as _;

    fn read(claim: Vec<u8>) -> Result<Option<Claim>, ChainError> {
        of(&[
            DigestItem::Consensus(BABE, vec![1]),
            DigestItem::PreRuntime(*b"else", vec![2]),
            DigestItem::PreRuntime(BABE, claim),
            DigestItem::Seal(BABE, vec![3; 64]),
        ])
    }

    #[test]
    fn a_block_was_made_when_its_slot_began() {
        let secondary = (2u8, 4u32, 880_000_000u64).encode();
        let claim = read(secondary).unwrap().unwrap();
        assert_eq!(claim.began_at, 1_760_000_000_000, "in October 2025");
        assert_eq!(claim.output, None);
    }

    #[test]
    fn a_block_brings_what_the_random_function_gave_its_author_for_the_slot() {
        for how in [1u8, 3] {
            let claim = (how, 4u32, 880_000_000u64, [7u8; 32], [9u8; 64]).encode();
            let claim = read(claim).unwrap().unwrap();
            assert_eq!(claim.output, Some([7; 32]));
            let short = (how, 4u32, 880_000_000u64, [7u8; 31]).encode();
            assert!(matches!(read(short), Err(ChainError::Foreign { .. })));
        }
    }

    #[test]
    fn a_first_block_has_no_time_and_a_foreign_one_is_refused() {
        assert_eq!(of(&[]).unwrap(), None);
        assert!(matches!(
            read(vec![1, 2, 3]),
            Err(ChainError::Foreign { .. })
        ));
    }
}
