//! The configuration of each pallet, one file for each thing configured.

pub mod accounts;
pub mod consensus;
pub mod council;
pub mod grid;
pub mod money;
pub mod system;
