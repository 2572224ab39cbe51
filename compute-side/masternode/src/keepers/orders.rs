//! Carries out what the rules want. Whatever goes wrong is an outcome, and is tried again as the rules say.

use super::{
    HOLDERS_ASKED_MAX, Line, Shelves, contract::LastSeen, devices::Devices, reads::Reads, thing_of,
    words,
};
use crate::{daemon::Shared, locks::lock};
use quern_custody_rules::{drawn, proof};
use quern_jobs_api::StorageError;
use quern_keeping::Outcome;
use quern_ledger::{Call, CustodyCall, SubmitError};
use quern_network::WishError;
use quern_primitives::{
    Digest,
    custody::{ChallengedChunk, Held, HoldConsent, PieceEntry, Place, Proved, Terms, piece_chunks},
    ids::{ContractId, DeviceId, Period, PieceIndex},
    merkle::CHUNK_BYTES,
    payload::Signed,
};
use quern_protocol::keep::{Answer, Reason, Wish};
use quern_shards::{
    parity::{Held as HeldInput, Lost, restore_into},
    stored::PieceList,
};
use quern_transfer::{Shelved, TransferError};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufReader, BufWriter, Write as _},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// How long a device may take to answer one wish.
const WISH_TIMEOUT: Duration = Duration::from_secs(30);

/// The length of a block's slot.
const BLOCK: Duration = Duration::from_secs(2);

/// A device that fetches a piece is asked again after so long, and given up when it has not more of it after this.
const FETCH_LOOK: Duration = Duration::from_millis(500);
const FETCH_SILENCE: Duration = Duration::from_secs(60);

/// What a device's line brings at the least.
const FETCH_BYTES_A_SECOND: u64 = 64 * 1024;

/// How long a piece may take to be brought here.
const BRING_TIMEOUT: Duration = Duration::from_secs(600);

/// What carrying out a contract's orders needs.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) shelves: Arc<Shelves>,
    pub(super) line: Line,
    pub(super) devices: Arc<Devices>,
    pub(super) reads: Arc<Reads>,
    pub(super) contract: ContractId,
    pub(super) list: Arc<PieceList>,
    pub(super) seen: Mutex<LastSeen>,
    /// What devices signed last, for a piece each.
    pub(super) consents: Mutex<BTreeMap<(PieceIndex, DeviceId), Signed<HoldConsent>>>,
    /// What is being asked for another member, and what was just asked for in vain.
    pub(super) asking: Mutex<BTreeSet<(Period, Held)>>,
    /// Until when nothing is placed, because the chain takes no holder of any piece now.
    pub(super) paused_until: Mutex<Option<Instant>>,
    /// Whether the chain is being told what is over.
    pub(super) ending: Mutex<bool>,
    /// Who has proved what to this masternode, of the last two periods.
    pub(super) proofs: Mutex<BTreeSet<(Period, Held)>>,
}

impl Context {
    fn entry(&self, piece: PieceIndex) -> Option<PieceEntry> {
        self.list.entries().get(piece as usize).copied()
    }

    fn terms(&self) -> Option<Terms> {
        let seen = lock(&self.seen);
        seen.contract.as_ref().map(|contract| contract.terms)
    }

