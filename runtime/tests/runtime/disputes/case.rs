//! A job on the real runtime whose tasks are done by real devices: their signed receipts, the log that
//! its coordinator writes and signs, verdicts as the rules make them, and the batch over them with the
//! certificates of the job's group. A test puts a lie into it before it is settled.

use crate::chain::Chain;
use codec::Encode;
use frame_support::dispatch::GetDispatchInfo;
use quern_dispute_rules::{
    evidence::{BatchName, Certified as CertifiedEntry, Input, Leaf, Logged},
    verdict::receipt_digest,
};
use quern_job_rules::{pay::Tariff, tasks};
use quern_joblog::{Entry, LogBuilder, OutputPlace, SignedBlock, Way};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, GenesisHash, JobId, SealingKey,
    amount::BYTECHIP,
    batch::{Batch, Certified, DeviceChange, LogRange, Payout},
    device::{Class, Hardware, Possession, RecordChange, Region},
    group::Group,
    ids::BatchSequence,
    job::{Agreement, Job, JobState, Submission, job_id},
    log::{Acknowledgement, RefereeReport, SignedAcknowledgement},
    merkle::Tree,
    payload::{DeviceKey, NodeSecret},
    receipt::{Answer, Exit, Receipt, SignedReceipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};
use quern_runtime::{
    Finality, Jobs, Params, Roster, Runtime, RuntimeCall, System, configs::council::CouncilInstance,
};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve};
use std::collections::BTreeMap;

/// Who computes, each with a device.
pub(crate) const WORKERS: [Sr25519Keyring; 3] = [Charlie, Dave, Eve];

pub(crate) const ENGINE: Digest = Digest([13; 32]);

/// The chunk root of every task's shard.
const INPUT: Digest = Digest([1; 32]);

/// What every device was asked beside its input.
const QUESTION: Digest = Digest([46; 32]);

/// The network key of a masternode.
pub(crate) fn node(masternode: &AccountId) -> NodeSecret {
    NodeSecret::from_seed(masternode.as_ref())
}

/// The key of a worker's device.
pub(crate) fn device(worker: usize) -> DeviceKey {
    DeviceKey::from_seed(&[50 + worker as u8; 32])
}

/// The council, which on the chains of one masternode is Alice alone, sets a parameter.
pub(crate) fn council_sets(
    chain: &mut Chain,
    parameter: quern_primitives::params::Parameter,
    value: Amount,
) {
    let set: RuntimeCall = quern_params::Call::set { parameter, value }.into();
    let seats = chain.read(|| Roster::masternodes().len()) as u32;
    let threshold = seats / 2 + 1;
    let index = chain.read(pallet_collective::ProposalCount::<Runtime, CouncilInstance>::get);
    let length_bound = set.encoded_size() as u32;
    let motion = sp_core::H256(sp_io::hashing::blake2_256(&set.encode()));
    let propose = pallet_collective::Call::propose {
        threshold,
        proposal: Box::new(set.clone()),
        length_bound,
    };
    chain.does(Alice, RuntimeCall::Council(propose));
    if threshold == 1 {
        return;
    }
    for member in [Alice, Bob, Charlie].into_iter().take(threshold as usize) {
        let vote = pallet_collective::Call::vote {
            proposal: motion,
            index,
            approve: true,
        };
        chain.does(member, RuntimeCall::Council(vote));
    }
    let close = pallet_collective::Call::close {
        proposal_hash: motion,
        index,
        proposal_weight_bound: set.get_dispatch_info().call_weight,
        length_bound,
    };
    chain.does(Bob, RuntimeCall::Council(close));
}

/// Every masternode tells where it is reached, by the key of [`node`].
fn publish(chain: &mut Chain) {
    for masternode in chain.read(Roster::masternodes) {
        let address = b"/ip4/127.0.0.1/tcp/1".to_vec().try_into().unwrap();
        chain.does(
            Sr25519Keyring::from_account_id(&masternode).unwrap(),
            quern_roster::Call::publish_endpoints {
                network_key: DeviceId(node(&masternode).public().0),
                sealing_key: SealingKey([2; 32]),
                device_addresses: vec![address].try_into().unwrap(),
                jobs_api: b"http://127.0.0.1:2".to_vec().try_into().unwrap(),
            },
        );
    }
}

