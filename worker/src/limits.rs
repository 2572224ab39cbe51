//! Every bound of the worker, with its arithmetic. Those of the wire are in
//! [`quern_protocol::limits`].

/// Reports that may wait for their acknowledgement. While so many wait no more work is asked for; at
/// most 64 KiB each, they are at most 16 MiB.
pub const UNACKNOWLEDGED_MAX: usize = 256;

/// Exchanges with one masternode that may be unanswered: one that waits for work, one that brings a
/// report meanwhile.
pub const EXCHANGES_IN_FLIGHT_MAX: usize = 2;

/// Replicas that wait to be given back to one masternode.
pub const HAND_BACKS_MAX: usize = 16;

/// Masternodes that a worker keeps connections with; a chain has no more.
pub const MASTERNODES_MAX: usize = quern_primitives::limits::MASTERNODES_MAX as usize;

/// How long a report waits for that of the other task in hand, in milliseconds: two reports in one
/// exchange are half the messages, and tasks that long are not held up by it.
pub const BATCH_MS: u64 = 1;

/// When a report that was sent and not acknowledged is sent again, in milliseconds.
pub const REPEAT_MS: u64 = 30_000;

/// How often a worker that only waits for acknowledgements asks for them, in milliseconds.
pub const POLL_MS: u64 = 100;

/// How long after the last word a masternode hears that a task is at another stage, in milliseconds:
/// for a task that takes longer it is a message at the most every half second, and one that takes
/// less has its report sent before.
pub const PROGRESS_MS: u64 = 500;

/// How long one of several masternodes may keep the wish for work without answering it, in
/// milliseconds, before the wish goes to the next.
pub const PATIENCE_MS: u64 = 1_000;

/// Tasks one of several masternodes may give before the wish goes to the next.
pub const TURN_TASKS: u32 = 8;

/// The least and the most time between two questions for work that a masternode may ask for, in
/// milliseconds.
pub const ASK_AGAIN_MS: std::ops::RangeInclusive<u64> = 20..=60_000;

/// The least time between two heartbeats that a masternode may ask for, in milliseconds.
pub const HEARTBEAT_MS_MIN: u64 = 500;

/// The first pause after a connection failed, in milliseconds.
pub const PAUSE_MS_MIN: u64 = 250;

/// The longest pause after a connection failed, in milliseconds.
pub const PAUSE_MS_MAX: u64 = 30_000;

/// The first pause after a masternode refused the device, in milliseconds: what refuses (no bond, a
/// ban) does not change in seconds.
pub const REFUSED_PAUSE_MS_MIN: u64 = 2_000;

/// The longest pause after a masternode refused the device, in milliseconds.
pub const REFUSED_PAUSE_MS_MAX: u64 = 300_000;

/// How long a stopping worker waits for acknowledgements, in milliseconds. What is not acknowledged
/// then is kept on disk.
pub const FAREWELL_MS: u64 = 10_000;

/// Run time, in milliseconds, from which a finished task is kept on disk until it is acknowledged.
/// Less is done again sooner than it is written, so that only what the device commits itself to is kept
/// of it, and not synced.
pub const KEEP_FROM_MS: u64 = 1_000;

/// Pieces of one shard or program that are asked for at a time.
pub const PIECES_IN_FLIGHT: usize = 2;

/// Compiled programs kept in memory.
pub const COMPILED_MAX: usize = 8;

/// Memory of a benchmark, as the protocol has it.
pub const BENCHMARK_MEMORY_BYTES: u64 = 16 * 1024 * 1024;

/// How long a benchmark may run, rests left out, in milliseconds: what takes a minute tells that the
/// machine is slow, and tasks wait meanwhile.
pub const BENCHMARK_MS_MAX: u64 = 60_000;

/// Stack of the thread that runs programs.
pub const RUN_STACK_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the settings file and of the key file.
pub const SETTINGS_BYTES_MAX: u64 = 64 * 1024;
