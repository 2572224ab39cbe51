//! From a folder to pieces.

use crate::{
    archive::{PackError, SurveyedFolder},
    folder::FolderError,
    private::{PrivateFolder, at},
};
use quern_primitives::{
    AccountId, Digest, GenesisHash, JobId, ProgramHash, custody::contract_id, ids::ContractId,
    job::Salt,
};
use quern_shards::{
    chunks::ChunkHasher,
    context::ShardContext,
    keys::StoreKey,
    parity::{ParityError, StripeError, code_into},
    rand_core::CryptoRng,
    seal::{SealError, SealSalt, Sealer},
    stored::{Layout, LayoutError, ListError, PieceList, Plan},
};
use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
};

/// The file with the store's key.
const KEY: &str = "store.key";

/// The file with what the contract's name follows from.
const SALT: &str = "salt";

/// The file that says what pieces there are.
const LIST: &str = "pieces.list";

/// The folder of pieces.
const PIECES: &str = "pieces";

/// Bytes before the archive, which say how long it is.
pub(super) const LENGTH_BYTES: u64 = 8;

/// Zeros at a time behind it.
const ZEROS: [u8; 4_096] = [0; 4_096];

/// Why a folder does not become pieces.
#[derive(Debug, thiserror::Error)]
pub enum StorePackError {
    /// The folder cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// It cannot be divided so.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A shard cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store's folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Parity cannot be made.
    #[error(transparent)]
    Parity(#[from] ParityError),
    /// There is no such stripe.
    #[error(transparent)]
    Stripe(#[from] StripeError),
    /// The pieces do not make a list.
    #[error(transparent)]
    List(#[from] ListError),
}

/// The context of a shard that is kept: that of a job's shard, with the contract in the job's place and no
/// program.
pub(super) fn context(
    genesis: GenesisHash,
    contract: ContractId,
    plan: &Plan,
    index: u32,
) -> ShardContext {
    ShardContext {
        genesis,
        job: JobId(contract.0),
        program: ProgramHash([0; 32]),
        index,
        count: plan.shards(),
        plaintext_bytes: plan.shard_bytes().into(),
    }
}

/// Makes the pieces of a folder in a new folder below `stores`. `progress` hears how many bytes of how many are
/// sealed. A folder that changes meanwhile is refused, and what was made of it goes.
pub fn pack(
    stores: &Path,
    (genesis, owner): (GenesisHash, &AccountId),
    folder: &Path,
    layout: Layout,
    progress: impl FnMut(u64, u64),
) -> Result<StoreFolder, StorePackError> {
    pack_with(
        &mut rand::rng(),
        stores,
        (genesis, owner),
        folder,
        layout,
        progress,
    )
}

/// The same with whatever chance.
pub(super) fn pack_with(
    rng: &mut impl CryptoRng,
    stores: &Path,
    (genesis, owner): (GenesisHash, &AccountId),
    folder: &Path,
    layout: Layout,
    progress: impl FnMut(u64, u64),
) -> Result<StoreFolder, StorePackError> {
    let surveyed = SurveyedFolder::survey(folder)?;
    let archive_bytes = surveyed.facts().archive_bytes;
    let plan = Plan::of(layout, archive_bytes.saturating_add(LENGTH_BYTES))?;
    let mut salt = Salt::default();
    rng.fill_bytes(&mut salt);
    let contract = contract_id(&genesis, owner, &salt);
    let folder = PrivateFolder::begin(stores, contract.0, PIECES)?;
    let store = StoreFolder { folder, contract };
    let filled = store.fill(rng, genesis, salt, (&surveyed, plan), progress);
    if let Err(error) = filled {
        // Nothing of it can be used: the contract's name follows from a salt that nobody has any more.
        store.folder.discard();
        return Err(error);
    }
    Ok(store.finish(stores)?)
}

/// The folder of a store on its owner's machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFolder {
    folder: PrivateFolder,
    contract: ContractId,
}

impl StoreFolder {
    /// The folder of a store that was made below `stores`.
    pub fn find(stores: &Path, contract: ContractId) -> Result<Self, FolderError> {
        let folder = PrivateFolder::find(stores, contract.0, LIST)
            .map_err(|path| FolderError::NoStore { path })?;
        Ok(Self { folder, contract })
    }

    /// The contract.
    pub fn contract(&self) -> ContractId {
        self.contract
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where a piece is, as long as it is here.
    pub fn piece(&self, piece: u32) -> PathBuf {
        self.path().join(named(piece))
    }

    /// What the contract's name follows from.
    pub fn salt(&self) -> Result<Salt, FolderError> {
        self.folder.read(SALT, |bytes| Salt::try_from(bytes).ok())
    }

    /// What pieces there are.
    pub fn list(&self) -> Result<PieceList, FolderError> {
        self.folder
            .read(LIST, |bytes| PieceList::decode(bytes).ok())
    }

    /// The store's key.
    pub fn key(&self) -> Result<StoreKey, FolderError> {
        let bytes = self.folder.key(KEY)?;
        Ok(StoreKey::from_bytes(*bytes))
    }

    /// Removes a piece that a holder has.
    pub fn drop_piece(&self, piece: u32) -> Result<(), FolderError> {
        self.folder.remove_file(&named(piece))
    }

    /// Removes all of it, its key too: for a store that was handed to nobody.
    pub fn discard(self) {
        self.folder.discard();
    }

    fn finish(self, stores: &Path) -> Result<Self, FolderError> {
        let Self { folder, contract } = self;
        let folder = folder.finish(stores, contract.0)?;
        Ok(Self { folder, contract })
    }

    fn fill(
        &self,
        rng: &mut impl CryptoRng,
        genesis: GenesisHash,
        salt: Salt,
        (surveyed, plan): (&SurveyedFolder, Plan),
        progress: impl FnMut(u64, u64),
    ) -> Result<(), StorePackError> {
        let key = StoreKey::random(rng);
        self.folder.put_key(KEY, key.expose())?;
        self.folder.put(SALT, &salt)?;
        let mut cutter = Cutter {
            store: self,
            genesis,
            key,
            plan,
            salts: (0..plan.shards()).map(|_| SealSalt::random(rng)).collect(),
            open: None,
            roots: Vec::new(),
            fault: None,
            progress,
        };
        let archive_bytes = surveyed.facts().archive_bytes;
        let packed = cutter.take(&archive_bytes.to_le_bytes());
        let packed = packed.and_then(|()| Ok(surveyed.pack_into(&mut cutter).map(drop)?));
        // What the archive could not be written for is the store's own fault, not the archive's.
        cutter.fault.take().map_or(packed, Err)?;
        cutter.fill_up()?;
        let roots = self.code(&plan, cutter.roots)?;
        let list = PieceList::new(plan, &roots)?;
        Ok(self.folder.put(LIST, &list.encode())?)
    }

    /// Makes the parity of each stripe, and tells the roots of all pieces in their order.
    fn code(&self, plan: &Plan, shards: Vec<Digest>) -> Result<Vec<Digest>, StorePackError> {
        let mut shards = shards.into_iter();
        let mut roots = Vec::new();
        for number in 0..plan.stripes() {
            let of_stripe = plan.shards_of(number).len();
            roots.extend(shards.by_ref().take(of_stripe));
            let Some(stripe) = plan.stripe(number)? else {
                continue;
            };
            let mut pieces = plan.pieces_of(number);
            let held = pieces.by_ref().take(of_stripe).map(|piece| {
                let path = self.piece(piece);
                let file = File::open(&path).map_err(at(&path))?;
                Ok(BufReader::new(file))
            });
            let held = held.collect::<Result<Vec<_>, FolderError>>()?;
            let mut made = pieces
                .map(|piece| self.folder.create(&named(piece)).map(Hashed::new))
                .collect::<Result<Vec<_>, FolderError>>()?;
            code_into(&stripe, held, &mut made)?;
            for one in made {
                roots.push(one.finish()?);
            }
        }
        Ok(roots)
    }
}

fn named(piece: u32) -> String {
    format!("{PIECES}/{piece}")
}

/// A file whose chunks are hashed while it is written.
struct Hashed {
    path: PathBuf,
    file: File,
    chunks: ChunkHasher,
}

impl Hashed {
    fn new((path, file): (PathBuf, File)) -> Self {
        Self {
            path,
            file,
            chunks: ChunkHasher::new(),
        }
    }

    fn finish(self) -> Result<Digest, FolderError> {
        self.file.sync_all().map_err(at(&self.path))?;
        Ok(self.chunks.finish().root())
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let (bytes, _) = bytes.split_at(written.min(bytes.len()));
        self.chunks.update(bytes);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Cuts what is written into shards and seals each as it comes.
struct Cutter<'a, P> {
    store: &'a StoreFolder,
    genesis: GenesisHash,
    key: StoreKey,
    plan: Plan,
    salts: Vec<SealSalt>,
    /// The shard that is being filled, and what it still takes.
    open: Option<(Sealer<File>, u64)>,
    /// The roots of those that are full.
    roots: Vec<Digest>,
    /// Why it could not go on; an archive only hears that writing failed.
    fault: Option<StorePackError>,
    progress: P,
}

impl<P: FnMut(u64, u64)> Cutter<'_, P> {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), StorePackError> {
        while !bytes.is_empty() {
            let (mut sealer, left) = match self.open.take() {
                Some(open) => open,
                None => self.begin()?,
            };
            let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (first, rest) = bytes.split_at(taken);
            sealer.push(first)?;
            let left = left.saturating_sub(taken as u64);
            match left {
                0 => self.end(sealer)?,
                left => self.open = Some((sealer, left)),
            }
            bytes = rest;
        }
        Ok(())
    }

    /// The next shard.
    fn begin(&mut self) -> Result<(Sealer<File>, u64), StorePackError> {
        let index = u32::try_from(self.roots.len()).unwrap_or(u32::MAX);
        let Some(salt) = self.salts.get(self.roots.len()) else {
            // More came than was announced.
            let (expected, found) = (self.plan.bytes(), self.plan.bytes().saturating_add(1));
            return Err(SealError::OtherLength { expected, found }.into());
        };
        let context = context(self.genesis, self.store.contract, &self.plan, index);
        let key = self.key.shard_key(&self.store.contract, index);
        let name = named(self.plan.piece_of(index));
        let (_, file) = self.store.folder.create(&name)?;
        let sealer = Sealer::new(file, &key, *salt, &context)?;
        Ok((sealer, self.plan.shard_bytes().into()))
    }

    fn end(&mut self, sealer: Sealer<File>) -> Result<(), StorePackError> {
        let (file, tree) = sealer.finish()?;
        file.sync_all()
            .map_err(|source| SealError::Write { source })?;
        self.roots.push(tree.root());
        let sealed = (self.roots.len() as u64).saturating_mul(self.plan.shard_bytes().into());
        (self.progress)(sealed, self.plan.bytes());
        Ok(())
    }

    /// Zeros to the end of the last shard.
    fn fill_up(&mut self) -> Result<(), StorePackError> {
        while let Some((_, left)) = &self.open {
            let zeros = usize::try_from(*left).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.take(ZEROS.split_at(zeros).0)?;
        }
        // So many shards as were planned: an archive is as long as its survey says.
        debug_assert_eq!(self.roots.len(), self.salts.len());
        Ok(())
    }
}

impl<P: FnMut(u64, u64)> Write for Cutter<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(fault) => {
                self.fault = Some(fault);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
