//! Honest jobs, written down without the judge: devices that answer, lie, are late or fail; verdicts
//! counted here; a log in blocks; a batch over some of the tasks.

use crate::lies::{BOND, SLASH};
use codec::Encode;
use quern_dispute_rules::{
    evidence::{BatchName, Certified, Input, Leaf, Logged},
    facts::{BatchFacts, DeviceFacts, Facts, Member, Stakes},
    verdict::receipt_digest,
};
use quern_job_rules::{
    pay::{PRICES_AT_GENESIS, Tariff},
    tasks,
};
use quern_joblog::{Entry, LogBuilder, OutputPlace, RefereeWord, ReleaseCause, SignedBlock, Way};
use quern_primitives::{
    amount::Amount,
    batch::{Batch, DeviceChange, LogRange, Payout},
    device::{Class, RecordChange},
    ids::{AccountId, DeviceId, Digest, GenesisHash, JobId, ProgramHash, SealingKey},
    job::{Agreement, ByteLevel, Escrow, Job, JobState, Preferences, Referees, Submission},
    lanes::{self, Draw, LANES_MAX},
    log::{Acknowledgement, Commitment, RefereeReport, SignedAcknowledgement, SignedRefereeReport},
    merkle::Tree,
    params::Terms,
    payload::{DeviceKey, NodeSecret},
    receipt::{Answer, Exit, Receipt, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use quern_verdict::is_trusted_alone;
use std::collections::BTreeMap;

pub(crate) const HERE: GenesisHash = GenesisHash([1; 32]);
pub(crate) const ELSEWHERE: GenesisHash = GenesisHash([2; 32]);
pub(crate) const JOB: JobId = JobId([3; 32]);
pub(crate) const ENGINE: Digest = Digest([13; 32]);
pub(crate) const SEED: [u8; 32] = [5; 32];
pub(crate) const LANE_SEED: Digest = Digest([6; 32]);
pub(crate) const DEVICES: usize = 8;
pub(crate) const SEQUENCE: u32 = 4;
const ACCEPTED: u32 = 40;

/// Chance from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }
}

pub(crate) fn device_key(device: usize) -> DeviceKey {
    DeviceKey::from_seed(&[50 + device as u8; 32])
}

pub(crate) fn account(device: usize) -> AccountId {
    AccountId::new([100 + device as u8; 32])
}

pub(crate) fn node(member: usize) -> NodeSecret {
    NodeSecret::from_seed(&[20 + member as u8; 32])
}

pub(crate) fn member(member: usize) -> AccountId {
    AccountId::new([30 + member as u8; 32])
}

pub(crate) fn answer(task: u32, value: u8) -> Answer {
    Answer {
        result_commitment: Digest([value + 1; 32]),
        result_bytes: 10,
        fuel: 1_000_000_000 + u64::from(task) * 1_000 + u64::from(value),
        exit: Exit::Success,
    }
}

pub(crate) fn input_root(task: u32) -> Digest {
    Digest([150 + task as u8; 32])
}

/// What a device signs for a replica; zero is the true value.
pub(crate) fn receipt(
    task: u32,
    replica: u8,
    device: usize,
    log_position: u64,
    value: u8,
) -> Receipt {
    let answer = answer(task, value);
    Receipt {
        job: JOB,
        task,
        replica,
        device: device_key(device).id(),
        program: ProgramHash([8; 32]),
        input_root: input_root(task),
        question: Digest([46; 32]),
        result_commitment: answer.result_commitment,
        output_root: Digest([device as u8; 32]),
        result_bytes: answer.result_bytes,
        fuel: answer.fuel,
        exit: answer.exit,
        class: Class::Pinned,
        engine: ENGINE,
        log_position,
        salt: [90; 32].into(),
    }
}

fn job(agreement: Agreement, tasks: u32) -> Job {
    let roots = (0..tasks).map(input_root);
    Job {
        owner: AccountId::new([9; 32]),
        submission: Submission {
            salt: [1; 16],
            program: ProgramHash([8; 32]),
            manifest: Digest([3; 32]),
            shards_root: Tree::new(roots).root(),
            key_commitment: Digest([5; 32]),
            tasks,
            input_bytes: 6_000,
            fuel_per_task_max: 2_000_000_000,
            memory_bytes_max: 64 * 1024 * 1024,
            result_bytes_max: 1_024,
            agreement,
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            deadline: 1_000,
            price_max: Amount::MAX,
            owner_sealing_key: SealingKey([6; 32]),
        },
        prices: PRICES_AT_GENESIS,
        terms: Terms::FIRST,
        submitted_at: 2,
        state: JobState::Running {
            coordinator: member(0),
        },
        escrow: Escrow::default(),
        settled_tasks: 0,
        next_batch: SEQUENCE + 1,
        pending_batches: 1,
    }
}

/// A job, its log, and a batch of it that is pending.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) facts: Facts,
    pub(crate) entries: Vec<Entry>,
    pub(crate) blocks: Vec<SignedBlock>,
    /// Those of the batch, in order.
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) batch: Batch,
    pub(crate) receipts: Vec<SignedReceipt>,
    pub(crate) acknowledgements: Vec<SignedAcknowledgement>,
    pub(crate) reports: Vec<SignedRefereeReport>,
}

