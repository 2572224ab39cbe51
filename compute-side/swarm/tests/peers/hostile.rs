//! Peers that speak the wire and nothing else that is right.

use crate::group::{Group, LONG, name, seed, until, until_merged};
use codec::Encode as _;
use quern_network::{
    Mesh, MeshConfig, MeshEvent, MeshHandle, Wire,
    mesh::{Answer, Voice},
};
use quern_primitives::{
    Digest,
    ids::GenesisHash,
    payload::{DeviceKey, Signed},
};
use quern_shards::chunks::ChunkTree;
use quern_swarm::Peer;
use quern_swarm_rules::message::{
    Chunk, Claimed, Fetch, Hello, Made, Message, PIECE_PROTOCOL, PROTOCOL, VERSION, Word,
};
use tokio::{sync::mpsc, time::timeout};

/// Takes and says whatever there is.
const ANYTHING: Wire = Wire {
    talk: PROTOCOL,
    content: PIECE_PROTOCOL,
    said_bytes_max: |_| Some(1 << 20),
    question_bytes_max: 1 << 20,
    answer_bytes_max: 1 << 20,
};

/// A peer whose every byte is chosen by a test.
struct Raw {
    mesh: MeshHandle,
    events: mpsc::Receiver<MeshEvent>,
    voice: Voice,
    key: DeviceKey,
    task: Digest,
}

impl Raw {
    /// One that is connected with a peer.
    async fn with(group: &Group, number: u8, peer: &Peer) -> Self {
        let config = MeshConfig {
            key_seed: seed(number),
            listen: vec![],
            links_max: 8,
            wire: ANYTHING,
        };
        let (mesh, mut events) = Mesh::start(config).await.unwrap();
        let address = peer.addresses()[0].as_str().parse().unwrap();
        mesh.dial(peer.name(), address);
        let voice = match timeout(LONG, events.recv()).await.unwrap().unwrap() {
            MeshEvent::Joined { voice, .. } => voice,
            other => panic!("expected a link, not {other:?}"),
        };
        Self {
            mesh,
            events,
            voice,
            key: DeviceKey::from_seed(&seed(number)),
            task: group.task.digest(),
        }
    }

    fn say(&self, message: &Message) {
        assert!(self.voice.say(message.encode()));
    }

    fn says_hello(&self) {
        self.say(&Message::Hello(Hello {
            task: self.task,
            version: VERSION,
            slots: 1,
        }));
    }

    /// Says that it made a piece that begins with these bytes.
    fn says_that_it_made(&self, piece: u32, bytes: &[u8]) -> Made {
        let made = Made {
            piece,
            bytes: bytes.len().try_into().unwrap(),
            root: ChunkTree::of(bytes).root(),
            by: self.key.id(),
        };
        let word: Signed<Made> = self.key.sign(made, &GenesisHash(self.task.0));
        self.say(&Message::Have(word));
        made
    }

    /// Waits until it is asked for a piece.
    async fn is_asked(&mut self) -> (Fetch, Answer) {
        loop {
            match timeout(LONG, self.events.recv()).await.unwrap().unwrap() {
                MeshEvent::Asked {
                    question, answer, ..
                } => return (Fetch::decode(&question).unwrap(), answer),
                MeshEvent::Left { .. } => panic!("it is disconnected"),
                _ => {}
            }
        }
    }

