//! Bounds of everything that a stranger sends, with their arithmetic.

use quern_primitives::limits::MASTERNODES_MAX;

/// Items in a header's digest. Ours has the slot, up to three announcements of BABE, one of GRANDPA,
/// one of a new runtime, and the seal.
pub const DIGEST_ITEMS_MAX: usize = 16;

/// Bytes of one item: the longest lists all validators with a key and a weight, 40 bytes each.
pub const DIGEST_ITEM_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a header: two items of that length at the most, and little else.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Validators in one set: each masternode may be one.
pub const AUTHORITIES_MAX: usize = MASTERNODES_MAX as usize;

/// Signed votes in a justification: two of each validator, as one that votes twice is counted once
/// and both its votes may be there.
pub const PRECOMMITS_MAX: usize = 2 * AUTHORITIES_MAX;

/// Headers in a justification, by which votes for later blocks lead back to the one that it makes
/// final.
pub const VOTE_HEADERS_MAX: usize = 1_024;

/// Bytes of a justification: 256 votes of 132 bytes, and 1,024 headers of some 400 bytes, doubled.
pub const JUSTIFICATION_BYTES_MAX: usize = 1024 * 1024;

/// Headers between a block and the one that a justification makes final. Nodes keep a justification
/// of one block in 512 at the least, so more are never needed.
pub const LINE_HEADERS_MAX: usize = 1_024;

/// Bytes of an answer with a justification and such headers.
pub const FINALITY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Changes of the validators' set between the first block and one that is proven: the council votes
/// on each, so this is one a day for more than ten years.
pub const HAND_OVERS_MAX: usize = 4_096;

/// Nodes of the state's trie in one proof: 64 values, each at most 68 steps down.
pub const TRIE_NODES_MAX: usize = 8_192;

/// Bytes of one node. A value is one of its own if it has more than 32 bytes, and the largest that is
/// read are a busy block's events.
pub const TRIE_NODE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of all nodes of a proof.
pub const TRIE_BYTES_MAX: usize = 16 * 1024 * 1024;
