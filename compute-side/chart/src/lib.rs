//! Charts of lines over two axes, as SVG.
//!
//! A chart is described, not drawn: series, a limit that something should keep to, marks on what
//! matters. What it looks like is decided here alone, so that all charts look alike.

mod axis;
mod paper;

pub use axis::{Axis, Scale};

use axis::Span;
use paper::{Drawn, HEIGHT, Ink, Paper, UNITS, WIDTH};
use plotters::style::text_anchor::{HPos, VPos};
use std::error;

/// What the plot leaves free for titles and labels, in units.
const LEFT: i32 = 92 * UNITS;
const RIGHT: i32 = 112 * UNITS;
const TOP: i32 = 104 * UNITS;
const BOTTOM: i32 = 66 * UNITS;

/// How many series a legend names before it begins another line, and how wide each may be.
const LEGEND_COLUMNS: usize = 4;
const LEGEND_WIDTH: i32 = 176 * UNITS;
const LEGEND_LINE: i32 = 17 * UNITS;

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// In bold, above.
    pub title: String,
    /// What it is about, in a line below the title.
    pub subtitle: String,
    /// The axis to the right.
    pub x: Axis,
    /// The axis upwards.
    pub y: Axis,
    /// The lines; the first matters most.
    pub series: Vec<Series>,
    /// What the lines should keep to.
    pub limit: Option<Limit>,
    /// Points worth looking at.
    pub marks: Vec<Mark>,
}

/// A line. Where there are several, a legend names them.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// From left to right.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// From where to where the value was found to be; drawn as a bar.
    pub spread: Option<(f64, f64)>,
}

/// A value that the lines should keep to.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The value.
    pub y: f64,
    /// Beside the plot, a line each.
    pub label: Vec<String>,
}

/// A point worth looking at.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Which series it is on.
    pub series: usize,
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// Beside the point, the important line first.
    pub label: Vec<String>,
}

/// A chart cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// There are no values, or none that the axes can show.
    #[error("there is nothing to draw: the chart's axes can show none of its values")]
    Empty,
    /// The drawing library fails.
    #[error("the chart cannot be drawn")]
    Drawing {
        /// What it says.
        source: Box<dyn error::Error + Send + Sync>,
    },
}

impl Chart {
    /// The text of an SVG file.
    ///
    /// # Errors
    ///
    /// If there is nothing to draw, or the drawing library fails.
    pub fn svg(&self) -> Result<String, ChartError> {
        let points = || {
            let all = self.series.iter().flat_map(|series| &series.points);
            all.filter(|point| self.x.has_place_for(point.x) && self.y.has_place_for(point.y))
        };
        let spreads = points().filter_map(|point| point.spread);
        // As wide as what was looked at, also where nothing can be shown of it.
        let all = self.series.iter().flat_map(|series| &series.points);
        let xs = all
            .map(|point| point.x)
            .chain(self.marks.iter().map(|mark| mark.x));
        let ys = points()
            .map(|point| point.y)
            .chain(spreads.flat_map(|(low, high)| [low, high]))
            .chain(self.marks.iter().map(|mark| mark.y))
            .chain(self.limit.iter().map(|limit| limit.y));
        let (Some(x), Some(y)) = (self.x.span(xs), self.y.span(ys)) else {
            return Err(ChartError::Empty);
        };
        if points().next().is_none() {
            return Err(ChartError::Empty);
        }
        let top = self.top();
        let frame = Frame { x, y, top };
        paper::svg(|paper| self.draw(paper, &frame)).map_err(|error| ChartError::Drawing {
            source: Box::new(error),
        })
    }

    fn draw(&self, paper: &Paper<'_>, frame: &Frame) -> Drawn {
        self.draw_titles(paper)?;
        self.draw_axes(paper, frame)?;
        if let Some(limit) = &self.limit {
            draw_limit(paper, frame, limit)?;
        }
        for mark in &self.marks {
            let foot = (frame.at(mark.x, mark.y).0, HEIGHT - BOTTOM);
            paper.dashes(frame.at(mark.x, mark.y), foot, Ink::Series(mark.series))?;
        }
        // The first series matters most and is drawn on top.
        for (index, series) in self.series.iter().enumerate().rev() {
            draw_series(paper, frame, series, Ink::Series(index))?;
        }
        for mark in &self.marks {
            draw_mark(paper, frame, mark)?;
        }
        Ok(())
    }

    fn draw_titles(&self, paper: &Paper<'_>) -> Drawn {
        let left = 28 * UNITS;
        let style = (HPos::Left, VPos::Center);
        paper.bold(&self.title, 19, (left, 30 * UNITS), style)?;
        paper.text(&self.subtitle, 13, Ink::Faint, (left, 54 * UNITS), style)?;
        if self.series.len() < 2 {
            return Ok(());
        }
        for (index, series) in self.series.iter().enumerate() {
            let column = i32::try_from(index % LEGEND_COLUMNS).unwrap_or(0);
            let row = i32::try_from(index / LEGEND_COLUMNS).unwrap_or(0);
            let (x, y) = (left + column * LEGEND_WIDTH, 78 * UNITS + row * LEGEND_LINE);
            paper.line(&[(x, y), (x + 22 * UNITS, y)], Ink::Series(index), 2.5)?;
            paper.text(&series.name, 12, Ink::Plain, (x + 29 * UNITS, y), style)?;
        }
        Ok(())
    }

