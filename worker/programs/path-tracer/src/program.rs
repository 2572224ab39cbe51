//! The program as a function: arguments and standard input in, standard output out.

use std::fmt;

use crate::bundle::{Bundle, BundleError};
use crate::render::render_tile;
use crate::scene::{Scene, SceneError};
use crate::tile::{Frame, TILE_MAGIC, Tile, TileError, TileRequest};

/// How the program is called.
pub const USAGE: &str = "\
usage: path-tracer [--tile X,Y,WIDTH,HEIGHT] [--size WIDTHxHEIGHT] [--samples N] [--seed N]

Reads a tile request and scene bundle, or with --size a bundle alone, from standard input, and
writes the tile's pixels (RGB, 8 bits, sRGB, row by row) to standard output. Options override what
the request says; without --tile, --size renders the whole frame.";

/// Why the program gives no pixels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProgramError {
    /// An option that the program does not know.
    UnknownOption {
        /// As given.
        option: String,
    },
    /// An option without its value.
    MissingValue {
        /// Which option.
        option: &'static str,
    },
    /// A value that the option cannot take.
    BadValue {
        /// Which option.
        option: &'static str,
        /// As given.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
    /// The input is a bundle alone, and the arguments do not say what to render.
    MissingSize,
    /// The tile or its frame cannot be rendered.
    Tile(TileError),
    /// What should be a bundle is none.
    Bundle(BundleError),
    /// The bundle's scene cannot be used.
    Scene(SceneError),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption { option } => {
                write!(
                    f,
                    "unknown option `{option}`: use --tile, --size, --samples or --seed"
                )
            }
            Self::MissingValue { option } => write!(f, "{option} needs a value"),
            Self::BadValue {
                option,
                value,
                expected,
            } => {
                write!(
                    f,
                    "bad value `{value}` for {option}: write it as {expected}"
                )
            }
            Self::MissingSize => write!(
                f,
                "the input is a scene bundle without a tile request: add --size WIDTHxHEIGHT"
            ),
            Self::Tile(source) => source.fmt(f),
            Self::Bundle(source) => source.fmt(f),
            Self::Scene(source) => source.fmt(f),
        }
    }
}

impl std::error::Error for ProgramError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Tile(source) => Some(source),
            Self::Bundle(source) => Some(source),
            Self::Scene(source) => Some(source),
            _ => None,
        }
    }
}

/// What the arguments ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    tile: Option<Tile>,
    size: Option<(u32, u32)>,
    samples: Option<u32>,
    seed: Option<u32>,
}

/// Renders what the arguments (without the program's name) and the input ask for.
///
/// # Errors
/// When they cannot be understood or are outside their limits; hostile input is no exception.
pub fn run<S: AsRef<str>>(
    arguments: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Result<Vec<u8>, ProgramError> {
    let options = Options::parse(arguments)?;
    let (request, bundle) = options.apply(input)?;
    let bundle = Bundle::parse(bundle).map_err(ProgramError::Bundle)?;
    let scene = Scene::load(&bundle).map_err(ProgramError::Scene)?;
    Ok(render_tile(&scene, &request))
}

impl Options {
    fn parse<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Result<Self, ProgramError> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(option) = arguments.next() {
            let mut next = |option| {
                arguments
                    .next()
                    .map(|value| value.as_ref().to_owned())
                    .ok_or(ProgramError::MissingValue { option })
            };
            match option.as_ref() {
                "--tile" => {
                    let [x, y, width, height] =
                        numbers("--tile", &next("--tile")?, ',', "X,Y,WIDTH,HEIGHT")?;
                    options.tile = Some(Tile {
                        x,
                        y,
                        width,
                        height,
                    });
                }
                "--size" => {
                    let [width, height] = numbers("--size", &next("--size")?, 'x', "WIDTHxHEIGHT")?;
                    options.size = Some((width, height));
                }
                "--samples" => {
                    let [samples] = numbers("--samples", &next("--samples")?, ',', "a number")?;
                    options.samples = Some(samples);
                }
                "--seed" => {
                    let [seed] = numbers("--seed", &next("--seed")?, ',', "a number")?;
                    options.seed = Some(seed);
                }
                unknown => {
                    let option = unknown.chars().take(60).collect();
                    return Err(ProgramError::UnknownOption { option });
                }
            }
        }
        Ok(options)
    }

    /// The request to render and the bundle to render it from.
    fn apply(self, input: &[u8]) -> Result<(TileRequest, &[u8]), ProgramError> {
        let (asked, bundle) = if input.starts_with(&TILE_MAGIC) {
            let (request, bundle) = TileRequest::parse(input).map_err(ProgramError::Tile)?;
            (Some(request), bundle)
        } else {
            (None, input)
        };
        let asked_frame = asked.map(|request| request.frame());
        let size = self
            .size
            .or(asked_frame.map(|frame| (frame.width, frame.height)));
        let (width, height) = size.ok_or(ProgramError::MissingSize)?;
        let samples = self.samples.or(asked_frame.map(|frame| frame.samples));
        let seed = self.seed.or(asked_frame.map(|frame| frame.seed));
        let frame = Frame {
            width,
            height,
            samples: samples.unwrap_or(DEFAULT_SAMPLES),
            seed: seed.unwrap_or(0),
        };
        // A new size makes the tile of the request meaningless.
        let asked_tile = asked
            .filter(|_| self.size.is_none())
            .map(|request| request.tile());
        let tile = self.tile.or(asked_tile).unwrap_or_else(|| frame.whole());
        let request = TileRequest::new(frame, tile).map_err(ProgramError::Tile)?;
        Ok((request, bundle))
    }
}

