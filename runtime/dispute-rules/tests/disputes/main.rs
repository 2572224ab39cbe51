//! Disputes against honest jobs, and against jobs with one lie.
#![allow(clippy::unwrap_used, clippy::panic)]

mod conduct;
mod devices;
mod far;
mod fields;
mod honest;
mod hostile;
mod lanes;
mod lies;
mod mutated;
mod reports;
mod settled;
mod successor;
mod world;
