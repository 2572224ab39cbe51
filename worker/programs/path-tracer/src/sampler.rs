//! Where samples fall: a low-discrepancy sequence whose error looks like blue noise.
//!
//! Every dimension pair is the two-dimensional Sobol sequence, shuffled and scrambled with
//! Owen's nested permutations through a hash (B. Burley, *Practical Hash-based Owen Scrambling*,
//! JCGT 2020; hash constants by N. Vegdahl). All pixels walk one sequence: a pixel's place in it
//! is its place on a Hilbert curve, so neighbours hold complementary parts of the same
//! well-distributed set and what noise remains is of high frequency (A. Ahmed and P. Wonka,
//! *Screen-Space Blue-Noise Diffusion*, 2020). A sample depends on the pixel's place in the whole
//! frame, its number and the seed, and on nothing else: tiles may be computed in any order.

/// Calls that a path makes before it first meets something, and at each scattering, at most.
const CAMERA_DIMENSIONS: u32 = 2;
const BOUNCE_DIMENSIONS: u32 = 6;

/// The samples of one path through one pixel.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    reversed_index: u32,
    seed: u32,
    dimension: u32,
}

impl Sampler {
    /// The sampler for sample `sample` of `samples` of the pixel at `hilbert` along the curve.
    pub(crate) fn new(hilbert: u32, sample: u32, samples: u32, seed: u32) -> Self {
        let bits = 32 - samples.saturating_sub(1).leading_zeros();
        let index = (u64::from(hilbert) << bits) | u64::from(sample);
        let (high, low) = ((index >> 32) as u32, (index & 0xffff_ffff) as u32);
        // Frames too large for 32 bits of index fall apart into independent sequences.
        let seed = if high == 0 {
            hash(seed)
        } else {
            hash(seed ^ hash(high))
        };
        Self {
            reversed_index: low.reverse_bits(),
            seed,
            dimension: 0,
        }
    }

    /// Goes to the dimensions that belong to a path's scattering number `bounce`, so that one
    /// dimension has one meaning for all paths, however many numbers each of them took before.
    #[inline]
    pub(crate) fn start_bounce(&mut self, bounce: u32) {
        self.dimension = CAMERA_DIMENSIONS + bounce * BOUNCE_DIMENSIONS;
    }

    /// The next pair of numbers in [0, 1).
    #[inline]
    pub(crate) fn next_2d(&mut self) -> (f32, f32) {
        self.dimension = self.dimension.wrapping_add(1);
        let seed = hash(self.seed ^ self.dimension.wrapping_mul(0x9e37_79b9));
        // The shuffled index with its bits reversed is the first Sobol coordinate itself.
        let first = scramble(self.reversed_index, seed);
        let second = sobol_second(first);
        let x = scramble(
            first.reverse_bits(),
            seed.wrapping_mul(0x85eb_ca6b) ^ 0x1b87_3593,
        );
        let y = scramble(
            second.reverse_bits(),
            seed.wrapping_mul(0xc2b2_ae35) ^ 0x5bd1_e995,
        );
        (unit(x.reverse_bits()), unit(y.reverse_bits()))
    }

    /// The next number in [0, 1).
    #[inline]
    pub(crate) fn next_1d(&mut self) -> f32 {
        self.dimension = self.dimension.wrapping_add(1);
        let seed = hash(self.seed ^ self.dimension.wrapping_mul(0x9e37_79b9));
        let first = scramble(self.reversed_index, seed);
        unit(first ^ seed.wrapping_mul(0x85eb_ca6b))
    }
}

/// The place of a pixel along the Hilbert curve through a square of 2^`order` pixels a side.
pub(crate) fn hilbert_index(mut x: u32, mut y: u32, order: u32) -> u32 {
    let mut index = 0_u32;
    for level in (0..order.min(16)).rev() {
        let (right, up) = ((x >> level) & 1, (y >> level) & 1);
        index = (index << 2) | ((3 * right) ^ up);
        if up == 0 {
            if right == 1 {
                let mask = (1 << level) - 1;
                x = !x & mask;
                y = !y & mask;
            }
            std::mem::swap(&mut x, &mut y);
        }
    }
    index
}

