//! What an owner is told whose tasks are worth more than the bonds of those who compute them.

use quern_job_rules::{instead::Instead, quote::QuoteError};
use quern_ledger::{ChainError, State};
use quern_primitives::job::{Agreement, Submission};
use std::fmt;

/// A task is worth too much, and what would be taken in its place. Nothing was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorthTooMuch {
    refused: QuoteError,
    instead: Instead,
}

impl WorthTooMuch {
    /// A submission was refused for that, by the prices and parameters of this block.
    pub(crate) async fn of(
        state: &State,
        submission: &Submission,
        refused: QuoteError,
    ) -> Result<Self, ChainError> {
        let (prices, params) = (state.prices().await?, state.params().await?);
        let now = state.block().number;
        Ok(Self {
            refused,
            instead: Instead::of(submission, &prices, &params, now),
        })
    }
}

impl fmt::Display for WorthTooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chain would not take the job: {}; ", self.refused)?;
        match self.instead.fuel_per_task_max {
            Some(fuel) => write!(f, "`--fuel {fuel}` is the most that a task may use so, ")?,
            None => f.write_str("no fuel limit is low enough so, ")?,
        }
        match self.instead.agreement {
            Some(Agreement::Majority { replicas }) => {
                write!(
                    f,
                    "and `--replicas {replicas}` lets it use what you asked for"
                )
            }
            Some(_) => f.write_str("and `--agreement unanimous` lets it use what you asked for"),
            None => f.write_str("and no other agreement lets it use what you asked for"),
        }
    }
}

impl std::error::Error for WorthTooMuch {}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::amount::BYTECHIP;

    fn told(fuel_per_task_max: Option<u64>, agreement: Option<Agreement>) -> String {
        let told = WorthTooMuch {
            refused: QuoteError::TaskWorthTooMuch {
                task: 160 * BYTECHIP,
                most: 999_999_999,
            },
            instead: Instead {
                fuel_per_task_max,
                agreement,
            },
        };
        told.to_string()
    }

    #[test]
    fn whoever_asks_for_too_much_is_told_what_would_be_taken() {
        let words = told(Some(62_499_999_999), None);
        for said in [
            "a task costs up to 160 BC, and with more than 0.999999999 BC cheating could pay",
            "cut the input into more tasks",
            "`--fuel 62499999999` is the most",
            "no other agreement",
        ] {
            assert!(words.contains(said), "{said}: {words}");
        }
        let more = told(Some(1), Some(Agreement::Majority { replicas: 5 }));
        assert!(more.contains("`--replicas 5` lets it"), "{more}");
        let both = told(Some(1), Some(Agreement::Unanimous));
        assert!(both.contains("`--agreement unanimous` lets it"), "{both}");
        assert!(told(None, None).contains("no fuel limit is low enough"));
    }
}
