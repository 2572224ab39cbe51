//! What is in a folder when a peer is started. Nothing of it is believed: somebody may have had a hand in
//! it, and disks forget.

use super::{DiskError, Folder, made_of, unable};
use crate::limits::{SAID_BYTES_MAX, STRETCH_BYTES, WORD_BYTES_MAX};
use codec::{Decode as _, DecodeAll as _, Encode as _};
use quern_primitives::{Digest, ids::GenesisHash, payload::Signed};
use quern_shards::chunks::ChunkHasher;
use quern_swarm_file::{PieceIndex, ValidatedTaskFile};
use quern_swarm_rules::{
    Output, PeerId,
    message::{Made, Statement},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    path::Path,
};

/// What was found, and holds.
#[derive(Debug, Default)]
pub struct Held {
    /// Pieces that are whole, and who made them.
    pub pieces: Vec<Signed<Made>>,
    /// What this peer found of others' pieces before.
    pub said: Vec<Signed<Statement>>,
    /// Pieces of which something was there that does not hold. It is removed.
    pub damaged: Vec<PieceIndex>,
    /// Bytes of the pieces that hold.
    pub bytes: u64,
}

impl Folder {
    /// Reads the folder, checks each piece against its root and its maker's signature, and removes what
    /// does not hold.
    ///
    /// # Errors
    ///
    /// If something that does not hold cannot be removed, or something that is there cannot be read.
    pub fn load(&self, task: &ValidatedTaskFile, me: &PeerId) -> Result<Held, DiskError> {
        let mut held = Held::default();
        for piece in 0..task.file().pieces.get() {
            match self.load_piece(task, piece)? {
                Found::Whole(made) => {
                    held.bytes = held.bytes.saturating_add(made.payload.bytes.into());
                    held.pieces.push(made);
                }
                Found::Damaged => {
                    self.discard(piece)?;
                    held.damaged.push(piece);
                }
                Found::Nothing => {}
            }
        }
        held.said = self.load_said(task, me)?;
        Ok(held)
    }

    fn load_piece(&self, task: &ValidatedTaskFile, piece: PieceIndex) -> Result<Found, DiskError> {
        let (bytes_path, made_path) = (self.piece(piece), made_of(self.path(), piece));
        let made = read_at_most(&made_path, WORD_BYTES_MAX).map_err(unable("read", &made_path))?;
        let Some(made) = made else {
            // Bytes of which nobody knows who made them.
            return Ok(match bytes_path.exists() {
                true => Found::Damaged,
                false => Found::Nothing,
            });
        };
        let genesis = GenesisHash(task.digest().0);
        let Ok(made) = Signed::<Made>::decode_all(&mut &made[..]) else {
            return Ok(Found::Damaged);
        };
        let Made {
            piece: of,
            bytes,
            root,
            by,
        } = made.payload;
        let is_word = of == piece
            && bytes <= task.file().piece_bytes_max.get()
            && made.is_signed_by(&by, &genesis);
        if !is_word {
            return Ok(Found::Damaged);
        }
        let output = Output { bytes, root };
        match measured(&bytes_path, bytes) {
            Ok(Some(found)) if found == output => Ok(Found::Whole(made)),
            Ok(_) => Ok(Found::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Damaged),
            Err(source) => Err(unable("read", &bytes_path)(source)),
        }
    }

    /// What this peer found of others' pieces, up to the first that does not hold: a break may have cut it.
    fn load_said(
        &self,
        task: &ValidatedTaskFile,
        me: &PeerId,
    ) -> Result<Vec<Signed<Statement>>, DiskError> {
        let path = self.path().join("said");
        let bytes = read_at_most(&path, SAID_BYTES_MAX).map_err(unable("read", &path))?;
        let Some(bytes) = bytes else {
            return Ok(Vec::new());
        };
        let genesis = GenesisHash(task.digest().0);
        let (mut said, mut rest, mut whole_bytes) = (Vec::new(), &bytes[..], 0u64);
        while let Ok(word) = Signed::<Statement>::decode(&mut rest) {
            let is_mine = word.payload.by == *me && word.is_signed_by(me, &genesis);
            if !is_mine {
                break;
            }
            whole_bytes = whole_bytes.saturating_add(word.encoded_size() as u64);
            said.push(word);
        }
        if whole_bytes < bytes.len() as u64 {
            OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(whole_bytes))
                .map_err(unable("mend", &path))?;
        }
        Ok(said)
    }
}

/// What there is of a piece.
enum Found {
    Whole(Signed<Made>),
    Damaged,
    Nothing,
}

/// The length and the root of a file; none if it is longer than this.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn measured(path: &Path, bytes_max: u32) -> io::Result<Option<Output>> {
    let mut file = File::open(path)?.take(u64::from(bytes_max).saturating_add(1));
    let (mut chunks, mut length) = (ChunkHasher::new(), 0u64);
    let mut stretch = vec![0; STRETCH_BYTES];
    loop {
        let read = match file.read(&mut stretch) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        chunks.update(stretch.get(..read).unwrap_or_default());
        length = length.saturating_add(read as u64);
    }
    let bytes = u32::try_from(length).ok().filter(|it| *it <= bytes_max);
    let root: Digest = chunks.finish().root();
    Ok(bytes.map(|bytes| Output { bytes, root }))
}

/// Reads a file if it is there; of one that is longer a byte more.
fn read_at_most(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(bytes_max.saturating_add(1))
                .read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file that nobody wants; that it is gone already is no error.
pub(crate) fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(path = %path.display(), %error, "a file stays until the next start");
    }
}
