//! Has batches, and the ends of jobs that cannot go on, certified and sends them to the chain, those of each
//! job in order, several of them on their way at a time. A job whose other masternodes take their time keeps
//! no other job waiting. A batch that the job's own log does not bear out is not sent. Whether a batch was
//! counted is learnt from the chain's state, never from here; so a transaction that got lost, or was sent
//! twice, does no harm.
//!
//! It needs no daemon: with a masternode's [`Books`], and something that knows its [`OpenJobs`], any program
//! settles what a [`Core`](crate::core::Core) orders.

use crate::{
    certify::{CertifyError, certify, certify_end},
    checking::{Checks, Refused, Sightings},
    core::Engines,
    cover::{Cover, Uncovered, check_covered},
    group::Peers,
    store::{Store, now_ms},
};
use quern_ledger::{Account, Call, Chain, ChainError, Sent, Settled, SubmitError};
use quern_primitives::{
    AccountId, Amount, Digest, GenesisHash, JobId, TaskIndex,
    batch::Batch,
    ids::BatchSequence,
    job::{Failure, Job},
    params::Parameter,
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
    /// The other masternodes of the jobs.
    pub(crate) peers: Arc<Peers>,
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
        let peers = Peers::new(chain.clone(), store.clone());
        Self {
            account,
            node,
            peers: Arc::new(peers),
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

    /// What a job's lanes follow from; none where that is not known, and not looked at.
    fn lane_seed(&self, job: JobId) -> Option<Digest>;
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
            Self::CloseFailed { job, task, why } => {
                Call::CloseFailed(Box::new(certify_end(books, job, task, why).await?))
            }
        })
    }
}

/// So many full batches at least are pending at a time before a masternode's bond covers no more of them, where no more
/// must be bonded than is pending. The council may ask for as many times as much, and then the whole bond still covers
/// one.
const BATCHES_PER_BOND: Amount = Parameter::BondPerExposure.row().most / 1_000;

