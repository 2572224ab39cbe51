//! How fast content is fetched by its name from three machines at once.
//!
//! Three processes serve things of 32 MiB on loopback, over TCP with Noise; a fourth, this one, fetches all of them
//! into files, as a worker or a masternode does: what comes is held to its name span by span, and so is what goes out.
//! It is held against as many bytes that one of the three sends over one stream of the same kind of connection, as
//! fast as it can, which are read and thrown away: the same encryption, and nothing else. In turns, and of either the
//! fastest round counts.

use crate::report::{Bar, Row, say, title};
use anyhow::{Context as _, ensure};
use quern_network::{
    Client, ClientConfig, Inquiry, Multiaddr, Prefer, Server, ServerConfig, ServerEvent,
    ServerLimits, device_of_seed,
};
use quern_primitives::{
    ids::{DeviceId, Digest},
    limits::SPAN_BYTES,
    merkle::{CHUNK_BYTES, Tree},
};
use quern_protocol::fetch::{Head, Question};
use quern_transfer::{Allowance, Config, Shelf, Shelved, SourceKind, Thing, Transfer};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, mpsc, watch};

pub(crate) const NAME: &str = "fetch_MBps";

/// The least part of what the line alone gives.
const RATIO_MIN: f64 = 0.7;

const MIB: u64 = 1024 * 1024;

/// Bytes of one thing.
const THING_BYTES: u64 = 32 * MIB;

/// Machines that have everything.
const SERVERS: u8 = 3;

/// What is asked for to get bytes that are nothing.
const NOTHING: Digest = Digest([0; 32]);

/// Things that are fetched at a time.
const AT_A_TIME: usize = 4;

/// Questions that wait.
const INQUIRIES_MAX: usize = 64;

