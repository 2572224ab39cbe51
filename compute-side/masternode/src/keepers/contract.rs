//! One contract: looks at the chain, steps the rules, and has carried out what they want.

use super::{
    Line, Shelves,
    devices::Devices,
    orders::{self, Context},
    reads::{Begun, Name, Reads},
    thing_of,
};
use crate::{daemon::Shared, locks::lock};
use quern_custody_rules::{holding as holding_rules, life};
use quern_jobs_api::StorageError;
use quern_keeping::{Candidate, Event, Keeping, Order, OrderId, Outcome, Seen};
use quern_ledger::ChainError;
use quern_primitives::{
    custody::{Held, PieceEntry, Place, Proved},
    ids::{ContractId, DeviceId, Period, PieceIndex},
};
use quern_shards::stored::PieceList;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

/// How long the chain may take to tell how a contract stands.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Holdings that are over of which the chain is told at a time.
const FORGOTTEN_AT_A_TIME: usize = 8;

/// Events that wait; whoever has more waits.
const EVENTS_MAX: usize = 256;

/// The least and the most time between two looks at the chain, and how many there are in a period.
const LOOK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
const LOOKS_A_PERIOD: u64 = 100;

/// The length of a block's slot.
const BLOCK_MS: u64 = 2_000;

/// How it stands, as of the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    pub(super) holders: Vec<u8>,
    pub(super) here: u32,
    pub(super) placing: u32,
    pub(super) devices: u32,
}

/// What a contract is started with.
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    pub(super) shelves: Arc<Shelves>,
    pub(super) devices: Arc<Devices>,
    pub(super) line: Line,
    pub(super) reads: Arc<Reads>,
}

/// A contract that is looked after.
pub(super) struct Known {
    pub(super) list: Arc<PieceList>,
    context: Arc<Context>,
    events: mpsc::Sender<Event>,
    status: watch::Receiver<Status>,
}

impl Known {
    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Whether the chain has closed it, and nothing of it is here any more.
    pub(super) fn is_over(&self) -> bool {
        self.events.is_closed()
    }

    pub(super) async fn tell(&self, event: Event) {
        // An error says that it is over.
        let _ = self.events.send(event).await;
    }

    /// Begins to bring a piece here that somebody wants to read, and says what to wait for.
    pub(super) fn bring(self: &Arc<Self>, entry: PieceEntry) -> StorageError {
        let from = self.context.holders_here(entry.piece);
        if from.is_empty() || thing_of(&entry).is_none() {
            return StorageError::NobodyHasIt;
        }
        let name = (self.context.contract, entry.piece);
        // What is brought to be read takes neither the disk nor the line from what is to be kept.
        let Some(begun) = self.context.reads.begin(name, Instant::now()) else {
            return StorageError::Coming;
        };
        tokio::spawn(bring(self.context.clone(), entry, from, begun));
        StorageError::Coming
    }

    /// A piece was read, maybe to its end.
    pub(super) fn is_read(&self, piece: PieceIndex, to_its_end: bool) {
        let name = (self.context.contract, piece);
        self.context.reads.is_read(name, to_its_end, Instant::now());
    }

    /// This masternode's word that these have proved their pieces.
    pub(super) async fn certify(self: &Arc<Self>, proved: Proved) -> Result<Vec<u8>, StorageError> {
        super::words::certify(&self.context, proved).await
    }
}

/// Brings a piece here to be read.
async fn bring(context: Arc<Context>, entry: PieceEntry, from: Vec<DeviceId>, begun: Begun) {
    let Begun { permit, instead_of } = begun;
    if let Some(name) = instead_of {
        erase_read(&context.shelves, name);
    }
    let is_here = orders::fetch_to_read(&context, entry, &from).await;
    let name = (context.contract, entry.piece);
    context.reads.ended(name, is_here, Instant::now());
    drop(permit);
}

