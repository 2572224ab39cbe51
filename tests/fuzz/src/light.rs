//! Proofs of the chain: nothing that a node says is believed without one, so whoever asks a node, or is
//! given a file with its proofs, decodes a stranger's bytes.

use crate::{Decoder, honest, memory, oracle};
use codec::{DecodeAll as _, Encode};
use quern_light::{
    AuthorityId, AuthoritySet, BlockHash, ChainProof, DigestItem, Finality, Follower, Header,
    Justification, Stretch, TrieProof, Trust,
};
use quern_primitives::GenesisHash;
use sp_core::{Blake2Hasher, Hasher as _};
use std::fmt::Debug;

mod world;

use world::{CHANGE, FIRST, KEYS, LINE, OTHERS, PROOF, SIGNED, VALUES, VOTERS};

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "header",
        check: header,
        seeds: headers,
    },
    Decoder {
        name: "justification",
        check: justification,
        seeds: justifications,
    },
    Decoder {
        name: "altered justification",
        check: altered_justification,
        seeds: || vec![vec![0, 0], vec![90, 1], vec![255, 255]],
    },
    Decoder {
        name: "proof of finality",
        check: finality,
        seeds: finalities,
    },
    Decoder {
        name: "validators",
        check: validators,
        seeds: || vec![VOTERS.listed().encode(), world::FORMER.listed().encode()],
    },
    Decoder {
        name: "state",
        check: state,
        seeds: states,
    },
    Decoder {
        name: "state of a stranger",
        check: state_of_a_stranger,
        seeds: states,
    },
    Decoder {
        name: "chain proof",
        check: chain_proof,
        seeds: || vec![written()],
    },
    Decoder {
        name: "altered chain proof",
        check: altered_chain_proof,
        seeds: || vec![vec![20, 0, 7], vec![0, 4, 1], vec![255, 255, 12]],
    },
];

/// What is read is written as it came, and no other bytes stand for it.
fn read<T: Encode + Debug, E>(bytes: &[u8], reader: impl Fn(&[u8]) -> Result<T, E>) -> Option<T> {
    let (read, held) = memory::most(|| reader(bytes).ok());
    oracle::held_no_more_than_given(held, bytes);
    let read = read?;
    assert_eq!(read.encode(), bytes, "a second encoding of {read:?}");
    oracle::one_encoding(bytes, |other| reader(other).is_ok());
    Some(read)
}

/// A header is no child of itself, and the validators whom it tells of have the next number.
fn header(bytes: &[u8]) {
    let Some(header) = read(bytes, Header::read) else {
        return;
    };
    assert_eq!(header.hash().0, Blake2Hasher::hash(bytes).0);
    assert!(header.line(std::slice::from_ref(&header)).is_err());
    let set = VOTERS.set();
    if let Ok(Some(next)) = set.after(&header) {
        assert_eq!(Some(next.id()), set.id().checked_add(1));
        assert!(!next.is_empty() && next.threshold() > 0);
        let consensus = |item: &DigestItem| matches!(item, DigestItem::Consensus(..));
        assert!(header.digest.iter().any(consensus));
    }
}

fn headers() -> Vec<Vec<u8>> {
    let mut long = FIRST.clone();
    long.digest = vec![
        DigestItem::PreRuntime(*b"BABE", vec![4; 21]),
        DigestItem::Consensus(*b"FRNK", vec![4, 7, 0, 0, 0]),
        DigestItem::RuntimeEnvironmentUpdated,
        DigestItem::Other(vec![]),
        DigestItem::Seal(*b"BABE", vec![6; 64]),
    ];
    let headers = [&*FIRST, &*CHANGE, &LINE[0], &long];
    headers.map(Encode::encode).into()
}

/// A block that nobody voted for.
fn unsigned() -> Header {
    Header {
        extrinsics_root: [77; 32],
        ..LINE[1].clone()
    }
}

/// Whoever shows what, the validators made no block final but those that lead to the one they signed.
fn justification(bytes: &[u8]) {
    if let Some(found) = read(bytes, Justification::read) {
        makes_nothing_else_final(&found);
    }
}

fn makes_nothing_else_final(found: &Justification) {
    let set = VOTERS.set();
    for header in [&unsigned(), &*FIRST, &*CHANGE] {
        assert!(found.check(header, &set).is_err(), "{found:?}");
    }
    for set in OTHERS.iter() {
        for header in LINE.iter() {
            assert!(found.check(header, set).is_err(), "{found:?}");
        }
    }
    for header in LINE.iter() {
        // Of the votes that there are each is for the last.
        let is_final = found.check(header, &set).is_ok();
        let votes = found.precommits.iter();
        let mut targets = votes.map(|vote| vote.target);
        assert!(!is_final || targets.all(|target| target == LINE[1].hash()));
    }
}

