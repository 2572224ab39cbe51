//! A task of a command of the shell, which runs in cells; [`consent`](quern_swarm::consent) has its own tests.
//!
//! The program is its own helper: started with `INSIDE` it is a part of a cell. That must be so before it
//! has a second thread, so it has no harness.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use quern_primitives::Digest;
use quern_swarm::{
    Begin, Computing, Consent, Peer, PeerConfig, PeerError,
    run::{Helper, PrepareError},
};
use quern_swarm_file::{
    Check, Command, CommandLimits, InputFile, Other, OutputFile, TaskFile, ValidatedTaskFile, Work,
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeSet,
    fs,
    num::{NonZeroU8, NonZeroU32},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::timeout;

/// How the program is started as a part of a cell.
const INSIDE: &str = "inside";

/// Nothing here takes so long, also where much else runs.
const LONG: Duration = Duration::from_secs(180);

const WORDS: &[u8] = b"one two three";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == [INSIDE] {
        return quern_cell::inside();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(two_peers_compute_a_commands_pieces_in_cells());
    println!("two_peers_compute_a_commands_pieces_in_cells: ok");
    ExitCode::SUCCESS
}

async fn two_peers_compute_a_commands_pieces_in_cells() {
    let place = place();
    // Strangers, so that pieces are compared: by a command that looks at the first line alone.
    let check = "test \"$(head -n 1 \"$1\")\" = \"$(head -n 1 \"$2\")\"";
    let task = task(Check::By(check.parse().unwrap()));
    let mut peers: Vec<Peer> = Vec::new();
    for number in 0..2 {
        let folder = place.path().join(number.to_string());
        let consent = Consent::give(&folder, &task, task.digest()).unwrap();
        let config = PeerConfig {
            peers: peers
                .iter()
                .flat_map(|it| it.addresses().to_vec())
                .collect(),
            ..config(&task, &folder, Some(consent))
        };
        match Peer::start(config).await {
            Ok(peer) => peers.push(peer),
            Err(PeerError::Prepare(error @ PrepareError::NoCell { .. })) => {
                println!("SKIPPED: {error}");
                return;
            }
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        }
    }
    for (number, peer) in (0..).zip(peers) {
        let mut status = peer.status();
        let merged = timeout(LONG, status.wait_for(|it| it.output.is_some())).await;
        assert!(merged.is_ok(), "{:?}", peer.status().borrow());
        drop(merged);
        peer.stop().await.unwrap();
        let made = place.path().join(format!("{number}/output/words"));
        let made = fs::read_to_string(made).unwrap();
        let first_lines: Vec<&str> = made.lines().step_by(2).collect();
        assert_eq!(first_lines, ["0 one", "1 two", "2 three"], "{made}");
    }
}

/// A task whose pieces are a word of an input each, and a line that differs each time unless bytes decide.
fn task(check: Check) -> Arc<ValidatedTaskFile> {
    let three = NonZeroU32::new(3).unwrap();
    let second = match check {
        Check::Exact => "echo",
        Check::By(_) => "date +%N",
    };
    let shell = format!("set -- $(cat words); shift $QUERN_PIECE; echo $QUERN_PIECE $1; {second}");
    let file = TaskFile {
        name: "words".parse().unwrap(),
        work: Work::Command(Command {
            shell: shell.parse().unwrap(),
            limits: CommandLimits {
                seconds: NonZeroU32::new(60).unwrap(),
                memory_bytes: 256 << 20,
                disk_bytes: 1 << 20,
            },
            other: Other::default(),
        }),
        pieces: three,
        piece_bytes_max: NonZeroU32::new(64 * 1024).unwrap(),
        files: vec![OutputFile {
            path: "words".parse().unwrap(),
            parts: three,
            other: Other::default(),
        }],
        inputs: vec![InputFile {
            path: "words".parse().unwrap(),
            bytes: WORDS.len() as u64,
            sha256: Digest(Sha256::digest(WORDS).into()),
            other: Other::default(),
        }],
        check,
        bootstrap: Vec::new(),
        trackers: Vec::new(),
        bounty: None,
        other: Other::default(),
    };
    Arc::new(file.validate().unwrap())
}

/// A folder with the input in it, which others may read, as the superuser's cells must.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path().join("words"), WORDS).unwrap();
    place
}

fn config(task: &Arc<ValidatedTaskFile>, folder: &Path, consent: Option<Consent>) -> PeerConfig {
    PeerConfig {
        task: Arc::clone(task),
        folder: folder.to_owned(),
        beside: folder.parent().unwrap().to_owned(),
        computing: Some(Computing {
            slots: NonZeroU8::MIN,
            consent,
            helper: Some(Helper {
                program: std::env::current_exe().unwrap(),
                arguments: vec![INSIDE.into()],
            }),
        }),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        peers: Vec::new(),
        trusted: BTreeSet::new(),
        begin: Begin::WhenHeard,
    }
}
