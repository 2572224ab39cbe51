//! A task, and peers that compute it.

use quern_network::device_of_seed;
use quern_swarm::{Begin, Computing, DiskError, Peer, PeerConfig, PeerError, Status};
use quern_swarm_file::{
    Check, Module, ModuleLimits, Other, OutputFile, TaskFile, ValidatedTaskFile, Wasm, Work,
};
use quern_swarm_rules::PeerId;
use std::{
    collections::BTreeSet,
    fs,
    num::{NonZeroU8, NonZeroU32},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, time::timeout};

/// Nothing here takes so long, also where much else runs.
pub(crate) const LONG: Duration = Duration::from_secs(180);

/// Zeros behind what tells the pieces apart, so that each has several chunks.
const ZEROS: usize = 20_000;

/// Writes the variable that tells which piece it is, and zeros, after some rounds of arithmetic.
const MODULE: &str = r#"
(module
  (import "wasi_snapshot_preview1" "environ_get"
    (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $i i32) (local $n i32)
    (local.set $i (i32.const ROUNDS))
    (loop $busy
      (local.set $n (i32.mul (i32.add (local.get $n) (local.get $i)) (i32.const 1664525)))
      (br_if $busy (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (i32.store (i32.const 64) (local.get $n))
    (drop (call $environ_get (i32.const 256) (i32.const 4096)))
    (local.set $n (i32.const 4096))
    (loop $end
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $end (i32.load8_u (local.get $n))))
    (i32.store8 (local.get $n) (i32.const 10))
    (i32.store (i32.const 0) (i32.const 4096))
    (i32.store (i32.const 4) (i32.sub (i32.add (local.get $n) (i32.const 1)) (i32.const 4096)))
    (i32.store (i32.const 8) (i32.const 16384))
    (i32.store (i32.const 12) (i32.const ZEROS))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 32)))))
"#;

/// A swarm of whose peers each has a folder and a key by its number.
pub(crate) struct Group {
    pub(crate) task: Arc<ValidatedTaskFile>,
    place: TempDir,
}

impl Group {
    /// Of a task whose pieces take so many rounds each.
    pub(crate) fn of(pieces: u32, rounds: u32) -> Self {
        let module = MODULE.replace("ROUNDS", &rounds.to_string());
        let module = module.replace("ZEROS", &ZEROS.to_string());
        let file = TaskFile {
            name: "lines".parse().unwrap(),
            work: Work::Module(Module {
                wasm: Wasm::Inside(wat::parse_str(module).unwrap()),
                arguments: Vec::new(),
                limits: ModuleLimits {
                    fuel: 10_000_000_000,
                    memory_bytes: 1 << 20,
                },
                other: Other::default(),
            }),
            pieces: NonZeroU32::new(pieces).unwrap(),
            piece_bytes_max: NonZeroU32::new(64 * 1024).unwrap(),
            files: vec![OutputFile {
                path: "lines/all".parse().unwrap(),
                parts: NonZeroU32::new(pieces).unwrap(),
                other: Other::default(),
            }],
            inputs: Vec::new(),
            check: Check::Exact,
            bootstrap: Vec::new(),
            trackers: Vec::new(),
            bounty: None,
            other: Other::default(),
        };
        Self {
            task: Arc::new(file.validate().unwrap()),
            place: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn folder(&self, number: u8) -> PathBuf {
        self.place.path().join(number.to_string())
    }

    /// How a peer begins that computes, is a stranger to all others, and knows these.
    pub(crate) fn config(&self, number: u8, known: &[&Peer]) -> PeerConfig {
        let folder = self.folder(number);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("key"), seed(number)).unwrap();
        PeerConfig {
            task: Arc::clone(&self.task),
            folder,
            beside: self.place.path().to_owned(),
            computing: Some(Computing {
                slots: NonZeroU8::MIN,
                consent: None,
                helper: None,
            }),
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
            peers: known
                .iter()
                .flat_map(|it| it.addresses().to_vec())
                .collect(),
            trusted: BTreeSet::new(),
            begin: Begin::WhenHeard,
        }
    }

    pub(crate) async fn start(&self, number: u8, known: &[&Peer]) -> Peer {
        Peer::start(self.config(number, known)).await.unwrap()
    }

    /// Starts a peer in a folder in which another was dropped, when nothing of that runs any more.
    pub(crate) async fn start_again(&self, number: u8, known: &[&Peer]) -> Peer {
        let started = async {
            loop {
                match Peer::start(self.config(number, known)).await {
                    Ok(peer) => return peer,
                    Err(PeerError::Disk(DiskError::InUse { .. })) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        };
        timeout(LONG, started).await.expect("its folder gets free")
    }

    /// What the pieces make.
    pub(crate) fn output(&self) -> Vec<u8> {
        let piece = |piece: u32| {
            let mut bytes = format!("QUERN_PIECE={piece}\n").into_bytes();
            bytes.resize(bytes.len() + ZEROS, 0);
            bytes
        };
        (0..self.task.file().pieces.get()).flat_map(piece).collect()
    }

    pub(crate) fn assert_output_right(&self, number: u8) {
        let made = fs::read(self.folder(number).join("output/lines/all")).unwrap();
        assert!(
            made == self.output(),
            "the output of peer {number} is not right"
        );
    }
}

pub(crate) fn seed(number: u8) -> [u8; 32] {
    [number; 32]
}

pub(crate) fn name(number: u8) -> PeerId {
    device_of_seed(seed(number))
}

/// A begin that is told by what comes with it.
pub(crate) fn begin() -> (oneshot::Sender<()>, Begin) {
    let (told, begin) = oneshot::channel();
    (told, Begin::When(begin))
}

/// Waits until it stands so with a peer.
pub(crate) async fn until(peer: &Peer, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let mut status = peer.status();
    let waited = timeout(LONG, status.wait_for(|it| is_so(it))).await;
    match waited {
        Ok(Ok(status)) => return status.clone(),
        Ok(Err(_)) => panic!("it ended before it was {what}"),
        Err(_) => {}
    }
    panic!("it was never {what}: {:?}", peer.status().borrow());
}

pub(crate) async fn until_merged(peer: &Peer) -> Status {
    until(peer, "merged", |it| it.output.is_some()).await
}
