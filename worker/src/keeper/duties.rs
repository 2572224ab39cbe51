//! What the chain says that this device holds, and the challenges that it answers there.
//!
//! A look costs a few questions to the chain's node, one of them for each thousand pieces that are held, and one for each
//! contract that they are of. A challenge may leave no more than half a minute for its answer.

use crate::kept::{KeptPieces, PieceName};
use quern_custody_rules::{drawn, pay};
use quern_ledger::{Account, Call, Chain, ChainError, CustodyCall, Sent, SubmitError};
use quern_primitives::{
    custody::{Answer, Challenge, Contract, Holding, Place, piece_chunks},
    ids::{AccountId, BlockNumber, DeviceId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinHandle};

/// How often the chain is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);

/// Challenges that are answered at a time, those first that are due first; the others wait for the next look.
const ANSWERED_MAX: usize = 32;

/// What was seen of the chain last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// When.
    pub(crate) seen_at: Instant,
    /// The account that the device is registered for.
    pub(crate) account: Option<AccountId>,
    /// The chain's clock of finality.
    pub(crate) clock: BlockNumber,
    /// What it holds, or has to show for a challenge.
    pub(crate) held: BTreeSet<PieceName>,
}

/// Looks at the chain, and answers challenges.
pub(crate) struct Duties {
    pub(crate) device: DeviceId,
    pub(crate) kept: KeptPieces,
    pub(crate) chain: watch::Receiver<Option<Chain>>,
    /// The account that sends answers; without one challenges are only told.
    pub(crate) account: Option<Account>,
    pub(crate) facts: watch::Sender<Option<Facts>>,
}

impl Duties {
    /// Goes on until nobody wants to know any more.
    pub(crate) async fn run(self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Answers are read and sent beside, so that a slow disk keeps nobody from looking.
        let mut answering = BTreeMap::new();
        while !self.facts.is_closed() {
            looks.tick().await;
            let Some(chain) = self.chain.borrow().clone() else {
                continue;
            };
            match tokio::time::timeout(LOOK_TIMEOUT, self.look(&chain)).await {
                Ok(Ok(open)) => self.answer_all(&chain, open, &mut answering),
                Ok(Err(error)) => tracing::debug!(%error, "the chain does not tell what is held"),
                Err(_) => tracing::debug!("the chain takes too long to tell what is held"),
            }
        }
    }

    /// Looks at the chain. Returns the challenges that are open.
    async fn look(&self, chain: &Chain) -> Result<Vec<(Place, Holding, Challenge)>, ChainError> {
        let state = chain.at_finalised().await?;
        let account = state.device(self.device).await?;
        let clock = state.finality().await?.clock;
        let held = state.held_by(self.device).await?;
        let mut contracts = BTreeMap::new();
        let named: BTreeSet<_> = held.iter().map(|(place, _)| place.contract).collect();
        for contract in named {
            contracts.insert(contract, state.contract(contract).await?);
        }
        let is_held = |(place, holding): &&(Place, Holding)| {
            let contract = contracts.get(&place.contract).and_then(Option::as_ref);
            contract.is_some_and(|contract| is_to_be_here(contract, holding, clock))
        };
        let names = held.iter().filter(is_held);
        let facts = Facts {
            seen_at: Instant::now(),
            account: account.map(|view| view.device.account),
            clock,
            held: names.map(|(at, _)| (at.contract, at.piece)).collect(),
        };
        self.facts.send_replace(Some(facts));
        let mut open = Vec::new();
        for (place, holding) in held.into_iter().filter(|(_, it)| it.is_challenged) {
            if let Some(challenge) = state.challenge_of(place).await? {
                open.push((place, holding, challenge));
            }
        }
        open.sort_by_key(|(.., challenge)| challenge.due);
        Ok(open)
    }

    /// Begins to answer what is not being answered.
    fn answer_all(
        &self,
        chain: &Chain,
        open: Vec<(Place, Holding, Challenge)>,
        answering: &mut BTreeMap<Place, JoinHandle<()>>,
    ) {
        answering.retain(|_, task| !task.is_finished());
        for (place, holding, challenge) in open {
            if answering.len() >= ANSWERED_MAX {
                break;
            }
            if answering.contains_key(&place) {
                continue;
            }
            let (contract, piece) = (place.contract, place.piece);
            let Some(account) = &self.account else {
                tracing::warn!(%contract, piece, due = challenge.due, "a piece is challenged on the chain, and this worker has no account to answer with; make one with `quern-worker claims account`, and send it some money for fees");
                continue;
            };
            let answering_it = Answering {
                kept: self.kept.clone(),
                chain: chain.clone(),
                account: account.clone(),
                place,
            };
            let task = tokio::spawn(answering_it.answer(holding, challenge));
            answering.insert(place, task);
        }
    }
}

/// What answers a challenge.
struct Answering {
    kept: KeptPieces,
    chain: Chain,
    account: Account,
    place: Place,
}

impl Answering {
    async fn answer(self, holding: Holding, challenge: Challenge) {
        let (contract, piece) = (self.place.contract, self.place.piece);
        let mut sent = Vec::new();
        if let Err(error) = self.send(&holding, &challenge, &mut sent).await {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%contract, piece, due = challenge.due, %error, source, "a challenge is not answered");
        }
        let (all, mut settled) = (sent.len(), 0usize);
        for part in sent {
            match part.settled().await {
                Ok(_) => settled = settled.saturating_add(1),
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%contract, piece, %error, source, "a part of an answer is in no block");
                }
            }
        }
        if settled > 0 {
            tracing::info!(%contract, piece, settled, all, "a challenge is answered");
        }
    }

    /// Sends the parts that are missing.
    async fn send(
        &self,
        holding: &Holding,
        challenge: &Challenge,
        sent: &mut Vec<Sent>,
    ) -> Result<(), AnswerError> {
        let count = piece_chunks(holding.bytes).unwrap_or_default();
        let asked = drawn::chunks(&challenge.seed, count);
        for part in 0..u8::try_from(drawn::parts(asked.len())).unwrap_or(u8::MAX) {
            let is_answered = challenge.answered & 1u8.checked_shl(part.into()).unwrap_or(0) != 0;
            let Some(chunks) = drawn::part(&asked, part).filter(|_| !is_answered) else {
                continue;
            };
            let (kept, name) = (self.kept.clone(), (self.place.contract, self.place.piece));
            let chunks = chunks.to_vec();
            let shown = tokio::task::spawn_blocking(move || kept.show(&name, &chunks)).await;
            let shown = shown.map_err(|_| AnswerError::Ended)??;
            let answer = Answer {
                part,
                chunks: shown.try_into().map_err(|_| AnswerError::Ended)?,
            };
            let place = self.place;
            let call = Call::Custody(Box::new(CustodyCall::Answer { place, answer }));
            sent.push(self.chain.send(&self.account, &call).await?);
        }
        Ok(())
    }
}

/// Whether a piece is to be here: until its last period is over, and as long as a challenge of it is open.
fn is_to_be_here(contract: &Contract, holding: &Holding, clock: BlockNumber) -> bool {
    let period = pay::period_at(&contract.terms, clock);
    holding.is_challenged || period < pay::until(contract, holding)
}

/// Why a challenge is not answered.
#[derive(Debug, thiserror::Error)]
enum AnswerError {
    /// The piece is not here, or not what it was.
    #[error(transparent)]
    Show(#[from] crate::kept::ShowError),
    /// The chain did not take it.
    #[error(transparent)]
    Chain(#[from] SubmitError),
    /// The task that reads ended.
    #[error("the task that reads the piece ended")]
    Ended,
}
