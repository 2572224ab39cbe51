//! Smooth random fields over space, for textures.

use crate::math::{Vec3, floor};
use crate::sampler::hash;

/// Gradient noise: about -1 to 1, zero at whole coordinates, features about one unit wide.
#[allow(clippy::cast_sign_loss, reason = "lattice coordinates are only hashed")]
pub(crate) fn gradient(p: Vec3) -> f32 {
    let (ix, iy, iz) = (floor(p.x), floor(p.y), floor(p.z));
    let f = Vec3::new(p.x - ix as f32, p.y - iy as f32, p.z - iz as f32);
    let (ux, uy, uz) = (fade(f.x), fade(f.y), fade(f.z));
    let (x0, x1) = lattice(ix, 0x8da6_b343);
    let (y0, y1) = lattice(iy, 0xd816_3841);
    let (z0, z1) = lattice(iz, 0xcb1a_b31f);
    let (gx, gy, gz) = (f.x - 1.0, f.y - 1.0, f.z - 1.0);

    let along_x = |y: u32, z: u32, dy: f32, dz: f32| {
        let (h, dy_dz) = (y ^ z, (dy, dz));
        let near = slope(x0 ^ h, f.x, dy_dz.0, dy_dz.1);
        let far = slope(x1 ^ h, gx, dy_dz.0, dy_dz.1);
        near + (far - near) * ux
    };
    let low_z = {
        let (near, far) = (along_x(y0, z0, f.y, f.z), along_x(y1, z0, gy, f.z));
        near + (far - near) * uy
    };
    let high_z = {
        let (near, far) = (along_x(y0, z1, f.y, gz), along_x(y1, z1, gy, gz));
        near + (far - near) * uy
    };
    low_z + (high_z - low_z) * uz
}

/// A sum of `octaves` gradient noises, each twice as fine and half as strong; about -1 to 1.
pub(crate) fn fractal(p: Vec3, octaves: u32) -> f32 {
    let (mut sum, mut strength, mut p) = (0.0, 0.5, p);
    for _ in 0..octaves {
        sum += strength * gradient(p);
        strength *= 0.5;
        // The offset keeps the zeros of the octaves' lattices apart.
        p = p * 2.0 + Vec3::new(17.13, 5.71, 29.37);
    }
    sum
}

/// A random number in [0, 1) that is constant within each unit cell.
#[allow(clippy::cast_sign_loss, reason = "lattice coordinates are only hashed")]
pub(crate) fn cell(x: i32, y: i32, z: i32) -> f32 {
    let h = (x as u32).wrapping_mul(0x8da6_b343)
        ^ (y as u32).wrapping_mul(0xd816_3841)
        ^ (z as u32).wrapping_mul(0xcb1a_b31f);
    crate::sampler::unit(hash(h))
}

#[inline]
fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

#[inline]
#[allow(clippy::cast_sign_loss, reason = "lattice coordinates are only hashed")]
fn lattice(i: i32, factor: u32) -> (u32, u32) {
    let near = (i as u32).wrapping_mul(factor);
    (near, near.wrapping_add(factor))
}

/// Directions towards the edges of a cube; four of the twelve twice, to make a power of two.
const EDGES: [[f32; 3]; 16] = [
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [1.0, -1.0, 0.0],
    [-1.0, -1.0, 0.0],
    [1.0, 0.0, 1.0],
    [-1.0, 0.0, 1.0],
    [1.0, 0.0, -1.0],
    [-1.0, 0.0, -1.0],
    [0.0, 1.0, 1.0],
    [0.0, -1.0, 1.0],
    [0.0, 1.0, -1.0],
    [0.0, -1.0, -1.0],
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [0.0, -1.0, 1.0],
    [0.0, -1.0, -1.0],
];

/// The offset's product with one of the directions.
#[inline(always)]
fn slope(h: u32, x: f32, y: f32, z: f32) -> f32 {
    let h = h.wrapping_mul(0x9e37_79b1);
    let h = (h ^ (h >> 15)).wrapping_mul(0x85eb_ca77) >> 28;
    let [a, b, c] = EDGES[h as usize];
    a * x + b * y + c * z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_bounded_smooth_and_centred() {
        let (mut sum, mut largest_step) = (0.0_f64, 0.0_f32);
        let mut previous: Option<f32> = None;
        for i in 0..20_000 {
            let t = i as f32 * 0.01;
            let value = gradient(Vec3::new(t, t * 0.37 - 30.0, 4.2 - t * 0.73));
            assert!((-1.2..1.2).contains(&value));
            if let Some(before) = previous.replace(value) {
                largest_step = crate::math::max(largest_step, (value - before).abs());
            }
            sum += f64::from(value);
        }
        assert!(largest_step < 0.1, "a step of {largest_step}");
        assert!((sum / 20_000.0).abs() < 0.05);
    }

    #[test]
    fn noise_vanishes_on_the_lattice_and_survives_huge_coordinates() {
        assert_eq!(gradient(Vec3::new(3.0, -2.0, 7.0)), 0.0);
        for huge in [1e12, -1e12, f32::MAX] {
            let _ = fractal(Vec3::splat(huge), 4);
            let _ = cell(floor(huge), i32::MAX, i32::MIN);
        }
    }
}
