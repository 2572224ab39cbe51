//! From pieces to the folder.

use super::pack::{LENGTH_BYTES, context};
use crate::{
    archive::{self, Existing, RestoreError},
    folder::FolderError,
    private::at,
};
use quern_primitives::{GenesisHash, custody::PieceEntry, ids::ContractId};
use quern_shards::{
    archive::ArchiveFacts,
    chunks::HashingReader,
    keys::StoreKey,
    parity::{Held, Lost, ParityError, StripeError, restore_into},
    seal::{OpenError, Opener},
    stored::{PieceList, Plan},
};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

/// Where pieces are had from. What comes is wrong until it is checked.
pub trait Pieces {
    /// A piece from its beginning; none if it is not to be had.
    fn open(&self, piece: u32) -> io::Result<Option<Box<dyn Read + '_>>>;
}

/// Pieces in a folder, each under its number.
impl Pieces for Path {
    fn open(&self, piece: u32) -> io::Result<Option<Box<dyn Read + '_>>> {
        match File::open(self.join(piece.to_string())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Ok(Some(Box::new(BufReader::new(file?)))),
        }
    }
}

/// Why a folder does not come back.
#[derive(Debug, thiserror::Error)]
pub enum StoreRestoreError {
    /// There are not enough good pieces of a stripe.
    #[error(
        "of stripe {stripe} {found} good pieces are here where {needed} are needed; fetch others of pieces {first} to \
         {last}"
    )]
    TooFew {
        /// The stripe.
        stripe: u32,
        /// How many of its pieces are here and good.
        found: usize,
        /// How many give all others.
        needed: usize,
        /// Its first piece.
        first: u32,
        /// Its last piece.
        last: u32,
    },
    /// A piece cannot be read.
    #[error("piece {piece} cannot be read")]
    Read {
        /// The piece.
        piece: u32,
        /// What its source says.
        source: io::Error,
    },
    /// A shard does not open.
    #[error("shard {shard} does not open")]
    Open {
        /// The shard.
        shard: u32,
        /// Why.
        source: OpenError,
    },
    /// The stripe cannot be coded.
    #[error(transparent)]
    Parity(#[from] ParityError),
    /// There is no such stripe.
    #[error(transparent)]
    Stripe(#[from] StripeError),
    /// The scratch folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The folder is not restored.
    #[error(transparent)]
    Archive(#[from] RestoreError),
}

/// Restores a folder of any pieces that are enough. Each is held to its root before it is used; shards that are
/// lost are made again in `scratch`, stripe by stripe, and go when the stripe was read.
pub fn restore<P: Pieces + ?Sized>(
    (genesis, contract): (GenesisHash, ContractId),
    list: &PieceList,
    key: &StoreKey,
    pieces: &P,
    (scratch, into): (&Path, &Path),
    existing: Existing,
) -> Result<ArchiveFacts, StoreRestoreError> {
    let shards = Shards {
        genesis,
        contract,
        plan: *list.plan(),
        list,
        key,
        pieces,
        scratch,
    };
    let mut plaintext = Plaintext::new(&shards);
    let mut length = [0; LENGTH_BYTES as usize];
    let restored = plaintext
        .read_exact(&mut length)
        .map_err(|source| RestoreError::Decode(source_of_archive(source)))
        .and_then(|()| {
            let archive = plaintext.by_ref().take(u64::from_le_bytes(length));
            archive::restore(archive, into, existing)
        });
    // Behind the archive there are zeros, which nobody reads; nor does anybody behind an error.
    plaintext.open = None;
    plaintext.drop_made()?;
    // A reader says only that it failed; why, is kept.
    match plaintext.fault.take() {
        Some(fault) => Err(fault),
        None => Ok(restored?),
    }
}

fn source_of_archive(source: io::Error) -> quern_shards::archive::DecodeError {
    quern_shards::archive::DecodeError::Read { source }
}

/// All that is known of the shards.
struct Shards<'a, P: ?Sized> {
    genesis: GenesisHash,
    contract: ContractId,
    plan: Plan,
    list: &'a PieceList,
    key: &'a StoreKey,
    pieces: &'a P,
    scratch: &'a Path,
}

impl<'a, P: Pieces + ?Sized> Shards<'a, P> {
    /// Whether a piece is here and the one that the list names.
    fn is_good(&self, entry: &PieceEntry) -> Result<bool, StoreRestoreError> {
        let piece = entry.piece;
        let read = |source| StoreRestoreError::Read { piece, source };
        let Some(bytes) = self.pieces.open(piece).map_err(read)? else {
            return Ok(false);
        };
        // One byte more shows that it goes on.
        let mut hashed = HashingReader::new(bytes.take(entry.bytes.saturating_add(1)));
        let copied = io::copy(&mut hashed, &mut io::sink()).map_err(read)?;
        Ok(copied == entry.bytes && hashed.finish().root() == entry.chunk_root)
    }

    /// Looks at a stripe's pieces, as far as needed, and makes its lost shards again. Tells which these are.
    fn complete(&self, number: u32) -> Result<Vec<u32>, StoreRestoreError> {
        let shards = self.plan.shards_of(number);
        let (needed, pieces) = (shards.len(), self.plan.pieces_of(number));
        let entries = self.list.entries();
        let mut good = Vec::new();
        for (place, piece) in pieces.clone().enumerate() {
            if good.len() == needed {
                break;
            }
            let entry = entries.get(piece as usize);
            if let Some(entry) = entry
                && self.is_good(entry)?
            {
                good.push(place);
            }
        }
        if good.len() < needed {
            return Err(StoreRestoreError::TooFew {
                stripe: number,
                found: good.len(),
                needed,
                first: pieces.start,
                last: pieces.end.saturating_sub(1),
            });
        }
        let lost: Vec<usize> = (0..needed).filter(|place| !good.contains(place)).collect();
        let Some(stripe) = self.plan.stripe(number)?.filter(|_| !lost.is_empty()) else {
            return Ok(Vec::new());
        };
        let held = good.iter().map(|place| {
            let piece = pieces.clone().nth(*place).unwrap_or_default();
            let read = |source| StoreRestoreError::Read { piece, source };
            let input = self.pieces.open(piece).map_err(read)?;
            let gone = || read(io::ErrorKind::NotFound.into());
            Ok(Held {
                place: *place,
                input: input.ok_or_else(gone)?,
            })
        });
        let held = held.collect::<Result<Vec<_>, StoreRestoreError>>()?;
        let made = lost.iter().map(|place| {
            let shard = shards.clone().nth(*place).unwrap_or_default();
            let path = self.made(shard);
            let output = File::create(&path).map_err(at(&path))?;
            Ok(Lost {
                place: *place,
                output,
            })
        });
        let made = made.collect::<Result<Vec<_>, FolderError>>()?;
        restore_into(&stripe, held, made)?;
        let shard = |place: usize| shards.clone().nth(place);
        Ok(lost.into_iter().filter_map(shard).collect())
    }

    /// Where a shard is that was made again.
    fn made(&self, shard: u32) -> PathBuf {
        self.scratch.join(format!("shard-{shard}"))
    }

    fn opener(&self, shard: u32, is_made: bool) -> Result<OpenShard<'a>, StoreRestoreError> {
        let piece = self.plan.piece_of(shard);
        let read = |source| StoreRestoreError::Read { piece, source };
        let bytes: Box<dyn Read + 'a> = if is_made {
            let path = self.made(shard);
            Box::new(BufReader::new(File::open(&path).map_err(at(&path))?))
        } else {
            let bytes = self.pieces.open(piece).map_err(read)?;
            let gone = || read(io::ErrorKind::NotFound.into());
            bytes.ok_or_else(gone)?
        };
        let context = context(self.genesis, self.contract, &self.plan, shard);
        let key = self.key.shard_key(&self.contract, shard);
        let opener = Opener::new(bytes, &key, &context)
            .map_err(|source| StoreRestoreError::Open { shard, source })?;
        Ok(OpenShard { shard, opener })
    }
}

