//! What masternodes may fetch from here: pieces, by their roots.

use crate::kept::{KeptPieces, PieceName};
use quern_primitives::{
    custody::PieceEntry,
    ids::{DeviceId, Digest},
};
use quern_transfer::{Shelf, Shelved, Thing};
use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Pieces by their roots, and where each is.
type ByRoot = BTreeMap<Digest, BTreeMap<PieceName, (Thing, PathBuf)>>;

/// Every piece that is here, by its root. Two contracts may have a piece of the same bytes.
#[derive(Debug, Default)]
pub(super) struct KeptShelf {
    known: Mutex<ByRoot>,
}

impl KeptShelf {
    /// What is kept now.
    pub(super) fn of(kept: &KeptPieces) -> io::Result<Self> {
        let shelf = Self::default();
        for (name, _) in kept.all()? {
            match kept.entry(&name) {
                Ok(entry) => shelf.put(kept, name, &entry),
                // It is told when it is asked for.
                Err(error) => tracing::warn!(%error, "a piece cannot be given to anybody"),
            }
        }
        Ok(shelf)
    }

    /// A piece is here.
    pub(super) fn put(&self, kept: &KeptPieces, name: PieceName, entry: &PieceEntry) {
        let thing = Thing::new(entry.chunk_root, entry.bytes);
        if let (Some(thing), Some(path)) = (thing, kept.find(&name)) {
            let mut known = self.known();
            let same = known.entry(thing.root()).or_default();
            same.insert(name, (thing, path));
        }
    }

    /// A piece is not here any more.
    pub(super) fn remove(&self, name: &PieceName) {
        self.known().retain(|_, same| {
            same.remove(name);
            !same.is_empty()
        });
    }

    fn known(&self) -> MutexGuard<'_, ByRoot> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf for KeptShelf {
    /// Peers are masternodes that the chain names, to which this device connected.
    fn gives(&self, _: &DeviceId, root: &Digest) -> bool {
        self.known().contains_key(root)
    }

    fn find(&self, root: &Digest) -> Option<Shelved> {
        let known = self.known();
        let (thing, path) = known.get(root)?.values().next()?;
        Some(Shelved {
            thing: *thing,
            path: path.clone(),
        })
    }

    fn is_damaged(&self, root: &Digest) {
        tracing::warn!(%root, "a piece that is kept is not what it was, or cannot be read; it is not given to anybody, and who asks for a proof is told");
        self.known().remove(root);
    }
}
