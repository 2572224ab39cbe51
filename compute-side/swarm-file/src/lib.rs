//! The task file of a swarm: all that a group needs, beside the program, to compute a task together with
//! no server. It is bencoded like a torrent; its SHA-256 as it stands is the swarm's name.
//!
//! ```text
//!  bytes ──bencode──► values ──decode──► TaskFile ──all limits──► ValidatedTaskFile ─► digest
//!    ▲                                      │                        │
//!    └───────────────encode─────────────────┘                        └─► layout: piece ─► file, part
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`bencode`] | reads and writes canonical bencoding, and believes no length |
//! | [`file`](mod@file) | what a task file says |
//! | [`layout`] | which pieces make which file, and what a work item is told |
//! | [`path`] | paths that stay within their folder |
//! | [`address`] | where bootstrap peers and trackers are |
//! | [`text`] | texts with a limit, and how to show a stranger's text on a terminal |
//! | [`other`] | keys of a later program, kept byte for byte |
//! | [`limits`] | every bound, with its arithmetic |
//!
//! One value has one form: what is decoded is encoded to the same bytes, and no other bytes say the same.
//! `docs/format.md` describes the file key by key.
//!
//! This room knows nothing of peers, sockets, disks or processes. What a file says it only says: whether
//! a command is run decides the person whose machine it is.
//!
//! # Example
//!
//! ```
//! use quern_swarm_file::ValidatedTaskFile;
//!
//! let bytes = b"d7:commandd4:diski0e6:memoryi67108864e7:secondsi60e5:shell16:seq $QUERN_PIECEe\
//!     5:filesld5:partsi3e4:pathl9:table.txteee4:name5:table11:piece-bytesi262144e6:piecesi3e\
//!     7:versioni1ee";
//! let task = ValidatedTaskFile::decode(bytes)?;
//! assert_eq!(task.file().name.as_str(), "table");
//! let item = task.layout().work_item(2).expect("it has three pieces");
//! assert_eq!(item.environment()[0], ("QUERN_PIECE", "2".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// What a stranger sends is read here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

pub mod address;
pub mod bencode;
mod decode;
mod encode;
pub mod error;
pub mod file;
pub mod layout;
pub mod limits;
pub mod other;
pub mod path;
pub mod text;

pub use address::{PeerAddress, PeerKey, TrackerUrl};
pub use error::{Field, TaskFileError};
pub use file::{
    Bounty, Check, Command, CommandLimits, InputFile, Module, ModuleLimits, OutputFile, TaskFile,
    ValidatedTaskFile, Wasm, Work,
};
pub use layout::{FileIndex, Layout, PieceIndex, WorkItem};
pub use other::{Other, Raw};
pub use path::RelativePath;
pub use text::{Line, Text, shown};
