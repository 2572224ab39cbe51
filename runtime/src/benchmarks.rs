//! What is measured: the calls of our own pallets, and the system on which a machine's speed shows.
//! The stock pallets keep the weights their makers measured.

use crate::{
    AllPalletsWithSystem, Bytechip, Disputes, Finality, Jobs, Params, Roster, Runtime, Workforce,
};
use alloc::{string::String, vec::Vec};
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys};

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
