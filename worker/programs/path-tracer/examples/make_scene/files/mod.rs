//! The files, and the meshes that are made for this scene alone.

mod glaze;
mod grain;
mod shapes;

use quern_path_tracer::math::{Vec3, sin_cos_turns, smoothstep};

use shapes::{Dice, Polygons};

/// All files that belong to the scene but are not written by hand.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let mesh = |mesh: Polygons, title: &str, decimals| mesh.to_obj(title, decimals).into_bytes();
    vec![
        ("bedstone.obj", mesh(bedstone(), "the lower stone", 3)),
        (
            "runner.obj",
            mesh(runner(), "the upper stone, with its eye", 3),
        ),
        (
            "band.obj",
            mesh(band(), "the iron band around the upper stone", 3),
        ),
        ("handle.obj", mesh(handle(), "the turned handle", 3)),
        ("bowl.obj", mesh(bowl(), "the bowl", 3)),
        (
            "heap.obj",
            mesh(heap(), "a smooth heap, one unit wide and high", 3),
        ),
        (
            "flour.obj",
            mesh(flour(), "flour around the foot of the lower stone", 3),
        ),
        ("table.obj", mesh(table(), "the table top", 2)),
        (
            "kernel.obj",
            mesh(Polygons::kernel(8, 6), "a grain of wheat", 3),
        ),
        ("stalk.obj", mesh(stalk(), "a straw, bent a little", 3)),
        ("awn.obj", mesh(awn(), "a bristle of the ear", 3)),
        ("glaze.ppm", glaze::glaze().to_ppm()),
        ("grain.scene", grain::scene().into_bytes()),
    ]
}

/// What weather and work do to a stone's outline: waves, and chips along the edges.
struct Wear {
    waves: Vec<(f32, f32, f32)>,
    chips: Vec<(f32, f32, f32)>,
}

impl Wear {
    fn new(seed: u32, depth: f32, chips: usize) -> Self {
        let mut dice = Dice::new(seed);
        let wave = |n: usize| {
            let count = [2.0, 3.0, 5.0, 9.0, 14.0, 23.0][n];
            (
                count,
                dice.between(0.0, 1.0),
                depth * dice.between(0.5, 1.2) / (1.0 + 0.35 * count),
            )
        };
        let waves = (0..6).map(wave).collect();
        let chip = |_| {
            (
                dice.between(0.0, 1.0),
                dice.between(0.008, 0.03),
                dice.between(0.02, 0.07),
            )
        };
        let chips = (0..chips).map(chip).collect();
        Self { waves, chips }
    }

    fn wave(&self, turns: f32, height: f32) -> f32 {
        let wave = |&(count, shift, depth): &(f32, f32, f32)| {
            depth * sin_cos_turns(turns * count + shift + height * 0.31 * count).0
        };
        self.waves.iter().map(wave).sum()
    }

    /// How much is chipped off at an angle.
    fn chipped(&self, turns: f32) -> f32 {
        let chip = |&(place, width, depth): &(f32, f32, f32)| {
            let apart = (turns - place).abs();
            let apart = if apart > 0.5 { 1.0 - apart } else { apart };
            depth * (1.0 - smoothstep(width * 0.3, width, apart))
        };
        self.chips
            .iter()
            .map(chip)
            .fold(0.0, |a, b| if a > b { a } else { b })
    }
}

fn bedstone() -> Polygons {
    let profile = [
        (1.97, 0.00),
        (2.00, 0.03),
        (2.02, 0.10),
        (2.03, 0.25),
        (2.03, 0.42),
        (2.02, 0.51),
        (2.00, 0.555),
        (1.96, 0.585),
        (1.90, 0.60),
        (1.75, 0.61),
        (1.50, 0.60),
        (1.20, 0.60),
    ];
    let wear = Wear::new(11, 0.05, 14);
    Polygons::lathe(&profile, 120, |turns, radius, height| {
        let edge = smoothstep(0.36, 0.56, height) * smoothstep(1.75, 1.9, radius);
        let chip = wear.chipped(turns) * edge;
        (
            radius + wear.wave(turns, height) * smoothstep(1.3, 1.9, radius) - chip,
            height - chip * 0.5,
        )
    })
}

/// How much further out than planned the upper stone is at an angle.
fn runner_wear() -> Wear {
    Wear::new(5, 0.035, 12)
}

fn runner() -> Polygons {
    let profile = [
        (1.40, 0.655),
        (1.62, 0.65),
        (1.69, 0.66),
        (1.73, 0.685),
        (1.745, 0.74),
        (1.75, 0.80),
        (1.75, 0.95),
        (1.745, 1.10),
        (1.725, 1.155),
        (1.69, 1.185),
        (1.62, 1.205),
        (1.45, 1.22),
        (1.15, 1.24),
        (0.85, 1.26),
        (0.70, 1.285),
        (0.63, 1.32),
        (0.57, 1.335),
        (0.51, 1.325),
        (0.46, 1.28),
        (0.40, 1.15),
        (0.34, 0.98),
        (0.30, 0.80),
    ];
    let wear = runner_wear();
    Polygons::lathe(&profile, 120, |turns, radius, height| {
        let upper = smoothstep(1.02, 1.16, height) * smoothstep(1.45, 1.6, radius);
        let lower = (1.0 - smoothstep(0.68, 0.76, height)) * smoothstep(1.5, 1.62, radius);
        let chip = wear.chipped(turns) * upper + wear.chipped(1.0 - turns) * lower * 0.8;
        let wave = wear.wave(turns, height);
        let rough = smoothstep(0.5, 1.6, radius);
        (
            radius + wave * rough - chip,
            height + wave * 0.25 * rough - chip * 0.4 * upper,
        )
    })
}

