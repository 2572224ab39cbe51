//! The scene that the demo renders, as its files stand in the repository.

#![allow(clippy::unwrap_used)]

#[path = "../examples/make_scene/files/mod.rs"]
mod files;

use std::path::Path;

use quern_path_tracer::bundle::{Bundle, pack};
use quern_path_tracer::tile::{Frame, Tile, TileRequest};
use quern_path_tracer::{Scene, render_tile};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/demo/scene");

/// What every one of the demo's tasks has to carry.
const BUNDLE_BYTES_MAX: usize = 1_500_000;

#[test]
fn generated_files_of_the_scene_are_current() {
    for (name, content) in files::files() {
        let stored = std::fs::read(Path::new(FOLDER).join(name)).unwrap();
        assert!(
            stored == content,
            "{name} differs: run the example make_scene on its folder"
        );
    }
}

#[test]
fn scene_loads_and_shows_something() {
    let bytes = pack(&Path::new(FOLDER).join("quern.scene")).unwrap();
    assert!(bytes.len() < BUNDLE_BYTES_MAX);
    let scene = Scene::load(&Bundle::parse(&bytes).unwrap()).unwrap();
    let frame = Frame {
        width: 1280,
        height: 720,
        samples: 1,
        seed: 0,
    };
    let tile = Tile {
        x: 600,
        y: 400,
        width: 40,
        height: 20,
    };
    let pixels = render_tile(&scene, &TileRequest::new(frame, tile).unwrap());
    let brightest = pixels.iter().max().unwrap();
    assert!(*brightest > 60, "the middle of the picture is dark");
}
