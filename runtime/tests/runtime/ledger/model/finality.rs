//! The chain's clock of finality: the greatest height that the last claims of more than two thirds of
//! the validators have ever reached.

use quern_primitives::AccountId;
use std::collections::BTreeMap;

/// What was claimed so far.
#[derive(Default)]
pub(crate) struct Finality {
    claims: BTreeMap<AccountId, u32>,
    clock: u32,
}

impl Finality {
    /// The author of a block claims this height, when these are the validators.
    pub(crate) fn claim(&mut self, author: &AccountId, height: u32, validators: &[AccountId]) {
        self.claims
            .retain(|account, _| validators.contains(account));
        self.claims.insert(author.clone(), height);
        let reaches = |height: u32| {
            self.claims
                .values()
                .filter(|claim| **claim >= height)
                .count()
        };
        let enough = |height: &u32| 3 * reaches(*height) > 2 * validators.len();
        let reached = self.claims.values().copied().filter(enough).max();
        self.clock = self.clock.max(reached.unwrap_or(0));
    }

    pub(crate) fn clock(&self) -> u32 {
        self.clock
    }
}