    /// Where the plot begins: below the legend, whose first line has room above it.
    fn top(&self) -> i32 {
        let lines = self.series.len().div_ceil(LEGEND_COLUMNS);
        TOP + LEGEND_LINE * i32::try_from(lines.saturating_sub(1)).unwrap_or(0)
    }

    fn draw_axes(&self, paper: &Paper<'_>, frame: &Frame) -> Drawn {
        let (left, right, top, bottom) = (LEFT, WIDTH - RIGHT, frame.top, HEIGHT - BOTTOM);
        for (value, label) in frame.y.ticks() {
            let y = frame.at(frame.x.low(), value).1;
            paper.line(&[(left, y), (right, y)], Ink::Grid, 1.0)?;
            let beside = (left - 9 * UNITS, y);
            let style = (HPos::Right, VPos::Center);
            paper.text(&label, 12, Ink::Faint, beside, style)?;
        }
        for (value, label) in frame.x.ticks() {
            let x = frame.at(value, frame.y.low()).0;
            paper.line(&[(x, bottom), (x, bottom + 5 * UNITS)], Ink::Faint, 1.0)?;
            let below = (x, bottom + 17 * UNITS);
            let style = (HPos::Center, VPos::Center);
            paper.text(&label, 12, Ink::Faint, below, style)?;
        }
        paper.line(&[(left, bottom), (right, bottom)], Ink::Faint, 1.0)?;
        let middle = (left + right) / 2;
        let style = (HPos::Center, VPos::Center);
        paper.text(
            &self.x.title,
            13,
            Ink::Plain,
            (middle, HEIGHT - 22 * UNITS),
            style,
        )?;
        paper.upwards(&self.y.title, 13, (22 * UNITS, (top + bottom) / 2))
    }
}

/// Where values are on the paper.
#[derive(Clone, Debug)]
struct Frame {
    x: Span,
    y: Span,
    /// The upper end of the plot, in units.
    top: i32,
}

impl Frame {
    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - self.top - BOTTOM);
        let across = self.x.share(x) * f64::from(width);
        let up = self.y.share(y) * f64::from(height);
        // Shares are within 0 and 1, so that these are within the paper.
        (
            LEFT + across.round() as i32,
            HEIGHT - BOTTOM - up.round() as i32,
        )
    }
}

fn draw_limit(paper: &Paper<'_>, frame: &Frame, limit: &Limit) -> Drawn {
    let (left, y) = frame.at(frame.x.low(), limit.y);
    let right = WIDTH - RIGHT;
    paper.dashes((left, y), (right, y), Ink::Limit)?;
    let lines = i32::try_from(limit.label.len()).unwrap_or(0);
    let first = y - 8 * UNITS * (lines - 1);
    for (label, line) in limit.label.iter().zip(0..) {
        let beside = (right + 9 * UNITS, first + 16 * UNITS * line);
        let style = (HPos::Left, VPos::Center);
        paper.text(label, 12, Ink::Limit, beside, style)?;
    }
    Ok(())
}

fn draw_series(paper: &Paper<'_>, frame: &Frame, series: &Series, ink: Ink) -> Drawn {
    for line in visible(&series.points, &frame.y) {
        let line: Vec<_> = line.iter().map(|&(x, y)| frame.at(x, y)).collect();
        paper.line(&line, ink, 2.5)?;
    }
    for point in &series.points {
        let Some((low, high)) = point.spread else {
            continue;
        };
        let (foot, head) = (frame.at(point.x, low), frame.at(point.x, high));
        paper.line(&[foot, head], ink, 1.25)?;
        for end in [foot, head] {
            let (left, right) = (end.0 - 4 * UNITS, end.0 + 4 * UNITS);
            paper.line(&[(left, end.1), (right, end.1)], ink, 1.25)?;
        }
    }
    Ok(())
}

/// A mark's label goes where a falling line leaves room: above to the right or, near the right end,
/// below to the left.
fn draw_mark(paper: &Paper<'_>, frame: &Frame, mark: &Mark) -> Drawn {
    let at = frame.at(mark.x, mark.y);
    paper.dot(at, Ink::Series(mark.series))?;
    let lines = i32::try_from(mark.label.len()).unwrap_or(0);
    let (x, first, side) = if frame.x.share(mark.x) < 0.7 {
        (
            at.0 + 12 * UNITS,
            at.1 - (12 + 18 * (lines - 1)) * UNITS,
            HPos::Left,
        )
    } else {
        (at.0 - 12 * UNITS, at.1 + 18 * UNITS, HPos::Right)
    };
    for (label, line) in mark.label.iter().zip(0..) {
        let place = (x, first + 18 * UNITS * line);
        if line == 0 {
            paper.bold(label, 14, place, (side, VPos::Center))?;
        } else {
            paper.text(label, 12, Ink::Faint, place, (side, VPos::Center))?;
        }
    }
    Ok(())
}