fn erase_read(shelves: &Shelves, (contract, piece): Name) {
    if let Err(error) = shelves.erase_read(contract, piece) {
        tracing::warn!(%contract, piece, %error, "a piece that was read cannot be erased");
    }
}

/// Begins to look after a contract, as the member of its group at a place.
pub(super) fn start(parts: Parts, contract: ContractId, place: u8, list: PieceList) -> Arc<Known> {
    let Parts {
        shared,
        shelves,
        devices,
        line,
        reads,
    } = parts;
    let list = Arc::new(list);
    let context = Arc::new(Context {
        shared,
        shelves,
        line,
        devices: devices.clone(),
        reads,
        contract,
        list: list.clone(),
        seen: Mutex::default(),
        consents: Mutex::default(),
        proofs: Mutex::default(),
        asking: Mutex::default(),
        paused_until: Mutex::default(),
        ending: Mutex::default(),
    });
    let (events, received) = mpsc::channel(EVENTS_MAX);
    let (status, told) = watch::channel(Status::default());
    let task = Task {
        keeping: Keeping::new(contract, place, *list.plan()),
        place,
        _wants: Wants::new(devices.clone()),
        context: context.clone(),
        devices,
        events: events.downgrade(),
        here: BTreeMap::new(),
        looked: None,
        look_every: LOOK.0,
        status,
        placing: BTreeSet::new(),
        is_closed: false,
    };
    tokio::spawn(task.run(received));
    Arc::new(Known {
        list,
        context,
        events,
        status: told,
    })
}

/// Wants to know which devices are here, as long as it is there.
struct Wants(Arc<Devices>);

impl Wants {
    fn new(devices: Arc<Devices>) -> Self {
        devices.want(true);
        Self(devices)
    }
}

impl Drop for Wants {
    fn drop(&mut self) {
        self.0.want(false);
    }
}

/// The task that owns the rules.
struct Task {
    keeping: Keeping,
    /// In the order of the group.
    place: u8,
    _wants: Wants,
    context: Arc<Context>,
    devices: Arc<Devices>,
    events: mpsc::WeakSender<Event>,
    /// Devices that the rules know to be here.
    here: BTreeMap<DeviceId, Candidate>,
    looked: Option<Instant>,
    look_every: Duration,
    status: watch::Sender<Status>,
    /// What is being handed to devices.
    placing: BTreeSet<OrderId>,
    is_closed: bool,
}