fn justifications() -> Vec<Vec<u8>> {
    let whole = SIGNED.clone();
    let mut few = whole.clone();
    few.precommits.truncate(3);
    let mut twice = whole.clone();
    twice.precommits.extend(whole.precommits.first().cloned());
    [whole, few, twice].iter().map(Encode::encode).collect()
}

fn altered_justification(bytes: &[u8]) {
    let [low, high, ..] = bytes else {
        return;
    };
    let honest = SIGNED.encode();
    if let Ok(altered) = Justification::read(&honest::turned_over(&honest, [*low, *high])) {
        let checked = altered.check(&LINE[1], &VOTERS.set());
        assert!(checked.is_err(), "{altered:?}");
    }
}

/// A block is final if it leads to the one that was signed.
fn finality(bytes: &[u8]) {
    let Some(found) = read(bytes, Finality::read) else {
        return;
    };
    let follower = Follower::new(VOTERS.set(), CHANGE.number);
    for header in [&unsigned(), &*FIRST, &*CHANGE] {
        assert!(follower.finality(header, &found).is_err(), "{found:?}");
    }
    if follower.finality(&LINE[0], &found).is_ok() {
        let last = found.headers.last().unwrap_or(&LINE[0]);
        assert!(LINE.contains(last), "{found:?}");
    }
}

fn finalities() -> Vec<Vec<u8>> {
    let of = |headers: &[Header]| {
        let finality = Finality {
            block: LINE[1].hash(),
            justification: SIGNED.encode(),
            headers: headers.to_vec(),
        };
        finality.encode()
    };
    vec![of(&LINE[1..]), of(&[])]
}

/// A set has each validator once, and more than two thirds of their weight make a block final.
fn validators(bytes: &[u8]) {
    let (read, held) = memory::most(|| AuthoritySet::read(1, bytes));
    oracle::held_no_more_than_given(held, bytes);
    let Ok(set) = read else {
        return;
    };
    oracle::one_encoding(bytes, |other| AuthoritySet::read(1, other).is_ok());
    let listed = Vec::<(AuthorityId, u64)>::decode_all(&mut &bytes[..]);
    let listed = listed.unwrap_or_default();
    assert_eq!(listed.len(), set.len());
    let is_there = |(id, weight): &(_, u64)| set.weight(id) == Some(*weight);
    assert!(listed.iter().all(is_there), "{set:?}");
    let all: u128 = listed.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let most = u128::from(set.threshold());
    assert!(most * 3 > all * 2 && most <= all, "{set:?}");
    assert!((most - 1) * 3 <= all * 2, "{set:?}");
}

/// Nodes, one behind the other as the codec lists them. Those of the honest state prove the values that
/// are there; others prove nothing of it.
fn state(bytes: &[u8]) {
    let Some(nodes) = nodes(bytes) else {
        return;
    };
    let root = LINE[0].state_root;
    if let Ok(proof) = TrieProof::new(root, nodes) {
        tells_the_truth(|key| proof.get(key).ok().map(|found| found.map(<[u8]>::to_vec)));
        // What is said to be all there is, is.
        if let Ok(all) = proof.entries(&ALL, VALUES.len()) {
            let all: Vec<_> = all
                .into_iter()
                .map(|(key, it)| (key, it.to_vec()))
                .collect();
            assert_eq!(all, VALUES.clone().into_iter().collect::<Vec<_>>());
        }
    }
}

/// Every key.
const ALL: Stretch<'static> = Stretch {
    prefix: &[],
    after: None,
    up_to: None,
};

/// Of each key it tells nothing, or what is there.
fn tells_the_truth(get: impl Fn(&[u8]) -> Option<Option<Vec<u8>>>) {
    for key in KEYS.iter() {
        if let Some(found) = get(key) {
            assert_eq!(found.as_ref(), VALUES.get(key), "{key:02x?}");
        }
    }
}

fn nodes(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    Vec::<Vec<u8>>::decode_all(&mut &bytes[..]).ok()
}

