//! Pieces that this device keeps for others, on the disk: each with the leaves of its tree beside it, so that a
//! challenge is answered by reading what it asks for and no more.
//!
//! Below the folder, for each contract a folder, in which `N` has the bytes of piece N and `N.leaves` what its
//! contract says of it and the hashes of its chunks. The latter is there first, so whatever has a name of a number alone
//! was held to the root that it was kept under.
//!
//! What is read is held to its leaf before it is shown. So a disk that forgets makes nobody a liar: a holder that
//! finds out says so, and signs for the piece no more.

use codec::{Decode, Encode};
use quern_primitives::{
    custody::{ChallengedChunk, PieceEntry, ShortProof, piece_chunks},
    ids::{ContractId, Digest, PieceIndex},
    limits::CHALLENGED_CHUNKS_MAX,
    merkle::{CHUNK_BYTES, Tree, leaf},
};
use std::{
    fmt::Debug,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a file of leaves begins with.
const TAG: &[u8; 16] = b"quern/leaves/1\n\0";

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// Chunks that are read at a time.
const READ_CHUNKS: usize = 16;

/// A piece's name: its contract and its place in it.
pub type PieceName = (ContractId, PieceIndex);

/// Why a piece is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The disk refuses.
    #[error("piece {} of contract {} cannot be kept; has the disk room?", .0.1, .0.0)]
    Disk(PieceName, #[source] io::Error),
    /// Its bytes are not those that the contract names.
    #[error("piece {} of contract {} is not what its contract says; fetch it again", .0.1, .0.0)]
    NotThePiece(PieceName),
}

/// Why something of a piece is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// It is not here.
    #[error("piece {} of contract {} is not here", .0.1, .0.0)]
    NotHere(PieceName),
    /// The disk refuses.
    #[error("piece {} of contract {} cannot be read", .0.1, .0.0)]
    Disk(PieceName, #[source] io::Error),
    /// What is there is not what was put there.
    #[error("piece {} of contract {} is damaged on this disk; fetch it again", .0.1, .0.0)]
    Damaged(PieceName),
    /// The question asks for what no piece has, or for too much.
    #[error("more is asked for than piece {} of contract {} has, or than a challenge asks for", .0.1, .0.0)]
    NoSuchChunks(PieceName),
}

/// What this device keeps.
#[derive(Clone, Debug)]
pub struct KeptPieces {
    folder: PathBuf,
    elsewhere: Option<Arc<dyn Elsewhere>>,
}

/// Where a piece is read that is not where it was kept. The shipped worker knows no such place; the seam is here so
/// that a test can make a device that shows what another one keeps.
pub trait Elsewhere: Debug + Send + Sync + 'static {
    /// Where the piece is, if it is anywhere. May take its time.
    fn find(&self, contract: ContractId, piece: PieceIndex) -> Option<PathBuf>;
}