/// What a device does with a replica.
#[derive(Clone, Copy)]
enum Deed {
    Says(u8),
    Late,
    Fails,
}

struct Author {
    dice: Dice,
    job: Job,
    entries: Vec<Entry>,
    receipts: Vec<SignedReceipt>,
    acknowledgements: Vec<SignedAcknowledgement>,
    reports: Vec<SignedRefereeReport>,
    verdicts: Vec<Verdict>,
}

impl Author {
    /// Has a task done: each deed by the next device of a shuffled row.
    fn task(&mut self, task: u32) {
        let shift = self.dice.below(DEVICES);
        let agreement = self.job.submission.agreement;
        let is_trusted = is_trusted_alone(&SEED, task, &device_key(shift).id(), ACCEPTED);
        let (deeds, truth, ground) = self.deeds(agreement, is_trusted);
        let mut found = vec![];
        let mut replica = 0;
        for (place, deed) in deeds.iter().enumerate() {
            let device = (shift + place) % DEVICES;
            found.push(self.replica(task, replica, device, *deed, truth));
            replica += u8::from(matches!(deed, Deed::Says(_)));
        }
        if ground == Ground::Referee {
            let answer = answer(task, truth);
            let payload = RefereeReport {
                job: JOB,
                task,
                question: Digest([46; 32]),
                answer,
            };
            let report = node(1).sign(payload, &HERE);
            self.reports.push(report);
            let word = RefereeWord::Computed {
                report,
                node: node(1).public(),
            };
            self.entries.push(Entry::Refereed { task, word });
        }
        let accepted = found
            .iter()
            .filter(|it| it.finding == Finding::Accepted)
            .count() as u8;
        let tariff = Tariff::of_job(&self.job).unwrap();
        let price = match accepted {
            0 => 0,
            _ => tariff.price(answer(task, truth).fuel),
        };
        for it in &mut found {
            if it.finding == Finding::Accepted {
                it.pay = tariff.pays(price, accepted);
            }
        }
        let verdict = Verdict {
            job: JOB,
            task,
            answer: answer(task, truth),
            ground,
            price,
            replicas: found,
        };
        self.entries.push(Entry::Judged {
            verdict: verdict.clone(),
        });
        self.verdicts.push(verdict);
    }