impl Task {
    async fn run(mut self, mut received: mpsc::Receiver<Event>) {
        let (shelves, contract) = (self.context.shelves.clone(), self.context.contract);
        for piece in shelves.all(contract) {
            self.step(Event::Brought(piece));
        }
        let mut looks = tokio::time::interval(LOOK.0);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = received.recv() => match event {
                    Some(event) => self.step(event),
                    None => break,
                },
                _ = looks.tick() => {
                    if self.look().await.is_break() {
                        break;
                    }
                }
            }
        }
    }

    /// Looks at devices, and when it is time at the chain. Breaks when the contract is over.
    async fn look(&mut self) -> std::ops::ControlFlow<()> {
        self.see_devices();
        self.erase_read();
        let is_due = self.looked.is_none_or(|at| at.elapsed() >= self.look_every);
        if is_due {
            self.looked = Some(Instant::now());
            match timeout(READ_TIMEOUT, self.read()).await {
                Ok(Ok(seen)) => self.see(seen),
                Err(_) => {
                    tracing::debug!(contract = %self.context.contract, "the chain takes too long to tell how a contract stands")
                }
                Ok(Err(error)) => {
                    tracing::debug!(contract = %self.context.contract, %error, "the chain does not tell how a contract stands");
                }
            }
        }
        self.tell_status();
        let is_empty = self.context.shelves.all(self.context.contract).is_empty();
        if self.is_closed && is_empty {
            let contract = self.context.contract;
            tracing::info!(%contract, "a contract is over, and nothing of it is here any more");
            if let Err(error) = self.context.shelves.erase_all(contract) {
                tracing::warn!(%contract, %error, "what is left of a contract cannot be erased");
            }
            return std::ops::ControlFlow::Break(());
        }
        std::ops::ControlFlow::Continue(())
    }

    /// Erases what was brought here to be read, and is not read any more.
    fn erase_read(&self) {
        let reads = &self.context.reads;
        for name in reads.over(self.context.contract, Instant::now()) {
            erase_read(&self.context.shelves, name);
        }
    }

    fn see_devices(&mut self) {
        if !self.devices.are_known() {
            return;
        }
        let here = self.devices.here();
        let gone: Vec<_> = self
            .here
            .keys()
            .filter(|it| !here.contains_key(it))
            .copied()
            .collect();
        for device in gone {
            self.here.remove(&device);
            self.step(Event::Gone(device));
        }
        for (device, candidate) in here {
            if self.here.get(&device) != Some(&candidate) {
                self.here.insert(device, candidate.clone());
                self.step(Event::Here(candidate));
            }
        }
    }

    /// What the chain says of the contract now.
    async fn read(&self) -> Result<Seen, ChainError> {
        let contract = self.context.contract;
        let state = self.context.shared.chain.at_finalised().await?;
        let clock = state.finality().await?.clock;
        let found = state.contract(contract).await?;
        let holdings = match &found {
            Some(_) => state.holdings_of(contract).await?,
            None => Vec::new(),
        };
        let randomness = match &found {
            Some(found) => state.period_randomness(found.terms.period_blocks).await?,
            None => None,
        };
        Ok(Seen {
            clock,
            contract: found,
            holdings: holdings.into_iter().collect(),
            randomness,
        })
    }

    fn see(&mut self, seen: Seen) {
        if let Some(contract) = &seen.contract {
            let period_ms = u64::from(contract.terms.period_blocks).saturating_mul(BLOCK_MS);
            let every = Duration::from_millis(period_ms.checked_div(LOOKS_A_PERIOD).unwrap_or(0));
            self.look_every = every.clamp(LOOK.0, LOOK.1);
        }
        self.is_closed = seen.contract.is_none();
        self.context.learn(&seen);
        self.end_what_is_over(&seen);
        self.step(Event::Seen(Box::new(seen)));
    }

    /// Has the chain forget holdings that are over, and close the contract when it is. The first of the group does so, and
    /// each further one later, where nothing came of it.
    fn end_what_is_over(&self, seen: &Seen) {
        let Some(contract) = &seen.contract else {
            return;
        };
        let waits = u32::from(self.place).saturating_mul(contract.terms.period_blocks);
        let now = seen.clock.saturating_sub(waits);
        let forgettable = seen
            .holdings
            .iter()
            .filter(|(_, holding)| holding_rules::forget(contract, holding, now).is_ok());
        let places = forgettable.map(|(held, _)| self.context.place_of(held));
        let places: Vec<_> = places.take(FORGOTTEN_AT_A_TIME).collect();
        let is_over = life::close(contract, now).is_ok();
        if places.is_empty() && !is_over {
            return;
        }
        let context = self.context.clone();
        tokio::spawn(async move { orders::end(&context, places, is_over).await });
    }

    fn step(&mut self, event: Event) {
        if let Event::Done(id, _) = &event {
            self.placing.remove(id);
        }
        for (id, order) in self.keeping.step(event) {
            if matches!(
                order,
                Order::Take { .. } | Order::Sign { .. } | Order::Hold { .. }
            ) {
                self.placing.insert(id);
            }
            let Some(events) = self.events.upgrade() else {
                return;
            };
            let context = self.context.clone();
            tokio::spawn(async move {
                for event in carry_out(&context, id, order).await {
                    // An error says that the contract is over.
                    let _ = events.send(event).await;
                }
            });
        }
    }

    fn tell_status(&self) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let pieces = 0..self.context.list.plan().pieces();
        let holders =
            pieces.map(|piece| u8::try_from(self.keeping.holders(piece)).unwrap_or(u8::MAX));
        self.status.send_replace(Status {
            holders: holders.collect(),
            here: count(self.context.shelves.all(self.context.contract).len()),
            placing: count(self.placing.len()),
            devices: count(self.here.len()),
        });
    }
}

