//! Devices that take tasks and never answer, and that no verdict names.
//!
//! After T2 a task is given to another device as well, and whoever answers first is heard: its own device is
//! not blamed, because a task may be larger than usual. One that gives signs of life and never answers would
//! so keep each task that it takes from others for T2, for nothing and for ever.
//!
//! Who falls silent loses what it has, and the verdicts on that name it late. But near a job's end idle devices
//! compute again what takes long, and are done long before a device counts as silent. One that falls silent
//! with each task of small jobs would so be named by no verdict, and be given tasks for ever.
//!
//! So each decided task counts on which a device was [stale](super::watch) and took four times as long as it
//! should, and each that was decided while it had it and was silent, once it is found to be. With three in a
//! row and no accepted answer between it gets nothing for a while, as after three faults: ten minutes, and
//! twice as long for each further one, up to a day. An accepted answer ends that, and it begins anew.
//!
//! Nothing of it goes to the log or the chain: nobody is blamed for being slow. A restart forgets it.

use super::{
    Core, Tick,
    pause::{PauseKind, Pauses},
};
use quern_primitives::ids::DeviceId;
use std::collections::BTreeMap;

/// Such tasks in a row after which a device has to wait.
const IN_A_ROW: u32 = 3;

/// The first wait, in milliseconds: ten minutes. Each further one is twice as long.
const WAIT_MS: u64 = 10 * 60_000;

/// The longest wait, in milliseconds: a day.
const WAIT_MS_MAX: u64 = 24 * 60 * 60_000;

/// So often the wait is doubled: more would be longer than the longest.
const DOUBLINGS_MAX: u32 = 8;

/// Devices that were stale on a task that others decided, or silent with one, since an answer of theirs was
/// accepted. Of devices that are not remembered nothing is known here, and of those that are away and have not
/// to wait nothing [stands here](super::kept).
#[derive(Default)]
pub(super) struct Stalls(BTreeMap<DeviceId, Stalled>);

#[derive(Clone, Copy, Default)]
struct Stalled {
    /// Decided tasks in a row on which it was stale, or silent.
    in_a_row: u32,
    /// Until when it gets nothing; the beginning of time if it has not to wait.
    until: Tick,
}

impl Stalls {
    /// A task was decided on which a device was stale, or silent. When the wait before ended, and the one that
    /// begins now, if one does.
    fn note(&mut self, now: Tick, device: DeviceId) -> Option<(Tick, Tick)> {
        let stalled = self.0.entry(device).or_default();
        stalled.in_a_row = stalled.in_a_row.saturating_add(1);
        let further = stalled.in_a_row.checked_sub(IN_A_ROW)?;
        let ms = (WAIT_MS << further.min(DOUBLINGS_MAX)).min(WAIT_MS_MAX);
        let before = std::mem::replace(&mut stalled.until, now.plus_ms(ms));
        Some((before, stalled.until))
    }

    /// Lays a device by that has not to wait. Returns on how many decided tasks in a row it was stale, or
    /// silent, if it was.
    pub(super) fn lay_by(&mut self, now: Tick, device: &DeviceId) -> Option<u32> {
        let stalled = self.0.get(device)?;
        if now < stalled.until {
            return None;
        }
        self.0.remove(device).map(|stalled| stalled.in_a_row)
    }

    /// Takes a device back that was laid by.
    pub(super) fn take_back(&mut self, device: DeviceId, in_a_row: u32) {
        let until = Tick::default();
        self.0.insert(device, Stalled { in_a_row, until });
    }

    /// An answer of a device was accepted, or it is forgotten itself. Until when it had to wait, if it had.
    fn clear(&mut self, device: &DeviceId) -> Option<Tick> {
        self.0.remove(device).map(|stalled| stalled.until)
    }

    /// Until when a device gets nothing, if it waits.
    pub(super) fn until(&self, device: &DeviceId, now: Tick) -> Option<Tick> {
        let until = self.0.get(device).map(|stalled| stalled.until);
        until.filter(|until| now < *until)
    }
}

impl Pauses {
    /// A task was decided on which a device was stale, or silent.
    pub(super) fn stalled(&mut self, now: Tick, device: DeviceId) {
        if let Some((before, until)) = self.stalls.note(now, device) {
            self.ends.remove(&(before, device, PauseKind::Stalled));
            self.ends.insert((until, device, PauseKind::Stalled));
        }
    }

    /// A device has shown that it answers, or is forgotten itself.
    pub(super) fn stalls_no_more(&mut self, device: &DeviceId) {
        if let Some(until) = self.stalls.clear(device) {
            self.ends.remove(&(until, *device, PauseKind::Stalled));
        }
    }
}

