//! Colours that vary over a surface: images and solid procedural patterns.

use crate::math::{Vec3, clamp, floor, fract, min, pow, sin, smoothstep};
use crate::noise::{cell, fractal, gradient};
use crate::ppm::RgbImage;

/// A pattern that materials refer to.
#[derive(Clone, Debug)]
pub(crate) enum Texture {
    /// An image laid over the surface's own (u, v), repeated.
    Image(Image),
    /// A pattern that fills space, so that it needs no (u, v).
    Solid(Solid),
}

/// An image, with its colours still as stored.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    image: RgbImage,
    repeat: (f32, f32),
    /// Linear light for each stored value.
    linear: Box<[f32; 256]>,
}

/// A procedural pattern between two colours.
#[derive(Clone, Debug)]
pub(crate) struct Solid {
    pub(crate) pattern: Pattern,
    pub(crate) low: Vec3,
    pub(crate) high: Vec3,
    /// Features per unit of length: the inverse of the pattern's `scale`.
    pub(crate) frequency: f32,
}

/// The shape of a procedural pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pattern {
    /// Cubes of alternating colour.
    Checker,
    /// Veins: a sine bent by noise of strength `turbulence`.
    Marble { turbulence: f32 },
    /// Soft clouds.
    Noise,
    /// Grains of stone of several sizes.
    Granite,
    /// Grain along an axis (0, 1, 2), cut into planks `plank` features wide unless that is zero.
    Wood { axis: usize, plank: f32 },
}

impl Image {
    pub(crate) fn new(image: RgbImage, repeat: (f32, f32)) -> Self {
        let mut linear = Box::new([0.0; 256]);
        for (value, out) in (0_u16..).zip(linear.iter_mut()) {
            let c = f32::from(value) / 255.0;
            *out = if c <= 0.04045 {
                c / 12.92
            } else {
                pow((c + 0.055) / 1.055, 2.4)
            };
        }
        Self {
            image,
            repeat,
            linear,
        }
    }

    fn colour(&self, u: f32, v: f32) -> Vec3 {
        let (width, height) = (self.image.width, self.image.height);
        let x = fract(u * self.repeat.0) * width as f32 - 0.5;
        let y = (1.0 - fract(v * self.repeat.1)) * height as f32 - 0.5;
        let (left, top) = (floor(x), floor(y));
        let (fx, fy) = (x - left as f32, y - top as f32);
        let upper = self
            .texel(left, top)
            .lerp(self.texel(left.saturating_add(1), top), fx);
        let low = top.saturating_add(1);
        let lower = self
            .texel(left, low)
            .lerp(self.texel(left.saturating_add(1), low), fx);
        upper.lerp(lower, fy)
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "sizes are below 2^24 and remainders are not negative"
    )]
    fn texel(&self, x: i32, y: i32) -> Vec3 {
        let column = x.rem_euclid(self.image.width as i32) as usize;
        let row = y.rem_euclid(self.image.height as i32) as usize;
        let start = (row * self.image.width + column) * 3;
        match self.image.pixels.get(start..start + 3) {
            Some(&[r, g, b]) => Vec3::new(
                self.linear[usize::from(r)],
                self.linear[usize::from(g)],
                self.linear[usize::from(b)],
            ),
            _ => Vec3::ZERO,
        }
    }
}

impl Texture {
    /// The colour at a point of space with surface coordinates (u, v).
    pub(crate) fn colour(&self, p: Vec3, (u, v): (f32, f32)) -> Vec3 {
        match self {
            Self::Image(image) => image.colour(u, v),
            Self::Solid(solid) => {
                let (mix, shade) = solid.field(p);
                solid.low.lerp(solid.high, mix) * shade
            }
        }
    }

    /// The height of the pattern at a point, from about 0 to 1: only what a slope shows, so the
    /// pattern's slow changes are left out. Flat for images.
    pub(crate) fn height(&self, p: Vec3) -> f32 {
        match self {
            Self::Image(_) => 0.0,
            Self::Solid(solid) => {
                let q = solid.scaled(p);
                match solid.pattern {
                    Pattern::Granite => granite_height(q),
                    Pattern::Wood { axis, plank } => wood_height(q, axis, plank),
                    _ => solid.field(p).0,
                }
            }
        }
    }

