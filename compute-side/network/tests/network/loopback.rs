//! Both shells over real loopback sockets.

use crate::raw;
use quern_network::{
    Client, ClientConfig, ConnectError, Misbehaviour, Multiaddr, Prefer, ReplyToken, RequestError,
    Server, ServerConfig, ServerEvent, ServerHandle, ServerLimits, StartError, device_of_seed,
};
use quern_primitives::ids::DeviceId;
use quern_protocol::{
    Content, DecodeError, Exchange, Fetch, Hello, Mark, Piece, Refusal, Request, Response, Welcome,
    Work,
    limits::{MARK_BYTES, MESSAGE_BYTES_MAX, PIECE_BYTES_MAX},
};
use std::time::Duration;
use tokio::sync::mpsc;

const MASTERNODE: [u8; 32] = [1; 32];
pub(crate) const DEVICE: [u8; 32] = [2; 32];

pub(crate) type Events = mpsc::Receiver<ServerEvent>;

pub(crate) async fn serve(limits: ServerLimits) -> (ServerHandle, Events) {
    let listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
    Server::start(ServerConfig {
        key_seed: MASTERNODE,
        listen: listen.map(|address| address.parse().unwrap()).to_vec(),
        limits,
        inquiries: None,
    })
    .await
    .unwrap()
}

pub(crate) fn to(server: &ServerHandle, key_seed: [u8; 32], prefer: Prefer) -> ClientConfig {
    ClientConfig {
        key_seed,
        masternode: server.network_key(),
        addresses: server.listen_addresses().to_vec(),
        prefer,
        inquiries: None,
        wishes: None,
    }
}

async fn connected(server: &ServerHandle, events: &mut Events, prefer: Prefer) -> Client {
    let client = Client::connect(to(server, DEVICE, prefer)).await.unwrap();
    expect_connected(events, DEVICE).await;
    client
}

async fn next(events: &mut Events) -> ServerEvent {
    tokio::time::timeout(Duration::from_secs(20), events.recv())
        .await
        .expect("the server says something within its timeouts")
        .expect("the server runs")
}

pub(crate) async fn expect_connected(events: &mut Events, seed: [u8; 32]) {
    match next(events).await {
        ServerEvent::Connected { device } => assert_eq!(device, device_of_seed(seed)),
        other => panic!("expected a connection, not {other:?}"),
    }
}

pub(crate) async fn expect_disconnected(events: &mut Events, seed: [u8; 32]) {
    match next(events).await {
        ServerEvent::Disconnected { device } => assert_eq!(device, device_of_seed(seed)),
        other => panic!("expected a disconnection, not {other:?}"),
    }
}

pub(crate) async fn expect_request(events: &mut Events) -> (DeviceId, Request, ReplyToken) {
    match next(events).await {
        ServerEvent::Request {
            device,
            request,
            reply,
        } => (device, request, reply),
        other => panic!("expected a request, not {other:?}"),
    }
}

pub(crate) fn exchange(want: u8) -> Request {
    Request::Exchange(Exchange {
        want,
        ..Exchange::default()
    })
}

fn hello() -> Request {
    Request::Hello(Hello::default())
}

/// Says hello and is let in.
pub(crate) async fn is_welcomed(client: &Client, events: &mut Events) {
    let answer = ask(client, hello());
    let welcome = Response::Welcome(Welcome { heartbeat_ms: 1 });
    expect_request(events).await.2.reply(welcome.clone());
    assert_eq!(answer.await.unwrap().unwrap(), welcome);
}

fn work(ask_again_ms: u32) -> Response {
    Response::Work(Work {
        ask_again_ms,
        ..Work::default()
    })
}

pub(crate) fn ask(
    client: &Client,
    request: Request,
) -> tokio::task::JoinHandle<Result<Response, RequestError>> {
    let client = client.clone();
    tokio::spawn(async move { client.request(request).await })
}

