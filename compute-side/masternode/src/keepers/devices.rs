//! Which connected devices may take pieces: what the core knows of them, what they say of their room, and what the chain
//! says of what they missed.

use super::Line;
use crate::{
    daemon::{Command, Question, Reply, Shared},
    locks::lock,
};
use futures::{StreamExt as _, stream};
use quern_keeping::Candidate;
use quern_ledger::ChainError;
use quern_network::WishError;
use quern_primitives::ids::{AccountId, DeviceId};
use quern_protocol::keep::{Answer, Wish};
use quern_transfer::SourceKind;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, time::timeout};

/// How often it is looked which devices are here.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// After so long a device is asked for its room again.
const ASK_AGAIN: Duration = Duration::from_secs(20);

/// After so long one is asked again that keeps nothing.
const ASK_ANEW: Duration = Duration::from_secs(300);

/// How long a device may take to say how much room it has.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Devices that are asked at a time.
const AT_A_TIME: usize = 16;

/// The devices that may take pieces.
#[derive(Default)]
pub(super) struct Devices {
    here: Mutex<BTreeMap<DeviceId, Candidate>>,
    /// Contracts that want to know. Nobody is asked for nothing.
    wanted: AtomicUsize,
}

impl Devices {
    /// All of them now.
    pub(super) fn here(&self) -> BTreeMap<DeviceId, Candidate> {
        lock(&self.here).clone()
    }

    /// One more contract wants to know, or one fewer.
    pub(super) fn want(&self, is_wanted: bool) {
        match is_wanted {
            true => self.wanted.fetch_add(1, Ordering::Relaxed),
            false => self.wanted.fetch_sub(1, Ordering::Relaxed),
        };
    }
}

/// Looks which devices are here, until the masternode ends.
pub(super) async fn look(shared: Arc<Shared>, devices: Arc<Devices>, line: Line) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looking = Looking {
        shared,
        line,
        connected: BTreeSet::new(),
        asked: BTreeMap::new(),
    };
    loop {
        looks.tick().await;
        if devices.wanted.load(Ordering::Relaxed) == 0 {
            continue;
        }
        let Some(connected) = looking.connected().await else {
            return;
        };
        let mut here = devices.here();
        here.retain(|device, _| connected.contains_key(device));
        for candidate in looking.ask(&connected).await {
            match candidate {
                Ok(candidate) => {
                    here.insert(candidate.device, candidate);
                }
                Err(device) => {
                    here.remove(&device);
                }
            }
        }
        *lock(&devices.here) = here;
    }
}

/// A device as the core knows it.
#[derive(Clone)]
struct Connected {
    account: AccountId,
    rank: u32,
}

struct Looking {
    shared: Arc<Shared>,
    line: Line,
    /// Whom transfers know.
    connected: BTreeSet<DeviceId>,
    /// When each was asked last, and whether it keeps anything.
    asked: BTreeMap<DeviceId, (Instant, bool)>,
}

impl Looking {
    /// The devices that are connected and let in; none if the masternode ends.
    async fn connected(&mut self) -> Option<BTreeMap<DeviceId, Connected>> {
        let mut connected = BTreeMap::new();
        let mut first = 0;
        loop {
            let (answer, answered) = oneshot::channel();
            let question = Question::Devices { first };
            let command = Command::Ask { question, answer };
            self.shared.commands.send(command).await.ok()?;
            let Reply::Devices(page) = answered.await.ok()?.reply else {
                break;
            };
            let Some(last) = page.last() else {
                break;
            };
            first = last.position.saturating_add(1);
            for state in page.into_iter().filter(|it| it.connected) {
                let rank = match state.byte_rank {
                    0 => u32::MAX,
                    rank => rank,
                };
                let account = state.account;
                connected.insert(state.device, Connected { account, rank });
            }
        }
        for device in connected.keys() {
            if self.connected.insert(*device) {
                let asker = self.line.asker.clone();
                self.line
                    .transfer
                    .came(*device, SourceKind::Device, asker)
                    .await;
            }
        }
        let gone = self
            .connected
            .extract_if(.., |it| !connected.contains_key(it));
        for device in gone.collect::<Vec<_>>() {
            self.asked.remove(&device);
            self.line.transfer.left(device).await;
        }
        Some(connected)
    }

    /// Asks those who were not asked for a while. Who keeps nothing, or does not answer, is named alone.
    async fn ask(
        &mut self,
        connected: &BTreeMap<DeviceId, Connected>,
    ) -> Vec<Result<Candidate, DeviceId>> {
        let now = Instant::now();
        let is_due = |device: &DeviceId| {
            self.asked.get(device).is_none_or(|(at, keeps)| {
                let pause = if *keeps { ASK_AGAIN } else { ASK_ANEW };
                now.duration_since(*at) >= pause
            })
        };
        let mut due = Vec::new();
        for (device, known) in connected {
            if is_due(device) {
                due.push((*device, known.clone()));
            }
        }
        let (shared, line) = (self.shared.clone(), self.line.clone());
        let asked = stream::iter(due).map(move |(device, known)| {
            let (shared, line) = (shared.clone(), line.clone());
            async move { candidate(&shared, &line, device, &known).await }
        });
        let found: Vec<_> = asked.buffer_unordered(AT_A_TIME).collect().await;
        for outcome in &found {
            let (device, keeps) = match outcome {
                Ok(candidate) => (candidate.device, true),
                Err((device, keeps)) => (*device, *keeps),
            };
            self.asked.insert(device, (now, keeps));
        }
        let found = found.into_iter();
        found
            .map(|outcome| outcome.map_err(|(device, _)| device))
            .collect()
    }
}

/// What is known of a device that keeps pieces. Else the device, and whether it may keep some all the same.
async fn candidate(
    shared: &Shared,
    line: &Line,
    device: DeviceId,
    known: &Connected,
) -> Result<Candidate, (DeviceId, bool)> {
    let asked = timeout(ANSWER_TIMEOUT, line.asker.wish(&device, &Wish::Room)).await;
    let free_bytes = match asked {
        Ok(Ok(Answer::Room { bytes })) => bytes,
        Ok(Err(WishError::OtherProtocol)) => return Err((device, false)),
        Ok(answered) => {
            tracing::debug!(%device, ?answered, "a device does not say how much room it has");
            return Err((device, true));
        }
        Err(_) => return Err((device, true)),
    };
    let read = async {
        let state = shared.chain.at_finalised().await?;
        let view = state.device(device).await?;
        let (_, misses) = state.custody_record(device).await?;
        Ok::<_, ChainError>((view, misses.last().map(|miss| miss.due)))
    };
    let (view, missed_at) = read.await.map_err(|_| (device, true))?;
    let view = view.ok_or((device, true))?;
    Ok(Candidate {
        device,
        account: known.account.clone(),
        region: view.device.region,
        free_bytes,
        rank: known.rank,
        missed_at,
    })
}
