//! Looks at the chain for batches that must have this device's work, asks those who settled them, and claims
//! what was left out. What is decided is in [`crate::claims`].
//!
//! A look costs two questions to the chain's node for each job with words that are kept, and some kilobytes
//! once for each batch; nothing where there are no such words. It is made every minute at most, a little
//! earlier or later each time, and more often where the window is short.

use super::{News, Shell};
use crate::{
    claims::{
        Ask, Claim, Claims, ClaimsAccountError, Deed, Journal, JournalError, Owed, Pending,
        load_account,
    },
    settings::{self, ClaimsMode},
};
use quern_dispute_rules::{
    Question,
    evidence::BatchName,
    open::{DisputeId, DisputeView, Matter},
    ruling::Place,
};
use quern_ledger::{Account, Call, Chain, ChainError, State, SubmitError};
use quern_primitives::{
    AccountId, Amount, BlockNumber, GenesisHash, JobId, amount::display, ids::BatchSequence,
    limits::DAY_BLOCKS,
};
use quern_protocol::ShownVerdict;
use rand::RngExt as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, SystemTime},
};
use tokio::{sync::mpsc, time::Instant};

/// Batches that are read in one look, of up to 46 kB each; the others have to wait for the next.
const READ_MAX: usize = 16;

/// The least and the most blocks between two looks.
const LOOK_BLOCKS: (BlockNumber, BlockNumber) = (3, 30);

/// How long a look may take, and how long after one that failed the next is made.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_secs(10);

/// The length of a block's slot.
const BLOCK_MS: u64 = 24 * 3_600 * 1_000 / DAY_BLOCKS as u64;

/// Claims of which the owner is told at a time, in the log and with a file each.
const TOLD_MAX: usize = 16;

/// What a job's batches are.
struct SeenJob {
    job: JobId,
    is_over: bool,
    /// Batches that are pending no more, and whether each is final.
    ended: Vec<(BatchSequence, bool)>,
    /// Pending ones that were not watched.
    fresh: Vec<Pending>,
}

/// What a look has seen of a final block.
pub(super) struct Seen {
    at: BlockNumber,
    window: BlockNumber,
    jobs: Vec<SeenJob>,
    /// Disputes of this worker's account that can be ended.
    over: Vec<DisputeId>,
}

/// What a look is for.
struct Look {
    /// Jobs with words, and the batches of each that are watched.
    jobs: BTreeMap<JobId, Vec<BatchSequence>>,
    /// Whether others than those are of interest.
    with_batches: bool,
    /// Jobs of which this account may have a dispute open.
    asked: BTreeSet<JobId>,
    account: Option<AccountId>,
}

/// What came of something that was sent to the chain.
pub(super) enum Sent {
    /// Of a claim.
    Claim(Box<Claim>, Filed),
    /// Of the end of a dispute.
    End(DisputeId, Result<BlockNumber, String>),
}

/// What came of a claim.
pub(super) enum Filed {
    /// It is in this block, with this bond.
    Done(BlockNumber, Amount),
    /// It was there before, with this bond, or somebody has proved the same.
    Before(Amount),
    /// It was not sent, or was refused, and is the owner's to decide.
    Not(String),
    /// It is tried again.
    Again(String),
}

/// The worker's claims.
pub(super) struct Claiming {
    claims: Claims,
    journal: Journal,
    settings: settings::Claims,
    account: Option<Account>,
    genesis: GenesisHash,
    chain: Option<Chain>,
    /// The height of the last look.
    at: BlockNumber,
    next_look: Instant,
    is_looking: bool,
    is_sending: bool,
    /// The last job that was looked at, if there are others.
    last: Option<JobId>,
    owed: Owed,
    news: mpsc::Sender<News>,
}

/// Why a worker cannot claim.
#[derive(Debug, thiserror::Error)]
pub enum ClaimingError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The account.
    #[error(transparent)]
    Account(#[from] ClaimsAccountError),
}

impl Claiming {
    pub(super) fn new(
        settings: settings::Claims,
        data: &Path,
        genesis: GenesisHash,
        chain: Option<Chain>,
        news: mpsc::Sender<News>,
    ) -> Result<Self, ClaimingError> {
        let account = match settings.mode {
            ClaimsMode::File => load_account(&settings.account)?,
            ClaimsMode::Off | ClaimsMode::Tell => None,
        };
        if settings.mode == ClaimsMode::File && account.is_none() {
            tracing::info!(
                "work that is left out will be told in this log and not claimed, for there is no \
                 account for claims; `quern-worker claims account` makes one"
            );
        }
        Ok(Self {
            claims: Claims::default(),
            journal: Journal::open(data)?,
            settings,
            account,
            genesis,
            chain,
            at: 0,
            next_look: Instant::now() + LOOK_PAUSE,
            is_looking: false,
            is_sending: false,
            last: None,
            owed: Owed::default(),
            news,
        })
    }

