//! How large the tasks of a job are beside one another. Nobody but the job's owner knows it before they are
//! computed: the masternode learns the mean from the answers, and is late or early with each by as much as it
//! differs.

use super::config::Config;
use crate::population;
use rand::{RngExt as _, rngs::StdRng};

/// The size of a task as large as the mean: sizes are in thousandths.
pub(super) const USUAL: u32 = 1_000;

/// Where some tasks are large and the others small: the size of either, and how many of a hundred are large.
/// A large one takes much longer than after which a task of the usual size is stale (T2).
const SMALL: u32 = 400;
const LARGE: u32 = 8_000;
const LARGE_OF_A_HUNDRED: u32 = 8;

/// Where sizes are spread: the standard deviation of their logarithm, and the limits, of which one is twenty
/// times the other as well.
const SPREAD: f64 = 0.9;
const LEAST: f64 = 0.3;
const MOST: f64 = 6.0;

/// The sizes of a job's tasks. None are said where all are of the usual size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes(Vec<u32>);

impl Sizes {
    /// Those of a job of which nothing is asked but what the configuration says. None is larger than `most`.
    pub(super) fn drawn(config: &Config, most: u32, chance: &mut StdRng) -> Self {
        let is_uneven = config.uneven > 0 && chance.random_range(0..1_000u32) < config.uneven;
        if !is_uneven {
            return Self::default();
        }
        let draw: fn(&mut StdRng) -> u32 = match chance.random::<bool>() {
            true => small_or_large,
            false => spread,
        };
        let sizes = (0..config.tasks).map(|_| draw(chance).min(most));
        Self(sizes.collect())
    }

    /// Whether they differ.
    pub(super) fn differ(&self) -> bool {
        !self.0.is_empty()
    }

    /// The size of a task.
    pub(super) fn of(&self, task: u32) -> u32 {
        self.0.get(task as usize).copied().unwrap_or(USUAL)
    }

    /// The largest.
    pub(super) fn largest(&self) -> u32 {
        self.0.iter().copied().max().unwrap_or(USUAL)
    }

    /// How many tasks of the usual size so many tasks are together, rounded up.
    pub(super) fn usual_ones(&self, tasks: u32) -> u64 {
        let sum: u64 = (0..tasks).map(|task| u64::from(self.of(task))).sum();
        sum.div_ceil(USUAL.into())
    }
}

/// One of two sizes.
fn small_or_large(chance: &mut StdRng) -> u32 {
    match chance.random_range(0..100u32) < LARGE_OF_A_HUNDRED {
        true => LARGE,
        false => SMALL,
    }
}

/// Any size in between.
fn spread(chance: &mut StdRng) -> u32 {
    let size = population::spread(SPREAD, chance).clamp(LEAST, MOST);
    (size * f64::from(USUAL)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn drawn(uneven: u32, most: u32, seed: u64) -> Sizes {
        let config = Config {
            tasks: 10_000,
            uneven,
            ..Config::default()
        };
        Sizes::drawn(&config, most, &mut StdRng::seed_from_u64(seed))
    }

    #[test]
    fn sizes_differ_twentyfold_and_their_mean_is_the_usual() {
        let mut kinds = [0, 0];
        for seed in 0..12 {
            let Sizes(sizes) = drawn(1_000, u32::MAX, seed);
            let (least, most) = (sizes.iter().min().copied(), sizes.iter().max().copied());
            let times = most.unwrap_or(0) / least.unwrap_or(1);
            assert!((19..=20).contains(&times), "{times}");
            let mean = drawn(1_000, u32::MAX, seed).usual_ones(10_000) as f64 / 1e4;
            assert!((0.85..1.15).contains(&mean), "{mean}");
            kinds[usize::from(least == Some(SMALL))] += 1;
        }
        assert!(kinds.iter().all(|seeds| *seeds > 0), "{kinds:?}");
    }

    #[test]
    fn one_seed_gives_one_set_of_sizes_and_some_jobs_have_none() {
        assert_eq!(drawn(1_000, u32::MAX, 3), drawn(1_000, u32::MAX, 3));
        assert!(!drawn(0, u32::MAX, 3).differ());
        let uneven = (0..100).filter(|seed| drawn(300, u32::MAX, *seed).differ());
        assert!((15..45).contains(&uneven.count()));
    }

    #[test]
    fn no_task_is_larger_than_it_may_be_and_what_is_not_said_is_usual() {
        assert_eq!(drawn(1_000, 1_500, 4).largest(), 1_500);
        let even = Sizes::default();
        assert_eq!((even.of(7), even.largest()), (USUAL, USUAL));
        assert_eq!(even.usual_ones(40), 40);
        // Tasks that nothing is said of count as well.
        assert_eq!(Sizes(vec![400, 8_000]).usual_ones(3), 10);
    }
}
