//! Time, as pure code knows it.

/// Milliseconds since the process's own start. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u64);

impl Tick {
    /// So much later; the end of time at the latest.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from an earlier tick to this one; none if it is no earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A tick or none, in five bytes: a million devices have several of them each. One that is later than 34
/// years is the end of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment([u8; 5]);

impl Moment {
    /// One more than the last tick that is told apart from the end of time.
    const LAST: u64 = (1 << 40) - 1;

    /// This tick.
    pub fn at(tick: Tick) -> Self {
        let one_more = tick.0.saturating_add(1).min(Self::LAST);
        let [a, b, c, d, e, ..] = one_more.to_le_bytes();
        Self([a, b, c, d, e])
    }

    /// The tick, if it is one.
    pub fn tick(self) -> Option<Tick> {
        let [a, b, c, d, e] = self.0;
        match u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]) {
            Self::LAST => Some(Tick(u64::MAX)),
            one_more => one_more.checked_sub(1).map(Tick),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YEAR_MS: u64 = 365 * 24 * 3_600_000;

    #[test]
    fn no_moment_is_none_and_what_is_too_late_is_the_end_of_time() {
        assert_eq!(Moment::default().tick(), None);
        assert_eq!(Moment::at(Tick(0)).tick(), Some(Tick(0)));
        assert_eq!(
            Moment::at(Tick(34 * YEAR_MS)).tick(),
            Some(Tick(34 * YEAR_MS))
        );
        for late in [35 * YEAR_MS, u64::MAX - 1, u64::MAX] {
            assert_eq!(Moment::at(Tick(late)).tick(), Some(Tick(u64::MAX)));
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_the_tick_that_it_was_made_of(ms in 0..34 * YEAR_MS) {
            prop_assert_eq!(Moment::at(Tick(ms)).tick(), Some(Tick(ms)));
        }
    }
}
