//! The core in a small world of its own: a chain that keeps the real rules of jobs, devices that
//! compute, lie, forget and vanish, and a disk that writes when it is told to.

mod absurd;
mod alone;
mod answers;
mod attribution;
mod bonds;
mod certain;
mod checks;
mod crashes;
mod devices;
mod explain;
mod faults;
mod inputs;
mod jobs;
mod ledger;
mod logs;
mod measured;
mod memory;
mod opinions;
mod owners;
mod pending;
mod rankings;
mod referees;
mod refusing;
mod register;
mod releases;
mod reports;
mod revealing;
mod sample;
mod samples;
mod scheduling;
mod settling;
mod uploading;
mod waking;
mod worker;
mod world;
