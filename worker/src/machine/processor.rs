//! The processor: maker, family, model, cores and threads.

use super::{
    look::{Look, TABLE_BYTES_MAX, words},
    oddity::{Figure, Wrong},
};
use std::collections::BTreeSet;

const FIGURE: Figure = Figure::Processor;
const CPUINFO: &str = "proc/cpuinfo";
const FOLDER: &str = "sys/devices/system/cpu";

/// The most threads a machine is believed to have.
const THREADS_MAX: usize = 65_536;

/// What a machine computes with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processor {
    /// Who made it.
    pub maker: Option<String>,
    /// Its family, as its maker counts them.
    pub family: Option<String>,
    /// Its name.
    pub model: Option<String>,
    /// Cores; as many as threads where the machine does not tell them apart.
    pub cores: Option<u32>,
    /// Threads that can run at the same time.
    pub threads: Option<u32>,
}

pub(super) fn read(look: &mut Look) -> Processor {
    let text = look
        .text(FIGURE, CPUINFO, TABLE_BYTES_MAX)
        .unwrap_or_default();
    let value = |keys: &[&str]| keys.iter().find_map(|key| entries(&text, key).next());
    let maker = value(&["vendor_id", "vendor"])
        .or_else(|| value(&["CPU implementer"]))
        .map(maker);
    let threads = threads(look, &text);
    let cores = threads.map(|threads| cores(look, &text, threads).unwrap_or(threads));
    Processor {
        maker: maker.and_then(words),
        family: value(&["cpu family", "CPU architecture"]).and_then(words),
        model: value(&[
            "model name",
            "cpu model",
            "cpu",
            "uarch",
            "Hardware",
            "Model",
        ])
        .or_else(|| value(&["CPU part"]))
        .and_then(words),
        cores,
        threads,
    }
}

/// The values of a key, one for each processor that has it.
fn entries<'a>(text: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(move |(name, value)| name.trim() == key && !value.trim().is_empty())
        .map(|(_, value)| value.trim())
}

/// A maker's name for the word or number that its processors carry. The numbers are those of Arm's
/// register MIDR.
fn maker(word: &str) -> &str {
    match word {
        "GenuineIntel" => "Intel",
        "AuthenticAMD" => "AMD",
        "HygonGenuine" => "Hygon",
        "CentaurHauls" | "Shanghai" => "Zhaoxin",
        "0x41" => "Arm",
        "0x42" => "Broadcom",
        "0x43" => "Cavium",
        "0x48" => "HiSilicon",
        "0x4e" => "NVIDIA",
        "0x50" => "Applied Micro",
        "0x51" => "Qualcomm",
        "0x53" => "Samsung",
        "0x56" => "Marvell",
        "0x61" => "Apple",
        "0x6d" => "Microsoft",
        "0xc0" => "Ampere",
        other => other,
    }
}

fn threads(look: &mut Look, cpuinfo: &str) -> Option<u32> {
    let place = format!("{FOLDER}/online");
    let listed = look.line(FIGURE, &place).and_then(|text| {
        let count = listed(&text);
        if count.is_none() {
            look.not_understood(FIGURE, &place, &text);
        }
        count
    });
    let counted = || entries(cpuinfo, "processor").count();
    let count = listed.unwrap_or_else(counted);
    if count == 0 {
        return None;
    }
    if count > THREADS_MAX {
        let wrong = Wrong::Absurd {
            found: count as i128,
            least: 1,
            most: THREADS_MAX as i128,
        };
        look.odd(FIGURE, look.path(&place), wrong);
        return None;
    }
    u32::try_from(count).ok()
}

/// How many numbers a list such as `0-3,8` names; `None` if it is no such list.
fn listed(text: &str) -> Option<usize> {
    text.split(',').try_fold(0_usize, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().ok()?;
        let last: usize = last.trim().parse().ok()?;
        let count = last.checked_sub(first)?.checked_add(1)?;
        sum.checked_add(count)
    })
}

/// How many pairs of package and core there are, where every thread has one.
fn cores(look: &mut Look, cpuinfo: &str, threads: u32) -> Option<u32> {
    let packages = entries(cpuinfo, "physical id");
    let pairs: Vec<(String, String)> = packages
        .zip(entries(cpuinfo, "core id"))
        .map(|(package, core)| (package.to_owned(), core.to_owned()))
        .collect();
    let pairs = if pairs.len() == threads as usize {
        pairs
    } else {
        topologies(look)
    };
    let cores = pairs.into_iter().collect::<BTreeSet<_>>().len();
    u32::try_from(cores)
        .ok()
        .filter(|cores| (1..=threads).contains(cores))
}

fn topologies(look: &mut Look) -> Vec<(String, String)> {
    let folders: Vec<String> = look
        .names(FIGURE, FOLDER)
        .into_iter()
        .filter(|name| {
            name.strip_prefix("cpu")
                .is_some_and(|number| number.parse::<u32>().is_ok())
        })
        .collect();
    let mut entry = |folder: &str, file| {
        let place = format!("{FOLDER}/{folder}/topology/{file}");
        look.line(FIGURE, &place)
    };
    folders
        .iter()
        .filter_map(|folder| {
            Some((
                entry(folder, "physical_package_id")?,
                entry(folder, "core_id")?,
            ))
        })
        .collect()
}
