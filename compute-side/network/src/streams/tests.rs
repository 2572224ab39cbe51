//! Both ends together, over loopback sockets.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{
    device::{Ask, Asking},
    masternode::{Answering, Asked},
};
use crate::{
    Misbehaviour, RequestError,
    content::{Contents, Hearers},
    identity::key_pair,
    limits::{REQUESTS_PER_DEVICE_MAX, STREAM_BYTES_MAX},
    swarm::{BehaviourEvent, build},
};
use futures::StreamExt;
use libp2p::{Multiaddr, connection_limits::ConnectionLimits, swarm::SwarmEvent};
use quern_protocol::{Exchange, Mark, Piece, Request, Response, Work, limits::MARK_BYTES};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

type Answer = oneshot::Receiver<Result<Response, RequestError>>;

/// More than a test asks at once.
const ASKS_MAX: usize = 64;

/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(20);

/// A device and a masternode that are connected.
struct Pair {
    asks: mpsc::Sender<Ask>,
    asked: mpsc::Receiver<Result<Asked, Misbehaviour>>,
    opened: Arc<AtomicUsize>,
}

impl Pair {
    async fn new(listen: &str) -> Self {
        let unlimited = ConnectionLimits::default;
        let key = key_pair([1; 32]);
        let peer = key.public().to_peer_id();
        let answering = Answering::new(REQUESTS_PER_DEVICE_MAX, LONG);
        let mut masternode = build(
            key,
            answering,
            Contents::new(Hearers::default()),
            unlimited(),
        )
        .unwrap();
        masternode
            .listen_on(listen.parse::<Multiaddr>().unwrap())
            .unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = masternode.select_next_some().await {
                break address;
            }
        };
        let (asked_sender, asked) = mpsc::channel(ASKS_MAX);
        tokio::spawn(async move {
            loop {
                let event = masternode.select_next_some().await;
                if let SwarmEvent::Behaviour(BehaviourEvent::Tasks(event)) = event {
                    let _ = asked_sender.try_send(event.asked);
                }
            }
        });

        let asking = Asking::new(LONG);
        let opened = asking.opened.clone();
        let mut device = build(
            key_pair([2; 32]),
            asking,
            Contents::new(Hearers::default()),
            unlimited(),
        )
        .unwrap();
        device.dial(address).unwrap();
        while !device.is_connected(&peer) {
            device.select_next_some().await;
        }
        let (asks, mut received) = mpsc::channel(ASKS_MAX);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = device.select_next_some() => {}
                    Some(ask) = received.recv() => device.behaviour_mut().tasks.ask(peer, ask),
                }
            }
        });
        Self {
            asks,
            asked,
            opened,
        }
    }

    fn ask(&self) -> Answer {
        let (reply, answer) = oneshot::channel();
        let request = Request::Exchange(Exchange::default());
        assert!(self.asks.try_send(Ask { request, reply }).is_ok());
        answer
    }

    async fn asked(&mut self) -> Asked {
        tokio::time::timeout(LONG, self.asked.recv())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }

    /// Asks and is answered so many times at once.
    async fn exchange(&mut self, at_once: usize) {
        let answers: Vec<Answer> = (0..at_once).map(|_| self.ask()).collect();
        let mut unanswered = Vec::new();
        for _ in 0..at_once {
            unanswered.push(self.asked().await);
        }
        for asked in unanswered {
            asked.answer.send(work()).unwrap();
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap().unwrap(), work());
        }
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

fn work() -> Response {
    Response::Work(Work::default())
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_stream() {
    for listen in [TCP, QUIC] {
        let mut pair = Pair::new(listen).await;
        for _ in 0..200 {
            pair.exchange(1).await;
        }
        assert_eq!(pair.opened(), 1, "{listen}");
    }
}

#[tokio::test]
async fn requests_at_once_have_a_stream_each_and_those_are_used_again() {
    let mut pair = Pair::new(TCP).await;
    for at_once in [1, 4, 1, 1, 3, 4] {
        pair.exchange(at_once).await;
    }
    assert_eq!(pair.opened(), 4);
}

#[tokio::test]
async fn requests_beyond_the_limit_wait_for_a_stream() {
    let mut pair = Pair::new(TCP).await;
    let answers: Vec<Answer> = (0..3 * REQUESTS_PER_DEVICE_MAX)
        .map(|_| pair.ask())
        .collect();
    for _ in 0..answers.len() {
        let asked = pair.asked().await;
        asked.answer.send(work()).unwrap();
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap(), work());
    }
    assert!(pair.opened() <= REQUESTS_PER_DEVICE_MAX);
}

#[tokio::test]
async fn a_request_that_nobody_answers_takes_its_stream_with_it_and_no_other() {
    for listen in [TCP, QUIC] {
        let mut pair = Pair::new(listen).await;
        let answer = pair.ask();
        drop(pair.asked().await);
        let error = answer.await.unwrap().unwrap_err();
        assert!(matches!(error, RequestError::BrokenOff(_)), "{error:?}");
        pair.exchange(1).await;
        pair.exchange(1).await;
        assert_eq!(pair.opened(), 2, "{listen}");
    }
}

#[tokio::test]
async fn a_stream_that_has_carried_enough_is_left_by_both_ends() {
    let bytes = STREAM_BYTES_MAX / 4;
    let piece = Response::Piece(Piece {
        total_bytes: 1 << 20,
        bytes: vec![5; bytes],
        mark: Mark([6; MARK_BYTES]),
    });
    for listen in [TCP, QUIC] {
        let mut pair = Pair::new(listen).await;
        for _ in 0..9 {
            let answer = pair.ask();
            pair.asked().await.answer.send(piece.clone()).unwrap();
            assert_eq!(answer.await.unwrap().unwrap(), piece);
        }
        assert_eq!(pair.opened(), 3, "{listen}");
    }
}
