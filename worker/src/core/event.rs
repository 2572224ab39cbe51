//! What the core is told, and what it wants done.

use super::task;
use crate::availability::Verdict;
use quern_primitives::{
    ids::{DeviceId, Digest},
    log::{SignedAcknowledgement, SignedCommitment},
    receipt::SignedReceipt,
};
use quern_protocol::{
    Assignment, Benchmark, DiscardReason, HandBackReason, Held, Output, Refusal, ReplicaId, Report,
    Request, Response, State,
};

/// What happened. Masternodes are named by their network key; `connection` is the number given with
/// [`Effect::Connect`].
// Events are few and short-lived; a box would cost more than the copy.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Event {
    /// Time has passed.
    Woken,
    /// These are the chain's masternodes now.
    Masternodes(Vec<DeviceId>),
    /// A connection stands.
    Connected {
        /// With whom.
        masternode: DeviceId,
        /// Which.
        connection: u64,
    },
    /// A connection has ended, or could not be made.
    Disconnected {
        /// With whom.
        masternode: DeviceId,
        /// Which.
        connection: u64,
    },
    /// A request was answered.
    Answered {
        /// By whom.
        masternode: DeviceId,
        /// Over which connection.
        connection: u64,
        /// The number given with [`Effect::Ask`].
        number: u64,
        /// The answer; `None` if the request failed.
        answer: Option<Response>,
    },
    /// A masternode says that it has taken reports; its signatures hold.
    Acknowledged {
        /// Who.
        masternode: DeviceId,
        /// Its words.
        words: Vec<SignedAcknowledgement>,
    },
    /// A task's program and shard are here and are what they should be.
    Prepared {
        /// What shows that the shard is.
        held: Held,
    },
    /// A task cannot be done on this device.
    Failed {
        /// The task's replica.
        id: ReplicaId,
        /// Why.
        fault: Fault,
    },
    /// A task ran to its end; its receipt is signed and its result sealed.
    Ran {
        /// What became of it.
        finished: Finished,
    },
    /// A result that is too large for a report was delivered whole.
    Delivered {
        /// The task's replica.
        id: ReplicaId,
    },
    /// The machine was looked at.
    Measured {
        /// How it is, as masternodes hear it.
        state: State,
        /// Whether its owner's rules let it be used.
        verdict: Verdict,
    },
    /// The machine's owner lets one task have so much memory from now on.
    Allowed {
        /// Bytes.
        memory_bytes_max: u64,
    },
    /// The benchmark has ended.
    Benchmarked {
        /// What its program wrote; `None` if there is nothing to answer.
        output: Option<[u8; 8]>,
    },
    /// The worker is to stop.
    Stop,
}

/// What is to be done.
// As with events.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a connection.
    Connect {
        /// With whom.
        masternode: DeviceId,
        /// Its number, for [`Event::Connected`] and [`Event::Disconnected`].
        connection: u64,
    },
    /// End the connection, if there is one, and give up making one.
    Close {
        /// With whom.
        masternode: DeviceId,
    },
    /// Send a request and tell the answer.
    Ask {
        /// To whom.
        masternode: DeviceId,
        /// Over which connection; if it has ended, nothing is to be sent.
        connection: u64,
        /// Its number, for [`Event::Answered`].
        number: u64,
        /// The request.
        request: Request,
    },
    /// The masternode has let the device in: pieces may be fetched and delivered now.
    Opened {
        /// Who.
        masternode: DeviceId,
        /// Over which connection.
        connection: u64,
    },
    /// Fetch and check what a task needs.
    Prepare {
        /// From whom.
        masternode: DeviceId,
        /// The task.
        assignment: Box<Assignment>,
    },
    /// Put a prepared task into the sandbox's queue.
    Run {
        /// The task's replica.
        id: ReplicaId,
    },
    /// Deliver a result in pieces.
    Deliver {
        /// The task's replica.
        id: ReplicaId,
    },
    /// Stop whatever is done for a task, and drop its data.
    Abandon {
        /// The task's replica.
        id: ReplicaId,
    },
    /// Run a benchmark at once, for nothing is in the sandbox's queue, and tell that it has ended.
    Benchmark {
        /// The benchmark.
        benchmark: Box<Benchmark>,
    },
    /// Stop the benchmark; it still ends with [`Event::Benchmarked`].
    StopBenchmark,
    /// Keep a masternode's word that it has taken a report.
    Keep {
        /// Whose it is.
        masternode: DeviceId,
        /// The word.
        word: SignedAcknowledgement,
    },
    /// Drop a finished task's result; nobody needs it any more.
    Forget {
        /// The task's replica.
        id: ReplicaId,
    },
    /// Tell the machine's owner.
    Tell(Notice),
    /// Keep what is not acknowledged, and end.
    Leave,
}