/// Each worker bonds for a device and registers it.
fn register(chain: &mut Chain, genesis: GenesisHash) {
    for (number, worker) in WORKERS.into_iter().enumerate() {
        let amount = 10 * BYTECHIP;
        chain.does(worker, quern_workforce::Call::bond { amount });
        let (key, sealing_key) = (device(number), SealingKey([7; 32]));
        let possession = Possession {
            account: worker.to_account_id(),
            device: key.id(),
            sealing_key,
        };
        chain.does(
            worker,
            quern_workforce::Call::register_device {
                device: key.id(),
                sealing_key,
                region: Region::Europe,
                hardware: Hardware::Server,
                possession: key.sign(possession, &genesis).signature,
            },
        );
    }
}

/// A job of two tasks, each of which all three workers computed, and what its coordinator writes of it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) genesis: GenesisHash,
    pub(crate) id: JobId,
    pub(crate) job: Job,
    pub(crate) coordinator: AccountId,
    pub(crate) entries: Vec<Entry>,
    pub(crate) blocks: Vec<SignedBlock>,
    pub(crate) receipts: Vec<SignedReceipt>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) batch: Batch,
}

impl Case {
    /// A job of Bob's on this chain, computed and not settled.
    pub(crate) fn start(chain: &mut Chain) -> Self {
        publish(chain);
        let genesis = GenesisHash(chain.read(|| System::block_hash(0)).0);
        register(chain, genesis);
        // Until the clock of finality is behind the registrations.
        chain.blocks(25);
        let deadline = chain.read(System::block_number) + 3_000;
        let submission = Submission {
            tasks: 2,
            agreement: Agreement::Majority { replicas: 3 },
            shards_root: Tree::new([INPUT; 2]).root(),
            deadline,
            ..crate::jobs::submission(1)
        };
        chain.does(Bob, quern_jobs::Call::submit { submission });
        chain.blocks(1);
        let id = job_id(&genesis, &Bob.to_account_id(), &[1; 16]);
        Self::of(chain, genesis, id)
    }

    /// The job as the one writes it whose turn it is.
    pub(crate) fn of(chain: &mut Chain, genesis: GenesisHash, id: JobId) -> Self {
        let job = chain.read(|| Jobs::job(&id)).unwrap();
        let JobState::Running { coordinator } = job.state.clone() else {
            panic!("the job does not run: {:?}", job.state);
        };
        let at = chain.read(Finality::clock);
        let mut case = Self {
            genesis,
            id,
            job,
            coordinator: coordinator.clone(),
            entries: vec![
                Entry::Opened {
                    coordinator: coordinator.clone(),
                    node: node(&coordinator).public(),
                    at,
                },
                Entry::Queued { first: 0, tasks: 2 },
            ],
            blocks: vec![],
            receipts: vec![],
            verdicts: vec![],
            batch: batch_of(id, 0, &[], 1),
        };
        for task in 0..2 {
            case.compute(task, at);
        }
        case.write_log();
        case.write_batch();
        case
    }

