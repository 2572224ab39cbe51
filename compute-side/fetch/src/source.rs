//! What is known of a source.

use crate::{
    RequestId, Tick,
    limits::{
        BUSY_MS_MIN, FILLED_MS, LATE_FOLD, ROUND_TRIP_MS_MAX, SILENCE_MS, SILENCE_REST_MS_MAX,
        SOUND_SPANS, SPANS_PER_SOURCE_MAX,
    },
    spans::SpanSet,
};
use quern_primitives::{
    ids::Digest,
    limits::{BUSY_MS_MAX, QUESTIONS_PER_PEER_MAX, SPAN_BYTES, SPANS_PER_QUESTION_MAX},
};
use std::collections::BTreeMap;

/// What a source is. Where all would do, those that come first are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// A device that works on the same job, or holds its pieces.
    Device,
    /// A masternode of the job's group.
    Masternode,
    /// The job's owner.
    Owner,
    /// A URL that the owner named.
    Url,
}

/// Bytes over the time that they took. Older ones weigh less: both are halved every two seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speed {
    bytes: u64,
    ms: u64,
}

impl Speed {
    const KEPT_MS: u64 = 2_000;

    pub(crate) fn add(&mut self, bytes: u64, ms: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.ms = self.ms.saturating_add(ms);
        while self.ms > Self::KEPT_MS {
            self.bytes /= 2;
            self.ms /= 2;
        }
    }

    /// Nothing before anything was measured.
    pub(crate) fn bytes_per_s(self) -> Option<u64> {
        (self.bytes > 0).then(|| self.bytes.saturating_mul(1_000) / self.ms.max(1))
    }
}

/// What a source told that it has of a thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) spans: SpanSet,
    /// Whether it was asked and has not answered.
    pub(crate) is_asked: bool,
    /// When to ask it the next time, unless it has everything.
    pub(crate) again_at: Tick,
}

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: SourceKind,
    /// By the things' roots; only of those that are wanted.
    pub(crate) holdings: BTreeMap<Digest, Holding>,
    /// In the order in which they were asked, which is the one in which they are answered.
    pub(crate) requests: Vec<RequestId>,
    /// Spans of those requests that have not come.
    pub(crate) under_way: u32,
    pub(crate) speed: Speed,
    pub(crate) round_trip_ms: Option<u64>,
    /// When something was last heard of it, or when it was asked before which nothing was under way.
    pub(crate) heard_at: Tick,
    /// When a span last came, or as above.
    pub(crate) came_at: Tick,
    pub(crate) rests_until: Tick,
    silences: u32,
    /// Spans to come one at a time before it is as good as others.
    wary_for: u32,
}

impl Source {
    pub(crate) fn new(kind: SourceKind, now: Tick) -> Self {
        Self {
            kind,
            holdings: BTreeMap::new(),
            requests: Vec::new(),
            under_way: 0,
            speed: Speed::default(),
            round_trip_ms: None,
            heard_at: now,
            came_at: now,
            rests_until: now,
            silences: 0,
            wary_for: 0,
        }
    }

    /// How many spans may be under way from it: one, and behind it as many as its speed fills.
    pub(crate) fn window(&self) -> u32 {
        let Some(speed) = self.speed.bytes_per_s().filter(|_| self.wary_for == 0) else {
            return 1;
        };
        let ms = FILLED_MS.saturating_add(self.round_trip_ms.unwrap_or_default());
        let spans = speed.saturating_mul(ms) / 1_000 / u64::from(SPAN_BYTES);
        let spans = u32::try_from(spans).unwrap_or(u32::MAX);
        spans.saturating_add(1).min(SPANS_PER_SOURCE_MAX)
    }

    /// For how many spans it can be asked now, in one request. A window is filled by few long requests
    /// and not by many short ones, for only four may be under way.
    pub(crate) fn wants(&self, now: Tick) -> u32 {
        if now < self.rests_until || self.requests.len() >= QUESTIONS_PER_PEER_MAX as usize {
            return 0;
        }
        let window = self.window();
        let free = window.saturating_sub(self.under_way);
        let one = window
            .div_ceil(QUESTIONS_PER_PEER_MAX)
            .min(SPANS_PER_QUESTION_MAX);
        if free >= one { one } else { 0 }
    }

    /// When what was asked of it is taken not to come: it lets nothing be heard, or what is heard makes no
    /// span in many times the time that one took before. Else who sends a byte now and then, after a few
    /// quick spans, would keep all that it was asked for.
    pub(crate) fn silent_at(&self) -> Option<Tick> {
        if self.requests.is_empty() {
            return None;
        }
        let silent_at = self.heard_at.plus_ms(SILENCE_MS);
        let late_ms = self.takes_ms(SPAN_BYTES.into());
        let late_ms = late_ms.map(|ms| ms.saturating_mul(LATE_FOLD).max(SILENCE_MS));
        let late_at = late_ms.map(|ms| self.came_at.plus_ms(ms));
        Some(late_at.map_or(silent_at, |at| at.min(silent_at)))
    }

    pub(crate) fn heard_first(&mut self, ms: u64) {
        let ms = ms.min(ROUND_TRIP_MS_MAX);
        self.round_trip_ms = Some(self.round_trip_ms.map_or(ms, |least| least.min(ms)));
    }

    /// A span came, of which so many bytes came since then. While nothing came because a question was on
    /// its way the line is not slow, so that is not to be in the time.
    pub(crate) fn came(&mut self, now: Tick, since: Tick, bytes: u64) {
        self.speed.add(bytes, now.since(since));
        self.came_at = now;
        self.wary_for = self.wary_for.saturating_sub(1);
        self.silences = 0;
    }

    /// It was silent: one span at a time from now on. If nothing came since it was silent before, it is
    /// left alone for a time that doubles.
    pub(crate) fn was_silent(&mut self, now: Tick) {
        self.wary_for = SOUND_SPANS;
        self.speed = Speed::default();
        if let Some(doubled) = self.silences.checked_sub(1) {
            let rest = SILENCE_MS.checked_shl(doubled).unwrap_or(u64::MAX);
            self.rest(now, rest.min(SILENCE_REST_MS_MAX));
        }
        self.silences = self.silences.saturating_add(1).min(16);
    }

    pub(crate) fn is_wary(&self) -> bool {
        self.wary_for > 0
    }

    pub(crate) fn is_busy(&mut self, now: Tick, ms: u32) {
        self.rest(now, u64::from(ms.min(BUSY_MS_MAX)).max(BUSY_MS_MIN));
    }

    pub(crate) fn rest(&mut self, now: Tick, ms: u64) {
        self.rests_until = self.rests_until.max(now.plus_ms(ms));
    }

    /// How long it takes until so many bytes, and what is under way before them, have come; nothing if
    /// nobody can say.
    pub(crate) fn takes_ms(&self, bytes: u64) -> Option<u64> {
        let speed = self.speed.bytes_per_s()?.max(1);
        let ms = bytes.saturating_mul(1_000) / speed;
        Some(ms.saturating_add(self.round_trip_ms.unwrap_or_default()))
    }
}
