//! Meshes that are computed rather than drawn.

use std::fmt::Write as _;

use quern_path_tracer::math::{Vec3, sin_cos_turns, smoothstep};

/// A mesh of polygons, on its way to an OBJ file.
#[derive(Default)]
pub(crate) struct Polygons {
    positions: Vec<Vec3>,
    normals: Vec<Vec3>,
    uvs: Vec<(f32, f32)>,
    faces: Vec<Vec<usize>>,
}

/// Random numbers from a seed, the same everywhere.
pub(crate) struct Dice(u32);

impl Dice {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed)
    }

    /// A number between two others.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9);
        let mut x = self.0;
        x = (x ^ (x >> 16)).wrapping_mul(0x21f0_aaad);
        x = (x ^ (x >> 15)).wrapping_mul(0x735a_2d97);
        x ^= x >> 15;
        low + (high - low) * ((x >> 8) as f32 / 16_777_216.0)
    }

    /// About normally distributed around zero, with a deviation of one.
    pub(crate) fn bell(&mut self) -> f32 {
        (0..6).map(|_| self.between(-1.0, 1.0)).sum::<f32>() * 0.7
    }
}

impl Polygons {
    /// The text of an OBJ file with this mesh.
    pub(crate) fn to_obj(&self, title: &str, decimals: usize) -> String {
        let mut text = format!("# {title}\n");
        for p in &self.positions {
            let _ = writeln!(text, "v {:.d$} {:.d$} {:.d$}", p.x, p.y, p.z, d = decimals);
        }
        for (u, v) in &self.uvs {
            let _ = writeln!(text, "vt {u:.4} {v:.4}");
        }
        for n in &self.normals {
            let _ = writeln!(text, "vn {:.2} {:.2} {:.2}", n.x, n.y, n.z);
        }
        for face in &self.faces {
            text.push('f');
            for corner in face {
                let i = corner + 1;
                let _ = match (self.uvs.is_empty(), self.normals.is_empty()) {
                    (true, true) => write!(text, " {i}"),
                    (false, true) => write!(text, " {i}/{i}"),
                    (true, false) => write!(text, " {i}//{i}"),
                    (false, false) => write!(text, " {i}/{i}/{i}"),
                };
            }
            text.push('\n');
        }
        text
    }

    fn quads_between(&mut self, lower: usize, upper: usize, count: usize, closed: bool) {
        for i in 0..if closed { count } else { count - 1 } {
            let next = (i + 1) % count;
            self.faces
                .push(vec![lower + i, upper + i, upper + next, lower + next]);
        }
    }

    /// Rings of points, each joined to the next one. The outside is on the right of the way along
    /// the rings.
    pub(crate) fn rings(rings: &[Vec<Vec3>]) -> Self {
        let mut mesh = Self::default();
        let count = rings.first().map_or(0, Vec::len);
        for (i, ring) in rings.iter().enumerate() {
            mesh.positions.extend_from_slice(ring);
            if i > 0 {
                mesh.quads_between((i - 1) * count, i * count, count, true);
            }
        }
        mesh
    }

    /// What a profile of (radius, height) makes when it is turned about the y axis; `bend` moves
    /// each point, given the angle in turns.
    pub(crate) fn lathe(
        profile: &[(f32, f32)],
        segments: usize,
        bend: impl Fn(f32, f32, f32) -> (f32, f32),
    ) -> Self {
        let ring = |&(radius, height): &(f32, f32)| -> Vec<Vec3> {
            let point = |i: usize| {
                let turns = i as f32 / segments as f32;
                let (radius, height) = bend(turns, radius, height);
                let (sin, cos) = sin_cos_turns(turns);
                Vec3::new(radius * cos, height, radius * sin)
            };
            (0..segments).map(point).collect()
        };
        Self::rings(&profile.iter().map(ring).collect::<Vec<_>>())
    }

