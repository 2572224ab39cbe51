use super::*;
use codec::Encode;
use proptest::prelude::*;
use sp_core::{Blake2Hasher, H256};
use sp_trie::{
    MemoryDB, TrieMut as _,
    trie_types::{TrieDBMutBuilderV0, TrieDBMutBuilderV1},
};
use std::collections::BTreeMap;

pub(crate) type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// A state as the SDK builds it, of version 1 or 0.
fn state(values: &Values, is_newer: bool) -> (MemoryDB<Blake2Hasher>, H256) {
    let (mut nodes, mut root) = (MemoryDB::default(), H256::default());
    if is_newer {
        let mut trie = TrieDBMutBuilderV1::<Blake2Hasher>::new(&mut nodes, &mut root).build();
        for (key, value) in values {
            trie.insert(key, value).unwrap();
        }
    } else {
        let mut trie = TrieDBMutBuilderV0::<Blake2Hasher>::new(&mut nodes, &mut root).build();
        for (key, value) in values {
            trie.insert(key, value).unwrap();
        }
    }
    (nodes, root)
}

/// The root of a state and the nodes that prove what is at these keys.
pub(crate) fn nodes_for(values: &Values, keys: &[&[u8]]) -> ([u8; 32], Vec<Vec<u8>>) {
    let (nodes, root) = state(values, true);
    let recorded = recorded(&nodes, root, keys);
    (root.0, recorded)
}

/// The nodes that the SDK touches on its way to these keys, as a node answers `state_getReadProof`.
fn recorded(nodes: &MemoryDB<Blake2Hasher>, root: H256, keys: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut recorder = sp_trie::Recorder::<sp_trie::LayoutV1<Blake2Hasher>>::new();
    for key in keys {
        let read = sp_trie::read_trie_value::<sp_trie::LayoutV1<Blake2Hasher>, _>(
            nodes,
            &root,
            key,
            Some(&mut recorder),
            None,
        );
        read.unwrap();
    }
    let drained = recorder.drain();
    let unique: std::collections::BTreeSet<_> =
        drained.into_iter().map(|record| record.data).collect();
    unique.into_iter().collect()
}

fn values() -> Values {
    let long = |byte: u8, bytes: usize| vec![byte; bytes];
    [
        (b"a".to_vec(), long(1, 1)),
        (b"ab".to_vec(), long(2, 32)),
        (b"abc".to_vec(), long(3, 33)),
        (b"abd".to_vec(), long(4, 4_000)),
        (b"b".to_vec(), long(5, 0)),
        ([&b"b"[..], &[7; 200]].concat(), long(6, 70)),
    ]
    .into()
}

#[test]
fn what_the_state_has_is_proven_and_what_it_has_not_too() {
    let values = values();
    let absent: [&[u8]; 5] = [b"", b"c", b"abe", b"abcd", b"b\x07"];
    let keys: Vec<&[u8]> = values.keys().map(Vec::as_slice).chain(absent).collect();
    let (root, nodes) = nodes_for(&values, &keys);
    let proof = TrieProof::new(root, nodes).unwrap();
    for (key, value) in &values {
        assert_eq!(proof.get(key).unwrap(), Some(&value[..]), "{key:?}");
    }
    for key in absent {
        assert_eq!(proof.get(key).unwrap(), None, "{key:?}");
    }
}

#[test]
fn a_state_of_nothing_proves_that_there_is_nothing() {
    let root = hash(&[0]);
    let proof = TrieProof::new(root, [vec![0]]).unwrap();
    assert_eq!(proof.get(b"a").unwrap(), None);
}

#[test]
fn a_value_is_read_whole_or_not_at_all() {
    let values: Values = [(b"n".to_vec(), 7_u64.encode()), (b"m".to_vec(), vec![1; 9])].into();
    let (root, nodes) = nodes_for(&values, &[b"n", b"m"]);
    let proof = TrieProof::new(root, nodes).unwrap();
    assert_eq!(proof.value::<u64>(b"n").unwrap(), Some(7));
    assert_eq!(proof.value::<u64>(b"o").unwrap(), None);
    let trailing = proof.value::<u64>(b"m").unwrap_err();
    assert!(matches!(
        trailing,
        ValueFault::Malformed(Malformed::Trailing { bytes: 1, .. })
    ));
    let cut = proof.value::<[u64; 2]>(b"m").unwrap_err();
    assert!(matches!(
        cut,
        ValueFault::Malformed(Malformed::Broken { .. })
    ));
}