#[tokio::test]
async fn a_request_is_answered_over_tcp_and_over_quic() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let client = connected(&server, &mut events, prefer).await;
        let answer = ask(&client, exchange(2));
        let (device, request, reply) = expect_request(&mut events).await;
        assert_eq!((device, request), (device_of_seed(DEVICE), exchange(2)));
        server.reply(reply, work(7));
        assert_eq!(answer.await.unwrap().unwrap(), work(7));
        drop(client);
        expect_disconnected(&mut events, DEVICE).await;
    }
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let client = connected(&server, &mut events, Prefer::Tcp).await;
    let answers = [0, 1, 2].map(|want| ask(&client, exchange(want)));
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let (_, request, reply) = expect_request(&mut events).await;
        tokens.push((request, reply));
    }
    for (request, reply) in tokens.into_iter().rev() {
        let Request::Exchange(Exchange { want, .. }) = request else {
            panic!("no exchange")
        };
        reply.reply(work(want.into()));
    }
    for (want, answer) in (0..).zip(answers) {
        assert_eq!(answer.await.unwrap().unwrap(), work(want));
    }
}

#[tokio::test]
async fn the_largest_piece_fits_through_both_transports() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let fetch = Request::Fetch(Fetch {
        content: Content::Program(Default::default()),
        offset: 0,
        length: PIECE_BYTES_MAX,
        received: None,
    });
    let piece = Response::Piece(Piece {
        total_bytes: PIECE_BYTES_MAX.into(),
        bytes: vec![5; PIECE_BYTES_MAX as usize],
        mark: Mark([6; MARK_BYTES]),
    });
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let client = connected(&server, &mut events, prefer).await;
        let answer = ask(&client, fetch.clone());
        expect_request(&mut events).await.2.reply(piece.clone());
        assert_eq!(answer.await.unwrap().unwrap(), piece);
        drop(client);
        expect_disconnected(&mut events, DEVICE).await;
    }
}

