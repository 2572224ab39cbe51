//! Has pieces kept: of the contracts in whose group this masternode is, as `quern-keeping` says.
//!
//! | module | what it does |
//! | --- | --- |
//! | `shelves` | lists and pieces on this masternode's disk, until devices keep them |
//! | `devices` | which connected devices may take pieces |
//! | `contract` | one contract: looks at the chain, steps the rules, has carried out what they want |
//! | `orders` | carries out what the rules want: asks devices, sends calls, moves and makes pieces |
//! | `reads` | which pieces are here because somebody reads them |
//! | `words` | gathers the words of the group that pieces are proved, and gives this masternode's own |
//!
//! A contract is known here from when its owner uploads the list of its pieces, and its folder outlives a restart. What
//! the chain says is asked for every few seconds, more seldom where periods are long; nothing here is in a hurry.

mod contract;
mod devices;
mod orders;
mod reads;
mod shelves;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod words;

pub(crate) use shelves::Shelves;

use crate::{daemon::Shared, locks::lock};
use contract::{Known, Status};
use devices::Devices;
use quern_jobs_api::{
    OFFERED_PIECES_MAX, PIECE_BYTES_MAX, StorageError, StorageOffer, StorageStatus,
};
use quern_keeping::Event;
use quern_network::{Asker, Inquiry};
use quern_primitives::ids::{ContractId, DeviceId, Digest, PieceIndex};
use quern_shards::stored::PieceList;
use quern_transfer::{Allowance, Config, Shelf, Shelved, SourceKind, Thing, Transfer};
use reads::Reads;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc, watch};

/// Contracts that are looked after at a time.
const CONTRACTS_MAX: usize = 4_096;

/// Questions of devices about content that wait.
pub(crate) const INQUIRIES_MAX: usize = 256;

/// Devices that are spoken with at a time about moving pieces: fewer than transfers know at a time.
const DEVICES_MOVING_MAX: u32 = 48;

/// Holders from which one piece is fetched at a time.
const HOLDERS_ASKED_MAX: usize = 6;

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// What may be fetched by whom for which contract, and where it is.
type Given = BTreeMap<Digest, BTreeMap<(ContractId, DeviceId), Shelved>>;

/// What is given to devices.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    given: Mutex<Given>,
    /// What was found not to be what its name says.
    damaged: Mutex<BTreeSet<Digest>>,
}

impl Promised {
    /// A device may fetch a piece of a contract from now on.
    fn promise(&self, contract: ContractId, device: DeviceId, shelved: Shelved) {
        let mut given = lock(&self.given);
        let promised = given.entry(shelved.thing.root()).or_default();
        promised.insert((contract, device), shelved);
    }

    /// It does not fetch it any more. Tells whether it was found to be damaged meanwhile.
    fn withdraw(&self, contract: ContractId, device: DeviceId, root: &Digest) -> bool {
        let mut given = lock(&self.given);
        if let Some(promised) = given.get_mut(root) {
            promised.remove(&(contract, device));
            if promised.is_empty() {
                given.remove(root);
            }
        }
        lock(&self.damaged).remove(root)
    }
}

impl Shelf for Promised {
    fn gives(&self, peer: &DeviceId, root: &Digest) -> bool {
        let given = lock(&self.given);
        let promised = given.get(root).into_iter().flatten();
        promised.map(|((_, device), _)| device).any(|it| it == peer)
    }

    fn find(&self, root: &Digest) -> Option<Shelved> {
        let given = lock(&self.given);
        let mut promised = given.get(root)?.values();
        promised.find(|shelved| shelved.path.is_file()).cloned()
    }

    fn is_damaged(&self, root: &Digest) {
        tracing::warn!(%root, "a piece that is to be given to a device is not what it was, or cannot be read");
        // Whoever waits for it hears of it when it gives up; it is bounded by what is promised.
        if lock(&self.given).contains_key(root) {
            lock(&self.damaged).insert(*root);
        }
    }
}