    /// The distance over which the height's slope is to be taken.
    pub(crate) fn height_step(&self) -> f32 {
        match self {
            Self::Image(_) => 1.0,
            Self::Solid(solid) => 0.02 / solid.frequency,
        }
    }
}

impl Solid {
    /// A point in the pattern's own units.
    fn scaled(&self, p: Vec3) -> Vec3 {
        // Far away the patterns stop rather than lose their fractions to rounding.
        let limit = Vec3::splat(1e6);
        (p * self.frequency).min(limit).max(-limit)
    }

    /// Where the pattern lies between its colours, and what darkens both.
    fn field(&self, p: Vec3) -> (f32, f32) {
        let q = self.scaled(p);
        match self.pattern {
            Pattern::Checker => {
                // The shift keeps a face that lies exactly on a boundary from flickering.
                let cells = [q.x, q.y, q.z].map(|c| floor(c + 1e-3));
                (
                    if cells.iter().fold(0, |sum, c| sum ^ c) & 1 == 0 {
                        0.0
                    } else {
                        1.0
                    },
                    1.0,
                )
            }
            Pattern::Marble { turbulence } => {
                let bent = q.x + q.y * 0.35 + q.z * 0.6 + turbulence * fractal(q, 5);
                let vein = 0.5 + 0.5 * sin(bent * 3.0);
                (1.0 - (1.0 - vein) * (1.0 - vein), 1.0)
            }
            Pattern::Noise => (clamp(0.5 + fractal(q, 3), 0.0, 1.0), 1.0),
            Pattern::Granite => granite(q),
            Pattern::Wood { axis, plank } => wood(q, axis, plank),
        }
    }
}

fn granite(q: Vec3) -> (f32, f32) {
    let clouds = fractal(q * 0.35, 2);
    let grains = gradient(q * 3.1);
    let fine = gradient(q * 8.7 + Vec3::splat(41.3));
    let mix = clamp(0.5 + 0.55 * clouds + 0.45 * grains + 0.3 * fine, 0.0, 1.0);
    (mix, 1.0 - 0.55 * granite_pits(q, fine))
}

fn granite_height(q: Vec3) -> f32 {
    let grains = gradient(q * 3.1);
    let fine = gradient(q * 8.7 + Vec3::splat(41.3));
    0.5 + 0.22 * grains + 0.15 * fine - 0.27 * granite_pits(q, fine)
}

/// The hollows: sparse, sharp-edged.
fn granite_pits(q: Vec3, fine: f32) -> f32 {
    smoothstep(
        0.42,
        0.62,
        gradient(q * 2.0 + Vec3::splat(7.9)) + 0.25 * fine,
    )
}

/// A point of a plank: along the grain, across it, and in depth; the distance to the plank's
/// edge; and the plank's number.
struct InPlank {
    along: f32,
    across: f32,
    depth: f32,
    edge: f32,
    index: i32,
}

impl InPlank {
    fn at(q: Vec3, axis: usize, plank: f32) -> Self {
        let (along, across, depth) = match axis {
            0 => (q.x, q.z, q.y),
            1 => (q.y, q.x, q.z),
            _ => (q.z, q.x, q.y),
        };
        if plank <= 0.0 {
            return Self {
                along,
                across,
                depth,
                edge: 1.0,
                index: 0,
            };
        }
        let index = floor(across / plank);
        let within = across - index as f32 * plank;
        let along = along + cell(index, 3, 11) * 57.0;
        let across = within - plank * (0.2 + 0.6 * cell(index, 1, 2));
        Self {
            along,
            across,
            depth,
            edge: min(within, plank - within),
            index,
        }
    }

    fn pores(&self) -> f32 {
        let p = Vec3::new(self.along * 4.0, self.across * 70.0, self.depth * 70.0);
        smoothstep(0.25, 0.6, gradient(p))
    }

