//! A masternode of the tests: the real network room, real sealed shards, real programs; only the
//! chain is missing, and its decisions are the test's.

use codec::Encode as _;
use quern_network::{
    Multiaddr, ReplyToken, Server, ServerConfig, ServerEvent, ServerHandle, ServerLimits,
};
use quern_primitives::{
    device::Class,
    ids::{DeviceId, Digest, GenesisHash, JobId, ProgramHash, SealingKey},
    log::{Acknowledgement, Acknowledgements, SignedCommitment},
    payload::NodeSecret,
};
use quern_protocol::{
    Assignment, Benchmark, BenchmarkAnswer, Content, Deliver, Discard, Exchange, Fetch, HandBack,
    Hello, Mark, Output, Piece, Progress, Refusal, ReplicaId, Report, Request, Response, SealedKey,
    ShardFacts, Stage, State, TaskLimits, Welcome, Work,
    limits::{INLINE_SHARD_BYTES_MAX, MARK_BYTES, TASKS_IN_HAND_MAX},
};
use quern_shards::{
    context::{ResultContext, ShardContext},
    keys::{HandOver, ShardKey, hand_over},
    result::open_result,
    seal::{SealSalt, seal},
};
use quern_worker::held::showing;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Of its network key.
const KEY_SEED: [u8; 32] = [0x33; 32];
pub(crate) const GENESIS: GenesisHash = GenesisHash([0x11; 32]);
pub(crate) const JOB: JobId = JobId([0x22; 32]);

/// Shards of the tests' job.
const SHARDS: u32 = 1_000;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an exchange is held open while there is nothing to say. A worker that waits for work
/// tells what its tasks are doing when it asks again; a masternode lets it wait longer.
const HOLD: Duration = Duration::from_millis(500);

/// A device as the chain would know it.
#[derive(Clone, Copy)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) sealing_key: SealingKey,
}

pub(crate) fn id(task: u32) -> ReplicaId {
    ReplicaId {
        job: JOB,
        task,
        replica: 0,
    }
}

/// A task as the office keeps it.
pub(crate) struct Task {
    pub(crate) assignment: Assignment,
    pub(crate) shard: Vec<u8>,
    pub(crate) key: ShardKey,
}

/// An exchange that waits for something to say.
struct Held {
    reply: ReplyToken,
    want: u8,
    waits: bool,
    until: Instant,
}

/// The masternode.
pub(crate) struct Office {
    pub(crate) server: ServerHandle,
    events: mpsc::Receiver<ServerEvent>,
    device: Device,
    programs: BTreeMap<ProgramHash, Vec<u8>>,
    pub(crate) tasks: BTreeMap<ReplicaId, Task>,
    queue: VecDeque<ReplicaId>,
    /// What it may ask for.
    unasked: Vec<ReplicaId>,
    pub(crate) in_hand: BTreeSet<ReplicaId>,
    delivered: BTreeMap<ReplicaId, Vec<u8>>,
    held: VecDeque<Held>,
    marks_drawn: u64,
    /// What went with pieces over this connection and was not shown yet.
    unshown: Vec<(Content, Mark)>,
    /// What went with the last answer to a piece of a result over it.
    last_marks: BTreeMap<ReplicaId, Mark>,

    /// What happened so far.
    pub(crate) hellos: Vec<Hello>,
    /// Of which the device has shown that it has the shard.
    pub(crate) shown: BTreeSet<ReplicaId>,
    pub(crate) commitments: Vec<SignedCommitment>,
    pub(crate) reports: Vec<(ReplicaId, Report)>,
    pub(crate) hand_backs: Vec<HandBack>,
    pub(crate) acknowledged: BTreeSet<ReplicaId>,
    pub(crate) disconnections: usize,
    pub(crate) most_in_hand: usize,
    pub(crate) pieces: usize,
    /// Fetches and deliveries that showed a mark.
    pub(crate) fetches_marked: usize,
    pub(crate) deliveries_marked: usize,
    /// The task that the worker last said it runs.
    pub(crate) running: Option<ReplicaId>,
    /// What each exchange wanted.
    pub(crate) wants: Vec<u8>,
    /// How the worker said its machine is.
    pub(crate) states: Vec<State>,
    pub(crate) benchmark_answers: Vec<BenchmarkAnswer>,

    /// How it behaves.
    pub(crate) acknowledges: bool,
    /// Whether the device commits itself to the results of tasks that are added.
    pub(crate) commits: bool,
    /// Whether it asks for what the device committed itself to.
    pub(crate) asks: bool,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) discards: Vec<Discard>,
    /// What goes with the next answer to an exchange.
    pub(crate) benchmark: Option<Benchmark>,
    /// The connection is cut after so many more pieces.
    pub(crate) cut_after_pieces: Option<usize>,
}