    /// The account that sends what is to be sent, if there is one.
    pub(super) fn account(&self) -> Option<Account> {
        self.account.clone()
    }

    /// A node has answered over this connection.
    pub(super) fn learn_chain(&mut self, chain: Option<Chain>) {
        if chain.is_some() {
            self.chain = chain;
        }
    }

    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Begins a look at these jobs.
    fn look(&mut self, jobs: Vec<JobId>) {
        self.next_look = Instant::now() + LOOK_TIMEOUT;
        let asked = self.journal.asked_jobs(now_s());
        let Some(chain) = self.chain.clone() else {
            return;
        };
        if self.is_looking {
            return;
        }
        if jobs.is_empty() && asked.is_empty() {
            // There is nothing to ask, so it costs nothing.
            self.next_look = Instant::now() + LOOK_PAUSE;
            return;
        }
        self.is_looking = true;
        self.last = jobs.last().copied();
        let look = Look {
            jobs: jobs
                .into_iter()
                .map(|job| (job, self.claims.watched(&job)))
                .collect(),
            with_batches: self.settings.mode != ClaimsMode::Off,
            asked,
            account: self.account.as_ref().map(Account::id),
        };
        let news = self.news.clone();
        tokio::spawn(async move {
            let seen = match tokio::time::timeout(LOOK_TIMEOUT, read(&chain, look)).await {
                Ok(Ok(seen)) => Some(Box::new(seen)),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the chain does not tell of batches");
                    None
                }
                Err(_) => None,
            };
            // An error says that the worker ends.
            let _ = news.send(News::BatchesSeen(seen)).await;
        });
    }

    /// Says when the next look is. Not at the same time as other workers.
    fn look_later(&mut self, window: BlockNumber, has_more: bool) {
        let (least, most) = LOOK_BLOCKS;
        let soonest = (window / 6).clamp(least, most);
        let wanted = self.claims.next_look(self.at).unwrap_or(most);
        let blocks = match has_more {
            true => least,
            false => soonest.min(wanted).max(least),
        };
        let percent: u64 = rand::rng().random_range(75..=125);
        let pause_ms = u64::from(blocks) * BLOCK_MS * percent / 100;
        self.next_look = Instant::now() + Duration::from_millis(pause_ms);
    }

    /// Claims what is due, or tells of it.
    fn claim(&mut self) {
        for claim in self.claims.doubtful(self.at, TOLD_MAX) {
            self.tell(&claim, "it could not be asked for often enough");
        }
        for claim in self.claims.due(self.at).into_iter().take(TOLD_MAX) {
            if self.journal.has_claimed(&claim) {
                self.claims.settle(&claim);
                continue;
            }
            let account = match (&self.account, self.settings.mode) {
                (Some(account), ClaimsMode::File) => account.clone(),
                (None, ClaimsMode::File) => {
                    self.claims.settle(&claim);
                    self.tell(&claim, "there is no account for claims");
                    continue;
                }
                (_, ClaimsMode::Tell | ClaimsMode::Off) => {
                    self.claims.settle(&claim);
                    self.tell(&claim, "`claims.mode` is \"tell\"");
                    continue;
                }
            };
            if !self.is_sending {
                self.claims.settle(&claim);
                self.file(account, claim);
            }
        }
    }

    fn file(&mut self, account: Account, claim: Claim) {
        let Some(chain) = self.chain.clone() else {
            return self.claims.reopen(&claim);
        };
        let put_up = self.journal.put_up(now_s());
        let allowed = self.settings.bonds_per_day.saturating_sub(put_up);
        self.is_sending = true;
        let news = self.news.clone();
        tokio::spawn(async move {
            let filed = match file(&chain, &account, &claim, allowed).await {
                Ok(filed) => filed,
                Err(error @ SubmitError::Refused { .. }) => Filed::Not(error.to_string()),
                Err(error) => Filed::Again(error.to_string()),
            };
            let sent = Sent::Claim(Box::new(claim), filed);
            let _ = news.send(News::SentClaim(sent)).await;
        });
    }

    /// Ends a dispute whose time is over, so that the bond comes back with what was won.
    fn end(&mut self, over: &[DisputeId]) {
        let (Some(dispute), Some(account), Some(chain)) =
            (over.first().copied(), &self.account, &self.chain)
        else {
            return;
        };
        if self.is_sending {
            return;
        }
        self.is_sending = true;
        let (account, chain, news) = (account.clone(), chain.clone(), self.news.clone());
        tokio::spawn(async move {
            let ended = chain.submit(&account, &Call::ExpireDispute(dispute)).await;
            let ended = ended.map(|settled| settled.block.number);
            let ended = ended.map_err(|error| error.to_string());
            let _ = news.send(News::SentClaim(Sent::End(dispute, ended))).await;
        });
    }

    pub(super) fn on_sent(&mut self, sent: Sent) {
        self.is_sending = false;
        match sent {
            Sent::Claim(claim, Filed::Done(block, bond)) => {
                let deed = deed_of(&claim);
                let (job, task) = (claim.batch.job, claim.kept.word.payload.task);
                tracing::warn!(%job, task, block, ?deed, "work that was left out is claimed");
                self.note(deed, &claim, bond);
            }
            Sent::Claim(claim, Filed::Before(bond)) => self.note(deed_of(&claim), &claim, bond),
            Sent::Claim(claim, Filed::Not(why)) => self.tell(&claim, &why),
            Sent::Claim(claim, Filed::Again(why)) => {
                tracing::warn!(why, "a claim did not get to the chain; trying again");
                self.claims.reopen(&claim);
                return;
            }
            Sent::End(dispute, Ok(block)) => {
                tracing::info!(dispute, block, "a claim has ended");
            }
            Sent::End(dispute, Err(why)) => {
                tracing::warn!(dispute, why, "a claim could not be ended; trying again");
                return;
            }
        }
        // There may be others that had to wait.
        self.claim();
    }

    fn on_shown(&mut self, ask: &Ask, answer: Option<&[ShownVerdict]>) {
        // Where this machine could not ask, nothing was asked in vain.
        if let Some(shown) = answer {
            self.claims.answered(ask, shown);
            self.claim();
        }
    }

    /// Tells the owner of work that was left out, as it seems, and why nothing was sent to the chain.
    fn tell(&mut self, claim: &Claim, why: &str) {
        let (job, batch) = (claim.batch.job, claim.batch.sequence);
        let masternode = claim.kept.masternode;
        let (task, due) = (claim.kept.word.payload.task, claim.due);
        match self.journal.evidence(self.genesis, claim) {
            Ok(file) => tracing::warn!(
                %job, batch, task, %masternode, due, why, is_proven = claim.is_proven(),
                "a masternode acknowledged work and does not show that it settles it; to claim it \
                 before the batch is final: quern dispute file {}",
                file.display(),
            ),
            Err(error) => tracing::warn!(
                %job, batch, task, %masternode, why, %error,
                "a masternode acknowledged work and does not show that it settles it"
            ),
        }
        self.note(Deed::Told, claim, 0);
    }

    fn note(&mut self, deed: Deed, claim: &Claim, bond: Amount) {
        if let Err(error) = self.journal.note(now_s(), deed, claim, bond) {
            tracing::warn!(%error, "what was claimed is not written down");
        }
    }

    /// Says in the log what is owed, where something is not as it should be.
    fn tell_owed(&mut self) {
        let owed = self.claims.owed();
        let has_changed = owed.unshown != self.owed.unshown || owed.left_out != self.owed.left_out;
        if has_changed {
            let Owed {
                pending,
                named,
                unshown,
                left_out,
            } = owed;
            tracing::info!(
                pending,
                named,
                unshown,
                left_out,
                "acknowledged work in batches that are not final yet"
            );
        }
        self.owed = owed;
    }
}

