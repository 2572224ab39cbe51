//! How fast devices receive and send, and how far away they are, from what the masternode sees itself.
//!
//! A device says when it asks, what it asks for and what it sends; so it could ask for pieces that it
//! does not have yet, or send beforehand what it seems to send now. What counts is what a [`Mark`]
//! shows: random bytes of the masternode's, each for one answer.
//!
//! - **To the device.** A piece's mark is behind its bytes. The piece counts when the device shows the
//!   mark, with all the time since the first piece was asked for, and so do pieces of another shard that
//!   were asked for in that time: both share the line.
//! - **From the device.** The mark of the last answer is before a piece's bytes, so these were sent
//!   after that answer. The piece counts when all of it is here, with all the time since the first of
//!   those answers.
//!
//! A mark counts once, and for its own content and device. A wrong one tells nothing, and what was
//! measured until then begins anew. It is no reason to refuse the piece: whoever shows wrong marks, or
//! none, only is not measured.
//!
//! Only shards count on the way to a device. A program is public, and a device may have it already.

use crate::core::Measured;
use quern_network::limits::REQUESTS_PER_DEVICE_MAX;
use quern_primitives::{DeviceId, JobId, TaskIndex};
use quern_protocol::{Deliver, Fetch, Mark, ReplicaId, limits};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// Bytes that a device has received before that tells its speed: two pieces, for of a single one it is
/// mostly the round trip that would be measured.
const DOWN_BYTES_MIN: u64 = 2 * limits::PIECE_BYTES_MAX as u64;

/// Shards of which a device fetches pieces at a time: those of the tasks that it may hold.
const SHARDS_MAX: usize = limits::TASKS_IN_HAND_MAX;

/// Pieces of one shard whose marks were not shown yet, as many as may be asked for at a time. When there
/// are more, the oldest does not count any more.
const UNSHOWN_MAX: usize = REQUESTS_PER_DEVICE_MAX;

/// A shard, by its job and task.
type Shard = (JobId, TaskIndex);

/// The transfers of the devices that are connected.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    devices: BTreeMap<DeviceId, Known>,
}

/// The transfers of one device.
#[derive(Debug, Default)]
struct Known {
    /// The shards that it fetches, the one begun last at the end.
    down: Vec<Down>,
    /// The result that it delivers.
    up: Option<Up>,
    /// The round trip that was measured last, in milliseconds.
    round_trip_ms: Option<u64>,
}

/// A shard on its way to a device.
#[derive(Debug)]
struct Down {
    shard: Shard,
    /// When its first piece was asked for.
    began: Instant,
    /// Where the piece ends that was asked for last.
    end: u64,
    /// Bytes asked for since it began, of this shard or another, that the device has shown to have.
    shown_bytes: u64,
    /// The pieces whose marks were not shown yet, oldest first.
    unshown: VecDeque<Given>,
}

/// A piece that was given to a device.
#[derive(Clone, Copy, Debug)]
struct Given {
    mark: Mark,
    bytes: u64,
    asked: Instant,
}

/// A result on its way from a device.
#[derive(Debug)]
struct Up {
    id: ReplicaId,
    /// When the first mark was drawn, and where the result was then.
    began: Instant,
    start: u64,
    /// Where it is now, and the mark that the next piece shows.
    end: u64,
    mark: Mark,
}

impl Transfers {
    /// A device asks for a piece of a shard, and gets so many bytes of it and this mark.
    pub(super) fn fetch(
        &mut self,
        device: DeviceId,
        shard: Shard,
        fetch: &Fetch,
        (bytes, mark): (u64, Mark),
        now: Instant,
    ) -> Option<Measured> {
        let known = self.devices.entry(device).or_default();
        let measured = fetch
            .received
            .and_then(|shown| known.shown(shard, shown, now));
        let given = Given {
            mark,
            bytes,
            asked: now,
        };
        known.give(shard, fetch.offset, given);
        measured
    }

    /// A piece of a device's result is here, and is answered with this mark.
    pub(super) fn deliver(
        &mut self,
        device: DeviceId,
        deliver: &Deliver,
        mark: Mark,
        now: Instant,
    ) -> Option<Measured> {
        let known = self.devices.entry(device).or_default();
        let end = deliver.offset.saturating_add(deliver.bytes.len() as u64);
        let goes_on = |up: &&mut Up| {
            (up.id, up.end) == (deliver.id, deliver.offset) && deliver.follows == Some(up.mark)
        };
        if let Some(up) = known.up.as_mut().filter(goes_on) {
            (up.end, up.mark) = (end, mark);
            return (end > deliver.offset).then(|| Measured::Up {
                bytes: end.saturating_sub(up.start),
                ms: ms(up.began, now),
            });
        }
        known.up = Some(Up {
            id: deliver.id,
            began: now,
            start: end,
            end,
            mark,
        });
        None
    }

    /// A device is so far away, as pings over its connection tell. Told again only when it changes.
    pub(super) fn round_trip(
        &mut self,
        device: DeviceId,
        round_trip: Option<Duration>,
    ) -> Option<Measured> {
        let ms = u64::try_from(round_trip?.as_millis()).unwrap_or(u64::MAX);
        let known = self.devices.entry(device).or_default();
        let last = known.round_trip_ms.replace(ms);
        (last != Some(ms)).then_some(Measured::RoundTrip { ms })
    }

    pub(super) fn gone(&mut self, device: &DeviceId) {
        self.devices.remove(device);
    }
}

impl Known {
    /// The device shows the mark of a piece of a shard.
    fn shown(&mut self, shard: Shard, mark: Mark, now: Instant) -> Option<Measured> {
        let of = |down: &Down| down.shard == shard;
        let known = self.down.iter_mut().find(|down| of(down));
        let Some(given) = known.and_then(|down| down.take(mark)) else {
            self.down.retain(|down| !of(down));
            return None;
        };
        for down in &mut self.down {
            if down.began <= given.asked {
                down.shown_bytes = down.shown_bytes.saturating_add(given.bytes);
            }
        }
        let down = self.down.iter().find(|down| of(down))?;
        (down.shown_bytes >= DOWN_BYTES_MIN).then(|| Measured::Down {
            bytes: down.shown_bytes,
            ms: ms(down.began, now),
        })
    }

    /// The device is given the piece of a shard that starts there. If it does not go on where the last
    /// one ends, the shard begins anew.
    fn give(&mut self, shard: Shard, offset: u64, given: Given) {
        let end = offset.saturating_add(given.bytes);
        let goes_on = |down: &&mut Down| (down.shard, down.end) == (shard, offset);
        if let Some(down) = self.down.iter_mut().find(goes_on) {
            down.end = end;
            if down.unshown.len() >= UNSHOWN_MAX {
                down.unshown.pop_front();
            }
            down.unshown.push_back(given);
            return;
        }
        self.down.retain(|down| down.shard != shard);
        if self.down.len() >= SHARDS_MAX {
            self.down.remove(0);
        }
        self.down.push(Down {
            shard,
            began: given.asked,
            end,
            shown_bytes: 0,
            unshown: [given].into(),
        });
    }
}

impl Down {
    /// The piece with this mark, which counts once.
    fn take(&mut self, mark: Mark) -> Option<Given> {
        let place = self.unshown.iter().position(|given| given.mark == mark)?;
        self.unshown.remove(place)
    }
}

fn ms(from: Instant, to: Instant) -> u64 {
    let ms = to.saturating_duration_since(from).as_millis();
    u64::try_from(ms).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
