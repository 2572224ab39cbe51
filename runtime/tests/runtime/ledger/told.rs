//! What the coordinator of a batch has of it, so that somebody can dispute it: what is in the batch's tree, the
//! block of its log that was certified, a receipt, and at most one lie in all of that.
//!
//! Only the batch's first task has a verdict, on a replica of a device whose key is known here, and as many others
//! as the job's agreement asks for. In the place of each other verdict is [`LEAF`], which is none, so whoever shows
//! one proves a lie, and so does whoever adds them all up.

use super::model::jobs::{Job, price};
use codec::Encode;
use quern_dispute_rules::evidence::{Certified, Input, Leaf, Logged};
use quern_joblog::{Entry, LogBuilder, SignedBlock};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, GenesisHash, JobId, TaskIndex,
    batch::Batch,
    device::RecordChange,
    job::Agreement,
    merkle::Tree,
    payload::{DeviceKey, NodeSecret},
    receipt::{Answer, Exit, Receipt, SignedReceipt, receipt_digest},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};

/// What is in the place of a verdict that is none.
pub(crate) const LEAF: [u8; 1] = [7];

/// Tasks of a job at most, of whose shards there is a tree.
const SHARDS_MAX: u32 = 64;

/// The chunk root of every task's shard.
const INPUT: Digest = Digest([1; 32]);

/// What every device is asked beside its input.
pub(crate) const QUESTION: Digest = Digest([46; 32]);

const ENGINE: Digest = Digest([13; 32]);

/// A device that nobody can register.
const NO_DEVICE: DeviceId = DeviceId([0xfd; 32]);

/// Places of the log's entries.
pub(crate) const ASSIGNED: u64 = 0;
pub(crate) const JUDGED: u64 = 1;
pub(crate) const BATCHED: u64 = 2;
pub(crate) const STRANGER: u64 = 3;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// In the place of the first verdict is none.
    Leaf,
    /// The verdict has another price.
    Price,
    /// Its device did not sign the receipt that it names.
    Receipt,
    /// The log gives the replica to another account.
    Account,
    /// The log has another verdict on the task.
    Verdict,
    /// The log gives a replica to a device that never was.
    Stranger,
    /// The log has another batch.
    Batch,
    /// The log gives the replica in more lanes than there ever are.
    Lane,
}

impl Lie {
    pub(crate) const ALL: [Self; 8] = [
        Self::Leaf,
        Self::Price,
        Self::Receipt,
        Self::Account,
        Self::Verdict,
        Self::Stranger,
        Self::Batch,
        Self::Lane,
    ];
}

/// What a coordinator has of a batch.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) lie: Option<Lie>,
    /// The batch's first task.
    pub(crate) task: TaskIndex,
    /// What is at each place of the tree.
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) block: SignedBlock,
    /// What the device of the first replica said.
    pub(crate) receipt: SignedReceipt,
    /// Its place among the cast.
    pub(crate) device: usize,
    /// The account to which the log gives the replica.
    pub(crate) given_to: AccountId,
    /// The height at which it does.
    pub(crate) at: u32,
    /// Whether the batch is what its leaves make.
    pub(crate) adds_up: bool,
}

/// Calls are printed with it; all of it is too much.
impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Told")
            .field("lie", &self.lie)
            .field("leaves", &self.leaves.len())
            .finish_non_exhaustive()
    }
}

/// Who writes, and of what.
pub(crate) struct Author<'a> {
    pub(crate) genesis: GenesisHash,
    pub(crate) id: JobId,
    pub(crate) job: &'a Job,
    pub(crate) node: &'a NodeSecret,
    /// The first replica's device, its place among the cast, and whose it is.
    pub(crate) device: (usize, &'a DeviceKey, AccountId),
    /// The present block.
    pub(crate) now: u32,
    pub(crate) lie: Option<Lie>,
}

