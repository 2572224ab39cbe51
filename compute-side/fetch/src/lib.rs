//! Fetching content by its name from several sources at once, and serving it to others: which span is
//! asked of whom next, and what is answered.
//!
//! | module | what it says |
//! | --- | --- |
//! | [`limits`] | every bound, with its arithmetic |
//! | `spans` | things, and sets of their spans |
//! | `line` | what the machine's owner lets go over the line, both ways |
//! | `source` | what is known of a source: its speed, its rests |
//! | `wanted` | what of a thing is written and asked, and how rare the rest is |
//! | `fetching` | what is asked of whom, and who is asked no more |
//! | `serving` | what others are answered |
//! | `moving` | the two over one line: events in, effects out |
//!
//! All of it is pure: no clock, no chance, no input or output. It sees no byte of what is moved, and no
//! hash but names: whoever carries out the effects reads a span with its proof, checks it against the
//! thing's name, and says with [`Event::Arrived`] whether it holds. So the megabytes are hashed on
//! whatever thread has them, the order in which spans are asked for can be tried a thousand times without
//! hashing any, and these rules do not change when the proof's form does. What keeps the two together is
//! that only an arrival whose proof holds is ever followed by [`Effect::Write`].
//!
//! # A thing's way
//!
//! ```text
//! Wanted ──► AskHoldings to each source ──► Told
//!              rarest span first ──► AskSpans ──► Moved …, Arrived ──► Write, Note
//!              the last spans twice ─► AskSpans ──► Arrived ──► Write, Note, Drop (the other), Finish
//! ```
//!
//! [`Effect::Note`] follows each [`Effect::Write`], and effects are carried out in order, so what is noted
//! is written. A break between the two costs that span, and each source the one that was coming: a source
//! sends a peer one span at a time.

mod fetching;
pub mod limits;
mod line;
mod moving;
mod serving;
mod source;
mod spans;
mod tick;
mod wanted;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

pub use line::Allowance;
pub use moving::{Effect, Event, Held, Moving, PeerId, QuestionId, Refusal, RequestId};
pub use source::SourceKind;
pub use spans::{SpanSet, Thing};
pub use tick::Tick;
