//! The chain's clock of finality: the greatest height that more than half of the last 21 claims reach.

use super::Ledger;

/// Claims that count.
const LAST: usize = 21;

/// By how much the clock goes on before a batch is final, in the presets.
const WINDOW: u32 = 5;

/// What was claimed so far.
#[derive(Default)]
pub(crate) struct Finality {
    claims: Vec<u32>,
}

impl Finality {
    pub(crate) fn claim(&mut self, height: u32) {
        self.claims.push(height);
    }

    pub(crate) fn clock(&self) -> u32 {
        let from = self.claims.len().saturating_sub(LAST);
        let last = &self.claims[from..];
        let reaches = |height: u32| last.iter().filter(|claim| **claim >= height).count();
        let reached = last.iter().filter(|height| 2 * reaches(**height) > LAST);
        reached.max().copied().unwrap_or(0)
    }
}

/// When a batch is due that is settled now.
pub(super) fn due(ledger: &Ledger) -> u32 {
    ledger.finality.clock() + WINDOW
}