/// The root of a job's shards, as far as there is a tree of them.
pub(crate) fn shards_root(tasks: u32) -> Digest {
    match tasks {
        1..=SHARDS_MAX => Tree::new(vec![INPUT; tasks as usize]).root(),
        _ => Digest([3; 32]),
    }
}

/// What a task had to read; false with it if that is not the job's.
pub(crate) fn input_of(task: TaskIndex, tasks: u32) -> (Input, bool) {
    let has_tree = (1..=SHARDS_MAX).contains(&tasks) && task < tasks;
    let proof = has_tree.then(|| Tree::new(vec![INPUT; tasks as usize]).proof(task));
    let siblings = proof.flatten().map(|proof| proof.siblings);
    let input = Input {
        root: INPUT,
        siblings: siblings.unwrap_or_default().try_into().unwrap(),
    };
    (input, has_tree)
}

/// What somebody computed of a task.
pub(crate) fn answer(value: u8) -> Answer {
    Answer {
        result_commitment: Digest([value; 32]),
        result_bytes: 0,
        fuel: 1,
        exit: Exit::Success,
    }
}

/// What a device says of a job's task, as the one that the log gave the first replica.
pub(crate) fn receipt_of(
    key: &DeviceKey,
    (id, job): (JobId, &Job),
    task: TaskIndex,
    value: u8,
    genesis: &GenesisHash,
) -> SignedReceipt {
    let said = answer(value);
    let receipt = Receipt {
        job: id,
        task,
        replica: 0,
        device: key.id(),
        program: job.submission.program,
        input_root: INPUT,
        question: QUESTION,
        result_commitment: said.result_commitment,
        output_root: Digest([2; 32]),
        result_bytes: said.result_bytes,
        fuel: said.fuel,
        exit: said.exit,
        class: job.submission.class,
        engine: ENGINE,
        log_position: ASSIGNED,
        salt: [90; 32].into(),
    };
    key.sign(receipt, genesis)
}

impl Author<'_> {
    /// Writes the log of a batch that settles these tasks, and gives the batch the root of its tree.
    pub(crate) fn tell(self, batch: &mut Batch, tasks: &[TaskIndex]) -> Told {
        let task = tasks[0];
        let (device, key, account) = self.device.clone();
        let of_job = (self.id, self.job);
        let mut receipt = receipt_of(key, of_job, task, 1, &self.genesis);
        if self.lie == Some(Lie::Receipt) {
            receipt.signature.0[3] ^= 1;
        }
        let verdict = self.verdict(task, &receipt, account.clone());
        let mut leaves = vec![LEAF.to_vec(); tasks.len()];
        if self.lie != Some(Lie::Leaf) {
            leaves[0] = verdict.encode();
        }
        batch.verdicts_root = Tree::new(&leaves).root();
        let given_to = match self.lie {
            Some(Lie::Account) => AccountId::new([0x99; 32]),
            _ => account,
        };
        let adds_up = self.lie != Some(Lie::Leaf) && tasks.len() == 1 && makes(&verdict, batch);
        Told {
            lie: self.lie,
            task,
            leaves,
            block: self.block(batch, verdict, given_to.clone(), task),
            receipt,
            device,
            given_to,
            at: self.now,
            adds_up,
        }
    }

    fn verdict(&self, task: TaskIndex, receipt: &SignedReceipt, account: AccountId) -> Verdict {
        let agreement = self.job.submission.agreement;
        let (accepted, ground) = match agreement {
            Agreement::Single => (1, Ground::Trusted),
            _ => (agreement.replicas() / 2 + 1, Ground::Majority),
        };
        let said = receipt.payload.answer();
        let price = price(&self.job.prices, &self.job.submission, said.fuel);
        let pay = self.job.terms.workers * price / 1_000 / Amount::from(accepted);
        let found = |replica: u8| {
            let is_first = replica == 0;
            ReplicaFinding {
                replica,
                device: match is_first {
                    true => receipt.payload.device,
                    false => DeviceId([0xc0 + replica; 32]),
                },
                account: match is_first {
                    true => account.clone(),
                    false => AccountId::new([0xa0 + replica; 32]),
                },
                finding: Finding::Accepted,
                receipt: Some(match is_first {
                    true => receipt_digest(receipt),
                    false => Digest([replica; 32]),
                }),
                pay,
            }
        };
        let more = Amount::from(self.lie == Some(Lie::Price));
        Verdict {
            job: self.id,
            task,
            answer: said,
            ground,
            price: price + more,
            replicas: (0..accepted).map(found).collect(),
        }
    }

    fn block(
        &self,
        batch: &Batch,
        verdict: Verdict,
        account: AccountId,
        task: TaskIndex,
    ) -> SignedBlock {
        let assigned = |device: DeviceId, account: AccountId| Entry::Assigned {
            task,
            replica: 0,
            device,
            account,
            engine: ENGINE,
            at: self.now,
            lanes: if self.lie == Some(Lie::Lane) { 64 } else { 1 },
        };
        let (mut verdict, mut batch) = (verdict, batch.clone());
        match self.lie {
            Some(Lie::Verdict) => verdict.answer.fuel += 1,
            Some(Lie::Batch) => batch.spent += 1,
            _ => {}
        }
        let mut entries = vec![
            assigned(self.device.1.id(), account.clone()),
            Entry::Judged { verdict },
            Entry::Batched { batch },
        ];
        if self.lie == Some(Lie::Stranger) {
            entries.push(assigned(NO_DEVICE, account));
        }
        block_of(self.genesis, self.id, self.node, entries)
    }
}

