//! Lists and pieces on this masternode's disk.
//!
//! Below the folder there is one for each contract: `list`, and `pieces/N`; what is being received has `.part` behind its
//! name, and gets its name when it was held to the root that it must have. Pieces stay until devices keep them.

use crate::locks::lock;
use quern_jobs_api::{PIECE_BYTES_MAX, StorageError};
use quern_primitives::{
    custody::PieceEntry,
    ids::{ContractId, Digest, PieceIndex},
};
use quern_shards::{chunks::ChunkHasher, stored::PieceList};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// The file with the list of pieces.
const LIST: &str = "list";

/// Behind the name of what is being received.
const PART: &str = "part";

/// In the name of what is being fetched or made, whatever stands behind it.
const COMING: &str = ".coming";

/// What stands behind the name of a file that is fetched: nothing once it is whole.
const FETCHED: [&str; 3] = ["", ".part", ".spans"];

/// Bytes of the longest list: 79 for each of 65,536 pieces, and what is before them.
const LIST_BYTES_MAX: u64 = 6 * 1024 * 1024;

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 * 1024;

/// What is here of pieces.
#[derive(Debug)]
pub(crate) struct Shelves {
    folder: PathBuf,
    bytes_max: u64,
    /// Every file of a piece, whole or not, with its bytes. Held while one is written.
    files: Mutex<BTreeMap<PathBuf, u64>>,
}

impl Shelves {
    /// What is below a folder, which is made if it is not there. It may hold so many bytes of pieces.
    pub(crate) fn open(folder: &Path, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let shelves = Self {
            folder: folder.to_owned(),
            bytes_max,
            files: Mutex::default(),
        };
        let mut files = BTreeMap::new();
        for contract in shelves.folders()? {
            // Whoever reads asks again.
            found(fs::remove_dir_all(shelves.contract(contract).join("read")))?;
            for file in entries(&shelves.pieces(contract))? {
                let path = file.path();
                // What was being fetched or made is begun anew.
                match path.to_string_lossy().contains(COMING) {
                    true => fs::remove_file(&path)?,
                    false => drop(files.insert(path, file.metadata()?.len())),
                }
            }
        }
        *lock(&shelves.files) = files;
        Ok(shelves)
    }

    /// Whether the list of a contract is here, checked and kept.
    pub(crate) fn has_list(&self, contract: ContractId) -> bool {
        self.list_file(contract).is_file()
    }

    /// Contracts of which anything is here.
    pub(crate) fn folders(&self) -> io::Result<Vec<ContractId>> {
        let names = entries(&self.folder)?.into_iter().map(|it| it.file_name());
        let contracts = names.filter_map(|name| name.to_str()?.parse().ok());
        Ok(contracts.collect())
    }

    /// Bytes of the list that are here, checked or not.
    pub(crate) fn list_held(&self, contract: ContractId) -> u64 {
        let list = self.list_file(contract);
        bytes_of(&list)
            .or_else(|| bytes_of(&list.with_extension(PART)))
            .unwrap_or(0)
    }

    /// Takes a part of the list. Answers with the bytes that are here.
    pub(crate) fn append_list(
        &self,
        contract: ContractId,
        offset: u64,
        part: &[u8],
    ) -> Result<u64, StorageError> {
        let _alone = lock(&self.files);
        let expected = self.list_held(contract);
        let whole = expected.saturating_add(part.len() as u64);
        check_part((offset, expected), (whole, LIST_BYTES_MAX), part)?;
        let path = self.list_file(contract).with_extension(PART);
        append(&path, expected, part).map_err(|_| StorageError::Storage)?;
        Ok(whole)
    }

    /// The list is whole: it is kept if it is the one with this root, and else dropped.
    pub(crate) fn keep_list(
        &self,
        contract: ContractId,
        root: &Digest,
    ) -> Result<(), StorageError> {
        let _alone = lock(&self.files);
        let path = self.list_file(contract);
        if path.is_file() {
            return Ok(());
        }
        let part = path.with_extension(PART);
        let bytes = fs::read(&part).map_err(|_| StorageError::Storage)?;
        let list = PieceList::decode(&bytes).and_then(|list| list.check_root(root));
        if let Err(error) = list {
            // What cannot be erased is refused again.
            let _ = fs::remove_file(&part);
            let why = error.to_string();
            return Err(StorageError::WrongList { why });
        }
        name(&part, &path).map_err(|_| StorageError::Storage)
    }

