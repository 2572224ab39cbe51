//! A thing that is being fetched, on the disk: its bytes as far as they are there, and beside them a note for each
//! span with the proof that it came with.

use quern_fetch::{SpanSet, Thing};
use quern_primitives::{
    ids::Digest,
    limits::{SPAN_BYTES, SPAN_PROOF_HASHES_MAX},
    merkle::{CHUNK_BYTES, SpanProof},
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Bytes of a note: how many hashes, and the hashes. Nothing is noted where the first byte is zero; else it is one
/// more than there are hashes, for a thing of one span has none.
const NOTE_BYTES: usize = 1 + 32 * SPAN_PROOF_HASHES_MAX as usize;

/// A span as it came: its bytes, and what leads from it to the thing's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) bytes: Vec<u8>,
    pub(crate) siblings: Vec<Digest>,
}

impl Span {
    /// Whether it is that span of the thing.
    pub(crate) fn is_of(&self, thing: &Thing, span: u32) -> bool {
        if self.bytes.len() as u64 != thing.span_bytes(span) {
            return false;
        }
        let Ok(siblings) = self.siblings.clone().try_into() else {
            return false;
        };
        let proof = SpanProof {
            span,
            count: chunks(thing),
            siblings,
        };
        proof.holds(&thing.root(), &self.bytes)
    }
}

/// Chunks of a thing.
pub(crate) fn chunks(thing: &Thing) -> u32 {
    // A thing has at most 512 spans of 64 chunks.
    u32::try_from(thing.bytes().div_ceil(CHUNK_BYTES as u64)).unwrap_or(u32::MAX)
}

/// Where a span of a thing begins.
pub(crate) fn place(span: u32) -> u64 {
    u64::from(span).saturating_mul(SPAN_BYTES.into())
}

/// The file of a thing that is not whole.
#[derive(Debug)]
pub(crate) struct Part {
    thing: Thing,
    into: PathBuf,
    bytes: File,
    notes: File,
}

impl Part {
    /// Opens what there is of a thing that is to be `into`, or begins it. Tells which spans are there: what was noted,
    /// read again and held to its proof.
    pub(crate) fn open(thing: Thing, into: &Path) -> io::Result<(Self, SpanSet)> {
        let open = |path: PathBuf| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
        };
        let part = Self {
            thing,
            into: into.to_owned(),
            bytes: open(beside(into, "part"))?,
            notes: open(beside(into, "spans"))?,
        };
        // What is behind its end is no part of it.
        let too_long = part.bytes.metadata()?.len() > thing.bytes();
        if too_long {
            part.bytes.set_len(thing.bytes())?;
        }
        let mut written = SpanSet::none(&thing);
        for span in 0..thing.spans() {
            if part.read(span)?.is_some_and(|it| it.is_of(&thing, span)) {
                written.insert(span);
            }
        }
        Ok((part, written))
    }

    /// Writes a span, and then its note.
    pub(crate) fn write(&self, number: u32, span: &Span) -> io::Result<()> {
        self.bytes.write_all_at(&span.bytes, place(number))?;
        let mut note = Vec::with_capacity(NOTE_BYTES);
        let hashes = u8::try_from(span.siblings.len()).unwrap_or(u8::MAX);
        note.push(hashes.saturating_add(1));
        for hash in &span.siblings {
            note.extend_from_slice(&hash.0);
        }
        self.notes.write_all_at(&note, place_of_note(number))
    }

    /// A span that was written; none if none is noted. Nobody has looked at what it is.
    pub(crate) fn read(&self, span: u32) -> io::Result<Option<Span>> {
        let mut note = [0; NOTE_BYTES];
        let there = read_at_most(&self.notes, &mut note, place_of_note(span))?;
        let note = note.get(..there).unwrap_or_default();
        let Some((hashes, hashed)) = note
            .split_first()
            .and_then(|(first, rest)| Some((usize::from(first.checked_sub(1)?), rest)))
        else {
            return Ok(None);
        };
        let (whole, _) = hashed.as_chunks::<32>();
        let Some(siblings) = whole.get(..hashes) else {
            return Ok(None);
        };
        let siblings = siblings.iter().copied().map(Digest).collect();
        let length = usize::try_from(self.thing.span_bytes(span)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let there = read_at_most(&self.bytes, &mut bytes, place(span))?;
        Ok((there == length).then_some(Span { bytes, siblings }))
    }

    /// It is whole: its bytes are made safe, it gets its name, and the notes go.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.bytes.sync_all()?;
        fs::rename(beside(&self.into, "part"), &self.into)?;
        if let Some(folder) = self.into.parent().filter(|it| !it.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        // Notes that stay are notes of nothing: their file is written over when the thing is fetched again, and what
        // they say is held to the bytes that are there then.
        let _ = fs::remove_file(beside(&self.into, "spans"));
        Ok(())
    }
}

