//! Every bound of a running peer, and why. Those of what peers say are in [`quern_swarm_rules::limits`],
//! those of the wire in [`quern_network::limits`].

use std::time::Duration;

/// Bytes of all inputs of a module together: they are held in memory, as its standard input.
pub const MODULE_INPUT_BYTES_MAX: u64 = 1 << 30;

/// How long a newcomer listens before it computes, unless it has heard before what a neighbour knows.
pub const LISTEN_MAX: Duration = Duration::from_secs(1);

/// How long a piece may take to come, whatever its length.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a piece that must come in a second beyond that. Who is slower is asked no more for it.
pub const FETCH_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// Pieces that are given at a time, to all neighbours; who asks for more waits.
pub const SERVED_MAX: usize = 32;

/// Bytes of a piece that are read from the disk at a time.
pub const STRETCH_BYTES: usize = 256 * 1024;

/// What is told to a peer's task and not yet heard.
pub const TOLD_MAX: usize = 256;

/// How long who broke a rule is not let in.
pub const BLOCK: Duration = Duration::from_secs(60);

/// How often a peer's state is told and written down, if it has changed.
pub const STATUS_EVERY: Duration = Duration::from_millis(200);

/// Bytes of what a peer writes down of itself.
pub const STATUS_BYTES_MAX: u64 = 64 * 1024;

/// Characters of a command's last words that people are shown.
pub const SAID_CHARS_MAX: usize = 200;

/// Bytes of a word that stands beside a piece, or of what this peer found of another's: the longest has 167.
pub const WORD_BYTES_MAX: u64 = 192;

/// Bytes of the file with what this peer found of others' pieces: no key is remembered with more words.
pub const SAID_BYTES_MAX: u64 =
    WORD_BYTES_MAX * quern_swarm_rules::limits::STATEMENTS_PER_KEY_MAX as u64;

/// Bytes that a folder needs beside pieces and output: key, words, the state.
pub const BESIDE_BYTES: u64 = 1024 * 1024;

/// Seconds that a module may take for a piece. Its fuel says when it ends; this is for a machine on which
/// that takes days.
pub const MODULE_SECONDS_MAX: u64 = 24 * 3_600;
