//! What a device does with streams that no client would.

use crate::raw;
use quern_network::{
    Misbehaviour, ReplyToken, Server, ServerConfig, ServerEvent, ServerHandle, ServerLimits,
};
use quern_protocol::{Exchange, Request, Response, Work, encode};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

type Events = mpsc::Receiver<ServerEvent>;

/// A server to which a peer has connected that sends these bytes on each of so many streams.
async fn visited_by(streams: usize, bytes: Vec<u8>) -> (ServerHandle, Events) {
    let (server, mut events) = Server::start(ServerConfig {
        key_seed: [1; 32],
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        limits: ServerLimits::default(),
        inquiries: None,
    })
    .await
    .unwrap();
    let address = server.listen_addresses()[0].clone();
    tokio::spawn(raw::send([6; 32], address, streams, bytes));
    let event = next(&mut events).await;
    assert!(matches!(event, ServerEvent::Connected { .. }), "{event:?}");
    (server, events)
}

async fn next(events: &mut Events) -> ServerEvent {
    timeout(Duration::from_secs(20), events.recv())
        .await
        .expect("the server says something within its timeouts")
        .expect("the server runs")
}

async fn expect_request(events: &mut Events) -> (Request, ReplyToken) {
    match next(events).await {
        ServerEvent::Request { request, reply, .. } => (request, reply),
        other => panic!("expected a request, not {other:?}"),
    }
}

fn exchange(want: u8) -> Request {
    Request::Exchange(Exchange {
        want,
        ..Exchange::default()
    })
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], body].concat()
}

#[tokio::test]
async fn what_is_sent_ahead_of_an_answer_is_read_after_it() {
    let ahead = [
        framed(&encode(&exchange(1))),
        framed(&encode(&exchange(2))),
        framed(&[255]),
    ];
    let (_server, mut events) = visited_by(1, ahead.concat()).await;
    for want in [1, 2] {
        let (request, reply) = expect_request(&mut events).await;
        assert_eq!(request, exchange(want));
        let more = timeout(Duration::from_millis(200), events.recv()).await;
        assert!(more.is_err(), "{more:?}");
        reply.reply(Response::Work(Work::default()));
    }
    match next(&mut events).await {
        ServerEvent::Misbehaved { why, .. } => assert!(matches!(why, Misbehaviour::NoMessage(_))),
        other => panic!("expected misbehaviour, not {other:?}"),
    }
    let event = next(&mut events).await;
    assert!(
        matches!(event, ServerEvent::Disconnected { .. }),
        "{event:?}"
    );
}

#[tokio::test]
async fn who_opens_more_streams_than_requests_need_is_disconnected() {
    let (_server, mut events) = visited_by(40, Vec::new()).await;
    match next(&mut events).await {
        ServerEvent::Misbehaved { why, .. } => {
            let limit = ServerLimits::default().requests_per_device_max;
            assert_eq!(why, Misbehaviour::TooManyRequests { limit });
        }
        other => panic!("expected misbehaviour, not {other:?}"),
    }
    let event = next(&mut events).await;
    assert!(
        matches!(event, ServerEvent::Disconnected { .. }),
        "{event:?}"
    );
}

#[tokio::test]
async fn who_opens_a_thousand_streams_is_disconnected_by_whatever_limit_is_reached_first() {
    let (_server, mut events) = visited_by(1_000, Vec::new()).await;
    loop {
        match next(&mut events).await {
            ServerEvent::Misbehaved { .. } => {}
            ServerEvent::Disconnected { .. } => return,
            other => panic!("expected a disconnection, not {other:?}"),
        }
    }
}
