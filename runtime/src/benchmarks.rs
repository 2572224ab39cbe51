//! What is measured: the calls of our own pallets, and the system on which a machine's speed shows.
//! The stock pallets keep the weights their makers measured.

use crate::{
    AllPalletsWithSystem, Balances, Bytechip, Custody, Disputes, Finality, Jobs, Params, Roster,
    Runtime, Workforce, configs::grid::BondPerDevice,
};
use alloc::{string::String, vec::Vec};
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{
    Get, StorageInfo, StorageInfoTrait, WhitelistedStorageKeys,
    fungible::{Unbalanced, hold::Mutate as _},
    tokens::Precision,
};
use frame_system::RawOrigin;
use quern_dispute_rules::{Facts, facts::BatchFacts};
use quern_primitives::{
    AccountId, Amount, DeviceId, JobId,
    batch::{BatchRecord, BatchState, PendingBatch, Shares},
    device::Device,
    group::{Group, Member},
    job::{Escrow, Job},
};

type System = frame_system_benchmarking::Pallet<Runtime>;

impl frame_system_benchmarking::Config for Runtime {}

frame_benchmarking::define_benchmarks!(
    [frame_system, System]
    [quern_roster, Roster]
    [quern_bytechip, Bytechip]
    [quern_workforce, Workforce]
    [quern_finality, Finality]
    [quern_jobs, Jobs]
    [quern_params, Params]
    [quern_disputes, Disputes]
    [quern_custody, Custody]
);

/// The benchmarks there are, and what is known of the storage they touch.
pub(crate) fn list(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    let mut list = Vec::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Runs a benchmark.
pub(crate) fn run(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}

/// Where the chain's clock of finality stands in a benchmark of a dispute: past the first block.
const CLOCK: u32 = 1;

/// What the chain's clock of finality does not reach in a benchmark.
const DUE: u32 = 1_000_000;

/// Writes facts of a dispute to where the chain reads them, with the money that they speak of.
pub(crate) fn stage(facts: Facts) {
    quern_finality::Clock::<Runtime>::put(CLOCK);
    let Facts {
        job_id,
        mut job,
        batch,
        group,
        device,
        worker_bond,
        lane_seed,
        ..
    } = facts;
    let members = group.into_iter().map(|member| {
        rich(&member.account, member.bond);
        let bonded = Roster::bond(
            RawOrigin::Signed(member.account.clone()).into(),
            member.bond,
        );
        debug_assert!(bonded.is_ok(), "who has money bonds it: {bonded:?}");
        Member {
            account: member.account,
            node: member.node,
            is_out: false,
        }
    });
    let group = Group {
        members: frame_support::BoundedVec::truncate_from(members.collect()),
        turn: 0,
        since: 0,
        lane_seed,
    };
    if let Some(batch) = batch {
        stage_batch(&job_id, &mut job, batch, &group);
    }
    quern_jobs::Groups::<Runtime>::insert(job_id, group);
    quern_jobs::Jobs::<Runtime>::insert(job_id, job);
    if let Some(account) = device.and_then(|device| device.answers) {
        stage_worker(&account, worker_bond);
    }
}

/// A pending batch, whose money is in the escrow of its job's owner.
fn stage_batch(id: &JobId, job: &mut Job, batch: BatchFacts, group: &Group) {
    let spent = batch.spent;
    rich(&job.owner, spent);
    let held = Balances::hold(&quern_jobs::HoldReason::Escrow.into(), &job.owner, spent);
    debug_assert!(held.is_ok(), "who has money puts it into escrow: {held:?}");
    job.escrow = Escrow {
        deposited: spent,
        pending: spent,
        ..Escrow::default()
    };
    job.settled_tasks = batch.verdicts;
    quern_jobs::Totals::<Runtime>::put(job.escrow);
    let split = Shares {
        workers: batch.payouts.iter().map(|payout| payout.amount).sum(),
        ..Shares::default()
    };
    let split = Shares {
        treasury: spent.saturating_sub(split.workers),
        ..split
    };
    let places = batch.certifiers.iter().filter_map(|it| group.place_of(it));
    let record = BatchRecord {
        verdicts_root: batch.verdicts_root,
        log: batch.log,
        block: 0,
        head: batch.heads.last().copied().unwrap_or_default(),
        tasks: batch.verdicts,
        spent,
        paid: split.workers,
        settled_at: batch.settled_at,
        state: BatchState::Pending { due: DUE },
    };
    let pending = PendingBatch {
        due: DUE,
        coordinator: batch.coordinator,
        certified_by: frame_support::BoundedVec::truncate_from(places.collect()),
        tasks: batch.tasks,
        // Not more than a batch may have: the rules say what a longer list means.
        payouts: frame_support::BoundedVec::truncate_from(batch.payouts),
        devices: frame_support::BoundedVec::truncate_from(batch.devices),
        split,
    };
    let list = [(batch.sequence, DUE)].to_vec();
    quern_jobs::Batches::<Runtime>::insert(id, batch.sequence, record);
    quern_jobs::Pending::<Runtime>::insert(id, batch.sequence, pending);
    quern_jobs::PendingOf::<Runtime>::insert(id, frame_support::BoundedVec::truncate_from(list));
    quern_jobs::DueJobs::<Runtime>::insert(DUE.to_be_bytes(), id, ());
}

/// A device of an account with a bond, which is enough for it.
pub(crate) fn register(device: DeviceId, account: AccountId, bond: Amount) {
    stage_worker(&account, bond.max(BondPerDevice::get()));
    let known = Device::new(
        account.clone(),
        Default::default(),
        Default::default(),
        Default::default(),
    );
    quern_workforce::DevicesOf::<Runtime>::insert(&account, device, ());
    quern_workforce::Devices::<Runtime>::insert(device, known);
    quern_workforce::RegisteredAt::<Runtime>::insert(device, 1);
    quern_workforce::Bonds::<Runtime>::mutate(&account, |bond| {
        if let Some(bond) = bond {
            bond.devices = bond.devices.saturating_add(1);
        }
    });
}

/// A worker with its bond.
fn stage_worker(account: &AccountId, bond: Amount) {
    rich(account, bond);
    let bonded = Workforce::bond(RawOrigin::Signed(account.clone()).into(), bond);
    debug_assert!(bonded.is_ok(), "who has money bonds it: {bonded:?}");
}

/// An account gets an amount, and something to keep beside it.
fn rich(account: &AccountId, amount: Amount) {
    let money = amount.saturating_add(1);
    let given = Balances::increase_balance(account, money, Precision::Exact);
    debug_assert!(given.is_ok(), "a benchmark makes what it needs: {given:?}");
}
