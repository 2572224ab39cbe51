//! The examples published with the formula, and what is found here.
//!
//! The third one's r counts the replicas beyond the first: 3.956822 in print is 4.956822 by the
//! formula. Two figures show that, P at either r.

mod growing;

use super::{
    curve::Picture,
    devices::{Devices, ParseDevicesError, groups},
    draws::Draws,
    report::{ASSUMPTIONS, factor_in_words},
};
use crate::{
    output::{Output, table},
    units::grouped,
};
use growing::Growing;
use quern_grid::replication::{CurvePoint, DeviceGroup, FailureProbability, Fleet, Plan};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The second example's grid, which is the third's as well.
const GRID: &str = "700@4%,6800@0.1%,1600@0.005%,900@30%~13.4%";

const GRID_TASKS: u64 = 5_000;
const GRID_DEVICES: u64 = 10_000;

/// How often devices are drawn, each time from another seed; odd, so that one is in the middle.
const DRAWINGS: u64 = 21;

/// More than any example needs for a task.
const ACCOUNTS: u64 = 15;

/// An example's figures.
#[derive(Debug, Serialize)]
pub(super) struct Example {
    example: u8,
    about: &'static str,
    figures: Vec<Figure>,
    svg: Option<PathBuf>,
}

/// What was published beside what is found here.
#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    published: Option<f64>,
    here: f64,
    #[serde(skip)]
    unit: Unit,
}

/// How a figure is written.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Replicas,
    Factor,
    /// In percent, with so many decimals.
    Percent(usize),
}

/// Computes an example's figures.
pub(super) fn example(example: u8, seed: u64, svg: Option<&Path>) -> anyhow::Result<Example> {
    let (about, figures, picture) = match example {
        1 => first()?,
        2 => second(seed)?,
        _ => third(seed)?,
    };
    if let Some(path) = svg {
        picture.save(path)?;
    }
    Ok(Example {
        example,
        about,
        figures,
        svg: svg.map(Path::to_owned),
    })
}

