//! The other masternodes of the jobs that are coordinated here.
//!
//! Each is handed the log as it grows, and asked for its word on a batch, or that a job cannot go on. Who does
//! not answer is asked again later; nobody waits for it who has words enough.

use super::About;
use crate::{
    daemon::Shared,
    locks::lock,
    referee::RefereeError,
    store::{Store, StoreError},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use jsonrpsee::{
    core::client::Error as RpcError,
    ws_client::{WsClient, WsClientBuilder},
};
use quern_jobs_api::{
    Blob, GroupApiClient as _, GroupError, LOG_PAGE_BLOCKS_MAX, LOG_PAGE_BYTES_MAX,
    MESSAGE_BYTES_MAX,
};
use quern_ledger::{Chain, ChainError};
use quern_primitives::{
    AccountId, JobId,
    group::{Group, Member},
    log::Certificate,
    payload::{NodeSignature, Signature as _, SignedPayload as _},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Mutex as AsyncMutex, time::timeout};

/// How long another masternode may take to answer one request: it may have to recheck a page of a log.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long words are waited for; then it is tried again later.
const WORDS_PATIENCE: Duration = Duration::from_secs(20);

/// A member that lacks only what comes by itself is asked again after so long.
const AGAIN: Duration = Duration::from_millis(500);

/// How often what is new of a log is handed on.
const HAND_ON: Duration = Duration::from_secs(1);

/// A member that did not answer is left alone for so many times.
const LEFT_ALONE: u32 = 10;

/// In so many rounds it is asked once who is in the groups: they change only with a turn.
const LOOK_ROUNDS: u32 = 5;

/// Masternodes that are connected at a time; more than there are.
const CLIENTS_MAX: usize = 256;

/// Why another masternode did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// The chain does not say where it is reached.
    #[error("it has published nowhere where it is reached")]
    Nowhere,
    /// It does not answer.
    #[error("it does not answer at {url}")]
    NoAnswer {
        /// Where it should be.
        url: String,
        /// What went wrong.
        source: Box<RpcError>,
    },
    /// It took too long.
    #[error("it took too long")]
    TooLong,
    /// It refused.
    #[error(transparent)]
    Refused(#[from] GroupError),
    /// It took blocks and wants them again.
    #[error("it wants block {next} of the log again, which it has taken")]
    Stuck {
        /// The block.
        next: u64,
    },
    /// What it signed is something else, or was signed by somebody else.
    #[error(
        "its certificate is not over this batch or end and log head, or not by the key that was drawn"
    )]
    NotSigned,
    /// What it says came out of a task is not signed by it, or is about something else.
    #[error("its report is not signed by the key that was drawn, or is about another job or task")]
    NotItsReport,
    /// The sealed result is another than it signed.
    #[error("the sealed result that it gave is not the one that its report is about")]
    OtherResult,
    /// The result cannot be kept here.
    #[error(transparent)]
    NotKept(#[from] RefereeError),
    /// The own log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Of jobs of which a batch, or the end, waits for words: how many are here, and how many it needs.
#[derive(Default)]
struct Waiting(Mutex<BTreeMap<JobId, (u32, u32)>>);

impl Waiting {
    fn of(&self, job: JobId) -> Option<(u32, u32)> {
        lock(&self.0).get(&job).copied()
    }

    fn note(&self, job: JobId, here: usize, needed: usize) {
        // No group is as large as a byte counts.
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        lock(&self.0).insert(job, (count(here), count(needed)));
    }

    fn forget(&self, job: JobId) {
        lock(&self.0).remove(&job);
    }

    fn retain(&self, open: &BTreeSet<JobId>) {
        lock(&self.0).retain(|job, _| open.contains(job));
    }
}

/// The index of the block that a member wants next, once it was asked.
type Line = Arc<AsyncMutex<Option<u64>>>;

/// Words, each with its place in the group, and why others gave none.
pub(super) type Words = (Vec<(u8, NodeSignature)>, Vec<String>);

/// What is on its way to the other masternodes.
pub(crate) struct Peers {
    chain: Chain,
    store: Store,
    clients: Mutex<BTreeMap<String, Arc<WsClient>>>,
    /// By job and account.
    lines: Mutex<BTreeMap<(JobId, AccountId), Line>>,
    waiting: Waiting,
}

impl Peers {
    pub(crate) fn new(chain: Chain, store: Store) -> Self {
        Self {
            chain,
            store,
            clients: Mutex::default(),
            lines: Mutex::default(),
            waiting: Waiting::default(),
        }
    }

    /// How many certificates are here for the next batch of a job, and how many it needs, if it waits for
    /// any.
    pub(crate) fn waits_for(&self, job: JobId) -> Option<(u32, u32)> {
        self.waiting.of(job)
    }

    /// The words of others in a group on what a certificate is about: as many as are wanted, if as many give
    /// theirs in time, and why others did not.
    pub(crate) async fn words(
        &self,
        group: &Group,
        own: u8,
        about: About,
        certificate: &Certificate,
    ) -> Result<Words, ChainError> {
        let job = certificate.job;
        let needed = group.needed();
        let urls = urls(&self.chain).await?;
        let others = (0u8..).zip(&group.members);
        let others = others.filter(|(place, member)| *place != own && !member.is_out);
        let mut asked: FuturesUnordered<_> = others
            .map(|(place, member)| {
                let url = urls.get(&member.account).cloned();
                async move {
                    let word = self.word(member, url, about, certificate).await;
                    (place, member, word)
                }
            })
            .collect();
        let (mut words, mut refusals) = (Vec::new(), Vec::new());
        let gathered = async {
            while words.len().saturating_add(1) < needed {
                self.waiting
                    .note(job, words.len().saturating_add(1), needed);
                let Some((place, member, word)) = asked.next().await else {
                    return;
                };
                match word {
                    Ok(signature) => words.push((place, signature)),
                    Err(error) => {
                        refusals.push(format!(
                            "{}: {:#}",
                            member.account,
                            anyhow::Error::from(error)
                        ));
                    }
                }
            }
        };
        if timeout(WORDS_PATIENCE, gathered).await.is_err() {
            refusals.push(format!(
                "others did not answer within {} s",
                WORDS_PATIENCE.as_secs()
            ));
        }
        match words.len().saturating_add(1) < needed {
            true => self
                .waiting
                .note(job, words.len().saturating_add(1), needed),
            false => self.waiting.forget(job),
        }
        Ok((words, refusals))
    }

    /// Forgets what belongs to jobs that are not open.
    fn retain(&self, open: &BTreeSet<JobId>) {
        lock(&self.lines).retain(|(job, _), _| open.contains(job));
        self.waiting.retain(open);
    }

    /// One member's word, once it has the log.
    async fn word(
        &self,
        member: &Member,
        url: Option<String>,
        about: About,
        certificate: &Certificate,
    ) -> Result<NodeSignature, PeerError> {
        let url = url.ok_or(PeerError::Nowhere)?;
        loop {
            self.hand_on(certificate.job, &member.account, &url).await?;
            let client = self.client(&url).await?;
            let Certificate {
                job,
                sequence,
                index,
                head,
                ..
            } = *certificate;
            let told = match about {
                About::Batch => client.certify(job, sequence, index, head).await,
                About::End => client.certify_end(job, sequence, index, head).await,
            };
            let refused = match told.map_err(|error| failure(&url, error)) {
                Ok(word) => {
                    let signature = word.0.try_into().map_err(|_| PeerError::NotSigned)?;
                    let signature = NodeSignature(signature);
                    let digest = certificate.signing_digest(&self.chain.genesis());
                    return match signature.holds(&digest, &member.node) {
                        true => Ok(signature),
                        false => Err(PeerError::NotSigned),
                    };
                }
                Err(refused) => refused,
            };
            // What it lacks comes with the chain, or with the log. The caller's patience ends this.
            match refused {
                PeerError::Refused(
                    GroupError::Behind { .. }
                    | GroupError::Unread { .. }
                    | GroupError::NotMember
                    | GroupError::Starting
                    | GroupError::Busy,
                ) => tokio::time::sleep(AGAIN).await,
                refused => return Err(refused),
            }
        }
    }

    /// Hands a member what it has not of a log, as far as that is on disk here.
    pub(super) async fn hand_on(
        &self,
        job: JobId,
        member: &AccountId,
        url: &str,
    ) -> Result<(), PeerError> {
        let line = lock(&self.lines)
            .entry((job, member.clone()))
            .or_default()
            .clone();
        let mut next = line.lock().await;
        let client = self.client(url).await?;
        loop {
            let from = match *next {
                Some(from) => from,
                None => {
                    let told = client.append(job, Vec::new()).await;
                    told.map_err(|error| failure(url, error))?.next
                }
            };
            let blocks = page(&self.store, job, from).await?;
            if blocks.is_empty() {
                *next = Some(from);
                return Ok(());
            }
            // If it fails the member is asked anew where it is.
            *next = None;
            let told = client.append(job, blocks).await;
            let told = told.map_err(|error| failure(url, error))?.next;
            if told <= from {
                return Err(PeerError::Stuck { next: told });
            }
            *next = Some(told);
        }
    }

    pub(crate) async fn client(&self, url: &str) -> Result<Arc<WsClient>, PeerError> {
        let known = lock(&self.clients).get(url).cloned();
        if let Some(client) = known.filter(|client| client.is_connected()) {
            return Ok(client);
        }
        let client = WsClientBuilder::default()
            .max_request_size(MESSAGE_BYTES_MAX)
            .max_response_size(MESSAGE_BYTES_MAX)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(REQUEST_TIMEOUT)
            .build(url)
            .await;
        let client = Arc::new(client.map_err(|error| failure(url, error))?);
        let mut clients = lock(&self.clients);
        clients.retain(|_, client| client.is_connected());
        if clients.len() < CLIENTS_MAX {
            clients.insert(url.to_owned(), client.clone());
        }
        Ok(client)
    }
}

/// What a member answered instead of a result.
pub(super) fn failure(url: &str, error: RpcError) -> PeerError {
    if let RpcError::Call(refusal) = &error
        && let Some(data) = refusal.data()
        && let Ok(refused) = serde_json::from_str(data.get())
    {
        return PeerError::Refused(refused);
    }
    PeerError::NoAnswer {
        url: url.to_owned(),
        source: Box::new(error),
    }
}

/// Blocks of the own log from one on.
async fn page(store: &Store, job: JobId, from: u64) -> Result<Vec<Blob>, PeerError> {
    let store = store.clone();
    let read = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
        let log = store.read_log(job)?;
        log.page(from, LOG_PAGE_BLOCKS_MAX as u64, LOG_PAGE_BYTES_MAX)
    });
    let page = read.await.map_err(|_| PeerError::TooLong)??;
    Ok(page.into_iter().map(Blob).collect())
}

