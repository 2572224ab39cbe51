//! The masternode: takes jobs in, hands tasks out, judges answers, settles.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`core`] | decides; pure |
//! | `daemon` | owns the core, feeds it and carries out what it wants |
//! | `api` | the Jobs API for owners |
//! | `benchmark` | the program that tells how fast a device is |
//! | `referee` | computes tasks again |
//! | `watcher` | follows the chain |
//! | `checking` | holds a job's own log to the rules before a batch of it is sent |
//! | `cover` | which batches the masternode's bond covers now; pure |
//! | [`settler`] | has batches certified, and sends them |
//! | `group` | a job's masternodes among themselves: logs, certificates, turns |
//! | `disputes` | answers disputes over its batches |
//! | `held` | what devices show of shards, held to those that are here |
//! | `store`, `vault` | what is remembered, and the jobs' files, in a depot |
//! | `locks` | locks that stay open when who held one panicked |
//! | `altering` | where tests have a masternode lie; nothing does in a masternode |

mod altering;
mod api;
mod benchmark;
mod certify;
mod checking;
mod config;
mod context;
pub mod core;
mod cover;
mod daemon;
mod disputes;
mod group;
mod held;
mod keepers;
mod locks;
mod receipts;
mod referee;
pub mod settler;
mod store;
mod vault;
mod watcher;

pub use altering::Altering;
pub use benchmark::benchmark_module;
pub use config::Config;
pub use daemon::{lottery_winners, lottery_winners_of, run, run_altered};
pub use store::{Store, StoreError};
