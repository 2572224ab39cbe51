//! Swarms in virtual time: many peers that run these rules, with messages that take time and are lost,
//! peers that come, go, are killed and lie, all from one seed.
//!
//! Nothing of the rules is stubbed but their signatures, which cost a hash each (`world::Sham`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod any;
mod cells;
mod crowds;
mod kills;
mod liars;
mod model;
mod world;
