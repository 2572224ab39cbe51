//! Every bound of a task file, with its arithmetic.

use std::ops::RangeInclusive;

/// Bytes of a task file. It is held in memory by every peer, and passed on by hand.
pub const TASK_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How deep values may be nested, the file's own dictionary counted. The format needs five: file, module,
/// file beside, path, part of it.
pub const DEPTH_MAX: u8 = 8;

/// Digits of an integer: the largest is below 2^127.
pub const INTEGER_DIGITS_MAX: usize = 38;

/// Bytes of a key.
pub const KEY_BYTES_MAX: usize = 255;

/// Keys of one dictionary that this program does not know.
pub const OTHER_KEYS_MAX: usize = 1_024;

/// Bytes of a swarm's name for people.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of a command. The system takes 128 KiB as one argument of a process.
pub const COMMAND_BYTES_MAX: usize = 65_536;

/// Pieces of a swarm. A bit for each is 128 KiB.
pub const PIECES_MAX: u32 = 1 << 20;

/// Bytes of a piece. It is held in memory while it is checked.
pub const PIECE_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// What the most bytes of a piece should be: less is mostly messages, more is long on its way before it
/// can be passed on.
pub const PIECE_BYTES_RECOMMENDED: RangeInclusive<u32> = 256 * 1024..=4 * 1024 * 1024;

/// Files that the pieces make.
pub const OUTPUT_FILES_MAX: usize = 4_096;

/// Files that work items read.
pub const INPUT_FILES_MAX: usize = 4_096;

/// Bytes of a file that work items read: 1 TiB. All of them together are below 2^52.
pub const INPUT_FILE_BYTES_MAX: u64 = 1 << 40;

/// Parts of a path.
pub const PATH_PARTS_MAX: usize = 16;

/// Bytes of a part of a path, as file systems have it.
pub const PATH_PART_BYTES_MAX: usize = 255;

/// Peers to begin with.
pub const BOOTSTRAP_PEERS_MAX: usize = 64;

/// Bytes of a peer's address.
pub const PEER_ADDRESS_BYTES_MAX: usize = 256;

/// Trackers to ask.
pub const TRACKERS_MAX: usize = 16;

/// Bytes of a tracker's URL.
pub const TRACKER_URL_BYTES_MAX: usize = 1_024;

/// Bytes of a WebAssembly module. One that does not fit into the file lies beside it.
pub const MODULE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Seconds that a command may take for a piece: a day.
pub const SECONDS_MAX: u32 = 24 * 3_600;

/// Bytes of memory that a command may take: 1 TiB. What a machine has is the machine's to say.
pub const COMMAND_MEMORY_BYTES_MAX: u64 = 1 << 40;

/// Bytes on a disk that a command may take for what it puts aside: 1 TiB.
pub const COMMAND_DISK_BYTES_MAX: u64 = 1 << 40;

/// Units of a bounty: as many as an integer has digits for.
pub const BOUNTY_MAX: u128 = 10u128.pow(INTEGER_DIGITS_MAX as u32) - 1;
