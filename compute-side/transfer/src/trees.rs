//! What proves the spans of what is served, kept while it is used. It takes a pass over the whole thing to make.

use crate::{
    Shelved,
    part::{Span, chunks, place},
};
use quern_primitives::{ids::Digest, merkle::CHUNK_BYTES, merkle::Tree, merkle::leaf};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex, PoisonError},
};

/// Things of which it is kept: 28 kB of one of 32 MiB, 150 kB of the longest.
const KEPT_MAX: usize = 64;

/// Bytes that are read at a time: so many chunks.
const READ_CHUNKS: usize = 16;

/// For each span the hashes that lead from it to the thing's name.
type Siblings = Vec<Vec<Digest>>;

type Slot = Arc<Mutex<Option<Arc<Siblings>>>>;

/// What proves the spans of the things that were served last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trees {
    /// The one that was used last is the last.
    kept: Arc<Mutex<Vec<(Digest, Slot)>>>,
}

/// Why a span is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// What is there is not what its name says.
    #[error("its bytes are not those of its name")]
    Damaged,
}

impl Trees {
    /// A span of a thing, with what leads from it to the thing's name, held to that name.
    pub(crate) fn span(&self, shelved: &Shelved, number: u32) -> Result<Span, ServeError> {
        let Shelved { thing, path } = shelved;
        let siblings = self.of(shelved)?;
        let siblings = siblings.get(number as usize).ok_or(ServeError::Damaged)?;
        let length = usize::try_from(thing.span_bytes(number)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        File::open(path)?.read_exact_at(&mut bytes, place(number))?;
        let span = Span {
            bytes,
            siblings: siblings.clone(),
        };
        if span.is_of(thing, number) {
            Ok(span)
        } else {
            self.forget(&thing.root());
            Err(ServeError::Damaged)
        }
    }

    /// What proves a thing's spans. Whoever wants it while it is being made waits for it.
    fn of(&self, shelved: &Shelved) -> Result<Arc<Siblings>, ServeError> {
        let root = shelved.thing.root();
        let slot = self.slot(root);
        let mut made = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(siblings) = &*made {
            return Ok(Arc::clone(siblings));
        }
        let tree = read(shelved)?;
        if tree.root() != root {
            self.forget(&root);
            return Err(ServeError::Damaged);
        }
        let proofs = (0..shelved.thing.spans()).filter_map(|span| tree.span_proof(span));
        let siblings = proofs.map(|proof| proof.siblings.into_inner()).collect();
        let siblings = Arc::new(siblings);
        *made = Some(Arc::clone(&siblings));
        Ok(siblings)
    }

    fn slot(&self, root: Digest) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(it, _)| *it == root);
        let entry = match place {
            Some(place) => kept.remove(place),
            None => (root, Slot::default()),
        };
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        let slot = Arc::clone(&entry.1);
        kept.push(entry);
        slot
    }

    fn forget(&self, root: &Digest) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(it, _)| it != root);
    }
}

/// The tree over a file's bytes, of which there must be as many as the thing has.
fn read(shelved: &Shelved) -> Result<Tree, ServeError> {
    let Shelved { thing, path } = shelved;
    let count = chunks(thing);
    let mut file = File::open(path)?.take(thing.bytes());
    let mut leaves = Vec::with_capacity(count as usize);
    let mut room = vec![0; CHUNK_BYTES * READ_CHUNKS];
    for first in (0..count).step_by(READ_CHUNKS) {
        let before = u64::from(first).saturating_mul(CHUNK_BYTES as u64);
        let left = thing.bytes().saturating_sub(before);
        let length = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
        let (bytes, _) = room.split_at_mut(length);
        file.read_exact(bytes)?;
        let chunks = (first..count).zip(bytes.chunks(CHUNK_BYTES));
        leaves.extend(chunks.map(|(index, chunk)| leaf(index, chunk)));
    }
    Ok(Tree::from_leaves(leaves))
}
