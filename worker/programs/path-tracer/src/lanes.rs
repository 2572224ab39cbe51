//! Four numbers at a time, in the processor's vector registers.
//!
//! Each lane is computed as a single number would be: what comes out does not depend on which of
//! the three versions below is used. Left to itself, the compiler vectorises such code badly
//! (natively) or not at all (WebAssembly without a feature for the whole program).

pub(crate) use version::Lanes;

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod version {
    use std::arch::x86_64::{
        __m128, _mm_cmple_ps, _mm_max_ps, _mm_min_ps, _mm_movemask_ps, _mm_mul_ps, _mm_set_ps,
        _mm_set1_ps, _mm_sub_ps,
    };

    /// Four numbers.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Lanes(__m128);

    // SAFETY (of every block): the instructions belong to SSE, which is part of x86-64 itself.
    impl Lanes {
        #[inline(always)]
        pub(crate) fn new([a, b, c, d]: [f32; 4]) -> Self {
            Self(unsafe { _mm_set_ps(d, c, b, a) })
        }

        #[inline(always)]
        pub(crate) fn splat(value: f32) -> Self {
            Self(unsafe { _mm_set1_ps(value) })
        }

        #[inline(always)]
        pub(crate) fn sub(self, other: Self) -> Self {
            Self(unsafe { _mm_sub_ps(self.0, other.0) })
        }

        #[inline(always)]
        pub(crate) fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm_mul_ps(self.0, other.0) })
        }

        #[inline(always)]
        pub(crate) fn min(self, other: Self) -> Self {
            Self(unsafe { _mm_min_ps(self.0, other.0) })
        }

        #[inline(always)]
        pub(crate) fn max(self, other: Self) -> Self {
            // The instruction gives its second operand where the two do not compare, ours the
            // first.
            Self(unsafe { _mm_max_ps(other.0, self.0) })
        }

        /// A bit for each lane, the first one lowest: whether it is at most the other's.
        #[inline(always)]
        pub(crate) fn at_most(self, other: Self) -> u32 {
            unsafe { _mm_movemask_ps(_mm_cmple_ps(self.0, other.0)) }.cast_unsigned()
        }

        #[inline(always)]
        pub(crate) fn to_array(self) -> [f32; 4] {
            unsafe { std::mem::transmute(self.0) }
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod version {
    use std::arch::wasm32::{
        f32x4, f32x4_extract_lane, f32x4_le, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat,
        f32x4_sub, i32x4_bitmask, v128,
    };

    /// Four numbers.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Lanes(v128);

    impl Lanes {
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn new([a, b, c, d]: [f32; 4]) -> Self {
            Self(f32x4(a, b, c, d))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn sub(self, other: Self) -> Self {
            Self(f32x4_sub(self.0, other.0))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn mul(self, other: Self) -> Self {
            Self(f32x4_mul(self.0, other.0))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn min(self, other: Self) -> Self {
            // The instruction gives its first operand where the two do not compare, ours the
            // second.
            Self(f32x4_pmin(other.0, self.0))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn max(self, other: Self) -> Self {
            Self(f32x4_pmax(self.0, other.0))
        }

        /// A bit for each lane, the first one lowest: whether it is at most the other's.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn at_most(self, other: Self) -> u32 {
            u32::from(i32x4_bitmask(f32x4_le(self.0, other.0)))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(crate) fn to_array(self) -> [f32; 4] {
            [
                f32x4_extract_lane::<0>(self.0),
                f32x4_extract_lane::<1>(self.0),
                f32x4_extract_lane::<2>(self.0),
                f32x4_extract_lane::<3>(self.0),
            ]
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "wasm32")))]
mod version {
    use crate::math::{max, min};

    /// Four numbers.
    #[derive(Clone, Copy, Debug)]
    #[repr(align(16))]
    pub(crate) struct Lanes([f32; 4]);

    impl Lanes {
        #[inline(always)]
        pub(crate) fn new(values: [f32; 4]) -> Self {
            Self(values)
        }

        #[inline(always)]
        pub(crate) fn splat(value: f32) -> Self {
            Self([value; 4])
        }

        #[inline(always)]
        pub(crate) fn sub(self, other: Self) -> Self {
            self.zip(other, |a, b| a - b)
        }

        #[inline(always)]
        pub(crate) fn mul(self, other: Self) -> Self {
            self.zip(other, |a, b| a * b)
        }

        #[inline(always)]
        pub(crate) fn min(self, other: Self) -> Self {
            self.zip(other, min)
        }

        #[inline(always)]
        pub(crate) fn max(self, other: Self) -> Self {
            self.zip(other, max)
        }

        /// A bit for each lane, the first one lowest: whether it is at most the other's.
        #[inline(always)]
        pub(crate) fn at_most(self, other: Self) -> u32 {
            let pairs = (0..).zip(self.0.iter().zip(other.0));
            pairs.fold(0, |bits, (lane, (a, b))| {
                bits | (u32::from(*a <= b) << lane)
            })
        }

        #[inline(always)]
        pub(crate) fn to_array(self) -> [f32; 4] {
            self.0
        }

        #[inline(always)]
        fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
            let ([a, b, c, d], [e, g, h, i]) = (self.0, other.0);
            Self([f(a, e), f(b, g), f(c, h), f(d, i)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{max, min};

    #[test]
    fn lanes_compute_what_single_numbers_do() {
        let numbers = [
            0.0,
            -0.0,
            1.5,
            -7.25,
            1e30,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        for a in numbers {
            for b in numbers {
                let (left, right) = (Lanes::new([a, 1.0, a, b]), Lanes::new([b, 2.0, 3.0, a]));
                let bits = |lanes: Lanes| lanes.to_array()[0].to_bits();
                assert_eq!(bits(left.min(right)), min(a, b).to_bits());
                assert_eq!(bits(left.max(right)), max(a, b).to_bits());
                let is_number = |x: f32| !x.is_nan();
                assert!(bits(left.sub(right)) == (a - b).to_bits() || !is_number(a - b));
                assert!(bits(left.mul(right)) == (a * b).to_bits() || !is_number(a * b));
                let expected =
                    u32::from(a <= b) | 2 | u32::from(a <= 3.0) << 2 | u32::from(b <= a) << 3;
                assert_eq!(left.at_most(right), expected);
            }
        }
        assert_eq!(Lanes::splat(4.0).to_array(), [4.0; 4]);
    }
}
