//! The chain, as far as a job sees it: the real rules, and money that moves by them.

use crate::cover::{Cover, check_covered};
use quern_job_rules::{exposure, life, pay::PRICES_AT_GENESIS, quote, settlement, tasks};
use quern_primitives::{
    amount::Amount,
    batch::{Batch, BondPerExposure, Exposure, Shares},
    device::Class,
    ids::{AccountId, Digest, ProgramHash, SealingKey},
    job::{Agreement, ByteLevel, Job, Preferences, Referees, Submission},
    params::{Params, Terms},
    view::MasternodeBondView,
};
use std::collections::{BTreeMap, VecDeque};

pub(super) const DEADLINE: u32 = 5_000;
pub(super) const OWNER: AccountId = AccountId::new([101; 32]);
pub(super) const COORDINATOR: AccountId = AccountId::new([102; 32]);

/// The chain, as far as a job sees it.
#[derive(Clone)]
pub(super) struct Ledger {
    pub(super) job: Job,
    pub(super) settled: Vec<u8>,
    pub(super) paid: BTreeMap<AccountId, Amount>,
    pub(super) batches: Vec<Batch>,
    /// Whether transactions get into blocks.
    pub(super) takes: bool,
    /// So many transactions get lost, and others after them do not.
    pub(super) loses: usize,
    /// What batches paid that are not final yet, the oldest first; each is final at once unless it is
    /// to wait.
    pub(super) pending: VecDeque<Shares>,
    /// What the coordinator has bonded, what of it is needed for batches that are not final, and how often it
    /// settled more than that.
    pub(super) bonded: Amount,
    /// What must be bonded for what is open, in thousandths.
    pub(super) per_exposure_permille: u16,
    pub(super) exposure: Exposure,
    pub(super) above_bond: usize,
    /// Whether batches wait for [`Ledger::finalise`].
    pub(super) waits: bool,
}

impl Ledger {
    /// With a job of so many tasks that runs.
    pub(super) fn new(tasks: u32, agreement: Agreement) -> Self {
        let submission = submission(tasks, agreement);
        let quote = quote::quote(&submission, &PRICES_AT_GENESIS, &Params::FIRST, 10).unwrap();
        let terms = Terms {
            re_execution_permille: 10,
            ..Terms::FIRST
        };
        let job = life::open(OWNER, submission, PRICES_AT_GENESIS, terms, &quote, 10);
        let drawn = life::Event::Drawn {
            coordinator: COORDINATOR,
        };
        Self {
            job: life::apply(&job, 11, drawn).unwrap().job,
            settled: vec![0; tasks::bitmap_bytes(tasks) as usize],
            paid: BTreeMap::new(),
            batches: vec![],
            takes: true,
            loses: 0,
            pending: VecDeque::new(),
            bonded: Amount::MAX,
            per_exposure_permille: Params::FIRST.bond_per_exposure_permille,
            exposure: Exposure::default(),
            above_bond: 0,
            waits: false,
        }
    }

    pub(super) fn apply(&mut self, now: u32, event: life::Event<'_>) -> bool {
        let Ok(next) = life::apply(&self.job, now, event) else {
            return false;
        };
        self.job = next.job;
        true
    }

    /// Whether the next transaction gets into a block.
    pub(super) fn takes_next(&mut self) -> bool {
        let lost = self.takes && self.loses > 0;
        self.loses -= usize::from(lost);
        self.takes && !lost
    }

    pub(super) fn settle(&mut self, now: u32, batch: &Batch) -> bool {
        let Ok(valid) = settlement::validate(&self.job, &self.settled, batch, &COORDINATOR, now)
        else {
            return false;
        };
        let bond = exposure::Bond {
            bonded: self.bonded,
            per_exposure: BondPerExposure(self.per_exposure_permille),
        };
        match exposure::settled(&self.exposure, &bond, batch.spent) {
            Ok(exposure) => self.exposure = exposure,
            Err(_) => {
                self.above_bond += 1;
                return false;
            }
        }
        valid.tasks().add_to(&mut self.settled);
        for payout in valid.payouts() {
            *self.paid.entry(payout.account.clone()).or_default() += payout.amount;
        }
        let next = life::apply(&self.job, now, valid.event(&COORDINATOR)).unwrap();
        self.job = next.job;
        self.batches.push(batch.clone());
        self.pending.push_back(valid.split().shares());
        if !self.waits {
            self.finalise();
        }
        true
    }

    /// Makes all batches final that were settled.
    pub(super) fn finalise(&mut self) {
        while self.finalise_oldest() {}
    }

    /// Makes the oldest batch final that is not; false if all are.
    pub(super) fn finalise_oldest(&mut self) -> bool {
        let Some(shares) = self.pending.pop_front() else {
            return false;
        };
        let batch = &self.batches[self.batches.len() - self.pending.len() - 1];
        self.exposure = exposure::over(&self.exposure, batch.spent);
        let event = life::Event::Finalised { shares };
        self.job = life::apply(&self.job, 0, event).unwrap().job;
        true
    }
}

/// What the settler looks at before it sends a batch: the rule itself, with what the ledger says of the bond.
#[derive(Default)]
pub(super) struct Purse {
    cover: Cover,
    /// Each time that the operator is told: whether the job comes to a halt, or goes on.
    pub(super) halts: Vec<bool>,
    has_waited: bool,
}

impl Purse {
    /// Whether a batch is sent.
    pub(super) fn covers(&mut self, ledger: &Ledger, batch: &Batch) -> bool {
        // What is settled already is not sent a second time.
        if batch.sequence < ledger.job.next_batch {
            return false;
        }
        let name = (batch.job, batch.sequence);
        let others = self.cover.begin(name, batch.spent);
        let bond = MasternodeBondView {
            active: ledger.bonded,
            open: ledger.exposure.open,
            per_exposure_permille: ledger.per_exposure_permille,
            ..MasternodeBondView::default()
        };
        let is_covered = check_covered(&bond, batch.spent, others).is_ok();
        let is_told = match is_covered {
            true => self.cover.settled(name),
            false => self.cover.waits(name),
        };
        if is_told {
            self.halts.push(!is_covered);
        }
        self.has_waited |= !is_covered;
        is_covered
    }

    /// Whether a batch had to wait since this was asked, of which the core hears then.
    pub(super) fn has_waited(&mut self) -> bool {
        std::mem::take(&mut self.has_waited)
    }
}

fn submission(tasks: u32, agreement: Agreement) -> Submission {
    Submission {
        salt: [1; 16],
        program: ProgramHash([2; 32]),
        manifest: Digest([3; 32]),
        shards_root: Digest([4; 32]),
        key_commitment: Digest([5; 32]),
        tasks,
        input_bytes: u64::from(tasks) * 100,
        fuel_per_task_max: 2_000_000_000,
        memory_bytes_max: 64 * 1024 * 1024,
        result_bytes_max: 1024,
        agreement,
        referees: Referees::One,
        class: Class::Pinned,
        level: ByteLevel::Balanced,
        deadline: DEADLINE,
        price_max: Amount::MAX,
        owner_sealing_key: SealingKey([6; 32]),
        preferences: Preferences::default(),
    }
}
