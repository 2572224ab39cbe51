//! The core in a small world of its own: a chain that keeps the real rules of jobs, devices that
//! compute, lie, forget and vanish, and a disk that writes when it is told to.

mod certain;
mod crashes;
mod devices;
mod ledger;
mod releases;
mod reports;
mod scheduling;
mod settling;
mod worker;
mod world;