/// The parts of a line between an axis' ends, cut where they cross them.
fn visible(points: &[Point], axis: &Span) -> Vec<Vec<(f64, f64)>> {
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut part: Vec<(f64, f64)> = Vec::new();
    for pair in points.windows(2) {
        let (from, to) = ((pair[0].x, pair[0].y), (pair[1].x, pair[1].y));
        let Some((start, end)) = axis.clip(from, to) else {
            parts.push(std::mem::take(&mut part));
            continue;
        };
        if part.last() != Some(&start) {
            parts.push(std::mem::take(&mut part));
            part.push(start);
        }
        part.push(end);
    }
    parts.push(part);
    parts.retain(|part| part.len() > 1);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(f64, f64)]) -> Chart {
        let axis = |scale| Axis {
            title: "title <&>".into(),
            scale,
            floor: None,
            label: |value| format!("{value}"),
        };
        let point = |&(x, y)| Point { x, y, spread: None };
        Chart {
            title: "a chart".into(),
            subtitle: String::new(),
            x: axis(Scale::Linear),
            y: axis(Scale::Log),
            series: vec![Series {
                name: "one".into(),
                points: points.iter().map(point).collect(),
            }],
            limit: None,
            marks: vec![],
        }
    }

    #[test]
    fn a_chart_is_an_svg_with_its_titles_in_it() {
        let svg = chart(&[(1.0, 0.5), (2.0, 0.01)]).svg().unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("a chart") && svg.contains("title &lt;&amp;&gt;"));
        assert!(svg.contains("viewBox"));
    }

    #[test]
    fn several_series_have_a_legend_and_bars() {
        let mut chart = chart(&[(1.0, 0.5), (2.0, 0.01)]);
        let mut second = chart.series[0].clone();
        second.name = "another".into();
        second.points[0].spread = Some((0.4, 0.6));
        chart.series.push(second);
        let svg = chart.svg().unwrap();
        assert!(svg.contains("another") && svg.contains("one"));
    }

    #[test]
    fn a_chart_is_as_wide_as_what_was_looked_at_and_draws_no_line_to_nothing() {
        let svg = |points: &[(f64, f64)]| chart(points).svg().unwrap();
        let with = svg(&[(0.0, 0.0), (10.0, 0.1), (50.0, 0.5)]);
        let label = |svg: &str, label: &str| svg.lines().any(|line| line.trim() == label);
        assert!(label(&with, "0") && label(&with, "50"), "{with}");
        let without = svg(&[(10.0, 0.1), (50.0, 0.5)]);
        assert!(!label(&without, "0"));
        let points = [(0.0, 0.0), (10.0, 0.1), (50.0, 0.5)];
        let span = chart(&points).y.span(points.map(|it| it.1)).unwrap();
        let points = points.map(|(x, y)| Point { x, y, spread: None });
        let parts = visible(&points, &span);
        assert_eq!(parts, vec![vec![(10.0, 0.1), (50.0, 0.5)]]);
    }

    #[test]
    fn a_legend_of_two_lines_leaves_the_plot_below_it() {
        let mut chart = chart(&[(1.0, 0.5), (2.0, 0.01)]);
        let one = chart.series[0].clone();
        chart.series.extend(vec![one.clone(); LEGEND_COLUMNS - 1]);
        assert_eq!(chart.top(), TOP);
        chart.series.push(one);
        assert_eq!(chart.top(), TOP + LEGEND_LINE);
    }

    #[test]
    fn what_no_axis_can_show_is_left_out_and_nothing_else_to_show_is_said() {
        let odd = [
            (1.0, 0.0),
            (2.0, f64::NAN),
            (f64::INFINITY, 1.0),
            (3.0, -1.0),
        ];
        assert!(matches!(chart(&odd).svg(), Err(ChartError::Empty)));
        assert!(matches!(chart(&[]).svg(), Err(ChartError::Empty)));
        let mut some = odd.to_vec();
        some.extend([(4.0, 0.1), (5.0, 0.01)]);
        assert!(chart(&some).svg().is_ok());
        assert!(chart(&[(1.0, 0.5)]).svg().is_ok());
    }

    #[test]
    fn a_line_ends_where_it_leaves_the_axis_and_begins_again_where_it_comes_back() {
        let axis = Axis {
            title: String::new(),
            scale: Scale::Log,
            floor: Some(0.01),
            label: |_| String::new(),
        };
        let points = [(0.0, 1.0), (1.0, 1e-4), (2.0, 0.0), (3.0, 1e-4), (4.0, 1.0)];
        let span = axis.span(points.iter().map(|it| it.1)).unwrap();
        let points = points.map(|(x, y)| Point { x, y, spread: None });
        let parts = visible(&points, &span);
        assert_eq!(parts.len(), 2);
        let close = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() + (a.1 - b.1).abs() < 1e-9;
        assert!(close(parts[0][1], (0.5, 0.01)), "{parts:?}");
        assert!(close(parts[1][0], (3.5, 0.01)), "{parts:?}");
    }
}
