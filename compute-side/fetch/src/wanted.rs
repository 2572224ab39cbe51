//! A thing that is wanted: what of it is written, what is asked, and how many have what.

use crate::spans::{SpanSet, Thing};
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) thing: Thing,
    written: SpanSet,
    /// Spans that are neither written nor asked.
    open: SpanSet,
    /// Spans that somebody has who may be asked.
    held_by_any: SpanSet,
    /// By span, how many requests that are under way will bring it.
    asked: Vec<u8>,
    /// By span, how many sources have it that may be asked.
    held: Vec<u16>,
    /// Of spans that are equally rare, this one comes first. It differs between those who fetch the same
    /// thing, so that they get different spans and can ask each other.
    start: u32,
}

impl Wanted {
    pub(crate) fn new(thing: Thing, written: SpanSet, seed: u64) -> Self {
        let none = SpanSet::none(&thing);
        let spans = thing.spans();
        let is_of_it = written.count() == spans;
        let written = if is_of_it { written } else { none };
        let mut open = SpanSet::all(&thing);
        written.iter().for_each(|span| open.remove(span));
        Self {
            thing,
            written,
            open,
            held_by_any: none,
            asked: vec![0; spans as usize],
            held: vec![0; spans as usize],
            start: start(&thing, seed),
        }
    }

    pub(crate) fn written(&self) -> SpanSet {
        self.written
    }

    /// A span is written. Whether it was not before.
    pub(crate) fn write(&mut self, span: u32) -> bool {
        let is_new = !self.written.has(span);
        self.written.insert(span);
        self.open.remove(span);
        is_new
    }

    /// Counts anew who has what.
    pub(crate) fn recount<'a>(&mut self, holdings: impl Iterator<Item = &'a SpanSet>) {
        self.held.fill(0);
        self.held_by_any = SpanSet::none(&self.thing);
        for spans in holdings {
            for span in spans.iter() {
                self.held_by_any.insert(span);
                if let Some(held) = self.held.get_mut(span as usize) {
                    *held = held.saturating_add(1);
                }
            }
        }
    }

    /// The rarest of the spans that nobody is asked for, and those behind it that are as rare, at most so
    /// many.
    pub(crate) fn pick(&self, has: &SpanSet, most: u32) -> Option<Range<u32>> {
        let open = self.open.and(has);
        let first = open
            .iter()
            .min_by_key(|span| (self.held(*span), self.turn(*span)))?;
        let end = first.saturating_add(most).min(self.thing.spans());
        let run =
            (first..end).take_while(|span| open.has(*span) && self.held(*span) == self.held(first));
        Some(first..first.saturating_add(u32::try_from(run.count()).unwrap_or(0)))
    }

    /// Whether every span that somebody has is written or under way.
    pub(crate) fn is_all_asked(&self) -> bool {
        self.open.and(&self.held_by_any).is_empty()
    }

    /// Whether a span is under way from one source, and from no other.
    pub(crate) fn is_asked_once(&self, span: u32) -> bool {
        !self.written.has(span) && self.asked.get(span as usize) == Some(&1)
    }

    pub(crate) fn ask(&mut self, spans: Range<u32>) {
        for span in spans {
            if let Some(asked) = self.asked.get_mut(span as usize) {
                *asked = asked.saturating_add(1);
            }
            self.open.remove(span);
        }
    }

    pub(crate) fn unask(&mut self, spans: Range<u32>) {
        for span in spans {
            if let Some(asked) = self.asked.get_mut(span as usize) {
                *asked = asked.saturating_sub(1);
                if *asked == 0 && !self.written.has(span) {
                    self.open.insert(span);
                }
            }
        }
    }

    /// Spans that are missing and that nobody has who may be asked.
    pub(crate) fn held_by_nobody(&self) -> u32 {
        let mut missing = SpanSet::all(&self.thing);
        let known = self.written.iter().chain(self.held_by_any.iter());
        known.for_each(|span| missing.remove(span));
        missing.len()
    }

    fn held(&self, span: u32) -> u16 {
        self.held.get(span as usize).copied().unwrap_or_default()
    }

    fn turn(&self, span: u32) -> u32 {
        let spans = self.thing.spans();
        (span + spans - self.start) % spans
    }
}

/// Where to begin: evenly drawn from seed and name.
fn start(thing: &Thing, seed: u64) -> u32 {
    let [a, b, c, d, e, f, g, h, ..] = thing.root().0;
    let mut mixed = seed ^ u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    mixed = (mixed ^ mixed >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 29;
    u32::try_from(mixed % u64::from(thing.spans())).unwrap_or(0)
}
