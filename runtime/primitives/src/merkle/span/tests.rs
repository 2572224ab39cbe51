#![allow(clippy::unwrap_used)]

use super::*;
use alloc::{vec, vec::Vec};
use proptest::prelude::*;

/// Bytes of a thing of so many chunks, of which the last has `last` bytes. No two chunks are equal.
fn thing(count: u32, last: usize) -> Vec<u8> {
    let whole = (0..count).flat_map(|index| {
        let mut chunk = vec![index as u8; CHUNK_BYTES];
        chunk[..4].copy_from_slice(&index.to_le_bytes());
        chunk
    });
    let mut bytes: Vec<u8> = whole.collect();
    bytes.truncate((count as usize - 1) * CHUNK_BYTES + last);
    bytes
}

fn tree_over(bytes: &[u8]) -> Tree {
    Tree::new(bytes.chunks(CHUNK_BYTES))
}

fn span_of(bytes: &[u8], span: u32) -> &[u8] {
    bytes.chunks(SPAN_BYTES).nth(span as usize).unwrap()
}

fn changed(proof: &SpanProof, change: impl FnOnce(&mut Vec<Digest>)) -> SpanProof {
    let mut siblings = proof.siblings.to_vec();
    change(&mut siblings);
    SpanProof {
        siblings: siblings.try_into().unwrap(),
        ..proof.clone()
    }
}

#[test]
fn every_span_of_every_small_tree_is_proved() {
    for count in 1..=300 {
        let bytes = thing(count, 1 + count as usize * 13 % CHUNK_BYTES);
        let tree = tree_over(&bytes);
        for (span, part) in (0..).zip(bytes.chunks(SPAN_BYTES)) {
            let proof = tree.span_proof(span).unwrap();
            assert_eq!(
                proof.root_over(part),
                Some(tree.root()),
                "{span} of {count}"
            );
        }
        assert_eq!(tree.span_proof(count.div_ceil(SPAN_CHUNKS)), None);
    }
}

#[test]
fn a_proof_has_a_hash_for_each_level_above_the_spans() {
    for (count, hashes) in [
        (1, 0),
        (64, 0),
        (65, 1),
        (128, 1),
        (129, 2),
        (256, 2),
        (257, 3),
    ] {
        let tree = tree_over(&thing(count, CHUNK_BYTES));
        assert_eq!(
            tree.span_proof(0).unwrap().siblings.len(),
            hashes,
            "{count}"
        );
    }
    // The last of three spans has no neighbour on the first level.
    let tree = tree_over(&thing(129, 7));
    assert_eq!(tree.span_proof(2).unwrap().siblings.len(), 1);
}

#[test]
fn a_span_is_proved_at_its_place_only() {
    for count in [1, 64, 65, 130, 192, 257, 300] {
        let bytes = thing(count, CHUNK_BYTES);
        let (tree, spans) = (tree_over(&bytes), count.div_ceil(SPAN_CHUNKS));
        for span in 0..spans {
            let proof = tree.span_proof(span).unwrap();
            for other in (0..spans + 2).chain([1 << 26, u32::MAX]) {
                let elsewhere = SpanProof {
                    span: other,
                    ..proof.clone()
                };
                assert_eq!(
                    elsewhere.holds(&tree.root(), span_of(&bytes, span)),
                    other == span,
                    "{span} of {count} said to be {other}"
                );
                if other < spans {
                    let is_its_own = proof.holds(&tree.root(), span_of(&bytes, other));
                    assert_eq!(
                        is_its_own,
                        other == span,
                        "{other} with the proof of {span}"
                    );
                }
            }
        }
    }
}

/// Counts that lead to as many chunks in a span, spans or levels as this one, and some that do not.
fn near(count: u32) -> impl Iterator<Item = u32> {
    let around = count.saturating_sub(2)..count + 3;
    let spans = [63, 64, 65, 128, 129, 192, 193, 256, 257, 320];
    around.chain(spans).chain([0, 1, count + 64, u32::MAX])
}

#[test]
fn no_other_count_is_proved() {
    for count in [1, 63, 64, 65, 127, 130, 257] {
        let bytes = thing(count, 9);
        let tree = tree_over(&bytes);
        for span in 0..count.div_ceil(SPAN_CHUNKS) {
            let proof = tree.span_proof(span).unwrap();
            for other in near(count) {
                let forged = SpanProof {
                    count: other,
                    ..proof.clone()
                };
                let holds = forged.holds(&tree.root(), span_of(&bytes, span));
                assert_eq!(
                    holds,
                    other == count,
                    "{span} of {count} said to be of {other}"
                );
            }
        }
    }
}

#[test]
fn missing_trailing_swapped_and_changed_siblings_are_refused() {
    for count in [1, 64, 65, 129, 193, 300] {
        let bytes = thing(count, 4000);
        let tree = tree_over(&bytes);
        for span in 0..count.div_ceil(SPAN_CHUNKS) {
            let proof = tree.span_proof(span).unwrap();
            let part = span_of(&bytes, span);
            for more in [Digest::default(), tree.root(), tree.top()] {
                assert!(!changed(&proof, |all| all.push(more)).holds(&tree.root(), part));
                assert!(!changed(&proof, |all| all.insert(0, more)).holds(&tree.root(), part));
            }
            for place in 0..proof.siblings.len() {
                let without = changed(&proof, |all| {
                    all.retain(|one| *one != proof.siblings[place])
                });
                let altered = changed(&proof, |all| all[place].0[31] ^= 1);
                assert!(!without.holds(&tree.root(), part));
                assert!(!altered.holds(&tree.root(), part));
                if place > 0 {
                    let swapped = changed(&proof, |all| all.swap(0, place));
                    assert!(!swapped.holds(&tree.root(), part));
                }
            }
        }
    }
}