/// The first node is the root of a state that a stranger made up. It tells the same in whatever order
/// its nodes come, and holds no more than they.
fn state_of_a_stranger(bytes: &[u8]) {
    let Some(nodes) = nodes(bytes) else {
        return;
    };
    let Some(root) = nodes.first().map(|first| Blake2Hasher::hash(first).0) else {
        return;
    };
    let given = nodes.concat();
    let turned = TrieProof::new(root, nodes.iter().rev().cloned());
    let (proof, held) = memory::most(|| TrieProof::new(root, nodes));
    oracle::held_no_more_than_given(held, bytes);
    assert_eq!(proof, turned);
    let Ok(proof) = proof else {
        return;
    };
    let short: [&[u8]; 3] = [&[], &[0], &[0x12, 0x34]];
    for key in KEYS.iter().map(Vec::as_slice).chain(short) {
        let (found, held) = memory::most(|| proof.get(key));
        oracle::held_no_more_than_given(held, &given);
        match found {
            Ok(Some(value)) => {
                assert!(value.is_empty() || given.windows(value.len()).any(|part| part == value))
            }
            Ok(None) => (),
            Err(fault) => assert!(!fault.to_string().is_empty()),
        }
        let _ = proof.value::<u64>(key);
    }
    if let Ok(all) = proof.entries(&ALL, MOST) {
        assert!(all.is_sorted_by(|(before, _), (after, _)| before < after));
        for (key, value) in all {
            assert_eq!(proof.get(&key), Ok(Some(value)), "{key:02x?}");
        }
    }
}

/// Values of a made up state that are looked at.
const MOST: usize = 64;

fn states() -> Vec<Vec<u8>> {
    let asked = [&KEYS[..], &KEYS[..1]];
    let nodes = asked.map(|keys| {
        let (root, mut nodes) = world::nodes_for(&VALUES, keys);
        nodes.sort_by_key(|node| Blake2Hasher::hash(node).0 != root);
        nodes.encode()
    });
    nodes.into()
}

fn written() -> Vec<u8> {
    serde_json::to_vec(&*PROOF).unwrap_or_default()
}

fn chain_proof(bytes: &[u8]) {
    if let Some(proof) = oracle::json::<ChainProof>(bytes) {
        proves_the_truth(&proof);
    }
}

/// From the chain's first block, and from the last one, only the one block's state is proven, and of it
/// what is there. Returns whether all of it is.
fn proves_the_truth(proof: &ChainProof) -> bool {
    let genesis = GenesisHash(FIRST.hash().0);
    let trusts = [Trust::Genesis(genesis), Trust::Header(LINE[1].hash())];
    let proven = trusts.map(|trust| proof.check(trust));
    for proven in proven.iter().flatten() {
        assert_eq!(proven.header, LINE[0]);
        tells_the_truth(|key| {
            proven
                .bytes(key)
                .ok()
                .map(|found| found.map(<[u8]>::to_vec))
        });
    }
    let nobodys = Trust::Header(BlockHash([1; 32]));
    assert!(proof.check(nobodys).is_err());
    let [signed, _] = proven;
    signed.is_ok_and(|proven| KEYS.iter().all(|key| proven.bytes(key).is_ok()))
}

/// The honest proof as JSON, of which the input names a character, and the digit that stands there
/// instead: it proves less, unless it is the same.
fn altered_chain_proof(bytes: &[u8]) {
    let [low, high, digit, ..] = bytes else {
        return;
    };
    let mut text = written();
    let at = usize::from(u16::from_le_bytes([*low, *high])) % text.len().max(1);
    if let Some(character) = text.get_mut(at) {
        *character = b"0123456789abcdef"[usize::from(digit % 16)];
    }
    if let Ok(altered) = serde_json::from_slice::<ChainProof>(&text) {
        let all = proves_the_truth(&altered);
        assert_eq!(all, altered == *PROOF, "{altered:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_honest_proof_proves_all_of_its_values() {
        assert!(proves_the_truth(&PROOF));
        assert!(written().len() < crate::INPUT_BYTES_MAX);
        assert!(VALUES.len() < KEYS.len(), "one key has no value");
        let set = VOTERS.set();
        assert_eq!(SIGNED.check(&LINE[1], &set), Ok(()));
        let next = world::FORMER.set().after(&CHANGE);
        assert_eq!(next, Ok(Some(set)));
        assert_eq!(LINE[0].line(&LINE[1..]), Ok(()));
    }

    #[test]
    fn no_digit_of_a_proof_can_be_another() {
        let length = u16::try_from(written().len()).unwrap_or(u16::MAX);
        for at in 0..length {
            let [low, high] = at.to_le_bytes();
            altered_chain_proof(&[low, high, at.to_le_bytes()[0] % 16]);
        }
        for bit in 0..2_048u16 {
            altered_justification(&bit.to_le_bytes());
        }
    }
}
