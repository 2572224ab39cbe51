//! Erasing: single things, those of a job, what must not be there any more, and what is left of uploads.

use super::Depot;
use crate::{BucketError, Name, StoreError, store::Below};
use futures::TryStreamExt as _;
use quern_primitives::{JobId, TaskIndex};
use std::time::Duration;
use tracing::{info, warn};

/// How often [`Depot::tend`] removes what is left of uploads.
pub const TIDY_EVERY: Duration = Duration::from_secs(3_600);

/// Things that are erased at a time.
const ERASED_TOGETHER: usize = 16;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Things and parts that were erased.
    pub erased: u64,
    /// What is there and has no name that a depot gives. It is left alone.
    pub strange: u64,
}

impl Depot {
    /// Erases something, whether it has its name already or not. What is not there is erased.
    ///
    /// # Errors
    ///
    /// If folder or bucket cannot be written.
    pub async fn remove(&self, name: Name) -> Result<(), StoreError> {
        let inner = &self.0;
        let _alone = inner.locks.lock(name).await;
        inner.drop_part(&name).await?;
        if let Some(bytes) = inner.store.head(&name).await? {
            inner.remove(&name, bytes).await?;
        }
        Ok(())
    }

    /// Erases those things of a job that `is_erased` says yes to, whether they have their name already or not.
    ///
    /// # Errors
    ///
    /// If folder or bucket cannot be read or written. What was erased until then is.
    pub async fn erase(
        &self,
        job: JobId,
        is_erased: impl Fn(&Name) -> bool,
    ) -> Result<Swept, StoreError> {
        let (swept, spared) = self.erase_of(Below::Job(job), is_erased).await?;
        if !spared {
            self.0.room.forget_results(job);
        }
        Ok(swept)
    }

    /// Whether results of a task may be here, whether they have their name already or not. If not, none is, and nothing
    /// has to be asked for that.
    pub fn may_have_results(&self, job: JobId, task: TaskIndex) -> bool {
        self.0.room.may_have_results(job, task)
    }

    /// Erases those results of a task that `is_erased` says yes to, whether they have their name already or not.
    /// Nothing else of the job is looked at.
    ///
    /// # Errors
    ///
    /// If folder or bucket cannot be read or written. What was erased until then is.
    pub async fn erase_results(
        &self,
        (job, task): (JobId, TaskIndex),
        is_erased: impl Fn(&Name) -> bool,
    ) -> Result<Swept, StoreError> {
        let below = Below::Results(job, task);
        Ok(self.erase_of(below, is_erased).await?.0)
    }

    /// Erases everything that must not be there any more, whoever's it is. Asks of each thing when it is its turn, so
    /// what begins to be there meanwhile is not erased.
    ///
    /// # Errors
    ///
    /// If folder or bucket cannot be read or written. What was erased until then is.
    pub async fn sweep(&self, may_be: impl Fn(&Name) -> bool) -> Result<Swept, StoreError> {
        Ok(self.erase_of(Below::All, |name| !may_be(name)).await?.0)
    }

    /// Erases what there is to be erased, and says whether something was spared.
    async fn erase_of(
        &self,
        below: Below,
        is_erased: impl Fn(&Name) -> bool,
    ) -> Result<(Swept, bool), StoreError> {
        let inner = &*self.0;
        let (mut swept, mut spared) = (Swept::default(), false);
        for name in inner.room.parts(below) {
            let _alone = inner.locks.lock(name).await;
            if is_erased(&name) {
                inner.drop_part(&name).await?;
                swept.erased = swept.erased.saturating_add(1);
            } else {
                spared = true;
            }
        }
        let is_erased = &is_erased;
        let mut erased = inner
            .store
            .list(below)
            .map_ok(|found| async move {
                let Some(name) = found.name else {
                    return Ok(None);
                };
                let _alone = inner.locks.lock(name).await;
                if !is_erased(&name) {
                    return Ok(Some(false));
                }
                inner.remove(&name, found.bytes).await?;
                Ok::<_, StoreError>(Some(true))
            })
            .try_buffer_unordered(ERASED_TOGETHER);
        while let Some(it) = erased.try_next().await? {
            match it {
                Some(true) => swept.erased = swept.erased.saturating_add(1),
                Some(false) => spared = true,
                None => swept.strange = swept.strange.saturating_add(1),
            }
        }
        Ok((swept, spared))
    }

    /// Removes from a bucket what is left of uploads that were begun and not ended. Says of how many.
    ///
    /// # Errors
    ///
    /// If the bucket cannot be asked, or does not tell.
    pub async fn tidy(&self) -> Result<u64, StoreError> {
        self.0.store.tidy().await
    }

    /// Tidies every hour, for ever. It is done once when a depot is opened.
    pub async fn tend(&self) {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            self.tidy_if_possible().await;
        }
    }

    /// A bucket that does not tell of uploads is one that can be used.
    pub(super) async fn tidy_if_possible(&self) {
        match self.tidy().await {
            Ok(0) => {}
            Ok(uploads) => info!(uploads, "uploads that nobody goes on with were aborted"),
            Err(StoreError::Bucket(BucketError::Uploads(error))) => {
                warn!(%error, "the bucket does not tell which uploads were begun; have it abort old ones by a rule of its own");
            }
            Err(error) => warn!(%error, "uploads that nobody goes on with are not aborted yet"),
        }
    }
}
