//! Putting right results in the place of those that were found to be wrong.
//!
//! Some of a job's settled tasks are computed again by its masternodes, drawn so that nobody could know of it: each
//! by who coordinates the job and by one other member of its group. So all of them are asked. Where another answer comes out, the masternode that found it tells the owner, with its signed word and the
//! sealed result. What is believed is a member of the job's group, as the chain drew it: its word must be signed,
//! and about what the owner asked for, and the result must open and be the one that the word is about. Whatever
//! else a masternode tells changes nothing. A result that is replaced is kept beside, for it is one masternode's
//! word against those who agreed, unless others of the group say the same.

mod voices;

use crate::{
    collect::{CollectError, check_length, fetch, open},
    coordinator::{ApiFailure, Coordinator},
    folder::{FolderError, JobFolder},
};
use jsonrpsee::core::client::Error as RpcError;
use quern_jobs_api::{ApiError, Blob, Correction, JobsApiClient, TaskResult};
use quern_ledger::{Chain, ChainError};
use quern_primitives::{
    AccountId, DeviceId, GenesisHash, TaskIndex,
    group::Group,
    log::RefereeReport,
    receipt::{Answer, Exit},
};
use quern_shards::{
    keys::JobKey, manifest::ValidatedManifest, question::Allowed, result::result_commitment,
};
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use voices::{Voice, Voices};

/// How long to wait before masternodes are asked again: about a block.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a masternode may take to accept a connection. One that is down shall not hold up the others.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why it could not be found out whether results are to be replaced, or one could not be. What is here stays.
#[derive(Debug, thiserror::Error)]
pub enum CorrectError {
    /// The chain has forgotten the job's masternodes, and they were not remembered here.
    #[error(
        "the job is over, so the chain no longer says whose word is to be believed, and the job's folder does not either; `quern audit job` computes tasks again here"
    )]
    NoGroup,
    /// The job's folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Why a masternode's word that an accepted answer is wrong changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotBelieved {
    /// There is no such task.
    #[error("the job has no such task")]
    NoSuchTask,
    /// Nobody says so.
    #[error("it tells nobody's word on it")]
    NoWord,
    /// The word is about something else.
    #[error("the word that it tells is about another task, or about something else than was asked")]
    OtherQuestion,
    /// No member of the group signed it.
    #[error("no masternode that has a say in the job signed the word that it tells")]
    NotSigned,
    /// The result is not the one that the word is about.
    #[error("the result that it tells of is not the one that the word is about")]
    OtherResult,
    /// No fewer members say otherwise.
    #[error("as many masternodes of the job say that something else comes out")]
    Contradicted,
    /// The result cannot be fetched or opened.
    #[error(transparent)]
    Result(#[from] CollectError),
}

/// What became of a task whose accepted answer was found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The result that came out is in the place of the accepted one.
    Replaced {
        /// Where the accepted one is, if it was here.
        replaced: Option<PathBuf>,
    },
    /// The result is the same: the answers name another use of fuel.
    Same,
    /// Another result came out, and the masternode had no room for it. The accepted one stays.
    Missing,
    /// The program fails on the task, so there is nothing to put in the place of the accepted result.
    Fails {
        /// How.
        exit: Exit,
    },
}

/// A task whose accepted answer was found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Corrected {
    /// The task.
    pub task: TaskIndex,
    /// What became of its result.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The devices that gave the accepted answer, as the masternode says that found it.
    pub devices: Vec<DeviceId>,
    /// The masternodes of the job's group on whose word it is so.
    pub on_word_of: Vec<AccountId>,
    /// The answer that came out.
    pub answer: Answer,
}

/// What a masternode told and nobody believes.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// The task.
    pub task: TaskIndex,
    /// The masternode.
    pub told_by: AccountId,
    /// Why not.
    #[serde(serialize_with = "as_text")]
    pub why: NotBelieved,
}

fn as_text<S: Serializer>(why: &NotBelieved, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(why)
}

/// What came of asking a job's masternodes for corrections.
#[derive(Debug, Default, Serialize)]
pub struct Corrections {
    /// The tasks whose accepted answer was found to be wrong, ascending.
    pub corrected: Vec<Corrected>,
    /// What was told and is not believed.
    pub not_believed: Vec<Refused>,
    /// How many masternodes of the job have a say.
    pub masternodes: usize,
    /// Whether more may be found: some of what was drawn is not computed yet.
    pub may_come: bool,
    /// Those masternodes of the job that have a say and do not tell what they found.
    pub unheard: Vec<AccountId>,
}

