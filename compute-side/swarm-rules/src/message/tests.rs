use super::*;
use crate::keys::Keys;
use codec::Encode;
use quern_primitives::{
    ids::GenesisHash,
    payload::{DeviceKey, SignedPayload},
};

const TASK: GenesisHash = GenesisHash([3; 32]);

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed(&[seed; 32])
}

fn words() -> [Word; 3] {
    let (me, other) = (key(1).id(), key(2).id());
    let root = Digest([9; 32]);
    let made = Made {
        piece: 4,
        bytes: 100,
        root,
        by: me,
    };
    let claimed = Claimed {
        piece: 4,
        slot: 0,
        number: u64::MAX,
        ttl_ms: 1_000,
        by: me,
    };
    let statement = Statement {
        piece: 4,
        root,
        of: other,
        holds: true,
        by: me,
    };
    [
        Word::Made(key(1).sign(made, &TASK)),
        Word::Claim(key(1).sign(claimed, &TASK)),
        Word::Checked(key(1).sign(statement, &TASK)),
    ]
}

fn longest() -> Vec<Message> {
    let bits = vec![0xff; 128 * 1024];
    let all = Resend {
        bitfield: true,
        made_but: Some(bits.clone()),
        claims: u16::MAX,
        statements: u16::MAX,
    };
    let [Word::Made(made), Word::Claim(claim), Word::Checked(checked)] = words() else {
        return vec![];
    };
    vec![
        Message::Hello(Hello {
            task: Digest([1; 32]),
            version: VERSION,
            slots: 64,
        }),
        Message::Bitfield(bits),
        Message::Have(made),
        Message::Claim(claim),
        Message::Checked(checked),
        Message::Heard(vec![Word::Checked(checked); limits::WORDS_PER_MESSAGE_MAX]),
        Message::Compare(Sums {
            has: u64::MAX,
            made: 0,
            claims: [1; BUCKETS],
            statements: [2; BUCKETS],
        }),
        Message::Resend(all),
        Message::Peers(vec![vec![b'/'; 256]; limits::ADDRESSES_PER_MESSAGE_MAX]),
    ]
}

#[test]
fn the_longest_message_of_each_kind_passes_and_has_one_encoding() {
    for (kind, message) in (0..).zip(longest()) {
        let mut bytes = message.encode();
        assert_eq!(bytes[0], kind, "the limits are in another order");
        assert!(bytes.len() <= Message::bytes_max(kind).unwrap());
        assert_eq!(Message::decode(&bytes), Ok(message));
        bytes.push(0);
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Malformed));
        bytes.truncate(bytes.len() - 2);
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Malformed));
    }
    assert_eq!(Message::bytes_max(9), None);
    assert_eq!(Message::decode(&[]), Err(DecodeError::Malformed));
    assert_eq!(Message::decode(&[200]), Err(DecodeError::Malformed));
}

#[test]
fn what_is_longer_than_its_kind_may_be_is_refused_before_it_is_read() {
    for kind in 0..9 {
        let limit = Message::bytes_max(kind).unwrap();
        let mut bytes = vec![0xff; limit + 1];
        bytes[0] = kind;
        let bytes_found = bytes.len();
        let error = DecodeError::Long {
            bytes: bytes_found,
            limit,
        };
        assert_eq!(Message::decode(&bytes), Err(error));
    }
}

#[test]
fn lists_keep_their_limits() {
    let heard = Message::Heard(vec![words()[1]; limits::WORDS_PER_MESSAGE_MAX + 1]);
    let peers = Message::Peers(vec![vec![]; limits::ADDRESSES_PER_MESSAGE_MAX + 1]);
    let long = Message::Peers(vec![vec![b'/'; 257]]);
    for (message, field) in [(heard, "heard"), (peers, "peers"), (long, "peers.address")] {
        let error = Message::decode(&message.encode()).unwrap_err();
        assert!(matches!(error, DecodeError::OverLimit { field: found, .. } if found == field));
    }
    let chunk = Chunk {
        chunk: 0,
        bytes: vec![0; limits::CHUNK_BYTES_MAX],
        path: vec![Digest([0; 32]); limits::CHUNK_PATH_MAX],
    };
    assert_eq!(Chunk::decode(&chunk.encode()), Ok(chunk.clone()));
    let mut longer = chunk.clone();
    longer.bytes.push(0);
    assert!(Chunk::decode(&longer.encode()).is_err());
    let mut deeper = chunk;
    deeper.path.push(Digest([0; 32]));
    assert!(Chunk::decode(&deeper.encode()).is_err());
    let fetch = Fetch {
        piece: 1,
        root: Digest([2; 32]),
        from: 3,
    };
    assert_eq!(Fetch::decode(&fetch.encode()), Ok(fetch));
}

#[test]
fn a_word_is_its_signer_s_in_its_task_and_for_its_purpose_only() {
    let [Word::Made(made), ..] = words() else {
        panic!("it is a maker's");
    };
    let (me, other) = (key(1).id(), key(2).id());
    assert!(key(3).holds(&made, &me, &TASK));
    assert!(!key(3).holds(&made, &other, &TASK));
    assert!(!key(3).holds(&made, &me, &GenesisHash([4; 32])));
    let mut altered = made;
    altered.payload.bytes += 1;
    assert!(!key(3).holds(&altered, &me, &TASK));
    let domains = [Made::DOMAIN, Claimed::DOMAIN, Statement::DOMAIN];
    assert!(domains.iter().all(|it| it.starts_with("quern/swarm-")));
    assert!(domains[0] != domains[1] && domains[1] != domains[2] && domains[0] != domains[2]);
}