    async fn wish(&self, device: &DeviceId, wish: &Wish) -> Result<Answer, Outcome> {
        match timeout(WISH_TIMEOUT, self.line.asker.wish(device, wish)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(WishError::OtherProtocol)) => Err(Outcome::Refused),
            Ok(Err(error)) => {
                tracing::debug!(%device, %error, "a device does not answer a wish");
                Err(Outcome::Failed)
            }
            Err(_) => Err(Outcome::Failed),
        }
    }

    /// Whether nothing is placed now.
    fn is_paused(&self) -> bool {
        lock(&self.paused_until).is_some_and(|until| Instant::now() < until)
    }

    /// Sends a call, and waits until it is in a finalised block.
    pub(super) async fn call(&self, call: CustodyCall) -> Outcome {
        match self.settle(call).await {
            Ok(()) => Outcome::Done,
            Err(_) => Outcome::Failed,
        }
    }

    /// The same; the error's name, if the chain refused it.
    async fn settle(&self, call: CustodyCall) -> Result<(), Option<String>> {
        let call = Call::Custody(Box::new(call));
        let sent = {
            let _turn = self.shared.sending.lock().await;
            self.shared.chain.send(&self.shared.account, &call).await
        };
        let settled = match sent {
            Ok(sent) => sent.settled().await,
            Err(error) => Err(error),
        };
        match settled {
            Ok(_) => Ok(()),
            Err(SubmitError::Refused { call, error, docs }) => {
                tracing::info!(contract = %self.contract, call, error, docs, "the chain does not take what was sent of a contract");
                Err(Some(error))
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(contract = %self.contract, %error, source, "what was sent of a contract is in no block");
                Err(None)
            }
        }
    }
}

/// What follows from a refusal.
fn refused(reason: Reason) -> Outcome {
    match reason {
        Reason::KeepsNothing | Reason::NoRoom => Outcome::Refused,
        _ => Outcome::Failed,
    }
}

/// What came of having a device fetch a piece.
pub(super) enum Taken {
    /// This.
    As(Outcome),
    /// What is here is not the piece, and is erased.
    Damaged,
}

/// Has a device fetch a piece that is here, and waits until it has it.
pub(super) async fn take(context: &Context, piece: PieceIndex, device: DeviceId) -> Taken {
    let (Some(entry), Some(terms)) = (context.entry(piece), context.terms()) else {
        return Taken::As(Outcome::Failed);
    };
    let Some(thing) = thing_of(&entry) else {
        return Taken::As(Outcome::Refused);
    };
    if context.is_paused() {
        return Taken::As(Outcome::Failed);
    }
    let (contract, promised) = (context.contract, &context.line.promised);
    let path = context.shelves.path(contract, piece);
    promised.promise(contract, device, Shelved { thing, path });
    let wish = Wish::Take {
        contract,
        terms,
        entry,
    };
    let taking = until_it_has(context, &device, &wish, entry.bytes);
    let outcome = context.line.with(&[device], taking).await;
    let is_damaged = promised.withdraw(contract, device, &entry.chunk_root);
    if is_damaged && outcome != Outcome::Done {
        erase(context, piece).await;
        return Taken::Damaged;
    }
    Taken::As(outcome)
}

/// Waits until a device has a piece, for as long as a slow line takes at the most.
async fn until_it_has(context: &Context, device: &DeviceId, wish: &Wish, all: u64) -> Outcome {
    let begun = Instant::now();
    let patience = FETCH_SILENCE.saturating_add(Duration::from_secs(all / FETCH_BYTES_A_SECOND));
    let mut most = (0, begun);
    loop {
        match context.wish(device, wish).await {
            Ok(Answer::Has) => return Outcome::Done,
            Ok(Answer::Fetching { bytes }) => {
                if bytes.min(all) > most.0 {
                    most = (bytes.min(all), Instant::now());
                }
                if most.1.elapsed() > FETCH_SILENCE || begun.elapsed() > patience {
                    return Outcome::Failed;
                }
                sleep(FETCH_LOOK).await;
            }
            Ok(Answer::No(reason)) => return refused(reason),
            Ok(_) => return Outcome::Refused,
            Err(outcome) => return outcome,
        }
    }
}

