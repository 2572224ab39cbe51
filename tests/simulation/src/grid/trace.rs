//! What happened, line by line.
//!
//! ```text
//! 17 12.480 exchange d3 #9: wants 2            a step: its number, the time in seconds, the event
//!   > append #31 j0 @30: 4/1 to d3             what the masternode wants done about it
//!   = j0 waiting 16 -> 15                      what that changed; told when asked, no part of the trace
//! ```

use std::fmt::Write as _;

/// Who looks on.
pub struct Look<'a> {
    /// Hears every line.
    pub line: &'a mut dyn FnMut(&str),
    /// The step after which to stop.
    pub until: Option<u64>,
    /// Whether to tell also what each step changed.
    pub changes: bool,
}

/// How lines begin that tell what a step changed. They are no part of the trace.
pub const CHANGE: &str = "  = ";

const EFFECT: &str = "  > ";

/// The lines, and a digest of them.
pub(super) struct Trace<'a> {
    look: Look<'a>,
    steps: u64,
    history: u64,
    line: String,
}

impl<'a> Trace<'a> {
    pub(super) fn new(look: Look<'a>) -> Self {
        Self {
            look,
            steps: 0,
            history: 0xcbf2_9ce4_8422_2325,
            line: String::new(),
        }
    }

    /// Something happens.
    pub(super) fn step(&mut self, now_ms: u64, what: &str) {
        self.steps += 1;
        self.line.clear();
        let (seconds, rest) = (now_ms / 1_000, now_ms % 1_000);
        // Writing to a string does not fail.
        let _ = write!(self.line, "{} {seconds}.{rest:03} {what}", self.steps);
        self.put();
    }

    /// Something is done about it.
    pub(super) fn effect(&mut self, what: &str) {
        self.line.clear();
        self.line.push_str(EFFECT);
        self.line.push_str(what);
        self.put();
    }

    /// Something is another than before.
    pub(super) fn change(&mut self, what: &str) {
        if self.is_wanted() {
            (self.look.line)(&format!("{CHANGE}{what}"));
        }
    }

    pub(super) fn tells_changes(&self) -> bool {
        self.look.changes
    }

    /// Steps so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the last step that is wanted is done.
    pub(super) fn has_enough(&self) -> bool {
        self.look.until.is_some_and(|until| until <= self.steps)
    }

    /// A digest of all lines, in order.
    pub(super) fn history(&self) -> u64 {
        self.history
    }

    /// Whether this step is to be told.
    fn is_wanted(&self) -> bool {
        self.look.until.is_none_or(|until| self.steps <= until)
    }

    fn put(&mut self) {
        // FNV-1a: nobody forges a trace.
        for byte in self.line.bytes().chain([b'\n']) {
            self.history = (self.history ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.is_wanted() {
            (self.look.line)(&self.line);
        }
    }
}
