//! The picture: its scene, its tiles, and putting them together.

use anyhow::Context as _;
use quern_path_tracer::{
    bundle, render_reference,
    tile::{self, Frame, Tile, TileRequest},
};
use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

/// Samples of each pixel.
pub(crate) const SAMPLES: u32 = 24;

/// Fuel one tile may use; several times what the most expensive one needs.
pub(crate) const FUEL_PER_TASK_MAX: u64 = 45_000_000_000;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const TILE_WIDTH: u32 = 128;
const TILE_HEIGHT: u32 = 90;
const SEED: u32 = 2018;

/// The picture of the demo.
#[derive(Clone)]
pub(crate) struct Picture {
    bundle: Vec<u8>,
    frame: Frame,
}

impl Picture {
    pub(crate) fn load(samples: u32) -> anyhow::Result<Self> {
        let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("scene/quern.scene");
        let bundle =
            bundle::pack(&scene).with_context(|| format!("cannot pack {}", scene.display()))?;
        let frame = Frame {
            width: WIDTH,
            height: HEIGHT,
            samples,
            seed: SEED,
        };
        Ok(Self { bundle, frame })
    }

    pub(crate) fn tiles(&self) -> Vec<Tile> {
        tile::tiles(WIDTH, HEIGHT, TILE_WIDTH, TILE_HEIGHT)
    }

    /// Writes the input of each tile, in task order.
    pub(crate) fn write_inputs(&self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let write = |(number, tile): (usize, Tile)| {
            let request = TileRequest::new(self.frame, tile)?;
            let path = folder.join(format!("tile-{number:03}"));
            std::fs::write(&path, tile::tile_input(&self.bundle, &request))?;
            Ok(path)
        };
        self.tiles().into_iter().enumerate().map(write).collect()
    }

    /// The picture's pixels from those of the tiles, one behind the other.
    pub(crate) fn assemble(&self, mut pixels: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut parts = Vec::new();
        for tile in self.tiles() {
            let (part, rest) = pixels
                .split_at_checked(tile.byte_count())
                .context("the result is too short")?;
            parts.push((tile, part));
            pixels = rest;
        }
        Ok(tile::assemble(WIDTH, HEIGHT, parts)?)
    }

    /// The same picture, rendered in one process outside the grid.
    pub(crate) fn reference(&self) -> anyhow::Result<Vec<u8>> {
        Ok(render_reference(&self.bundle, self.frame)?)
    }

    pub(crate) fn save(&self, pixels: &[u8], path: &Path) -> anyhow::Result<()> {
        let write = || -> anyhow::Result<()> {
            let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), WIDTH, HEIGHT);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_depth(png::BitDepth::Eight);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(pixels)?;
            Ok(writer.finish()?)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}