impl Shell {
    /// Begins a look at what the chain has of jobs with words.
    pub(super) fn look_at_batches(&mut self) {
        let (jobs, _) = self.jobs_with_words(self.claiming.last);
        self.claiming.look(jobs);
    }

    pub(super) fn on_batches_seen(&mut self, seen: Option<Box<Seen>>) {
        self.claiming.is_looking = false;
        let Some(seen) = seen else {
            self.claiming.next_look = Instant::now() + LOOK_PAUSE;
            return;
        };
        self.claiming.at = seen.at;
        for SeenJob {
            job,
            is_over,
            ended,
            fresh,
        } in seen.jobs
        {
            if is_over {
                self.claiming.claims.drop_job(&job);
                self.forget_words(&job);
                continue;
            }
            for (sequence, is_final) in ended {
                let receipts = self.claiming.claims.close(&BatchName { job, sequence });
                if is_final {
                    self.forget_receipts(&job, &receipts);
                }
            }
            for pending in fresh {
                self.claiming.claims.learn(seen.at, pending);
            }
            self.claiming.claims.hold(self.words.of(&job));
        }
        for ask in self.claiming.claims.asks(seen.at) {
            self.links.show(ask);
        }
        self.claiming.claim();
        self.claiming.end(&seen.over);
        self.claiming.tell_owed();
        let (_, has_more) = self.jobs_with_words(self.claiming.last);
        self.claiming.look_later(seen.window, has_more);
    }

