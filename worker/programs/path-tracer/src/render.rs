//! From a scene and a tile to pixels.

use crate::bundle::{Bundle, BundleError};
use crate::bvh::Stack;
use crate::film::encode;
use crate::filter::{Features, Rectangle, filtered, margin};
use crate::math::{Vec3, max};
use crate::sampler::{Sampler, hilbert_index};
use crate::scene::{Scene, SceneError};
use crate::tile::{AssembleError, Frame, TileError, TileRequest, assemble, tiles};
use crate::trace::{PathSample, trace};

use std::fmt;

/// The side of the tiles that a reference picture is rendered in.
const REFERENCE_TILE_SIDE: u32 = 256;

/// Why there is no reference picture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The bytes are no bundle.
    Bundle(BundleError),
    /// The bundle's scene cannot be used.
    Scene(SceneError),
    /// The frame's numbers are outside their limits.
    Frame(TileError),
    /// The tiles do not fit together.
    Assemble(AssembleError),
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle(_) => write!(f, "cannot read the bundle"),
            Self::Scene(_) => write!(f, "cannot read the scene"),
            Self::Frame(_) => write!(f, "cannot render such a frame"),
            Self::Assemble(_) => write!(f, "cannot put the tiles together"),
        }
    }
}

impl std::error::Error for ReferenceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Bundle(source) => source,
            Self::Scene(source) => source,
            Self::Frame(source) => source,
            Self::Assemble(source) => source,
        })
    }
}

/// A rectangle of a frame, as rendered so far: the tile and what its noise filter looks at.
struct Region {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// Renders a tile: red, green, blue of each pixel, eight bits, sRGB, row by row from the top.
#[must_use]
pub fn render_tile(scene: &Scene, request: &TileRequest) -> Vec<u8> {
    let (frame, tile) = (request.frame(), request.tile());
    let mut stack = Stack::new();
    let region = Region::around(request, margin(scene.render.filter_radius));
    let pixels: Vec<Features> = region
        .pixels()
        .map(|(x, y)| pixel(scene, &frame, x, y, &mut stack))
        .collect();
    let light: Vec<Vec3> = match scene.render.filter_radius {
        0 => pixels.iter().map(|pixel| pixel.light).collect(),
        radius => {
            let core = Rectangle {
                left: (tile.x - region.left) as usize,
                top: (tile.y - region.top) as usize,
                width: tile.width as usize,
                height: tile.height as usize,
            };
            let strength = scene.render.filter_strength;
            filtered(&pixels, region.width as usize, core, radius, strength)
        }
    };
    light
        .iter()
        .flat_map(|light| encode(*light, scene.render.exposure))
        .collect()
}

/// Renders a whole picture in this process: byte for byte what the tiles assemble to, whatever
/// they are.
///
/// # Errors
/// When the bundle, its scene or the frame cannot be used.
pub fn render_reference(bundle: &[u8], frame: Frame) -> Result<Vec<u8>, ReferenceError> {
    let bundle = Bundle::parse(bundle).map_err(ReferenceError::Bundle)?;
    let scene = Scene::load(&bundle).map_err(ReferenceError::Scene)?;
    let (width, height) = (frame.width, frame.height);
    let mut pieces = Vec::new();
    let side = REFERENCE_TILE_SIDE;
    // A frame that is out of limits is refused here, before it is cut.
    let first = crate::tile::Tile {
        x: 0,
        y: 0,
        width: side.min(width),
        height: side.min(height),
    };
    TileRequest::new(frame, first).map_err(ReferenceError::Frame)?;
    for tile in tiles(width, height, side, side) {
        let request = TileRequest::new(frame, tile).map_err(ReferenceError::Frame)?;
        pieces.push((tile, render_tile(&scene, &request)));
    }
    assemble(width, height, pieces).map_err(ReferenceError::Assemble)
}

impl Region {
    fn around(request: &TileRequest, margin: u32) -> Self {
        let (frame, tile) = (request.frame(), request.tile());
        let (left, top) = (tile.x.saturating_sub(margin), tile.y.saturating_sub(margin));
        Self {
            left,
            top,
            width: (tile.x + tile.width + margin).min(frame.width) - left,
            height: (tile.y + tile.height + margin).min(frame.height) - top,
        }
    }

    fn pixels(&self) -> impl Iterator<Item = (u32, u32)> {
        let columns = self.left..self.left + self.width;
        (self.top..self.top + self.height).flat_map(move |y| columns.clone().map(move |x| (x, y)))
    }
}

/// The mean of all paths through a pixel.
fn pixel(scene: &Scene, frame: &Frame, x: u32, y: u32, stack: &mut Stack) -> Features {
    let order = 32
        - frame
            .width
            .max(frame.height)
            .saturating_sub(1)
            .leading_zeros();
    let hilbert = hilbert_index(x, y, order);
    let (aspect, scale) = (
        frame.width as f32 / frame.height as f32,
        2.0 / frame.height as f32,
    );
    let mut sums = Sums::default();
    for sample in 0..frame.samples {
        let mut sampler = Sampler::new(hilbert, sample, frame.samples, frame.seed);
        let (u, v) = sampler.next_2d();
        let film_x = (x as f32 + 0.5 + tent(u)) * scale - aspect;
        let film_y = 1.0 - (y as f32 + 0.5 + tent(v)) * scale;
        let ray = scene.camera.ray(film_x, film_y, sampler.next_2d());
        sums.add(&trace(scene, ray, &mut sampler, stack));
    }
    sums.features(frame.samples)
}

/// Sums over the samples of a pixel, and sums of squares.
#[derive(Default)]
struct Sums {
    light: Vec3,
    albedo: Vec3,
    normal: Vec3,
    nearness: f32,
    luminance_squared: f32,
    albedo_squared: f32,
    normal_squared: f32,
    nearness_squared: f32,
}

impl Sums {
    fn add(&mut self, seen: &PathSample) {
        self.light += seen.light;
        self.albedo += seen.albedo;
        self.normal += seen.normal;
        self.nearness += seen.nearness;
        let luminance = seen.light.luminance();
        self.luminance_squared += luminance * luminance;
        self.albedo_squared += seen.albedo.length_squared();
        self.normal_squared += seen.normal.length_squared();
        self.nearness_squared += seen.nearness * seen.nearness;
    }

    fn features(&self, samples: u32) -> Features {
        let share = 1.0 / samples as f32;
        let (light, albedo, normal) =
            (self.light * share, self.albedo * share, self.normal * share);
        let nearness = self.nearness * share;
        let luminance = light.luminance();
        let variance =
            |squares: f32, mean_squared: f32| max(squares * share - mean_squared, 0.0) * share;
        Features {
            light,
            albedo,
            normal,
            nearness,
            luminance_variance: variance(self.luminance_squared, luminance * luminance),
            albedo_variance: variance(self.albedo_squared, albedo.length_squared()),
            normal_variance: variance(self.normal_squared, normal.length_squared()),
            nearness_variance: variance(self.nearness_squared, nearness * nearness),
        }
    }
}

/// From [0, 1) to offsets within a pixel of the centre, the nearer the likelier: a smooth filter
/// without weights.
fn tent(u: f32) -> f32 {
    let two = 2.0 * u;
    if two < 1.0 {
        two.sqrt() - 1.0
    } else {
        1.0 - (2.0 - two).sqrt()
    }
}