/// What is needed to speak with devices.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) asker: Asker,
    pub(crate) transfer: Transfer,
    pub(crate) promised: Arc<Promised>,
    /// How many are moving pieces with each device. Held while transfers are told, so that they hear it in order.
    uses: Arc<AsyncMutex<BTreeMap<DeviceId, usize>>>,
    /// Room for as many devices as transfers know.
    moving: Arc<Semaphore>,
}

impl Line {
    /// Over the connections of a server.
    pub(crate) fn new(asker: Asker, inquiries: mpsc::Receiver<Inquiry>) -> Self {
        let promised = Arc::new(Promised::default());
        // Nothing bounds what a masternode moves; without whoever could say so it stays so.
        let (_, allowance) = watch::channel(Allowance::default());
        let transfer = Transfer::start(Config {
            seed: rand::random(),
            shelf: promised.clone(),
            allowance,
            inquiries,
            moved_bytes: Arc::default(),
        });
        Self {
            asker,
            transfer,
            promised,
            uses: Arc::default(),
            moving: Arc::new(Semaphore::new(DEVICES_MOVING_MAX as usize)),
        }
    }

    /// Does something for which pieces move from or to these devices. It must come to an end by itself.
    async fn with<T>(&self, devices: &[DeviceId], work: impl Future<Output = T>) -> T {
        let many = u32::try_from(devices.len()).unwrap_or(u32::MAX);
        // An error would say that it is closed, which it never is.
        let _room = self.moving.acquire_many(many.min(DEVICES_MOVING_MAX)).await;
        for device in devices {
            let mut uses = self.uses.lock().await;
            let count = uses.entry(*device).or_default();
            *count = count.saturating_add(1);
            let asker = self.asker.clone();
            self.transfer.came(*device, SourceKind::Device, asker).await;
        }
        let done = work.await;
        for device in devices {
            let mut uses = self.uses.lock().await;
            let left = uses.get(device).map_or(0, |count| count.saturating_sub(1));
            if left > 0 {
                uses.insert(*device, left);
            } else {
                uses.remove(device);
                self.transfer.left(*device).await;
            }
        }
        done
    }
}

/// All contracts that are looked after here. Clones are for the same.
#[derive(Clone)]
pub(crate) struct Keepers {
    shared: Arc<Shared>,
    shelves: Arc<Shelves>,
    line: Arc<OnceLock<Line>>,
    devices: Arc<Devices>,
    contracts: Arc<Mutex<BTreeMap<ContractId, Arc<Known>>>>,
    reads: Arc<Reads>,
}

impl Keepers {
    /// Knows what is on the disk, and looks after nothing yet.
    pub(crate) fn open(shared: Arc<Shared>, folder: &Path, bytes_max: u64) -> anyhow::Result<Self> {
        Ok(Self {
            shared,
            shelves: Arc::new(Shelves::open(folder, bytes_max)?),
            line: Arc::default(),
            devices: Arc::default(),
            contracts: Arc::default(),
            reads: Arc::default(),
        })
    }

