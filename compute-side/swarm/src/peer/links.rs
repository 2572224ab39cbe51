//! What other peers do.

use super::{pieces, running::Running};
use quern_network::{
    MeshEvent,
    mesh::{Answer, Link, TalkFault},
};
use quern_swarm_rules::{
    Event, PeerId,
    message::{DecodeError, Fetch, Message},
};
use std::sync::Arc;

impl Running {
    pub(super) fn on_link(&mut self, event: MeshEvent) {
        match event {
            MeshEvent::Joined {
                peer,
                link,
                opened,
                voice,
            } => {
                self.links.insert(peer, (link, voice));
                self.events.push_back(Event::Joined { peer, opened });
            }
            MeshEvent::Left { peer, link } => {
                // It may have ended here before, and another stands by now.
                if self.links.get(&peer).is_none_or(|it| it.0 == link) {
                    self.links.remove(&peer);
                    self.events.push_back(Event::Left(peer));
                }
            }
            MeshEvent::DialFailed { peer } => self.events.push_back(Event::DialFailed(peer)),
            MeshEvent::Found { address, .. } => {
                if let Ok(address) = address.to_string().parse() {
                    self.events.push_back(Event::Found(address));
                }
            }
            MeshEvent::Said {
                peer,
                link,
                message,
            } => {
                if self.is_linked(&peer, link) {
                    self.hear(peer, &message);
                }
            }
            MeshEvent::Broke { peer, link, fault } => {
                if self.is_linked(&peer, link) {
                    let error = match fault {
                        TalkFault::Long { bytes, limit } => DecodeError::Long { bytes, limit },
                        TalkFault::Kind | TalkFault::Again => DecodeError::Malformed,
                    };
                    self.events.push_back(Event::Garbled(peer, error));
                }
            }
            MeshEvent::Asked {
                peer,
                question,
                answer,
            } => self.on_asked(peer, &question, answer),
        }
    }

    fn hear(&mut self, peer: PeerId, bytes: &[u8]) {
        let event = match Message::decode(bytes) {
            Ok(message) => {
                // Before it a neighbour has said what it computes, and what it has.
                self.has_heard |= matches!(message, Message::Compare(_));
                Event::Said(peer, message)
            }
            Err(error) => Event::Garbled(peer, error),
        };
        self.events.push_back(event);
    }

    /// Gives a piece to a peer that is connected, if it is here. What is dropped is broken off, and so the
    /// other hears that it is not.
    fn on_asked(&mut self, peer: PeerId, question: &[u8], answer: Answer) {
        let Ok(fetch) = Fetch::decode(question) else {
            return;
        };
        if !self.links.contains_key(&peer) || !self.rules.serves(fetch.piece, &fetch.root) {
            return;
        }
        let (path, serving) = (self.folder.piece(fetch.piece), Arc::clone(&self.serving));
        let bytes_max = self.task.file().piece_bytes_max.get();
        self.moving.spawn(async move {
            // It is never closed.
            let Ok(_place) = serving.acquire_owned().await else {
                return;
            };
            if let Err(error) = pieces::serve(&path, bytes_max, &fetch, answer).await {
                tracing::debug!(%peer, piece = fetch.piece, %error, "a piece was not given");
            }
        });
    }

    fn is_linked(&self, peer: &PeerId, link: Link) -> bool {
        self.links.get(peer).is_some_and(|it| it.0 == link)
    }
}