    /// Waits until it is disconnected.
    async fn is_dropped(&mut self) {
        let left = async {
            while let Some(event) = self.events.recv().await {
                if matches!(event, MeshEvent::Left { .. }) {
                    return;
                }
            }
        };
        timeout(LONG, left).await.expect("it is disconnected");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_a_rule_of_the_wire_is_disconnected_and_harms_nothing() {
    let group = Group::of(4, 1_000);
    let peer = group.start(1, &[]).await;
    let bitfield = |bytes: usize| Message::Bitfield(vec![0; bytes]).encode();
    let long_heard = Message::Heard(vec![word(1); 257]).encode();
    let cases: [(&str, Vec<Vec<u8>>); 8] = [
        ("a kind that there is not", vec![vec![200; 20]]),
        ("nothing", vec![vec![]]),
        ("garbage of a kind that there is", vec![vec![0; 30]]),
        ("no hello", vec![bitfield(1)]),
        (
            "a bitfield that is too long",
            vec![hello(&group), bitfield(2)],
        ),
        (
            "a message that is longer than any",
            vec![hello(&group), vec![1; 200_000]],
        ),
        ("too many words", vec![hello(&group), long_heard]),
        (
            "words that nobody signed",
            vec![hello(&group), Message::Heard(vec![word(2)]).encode()],
        ),
    ];
    let count = cases.len() as u64;
    for (number, (what, messages)) in (10..).zip(cases) {
        let mut raw = Raw::with(&group, number, &peer).await;
        for message in messages {
            assert!(raw.voice.say(message), "{what}");
        }
        raw.is_dropped().await;
    }
    until(&peer, "rid of all of them", |it| it.dropped == count).await;
    until_merged(&peer).await;
    group.assert_output_right(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_other_bytes_than_it_announced_is_disconnected_and_they_are_not_kept() {
    // Whoever computes is not there yet, so each piece that is announced is wanted. Two pieces are announced by
    // nobody.
    let group = Group::of(6, 1_000);
    let (told, begin) = crate::group::begin();
    let config = quern_swarm::PeerConfig {
        begin,
        ..group.config(1, &[])
    };
    let peer = Peer::start(config).await.unwrap();
    let said = [7; 10_000];
    let tree = ChunkTree::of(&said);
    let chunk = |index: u32, bytes: &[u8]| {
        let path = tree.proof(index).unwrap().siblings;
        let bytes = bytes.to_vec();
        let chunk = index;
        Chunk { chunk, bytes, path }.encode()
    };
    let cases: [(&str, Vec<Vec<u8>>); 5] = [
        ("bytes of something else", vec![chunk(0, &[8; 4_096])]),
        ("a chunk that is too long", vec![chunk(0, &[7; 8_192])]),
        ("a part that is longer than any", vec![vec![0; 100_000]]),
        ("another chunk", vec![chunk(1, &said[4_096..8_192])]),
        ("no chunk", vec![vec![255; 50]]),
    ];
    let count = cases.len() as u64;
    for (number, (what, parts)) in (20..).zip(cases) {
        let mut raw = Raw::with(&group, number, &peer).await;
        raw.says_hello();
        raw.say(&Message::Bitfield(vec![0]));
        let made = raw.says_that_it_made(u32::from(number) % 4, &said);
        let (fetch, mut answer) = raw.is_asked().await;
        assert_eq!((fetch.piece, fetch.root), (made.piece, made.root), "{what}");
        for part in parts {
            // It may have heard enough before.
            let _ = answer.part(&part).await;
        }
        let _ = answer.end().await;
        raw.is_dropped().await;
    }
    until(&peer, "rid of all of them", |it| it.dropped == count).await;
    told.send(()).unwrap();
    until_merged(&peer).await;
    group.assert_output_right(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_claims_and_makes_up_everything_spoils_nothing() {
    let group = Group::of(6, 1_000);
    let (told, begin) = crate::group::begin();
    let config = quern_swarm::PeerConfig {
        begin,
        ..group.config(1, &[])
    };
    let peer = Peer::start(config).await.unwrap();
    let mut raw = Raw::with(&group, 30, &peer).await;
    raw.says_hello();
    raw.say(&Message::Bitfield(vec![0]));
    let garbage = b"garbage";
    for piece in 0..3 {
        raw.says_that_it_made(piece, garbage);
        let (_, mut answer) = raw.is_asked().await;
        let chunk = Chunk {
            chunk: 0,
            bytes: garbage.to_vec(),
            path: vec![],
        };
        answer.part(&chunk.encode()).await.unwrap();
        answer.end().await.unwrap();
    }
    for (number, piece) in (1..).zip(3..6) {
        raw.say(&Message::Claim(claim(&raw, piece, number)));
    }
    until(&peer, "full of garbage", |it| it.stored == 3).await;
    told.send(()).unwrap();
    // It is caught by the first of its pieces that is computed again.
    raw.is_dropped().await;
    until_merged(&peer).await;
    group.assert_output_right(1);
    // Whom it has caught it lets in no more.
    assert!(peer.status().borrow().dropped > 0);
    raw.mesh.shutdown().await;
}

fn hello(group: &Group) -> Vec<u8> {
    let task = group.task.digest();
    Message::Hello(Hello {
        task,
        version: VERSION,
        slots: 1,
    })
    .encode()
}

/// A word that is not signed by whom it names.
fn word(number: u8) -> Word {
    let made = Made {
        piece: 0,
        bytes: 1,
        root: Digest([number; 32]),
        by: name(number),
    };
    Word::Made(DeviceKey::from_seed(&seed(99)).sign(made, &GenesisHash([0; 32])))
}

fn claim(raw: &Raw, piece: u32, number: u64) -> Signed<Claimed> {
    let claimed = Claimed {
        piece,
        slot: 0,
        number,
        ttl_ms: 600_000,
        by: raw.key.id(),
    };
    raw.key.sign(claimed, &GenesisHash(raw.task.0))
}
