//! The program itself: started, asked, killed, started again.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
// A process is asked again after a pause, within a deadline; nothing else runs on this thread.
#![allow(clippy::disallowed_methods)]

use codec::{Decode, Encode};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use quern_light::{BlockHash, ChainProof, DigestItem, Finality, Header, Start, Trust, Way, keys};
use quern_primitives::GenesisHash;
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

/// How long anything may take before the test gives up on it; a busy machine needs most of it for
/// the runtime's compilation at the start.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(50);

/// What //Alice has at genesis, in the smallest unit.
const ENDOWMENT: &str = "1000000000000000";

/// //Alice's account.
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

/// The validators of the local chain, by the options that give each of them its keys.
const VALIDATORS: [&str; 4] = ["--alice", "--bob", "--charlie", "--dave"];

/// A running node; killed when dropped.
struct Node {
    process: Child,
    rpc: u16,
    prometheus: u16,
}

impl Node {
    /// Starts a development chain.
    fn start(folder: &Path) -> Self {
        Self::start_as(folder, ["--dev", "--listen-addr", "/ip4/127.0.0.1/tcp/0"])
    }

    /// Starts a node with arguments beside those that every node has.
    fn start_as(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let [rpc, prometheus] = free_ports();
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_quern-node"))
            .args(arguments)
            .arg("--no-mdns")
            .args(["--rpc-port", &rpc.to_string()])
            .args(["--prometheus-port", &prometheus.to_string()])
            .arg("--base-path")
            .arg(folder)
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            process,
            rpc,
            prometheus,
        }
    }

    /// Asks; gives up when there is no answer for too long.
    fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = self.until(|node| http(node.rpc, "POST", "/", &question.to_string()));
        let mut answer: Value = serde_json::from_str(&body).unwrap();
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }

    /// The height of the newest final block.
    fn finalised(&mut self) -> u64 {
        let hash = self.ask("chain_getFinalizedHead", json!([])).unwrap();
        let header = self.ask("chain_getHeader", json!([hash])).unwrap();
        let height = header["number"].as_str().unwrap();
        u64::from_str_radix(height.trim_start_matches("0x"), 16).unwrap()
    }

    /// Waits until the chain is final up to this height, and tells up to where it is.
    fn wait_for_final(&mut self, height: u64) -> u64 {
        self.until(|node| Some(node.finalised()).filter(|final_at| *final_at >= height))
    }

    fn until<T>(&mut self, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(seen) = look(self) {
                return seen;
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the node ended: {status}");
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the node took longer than {PATIENCE:?}"
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Ends it without a word, as a power cut would.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end, as a service manager does.
    fn terminate(mut self) -> ExitStatus {
        let id = i32::try_from(self.process.id()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the node did not end in {PATIENCE:?}"
            );
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The body of an answer, if somebody listens and answers.
fn http(port: u16, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

fn submission() -> Value {
    let digest = format!("0x{}", "11".repeat(32));
    json!({
        "salt": vec![1; 16],
        "program": digest,
        "manifest": digest,
        "shards_root": digest,
        "key_commitment": digest,
        "tasks": 60,
        "input_bytes": 6000,
        "fuel_per_task_max": 2_000_000_000_u64,
        "memory_bytes_max": 67_108_864,
        "result_bytes_max": 1_048_576,
        "agreement": { "majority": { "replicas": 3 } },
        "referees": "three",
        "class": "pinned",
        "preferences": {
            "trusted": false,
            "regions": ["europe"],
            "hardware": [],
            "lines": [],
            "gpu": false,
            "processor_points_min": 0,
            "worker_version_min": 0,
        },
        "level": "balanced",
        "deadline": 1_000,
        "price_max": "0",
        "owner_sealing_key": digest,
    })
}

#[test]
fn a_chain_goes_on_after_its_only_validator_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(folder.path());
    // The database takes what is written into a queue, so a killed node may forget its last moment:
    // what is held to here was final before something else was.
    let before = node.wait_for_final(2);
    node.wait_for_final(before + 1);
    let genesis = node.ask("chain_getBlockHash", json!([0])).unwrap();
    let second = node.ask("chain_getBlockHash", json!([2])).unwrap();
    node.kill();

    let mut node = Node::start(folder.path());
    assert!(node.finalised() >= before, "what was final is so no longer");
    assert_eq!(node.ask("chain_getBlockHash", json!([0])).unwrap(), genesis);
    assert_eq!(node.ask("chain_getBlockHash", json!([2])).unwrap(), second);
    node.wait_for_final(before + 2);
    let status = node.terminate();
    assert!(status.success(), "{status}");

    let exported = export_blocks(folder.path(), &["--to", "2"]);
    let blocks = exported.iter();
    let numbers: Vec<_> = blocks
        .map(|signed| &signed["block"]["header"]["number"])
        .collect();
    assert_eq!(numbers, ["0x1", "0x2"]);
    subcommand(folder.path(), &["check-block", "2"]);
    let state = subcommand(folder.path(), &["export-state", "2"]);
    let spec: Value = serde_json::from_slice(&state).unwrap();
    let code = &spec["genesis"]["raw"]["top"][CODE];
    assert!(code.is_string(), "the state has no runtime");

    subcommand(folder.path(), &["purge-chain", "-y"]);
    imported_and_taken_back(folder.path(), &exported);
    subcommand(folder.path(), &["purge-chain", "-y"]);
    let mut node = Node::start(folder.path());
    let anew = node.ask("chain_getBlockHash", json!([2])).unwrap();
    assert_ne!(anew, second, "the chain was not purged");
    assert_eq!(node.ask("chain_getBlockHash", json!([0])).unwrap(), genesis);
}

#[test]
fn a_node_proves_what_its_final_state_has_from_the_first_block_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(folder.path());
    node.wait_for_final(3);
    let genesis = node.ask("chain_getBlockHash", json!([0])).unwrap();
    let genesis: GenesisHash = genesis.as_str().unwrap().parse().unwrap();
    let validators = [keys::authorities(), keys::authority_set_id()];
    let start = Start {
        header: header_of(&mut node, 0).encode(),
        nodes: proof_at(&mut node, 0, &validators),
    };
    let finality = node.ask("quern_finality", json!([2])).unwrap();
    let finality = Finality::read(&bytes(&finality)).unwrap();
    let issued = [keys::total_issuance()];
    let header = header_of(&mut node, 2);
    let nodes = proof_at(&mut node, 2, &issued);
    let proof = ChainProof::new(genesis, &header, &finality, Some(start), Vec::new(), nodes);
    let proven = proof.check(Trust::Genesis(genesis)).unwrap();
    let (set, validators) = (0, 1);
    assert_eq!(proven.way, Way::Signed { set, validators });
    let issued: Option<u128> = proven.value(&issued[0]).unwrap();
    let totals = node.ask("quern_totals", json!([])).unwrap();
    let text = issued.unwrap().to_string();
    assert!(totals.to_string().contains(&text), "{totals}");

    // There is but one set of validators, so its newest final block tells of no other.
    let last = node.ask("quern_handOver", json!([0])).unwrap();
    let last = Finality::read(&bytes(&last)).unwrap();
    assert_eq!(last.headers.len(), 1);
    assert_eq!(last.headers[0].hash(), last.block);
    let never = u32::MAX - 1;
    let none = node.ask("quern_finality", json!([never])).unwrap();
    assert!(none.is_null(), "{none}");
    let none = node.ask("quern_handOver", json!([never])).unwrap();
    assert!(none.is_null(), "{none}");
}

/// The header at a height, from what the node writes out of it.
fn header_of(node: &mut Node, height: u32) -> Header {
    let hash = node.ask("chain_getBlockHash", json!([height])).unwrap();
    let told = node.ask("chain_getHeader", json!([hash])).unwrap();
    let root = |name: &str| -> [u8; 32] { bytes(&told[name]).try_into().unwrap() };
    let logs = told["digest"]["logs"].as_array().unwrap();
    let item = |log: &Value| DigestItem::decode(&mut &bytes(log)[..]).unwrap();
    let header = Header {
        parent: BlockHash(root("parentHash")),
        number: height,
        state_root: root("stateRoot"),
        extrinsics_root: root("extrinsicsRoot"),
        digest: logs.iter().map(item).collect(),
    };
    assert_eq!(hash, header.hash().to_string());
    header
}

/// What proves the values at these keys, or that there are none.
fn proof_at(node: &mut Node, height: u32, keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let hash = node.ask("chain_getBlockHash", json!([height])).unwrap();
    let keys: Vec<_> = keys
        .iter()
        .map(|key| format!("0x{}", hex::encode(key)))
        .collect();
    let told = node.ask("state_getReadProof", json!([keys, hash])).unwrap();
    let nodes = told["proof"].as_array().unwrap();
    nodes.iter().map(bytes).collect()
}

fn bytes(told: &Value) -> Vec<u8> {
    let digits = told.as_str().unwrap().strip_prefix("0x").unwrap();
    hex::decode(digits).unwrap()
}

/// A chain of the blocks that were exported, which are two, in a folder whose own chain was purged.
fn imported_and_taken_back(folder: &Path, exported: &[Value]) {
    let blocks = folder.join(BLOCKS);
    subcommand(folder, &["import-blocks", blocks.to_str().unwrap()]);
    assert_eq!(export_blocks(folder, &[]), exported);
    // The node has heard of nobody that they are final.
    subcommand(folder, &["revert", "1"]);
    assert_eq!(export_blocks(folder, &[]), exported[..1]);
}

/// The file in a chain's folder to which blocks are written.
const BLOCKS: &str = "blocks.json";

/// Where a chain's state has the runtime's code: `:code`.
const CODE: &str = "0x3a636f6465";

/// Has the blocks of a folder's development chain written to a file, and reads them.
fn export_blocks(folder: &Path, range: &[&str]) -> Vec<Value> {
    let file = folder.join(BLOCKS);
    let export = ["export-blocks", file.to_str().unwrap()];
    subcommand(folder, &[&export[..], range].concat());
    let exported = std::fs::read_to_string(&file).unwrap();
    serde_json::Deserializer::from_str(&exported)
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

/// Runs a subcommand on the development chain of a folder; it must succeed. What it writes to standard
/// output.
fn subcommand(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let (command, arguments) = arguments.split_first().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_quern-node"))
        .args([command, "--dev", "--base-path"])
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command}: {said}");
    ran.stdout
}

#[test]
fn four_validators_agree_on_a_chain_and_go_on_when_one_of_them_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = local_chain(folder.path());
    finalise_together(&mut nodes, 3);
    // The one from which the others learnt of the chain.
    nodes.remove(0).kill();
    let before = nodes.iter_mut().map(Node::finalised).max().unwrap();
    finalise_together(&mut nodes, before + 3);
}

/// Starts the validators of a local chain, each of which is told of those before it. The first
/// compiles the runtime for all of them.
fn local_chain(folder: &Path) -> Vec<Node> {
    let compiled = folder.join("compiled-runtimes");
    let (mut nodes, mut known) = (Vec::new(), Vec::<String>::new());
    for name in VALIDATORS {
        let own = folder.join(name.trim_start_matches('-'));
        std::fs::create_dir(&own).unwrap();
        let [port] = free_ports();
        let address = format!("/ip4/127.0.0.1/tcp/{port}");
        let mut arguments = vec![
            name.to_owned(),
            "--chain=local".to_owned(),
            // The folder is new; the key only names the node to its peers.
            "--unsafe-force-node-key-generation".to_owned(),
            format!("--listen-addr={address}"),
            format!("--compiled-runtimes={}", compiled.display()),
        ];
        arguments.extend(known.iter().map(|known| format!("--bootnodes={known}")));
        let mut node = Node::start_as(&own, arguments);
        let peer = node.ask("system_localPeerId", json!([])).unwrap();
        known.push(format!("{address}/p2p/{}", peer.as_str().unwrap()));
        nodes.push(node);
    }
    nodes
}

/// Waits until this height is final for every node, and fails unless it is one block for all.
fn finalise_together(nodes: &mut [Node], height: u64) {
    let mut blocks = Vec::new();
    for node in nodes {
        node.wait_for_final(height);
        let block = node.ask("chain_getBlockHash", json!([height])).unwrap();
        assert!(block.is_string(), "{block}");
        blocks.push(block);
    }
    assert!(blocks.iter().all(|block| *block == blocks[0]), "{blocks:?}");
}

#[test]
fn a_node_answers_for_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(folder.path());
    node.wait_for_final(1);

    let wallet = node.ask("quern_wallet", json!([ALICE])).unwrap();
    let nothing = "0";
    assert_eq!(
        wallet,
        json!({
            "free": ENDOWMENT,
            "escrow": nothing,
            "pending": nothing,
            "pending_partly": false,
            "bond_active": nothing,
            "unbonding": [],
            "payouts": nothing,
            "masternode_bond": "1000000000000",
            "disputes": nothing,
            "contracts": nothing,
            "challenges": nothing,
        })
    );
    let totals = node.ask("quern_totals", json!([])).unwrap();
    assert_eq!(totals["issuance"], totals["genesis"]);
    assert_eq!(totals["minted"], nothing);

    let finality = node.ask("quern_finalityClock", json!([])).unwrap();
    assert_eq!(finality["window"], 5);
    assert!(finality["clock"].is_u64(), "{finality}");
    let quote = node.ask("quern_quote", json!([submission()])).unwrap();
    assert_eq!(quote["total"], "2640000000");
    let mut endless = submission();
    endless["fuel_per_task_max"] = json!(u64::MAX);
    let refusal = node.ask("quern_quote", json!([endless])).unwrap_err();
    assert_eq!(refusal["code"], 7_001);
    assert_eq!(refusal["data"]["refused"], "too_much_fuel");

    let unknown = format!("0x{}", "22".repeat(32));
    assert_eq!(node.ask("quern_job", json!([unknown])), Ok(Value::Null));
    assert_eq!(
        node.ask("quern_batch", json!([unknown, 0])),
        Ok(Value::Null)
    );
    assert_eq!(node.ask("quern_device", json!([unknown])), Ok(Value::Null));
    assert_eq!(node.ask("quern_jobsOf", json!([ALICE])), Ok(json!([])));
    let by_name = json!({ "account": ALICE, "startAfter": unknown, "limit": 3 });
    assert_eq!(node.ask("quern_jobsOf", by_name), Ok(json!([])));
    let refusal = node
        .ask("quern_wallet", json!([ALICE, unknown]))
        .unwrap_err();
    assert_eq!(refusal["code"], 7_002);
    let refusal = node.ask("quern_job", json!(["0x12"])).unwrap_err();
    assert_eq!(refusal["code"], -32_602, "invalid parameters: {refusal}");

    assert_eq!(
        node.ask("system_accountNextIndex", json!([ALICE])),
        Ok(json!(0))
    );
    let metrics = node.until(|node| http(node.prometheus, "GET", "/metrics", ""));
    assert!(metrics.contains("substrate_block_height"), "{metrics}");
}
