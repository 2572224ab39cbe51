//! A block's transactions. The header has the root of a trie over them, so who has the header knows whether these
//! are all of them, and none other.
//!
//! The trie is the SDK's in its first version, with every value in its node. A transaction's key is its place in
//! the block, in SCALE's compact form. Of two such keys neither is the beginning of the other, so no branch has a
//! value, and no key has more than ten nibbles.

use crate::reading::hash;
use codec::{Compact, Encode};

/// Nibbles of a key are told in a node's first byte, as long as there are fewer than so many.
const SHORT: usize = 63;

const LEAF: u8 = 0b01 << 6;
const BRANCH: u8 = 0b10 << 6;

/// A transaction under its key.
struct Entry<'a> {
    nibbles: Vec<u8>,
    bytes: &'a [u8],
}

/// The root over a block's transactions in their order, each as the block holds it, with its length before it.
pub fn extrinsics_root<'a>(transactions: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut entries: Vec<Entry<'a>> = (0u32..)
        .zip(transactions)
        .map(|(place, bytes)| {
            let key = Compact(place).encode();
            let nibbles = key.into_iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
            Entry {
                nibbles: nibbles.collect(),
                bytes,
            }
        })
        .collect();
    entries.sort_by(|one, other| one.nibbles.cmp(&other.nibbles));
    // The root is a hash also where its node is shorter.
    hash(&node(&entries, 0))
}

/// The node over entries that agree in so many nibbles, from there on.
fn node(entries: &[Entry<'_>], from: usize) -> Vec<u8> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return vec![0];
    };
    let rest = |entry: &Entry<'_>| entry.nibbles.get(from..).unwrap_or_default().to_vec();
    let (one, other) = (rest(first), rest(last));
    if entries.len() == 1 {
        let mut node = head(LEAF, &one);
        first.bytes.encode_to(&mut node);
        return node;
    }
    // They are sorted, so what the first and the last have in common all have.
    let common = one
        .iter()
        .zip(&other)
        .take_while(|(one, other)| one == other);
    let common = common.count();
    let at = from.saturating_add(common);
    let mut node = head(BRANCH, one.get(..common).unwrap_or_default());
    let step = |entry: &Entry<'_>| entry.nibbles.get(at).copied();
    let children: Vec<_> = entries
        .chunk_by(|one, other| step(one) == step(other))
        .collect();
    let steps = children.iter().filter_map(|child| step(child.first()?));
    let bitmap = steps.fold(0u16, |bitmap, step| {
        bitmap | 1u16.checked_shl(step.into()).unwrap_or(0)
    });
    bitmap.encode_to(&mut node);
    for child in children {
        let child = self::node(child, at.saturating_add(1));
        match child.len() < 32 {
            true => child.encode_to(&mut node),
            false => hash(&child).as_slice().encode_to(&mut node),
        }
    }
    node
}

/// What a node begins with: its kind, and its part of the key, whose first byte has one nibble if they are odd.
fn head(kind: u8, nibbles: &[u8]) -> Vec<u8> {
    debug_assert!(nibbles.len() < SHORT, "a key has ten nibbles at the most");
    let mut node = vec![kind | u8::try_from(nibbles.len()).unwrap_or(0)];
    let odd = nibbles.len() % 2;
    let (first, pairs) = nibbles.split_at_checked(odd).unwrap_or_default();
    node.extend(first);
    let pairs = pairs.chunks(2).filter_map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    node.extend(pairs);
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sp_core::Blake2Hasher;
    use sp_trie::{LayoutV0, TrieConfiguration as _};

    fn as_the_sdk_has_it(transactions: &[Vec<u8>]) -> [u8; 32] {
        LayoutV0::<Blake2Hasher>::ordered_trie_root(transactions).0
    }

    fn as_we_have_it(transactions: &[Vec<u8>]) -> [u8; 32] {
        extrinsics_root(transactions.iter().map(Vec::as_slice))
    }

    #[test]
    fn the_root_over_any_number_of_transactions_is_the_sdk_s() {
        // Keys have one byte, two from 64 on, and four from 16,384 on.
        for count in (0..300).chain([1_000, 16_383, 16_384, 16_385, 17_000]) {
            let bytes = |place: usize| vec![place as u8; place % 70];
            let transactions: Vec<_> = (0..count).map(bytes).collect();
            assert_eq!(
                as_we_have_it(&transactions),
                as_the_sdk_has_it(&transactions),
                "{count}"
            );
        }
    }

    proptest! {
        #[test]
        fn of_other_transactions_or_another_order_the_root_is_another(
            transactions in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..90),
            at in any::<prop::sample::Index>(), byte in 1u8..,
        ) {
            let root = as_we_have_it(&transactions);
            prop_assert_eq!(root, as_the_sdk_has_it(&transactions));
            let at = at.index(transactions.len());
            let mut other = transactions.clone();
            other[at].push(byte);
            prop_assert_ne!(as_we_have_it(&other), root);
            let mut fewer = transactions.clone();
            fewer.remove(at);
            prop_assert_ne!(as_we_have_it(&fewer), root);
            let mut turned = transactions.clone();
            turned.rotate_left(1);
            prop_assert_eq!(as_we_have_it(&turned) == root, turned == transactions);
        }
    }
}