impl Office {
    pub(crate) async fn open(device: Device) -> Self {
        let listen: [Multiaddr; 2] = [
            "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
            "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap(),
        ];
        let (server, events) = Server::start(ServerConfig {
            key_seed: KEY_SEED,
            listen: listen.to_vec(),
            limits: ServerLimits::default(),
            inquiries: None,
        })
        .await
        .unwrap();
        Self {
            server,
            events,
            device,
            programs: BTreeMap::new(),
            tasks: BTreeMap::new(),
            queue: VecDeque::new(),
            in_hand: BTreeSet::new(),
            delivered: BTreeMap::new(),
            held: VecDeque::new(),
            marks_drawn: 0,
            unshown: Vec::new(),
            last_marks: BTreeMap::new(),
            hellos: Vec::new(),
            shown: BTreeSet::new(),
            reports: Vec::new(),
            hand_backs: Vec::new(),
            acknowledged: BTreeSet::new(),
            disconnections: 0,
            most_in_hand: 0,
            pieces: 0,
            fetches_marked: 0,
            deliveries_marked: 0,
            running: None,
            wants: Vec::new(),
            states: Vec::new(),
            benchmark_answers: Vec::new(),
            acknowledges: true,
            commits: false,
            asks: true,
            commitments: vec![],
            unasked: vec![],
            refusal: None,
            discards: Vec::new(),
            benchmark: None,
            cut_after_pieces: None,
        }
    }

    /// The settings of a worker that knows this masternode, and that runs on any machine. The table
    /// of preferences is the last.
    pub(crate) fn settings(&self) -> String {
        let addresses: Vec<String> = self
            .server
            .listen_addresses()
            .iter()
            .map(|address| format!("{:?}", address.to_string()))
            .collect();
        format!(
            "genesis = \"{GENESIS}\"\nstop_grace_s = 20\nprefer = \"tcp\"\n\
             masternodes = [{{ network_key = \"{}\", addresses = [{}] }}]\n\
             [log]\nlevel = \"debug\"\n\
             [availability]\ntemperature_c_max = 110\nbattery_percent_min = 0\n",
            self.server.network_key(),
            addresses.join(", "),
        )
    }

    /// Adds a task: this program on this input.
    pub(crate) fn add(&mut self, task: u32, program: &[u8], input: &[u8]) -> ReplicaId {
        let hash = ProgramHash(Sha256::digest(program).into());
        self.programs.insert(hash, program.to_vec());
        let key = ShardKey::from_bytes(Sha256::digest(task.to_le_bytes()).into());
        let context = ShardContext {
            genesis: GENESIS,
            job: JOB,
            program: hash,
            index: task,
            count: SHARDS,
            plaintext_bytes: input.len() as u64,
        };
        let sealed = seal(&key, SealSalt([7; 16]), &context, input).unwrap();
        let purpose = HandOver {
            genesis: GENESIS,
            job: JOB,
            index: task,
            device: self.device.id,
        };
        let handed = hand_over(&key, &self.device.sealing_key, &purpose, &mut rand::rng()).unwrap();
        let small = sealed.bytes.len() <= INLINE_SHARD_BYTES_MAX;
        let assignment = Assignment {
            id: id(task),
            program: hash,
            program_bytes: u32::try_from(program.len()).unwrap(),
            arguments: vec![],
            shard: ShardFacts {
                root: sealed.chunk_root,
                sealed_bytes: sealed.bytes.len() as u64,
                plaintext_bytes: input.len() as u64,
                count: SHARDS,
            },
            key: SealedKey {
                encapsulated: handed.encapsulated,
                ciphertext: handed.ciphertext,
            },
            limits: TaskLimits {
                fuel: 50_000_000_000,
                memory_bytes: 64 << 20,
                result_bytes: 8 << 20,
                time_ms: 60_000,
            },
            class: Class::Portable,
            log_position: u64::from(task) + 100,
            commits: self.commits,
            inline_shard: small.then(|| sealed.bytes.clone()),
        };
        self.tasks.insert(
            id(task),
            Task {
                assignment,
                shard: sealed.bytes,
                key,
            },
        );
        self.queue.push_back(id(task));
        id(task)
    }

