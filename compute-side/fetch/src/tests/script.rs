//! What a scripted source is like.

use crate::{SourceKind, SpanSet};
use quern_primitives::ids::Digest;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// Sends so many good spans, then only bad ones.
    Lies {
        after: u32,
    },
    /// Sends so many good spans, then nothing any more.
    Stalls {
        after: u32,
    },
    /// Sends so many good spans, then a byte before each silence would be over.
    Trickles {
        after: u32,
    },
    /// Is busy every other time.
    IsBusy {
        ms: u32,
    },
    /// Is always busy, for no time at all.
    AlwaysBusy,
    /// Says that it has everything, and then no.
    Denies,
    /// Breaks one stream in so many spans.
    Breaks {
        one_in: u64,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) kind: SourceKind,
    pub(super) manner: Manner,
    pub(super) bytes_per_s: u64,
    pub(super) latency_ms: u64,
    pub(super) has: BTreeMap<Digest, SpanSet>,
    /// Comes and goes: so long here, so long away.
    pub(super) churn_ms: Option<(u64, u64)>,
}
