//! Which connected devices may take pieces: what the core knows of them, what they say of their room, and what the chain
//! says of what they missed.

use crate::{
    daemon::{Command, Question, Reply, Shared},
    locks::lock,
};
use futures::{StreamExt as _, stream};
use quern_keeping::Candidate;
use quern_ledger::ChainError;
use quern_network::{Asker, WishError};
use quern_primitives::ids::{AccountId, DeviceId};
use quern_protocol::keep::{Answer, Wish};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
    /// Whether all that were here were asked, once.
    is_known: AtomicBool,
}

impl Devices {
    /// All of them now.
    pub(super) fn here(&self) -> BTreeMap<DeviceId, Candidate> {
        lock(&self.here).clone()
    }

    /// Whether all that were here were asked, since they were last of interest: who is heard first would else get all
    /// pieces of a stripe.
    pub(super) fn are_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
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
pub(super) async fn look(shared: Arc<Shared>, devices: Arc<Devices>, asker: Asker) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looking = Looking {
        shared,
        asker,
        asked: BTreeMap::new(),
    };
    loop {
        looks.tick().await;
        if devices.wanted.load(Ordering::Relaxed) == 0 {
            devices.is_known.store(false, Ordering::Release);
            continue;
        }
        let Some(connected) = looking.connected().await else {
            return;
        };
        lock(&devices.here).retain(|device, _| connected.contains_key(device));
        looking.ask(&connected, &devices).await;
        devices.is_known.store(true, Ordering::Release);
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
    asker: Asker,
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
        self.asked
            .retain(|device, _| connected.contains_key(device));
        Some(connected)
    }

    /// Asks those who were not asked for a while, and writes down what each says as it comes. Who says nothing stays as it
    /// was known.
    async fn ask(&mut self, connected: &BTreeMap<DeviceId, Connected>, devices: &Devices) {
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
        let (shared, asker) = (self.shared.clone(), self.asker.clone());
        let asked = stream::iter(due).map(move |(device, known)| {
            let (shared, asker) = (shared.clone(), asker.clone());
            async move { (device, candidate(&shared, &asker, device, &known).await) }
        });
        let mut told = std::pin::pin!(asked.buffer_unordered(AT_A_TIME));
        while let Some((device, said)) = told.next().await {
            let mut here = lock(&devices.here);
            let keeps = match said {
                Said::Keeps(candidate) => {
                    here.insert(device, *candidate);
                    true
                }
                Said::KeepsNothing => {
                    here.remove(&device);
                    false
                }
                // One that was never heard is not waited for every time.
                Said::Nothing => here.contains_key(&device),
            };
            drop(here);
            self.asked.insert(device, (now, keeps));
        }
    }
}

/// What is known of a device.
enum Said {
    /// It keeps pieces, and may take some.
    Keeps(Box<Candidate>),
    /// It keeps none, or may take none.
    KeepsNothing,
    /// It did not answer, or the chain did not.
    Nothing,
}

/// Asks a device, and the chain for it.
async fn candidate(shared: &Shared, asker: &Asker, device: DeviceId, known: &Connected) -> Said {
    let asked = timeout(ANSWER_TIMEOUT, asker.wish(&device, &Wish::Room)).await;
    let free_bytes = match asked {
        Ok(Ok(Answer::Room { bytes })) => bytes,
        Ok(Err(WishError::OtherProtocol)) => return Said::KeepsNothing,
        Ok(answered) => {
            tracing::debug!(%device, ?answered, "a device does not say how much room it has");
            return Said::Nothing;
        }
        Err(_) => return Said::Nothing,
    };
    let read = async {
        let state = shared.chain.at_finalised().await?;
        let view = state.device(device).await?;
        Ok::<_, ChainError>((view, state.custody_record(device).await?))
    };
    let Ok((Some(view), (standing, misses))) = read.await else {
        return Said::Nothing;
    };
    // The chain gives it no further piece; what it holds it is asked to prove all the same.
    let free_bytes = match standing.contained_at {
        Some(_) => 0,
        None => free_bytes,
    };
    Said::Keeps(Box::new(Candidate {
        device,
        account: known.account.clone(),
        region: view.device.region,
        free_bytes,
        rank: known.rank,
        missed_at: misses.last().map(|miss| miss.due),
    }))
}
