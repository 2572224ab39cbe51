//! The chain's clock of finality: the greatest height that more than half of the last 21 claims reach.

/// Claims that count.
const LAST: usize = 21;

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