/// Where masternodes are reached.
pub(crate) async fn urls(chain: &Chain) -> Result<BTreeMap<AccountId, String>, ChainError> {
    let views = chain.at_finalised().await?.masternodes().await?;
    let reached = views.into_iter().filter_map(|view| {
        let url = String::from_utf8(view.jobs_api.to_vec()).ok()?;
        Some((view.account, url))
    });
    Ok(reached.collect())
}

/// Hands on the logs of the jobs that are coordinated here, as they grow, until the masternode stops.
pub(crate) async fn replicate(shared: Arc<Shared>) {
    let mut lines = Lines::default();
    let mut round = 0u32;
    while !shared.commands.is_closed() {
        if round.is_multiple_of(LOOK_ROUNDS)
            && let Err(error) = lines.look(&shared).await
        {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "no news of groups"
            );
        }
        round = round.wrapping_add(1);
        lines.hand_on(&shared).await;
        tokio::time::sleep(HAND_ON).await;
    }
}

/// Whom what is handed on.
#[derive(Default)]
struct Lines {
    /// By job and account: where it is reached.
    to: BTreeMap<(JobId, AccountId), String>,
    /// Rounds for which a masternode is left alone, because it did not answer.
    left_alone: BTreeMap<AccountId, u32>,
}

impl Lines {
    /// Finds out who is in the groups of the jobs that are coordinated here.
    async fn look(&mut self, shared: &Arc<Shared>) -> Result<(), ChainError> {
        let open = shared.own_jobs();
        shared.peers.retain(&open);
        if open.is_empty() {
            self.to.clear();
            return Ok(());
        }
        let (state, urls) = (
            shared.chain.at_finalised().await?,
            urls(&shared.chain).await?,
        );
        let me = shared.account.id();
        let mut to = BTreeMap::new();
        for job in open {
            let group = state.group(job).await?;
            let members = group.into_iter().flat_map(|group| group.members);
            for member in members.filter(|it| !it.is_out && it.account != me) {
                if let Some(url) = urls.get(&member.account) {
                    to.insert((job, member.account), url.clone());
                }
            }
        }
        self.to = to;
        Ok(())
    }

