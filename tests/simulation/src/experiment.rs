//! The experiment on distribution policies, the sweeps that the scheduler's settings come from, and what
//! coalitions achieve before the judge.
//!
//! What came of each run stands in a file, a line each, so that no run is made twice. Tables and
//! pictures follow from these lines alone, in a fixed order: they are the same bytes however many
//! runs went on at a time, and after an interruption.

mod agreement;
mod behind;
mod case;
mod conditions;
mod distribution;
#[cfg(test)]
mod found;
mod losses;
mod page;
mod picture;
mod runs;
mod summary;
mod sweep;
mod tune;

pub(crate) use agreement::{AgreementArgs, run as agreement};
pub(crate) use distribution::{DistributionArgs, run as distribution};
pub(crate) use tune::{TuneArgs, run as tune};

use anyhow::Context as _;
use clap::Args;
use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

/// Devices of one grid at most. A run takes time and memory in proportion.
pub(crate) const DEVICES_MAX: i64 = 100_000;

/// Most that may be said to go wrong, in percent: of more a job may never end.
const FAULTS_PERCENT_MAX: i64 = 90;

/// Seeds at most.
pub(crate) const SEEDS_MAX: u64 = 1_000;

/// The page that tables go to, in the folder that is named.
const PAGE: &str = "distribution.md";

/// Where the page is, with what was found.
#[cfg(test)]
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/experiments");

/// Where results go, and how they are made.
#[derive(Args, Clone, Debug)]
struct How {
    /// The folder for page, tables and pictures; runs that it has already are not repeated
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Runs at a time [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Repeat the runs that the folder has already
    #[arg(long)]
    again: bool,
}

impl How {
    fn jobs(&self) -> usize {
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.jobs.map_or_else(all, NonZeroUsize::get)
    }

    /// Puts text into its region of the page.
    fn write_region(&self, region: &str, text: &str) -> anyhow::Result<()> {
        let path = self.out.join(PAGE);
        let page = match path.exists() {
            true => fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?,
            false => String::new(),
        };
        let page = page::with_region(&page, region, text)
            .with_context(|| format!("cannot write tables to {}", path.display()))?;
        write(&path, &page)
    }
}

/// Writes a file, or leaves it as it was.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let part = path.with_added_extension("part");
    let written = fs::write(&part, text).and_then(|()| fs::rename(&part, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Digits in groups of three.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_thousands() {
        let numbers = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(numbers, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