    /// All three devices compute a task, and agree.
    fn compute(&mut self, task: u32, at: u32) {
        let fuel = 1_000_000;
        let tariff = Tariff::of_job(&self.job).unwrap();
        let price = tariff.price(fuel);
        let mut replicas = vec![];
        for (number, worker) in WORKERS.into_iter().enumerate() {
            let (replica, key) = (number as u8, device(number));
            let log_position = self.entries.len() as u64;
            self.entries.push(Entry::Assigned {
                task,
                replica,
                device: key.id(),
                account: worker.to_account_id(),
                engine: ENGINE,
                at,
                lanes: 1,
            });
            let receipt = self.receipt(task, number, log_position, answer(task));
            let digest = receipt_digest(&receipt);
            self.receipts.push(receipt.clone());
            self.entries.push(Entry::Revealed {
                receipt,
                output: OutputPlace::Inline { bytes: 10 },
            });
            replicas.push(ReplicaFinding {
                replica,
                device: key.id(),
                account: worker.to_account_id(),
                finding: Finding::Accepted,
                receipt: Some(digest),
                pay: tariff.pays(price, 3),
            });
        }
        let verdict = Verdict {
            job: self.id,
            task,
            answer: answer(task),
            ground: Ground::Majority,
            price,
            replicas,
        };
        self.entries.push(Entry::Judged {
            verdict: verdict.clone(),
        });
        self.verdicts.push(verdict);
    }

    /// What a worker's device signs of a task.
    pub(crate) fn receipt(
        &self,
        task: u32,
        worker: usize,
        log_position: u64,
        said: Answer,
    ) -> SignedReceipt {
        let key = device(worker);
        let receipt = Receipt {
            job: self.id,
            task,
            replica: worker as u8,
            device: key.id(),
            program: self.job.submission.program,
            input_root: INPUT,
            question: QUESTION,
            result_commitment: said.result_commitment,
            output_root: Digest([2; 32]),
            result_bytes: said.result_bytes,
            fuel: said.fuel,
            exit: said.exit,
            class: Class::Pinned,
            engine: ENGINE,
            log_position,
            salt: [90; 32].into(),
        };
        key.sign(receipt, &self.genesis)
    }

    /// The coordinator's word that it has a receipt.
    pub(crate) fn acknowledge(&self, receipt: &SignedReceipt) -> SignedAcknowledgement {
        let said = Acknowledgement {
            job: self.id,
            task: receipt.payload.task,
            replica: receipt.payload.replica,
            device: receipt.payload.device,
            receipt: receipt_digest(receipt),
            position: receipt.payload.log_position + 1,
        };
        SignedAcknowledgement::alone(said, &node(&self.coordinator), &self.genesis)
    }

    /// What a task had to read, as the owner submitted it.
    pub(crate) fn input(&self, task: u32) -> Input {
        let roots = vec![INPUT; self.job.submission.tasks as usize];
        let proof = Tree::new(roots).proof(task).unwrap();
        Input {
            root: INPUT,
            siblings: proof.siblings.try_into().unwrap(),
        }
    }

    /// What a referee says of a task that came to this.
    pub(crate) fn report(&self, task: u32, answer: Answer) -> RefereeReport {
        RefereeReport {
            job: self.id,
            task,
            question: QUESTION,
            answer,
        }
    }

    /// Signs the entries, in blocks of seven.
    pub(crate) fn write_log(&mut self) {
        let key = node(&self.coordinator);
        let mut builder = LogBuilder::new(self.genesis, self.id, key);
        self.blocks.clear();
        for (place, entry) in self.entries.iter().enumerate() {
            builder.append(entry.clone(), 1_000 + place as u64).unwrap();
            if place % 7 == 6 {
                self.blocks.extend(builder.cut(2_000 + place as u64));
            }
        }
        self.blocks.extend(builder.cut(10_000));
    }

    /// Makes the batch as its verdicts make it.
    pub(crate) fn write_batch(&mut self) {
        let sequence = self.job.next_batch;
        self.batch = batch_of(self.id, sequence, &self.verdicts, self.entries.len() as u64);
    }

    /// The batch over the verdicts there are now.
    pub(crate) fn whole_batch(&self) -> Batch {
        let leaves = self.verdicts.iter().map(Encode::encode);
        Batch {
            verdicts_root: Tree::new(leaves).root(),
            ..self.batch.clone()
        }
    }

    /// An entry with this batch, at the end of a log that the coordinator signs beside the one there is.
    pub(crate) fn written_down(&self, batch: Batch) -> Logged {
        let mut beside = self.clone();
        let position = beside.entries.len() as u64;
        beside.entries.push(Entry::Batched { batch });
        beside.write_log();
        beside.logged(position)
    }

