//! The masternodes that have a folder's pieces kept, as its owner talks to them.
//!
//! Each of the contract's group gets the list of pieces. The pieces themselves go to one of them, which hands them to
//! devices; the others bring from these what they need. So the first that answers is enough, both ways.

use super::pack::StoreFolder;
use crate::folder::FolderError;
use jsonrpsee::{
    core::client::Error as RpcError,
    ws_client::{WsClient, WsClientBuilder},
};
use quern_jobs_api::{
    Blob, MESSAGE_BYTES_MAX, OFFERED_PIECES_MAX, PIECE_BYTES_MAX, StorageApiClient as _,
    StorageError, StorageOffer, StorageStatus,
};
use quern_ledger::{Chain, ChainError};
use quern_primitives::{
    AccountId,
    custody::{Contract, PieceEntry},
    group::Group,
    ids::{ContractId, PieceIndex},
};
use quern_shards::{
    chunks::ChunkHasher,
    stored::{ListError, PieceList},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a masternode may take to answer one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Blocks to wait for a contract's group. It is drawn in the block behind the one in which it was opened.
const DRAW_PATIENCE_BLOCKS: u32 = 30;

/// How long a masternode may take to learn of a contract.
const TAKE_UP_PATIENCE: Duration = Duration::from_secs(60);

/// How often the upload of one file starts again from where the masternode says that it is.
const RESUMES_MAX: u32 = 16;

/// A piece that a masternode brings from a device is asked for again after so long, and given up after this.
const COMING_LOOK: Duration = Duration::from_millis(500);
const COMING_PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of the longest list.
const LIST_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Why a masternode does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum KeeperFailure {
    /// It refused, and says why.
    #[error(transparent)]
    Refused(#[from] StorageError),
    /// It did not answer.
    #[error("the masternode does not answer; it may be restarting, run the command again")]
    NoAnswer(#[source] Box<RpcError>),
}

impl From<RpcError> for KeeperFailure {
    fn from(error: RpcError) -> Self {
        if let RpcError::Call(refusal) = &error
            && let Some(refused) = StorageError::of(refusal)
        {
            return Self::Refused(refused);
        }
        Self::NoAnswer(Box::new(error))
    }
}

/// Why pieces are not handed in, or not had back.
#[derive(Debug, thiserror::Error)]
pub enum KeepersError {
    /// The chain does not know the contract.
    #[error(
        "the chain knows no open contract {contract}; `quern store list` shows yours, and --node names a node of another chain"
    )]
    NoSuchContract {
        /// The contract.
        contract: ContractId,
    },
    /// No group is drawn.
    #[error(
        "no masternodes have been drawn for the contract after {blocks} blocks; if the chain has masternodes that run, wait, else end it with `quern store drop`"
    )]
    NotDrawn {
        /// How many blocks were waited.
        blocks: u32,
    },
    /// None of the group answers.
    #[error("none of the {} masternodes of the contract does it: {}", missed.len(), in_words(missed))]
    NobodyAnswers {
        /// Each, and why.
        missed: Vec<(AccountId, String)>,
    },
    /// The list that came is not the contract's.
    #[error("what a masternode gave is no list of the contract's pieces")]
    List(#[from] ListError),
    /// A piece cannot be had now.
    #[error("piece {piece} cannot be had from any masternode of the contract: {why}")]
    NoPiece {
        /// The piece.
        piece: PieceIndex,
        /// What they say.
        why: String,
    },
    /// One of them refused or failed.
    #[error(transparent)]
    Failure(#[from] KeeperFailure),
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store's folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

fn in_words(missed: &[(AccountId, String)]) -> String {
    let words = missed
        .iter()
        .map(|(account, why)| format!("{account}: {why}"));
    words.collect::<Vec<_>>().join("; ")
}

/// One masternode of the contract's group.
struct Keeper {
    account: AccountId,
    client: WsClient,
}

/// The masternodes of a contract that answer.
pub struct Keepers {
    contract: ContractId,
    reached: Vec<Keeper>,
    missed: Vec<(AccountId, String)>,
}

impl Keepers {
    /// Finds a contract's masternodes on the chain, waiting until they are drawn, and connects to them.
    pub async fn of(chain: &Chain, contract: ContractId) -> Result<Self, KeepersError> {
        let group = drawn(chain, contract).await?;
        let views = chain.at_finalised().await?.masternodes().await?;
        let (mut reached, mut missed) = (Vec::new(), Vec::new());
        for member in group.members.iter().filter(|member| !member.is_out) {
            let account = member.account.clone();
            let view = views.iter().find(|view| view.account == account);
            let Some(view) = view else {
                missed.push((account, "it is no masternode any more".into()));
                continue;
            };
            let url = String::from_utf8_lossy(&view.jobs_api).into_owned();
            let client = WsClientBuilder::default()
                .max_request_size(MESSAGE_BYTES_MAX)
                .max_response_size(MESSAGE_BYTES_MAX)
                .connection_timeout(CONNECT_TIMEOUT)
                .request_timeout(REQUEST_TIMEOUT)
                .build(&url)
                .await;
            match client {
                Ok(client) => reached.push(Keeper { account, client }),
                Err(error) => {
                    missed.push((account, format!("it cannot be reached at {url}: {error}")))
                }
            }
        }
        if reached.is_empty() {
            return Err(KeepersError::NobodyAnswers { missed });
        }
        Ok(Self {
            contract,
            reached,
            missed,
        })
    }

    /// Those that do not answer, or did not take the list, and why.
    pub fn missed(&self) -> &[(AccountId, String)] {
        &self.missed
    }

    /// Hands the list to each, and all pieces that are here to the first that takes them, or to each where it is to be all:
    /// what is not there yet. `progress` hears how many bytes of how many are there.
    pub async fn hand_in(
        &mut self,
        store: &StoreFolder,
        to_all: bool,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), KeepersError> {
        let list = store.list()?;
        let encoded = list.encode();
        let mut taken = Vec::new();
        for keeper in std::mem::take(&mut self.reached) {
            match put_list(&keeper, self.contract, &encoded).await {
                Ok(()) => taken.push(keeper),
                Err(error) => self
                    .missed
                    .push((keeper.account.clone(), error.to_string())),
            }
        }
        self.reached = taken;
        let total = list.entries().iter().map(|entry| entry.bytes).sum();
        let (mut last, mut is_handed_in) = (None, false);
        for keeper in &self.reached {
            if is_handed_in && !to_all {
                break;
            }
            match put_pieces(keeper, self.contract, store, &list, |bytes| {
                progress(bytes, total)
            })
            .await
            {
                Ok(()) => is_handed_in = true,
                Err(error) => last = Some(error),
            }
        }
        let missed = self.missed.clone();
        match is_handed_in {
            true => Ok(()),
            false => Err(last.unwrap_or(KeepersError::NobodyAnswers { missed })),
        }
    }

    /// How it stands, as the first says that knows.
    pub async fn status(&self) -> Result<StorageStatus, KeepersError> {
        let mut last = None;
        for keeper in &self.reached {
            match keeper.client.status(self.contract).await {
                Ok(status) => return Ok(status),
                Err(error) => last = Some(KeeperFailure::from(error)),
            }
        }
        let missed = self.missed.clone();
        Err(last.map_or(KeepersError::NobodyAnswers { missed }, Into::into))
    }

    /// The list of pieces, held to what the chain has of the contract.
    pub async fn list(&self, contract: &Contract) -> Result<PieceList, KeepersError> {
        let mut last = None;
        for keeper in &self.reached {
            let read = read_list(keeper, self.contract).await;
            let checked = read.and_then(|bytes| {
                let list = PieceList::decode(&bytes)?;
                list.check_root(&contract.offer.pieces_root)?;
                Ok(list)
            });
            match checked {
                Ok(list) => return Ok(list),
                Err(error) => last = Some(error),
            }
        }
        let missed = self.missed.clone();
        Err(last.unwrap_or(KeepersError::NobodyAnswers { missed }))
    }

    /// Reads a piece into a file, going on where it ended, from the first masternode that has it or can bring it; and
    /// holds it to its entry. `progress` hears of bytes that came.
    pub async fn read(
        &self,
        entry: &PieceEntry,
        into: &Path,
        mut progress: impl FnMut(u64),
    ) -> Result<(), KeepersError> {
        let mut why = Vec::new();
        for keeper in &self.reached {
            match read_piece(keeper, self.contract, entry, into, &mut progress).await {
                Ok(()) => return Ok(()),
                Err(KeepersError::Failure(error)) => {
                    why.push(format!("{}: {error}", keeper.account));
                }
                Err(error) => return Err(error),
            }
        }
        let (piece, why) = (entry.piece, why.join("; "));
        Err(KeepersError::NoPiece { piece, why })
    }
}

/// A contract's group, once it is drawn.
async fn drawn(chain: &Chain, contract: ContractId) -> Result<Group, KeepersError> {
    let mut blocks = chain.finalised().await?;
    for _ in 0..DRAW_PATIENCE_BLOCKS {
        let state = chain.at_finalised().await?;
        if let Some(group) = state.contract_group(contract).await? {
            return Ok(group);
        }
        if state.contract(contract).await?.is_none() {
            return Err(KeepersError::NoSuchContract { contract });
        }
        blocks.next().await?;
    }
    Err(KeepersError::NotDrawn {
        blocks: DRAW_PATIENCE_BLOCKS,
    })
}

/// What a masternode has, once it knows of the contract.
async fn offer(
    keeper: &Keeper,
    contract: ContractId,
    first: PieceIndex,
) -> Result<StorageOffer, KeeperFailure> {
    let begun = tokio::time::Instant::now();
    loop {
        let offered = keeper.client.offer(contract, first).await;
        match offered.map_err(KeeperFailure::from) {
            Err(KeeperFailure::Refused(StorageError::NotMember | StorageError::Starting))
                if begun.elapsed() < TAKE_UP_PATIENCE =>
            {
                tokio::time::sleep(COMING_LOOK).await;
            }
            offered => return offered,
        }
    }
}

/// From where an upload goes on that was refused, if it does. Anybody may send parts, so what came may be another's, and is
/// begun anew.
fn goes_on(refused: &StorageError) -> Option<u64> {
    match refused {
        StorageError::OutOfOrder { expected } => Some(*expected),
        StorageError::WrongList { .. }
        | StorageError::WrongPiece { .. }
        | StorageError::TooLong { .. } => Some(0),
        _ => None,
    }
}

async fn put_list(keeper: &Keeper, contract: ContractId, list: &[u8]) -> Result<(), KeeperFailure> {
    let offered = offer(keeper, contract, 0).await?;
    if offered.has_list {
        return Ok(());
    }
    let mut at = offered.list_bytes;
    let mut resumes = 0;
    loop {
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(list.len());
        let rest = list.get(from..).unwrap_or_default();
        let part = rest.get(..PIECE_BYTES_MAX).unwrap_or(rest);
        let is_last = part.len() < PIECE_BYTES_MAX;
        let put = keeper
            .client
            .put_list(contract, at, Blob(part.to_vec()))
            .await;
        match put.map_err(KeeperFailure::from) {
            Ok(_) if is_last => return Ok(()),
            Ok(held) => at = held,
            Err(KeeperFailure::Refused(refused)) if resumes < RESUMES_MAX => {
                at = goes_on(&refused).ok_or(KeeperFailure::Refused(refused))?;
                resumes += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn put_pieces(
    keeper: &Keeper,
    contract: ContractId,
    store: &StoreFolder,
    list: &PieceList,
    mut progress: impl FnMut(u64),
) -> Result<(), KeepersError> {
    let pieces = list.plan().pieces();
    let mut done: u64 = list.entries().iter().map(|entry| entry.bytes).sum();
    let mut missing = Vec::new();
    let mut first = 0;
    while first < pieces {
        missing.extend(offer(keeper, contract, first).await?.missing);
        first = first.saturating_add(OFFERED_PIECES_MAX);
    }
    let entry = |piece: PieceIndex| list.entries().get(piece as usize);
    for (piece, held) in &missing {
        let bytes = entry(*piece).map_or(0, |entry| entry.bytes);
        done = done.saturating_sub(bytes.saturating_sub(*held));
    }
    progress(done);
    for (piece, held) in missing {
        let path = store.piece(piece);
        if !path.is_file() {
            // Devices kept it, and it went from here: they, or others of its stripe, have it.
            continue;
        }
        let at = |source| KeepersError::File {
            path: path.clone(),
            source,
        };
        let mut file = File::open(&path).map_err(at)?;
        let total = file.metadata().map_err(at)?.len();
        let (mut offset, mut resumes) = (held, 0);
        while offset < total {
            file.seek(SeekFrom::Start(offset)).map_err(at)?;
            let mut part = Vec::new();
            let mut some = io::Read::by_ref(&mut file).take(PIECE_BYTES_MAX as u64);
            some.read_to_end(&mut part).map_err(at)?;
            let put = keeper
                .client
                .put_piece(contract, piece, offset, Blob(part))
                .await;
            match put.map_err(KeeperFailure::from) {
                Ok(now) => {
                    done = done.saturating_add(now.saturating_sub(offset));
                    offset = now;
                    progress(done);
                }
                Err(KeeperFailure::Refused(refused)) if resumes < RESUMES_MAX => {
                    offset = goes_on(&refused).ok_or(KeeperFailure::Refused(refused))?;
                    resumes += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

async fn read_list(keeper: &Keeper, contract: ContractId) -> Result<Vec<u8>, KeepersError> {
    let mut list = Vec::new();
    loop {
        let read = keeper.client.read_list(contract, list.len() as u64).await;
        match read.map_err(KeeperFailure::from) {
            Ok(part) if list.len().saturating_add(part.0.len()) > LIST_BYTES_MAX => {
                let found = list.len().saturating_add(part.0.len());
                return Err(ListError::TooLong { found }.into());
            }
            Ok(part) if part.0.is_empty() => return Ok(list),
            Ok(part) => list.extend(part.0),
            Err(KeeperFailure::Refused(StorageError::NoSuchBytes)) if !list.is_empty() => {
                return Ok(list);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn read_piece(
    keeper: &Keeper,
    contract: ContractId,
    entry: &PieceEntry,
    into: &Path,
    progress: &mut impl FnMut(u64),
) -> Result<(), KeepersError> {
    let piece = entry.piece;
    let part = into.with_extension("part");
    let at = |source| KeepersError::File {
        path: part.clone(),
        source,
    };
    let opened = OpenOptions::new().create(true).append(true).open(&part);
    let mut file = opened.map_err(at)?;
    let mut offset = file.metadata().map_err(at)?.len();
    if offset > entry.bytes {
        file.set_len(0).map_err(at)?;
        offset = 0;
    }
    progress(offset);
    let begun = tokio::time::Instant::now();
    while offset < entry.bytes {
        let read = keeper.client.read_piece(contract, piece, offset).await;
        let some = match read.map_err(KeeperFailure::from) {
            Ok(some) => some.0,
            Err(KeeperFailure::Refused(StorageError::Coming | StorageError::Starting))
                if begun.elapsed() < COMING_PATIENCE =>
            {
                tokio::time::sleep(COMING_LOOK).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let left = entry.bytes.saturating_sub(offset);
        if some.is_empty() || some.len() as u64 > left {
            // What is there may be of another masternode, and right.
            return Err(KeeperFailure::Refused(StorageError::NoSuchBytes).into());
        }
        file.write_all(&some).map_err(at)?;
        offset = offset.saturating_add(some.len() as u64);
        progress(some.len() as u64);
    }
    drop(file);
    let root = chunk_root(&part).map_err(at)?;
    if root != entry.chunk_root {
        fs::remove_file(&part).map_err(at)?;
        return Err(KeeperFailure::Refused(StorageError::WrongPiece { piece }).into());
    }
    fs::rename(&part, into).map_err(at)
}

fn chunk_root(path: &Path) -> io::Result<quern_primitives::Digest> {
    let mut file = File::open(path)?;
    let mut hasher = ChunkHasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish().root()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_that_somebody_spoilt_begins_anew_and_one_that_is_not_wanted_ends() {
        let expected = 7;
        assert_eq!(goes_on(&StorageError::OutOfOrder { expected }), Some(7));
        let why = String::new();
        assert_eq!(goes_on(&StorageError::WrongList { why }), Some(0));
        assert_eq!(goes_on(&StorageError::WrongPiece { piece: 3 }), Some(0));
        assert_eq!(goes_on(&StorageError::TooLong { limit: 9 }), Some(0));
        for ends in [StorageError::NotMember, StorageError::NoRoom { bytes: 1 }] {
            assert_eq!(goes_on(&ends), None, "{ends}");
        }
    }
}
