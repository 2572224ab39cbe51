//! A grid in which anything happens, from one seed: masternodes that keep their books, a network
//! that breaks, a machine that fails tasks.

mod masternodes;

use super::{
    super::{task::Stage, *},
    committing::{commits, committed},
};
use crate::availability::{Verdict, WeekMinute, Weekday, Withheld};
use codec::Encode as _;
use quern_primitives::{
    ids::{GenesisHash, JobId, ProgramHash},
    log::{Acknowledgement, Acknowledgements, SignedAcknowledgement},
    payload::{DeviceKey, NodeSecret},
    receipt::{Exit, Receipt, SignedReceipt},
};
use quern_protocol::{
    Assignment, Benchmark, Discard, Held, Message, SealedKey, ShardFacts, State, TaskLimits,
    Unavailable,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

pub(super) const fn masternode(n: u8) -> DeviceId {
    DeviceId([n; 32])
}

/// Which masternode a task is of, by the tests' numbering.
pub(super) fn id(task: u32) -> ReplicaId {
    ReplicaId {
        job: JobId([3; 32]),
        task,
        replica: 0,
    }
}

pub(super) fn settings() -> CoreSettings {
    CoreSettings {
        software: b"test".to_vec(),
        engines: vec![(Class::Pinned, Digest([1; 32]))],
        machine: Machine {
            cores: Some(4),
            ..Machine::default()
        },
        memory_bytes_max: 1 << 30,
        stop_grace_ms: 30_000,
        once: false,
        seed: 7,
    }
}

pub(super) fn assignment(task: u32) -> Assignment {
    Assignment {
        id: id(task),
        program: ProgramHash([4; 32]),
        program_bytes: 100,
        arguments: vec![],
        shard: ShardFacts {
            root: Digest([5; 32]),
            sealed_bytes: 400,
            plaintext_bytes: 10,
            count: 1 << 16,
        },
        key: SealedKey {
            encapsulated: [0; 32],
            ciphertext: [0; 48],
        },
        limits: TaskLimits {
            fuel: 1,
            memory_bytes: 1 << 20,
            result_bytes: 1,
            time_ms: 1_000,
        },
        class: Class::Pinned,
        log_position: 0,
        commits: false,
        inline_shard: None,
    }
}

/// A masternode's word that it has taken a receipt. The core leaves its signature to others to check.
pub(super) fn word(receipt: &SignedReceipt) -> SignedAcknowledgement {
    let payload = Acknowledgement {
        job: receipt.payload.job,
        task: receipt.payload.task,
        replica: receipt.payload.replica,
        device: receipt.payload.device,
        receipt: Digest(Sha256::digest(receipt.encode()).into()),
        position: 0,
    };
    SignedAcknowledgement::alone(
        payload,
        &NodeSecret::from_seed(&[8; 32]),
        &GenesisHash::default(),
    )
}

/// The same as a masternode's answer has it.
pub(super) fn words(receipt: &SignedReceipt) -> Vec<Acknowledgements> {
    let word = word(receipt);
    vec![Acknowledgements {
        words: vec![word.payload],
        signature: word.signature,
    }]
}

pub(super) fn finished(task: u32) -> Finished {
    let key = DeviceKey::from_seed(&[9; 32]);
    let shown = held(task).shown;
    let ReplicaId { job, task, replica } = id(task);
    let receipt = Receipt {
        job,
        task,
        replica,
        device: key.id(),
        program: ProgramHash([4; 32]),
        input_root: Digest([5; 32]),
        question: Digest([46; 32]),
        result_commitment: Digest([6; 32]),
        output_root: Digest([7; 32]),
        result_bytes: 0,
        fuel: 1,
        exit: Exit::Success,
        class: Class::Pinned,
        engine: Digest([1; 32]),
        log_position: 0,
        salt: [90; 32].into(),
    };
    let receipt = key.sign(receipt, &GenesisHash::default());
    Finished {
        shown,
        receipt,
        commitment: None,
        sealed: Sealed::Here(vec![1, 2, 3]),
    }
}

/// What shows that the shard of a task is here.
pub(super) fn held(task: u32) -> Held {
    Held {
        id: id(task),
        log_position: 0,
        shown: Digest([task.to_le_bytes()[0]; 32]),
    }
}

pub(super) fn benchmark(number: u64) -> Benchmark {
    Benchmark {
        number,
        program: vec![1, 2, 3],
        input: [0; 16],
        fuel: 1,
    }
}

/// What a benchmark of the tests comes to.
pub(super) fn output(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

pub(super) fn outside_hours() -> Withheld {
    Withheld::OutsideHours {
        opens_at: WeekMinute::at(Weekday::Friday, 18, 0),
    }
}

pub(super) fn in_use(idle_s: u64) -> Withheld {
    Withheld::InUse {
        idle_s: Some(idle_s),
        idle_s_min: 600,
    }
}

/// The machine was looked at, and these reasons hold it back.
pub(super) fn measured(reasons: &[Withheld]) -> Event {
    let unavailable = reasons
        .iter()
        .map(|reason| match reason {
            Withheld::OutsideHours { .. } => Unavailable::OutsideHours,
            _ => Unavailable::InUse,
        })
        .collect();
    let state = State {
        free_ram_mib: Some(1_000),
        unavailable,
        ..State::default()
    };
    let verdict = if reasons.is_empty() {
        Verdict::Available
    } else {
        Verdict::Withheld(reasons.to_vec())
    };
    Event::Measured { state, verdict }
}

/// A masternode's books about this device.
#[derive(Default)]
struct Books {
    assigned: BTreeSet<ReplicaId>,
    to_acknowledge: Vec<Acknowledgements>,
    to_discard: Vec<Discard>,
    acknowledged: BTreeSet<ReplicaId>,
    /// What the device has committed itself to over the connection that stands.
    committed: BTreeSet<ReplicaId>,
    /// What it was asked to reveal over it.
    asked: BTreeSet<ReplicaId>,
    /// The last benchmark that was given.
    benchmark: u64,
}

pub(super) struct World {
    pub(super) core: Core,
    now: u64,
    random: Backoff,
    books: BTreeMap<DeviceId, Books>,
    /// What will happen, at some time, and since when it could.
    pending: Vec<(u64, Event)>,
    /// The sandbox's queue.
    queue: Vec<ReplicaId>,
    next_task: u32,
    next_benchmark: u64,
    /// The benchmark that runs.
    benchmarking: Option<u64>,
    /// Everything that was run to its end and that nobody said is not wanted.
    done: BTreeSet<ReplicaId>,
    /// Everything the worker took in hand.
    taken: BTreeSet<ReplicaId>,
    calm: bool,
    pub(super) has_left: bool,
}

impl World {
    pub(super) fn new(seed: u64, masternodes: u8) -> Self {
        let keys: Vec<DeviceId> = (1..=masternodes).map(masternode).collect();
        let mut world = Self {
            core: Core::new(CoreSettings { seed, ..settings() }, vec![]),
            now: 0,
            random: Backoff::new(!seed),
            books: keys.iter().map(|key| (*key, Books::default())).collect(),
            pending: Vec::new(),
            queue: Vec::new(),
            next_task: 0,
            next_benchmark: 0,
            benchmarking: None,
            done: BTreeSet::new(),
            taken: BTreeSet::new(),
            calm: false,
            has_left: false,
        };
        world.tell(Event::Masternodes(keys));
        world
    }

    fn draw(&mut self, sides: u64) -> u64 {
        self.random.pause_ms(1, 2 * (sides - 1), u64::MAX) - (sides - 1)
    }

    fn trouble(&mut self, one_in: u64) -> bool {
        self.draw(one_in) == 0 && !self.calm
    }

    /// Lets something happen: one of the pending things, or the passing of time. Nothing is
    /// pending for longer than a masternode holds an exchange.
    pub(super) fn step(&mut self) {
        let choices = self.pending.len() as u64 + 1;
        let choice = usize::try_from(self.draw(choices)).unwrap();
        let wakeup = self.core.next_wakeup().map(|at| at.0.max(self.now));
        let is_overdue = self
            .pending
            .first()
            .is_some_and(|(since, _)| wakeup.is_none_or(|at| at > since + 4_000));
        if choice < self.pending.len() || is_overdue {
            let (_, event) = self.pending.remove(choice % self.pending.len());
            self.now += self.draw(3);
            self.tell(event);
        } else if let Some(at) = wakeup {
            self.now = at;
            self.tell(Event::Woken);
            let next = self.core.next_wakeup();
            assert!(
                next.is_none_or(|next| next.0 > self.now),
                "woken for nothing at {}",
                self.now
            );
        }
        if self.trouble(40) {
            self.break_connection();
        }
        if self.trouble(60) {
            self.look();
        }
        if self.trouble(80) {
            let memory_bytes_max = self.draw(2) << 30;
            self.tell(Event::Allowed { memory_bytes_max });
        }
    }

    /// The machine's owner comes, goes, or does nothing.
    fn look(&mut self) {
        let reasons = match self.draw(4) {
            0 => vec![outside_hours()],
            1 => vec![in_use(1)],
            _ => vec![],
        };
        self.tell(measured(&reasons));
        if reasons.is_empty() {
            return;
        }
        assert_eq!(self.core.room(), 0);
        // What is being delivered is done, and owed.
        let tasks = self.core.tasks.iter();
        let kept = tasks.filter(|task| task.stage != Stage::Delivering).count();
        let may_end = !reasons.iter().any(Withheld::is_urgent);
        assert!(kept <= usize::from(may_end), "{kept} tasks kept");
    }

    fn break_connection(&mut self) {
        let broken: Vec<(DeviceId, u64)> = self
            .core
            .sessions
            .iter()
            .filter_map(|(masternode, session)| match session.link {
                Link::Greeting { connection } | Link::Open { connection } => {
                    Some((*masternode, connection))
                }
                _ => None,
            })
            .collect();
        if !broken.is_empty() {
            let pick = usize::try_from(self.draw(broken.len() as u64)).unwrap();
            let (masternode, connection) = broken[pick];
            self.tell(Event::Disconnected {
                masternode,
                connection,
            });
        }
    }

    fn tell(&mut self, event: Event) {
        match &event {
            Event::Ran { finished } => {
                let id = finished.id();
                self.done.insert(id);
                self.queue.retain(|queued| *queued != id);
            }
            Event::Failed { id, .. } => self.queue.retain(|queued| queued != id),
            Event::Benchmarked { .. } => self.benchmarking = None,
            _ => {}
        }
        let effects = self.core.step(Tick(self.now), event);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Connect {
                masternode,
                connection,
            } => {
                let event = if self.trouble(4) {
                    Event::Disconnected {
                        masternode,
                        connection,
                    }
                } else {
                    Event::Connected {
                        masternode,
                        connection,
                    }
                };
                self.pending.push((self.now, event));
            }
            Effect::Ask {
                masternode,
                connection,
                number,
                request,
            } => {
                request.check().unwrap();
                let answer = match request {
                    Request::Hello(hello) => Some(self.on_hello(masternode, &hello)),
                    Request::Exchange(exchange) => Some(self.on_exchange(masternode, &exchange)),
                    _ => None,
                };
                // The masternode has acted on it whether or not its answer arrives.
                let answer = if self.trouble(30) { None } else { answer };
                self.pending.push((
                    self.now,
                    Event::Answered {
                        masternode,
                        connection,
                        number,
                        answer,
                    },
                ));
            }
            Effect::Prepare { assignment, .. } => {
                let id = assignment.id;
                let may_have = self.core.settings.memory_bytes_max;
                assert!(assignment.limits.memory_bytes <= may_have);
                self.taken.insert(id);
                let event = if self.trouble(10) {
                    Event::Failed {
                        id,
                        fault: Fault::BadInput,
                    }
                } else {
                    Event::Prepared {
                        held: held(id.task),
                    }
                };
                self.pending.push((self.now, event));
            }
            Effect::Run { id } => {
                self.queue.push(id);
                let event = if self.trouble(10) {
                    Event::Failed {
                        id,
                        fault: Fault::TooSlow,
                    }
                } else {
                    let mut finished = match commits(id.task) {
                        true => committed(id.task),
                        false => finished(id.task),
                    };
                    if id.task % 5 == 0 {
                        finished.sealed = Sealed::Kept { bytes: 100_000 };
                    }
                    Event::Ran { finished }
                };
                self.pending.push((self.now, event));
            }
            Effect::Benchmark { benchmark } => {
                assert_eq!(self.benchmarking, None, "one runs already");
                assert_eq!(self.queue, [], "a task runs");
                self.benchmarking = Some(benchmark.number);
                let output = (!self.trouble(4)).then(|| output(benchmark.number));
                self.pending.push((self.now, Event::Benchmarked { output }));
            }
            Effect::StopBenchmark => assert!(self.benchmarking.is_some()),
            Effect::Deliver { id } => self.pending.push((self.now, Event::Delivered { id })),
            Effect::Abandon { id } => {
                self.queue.retain(|queued| *queued != id);
                // Sometimes it is too late to stop it.
                if self.calm || self.draw(2) == 0 {
                    self.pending.retain(|(_, event)| match event {
                        Event::Prepared { held } => held.id != id,
                        Event::Failed { id: other, .. } => *other != id,
                        Event::Ran { finished } => finished.id() != id,
                        _ => true,
                    });
                }
            }
            Effect::Forget { id } => {
                self.pending.retain(
                    |(_, event)| !matches!(event, Event::Delivered { id: other } if *other == id),
                );
            }
            Effect::Tell(Notice::Discarded { id, .. } | Notice::NotDone { id, .. }) => {
                self.done.remove(&id);
            }
            Effect::Leave => self.has_left = true,
            Effect::Close { .. }
            | Effect::Opened { .. }
            | Effect::Keep { .. }
            | Effect::Tell(_) => {}
        }
    }

    /// Nothing goes wrong any more, until all that was done is acknowledged.
    pub(super) fn settle(&mut self) {
        self.calm = true;
        self.tell(measured(&[]));
        let memory_bytes_max = settings().memory_bytes_max;
        self.tell(Event::Allowed { memory_bytes_max });
        for _ in 0..20_000 {
            self.step();
            let is_quiet = self.core.unacknowledged().count() == 0 && self.lost().is_empty();
            if is_quiet {
                return;
            }
        }
    }

    pub(super) fn stop(&mut self) {
        self.tell(Event::Stop);
        for _ in 0..20_000 {
            if self.has_left {
                return;
            }
            self.step();
        }
        panic!("the worker does not leave");
    }

    /// What was done and neither acknowledged nor discarded nor is still on its way.
    pub(super) fn lost(&self) -> Vec<ReplicaId> {
        let is_known = |id: &ReplicaId| {
            self.books
                .values()
                .any(|books| books.acknowledged.contains(id))
                || self
                    .core
                    .unacknowledged()
                    .any(|(_, finished)| finished.id() == *id)
        };
        let was_wanted =
            |id: &ReplicaId| self.books.values().any(|books| books.assigned.contains(id));
        self.done
            .iter()
            .filter(|id| was_wanted(id) && !is_known(id))
            .copied()
            .collect()
    }

    /// What the worker took, and masternodes with an open session still believe it to have.
    pub(super) fn still_assigned(&self) -> Vec<ReplicaId> {
        let open = self.books.iter().filter(|(masternode, _)| {
            self.core
                .sessions
                .get(masternode)
                .is_some_and(Session::is_open)
        });
        open.flat_map(|(_, books)| books.assigned.intersection(&self.taken).copied())
            .collect()
    }
}