/// Has a device sign for a piece that it has.
pub(super) async fn sign(
    context: &Context,
    piece: PieceIndex,
    device: DeviceId,
    since: Period,
) -> Outcome {
    let (Some(entry), Some(terms)) = (context.entry(piece), context.terms()) else {
        return Outcome::Failed;
    };
    let contract = context.contract;
    let account = match account_of(context, device).await {
        Some(account) => account,
        None => return Outcome::Failed,
    };
    // One that was started again knows nothing of terms any more.
    let take = Wish::Take {
        contract,
        terms,
        entry,
    };
    match context.wish(&device, &take).await {
        Ok(Answer::Has) => {}
        Ok(Answer::No(reason)) => return refused(reason),
        Ok(_) | Err(_) => return Outcome::Failed,
    }
    let wish = Wish::Sign {
        contract,
        piece,
        account: account.clone(),
        since,
    };
    let signature = match context.wish(&device, &wish).await {
        Ok(Answer::Signed(signature)) => signature,
        Ok(Answer::No(reason)) => {
            tracing::debug!(%device, piece, ?reason, "a device does not sign for a piece");
            return refused(reason);
        }
        Ok(_) => return Outcome::Refused,
        Err(outcome) => return outcome,
    };
    let payload = HoldConsent {
        contract,
        device,
        account,
        since,
        entry,
        terms,
    };
    let consent = Signed { payload, signature };
    if !consent.is_signed_by(&device, &context.shared.genesis) {
        tracing::warn!(%device, piece, "a device signs something else than it was asked for");
        return Outcome::Refused;
    }
    lock(&context.consents).insert((piece, device), consent);
    Outcome::Done
}

async fn account_of(context: &Context, device: DeviceId) -> Option<quern_primitives::AccountId> {
    let state = context.shared.chain.at_finalised().await.ok()?;
    let view = state.device(device).await.ok()?;
    view.map(|view| view.device.account)
}

/// Tells the chain that a device takes a piece.
pub(super) async fn hold(context: &Context, piece: PieceIndex, device: DeviceId) -> Outcome {
    let consent = lock(&context.consents).remove(&(piece, device));
    let (Some(consent), Some(path)) = (consent, context.list.path(piece)) else {
        return Outcome::Failed;
    };
    if context.is_paused() {
        return Outcome::Failed;
    }
    let consent = Box::new(consent);
    match context.settle(CustodyCall::Hold { consent, path }).await {
        Ok(()) => {
            tracing::info!(contract = %context.contract, piece, %device, "a device keeps a piece");
            Outcome::Done
        }
        Err(None) => Outcome::Failed,
        Err(Some(error)) => match follows(&error) {
            Follows::Again => Outcome::Failed,
            Follows::Another => Outcome::Refused,
            Follows::Pause => {
                let blocks = context.terms().map_or(0, |terms| terms.period_blocks);
                let pause = BLOCK.saturating_mul(blocks);
                *lock(&context.paused_until) = Instant::now().checked_add(pause);
                Outcome::Failed
            }
        },
    }
}

/// What follows where the chain does not take a holder: each refusal costs a fee.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// The same, a little later.
    Again,
    /// Another device.
    Another,
    /// Nothing for a period: it is the contract's fault, or its owner's.
    Pause,
}

pub(super) fn follows(error: &str) -> Follows {
    match error.rsplit('.').next().unwrap_or(error) {
        "WrongSince" => Follows::Again,
        "NotDevicesAccount" | "DeviceUnfit" | "DeviceContained" | "HoldingExists"
        | "PieceTaken" | "PieceRefused" | "ConsentNotSigned" => Follows::Another,
        _ => Follows::Pause,
    }
}

/// Has a device prove that it has a piece.
pub(super) async fn prove(
    context: &Context,
    held: Held,
    (period, randomness): (Period, Digest),
) -> Outcome {
    let Some(entry) = context.entry(held.piece) else {
        return Outcome::Refused;
    };
    let place = context.place_of(&held);
    let seed = drawn::seed(&randomness, &place, period);
    let asked = drawn::chunks(&seed, piece_chunks(entry.bytes).unwrap_or_default());
    let wish = Wish::Prove {
        contract: context.contract,
        piece: held.piece,
        chunks: asked.clone(),
    };
    match context.wish(&held.device, &wish).await {
        Ok(Answer::Proved(chunks)) if are_proof(&entry, &asked, &chunks) => {
            lock(&context.proofs).insert((period, held));
            Outcome::Done
        }
        Ok(Answer::Proved(_)) => {
            tracing::warn!(device = %held.device, piece = held.piece, "what a device shows is not the piece");
            Outcome::Failed
        }
        Ok(answer) => {
            tracing::info!(device = %held.device, piece = held.piece, ?answer, "a device does not prove a piece");
            Outcome::Failed
        }
        Err(outcome) => outcome,
    }
}