    /// A lathe with texture coordinates: u once around, v along the profile by length. The seam
    /// has its points twice.
    pub(crate) fn lathe_with_uv(profile: &[(f32, f32)], segments: usize) -> Self {
        let mut mesh = Self::default();
        let lengths: Vec<f32> = profile
            .windows(2)
            .scan(0.0, |sum, pair| {
                let (dr, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
                *sum += (dr * dr + dy * dy).sqrt();
                Some(*sum)
            })
            .collect();
        let total = lengths.last().copied().unwrap_or(1.0);
        for (i, &(radius, height)) in profile.iter().enumerate() {
            let along = if i == 0 { 0.0 } else { lengths[i - 1] / total };
            for j in 0..=segments {
                let turns = j as f32 / segments as f32;
                let (sin, cos) = sin_cos_turns(turns);
                mesh.positions
                    .push(Vec3::new(radius * cos, height, radius * sin));
                mesh.uvs.push((turns, along));
            }
            if i > 0 {
                let count = segments + 1;
                mesh.quads_between((i - 1) * count, i * count, count, false);
            }
        }
        mesh
    }

    /// A grain of wheat, one unit long along z, with its crease below.
    pub(crate) fn kernel(segments: usize, rings: usize) -> Self {
        let point = |along: f32, turns: f32| {
            // Blunt at the germ, pointed at the brush.
            let bulge = sin_cos_turns(along * 0.5).0.sqrt() * (1.08 - 0.3 * along);
            let (sin, cos) = sin_cos_turns(turns);
            let below = smoothstep(0.82, 1.0, -sin);
            let radius = 0.25 * bulge * (1.0 - 0.38 * below);
            Vec3::new(radius * cos * 0.94, radius * sin, along - 0.5)
        };
        let mut mesh = Self::default();
        for ring in 0..=rings + 1 {
            let along = ring as f32 / (rings + 1) as f32;
            let is_end = ring == 0 || ring > rings;
            for i in 0..if is_end { 1 } else { segments } {
                let turns = i as f32 / segments as f32 + 0.25 - 0.5 / segments as f32;
                mesh.positions.push(point(along, turns));
                mesh.normals.push(if is_end {
                    Vec3::new(0.0, 0.0, if ring == 0 { -1.0 } else { 1.0 })
                } else {
                    let (da, dt) = (0.02, 0.03);
                    let lengthwise = point(along + da, turns) - point(along - da, turns);
                    let around = point(along, turns + dt) - point(along, turns - dt);
                    around.cross(lengthwise).normalized_or(Vec3::ONE)
                });
            }
        }
        let last = 1 + rings * segments;
        for i in 0..segments {
            let next = (i + 1) % segments;
            mesh.faces.push(vec![0, 1 + next, 1 + i]);
            mesh.faces
                .push(vec![last, last - segments + i, last - segments + next]);
        }
        for ring in 1..rings {
            let start = 1 + (ring - 1) * segments;
            for i in 0..segments {
                let next = (i + 1) % segments;
                mesh.faces.push(vec![
                    start + i,
                    start + next,
                    start + segments + next,
                    start + segments + i,
                ]);
            }
        }
        mesh
    }

    /// A box between two corners.
    pub(crate) fn slab(low: Vec3, high: Vec3) -> Self {
        let corner = |i: usize| {
            let pick = |bit: usize, low: f32, high: f32| if i & bit == 0 { low } else { high };
            Vec3::new(
                pick(1, low.x, high.x),
                pick(2, low.y, high.y),
                pick(4, low.z, high.z),
            )
        };
        let faces = [
            [0, 2, 3, 1],
            [4, 5, 7, 6],
            [0, 1, 5, 4],
            [2, 6, 7, 3],
            [0, 4, 6, 2],
            [1, 3, 7, 5],
        ];
        Self {
            positions: (0..8).map(corner).collect(),
            faces: faces.iter().map(|face| face.to_vec()).collect(),
            ..Self::default()
        }
    }

    /// A tube along a way, with a radius at each point.
    pub(crate) fn tube(way: &[(Vec3, f32)], segments: usize) -> Self {
        let ring = |(i, &(centre, radius)): (usize, &(Vec3, f32))| -> Vec<Vec3> {
            let before = way[i.saturating_sub(1)].0;
            let after = way[(i + 1).min(way.len() - 1)].0;
            let forward = (after - before).normalized_or(Vec3::new(0.0, 0.0, 1.0));
            let side = forward
                .cross(Vec3::new(0.0, 1.0, 0.0))
                .normalized_or(Vec3::new(1.0, 0.0, 0.0));
            let up = side.cross(forward);
            let point = |j: usize| {
                let (sin, cos) = sin_cos_turns(j as f32 / segments as f32);
                centre + side * (cos * radius) + up * (sin * radius)
            };
            (0..segments).map(point).collect()
        };
        Self::rings(&way.iter().enumerate().map(ring).collect::<Vec<_>>())
    }
}
