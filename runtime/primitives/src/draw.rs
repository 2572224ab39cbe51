//! Different numbers below a bound that follow from a seed: which chunks of something are to be shown.

use crate::{hash::number, ids::Digest};
use alloc::vec::Vec;

/// What is drawn, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// Tells what is drawn for one purpose from what is drawn for another.
    pub tag: &'a [u8],
    /// How many different numbers there are at the most.
    pub most: u32,
    /// How many are drawn for that, repeats included. Where they do not suffice there are fewer different ones.
    pub draws_max: u32,
}

impl Draw<'_> {
    /// The numbers that follow from a seed, in the order in which they are drawn, each as likely as any other below
    /// the bound. Where there are no more than [`Draw::most`] below it they are all of them, from zero on.
    pub fn different(&self, seed: &Digest, below: u32) -> Vec<u32> {
        if below <= self.most {
            return (0..below).collect();
        }
        let most = usize::try_from(self.most).unwrap_or_default();
        let mut drawn = Vec::with_capacity(most);
        for index in 0..self.draws_max {
            if drawn.len() >= most {
                break;
            }
            let number = number(&[self.tag, &seed.0, &index.to_le_bytes()]);
            let number = number.checked_rem(below.into());
            let number = number.and_then(|number| u32::try_from(number).ok());
            drawn.extend(number.filter(|number| !drawn.contains(number)));
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    const DRAW: Draw<'_> = Draw {
        tag: b"test",
        most: 8,
        draws_max: 256,
    };

    #[test]
    fn all_of_a_few_and_so_many_different_ones_of_more() {
        for below in (0..40).chain([1_000, 8_193, u32::MAX]) {
            for seed in 0..20 {
                let drawn = DRAW.different(&Digest([seed; 32]), below);
                let different: BTreeSet<_> = drawn.iter().copied().collect();
                assert_eq!(different.len(), drawn.len());
                assert_eq!(drawn.len() as u32, below.min(8), "of {below}");
                assert!(different.last().is_none_or(|last| *last < below));
            }
        }
    }

    #[test]
    fn no_more_is_drawn_than_may_be_and_another_tag_or_seed_draws_others() {
        let short = Draw {
            draws_max: 3,
            ..DRAW
        };
        let seed = Digest([1; 32]);
        let own = DRAW.different(&seed, 1_000_000);
        assert_eq!(short.different(&seed, 1_000_000), own[..3]);
        let none = Draw { most: 0, ..DRAW };
        assert_eq!(none.different(&seed, 5), [] as [u32; 0]);
        let other = Draw {
            tag: b"other",
            ..DRAW
        };
        assert_ne!(other.different(&seed, 1_000_000), own);
        assert_ne!(DRAW.different(&Digest([2; 32]), 1_000_000), own);
    }

    #[test]
    fn every_number_is_drawn_about_as_often_as_any_other() {
        let mut times = [0_u32; 20];
        for seed in 0..250 {
            for number in DRAW.different(&Digest([seed; 32]), 20) {
                times[number as usize] += 1;
            }
        }
        // 250 draws of 8 of 20: each 100 times, with a standard deviation of 8.
        assert!(times.iter().all(|it| (60..=140).contains(it)), "{times:?}");
    }
}