type Found = (&'static str, Vec<Figure>, Picture);

fn first() -> anyhow::Result<Found> {
    let accepted = FailureProbability::new(0.01)?;
    let fleet = Fleet::alike(FailureProbability::new(0.000_5)?);
    let plan = Plan::new(10_000, fleet, ACCOUNTS)?;
    let replicas = plan.least_replicas(accepted)?;
    let factor = plan.factor(replicas);
    let at_two = plan.failure(2 * plan.tasks())?;
    let figures = vec![
        figure(
            "least r with P at most 1 %",
            Some(1.9985),
            factor,
            Unit::Factor,
        ),
        figure("replicas", Some(19_985.0), replicas as f64, Unit::Replicas),
        figure(
            "least P up to r = 2",
            Some(0.002_496_9),
            at_two.get(),
            Unit::Percent(5),
        ),
    ];
    let about = "10,000 tasks on any number of devices that fail with 0.05 %";
    Ok((
        about,
        figures,
        Picture::of_plan(&plan, replicas, Some(accepted))?,
    ))
}

fn second(seed: u64) -> anyhow::Result<Found> {
    let plan_of = |groups: Vec<DeviceGroup>| -> anyhow::Result<Plan> {
        Ok(Plan::new(GRID_TASKS, Fleet::of_groups(groups)?, ACCOUNTS)?)
    };
    let by_means = plan_of(means(GRID)?)?;
    let drawn = plan_of(drawn(GRID, &mut Draws::new(seed))?)?;
    let found = drawings(seed, |draws| {
        let plan = plan_of(self::drawn(GRID, draws)?)?;
        Ok(plan.failure(GRID_DEVICES)?.get())
    })?;
    let unit = Unit::Percent(2);
    let mut figures = of_drawings("P(2), 900 devices drawn", Some(0.264), &found, unit);
    figures.push(figure(
        "P(2), these 900 at their mean",
        None,
        by_means.failure(GRID_DEVICES)?.get(),
        unit,
    ));
    let (from, to) = (GRID_TASKS, GRID_DEVICES);
    let picture = Picture {
        subtitle: "5,000 tasks on 10,000 devices, 900 of which fail with 30 % (deviation 13.4 %)"
            .into(),
        curves: vec![
            ("900 devices drawn".into(), drawn.curve(from, to, 400)?),
            ("at their mean".into(), by_means.curve(from, to, 400)?),
        ],
        accepted: None,
        chosen: CurvePoint {
            replicas: to,
            factor: drawn.factor(to),
            failure: drawn.failure(to)?,
        },
        chosen_factor: "2".into(),
    };
    let about = "5,000 tasks on 10,000 devices,\n700 of which fail with 4 %, 6,800 with 0.1 %, 1,600 with 0.005 %, 900 with 30 % (deviation 13.4 %)";
    Ok((about, figures, picture))
}

fn third(seed: u64) -> anyhow::Result<Found> {
    let accepted = FailureProbability::new(0.01)?;
    let factor = |replicas: u64| replicas as f64 / GRID_TASKS as f64;
    let found = drawings(seed, |draws| {
        Ok(factor(Growing::drawn(draws)?.least(accepted)?))
    })?;
    let beyond_first: Vec<_> = found.iter().map(|factor| factor - 1.0).collect();
    let unit = Unit::Factor;
    let (grid, by_means) = (Growing::drawn(&mut Draws::new(seed))?, Growing::by_means()?);
    let replicas = grid.least(accepted)?;
    let at = |factor: f64| grid.failure((factor * GRID_TASKS as f64) as u64);
    let mut figures = vec![figure(
        "least r with P at most 1 %, counted beyond the first replica",
        Some(3.956_822),
        median(&beyond_first),
        unit,
    )];
    figures.extend(of_drawings(
        "the same as the formula counts r",
        None,
        &found,
        unit,
    ));
    figures.extend([
        figure(
            "P at r = 4.956822 of the formula",
            None,
            at(4.956_822)?.get(),
            Unit::Percent(2),
        ),
        figure(
            "P at r = 3.956822 of the formula",
            None,
            at(3.956_822)?.get(),
            Unit::Percent(2),
        ),
        figure(
            "least r with all devices at their means",
            None,
            factor(by_means.least(accepted)?),
            unit,
        ),
    ]);
    let picture = Picture {
        subtitle: "5,000 tasks on the second example's grid and any number of devices at 35 % (deviation 12 %)".into(),
        curves: vec![
            ("devices drawn".into(), grid.curve()?),
            ("at their means".into(), by_means.curve()?),
        ],
        accepted: Some(accepted),
        chosen: CurvePoint {
            replicas,
            factor: factor(replicas),
            failure: grid.failure(replicas)?,
        },
        chosen_factor: factor_in_words(replicas, GRID_TASKS),
    };
    let about = "5,000 tasks on the second example's grid\nand any number of devices that fail with 35 % (deviation 12 %)";
    Ok((about, figures, picture))
}

/// Devices of a list, as drawn.
fn drawn(list: &str, draws: &mut Draws) -> anyhow::Result<Vec<DeviceGroup>> {
    Ok(groups(&named(list)?, draws)?)
}

/// Devices of a list, each at its mean.
fn means(list: &str) -> anyhow::Result<Vec<DeviceGroup>> {
    let devices: Vec<_> = named(list)?.into_iter().map(Devices::by_mean).collect();
    Ok(groups(&devices, &mut Draws::new(0))?)
}

fn named(list: &str) -> Result<Vec<Devices>, ParseDevicesError> {
    list.split(',').map(str::parse).collect()
}

/// What is found in each drawing, ascending. They have seeds that follow each other.
fn drawings(
    seed: u64,
    find: impl Fn(&mut Draws) -> anyhow::Result<f64>,
) -> anyhow::Result<Vec<f64>> {
    let seeds = (0..DRAWINGS).map(|index| seed.wrapping_add(index));
    let found: anyhow::Result<Vec<f64>> = seeds.map(|seed| find(&mut Draws::new(seed))).collect();
    let mut found = found?;
    found.sort_by(f64::total_cmp);
    Ok(found)
}

/// The middle one of ascending values.
fn median(found: &[f64]) -> f64 {
    found.get(found.len() / 2).copied().unwrap_or(f64::NAN)
}

fn of_drawings(what: &str, published: Option<f64>, found: &[f64], unit: Unit) -> Vec<Figure> {
    let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
    vec![
        figure(
            &format!("{what}: the median of {DRAWINGS} drawings"),
            published,
            median(found),
            unit,
        ),
        figure("  the least of them", None, end(found.first()), unit),
        figure("  the greatest of them", None, end(found.last()), unit),
    ]
}

fn figure(what: &str, published: Option<f64>, here: f64, unit: Unit) -> Figure {
    Figure {
        what: what.into(),
        published,
        here,
        unit,
    }
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Replicas => grouped(value as u64),
            Self::Factor => format!("{}", (value * 1e6).round() / 1e6),
            Self::Percent(decimals) => format!("{:.decimals$} %", value * 100.0),
        }
    }
}