impl Core {
    /// A task was decided on which a device was stale, or silent, which may be away by now.
    pub(super) fn stalled(&mut self, now: Tick, device: DeviceId) {
        self.take_back(&device);
        self.pauses.stalled(now, device);
        self.lay_by(now, &device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([1; 32]);
    const OTHER: DeviceId = DeviceId([2; 32]);
    const MINUTE: u64 = 60_000;

    #[test]
    fn who_was_stale_three_times_in_a_row_waits_twice_as_long_each_further_time() {
        let mut pauses = Pauses::default();
        let mut now = Tick(5);
        for _ in 0..2 {
            pauses.stalled(now, DEVICE);
            assert_eq!(pauses.until(&DEVICE, now), None);
        }
        let mut waits = vec![];
        for _ in 0..10 {
            pauses.stalled(now, DEVICE);
            let until = pauses.until(&DEVICE, now).unwrap();
            waits.push(until.since(now) / MINUTE);
            assert_eq!(pauses.next_wakeup(), Some(until));
            assert_eq!(pauses.until(&OTHER, now), None);
            now = until;
            assert_eq!(pauses.until(&DEVICE, now), None, "the wait is over");
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]);
    }

    #[test]
    fn an_accepted_answer_ends_the_wait_and_the_row() {
        let mut pauses = Pauses::default();
        let now = Tick(5);
        for _ in 0..3 {
            pauses.stalled(now, DEVICE);
        }
        assert!(pauses.until(&DEVICE, now).is_some());
        pauses.stalls_no_more(&DEVICE);
        assert_eq!(pauses.until(&DEVICE, now), None);
        assert_eq!(pauses.next_wakeup(), None);
        for _ in 0..2 {
            pauses.stalled(now, DEVICE);
        }
        pauses.stalls_no_more(&DEVICE);
        pauses.stalled(now, DEVICE);
        assert_eq!(pauses.until(&DEVICE, now), None, "not in a row");
    }

    #[test]
    fn who_is_laid_by_and_taken_back_goes_on_in_its_row() {
        let mut pauses = Pauses::default();
        let mut now = Tick(5);
        for _ in 0..4 {
            pauses.stalled(now, DEVICE);
        }
        assert_eq!(pauses.stalls.lay_by(now, &DEVICE), None, "it has to wait");
        now = now.plus_ms(20 * MINUTE);
        assert_eq!(pauses.stalls.lay_by(now, &DEVICE), Some(4));
        assert_eq!(pauses.stalls.lay_by(now, &DEVICE), None);
        pauses.stalls.take_back(DEVICE, 4);
        assert_eq!(pauses.until(&DEVICE, now), None);
        pauses.stalled(now, DEVICE);
        let until = now.plus_ms(40 * MINUTE);
        assert_eq!(pauses.until(&DEVICE, now), Some(until));
    }

    #[test]
    fn a_device_that_is_forgotten_has_to_wait_no_more() {
        let mut pauses = Pauses::default();
        let now = Tick(5);
        for _ in 0..3 {
            pauses.stalled(now, DEVICE);
        }
        pauses.forget(&DEVICE);
        assert_eq!(pauses.until(&DEVICE, now), None);
        assert_eq!(pauses.next_wakeup(), None);
    }

    #[test]
    fn two_pauses_that_end_at_the_same_time_end_each_for_itself() {
        let mut pauses = Pauses::default();
        let now = Tick(5);
        for _ in 0..3 {
            pauses.stalled(now, DEVICE);
        }
        let until = pauses.until(&DEVICE, now);
        let now = now.plus_ms(5 * MINUTE);
        (0..10).for_each(|_| pauses.begin(now, DEVICE));
        assert_eq!(pauses.until(&DEVICE, now), until, "both");
        // The job is over for which it paused.
        pauses.accepted(&DEVICE);
        assert_eq!(pauses.until(&DEVICE, now), until);
        assert_eq!(pauses.next_wakeup(), until);
    }

    #[test]
    fn the_pause_of_one_that_gave_a_task_back_is_another_matter() {
        let mut pauses = Pauses::default();
        let now = Tick(5);
        for _ in 0..3 {
            pauses.stalled(now, DEVICE);
        }
        let until = pauses.until(&DEVICE, now);
        pauses.begin(now, DEVICE);
        pauses.begin(now, DEVICE);
        assert_eq!(pauses.until(&DEVICE, now), until, "the longer one counts");
    }
}
