//! From light to bytes.

use crate::math::{Vec3, clamp, pow};

/// An eight-bit sRGB pixel from linear light: exposed, mapped and encoded.
pub(crate) fn encode(light: Vec3, exposure: f32) -> [u8; 3] {
    let exposed = light * exposure;
    // A little of each channel goes to the others as it grows, as in film: bright saturated light
    // turns towards white instead of clipping to a garish primary.
    let mean = (exposed.x + exposed.y + exposed.z) * (1.0 / 3.0);
    let mixed = exposed.lerp(Vec3::splat(mean), 0.02 + 0.4 * mean / (mean + 8.0));
    [byte(mixed.x), byte(mixed.y), byte(mixed.z)]
}

/// The filmic curve: K. Narkowicz's rational fit of the ACES reference rendering transform, 2015.
pub(crate) fn filmic(x: f32) -> f32 {
    let x = clamp(x * 0.6, 0.0, 1e4);
    clamp(
        x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14),
        0.0,
        1.0,
    )
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is within 0.5 and 255.5"
)]
fn byte(light: f32) -> u8 {
    (srgb(filmic(light)) * 255.0 + 0.5) as u8
}

/// The sRGB transfer function.
fn srgb(linear: f32) -> f32 {
    if linear <= 0.003_130_8 {
        linear * 12.92
    } else {
        1.055 * pow(linear, 1.0 / 2.4) - 0.055
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brighter_light_never_makes_a_darker_pixel() {
        let mut previous = 0;
        for step in 0..2000_u16 {
            let [r, g, b] = encode(Vec3::splat(f32::from(step) * 0.01), 1.0);
            assert!(r == g && g == b && r >= previous);
            previous = r;
        }
        assert_eq!(encode(Vec3::ZERO, 1.0), [0; 3]);
        assert!(previous >= 250);
    }

    #[test]
    fn the_curve_ends_where_eight_bits_end() {
        assert_eq!(byte(1e30), 255);
        assert_eq!(byte(f32::INFINITY), 255);
        assert_eq!(byte(f32::NAN), 255, "and nothing else is lost");
    }

    #[test]
    fn transfer_function_agrees_with_the_standard() {
        for (linear, encoded) in [(0.0, 0.0), (0.003, 0.03876), (0.2140, 0.5), (1.0, 1.0)] {
            assert!((srgb(linear) - encoded).abs() < 1e-4);
        }
    }
}