    /// What devices do in turn, what is accepted, and why.
    fn deeds(&mut self, agreement: Agreement, is_trusted: bool) -> (Vec<Deed>, u8, Ground) {
        use Deed::{Fails, Late, Says};
        let pick = self.dice.below(4);
        match agreement {
            Agreement::Single => match pick {
                0 => (vec![Late, Fails, Says(0)], 0, Ground::Trusted),
                1 => (vec![Says(0), Says(0)], 0, Ground::Unanimous),
                _ => (vec![Says(0)], 0, Ground::Trusted),
            },
            Agreement::Majority { .. } => match pick {
                0 => (vec![Says(0), Says(1), Says(0)], 0, Ground::Majority),
                1 => (
                    vec![Says(0), Late, Says(0), Fails, Says(0)],
                    0,
                    Ground::Majority,
                ),
                // Two that lie alike outvote the third: the chain cannot know.
                2 => (vec![Says(1), Says(1), Says(0)], 1, Ground::Majority),
                _ => (vec![Says(0), Says(0), Says(0)], 0, Ground::Majority),
            },
            Agreement::Adaptive if is_trusted => (vec![Says(0)], 0, Ground::Trusted),
            Agreement::Unanimous | Agreement::Adaptive => match pick {
                0 => (vec![Says(0), Says(1)], 0, Ground::Referee),
                1 => (vec![Says(1), Fails, Says(2)], 0, Ground::Referee),
                2 => (vec![Says(1), Says(0), Says(0)], 0, Ground::Vote),
                _ => (vec![Says(0), Late, Says(0)], 0, Ground::Unanimous),
            },
        }
    }

    fn replica(
        &mut self,
        task: u32,
        replica: u8,
        device: usize,
        deed: Deed,
        truth: u8,
    ) -> ReplicaFinding {
        let position = self.entries.len() as u64;
        let id = device_key(device).id();
        self.entries.push(Entry::Assigned {
            task,
            replica,
            device: id,
            account: account(device),
            engine: ENGINE,
            at: 5,
            lanes: lanes_for(&self.job, &account(device), task, replica),
        });
        let (finding, receipt) = match deed {
            Deed::Says(value) => {
                let payload = receipt(task, replica, device, position, value);
                if self.job.submission.agreement.commits() {
                    let commitment = Commitment {
                        job: JOB,
                        task,
                        replica,
                        device: id,
                        log_position: position,
                        commitment: payload.commitment(),
                    };
                    self.entries.push(Entry::Committed {
                        commitment: device_key(device).sign(commitment, &HERE),
                    });
                }
                let signed = device_key(device).sign(payload, &HERE);
                let acknowledgement = Acknowledgement {
                    job: JOB,
                    task,
                    replica,
                    device: id,
                    receipt: receipt_digest(&signed),
                    position: self.entries.len() as u64,
                };
                let acknowledgement =
                    SignedAcknowledgement::alone(acknowledgement, &node(0), &HERE);
                self.acknowledgements.push(acknowledgement);
                self.receipts.push(signed.clone());
                self.entries.push(Entry::Revealed {
                    receipt: signed.clone(),
                    output: OutputPlace::Inline { bytes: 10 },
                });
                let finding = match value == truth {
                    true => Finding::Accepted,
                    false => Finding::Incorrect,
                };
                (finding, Some(receipt_digest(&signed)))
            }
            Deed::Late | Deed::Fails => {
                let (finding, cause) = match deed {
                    Deed::Late => (Finding::Delayed, ReleaseCause::Late),
                    _ => (Finding::Failed, ReleaseCause::Failed),
                };
                self.entries.push(Entry::Released {
                    task,
                    replica,
                    device: id,
                    cause,
                });
                (finding, None)
            }
        };
        ReplicaFinding {
            replica,
            device: id,
            account: account(device),
            finding,
            receipt,
            pay: 0,
        }
    }
}