/// Whether these are the chunks that were asked for, each at its place of the piece.
pub(super) fn are_proof(entry: &PieceEntry, asked: &[u32], shown: &[ChallengedChunk]) -> bool {
    let count = piece_chunks(entry.bytes).unwrap_or_default();
    let is_at_place = |(index, chunk): (&u32, &ChallengedChunk)| {
        let start = u64::from(*index).saturating_mul(CHUNK_BYTES as u64);
        let bytes = entry.bytes.saturating_sub(start).min(CHUNK_BYTES as u64);
        chunk.bytes.len() as u64 == bytes
            && proof::check(&chunk.proof, *index, count, &entry.chunk_root, &chunk.bytes).is_ok()
    };
    asked.len() == shown.len() && asked.iter().zip(shown).all(is_at_place)
}

/// Has paid who proved their pieces.
pub(super) async fn certify(context: &Context, period: Period, proved: Vec<Held>) -> Outcome {
    let Ok(holders) = proved.try_into() else {
        return Outcome::Refused;
    };
    let proved = Proved {
        contract: context.contract,
        period,
        holders,
    };
    let certificates = match words::gather(context, &proved).await {
        Ok(certificates) => certificates,
        Err(error) => {
            tracing::info!(contract = %context.contract, period, %error, "who proved pieces is not paid yet");
            return Outcome::Failed;
        }
    };
    let count = proved.holders.len();
    let proved = Box::new(proved);
    let outcome = context
        .call(CustodyCall::Prove {
            proved,
            certificates,
        })
        .await;
    if outcome == Outcome::Done {
        tracing::info!(contract = %context.contract, period, pieces = count, "who proved pieces is paid");
    }
    outcome
}

/// Challenges a holder on the chain.
pub(super) async fn challenge(context: &Context, place: Place) -> Outcome {
    let outcome = context.call(CustodyCall::Challenge(place)).await;
    if outcome == Outcome::Done {
        tracing::warn!(contract = %context.contract, piece = place.piece, device = %place.holder, "a device has not proved a piece, and is challenged on the chain");
    }
    outcome
}

/// Gives a piece up whose device is gone.
pub(super) async fn release(context: &Context, place: Place) -> Outcome {
    context.call(CustodyCall::Release(place)).await
}

/// Has the chain forget holdings that are over, and close a contract that is. Each costs nothing if it is taken.
pub(super) async fn end(context: &Context, places: Vec<Place>, is_over: bool) {
    if std::mem::replace(&mut *lock(&context.ending), true) {
        return;
    }
    for place in places {
        context.call(CustodyCall::Forget(place)).await;
    }
    if is_over && context.call(CustodyCall::Close(context.contract)).await == Outcome::Done {
        tracing::info!(contract = %context.contract, "a contract is closed");
    }
    *lock(&context.ending) = false;
}

/// Brings a piece here from those who hold it.
pub(super) async fn fetch(context: &Context, piece: PieceIndex, from: &[DeviceId]) -> Outcome {
    let Some(entry) = context.entry(piece) else {
        return Outcome::Refused;
    };
    if context.shelves.has(context.contract, piece) {
        return Outcome::Done;
    }
    let Some(thing) = thing_of(&entry) else {
        return Outcome::Refused;
    };
    let Ok(into) = context.shelves.place_beside(context.contract, piece) else {
        return Outcome::Failed;
    };
    if !into.is_file() {
        let fetched = context.line.transfer.fetch(thing, &into, None);
        let fetched = timeout(BRING_TIMEOUT, fetched);
        let from = from.get(..HOLDERS_ASKED_MAX).unwrap_or(from);
        match context.line.with(from, fetched).await {
            Ok(Ok(())) => {}
            Ok(Err(TransferError::Elsewhere { .. })) | Err(_) => return Outcome::Failed,
            Ok(Err(error)) => {
                tracing::warn!(contract = %context.contract, piece, %error, "a piece cannot be brought here");
                return Outcome::Failed;
            }
        }
    }
    keep(context, entry).await
}