/// A process that serves, ended when this is dropped.
struct Serving {
    child: Child,
    key: DeviceId,
    address: Multiaddr,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // An error says that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How fast it is. Takes a runtime of its own, with a thread for each processor.
pub(crate) fn measure(folder: &Path, quick: bool) -> anyhow::Result<Row> {
    let (things, rounds) = if quick { (2, 2) } else { (32, 5) };
    title(&format!(
        "Fetching {} MiB from three processes",
        things * THING_BYTES / MIB
    ));
    let folder = folder.join("fetching");
    fs::create_dir_all(&folder)?;
    let things = content(&folder, things)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let measured = runtime.block_on(rounds_of(&folder, &things, rounds));
    drop(runtime);
    fs::remove_dir_all(&folder)?;
    let [fetched, alone] = measured?;
    let reference = "as many bytes over one stream with the same encryption, same run";
    let row = Row::new(NAME, (fetched, "MB/s"), (reference, alone));
    Ok(row.with_bar(Bar::RatioAtLeast(RATIO_MIN)))
}

/// Files that are not all the same, each under its name.
fn content(folder: &Path, count: u64) -> anyhow::Result<Vec<Thing>> {
    let made = (0..count).map(|number| {
        let words = (0..THING_BYTES / 8)
            .map(|at| (at ^ (number << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes = Vec::with_capacity(usize::try_from(THING_BYTES)?);
        words.for_each(|word| bytes.extend(word.to_le_bytes()));
        let root = Tree::new(bytes.chunks(CHUNK_BYTES)).root();
        fs::write(folder.join(root.to_string()), &bytes)?;
        Thing::new(root, THING_BYTES).context("it is a thing")
    });
    made.collect()
}

async fn rounds_of(folder: &Path, things: &[Thing], rounds: usize) -> anyhow::Result<[f64; 2]> {
    let serving: Vec<Serving> = (1..=SERVERS)
        .map(|seed| serving(folder, seed))
        .collect::<anyhow::Result<_>>()?;
    let bytes = things.iter().map(Thing::bytes).sum::<u64>();
    let mut fastest = [Duration::MAX; 2];
    for round in 1..=rounds {
        let times = [
            fetch(&serving, folder, things).await?,
            copy(serving.first().context("somebody serves")?, bytes).await?,
        ];
        for (fastest, time) in fastest.iter_mut().zip(times) {
            *fastest = time.min(*fastest);
        }
        let [fetched, alone] = times.map(|time| mb_per_s(bytes, time));
        say(&format!(
            "round {round}: {fetched:.0} MB/s ({:.3} of {alone:.0})",
            fetched / alone
        ));
    }
    Ok(fastest.map(|time| mb_per_s(bytes, time)))
}

/// Starts a process that serves what is in a folder.
fn serving(folder: &Path, seed: u8) -> anyhow::Result<Serving> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--serve-content")
        .arg(folder)
        .arg("--serve-seed")
        .arg(seed.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("it has an output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().parse().context("it says where it is")?;
    let key = device_of_seed([seed; 32]);
    Ok(Serving {
        child,
        key,
        address,
    })
}

async fn connected(serving: &Serving) -> anyhow::Result<Client> {
    let config = ClientConfig {
        key_seed: [200; 32],
        masternode: serving.key,
        addresses: vec![serving.address.clone()],
        prefer: Prefer::Tcp,
        inquiries: None,
        wishes: None,
    };
    Ok(Client::connect(config).await?)
}

/// Fetches everything from all who serve.
async fn fetch(serving: &[Serving], folder: &Path, things: &[Thing]) -> anyhow::Result<Duration> {
    let into = folder.join("fetched");
    fs::create_dir_all(&into)?;
    let (_allowed, allowance) = watch::channel(Allowance::default());
    let (_asked, inquiries) = mpsc::channel(1);
    let transfer = Transfer::start(Config {
        seed: 1,
        shelf: Arc::new(quern_transfer::Bare),
        allowance,
        inquiries,
        moved_bytes: Arc::default(),
    });
    let mut clients = Vec::new();
    for one in serving {
        let client = connected(one).await?;
        let asker = client.asker().clone();
        transfer.came(one.key, SourceKind::Masternode, asker).await;
        clients.push(client);
    }
    let start = Instant::now();
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let fetches = things.iter().map(|thing| {
        let (transfer, thing, places) = (transfer.clone(), *thing, places.clone());
        let path = into.join(thing.root().to_string());
        tokio::spawn(async move {
            let _place = places.acquire().await?;
            anyhow::Ok(transfer.fetch(thing, &path, None).await?)
        })
    });
    for fetched in fetches.collect::<Vec<_>>() {
        fetched.await??;
    }
    let took = start.elapsed();
    fs::remove_dir_all(&into)?;
    Ok(took)
}

/// Has as many bytes sent that are nothing.
async fn copy(serving: &Serving, bytes: u64) -> anyhow::Result<Duration> {
    let client = connected(serving).await?;
    let question = Question::Have {
        root: NOTHING,
        bytes: THING_BYTES,
    };
    let mut room = vec![0; SPAN_BYTES as usize];
    let start = Instant::now();
    let mut reading = client.asker().ask(&serving.key, &question).await?;
    let mut there = 0;
    while there < bytes {
        let read = reading.some(&mut room).await?;
        ensure!(read > 0, "it ended after {there} of {bytes} bytes");
        there += read as u64;
    }
    Ok(start.elapsed())
}

fn mb_per_s(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64() / 1e6
}

/// What is in the folder, for everybody.
struct Open {
    things: BTreeMap<Digest, PathBuf>,
}

impl Shelf for Open {
    fn gives(&self, _: &DeviceId, root: &Digest) -> bool {
        self.things.contains_key(root)
    }

    fn find(&self, root: &Digest) -> Option<Shelved> {
        Some(Shelved {
            thing: Thing::new(*root, THING_BYTES)?,
            path: self.things.get(root)?.clone(),
        })
    }

    fn is_damaged(&self, _: &Digest) {}
}

/// Serves what is in a folder until the standard input ends. This program calls itself so.
pub(crate) fn serve(folder: &Path, seed: u8) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut things = BTreeMap::new();
        for file in fs::read_dir(folder)? {
            let file = file?;
            let name = file.file_name();
            if let Some(root) = name.to_str().and_then(|name| name.parse().ok()) {
                things.insert(root, file.path());
            }
        }
        let (asked, mut inquiries) = mpsc::channel::<Inquiry>(INQUIRIES_MAX);
        let (server, mut events) = Server::start(ServerConfig {
            key_seed: [seed; 32],
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse()?],
            limits: ServerLimits::default(),
            inquiries: Some(asked),
        })
        .await?;
        let (hand_on, of_transfer) = mpsc::channel(INQUIRIES_MAX);
        let (_allowed, allowance) = watch::channel(Allowance::default());
        let transfer = Transfer::start(Config {
            seed: seed.into(),
            shelf: Arc::new(Open { things }),
            allowance,
            inquiries: of_transfer,
            moved_bytes: Arc::default(),
        });
        let asker = server.asker().clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let ServerEvent::Connected { device } = event {
                    let kind = SourceKind::Device;
                    transfer.came(device, kind, asker.clone()).await;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(inquiry) = inquiries.recv().await {
                match inquiry.question {
                    Question::Have { root: NOTHING, .. } => {
                        tokio::spawn(send_nothing(inquiry));
                    }
                    _ => {
                        // An error says that this program ends.
                        let _ = hand_on.send(inquiry).await;
                    }
                }
            }
        });
        let address = server.listen_addresses().first().context("it listens")?;
        let mut output = io::stdout();
        writeln!(output, "{address}")?;
        output.flush()?;
        let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        ended.await??;
        Ok(ExitCode::SUCCESS)
    })
}

/// Sends bytes that are nothing for as long as somebody reads them.
async fn send_nothing(mut inquiry: Inquiry) {
    let zeros = vec![0; SPAN_BYTES as usize];
    while inquiry.answer.send(&Head::No, &zeros).await.is_ok() {}
}