#[test]
fn a_proof_of_another_tree_of_the_same_shape_proves_nothing() {
    let (root, nodes) = nodes_for(&values(), &[b"abc"]);
    let mut others = values();
    others.insert(b"abc".to_vec(), vec![9; 33]);
    let (other_root, other_nodes) = nodes_for(&others, &[b"abc"]);
    assert_eq!(other_nodes.len(), nodes.len());
    let other = TrieProof::new(root, other_nodes.clone());
    assert_eq!(other, Err(TrieFault::OtherState));
    // With the true root put in beside them, the rest leads nowhere.
    let true_root = nodes.iter().find(|node| hash(node) == root).unwrap();
    let mixed = other_nodes.into_iter().chain([true_root.clone()]);
    let mixed = TrieProof::new(root, mixed).unwrap();
    assert_eq!(mixed.get(b"abc"), Err(ValueFault::Missing));
    assert_ne!(root, other_root);
}

#[test]
fn a_proof_that_lacks_a_node_says_so_and_never_that_there_is_nothing() {
    let keys: [&[u8]; 2] = [b"abd", b"abe"];
    let (root, nodes) = nodes_for(&values(), &keys);
    for left_out in 0..nodes.len() {
        let mut some = nodes.clone();
        let is_root = hash(&some.remove(left_out)) == root;
        match TrieProof::new(root, some) {
            Err(fault) => assert!(is_root && fault == TrieFault::OtherState),
            Ok(proof) => assert_eq!(proof.get(b"abd"), Err(ValueFault::Missing)),
        }
    }
}

#[test]
fn nodes_that_are_there_twice_or_too_many_or_too_long_are_refused() {
    let (root, nodes) = nodes_for(&values(), &[b"abd"]);
    let twice = nodes.iter().chain(&nodes[..1]).cloned();
    assert_eq!(TrieProof::new(root, twice), Err(TrieFault::Twice));
    let crowd = (0..=TRIE_NODES_MAX as u64).map(|number| number.encode());
    let crowd = TrieProof::new(root, crowd);
    assert!(matches!(crowd, Err(TrieFault::TooMany { .. })));
    let long = TrieProof::new(root, [vec![0; TRIE_NODE_BYTES_MAX + 1]]);
    assert!(matches!(long, Err(TrieFault::TooLong { .. })));
    let halves = [vec![0; TRIE_NODE_BYTES_MAX], vec![1; TRIE_NODE_BYTES_MAX]];
    let long = TrieProof::new(root, halves.into_iter().chain([vec![2]]));
    assert!(matches!(long, Err(TrieFault::TooLong { .. })));
}

#[test]
fn nodes_that_are_cut_off_or_of_no_kind_are_named() {
    let (_, nodes) = nodes_for(&values(), &[b"abd", b"b"]);
    for node in nodes.iter().filter(|node| node.len() < 1_000) {
        for cut in 0..node.len() {
            let root = hash(&node[..cut]);
            let proof = TrieProof::new(root, [node[..cut].to_vec()]).unwrap();
            // Whatever it reads as, it is no panic; what the whole node names is not found in it.
            assert_ne!(proof.get(b"abd").ok().flatten(), Some(&[4; 4_000][..]));
        }
    }
    let unknown = TrieProof::new(hash(&[1]), [vec![1]]).unwrap();
    assert!(matches!(unknown.get(b""), Err(ValueFault::Node { .. })));
    let unfilled = vec![0b0100_0001, 0x12, 0];
    let unfilled = TrieProof::new(hash(&unfilled), [unfilled]).unwrap();
    assert!(matches!(unfilled.get(b""), Err(ValueFault::Node { .. })));
}

proptest! {
    #[test]
    fn every_state_that_the_sdk_builds_is_read_as_the_sdk_reads_it(
        values in proptest::collection::btree_map(
            proptest::collection::vec(0_u8..4, 0..6),
            proptest::collection::vec(any::<u8>(), 0..80),
            0..40,
        ),
        asked in proptest::collection::vec(proptest::collection::vec(0_u8..4, 0..6), 1..8),
        is_newer in any::<bool>(),
    ) {
        let (nodes, root) = state(&values, is_newer);
        let keys: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
        if !values.is_empty() {
            let proof = TrieProof::new(root.0, recorded(&nodes, root, &keys)).unwrap();
            for key in &asked {
                prop_assert_eq!(proof.get(key).unwrap(), values.get(key).map(Vec::as_slice));
            }
        }
    }

    #[test]
    fn any_bytes_as_a_node_are_read_without_a_panic(
        node in proptest::collection::vec(any::<u8>(), 0..200),
        key in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let proof = TrieProof::new(hash(&node), [node]).unwrap();
        let _ = proof.get(&key);
    }
}
