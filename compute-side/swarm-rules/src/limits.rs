//! Every bound, and why.

use quern_swarm_file::limits::PIECES_MAX;

// Messages.

/// Bytes of a [`Hello`](crate::message::Hello): a digest and three numbers.
pub const HELLO_BYTES_MAX: usize = 64;

/// Bytes of a message with a bit for each piece of the largest task, and what stands before them.
pub const BITS_BYTES_MAX: usize = PIECES_MAX as usize / 8 + 16;

/// Bytes of a message with one signed word: the longest, a statement, has 167.
pub const WORD_BYTES_MAX: usize = 192;

/// Words in one message of what others said.
pub const WORDS_PER_MESSAGE_MAX: usize = 256;

/// Bytes of such a message: so many statements, and what stands before them.
pub const HEARD_BYTES_MAX: usize = 48 * 1024;

/// Bytes of two sums and two times sixteen small ones.
pub const COMPARE_BYTES_MAX: usize = 192;

/// Addresses in one message.
pub const ADDRESSES_PER_MESSAGE_MAX: usize = 32;

/// Bytes of such a message: so many of 256 bytes, with their lengths.
pub const PEERS_BYTES_MAX: usize = 10 * 1024;

/// Bytes of a question for a piece.
pub const FETCH_BYTES_MAX: usize = 64;

/// Bytes of a piece that one answer carries.
pub const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Hashes of its path.
pub const CHUNK_PATH_MAX: usize = 32;

/// Bytes of an answer: a chunk, its path, and what stands before them.
pub const CHUNK_MESSAGE_BYTES_MAX: usize = 24 * 1024;

// Neighbours.

/// A peer opens connections until it has opened so many: each then has about twice as many, and what is
/// said is everywhere after three or four hops among a thousand.
pub const OPENED: usize = 8;

/// Connections that are kept. One more is refused.
pub const NEIGHBOURS_MAX: usize = 30;

/// One connection that was opened is given up for another after this, so that no part of a swarm stays by
/// itself.
pub const REPLACE_MS: u64 = 60_000;

/// Who was dialled and is not there is not dialled again before.
pub const DIAL_AGAIN_MS: u64 = 30_000;

/// Addresses that are remembered.
pub const ADDRESSES_MAX: usize = 1_024;

/// How often neighbours are told of addresses.
pub const PEERS_MS: u64 = 30_000;

/// The pause until somebody is asked again for what was lost doubles so often at the most: it is then
/// sixteen times as long as at first.
pub const ASKED_IN_VAIN_MAX: u32 = 4;

// Keys and what they say.

/// Keys that anything is remembered of. Of more, one goes that nobody vouches for.
pub const KEYS_MAX: usize = 4_096;

/// Pieces that a peer computes at a time, and so claims of a key.
pub const SLOTS_MAX: u8 = 64;

/// Claims that are remembered, of all keys, those that are over among them, for their numbers.
pub const CLAIMS_MAX: usize = 16_384;

/// The shortest time that a claim may last: less is not heard everywhere before it is over.
pub const CLAIM_MS_MIN: u64 = 1_000;

/// The longest: as long a piece is not begun by another when its computer is gone.
pub const CLAIM_MS_MAX: u64 = 600_000;

/// Makers that are remembered of one piece. Honest swarms have one, and two where work was begun twice.
pub const MADES_PER_PIECE_MAX: usize = 3;

/// Statements that are remembered of one key: it has to compute a piece for each.
pub const STATEMENTS_PER_KEY_MAX: usize = 1_024;

/// Statements that are remembered of keys that nobody vouches for, all together.
pub const STATEMENTS_OF_STRANGERS_MAX: usize = 8_192;

// Pieces.

/// Pieces that are on their way from one neighbour.
pub const FETCHES_PER_NEIGHBOUR_MAX: usize = 8;

/// Pieces that are on their way from all.
pub const FETCHES_MAX: usize = 64;

/// How many of a peer's own times the time of a piece is the median of.
pub const PACES_MAX: usize = 15;

/// The time of a piece until one is done. A claim that ends before its piece is renewed.
pub const PACE_MS_UNKNOWN: u64 = 10_000;

/// Who has nothing to compute looks again after a tenth of the time of a piece, within these bounds.
pub const LOOK_AGAIN_MS_MIN: u64 = 20;
/// The longest of it.
pub const LOOK_AGAIN_MS_MAX: u64 = 5_000;

/// Neighbours compare what they know twice in the time of a piece, within these bounds.
pub const COMPARE_MS_MIN: u64 = 100;
/// The longest of it.
pub const COMPARE_MS_MAX: u64 = 2_000;

/// A piece that could not be computed, or brought here from anybody, rests for so long.
pub const REST_MS: u64 = 5_000;

/// Pieces that rest at a time; of more the first goes on.
pub const RESTING_MAX: usize = 1_024;

// Belief.

/// Each peer computes a piece of so many keys that it does not vouch for, so that whatever is honest hangs
/// together.
pub const FIRST_CHECKS: u64 = 3;

/// One check for so many pieces that a peer computes: of all work a twentieth, however many peers there
/// are.
pub const CHECK_ONE_IN: u64 = 20;

/// The same once somebody was caught: who has one liar has more.
pub const CHECK_ONE_IN_WARY: u64 = 4;

/// So many pieces of a key are taken on credit; then one of it is checked before anything new is begun.
/// Below that a check waits until there is nothing new to begin, since a check then costs nobody time.
pub const CREDIT_PIECES: u32 = 64;

/// So many checks that are owed wait; then they go before what is new.
pub const CREDIT_CHECKS: u64 = 6;

/// So many keys that one vouches for, and nobody else against them, convict without computing.
pub const WORDS_TO_CONVICT: usize = 2;

/// Questions of two results that a command answers, and its answers, that are remembered.
pub const COMPARED_MAX: usize = 4_096;
