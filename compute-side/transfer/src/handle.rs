//! What others see of the mover: what it is told, and what they wait for.

use crate::{
    Allowance, Shelf, SourceKind, Thing,
    mover::{Inputs, Mover},
};
use quern_network::{Asker, Inquiry};
use quern_primitives::ids::DeviceId;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Orders that wait.
const ORDERS_MAX: usize = 64;

/// What a mover needs.
pub struct Config {
    /// With which span to begin; it should differ between machines.
    pub seed: u64,
    /// What is here for others.
    pub shelf: Arc<dyn Shelf>,
    /// What may go over the line, as it changes.
    pub allowance: watch::Receiver<Allowance>,
    /// What peers ask.
    pub inquiries: mpsc::Receiver<Inquiry>,
    /// Where bytes that came and went are counted.
    pub moved_bytes: Arc<AtomicU64>,
}

/// How far a thing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of it that are written.
    pub written_bytes: u64,
    /// Spans that are missing and that nobody has who may be asked.
    pub held_by_nobody: u32,
}

/// Why a thing is not fetched.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// So many are fetched already.
    #[error(
        "{} things are being fetched already; wait for one of them",
        quern_fetch::limits::WANTED_MAX
    )]
    TooMany,
    /// It is being fetched to another place.
    #[error("it is being fetched to {}", path.display())]
    Elsewhere {
        /// Where.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing is moved any more.
    #[error("transfers have ended")]
    Stopped,
}

/// Moves content. Clones are for the same mover, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Transfer {
    orders: mpsc::Sender<Order>,
}

impl Transfer {
    /// Starts to move, on the current tokio runtime.
    pub fn start(config: Config) -> Self {
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        let Config {
            seed,
            shelf,
            allowance,
            inquiries,
            moved_bytes,
        } = config;
        let (mover, happens) = Mover::new(seed, shelf, moved_bytes);
        let inputs = Inputs {
            orders: received,
            happens,
            allowance: Some(allowance),
            inquiries: Some(inquiries),
        };
        tokio::spawn(mover.run(inputs));
        Self { orders }
    }

    /// Somebody is here whom the chain admits, and is asked by this.
    pub async fn came(&self, peer: DeviceId, kind: SourceKind, asker: Asker) {
        self.order(Order::Came { peer, kind, asker }).await;
    }

    /// Somebody is gone.
    pub async fn left(&self, peer: DeviceId) {
        self.order(Order::Left { peer }).await;
    }

    /// Fetches a thing into a file that is not there yet, from whoever has it, for as long as it takes. Ends when the
    /// file is there, whole and safe; dropped before, what has come stays beside it. Whoever wants to know how far it
    /// is hands in where to say so.
    pub async fn fetch(
        &self,
        thing: Thing,
        into: &Path,
        progress: Option<watch::Sender<Progress>>,
    ) -> Result<(), TransferError> {
        // Told of behind `waits`, which is dropped before it.
        let _given_up = GivenUp {
            orders: &self.orders,
        };
        let (done, waits) = oneshot::channel();
        let waiter = Waiter { done, progress };
        let into = into.to_owned();
        self.order(Order::Want {
            thing,
            into,
            waiter,
        })
        .await;
        waits.await.unwrap_or(Err(TransferError::Stopped))
    }

    async fn order(&self, order: Order) {
        // An error says that the runtime ends.
        let _ = self.orders.send(order).await;
    }
}

/// Says, when it goes, that one fewer waits for a thing.
struct GivenUp<'a> {
    orders: &'a mpsc::Sender<Order>,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        // Where no order fits in, it is seen at the next step.
        let _ = self.orders.try_send(Order::GivenUp);
    }
}

/// What is to be done besides.
#[derive(Debug)]
pub(crate) enum Order {
    Came {
        peer: DeviceId,
        kind: SourceKind,
        asker: Asker,
    },
    Left {
        peer: DeviceId,
    },
    Want {
        thing: Thing,
        into: PathBuf,
        waiter: Waiter,
    },
    GivenUp,
}

/// Who waits for a thing.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) done: oneshot::Sender<Result<(), TransferError>>,
    pub(crate) progress: Option<watch::Sender<Progress>>,
}

impl Waiter {
    /// Tells what became of the thing.
    pub(crate) fn tell(self, result: Result<(), TransferError>) {
        // An error says that nobody waits any more.
        let _ = self.done.send(result);
    }
}