/// A shard that is being read.
struct OpenShard<'a> {
    shard: u32,
    opener: Opener<Box<dyn Read + 'a>>,
}

/// What the shards hold, one behind the other.
struct Plaintext<'a, P: ?Sized> {
    shards: &'a Shards<'a, P>,
    next: u32,
    open: Option<OpenShard<'a>>,
    /// Shards of this stripe that were made again.
    made: Vec<u32>,
    segment: Vec<u8>,
    at: usize,
    fault: Option<StoreRestoreError>,
}

impl<'a, P: Pieces + ?Sized> Plaintext<'a, P> {
    fn new(shards: &'a Shards<'a, P>) -> Self {
        Self {
            shards,
            next: 0,
            open: None,
            made: Vec::new(),
            segment: Vec::new(),
            at: 0,
            fault: None,
        }
    }

    /// Removes the shards that were made again.
    fn drop_made(&mut self) -> Result<(), FolderError> {
        for shard in std::mem::take(&mut self.made) {
            let path = self.shards.made(shard);
            fs::remove_file(&path).map_err(at(&path))?;
        }
        Ok(())
    }

    /// Gets the next segment; false if that was all.
    fn advance(&mut self) -> Result<bool, StoreRestoreError> {
        loop {
            if let Some(open) = &mut self.open {
                let shard = open.shard;
                let next = open.opener.next_segment();
                let next = next.map_err(|source| StoreRestoreError::Open { shard, source })?;
                if let Some(segment) = next {
                    self.segment.clear();
                    self.segment.extend_from_slice(segment);
                    self.at = 0;
                    return Ok(true);
                }
            }
            self.open = None;
            let plan = &self.shards.plan;
            if self.next == plan.shards() {
                return Ok(false);
            }
            let spot = plan.spot(plan.piece_of(self.next));
            let stripe = spot.map(|spot| spot.stripe).unwrap_or_default();
            if plan.shards_of(stripe).start == self.next {
                self.drop_made()?;
                self.made = self.shards.complete(stripe)?;
            }
            let is_made = self.made.contains(&self.next);
            self.open = Some(self.shards.opener(self.next, is_made)?);
            self.next = self.next.saturating_add(1);
        }
    }
}

impl<P: Pieces + ?Sized> Read for Plaintext<'_, P> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.segment.len() {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(io::ErrorKind::Other.into());
                }
            }
        }
        let (_, rest) = self.segment.split_at(self.at);
        let taken = rest.len().min(out.len());
        let (first, _) = rest.split_at(taken);
        let (place, _) = out.split_at_mut(taken);
        place.copy_from_slice(first);
        self.at = self.at.saturating_add(taken);
        Ok(taken)
    }
}
