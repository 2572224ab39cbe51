//! What a coalition of liars achieves under each kind of agreement, beside the formulas, in a page with
//! tables and pictures.
//!
//! What was counted stands in a file, a line for each rate. Page and pictures follow from these lines
//! alone, and the lines from tasks and seed: they are the same bytes however many points were tried at a
//! time. A rate that is beyond three standard deviations is measured again, with ten times as many new
//! tasks: of so many rates some have to be beyond by chance, and which these are chance does not repeat.

mod figures;
mod found;
mod judgement;
mod picture;
mod tables;
#[cfg(test)]
mod tests;

use super::{page, write};
use anyhow::{Context as _, bail};
use clap::Args;
use found::{Found, measure};
use judgement::Judgement;
use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

/// Tasks of a point: fewer say nothing, more take hours.
const TASKS: std::ops::RangeInclusive<u64> = 1_000..=100_000_000;

/// The page that tables go to, in the folder that is named.
const PAGE: &str = "agreement.md";

/// The file of all that was counted.
const TABLE: &str = "agreement.csv";

#[derive(Args, Clone, Debug)]
pub(crate) struct AgreementArgs {
    /// Tasks of each point
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(TASKS)
    )]
    tasks: u64,
    /// What all luck follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for page, table and pictures
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Points at a time [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Try nothing; make page and pictures again from the table that is in the folder
    #[arg(long, conflicts_with = "jobs")]
    redraw: bool,
}

impl AgreementArgs {
    fn jobs(&self) -> usize {
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.jobs.map_or_else(all, NonZeroUsize::get)
    }
}

/// Tries all points, and writes page, table and pictures. Fails when all of that is written, if what was
/// counted is not what the formulas say.
pub(crate) fn run(args: &AgreementArgs) -> anyhow::Result<()> {
    let found = match args.redraw {
        true => read(&args.out.join(TABLE))?,
        false => measure(args)?,
    };
    let judgement = written(args, &found)?;
    let faults = judgement.faults();
    if !faults.is_empty() {
        bail!(
            "what was counted is not what the formulas say: {}; one of both is wrong",
            faults.join("; ")
        );
    }
    Ok(())
}

/// What was counted once.
fn read(table: &Path) -> anyhow::Result<Vec<Found>> {
    let text = fs::read_to_string(table);
    let text = text.with_context(|| format!("cannot read {}", table.display()))?;
    found::read(&text)
}

/// Writes page, table and pictures of what was counted.
fn written(args: &AgreementArgs, found: &[Found]) -> anyhow::Result<Judgement> {
    let out = &args.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let judgement = Judgement::of(found)?;
    write(&out.join(TABLE), &found::table(found)?)?;
    for (file, svg) in picture::all(found)? {
        write(&out.join(file), &svg)?;
    }
    let text = tables::all(args, found, &judgement)?;
    let path = out.join(PAGE);
    let page = match path.exists() {
        true => {
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
        }
        false => String::new(),
    };
    let page = page::with_region(&page, "agreement", &text)
        .with_context(|| format!("cannot write tables to {}", path.display()))?;
    write(&path, &page)?;
    println!("{}", text.trim());
    Ok(judgement)
}
