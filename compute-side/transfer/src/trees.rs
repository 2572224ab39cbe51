//! What proves the spans of what is served, kept while it is used. It takes a pass over the whole thing to make.
//!
//! As long as a file is as it was at that pass, its spans go out as they are read: whoever gets them holds them to the
//! thing's name again. Those of a file that was written to meanwhile are held to it here, one by one.

use crate::{
    Shelved, Thing,
    part::{Span, chunks, place},
};
use quern_primitives::{ids::Digest, merkle::CHUNK_BYTES, merkle::Tree, merkle::leaf};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Things of which it is kept: 28 kB of one of 32 MiB, 150 kB of the longest.
const KEPT_MAX: usize = 64;

/// Bytes that are read at a time: so many chunks.
const READ_CHUNKS: usize = 16;

/// What a pass over a thing's file gave.
#[derive(Debug)]
struct Made {
    /// For each span the hashes that lead from it to the thing's name.
    siblings: Vec<Vec<Digest>>,
    /// How the file was before.
    state: Option<State>,
}

type Slot = Arc<Mutex<Option<Arc<Made>>>>;

/// How a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    inode: u64,
    bytes: u64,
    modified: SystemTime,
}

/// A file that was written to so long ago would show it if it were written to again: its times are as coarse as some
/// milliseconds.
const COARSE: Duration = Duration::from_secs(1);

impl State {
    /// How a file is now; none if it was written to a moment ago, and may be again without showing it.
    fn of(file: &File) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        let modified = metadata.modified()?;
        let is_old = modified.elapsed().is_ok_and(|it| it >= COARSE);
        let state = Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified,
        };
        Ok(is_old.then_some(state))
    }
}

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
    /// A span of a thing, with what leads from it to the thing's name.
    pub(crate) fn span(&self, shelved: &Shelved, number: u32) -> Result<Span, ServeError> {
        let Shelved { thing, path } = shelved;
        let made = self.of(shelved)?;
        let siblings = made.siblings.get(number as usize);
        let siblings = siblings.ok_or(ServeError::Damaged)?;
        let length = usize::try_from(thing.span_bytes(number)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let file = File::open(path)?;
        file.read_exact_at(&mut bytes, place(number))?;
        let span = Span {
            bytes,
            siblings: siblings.clone(),
        };
        let is_as_it_was = made.state.is_some() && made.state == State::of(&file)?;
        if is_as_it_was || span.is_of(thing, number) {
            Ok(span)
        } else {
            self.forget(&thing.root());
            Err(ServeError::Damaged)
        }
    }

    /// What proves a thing's spans. Whoever wants it while it is being made waits for it.
    fn of(&self, shelved: &Shelved) -> Result<Arc<Made>, ServeError> {
        let root = shelved.thing.root();
        let slot = self.slot(root);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*slot {
            return Ok(Arc::clone(made));
        }
        let file = File::open(&shelved.path)?;
        let state = State::of(&file)?;
        let tree = read(file, &shelved.thing)?;
        if tree.root() != root {
            self.forget(&root);
            return Err(ServeError::Damaged);
        }
        let proofs = (0..shelved.thing.spans()).filter_map(|span| tree.span_proof(span));
        let siblings = proofs.map(|proof| proof.siblings.into_inner()).collect();
        let made = Arc::new(Made { siblings, state });
        *slot = Some(Arc::clone(&made));
        Ok(made)
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
fn read(file: File, thing: &Thing) -> io::Result<Tree> {
    let count = chunks(thing);
    let mut file = file.take(thing.bytes());
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::limits::SPAN_BYTES;
    use std::fs;

    const LONG_AGO: Duration = Duration::from_secs(1_000);

    /// A file of three spans that was written long ago.
    fn shelved(folder: &tempfile::TempDir) -> Shelved {
        let bytes = vec![7; 3 * SPAN_BYTES as usize - 9];
        let root = Tree::new(bytes.chunks(CHUNK_BYTES)).root();
        let path = folder.path().join("thing");
        fs::write(&path, &bytes).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - LONG_AGO).unwrap();
        let thing = Thing::new(root, bytes.len() as u64).unwrap();
        Shelved { thing, path }
    }

    #[test]
    fn every_span_that_is_served_is_the_thing_s() {
        let folder = tempfile::tempdir().unwrap();
        let (shelved, trees) = (shelved(&folder), Trees::default());
        for _ in 0..2 {
            for number in 0..3 {
                let span = trees.span(&shelved, number).unwrap();
                assert!(span.is_of(&shelved.thing, number));
            }
        }
        assert!(matches!(trees.span(&shelved, 3), Err(ServeError::Damaged)));
    }

    #[test]
    fn a_file_that_was_written_to_since_is_held_to_its_name_span_by_span() {
        let folder = tempfile::tempdir().unwrap();
        let (shelved, trees) = (shelved(&folder), Trees::default());
        assert!(trees.span(&shelved, 0).is_ok());
        let file = File::options().write(true).open(&shelved.path).unwrap();
        file.write_all_at(b"x", place(1)).unwrap();
        assert!(trees.span(&shelved, 0).is_ok(), "this one is whole");
        let refused = trees.span(&shelved, 1);
        assert!(matches!(refused, Err(ServeError::Damaged)));
        // By now nothing is believed of the file, and it is read as a whole.
        assert!(trees.span(&shelved, 0).is_err());
    }

    #[test]
    fn a_file_that_was_written_a_moment_ago_is_not_taken_to_be_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (shelved, trees) = (shelved(&folder), Trees::default());
        let file = File::options().write(true).open(&shelved.path).unwrap();
        let now = SystemTime::now();
        file.set_modified(now).unwrap();
        assert!(trees.span(&shelved, 0).is_ok());
        // A second write that the file's time does not show.
        file.write_all_at(b"x", place(0)).unwrap();
        file.set_modified(now).unwrap();
        assert!(trees.span(&shelved, 0).is_err());
    }
}