/// Where a span's note is.
fn place_of_note(span: u32) -> u64 {
    u64::from(span).saturating_mul(NOTE_BYTES as u64)
}

/// A file's name with an ending more.
fn beside(into: &Path, ending: &str) -> PathBuf {
    let mut name = into.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    into.with_file_name(name)
}

/// Reads until the room is full or the file ends.
fn read_at_most(file: &File, room: &mut [u8], from: u64) -> io::Result<usize> {
    let mut there = 0;
    while let Some(rest) = room.get_mut(there..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from.saturating_add(there as u64)) {
            Ok(0) => break,
            Ok(read) => there = there.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::merkle::Tree;
    use std::os::unix::fs::symlink;

    /// A thing of four spans, of which the last is short, and its spans.
    fn thing() -> (Thing, Vec<Span>) {
        let bytes: Vec<u8> = (0..3 * SPAN_BYTES + 77)
            .map(|at| (at % 251) as u8)
            .collect();
        let tree = Tree::new(bytes.chunks(CHUNK_BYTES));
        let thing = Thing::new(tree.root(), bytes.len() as u64).unwrap();
        let spans = (0..).zip(bytes.chunks(SPAN_BYTES as usize));
        let spans = spans.map(|(number, bytes)| Span {
            bytes: bytes.to_vec(),
            siblings: tree.span_proof(number).unwrap().siblings.into_inner(),
        });
        (thing, spans.collect())
    }

    #[test]
    fn what_was_written_and_noted_is_there_when_it_is_opened_again_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("thing");
        let (thing, spans) = thing();
        let (part, written) = Part::open(thing, &into).unwrap();
        assert!(written.is_empty());
        assert_eq!(part.read(0).unwrap(), None);
        for number in [3, 1] {
            part.write(number, &spans[number as usize]).unwrap();
        }
        let (part, written) = Part::open(thing, &into).unwrap();
        assert_eq!(written.iter().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(part.read(3).unwrap().as_ref(), Some(&spans[3]));
        assert_eq!(part.read(2).unwrap(), None);
        for number in [0, 2] {
            part.write(number, &spans[number as usize]).unwrap();
        }
        part.finish().unwrap();
        let whole: Vec<u8> = spans.iter().flat_map(|it| it.bytes.clone()).collect();
        assert_eq!(fs::read(&into).unwrap(), whole);
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "only the thing is left");
    }

    #[test]
    fn a_span_that_changed_on_the_disk_or_has_another_s_note_is_not_there_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("thing");
        let (thing, spans) = thing();
        let (part, _) = Part::open(thing, &into).unwrap();
        for (number, span) in (0..).zip(&spans) {
            part.write(number, span).unwrap();
        }
        part.bytes.write_all_at(b"x", place(1) + 5).unwrap();
        let two = Span {
            siblings: spans[3].siblings.clone(),
            ..spans[2].clone()
        };
        part.write(2, &two).unwrap();
        // What is behind the end is cut off.
        part.bytes.write_all_at(b"more", thing.bytes()).unwrap();
        let (part, written) = Part::open(thing, &into).unwrap();
        assert_eq!(written.iter().collect::<Vec<_>>(), [0, 3]);
        assert_eq!(part.bytes.metadata().unwrap().len(), thing.bytes());
    }

    #[test]
    fn notes_of_any_bytes_bring_nothing_that_is_not_the_thing() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("thing");
        let (thing, spans) = thing();
        for byte in 0..=255 {
            let (part, _) = Part::open(thing, &into).unwrap();
            part.write(0, &spans[0]).unwrap();
            part.notes.write_all_at(&[byte], 0).unwrap();
            let (_, written) = Part::open(thing, &into).unwrap();
            // Two hashes lead from a span of four to the top.
            assert_eq!(written.has(0), byte == 3, "{byte}");
        }
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("thing");
        symlink("/dev/full", folder.path().join("thing.part")).unwrap();
        let (thing, spans) = thing();
        let (part, written) = Part::open(thing, &into).unwrap();
        assert!(written.is_empty());
        let error = part.write(0, &spans[0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