/// Brings a piece here to be read, beside those that are to be here. Returns whether it is.
pub(super) async fn fetch_to_read(context: &Context, entry: PieceEntry, from: &[DeviceId]) -> bool {
    let (contract, piece) = (context.contract, entry.piece);
    let (Some(thing), Ok(into)) = (
        thing_of(&entry),
        context.shelves.place_to_read(contract, piece),
    ) else {
        return false;
    };
    let fetched = context.line.transfer.fetch(thing, &into, None);
    let fetched = timeout(BRING_TIMEOUT, fetched);
    let from = from.get(..HOLDERS_ASKED_MAX).unwrap_or(from);
    match context.line.with(from, fetched).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::info!(%contract, piece, %error, "a piece cannot be brought here to be read");
            false
        }
        Err(_) => false,
    }
}

/// Gives a piece its name that was fetched or made beside it.
async fn keep(context: &Context, entry: PieceEntry) -> Outcome {
    let (shelves, contract) = (context.shelves.clone(), context.contract);
    let kept = super::blocking(move || shelves.keep(contract, &entry)).await;
    match kept {
        Ok(()) => Outcome::Done,
        Err(error) => {
            tracing::warn!(%contract, piece = entry.piece, %error, "a piece is not kept here");
            Outcome::Failed
        }
    }
}

/// Makes a piece of others of its stripe that are here.
pub(super) async fn make(context: &Context, piece: PieceIndex, of: &[PieceIndex]) -> Outcome {
    let Some(entry) = context.entry(piece) else {
        return Outcome::Refused;
    };
    let (shelves, list, of) = (context.shelves.clone(), context.list.clone(), of.to_vec());
    let contract = context.contract;
    let made = super::blocking(move || {
        restore(&shelves, &list, contract, (piece, &of)).map_err(|_| StorageError::Storage)
    });
    match made.await {
        Ok(()) => {
            tracing::info!(%contract, piece, "a piece was made again of others");
            keep(context, entry).await
        }
        Err(error) => {
            tracing::warn!(%contract, piece, %error, "a piece cannot be made again");
            Outcome::Failed
        }
    }
}

/// Makes a piece beside its name.
fn restore(
    shelves: &Shelves,
    list: &PieceList,
    contract: ContractId,
    (piece, of): (PieceIndex, &[PieceIndex]),
) -> io::Result<()> {
    let plan = list.plan();
    let none = || io::Error::from(io::ErrorKind::InvalidInput);
    let spot = plan.spot(piece).ok_or_else(none)?;
    let stripe = plan.stripe(spot.stripe).map_err(io::Error::other)?;
    let stripe = stripe.ok_or_else(none)?;
    let first = plan.pieces_of(spot.stripe).start;
    let place_of = |piece: PieceIndex| piece.saturating_sub(first) as usize;
    let held = of.iter().map(|other| {
        let file = File::open(shelves.path(contract, *other))?;
        Ok(HeldInput {
            place: place_of(*other),
            input: BufReader::new(file),
        })
    });
    let held = held.collect::<io::Result<Vec<_>>>()?;
    let beside = shelves.place_beside(contract, piece)?;
    let mut output = BufWriter::new(File::create(&beside)?);
    let lost = vec![Lost {
        place: place_of(piece),
        output: &mut output,
    }];
    restore_into(&stripe, held, lost).map_err(io::Error::other)?;
    output.flush()
}

/// Erases a piece here.
pub(super) async fn erase(context: &Context, piece: PieceIndex) -> Outcome {
    let (shelves, contract) = (context.shelves.clone(), context.contract);
    let erased = super::blocking(move || {
        shelves
            .erase(contract, piece)
            .map_err(|_| StorageError::Storage)
    });
    match erased.await {
        Ok(()) => Outcome::Done,
        Err(_) => Outcome::Failed,
    }
}
