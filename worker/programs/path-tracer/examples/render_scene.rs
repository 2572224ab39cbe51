//! Renders a scene file to a PPM image: `render_scene SCENE OUT.ppm [WIDTHxHEIGHT] [SAMPLES]`.

use std::path::Path;

use quern_path_tracer::bundle::pack;
use quern_path_tracer::ppm::RgbImage;
use quern_path_tracer::render_reference;
use quern_path_tracer::tile::Frame;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scene, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: render_scene SCENE OUT.ppm [WIDTHxHEIGHT] [SAMPLES]".into());
    };
    let size = rest.first().map_or("1280x720", String::as_str);
    let (width, height) = size
        .split_once('x')
        .ok_or("write the size as WIDTHxHEIGHT")?;
    let samples = rest.get(1).map_or("16", String::as_str).parse()?;
    let frame = Frame {
        width: width.parse()?,
        height: height.parse()?,
        samples,
        seed: 0,
    };
    let pixels = render_reference(&pack(Path::new(scene))?, frame)?;
    let (width, height) = (frame.width as usize, frame.height as usize);
    std::fs::write(
        out,
        RgbImage {
            width,
            height,
            pixels,
        }
        .to_ppm(),
    )?;
    Ok(())
}
