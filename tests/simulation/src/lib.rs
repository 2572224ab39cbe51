//! Grids of any size in virtual time, from one seed.
//!
//! The devices here are made up; what decides what they get is the scheduler itself, from
//! `compute-side/grid`. The same seed gives the same history on every machine.
//!
//! | module | what it simulates |
//! | --- | --- |
//! | [`makespan`] | one job under several policies: the scheduler alone |
//! | [`grid`] | the masternode and the workers with all their decisions, network, disk and chain |
//! | [`judged`] | one job on such a grid, where answers are judged |
//! | [`agreement`] | a coalition of liars: the judge alone |

pub mod agreement;
pub mod clock;
pub mod grid;
pub mod judged;
pub mod makespan;
pub mod population;