impl Corrections {
    /// Whether any result is another one now.
    pub fn has_replaced(&self) -> bool {
        let mut corrected = self.corrected.iter();
        corrected.any(|it| matches!(it.outcome, Outcome::Replaced { .. }))
    }
}

/// Replaces those results in a job's folder that its masternodes found to be wrong, as far as they know by now.
/// With `waits` they are asked until each of them has said that all that was drawn is computed again, or was silent
/// for some time, or the chain has closed the job: then they had a whole window for it.
pub async fn correct(
    chain: &Chain,
    folder: &JobFolder,
    waits: bool,
) -> Result<Corrections, CorrectError> {
    let (mut corrector, mut connected) = (None, BTreeMap::new());
    loop {
        let known = chain.at_finalised().await?.job(folder.job()).await?;
        let known = known.filter(|known| known.terms.re_execution_permille > 0);
        let Some(known) = known else {
            // Nothing of it is ever computed again.
            return Ok(Corrections::default());
        };
        let corrector = match &mut corrector {
            Some(corrector) => corrector,
            None => {
                let new = Corrector::new(chain, folder).await?;
                corrector.insert(new)
            }
        };
        corrector.connect(chain, &mut connected).await?;
        corrector.ask_all(&mut connected).await?;
        let may_change = !corrector.asked(Instant::now()).is_empty();
        if !(waits && known.state.is_open() && may_change) {
            return Ok(corrector.told());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks for corrections, checks them, and does what follows in the job's folder.
struct Corrector {
    folder: JobFolder,
    genesis: GenesisHash,
    manifest: ValidatedManifest,
    key: JobKey,
    allowed: Allowed,
    group: Group,
    /// How many corrections each masternode has told of.
    told: BTreeMap<AccountId, u32>,
    corrected: BTreeMap<TaskIndex, Corrected>,
    refused: Vec<Refused>,
    voices: Voices,
}

/// Masternodes by their accounts.
type Connected = BTreeMap<AccountId, Coordinator>;

/// A correction that is believed.
struct Believed {
    answer: Answer,
    /// The accounts of the members that say so.
    by: Vec<AccountId>,
    /// The result to be fetched; none if the program fails, or it was not kept.
    result: Option<TaskResult>,
}

impl Corrector {
    async fn new(chain: &Chain, folder: &JobFolder) -> Result<Self, CorrectError> {
        let group = chain.at_finalised().await?.group(folder.job()).await?;
        let group = match group {
            Some(group) => {
                folder.put_group(&group)?;
                group
            }
            None => folder.group()?.ok_or(CorrectError::NoGroup)?,
        };
        Ok(Self::with(chain.genesis(), folder, group)?)
    }

    fn with(genesis: GenesisHash, folder: &JobFolder, group: Group) -> Result<Self, FolderError> {
        Ok(Self {
            folder: folder.clone(),
            genesis,
            manifest: folder.manifest(genesis)?,
            key: folder.key()?,
            allowed: Allowed::by(&folder.submission()?),
            group,
            told: BTreeMap::new(),
            corrected: BTreeMap::new(),
            refused: Vec::new(),
            voices: Voices::default(),
        })
    }

    /// What came of it.
    fn told(&mut self) -> Corrections {
        let unheard = self.members();
        let unheard = unheard.filter(|account| !self.voices.is_heard(account));
        Corrections {
            unheard: unheard.cloned().collect(),
            corrected: std::mem::take(&mut self.corrected).into_values().collect(),
            not_believed: std::mem::take(&mut self.refused),
            masternodes: self.group.voices(),
            may_come: self.voices.may_come(),
        }
    }

    /// The accounts of those masternodes of the job that have a say.
    fn members(&self) -> impl Iterator<Item = &AccountId> {
        let members = self.group.members.iter();
        let members = members.filter(|member| !member.is_out);
        members.map(|member| &member.account)
    }

    /// Those of them of whom something else may be heard yet.
    fn asked(&self, now: Instant) -> Vec<AccountId> {
        let asked = self.members();
        let asked = asked.filter(|account| self.voices.is_asked(account, now));
        asked.cloned().collect()
    }

    /// Connects to those that are asked and are not connected.
    async fn connect(&self, chain: &Chain, connected: &mut Connected) -> Result<(), ChainError> {
        let missing = self.asked(Instant::now()).into_iter();
        let missing: Vec<_> = missing.filter(|it| !connected.contains_key(it)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for view in chain.at_finalised().await?.masternodes().await? {
            let account = view.account.clone();
            if missing.contains(&account) {
                let connecting = Coordinator::connect(chain, self.folder.job(), view);
                if let Ok(Ok(it)) = timeout(CONNECT_TIMEOUT, connecting).await {
                    connected.insert(account, it);
                }
            }
        }
        Ok(())
    }

    /// Asks masternodes for what they have not told yet. One that does not answer is to be connected anew.
    async fn ask_all(&mut self, connected: &mut Connected) -> Result<(), FolderError> {
        for account in self.asked(Instant::now()) {
            let voice = match connected.get(&account) {
                None => Voice::Silent,
                Some(masternode) => match self.ask(masternode).await {
                    Ok(voice) => voice,
                    Err(CollectError::Folder(error)) => return Err(error),
                    Err(CollectError::Api(ApiFailure::Refused(why))) => voice_of(&why),
                    Err(_) => {
                        connected.remove(&account);
                        Voice::Silent
                    }
                },
            };
            self.voices.hear(&account, voice, Instant::now());
        }
        Ok(())
    }

    /// Asks a masternode for what it has not told yet, and hears whether more may come.
    async fn ask(&mut self, masternode: &Coordinator) -> Result<Voice, CollectError> {
        let (job, token) = (self.folder.job(), masternode.token(&self.folder)?);
        let (client, by) = (masternode.client(), masternode.view().account.clone());
        loop {
            let first = self.told.get(&by).copied().unwrap_or(0);
            let page = client.corrections(job, token, first).await;
            let page = page.map_err(ApiFailure::from)?;
            // One that tells of more corrections than there are tasks is not listened to.
            if page.corrections.is_empty() || first >= self.manifest.tasks() {
                return Ok(Voice::of(&page));
            }
            for correction in page.corrections {
                let task = correction.task;
                let piece = |offset| client.read_correction(job, token, task, offset);
                if let Err(why) = self.take(&correction, piece).await {
                    match why {
                        // It is not the masternode's fault, or it may do it yet.
                        NotBelieved::Result(
                            error @ (CollectError::Folder(_)
                            | CollectError::Api(ApiFailure::NoAnswer(_))),
                        ) => return Err(error),
                        why => {
                            let told_by = by.clone();
                            self.refused.push(Refused { task, told_by, why });
                        }
                    }
                }
                let told = self.told.entry(by.clone()).or_default();
                *told = told.saturating_add(1);
            }
        }
    }

    /// Does what follows from a correction, if it is to be believed. Its sealed result comes from `piece`.
    async fn take<F>(
        &mut self,
        correction: &Correction,
        piece: impl FnMut(u64) -> F,
    ) -> Result<(), NotBelieved>
    where
        F: Future<Output = Result<Blob, RpcError>>,
    {
        let task = correction.task;
        let Believed { answer, by, result } = self.believed(correction)?;
        if let Some(known) = self.corrected.get_mut(&task) {
            if known.answer == answer {
                // One more says the same.
                let more = by.into_iter().filter(|it| !known.on_word_of.contains(it));
                let more: Vec<_> = more.collect();
                known.on_word_of.extend(more);
                return Ok(());
            }
            if by.len() <= known.on_word_of.len() {
                return Err(NotBelieved::Contradicted);
            }
        }
        let outcome = match result {
            None => {
                self.restore(task).map_err(CollectError::from)?;
                match answer.exit {
                    Exit::Success if self.is_here(task, &answer)? => Outcome::Same,
                    Exit::Success => Outcome::Missing,
                    exit => Outcome::Fails { exit },
                }
            }
            Some(result) => match self.is_here(task, &answer)? {
                true => self.same(task),
                false => {
                    check_length(&result, self.allowed.result_bytes.into())?;
                    let sealed = fetch(&result, piece).await?;
                    let right = open(&self.manifest, &self.key, &result, &sealed)?;
                    let replaced = self.replace(task, &right);
                    replaced.map_err(CollectError::from)?
                }
            },
        };
        let corrected = Corrected {
            task,
            outcome,
            devices: correction.devices.clone(),
            on_word_of: by,
            answer,
        };
        self.corrected.insert(task, corrected);
        Ok(())
    }

    /// What a correction says, if somebody says it whose word counts.
    fn believed(&self, correction: &Correction) -> Result<Believed, NotBelieved> {
        let task = correction.task;
        if task >= self.manifest.tasks() {
            return Err(NotBelieved::NoSuchTask);
        }
        let first = correction.words.first().ok_or(NotBelieved::NoWord)?;
        let said = first.report.payload;
        if !self.is_meant(task, &said) {
            return Err(NotBelieved::OtherQuestion);
        }
        let mut by = Vec::new();
        for word in &correction.words {
            let mut members = self.group.members.iter();
            let member = members.find(|it| it.node == word.node && !it.is_out);
            if let Some(member) = member
                && word.report.payload == said
                && word.report.is_signed_by(&word.node, &self.genesis)
                && !by.contains(&member.account)
            {
                by.push(member.account.clone());
            } else if by.is_empty() {
                // Without the word of who has the result, the others' is about something that nobody has.
                return Err(NotBelieved::NotSigned);
            }
        }
        let answer = said.answer;
        let result = correction.result.as_ref();
        let result = result.filter(|_| answer.exit == Exit::Success).cloned();
        let is_other = |result: &TaskResult| !is_of(result, task, first.node.0, &answer);
        if result.as_ref().is_some_and(is_other) {
            return Err(NotBelieved::OtherResult);
        }
        Ok(Believed { answer, by, result })
    }

    /// Whether a word is about what the owner asked of a task.
    fn is_meant(&self, task: TaskIndex, said: &RefereeReport) -> bool {
        let asked = self.manifest.question(&self.key, task, &self.allowed);
        (said.job, said.task) == (self.folder.job(), task) && asked == Some(said.question)
    }

    /// Whether the result that is here is the one of an answer.
    fn is_here(&self, task: TaskIndex, answer: &Answer) -> Result<bool, CollectError> {
        let here = self.folder.read_result(task)?;
        let key = self.manifest.shard_key(&self.key, task);
        let (Some(here), Some(key)) = (here, key) else {
            return Ok(false);
        };
        let key = key.map_err(|source| CollectError::Key { task, source })?;
        let found = result_commitment(&key, &self.folder.job(), task, &here);
        Ok(found == answer.result_commitment)
    }

    /// What became of a task whose result that is here is the right one.
    fn same(&self, task: TaskIndex) -> Outcome {
        let replaced = self.folder.replaced(task);
        match replaced.is_file() {
            // It was replaced before a crash.
            true => Outcome::Replaced {
                replaced: Some(replaced),
            },
            false => Outcome::Same,
        }
    }

    /// Puts a result in the place of the one that is here, which is kept. What was kept before is what was
    /// accepted, and stays.
    fn replace(&self, task: TaskIndex, right: &[u8]) -> Result<Outcome, FolderError> {
        let kept = self.folder.replaced(task);
        if !kept.is_file()
            && let Some(here) = self.folder.read_result(task)?
        {
            self.folder.put_replaced(task, &here)?;
        }
        self.folder.put_result(task, right)?;
        let replaced = kept.is_file().then_some(kept);
        Ok(Outcome::Replaced { replaced })
    }

    /// Puts back what was accepted, if another result is in its place.
    fn restore(&self, task: TaskIndex) -> Result<(), FolderError> {
        match self.folder.read_replaced(task)? {
            Some(accepted) => self.folder.put_result(task, &accepted),
            None => Ok(()),
        }
    }
}

/// What a refusal says: whether it would be the same if the masternode was asked again.
fn voice_of(refusal: &ApiError) -> Voice {
    match refusal {
        ApiError::NotCoordinator | ApiError::KeyMissing | ApiError::NotOwner => Voice::Nothing,
        _ => Voice::Silent,
    }
}

/// Whether a result is told of as that of an answer, sealed under this name.
fn is_of(result: &TaskResult, task: TaskIndex, name: [u8; 32], answer: &Answer) -> bool {
    (result.task, result.device) == (task, DeviceId(name))
        && result.result_commitment == answer.result_commitment
        && result.result_bytes == answer.result_bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