    async fn hand_on(&mut self, shared: &Arc<Shared>) {
        for rounds in self.left_alone.values_mut() {
            *rounds = rounds.saturating_sub(1);
        }
        self.left_alone.retain(|_, rounds| *rounds > 0);
        let left_alone = &self.left_alone;
        let lines = self.to.iter();
        let lines = lines.filter(|((_, account), _)| !left_alone.contains_key(account));
        let mut handed: FuturesUnordered<_> = lines
            .map(|((job, account), url)| async move {
                let handed = shared.peers.hand_on(*job, account, url);
                let handed = timeout(REQUEST_TIMEOUT, handed).await;
                (job, account, handed.unwrap_or(Err(PeerError::TooLong)))
            })
            .collect();
        let mut silent = BTreeSet::new();
        while let Some((job, account, handed)) = handed.next().await {
            if let Err(error) = handed {
                if matches!(error, PeerError::NoAnswer { .. } | PeerError::TooLong) {
                    silent.insert(account.clone());
                }
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::debug!(%job, %account, error, "a log is not handed on; trying again");
            }
        }
        drop(handed);
        self.left_alone
            .extend(silent.into_iter().map(|account| (account, LEFT_ALONE)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_member_refuses_is_told_from_its_silence() {
        let refused = GroupError::Behind { next: 7 };
        let told = failure("ws://there", RpcError::Call(refused.clone().into()));
        assert!(matches!(told, PeerError::Refused(it) if it == refused));
        let silent = failure("ws://there", RpcError::RequestTimeout);
        assert!(matches!(silent, PeerError::NoAnswer { url, .. } if url == "ws://there"));
    }

    #[test]
    fn it_is_told_how_many_certificates_are_waited_for() {
        let (waiting, job) = (Waiting::default(), JobId([1; 32]));
        assert_eq!(waiting.of(job), None);
        waiting.note(job, 1, 2);
        assert_eq!(waiting.of(job), Some((1, 2)));
        waiting.retain(&BTreeSet::from([job]));
        assert_eq!(waiting.of(job), Some((1, 2)));
        waiting.retain(&BTreeSet::new());
        assert_eq!(waiting.of(job), None);
    }
}
