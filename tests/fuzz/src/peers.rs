//! What peers of a swarm say to each other.

use crate::{Decoder, memory, oracle};
use codec::Encode;
use quern_primitives::{
    Digest,
    ids::GenesisHash,
    payload::{DeviceKey, Signed},
};
use quern_swarm_rules::{
    Effect, Event, Keys, PeerId, Rules, Setup, Standing, Task, Tick, limits,
    message::{
        BUCKETS, Chunk, Claimed, Fetch, Hello, Made, Message, Resend, Statement, Sums, VERSION,
        Word,
    },
};
use std::{collections::BTreeSet, sync::LazyLock};

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "message",
        check: message,
        seeds: || messages().iter().map(Encode::encode).collect(),
    },
    Decoder {
        name: "question for a piece",
        check: fetch,
        seeds: || vec![question().encode()],
    },
    Decoder {
        name: "chunk of a piece",
        check: chunk,
        seeds: || vec![a_chunk().encode()],
    },
    Decoder {
        name: "talk of strangers",
        check: talk,
        seeds: || vec![spoken(&messages())],
    },
];

const TASK: Task = Task {
    digest: Digest([0x22; 32]),
    pieces: 20,
    piece_bytes_max: 1 << 20,
    is_exact: true,
};
const GENESIS: GenesisHash = GenesisHash([0x22; 32]);

static PEER: LazyLock<DeviceKey> = LazyLock::new(|| DeviceKey::from_seed(&[7; 32]));

fn message(bytes: &[u8]) {
    let (decoded, held) = memory::most(|| Message::decode(bytes));
    oracle::held_no_more_than_given(held, bytes);
    let message = match decoded {
        Ok(message) => message,
        Err(error) => return assert!(!error.to_string().is_empty(), "refused without a word"),
    };
    assert_eq!(message.encode(), bytes, "a second encoding of {message:?}");
    oracle::one_encoding(bytes, |other| Message::decode(other).is_ok());
    let limit = bytes.first().and_then(|kind| Message::bytes_max(*kind));
    assert!(limit.is_some_and(|limit| bytes.len() <= limit));
    match message {
        Message::Have(word) => signed_by_whom_it_names(&Word::Made(word)),
        Message::Claim(word) => signed_by_whom_it_names(&Word::Claim(word)),
        Message::Checked(word) => signed_by_whom_it_names(&Word::Checked(word)),
        Message::Heard(words) => {
            assert!(words.len() <= limits::WORDS_PER_MESSAGE_MAX);
            words.iter().for_each(signed_by_whom_it_names);
        }
        Message::Peers(peers) => {
            assert!(peers.len() <= limits::ADDRESSES_PER_MESSAGE_MAX);
        }
        _ => {}
    }
}

/// A word passes as the honest peer's only if that peer signed it, and then it is one of its own.
fn signed_by_whom_it_names(word: &Word) {
    let me = PEER.id();
    let holds = match word {
        Word::Made(word) => PEER.holds(word, &me, &GENESIS),
        Word::Claim(word) => PEER.holds(word, &me, &GENESIS),
        Word::Checked(word) => PEER.holds(word, &me, &GENESIS),
    };
    assert!(!holds || words().contains(word), "nobody signed {word:?}");
}

fn fetch(bytes: &[u8]) {
    if let Ok(question) = Fetch::decode(bytes) {
        assert_eq!(question.encode(), bytes);
        oracle::one_encoding(bytes, |other| Fetch::decode(other).is_ok());
    }
}

fn chunk(bytes: &[u8]) {
    let (decoded, held) = memory::most(|| Chunk::decode(bytes));
    oracle::held_no_more_than_given(held, bytes);
    if let Ok(chunk) = decoded {
        assert_eq!(chunk.encode(), bytes);
        assert!(chunk.bytes.len() <= limits::CHUNK_BYTES_MAX);
        assert!(chunk.path.len() <= limits::CHUNK_PATH_MAX);
        oracle::one_encoding(bytes, |other| Chunk::decode(other).is_ok());
    }
}

