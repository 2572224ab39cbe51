//! Connections with masternodes.

use super::News;
use crate::{claims::Ask, core::Event, settings::Masternode, traffic::Traffic, transfer::Link};
use quern_network::{Client, ClientConfig, Multiaddr, Prefer, RequestError};
use quern_primitives::ids::DeviceId;
use quern_protocol::{Request, Response, Show};
use std::{collections::BTreeMap, error::Error, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

/// How long leaving waits for connections to close.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// All connections.
pub(super) struct Links {
    key_seed: [u8; 32],
    prefer: Prefer,
    traffic: Traffic,
    news: mpsc::Sender<News>,
    known: BTreeMap<DeviceId, Known>,
    /// Connections that are being closed.
    closing: Vec<Client>,
}

/// One masternode.
struct Known {
    addresses: Vec<Multiaddr>,
    /// The number of the connection that is made or stands.
    connection: u64,
    connecting: Option<AbortHandle>,
    client: Option<Client>,
    /// The connection for pieces: the same, once the device was let in.
    opened: watch::Sender<Option<Client>>,
}

impl Links {
    pub(super) fn new(
        key_seed: [u8; 32],
        prefer: Prefer,
        traffic: Traffic,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            key_seed,
            prefer,
            traffic,
            news,
            known: BTreeMap::new(),
            closing: Vec::new(),
        }
    }

    /// Takes note of where masternodes are.
    pub(super) fn learn(&mut self, masternodes: Vec<Masternode>) {
        for Masternode {
            network_key,
            addresses,
        } in masternodes
        {
            self.known
                .entry(network_key)
                .or_insert_with(Known::new)
                .addresses = addresses;
        }
    }

    pub(super) fn connect(&mut self, masternode: DeviceId, connection: u64) {
        let known = self.known.entry(masternode).or_insert_with(Known::new);
        let config = ClientConfig {
            key_seed: self.key_seed,
            masternode,
            addresses: known.addresses.clone(),
            prefer: self.prefer,
        };
        let news = self.news.clone();
        let task = tokio::spawn(async move {
            let outcome = match Client::connect(config).await {
                Ok(client) => News::Connected {
                    masternode,
                    connection,
                    client,
                },
                Err(error) => {
                    let source = error.source().map(ToString::to_string);
                    tracing::warn!(%masternode, %error, source, "no connection");
                    News::Core(Event::Disconnected {
                        masternode,
                        connection,
                    })
                }
            };
            // An error says that the worker ends.
            let _ = news.send(outcome).await;
        });
        known.connection = connection;
        known.connecting = Some(task.abort_handle());
    }

    /// Takes a connection that stands; false if it is not wanted any more.
    pub(super) fn connected(
        &mut self,
        masternode: DeviceId,
        connection: u64,
        client: Client,
    ) -> bool {
        let Some(known) = self
            .known
            .get_mut(&masternode)
            .filter(|known| known.connection == connection)
        else {
            client.close();
            return false;
        };
        known.connecting = None;
        known.client = Some(client.clone());
        let news = self.news.clone();
        tokio::spawn(async move {
            client.disconnected().await;
            let ended = Event::Disconnected {
                masternode,
                connection,
            };
            let _ = news.send(News::Core(ended)).await;
        });
        true
    }

    pub(super) fn close(&mut self, masternode: &DeviceId) {
        let Some(known) = self.known.get_mut(masternode) else {
            return;
        };
        known.opened.send_replace(None);
        if let Some(connecting) = known.connecting.take() {
            connecting.abort();
        }
        if let Some(client) = known.client.take() {
            client.close();
            self.closing.retain(|client| !client.is_disconnected());
            self.closing.push(client);
        }
        // Whatever this connection still says is of an older one now.
        known.connection = 0;
    }

    /// The device was let in over this connection.
    pub(super) fn opened(&mut self, masternode: &DeviceId, connection: u64) {
        if let Some(known) = self.known.get_mut(masternode)
            && known.connection == connection
        {
            known.opened.send_replace(known.client.clone());
        }
    }

    /// Asks, and tells the core the answer.
    pub(super) fn ask(&self, masternode: DeviceId, connection: u64, number: u64, request: Request) {
        let client = self
            .known
            .get(&masternode)
            .filter(|known| known.connection == connection)
            .and_then(|known| known.client.clone());
        let (traffic, news) = (self.traffic.clone(), self.news.clone());
        tokio::spawn(async move {
            let answer = match client {
                Some(client) => traffic.request(&client, request).await,
                None => Err(RequestError::Disconnected),
            };
            let answer = answer
                .inspect_err(|error| match error {
                    RequestError::OtherProtocol | RequestError::BadAnswer(_) => {
                        tracing::warn!(%masternode, %error, "no answer that can be used");
                    }
                    _ => tracing::debug!(%masternode, %error, "no answer"),
                })
                .ok();
            let answered = Event::Answered {
                masternode,
                connection,
                number,
                answer,
            };
            let _ = news.send(News::Core(answered)).await;
        });
    }

    /// Asks what was found of this device's work, over the connection over which the device was let in.
    pub(super) fn show(&self, ask: Ask) {
        let known = self.known.get(&DeviceId(ask.masternode.0));
        let let_in = known.and_then(|known| known.opened.borrow().clone());
        // A connection that cannot be made is a question in vain; one that nobody wants, or that was made and
        // not opened, is none: the masternode may have its reasons.
        let is_unreachable = known.is_some_and(|known| {
            let is_wanted = known.connection != 0;
            is_wanted && known.client.is_none()
        });
        let (traffic, news) = (self.traffic.clone(), self.news.clone());
        tokio::spawn(async move {
            let answer = match let_in {
                Some(client) => {
                    let request = Request::Show(Show {
                        job: ask.batch.job,
                        batch: ask.batch.sequence,
                        tasks: ask.tasks.clone(),
                    });
                    match traffic.request(&client, request).await {
                        Ok(Response::Shown(shown)) => Some(shown),
                        Ok(_) | Err(_) => Some(vec![]),
                    }
                }
                None => is_unreachable.then(Vec::new),
            };
            let _ = news.send(News::Shown { ask, answer }).await;
        });
    }

    /// The connection for pieces, as it comes and goes.
    pub(super) fn link(&mut self, masternode: DeviceId) -> Link {
        let known = self.known.entry(masternode).or_insert_with(Known::new);
        Link::new(known.opened.subscribe(), self.traffic.clone())
    }

    /// Waits until the connections that were closed have ended, so that masternodes hear of it.
    pub(super) async fn closed(&mut self) {
        let ended = async {
            for client in &self.closing {
                client.disconnected().await;
            }
        };
        let _ = tokio::time::timeout(CLOSE_GRACE, ended).await;
    }
}

impl Known {
    fn new() -> Self {
        Self {
            addresses: Vec::new(),
            connection: 0,
            connecting: None,
            client: None,
            opened: watch::Sender::new(None),
        }
    }
}