/// Why a task cannot be done on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The masternode says that the device was not given it.
    #[error("the masternode says it is not this device's")]
    NotAssigned,
    /// Its program or shard is not the one assigned, or does not open or compile.
    #[error("its program or shard is not what was assigned")]
    BadInput,
    /// It ran longer than the device may run one.
    #[error("it ran longer than it may")]
    TooSlow,
    /// The machine lacks the memory or disk for it.
    #[error("the machine lacks the memory or disk for it")]
    NoRoom,
    /// The masternode did not give or take its pieces.
    #[error("the masternode did not give or take its pieces")]
    Unreachable,
}

impl Fault {
    /// What the masternode is told when it gets the task back; `None` if it need not hear of it.
    pub(super) fn hand_back_reason(self) -> Option<HandBackReason> {
        match self {
            Self::NotAssigned => None,
            Self::BadInput => Some(HandBackReason::BadInput),
            Self::TooSlow => Some(HandBackReason::TooSlow),
            // The protocol has no word for the second; like the first it is nobody's fault.
            Self::NoRoom | Self::Unreachable => Some(HandBackReason::NoRoom),
        }
    }
}

/// A task that ran to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What shows that the device had the shard.
    pub shown: Digest,
    /// The device's signed statement.
    pub receipt: SignedReceipt,
    /// What the device commits itself to before it makes the statement, if it is to.
    pub commitment: Option<SignedCommitment>,
    /// The sealed result.
    pub sealed: Sealed,
}

/// Where a sealed result is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// Here: small enough for a report.
    Here(Vec<u8>),
    /// On disk, to be delivered in pieces.
    Kept {
        /// Its length.
        bytes: u64,
    },
}

impl Finished {
    /// The replica.
    pub fn id(&self) -> ReplicaId {
        task::replica_of(&self.receipt.payload)
    }

    /// What shows the masternode that the device had the shard.
    pub(super) fn held(&self) -> Held {
        Held {
            id: self.id(),
            log_position: self.receipt.payload.log_position,
            shown: self.shown,
        }
    }

    pub(super) fn report(&self) -> Report {
        let output = match &self.sealed {
            Sealed::Here(bytes) => Output::Inline(bytes.clone()),
            Sealed::Kept { bytes } => Output::Delivered { bytes: *bytes },
        };
        Report {
            receipt: self.receipt.clone(),
            output,
        }
    }
}

/// A finished task that was kept when the worker last stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Whom the report is for.
    pub masternode: DeviceId,
    /// The task.
    pub finished: Finished,
}

impl Restored {
    /// The replica.
    pub fn id(&self) -> ReplicaId {
        self.finished.id()
    }
}

/// What the machine's owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A masternode has let the device in.
    Welcomed {
        /// Who.
        masternode: DeviceId,
    },
    /// A masternode will not serve the device.
    Refused {
        /// Who.
        masternode: DeviceId,
        /// Why, with what to do about it.
        refusal: Refusal,
        /// When it is tried again, in milliseconds.
        pause_ms: u64,
    },
    /// A report has arrived for good.
    Acknowledged {
        /// The task's replica.
        id: ReplicaId,
    },
    /// A masternode does not want a task or report any more.
    Discarded {
        /// The task's replica.
        id: ReplicaId,
        /// Why.
        reason: DiscardReason,
    },
    /// A task was not done.
    NotDone {
        /// The task's replica.
        id: ReplicaId,
        /// Why.
        fault: Fault,
    },
    /// Tasks of a job are not taken, because they may need more memory than one may have here. It is
    /// told of the first of them.
    TooLarge {
        /// The task's replica.
        id: ReplicaId,
        /// Memory that it may need, in bytes.
        memory_bytes: u64,
        /// Memory that it may have, in bytes.
        memory_bytes_max: u64,
    },
    /// The machine is not used, or for other reasons than before.
    Withheld {
        /// All of them.
        verdict: Verdict,
    },
    /// The machine is used again.
    Available,
    /// The worker stops.
    Stopping {
        /// The task that may end first.
        finishes: Option<ReplicaId>,
    },
}