impl KeptPieces {
    /// What is kept below a folder, which is made if it is not there. What a crash left unfinished is erased. Only one
    /// at a time is open of a folder; its clones are for the same.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let kept = Self {
            folder: folder.to_owned(),
            elsewhere: None,
        };
        for contract in kept.contracts()? {
            for file in fs::read_dir(&contract)? {
                let path = file?.path();
                let is_piece = text_of(&path).is_some_and(is_number);
                let is_unfinished = path.extension().is_some_and(|it| it == "part");
                if is_unfinished || (!is_piece && !path.with_extension("").is_file()) {
                    fs::remove_file(&path)?;
                }
            }
            remove_if_empty(&contract)?;
        }
        Ok(kept)
    }

    /// The same, with a place where pieces are read that are not there.
    pub fn with_elsewhere(self, elsewhere: Option<Arc<dyn Elsewhere>>) -> Self {
        Self { elsewhere, ..self }
    }

    /// Keeps a piece whose bytes are in a file on the same disk. The file is moved here once it was held to what the
    /// contract says of the piece; else it stays where it is.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    pub fn keep(
        &self,
        contract: ContractId,
        entry: &PieceEntry,
        from: &Path,
    ) -> Result<(), KeepError> {
        let name = (contract, entry.piece);
        let refused = |source| KeepError::Disk(name, source);
        let leaves = leaves_of(from, entry).map_err(refused)?;
        let leaves = leaves.ok_or(KeepError::NotThePiece(name))?;
        let place = self.place(&name);
        let folder = place.parent().unwrap_or(&self.folder);
        let kept = || {
            fs::create_dir_all(folder)?;
            File::open(&self.folder)?.sync_all()?;
            let beside = leaves_beside(&place);
            let unfinished = beside.with_extension("part");
            let mut file = File::create(&unfinished)?;
            file.write_all(TAG)?;
            file.write_all(&entry.encode())?;
            file.write_all(&leaves)?;
            file.sync_all()?;
            fs::rename(&unfinished, &beside)?;
            File::open(from)?.sync_all()?;
            fs::rename(from, &place)?;
            File::open(folder)?.sync_all()
        };
        kept().map_err(refused)
    }

    /// What the contract says of a piece that is here.
    ///
    /// # Errors
    ///
    /// See [`ShowError`].
    pub fn entry(&self, name: &PieceName) -> Result<PieceEntry, ShowError> {
        self.read_leaves(name).map(|(entry, _)| entry)
    }

    /// Chunks of a piece, in the order in which they are asked for, with what leads from each to the piece's root.
    ///
    /// # Errors
    ///
    /// See [`ShowError`].
    pub fn show(
        &self,
        name: &PieceName,
        chunks: &[u32],
    ) -> Result<Vec<ChallengedChunk>, ShowError> {
        let (entry, leaves) = self.read_leaves(name)?;
        let asked = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let count = leaves.len();
        if asked > CHALLENGED_CHUNKS_MAX || chunks.iter().any(|chunk| *chunk as usize >= count) {
            return Err(ShowError::NoSuchChunks(*name));
        }
        let file = self.piece(name)?;
        let tree = Tree::from_leaves(leaves.clone());
        if tree.root() != entry.chunk_root {
            return Err(ShowError::Damaged(*name));
        }
        let shown = chunks.iter().map(|chunk| {
            let bytes = read_chunk(&file, &entry, *chunk).map_err(|error| broken(name, error))?;
            if leaves.get(*chunk as usize) != Some(&leaf(*chunk, &bytes)) {
                return Err(ShowError::Damaged(*name));
            }
            let proof = tree.proof(*chunk).map(ShortProof::try_from);
            let proof = proof.and_then(Result::ok);
            Ok(ChallengedChunk {
                bytes: bytes.try_into().map_err(|_| ShowError::Damaged(*name))?,
                proof: proof.ok_or(ShowError::NoSuchChunks(*name))?,
            })
        });
        shown.collect()
    }

    /// Where the bytes of a piece are that is here.
    pub fn find(&self, name: &PieceName) -> Option<PathBuf> {
        Some(self.place(name)).filter(|place| place.is_file())
    }

    /// Erases a piece; nothing happens if it is not here.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn erase(&self, name: &PieceName) -> io::Result<()> {
        let place = self.place(name);
        // The piece first: without its leaves it would be one that nobody can show.
        for file in [&place, &leaves_beside(&place)] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        remove_if_empty(place.parent().unwrap_or(&self.folder))
    }

    /// Everything that is kept, ascending, with its bytes on the disk.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn all(&self) -> io::Result<Vec<(PieceName, u64)>> {
        let mut all = Vec::new();
        for folder in self.contracts()? {
            let Some(contract) = text_of(&folder).and_then(|text| text.parse().ok()) else {
                continue;
            };
            for file in fs::read_dir(&folder)? {
                let path = file?.path();
                if let Some(piece) = text_of(&path).and_then(|text| text.parse().ok()) {
                    all.push(((contract, piece), fs::metadata(&path)?.len()));
                }
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The folders of contracts.
    fn contracts(&self) -> io::Result<Vec<PathBuf>> {
        let mut contracts = Vec::new();
        for folder in fs::read_dir(&self.folder)? {
            let path = folder?.path();
            let contract = text_of(&path).map(str::parse::<ContractId>);
            if matches!(contract, Some(Ok(_))) {
                contracts.push(path);
            }
        }
        Ok(contracts)
    }

    /// What the contract says of a piece, and the hashes of its chunks.
    fn read_leaves(&self, name: &PieceName) -> Result<(PieceEntry, Vec<Digest>), ShowError> {
        let damaged = || ShowError::Damaged(*name);
        let bytes = match fs::read(leaves_beside(&self.place(name))) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ShowError::NotHere(*name));
            }
            Err(error) => return Err(ShowError::Disk(*name, error)),
        };
        let mut rest = bytes.strip_prefix(TAG.as_slice()).ok_or_else(damaged)?;
        let entry = PieceEntry::decode(&mut rest).map_err(|_| damaged())?;
        let (hashes, odd) = rest.as_chunks::<HASH_BYTES>();
        let count = piece_chunks(entry.bytes).ok_or_else(damaged)?;
        if !odd.is_empty() || hashes.len() != count as usize || entry.piece != name.1 {
            return Err(damaged());
        }
        Ok((entry, hashes.iter().copied().map(Digest).collect()))
    }

    fn piece(&self, name: &PieceName) -> Result<File, ShowError> {
        let opened = match File::open(self.place(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let elsewhere = self.elsewhere.as_ref();
                let place = elsewhere.and_then(|it| it.find(name.0, name.1));
                let place = place.ok_or(ShowError::NotHere(*name))?;
                File::open(place)
            }
            opened => opened,
        };
        opened.map_err(|error| ShowError::Disk(*name, error))
    }

    fn place(&self, (contract, piece): &PieceName) -> PathBuf {
        self.folder
            .join(hex::encode(contract.0))
            .join(piece.to_string())
    }
}