/// An honest job with so many tasks, of which chance settles some.
pub(crate) fn honest(agreement: Agreement, tasks: u32, seed: u64) -> World {
    let mut author = Author {
        dice: Dice(seed),
        job: job(agreement, tasks),
        entries: vec![
            Entry::Opened {
                coordinator: member(0),
                node: node(0).public(),
                at: 3,
            },
            Entry::Queued { first: 0, tasks },
        ],
        receipts: vec![],
        acknowledgements: vec![],
        reports: vec![],
        verdicts: vec![],
    };
    (0..tasks).for_each(|task| author.task(task));
    let all = author.verdicts.clone();
    let mut verdicts: Vec<_> = all
        .iter()
        .filter(|_| author.dice.below(3) > 0)
        .cloned()
        .collect();
    if verdicts.is_empty() {
        verdicts = all;
    }
    World::of(author, verdicts)
}

impl World {
    fn of(author: Author, verdicts: Vec<Verdict>) -> Self {
        let batch = batch_of(&verdicts, author.entries.len() as u64);
        let mut world = Self {
            facts: facts(author.job),
            entries: author.entries,
            blocks: vec![],
            verdicts,
            batch,
            receipts: author.receipts,
            acknowledgements: author.acknowledgements,
            reports: author.reports,
        };
        world.rebuild();
        world
    }

    /// Writes log and batch again, after a lie was put into entries or verdicts.
    pub(crate) fn rebuild(&mut self) {
        self.write_log();
        self.settle();
    }

    /// The coordinator puts the entries into blocks of seven.
    pub(crate) fn write_log(&mut self) {
        self.write_log_by(0);
    }

    /// So does this member of the group.
    pub(crate) fn write_log_by(&mut self, writer: usize) {
        let mut builder = LogBuilder::new(HERE, JOB, node(writer));
        self.blocks.clear();
        for (place, entry) in self.entries.iter().enumerate() {
            builder.append(entry.clone(), 1_000 + place as u64).unwrap();
            if place % 7 == 6 {
                self.blocks.extend(builder.cut(2_000 + place as u64));
            }
        }
        self.blocks.extend(builder.cut(10_000));
    }

    /// Has the chain keep the batch as it is, with the root of its verdicts.
    pub(crate) fn settle(&mut self) {
        let leaves = self.verdicts.iter().map(Encode::encode);
        self.batch.verdicts_root = Tree::new(leaves).root();
        let batch = &self.batch;
        let head = self.blocks.last().unwrap().header.payload.hash(&HERE);
        self.facts.batch = Some(BatchFacts {
            sequence: batch.sequence,
            verdicts_root: batch.verdicts_root,
            verdicts: tasks::count(&batch.tasks.bits),
            spent: batch.spent,
            log: batch.log,
            settled_at: 60,
            coordinator: member(0),
            certifiers: vec![member(0), member(1)],
            heads: vec![head],
            tasks: batch.tasks.clone(),
            payouts: batch.payouts.to_vec(),
            devices: batch.devices.to_vec(),
        });
    }

    pub(crate) fn name(&self) -> BatchName {
        BatchName {
            job: JOB,
            sequence: SEQUENCE,
        }
    }

    /// What is at a place of the batch's tree.
    pub(crate) fn leaf(&self, place: usize) -> Leaf {
        let leaves = self.verdicts.iter().map(Encode::encode);
        let proof = Tree::new(leaves).proof(place as u32).unwrap();
        Leaf::new(&self.verdicts[place], proof).unwrap()
    }

    /// The place of a task's verdict in the batch.
    pub(crate) fn place_of(&self, task: u32) -> Option<usize> {
        self.verdicts.iter().position(|it| it.task == task)
    }

    pub(crate) fn logged(&self, position: u64) -> Logged {
        let proof = self.blocks.iter().find_map(|block| block.prove(position));
        Logged::new(proof.unwrap()).unwrap()
    }

    pub(crate) fn certified(&self, position: u64) -> Certified {
        let logged = self.logged(position);
        let headers = self.blocks.iter().map(|block| block.header.payload);
        let mut way = Way::to(logged.header.payload.index);
        headers.for_each(|header| way.take(&header));
        Certified {
            logged,
            links: way.headers().to_vec().try_into().unwrap(),
        }
    }

