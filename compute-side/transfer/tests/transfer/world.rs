//! Devices and masternodes with a folder each.

use quern_network::{
    Client, ClientConfig, Inquiry, Prefer, Server, ServerConfig, ServerHandle, ServerLimits,
    device_of_seed,
};
use quern_primitives::{
    ids::{DeviceId, Digest},
    merkle::{CHUNK_BYTES, Tree},
};
use quern_protocol::fetch::{Head, Holdings, Question};
use quern_transfer::{Allowance, Config, Shelf, Shelved, SourceKind, Thing, Transfer};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

/// Ends with a panic what takes too long.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(60), what).await;
    done.expect("it takes less than a minute")
}

/// Bytes without a pattern that spans share, and the thing that they are.
pub(crate) fn content(length: usize) -> (Thing, Vec<u8>) {
    let bytes: Vec<u8> = (0..length as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 | 1)
        .collect();
    let root = Tree::new(bytes.chunks(CHUNK_BYTES)).root();
    (Thing::new(root, length as u64).unwrap(), bytes)
}

/// What somebody has for others.
pub(crate) struct TestShelf {
    folder: PathBuf,
    things: Mutex<BTreeMap<Digest, Shelved>>,
    pub(crate) is_closed: AtomicBool,
    gives_parts: AtomicBool,
    /// How often it was looked for something.
    pub(crate) asked: AtomicUsize,
    looks: watch::Sender<usize>,
    damaged: watch::Sender<Vec<Digest>>,
}

impl TestShelf {
    fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.to_owned(),
            things: Mutex::default(),
            is_closed: AtomicBool::new(false),
            gives_parts: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            looks: watch::Sender::new(0),
            damaged: watch::Sender::new(Vec::new()),
        })
    }

    /// Puts bytes there under a thing's name, whether they are it or not.
    pub(crate) fn put(&self, thing: &Thing, bytes: &[u8]) {
        let path = self.folder.join(format!("shelved-{}", thing.root()));
        fs::write(&path, bytes).unwrap();
        self.keep(thing, &path);
    }

    fn keep(&self, thing: &Thing, path: &Path) {
        let shelved = Shelved {
            thing: *thing,
            path: path.to_owned(),
        };
        self.things.lock().unwrap().insert(thing.root(), shelved);
    }

    /// It gives what is fetched, too, as far as it is there.
    pub(crate) fn gives_parts(&self) {
        self.gives_parts.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn hears_of_damage(&self, root: Digest) {
        let mut damaged = self.damaged.subscribe();
        damaged.wait_for(|it| it.contains(&root)).await.unwrap();
    }

    pub(crate) async fn is_asked(&self, times: usize) {
        let mut looks = self.looks.subscribe();
        looks.wait_for(|it| *it >= times).await.unwrap();
    }
}

impl Shelf for TestShelf {
    fn gives(&self, _: &DeviceId, root: &Digest) -> bool {
        self.looks.send_modify(|it| *it += 1);
        let is_here = self.things.lock().unwrap().contains_key(root);
        let is_open = !self.is_closed.load(Ordering::Relaxed);
        is_open && (is_here || self.gives_parts.load(Ordering::Relaxed))
    }

    fn find(&self, root: &Digest) -> Option<Shelved> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.things.lock().unwrap().get(root).cloned()
    }

    fn is_damaged(&self, root: &Digest) {
        self.things.lock().unwrap().remove(root);
        self.damaged.send_modify(|it| it.push(*root));
    }
}

fn transfer(seed: u64, shelf: &Arc<TestShelf>) -> (Transfer, mpsc::Sender<Inquiry>) {
    let (sender, inquiries) = mpsc::channel(64);
    let (allowed, allowance) = watch::channel(Allowance::default());
    // Nothing else is allowed as long as it lasts.
    drop(allowed);
    let transfer = Transfer::start(Config {
        seed,
        shelf: shelf.clone(),
        allowance,
        inquiries,
        moved_bytes: Arc::default(),
    });
    (transfer, sender)
}

/// A masternode: whoever connects is answered.
pub(crate) struct Masternode {
    server: ServerHandle,
    pub(crate) folder: TempDir,
    pub(crate) shelf: Arc<TestShelf>,
    pub(crate) transfer: Transfer,
    /// Whether what it is asked is answered by its transfer.
    is_honest: bool,
}

/// What somebody was asked who answers by hand.
pub(crate) struct Lies(watch::Receiver<usize>);

