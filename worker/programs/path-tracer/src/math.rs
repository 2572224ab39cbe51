//! Numbers that come out the same everywhere.
//!
//! A replica's pixels are compared byte for byte with those of other machines and with a native
//! run, so nothing here may depend on the platform's mathematics library. Only `+ - * /`, `sqrt`,
//! comparisons and conversions are used: IEEE 754 fixes every bit of their results, and the
//! compiler contracts or reorders none of them. The functions below are truncated series after a
//! range reduction; their tests hold the stated errors against the standard library.

use std::ops::{Add, AddAssign, Div, Index, Mul, MulAssign, Neg, Sub};

/// The ratio of a circle's circumference to its diameter.
pub const PI: f32 = std::f32::consts::PI;

const LN_2: f32 = std::f32::consts::LN_2;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
const TAN_EIGHTH_TURN_HALF: f32 = 0.414_213_57;

/// Three coordinates, or three colour channels in linear light.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vec3 {
    /// First coordinate, or red.
    pub x: f32,
    /// Second coordinate (up, in a scene), or green.
    pub y: f32,
    /// Third coordinate, or blue.
    pub z: f32,
}

impl Vec3 {
    /// All coordinates zero.
    pub const ZERO: Self = Self::splat(0.0);
    /// All coordinates one.
    pub const ONE: Self = Self::splat(1.0);

    /// The vector with these coordinates.
    #[inline]
    #[must_use]
    pub const fn new(x: f32, y: f32, z: f32) -> Self {
        Self { x, y, z }
    }

    /// The vector with one value in all coordinates.
    #[inline]
    #[must_use]
    pub const fn splat(value: f32) -> Self {
        Self::new(value, value, value)
    }

    /// The scalar product.
    #[inline]
    #[must_use]
    pub fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    /// The vector product, right-handed.
    #[inline]
    #[must_use]
    pub fn cross(self, other: Self) -> Self {
        Self::new(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    /// The square of the length.
    #[inline]
    #[must_use]
    pub fn length_squared(self) -> f32 {
        self.dot(self)
    }

    /// The length.
    #[inline]
    #[must_use]
    pub fn length(self) -> f32 {
        self.length_squared().sqrt()
    }

    /// The vector of length one in the same direction, or `None` when it is too short to have one.
    #[inline]
    #[must_use]
    pub fn normalized(self) -> Option<Self> {
        let length_squared = self.length_squared();
        (length_squared > 1e-30 && length_squared < f32::MAX)
            .then(|| self * (1.0 / length_squared.sqrt()))
    }

    /// The vector of length one in the same direction, or `fallback`.
    #[inline]
    #[must_use]
    pub fn normalized_or(self, fallback: Self) -> Self {
        self.normalized().unwrap_or(fallback)
    }

    /// The smaller of each pair of coordinates.
    #[inline]
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self::new(
            min(self.x, other.x),
            min(self.y, other.y),
            min(self.z, other.z),
        )
    }

    /// The larger of each pair of coordinates.
    #[inline]
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self::new(
            max(self.x, other.x),
            max(self.y, other.y),
            max(self.z, other.z),
        )
    }

    /// The largest coordinate.
    #[inline]
    #[must_use]
    pub fn max_element(self) -> f32 {
        max(max(self.x, self.y), self.z)
    }

    /// Each coordinate without its sign.
    #[inline]
    #[must_use]
    pub fn abs(self) -> Self {
        Self::new(self.x.abs(), self.y.abs(), self.z.abs())
    }

    /// How bright the colour is to the eye (Rec. 709 weights).
    #[inline]
    #[must_use]
    pub fn luminance(self) -> f32 {
        0.2126 * self.x + 0.7152 * self.y + 0.0722 * self.z
    }

    /// From `self` (at 0) to `other` (at 1), in a straight line.
    #[inline]
    #[must_use]
    pub fn lerp(self, other: Self, amount: f32) -> Self {
        self + (other - self) * amount
    }

    /// Whether no coordinate is infinite or not a number.
    #[inline]
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite() && self.z.is_finite()
    }
}