/// Samples for each pixel when neither request nor arguments say.
const DEFAULT_SAMPLES: u32 = 16;

fn numbers<const N: usize>(
    option: &'static str,
    value: &str,
    separator: char,
    expected: &'static str,
) -> Result<[u32; N], ProgramError> {
    let parsed: Option<Vec<u32>> = value
        .split(separator)
        .map(|part| part.parse().ok())
        .collect();
    parsed
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| ProgramError::BadValue {
            option,
            value: value.chars().take(60).collect(),
            expected,
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use crate::tile::tile_input;

    fn bundle() -> Vec<u8> {
        let text = b"quern-scene 1\ncamera position=0,0,5 look_at=0,0,0\nmaterial m diffuse\n\
            sphere centre=0,0,0 radius=1 material=m\n";
        Bundle::from_files([("a.scene", &text[..])])
            .unwrap()
            .to_bytes()
    }

    const FRAME: Frame = Frame {
        width: 16,
        height: 8,
        samples: 2,
        seed: 3,
    };
    const TILE: Tile = Tile {
        x: 4,
        y: 2,
        width: 8,
        height: 4,
    };

    fn error(arguments: &[&str], input: &[u8]) -> ProgramError {
        run(arguments, input).unwrap_err()
    }

    #[test]
    fn arguments_say_the_same_as_a_request() {
        let request = TileRequest::new(FRAME, TILE).unwrap();
        let by_request = run([] as [&str; 0], &tile_input(&bundle(), &request)).unwrap();
        assert_eq!(by_request.len(), TILE.byte_count());
        let arguments = [
            "--size",
            "16x8",
            "--tile",
            "4,2,8,4",
            "--samples",
            "2",
            "--seed",
            "3",
        ];
        assert_eq!(run(arguments, &bundle()).unwrap(), by_request);
    }

    #[test]
    fn arguments_override_the_request() {
        let request = TileRequest::new(FRAME, TILE).unwrap();
        let input = tile_input(&bundle(), &request);
        assert_eq!(run(["--tile", "0,0,2,3"], &input).unwrap().len(), 18);
        assert_eq!(run(["--size", "5x4"], &input).unwrap().len(), 60);
        assert_ne!(
            run(["--seed", "4"], &input).unwrap(),
            run(["--seed", "3"], &input).unwrap()
        );
    }

    #[test]
    fn bad_arguments_are_named_with_their_mend() {
        let unknown = ProgramError::UnknownOption {
            option: "--fast".into(),
        };
        assert_eq!(error(&["--fast"], &bundle()), unknown);
        assert_eq!(
            error(&["--tile"], &bundle()),
            ProgramError::MissingValue { option: "--tile" }
        );
        for (option, value) in [
            ("--tile", "1,2,3"),
            ("--tile", "1,2,3,x"),
            ("--tile", "1,2,3,4,5"),
            ("--tile", "-1,2,3,4"),
            ("--size", "10"),
            ("--size", "10x99999999999"),
            ("--samples", ""),
        ] {
            let error = error(&[option, value], &bundle());
            assert!(matches!(&error, ProgramError::BadValue { value: v, .. } if v == value));
            assert!(error.to_string().contains(option));
        }
        assert_eq!(error(&[], &bundle()), ProgramError::MissingSize);
        let huge = error(&["--size", "16384x16384"], &bundle());
        assert!(matches!(
            huge,
            ProgramError::Tile(TileError::TooManyPixels { .. })
        ));
    }

    #[test]
    fn bad_input_is_refused_layer_by_layer() {
        let size = ["--size", "4x4"];
        assert_eq!(
            error(&size, b""),
            ProgramError::Bundle(BundleError::NotABundle)
        );
        assert_eq!(
            error(&size, &TILE_MAGIC),
            ProgramError::Tile(TileError::Truncated)
        );
        let empty = Bundle::from_files([("a", &b""[..])]).unwrap().to_bytes();
        assert!(matches!(error(&size, &empty), ProgramError::Scene(_)));
    }
}
