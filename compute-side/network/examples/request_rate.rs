//! How many requests a second a server answers on loopback, with nothing behind it.
//!
//! `cargo run -p quern-network --example request_rate -- [tcp|quic] [devices] [in flight] [seconds]`
//!
//! Server and devices share one process here, each on a thread and a runtime of its own, as they
//! are each a process of their own in a grid; the printed processor time is that of all of them.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use quern_network::{
    Client, ClientConfig, Multiaddr, Prefer, Server, ServerConfig, ServerEvent, ServerLimits,
    device_of_seed,
};
use quern_protocol::{Exchange, Hello, Request, Response, Welcome, Work};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

const MASTERNODE: [u8; 32] = [1; 32];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn serve(address: Multiaddr, bound: mpsc::SyncSender<Vec<Multiaddr>>) {
    runtime().block_on(async {
        let config = ServerConfig {
            key_seed: MASTERNODE,
            listen: vec![address],
            limits: ServerLimits::default(),
        };
        let (server, mut events) = Server::start(config).await.unwrap();
        bound.send(server.listen_addresses().to_vec()).unwrap();
        while let Some(event) = events.recv().await {
            if let ServerEvent::Request { request, reply, .. } = event {
                reply.reply(match request {
                    Request::Hello(_) => Response::Welcome(Welcome { heartbeat_ms: 1 }),
                    _ => Response::Work(Work::default()),
                });
            }
        }
    });
}

fn ask(device: u64, addresses: Vec<Multiaddr>, in_flight: u64, answered: Arc<AtomicU64>) {
    runtime().block_on(async {
        let client = Client::connect(ClientConfig {
            key_seed: std::array::from_fn(|i| device.to_le_bytes()[i % 8]),
            masternode: device_of_seed(MASTERNODE),
            addresses,
            prefer: Prefer::default(),
        })
        .await
        .unwrap();
        // Who is not let in does not stay.
        let hello = Request::Hello(Hello::default());
        client.request(hello).await.unwrap();
        let loops = (0..in_flight).map(|_| async {
            loop {
                let request = Request::Exchange(Exchange {
                    want: 1,
                    ..Exchange::default()
                });
                client.request(request).await.unwrap();
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        futures::future::join_all(loops).await;
    });
}

/// Processor time of this process so far: the 14th and 15th fields of its `stat`, in hundredths of a
/// second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it measures for a time that is asked for"
)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, otherwise: u64| {
        arguments
            .get(i)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (devices, in_flight, seconds) = (number(1, 2), number(2, 2), number(3, 5));
    let address: Multiaddr = match arguments.first().map(String::as_str) {
        Some("quic") => "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap(),
        _ => "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
    };
    let (bound_sender, bound) = mpsc::sync_channel(1);
    std::thread::spawn(move || serve(address, bound_sender));
    let addresses = bound.recv().unwrap();
    let answered = Arc::new(AtomicU64::new(0));
    for device in 2..2 + devices {
        let (addresses, answered) = (addresses.clone(), answered.clone());
        std::thread::spawn(move || ask(device, addresses, in_flight, answered));
    }
    std::thread::sleep(Duration::from_secs(1));
    let (from, start, used) = (
        answered.load(Ordering::Relaxed),
        Instant::now(),
        processor_time(),
    );
    std::thread::sleep(Duration::from_secs(seconds));
    let count = answered.load(Ordering::Relaxed) - from;
    let used = processor_time() - used;
    println!(
        "{addresses:?}: {devices} devices with {in_flight} requests in flight: {:.0} requests/s, \
         {:.0} us of processor time each",
        count as f64 / start.elapsed().as_secs_f64(),
        used.as_micros() as f64 / count as f64,
    );
}
