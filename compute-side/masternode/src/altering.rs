//! Where tests have a masternode lie, or live faster.
//!
//! What a masternode signs is its log and its batches. A program that is built on this library may alter
//! both on their way to its key, and then nothing holds its batches to its log before they are sent. The
//! masternode itself alters nothing: [`run`](crate::run) has no such thing, and only programs for tests call
//! [`run_altered`](crate::run_altered).

use crate::core::{Effect, Entry};
use quern_grid::lottery::Calendar;
use quern_primitives::{JobId, batch::Batch};

/// Alters what a masternode puts its name to. What it decides by stays what it is.
pub trait Altering: Send {
    /// What is written into a job's log in the place of this entry. Each place of a log has one entry, so
    /// none can be left out or added.
    fn entry(&mut self, job: JobId, entry: Entry) -> Entry;

    /// What is certified and sent in the place of this batch; it is asked again each time that a batch is
    /// sent.
    fn batch(&mut self, batch: Batch) -> Batch;

    /// The days by which it draws the lottery.
    fn calendar(&self) -> Calendar {
        Calendar::default()
    }
}

/// An effect of the core with what is altered of it.
pub(crate) fn altered(altering: &mut dyn Altering, effect: Effect) -> Effect {
    match effect {
        Effect::Append {
            ticket,
            job,
            position,
            entry,
            output,
        } => Effect::Append {
            ticket,
            job,
            position,
            entry: Box::new(altering.entry(job, *entry)),
            output,
        },
        Effect::Settle { batch } => Effect::Settle {
            batch: Box::new(altering.batch(*batch)),
        },
        effect => effect,
    }
}
