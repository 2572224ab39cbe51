//! What a replica is expected to take, and what a job's accepted answers say of it.

use super::{super::Asker, JobQueue};
use crate::TaskBytes;

/// Answers from which on the other tasks are judged by theirs.
const ACCEPTED_MIN: u64 = 3;

/// The accepted answers of a job, summed up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accepted {
    count: u64,
    work: u64,
    result_bytes: u64,
}

impl Accepted {
    /// One more, of so much work and with a result of so many bytes.
    pub(super) fn note(&mut self, work: u64, result_bytes: u64) {
        self.count = self.count.saturating_add(1);
        self.work = self.work.saturating_add(work);
        self.result_bytes = self.result_bytes.saturating_add(result_bytes);
    }

    /// The mean of their work, at least one; none while there are few.
    pub(super) fn work(&self) -> Option<u64> {
        self.mean(self.work).map(|mean| mean.max(1))
    }

    /// The mean of their results' bytes; none while there are few.
    pub(super) fn result_bytes(&self) -> Option<u64> {
        self.mean(self.result_bytes)
    }

    fn mean(&self, sum: u64) -> Option<u64> {
        (self.count >= ACCEPTED_MIN).then(|| sum / self.count)
    }
}

impl JobQueue {
    /// What a replica is expected to take: the mean of the accepted answers, or what the terms say while
    /// there are few.
    pub(super) fn work(&self) -> u64 {
        let accepted = self.accepted.work();
        accepted.unwrap_or(self.terms.work.max(1))
    }

    /// How long a device of this speed takes for a replica, in milliseconds.
    pub(in crate::dispatch) fn takes_ms(&self, speed: u32) -> u64 {
        let speed = match speed {
            0 => self.known.target.usual_speed(),
            speed => speed.into(),
        };
        self.work() / speed
    }

    /// How long a device's line takes for a replica, in milliseconds.
    pub(super) fn line_ms(&self, asker: &Asker<'_>) -> u64 {
        let TaskBytes { down, up } = self.terms.bytes;
        let up = self.accepted.result_bytes().unwrap_or(up);
        asker.line.takes_ms(TaskBytes { down, up })
    }
}