/// A hash of 32 bits to 32 bits in which every input bit reaches every output bit.
#[inline]
pub(crate) fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x21f0_aaad);
    x ^= x >> 15;
    x = x.wrapping_mul(0xd35a_2d97);
    x ^ (x >> 15)
}

/// The top 24 bits as a number in [0, 1).
#[inline]
pub(crate) fn unit(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Owen's nested permutation of a number given with its bits reversed: each bit is flipped as a
/// hash of the bits below it says.
#[inline]
fn scramble(mut x: u32, seed: u32) -> u32 {
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^ x.wrapping_mul(0x53a2_2864)
}

/// The second Sobol coordinate from the first: Pascal's triangle modulo two applied to the bits,
/// which factors into five masked shifts.
#[inline]
fn sobol_second(mut x: u32) -> u32 {
    x ^= x << 16;
    x ^= (x & 0x00ff_00ff) << 8;
    x ^= (x & 0x0f0f_0f0f) << 4;
    x ^= (x & 0x3333_3333) << 2;
    x ^ ((x & 0x5555_5555) << 1)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use super::*;

    #[test]
    fn hilbert_curve_visits_every_pixel_once_and_steps_to_neighbours() {
        let order = 4;
        let mut places = vec![None; 256];
        for y in 0..16_u32 {
            for x in 0..16_u32 {
                let place = &mut places[hilbert_index(x, y, order) as usize];
                assert!(place.replace((x, y)).is_none());
            }
        }
        let places: Vec<(u32, u32)> = places.into_iter().flatten().collect();
        assert_eq!(places.len(), 256);
        for pair in places.windows(2) {
            assert_eq!(
                pair[0].0.abs_diff(pair[1].0) + pair[0].1.abs_diff(pair[1].1),
                1
            );
        }
    }

    #[test]
    fn second_coordinate_is_the_sobol_sequence() {
        // Direction numbers of the second Sobol dimension: v(i+1) = v(i) ^ (v(i) >> 1).
        for index in 0..4096_u32 {
            let (mut direction, mut exact) = (1_u32 << 31, 0);
            for bit in 0..32 {
                if (index >> bit) & 1 == 1 {
                    exact ^= direction;
                }
                direction ^= direction >> 1;
            }
            assert_eq!(sobol_second(index.reverse_bits()), exact);
        }
    }

    #[test]
    fn samples_of_a_pixel_are_stratified_in_every_elementary_interval() {
        for hilbert in [0, 1, 77, 920_000] {
            for (columns, rows) in [(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)] {
                let mut cells = [0; 16];
                for sample in 0..16 {
                    let (x, y) = Sampler::new(hilbert, sample, 16, 7).next_2d();
                    let cell = (y * rows as f32) as usize * columns + (x * columns as f32) as usize;
                    cells[cell] += 1;
                }
                assert_eq!(cells, [1; 16], "{columns}x{rows} at {hilbert}");
            }
        }
    }

    #[test]
    fn later_dimensions_and_other_seeds_differ() {
        let mut first = Sampler::new(5, 0, 16, 1);
        let mut second = Sampler::new(5, 0, 16, 2);
        let a = (first.next_2d(), first.next_2d(), first.next_1d());
        assert_ne!(a.0, a.1);
        assert_ne!(a.0, second.next_2d());
        assert!((0.0..1.0).contains(&a.2));
    }

    #[test]
    fn the_largest_frame_and_sample_count_do_not_overflow() {
        let mut sampler = Sampler::new(u32::MAX, u32::MAX - 1, u32::MAX, 3);
        let (x, y) = sampler.next_2d();
        assert!((0.0..1.0).contains(&x) && (0.0..1.0).contains(&y));
    }
}
