//! The other masternodes of a job's group, as its owner talks to them.
//!
//! They get what the coordinator gets: the job's key, sealed to each, the manifest, the program, and the
//! shards. With the key and the manifest they hold all of the coordinator's log to the rules before they
//! certify a batch; with the rest whose turn comes goes on without the owner.

use crate::{
    coordinator::{Coordinator, CoordinatorError},
    folder::JobFolder,
};
use quern_ledger::{Chain, ChainError};
use quern_primitives::{AccountId, JobId};

/// The other masternodes of a group.
#[derive(Default)]
pub struct Members {
    reached: Vec<Coordinator>,
    missed: Vec<(AccountId, CoordinatorError)>,
}

impl Members {
    /// Hands all of them what every task needs. Nobody waits for one that does not take it: the others are
    /// enough as long as they are more than half, and it can be handed over later.
    pub async fn begin(chain: &Chain, folder: &JobFolder) -> Result<Self, ChainError> {
        let job = folder.job();
        let state = chain.at_finalised().await?;
        let (Some(group), views) = (state.group(job).await?, state.masternodes().await?) else {
            return Ok(Self::default());
        };
        // Where it cannot be written it is asked for again while the job is open.
        drop(folder.put_group(&group));
        let present = group.coordinator().map(|member| member.account.clone());
        let mut members = Self::default();
        for member in &group.members {
            if member.is_out || Some(&member.account) == present.as_ref() {
                continue;
            }
            let mut views = views.iter();
            let Some(view) = views.find(|view| view.account == member.account) else {
                continue;
            };
            let begun = async {
                let it = Coordinator::connect(chain, job, view.clone()).await?;
                let offer = it.begin(folder).await?;
                it.upload_program(folder, &offer).await?;
                Ok::<_, CoordinatorError>(it)
            };
            match begun.await {
                Ok(it) => members.reached.push(it),
                Err(error) => members.missed.push((member.account.clone(), error)),
            }
        }
        Ok(members)
    }

    /// Uploads the shards to those that took the rest.
    pub async fn upload_shards(&mut self, folder: &JobFolder) {
        for it in std::mem::take(&mut self.reached) {
            match it.upload_shards(folder, |_| {}).await {
                Ok(()) => self.reached.push(it),
                Err(error) => {
                    let account = it.view().account.clone();
                    self.missed.push((account, error));
                }
            }
        }
    }

    /// How many have all that was handed to them.
    pub fn reached(&self) -> usize {
        self.reached.len()
    }

    /// Those that have not, and why.
    pub fn missed(&self) -> &[(AccountId, CoordinatorError)] {
        &self.missed
    }

    /// Whether another masternode may go on with a job if the one that coordinates it is silent.
    pub async fn may_go_on(chain: &Chain, job: JobId) -> Result<bool, ChainError> {
        let group = chain.at_finalised().await?.group(job).await?;
        Ok(group.is_some_and(|group| {
            let later = usize::from(group.turn).saturating_add(1);
            let mut later = group.members.iter().skip(later);
            later.any(|member| !member.is_out)
        }))
    }
}