#[tokio::test]
async fn a_request_tells_how_far_away_its_device_is_once_a_ping_has_come_back() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let client = connected(&server, &mut events, prefer).await;
        let pinged = async {
            // The first ping goes out when the connection stands, and may be on its way yet.
            loop {
                let answer = ask(&client, exchange(0));
                let (_, _, reply) = expect_request(&mut events).await;
                let round_trip = reply.round_trip();
                reply.reply(work(1));
                answer.await.unwrap().unwrap();
                match round_trip {
                    Some(round_trip) => return round_trip,
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let round_trip = tokio::time::timeout(Duration::from_secs(20), pinged).await;
        assert!(round_trip.unwrap() > Duration::ZERO);
        drop(client);
        expect_disconnected(&mut events, DEVICE).await;
    }
}

#[tokio::test]
async fn a_masternode_with_another_key_is_not_talked_to() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let expected = device_of_seed([9; 32]);
        let config = ClientConfig {
            masternode: expected,
            ..to(&server, DEVICE, prefer)
        };
        match Client::connect(config).await {
            Err(ConnectError::AnotherPeer { found, .. }) => {
                assert_eq!(found, Some(server.network_key()));
            }
            // Of several addresses the last one's error is told.
            Err(ConnectError::Unreachable { .. }) => {}
            other => panic!("expected another peer, not {other:?}"),
        }
    }
    server.shutdown().await;
    while let Some(event) = events.recv().await {
        assert!(!matches!(event, ServerEvent::Request { .. }));
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let (server, _events) = serve(ServerLimits::default()).await;
    let config = to(&server, DEVICE, Prefer::Tcp);
    server.shutdown().await;
    let tcp = config.addresses.iter();
    let tcp = tcp.filter(|address| address.to_string().contains("tcp"));
    let config = ClientConfig {
        addresses: tcp.cloned().collect(),
        ..config
    };
    let error = Client::connect(config.clone()).await.unwrap_err();
    assert!(
        error.to_string().contains(&config.addresses[0].to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_said_to_be_none() {
    let (server, _events) = serve(ServerLimits::default()).await;
    let addresses = vec!["/memory/1".parse().unwrap()];
    let config = ClientConfig {
        addresses,
        ..to(&server, DEVICE, Prefer::Tcp)
    };
    assert!(matches!(
        Client::connect(config).await,
        Err(ConnectError::NoAddress)
    ));
}

#[tokio::test]
async fn a_server_does_not_start_where_it_cannot_listen() {
    let (server, _events) = serve(ServerLimits::default()).await;
    let config = |listen: Vec<Multiaddr>| ServerConfig {
        key_seed: MASTERNODE,
        listen,
        limits: ServerLimits::default(),
        inquiries: None,
    };
    assert!(matches!(
        Server::start(config(vec![])).await,
        Err(StartError::NoAddress)
    ));
    for address in ["/ip4/127.0.0.1/udp/1", "/ip4/203.0.113.1/tcp/0"] {
        let config = config(vec![address.parse().unwrap()]);
        assert!(
            matches!(Server::start(config).await, Err(StartError::Listen { .. })),
            "{address}"
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn each_side_sees_the_other_go() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let client = connected(&server, &mut events, prefer).await;
        drop(client);
        expect_disconnected(&mut events, DEVICE).await;

        let client = connected(&server, &mut events, prefer).await;
        let unanswered = ask(&client, exchange(1));
        expect_request(&mut events).await;
        server.disconnect(device_of_seed(DEVICE)).await.unwrap();
        client.disconnected().await;
        assert!(client.is_disconnected());
        assert!(unanswered.await.unwrap().is_err());
        assert!(matches!(
            client.request(exchange(1)).await,
            Err(RequestError::Disconnected)
        ));
        expect_disconnected(&mut events, DEVICE).await;
    }
}

#[tokio::test]
async fn a_client_that_is_closed_ends_for_all_its_clones() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let client = connected(&server, &mut events, Prefer::Tcp).await;
    let unanswered = ask(&client, exchange(1));
    expect_request(&mut events).await;
    client.clone().close();
    client.disconnected().await;
    assert!(matches!(
        unanswered.await.unwrap(),
        Err(RequestError::Disconnected)
    ));
    expect_disconnected(&mut events, DEVICE).await;
}

#[tokio::test]
async fn a_blocked_device_does_not_come_back() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let client = connected(&server, &mut events, Prefer::Tcp).await;
    server
        .block(client_device(), Duration::from_secs(600))
        .await
        .unwrap();
    client.disconnected().await;
    expect_disconnected(&mut events, DEVICE).await;

    // The handshake may end before the refusal; then the connection ends at once.
    if let Ok(client) = Client::connect(to(&server, DEVICE, Prefer::Tcp)).await {
        client.disconnected().await;
    }
    // Others are let in; theirs is the next connection the masternode hears of.
    let other = [3; 32];
    let _client = Client::connect(to(&server, other, Prefer::Tcp))
        .await
        .unwrap();
    expect_connected(&mut events, other).await;
}

fn client_device() -> DeviceId {
    device_of_seed(DEVICE)
}

#[tokio::test]
async fn a_dismissed_device_hears_why_and_is_disconnected() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let client = connected(&server, &mut events, prefer).await;
        let answer = ask(&client, hello());
        let (_, _, reply) = expect_request(&mut events).await;
        reply
            .dismiss(Response::Refused(Refusal::NotRegistered))
            .await;
        assert_eq!(
            answer.await.unwrap().unwrap(),
            Response::Refused(Refusal::NotRegistered)
        );
        client.disconnected().await;
        expect_disconnected(&mut events, DEVICE).await;
    }
}

#[tokio::test]
async fn a_request_whose_token_is_dropped_fails_and_others_go_on() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let client = connected(&server, &mut events, Prefer::Tcp).await;
    let answer = ask(&client, exchange(1));
    drop(expect_request(&mut events).await);
    assert!(matches!(
        answer.await.unwrap(),
        Err(RequestError::BrokenOff(_))
    ));
    let answer = ask(&client, exchange(2));
    expect_request(&mut events).await.2.reply(work(1));
    assert_eq!(answer.await.unwrap().unwrap(), work(1));
}

