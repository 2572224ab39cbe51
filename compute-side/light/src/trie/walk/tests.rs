use super::*;
use crate::trie::{
    hash,
    tests::{Values, nodes_for},
};
use proptest::prelude::*;

fn all_of(prefix: &[u8]) -> Stretch<'_> {
    Stretch {
        prefix,
        after: None,
        up_to: None,
    }
}

/// What a node sends that is asked for all values of a stretch, and for what is before it.
fn sent(values: &Values, stretch: &Stretch<'_>) -> ([u8; 32], Vec<Vec<u8>>) {
    let mut keys: Vec<&[u8]> = in_stretch(values, stretch)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    keys.push(stretch.prefix);
    keys.extend(stretch.after);
    nodes_for(values, &keys)
}

fn in_stretch<'a>(values: &'a Values, stretch: &Stretch<'_>) -> Vec<(&'a [u8], &'a [u8])> {
    let is_within = |key: &[u8]| {
        key.starts_with(stretch.prefix)
            && stretch.after.is_none_or(|after| key > after)
            && stretch.up_to.is_none_or(|up_to| key <= up_to)
    };
    let all = values
        .iter()
        .map(|(key, value)| (key.as_slice(), value.as_slice()));
    all.filter(|(key, _)| is_within(key)).collect()
}

fn found<'a>(entries: &'a [(Key, &'a [u8])]) -> Vec<(&'a [u8], &'a [u8])> {
    let as_they_are = entries.iter().map(|(key, value)| (key.as_slice(), *value));
    as_they_are.collect()
}

fn accounts() -> Values {
    let of = |first: u8, second: u8, bytes: usize| (vec![9, 9, first, second], vec![second; bytes]);
    let mut values: Values = [
        of(0, 1, 1),
        of(0, 2, 40),
        of(3, 1, 2),
        of(3, 7, 50),
        of(200, 1, 3),
    ]
    .into();
    values.insert(vec![9, 8], vec![1]);
    values.insert(vec![9, 10], vec![2; 60]);
    values.insert(vec![1], vec![3]);
    values
}

#[test]
fn all_values_behind_a_beginning_are_found_and_no_others() {
    let values = accounts();
    for prefix in [
        &[9, 9][..],
        &[9],
        &[],
        &[9, 9, 3],
        &[9, 9, 3, 7],
        &[5],
        &[9, 9, 4],
    ] {
        let stretch = all_of(prefix);
        let (root, nodes) = sent(&values, &stretch);
        let proof = TrieProof::new(root, nodes).unwrap();
        let entries = proof.entries(&stretch, 10).unwrap();
        assert_eq!(found(&entries), in_stretch(&values, &stretch), "{prefix:?}");
    }
}

#[test]
fn a_value_that_is_withheld_is_missed_wherever_it_is() {
    let values = accounts();
    let stretch = all_of(&[9, 9]);
    let all = in_stretch(&values, &stretch);
    let (_, whole) = sent(&values, &stretch);
    for left_out in 0..all.len() {
        let mut keys: Vec<&[u8]> = all.iter().map(|(key, _)| *key).collect();
        keys.remove(left_out);
        let (root, nodes) = nodes_for(&values, &keys);
        // Where few bytes are left, they are within the nodes beside them.
        if nodes.len() < whole.len() {
            let proof = TrieProof::new(root, nodes).unwrap();
            assert_eq!(proof.entries(&stretch, 10), Err(ValueFault::Missing));
        }
    }
    let (root, nodes) = sent(&values, &stretch);
    for left_out in 0..nodes.len() {
        let mut some = nodes.clone();
        if hash(&some.remove(left_out)) != root {
            let proof = TrieProof::new(root, some).unwrap();
            assert_eq!(proof.entries(&stretch, 10), Err(ValueFault::Missing));
        }
    }
}

#[test]
fn stretches_that_follow_each_other_are_the_whole() {
    let values = accounts();
    let keys: Vec<_> = values.keys().cloned().collect();
    let mut together = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    for page in keys.chunks(3).map(|page| page.last().unwrap()) {
        let stretch = Stretch {
            prefix: &[],
            after: after.as_deref(),
            up_to: Some(page),
        };
        let (root, nodes) = sent(&values, &stretch);
        let proof = TrieProof::new(root, nodes).unwrap();
        let entries = proof.entries(&stretch, 3).unwrap();
        together.extend(entries.into_iter().map(|(key, _)| key));
        after = Some(page.clone());
    }
    assert_eq!(together, keys);
    let rest = Stretch {
        prefix: &[],
        after: after.as_deref(),
        up_to: None,
    };
    let (root, nodes) = sent(&values, &rest);
    let proof = TrieProof::new(root, nodes).unwrap();
    assert_eq!(proof.entries(&rest, 3), Ok(vec![]));
}

#[test]
fn more_values_than_were_asked_for_are_refused() {
    let values = accounts();
    let stretch = all_of(&[9, 9]);
    let (root, nodes) = sent(&values, &stretch);
    let proof = TrieProof::new(root, nodes).unwrap();
    let too_many = proof.entries(&stretch, 4);
    assert_eq!(too_many, Err(ValueFault::TooMany { most: 4 }));
    assert_eq!(proof.entries(&stretch, 5).map(|found| found.len()), Ok(5));
}

#[test]
fn a_state_of_nothing_has_nothing_in_any_stretch() {
    let proof = TrieProof::new(hash(&[0]), [vec![0]]).unwrap();
    assert_eq!(proof.entries(&all_of(&[]), 1), Ok(vec![]));
    assert_eq!(proof.entries(&all_of(&[7]), 1), Ok(vec![]));
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![0_u8..4, Just(16), Just(255)], 0..5)
}

