//! What came of the workers: what their accounts got, and what the chain has on their devices'
//! records.

use anyhow::Context as _;
use quern_ledger::Chain;
use quern_local_grid::LocalGrid;
use quern_primitives::{AccountId, Amount, device::Record};

/// What came of one worker.
pub(crate) struct Outcome {
    /// The worker, counted from one.
    pub(crate) number: usize,
    pub(crate) account: AccountId,
    /// What its account got.
    pub(crate) paid: Amount,
    /// Its device's record on the chain, which began with the grid.
    pub(crate) record: Record,
}

/// What each worker's account can spend.
pub(crate) async fn wallets(chain: &Chain, grid: &LocalGrid) -> anyhow::Result<Vec<Amount>> {
    let state = chain.at_finalised().await?;
    let mut free = Vec::new();
    for worker in &grid.workers {
        free.push(state.wallet(&worker.account).await?.free);
    }
    Ok(free)
}

/// What came of the workers whose accounts could spend so much before, as the chain has it now.
pub(crate) async fn read(
    chain: &Chain,
    grid: &LocalGrid,
    before: &[Amount],
) -> anyhow::Result<Vec<Outcome>> {
    let state = chain.at_finalised().await?;
    let mut outcomes = Vec::new();
    for (number, (worker, before)) in (1..).zip(grid.workers.iter().zip(before)) {
        let free = state.wallet(&worker.account).await?.free;
        let device = state.device(worker.device).await?;
        let device = device.with_context(|| format!("the chain lost worker {number}'s device"))?;
        outcomes.push(Outcome {
            number,
            account: worker.account.clone(),
            paid: free
                .checked_sub(*before)
                .with_context(|| format!("worker {number} has less than before"))?,
            record: device.device.record,
        });
    }
    Ok(outcomes)
}

impl Outcome {
    /// Whether a wrong answer is on its record.
    pub(crate) fn is_caught(&self) -> bool {
        self.record.incorrect > 0
    }

    /// Why it was paid what it was, as its record says.
    pub(crate) fn why(&self) -> String {
        let record = &self.record;
        let reasons = [
            (record.accepted, "an equal share of each tile it agreed on"),
            (record.incorrect, "nothing for its wrong answers"),
            (record.failed, "nothing for tiles it failed at"),
            (record.delayed, "nothing for tiles it was late with"),
        ];
        let reasons: Vec<_> = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!("{reason} ({count})"))
            .collect();
        match reasons.is_empty() {
            true => "it computed nothing".into(),
            false => reasons.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_judged_by_its_record_whatever_its_number() {
        let outcome = |record| Outcome {
            number: 1,
            account: AccountId::new([1; 32]),
            paid: 0,
            record,
        };
        let idle = outcome(Record::default());
        assert_eq!(idle.why(), "it computed nothing");
        let honest = outcome(Record {
            accepted: 60,
            delayed: 2,
            ..Record::default()
        });
        assert_eq!(
            honest.why(),
            "an equal share of each tile it agreed on (60), nothing for tiles it was late with (2)"
        );
        let wrong = outcome(Record {
            incorrect: 3,
            ..Record::default()
        });
        assert_eq!(wrong.why(), "nothing for its wrong answers (3)");
        assert!(wrong.is_caught() && !honest.is_caught() && !idle.is_caught());
    }
}
