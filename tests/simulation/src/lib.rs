//! Grids of any size in virtual time, from one seed.
//!
//! The devices here are made up; what decides what they get is the scheduler itself, from
//! `compute-side/grid`. The same seed gives the same history on one machine.

pub mod clock;
pub mod makespan;
pub mod population;