/// Forged to fit: it follows the stone's outline.
fn band() -> Polygons {
    let profile = [
        (-0.05, 0.855),
        (0.028, 0.855),
        (0.04, 0.868),
        (0.04, 0.982),
        (0.028, 0.995),
        (-0.05, 0.995),
    ];
    let (stone, hammer) = (runner_wear(), Wear::new(23, 0.006, 0));
    Polygons::lathe(&profile, 120, |turns, out, height| {
        let dents = hammer.wave(turns, height) + hammer.wave(turns * 3.0, height);
        let radius = 1.75 + stone.wave(turns, height) + out + dents;
        (radius, height + 0.012 * sin_cos_turns(turns * 2.0 + 0.1).0)
    })
}

fn handle() -> Polygons {
    let profile = [
        (0.155, 0.00),
        (0.165, 0.03),
        (0.15, 0.07),
        (0.115, 0.10),
        (0.105, 0.16),
        (0.12, 0.30),
        (0.135, 0.45),
        (0.135, 0.58),
        (0.12, 0.72),
        (0.098, 0.84),
        (0.092, 0.90),
        (0.105, 0.945),
        (0.15, 0.985),
        (0.178, 1.045),
        (0.182, 1.11),
        (0.165, 1.17),
        (0.125, 1.215),
        (0.07, 1.24),
        (0.001, 1.247),
    ];
    Polygons::lathe(&profile, 32, |_, radius, height| (radius, height))
}

fn bowl() -> Polygons {
    let profile = [
        (0.42, 0.00),
        (0.50, 0.00),
        (0.52, 0.03),
        (0.50, 0.09),
        (0.56, 0.13),
        (0.76, 0.24),
        (0.94, 0.40),
        (1.06, 0.60),
        (1.12, 0.80),
        (1.14, 0.90),
        (1.12, 0.93),
        (1.08, 0.91),
        (1.05, 0.82),
        (0.98, 0.60),
        (0.86, 0.42),
        (0.68, 0.28),
        (0.40, 0.19),
        (0.001, 0.17),
    ];
    Polygons::lathe_with_uv(&profile, 72)
}

fn heap() -> Polygons {
    let profile: Vec<(f32, f32)> = (0..=8)
        .map(|i| {
            let out = 1.0 - i as f32 / 8.0;
            (if i == 8 { 0.001 } else { out }, 1.0 - out * out)
        })
        .collect();
    Polygons::lathe(&profile, 28, |_, radius, height| (radius, height))
}

fn flour() -> Polygons {
    let profile: Vec<(f32, f32)> = (0..=14)
        .map(|i| {
            let out = 1.0 - i as f32 / 14.0;
            (out, (1.0 - out) * (1.0 - out))
        })
        .collect();
    let (wide, fine) = (Wear::new(31, 0.3, 0), Wear::new(37, 0.12, 0));
    Polygons::lathe(&profile, 200, |turns, out, height| {
        let swell = 0.30 + wide.wave(turns, 0.0) * 1.5;
        let swell = if swell > 0.03 { swell } else { 0.03 };
        // Ragged where it thins out.
        let ragged = 1.0 + out * out * (fine.wave(turns * 5.0, 0.0) + fine.wave(turns * 11.0, 1.0));
        let rough = fine.wave(turns * 3.0, out * 9.0) * 0.12 * smoothstep(0.02, 0.3, height);
        (
            1.92 + out * (0.12 + swell) * ragged,
            height * (0.05 + 0.55 * swell) + rough - 0.004,
        )
    })
}

fn table() -> Polygons {
    Polygons::slab(Vec3::new(-11.0, -0.45, -6.3), Vec3::new(11.0, 0.0, 9.0))
}

/// Five units long along z, sagging a little.
fn stalk() -> Polygons {
    let point = |i: usize| {
        let along = i as f32 / 14.0;
        let sway = 0.16 * sin_cos_turns(along * 0.4).0;
        let knot = if i == 5 || i == 10 { 0.008 } else { 0.0 };
        (
            Vec3::new(sway, 0.0, along * -5.0),
            0.028 + 0.012 * along + knot,
        )
    };
    Polygons::tube(&(0..15).map(point).collect::<Vec<_>>(), 7)
}

/// One unit long along z, thinning to nothing.
fn awn() -> Polygons {
    let point = |i: usize| {
        let along = i as f32 / 4.0;
        (
            Vec3::new(0.0, 0.05 * along * along, along),
            0.0085 * (1.05 - along),
        )
    };
    Polygons::tube(&(0..5).map(point).collect::<Vec<_>>(), 3)
}
