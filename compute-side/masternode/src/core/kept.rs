//! What is kept of a device that is away and of which nothing goes on: three bytes, by its number.
//!
//! How many answers of a device were accepted, and how often in a row it paused or stalled, counts when it
//! comes back, however long that takes. While it is here, or a pause of it runs, or an answer or a failure of
//! it has no verdict, that stands where it is seen to, under the device's name and in some hundred bytes.
//! Then it is laid by here; and before anything of it counts again it is taken back from here.

use super::{Core, Tick};
use quern_primitives::ids::DeviceId;

/// What is kept of each device, by its number.
#[derive(Default)]
pub(super) struct Kept(Vec<Few>);

/// What is kept of a device. Of each so much that more would make no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Few {
    /// One more than how many of its answers were accepted since one was found incorrect; 0 if it is not
    /// known to have answered.
    answers: u8,
    /// How often it paused since an answer of it was accepted.
    pauses: u8,
    /// On how many decided tasks in a row it was stale, or silent.
    stalls: u8,
}

// There may be millions of them.
const _: () = assert!(size_of::<Few>() == 3);

impl Kept {
    /// There is a device of this number.
    pub(super) fn know(&mut self, number: u32) {
        let length = number as usize + 1;
        if self.0.len() < length {
            self.0.resize(length, Few::default());
        }
    }

    /// What is kept of a device, which is kept no more.
    fn take(&mut self, number: u32) -> Few {
        let few = self.0.get_mut(number as usize);
        few.map(std::mem::take).unwrap_or_default()
    }

    /// A device is forgotten itself. Its number may be another's.
    pub(super) fn forget(&mut self, number: u32) {
        self.take(number);
    }
}

/// This number in a byte; the greatest if it is too large.
fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

impl Core {
    /// Lays by what is known of a device that is away, but for what something hangs on that goes on.
    pub(super) fn lay_by(&mut self, now: Tick, device: &DeviceId) {
        if self.devices.get(device).is_some() {
            return;
        }
        let Some(number) = self.scheduler.fleet.number(device) else {
            return;
        };
        self.kept.know(number);
        let Some(few) = self.kept.0.get_mut(number as usize) else {
            return;
        };
        if let Some(accepted) = self.answers.lay_by(device) {
            few.answers = byte(accepted.saturating_add(1));
        }
        if let Some(times) = self.pauses.lay_by(now, device) {
            few.pauses = byte(times as usize);
        }
        if let Some(in_a_row) = self.pauses.stalls.lay_by(now, device) {
            few.stalls = byte(in_a_row as usize);
        }
    }

    /// Takes back what was laid by of a device: it is here, or something of it is about to count.
    pub(super) fn take_back(&mut self, device: &DeviceId) {
        let Some(number) = self.scheduler.fleet.number(device) else {
            return;
        };
        let few = self.kept.take(number);
        if let Some(accepted) = few.answers.checked_sub(1) {
            self.answers.take_back(*device, accepted.into());
        }
        if few.pauses > 0 {
            self.pauses.take_back(*device, few.pauses.into());
        }
        if few.stalls > 0 {
            self.pauses.stalls.take_back(*device, few.stalls.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_device_is_taken_once_and_is_not_for_the_next_of_its_number() {
        let mut kept = Kept::default();
        assert_eq!(kept.take(7), Few::default());
        kept.know(2);
        let few = Few {
            answers: 1,
            pauses: 2,
            stalls: 3,
        };
        kept.0 = vec![few; 3];
        kept.know(1);
        assert_eq!((kept.take(0), kept.take(0)), (few, Few::default()));
        kept.forget(1);
        assert_eq!((kept.take(1), kept.take(2)), (Few::default(), few));
    }

    #[test]
    fn a_byte_holds_all_that_makes_a_difference() {
        assert_eq!(
            [0, 254, 255, 256, usize::MAX].map(byte),
            [0, 254, 255, 255, 255]
        );
        let most = super::super::unjudged_max;
        assert_eq!(most(usize::from(u8::MAX) - 1), most(usize::MAX));
    }
}
