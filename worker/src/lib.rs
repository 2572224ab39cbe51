//! The worker: fetches tasks, runs them in the sandbox, reports.
//!
//! A library with the parts, and a program, `quern-worker`, made of them. The parts are here so that
//! the test worker that lies can be made of them too; the program has no setting that changes an
//! answer.
//!
//! ```text
//!   masternodes ◄── connections, pieces ──► shell ──► bench: open, run, seal, sign
//!   machine, clock ── readings, verdicts ──► │ ▲        one thread, one task at a time
//!                                     events ▼ │ effects
//!                                            core
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`core`] | decides: whom to ask, what to run, what to repeat, when to stop; pure |
//! | [`shell`] | carries out: connections, timers, signals, files |
//! | [`mod@bench`] | one task from sealed shard to signed receipt |
//! | [`held`] | a shard that is here, and what shows it |
//! | [`device`] | the device's keys and their file |
//! | [`settings`] | the settings file, and what follows when it changes |
//! | [`machine`] | what this machine is and how it is; reads files |
//! | [`availability`] | the machine owner's preferences, and whether it may be used now; pure |
//! | [`acknowledgements`] | masternodes' words that they took this device's work |
//! | [`claims`] | whether work that they took was left out, and what is claimed; pure but for its files |
//! | [`kept`] | pieces that the device keeps for others, on the disk |
//! | [`masternodes`] | where the masternodes are, from the chain or from the settings |
//! | [`cli`] | the command line |
//!
//! # What is on disk
//!
//! Below the data folder: `programs/`, a cache of programs by their hash; `reports/`, finished tasks
//! that are worth keeping until they are acknowledged; `acknowledgements`, what masternodes signed for
//! them, until it is settled for good; `claims/`, what was claimed of it. All are checked when they are read, so that
//! a torn file is noticed and dropped. A worker that is killed loses at most tasks that nobody has
//! acknowledged, and masternodes give those to others. `data-used` counts the data moved in each
//! month; of that a kill loses half a minute.

pub mod acknowledgements;
pub mod availability;
pub mod bench;
mod benchmark;
pub mod claims;
pub mod cli;
pub mod core;
pub mod device;
pub mod held;
mod keeper;
pub mod kept;
pub mod limits;
pub mod machine;
pub mod masternodes;
mod programs;
mod reports;
pub mod settings;
pub mod shell;
mod telemetry;
mod traffic;
mod transfer;
