//! Devices that pause because they gave tasks back.
//!
//! A device that gives a task back, or comes back without it, is not at fault. But each time costs two
//! entries of the job's log and the task's time, and there may be thousands of tasks. So it gets nothing
//! for a while: a second, then twice as long each time, up to five minutes, until an answer of it is
//! accepted. A restart forgets the pauses.

use super::{Core, Tick};
use quern_primitives::ids::DeviceId;
use std::collections::{BTreeMap, BTreeSet};

/// The first pause, in milliseconds.
const PAUSE_MS: u64 = 1_000;

/// The longest pause, in milliseconds.
const PAUSE_MS_MAX: u64 = 5 * 60_000;

/// So often the pause is doubled: more would be longer than the longest.
const DOUBLINGS_MAX: u32 = 9;

/// Who gave tasks back since an answer of it was accepted. Of devices that are not remembered nothing
/// is known here, so there are never more of them.
#[derive(Default)]
pub(super) struct Pauses {
    of: BTreeMap<DeviceId, Pause>,
    /// When each pause ends that has not been seen to end.
    ends: BTreeSet<(Tick, DeviceId)>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Tick,
    /// How many there were, this one included.
    times: u32,
}

impl Pauses {
    /// A device gave a task back.
    pub(super) fn begin(&mut self, now: Tick, device: DeviceId) {
        let times = self.of.get(&device).map_or(0, |pause| pause.times);
        self.forget(&device);
        let ms = (PAUSE_MS << times.min(DOUBLINGS_MAX)).min(PAUSE_MS_MAX);
        let pause = Pause {
            until: now.plus_ms(ms),
            times: times.saturating_add(1),
        };
        self.of.insert(device, pause);
        self.ends.insert((pause.until, device));
    }

    /// An answer of a device was accepted, or it is forgotten itself.
    pub(super) fn forget(&mut self, device: &DeviceId) {
        if let Some(pause) = self.of.remove(device) {
            self.ends.remove(&(pause.until, *device));
        }
    }

    /// Until when a device pauses, if it does.
    pub(super) fn until(&self, device: &DeviceId, now: Tick) -> Option<Tick> {
        let pause = self.of.get(device)?;
        Some(pause.until).filter(|until| now < *until)
    }

    /// When the next pause ends.
    pub(super) fn next_wakeup(&self) -> Option<Tick> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// A device whose pause is over.
    fn take_ended(&mut self, now: Tick) -> Option<DeviceId> {
        if self.next_wakeup()? > now {
            return None;
        }
        self.ends.pop_first().map(|(_, device)| device)
    }
}

impl Core {
    /// Looks at the exchanges again of devices whose pause is over.
    pub(super) fn end_pauses(&mut self, now: Tick) {
        while let Some(device) = self.pauses.take_ended(now) {
            self.devices.look_again(device);
        }
    }
}
