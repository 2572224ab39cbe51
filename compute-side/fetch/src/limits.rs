//! Every bound of fetching and serving, with its arithmetic. Those that both ends of a stream must agree
//! on are in [`quern_primitives::limits`].

use quern_primitives::limits::{
    QUESTIONS_PER_PEER_MAX, SPAN_BYTES, SPAN_PROOF_HASHES_MAX, SPANS_MAX, SPANS_PER_QUESTION_MAX,
};

/// Things that are wanted at a time. A device has two tasks in hand, with a shard and a program each; a
/// masternode that repairs a stripe wants up to ten pieces.
pub const WANTED_MAX: usize = 16;

/// Sources that are known at a time. What one more would add is not worth the questions what it has. One
/// more is taken in the place of one that has nothing of use, or is not to be asked, or else not at all.
pub const SOURCES_MAX: usize = 64;

/// Sources that are remembered because their proofs did not hold. Of more, the one goes whose hour is
/// over first.
pub const SHUNNED_MAX: usize = 1_024;

/// Spans that are under way at a time from all sources: 32 MiB.
pub const SPANS_UNDER_WAY_MAX: u32 = 128;

/// Spans that are under way from one source: what fits into its questions.
pub const SPANS_PER_SOURCE_MAX: u32 = QUESTIONS_PER_PEER_MAX * SPANS_PER_QUESTION_MAX;

/// A source is asked for as much as its speed fills for so long, beside its round trip.
pub const FILLED_MS: u64 = 250;

/// No longer round trip is reckoned with, so that who lets us wait is not given more for it.
pub const ROUND_TRIP_MS_MAX: u64 = 1_000;

/// Who was asked and lets no byte be heard for so long is silent.
pub const SILENCE_MS: u64 = 2_000;

/// Who needs so many times as long for a span as before is as good as silent.
pub const LATE_FOLD: u64 = 8;

/// A source that is silent again and again is left alone for this at the most.
pub const SILENCE_REST_MS_MAX: u64 = 64_000;

/// After so many spans without a silence in between a source that was silent is as good as any.
pub const SOUND_SPANS: u32 = 8;

/// A source whose proof does not hold is not asked for so long: an hour.
pub const SHUNNED_MS: u64 = 3_600_000;

/// Who does not have everything yet is asked again after this what it has.
pub const HOLDINGS_AGAIN_MS: u64 = 5_000;

/// A source is left alone for so long after a stream with it broke.
pub const BROKEN_REST_MS: u64 = 1_000;

/// The least rest of a source that is busy, so that one that says 0 again and again is asked five times a
/// second and no more.
pub const BUSY_MS_MIN: u64 = 200;

/// Bytes of a question, with its length before it.
pub const QUESTION_BYTES_MAX: u64 = 64;

/// Bytes of the answer what somebody has: a bit a span, and what stands before them.
pub const HOLDINGS_BYTES_MAX: u64 = 64 + SPANS_MAX as u64 / 8;

/// Bytes before a span: its place, its length and its proof, and their length.
pub const HEAD_BYTES_MAX: u64 = 32 + 32 * SPAN_PROOF_HASHES_MAX as u64;

/// Bytes of one span with its head.
pub const PART_BYTES_MAX: u64 = SPAN_BYTES as u64 + HEAD_BYTES_MAX;

/// Peers that may ask.
pub const PEERS_MAX: usize = 1_024;

/// Questions for spans that are answered at a time, of all peers.
pub const QUESTIONS_MAX: usize = 16;

/// For so long an answer waits for the line; if it would be longer, the asker hears that we are busy.
/// Half of the silence after which the asker would give up.
pub const LINE_WAIT_MS_MAX: u64 = SILENCE_MS / 2;

/// A span that an asker has not taken after so long is not sent to its end: 13 kB/s.
pub const SENDING_MS_MAX: u64 = 20_000;

/// What an asker is told at the most to wait because others are answered.
pub const TURN_MS_MAX: u64 = 10_000;
