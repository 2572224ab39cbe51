//! The bowl's painted glaze.

use quern_path_tracer::math::{Vec3, clamp, fract, sin_cos_turns, smoothstep};
use quern_path_tracer::ppm::RgbImage;

const WIDTH: usize = 320;
const HEIGHT: usize = 128;

/// An image around the bowl (left to right) and along its profile, foot at the lower edge, then
/// up the outside, over the rim and down the inside.
pub(crate) fn glaze() -> RgbImage {
    let pixel = |y: usize, x: usize| {
        let u = (x as f32 + 0.5) / WIDTH as f32;
        let v = 1.0 - (y as f32 + 0.5) / HEIGHT as f32;
        let colour = colour(u, v);
        [colour.x, colour.y, colour.z].map(channel)
    };
    let pixels = (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).flat_map(move |x| pixel(y, x)))
        .collect();
    RgbImage {
        width: WIDTH,
        height: HEIGHT,
        pixels,
    }
}

/// In sRGB, as painted.
fn colour(u: f32, v: f32) -> Vec3 {
    let cream = Vec3::new(0.93, 0.89, 0.80);
    let cobalt = Vec3::new(0.10, 0.19, 0.42);
    let clay = Vec3::new(0.62, 0.38, 0.25);
    let brush = 0.006 * sin_cos_turns(u * 9.0).0 + 0.004 * sin_cos_turns(u * 23.0 + 0.4).0;
    let line =
        |centre: f32, half: f32| 1.0 - smoothstep(half * 0.6, half, (v - centre + brush).abs());
    let mut paint = line(0.235, 0.012) + line(0.265, 0.005) + line(0.495, 0.016);
    // A row of ears: leaves on both sides of a stem.
    let cells = u * 14.0;
    let across = (fract(cells) - 0.5) * 2.0;
    let along = (v - 0.29) / 0.17;
    if (0.0..=1.0).contains(&along) {
        let lean = across - 0.22 * sin_cos_turns(along * 0.45).0;
        paint += (1.0 - smoothstep(0.03, 0.09, lean.abs())) * (1.0 - smoothstep(0.85, 1.0, along));
        let leaf = fract(along * 5.0 - lean.abs() * 1.1);
        let reach = 0.62 * (1.05 - along) * smoothstep(0.0, 0.2, along);
        let shape = smoothstep(0.12, 0.3, leaf) * (1.0 - smoothstep(0.55, 0.75, leaf));
        paint += shape * (1.0 - smoothstep(reach * 0.75, reach + 0.02, lean.abs()));
    }
    let painted = cream.lerp(cobalt, clamp(paint, 0.0, 1.0));
    // The foot stays bare.
    clay.lerp(painted, smoothstep(0.105, 0.135, v + brush))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is within 0.5 and 255.5"
)]
fn channel(value: f32) -> u8 {
    (clamp(value, 0.0, 1.0) * 255.0 + 0.5) as u8
}
