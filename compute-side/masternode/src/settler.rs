//! Sends batches to the chain, in order, several of them on their way at a time. A batch that the job's own
//! log does not bear out is not sent. Whether a batch was counted is learnt from the chain's state, never
//! from here; so a transaction that got lost, or was sent twice, does no harm.
//!
//! It needs no daemon: with a masternode's [`Books`], and something that knows its [`OpenJobs`], any program
//! settles what a [`Core`](crate::core::Core) orders.

use crate::{
    certify::{CertifyError, certify},
    checking::{Checks, Refused, Sightings},
    core::Engines,
    store::{Store, now_ms},
};
use quern_ledger::{Account, Call, Chain, Sent, Settled, SubmitError};
use quern_primitives::{
    Digest, GenesisHash, JobId, TaskIndex,
    batch::Batch,
    ids::BatchSequence,
    job::{Failure, Job},
    payload::NodeSecret,
};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
};

/// Transactions that are on their way at a time; further orders wait.
const ON_THEIR_WAY_MAX: usize = 64;

/// A transaction that is in no finalised block after so long is given up: its mortality has ended,
/// or finality stands still.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a masternode settles from: the logs that it writes, the account and the network key that answer for
/// them, and the chain.
pub struct Books {
    pub(crate) account: Account,
    pub(crate) node: NodeSecret,
    pub(crate) genesis: GenesisHash,
    pub(crate) chain: Chain,
    pub(crate) store: Store,
    pub(crate) engines: Engines,
    /// What the chain said of devices.
    pub(crate) sightings: Arc<Sightings>,
    /// Held while a transaction is signed and sent, so that no two of them take one turn of the account.
    pub(crate) sending: Arc<AsyncMutex<()>>,
    /// What was written before this time, in milliseconds since 1970, was so before this start.
    pub(crate) started_ms: u64,
    /// Whether batches are held to the logs before they are sent. Who lies does not look, see
    /// [`Altering`](crate::Altering).
    pub(crate) checks_batches: bool,
}

impl Books {
    /// Those of a masternode that starts. What is in the store was written before.
    pub fn open(
        chain: Chain,
        account: Account,
        node: NodeSecret,
        store: Store,
        engines: Engines,
    ) -> Self {
        Self {
            account,
            node,
            genesis: chain.genesis(),
            chain,
            store,
            engines,
            sightings: Arc::default(),
            sending: Arc::default(),
            started_ms: now_ms(),
            checks_batches: true,
        }
    }
}

/// Who knows the jobs that are coordinated here.
pub trait OpenJobs: Send + Sync {
    /// Those that the chain has not closed.
    fn names(&self) -> BTreeSet<JobId>;

    /// A job as the chain last had it, and the chunk root of each sealed shard, in task order; none as long
    /// as its manifest or its key is not here.
    fn find(&self, job: JobId) -> Option<(Job, Vec<Digest>)>;
}

/// What to send.
#[derive(Clone, Debug)]
pub enum Order {
    /// A batch.
    Settle(Box<Batch>),
    /// The end of a job that cannot go on.
    CloseFailed {
        /// The job.
        job: JobId,
        /// The task that cannot be settled.
        task: TaskIndex,
        /// What is wrong with it.
        why: Failure,
    },
}

/// Names an order: its job, and the batch if it is one.
type Name = (JobId, Option<BatchSequence>);

impl Order {
    fn name(&self) -> Name {
        match self {
            Self::Settle(batch) => (batch.job, Some(batch.sequence)),
            Self::CloseFailed { job, .. } => (*job, None),
        }
    }

    async fn into_call(self, books: &Books) -> Result<Call, CertifyError> {
        Ok(match self {
            Self::Settle(batch) => Call::Settle(Box::new(certify(books, *batch).await?)),
            Self::CloseFailed { job, task, why } => Call::CloseFailed { job, task, why },
        })
    }
}