    /// Begins to look after what is on the disk.
    pub(crate) async fn run(self, line: Line) {
        if self.line.set(line.clone()).is_err() {
            return;
        }
        tokio::spawn(devices::look(
            self.shared.clone(),
            self.devices.clone(),
            line.asker,
        ));
        let mut left = self.shelves.folders().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read which pieces are here");
            Vec::new()
        });
        while !left.is_empty() {
            let mut again = Vec::new();
            for contract in left {
                if let Err(StorageError::Starting) = self.find(contract).await {
                    again.push(contract);
                }
            }
            left = again;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks after a contract of which something was found on the disk; what is left of one that is over goes.
    async fn find(&self, contract: ContractId) -> Result<(), StorageError> {
        if !self.shelves.has_list(contract) || self.is_over(contract).await? {
            tracing::info!(%contract, "erases what is left of a contract");
            let shelves = self.shelves.clone();
            return blocking(move || {
                shelves
                    .erase_all(contract)
                    .map_err(|_| StorageError::Storage)
            })
            .await;
        }
        match self.take_up(contract).await {
            Ok(_) => Ok(()),
            Err(StorageError::Starting) => Err(StorageError::Starting),
            Err(error) => {
                tracing::warn!(%contract, %error, "pieces of a contract are here, and it is not looked after");
                Err(error)
            }
        }
    }

    /// Whether the chain has closed a contract.
    async fn is_over(&self, contract: ContractId) -> Result<bool, StorageError> {
        let read = async {
            let state = self.shared.chain.at_finalised().await?;
            state.contract(contract).await
        };
        let found = read.await.map_err(|_| StorageError::Starting)?;
        Ok(found.is_none())
    }

    /// The contract, if it is looked after here.
    fn known(&self, contract: ContractId) -> Option<Arc<Known>> {
        lock(&self.contracts).get(&contract).cloned()
    }

    /// The contract, with its list, or why not.
    fn listed(&self, contract: ContractId) -> Result<Arc<Known>, StorageError> {
        self.known(contract).ok_or(StorageError::ListMissing)
    }

    /// Begins to look after a contract whose list is on the disk.
    async fn take_up(&self, contract: ContractId) -> Result<Arc<Known>, StorageError> {
        if let Some(known) = self.known(contract) {
            return Ok(known);
        }
        let line = self.line.get().ok_or(StorageError::Starting)?.clone();
        let place = self.place_in(contract).await?;
        let shelves = self.shelves.clone();
        let list = blocking(move || shelves.list(contract)).await?;
        let mut contracts = lock(&self.contracts);
        if let Some(known) = contracts.get(&contract) {
            return Ok(known.clone());
        }
        contracts.retain(|_, known| !known.is_over());
        if contracts.len() >= CONTRACTS_MAX {
            return Err(StorageError::TooManyContracts);
        }
        let parts = contract::Parts {
            shared: self.shared.clone(),
            shelves: self.shelves.clone(),
            devices: self.devices.clone(),
            line,
            reads: self.reads.clone(),
        };
        let known = contract::start(parts, contract, place, list);
        contracts.insert(contract, known.clone());
        Ok(known)
    }

    /// This masternode's place in the contract's group.
    async fn place_in(&self, contract: ContractId) -> Result<u8, StorageError> {
        let read = async {
            let state = self.shared.chain.at_finalised().await?;
            state.contract_group(contract).await
        };
        let group = read.await.map_err(|_| StorageError::Starting)?;
        let me = self.shared.account.id();
        group
            .and_then(|group| group.place_of(&me))
            .ok_or(StorageError::NotMember)
    }

    pub(crate) async fn offer(
        &self,
        contract: ContractId,
        first: PieceIndex,
    ) -> Result<StorageOffer, StorageError> {
        let Some(known) = self.known(contract) else {
            self.place_in(contract).await?;
            return Ok(StorageOffer {
                list_bytes: self.shelves.list_held(contract),
                ..StorageOffer::default()
            });
        };
        let shelves = self.shelves.clone();
        blocking(move || {
            let status = known.status();
            let copies = known.list.plan().layout().copies();
            let last = first.saturating_add(OFFERED_PIECES_MAX);
            let entries = known.list.entries().iter();
            let asked = entries.filter(|it| (first..last).contains(&it.piece));
            let missing = asked.filter_map(|entry| {
                let piece = entry.piece;
                let holders = status.holders.get(piece as usize).copied();
                let is_kept = holders.is_some_and(|holders| holders >= copies);
                let is_here = shelves.has(contract, piece);
                (!is_kept && !is_here).then(|| (piece, shelves.held(contract, piece)))
            });
            Ok(StorageOffer {
                list_bytes: shelves.list_held(contract),
                has_list: true,
                missing: missing.collect(),
            })
        })
        .await
    }

    pub(crate) async fn put_list(
        &self,
        contract: ContractId,
        offset: u64,
        part: Vec<u8>,
    ) -> Result<u64, StorageError> {
        if self.known(contract).is_some() {
            return Ok(self.shelves.list_held(contract));
        }
        self.place_in(contract).await?;
        let root = self.root_of(contract).await?;
        let shelves = self.shelves.clone();
        let is_last = part.len() < PIECE_BYTES_MAX;
        let held = blocking(move || {
            let held = shelves.append_list(contract, offset, &part)?;
            // The last part is the first short one.
            if is_last {
                shelves.keep_list(contract, &root)?;
            }
            Ok(held)
        })
        .await?;
        if is_last {
            self.take_up(contract).await?;
        }
        Ok(held)
    }

    /// The root over the contract's pieces, as the chain has it.
    async fn root_of(&self, contract: ContractId) -> Result<Digest, StorageError> {
        let read = async {
            let state = self.shared.chain.at_finalised().await?;
            state.contract(contract).await
        };
        let found = read.await.map_err(|_| StorageError::Starting)?;
        let found = found.ok_or(StorageError::NotMember)?;
        Ok(found.offer.pieces_root)
    }

    pub(crate) async fn put_piece(
        &self,
        contract: ContractId,
        piece: PieceIndex,
        offset: u64,
        part: Vec<u8>,
    ) -> Result<u64, StorageError> {
        let known = self.listed(contract)?;
        let entry = entry_of(&known.list, piece)?;
        let shelves = self.shelves.clone();
        let held = blocking(move || shelves.append(contract, &entry, offset, &part)).await?;
        if held == entry.bytes {
            known.tell(Event::Brought(piece)).await;
        }
        Ok(held)
    }

    pub(crate) fn status(&self, contract: ContractId) -> Result<StorageStatus, StorageError> {
        let known = self.listed(contract)?;
        let Status {
            holders,
            here,
            placing,
            devices,
        } = known.status();
        let plan = known.list.plan();
        Ok(StorageStatus {
            pieces: plan.pieces(),
            copies: plan.layout().copies(),
            here,
            holders,
            placing,
            devices,
        })
    }

    pub(crate) async fn read_list(
        &self,
        contract: ContractId,
        offset: u64,
    ) -> Result<Vec<u8>, StorageError> {
        self.listed(contract)?;
        let shelves = self.shelves.clone();
        blocking(move || shelves.read_list(contract, offset)).await
    }

    /// Bytes of a piece, which is brought here first if it is not.
    pub(crate) async fn read_piece(
        &self,
        contract: ContractId,
        piece: PieceIndex,
        offset: u64,
    ) -> Result<Vec<u8>, StorageError> {
        let known = self.listed(contract)?;
        let entry = entry_of(&known.list, piece)?;
        let shelves = self.shelves.clone();
        match blocking(move || shelves.read(contract, &entry, offset)).await? {
            Some(bytes) => {
                let end = offset.saturating_add(bytes.len() as u64);
                known.is_read(piece, end >= entry.bytes);
                Ok(bytes)
            }
            None => Err(known.bring(entry)),
        }
    }

    /// This masternode's word that these have proved their pieces.
    pub(crate) async fn certify(&self, proved: &[u8]) -> Result<Vec<u8>, StorageError> {
        let proved = words::decode(proved)?;
        let known = self.listed(proved.contract)?;
        known.certify(proved).await
    }
}

fn entry_of(
    list: &PieceList,
    piece: PieceIndex,
) -> Result<quern_primitives::custody::PieceEntry, StorageError> {
    let entry = list.entries().get(piece as usize);
    entry.copied().ok_or(StorageError::NoSuchPiece { piece })
}

/// The name of a piece's content.
fn thing_of(entry: &quern_primitives::custody::PieceEntry) -> Option<Thing> {
    Thing::new(entry.chunk_root, entry.bytes)
}

/// Does what may wait for a disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(StorageError::Storage))
}
