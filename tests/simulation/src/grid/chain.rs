//! The chain, as far as jobs, money and devices go: the real rules, one block after the other.

use super::{violation::Violation, words::Names};
use quern_grid::lottery::{self, Draw};
use quern_job_rules::{
    life::{self, LifeError, Moves},
    pay::PRICES_AT_GENESIS,
    quote::{self, QuoteError},
    settlement::{self, BatchError},
    tasks,
};
use quern_masternode::core::Bond;
use quern_primitives::{
    amount::Amount,
    batch::Batch,
    device::{Device, Past},
    ids::{AccountId, BatchSequence, BlockNumber, DeviceId, JobId, TaskIndex},
    job::{Failure, Job, Submission},
    limits::DAY_BLOCKS,
    params::{Parameter, Params},
    view::DeviceView,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the council has set here, and more than a council may: so large a bond that tasks may be as long as those of the job that is
/// simulated, and of a hundred tasks one computed again.
const PARAMS: Params = Params {
    re_execution_permille: 10,
    bond_per_device: 100 * Parameter::BondPerDevice.row().most,
    ..Params::FIRST
};

/// Who pays for all jobs.
pub(super) const OWNER: AccountId = AccountId::new([0xa1; 32]);

/// The masternode's account.
pub(super) const COORDINATOR: AccountId = AccountId::new([0xa2; 32]);

const TREASURY: AccountId = AccountId::new([0xa3; 32]);

/// The height at which a run begins: half a minute before a day's first block.
pub(super) const FIRST_BLOCK: BlockNumber = DAY_BLOCKS - 15;

/// Time of a block, in milliseconds.
pub(super) const BLOCK_MS: u64 = 2_000;

/// Bonds that an account can pay for fresh devices beside those it has from the beginning. What covered
/// one that it retired comes free a week later, and no run is as long.
pub(super) const BONDS_MORE: u32 = 3;

/// Blocks in which what was finished of a cancelled job may still be settled.
const GRACE_BLOCKS: BlockNumber = 50;

/// A job with what the chain keeps beside it.
pub(super) struct OnChain {
    pub(super) job: Job,
    settled: Vec<u8>,
    /// The same tasks once more, kept by other means.
    done: BTreeSet<TaskIndex>,
    /// What each account got.
    pub(super) paid: BTreeMap<AccountId, Amount>,
}

impl OnChain {
    pub(super) fn is_settled(&self, task: TaskIndex) -> bool {
        self.done.contains(&task)
    }
}

/// What a day's lottery is drawn from: the state in the day's first block.
pub(super) struct Lottery {
    pub(super) draw: Draw,
    /// When each device last had a task.
    last_tasks: BTreeMap<DeviceId, BlockNumber>,
}

impl Lottery {
    pub(super) fn winners(&self) -> BTreeSet<DeviceId> {
        let wins = |(device, last): &(&DeviceId, &BlockNumber)| {
            let lot = self.draw.lot(device, **last);
            lot.is_some_and(|lot| lot.wins())
        };
        let winners = self.last_tasks.iter().filter(wins);
        winners.map(|(device, _)| *device).collect()
    }
}

/// A transaction of the masternode.
pub(super) enum Order {
    Settle(Box<Batch>),
    CloseFailed {
        job: JobId,
        task: TaskIndex,
        why: Failure,
    },
}

impl Order {
    /// Its job, and the batch if it is one.
    fn name(&self) -> (JobId, Option<BatchSequence>) {
        match self {
            Self::Settle(batch) => (batch.job, Some(batch.sequence)),
            Self::CloseFailed { job, .. } => (*job, None),
        }
    }
}

pub(super) struct Chain {
    pub(super) block: BlockNumber,
    pub(super) jobs: BTreeMap<JobId, OnChain>,
    /// One block behind.
    pub(super) finalised: BlockNumber,
    pub(super) finalised_jobs: BTreeMap<JobId, Job>,
    devices: BTreeMap<DeviceId, Device>,
    /// What is remembered of devices that were retired.
    retired: BTreeMap<DeviceId, Past>,
    verified: BTreeSet<DeviceId>,
    bonds: BTreeMap<AccountId, Bond>,
    /// Fresh devices for which each account has bonded.
    replaced: BTreeMap<AccountId, u32>,
    banned: BTreeSet<DeviceId>,
    /// Of the day that it is; none on the first.
    pub(super) lottery: Option<Lottery>,
    balances: BTreeMap<AccountId, Amount>,
    issued: Amount,
    /// Transactions that wait for a block.
    pool: VecDeque<Order>,
    /// From which block on each job has its coordinator.
    pub(super) drawn: BTreeMap<JobId, BlockNumber>,
}

impl Chain {
    pub(super) fn new() -> Self {
        Self {
            block: FIRST_BLOCK,
            jobs: BTreeMap::new(),
            finalised: FIRST_BLOCK,
            finalised_jobs: BTreeMap::new(),
            devices: BTreeMap::new(),
            retired: BTreeMap::new(),
            verified: BTreeSet::new(),
            bonds: BTreeMap::new(),
            replaced: BTreeMap::new(),
            banned: BTreeSet::new(),
            lottery: None,
            balances: BTreeMap::new(),
            issued: 0,
            pool: VecDeque::new(),
            drawn: BTreeMap::new(),
        }
    }

    /// An account registers a device, for which it bonds so much.
    pub(super) fn register(
        &mut self,
        id: DeviceId,
        device: Device,
        is_verified: bool,
        bond: Amount,
    ) {
        let of_account = self.bonds.entry(device.account.clone()).or_default();
        of_account.devices += 1;
        of_account.active += bond;
        if is_verified {
            self.verified.insert(id);
        }
        self.devices.insert(id, device);
    }

    /// An account retires a device, if it is registered, which takes its share of the bond with it.
    pub(super) fn retire(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.remove(id) else {
            return;
        };
        self.retired.insert(*id, device.past());
        if let Some(bond) = self.bonds.get_mut(&device.account) {
            bond.active -= bond.of_each();
            bond.devices -= 1;
        }
    }

    /// An account registers a fresh device, if it has money for one more bond.
    pub(super) fn replace(&mut self, id: DeviceId, device: Device, bond: Amount) -> bool {
        let replaced = self.replaced.entry(device.account.clone()).or_default();
        if *replaced >= BONDS_MORE {
            return false;
        }
        *replaced += 1;
        self.register(id, device, false, bond);
        true
    }

    /// What an account has bonded.
    pub(super) fn bond(&self, account: &AccountId) -> Bond {
        self.bonds.get(account).copied().unwrap_or_default()
    }

    /// What the chain says of a device.
    pub(super) fn view(&self, id: &DeviceId) -> Option<DeviceView> {
        let device = self.devices.get(id)?.clone();
        Some(DeviceView {
            id: *id,
            bonded: true,
            banned: self.banned.contains(id),
            verified: self.verified.contains(id),
            quarantined: device.is_quarantined(),
            device,
        })
    }

    pub(super) fn ban(&mut self, id: DeviceId) {
        self.banned.insert(id);
    }

    /// Takes a job in, with money that is issued for it.
    pub(super) fn submit(&mut self, id: JobId, submission: Submission) -> Result<(), QuoteError> {
        let quote = quote::accept(&submission, &PRICES_AT_GENESIS, &PARAMS, self.block)?;
        let settled = vec![0; tasks::bitmap_bytes(submission.tasks) as usize];
        let (terms, block) = (PARAMS.terms(), self.block);
        let job = life::open(OWNER, submission, PRICES_AT_GENESIS, terms, &quote, block);
        self.issued += quote.total;
        let on_chain = OnChain {
            job,
            settled,
            done: BTreeSet::new(),
            paid: BTreeMap::new(),
        };
        self.jobs.insert(id, on_chain);
        Ok(())
    }

    /// The owner wants no more of a job.
    pub(super) fn cancel(&mut self, id: JobId) {
        let event = life::Event::Cancelled {
            by: &OWNER,
            grace_blocks: GRACE_BLOCKS,
        };
        // It may be over.
        let _ = self.apply(id, event);
    }

    /// Takes a transaction into the pool. One that is there already is not sent a second time.
    pub(super) fn order(&mut self, order: Order) {
        if self.pool.iter().all(|other| other.name() != order.name()) {
            self.pool.push_back(order);
        }
    }

    /// Makes the next block, and says for which jobs a transaction did not get in.
    pub(super) fn next_block(
        &mut self,
        names: &Names,
        mut is_lost: impl FnMut() -> bool,
    ) -> Result<Vec<JobId>, Violation> {
        self.finalised = self.block;
        let jobs = self.jobs.iter();
        self.finalised_jobs = jobs.map(|(id, known)| (*id, known.job.clone())).collect();
        self.block += 1;
        self.every_job(|| life::Event::Drawn {
            coordinator: COORDINATOR,
        });
        for (id, known) in &self.jobs {
            if known.job.state.coordinator().is_some() {
                self.drawn.entry(*id).or_insert(self.block);
            }
        }
        let mut failed = Vec::new();
        for order in std::mem::take(&mut self.pool) {
            let (job, _) = order.name();
            if is_lost() || !self.take(names, &order)? {
                failed.push(job);
            }
        }
        // Anybody may ask for it, so somebody does as soon as it is possible.
        self.every_job(|| life::Event::Refunded);
        self.review();
        self.check_money(names)?;
        Ok(failed)
    }

    /// Whether the last block is a day's first.
    pub(super) fn begins_day(&self) -> bool {
        self.block == lottery::first_block_of(lottery::day_of(self.block))
    }

    /// A day begins, with this randomness.
    pub(super) fn begin_day(&mut self, seed: [u8; 32]) {
        let day = lottery::day_of(self.block);
        let devices = self.devices.iter();
        self.lottery = Some(Lottery {
            draw: Draw::new(seed, day),
            last_tasks: devices
                .map(|(id, device)| (*id, device.last_task))
                .collect(),
        });
    }

    /// Accounts have their devices reviewed when they need it and may.
    fn review(&mut self) {
        for device in self.devices.values_mut() {
            if device.is_quarantined() && device.reviewable_from() <= self.block {
                device.review(self.block);
            }
        }
    }

    /// Whether every job is over.
    pub(super) fn is_all_over(&self) -> bool {
        self.jobs.values().all(|known| !known.job.state.is_open())
    }

    /// Has an event happen to every job that is ready for it.
    fn every_job(&mut self, event: impl Fn() -> life::Event<'static>) {
        let open = self.jobs.iter().filter(|(_, it)| it.job.state.is_open());
        let open: Vec<JobId> = open.map(|(id, _)| *id).collect();
        for id in open {
            // It may not be ready.
            let _ = self.apply(id, event());
        }
    }

    fn apply(&mut self, id: JobId, event: life::Event<'_>) -> Result<(), LifeError> {
        let Some(known) = self.jobs.get_mut(&id) else {
            return Ok(());
        };
        let next = life::apply(&known.job, self.block, event)?;
        known.job = next.job;
        let Moves {
            set_aside: _,
            taken_back: _,
            workers: _,
            operators,
            treasury,
            owner,
        } = next.moves;
        for (account, amount) in [
            (COORDINATOR, operators),
            (TREASURY, treasury),
            (OWNER, owner),
        ] {
            *self.balances.entry(account).or_default() += amount;
        }
        Ok(())
    }

    /// Whether a transaction gets into the block. One that never can is a fault of who sent it.
    fn take(&mut self, names: &Names, order: &Order) -> Result<bool, Violation> {
        match order {
            Order::Settle(batch) => self.settle(names, batch),
            Order::CloseFailed { job, task, why } => {
                let Some(known) = self.jobs.get(job) else {
                    return Ok(false);
                };
                let settled = known.settled.clone();
                let event = life::Event::Failed {
                    by: &COORDINATOR,
                    task: *task,
                    why: *why,
                    settled: &settled,
                };
                match self.apply(*job, event) {
                    Ok(()) => Ok(true),
                    Err(LifeError::Over | LifeError::Closed | LifeError::TooLate { .. }) => {
                        Ok(false)
                    }
                    Err(why) => Err(Violation::EndRefused {
                        job: names.job(job),
                        task: *task,
                        why,
                    }),
                }
            }
        }
    }

    fn settle(&mut self, names: &Names, batch: &Batch) -> Result<bool, Violation> {
        let Some(known) = self.jobs.get_mut(&batch.job) else {
            return Ok(false);
        };
        let job = names.job(&batch.job);
        let refused = |why| Violation::BatchRefused {
            job,
            sequence: batch.sequence,
            why,
        };
        let validated =
            settlement::validate(&known.job, &known.settled, batch, &COORDINATOR, self.block);
        let valid = match validated {
            Ok(valid) => valid,
            // It was counted before, or comes before its turn.
            Err(BatchError::Life(
                LifeError::Over | LifeError::Closed | LifeError::TooLate { .. },
            ))
            | Err(BatchError::WrongSequence { .. }) => return Ok(false),
            Err(why) => return Err(refused(why)),
        };
        for task in valid.tasks().iter() {
            if !known.done.insert(task) {
                return Err(Violation::SettledTwice { job, task });
            }
        }
        valid.tasks().add_to(&mut known.settled);
        for payout in valid.payouts() {
            *known.paid.entry(payout.account.clone()).or_default() += payout.amount;
            let balance = self.balances.entry(payout.account.clone());
            *balance.or_default() += payout.amount;
        }
        let class = known.job.submission.class;
        for changed in valid.devices() {
            if let Some(device) = self.devices.get_mut(&changed.device) {
                device.note(&changed.change, class, self.block);
            } else if let Some(past) = self.retired.get_mut(&changed.device) {
                past.note(&changed.change, class, self.block);
            }
        }
        let event = valid.event(&COORDINATOR);
        let shares = valid.split().shares();
        // This chain has no window: what a masternode does meanwhile is nothing.
        for event in [event, life::Event::Finalised { shares }] {
            self.apply(batch.job, event)
                .map_err(|why| refused(BatchError::Life(why)))?;
        }
        Ok(true)
    }

    /// Every unit that was issued is somewhere, once.
    fn check_money(&self, names: &Names) -> Result<(), Violation> {
        let mut accounted: Amount = self.balances.values().sum();
        for (id, known) in &self.jobs {
            let (job, escrow) = (names.job(id), &known.job.escrow);
            let kept = escrow.pending + escrow.held;
            let sum = escrow.paid + escrow.network + escrow.refunded + kept;
            if sum != escrow.deposited {
                return Err(Violation::Escrow {
                    job,
                    deposited: escrow.deposited,
                    accounted: sum,
                });
            }
            let got: Amount = known.paid.values().sum();
            if got != escrow.paid {
                return Err(Violation::Payouts {
                    job,
                    left: escrow.paid,
                    got,
                });
            }
            if !known.job.state.is_open() && kept > 0 {
                let held = kept;
                return Err(Violation::Held { job, held });
            }
            accounted += kept;
        }
        if accounted != self.issued {
            return Err(Violation::Money {
                issued: self.issued,
                accounted,
            });
        }
        Ok(())
    }
}
