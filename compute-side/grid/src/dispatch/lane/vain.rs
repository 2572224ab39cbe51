//! When replicas are passed over in vain, so that others than their lanes may have them some time.
//!
//! A device that finds nothing of a job in its lanes may be idle near the job's end, or have more
//! machines beside it than its account's lanes have work for; or it may have taken all that its lanes
//! left it at once, to get hold of more. So one that finds nothing opens no lane. Two things do:
//!
//! - As many accounts as there are lanes found nothing within some seconds. Who acts together with so
//!   many has a majority of most tasks whatever the lanes.
//! - The job stands still: nobody has taken anything of it for longer than two tasks take, and it does
//!   not wait for others that are served before it.

use crate::Tick;
use std::collections::BTreeMap;

/// Accounts whose devices found nothing lately; no more than there are lanes.
#[derive(Clone, Debug, Default)]
pub(in crate::dispatch) struct InVain {
    since: BTreeMap<u32, Tick>,
}

impl InVain {
    /// An account's device found nothing. Whether so many accounts did within the last milliseconds.
    pub(in crate::dispatch) fn comes(
        &mut self,
        account: u32,
        lanes: u32,
        within_ms: u64,
        now: Tick,
    ) -> bool {
        self.since.retain(|_, at| now.since(*at) <= within_ms);
        if self.since.len() < lanes as usize {
            self.since.insert(account, now);
        } else if let Some(at) = self.since.get_mut(&account) {
            *at = now;
        }
        self.since.len() >= lanes as usize
    }

    /// An account's device found something, or the account is gone.
    pub(in crate::dispatch) fn goes(&mut self, account: u32) {
        self.since.remove(&account);
    }
}