    /// The list, which was checked when it was kept.
    pub(crate) fn list(&self, contract: ContractId) -> Result<PieceList, StorageError> {
        let bytes = match fs::read(self.list_file(contract)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StorageError::ListMissing);
            }
            Err(_) => return Err(StorageError::Storage),
        };
        PieceList::decode(&bytes).map_err(|_| StorageError::Storage)
    }

    /// Bytes of the list, at most [`PIECE_BYTES_MAX`].
    pub(crate) fn read_list(
        &self,
        contract: ContractId,
        offset: u64,
    ) -> Result<Vec<u8>, StorageError> {
        let path = self.list_file(contract);
        let bytes = bytes_of(&path).ok_or(StorageError::ListMissing)?;
        read_some(&path, offset, bytes)
    }

    /// Whether a piece is here, whole and checked.
    pub(crate) fn has(&self, contract: ContractId, piece: PieceIndex) -> bool {
        lock(&self.files).contains_key(&self.path(contract, piece))
    }

    /// Bytes of a piece that are here.
    pub(crate) fn held(&self, contract: ContractId, piece: PieceIndex) -> u64 {
        let (path, files) = (self.path(contract, piece), lock(&self.files));
        let held = files
            .get(&path)
            .or_else(|| files.get(&path.with_extension(PART)));
        held.copied().unwrap_or(0)
    }

    /// The pieces of a contract that are here, whole.
    pub(crate) fn all(&self, contract: ContractId) -> Vec<PieceIndex> {
        let (folder, files) = (self.pieces(contract), lock(&self.files));
        let ours = files.range(folder.clone()..);
        let ours = ours.take_while(|(path, _)| path.starts_with(&folder));
        ours.filter_map(|(path, _)| path.file_name()?.to_str()?.parse().ok())
            .collect()
    }

    /// Takes a part of a piece; with the last the piece is kept if it is what its entry says, and else dropped. Answers
    /// with the bytes that are here.
    pub(crate) fn append(
        &self,
        contract: ContractId,
        entry: &PieceEntry,
        offset: u64,
        part: &[u8],
    ) -> Result<u64, StorageError> {
        let path = self.path(contract, entry.piece);
        let unfinished = path.with_extension(PART);
        let mut files = lock(&self.files);
        if files.contains_key(&path) {
            return Ok(entry.bytes);
        }
        let expected = files.get(&unfinished).copied().unwrap_or(0);
        let whole = expected.saturating_add(part.len() as u64);
        check_part((offset, expected), (whole, entry.bytes), part)?;
        if part.is_empty() {
            return Ok(expected);
        }
        let taken = files.values().copied().fold(0, u64::saturating_add);
        // There must be room for all of it, though none is kept for it.
        let needed = taken.saturating_add(entry.bytes.saturating_sub(expected));
        if needed > self.bytes_max {
            let bytes = needed.saturating_sub(self.bytes_max);
            return Err(StorageError::NoRoom { bytes });
        }
        append(&unfinished, expected, part).map_err(|_| StorageError::Storage)?;
        files.insert(unfinished.clone(), whole);
        drop(files);
        if whole < entry.bytes {
            return Ok(whole);
        }
        // Whoever sends parts of it meanwhile is told that all of it is here.
        let named = chunk_root(&unfinished)
            .map_err(|_| StorageError::Storage)
            .and_then(|root| match root == entry.chunk_root {
                true => name(&unfinished, &path).map_err(|_| StorageError::Storage),
                false => Err(StorageError::WrongPiece { piece: entry.piece }),
            });
        if named.is_err() {
            // What cannot be erased is overwritten from its beginning.
            let _ = fs::remove_file(&unfinished);
        }
        let mut files = lock(&self.files);
        files.remove(&unfinished);
        named?;
        files.insert(path, entry.bytes);
        Ok(entry.bytes)
    }

    /// Where a piece is to be fetched or made: beside its name.
    pub(crate) fn place_beside(
        &self,
        contract: ContractId,
        piece: PieceIndex,
    ) -> io::Result<PathBuf> {
        let path = with_behind(&self.path(contract, piece), COMING);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(path)
    }

    /// A piece that was fetched or made is beside its name: it is kept if it is what its entry says, and else erased.
    pub(crate) fn keep(
        &self,
        contract: ContractId,
        entry: &PieceEntry,
    ) -> Result<(), StorageError> {
        let path = self.path(contract, entry.piece);
        let beside = with_behind(&path, COMING);
        let is_it = chunk_root(&beside).is_ok_and(|root| root == entry.chunk_root)
            && bytes_of(&beside) == Some(entry.bytes);
        if !is_it {
            let _ = fs::remove_file(&beside);
            return Err(StorageError::WrongPiece { piece: entry.piece });
        }
        name(&beside, &path).map_err(|_| StorageError::Storage)?;
        lock(&self.files).insert(path, entry.bytes);
        Ok(())
    }

    /// Where a piece comes that is to be read and not to be here: it is whole when it is there.
    pub(crate) fn place_to_read(
        &self,
        contract: ContractId,
        piece: PieceIndex,
    ) -> io::Result<PathBuf> {
        let folder = self.contract(contract).join("read");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(piece.to_string()))
    }

    /// Bytes of a piece, at most [`PIECE_BYTES_MAX`]; none if it is not here, nor to be read.
    pub(crate) fn read(
        &self,
        contract: ContractId,
        entry: &PieceEntry,
        offset: u64,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let to_read = self.place_to_read(contract, entry.piece);
        let to_read = to_read.map_err(|_| StorageError::Storage)?;
        let places = [self.path(contract, entry.piece), to_read];
        let place = places.into_iter().find(|place| place.is_file());
        let read = place.map(|place| read_some(&place, offset, entry.bytes));
        read.transpose()
    }

    /// Erases what was brought here to be read of a piece.
    pub(crate) fn erase_read(&self, contract: ContractId, piece: PieceIndex) -> io::Result<()> {
        let place = self.place_to_read(contract, piece)?;
        for behind in FETCHED {
            found(fs::remove_file(with_behind(&place, behind)))?;
        }
        Ok(())
    }

    /// Where a piece's bytes are, or would be.
    pub(crate) fn path(&self, contract: ContractId, piece: PieceIndex) -> PathBuf {
        self.pieces(contract).join(piece.to_string())
    }

    /// Erases a piece.
    pub(crate) fn erase(&self, contract: ContractId, piece: PieceIndex) -> io::Result<()> {
        let path = self.path(contract, piece);
        let mut files = lock(&self.files);
        for file in [path.clone(), path.with_extension(PART)] {
            found(fs::remove_file(&file))?;
            files.remove(&file);
        }
        let beside = with_behind(&path, COMING);
        for behind in FETCHED {
            found(fs::remove_file(with_behind(&beside, behind)))?;
        }
        Ok(())
    }

    /// Erases all of a contract.
    pub(crate) fn erase_all(&self, contract: ContractId) -> io::Result<()> {
        let folder = self.pieces(contract);
        let mut files = lock(&self.files);
        found(fs::remove_dir_all(self.contract(contract)))?;
        files.retain(|path, _| path.parent() != Some(&folder));
        Ok(())
    }

    fn contract(&self, contract: ContractId) -> PathBuf {
        self.folder.join(hex::encode(contract.0))
    }

    fn list_file(&self, contract: ContractId) -> PathBuf {
        self.contract(contract).join(LIST)
    }

    fn pieces(&self, contract: ContractId) -> PathBuf {
        self.contract(contract).join("pieces")
    }
}

