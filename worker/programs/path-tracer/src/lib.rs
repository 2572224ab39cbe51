//! A path tracer: a scene and a tile in, pixels out.
//!
//! As a program of the grid it reads one task from standard input (a [tile request](tile) and a
//! [scene bundle](bundle)) and writes the tile's pixels to standard output. As a library it makes
//! these inputs, puts the tiles together again, and renders the same picture in one process. It
//! depends on nothing but the standard library, and the pixels are the same bytes natively and in
//! any WebAssembly engine: see [`math`] for what that takes.
//!
//! ```
//! use quern_path_tracer::bundle::Bundle;
//! use quern_path_tracer::tile::{Frame, TileRequest, assemble, tile_input, tiles};
//! use quern_path_tracer::{program, render_reference};
//!
//! let scene = "quern-scene 1
//!     camera position=0,1.5,6 look_at=0,1,0
//!     material red diffuse colour=0.8,0.1,0.1
//!     sphere centre=0,1,0 radius=1 material=red";
//! // A scene on disk, with its meshes and textures: `bundle::pack(path)`.
//! let bundle = Bundle::from_files([("one.scene", scene.as_bytes())])?.to_bytes();
//! let frame = Frame { width: 32, height: 18, samples: 2, seed: 0 };
//!
//! let mut done = Vec::new();
//! for tile in tiles(frame.width, frame.height, 16, 9) {
//!     let input = tile_input(&bundle, &TileRequest::new(frame, tile)?);
//!     // What a device does: no arguments, the input on standard input.
//!     let pixels = program::run(std::iter::empty::<&str>(), &input)?;
//!     done.push((tile, pixels));
//! }
//! let picture = assemble(frame.width, frame.height, done)?;
//! assert_eq!(picture, render_reference(&bundle, frame)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The program
//!
//! `path-tracer [--tile X,Y,WIDTH,HEIGHT] [--size WIDTHxHEIGHT] [--samples N] [--seed N]`. Options
//! override the request; with `--size`, a bundle without a request will do, so that one input can
//! serve all tasks of a job. Faulty input ends it with code 2 and one line on standard error.
//!
//! # The scene file
//!
//! Plain text, one statement a line, `#` starts a comment. Points and directions are three numbers
//! `x,y,z` (y is up), colours three numbers 0 to 1 in linear light or one for all channels; light
//! has no upper end. A name must be defined above its use. What is not given has a default.
//!
//! ```text
//! quern-scene 1                       # always first
//! render exposure=1 bounces=6 clamp=10 filter=4 filter_strength=1
//! camera position=0,2,8 look_at=0,1,0 up=0,1,0 fov=35 aperture=0.2 focus=7.5
//! sky zenith=0.2,0.3,0.6 horizon=0.7 ground=0.1 sun_direction=1,2,1 sun_irradiance=3 sun_size=2
//! texture planks wood low=0.4,0.2,0.1 high=0.2,0.1,0.05 scale=1 along=1,0,0 plank=1.5
//! texture tiles checker low=0.1 high=0.8 scale=0.5
//! texture veins marble low=0.1,0.2,0.15 high=0.9 scale=1 turbulence=4
//! texture photo image file=photo.ppm repeat=2,1,1
//! material table coated texture=planks roughness=0.3 bump=planks bump_depth=0.02
//! material wall diffuse colour=0.8 texture=photo
//! material gold metal colour=1,0.78,0.34 roughness=0.2
//! material glass glass ior=1.5 absorption=0.2,0.05,0.1
//! material lamp emissive radiance=30,22,14
//! plane point=0,0,0 normal=0,1,0 material=table repeat=0.5
//! sphere centre=0,1,0 radius=1 material=glass
//! mesh file=teapot.obj material=gold scale=2 rotate=0,45,0 move=3,0,0 smooth=40
//! include file=more.scene
//! ```
//!
//! | statement | fields |
//! | --- | --- |
//! | `render` | `exposure`; `bounces` of a path at most; `clamp`, the most that one indirect sample may add (takes specks away, and some light of caustics); `filter`, how many pixels around each one the noise filter looks (0 to 8, 0 is off), and `filter_strength` |
//! | `camera` | `fov` from bottom to top in degrees; `aperture`, the lens's diameter (0 makes all sharp); `focus`, the distance that is sharp (that of `look_at`) |
//! | `sky` | colours overhead, at the horizon and below it; `glow` around the sun; the sun's light on a surface that faces it, and its diameter in degrees |
//! | `texture` | `image` (binary PPM; `repeat` along u and v) or a pattern that fills space between the colours `low` and `high`: `checker`, `marble`, `noise`, `granite`, `wood` (grain `along` an axis, `plank` wide or 0) |
//! | `material` | `diffuse`; `metal` and `coated` (a clear coat over a diffuse base) with `roughness` 0 to 1; `glass`; `emissive`. `texture` multiplies `colour`; `bump` bends the surface by a pattern, `bump_depth` deep |
//! | `mesh` | an OBJ file ([`obj`]), scaled, turned by degrees about z, then x, then y (`rotate=x,y,z`), moved; `smooth` rounds edges below so many degrees where the file has no normals. A mesh placed often is kept once |
//! | `include` | a file of further statements, without header |
//!
//! What a scene may hold is bounded by the constants of [`scene`], [`obj`], [`ppm`] and
//! [`bundle`]; errors name the file, the line and the mend.
//!
//! # How it renders
//!
//! Paths are followed from the eye, with lights both aimed at and met by chance, weighed against
//! each other; paths that carry little end by lot. Samples come from one Owen-scrambled Sobol
//! sequence along a Hilbert curve over the whole frame, so that what noise remains is even and
//! fine, and a filter guided by what is seen in each pixel removes most of it. Every pixel depends
//! on the frame, the scene and its own place alone: for the filter, a tile also renders a small
//! margin around itself.

mod bvh;
mod camera;
mod film;
mod filter;
mod geometry;
mod lanes;
mod light;
mod material;
mod noise;
mod render;
mod sampler;
mod shape;
mod texture;
mod trace;

pub mod bundle;
pub mod math;
pub mod obj;
pub mod ppm;
pub mod program;
pub mod scene;
pub mod tile;

pub use render::{ReferenceError, render_reference, render_tile};
pub use scene::Scene;
