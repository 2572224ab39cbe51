//! A line that is cut: nothing comes over it any more, and nobody says goodbye.

use crate::loopback::{
    DEVICE, ask, exchange, expect_connected, expect_disconnected, expect_request, is_welcomed,
    serve, to,
};
use libp2p::multiaddr::Protocol;
use quern_network::{
    Client, ClientConfig, Multiaddr, Prefer, ServerHandle, ServerLimits, limits::QUIC_SILENCE_MAX,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::net::UdpSocket;

/// A line of datagrams to a server's QUIC address that can be cut. Gives its own address, and what cuts it.
async fn line_to(server: &ServerHandle) -> (Multiaddr, Arc<AtomicBool>) {
    let port_of = |address: &Multiaddr| {
        address.iter().find_map(|part| match part {
            Protocol::Udp(port) => Some(port),
            _ => None,
        })
    };
    let port = server.listen_addresses().iter().find_map(port_of).unwrap();
    let [near, far] = [
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    ];
    far.connect(("127.0.0.1", port)).await.unwrap();
    let own = near.local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/udp/{own}/quic-v1").parse().unwrap();
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = is_cut.clone();
    tokio::spawn(async move {
        let (mut there, mut back, mut client) = ([0; 2_048], [0; 2_048], None);
        loop {
            let (socket, bytes, to) = tokio::select! {
                Ok((count, from)) = near.recv_from(&mut there) => {
                    client = Some(from);
                    (&far, &there[..count], None)
                }
                Ok(count) = far.recv(&mut back) => (&near, &back[..count], client),
                else => return,
            };
            if !cut.load(Ordering::Relaxed) {
                let _lost = match to {
                    Some(to) => socket.send_to(bytes, to).await,
                    None => socket.send(bytes).await,
                };
            }
        }
    });
    (address, is_cut)
}

#[tokio::test]
async fn both_sides_see_within_seconds_that_a_line_is_cut_although_nobody_says_goodbye() {
    let (server, mut events) = serve(ServerLimits::default()).await;
    let (address, is_cut) = line_to(&server).await;
    let config = ClientConfig {
        addresses: vec![address],
        ..to(&server, DEVICE, Prefer::Quic)
    };
    let client = Client::connect(config).await.unwrap();
    expect_connected(&mut events, DEVICE).await;
    is_welcomed(&client, &mut events).await;
    let unanswered = ask(&client, exchange(1));
    expect_request(&mut events).await;
    is_cut.store(true, Ordering::Relaxed);
    let most = 2 * QUIC_SILENCE_MAX;
    let (seen, _) = tokio::join!(
        tokio::time::timeout(most, client.disconnected()),
        expect_disconnected(&mut events, DEVICE),
    );
    seen.expect("the device sees it too");
    assert!(unanswered.await.unwrap().is_err());
}
