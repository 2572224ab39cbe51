//! Honest logs are accepted, and each single lie is refused for what it is.
#![allow(clippy::unwrap_used, clippy::panic)]

mod accusing;
mod acknowledged;
mod audit;
mod author;
mod chain;
mod compared;
mod disorder;
mod ending;
mod exhibits;
mod far;
mod honest;
mod lies;
mod referees;
mod taken_over;
mod trust;
mod turns;
mod unrefereed;
mod world;
