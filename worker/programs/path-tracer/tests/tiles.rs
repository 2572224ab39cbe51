//! Tiles are independent: however a picture is cut, it comes out the same.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use quern_path_tracer::bundle::{Bundle, pack};
use quern_path_tracer::program;
use quern_path_tracer::tile::{Frame, TileRequest, assemble, tile_input, tiles};
use quern_path_tracer::{Scene, render_reference, render_tile};

const SCENE: &str = "quern-scene 1
    render filter=3 filter_strength=1
    camera position=0,2,6 look_at=0,0.8,0 fov=40 aperture=0.3
    sky sun_direction=1,2,1 sun_irradiance=3 sun_size=4 glow=0.5,0.4,0.2
    texture wood wood plank=0.7 scale=0.8
    material floor coated texture=wood roughness=0.3 bump=wood bump_depth=0.02
    material glass glass ior=1.5 absorption=0.2,0.1,0.4
    material gold metal colour=1,0.8,0.3 roughness=0.2
    material lamp emissive radiance=20,12,6
    plane point=0,0,0 material=floor
    sphere centre=-1.1,1,0 radius=1 material=glass
    sphere centre=-3,4,2 radius=0.5 material=lamp
    mesh file=gem.obj material=gold move=1.2,1,0 rotate=0,20,15 smooth=30
    mesh file=gem.obj material=gold move=0.2,0.3,1.5 scale=0.3
    mesh file=gem.obj material=glass move=2.2,0.3,1.5 scale=0.3";

const GEM: &str = "v 1 0 0\nv -1 0 0\nv 0 1 0\nv 0 -1 0\nv 0 0 1\nv 0 0 -1\n\
    f 1 3 5\nf 3 2 5\nf 2 4 5\nf 4 1 5\nf 3 1 6\nf 2 3 6\nf 4 2 6\nf 1 4 6\n";

fn bundle() -> Vec<u8> {
    let files = [("a.scene", SCENE.as_bytes()), ("gem.obj", GEM.as_bytes())];
    Bundle::from_files(files).unwrap().to_bytes()
}

#[test]
fn assembled_tiles_are_the_whole_picture_however_it_is_cut() {
    let bytes = bundle();
    let scene = Scene::load(&Bundle::parse(&bytes).unwrap()).unwrap();
    let frame = Frame {
        width: 53,
        height: 31,
        samples: 4,
        seed: 7,
    };
    let whole = render_reference(&bytes, frame).unwrap();
    for (width, height) in [(53, 31), (16, 9), (7, 31), (53, 1), (3, 5)] {
        let cut = tiles(frame.width, frame.height, width, height);
        let pieces = cut.into_iter().rev().map(|tile| {
            let request = TileRequest::new(frame, tile).unwrap();
            (tile, render_tile(&scene, &request))
        });
        let assembled = assemble(frame.width, frame.height, pieces).unwrap();
        assert!(
            assembled == whole,
            "tiles of {width}x{height} make another picture"
        );
    }
    let other = render_reference(&bytes, Frame { seed: 8, ..frame }).unwrap();
    assert!(other != whole, "the seed makes no difference");
}

#[test]
fn program_renders_what_the_library_renders() {
    let bytes = bundle();
    let frame = Frame {
        width: 40,
        height: 24,
        samples: 2,
        seed: 1,
    };
    let pieces = tiles(40, 24, 13, 24).into_iter().map(|tile| {
        let input = tile_input(&bytes, &TileRequest::new(frame, tile).unwrap());
        (tile, program::run([] as [&str; 0], &input).unwrap())
    });
    let assembled = assemble(40, 24, pieces.collect::<Vec<_>>()).unwrap();
    assert!(assembled == render_reference(&bytes, frame).unwrap());
}

#[test]
fn scene_packed_from_disk_is_read_with_all_its_files() {
    let folder = std::env::temp_dir().join(format!("quern-pack-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("parts")).unwrap();
    let text = "quern-scene 1\ncamera position=0,0,5 look_at=0,0,0\ninclude file=parts/b.scene\n";
    std::fs::write(folder.join("a.scene"), text).unwrap();
    let part =
        "texture t image file=t.ppm\nmaterial m diffuse texture=t\nmesh file=gem.obj material=m\n";
    std::fs::write(folder.join("parts/b.scene"), part).unwrap();
    std::fs::write(folder.join("t.ppm"), b"P6 1 1 255 abc").unwrap();
    let incomplete = pack(&folder.join("a.scene")).unwrap_err().to_string();
    std::fs::write(folder.join("gem.obj"), GEM).unwrap();
    let packed = pack(&folder.join("a.scene"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(incomplete.contains("gem.obj"), "{incomplete}");
    let bytes = packed.unwrap();
    let bundle = Bundle::parse(&bytes).unwrap();
    assert_eq!(bundle.scene().0, "a.scene");
    assert!(Scene::load(&bundle).is_ok());
}

#[test]
fn packing_refuses_files_outside_of_the_scenes_folder() {
    let name = format!("quern-outside-{}.scene", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, "mesh file=../../etc/passwd material=m\n").unwrap();
    let error = pack(Path::new(&path));
    std::fs::remove_file(&path).unwrap();
    assert!(error.is_err());
}
