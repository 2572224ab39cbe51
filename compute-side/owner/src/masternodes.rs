//! The masternodes of a chain, as anybody asks them.

use jsonrpsee::{
    core::client::Error as RpcError,
    ws_client::{WsClient, WsClientBuilder},
};
use quern_jobs_api::MESSAGE_BYTES_MAX;
use quern_ledger::{ChainError, State};
use std::{collections::BTreeMap, time::Duration};
use tokio::task::JoinSet;

/// How long a masternode may take to accept a connection. One that is down shall not hold up those
/// who ask all of them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a masternode may take to answer one request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A masternode cannot be talked to.
#[derive(Debug, thiserror::Error)]
#[error("the masternode at {url} cannot be reached; is it running, and is it the right address?")]
pub struct UnreachableError {
    /// Where it should be.
    pub url: String,
    /// What went wrong.
    #[source]
    pub cause: Box<RpcError>,
}

/// A connection to a masternode.
pub struct Masternode {
    url: String,
    client: WsClient,
}

impl Masternode {
    /// Connects to the Jobs API at an address.
    pub async fn connect(url: &str) -> Result<Self, UnreachableError> {
        let client = WsClientBuilder::default()
            .max_request_size(MESSAGE_BYTES_MAX)
            .max_response_size(MESSAGE_BYTES_MAX)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(ANSWER_TIMEOUT)
            .build(url)
            .await
            .map_err(|cause| UnreachableError {
                url: url.to_owned(),
                cause: Box::new(cause),
            })?;
        Ok(Self {
            url: url.to_owned(),
            client,
        })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The connection.
    pub fn client(&self) -> &WsClient {
        &self.client
    }
}

/// The masternodes that the chain names.
#[derive(Default)]
pub struct Masternodes {
    /// Those that accepted a connection, in the chain's order.
    pub reached: Vec<Masternode>,
    /// Where the others should be.
    pub silent: Vec<String>,
}

impl Masternodes {
    /// Connects to all masternodes that say on the chain where they are, at the same time.
    pub async fn of(state: &State) -> Result<Self, ChainError> {
        let views = state.masternodes().await?;
        let urls = views
            .iter()
            .map(|view| String::from_utf8_lossy(&view.jobs_api).into_owned())
            // What steers a terminal is no address, and is not shown as one either.
            .filter(|url| !url.is_empty() && !url.contains(char::is_control));
        Ok(Self::at(urls).await)
    }

    /// Connects to these, at the same time.
    async fn at(urls: impl Iterator<Item = String>) -> Self {
        let mut connecting = JoinSet::new();
        for (place, url) in urls.enumerate() {
            connecting.spawn(async move { (place, Masternode::connect(&url).await) });
        }
        let mut connected = BTreeMap::new();
        while let Some(joined) = connecting.join_next().await {
            // None is aborted, and none panics.
            if let Ok((place, outcome)) = joined {
                connected.insert(place, outcome);
            }
        }
        let mut masternodes = Self::default();
        for outcome in connected.into_values() {
            match outcome {
                Ok(masternode) => masternodes.reached.push(masternode),
                Err(error) => masternodes.silent.push(error.url),
            }
        }
        masternodes
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.reached.len() + self.silent.len()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_that_cannot_be_reached_are_named_in_their_order() {
        // A port that was free a moment ago, and what is no address at all.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = format!("ws://{}", listener.local_addr().unwrap());
        drop(listener);
        let urls = [nobody.clone(), "nonsense".to_owned()];
        let masternodes = Masternodes::at(urls.into_iter()).await;
        assert!(masternodes.reached.is_empty());
        assert_eq!(masternodes.silent, [nobody, "nonsense".to_owned()]);
        assert_eq!(masternodes.count(), 2);
    }

    #[tokio::test]
    async fn an_error_names_the_address() {
        let error = Masternode::connect("nonsense").await.err().unwrap();
        assert!(error.to_string().contains("nonsense"), "{error}");
    }
}
