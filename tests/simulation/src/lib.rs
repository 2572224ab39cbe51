//! Grids of any size in virtual time, from one seed.
//!
//! The devices here are made up; what decides what they get is the scheduler itself, the same code
//! that a masternode runs. The same seed gives the same history.

pub mod clock;
pub mod makespan;
pub mod population;