/// Carries orders out until nobody can give more, and names the jobs of those that the chain did not take.
pub async fn settle(
    books: Books,
    jobs: Arc<dyn OpenJobs>,
    orders: mpsc::Receiver<Order>,
    not_settled: mpsc::Sender<JobId>,
) {
    let mut settler = Settler {
        books: Arc::new(books),
        jobs,
        not_settled,
        checks: Arc::default(),
        refused: BTreeSet::new(),
        orders: Orders::new(orders),
        on_their_way: JoinSet::new(),
    };
    loop {
        let has_room = settler.on_their_way.len() < ON_THEIR_WAY_MAX;
        tokio::select! {
            order = settler.orders.next(), if has_room => match order {
                Some(order) => settler.send(order).await,
                None => return,
            },
            Some(done) = settler.on_their_way.join_next() => {
                // A task that ended in any other way was stopped with the masternode.
                if let Ok((name, outcome)) = done {
                    settler.done(name, outcome).await;
                }
            }
        }
    }
}

struct Settler {
    books: Arc<Books>,
    jobs: Arc<dyn OpenJobs>,
    not_settled: mpsc::Sender<JobId>,
    checks: Arc<Mutex<Checks>>,
    /// Jobs of which a batch was refused, each told of once.
    refused: BTreeSet<JobId>,
    orders: Orders,
    on_their_way: JoinSet<(Name, Result<Settled, SendError>)>,
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
enum SendError {
    /// It was not sent.
    #[error(transparent)]
    Uncertified(#[from] CertifyError),
    /// It was sent in vain.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Settler {
    /// Sends an order. The next is sent only when this one is in the node's pool, so that they get
    /// into blocks in order.
    async fn send(&mut self, order: Order) {
        let name = order.name();
        if let Order::Settle(batch) = &order
            && !self.passes(batch).await
        {
            // The core orders it again after a while, and what the chain counts of it is its own.
            return self.orders.done(name, false);
        }
        match send(&self.books, order).await {
            Ok(sent) => {
                self.on_their_way.spawn(async move {
                    let settled = tokio::time::timeout(PATIENCE, sent.settled());
                    let settled = settled.await.unwrap_or_else(|_| Err(given_up(name)));
                    (name, settled.map_err(SendError::from))
                });
            }
            Err(error) => self.done(name, Err(error)).await,
        }
    }

    /// Whether a batch follows from the job's log. One that cannot be checked, because the job is not open
    /// here any more, was composed when it was, and is sent.
    async fn passes(&mut self, batch: &Batch) -> bool {
        if !self.books.checks_batches {
            return true;
        }
        let (job, sequence) = (batch.job, batch.sequence);
        let (books, jobs) = (self.books.clone(), self.jobs.clone());
        let (checks, batch) = (self.checks.clone(), batch.clone());
        let checked = tokio::task::spawn_blocking(move || {
            // A panic while the lock was held leaves logs that are not followed to where they should be,
            // and a batch that does not fit is refused.
            let mut checks = checks.lock().unwrap_or_else(PoisonError::into_inner);
            checks.check(&books, jobs.as_ref(), &batch)
        });
        let refused = match checked.await {
            Ok(Ok(())) => return true,
            Ok(Err(error @ Refused::NotOpen)) => {
                tracing::warn!(%job, batch = sequence, %error, "a batch is sent unchecked");
                return true;
            }
            Ok(Err(error)) => format!("{:#}", anyhow::Error::from(error)),
            Err(error) => error.to_string(),
        };
        if self.refused.insert(job) {
            tracing::error!(
                %job,
                batch = sequence,
                error = refused,
                "a batch is not sent, because this masternode's own log of the job breaks a rule; report it"
            );
        }
        false
    }

    async fn done(&mut self, name: Name, outcome: Result<Settled, SendError>) {
        let (job, batch) = name;
        self.orders.done(name, outcome.is_ok());
        match outcome {
            Ok(settled) => tracing::info!(
                %job,
                batch,
                block = settled.block.number,
                transaction = hex::encode(settled.transaction),
                "settled"
            ),
            Err(error) => {
                report(name, &error);
                // An error says that the masternode stops.
                let _told = self.not_settled.send(job).await;
            }
        }
    }
}

async fn send(books: &Books, order: Order) -> Result<Sent, SendError> {
    let call = order.into_call(books).await?;
    let _turn = books.sending.lock().await;
    Ok(books.chain.send(&books.account, &call).await?)
}

fn given_up((_, batch): Name) -> SubmitError {
    let call = if batch.is_some() {
        "Jobs.settle"
    } else {
        "Jobs.close_failed"
    };
    SubmitError::Lost {
        call: call.into(),
        reason: format!("no finalised block has it after {} s", PATIENCE.as_secs()),
    }
}

fn report((job, batch): Name, error: &SendError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(%job, batch, error, "the chain did not take a settlement; it is tried again until the job is settled or over");
}

/// Orders that wait, and the names of those that were begun and are not done.
struct Orders {
    source: mpsc::Receiver<Order>,
    waiting: VecDeque<Order>,
    begun: BTreeSet<Name>,
}

impl Orders {
    fn new(source: mpsc::Receiver<Order>) -> Self {
        Self {
            source,
            waiting: VecDeque::new(),
            begun: BTreeSet::new(),
        }
    }