#[tokio::test]
async fn a_request_over_a_limit_is_not_sent() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let client = connected(&server, &mut events, Prefer::Tcp).await;
    let error = client.request(exchange(3)).await.unwrap_err();
    assert!(matches!(
        error,
        RequestError::NotSent(DecodeError::OverLimit { .. })
    ));
}

#[tokio::test]
async fn a_newer_connection_of_a_device_ends_the_older() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let older = connected(&server, &mut events, Prefer::Tcp).await;
    let newer = Client::connect(to(&server, DEVICE, Prefer::Quic))
        .await
        .unwrap();
    expect_disconnected(&mut events, DEVICE).await;
    expect_connected(&mut events, DEVICE).await;
    older.disconnected().await;
    let answer = ask(&newer, exchange(1));
    expect_request(&mut events).await.2.reply(work(1));
    assert_eq!(answer.await.unwrap().unwrap(), work(1));
}

#[tokio::test]
async fn a_full_server_says_so_and_serves_who_is_there() {
    let limits = ServerLimits {
        connections_max: 1,
        ..ServerLimits::default()
    };
    let (server, mut events) = serve(limits).await;
    let first = connected(&server, &mut events, Prefer::Tcp).await;
    is_welcomed(&first, &mut events).await;
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let second = Client::connect(to(&server, [3; 32], prefer)).await.unwrap();
        assert_eq!(
            second.request(hello()).await.unwrap(),
            Response::Refused(Refusal::Full)
        );
        second.disconnected().await;
    }
    // The first goes on, and the masternode has not heard of the second.
    let answer = ask(&first, exchange(1));
    expect_request(&mut events).await.2.reply(work(1));
    assert_eq!(answer.await.unwrap().unwrap(), work(1));
    // When it has gone there is a place.
    drop(first);
    expect_disconnected(&mut events, DEVICE).await;
    let third = [4; 32];
    let _third = Client::connect(to(&server, third, Prefer::Tcp))
        .await
        .unwrap();
    expect_connected(&mut events, third).await;
}

#[tokio::test]
async fn who_says_no_hello_makes_room_for_who_comes() {
    let limits = ServerLimits {
        connections_max: 1,
        ..ServerLimits::default()
    };
    let (server, mut events) = serve(limits).await;
    let stranger = connected(&server, &mut events, Prefer::Tcp).await;
    let other = [3; 32];
    let device = Client::connect(to(&server, other, Prefer::Tcp))
        .await
        .unwrap();
    expect_disconnected(&mut events, DEVICE).await;
    expect_connected(&mut events, other).await;
    stranger.disconnected().await;
    is_welcomed(&device, &mut events).await;
}

#[tokio::test]
async fn who_is_not_let_in_in_time_is_disconnected_whatever_it_asks() {
    let limits = ServerLimits {
        admission_timeout: Duration::from_secs(2),
        ..ServerLimits::default()
    };
    let (server, mut events) = serve(limits).await;
    let device = connected(&server, &mut events, Prefer::Tcp).await;
    is_welcomed(&device, &mut events).await;
    for prefer in [Prefer::Tcp, Prefer::Quic] {
        let seed = [3; 32];
        let stranger = Client::connect(to(&server, seed, prefer)).await.unwrap();
        expect_connected(&mut events, seed).await;
        let mut answered = 0;
        let asking = {
            let stranger = stranger.clone();
            tokio::spawn(async move { while stranger.request(exchange(1)).await.is_ok() {} })
        };
        // It asks again whenever it is answered, until the server has enough of it.
        loop {
            match next(&mut events).await {
                ServerEvent::Request { reply, .. } => reply.reply(work(1)),
                ServerEvent::Disconnected { device } => {
                    assert_eq!(device, device_of_seed(seed));
                    break;
                }
                other => panic!("expected a request or a disconnection, not {other:?}"),
            }
            answered += 1;
        }
        assert!(answered > 0, "it was not served meanwhile");
        stranger.disconnected().await;
        asking.await.unwrap();
    }
    // Who was let in before them is still served.
    let answer = ask(&device, exchange(1));
    expect_request(&mut events).await.2.reply(work(1));
    assert_eq!(answer.await.unwrap().unwrap(), work(1));
}