impl Add for Vec3 {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self::new(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl AddAssign for Vec3 {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Vec3 {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self::new(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul for Vec3 {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        Self::new(self.x * other.x, self.y * other.y, self.z * other.z)
    }
}

impl MulAssign for Vec3 {
    #[inline]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    #[inline]
    fn mul(self, factor: f32) -> Self {
        Self::new(self.x * factor, self.y * factor, self.z * factor)
    }
}

impl Div<f32> for Vec3 {
    type Output = Self;
    #[inline]
    fn div(self, divisor: f32) -> Self {
        self * (1.0 / divisor)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self::new(-self.x, -self.y, -self.z)
    }
}

impl Index<usize> for Vec3 {
    type Output = f32;
    /// The coordinate of an axis: 0, 1, and 2 for everything else.
    #[inline]
    fn index(&self, axis: usize) -> &f32 {
        match axis {
            0 => &self.x,
            1 => &self.y,
            _ => &self.z,
        }
    }
}

/// The smaller number; the second if they do not compare. One machine instruction, unlike
/// [`f32::min`], whose treatment of signed zeros differs between targets.
#[inline]
#[must_use]
pub fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The larger number; the first if they do not compare. (Written so that a constant may be the
/// second without the compiler turning the comparison around: one instruction again.)
#[inline]
#[must_use]
pub fn max(a: f32, b: f32) -> f32 {
    if a < b { b } else { a }
}

/// The number itself if it lies between `low` and `high`, else the nearer of them; `high` if it is
/// not a number.
#[inline]
#[must_use]
pub fn clamp(value: f32, low: f32, high: f32) -> f32 {
    min(max(value, low), high)
}

/// A straight line from 0 to 1 between two edges, eased in and out.
#[inline]
#[must_use]
pub fn smoothstep(low: f32, high: f32, value: f32) -> f32 {
    let t = clamp((value - low) / (high - low), 0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The whole number at or below `x`, for which both the number and the rest are wanted.
///
/// Beyond the range of `i32` the whole number saturates.
#[inline]
#[must_use]
#[allow(
    clippy::cast_possible_truncation,
    reason = "rounding towards zero is the intention"
)]
pub fn floor(x: f32) -> i32 {
    let truncated = x as i32;
    truncated.saturating_sub(i32::from(x < truncated as f32))
}

/// The part of `x` after its [`floor`], in [0, 1]; zero where numbers have no fractions any more.
#[inline]
#[must_use]
pub fn fract(x: f32) -> f32 {
    if x.abs() < 8_388_608.0 {
        x - floor(x) as f32
    } else {
        0.0
    }
}

/// Sine and cosine of an angle given in turns (1 is a full circle).
///
/// The absolute error is below 3e-7 for angles within one turn of zero.
#[inline]
#[must_use]
pub fn sin_cos_turns(turns: f32) -> (f32, f32) {
    let quarters = turns * 4.0;
    let quadrant = floor(quarters + 0.5);
    let angle = (quarters - quadrant as f32) * (PI * 0.5);
    let square = angle * angle;
    let sin = angle
        * (1.0
            + square
                * (-1.0 / 6.0
                    + square * (1.0 / 120.0 + square * (-1.0 / 5040.0 + square / 362_880.0))));
    let cos = 1.0
        + square
            * (-0.5 + square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square * (1.0 / 40_320.0))));
    // Odd quadrants exchange the two, and the signs follow the quadrant. In bits, because a
    // branch on a random angle would be guessed wrong half of the time.
    let (sin, cos) = (sin.to_bits(), cos.to_bits());
    let quadrant = quadrant.cast_unsigned();
    let exchange = (sin ^ cos) & 0_u32.wrapping_sub(quadrant & 1);
    let sin_sign = (quadrant & 2) << 30;
    let cos_sign = (quadrant.wrapping_add(1) & 2) << 30;
    (
        f32::from_bits(sin ^ exchange ^ sin_sign),
        f32::from_bits(cos ^ exchange ^ cos_sign),
    )
}

/// Sine of an angle in radians; absolute error below 1e-6 for angles within a turn of zero.
#[inline]
#[must_use]
pub fn sin(radians: f32) -> f32 {
    sin_cos_turns(radians * (0.5 / PI)).0
}

/// The angle of the point (x, y) seen from the origin, in turns, in (-0.5, 0.5].
///
/// The absolute error is below 1e-7 turns; the origin itself gives 0.
#[must_use]
pub fn atan2_turns(y: f32, x: f32) -> f32 {
    let (high, low) = (max(x.abs(), y.abs()), min(x.abs(), y.abs()));
    if high == 0.0 {
        return 0.0;
    }
    let ratio = low / high;
    let (base, t) = if ratio > TAN_EIGHTH_TURN_HALF {
        (PI * 0.25, (ratio - 1.0) / (ratio + 1.0))
    } else {
        (0.0, ratio)
    };
    let s = t * t;
    let series = 1.0
        + s * (-1.0 / 3.0
            + s * (1.0 / 5.0
                + s * (-1.0 / 7.0
                    + s * (1.0 / 9.0 + s * (-1.0 / 11.0 + s * (1.0 / 13.0 - s * (1.0 / 15.0)))))));
    let mut turns = (base + t * series) * (0.5 / PI);
    if y.abs() > x.abs() {
        turns = 0.25 - turns;
    }
    if x < 0.0 {
        turns = 0.5 - turns;
    }
    if y < 0.0 { -turns } else { turns }
}

/// Two to the power of `x`; relative error below 3e-7. `x` is clamped to [-126, 127].
#[inline]
#[must_use]
#[allow(
    clippy::cast_sign_loss,
    reason = "the exponent is within [1, 254] after clamping"
)]
pub fn exp2(x: f32) -> f32 {
    let x = clamp(x, -126.0, 127.0);
    let whole = floor(x + 0.5);
    let r = (x - whole as f32) * LN_2;
    let series = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0
                    + r * (1.0 / 24.0
                        + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))))));
    series * f32::from_bits(((whole + 127) as u32) << 23)
}

/// The natural exponential; relative error below 3e-6 for |x| up to 20.
#[inline]
#[must_use]
pub fn exp(x: f32) -> f32 {
    exp2(x * LOG2_E)
}

/// The logarithm to base two of a positive number; absolute error below 4e-7 times the larger of
/// 1 and the result. Numbers below the smallest normal one count as that one.
#[inline]
#[must_use]
#[allow(clippy::cast_possible_wrap, reason = "an exponent has eight bits")]
pub fn log2(x: f32) -> f32 {
    let bits = max(x, f32::MIN_POSITIVE).to_bits();
    let mut exponent = ((bits >> 23) & 0xff) as i32 - 127;
    let mut mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    if mantissa > std::f32::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let q = s * s;
    let series =
        2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0)))));
    exponent as f32 + series * LOG2_E
}

/// `base` to the power of `exponent`, for bases at or above zero; relative error below 3e-6 while
/// the result lies between 1e-6 and 1e6.
#[inline]
#[must_use]
pub fn pow(base: f32, exponent: f32) -> f32 {
    if base <= 0.0 {
        0.0
    } else {
        exp2(exponent * log2(base))
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests;