/// That a part begins where it must, and does not go beyond the end.
fn check_part(
    (offset, expected): (u64, u64),
    (whole, limit): (u64, u64),
    part: &[u8],
) -> Result<(), StorageError> {
    if offset != expected {
        return Err(StorageError::OutOfOrder { expected });
    }
    if part.len() > PIECE_BYTES_MAX || whole > limit {
        return Err(StorageError::TooLong { limit });
    }
    Ok(())
}

/// Writes a part behind so many bytes of a file. What a write that failed left behind them goes.
fn append(path: &Path, at: u64, part: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let mut file = opened?;
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(part)
}

/// A path with something behind its name.
fn with_behind(path: &Path, behind: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(behind);
    name.into()
}

/// Gives a file its name, and returns when that is on the disk.
fn name(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    to.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn read_some(path: &Path, offset: u64, bytes: u64) -> Result<Vec<u8>, StorageError> {
    if offset >= bytes {
        return Err(StorageError::NoSuchBytes);
    }
    let read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut some = Vec::new();
        file.take(PIECE_BYTES_MAX as u64).read_to_end(&mut some)?;
        io::Result::Ok(some)
    };
    read().map_err(|_| StorageError::Storage)
}

fn chunk_root(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = ChunkHasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish().root()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn bytes_of(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.len())
}

/// What is in a folder, if there is one.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What is not there need not be erased.
fn found(erased: io::Result<()>) -> io::Result<()> {
    match erased {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