    /// That batch with the words of these members of the group.
    pub(crate) fn certified(&self, group: &Group, places: &[u8]) -> Certified {
        let header = self.blocks.last().unwrap().header.payload;
        let mut certified = Certified {
            index: header.index,
            head: header.hash(&self.genesis),
            batch: self.whole_batch(),
            certificates: Default::default(),
        };
        let said = certified.certificate();
        let certificates = places.iter().map(|place| {
            let member = group.member(*place).unwrap();
            let signed = node(&member.account).sign(said, &self.genesis);
            (*place, signed.signature)
        });
        certified.certificates = certificates.collect::<Vec<_>>().try_into().unwrap();
        certified
    }

    /// Settles the batch with the words of as many members as it takes.
    pub(crate) fn settle(&self, chain: &mut Chain) {
        let group = chain.read(|| Jobs::group(&self.id)).unwrap();
        let voices = (0..group.members.len() as u8)
            .filter(|place| group.member(*place).is_some_and(|member| !member.is_out));
        let places: Vec<u8> = voices.take(group.needed()).collect();
        let certified = self.certified(&group, &places);
        let coordinator = Sr25519Keyring::from_account_id(&self.coordinator).unwrap();
        chain.does(coordinator, quern_jobs::Call::settle { certified });
    }

    pub(crate) fn name(&self) -> BatchName {
        BatchName {
            job: self.id,
            sequence: self.batch.sequence,
        }
    }

    /// What is at a place of the batch's tree.
    pub(crate) fn leaf(&self, place: usize) -> Leaf {
        let leaves = self.verdicts.iter().map(Encode::encode);
        let proof = Tree::new(leaves).proof(place as u32).unwrap();
        Leaf::new(&self.verdicts[place], proof).unwrap()
    }

    pub(crate) fn logged(&self, position: u64) -> Logged {
        let proof = self.blocks.iter().find_map(|block| block.prove(position));
        Logged::new(proof.unwrap()).unwrap()
    }

    /// An entry with the headers up to the head that the batch names.
    pub(crate) fn in_log(&self, position: u64) -> CertifiedEntry {
        let logged = self.logged(position);
        let headers = self.blocks.iter().map(|block| block.header.payload);
        let mut way = Way::to(logged.header.payload.index);
        headers.for_each(|header| way.take(&header));
        CertifiedEntry {
            logged,
            links: way.headers().to_vec().try_into().unwrap(),
        }
    }

    /// The position of the first entry for which this holds.
    pub(crate) fn position(&self, is_it: impl Fn(&Entry) -> bool) -> u64 {
        self.entries.iter().position(is_it).unwrap() as u64
    }
}

/// What every honest device answers.
pub(crate) fn answer(task: u32) -> Answer {
    Answer {
        result_commitment: Digest([100 + task as u8; 32]),
        result_bytes: 10,
        fuel: 1_000_000,
        exit: Exit::Success,
    }
}

/// A batch as its verdicts make it, but for the root of their tree.
fn batch_of(job: JobId, sequence: BatchSequence, verdicts: &[Verdict], entries: u64) -> Batch {
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
        job,
        sequence,
        log: LogRange {
            first: 0,
            last: entries - 1,
        },
        verdicts_root: Digest::default(),
        tasks: tasks::collect(verdicts.iter().map(|it| it.task)).unwrap_or(
            quern_primitives::batch::TaskSet {
                first: 0,
                bits: Default::default(),
            },
        ),
        spent: verdicts.iter().map(|it| it.price).sum(),
        payouts: payouts.try_into().unwrap(),
        devices: devices.try_into().unwrap(),
    }
}

/// What an account has bonded for its masternode.
pub(crate) fn bonded(chain: &mut Chain, account: &AccountId) -> Amount {
    chain.read(|| Roster::bonded(account))
}

/// The parameters of now.
pub(crate) fn params(chain: &mut Chain) -> quern_primitives::params::Params {
    chain.read(Params::current)
}
