//! Fetches content by its name from several peers at once, and serves it: streams, files and proofs around the
//! rules of [`quern_fetch`].
//!
//! | module | what it does |
//! | --- | --- |
//! | `handle` | what others tell the mover, and wait for |
//! | `mover` | the one task that steps the rules and carries out what they want |
//! | `asking` | a request for spans, from the question to the last byte |
//! | `answering` | a span that is read, proved and sent |
//! | `part` | a thing that is being fetched, on the disk |
//! | `trees` | the trees of what is served |
//!
//! [`Transfer::fetch`] returns when a thing is whole under its own name. It waits for sources as long as there are
//! none; whoever is tired of it drops the future, and what has come stays beside the name as `.part` with a note of
//! what of it is there. The next fetch goes on from there, and from nothing that does not prove itself again.
//!
//! Who is asked and who is answered is told by [`Transfer::came`]: peers that the chain admits, and no others. What
//! each of them may have says a [`Shelf`].
//!
//! Bytes are hashed on the task that has them, before the rules hear that they are there; a span that goes out is
//! held to its proof as well, so a disk that forgets makes nobody a liar.

mod answering;
mod asking;
mod handle;
mod mover;
mod part;
mod trees;

pub use handle::{Config, Progress, Transfer, TransferError};
pub use quern_fetch::{Allowance, SourceKind, Thing};

use quern_primitives::ids::{DeviceId, Digest};
use std::path::PathBuf;

/// What this machine has, and who may have it.
pub trait Shelf: Send + Sync + 'static {
    /// Whether a peer may have a thing, all of it or what is there while it is fetched.
    fn gives(&self, peer: &DeviceId, root: &Digest) -> bool;

    /// A thing that is here and whole.
    fn find(&self, root: &Digest) -> Option<Shelved>;

    /// A thing was found not to be what its name says, or cannot be read.
    fn is_damaged(&self, root: &Digest);
}

/// A file that holds a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// The thing.
    pub thing: Thing,
    /// Where it is.
    pub path: PathBuf,
}

/// A shelf with nothing on it.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

impl Shelf for Bare {
    fn gives(&self, _: &DeviceId, _: &Digest) -> bool {
        false
    }

    fn find(&self, _: &Digest) -> Option<Shelved> {
        None
    }

    fn is_damaged(&self, _: &Digest) {}
}
