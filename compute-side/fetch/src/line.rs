//! What the machine's owner lets go over the line: a rate each way, and so many bytes both ways together.
//!
//! Bytes are *taken* before they are asked for or sent, as many as it may become; what became of them is
//! told when they have *moved*, and the rest is *given back*. So neither rate nor cap can be broken by
//! what is under way, and nobody uses up the cap by promising bytes that do not come.

use crate::{Tick, limits::PART_BYTES_MAX};

/// What may go over the line. None of the three is a bound where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes a second that may come.
    pub down_bytes_per_s: Option<u64>,
    /// Bytes a second that may go.
    pub up_bytes_per_s: Option<u64>,
    /// Bytes that may still move, both ways together, until the owner's month is over.
    pub left_bytes: Option<u64>,
}

/// Which way bytes move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To us.
    Down,
    /// From us.
    Up,
}

/// The line, and what is taken of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    left_bytes: Option<u64>,
    down: Side,
    up: Side,
}

impl Line {
    /// Other bounds from now on. What is under way stays taken.
    pub(crate) fn allow(&mut self, now: Tick, allowance: Allowance) {
        self.left_bytes = allowance.left_bytes;
        self.down.allow(now, allowance.down_bytes_per_s);
        self.up.allow(now, allowance.up_bytes_per_s);
    }

    /// Whether so many bytes can be taken now, each way.
    pub(crate) fn fits(&self, now: Tick, down_bytes: u64, up_bytes: u64) -> bool {
        self.fits_at(now, down_bytes, up_bytes) == Some(now)
    }

    /// When there is room for so many, each way. Nothing if it does not come with time alone: because
    /// something under way must end first, or the cap is used up.
    pub(crate) fn fits_at(&self, now: Tick, down_bytes: u64, up_bytes: u64) -> Option<Tick> {
        if self.unspent() < down_bytes.saturating_add(up_bytes) {
            return None;
        }
        let down = self.down.ready_at(now, down_bytes)?;
        Some(down.max(self.up.ready_at(now, up_bytes)?))
    }

    /// Whether the cap leaves no room for so many, even if nothing of what is under way should move.
    pub(crate) fn is_spent(&self, bytes: u64) -> bool {
        self.left_bytes.is_some_and(|left| left < bytes)
    }

    /// Takes bytes for which there is room.
    pub(crate) fn take(&mut self, now: Tick, way: Way, bytes: u64) {
        self.side_mut(way).take(now, bytes);
    }

    /// Bytes that were taken have moved.
    pub(crate) fn moved(&mut self, way: Way, bytes: u64) {
        let side = self.side_mut(way);
        side.under_way = side.under_way.saturating_sub(bytes);
        self.left_bytes = self.left_bytes.map(|left| left.saturating_sub(bytes));
    }

    /// Bytes that were taken will not move.
    pub(crate) fn give_back(&mut self, now: Tick, way: Way, bytes: u64) {
        self.side_mut(way).give_back(now, bytes);
    }

    fn unspent(&self) -> u64 {
        let taken = self.down.under_way.saturating_add(self.up.under_way);
        self.left_bytes
            .map_or(u64::MAX, |left| left.saturating_sub(taken))
    }

    fn side_mut(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Down => &mut self.down,
            Way::Up => &mut self.up,
        }
    }
}

/// One way: a bucket that fills at the rate.
#[derive(Clone, Debug, Default)]
struct Side {
    rate: Option<u64>,
    /// Thousandths of a byte, so that a rate is met to the byte however often it is looked at.
    level_millibytes: u64,
    at: Tick,
    under_way: u64,
}

impl Side {
    fn allow(&mut self, now: Tick, rate: Option<u64>) {
        self.level_millibytes = match self.rate {
            Some(_) => self.level(now),
            None => u64::MAX,
        };
        self.rate = rate;
        self.at = now;
        self.level_millibytes = self.level(now);
    }

    /// Bytes that can be saved up: a quarter of a second's, and a part, or none could ever be asked for.
    fn burst(rate: u64) -> u64 {
        (rate / 4).max(PART_BYTES_MAX)
    }

    fn level(&self, now: Tick) -> u64 {
        let Some(rate) = self.rate else {
            return u64::MAX;
        };
        let filled = rate.saturating_mul(now.since(self.at));
        let most = Self::burst(rate).saturating_mul(1_000);
        self.level_millibytes.saturating_add(filled).min(most)
    }

    fn ready_at(&self, now: Tick, bytes: u64) -> Option<Tick> {
        let Some(rate) = self.rate else {
            return Some(now);
        };
        if bytes == 0 {
            return Some(now);
        }
        // A second's bytes may be under way, so that the rate is met over a long round trip too.
        let window = rate.max(PART_BYTES_MAX);
        if window.saturating_sub(self.under_way) < bytes || bytes > Self::burst(rate) {
            return None;
        }
        let missing = bytes.saturating_mul(1_000).saturating_sub(self.level(now));
        if missing == 0 {
            return Some(now);
        }
        (rate > 0).then(|| now.plus_ms(missing.div_ceil(rate)))
    }

    fn take(&mut self, now: Tick, bytes: u64) {
        let level = self.level(now);
        self.level_millibytes = level.saturating_sub(bytes.saturating_mul(1_000));
        self.at = now;
        self.under_way = self.under_way.saturating_add(bytes);
    }

    fn give_back(&mut self, now: Tick, bytes: u64) {
        let level = self.level(now);
        self.level_millibytes = level.saturating_add(bytes.saturating_mul(1_000));
        self.at = now;
        self.level_millibytes = self.level(now);
        self.under_way = self.under_way.saturating_sub(bytes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
