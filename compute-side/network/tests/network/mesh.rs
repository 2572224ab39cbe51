//! Equal peers over real loopback sockets.

use quern_network::{
    Mesh, MeshConfig, MeshEvent, MeshHandle, Multiaddr, Wire, device_of_seed,
    limits::MESH_CONTENT_STREAMS_MAX,
    mesh::{Answer, Link, Voice},
};
use quern_primitives::ids::DeviceId;
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(30);

const WIRE: Wire = Wire {
    talk: "/test/talk/1",
    content: "/test/content/1",
    said_bytes_max: |kind| (kind < 2).then_some(100),
    question_bytes_max: 10,
    answer_bytes_max: 100_000,
};

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

struct One {
    mesh: MeshHandle,
    events: mpsc::Receiver<MeshEvent>,
}

impl One {
    async fn at(seed: u8, listen: &str) -> Self {
        let config = MeshConfig {
            key_seed: [seed; 32],
            listen: vec![listen.parse().unwrap()],
            links_max: 8,
            wire: WIRE,
        };
        let (mesh, events) = Mesh::start(config).await.unwrap();
        Self { mesh, events }
    }

    fn address(&self) -> Multiaddr {
        self.mesh.listen_addresses()[0].clone()
    }

    fn dial(&self, other: &One) {
        self.mesh.dial(other.mesh.name(), other.address());
    }

    async fn next(&mut self) -> MeshEvent {
        let next = timeout(LONG, self.events.recv()).await;
        next.expect("something happens").expect("it runs")
    }

    async fn joined(&mut self) -> (DeviceId, Link, bool, Voice) {
        loop {
            match self.next().await {
                MeshEvent::Joined {
                    peer,
                    link,
                    opened,
                    voice,
                } => return (peer, link, opened, voice),
                MeshEvent::Found { .. } => {}
                other => panic!("expected a link, not {other:?}"),
            }
        }
    }

    async fn said(&mut self) -> (DeviceId, Vec<u8>) {
        loop {
            match self.next().await {
                MeshEvent::Said { peer, message, .. } => return (peer, message),
                MeshEvent::Found { .. } => {}
                other => panic!("expected words, not {other:?}"),
            }
        }
    }

