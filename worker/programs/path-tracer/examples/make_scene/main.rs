//! Makes the meshes, the texture and the scattered grain of the demo's scene:
//! `make_scene FOLDER`. Same program, same files, on every machine.
//!
//! What is composed by hand (camera, light, materials, where things stand) is in the scene file
//! itself, which this program leaves alone.

mod files;

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: make_scene FOLDER")?;
    for (name, content) in files::files() {
        std::fs::write(Path::new(&folder).join(name), content)?;
    }
    Ok(())
}
