//! What a chart is drawn on: lines, dashes, dots and words, and their colours.

use plotters::{
    coord::Shift,
    element::DashedPathElement,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::io;

/// Units in a pixel. The library draws to whole units, and whole pixels would make steps.
pub(crate) const UNITS: i32 = 8;
pub(crate) const WIDTH: i32 = 920 * UNITS;
pub(crate) const HEIGHT: i32 = 560 * UNITS;

/// The length of a dash and of the gap behind it.
const DASH: i32 = 5 * UNITS;
const GAP: i32 = 4 * UNITS;

/// Colours of series in turn, told apart by people of any colour vision (after Okabe and Ito).
const SERIES: [RGBColor; 7] = [
    RGBColor(0x00, 0x5f, 0xa3),
    RGBColor(0xd9, 0x82, 0x00),
    RGBColor(0x00, 0x8f, 0x6b),
    RGBColor(0xb8, 0x5c, 0x93),
    RGBColor(0x4f, 0xa8, 0xd8),
    RGBColor(0x6b, 0x6b, 0x6b),
    RGBColor(0x9c, 0x8a, 0x00),
];

/// A place on the paper, in units from the upper left corner.
type Place = (i32, i32);

/// That something is drawn.
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// What something is drawn with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    Plain,
    Faint,
    Grid,
    Limit,
    Series(usize),
}

impl Ink {
    fn colour(self) -> RGBColor {
        match self {
            Self::Plain => RGBColor(0x22, 0x26, 0x2b),
            Self::Faint => RGBColor(0x5f, 0x68, 0x72),
            Self::Grid => RGBColor(0xe6, 0xe9, 0xed),
            Self::Limit => RGBColor(0xc2, 0x41, 0x0c),
            Self::Series(index) => SERIES[index % SERIES.len()],
        }
    }

    /// A stroke so many pixels wide.
    fn stroke(self, pixels: f64) -> ShapeStyle {
        let units = (pixels * f64::from(UNITS)).round();
        self.colour().stroke_width(units as u32)
    }
}

/// What a chart is drawn on.
pub(crate) struct Paper<'a>(DrawingArea<SVGBackend<'a>, Shift>);

/// The SVG of what is drawn on a white paper.
pub(crate) fn svg(
    draw: impl FnOnce(&Paper<'_>) -> Drawn,
) -> Result<String, DrawingAreaErrorKind<io::Error>> {
    let mut svg = String::new();
    let size = (WIDTH.unsigned_abs(), HEIGHT.unsigned_abs());
    let paper = Paper(SVGBackend::with_string(&mut svg, size).into_drawing_area());
    paper.0.fill(&WHITE)?;
    draw(&paper)?;
    paper.0.present()?;
    drop(paper);
    // The view box keeps the units; the size on a page is in pixels.
    let units = format!(r#"width="{WIDTH}" height="{HEIGHT}""#);
    let pixels = format!(r#"width="{}" height="{}""#, WIDTH / UNITS, HEIGHT / UNITS);
    Ok(svg.replacen(&units, &pixels, 1))
}

impl Paper<'_> {
    /// A line through places, so many pixels wide.
    pub(crate) fn line(&self, places: &[Place], ink: Ink, pixels: f64) -> Drawn {
        self.0.draw(&PathElement::new(places, ink.stroke(pixels)))
    }

    /// A dashed straight line.
    pub(crate) fn dashes(&self, from: Place, to: Place, ink: Ink) -> Drawn {
        let line = [from, to].into_iter();
        let style = ink.stroke(1.25);
        self.0.draw(&DashedPathElement::new(line, DASH, GAP, style))
    }

    /// A dot with a white rim.
    pub(crate) fn dot(&self, at: Place, ink: Ink) -> Drawn {
        self.0.draw(&Circle::new(at, 7 * UNITS, WHITE.filled()))?;
        self.0
            .draw(&Circle::new(at, 5 * UNITS, ink.colour().filled()))
    }

    /// Words, so many pixels high, to a side of a place.
    pub(crate) fn text(
        &self,
        words: &str,
        pixels: i32,
        ink: Ink,
        at: Place,
        side: (HPos, VPos),
    ) -> Drawn {
        let font = ("sans-serif", pixels * UNITS).into_font();
        self.write(
            words,
            font.color(&ink.colour()).pos(Pos::new(side.0, side.1)),
            at,
        )
    }

    /// Words in bold letters.
    pub(crate) fn bold(&self, words: &str, pixels: i32, at: Place, side: (HPos, VPos)) -> Drawn {
        let font = ("sans-serif", pixels * UNITS, FontStyle::Bold).into_font();
        let style = font.color(&Ink::Plain.colour());
        self.write(words, style.pos(Pos::new(side.0, side.1)), at)
    }

    /// Words from below to above, around a place.
    pub(crate) fn upwards(&self, words: &str, pixels: i32, at: Place) -> Drawn {
        let font = ("sans-serif", pixels * UNITS).into_font();
        let style = font
            .transform(FontTransform::Rotate270)
            .color(&Ink::Plain.colour());
        self.write(words, style.pos(Pos::new(HPos::Center, VPos::Center)), at)
    }

    fn write(&self, words: &str, style: TextStyle<'_>, at: Place) -> Drawn {
        self.0.draw(&Text::new(words, at, style))
    }
}
