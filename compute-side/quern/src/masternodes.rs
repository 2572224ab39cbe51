//! Which masternodes are asked about the grid.

use crate::{context::Context, units::counted};
use clap::Args;
use quern_ledger::State;
use quern_owner::{ApiFailure, Masternode, Masternodes, UnreachableError};
use std::sync::Arc;
use tokio::task::JoinSet;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct MasternodeArgs {
    /// Ask the masternode at this address [default: those that the chain names]
    #[arg(long, value_name = "URL")]
    masternode: Option<String>,
}

/// Nobody can be asked about the grid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NobodyError {
    /// The chain has no masternode.
    #[error("the chain names no masternode; one joins when its operator starts it")]
    None,
    /// The one that is named is not there.
    #[error(
        "the masternode at {url}, as --masternode says, cannot be reached; start it, or leave that option out, and those that the chain names are asked"
    )]
    Named {
        /// Where it should be.
        url: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// None of them is there.
    #[error(
        "of {} that the chain names none can be reached ({}); try again later, or name one with --masternode",
        counted(silent.len(), "masternode"),
        silent.join(", ")
    )]
    Silent {
        /// Where they should be.
        silent: Vec<String>,
    },
}

impl MasternodeArgs {
    /// The masternode at this address, or those that the chain names.
    pub(crate) fn at(masternode: Option<String>) -> Self {
        Self { masternode }
    }

    /// The masternode that is named, else all that the chain names and that can be reached. It is an
    /// error if the one that is named cannot be, and none if none of the others can.
    async fn reach(&self, context: &Context) -> anyhow::Result<Masternodes> {
        match self.connect().await? {
            Some(named) => Ok(only(named)),
            None => {
                let state = context.chain().await?.at_finalised().await?;
                Ok(Masternodes::of(&state).await?)
            }
        }
    }

    /// The same, where the chain's state is known already.
    pub(crate) async fn reach_by(&self, state: &State) -> anyhow::Result<Masternodes> {
        match self.connect().await? {
            Some(named) => Ok(only(named)),
            None => Ok(Masternodes::of(state).await?),
        }
    }

    /// The same, at least one of them.
    pub(crate) async fn reach_some(&self, context: &Context) -> anyhow::Result<Masternodes> {
        let masternodes = self.reach(context).await?;
        check_some(&masternodes)?;
        Ok(masternodes)
    }

    /// The masternode that is named, else the first that can be reached.
    pub(crate) async fn reach_one(&self, context: &Context) -> anyhow::Result<Masternode> {
        let masternodes = self.reach(context).await?;
        check_some(&masternodes)?;
        let first = masternodes.reached.into_iter().next();
        Ok(first.ok_or(NobodyError::None)?)
    }

    /// The masternode that is named, if one is.
    pub(crate) async fn connect(&self) -> Result<Option<Masternode>, NobodyError> {
        match &self.masternode {
            Some(url) => {
                let unreachable =
                    |UnreachableError { url, cause }| NobodyError::Named { url, source: cause };
                let named = Masternode::connect(url).await;
                Ok(Some(named.map_err(unreachable)?))
            }
            None => Ok(None),
        }
    }
}

fn only(masternode: Masternode) -> Masternodes {
    Masternodes {
        reached: vec![masternode],
        silent: vec![],
    }
}

/// Whether there is a masternode to ask.
fn check_some(masternodes: &Masternodes) -> Result<(), NobodyError> {
    match (&masternodes.reached[..], &masternodes.silent[..]) {
        ([], []) => Err(NobodyError::None),
        ([], silent) => Err(NobodyError::Silent {
            silent: silent.to_vec(),
        }),
        _ => Ok(()),
    }
}

/// What a masternode answered.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// Where it is.
    pub(crate) url: String,
    /// Its answer.
    pub(crate) answer: Result<T, ApiFailure>,
}

/// Asks all of them the same, at the same time. The answers are in their order.
pub(crate) async fn ask_each<T, F>(
    masternodes: Vec<Masternode>,
    ask: impl Fn(Arc<Masternode>) -> F,
) -> Vec<Answer<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ApiFailure>> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for (place, masternode) in masternodes.into_iter().enumerate() {
        let masternode = Arc::new(masternode);
        let (url, answer) = (masternode.url().to_owned(), ask(masternode));
        asked.spawn(async move {
            let answer = answer.await;
            (place, Answer { url, answer })
        });
    }
    // None is aborted, and none panics.
    let mut answers: Vec<_> = asked.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_named_masternode_that_is_away_is_told_with_what_named_it() {
        let named = MasternodeArgs::at(Some("ws://127.0.0.1:1".into()));
        let told = named.connect().await.map_err(|error| error.to_string());
        assert!(told.is_err_and(|text| {
            text.contains("at ws://127.0.0.1:1, as --masternode says")
                && text.contains("leave that option out")
        }));
    }

    #[test]
    fn that_nobody_can_be_asked_says_where_was_asked() {
        let masternodes = Masternodes {
            reached: vec![],
            silent: vec!["ws://a".into(), "ws://b".into()],
        };
        let told = check_some(&masternodes).map_err(|error| error.to_string());
        assert!(told.is_err_and(|text| text.contains("2 masternodes")
            && text.contains("ws://a, ws://b")
            && text.contains("--masternode")));
        let one = Masternodes {
            reached: vec![],
            silent: vec!["ws://a".into()],
        };
        let told = check_some(&one).map_err(|error| error.to_string());
        assert!(told.is_err_and(|text| text.starts_with("of 1 masternode that")));
        assert!(matches!(
            check_some(&Masternodes::default()),
            Err(NobodyError::None)
        ));
    }
}