    pub(super) fn on_shown(&mut self, ask: &Ask, answer: Option<&[ShownVerdict]>) {
        self.claiming.on_shown(ask, answer);
    }
}

/// Reads what a look is for from the last final block.
async fn read(chain: &Chain, look: Look) -> Result<Seen, ChainError> {
    let state = chain.at_finalised().await?;
    let finality = state.finality().await?;
    let (mut jobs, mut room) = (Vec::new(), READ_MAX);
    for (job, watched) in look.jobs {
        let with = look.with_batches;
        jobs.push(read_job(&state, job, &watched, with, &mut room).await?);
    }
    let mut over = Vec::new();
    for job in look.asked {
        let Some(account) = &look.account else {
            break;
        };
        let open = state.disputes(Some(job)).await?;
        let own = open.into_iter().filter(|view| {
            view.dispute.disputer == *account && finality.clock > view.dispute.until
        });
        over.extend(own.map(|view| view.id));
    }
    Ok(Seen {
        at: state.block().number,
        window: finality.window,
        jobs,
        over,
    })
}

async fn read_job(
    state: &State,
    job: JobId,
    watched: &[BatchSequence],
    with_batches: bool,
    room: &mut usize,
) -> Result<SeenJob, ChainError> {
    let found = state.job(job).await?;
    let mut seen = SeenJob {
        job,
        is_over: found.is_none_or(|found| !found.state.is_open()),
        ended: vec![],
        fresh: vec![],
    };
    if seen.is_over || !with_batches {
        return Ok(seen);
    }
    let pending = state.pending_of(job).await?;
    let pending: BTreeSet<BatchSequence> = pending.into_iter().map(|(it, _)| it).collect();
    for sequence in watched.iter().filter(|it| !pending.contains(it)) {
        let record = state.batch(job, *sequence).await?;
        let is_final = record.is_some_and(|record| record.is_final());
        seen.ended.push((*sequence, is_final));
    }
    let unwatched = pending.iter().filter(|it| !watched.contains(it));
    let unwatched: Vec<BatchSequence> = unwatched.take(*room).copied().collect();
    if unwatched.is_empty() {
        return Ok(seen);
    }
    let Some(group) = state.group(job).await? else {
        return Ok(seen);
    };
    *room = room.saturating_sub(unwatched.len());
    for sequence in unwatched {
        let record = state.batch(job, sequence).await?;
        let pending = state.pending_batch(job, sequence).await?;
        if let (Some(record), Some(pending)) = (record, pending) {
            let name = BatchName { job, sequence };
            seen.fresh
                .extend(Pending::new(name, &record, &pending, &group));
        }
    }
    Ok(seen)
}

/// Shows the chain a claim, unless it is there already, or costs more than may be put up.
async fn file(
    chain: &Chain,
    account: &Account,
    claim: &Claim,
    allowed: Amount,
) -> Result<Filed, SubmitError> {
    let state = chain.at_finalised().await?;
    let bond = state.params().await?.dispute_bond;
    let asked = Question::Omission {
        acknowledgement: claim.kept.word.payload,
    };
    let is_there = |view: &DisputeView| {
        view.dispute.batch == claim.batch && view.dispute.matter == Matter::Asked(asked)
    };
    let open = state.disputes(Some(claim.batch.job)).await?;
    let place = Place::Receipt(claim.kept.word.payload.receipt);
    let proved = state.convictions(claim.batch.job).await?;
    if open.iter().any(is_there) || proved.iter().any(|it| it.place == place) {
        return Ok(Filed::Before(bond));
    }
    if !claim.is_proven() && bond > allowed {
        return Ok(Filed::Not(format!(
            "a bond is {}, and `claims.bonds_bc_per_day` leaves {} for today",
            display(bond),
            display(allowed)
        )));
    }
    let free = state.wallet(&account.id()).await?.free;
    if free <= bond {
        return Ok(Filed::Not(format!(
            "a bond is {}, and the account for claims, {}, has {}; send it some with `quern wallet send`",
            display(bond),
            account.id(),
            display(free)
        )));
    }
    let call = Call::Dispute(Box::new(claim.evidence()));
    let settled = chain.submit(account, &call).await?;
    Ok(Filed::Done(settled.block.number, bond))
}

/// What is done when a claim is in a block.
fn deed_of(claim: &Claim) -> Deed {
    match claim.is_proven() {
        true => Deed::Proved,
        false => Deed::Asked,
    }
}

/// The machine's time, in seconds since the beginning of 1970.
fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