/// A piece that is shorter than it was is damaged; anything else the disk says may pass.
fn broken(name: &PieceName, error: io::Error) -> ShowError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ShowError::Damaged(*name),
        _ => ShowError::Disk(*name, error),
    }
}

fn leaves_beside(place: &Path) -> PathBuf {
    place.with_extension("leaves")
}

/// Whether a text is a piece's place.
fn is_number(text: &str) -> bool {
    text.parse::<PieceIndex>().is_ok()
}

/// Erases a contract's folder if nothing of it is kept any more.
fn remove_if_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A file's name, whole.
fn text_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

/// The hashes of a file's chunks one behind the other; none if it is not the piece.
fn leaves_of(path: &Path, entry: &PieceEntry) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    let Some(count) = piece_chunks(entry.bytes) else {
        return Ok(None);
    };
    if file.metadata()?.len() != entry.bytes {
        return Ok(None);
    }
    let mut leaves = Vec::with_capacity(count as usize);
    let mut room = Vec::with_capacity(CHUNK_BYTES * READ_CHUNKS);
    for first in (0..count).step_by(READ_CHUNKS) {
        room.clear();
        let most = (CHUNK_BYTES * READ_CHUNKS) as u64;
        io::Read::by_ref(&mut file)
            .take(most)
            .read_to_end(&mut room)?;
        let chunks = (first..count).zip(room.chunks(CHUNK_BYTES));
        leaves.extend(chunks.map(|(index, chunk)| leaf(index, chunk)));
    }
    let bytes = leaves.iter().flat_map(|hash| hash.0).collect();
    let is_piece = Tree::from_leaves(leaves).root() == entry.chunk_root;
    Ok(is_piece.then_some(bytes))
}