proptest! {
    #[test]
    fn every_stretch_of_every_state_that_the_sdk_builds_is_proven_whole(
        values in proptest::collection::btree_map(
            key(), proptest::collection::vec(any::<u8>(), 0..80), 1..40,
        ),
        prefix in proptest::collection::vec(0_u8..4, 0..3),
        after in proptest::option::of(key()),
        up_to in proptest::option::of(key()),
        left_out in any::<prop::sample::Index>(),
    ) {
        let stretch = Stretch {
            prefix: &prefix,
            after: after.as_deref(),
            up_to: None,
        };
        let (root, nodes) = sent(&values, &stretch);
        let whole = in_stretch(&values, &stretch);
        let proof = TrieProof::new(root, nodes.clone()).unwrap();
        let entries = proof.entries(&stretch, whole.len()).unwrap();
        prop_assert_eq!(found(&entries), whole.clone());
        // A shorter stretch is in what proves the longer one.
        let shorter = Stretch { up_to: up_to.as_deref(), ..stretch };
        let entries = proof.entries(&shorter, whole.len()).unwrap();
        prop_assert_eq!(found(&entries), in_stretch(&values, &shorter));
        // Without one of the nodes it is refused, or that one was not of the stretch.
        let mut some = nodes;
        let left_out = left_out.index(some.len());
        some.remove(left_out);
        if let Ok(proof) = TrieProof::new(root, some) {
            match proof.entries(&stretch, whole.len()) {
                Ok(entries) => prop_assert_eq!(found(&entries), whole),
                Err(fault) => prop_assert_eq!(fault, ValueFault::Missing),
            }
        }
    }

    #[test]
    fn any_bytes_as_a_node_are_walked_without_a_panic(
        node in proptest::collection::vec(any::<u8>(), 0..200),
        prefix in proptest::collection::vec(any::<u8>(), 0..3),
    ) {
        let proof = TrieProof::new(hash(&node), [node]).unwrap();
        let _ = proof.entries(&all_of(&prefix), 100);
    }
}
