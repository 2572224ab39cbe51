//! Carrying out what the rules want.

use super::{Done, PeerError, pieces, running::Running};
use crate::{disk::Order, limits::BLOCK, run::Stop};
use codec::Encode as _;
use quern_network::Multiaddr;
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::{PeerAddress, PieceIndex};
use quern_swarm_rules::{
    Bytes, Effect, Event, Fault, FetchFault, PeerId,
    message::{Made, Message},
};
use std::{path::PathBuf, sync::Arc};

impl Running {
    pub(super) async fn carry_out(&mut self, effect: Effect) -> Result<(), PeerError> {
        match effect {
            Effect::Store { made, bytes } => self.store(made, bytes),
            Effect::Discard(piece) => {
                self.roots.remove(&piece);
                self.order(Order::Discard(piece));
            }
            Effect::Compute { piece, .. } => self.compute(piece),
            Effect::Abandon(piece) => {
                if let Some((_, stop)) = self.runs.remove(&piece) {
                    stop.stop();
                }
            }
            Effect::Compare { piece, root } => self.compare(piece, root),
            // It is on the disk before anybody is told of it.
            Effect::Keep(word) => self.folder.keep(&word)?,
            Effect::Fetch { made, from } => self.fetch(made, from),
            Effect::Send(peer, message) => self.send(&peer, &message),
            Effect::Dial(address) => self.dial(&address),
            Effect::Part(peer) => self.part(peer).await,
            Effect::Drop(peer, fault) => self.drop_peer(peer, fault).await,
            Effect::Merge => {
                let roots = self.roots.values().copied().collect();
                self.order(Order::Merge(roots));
            }
        }
        Ok(())
    }

    /// Removes what came out, or came, and is wanted nowhere.
    pub(super) fn forget_unwanted(&mut self) {
        for path in std::mem::take(&mut self.came).into_values() {
            self.forget(path);
        }
        let comparing = &self.comparing;
        let is_wanted = |piece: &PieceIndex| comparing.contains_key(piece);
        let unwanted: Vec<PathBuf> = self
            .came_out
            .extract_if(.., |piece, _| !is_wanted(piece))
            .map(|(_, path)| path)
            .collect();
        for path in unwanted {
            self.forget(path);
        }
    }

    pub(super) fn forget(&mut self, path: PathBuf) {
        self.order(Order::Forget(path));
    }

    /// An answer of the check command. One that could not be given says nothing of anybody.
    pub(super) fn on_compared(
        &mut self,
        piece: PieceIndex,
        root: Digest,
        same: Result<Option<bool>, crate::run::Trouble>,
    ) {
        if let Some((count, _)) = self.comparing.get_mut(&piece) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.comparing.remove(&piece);
            }
        }
        match same {
            Ok(Some(same)) => self.events.push_back(Event::Compared { piece, root, same }),
            Ok(None) => {}
            Err(trouble) => {
                self.status.trouble = Some(format!("comparing piece {piece}: {trouble}"))
            }
        }
    }

    pub(super) fn on_fetched(
        &mut self,
        piece: PieceIndex,
        from: PeerId,
        into: PathBuf,
        came: Result<(), pieces::FetchError>,
    ) -> Result<(), PeerError> {
        let fault = match came {
            Ok(()) => {
                self.came.insert(piece, into);
                self.events.push_back(Event::Fetched { piece, from });
                return Ok(());
            }
            Err(pieces::FetchError::Disk(error)) => return Err(error.into()),
            Err(pieces::FetchError::Fault(fault)) => fault,
        };
        self.forget(into);
        self.events
            .push_back(Event::FetchFailed { piece, from, fault });
        Ok(())
    }

    fn store(&mut self, made: Signed<Made>, bytes: Bytes) {
        let piece = made.payload.piece;
        self.roots.insert(piece, made.payload.root);
        let from = match bytes {
            Bytes::There => return self.order(Order::NameMaker(made)),
            Bytes::Computed => self.came_out.remove(&piece),
            Bytes::Fetched => self.came.remove(&piece),
        };
        if let Some(from) = from {
            self.order(Order::Store { made, from });
        }
    }

    fn compute(&mut self, piece: PieceIndex) {
        let item = self.task.layout().work_item(piece);
        let (Some(worker), Some(item)) = (self.worker.clone(), item) else {
            let output = None;
            return self.events.push_back(Event::Computed { piece, output });
        };
        let (run, stop, into) = (self.next_run, Stop::default(), self.folder.coming());
        self.next_run = run.saturating_add(1);
        self.runs.insert(piece, (run, stop.clone()));
        let done = self.done.clone();
        tokio::task::spawn_blocking(move || {
            let ran = worker.run(&item, &into, &stop);
            // An error says that the peer has ended, and nobody hears of it.
            let _ = done.blocking_send(Done::Ran {
                run,
                piece,
                into,
                ran,
            });
        });
    }

    fn compare(&mut self, piece: PieceIndex, root: Digest) {
        let (Some(worker), Some(mine)) = (self.worker.clone(), self.came_out.get(&piece).cloned())
        else {
            return;
        };
        let (count, stop) = self.comparing.entry(piece).or_default();
        *count = count.saturating_add(1);
        let (done, folder, stop) = (self.done.clone(), Arc::clone(&self.folder), stop.clone());
        tokio::task::spawn_blocking(move || {
            let same = worker.compare(&mine, &folder.piece(piece), (&folder, &stop));
            // Who hears that the last of these has ended finds the folder free.
            drop(folder);
            let _ = done.blocking_send(Done::Compared { piece, root, same });
        });
    }

    fn fetch(&mut self, made: Signed<Made>, from: PeerId) {
        let (mesh, done, into) = (self.mesh.clone(), self.done.clone(), self.folder.coming());
        self.moving.spawn(async move {
            let came = pieces::fetch(&mesh, &from, &made.payload, &into).await;
            let piece = made.payload.piece;
            let _ = done
                .send(Done::Fetched {
                    piece,
                    from,
                    into,
                    came,
                })
                .await;
        });
    }

    /// What is lost on the way is asked for again.
    fn send(&self, peer: &PeerId, message: &Message) {
        if let Some((_, voice)) = self.links.get(peer)
            && !voice.say(message.encode())
        {
            tracing::debug!(%peer, "a peer does not read what it is told");
        }
    }

    fn dial(&mut self, address: &PeerAddress) {
        let peer = PeerId::from(*address.peer());
        match address.as_str().parse::<Multiaddr>() {
            Ok(address) => self.mesh.dial(peer, address),
            Err(error) => {
                tracing::debug!(%address, %error, "an address cannot be dialled");
                self.events.push_back(Event::DialFailed(peer));
            }
        }
    }

    async fn part(&mut self, peer: PeerId) {
        self.links.remove(&peer);
        self.events.push_back(Event::Left(peer));
        // An error says that the mesh has stopped, which is told by itself.
        let _ = self.mesh.part(peer).await;
    }

    async fn drop_peer(&mut self, peer: PeerId, fault: Fault) {
        if fault != Fault::Full {
            self.status.dropped = self.status.dropped.saturating_add(1);
            tracing::info!(%peer, %fault, "a peer is disconnected");
            let _ = self.mesh.block(peer, BLOCK).await;
        }
        self.part(peer).await;
    }

    fn order(&mut self, order: Order) {
        self.orders.push_back(order);
    }
}

/// A piece did not come for a reason that is the other's.
impl From<FetchFault> for pieces::FetchError {
    fn from(fault: FetchFault) -> Self {
        Self::Fault(fault)
    }
}