    async fn asked(&mut self) -> (Vec<u8>, Answer) {
        loop {
            match self.next().await {
                MeshEvent::Asked {
                    question, answer, ..
                } => return (question, answer),
                MeshEvent::Found { .. } => {}
                other => panic!("expected a question, not {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn either_side_says_and_asks_over_tcp_and_over_quic() {
    for listen in [TCP, QUIC] {
        let (mut one, mut other) = (One::at(1, listen).await, One::at(2, listen).await);
        one.dial(&other);
        let (peer, _, opened, voice) = one.joined().await;
        assert_eq!((peer, opened), (other.mesh.name(), true));
        let (peer, _, opened, reply) = other.joined().await;
        assert_eq!((peer, opened), (device_of_seed([1; 32]), false));
        assert!(voice.say(vec![0, 1]) && voice.say(vec![1, 2]) && reply.say(vec![1, 3]));
        assert_eq!(other.said().await, (one.mesh.name(), vec![0, 1]));
        assert_eq!(other.said().await.1, [1, 2]);
        assert_eq!(one.said().await, (other.mesh.name(), vec![1, 3]));

        let name = one.mesh.name();
        let mut read = other.mesh.ask(&name, b"what").await.unwrap();
        let (question, mut answer) = one.asked().await;
        assert_eq!(question, b"what");
        answer.part(&[7; 90_000]).await.unwrap();
        answer.part(b"end").await.unwrap();
        answer.end().await.unwrap();
        assert_eq!(read.part().await.unwrap().unwrap(), [7; 90_000]);
        assert_eq!(read.part().await.unwrap().unwrap(), b"end");
        assert_eq!(read.part().await.unwrap(), None);
    }
}

#[tokio::test]
async fn two_that_dial_each_other_at_once_end_with_the_same_link() {
    let (mut one, mut other) = (One::at(1, TCP).await, One::at(2, TCP).await);
    one.dial(&other);
    other.dial(&one);
    // Of what each says over its last link the other hears.
    let mut voices = Vec::new();
    for it in [&mut one, &mut other] {
        let (.., mut voice) = it.joined().await;
        let settled = async {
            loop {
                match it.next().await {
                    MeshEvent::Joined { voice: next, .. } => voice = next,
                    other => drop(other),
                }
            }
        };
        // Whatever else crosses is there within this.
        let _ = timeout(Duration::from_millis(500), settled).await;
        voices.push(voice);
    }
    assert!(voices.iter().all(|voice| voice.say(vec![0, 9])));
    for it in [&mut one, &mut other] {
        let heard = async {
            loop {
                if let MeshEvent::Said { message, .. } = it.next().await {
                    return message;
                }
            }
        };
        assert_eq!(timeout(LONG, heard).await.unwrap(), [0, 9]);
    }
}

#[tokio::test]
async fn who_connects_is_found_where_it_listens() {
    let (mut one, mut other) = (One::at(1, QUIC).await, One::at(2, QUIC).await);
    one.dial(&other);
    let _links = (one.joined().await, other.joined().await);
    let found = async {
        loop {
            if let MeshEvent::Found { peer, address } = other.next().await {
                return (peer, address);
            }
        }
    };
    let (peer, address) = timeout(LONG, found).await.unwrap();
    assert_eq!(peer, one.mesh.name());
    assert!(address.to_string().starts_with(&one.address().to_string()));
}

#[tokio::test]
async fn a_dial_that_reaches_nobody_or_somebody_else_is_told() {
    let (mut one, other) = (One::at(1, TCP).await, One::at(2, TCP).await);
    let stranger = device_of_seed([9; 32]);
    let nobody: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let unspoken: Multiaddr = "/memory/7".parse().unwrap();
    for address in [other.address(), nobody, unspoken] {
        one.mesh.dial(stranger, address);
        match one.next().await {
            MeshEvent::DialFailed { peer } => assert_eq!(peer, stranger),
            event => panic!("expected a failure, not {event:?}"),
        }
    }
    let asked = one.mesh.ask(&stranger, b"what").await;
    assert!(asked.is_err());
}

#[tokio::test]
async fn who_breaks_a_rule_is_told_and_who_is_blocked_is_not_let_in() {
    let (mut one, mut other) = (One::at(1, TCP).await, One::at(2, TCP).await);
    one.dial(&other);
    let (.., voice) = one.joined().await;
    let (peer, .., _voice) = other.joined().await;
    assert!(voice.say(vec![0; 101]));
    let broke = async {
        loop {
            match other.next().await {
                MeshEvent::Broke { fault, .. } => return fault.to_string(),
                MeshEvent::Left { .. } => panic!("it left before"),
                _ => {}
            }
        }
    };
    let fault = timeout(LONG, broke).await.unwrap();
    assert!(fault.contains("101") && fault.contains("100"), "{fault}");
    other.mesh.block(peer, LONG).await.unwrap();
    other.mesh.part(peer).await.unwrap();
    let left = async { while !matches!(one.next().await, MeshEvent::Left { .. }) {} };
    timeout(LONG, left).await.unwrap();
    one.dial(&other);
    // It may stand for a moment, until the other side has seen who it is.
    let shut_out = async {
        loop {
            match one.next().await {
                MeshEvent::DialFailed { .. } | MeshEvent::Left { .. } => return,
                _ => {}
            }
        }
    };
    timeout(LONG, shut_out).await.unwrap();
}

#[tokio::test]
async fn who_asks_more_at_a_time_than_it_may_has_the_rest_broken_off() {
    let (mut one, mut other) = (One::at(1, TCP).await, One::at(2, TCP).await);
    one.dial(&other);
    let _links = (one.joined().await, other.joined().await);
    let name = other.mesh.name();
    // One at a time, so that each is taken before the next is asked. The stream for messages of who says
    // nothing is not there, so a few more fit than there may be of content.
    let mut open = Vec::new();
    for _ in 0..MESH_CONTENT_STREAMS_MAX {
        let reply = one.mesh.ask(&name, b"what").await.unwrap();
        open.push((reply, other.asked().await));
    }
    let mut more = Vec::new();
    for _ in 0..3 {
        more.push(one.mesh.ask(&name, b"what").await.unwrap());
    }
    let mut refused = one.mesh.ask(&name, b"what").await.unwrap();
    let read = timeout(LONG, refused.part()).await.unwrap();
    assert!(!matches!(read, Ok(Some(_))), "{read:?}");
    // A question that is too long is none.
    drop(open);
    let mut long = one.mesh.ask(&name, &[0; 11]).await.unwrap();
    let read = timeout(LONG, long.part()).await.unwrap();
    assert!(!matches!(read, Ok(Some(_))), "{read:?}");
}
