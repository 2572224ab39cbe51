//! Tiles: the tasks that a picture is cut into, and how they become a picture again.
//!
//! A task's input is a request followed by a scene [bundle](crate::bundle):
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `QRNTILE1` |
//! | 4 x 4 | the frame: width, height, samples for each pixel, seed |
//! | 4 x 4 | the tile: x, y, width, height in pixels, from the frame's top left |
//!
//! Numbers are little-endian. A task's output is the tile's pixels: red, green, blue, eight bits
//! each, sRGB, row by row from the top.

use std::fmt;

use crate::bundle::take_u32;

/// The first bytes of a task's input: what it is, and which version.
pub const TILE_MAGIC: [u8; 8] = *b"QRNTILE1";
/// The most pixels along a side of a frame.
pub const FRAME_SIDE_MAX: u32 = 16_384;
/// The most pixels of a tile.
pub const TILE_PIXELS_MAX: u32 = 1 << 22;
/// The most samples for each pixel.
pub const SAMPLES_MAX: u32 = 1 << 16;
/// Bytes of a request, before the bundle.
pub const REQUEST_BYTES: usize = 40;

/// A whole picture. What its pixels show depends on all of these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Paths through each pixel; powers of two are distributed best.
    pub samples: u32,
    /// Another seed gives other noise.
    pub seed: u32,
}

/// A rectangle of a picture's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Pixels left of the tile.
    pub x: u32,
    /// Rows above the tile.
    pub y: u32,
    /// Pixels in a row of the tile.
    pub width: u32,
    /// Rows of the tile.
    pub height: u32,
}

/// A frame and a tile of it that are within all limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileRequest {
    frame: Frame,
    tile: Tile,
}

/// Why a frame or tile cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TileError {
    /// The input starts with something else than [`TILE_MAGIC`].
    NotARequest,
    /// The input ends within the request.
    Truncated,
    /// Width or height is zero or above [`FRAME_SIDE_MAX`].
    BadFrameSize {
        /// The width asked for.
        width: u32,
        /// The height asked for.
        height: u32,
    },
    /// No samples, or more than [`SAMPLES_MAX`].
    BadSamples {
        /// The number asked for.
        samples: u32,
    },
    /// The tile is empty or reaches out of the frame.
    OutsideFrame {
        /// The tile asked for.
        tile: Tile,
        /// The frame it should lie in.
        frame: Frame,
    },
    /// The tile has more than [`TILE_PIXELS_MAX`] pixels.
    TooManyPixels {
        /// How many it has.
        pixels: u64,
    },
}

/// Why tiles do not make a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssembleError {
    /// The picture's size is not within limits.
    Frame(TileError),
    /// A tile reaches out of the picture.
    OutsideFrame {
        /// Which.
        tile: Tile,
    },
    /// A tile has the wrong number of bytes.
    WrongLength {
        /// Which.
        tile: Tile,
        /// Three for each pixel.
        expected_bytes: usize,
        /// How many there are.
        found_bytes: usize,
    },
    /// A tile covers pixels that another one has given already.
    Overlap {
        /// The later one.
        tile: Tile,
    },
    /// Pixels that no tile covers.
    Missing {
        /// How many.
        pixels: usize,
    },
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.x, self.y, self.width, self.height)
    }
}

impl fmt::Display for TileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARequest => {
                write!(f, "not a tile request: make the input with `tile_input`")
            }
            Self::Truncated => write!(f, "the tile request is cut short: send all of its bytes"),
            Self::BadFrameSize { width, height } => write!(
                f,
                "a frame of {width}x{height} pixels: give each side 1 to {FRAME_SIDE_MAX}"
            ),
            Self::BadSamples { samples } => {
                write!(
                    f,
                    "{samples} samples for each pixel: give 1 to {SAMPLES_MAX}"
                )
            }
            Self::OutsideFrame { tile, frame } => write!(
                f,
                "tile {tile} is empty or outside of the frame: keep within {}x{} pixels",
                frame.width, frame.height
            ),
            Self::TooManyPixels { pixels } => {
                write!(
                    f,
                    "a tile of {pixels} pixels: cut it into ones below {TILE_PIXELS_MAX}"
                )
            }
        }
    }
}

impl std::error::Error for TileError {}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(_) => write!(f, "no picture has this size"),
            Self::OutsideFrame { tile } => {
                write!(
                    f,
                    "tile {tile} is outside of the picture: use the size it was cut from"
                )
            }
            Self::WrongLength {
                tile,
                expected_bytes,
                found_bytes,
            } => write!(
                f,
                "tile {tile} has {found_bytes} bytes instead of {expected_bytes}: compute it again"
            ),
            Self::Overlap { tile } => {
                write!(
                    f,
                    "tile {tile} covers pixels of another one: give each tile once"
                )
            }
            Self::Missing { pixels } => {
                write!(
                    f,
                    "{pixels} pixels are in no tile: give all tiles of the picture"
                )
            }
        }
    }
}

impl std::error::Error for AssembleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Frame(source) => Some(source),
            _ => None,
        }
    }
}

impl Frame {
    /// The tile that is the whole frame.
    #[must_use]
    pub fn whole(&self) -> Tile {
        Tile {
            x: 0,
            y: 0,
            width: self.width,
            height: self.height,
        }
    }

