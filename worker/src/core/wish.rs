//! The wish for work, which is with one masternode at a time.
//!
//! With one masternode it stays there. Of several, the one that has it keeps it while it gives
//! tasks, up to [`TURN_TASKS`]; it goes to whoever was not asked for longest when the answer is that
//! there is no work, or when there is no answer for [`PATIENCE_MS`]. The one it is taken from is
//! told with an exchange that wants nothing, and so is the one that has it when the machine is no
//! longer offered.

use super::{Core, Tick, session::Session};
use crate::limits::{PATIENCE_MS, TURN_TASKS};
use quern_primitives::ids::DeviceId;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    pub(super) holder: Option<DeviceId>,
    /// Since when the holder has it.
    since: Tick,
    /// Tasks the holder has given since it has the wish.
    pub(super) given: u32,
}

impl Core {
    /// How many more tasks this masternode is to be told the device wants.
    pub(super) fn want_from(&self, masternode: &DeviceId) -> u8 {
        if self.wish.holder == Some(*masternode) {
            self.room()
        } else {
            0
        }
    }

    /// When this masternode is to be told of the wish, or that it was taken back.
    pub(super) fn wish_due_at(&self, masternode: &DeviceId, session: &Session) -> Option<Tick> {
        let is_holder = self.wish.holder == Some(*masternode);
        match session.wish_sent_at() {
            None if is_holder && self.room() > 0 => Some(session.ask_at),
            Some(_) if !is_holder || self.offer.is_withheld() => Some(Tick::default()),
            _ => None,
        }
    }

    /// When the wish goes to another masternode if nothing happens before, and to which.
    pub(super) fn wish_passes_at(&self) -> Option<(Tick, DeviceId)> {
        let open = || {
            self.sessions
                .iter()
                .filter(|(_, session)| session.is_open())
        };
        let holder = self
            .wish
            .holder
            .and_then(|holder| self.sessions.get_key_value(&holder));
        let Some((holder, session)) = holder.filter(|(_, session)| session.is_open()) else {
            return open().map(|(first, _)| (Tick::default(), *first)).next();
        };
        if self.room() == 0 {
            return None;
        }
        let (next, ask_at) = open()
            .filter(|(other, _)| *other != holder)
            .map(|(other, session)| (*other, session.ask_at))
            .min_by_key(|(_, ask_at)| *ask_at)?;
        let at = if self.wish.given >= TURN_TASKS {
            ask_at
        } else if let Some(sent_at) = session.wish_sent_at() {
            ask_at.max(sent_at.max(self.wish.since).after(PATIENCE_MS))
        } else if ask_at < session.ask_at {
            ask_at
        } else {
            return None;
        };
        Some((at, next))
    }

    /// Passes the wish on if it is time.
    pub(super) fn pass_wish(&mut self, now: Tick) {
        for _ in 0..self.sessions.len() {
            let Some((at, next)) = self.wish_passes_at() else {
                return;
            };
            if at > now {
                return;
            }
            if let Some(last) = self
                .wish
                .holder
                .and_then(|holder| self.sessions.get_mut(&holder))
            {
                last.ask_at = last.ask_at.max(now);
            }
            self.wish = Wish {
                holder: Some(next),
                since: now,
                given: 0,
            };
        }
    }
}