/// Two strangers say things: each message has before it whose it is and, in two bytes, its length. Whatever
/// it is, nobody is vouched for by words alone, and nothing is merged.
fn talk(bytes: &[u8]) {
    let strangers = [8u8, 9].map(|seed| DeviceKey::from_seed(&[seed; 32]).id());
    let mut rules = Rules::new(
        PEER.clone(),
        Setup {
            task: TASK,
            slots: 2,
            trusted: BTreeSet::new(),
            first_number: 1,
            seed: 1,
            held: vec![],
            said: vec![],
        },
    );
    let mut now = 0;
    let mut connected: BTreeSet<PeerId> = strangers.into();
    for peer in strangers {
        rules.step(Tick(now), Event::Joined { peer, opened: true });
    }
    let mut rest = bytes;
    while let [who, low, high, behind @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(behind.len());
        let (said, next) = behind.split_at(length);
        rest = next;
        now += u64::from(*who) * 10;
        let peer = strangers[usize::from(who % 2)];
        let event = match Message::decode(said) {
            Ok(message) => Event::Said(peer, message),
            Err(error) => Event::Garbled(peer, error),
        };
        let effects = rules.step(Tick(now), event);
        assert!(rules.next_wakeup().is_none_or(|it| it > Tick(now)));
        for effect in effects {
            let is_early = matches!(effect, Effect::Merge | Effect::Store { .. });
            assert!(
                !is_early,
                "nothing came, and nothing was computed: {effect:?}"
            );
            match effect {
                Effect::Send(_, message) => {
                    assert_eq!(Message::decode(&message.encode()), Ok(message));
                }
                Effect::Drop(peer, _) if connected.remove(&peer) => {
                    rules.step(Tick(now), Event::Left(peer));
                }
                _ => {}
            }
        }
        assert!(
            strangers
                .iter()
                .all(|it| rules.standing(it) != Standing::Vouched)
        );
    }
}

fn spoken(messages: &[Message]) -> Vec<u8> {
    let said = messages.iter().flat_map(|message| {
        let bytes = message.encode();
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
        [&[0, length[0], length[1]], bytes.as_slice()].concat()
    });
    said.collect()
}

fn words() -> [Word; 3] {
    let me = PEER.id();
    let root = Digest([3; 32]);
    let signed: (Signed<Made>, Signed<Claimed>, Signed<Statement>) = (
        PEER.sign(
            Made {
                piece: 4,
                bytes: 65_536,
                root,
                by: me,
            },
            &GENESIS,
        ),
        PEER.sign(
            Claimed {
                piece: 5,
                slot: 0,
                number: 1_700_000_000_000,
                ttl_ms: 30_000,
                by: me,
            },
            &GENESIS,
        ),
        PEER.sign(
            Statement {
                piece: 6,
                root,
                of: PeerId::from([5; 32]),
                holds: true,
                by: me,
            },
            &GENESIS,
        ),
    );
    [
        Word::Made(signed.0),
        Word::Claim(signed.1),
        Word::Checked(signed.2),
    ]
}

fn messages() -> Vec<Message> {
    const ADDRESS: &str =
        "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWAHoEkEqnKzM5PXFygh2movVBCSX3k8tDsT2cneU68Gyt";
    let hello = Hello {
        task: TASK.digest,
        version: VERSION,
        slots: 2,
    };
    let sums = Sums {
        has: 1,
        made: 2,
        claims: [3; BUCKETS],
        statements: [4; BUCKETS],
    };
    let resend = Resend {
        bitfield: true,
        made_but: Some(vec![0xff, 0, 1]),
        claims: 5,
        statements: 0x8000,
    };
    let single = words().map(|word| match word {
        Word::Made(word) => Message::Have(word),
        Word::Claim(word) => Message::Claim(word),
        Word::Checked(word) => Message::Checked(word),
    });
    let [have, claim, checked] = single;
    vec![
        Message::Hello(hello),
        Message::Bitfield(vec![0, 1, 0]),
        Message::Heard(words().to_vec()),
        have,
        claim,
        checked,
        Message::Compare(sums),
        Message::Resend(resend),
        Message::Peers(vec![ADDRESS.as_bytes().to_vec()]),
    ]
}

fn question() -> Fetch {
    Fetch {
        piece: 4,
        root: Digest([3; 32]),
        from: 0,
    }
}

fn a_chunk() -> Chunk {
    Chunk {
        chunk: 1,
        bytes: b"part of a piece".to_vec(),
        path: vec![Digest([1; 32]), Digest([2; 32])],
    }
}