/// A chunk that the piece has.
fn read_chunk(mut file: &File, entry: &PieceEntry, chunk: u32) -> io::Result<Vec<u8>> {
    let at = u64::from(chunk).saturating_mul(CHUNK_BYTES as u64);
    let left = entry.bytes.saturating_sub(at);
    let length = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::limits::PIECE_BYTES_MAX;
    use tempfile::TempDir;

    const CONTRACT: ContractId = ContractId([7; 32]);

    struct Disk {
        folder: TempDir,
        kept: KeptPieces,
    }

    fn disk() -> Disk {
        let folder = TempDir::new().unwrap();
        let kept = KeptPieces::open(&folder.path().join("kept")).unwrap();
        Disk { folder, kept }
    }

    fn bytes_of(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at / 4_096 + at) as u8).collect()
    }

    fn entry_of(piece: PieceIndex, bytes: &[u8]) -> PieceEntry {
        PieceEntry {
            version: PieceEntry::VERSION,
            piece,
            chunk_root: Tree::new(bytes.chunks(CHUNK_BYTES)).root(),
            bytes: bytes.len() as u64,
            audit_root: Digest([0; 32]),
            audit_depth: 0,
        }
    }

    impl Disk {
        /// A piece that came, and what its contract says of it.
        fn came(&self, piece: PieceIndex, length: usize) -> (PathBuf, PieceEntry) {
            let bytes = bytes_of(length);
            let path = self.folder.path().join("came");
            fs::write(&path, &bytes).unwrap();
            (path, entry_of(piece, &bytes))
        }

        fn keep(&self, piece: PieceIndex, length: usize) -> PieceEntry {
            let (path, entry) = self.came(piece, length);
            self.kept.keep(CONTRACT, &entry, &path).unwrap();
            assert!(!path.exists(), "it is moved");
            entry
        }
    }

    #[test]
    fn what_is_asked_for_is_shown_in_that_order_and_proves_itself() {
        let disk = disk();
        for length in [1, 4_096, 4_097, 100_000, 70 * 4_096] {
            let entry = disk.keep(3, length);
            let count = piece_chunks(entry.bytes).unwrap();
            let asked = [count - 1, 0, count / 2];
            let shown = disk.kept.show(&(CONTRACT, 3), &asked).unwrap();
            assert_eq!(shown.len(), 3);
            for (chunk, index) in shown.iter().zip(asked) {
                let at = index as usize * CHUNK_BYTES;
                let end = length.min(at + CHUNK_BYTES);
                assert_eq!(chunk.bytes.as_slice(), &bytes_of(length)[at..end]);
                assert_eq!((chunk.proof.index, chunk.proof.count), (index, count));
                assert_eq!(chunk.proof.root_over(&chunk.bytes), Some(entry.chunk_root));
            }
        }
    }

    #[test]
    fn a_file_that_is_not_the_piece_stays_where_it_is_and_is_not_kept() {
        let disk = disk();
        let (path, entry) = disk.came(0, 10_000);
        let others = [
            PieceEntry {
                chunk_root: Digest([1; 32]),
                ..entry
            },
            PieceEntry {
                bytes: 9_999,
                ..entry
            },
            PieceEntry { bytes: 0, ..entry },
            PieceEntry {
                bytes: PIECE_BYTES_MAX + 1,
                ..entry
            },
        ];
        for other in others {
            let refused = disk.kept.keep(CONTRACT, &other, &path);
            assert!(matches!(refused, Err(KeepError::NotThePiece(_))));
        }
        assert!(path.exists() && disk.kept.all().unwrap().is_empty());
    }

    #[test]
    fn a_disk_that_forgets_makes_nobody_a_liar() {
        let disk = disk();
        disk.keep(0, 50_000);
        let name = (CONTRACT, 0);
        let place = disk.kept.find(&name).unwrap();
        let whole = fs::read(&place).unwrap();
        let mut damaged = whole.clone();
        damaged[4_096 * 2 + 9] ^= 1;
        fs::write(&place, &damaged).unwrap();
        assert!(disk.kept.show(&name, &[0, 1, 3]).is_ok(), "those are whole");
        let refused = disk.kept.show(&name, &[1, 2]).unwrap_err();
        assert!(refused.to_string().contains("damaged"), "{refused}");
        fs::write(&place, &whole[..40_000]).unwrap();
        assert!(matches!(
            disk.kept.show(&name, &[12]),
            Err(ShowError::Damaged(_))
        ));
        fs::write(&place, &whole).unwrap();
        let leaves = leaves_beside(&place);
        let good = fs::read(&leaves).unwrap();
        for bytes in [&good[..good.len() - 1], &good[..40], &[], &good[32..]] {
            fs::write(&leaves, bytes).unwrap();
            assert!(matches!(
                disk.kept.show(&name, &[0]),
                Err(ShowError::Damaged(_))
            ));
        }
        let mut other = good.clone();
        *other.last_mut().unwrap() ^= 1;
        fs::write(&leaves, other).unwrap();
        assert!(matches!(
            disk.kept.show(&name, &[0]),
            Err(ShowError::Damaged(_))
        ));
    }

    #[test]
    fn what_no_piece_has_and_more_than_a_challenge_asks_for_is_refused() {
        let disk = disk();
        disk.keep(0, 40 * 4_096);
        let name = (CONTRACT, 0);
        for asked in [&[40][..], &[u32::MAX], &[0; 33]] {
            assert!(matches!(
                disk.kept.show(&name, asked),
                Err(ShowError::NoSuchChunks(_))
            ));
        }
        assert!(matches!(
            disk.kept.show(&(CONTRACT, 1), &[0]),
            Err(ShowError::NotHere(_))
        ));
        assert_eq!(disk.kept.show(&name, &[]).unwrap(), vec![]);
    }

    #[test]
    fn all_is_listed_until_it_is_erased_and_what_a_crash_left_is_cleared_away() {
        let disk = disk();
        disk.keep(10, 5_000);
        disk.keep(2, 7);
        let all = vec![((CONTRACT, 2), 7), ((CONTRACT, 10), 5_000)];
        assert_eq!(disk.kept.all().unwrap(), all);
        let folder = disk.kept.find(&(CONTRACT, 2)).unwrap();
        let torn = ["3.part", "3.leaves", "10.part"].map(|name| folder.with_file_name(name));
        for torn in &torn {
            fs::write(torn, [1]).unwrap();
        }
        let again = KeptPieces::open(&disk.folder.path().join("kept")).unwrap();
        assert_eq!(again.all().unwrap(), all);
        assert!(torn.iter().all(|torn| !torn.exists()));
        assert_eq!(again.entry(&(CONTRACT, 10)).unwrap().bytes, 5_000);
        again.erase(&(CONTRACT, 2)).unwrap();
        again.erase(&(CONTRACT, 2)).unwrap();
        assert!(again.find(&(CONTRACT, 2)).is_none());
        again.erase(&(CONTRACT, 10)).unwrap();
        assert_eq!(
            fs::read_dir(disk.folder.path().join("kept"))
                .unwrap()
                .count(),
            0
        );
    }
}
