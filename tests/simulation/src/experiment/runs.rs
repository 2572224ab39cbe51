//! The file of runs: a line for each, so that what was run is not run again.

use super::{How, case::Case, write};
use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use quern_simulation::makespan::Outcome;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

const HEAD: &str = "devices,faults_percent,grid,policy,seed,settings,makespan_s,bound_s,\
                    executions_per_task,asked_again_per_task,history";

/// Runs that may have ended and wait to be written down; others then end later.
const ENDED_MAX: usize = 64;

/// What came of runs, by their names.
#[derive(Debug)]
pub(super) struct Runs {
    path: PathBuf,
    known: BTreeMap<String, Known>,
}

#[derive(Clone, Debug, PartialEq)]
struct Known {
    settings: String,
    outcome: Outcome,
}

impl Runs {
    /// Reads a file of runs; one that is not there has none.
    pub(super) fn read(path: PathBuf) -> anyhow::Result<Self> {
        let mut known = BTreeMap::new();
        if path.exists() {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            // A line without an end was being written when the writer was stopped.
            let whole = text
                .split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n'));
            for (number, line) in (1..).zip(whole) {
                match parse(line) {
                    Some((name, run)) => drop(known.insert(name, run)),
                    None if line == HEAD => {}
                    None => bail!(
                        "line {number} of {} is no run; remove it, or the file to run all again",
                        path.display()
                    ),
                }
            }
        }
        Ok(Self { path, known })
    }

    /// What comes of these runs, in their order. Those that are not known are made, and each is
    /// written down when it ends.
    pub(super) fn complete(&mut self, cases: &[Case], how: &How) -> anyhow::Result<Vec<Outcome>> {
        if how.again {
            for case in cases {
                self.known.remove(&case.name());
            }
        }
        self.write(cases)?;
        let missing = self.missing(cases);
        let bar = bar(cases.len(), missing.len());
        let mut file = OpenOptions::new()
            .append(true)
            .open(&self.path)
            .with_context(|| format!("cannot write to {}", self.path.display()))?;
        make(&missing, how.jobs(), |case, outcome| {
            let (name, settings) = (case.name(), case.settings());
            let run = Known { settings, outcome };
            file.write_all(line(&name, &run).as_bytes())
                .with_context(|| format!("cannot write to {}", self.path.display()))?;
            self.known.insert(name, run);
            bar.inc(1);
            Ok(())
        })?;
        bar.finish_and_clear();
        self.write(cases)?;
        let outcomes = cases.iter().map(|case| {
            self.outcome(case)
                .with_context(|| format!("the run {} is missing", case.name()))
        });
        outcomes.collect()
    }

    /// Those of these runs that are not known.
    pub(super) fn missing<'a>(&self, cases: &'a [Case]) -> Vec<&'a Case> {
        let all = cases.iter();
        all.filter(|case| self.outcome(case).is_none()).collect()
    }

    /// What came of a run; none if it is not known, or was another one of that name.
    pub(super) fn outcome(&self, case: &Case) -> Option<Outcome> {
        let run = self.known.get(&case.name())?;
        (run.settings == case.settings()).then_some(run.outcome)
    }

    /// Writes down what is known: these runs in their order, then all others.
    fn write(&self, cases: &[Case]) -> anyhow::Result<()> {
        let mut text = format!("{HEAD}\n");
        let mut written = BTreeSet::new();
        for name in cases.iter().map(Case::name) {
            if let Some(run) = self.known.get(&name) {
                text.push_str(&line(&name, run));
                written.insert(name);
            }
        }
        for (name, run) in &self.known {
            if !written.contains(name) {
                text.push_str(&line(name, run));
            }
        }
        write(&self.path, &text)
    }
}

/// Makes runs, so many at a time, and tells of each when it ends.
fn make(
    cases: &[&Case],
    jobs: usize,
    mut made: impl FnMut(&Case, Outcome) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(ENDED_MAX);
        for _ in 0..jobs.min(cases.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody listens any more when a run could not be written down.
                    if sender.send((*case, case.run())).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (case, outcome) in receiver {
            made(case, outcome?)?;
        }
        Ok(())
    })
}

fn line(name: &str, Known { settings, outcome }: &Known) -> String {
    let Outcome {
        makespan_s,
        bound_s,
        executions_per_task,
        asked_again_per_task,
        history,
    } = outcome;
    let numbers = format!("{makespan_s},{bound_s},{executions_per_task},{asked_again_per_task}");
    format!("{name},{settings},{numbers},{history:016x}\n")
}

fn parse(line: &str) -> Option<(String, Known)> {
    let cells: Vec<&str> = line.split(',').collect();
    let (name, rest) = cells.split_at_checked(5)?;
    let &[settings, makespan, bound, executions, asked, history] = rest else {
        return None;
    };
    let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let outcome = Outcome {
        makespan_s: number(makespan)?,
        bound_s: number(bound)?,
        executions_per_task: number(executions)?,
        asked_again_per_task: number(asked)?,
        history: u64::from_str_radix(history, 16).ok()?,
    };
    let settings = settings.to_owned();
    Some((name.join(","), Known { settings, outcome }))
}

/// Drawn to standard error if that is a terminal.
fn bar(all: usize, missing: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos}/{len} runs {wide_bar} {elapsed} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(all as u64).with_style(style);
    bar.with_position((all - missing) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Known {
        Known {
            settings: "00ff".into(),
            outcome: Outcome {
                makespan_s: 1_234.567,
                bound_s: 1_000.0 / 3.0,
                executions_per_task: 1.05,
                asked_again_per_task: 0.0,
                history: 0xfeed,
            },
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written_to_the_last_bit() {
        let written = line("20,5,alike,random,1", &run());
        let (name, known) = parse(written.trim_end()).unwrap();
        assert_eq!((name.as_str(), known), ("20,5,alike,random,1", run()));
    }

    #[test]
    fn what_is_no_run_is_not_taken_for_one() {
        let written = line("20,5,alike,random,1", &run());
        let written = written.trim_end();
        assert!(parse(&format!("{written},more")).is_none());
        assert!(parse(&written.replace("1.05", "NaN")).is_none());
        assert!(parse("20,5,alike").is_none());
        assert!(parse(HEAD).is_none());
    }

    #[test]
    fn a_line_cut_short_is_forgotten_and_a_foreign_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.csv");
        let whole = line("20,5,alike,random,1", &run());
        fs::write(&path, format!("{HEAD}\n{whole}20,5,alike,ran")).unwrap();
        assert_eq!(Runs::read(path.clone()).unwrap().known.len(), 1);
        fs::write(&path, format!("{HEAD}\n{whole}something else\n")).unwrap();
        let error = Runs::read(path).unwrap_err().to_string();
        assert!(error.starts_with("line 3 of "), "{error}");
    }
}