#[tokio::test]
async fn a_device_with_too_many_unanswered_requests_is_disconnected() {
    let limits = ServerLimits {
        requests_per_device_max: 3,
        ..ServerLimits::default()
    };
    let (server, mut events) = serve(limits).await;
    let client = connected(&server, &mut events, Prefer::Tcp).await;
    let answers: Vec<_> = (0..4).map(|_| ask(&client, exchange(1))).collect();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(expect_request(&mut events).await.2);
    }
    match next(&mut events).await {
        ServerEvent::Misbehaved { why, .. } => {
            assert_eq!(why, Misbehaviour::TooManyRequests { limit: 3 });
        }
        other => panic!("expected misbehaviour, not {other:?}"),
    }
    expect_disconnected(&mut events, DEVICE).await;
    client.disconnected().await;
    for answer in answers {
        assert!(answer.await.unwrap().is_err());
    }
    assert!(tokens.iter().all(|token| !token.is_wanted()));
}

#[tokio::test]
async fn a_masternode_that_does_not_listen_holds_devices_up_and_loses_nothing() {
    let limits = ServerLimits {
        events_max: 1,
        ..ServerLimits::default()
    };
    let (server, mut events) = serve(limits).await;
    let client = Client::connect(to(&server, DEVICE, Prefer::Tcp))
        .await
        .unwrap();
    let answers: Vec<_> = (0..6).map(|_| ask(&client, exchange(1))).collect();
    // The server still takes orders while its events wait.
    server.disconnect(device_of_seed([8; 32])).await.unwrap();
    expect_connected(&mut events, DEVICE).await;
    for _ in 0..6 {
        expect_request(&mut events).await.2.reply(work(1));
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap(), work(1));
    }
}

#[tokio::test]
async fn a_message_over_its_limit_is_refused_and_reported() {
    for prefix in [u32::try_from(MESSAGE_BYTES_MAX + 1).unwrap(), u32::MAX] {
        let why = misbehaviour_after(prefix.to_le_bytes().to_vec()).await;
        let bytes = prefix as usize;
        assert_eq!(
            why,
            Misbehaviour::NoMessage(DecodeError::TooLarge { bytes })
        );
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_and_reported() {
    for body in [
        &b""[..],
        &[255],
        &[0; 100],
        &[1, 0, 0, 0, 9, 0, 0],
        &[7; 3000],
    ] {
        let frame = [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], body].concat();
        let why = misbehaviour_after(frame).await;
        assert!(
            matches!(why, Misbehaviour::NoMessage(_)),
            "{body:?}: {why:?}"
        );
    }
}

/// What the server finds when a peer sends these bytes on a stream of the protocol; it must also
/// disconnect that peer and go on serving others.
async fn misbehaviour_after(bytes: Vec<u8>) -> Misbehaviour {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let hostile = [6; 32];
    let peer = raw::send(hostile, server.listen_addresses()[0].clone(), 1, bytes);
    let peer = tokio::spawn(peer);
    expect_connected(&mut events, hostile).await;
    let why = match next(&mut events).await {
        ServerEvent::Misbehaved { device, why } => {
            assert_eq!(device, device_of_seed(hostile));
            why
        }
        other => panic!("expected misbehaviour, not {other:?}"),
    };
    expect_disconnected(&mut events, hostile).await;
    peer.await.unwrap();

    let client = connected(&server, &mut events, Prefer::Tcp).await;
    let answer = ask(&client, exchange(1));
    let welcome = Response::Welcome(Welcome { heartbeat_ms: 1 });
    expect_request(&mut events).await.2.reply(welcome.clone());
    assert_eq!(answer.await.unwrap().unwrap(), welcome);
    why
}