    /// The next order. One that is on its way is not begun a second time: a call that fails on the
    /// chain costs a fee. Safe to be dropped while it waits.
    async fn next(&mut self) -> Option<Order> {
        loop {
            let order = match self.waiting.pop_front() {
                Some(order) => order,
                None => self.source.recv().await?,
            };
            if self.begun.insert(order.name()) {
                return Some(order);
            }
        }
    }

    /// An order is done. If it failed, so would what waits of its job; the core orders all of it
    /// again, from the first batch that the chain has not counted.
    fn done(&mut self, name: Name, succeeded: bool) {
        self.begun.remove(&name);
        if succeeded {
            return;
        }
        while let Ok(order) = self.source.try_recv() {
            self.waiting.push_back(order);
        }
        self.waiting.retain(|order| order.name().0 != name.0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const JOB: JobId = JobId([1; 32]);
    const OTHER: JobId = JobId([2; 32]);

    fn end(job: JobId, task: TaskIndex) -> Order {
        let why = Failure::Undecided;
        Order::CloseFailed { job, task, why }
    }

    fn batch(job: JobId, sequence: BatchSequence) -> Order {
        let batch = Batch {
            job,
            sequence,
            log: quern_primitives::batch::LogRange { first: 0, last: 0 },
            verdicts_root: Digest([0; 32]),
            tasks: quern_job_rules::tasks::collect([sequence]).unwrap(),
            spent: 0,
            payouts: vec![].try_into().unwrap(),
            devices: vec![].try_into().unwrap(),
        };
        Order::Settle(Box::new(batch))
    }

    /// The names of the orders that may be begun now.
    fn begin(orders: &mut Orders) -> Vec<Name> {
        std::iter::from_fn(|| orders.next().now_or_never().flatten())
            .map(|order| order.name())
            .collect()
    }

    #[test]
    fn orders_are_begun_in_order_and_none_twice_while_it_is_on_its_way() {
        let (give, source) = mpsc::channel(10);
        let mut orders = Orders::new(source);
        for order in [batch(JOB, 0), batch(JOB, 1), batch(JOB, 0), end(OTHER, 3)] {
            give.try_send(order).ok().unwrap();
        }
        let begun = [(JOB, Some(0)), (JOB, Some(1)), (OTHER, None)];
        assert_eq!(begin(&mut orders), begun);
        orders.done((JOB, Some(0)), true);
        give.try_send(batch(JOB, 0)).ok().unwrap();
        give.try_send(batch(JOB, 1)).ok().unwrap();
        assert_eq!(begin(&mut orders), [(JOB, Some(0))]);
    }

    #[test]
    fn what_waits_behind_a_failed_batch_of_its_job_is_not_sent() {
        let (give, source) = mpsc::channel(10);
        let mut orders = Orders::new(source);
        give.try_send(batch(JOB, 0)).ok().unwrap();
        assert_eq!(begin(&mut orders), [(JOB, Some(0))]);
        for order in [batch(JOB, 1), batch(OTHER, 0), batch(JOB, 2)] {
            give.try_send(order).ok().unwrap();
        }
        orders.done((JOB, Some(0)), false);
        give.try_send(batch(JOB, 0)).ok().unwrap();
        give.try_send(batch(JOB, 1)).ok().unwrap();
        let begun = [(OTHER, Some(0)), (JOB, Some(0)), (JOB, Some(1))];
        assert_eq!(begin(&mut orders), begun, "all of it is ordered again");
    }
}
