//! Accounts that have no device any more: which of them a job remembers.

use super::JobQueue;
use crate::Dispatch;
use std::collections::BTreeSet;

impl Dispatch {
    /// Of these accounts, which have no device, leaves those that no job remembers: none has a replica
    /// of a task without a verdict. Their numbers may be other accounts' from now on, so where they
    /// stood in the queues is forgotten. Looks at every such task once.
    pub fn forget_accounts(&mut self, accounts: &mut BTreeSet<u32>) {
        for job in self.jobs.values() {
            job.accounts_in_mind().for_each(|account| {
                accounts.remove(&account);
            });
        }
        for job in self.jobs.values_mut() {
            job.forget_accounts(accounts);
        }
    }
}

impl JobQueue {
    /// Accounts whose numbers say something here, some of them several times.
    fn accounts_in_mind(&self) -> impl Iterator<Item = u32> {
        let replicas = self.known.tasks.values().flat_map(|state| &state.replicas);
        let holders = replicas.filter_map(|it| it.holder);
        let all = holders.chain(self.known.trusted.iter().copied());
        all.map(|holder| holder.account)
    }

    fn forget_accounts(&mut self, accounts: &BTreeSet<u32>) {
        self.pools.forget_accounts(accounts);
        self.known.target.forget_accounts(accounts);
        for account in accounts {
            self.in_vain.goes(*account);
        }
    }
}