#[test]
fn a_span_of_another_length_is_refused() {
    for (count, last) in [
        (1, 1),
        (1, CHUNK_BYTES),
        (64, 5),
        (65, 1),
        (130, 4095),
        (192, CHUNK_BYTES),
    ] {
        let bytes = thing(count, last);
        let tree = tree_over(&bytes);
        for span in 0..count.div_ceil(SPAN_CHUNKS) {
            let proof = tree.span_proof(span).unwrap();
            let part = span_of(&bytes, span);
            let longer = [part, &[0; CHUNK_BYTES]].concat();
            let lengths = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1];
            let near = [part.len() - 1, part.len(), part.len() + 1, longer.len()];
            for length in lengths.into_iter().chain(near) {
                let Some(cut) = longer.get(..length) else {
                    continue;
                };
                let holds = proof.holds(&tree.root(), cut);
                assert_eq!(
                    holds,
                    length == part.len(),
                    "{length} bytes of {span} of {count}"
                );
            }
        }
    }
}

#[test]
fn a_chunk_that_is_short_inside_of_a_thing_is_never_proved() {
    // Whoever builds a tree over such chunks has a root for which no bytes exist.
    let bytes = thing(130, CHUNK_BYTES);
    let mut chunks: Vec<&[u8]> = bytes.chunks(CHUNK_BYTES).collect();
    chunks[63] = &chunks[63][..100];
    let tree = Tree::new(&chunks);
    let proof = tree.span_proof(0).unwrap();
    assert!(!proof.holds(&tree.root(), &bytes[..63 * CHUNK_BYTES + 100]));
    assert!(!proof.holds(&tree.root(), &bytes[..SPAN_BYTES]));
}

#[test]
fn another_tree_is_not_proved() {
    for count in [1, 64, 65, 200] {
        let bytes = thing(count, CHUNK_BYTES);
        let tree = tree_over(&bytes);
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[place] ^= 1;
            let stranger = tree_over(&other);
            for span in 0..count.div_ceil(SPAN_CHUNKS) {
                let proof = tree.span_proof(span).unwrap();
                assert!(!proof.holds(&stranger.root(), span_of(&bytes, span)));
                assert!(!proof.holds(&tree.top(), span_of(&bytes, span)));
            }
        }
    }
}

#[test]
fn the_empty_tree_and_the_largest_have_no_surprises() {
    let tree = Tree::from_leaves(vec![]);
    assert_eq!(tree.span_proof(0), None);
    let nothing = SpanProof {
        span: 0,
        count: 0,
        siblings: vec![].try_into().unwrap(),
    };
    assert!(!nothing.holds(&tree.root(), b""));
    // The last span of the largest tree has 63 chunks, and climbing 26 levels ends.
    let siblings = vec![Digest::default(); SPAN_PROOF_HASHES_MAX as usize];
    let last = SpanProof {
        span: u32::MAX / SPAN_CHUNKS,
        count: u32::MAX,
        siblings: siblings.try_into().unwrap(),
    };
    assert!(last.root_over(&vec![0; 63 * CHUNK_BYTES]).is_some());
    assert_eq!(last.root_over(&vec![0; SPAN_BYTES]), None);
}

#[test]
fn more_hashes_than_any_tree_demands_are_not_decoded() {
    let tree = tree_over(&thing(65, 3));
    let proof = tree.span_proof(1).unwrap();
    assert_eq!(SpanProof::decode(&mut &proof.encode()[..]), Ok(proof));
    let hashes = |number: u32| (1u32, 65u32, vec![Digest::default(); number as usize]).encode();
    assert!(SpanProof::decode(&mut &hashes(SPAN_PROOF_HASHES_MAX)[..]).is_ok());
    assert!(SpanProof::decode(&mut &hashes(SPAN_PROOF_HASHES_MAX + 1)[..]).is_err());
    assert_eq!(
        SpanProof::max_encoded_len(),
        hashes(SPAN_PROOF_HASHES_MAX).len()
    );
}

proptest! {
    #[test]
    fn random_span_proofs_never_panic_nor_hold(
        span: u32, count: u32, near in 0u32..6, few in 0u32..400,
        siblings in prop::collection::vec(any::<[u8; 32]>(), 0..=SPAN_PROOF_HASHES_MAX as usize),
        length in 0..=SPAN_BYTES + 1,
    ) {
        let siblings: Vec<Digest> = siblings.into_iter().map(Digest).collect();
        let root = Tree::new([b"x"]).root();
        for (span, count) in [(span, count), (near, few), (span, few), (near, count)] {
            let siblings = siblings.clone().try_into().unwrap();
            let forged = SpanProof { span, count, siblings };
            prop_assert!(!forged.holds(&root, &vec![0; length]));
        }
    }
}
