//! What holds in the world whatever happens: no account has two replicas of a task, and money is where
//! the verdicts say.

use super::world::World;
use crate::core::Entry;
use quern_job_rules::tasks;
use quern_primitives::{amount::Amount, ids::AccountId};
use std::collections::BTreeMap;

impl World {
    /// Two replicas of a task are never with one account.
    pub(super) fn check_log(&self) {
        let mut accounts = BTreeMap::new();
        for entry in self.log() {
            match entry {
                Entry::Assigned {
                    task,
                    replica,
                    account,
                    ..
                } => {
                    accounts.insert((*task, *replica), account);
                }
                Entry::Released { task, replica, .. } => {
                    accounts.remove(&(*task, *replica));
                }
                _ => {}
            }
        }
        let mut pairs: Vec<_> = accounts
            .iter()
            .map(|((task, _), account)| (*task, *account))
            .collect();
        pairs.sort_unstable();
        let count = pairs.len();
        pairs.dedup();
        assert_eq!(pairs.len(), count, "an account has two replicas of a task");
    }

    /// Money is where the rules and the verdicts on disk say.
    pub(super) fn check_money(&self) {
        let escrow = self.ledger.job.escrow;
        let kept = escrow.pending + escrow.held;
        assert_eq!(
            escrow.paid + escrow.network + escrow.refunded + kept,
            escrow.deposited
        );
        let coming = self.ledger.pending.iter().map(|shares| shares.workers);
        let workers = escrow.paid + coming.sum::<Amount>();
        assert_eq!(self.ledger.paid.values().sum::<Amount>(), workers);
        let mut owed: BTreeMap<AccountId, Amount> = BTreeMap::new();
        for entry in &self.disk {
            let Entry::Judged { verdict } = entry else {
                continue;
            };
            if !tasks::is_settled(&self.ledger.settled, verdict.task) {
                continue;
            }
            for found in verdict.replicas.iter().filter(|found| found.pay > 0) {
                *owed.entry(found.account.clone()).or_default() += found.pay;
            }
        }
        assert_eq!(owed, self.ledger.paid);
    }
}
