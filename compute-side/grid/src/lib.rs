//! Which device takes which task next.
//!
//! Devices pull: a device takes the first open replica it may have, in the order in which tasks
//! were queued. The one rule of fairness here is that two replicas of a task never go to devices of
//! one account; whoever has touched a task passes over it.
//!
//! The queue knows accounts, devices and tasks. It knows nothing of answers, money or programs.

mod queue;

pub use queue::{Counts, PullQueue, Shortage};
