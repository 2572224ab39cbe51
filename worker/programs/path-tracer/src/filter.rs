//! Takes noise out of a picture, and leaves what the surfaces themselves show.
//!
//! Each pixel becomes a weighted mean of those around it: the more alike two pixels' surroundings
//! are, measured against how noisy they are, and the more alike the surfaces seen in them, the
//! higher the weight (non-local means with features; F. Rousselle and others, *Adaptive Rendering
//! with Non-Local Means Filtering*, 2012, and *Robust Denoising using Feature and Color
//! Information*, 2013). Colour of surfaces is divided out before and multiplied in again after, so
//! that textures are not blurred. A pixel's result depends on the pixels within a [`margin`] around it,
//! and on nothing else: a tile with that margin filters to what the whole picture would.

use crate::math::{Vec3, max, min};

/// What is known of a pixel before it is filtered: means over its samples, and how uncertain the
/// means are (their variances, summed over coordinates).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    pub(crate) light: Vec3,
    pub(crate) albedo: Vec3,
    pub(crate) normal: Vec3,
    pub(crate) nearness: f32,
    /// Of the light's luminance.
    pub(crate) luminance_variance: f32,
    pub(crate) albedo_variance: f32,
    pub(crate) normal_variance: f32,
    pub(crate) nearness_variance: f32,
}

/// Differences at which two surfaces count as clearly different.
const ALBEDO_DIFFERENCE: f32 = 0.08;
const NORMAL_DIFFERENCE: f32 = 0.2;
const NEARNESS_RATIO: f32 = 0.06;

/// Beyond this difference two pixels have nothing in common.
const DIFFERENCE_END: f32 = 4.0;

/// Keeps the division by dark surfaces' colour from magnifying noise.
const ALBEDO_FLOOR: f32 = 0.03;

/// Where the variance of a pixel's own albedo passes the square of this, the albedo is filtered as
/// well: out of focus, and in glass, it is as noisy as the light.
const ALBEDO_NOISE: f32 = 0.01;

/// A rectangle of an image's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// How far beyond a pixel its result looks: to the radius, there to the neighbours of each pixel,
/// and to the neighbours with which those share their variances.
pub(crate) fn margin(radius: u32) -> u32 {
    if radius == 0 { 0 } else { radius + 2 }
}

/// Filters a rectangle of an image with rows of `row_pixels`.
pub(crate) fn filtered(
    pixels: &[Features],
    row_pixels: usize,
    core: Rectangle,
    radius: u32,
    strength: f32,
) -> Vec<Vec3> {
    let image = Image::new(pixels, row_pixels);
    let mut sums = vec![Sum::default(); core.width * core.height];
    let mut differences = vec![0.0_f32; (core.width + 2) * (core.height + 2)];
    let reach = signed(radius as usize);
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            image.differences(&mut differences, core, (dx, dy), strength);
            for (y, row) in sums.chunks_exact_mut(core.width).enumerate() {
                for (x, sum) in row.iter_mut().enumerate() {
                    let pair = image.pair(core.left + x, core.top + y, (dx, dy));
                    let Some((here, there)) = pair else { continue };
                    let patch = patch_mean(&differences, core.width + 2, x, y);
                    let (here, there) = (&image.points[here], &image.points[there]);
                    let weight = alikeness(patch, &here.features, &there.features);
                    sum.irradiance += there.irradiance * weight;
                    sum.albedo += there.features.albedo * weight;
                    sum.weight += weight;
                }
            }
        }
    }
    let rows = core.top..core.top + core.height;
    let core_points = rows.flat_map(|y| &image.points[y * row_pixels + core.left..][..core.width]);
    sums.iter()
        .zip(core_points)
        .map(|(sum, point)| sum.finish(&point.features))
        .collect()
}

/// What has been gathered for a pixel.
#[derive(Clone, Copy, Default)]
struct Sum {
    irradiance: Vec3,
    albedo: Vec3,
    weight: f32,
}

impl Sum {
    fn finish(&self, pixel: &Features) -> Vec3 {
        // A pixel is always alike itself, so the weights never sum to nothing.
        let share = 1.0 / max(self.weight, 1e-6);
        let noise = pixel.albedo_variance;
        let noise = noise / (noise + ALBEDO_NOISE * ALBEDO_NOISE);
        let albedo = pixel.albedo.lerp(self.albedo * share, noise);
        self.irradiance * share * floored(albedo)
    }
}

/// A pixel as the filter compares it.
#[derive(Clone, Copy)]
struct Point {
    /// Light over albedo.
    irradiance: Vec3,
    /// Of the irradiance's luminance.
    variance: f32,
    features: Features,
}

struct Image {
    points: Vec<Point>,
    width: usize,
    height: usize,
}

