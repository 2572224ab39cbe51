//! Axes: what of a chart's values they show, and where they are labelled.

/// Labels on an axis, about.
const TICKS: f64 = 8.0;

/// An axis as it is wanted.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Beside it.
    pub title: String,
    /// How values are laid out.
    pub scale: Scale,
    /// Smaller values are left out.
    pub floor: Option<f64>,
    /// How a value is written.
    pub label: fn(f64) -> String,
}

/// How values are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally long.
    Linear,
    /// Equal ratios are equally long. Values that are not above 0 have no place.
    Log,
}

/// An axis as it is drawn: scaled values from `low` to `high`.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    scale: Scale,
    low: f64,
    high: f64,
    /// Scaled values with a label.
    ticks: Vec<f64>,
    label: fn(f64) -> String,
}

impl Scale {
    /// A value where differences are lengths; not finite for one that has no place.
    fn scaled(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => libm::log10(value),
        }
    }

    fn value(self, scaled: f64) -> f64 {
        match self {
            Self::Linear => scaled,
            Self::Log => libm::pow(10.0, scaled),
        }
    }
}

impl Axis {
    /// Whether a value is somewhere on the scale.
    pub(crate) fn has_place_for(&self, value: f64) -> bool {
        self.scale.scaled(value).is_finite()
    }

    /// The axis that shows these values, as far as they have a place on it. None if none has.
    pub(crate) fn span(&self, values: impl IntoIterator<Item = f64>) -> Option<Span> {
        let floor = self.floor.map(|floor| self.scale.scaled(floor));
        let scaled: Vec<_> = values
            .into_iter()
            .map(|value| self.scale.scaled(value))
            .filter(|scaled| scaled.is_finite())
            .map(|scaled| floor.map_or(scaled, |floor| scaled.max(floor)))
            .collect();
        let low = scaled.iter().copied().reduce(f64::min)?;
        let high = scaled.iter().copied().reduce(f64::max)?;
        // A single value gets room on both sides.
        let (low, high) = match high - low > 1e-9 * high.abs().max(1e-300) {
            true => (low, high),
            false => (
                low - 0.5 * low.abs().max(1.0),
                high + 0.5 * high.abs().max(1.0),
            ),
        };
        let (low, high, ticks) = match self.scale {
            Scale::Linear => linear(low, high),
            Scale::Log => decades(low, high),
        };
        let (scale, label) = (self.scale, self.label);
        Some(Span {
            scale,
            low,
            high,
            ticks,
            label,
        })
    }
}

impl Span {
    /// The value at the lower end.
    pub(crate) fn low(&self) -> f64 {
        self.scale.value(self.low)
    }

    /// How far from the lower to the upper end a value is, from 0 to 1.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let share = (self.scale.scaled(value) - self.low) / (self.high - self.low);
        // What is no number is nowhere, and drawn by nobody.
        if share.is_nan() {
            0.0
        } else {
            share.clamp(0.0, 1.0)
        }
    }

    /// The labelled values with their labels.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let values = self.ticks.iter().map(|&tick| self.scale.value(tick));
        values.map(|value| (value, (self.label)(value)))
    }

    /// The part of a straight line that is between the ends of this axis, as the vertical one.
    pub(crate) fn clip(
        &self,
        from: (f64, f64),
        to: (f64, f64),
    ) -> Option<((f64, f64), (f64, f64))> {
        let (from_y, to_y) = (self.scale.scaled(from.1), self.scale.scaled(to.1));
        // To what has no place, as 0 on a logarithmic scale, no line leads.
        if ![from.0, to.0, from_y, to_y].iter().all(|it| it.is_finite()) {
            return None;
        }
        if from_y.max(to_y) < self.low || from_y.min(to_y) > self.high {
            return None;
        }
        let cut = |x: f64, y: f64, value: f64| {
            let end = y.clamp(self.low, self.high);
            if end == y {
                return (x, value);
            }
            let share = (end - from_y) / (to_y - from_y);
            (from.0 + share * (to.0 - from.0), self.scale.value(end))
        };
        Some((cut(from.0, from_y, from.1), cut(to.0, to_y, to.1)))
    }
}

