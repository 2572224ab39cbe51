//! Connections with masternodes.

use super::News;
use crate::{
    claims::Ask, core::Event, keeper::Ears, settings::Masternode, traffic::Traffic, transfer::Link,
};
use quern_network::{Client, ClientConfig, Multiaddr, Prefer, RequestError};
use quern_primitives::ids::DeviceId;
use quern_protocol::{Refusal, Request, Response, Show, ShownVerdict};
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
    /// What hears what masternodes ask and wish, if pieces are kept.
    ears: Option<Ears>,
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
        ears: Option<Ears>,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            key_seed,
            prefer,
            traffic,
            ears,
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
        let (key_seed, prefer) = (self.key_seed, self.prefer);
        let known = self.known.entry(masternode).or_insert_with(Known::new);
        let config = match &self.ears {
            Some(ears) => ClientConfig {
                inquiries: Some(ears.inquiries.clone()),
                wishes: Some(ears.wishes.clone()),
                ..known.config(masternode, key_seed, prefer)
            },
            None => known.config(masternode, key_seed, prefer),
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
        let (news, ears) = (self.news.clone(), self.ears.clone());
        tokio::spawn(async move {
            if let Some(ears) = &ears {
                ears.came(masternode, connection, &client).await;
            }
            client.disconnected().await;
            if let Some(ears) = &ears {
                ears.left(masternode, connection).await;
            }
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

    /// Asks what was found of this device's work: over the connection that there is, whether or not the device was let
    /// in over it, or else over one that is made for it. A masternode answers that to everybody.
    pub(super) fn show(&self, ask: Ask) {
        let masternode = DeviceId(ask.masternode.0);
        let known = self.known.get(&masternode);
        let client = known.and_then(|known| known.client.clone());
        // Of two connections of one device the older is closed, so none is made beside one that is being made.
        let is_being_made = known.is_some_and(|known| known.connection != 0);
        let config = known.map(|known| known.config(masternode, self.key_seed, self.prefer));
        let (traffic, news) = (self.traffic.clone(), self.news.clone());
        tokio::spawn(async move {
            let request = Request::Show(Show {
                job: ask.batch.job,
                batch: ask.batch.sequence,
                tasks: ask.tasks.clone(),
            });
            let answer = match (client, config) {
                (Some(client), _) => heard(traffic.request(&client, request).await),
                (None, Some(_)) if is_being_made => Some(vec![]),
                (None, Some(config)) => match Client::connect(config).await {
                    Ok(client) => {
                        let answer = traffic.request(&client, request).await;
                        client.close();
                        heard(answer)
                    }
                    Err(_) => Some(vec![]),
                },
                // Where it is is not known here, so it was not asked.
                (None, None) => None,
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

    fn config(&self, masternode: DeviceId, key_seed: [u8; 32], prefer: Prefer) -> ClientConfig {
        ClientConfig {
            key_seed,
            masternode,
            addresses: self.addresses.clone(),
            prefer,
            inquiries: None,
            wishes: None,
        }
    }
}

/// What came of a question that was put to a masternode: what it shows, or nothing, where it does not answer or
/// refuses. None if it was not asked, because it or this worker speaks another version of the protocol, or because it
/// has no place left, which it says before it looks at what is asked.
fn heard(answer: Result<Response, RequestError>) -> Option<Vec<ShownVerdict>> {
    match answer {
        Ok(Response::Shown(shown)) => Some(shown),
        Ok(Response::Refused(Refusal::Full))
        | Err(RequestError::OtherProtocol | RequestError::NotSent(_)) => None,
        Ok(_) | Err(_) => Some(vec![]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refuses_or_does_not_answer_was_asked_in_vain_and_who_is_full_or_speaks_otherwise_was_not()
     {
        let in_vain = Some(vec![]);
        assert_eq!(heard(Ok(Response::Shown(vec![]))), in_vain);
        assert_eq!(heard(Ok(Response::Refused(Refusal::NoHello))), in_vain);
        for error in [RequestError::TimedOut, RequestError::Disconnected] {
            assert_eq!(heard(Err(error)), in_vain);
        }
        assert_eq!(heard(Err(RequestError::OtherProtocol)), None);
        assert_eq!(heard(Ok(Response::Refused(Refusal::Full))), None);
    }
}