impl Output for Example {
    fn people(&self) -> String {
        let rows = self.figures.iter().map(|figure| {
            let published = figure.published.map(|value| figure.unit.write(value));
            vec![
                figure.what.clone(),
                published.unwrap_or_default(),
                figure.unit.write(figure.here),
            ]
        });
        let mut parts = vec![
            format!("example {}: {}", self.example, self.about),
            table(&["", ">published", ">here"], &rows.collect::<Vec<_>>()),
            ASSUMPTIONS.into(),
        ];
        if self.example == 3 {
            parts.push(THIRD_IN_WORDS.into());
        }
        if let Some(svg) = &self.svg {
            parts.push(format!("✓ the curve is in {}", svg.display()));
        }
        parts.join("\n\n")
    }
}

/// Why the published figure is another, and why means give yet another.
const THIRD_IN_WORDS: &str = "\
The published r counts the replicas beyond the first, the formula's r all of them: at the published
3.956822 the formula gives a P far above 1 %, at one more about 1 %. With all devices at their means
P stands a little above 1 % from r = 5 almost to r = 6: tasks get their next replica in the order of
their devices, those with the least reliable ones last.";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn here(figures: &[Figure], what: &str) -> f64 {
        let found = figures.iter().find(|figure| figure.what.contains(what));
        found.unwrap().here
    }

    #[test]
    fn the_first_example_is_printed_with_the_published_figures_beside_those_found() {
        let printed = example(1, 1, None).unwrap().people();
        let figures = "\
                            published       here
least r with P at most 1 %     1.9985     1.9985
replicas                       19,985     19,985
least P up to r = 2         0.24969 %  0.24969 %";
        assert!(printed.contains(figures), "{printed}");
        assert!(printed.contains(ASSUMPTIONS), "{printed}");
    }

    #[test]
    fn the_second_and_third_example_are_printed_with_the_published_figure_and_why_one_is_another() {
        let line = |printed: &str, begins: &str| -> Vec<String> {
            let mut lines = printed.lines();
            let line = lines.find(|line| line.starts_with(begins)).unwrap();
            let figures = line[begins.len()..].replace(" %", "%");
            figures.split_whitespace().map(str::to_owned).collect()
        };
        // The second of two figures is the one found here.
        let number = |figure: &str| -> f64 { figure.trim_end_matches('%').parse().unwrap() };
        let printed = example(2, 1, None).unwrap().people();
        let drawn = line(
            &printed,
            "P(2), 900 devices drawn: the median of 21 drawings",
        );
        assert_eq!((drawn.len(), &*drawn[0]), (2, "26.40%"));
        assert!((25.0..=26.5).contains(&number(&drawn[1])), "{drawn:?}");
        let at_mean = line(&printed, "P(2), these 900 at their mean");
        assert_eq!(at_mean, ["25.91%"]);
        let printed = example(3, 1, None).unwrap().people();
        let beyond = line(
            &printed,
            "least r with P at most 1 %, counted beyond the first replica",
        );
        assert_eq!((beyond.len(), &*beyond[0]), (2, "3.956822"));
        assert!((3.96..=3.97).contains(&number(&beyond[1])), "{beyond:?}");
        assert!(printed.contains(THIRD_IN_WORDS), "{printed}");
    }

    #[test]
    fn the_first_example_is_the_published_one_to_the_last_digit() {
        let (_, figures, _) = first().unwrap();
        for figure in figures {
            let published = figure.published.unwrap();
            assert_eq!(figure.unit.write(figure.here), figure.unit.write(published));
        }
    }

    #[test]
    fn the_second_example_is_within_what_draws_leave_open() {
        let (_, figures, _) = second(1).unwrap();
        assert!((0.25..=0.265).contains(&here(&figures, "least of them")));
        assert!((0.25..=0.265).contains(&here(&figures, "greatest of them")));
        assert!((here(&figures, "at their mean") - 0.2591).abs() < 5e-5);
    }

    #[test]
    fn the_third_example_is_the_published_one_counted_as_the_formula_does() {
        let (_, figures, _) = third(1).unwrap();
        let median = here(&figures, "the same as the formula counts r");
        assert!((4.96..=4.97).contains(&median), "{median}");
        let beyond_first = here(&figures, "beyond the first replica");
        assert!((beyond_first - 3.956_822).abs() < 0.01, "{beyond_first}");
        assert!((here(&figures, "P at r = 4.956822") - 0.01).abs() < 1e-3);
        assert!(here(&figures, "P at r = 3.956822") > 0.02);
    }

    #[test]
    fn a_seed_always_gives_the_same_figures() {
        let figures = || format!("{:?}", second(7).unwrap().1);
        assert_eq!(figures(), figures());
    }
}
