//! The device's side: one connection to one masternode.

use crate::{
    Asker, Inquiry, Prefer, Wished, address,
    content::{Contents, Hearers},
    identity::{device_of, key_pair, peer_of},
    limits::REQUESTS_PER_DEVICE_MAX,
    streams::device::{Ask, Asking},
    swarm::{Behaviour, BehaviourEvent, build},
};
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, TransportError,
    connection_limits::ConnectionLimits,
    noise, ping,
    swarm::{
        DialError, Swarm, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use quern_primitives::ids::DeviceId;
use quern_protocol::{DecodeError, Message, Request, Response, limits::REQUEST_TIMEOUT};
use std::{io, num::NonZeroU8, sync::Arc};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// What a client needs to connect.
#[derive(Clone)]
pub struct ClientConfig {
    /// The secret seed of the device's key.
    pub key_seed: [u8; 32],
    /// The masternode's network key. Whoever answers with another is not talked to.
    pub masternode: DeviceId,
    /// Where the masternode is reached.
    pub addresses: Vec<Multiaddr>,
    /// Which transport to try first.
    pub prefer: Prefer,
    /// Where to hand the masternode's questions about content, if they are answered.
    pub inquiries: Option<mpsc::Sender<Inquiry>>,
    /// Where to hand what the masternode wishes to have kept, if anything is kept.
    pub wishes: Option<mpsc::Sender<Wished>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// None of the addresses can be used.
    #[error("none of the masternode's addresses can be used; QUIC and TCP are spoken")]
    NoAddress,
    /// Somebody else answers there.
    #[error("{address} is answered by {}, not by the masternode {expected}", found.map_or("a peer with no device key".into(), |found| found.to_string()))]
    AnotherPeer {
        /// Where.
        address: Multiaddr,
        /// Who was expected.
        expected: DeviceId,
        /// Who answers.
        found: Option<DeviceId>,
    },
    /// Nobody answers at any of the addresses.
    #[error("the masternode does not answer at {address}")]
    Unreachable {
        /// The last address tried.
        address: Multiaddr,
        /// What the system says.
        source: io::Error,
    },
    /// The attempt was given up.
    #[error("the connection was given up before it stood")]
    GivenUp,
    /// The key cannot sign its own certificate.
    #[error("the device's key cannot be used; make a new one with `quern-worker init`")]
    Key(#[from] noise::Error),
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It breaks a limit of the protocol and was not sent.
    #[error("the request was not sent")]
    NotSent(#[source] DecodeError),
    /// The connection has ended. Whether the request arrived is not known.
    #[error("the connection to the masternode has ended")]
    Disconnected,
    /// No answer came in time.
    #[error("the masternode did not answer in time")]
    TimedOut,
    /// The masternode speaks no version of the protocol that this device speaks.
    #[error("the masternode speaks another version of the protocol; update the worker")]
    OtherProtocol,
    /// The answer is no message.
    #[error("the masternode's answer is no message")]
    BadAnswer(#[source] DecodeError),
    /// The request's stream broke, for example because the masternode dropped the request.
    #[error("the request was broken off")]
    BrokenOff(#[source] io::Error),
}

/// A connection to a masternode. Clones are for the same connection, which ends when it is closed or
/// with the last of them.
#[derive(Clone, Debug)]
pub struct Client {
    requests: mpsc::Sender<Ask>,
    asker: Asker,
    close: Arc<Notify>,
    ended: watch::Receiver<bool>,
    masternode: DeviceId,
}

impl Client {
    /// Connects, trying the addresses one after the other, and starts the connection's task on the
    /// current tokio runtime.
    pub async fn connect(config: ClientConfig) -> Result<Self, ConnectError> {
        let addresses = address::prepare(&config.addresses, config.prefer).await;
        if addresses.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        let connections = ConnectionLimits::default()
            .with_max_pending_incoming(Some(0))
            .with_max_established_incoming(Some(0))
            .with_max_established_outgoing(Some(1));
        let tasks = Asking::new(REQUEST_TIMEOUT);
        let contents = Contents::new(Hearers {
            inquiries: config.inquiries,
            wishes: config.wishes,
        });
        let asker = contents.asker();
        let mut swarm = build(key_pair(config.key_seed), tasks, contents, connections)?;
        let masternode = peer_of(&config.masternode);
        dial(&mut swarm, masternode, addresses)
            .await
            .map_err(|error| connect_error(error, config.masternode))?;

        let (requests, received) = mpsc::channel(REQUESTS_PER_DEVICE_MAX);
        let (ended_sender, ended) = watch::channel(false);
        let close = Arc::new(Notify::new());
        let task = Connection {
            swarm,
            masternode,
            close: Arc::clone(&close),
        };
        tokio::spawn(async move {
            task.run(received).await;
            ended_sender.send_replace(true);
        });
        Ok(Self {
            requests,
            asker,
            close,
            ended,
            masternode: config.masternode,
        })
    }

    /// Asks, and waits for the answer. Several requests may be on their way at a time, up to
    /// [`REQUESTS_PER_DEVICE_MAX`]; more than that wait for one of these to end.
    pub async fn request(&self, request: Request) -> Result<Response, RequestError> {
        request.check().map_err(RequestError::NotSent)?;
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Ask { request, reply })
            .await
            .map_err(|_| RequestError::Disconnected)?;
        answer.await.map_err(|_| RequestError::Disconnected)?
    }

    /// Asks the masternode for content by its name.
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Ends the connection, for all clones. Requests without an answer fail.
    pub fn close(&self) {
        self.close.notify_one();
    }

    /// Waits until the connection has ended.
    pub async fn disconnected(&self) {
        let mut ended = self.ended.clone();
        // An error says that the connection's task is gone, and the connection with it.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Whether the connection has ended.
    pub fn is_disconnected(&self) -> bool {
        *self.ended.borrow()
    }

    /// The masternode at the other end.
    pub fn masternode(&self) -> DeviceId {
        self.masternode
    }
}

async fn dial(
    swarm: &mut Swarm<Behaviour<Asking>>,
    masternode: PeerId,
    addresses: Vec<Multiaddr>,
) -> Result<(), DialError> {
    let one_by_one = NonZeroU8::MIN;
    swarm.dial(
        DialOpts::peer_id(masternode)
            .condition(PeerCondition::Always)
            .addresses(addresses)
            .override_dial_concurrency_factor(one_by_one)
            .build(),
    )?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => return Ok(()),
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error),
            _ => {}
        }
    }
}

fn connect_error(error: DialError, expected: DeviceId) -> ConnectError {
    match error {
        DialError::WrongPeerId { obtained, address } => ConnectError::AnotherPeer {
            address,
            expected,
            found: device_of(&obtained),
        },
        DialError::LocalPeerId { address } => ConnectError::AnotherPeer {
            address,
            expected,
            found: None,
        },
        DialError::Transport(mut tried) => match tried.pop() {
            Some((address, TransportError::Other(source))) => {
                ConnectError::Unreachable { address, source }
            }
            Some((address, TransportError::MultiaddrNotSupported(_))) => {
                ConnectError::Unreachable {
                    address,
                    source: io::ErrorKind::Unsupported.into(),
                }
            }
            None => ConnectError::NoAddress,
        },
        DialError::NoAddresses => ConnectError::NoAddress,
        DialError::DialPeerConditionFalse(_) | DialError::Aborted | DialError::Denied { .. } => {
            ConnectError::GivenUp
        }
    }
}

/// The connection's task.
struct Connection {
    swarm: Swarm<Behaviour<Asking>>,
    masternode: PeerId,
    close: Arc<Notify>,
}

impl Connection {
    async fn run(mut self, mut requests: mpsc::Receiver<Ask>) {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => match event {
                    SwarmEvent::ConnectionClosed { .. } => break,
                    SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                        connection,
                        result: Err(ping::Failure::Timeout | ping::Failure::Other { .. }),
                        ..
                    })) => {
                        self.swarm.close_connection(connection);
                    }
                    _ => {}
                },
                request = requests.recv() => match request {
                    Some(ask) => self.swarm.behaviour_mut().tasks.ask(self.masternode, ask),
                    None => break,
                },
                () = self.close.notified() => break,
            }
        }
        self.close().await;
    }

    /// Says goodbye, so that the masternode need not wait for a timeout.
    async fn close(mut self) {
        if self.swarm.disconnect_peer_id(self.masternode).is_ok() {
            let closed = async {
                while self.swarm.is_connected(&self.masternode) {
                    self.swarm.select_next_some().await;
                }
            };
            let _ = tokio::time::timeout(crate::limits::DISMISS_GRACE, closed).await;
        }
    }
}