impl Lies {
    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    pub(crate) async fn reaches(&self, count: usize) {
        let mut told = self.0.clone();
        told.wait_for(|it| *it >= count).await.unwrap();
    }
}

async fn serve(seed: u8, inquiries: mpsc::Sender<Inquiry>) -> ServerHandle {
    let (server, mut events) = Server::start(ServerConfig {
        key_seed: [seed; 32],
        listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()],
        limits: ServerLimits::default(),
        inquiries: Some(inquiries),
    })
    .await
    .unwrap();
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    server
}

impl Masternode {
    pub(crate) async fn new(seed: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shelf = TestShelf::new(folder.path());
        let (transfer, inquiries) = transfer(seed.into(), &shelf);
        Self {
            server: serve(seed, inquiries).await,
            folder,
            shelf,
            transfer,
            is_honest: true,
        }
    }

    /// One that answers every question for spans with this head and nothing but zeros, or says that it has this.
    pub(crate) async fn answering(
        seed: u8,
        answer: impl Fn(Question) -> Result<Head, Holdings> + Send + 'static,
    ) -> (Self, Lies) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = TestShelf::new(folder.path());
        let (transfer, _) = transfer(seed.into(), &shelf);
        let (inquiries, mut asked) = mpsc::channel::<Inquiry>(64);
        let (lies, told) = watch::channel(0);
        tokio::spawn(async move {
            while let Some(mut inquiry) = asked.recv().await {
                match answer(inquiry.question) {
                    Err(holdings) => {
                        let _ = inquiry.answer.tell(&holdings).await;
                    }
                    Ok(head) => {
                        lies.send_modify(|it| *it += 1);
                        let bytes = match head {
                            Head::Span { bytes, .. } => bytes,
                            _ => 0,
                        };
                        let zeros = vec![0; bytes as usize];
                        let _ = inquiry.answer.send(&head, &zeros).await;
                        let _ = inquiry.answer.end().await;
                    }
                }
            }
        });
        let masternode = Self {
            server: serve(seed, inquiries).await,
            folder,
            shelf,
            transfer,
            is_honest: false,
        };
        (masternode, Lies(told))
    }

    /// A device that connected is asked, and answered, like all whom the chain admits.
    pub(crate) async fn admits(&self, device: &Device) {
        if self.is_honest {
            let asker = self.server.asker().clone();
            let came = self.transfer.came(device.id, SourceKind::Device, asker);
            came.await;
        }
    }

    /// Gives a thing once it is in this file.
    pub(crate) async fn keeps(&self, thing: &Thing, path: &Path) {
        loop {
            if path.exists() {
                self.shelf.keep(thing, path);
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A device with a connection to each masternode that it met.
pub(crate) struct Device {
    seed: u8,
    pub(crate) id: DeviceId,
    pub(crate) folder: TempDir,
    pub(crate) shelf: Arc<TestShelf>,
    pub(crate) transfer: Transfer,
    inquiries: mpsc::Sender<Inquiry>,
    clients: Vec<Client>,
}

impl Device {
    pub(crate) async fn new() -> Self {
        Self::with(2).await
    }

    pub(crate) async fn with(number: u8) -> Self {
        let seed = 100 + number;
        let folder = tempfile::tempdir().unwrap();
        let shelf = TestShelf::new(folder.path());
        let (transfer, inquiries) = transfer(seed.into(), &shelf);
        Self {
            seed,
            id: device_of_seed([seed; 32]),
            folder,
            shelf,
            transfer,
            inquiries,
            clients: Vec::new(),
        }
    }

    /// Connects to a masternode, and asks it from then on.
    pub(crate) async fn meets(&mut self, masternode: &Masternode) {
        let key = masternode.server.network_key();
        let client = Client::connect(ClientConfig {
            key_seed: [self.seed; 32],
            masternode: key,
            addresses: masternode.server.listen_addresses().to_vec(),
            prefer: Prefer::Quic,
            inquiries: Some(self.inquiries.clone()),
            wishes: None,
        })
        .await
        .unwrap();
        masternode.admits(self).await;
        let asker = client.asker().clone();
        let came = self.transfer.came(key, SourceKind::Masternode, asker);
        came.await;
        self.clients.push(client);
    }

    /// The program ends and begins anew.
    pub(crate) async fn restart(&mut self) {
        self.clients.clear();
        let (transfer, inquiries) = transfer(self.seed.into(), &self.shelf);
        self.transfer = transfer;
        self.inquiries = inquiries;
    }
}
