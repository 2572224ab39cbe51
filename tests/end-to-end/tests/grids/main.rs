//! Whole grids of the real programs, one for each test. In one program, so that they are linked once
//! and run side by side.

mod answering;
mod attribution;
mod claims;
mod commands;
mod committing;
mod deaths;
mod group;
mod guides;
mod hostile;
mod kills;
mod lottery;
mod lying;
mod programs;
mod quarantine;
mod referee;
mod refusals;
mod restarted;
mod seven;
mod storage;
