//! Packs a scene file and what it refers to: `pack_scene SCENE OUT`.

use std::path::Path;

use quern_path_tracer::bundle::pack;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scene, out] = arguments.as_slice() else {
        return Err("usage: pack_scene SCENE OUT".into());
    };
    std::fs::write(out, pack(Path::new(scene))?)?;
    Ok(())
}
