//! The scene that the demo renders, as its files stand in the repository.

#![allow(clippy::unwrap_used)]

#[path = "../examples/make_scene/files/mod.rs"]
mod files;

use std::path::PathBuf;

use quern_path_tracer::bundle::{Bundle, pack};
use quern_path_tracer::tile::{Frame, Tile, TileRequest};
use quern_path_tracer::{Scene, render_tile};

/// What every one of the demo's tasks has to carry.
const BUNDLE_BYTES_MAX: usize = 1_500_000;

/// Where the scene is. Asked of cargo when the test runs: a kept program may be of another clone.
fn folder() -> PathBuf {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    package.join("../../../tests/demo/scene")
}

#[test]
fn generated_files_of_the_scene_are_current() {
    for (name, content) in files::files() {
        let stored = std::fs::read(folder().join(name)).unwrap();
        assert!(
            stored == content,
            "{name} differs: run the example make_scene on its folder"
        );
    }
}

#[test]
fn scene_loads_and_shows_something() {
    let bytes = pack(&folder().join("quern.scene")).unwrap();
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
