//! Pieces: fetching what does not fit into an assignment, delivering what does not fit into a report.
//! Both go on where they were when a connection breaks and another stands. The mark of each answer goes
//! with the next piece; that is how masternodes see how fast this machine's line is.

use crate::{core::Fault, limits::PIECES_IN_FLIGHT, traffic::Traffic};
use futures::{StreamExt, stream::FuturesOrdered};
use quern_network::{Client, RequestError};
use quern_protocol::{
    Content, Deliver, Fetch, Refusal, ReplicaId, Request, Response, limits::PIECE_BYTES_MAX,
};
use std::time::Duration;
use tokio::sync::watch;

/// Attempts in a row without any progress, over connections that stood, after which a transfer is
/// given up.
const FRUITLESS_MAX: u32 = 5;

/// The pause after an attempt without progress.
const FRUITLESS_PAUSE: Duration = Duration::from_secs(1);

/// Bytes reserved for a thing before any of it has come.
const FIRST_RESERVATION_BYTES: u64 = 1024 * 1024;

/// The connection with one masternode, as it comes and goes.
#[derive(Clone)]
pub(crate) struct Link {
    clients: watch::Receiver<Option<Client>>,
    traffic: Traffic,
}

impl Link {
    /// What goes over it is counted there.
    pub(crate) fn new(clients: watch::Receiver<Option<Client>>, traffic: Traffic) -> Self {
        Self { clients, traffic }
    }

    /// The connection, as soon as there is one. When there will be none any more it never returns;
    /// the worker ends then.
    async fn client(&mut self) -> Client {
        let standing = |client: &Option<Client>| {
            client
                .as_ref()
                .is_some_and(|client| !client.is_disconnected())
        };
        let found = self
            .clients
            .wait_for(standing)
            .await
            .map(|client| (*client).clone());
        match found {
            Ok(Some(client)) => client,
            _ => std::future::pending().await,
        }
    }
}

/// Why an attempt did not get to the end.
enum Broken {
    /// It may work the next time.
    Off,
    /// It will not.
    For(Fault),
}

impl From<RequestError> for Broken {
    fn from(error: RequestError) -> Self {
        tracing::debug!(%error, "a piece was not transferred");
        match error {
            RequestError::NotSent(_) | RequestError::BadAnswer(_) => Self::For(Fault::BadInput),
            _ => Self::Off,
        }
    }
}

/// An answer that is not the one expected.
fn unexpected(answer: &Response) -> Broken {
    match answer {
        Response::Refused(Refusal::NotAssigned) => Broken::For(Fault::NotAssigned),
        Response::Refused(Refusal::NoSuchContent) => Broken::For(Fault::BadInput),
        // The session will hear of it, too.
        Response::Refused(_) => Broken::Off,
        _ => Broken::For(Fault::BadInput),
    }
}

/// Counts attempts without progress.
#[derive(Default)]
struct Patience {
    reached: u64,
    fruitless: u32,
}

impl Patience {
    /// Takes note of how far an attempt got; an error when it is time to give up.
    async fn after(&mut self, reached: u64, client: &Client) -> Result<(), Fault> {
        if reached > self.reached {
            *self = Self {
                reached,
                fruitless: 0,
            };
        } else if !client.is_disconnected() {
            self.fruitless += 1;
            if self.fruitless >= FRUITLESS_MAX {
                return Err(Fault::Unreachable);
            }
            tokio::time::sleep(FRUITLESS_PAUSE).await;
        }
        Ok(())
    }
}

/// Fetches a thing of known length. Whether it is the right thing is for the caller to check.
pub(crate) async fn fetch(link: &mut Link, content: Content, total: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes =
        Vec::with_capacity(usize::try_from(total.min(FIRST_RESERVATION_BYTES)).unwrap_or(0));
    let mut patience = Patience::default();
    loop {
        let client = link.client().await;
        match fetch_rest(&client, &link.traffic, content, total, &mut bytes).await {
            Ok(()) => return Ok(bytes),
            Err(Broken::For(fault)) => return Err(fault),
            Err(Broken::Off) => patience.after(bytes.len() as u64, &client).await?,
        }
    }
}

async fn fetch_rest(
    client: &Client,
    traffic: &Traffic,
    content: Content,
    total: u64,
    bytes: &mut Vec<u8>,
) -> Result<(), Broken> {
    let mut answers = FuturesOrdered::new();
    let mut asked = bytes.len() as u64;
    // The mark of the newest piece, which was not shown yet.
    let mut received = None;
    while (bytes.len() as u64) < total {
        while answers.len() < PIECES_IN_FLIGHT && asked < total {
            let wanted = total.saturating_sub(asked).min(PIECE_BYTES_MAX.into());
            let request = Request::Fetch(Fetch {
                content,
                offset: asked,
                length: u32::try_from(wanted).unwrap_or(PIECE_BYTES_MAX),
                received: received.take(),
            });
            answers.push_back(async move { (wanted, traffic.request(client, request).await) });
            asked = asked.saturating_add(wanted);
        }
        let Some((wanted, answer)) = answers.next().await else {
            return Err(Broken::Off);
        };
        let piece = match answer? {
            Response::Piece(piece) => piece,
            other => return Err(unexpected(&other)),
        };
        let length = piece.bytes.len() as u64;
        if piece.total_bytes != total || length == 0 || length > wanted {
            return Err(Broken::For(Fault::BadInput));
        }
        bytes.extend_from_slice(&piece.bytes);
        received = Some(piece.mark);
        if length < wanted {
            // The masternode gives shorter pieces than asked for: go on from here.
            answers.clear();
            asked = bytes.len() as u64;
        }
    }
    Ok(())
}

/// Delivers a sealed result. Begins by asking how much of it is there already.
pub(crate) async fn deliver(link: &mut Link, id: ReplicaId, sealed: &[u8]) -> Result<(), Fault> {
    let mut received = 0;
    let mut patience = Patience::default();
    loop {
        let client = link.client().await;
        match deliver_rest(&client, &link.traffic, id, sealed, &mut received).await {
            Ok(()) => return Ok(()),
            Err(Broken::For(fault)) => return Err(fault),
            Err(Broken::Off) => patience.after(received, &client).await?,
        }
    }
}

async fn deliver_rest(
    client: &Client,
    traffic: &Traffic,
    id: ReplicaId,
    sealed: &[u8],
    received: &mut u64,
) -> Result<(), Broken> {
    // An empty piece writes nothing, and is answered with what is there.
    let mut piece = Vec::new();
    let mut offset = 0;
    let mut follows = None;
    let mut standstill = 0;
    loop {
        let deliver = Deliver {
            id,
            follows,
            offset,
            bytes: piece,
        };
        let (there, mark) = match traffic.request(client, Request::Deliver(deliver)).await? {
            Response::Delivered {
                received_bytes,
                mark,
            } => (received_bytes, mark),
            other => return Err(unexpected(&other)),
        };
        follows = Some(mark);
        if there == sealed.len() as u64 {
            return Ok(());
        }
        standstill = if there > *received { 0 } else { standstill + 1 };
        if standstill > FRUITLESS_MAX {
            return Err(Broken::Off);
        }
        *received = there;
        offset = there;
        let start = usize::try_from(there).unwrap_or(usize::MAX);
        let rest = sealed.get(start..).ok_or(Broken::For(Fault::BadInput))?;
        piece = rest[..rest.len().min(PIECE_BYTES_MAX as usize)].to_vec();
    }
}
