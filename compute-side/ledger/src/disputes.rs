//! What the chain tells of disputes.

use crate::{State, chain::ChainError};
use quern_dispute_rules::open::{ConvictionView, DISPUTES_PER_PAGE_MAX, DisputeId, DisputeView};
use quern_primitives::JobId;

/// Open disputes that are read at most. Each has a bond, so there are no more of them unless somebody
/// pays for that.
const DISPUTES_MAX: usize = 1 << 16;

/// Convictions of a job that are read at most. Each cost somebody a bond, or is the first against a device.
const CONVICTIONS_MAX: usize = 1 << 16;

impl State {
    /// An open dispute.
    pub async fn dispute(&self, dispute: DisputeId) -> Result<Option<DisputeView>, ChainError> {
        self.ask("dispute", &dispute).await
    }

    /// The open disputes of all jobs, or of one: all of them, however many pages they fill, by their
    /// numbers.
    pub async fn disputes(&self, job: Option<JobId>) -> Result<Vec<DisputeView>, ChainError> {
        let mut all: Vec<DisputeView> = Vec::new();
        let mut last: Option<DisputeId> = None;
        while all.len() < DISPUTES_MAX {
            let limit = DISPUTES_PER_PAGE_MAX;
            let page: Vec<DisputeView> = match job {
                Some(job) => self.ask("disputes_of", &(job, last, limit)).await?,
                None => self.ask("disputes", &(last, limit)).await?,
            };
            let Some(view) = page.last() else {
                break;
            };
            last = Some(view.id);
            all.extend(page);
        }
        all.sort_by_key(|view| view.id);
        Ok(all)
    }

    /// What was proved of a job: all of it, however many pages it fills.
    pub async fn convictions(&self, job: JobId) -> Result<Vec<ConvictionView>, ChainError> {
        let key = |view: &ConvictionView| view.place.clone();
        let list = ("QuernApi", "convictions");
        self.pages(list, &job, (DISPUTES_PER_PAGE_MAX, CONVICTIONS_MAX), key)
            .await
    }
}
