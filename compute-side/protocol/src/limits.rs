//! Every bound of the wire, with its arithmetic.

use std::time::Duration;

/// Bytes of one message. The largest is an exchange with [`REPORTS_MAX`] results inside it.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one message of [`crate::fetch`]. The longest is the head of a span with nine hashes, 298.
pub const FETCH_MESSAGE_BYTES_MAX: usize = 512;

/// Bytes of one wish of [`crate::keep`]. The longest is to take a piece, 175.
pub const WISH_BYTES_MAX: usize = 256;

/// Bytes of one answer to a wish. The longest has 32 chunks of 4,096 bytes with 16 hashes each, 147,810.
pub const KEEP_ANSWER_BYTES_MAX: usize = 160 * 1024;

/// Bytes of one fetched or delivered piece: four fit into a message with room for the rest, and a
/// 32 MiB shard takes 128 requests.
pub const PIECE_BYTES_MAX: u32 = 256 * 1024;

/// Bytes of a mark: so many random ones are not guessed.
pub const MARK_BYTES: usize = 16;

/// Bytes of a sealed shard that travels inside its assignment. Two of them and everything else in
/// an answer fit well into a message.
pub const INLINE_SHARD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a sealed result that travels inside its report.
pub const INLINE_RESULT_BYTES_MAX: usize = 64 * 1024;

/// Tasks a device holds at most: one running, one being fetched.
pub const TASKS_IN_HAND_MAX: usize = 2;

/// Reports in one exchange. More than tasks in hand, for those that wait for acknowledgement after
/// a reconnection.
pub const REPORTS_MAX: usize = 8;

/// Commitments in one exchange, of less than 200 bytes each. After a reconnection a device says all of
/// them again.
pub const COMMITMENTS_MAX: usize = 64;

/// Replicas of one exchange of which a device shows that it has the shard, in 77 bytes each: those in its hand, and those
/// that it commits itself to or reports.
pub const HOLDS_MAX: usize = TASKS_IN_HAND_MAX + COMMITMENTS_MAX + REPORTS_MAX;

/// Acknowledgements in one answer, and reveals that are asked for.
pub const ACKNOWLEDGEMENTS_MAX: usize = 1024;

/// Verdicts that are asked for at a time. With its proof one has at most 3 kB.
pub const SHOWN_MAX: usize = 32;

/// Bytes of the name and version a device gives of its software.
pub const SOFTWARE_BYTES_MAX: usize = 64;

/// Bytes of one text about a machine, such as its processor's name.
pub const MACHINE_TEXT_BYTES_MAX: usize = 128;

/// Thousandths of a whole.
pub const PERMILLE_MAX: usize = 1_000;

/// Reasons for which a machine is not offered; there are fewer kinds.
pub const UNAVAILABLE_MAX: usize = 8;

/// Bytes of a benchmark's program. A loop over some arithmetic takes a few hundred.
pub const BENCHMARK_BYTES_MAX: usize = 16 * 1024;

/// How often a device that has nothing to say says so.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a masternode holds an exchange open while it has no work.
pub const HOLD: Duration = Duration::from_secs(4);

/// When a request without an answer is given up. Longer than [`HOLD`] plus a slow transfer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Without a sign of life for so long a device is taken to be gone: three heartbeats and a margin.
pub const SILENCE_MAX: Duration = Duration::from_secs(17);

/// So long after it was given a task a device that is heard once more at the most, a heartbeat later, is taken to
/// be gone, with a second for what is late on its way: what is due of the task before that does not know yet.
pub const SILENCE_FOUND: Duration = HEARTBEAT
    .saturating_add(SILENCE_MAX)
    .saturating_add(Duration::from_secs(1));