impl Image {
    fn new(pixels: &[Features], width: usize) -> Self {
        let mut image = Self {
            points: Vec::new(),
            width,
            height: pixels.len() / width,
        };
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            for (x, pixel) in row.iter().enumerate() {
                let features = image.with_shared_variances(pixels, x, y, pixel);
                let (light, albedo) = (pixel.light, floored(pixel.albedo));
                let scale = 1.0 / albedo.luminance();
                image.points.push(Point {
                    irradiance: Vec3::new(
                        light.x / albedo.x,
                        light.y / albedo.y,
                        light.z / albedo.z,
                    ),
                    variance: features.luminance_variance * scale * scale,
                    features,
                });
            }
        }
        image
    }

    /// The pixel with variances that are means over its neighbours: what a few samples say about
    /// their own spread is itself noisy, and nothing at all when all of them happen to agree.
    fn with_shared_variances(
        &self,
        pixels: &[Features],
        x: usize,
        y: usize,
        pixel: &Features,
    ) -> Features {
        let (mut sum, mut count) = (Features::default(), 0.0);
        for near_y in y.saturating_sub(1)..(y + 2).min(self.height) {
            for near_x in x.saturating_sub(1)..(x + 2).min(self.width) {
                let near = &pixels[near_y * self.width + near_x];
                sum.luminance_variance += near.luminance_variance;
                sum.albedo_variance += near.albedo_variance;
                sum.normal_variance += near.normal_variance;
                sum.nearness_variance += near.nearness_variance;
                count += 1.0;
            }
        }
        let share = 1.0 / count;
        Features {
            luminance_variance: sum.luminance_variance * share,
            albedo_variance: sum.albedo_variance * share,
            normal_variance: sum.normal_variance * share,
            nearness_variance: sum.nearness_variance * share,
            ..*pixel
        }
    }

    /// The places of a pixel and of the one shifted from it, if that is in the image.
    #[inline]
    fn pair(&self, x: usize, y: usize, (dx, dy): (isize, isize)) -> Option<(usize, usize)> {
        let there_x = x.checked_add_signed(dx).filter(|x| *x < self.width)?;
        let there_y = y.checked_add_signed(dy).filter(|y| *y < self.height)?;
        Some((y * self.width + x, there_y * self.width + there_x))
    }

    /// For each pixel of the core and a ring around it, how unlike the shifted one it is: about
    /// zero if noise explains the difference. Beyond the image its edge goes on.
    fn differences(
        &self,
        out: &mut [f32],
        core: Rectangle,
        (dx, dy): (isize, isize),
        strength: f32,
    ) {
        let last = (signed(self.width) - 1, signed(self.height) - 1);
        let place = |x: isize, y: isize| {
            let (x, y) = (x.clamp(0, last.0), y.clamp(0, last.1));
            y.unsigned_abs() * self.width + x.unsigned_abs()
        };
        for (y, row) in (signed(core.top) - 1..).zip(out.chunks_exact_mut(core.width + 2)) {
            for (x, out) in (signed(core.left) - 1..).zip(row) {
                let (a, b) = (self.points[place(x, y)], self.points[place(x + dx, y + dy)]);
                let difference = (a.irradiance - b.irradiance).length_squared() * (1.0 / 3.0);
                let noise = a.variance + min(a.variance, b.variance);
                let scale = strength * strength * (a.variance + b.variance) + 1e-6;
                *out = (difference - noise) / scale;
            }
        }
    }
}

/// The mean over a pixel's surroundings; the differences have a ring of one around the core.
#[inline]
fn patch_mean(differences: &[f32], row_pixels: usize, x: usize, y: usize) -> f32 {
    let row = |y: usize| match differences[y * row_pixels + x..] {
        [a, b, c, ..] => a + b + c,
        _ => 0.0,
    };
    (row(y) + row(y + 1) + row(y + 2)) * (1.0 / 9.0)
}

/// How much a pixel counts for another one: 1 for the same, 0 from a difference of
/// [`DIFFERENCE_END`] on.
#[inline]
fn alikeness(patch: f32, a: &Features, b: &Features) -> f32 {
    let rest = 1.0 - max(patch, 0.0) * (1.0 / DIFFERENCE_END);
    if rest <= 0.0 {
        return 0.0;
    }
    let rest = max(
        rest - surface_difference(a, b) * (1.0 / DIFFERENCE_END),
        0.0,
    );
    // Close to an exponential, and cheaper.
    let square = rest * rest;
    square * square
}

fn surface_difference(a: &Features, b: &Features) -> f32 {
    let albedo = beyond_noise(
        (a.albedo - b.albedo).length_squared(),
        (a.albedo_variance, b.albedo_variance),
        ALBEDO_DIFFERENCE,
    );
    let normal = beyond_noise(
        (a.normal - b.normal).length_squared(),
        (a.normal_variance, b.normal_variance),
        NORMAL_DIFFERENCE,
    );
    let nearness = a.nearness - b.nearness;
    let nearness = beyond_noise(
        nearness * nearness,
        (a.nearness_variance, b.nearness_variance),
        NEARNESS_RATIO * max(a.nearness, b.nearness),
    );
    albedo + normal + nearness
}

/// A squared difference in units of `scale` squared, less what noise alone makes. Out of focus,
/// where a pixel's samples see many surfaces, noise is all that the difference is.
#[inline]
fn beyond_noise(square: f32, (a, b): (f32, f32), scale: f32) -> f32 {
    max(square - a - min(a, b), 0.0) / max(max(scale * scale, a + b), 1e-12)
}

fn floored(albedo: Vec3) -> Vec3 {
    albedo.max(Vec3::ZERO) + Vec3::splat(ALBEDO_FLOOR)
}

#[allow(
    clippy::cast_possible_wrap,
    reason = "image sides are far below the limit"
)]
fn signed(count: usize) -> isize {
    count as isize
}

#[cfg(test)]
mod tests;