/// A log's first block, with these entries.
pub(crate) fn block_of(
    genesis: GenesisHash,
    id: JobId,
    node: &NodeSecret,
    entries: Vec<Entry>,
) -> SignedBlock {
    let mut log = LogBuilder::new(genesis, id, node.clone());
    for entry in entries {
        log.append(entry, 1).unwrap();
    }
    log.cut(2).unwrap()
}

/// Whether a batch is what this one verdict makes.
fn makes(verdict: &Verdict, batch: &Batch) -> bool {
    let mut pays: Vec<_> = verdict.replicas.iter().collect();
    pays.sort_by(|one, other| one.account.cmp(&other.account));
    let paid = pays.iter().filter(|it| it.pay > 0);
    let is_paid = paid
        .map(|it| (&it.account, it.pay))
        .eq(batch.payouts.iter().map(|it| (&it.account, it.amount)));
    pays.sort_by_key(|it| it.device);
    let once = RecordChange {
        accepted: 1,
        ..RecordChange::default()
    };
    let is_counted = pays
        .iter()
        .map(|it| (it.device, once))
        .eq(batch.devices.iter().map(|it| (it.device, it.change)));
    batch.spent == verdict.price && is_paid && is_counted
}

impl Told {
    /// What is at a place of the tree.
    pub(crate) fn leaf(&self, place: u32) -> Leaf {
        let tree = Tree::new(&self.leaves);
        Leaf {
            bytes: self.leaves[place as usize].clone().try_into().unwrap(),
            place,
            siblings: tree.proof(place).unwrap().siblings.try_into().unwrap(),
        }
    }

    /// An entry of the block.
    pub(crate) fn logged(&self, position: u64) -> Logged {
        Logged::new(self.block.prove(position).unwrap()).unwrap()
    }

    /// The same, with the way to the head, which is the block itself.
    pub(crate) fn certified(&self, position: u64) -> Certified {
        Certified {
            logged: self.logged(position),
            links: Default::default(),
        }
    }

    pub(crate) fn head(&self, genesis: &GenesisHash) -> Digest {
        self.block.header.payload.hash(genesis)
    }

    pub(crate) fn is(&self, lie: Lie) -> bool {
        self.lie == Some(lie)
    }
}