/// Ends as they are; a label at every multiple of 1, 2 or 5 times a power of ten.
fn linear(low: f64, high: f64) -> (f64, f64, Vec<f64>) {
    let rough = (high - low) / TICKS;
    let power = libm::pow(10.0, libm::floor(libm::log10(rough)));
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = steps
        .into_iter()
        .find(|&step| step >= rough)
        .unwrap_or(10.0 * power);
    // A hair over the ends belongs to them.
    let hair = 1e-9 * step;
    let first = libm::ceil((low - hair) / step);
    let count = libm::floor((high + hair) / step - first).clamp(0.0, 4.0 * TICKS);
    let ticks = (0..=count as u32).map(|index| (first + f64::from(index)) * step);
    (low, high, ticks.collect())
}

/// Ends at a labelled value outside. Labels at powers of ten, as many as have room; between them at
/// 2 and 5 if there are few.
fn decades(low: f64, high: f64) -> (f64, f64, Vec<f64>) {
    let (first, last) = (libm::floor(low + 1e-9), libm::ceil(high - 1e-9));
    let every = libm::ceil((last - first) / TICKS).max(1.0);
    let within: &[f64] = match last - first <= 2.0 {
        true => &[1.0, 2.0, 5.0],
        false => &[1.0],
    };
    let powers = (0..=(TICKS as u32 + 1)).map(|index| first + f64::from(index) * every);
    let mut ticks: Vec<_> = powers
        .flat_map(|power| {
            within
                .iter()
                .map(move |&factor| power + libm::log10(factor))
        })
        .collect();
    let low = ticks
        .iter()
        .copied()
        .rfind(|&tick| tick <= low + 1e-9)
        .unwrap_or(first);
    let high = ticks
        .iter()
        .copied()
        .find(|&tick| tick >= high - 1e-9)
        .unwrap_or(last);
    ticks.retain(|&tick| (low..=high).contains(&tick));
    (low, high, ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn axis(scale: Scale) -> Axis {
        Axis {
            title: String::new(),
            scale,
            floor: None,
            label: |value| format!("{}", (value * 1e9).round() / 1e9),
        }
    }

    fn labels(scale: Scale, values: &[f64]) -> Vec<String> {
        let span = axis(scale).span(values.iter().copied()).unwrap();
        span.ticks().map(|(_, label)| label).collect()
    }

    #[test]
    fn labels_are_round_numbers() {
        assert_eq!(
            labels(Scale::Linear, &[1.0, 3.0]),
            ["1", "1.5", "2", "2.5", "3"]
        );
        assert_eq!(
            labels(Scale::Log, &[0.9, 0.000_5]),
            ["0.0001", "0.001", "0.01", "0.1", "1"]
        );
        assert_eq!(
            labels(Scale::Log, &[0.3, 0.06]),
            ["0.05", "0.1", "0.2", "0.5"]
        );
    }

    #[test]
    fn a_single_value_is_in_the_middle() {
        for value in [0.0, 3.0, -2.0] {
            let span = axis(Scale::Linear).span([value]).unwrap();
            assert!((span.share(value) - 0.5).abs() < 1e-9);
        }
    }

    proptest! {
        #[test]
        fn every_value_has_its_place_and_there_are_neither_no_labels_nor_too_many(
            values in prop::collection::vec(-1e12..1e12f64, 1..20),
            exponents in prop::collection::vec(-300.0..300.0f64, 1..20),
        ) {
            let powers: Vec<f64> = exponents.iter().map(|it| 10f64.powf(*it)).collect();
            for (scale, values) in [(Scale::Linear, &values), (Scale::Log, &powers)] {
                let span = axis(scale).span(values.iter().copied()).unwrap();
                for &value in values {
                    let share = (scale.scaled(value) - span.low) / (span.high - span.low);
                    prop_assert!((-1e-6..=1.0 + 1e-6).contains(&share), "{share}");
                }
                prop_assert!((1..=10).contains(&span.ticks.len()), "{:?}", span.ticks);
            }
        }

        #[test]
        fn what_is_clipped_is_within_the_ends(
            from in (0.0..9.0f64, 0.0..9.0f64),
            to in (0.0..9.0f64, 0.0..9.0f64),
        ) {
            let span = axis(Scale::Linear).span([3.0, 5.0]).unwrap();
            if let Some((start, end)) = span.clip(from, to) {
                for (x, y) in [start, end] {
                    prop_assert!((3.0..=5.0).contains(&y));
                    prop_assert!(x >= from.0.min(to.0) - 1e-9 && x <= from.0.max(to.0) + 1e-9);
                }
            }
        }
    }
}