/// What a batch may spend, so that several of them are covered by what the masternode has bonded now. What a
/// single task costs is a batch all the same.
///
/// # Errors
///
/// When the chain does not answer.
pub(crate) async fn spent_max(chain: &Chain, account: &AccountId) -> Result<Amount, ChainError> {
    let bond = chain.at_finalised().await?.masternode_bond(account).await?;
    // A masternode may start before it has its bond, and is given no jobs without it.
    Ok(bond.held().max(bond.least) / BATCHES_PER_BOND)
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
        cover: Cover::default(),
        orders: Orders::new(orders),
        preparing: JoinSet::new(),
        on_their_way: JoinSet::new(),
    };
    loop {
        let begun = settler.on_their_way.len() + settler.preparing.len();
        tokio::select! {
            order = settler.orders.next(), if begun < ON_THEIR_WAY_MAX => match order {
                Some(order) => settler.prepare(order),
                None => return,
            },
            Some(prepared) = settler.preparing.join_next() => {
                // A task that ended in any other way was stopped with the masternode.
                if let Ok((name, call)) = prepared {
                    settler.send(name, call).await;
                }
            }
            Some(done) = settler.on_their_way.join_next() => {
                // The same.
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
    cover: Cover,
    orders: Orders,
    /// What is checked and certified now: of each job one order at a time.
    preparing: JoinSet<(Name, Result<Call, SendError>)>,
    on_their_way: JoinSet<(Name, Result<Settled, SendError>)>,
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
enum SendError {
    /// The job's own log does not bear it out.
    #[error("{0}")]
    NotBorneOut(String),
    /// The chain would refuse it, for a fee.
    #[error(transparent)]
    Uncovered(#[from] Uncovered),
    /// The chain did not say what the bond covers.
    #[error(transparent)]
    Unasked(#[from] ChainError),
    /// It was not certified.
    #[error(transparent)]
    Uncertified(#[from] CertifyError),
    /// It was sent in vain.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Settler {
    /// Has an order checked and certified, beside the others.
    fn prepare(&mut self, order: Order) {
        let (books, jobs, checks) = (self.books.clone(), self.jobs.clone(), self.checks.clone());
        let others = match &order {
            Order::Settle(batch) => self.cover.begin((batch.job, batch.sequence), batch.spent),
            Order::CloseFailed { .. } => 0,
        };
        self.preparing.spawn(async move {
            let name = order.name();
            if let Order::Settle(batch) = &order {
                if let Err(refused) = check(&books, jobs, checks, batch).await {
                    return (name, Err(SendError::NotBorneOut(refused)));
                }
                if let Err(error) = ask_covered(&books, batch.spent, others).await {
                    return (name, Err(error));
                }
            }
            let call = order.into_call(&books).await;
            (name, call.map_err(SendError::from))
        });
    }

    /// Sends what is prepared. The next of its job is prepared only when this is in the node's pool, so that
    /// they get into blocks in order.
    async fn send(&mut self, name: Name, call: Result<Call, SendError>) {
        let sent = match call {
            Ok(call) => send(&self.books, &call).await,
            Err(error) => Err(error),
        };
        self.orders.prepared(name.0);
        match sent {
            Ok(sent) => {
                self.on_their_way.spawn(async move {
                    let settled = tokio::time::timeout(PATIENCE, sent.settled());
                    let settled = settled.await.unwrap_or_else(|_| Err(given_up(name)));
                    (name, settled.map_err(SendError::from))
                });
            }
            Err(error @ SendError::Uncovered(_)) => {
                let (job, batch) = name;
                self.orders.done(name, false);
                if batch.is_some_and(|batch| self.cover.waits((job, batch))) {
                    tracing::warn!(%job, batch, %error, "a batch waits");
                }
                // An error says that the masternode stops.
                let _told = self.not_settled.send(job).await;
            }
            Err(SendError::NotBorneOut(error)) => {
                let (job, batch) = name;
                self.given_up(name);
                // The core orders it again after a while, and what the chain counts of it is its own.
                self.orders.done(name, false);
                if self.refused.insert(job) {
                    tracing::error!(
                        %job,
                        batch,
                        error,
                        "a batch is not sent, because this masternode's own log of the job breaks a rule; report it"
                    );
                }
            }
            Err(error) => self.done(name, Err(error)).await,
        }
    }

    /// An order is not on its way any more, and was not carried out.
    fn given_up(&mut self, (job, batch): Name) {
        if let Some(batch) = batch {
            self.cover.given_up((job, batch));
        }
    }

    async fn done(&mut self, name: Name, outcome: Result<Settled, SendError>) {
        let (job, batch) = name;
        self.orders.done(name, outcome.is_ok());
        match outcome {
            Ok(settled) => {
                if batch.is_some_and(|batch| self.cover.settled((job, batch))) {
                    tracing::info!(%job, batch, "the bond covers what waited; the job is settled on");
                }
                tracing::info!(
                    %job,
                    batch,
                    block = settled.block.number,
                    transaction = hex::encode(settled.transaction),
                    "settled"
                );
            }
            Err(error) => {
                self.given_up(name);
                report(name, &error);
                // An error says that the masternode stops.
                let _told = self.not_settled.send(job).await;
            }
        }
    }
}

/// Whether the masternode's bond covers a batch, as of the last final block.
async fn ask_covered(books: &Books, spent: Amount, others: Amount) -> Result<(), SendError> {
    let state = books.chain.at_finalised().await?;
    let bond = state.masternode_bond(&books.account.id()).await?;
    Ok(check_covered(&bond, spent, others)?)
}

/// Whether a batch follows from the job's log, and why not if it does not. One that cannot be checked, because
/// the job is not open here any more, was composed when it was, and is sent.
async fn check(
    books: &Arc<Books>,
    jobs: Arc<dyn OpenJobs>,
    checks: Arc<Mutex<Checks>>,
    batch: &Batch,
) -> Result<(), String> {
    if !books.checks_batches {
        return Ok(());
    }
    let (job, sequence) = (batch.job, batch.sequence);
    let (books, batch) = (books.clone(), batch.clone());
    let checked = tokio::task::spawn_blocking(move || {
        // A panic while the lock was held leaves logs that are not followed to where they should be,
        // and a batch that does not fit is refused.
        let mut checks = checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.check(&books, jobs.as_ref(), &batch)
    });
    match checked.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error @ Refused::NotOpen)) => {
            tracing::warn!(%job, batch = sequence, %error, "a batch is sent unchecked");
            Ok(())
        }
        Ok(Err(error)) => Err(format!("{:#}", anyhow::Error::from(error))),
        Err(error) => Err(error.to_string()),
    }
}

async fn send(books: &Books, call: &Call) -> Result<Sent, SendError> {
    let _turn = books.sending.lock().await;
    Ok(books.chain.send(&books.account, call).await?)
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
    /// Jobs of which an order is being prepared, and what waits for that. None of it is there twice.
    preparing: BTreeSet<JobId>,
    held: VecDeque<Order>,
}

impl Orders {
    fn new(source: mpsc::Receiver<Order>) -> Self {
        Self {
            source,
            waiting: VecDeque::new(),
            begun: BTreeSet::new(),
            preparing: BTreeSet::new(),
            held: VecDeque::new(),
        }
    }

    /// The next order, of a job of which none is being prepared. One that is on its way is not begun a
    /// second time: a call that fails on the chain costs a fee. Safe to be dropped while it waits.
    async fn next(&mut self) -> Option<Order> {
        loop {
            let order = match self.waiting.pop_front() {
                Some(order) => order,
                None => self.source.recv().await?,
            };
            let name = order.name();
            if self.preparing.contains(&name.0) {
                let is_known =
                    self.begun.contains(&name) || self.held.iter().any(|held| held.name() == name);
                if !is_known {
                    self.held.push_back(order);
                }
            } else if self.begun.insert(name) {
                self.preparing.insert(name.0);
                return Some(order);
            }
        }
    }

    /// What was prepared of a job is sent, or will not be: its next order may be begun.
    fn prepared(&mut self, job: JobId) {
        self.preparing.remove(&job);
        let held = std::mem::take(&mut self.held).into_iter();
        let (next, others): (Vec<_>, VecDeque<_>) =
            held.fold(Default::default(), |(mut next, mut others), order| {
                match order.name().0 == job {
                    true => next.push(order),
                    false => others.push_back(order),
                }
                (next, others)
            });
        self.held = others;
        for order in next.into_iter().rev() {
            self.waiting.push_front(order);
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
        self.held.retain(|order| order.name().0 != name.0);
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

    /// The names of the orders that may be begun now, each prepared at once.
    fn begin(orders: &mut Orders) -> Vec<Name> {
        let begin = || {
            let order = orders.next().now_or_never().flatten()?;
            orders.prepared(order.name().0);
            Some(order.name())
        };
        std::iter::from_fn(begin).collect()
    }

    #[test]
    fn a_job_that_waits_for_certificates_keeps_no_other_waiting_and_its_own_batches_in_order() {
        let (give, source) = mpsc::channel(10);
        let mut orders = Orders::new(source);
        let mut next = || {
            let order = orders.next().now_or_never().flatten();
            order.map(|order| order.name())
        };
        for order in [batch(JOB, 0), batch(JOB, 1), batch(JOB, 1), batch(OTHER, 0)] {
            give.try_send(order).ok().unwrap();
        }
        assert_eq!(next(), Some((JOB, Some(0))));
        assert_eq!(next(), Some((OTHER, Some(0))));
        assert_eq!(next(), None);
        give.try_send(batch(JOB, 0)).ok().unwrap();
        orders.prepared(JOB);
        assert_eq!(
            begin(&mut orders),
            [(JOB, Some(1))],
            "once, and in its turn"
        );
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