    /// The position of the first entry for which this holds.
    pub(crate) fn position(&self, is_it: impl Fn(&Entry) -> bool) -> Option<u64> {
        let place = self.entries.iter().position(is_it)?;
        Some(place as u64)
    }

    pub(crate) fn input(&self, task: u32) -> Input {
        let tasks = self.facts.job.submission.tasks;
        let proof = Tree::new((0..tasks).map(input_root)).proof(task).unwrap();
        Input {
            root: input_root(task),
            siblings: proof.siblings.try_into().unwrap(),
        }
    }

    /// The first receipt of a task of the batch, and its verdict's place.
    pub(crate) fn settled_receipt(&self) -> (SignedReceipt, usize) {
        self.receipts
            .iter()
            .find_map(|it| Some((it.clone(), self.place_of(it.payload.task)?)))
            .unwrap()
    }

    /// The facts as they are asked for a device.
    pub(crate) fn facts_for(&self, device: Option<DeviceId>) -> Facts {
        let number = (0..DEVICES).find(|it| device == Some(device_key(*it).id()));
        Facts {
            device: number.map(|number| DeviceFacts {
                registered: Some((account(number), 2)),
                answers: Some(account(number)),
                accepted: ACCEPTED.into(),
                is_convicted: false,
            }),
            ..self.facts.clone()
        }
    }
}

/// A batch as its verdicts make it.
pub(crate) fn batch_of(verdicts: &[Verdict], entries: u64) -> Batch {
    let mut payouts = BTreeMap::<AccountId, Amount>::new();
    let mut devices = BTreeMap::<DeviceId, RecordChange>::new();
    for it in verdicts.iter().flat_map(|verdict| &verdict.replicas) {
        if it.pay > 0 {
            *payouts.entry(it.account.clone()).or_default() += it.pay;
        }
        let change = devices.entry(it.device).or_default();
        match it.finding {
            Finding::Accepted => change.accepted += 1,
            Finding::Incorrect => change.incorrect += 1,
            Finding::Failed => change.failed += 1,
            Finding::Delayed => change.delayed += 1,
        }
    }
    let payouts: Vec<_> = payouts
        .into_iter()
        .map(|(account, amount)| Payout { account, amount })
        .collect();
    let devices: Vec<_> = devices
        .into_iter()
        .map(|(device, change)| DeviceChange { device, change })
        .collect();
    Batch {
        job: JOB,
        sequence: SEQUENCE,
        log: LogRange {
            first: 0,
            last: entries - 1,
        },
        verdicts_root: Digest::default(),
        tasks: tasks::collect(verdicts.iter().map(|it| it.task)).unwrap(),
        spent: verdicts.iter().map(|it| it.price).sum(),
        payouts: payouts.try_into().unwrap(),
        devices: devices.try_into().unwrap(),
    }
}

/// The most lanes of which one has a replica for an account.
pub(crate) fn lanes_for(job: &Job, by: &AccountId, task: u32, replica: u8) -> u8 {
    let (draw, replicas) = (
        Draw::of(&LANE_SEED.0, by),
        job.submission.agreement.replicas(),
    );
    let can_be = (1..=LANES_MAX)
        .rev()
        .filter(|it| lanes::can_be(*it, replicas));
    let mut its = can_be.filter(|it| draw.is_for(task, replica, *it));
    its.next().unwrap()
}

fn facts(job: Job) -> Facts {
    Facts {
        genesis: HERE,
        job_id: JOB,
        job,
        batch: None,
        group: (0..3)
            .map(|it| Member {
                account: member(it),
                node: node(it).public(),
                bond: BOND,
            })
            .collect(),
        referees: (0..3).map(|it| node(it).public()).collect(),
        device: None,
        worker_bond: 50,
        lane_seed: Some(LANE_SEED),
        seed: Some(SEED),
        stakes: Stakes {
            masternode_slash: SLASH,
            device_slash: 20,
            wrong_answer_slash: 30,
            dispute_bond: 11,
            winner_permille: 500,
        },
    }
}
