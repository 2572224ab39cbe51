//! The grid: which devices there are, how good each is, and which takes which task next.
//!
//! | module | what it says |
//! | --- | --- |
//! | [`measure`] | what is known of how a device is, and what of it is believed |
//! | [`score`] | how much it can do: the capacity score |
//! | [`faults`] | what went wrong on it lately, and what follows |
//! | [`flags`] | why it gets nothing at the moment |
//! | [`lottery`] | who gets another chance |
//! | [`mod@rank`] | ByteRank: the order in which devices are considered |
//! | [`ranking`] | all devices in that order, with what each is able to |
//! | [`fleet`] | all devices that are known, with their ranking |
//! | [`mod@line`] | how long a device's line takes for a task |
//! | [`needs`] | what a job asks of devices |
//! | [`pools`] | a job's target subset and capacity pools |
//! | [`dispatch`] | which device takes which replica next, and why it gets none |
//! | [`replication`] | how many replicas make a job as certain as it shall be |
//! | [`tuning`] | how tasks are dealt and watched |
//!
//! All of it is pure: no clock, no chance, no input or output. It knows accounts, devices and tasks,
//! and nothing of answers, money or programs.

pub mod dispatch;
pub mod faults;
pub mod flags;
pub mod fleet;
pub mod line;
pub mod lottery;
pub mod measure;
pub mod needs;
pub mod pools;
pub mod rank;
pub mod ranking;
pub mod replication;
pub mod score;
mod tick;
pub mod tuning;

pub use dispatch::{Asker, Claimed, Dispatch, Given, Holder, JobTerms, Withheld};
pub use faults::{Ending, FaultRate, Faults};
pub use flags::{Flag, Flags};
pub use fleet::{Fleet, FleetFull, FleetSettings};
pub use line::{LineSpeed, TaskBytes};
pub use score::Score;
pub use tick::{Moment, Tick};
pub use tuning::{Policy, Timeouts, Tuning};