    /// Serves until the condition holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let served = async {
            while !holds(self) {
                let event = self.next().await;
                self.on_event(event).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, served).await.is_ok();
        assert!(in_time, "waited in vain for {what}");
    }

    /// Serves for as long as the other thing takes.
    pub(crate) async fn during<T>(&mut self, other: impl Future<Output = T>) -> T {
        tokio::pin!(other);
        loop {
            tokio::select! {
                done = &mut other => return done,
                event = self.next() => self.on_event(event).await,
            }
        }
    }

    /// What happens next. Exchanges that were held long enough are answered meanwhile.
    async fn next(&mut self) -> ServerEvent {
        loop {
            let Some(until) = self.held.front().map(|held| held.until) else {
                return self.events.recv().await.unwrap();
            };
            match tokio::time::timeout_at(until, self.events.recv()).await {
                Ok(event) => return event.unwrap(),
                Err(_) => self.let_go(),
            }
        }
    }

    /// Answers the oldest held exchange, which gives nothing.
    fn let_go(&mut self) {
        if let Some(older) = self.held.pop_front() {
            let work = self.work(0);
            older.reply.reply(Response::Work(work));
        }
    }

    /// What the device's report says the result is, opened as the owner would.
    pub(crate) fn result(&self, id: ReplicaId) -> Vec<u8> {
        let (_, report) = self.reports.iter().find(|(of, _)| *of == id).unwrap();
        let sealed = match &report.output {
            Output::Inline(bytes) => bytes,
            Output::Delivered { bytes } => {
                let delivered = &self.delivered[&id];
                assert_eq!(delivered.len() as u64, *bytes);
                delivered
            }
        };
        let receipt = &report.receipt.payload;
        assert!(report.receipt.is_signed_by(&self.device.id, &GENESIS));
        assert_eq!(
            quern_shards::chunks::chunk_root(sealed),
            receipt.output_root
        );
        let context = ResultContext {
            genesis: GENESIS,
            job: JOB,
            program: receipt.program,
            task: id.task,
            tasks: SHARDS,
            replica: id.replica,
            device: self.device.id,
        };
        open_result(
            &self.tasks[&id].key,
            &context,
            &receipt.result_commitment,
            sealed,
        )
        .unwrap()
    }

    async fn on_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Connected { device } => assert_eq!(device, self.device.id),
            ServerEvent::Misbehaved { why, .. } => panic!("the worker {why}"),
            ServerEvent::Disconnected { .. } => {
                self.disconnections += 1;
                self.held.clear();
                self.unshown.clear();
                self.last_marks.clear();
            }
            ServerEvent::Request { request, reply, .. } => self.on_request(request, reply).await,
        }
    }

    async fn on_request(&mut self, request: Request, reply: ReplyToken) {
        if let Some(refusal) = self.refusal {
            reply.dismiss(Response::Refused(refusal)).await;
            return;
        }
        match request {
            Request::Hello(hello) => {
                self.in_hand.retain(|id| hello.in_hand.contains(id));
                self.hellos.push(hello);
                reply.reply(Response::Welcome(Welcome {
                    heartbeat_ms: 1_000,
                }));
            }
            Request::Exchange(exchange) => self.on_exchange(exchange, reply),
            Request::Fetch(fetch) => {
                let piece = self.piece(&fetch);
                self.piece_passed(reply, piece).await;
            }
            Request::Deliver(deliver) => {
                let received = self.receive(deliver);
                self.piece_passed(reply, received).await;
            }
            // No batch of this office is on a chain.
            Request::Show(_) => reply.reply(Response::Shown(vec![])),
        }
    }

    fn on_exchange(&mut self, exchange: Exchange, reply: ReplyToken) {
        for held in exchange.holds {
            let Task {
                assignment, shard, ..
            } = &self.tasks[&held.id];
            assert_eq!(held.log_position, assignment.log_position);
            let shown = showing(assignment, self.device.id, GENESIS).answer_of(shard);
            assert_eq!(held.shown, shown.unwrap(), "it does not have the shard");
            self.shown.insert(held.id);
        }
        for told in &exchange.progress {
            let is_here = told.stage != Stage::Fetching;
            assert!(!is_here || self.shown.contains(&told.id), "{told:?}");
        }
        for commitment in exchange.commitments {
            assert!(commitment.is_signed_by(&self.device.id, &GENESIS));
            let id = id(commitment.payload.task);
            assert!(self.shown.contains(&id));
            self.in_hand.remove(&id);
            self.unasked.push(id);
            self.commitments.push(commitment);
        }
        for report in exchange.reports {
            let receipt = &report.receipt.payload;
            let id = ReplicaId {
                job: receipt.job,
                task: receipt.task,
                replica: receipt.replica,
            };
            assert!(self.shown.contains(&id));
            self.in_hand.remove(&id);
            self.reports.push((id, report));
        }
        let runs = |progress: &&Progress| progress.stage == Stage::Running;
        self.running = exchange
            .progress
            .iter()
            .find(runs)
            .map(|progress| progress.id);
        for hand_back in exchange.handed_back {
            self.in_hand.remove(&hand_back.id);
            self.hand_backs.push(hand_back);
        }
        self.wants.push(exchange.want);
        self.states.extend(exchange.state);
        self.benchmark_answers.extend(exchange.benchmark);
        // A newer exchange replaces the wish of an older one.
        while !self.held.is_empty() {
            self.let_go();
        }
        self.held.push_back(Held {
            reply,
            want: exchange.want,
            waits: exchange.waits,
            until: Instant::now() + HOLD,
        });
        self.answer_held();
    }

    /// Answers a held exchange if there is anything to say, or nothing was wanted.
    pub(crate) fn answer_held(&mut self) {
        let Some(held) = self.held.pop_front() else {
            return;
        };
        let work = self.work(held.want);
        let is_empty = work.acknowledged.is_empty()
            && work.reveals.is_empty()
            && work.discard.is_empty()
            && work.assignments.is_empty()
            && work.benchmark.is_none();
        if is_empty && (held.want > 0 || held.waits) {
            self.held.push_front(held);
        } else {
            held.reply.reply(Response::Work(work));
        }
    }

    fn work(&mut self, want: u8) -> Work {
        let room = TASKS_IN_HAND_MAX - self.in_hand.len();
        let mut assignments = Vec::new();
        while assignments.len() < room.min(want.into())
            && let Some(id) = self.queue.pop_front()
        {
            self.in_hand.insert(id);
            assignments.push(self.tasks[&id].assignment.clone());
        }
        self.most_in_hand = self.most_in_hand.max(self.in_hand.len());
        let mut acknowledged = Vec::new();
        if self.acknowledges {
            for (position, (id, report)) in (0..).zip(&self.reports) {
                if self.acknowledged.insert(*id) {
                    let payload = Acknowledgement {
                        job: id.job,
                        task: id.task,
                        replica: id.replica,
                        device: self.device.id,
                        receipt: Digest(Sha256::digest(report.receipt.encode()).into()),
                        position,
                    };
                    acknowledged.push(payload);
                }
            }
        }
        let node = NodeSecret::from_seed(&KEY_SEED);
        let acknowledged = Acknowledgements::sign(&acknowledged, &node, &GENESIS);
        let reveals = match self.asks {
            true => std::mem::take(&mut self.unasked),
            false => vec![],
        };
        let discard = std::mem::take(&mut self.discards);
        Work {
            acknowledged,
            reveals,
            discard,
            assignments,
            ask_again_ms: 0,
            benchmark: self.benchmark.take(),
        }
    }

    /// Draws a mark; those of the tests are counted.
    fn mark(&mut self) -> Mark {
        self.marks_drawn += 1;
        let mut mark = [0; MARK_BYTES];
        mark[..8].copy_from_slice(&self.marks_drawn.to_le_bytes());
        Mark(mark)
    }

    fn piece(&mut self, fetch: &Fetch) -> Response {
        if let Some(mark) = fetch.received {
            let shown = (fetch.content, mark);
            let place = self.unshown.iter().position(|given| *given == shown);
            // Each is shown once, with its own content.
            self.unshown.remove(place.unwrap());
            self.fetches_marked += 1;
        }
        let content = match fetch.content {
            Content::Program(hash) => self.programs.get(&hash),
            Content::Shard { task, .. } => self.tasks.get(&id(task)).map(|task| &task.shard),
        };
        let Some(content) = content else {
            return Response::Refused(Refusal::NoSuchContent);
        };
        let start = usize::try_from(fetch.offset).unwrap().min(content.len());
        let end = (start + fetch.length as usize).min(content.len());
        let (total_bytes, bytes) = (content.len() as u64, content[start..end].to_vec());
        let mark = self.mark();
        self.unshown.push((fetch.content, mark));
        Response::Piece(Piece {
            total_bytes,
            bytes,
            mark,
        })
    }

    fn receive(&mut self, deliver: Deliver) -> Response {
        let mark = self.mark();
        let last = self.last_marks.insert(deliver.id, mark);
        if deliver.follows.is_some() {
            assert_eq!(deliver.follows, last);
            self.deliveries_marked += 1;
        }
        let delivered = self.delivered.entry(deliver.id).or_default();
        if deliver.offset == delivered.len() as u64 {
            delivered.extend_from_slice(&deliver.bytes);
        }
        Response::Delivered {
            received_bytes: delivered.len() as u64,
            mark,
        }
    }

    async fn piece_passed(&mut self, reply: ReplyToken, response: Response) {
        self.pieces += 1;
        if let Some(left) = &mut self.cut_after_pieces {
            if *left == 0 {
                self.cut_after_pieces = None;
                drop(reply);
                self.server.disconnect(self.device.id).await.unwrap();
                return;
            }
            *left -= 1;
        }
        reply.reply(response);
    }
}
