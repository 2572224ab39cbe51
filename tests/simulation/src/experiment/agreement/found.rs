//! What was counted of each point, and the file that has it.

use super::{AgreementArgs, figures};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use quern_simulation::agreement::{Claim, Counts, Point, Rate};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

const HEAD: &str =
    "what,colluding,re_executed_permille,run,trials,rate,sum,measured,expected,sigma,z";

/// How many times as many tasks a second measurement takes.
const AGAIN_TIMES: u64 = 10;

/// What its seed differs in.
const AGAIN_SEED: u64 = 1 << 63;

/// A point with what was counted of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) point: Point,
    pub(super) first: Counts,
    /// Counted anew, because something was beyond.
    pub(super) again: Option<Counts>,
}

impl Found {
    /// The point's rates, each with what has to hold of it.
    pub(super) fn rates(&self) -> anyhow::Result<Vec<(Rate, Claim)>> {
        Ok(self.point.claims()?)
    }

    /// The rates that were beyond.
    fn beyond(&self) -> anyhow::Result<Vec<Rate>> {
        let beyond = self.rates()?.into_iter().filter(|(rate, claim)| {
            let Claim::Is(expected) = claim else {
                return false;
            };
            !expected.is_sure() && !expected.is_within(self.first.sum(*rate), self.first.trials)
        });
        Ok(beyond.map(|(rate, _)| rate).collect())
    }
}

/// Tries all points, and those again of which something is beyond.
pub(super) fn measure(args: &AgreementArgs) -> anyhow::Result<Vec<Found>> {
    let points = Point::all();
    let first = try_all(&points, args.tasks, args.seed, args.jobs())?;
    let found = points.into_iter().zip(first).map(|(point, first)| Found {
        point,
        first,
        again: None,
    });
    let mut found: Vec<_> = found.collect();
    let mut beyond = Vec::new();
    for (place, it) in found.iter().enumerate() {
        if !it.beyond()?.is_empty() {
            beyond.push(place);
        }
    }
    let points: Vec<_> = beyond.iter().map(|place| found[*place].point).collect();
    let tasks = args.tasks.saturating_mul(AGAIN_TIMES);
    let again = try_all(&points, tasks, args.seed ^ AGAIN_SEED, args.jobs())?;
    for (place, again) in beyond.into_iter().zip(again) {
        found[place].again = Some(again);
    }
    Ok(found)
}

/// Counts of these points, in their order.
fn try_all(points: &[Point], tasks: u64, seed: u64, jobs: usize) -> anyhow::Result<Vec<Counts>> {
    let (next, bar) = (AtomicUsize::new(0), bar(points.len()));
    let one = || -> anyhow::Result<Vec<(usize, Counts)>> {
        let mut counted = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(point) = points.get(place) else {
                return Ok(counted);
            };
            let counts = point.run(tasks, seed);
            counted.push((place, counts.with_context(|| format!("the point {point}"))?));
            bar.inc(1);
        }
    };
    let mut counted = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.min(points.len()))
            .map(|_| scope.spawn(one))
            .collect();
        let mut counted = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(mine) => counted.extend(mine?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        anyhow::Ok(counted)
    })?;
    bar.finish_and_clear();
    counted.sort_by_key(|(place, _)| *place);
    Ok(counted.into_iter().map(|(_, counts)| counts).collect())
}

/// Drawn to standard error if that is a terminal.
fn bar(points: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos}/{len} points {wide_bar} {elapsed} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(points as u64).with_style(style)
}

/// All that was counted, for programs.
pub(super) fn table(found: &[Found]) -> anyhow::Result<String> {
    let mut text = format!("{HEAD}\n");
    for it in found {
        text.push_str(&lines(it)?);
    }
    Ok(text)
}

/// A line for each of a point's rates; of those that were beyond one more.
pub(super) fn lines(found: &Found) -> anyhow::Result<String> {
    let mut text = String::new();
    let beyond = found.beyond()?;
    for (rate, claim) in found.rates()? {
        let again = found.again.iter().filter(|_| beyond.contains(&rate));
        for (run, counts) in (1..).zip([&found.first].into_iter().chain(again)) {
            let (point, trials, sum) = (found.point, counts.trials, counts.sum(rate));
            let measured = counts.mean(rate);
            text.push_str(&format!(
                "{point},{run},{trials},{rate},{sum},{measured:.9},"
            ));
            text.push_str(&match claim {
                Claim::AtMost(most) => format!("{most:.9},,\n"),
                Claim::Is(expected) => {
                    let (mean, sigma) = (expected.mean, expected.sigma(trials));
                    let z = figures::z(expected.z(sum, trials));
                    format!("{mean:.9},{sigma:.9},{}\n", z.trim_matches('–'))
                }
            });
        }
    }
    Ok(text)
}

/// What a file says was counted of all points. Fails where it is not such a file.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<Found>> {
    let mut lines = text.lines();
    anyhow::ensure!(lines.next() == Some(HEAD), "it has another head");
    let lines: Vec<&str> = lines.collect();
    let all = Point::all().into_iter().map(|point| {
        let of = |run: u8| -> anyhow::Result<Option<Counts>> {
            let name = format!("{point},{run},");
            let mut counts = None;
            for line in lines.iter().filter_map(|line| line.strip_prefix(&name)) {
                let cells: Vec<&str> = line.split(',').collect();
                let [trials, rate, sum, ..] = cells[..] else {
                    anyhow::bail!("`{line}` is too short");
                };
                let counts: &mut Counts = counts.get_or_insert_default();
                counts.trials = trials.parse()?;
                let place = match rate {
                    "wrong" => &mut counts.wrong,
                    "stays" => &mut counts.stays,
                    "caught" => &mut counts.caught,
                    "blamed" => &mut counts.blamed,
                    "extra" => &mut counts.extra,
                    other => anyhow::bail!("`{other}` is no rate"),
                };
                *place = sum.parse()?;
            }
            Ok(counts)
        };
        Ok(Found {
            point,
            first: of(1)?.with_context(|| format!("{point} is missing"))?,
            again: of(2)?,
        })
    });
    all.collect()
}
