//! Binary portable pixmaps (`P6`), the one image format that needs no decoder.

use std::fmt;

/// The most pixels a texture may have.
pub const TEXTURE_PIXELS_MAX: usize = 1 << 24;

/// An image of eight-bit sRGB colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels in a row; at least one.
    pub width: usize,
    /// Rows; at least one.
    pub height: usize,
    /// Red, green, blue of each pixel, row by row from the top: `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

/// Why bytes are no image that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PpmError {
    /// The first two bytes are not `P6`.
    NotBinaryPpm,
    /// The header ends early or holds something that is no number.
    BadHeader,
    /// Only 8 bits a channel are read.
    UnsupportedDepth {
        /// The largest channel value the header announces.
        maximum: usize,
    },
    /// Width or height is zero, or the image has more than [`TEXTURE_PIXELS_MAX`] pixels.
    BadSize {
        /// The width announced.
        width: usize,
        /// The height announced.
        height: usize,
    },
    /// There are fewer bytes of pixels than the size asks for.
    Truncated {
        /// Bytes that the size asks for.
        expected_bytes: usize,
        /// Bytes that are there.
        found_bytes: usize,
    },
}

impl fmt::Display for PpmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBinaryPpm => write!(f, "not a binary pixmap: save the image as PPM, type P6"),
            Self::BadHeader => {
                write!(
                    f,
                    "bad pixmap header: expected `P6 WIDTH HEIGHT 255` and one blank"
                )
            }
            Self::UnsupportedDepth { maximum } => {
                write!(
                    f,
                    "channel maximum {maximum} is not supported: save with 8 bits a channel"
                )
            }
            Self::BadSize { width, height } => write!(
                f,
                "{width}x{height} pixels cannot be used: give 1 to {TEXTURE_PIXELS_MAX} pixels"
            ),
            Self::Truncated {
                expected_bytes,
                found_bytes,
            } => write!(
                f,
                "pixmap is cut short: {found_bytes} of {expected_bytes} bytes of pixels; save it again"
            ),
        }
    }
}

impl std::error::Error for PpmError {}

impl RgbImage {
    /// Reads a binary pixmap. Bytes after the pixels are ignored.
    ///
    /// # Errors
    /// See [`PpmError`]; nothing is allocated before the size is known to be within limits and
    /// the pixels to be there.
    pub fn from_ppm(bytes: &[u8]) -> Result<Self, PpmError> {
        let rest = bytes.strip_prefix(b"P6").ok_or(PpmError::NotBinaryPpm)?;
        let (width, rest) = header_number(rest)?;
        let (height, rest) = header_number(rest)?;
        let (maximum, rest) = header_number(rest)?;
        let [blank, data @ ..] = rest else {
            return Err(PpmError::BadHeader);
        };
        if !blank.is_ascii_whitespace() {
            return Err(PpmError::BadHeader);
        }
        if maximum != 255 {
            return Err(PpmError::UnsupportedDepth { maximum });
        }
        let pixels = width
            .checked_mul(height)
            .filter(|n| (1..=TEXTURE_PIXELS_MAX).contains(n));
        let Some(pixels) = pixels else {
            return Err(PpmError::BadSize { width, height });
        };
        let expected_bytes = pixels * 3;
        let data = data.get(..expected_bytes).ok_or(PpmError::Truncated {
            expected_bytes,
            found_bytes: data.len(),
        })?;
        Ok(Self {
            width,
            height,
            pixels: data.to_vec(),
        })
    }

    /// Writes a binary pixmap.
    #[must_use]
    pub fn to_ppm(&self) -> Vec<u8> {
        let mut bytes = format!("P6\n{} {}\n255\n", self.width, self.height).into_bytes();
        bytes.extend_from_slice(&self.pixels);
        bytes
    }
}

/// Skips blanks and `#` comments, then reads decimal digits.
fn header_number(mut bytes: &[u8]) -> Result<(usize, &[u8]), PpmError> {
    loop {
        match bytes {
            [b'#', ..] => {
                let end = bytes
                    .iter()
                    .position(|&b| b == b'\n')
                    .ok_or(PpmError::BadHeader)?;
                bytes = bytes.get(end..).unwrap_or_default();
            }
            [blank, rest @ ..] if blank.is_ascii_whitespace() => bytes = rest,
            _ => break,
        }
    }
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at(digits);
    let number = std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse().ok());
    number
        .map(|number| (number, rest))
        .ok_or(PpmError::BadHeader)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let image = RgbImage {
            width: 2,
            height: 1,
            pixels: vec![1, 2, 3, 255, 0, 9],
        };
        assert_eq!(RgbImage::from_ppm(&image.to_ppm()).unwrap(), image);
    }

    #[test]
    fn comments_in_the_header_are_skipped() {
        let image = RgbImage::from_ppm(b"P6 # one\n1 # by\n1\n255 abc").unwrap();
        assert_eq!(image.pixels, b"abc");
    }

    #[test]
    fn bad_images_are_refused_with_their_reason() {
        let error = |bytes: &[u8]| RgbImage::from_ppm(bytes).unwrap_err();
        assert_eq!(error(b"P3 1 1 255 "), PpmError::NotBinaryPpm);
        assert_eq!(error(b""), PpmError::NotBinaryPpm);
        assert_eq!(error(b"P6 1 # no end"), PpmError::BadHeader);
        assert_eq!(error(b"P6 1 1 255"), PpmError::BadHeader);
        assert_eq!(
            error(b"P6 1 1 65535 "),
            PpmError::UnsupportedDepth { maximum: 65535 }
        );
        assert_eq!(
            error(b"P6 0 4 255 "),
            PpmError::BadSize {
                width: 0,
                height: 4
            }
        );
        let huge = PpmError::BadSize {
            width: 4_000_000_000,
            height: 4_000_000_000,
        };
        assert_eq!(error(b"P6 4000000000 4000000000 255 "), huge);
        let cut = PpmError::Truncated {
            expected_bytes: 12,
            found_bytes: 2,
        };
        assert_eq!(error(b"P6 2 2 255 ab"), cut);
    }
}