    fn check(&self) -> Result<(), TileError> {
        let side = 1..=FRAME_SIDE_MAX;
        if !side.contains(&self.width) || !side.contains(&self.height) {
            return Err(TileError::BadFrameSize {
                width: self.width,
                height: self.height,
            });
        }
        if !(1..=SAMPLES_MAX).contains(&self.samples) {
            return Err(TileError::BadSamples {
                samples: self.samples,
            });
        }
        Ok(())
    }
}

impl Tile {
    /// How many bytes of pixels the tile has: three for each.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.width as usize * self.height as usize * 3
    }

    fn is_within(&self, width: u32, height: u32) -> bool {
        let fits = |start: u32, count: u32, end: u32| {
            count > 0 && start.checked_add(count).is_some_and(|last| last <= end)
        };
        fits(self.x, self.width, width) && fits(self.y, self.height, height)
    }
}

impl TileRequest {
    /// A request for a tile.
    ///
    /// # Errors
    /// When a number is outside its limit.
    pub fn new(frame: Frame, tile: Tile) -> Result<Self, TileError> {
        frame.check()?;
        if !tile.is_within(frame.width, frame.height) {
            return Err(TileError::OutsideFrame { tile, frame });
        }
        let pixels = u64::from(tile.width) * u64::from(tile.height);
        if pixels > u64::from(TILE_PIXELS_MAX) {
            return Err(TileError::TooManyPixels { pixels });
        }
        Ok(Self { frame, tile })
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// The tile, which lies within the frame.
    #[must_use]
    pub fn tile(&self) -> Tile {
        self.tile
    }

    /// The request's bytes, before the bundle.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; REQUEST_BYTES] {
        let Self { frame: f, tile: t } = self;
        let numbers = [
            f.width, f.height, f.samples, f.seed, t.x, t.y, t.width, t.height,
        ];
        let mut bytes = [0; REQUEST_BYTES];
        let (magic, rest) = bytes.split_at_mut(TILE_MAGIC.len());
        magic.copy_from_slice(&TILE_MAGIC);
        for (place, number) in rest.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads a request and returns it with the bytes after it, which are the bundle's.
    ///
    /// # Errors
    /// When the bytes are no request, or a number is outside its limit.
    pub fn parse(input: &[u8]) -> Result<(Self, &[u8]), TileError> {
        let mut rest = input
            .strip_prefix(&TILE_MAGIC)
            .ok_or(TileError::NotARequest)?;
        let mut next = || take_u32(&mut rest).ok_or(TileError::Truncated);
        let frame = Frame {
            width: next()?,
            height: next()?,
            samples: next()?,
            seed: next()?,
        };
        let tile = Tile {
            x: next()?,
            y: next()?,
            width: next()?,
            height: next()?,
        };
        Ok((Self::new(frame, tile)?, rest))
    }
}

/// A task's input: the request, and the bundle it is about.
#[must_use]
pub fn tile_input(bundle: &[u8], request: &TileRequest) -> Vec<u8> {
    [&request.to_bytes()[..], bundle].concat()
}

/// Cuts a picture into tiles of a size, row by row; those at the right and lower edge may be
/// smaller. A size of zero counts as one pixel.
#[must_use]
pub fn tiles(width: u32, height: u32, tile_width: u32, tile_height: u32) -> Vec<Tile> {
    let (step_x, step_y) = (tile_width.max(1), tile_height.max(1));
    let starts = |end: u32, step: u32| (0..end).step_by(step as usize);
    let row = |y: u32| {
        starts(width, step_x).map(move |x| Tile {
            x,
            y,
            width: step_x.min(width - x),
            height: step_y.min(height - y),
        })
    };
    starts(height, step_y).flat_map(row).collect()
}

/// Puts the tiles of a picture together, in whatever order they come: red, green, blue of each
/// pixel, row by row.
///
/// # Errors
/// When the tiles do not cover every pixel exactly once.
pub fn assemble<P: AsRef<[u8]>>(
    width: u32,
    height: u32,
    tiles: impl IntoIterator<Item = (Tile, P)>,
) -> Result<Vec<u8>, AssembleError> {
    let frame = Frame {
        width,
        height,
        samples: 1,
        seed: 0,
    };
    frame.check().map_err(AssembleError::Frame)?;
    let row_pixels = width as usize;
    let mut picture = vec![0; frame.whole().byte_count()];
    let mut is_given = vec![false; row_pixels * height as usize];
    for (tile, pixels) in tiles {
        let pixels = pixels.as_ref();
        if !tile.is_within(width, height) {
            return Err(AssembleError::OutsideFrame { tile });
        }
        let (expected_bytes, found_bytes) = (tile.byte_count(), pixels.len());
        if expected_bytes != found_bytes {
            return Err(AssembleError::WrongLength {
                tile,
                expected_bytes,
                found_bytes,
            });
        }
        let tile_row_pixels = tile.width as usize;
        let rows = (tile.y as usize..).zip(pixels.chunks_exact(tile_row_pixels * 3));
        for (row, bytes) in rows {
            let start = row * row_pixels + tile.x as usize;
            let given = &mut is_given[start..start + tile_row_pixels];
            if given.contains(&true) {
                return Err(AssembleError::Overlap { tile });
            }
            given.fill(true);
            picture[start * 3..(start + tile_row_pixels) * 3].copy_from_slice(bytes);
        }
    }
    match is_given.iter().filter(|given| !**given).count() {
        0 => Ok(picture),
        pixels => Err(AssembleError::Missing { pixels }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation)]
mod tests;