    /// Zero in the gap between two planks, one everywhere else.
    fn surface(&self) -> f32 {
        smoothstep(0.0, 0.035, self.edge)
    }
}

fn wood(q: Vec3, axis: usize, plank: f32) -> (f32, f32) {
    let at = InPlank::at(q, axis, plank);
    let InPlank {
        along,
        across,
        depth,
        ..
    } = at;
    let tone = if plank > 0.0 {
        cell(at.index, 8, 5) - 0.5
    } else {
        0.0
    };
    let bend = gradient(Vec3::new(along * 0.22, across * 0.9, depth * 0.9));
    let phase = fract(across * 2.6 + depth * 1.3 + bend * 1.7);
    // A year's growth darkens slowly and ends at once.
    let ring = phase * phase * (1.0 - smoothstep(0.86, 1.0, phase));
    let fibre = gradient(Vec3::new(along * 1.3, across * 34.0, depth * 34.0));
    let mix = clamp(
        0.32 + 0.55 * ring + 0.16 * fibre + 0.35 * tone + 0.12 * bend,
        0.0,
        1.0,
    );
    (mix, (0.12 + 0.88 * at.surface()) * (1.0 - 0.3 * at.pores()))
}

fn wood_height(q: Vec3, axis: usize, plank: f32) -> f32 {
    let at = InPlank::at(q, axis, plank);
    0.44 * at.surface() - 0.2 * at.pores()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solid(pattern: Pattern) -> Texture {
        Texture::Solid(Solid {
            pattern,
            low: Vec3::ZERO,
            high: Vec3::ONE,
            frequency: 2.0,
        })
    }

    #[test]
    fn checker_alternates_along_every_axis() {
        let checker = solid(Pattern::Checker);
        let at = |x, y, z| checker.colour(Vec3::new(x, y, z), (0.0, 0.0)).x;
        let origin = at(0.2, 0.2, 0.2);
        for next in [at(0.7, 0.2, 0.2), at(0.2, 0.7, 0.2), at(0.2, 0.2, -0.3)] {
            assert_eq!(next, 1.0 - origin);
        }
        assert_eq!(at(0.7, 0.7, 0.2), origin);
    }

    #[test]
    fn solid_patterns_stay_between_their_colours() {
        let patterns = [
            Pattern::Marble { turbulence: 4.0 },
            Pattern::Noise,
            Pattern::Granite,
            Pattern::Wood {
                axis: 0,
                plank: 1.5,
            },
            Pattern::Wood {
                axis: 1,
                plank: 0.0,
            },
        ];
        for pattern in patterns {
            let texture = solid(pattern);
            let (mut least, mut most) = (f32::MAX, f32::MIN);
            for i in 0..4000 {
                let t = i as f32 * 0.037;
                let p = Vec3::new(t, 70.0 - t * 0.41, t * 0.13);
                let value = texture.colour(p, (0.0, 0.0)).x;
                least = min(least, value);
                most = crate::math::max(most, value);
            }
            assert!(
                least >= 0.0 && most <= 1.0,
                "{pattern:?}: {least} to {most}"
            );
            assert!(most - least > 0.4, "{pattern:?} is flat");
        }
    }

    #[test]
    fn image_is_read_in_linear_light_with_v_upwards_and_repeats() {
        let pixels = vec![255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 188];
        let image = Image::new(
            RgbImage {
                width: 2,
                height: 2,
                pixels,
            },
            (1.0, 1.0),
        );
        let texture = Texture::Image(image);
        let top_left = texture.colour(Vec3::ZERO, (0.25, 0.75));
        let bottom_right = texture.colour(Vec3::ZERO, (-0.25, 7.25));
        assert!((top_left.x - 1.0).abs() < 1e-5 && top_left.z < 1e-5);
        assert!((bottom_right.z - 0.5029).abs() < 1e-3 && bottom_right.x < 1e-5);
        assert!(texture.colour(Vec3::ZERO, (f32::MAX, -1e30)).is_finite());
    }
}
