//! What follows from what the core is told.

use super::{Entry, Noted, Purpose, Ticket, Token, WorkPlan};
use quern_jobs_api::JobStatus;
use quern_primitives::{
    batch::Batch,
    ids::{BlockNumber, DeviceId, JobId, TaskIndex},
    job::Failure,
    receipt::Answer,
};
use quern_protocol::Refusal;

/// What the core wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append an entry to a job's log; tell [`Event::Persisted`](super::Event::Persisted) when it is on disk.
    Append {
        /// Counts all appends.
        ticket: Ticket,
        /// The job.
        job: JobId,
        /// Its place in the job's log, without a gap.
        position: u64,
        /// The entry.
        entry: Box<Entry>,
        /// A sealed result to be written with it.
        output: Option<Vec<u8>>,
    },
    /// Write a note beside a job's log, behind what was appended before and not before it.
    Note {
        /// The job.
        job: JobId,
        /// The note, and where it stands.
        noted: Box<Noted>,
        /// A sealed result to be written with it, and the name under which it is sealed.
        output: Option<(DeviceId, Vec<u8>)>,
    },
    /// Answer an exchange.
    Answer {
        /// The request.
        token: Token,
        /// The device that asked.
        device: DeviceId,
        /// What to say.
        work: WorkPlan,
    },
    /// Refuse a request.
    Refuse {
        /// The request.
        token: Token,
        /// Why.
        refusal: Refusal,
    },
    /// Close a device's connections.
    Dismiss {
        /// The device.
        device: DeviceId,
    },
    /// Send a batch to the chain.
    Settle {
        /// The batch; the same one each time it is sent.
        batch: Box<Batch>,
    },
    /// Tell the chain that the job cannot go on.
    CloseFailed {
        /// The job.
        job: JobId,
        /// The task that cannot be settled.
        task: TaskIndex,
        /// What is wrong with it.
        why: Failure,
    },
    /// Nobody answers for a task any more, and that is on disk: sealed results of other replicas than
    /// these may be erased.
    KeepOutputs {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// Replicas and devices whose sealed result is the accepted one; none if no answer was.
        accepted: Vec<(u8, DeviceId)>,
    },
    /// Compute a task again; tell [`Event::Recomputed`](super::Event::Recomputed) what comes out, unless it is told to stop before.
    Recompute {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// What for.
        purpose: Purpose,
        /// Of a check, the answer that was accepted: the result is kept if another one comes out.
        accepted: Option<Answer>,
        /// How long it may take, in milliseconds.
        time_ms: u64,
    },
    /// Nobody waits any more for a task that is computed again.
    StopRecomputing {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// Read what draws of what was counted in a block follow from; tell [`Event::Seed`](super::Event::Seed).
    ReadSeed {
        /// The block in which it was counted.
        block: BlockNumber,
    },
    /// Nothing of a closed job is computed any more: what it was computed from may be erased, and its key
    /// forgotten.
    DropInputs {
        /// The job.
        job: JobId,
    },
    /// Whoever watches the job should look again.
    Changed {
        /// The job.
        job: JobId,
    },
    /// The chain closed the job; nothing more will be handed out or settled, and the core has forgotten
    /// it. What it was computed from is kept until [`Effect::DropInputs`].
    Closed {
        /// The job.
        job: JobId,
        /// What its owner is told of it from now on.
        status: Box<JobStatus>,
    },
}