/// Carries out an order. What came of it is the last of what is to be told.
async fn carry_out(context: &Arc<Context>, id: OrderId, order: Order) -> Vec<Event> {
    tracing::debug!(contract = %context.contract, ?order, "is to be done");
    let (outcome, before) = match order {
        Order::Take { piece, device } => match orders::take(context, piece, device).await {
            orders::Taken::Damaged => {
                return vec![Event::Lost(piece), Event::Done(id, Outcome::Failed)];
            }
            orders::Taken::As(outcome) => (outcome, None),
        },
        Order::Sign {
            piece,
            device,
            since,
        } => (orders::sign(context, piece, device, since).await, None),
        Order::Hold { piece, device, .. } => (orders::hold(context, piece, device).await, None),
        Order::Prove {
            held,
            period,
            randomness,
        } => (
            orders::prove(context, held, (period, randomness)).await,
            None,
        ),
        Order::Certify { period, proved } => (orders::certify(context, period, proved).await, None),
        Order::Challenge(place) => (orders::challenge(context, place).await, None),
        Order::Release(place) => (orders::release(context, place).await, None),
        Order::Fetch { piece, from } => {
            let outcome = orders::fetch(context, piece, &from).await;
            (outcome, Some(Event::Brought(piece)))
        }
        Order::Make { piece, of } => {
            let outcome = orders::make(context, piece, &of).await;
            (outcome, Some(Event::Brought(piece)))
        }
        Order::Erase(piece) => {
            let outcome = orders::erase(context, piece).await;
            (outcome, Some(Event::Lost(piece)))
        }
    };
    if outcome != Outcome::Done {
        tracing::debug!(contract = %context.contract, ?id, ?outcome, "is not done");
    }
    let before = before.filter(|_| outcome == Outcome::Done);
    before
        .into_iter()
        .chain([Event::Done(id, outcome)])
        .collect()
}

/// What the orders of a contract know of it, as of the last look.
#[derive(Debug, Default)]
pub(super) struct LastSeen {
    pub(super) contract: Option<quern_primitives::custody::Contract>,
    pub(super) randomness: Option<(Period, quern_primitives::Digest)>,
    /// Who holds each piece.
    pub(super) holders: BTreeMap<PieceIndex, Vec<DeviceId>>,
}

impl Context {
    /// Remembers what was seen.
    fn learn(&self, seen: &Seen) {
        let mut holders: BTreeMap<PieceIndex, Vec<DeviceId>> = BTreeMap::new();
        for Held { piece, device } in seen.holdings.keys() {
            holders.entry(*piece).or_default().push(*device);
        }
        *lock(&self.seen) = LastSeen {
            contract: seen.contract.clone(),
            randomness: seen.randomness,
            holders,
        };
        if let Some((period, _)) = seen.randomness {
            lock(&self.proofs).retain(|(of, _)| of.saturating_add(1) >= period);
        }
    }

    /// Who holds a piece and is here.
    pub(super) fn holders_here(&self, piece: PieceIndex) -> Vec<DeviceId> {
        let here = self.devices.here();
        let mut holders = self.holders_of(piece);
        holders.retain(|device| here.contains_key(device));
        holders
    }

    /// Who holds a piece, as of the last look.
    pub(super) fn holders_of(&self, piece: PieceIndex) -> Vec<DeviceId> {
        let seen = lock(&self.seen);
        seen.holders.get(&piece).cloned().unwrap_or_default()
    }

    /// The place of a holding.
    pub(super) fn place_of(&self, held: &Held) -> Place {
        Place {
            contract: self.contract,
            piece: held.piece,
            holder: held.device,
        }
    }
}
