//! `quern-simulate grid`: whole grids, seed after seed; and one of them again, step by step.

use anyhow::{Context as _, bail, ensure};
use quern_simulation::grid::{CHANGE, Config, HEADER, Look, Outcome, run, trace};
use std::{
    fs,
    path::{Path, PathBuf},
    vec::IntoIter,
};

/// Which runs, and what to see of them.
#[derive(clap::Args)]
pub(crate) struct GridArgs {
    #[command(flatten)]
    config: Config,
    /// How many seeds, from the one that is given on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Write what happens in the last run to this file
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    trace: Option<PathBuf>,
    /// Run again what this file tells of, and hold it against the file
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Stop after this step, and print it
    #[arg(long, value_name = "STEP", value_parser = clap::value_parser!(u64).range(1..))]
    until: Option<u64>,
    /// Print every step: the event, what the masternode wants done about it, and what that changed
    #[arg(long)]
    step: bool,
}

pub(crate) fn grid(args: &GridArgs) -> anyhow::Result<()> {
    match &args.replay {
        Some(file) => again(args, file),
        None => seeds(args),
    }
}

fn seeds(args: &GridArgs) -> anyhow::Result<()> {
    let first = args.config.seed;
    for seed in first..first.saturating_add(args.seeds) {
        let config = Config {
            seed,
            ..args.config.clone()
        };
        let mut onlooker = Onlooker {
            text: args.trace.is_some().then(|| format!("{HEADER}{config}\n")),
            ..Onlooker::default()
        };
        let outcome = onlooker.look(args, &config)?;
        if let (Some(file), Some(text)) = (&args.trace, &onlooker.text) {
            write(file, text)?;
        }
        println!("seed {seed}: {outcome}");
        if let Some(violation) = &outcome.violation {
            let file = match &args.trace {
                Some(file) => file.clone(),
                None => PathBuf::from(format!("grid-{seed}.trace")),
            };
            if args.trace.is_none() {
                write(&file, &trace(&config)?)?;
            }
            bail!(
                "{violation}\n\nconfiguration: {config}\nwhat happened: {file}\nto see it: \
                 quern-simulate grid --replay {file} --until {}",
                outcome.steps,
                file = file.display(),
            );
        }
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let words = || format!("cannot write the trace to {}", file.display());
    fs::write(file, text).with_context(words)
}

/// Runs again what a file tells of.
fn again(args: &GridArgs, file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let mut lines = text.lines();
    let config = lines
        .next()
        .and_then(|line| line.strip_prefix(HEADER))
        .with_context(|| format!("{name} is no trace: it does not begin with `{HEADER}`"))?
        .parse::<Config>()
        .with_context(|| format!("{name} is a trace of another version"))?;
    let expected: Vec<String> = lines.map(str::to_owned).collect();
    let mut onlooker = Onlooker {
        expected: Some(expected.into_iter()),
        ..Onlooker::default()
    };
    let outcome = onlooker.look(args, &config)?;
    println!("{outcome}");
    if let Some(difference) = onlooker.difference {
        bail!("the run is not the one in {name}; the program has changed since\n{difference}");
    }
    if args.until.is_none() {
        let rest = onlooker.expected.and_then(|mut rest| rest.next());
        ensure!(
            rest.is_none(),
            "the run ends before the one in {name}; the program has changed since"
        );
    }
    match outcome.violation {
        Some(violation) => bail!("{violation}"),
        None => Ok(()),
    }
}

/// Looks at a run.
#[derive(Default)]
struct Onlooker {
    /// What it writes down.
    text: Option<String>,
    /// What it expects to hear.
    expected: Option<IntoIter<String>>,
    /// What it did not expect, in words.
    difference: Option<String>,
    /// The lines of the last step.
    last: Vec<String>,
    prints: bool,
}

impl Onlooker {
    fn look(&mut self, args: &GridArgs, config: &Config) -> anyhow::Result<Outcome> {
        self.prints = args.step;
        let outcome = run(
            config,
            Look {
                line: &mut |line: &str| self.hears(line),
                until: args.until,
                changes: args.step || args.until.is_some(),
            },
        )?;
        if args.until.is_some() && !args.step {
            self.last.iter().for_each(|line| println!("{line}"));
        }
        Ok(outcome)
    }

    fn hears(&mut self, line: &str) {
        if self.prints {
            println!("{line}");
        }
        if !line.starts_with("  ") {
            self.last.clear();
        }
        self.last.push(line.to_owned());
        if line.starts_with(CHANGE) {
            return;
        }
        if let Some(text) = &mut self.text {
            text.push_str(line);
            text.push('\n');
        }
        if let Some(expected) = &mut self.expected
            && self.difference.is_none()
        {
            let expected = expected.next();
            if expected.as_deref() != Some(line) {
                let expected = expected.as_deref().unwrap_or("the end");
                self.difference = Some(format!("expected: {expected}\nfound:    {line}"));
            }
        }
    }
}
