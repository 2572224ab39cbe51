use super::*;
use crate::sampler::{hash, unit};

const SIDE: usize = 24;
const WHOLE: Rectangle = Rectangle {
    left: 0,
    top: 0,
    width: SIDE,
    height: SIDE,
};

/// An image of grey light with noise of a known variance.
fn noisy(light: impl Fn(usize, usize) -> f32, deviation: f32) -> Vec<Features> {
    let mut seed = 0;
    let mut noise = move || {
        seed += 1;
        (unit(hash(seed)) - 0.5) * deviation * 12.0_f32.sqrt()
    };
    let pixel = |y: usize, x: usize, noise: f32| Features {
        light: Vec3::splat(light(x, y) + noise),
        albedo: Vec3::ONE,
        normal: Vec3::new(0.0, 1.0, 0.0),
        nearness: 0.5,
        luminance_variance: deviation * deviation,
        ..Features::default()
    };
    let places = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)));
    places.map(|(x, y)| pixel(y, x, noise())).collect()
}

fn spread(light: &[Vec3]) -> f32 {
    let mean = light.iter().map(|l| l.x).sum::<f32>() / light.len() as f32;
    let squares = light
        .iter()
        .map(|l| (l.x - mean) * (l.x - mean))
        .sum::<f32>();
    (squares / light.len() as f32).sqrt()
}

#[test]
fn noise_on_an_even_surface_mostly_goes() {
    let pixels = noisy(|_, _| 2.0, 0.3);
    let before: Vec<Vec3> = pixels.iter().map(|p| p.light).collect();
    let after = filtered(&pixels, SIDE, WHOLE, 4, 1.0);
    assert!(spread(&after) < 0.25 * spread(&before));
}

#[test]
fn image_without_noise_stays_as_it_is() {
    let pixels = noisy(|x, y| if (x / 3 + y / 5) % 2 == 0 { 0.2 } else { 3.0 }, 0.0);
    for (pixel, after) in pixels.iter().zip(filtered(&pixels, SIDE, WHOLE, 4, 1.0)) {
        assert!((pixel.light - after).length() < 1e-4);
    }
}

#[test]
fn shadow_edge_and_texture_survive_the_noise() {
    let edge = noisy(|x, _| if x < SIDE / 2 { 0.5 } else { 4.0 }, 0.2);
    let after = filtered(&edge, SIDE, WHOLE, 4, 1.0);
    for row in after.chunks_exact(SIDE) {
        assert!(row[SIDE / 2 - 1].x < 1.0 && row[SIDE / 2].x > 3.5);
    }
    let mut texture = noisy(|_, _| 1.0, 0.1);
    for (i, pixel) in texture.iter_mut().enumerate() {
        pixel.albedo = Vec3::splat(if i % 2 == 0 { 0.1 } else { 0.8 });
        pixel.light *= pixel.albedo;
        pixel.luminance_variance *= pixel.albedo.x * pixel.albedo.x;
    }
    let after = filtered(&texture, SIDE, WHOLE, 4, 1.0);
    for (pixel, after) in texture.iter().zip(after) {
        assert!((after.x / pixel.albedo.x - 1.0).abs() < 0.2);
    }
}

#[test]
fn result_of_a_pixel_depends_on_its_surroundings_alone() {
    let mut pixels = noisy(|x, y| (x * y % 7) as f32 * 0.4, 0.3);
    for (pixel, share) in pixels
        .iter_mut()
        .zip([0.1, 1.0, 0.0, 3.0, 0.5].iter().cycle())
    {
        pixel.luminance_variance *= share;
        pixel.albedo_variance = 0.01 * share;
    }
    let radius = 3;
    let whole = filtered(&pixels, SIDE, WHOLE, radius, 0.8);
    // The same pixels out of a part of the image with the margin.
    let (left, top, width, height) = (9, 7, 6, 5);
    let margin = margin(radius) as usize;
    let rows = top - margin..top + height + margin;
    let part: Vec<Features> = rows
        .flat_map(|y| &pixels[y * SIDE + left - margin..][..width + 2 * margin])
        .copied()
        .collect();
    let core = Rectangle {
        left: margin,
        top: margin,
        width,
        height,
    };
    let after = filtered(&part, width + 2 * margin, core, radius, 0.8);
    for (y, row) in after.chunks_exact(width).enumerate() {
        assert_eq!(row, &whole[(top + y) * SIDE + left..][..width]);
    }
}
