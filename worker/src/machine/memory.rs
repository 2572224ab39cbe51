//! Memory: what the machine has, or less where a control group allows less.

use super::{
    look::{Look, SHORT_BYTES_MAX},
    oddity::Figure,
};
use std::{
    ops::RangeInclusive,
    path::{Component, Path},
};

const MEMINFO: &str = "proc/meminfo";
const CGROUPS: &str = "sys/fs/cgroup";

/// The most memory a machine is believed to have: 64 TiB.
const RAM_BYTES_MAX: u64 = 64 << 40;

/// Control groups above a process that are looked at.
const GROUPS_MAX: usize = 32;

/// Memory that programs may use.
pub(super) fn total_mib(look: &mut Look) -> Option<u64> {
    let total = total_kib(look, Figure::Ram)?;
    let limits = groups(look, Figure::Ram).into_iter();
    let least = limits.map(|group| group.limit_kib).min();
    Some(least.map_or(total, |limit| limit.min(total)) / 1024)
}

/// Memory that could be had without swapping.
pub(super) fn free_mib(look: &mut Look) -> Option<u64> {
    let figure = Figure::FreeRam;
    let total = total_kib(look, figure)?;
    let free = entry_kib(look, figure, "MemAvailable", 0..=total.cast_signed())?;
    let rooms = groups(look, figure).into_iter();
    let least = rooms.map(|group| group.room_kib).min();
    Some(least.map_or(free, |room| room.min(free)) / 1024)
}

fn total_kib(look: &mut Look, figure: Figure) -> Option<u64> {
    entry_kib(
        look,
        figure,
        "MemTotal",
        1..=(RAM_BYTES_MAX / 1024).cast_signed(),
    )
}

fn entry_kib(
    look: &mut Look,
    figure: Figure,
    key: &str,
    believed: RangeInclusive<i64>,
) -> Option<u64> {
    let text = look.text(figure, MEMINFO, SHORT_BYTES_MAX)?;
    let value = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim())?;
    let Some(number) = value.strip_suffix("kB") else {
        look.not_understood(figure, MEMINFO, value);
        return None;
    };
    look.parsed(figure, MEMINFO, number, believed)
        .and_then(|kib| u64::try_from(kib).ok())
}

/// What a control group leaves to what is in it.
struct Group {
    limit_kib: u64,
    room_kib: u64,
}

/// The files of one version of control groups.
struct Version {
    limit: &'static str,
    usage: &'static str,
    /// The key in `memory.stat` of file pages that the kernel takes back without asking.
    idle_cache: &'static str,
}

const SECOND: Version = Version {
    limit: "memory.max",
    usage: "memory.current",
    idle_cache: "inactive_file",
};

const FIRST: Version = Version {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    idle_cache: "total_inactive_file",
};

/// The groups with a limit that this process is in. What is not understood of them is no limit: the
/// machine's own figure still holds.
fn groups(look: &mut Look, figure: Figure) -> Vec<Group> {
    let Some(text) = look.text(figure, "proc/self/cgroup", SHORT_BYTES_MAX) else {
        return Vec::new();
    };
    let mut groups = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (base, version) = if controllers.is_empty() {
            (CGROUPS.to_owned(), SECOND)
        } else if controllers.split(',').any(|name| name == "memory") {
            (format!("{CGROUPS}/memory"), FIRST)
        } else {
            continue;
        };
        for folder in folders(&base, path) {
            groups.extend(group(look, figure, &folder, &version));
        }
    }
    groups
}

/// The group's own folder and those above it, down from the mount point. Inside a container the path
/// may lead out of what is mounted; then only the mount point is left.
fn folders(base: &str, path: &str) -> Vec<String> {
    let mut folders = vec![base.to_owned()];
    let mut folder = base.to_owned();
    for component in Path::new(path).components().take(GROUPS_MAX) {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                folder = format!("{folder}/{}", name.to_string_lossy());
                folders.push(folder.clone());
            }
            Component::ParentDir | Component::Prefix(_) => {
                folders.truncate(1);
                break;
            }
        }
    }
    folders
}

fn group(look: &mut Look, figure: Figure, folder: &str, version: &Version) -> Option<Group> {
    let mut text = |file| look.text(figure, &format!("{folder}/{file}"), SHORT_BYTES_MAX);
    let bytes = |text: String| text.trim().parse::<u64>().ok();
    // "max", and the number near 2^63 that the first version says instead, are no limit.
    let limit = text(version.limit)
        .and_then(bytes)
        .filter(|limit| *limit < RAM_BYTES_MAX)?;
    let usage = text(version.usage).and_then(bytes).unwrap_or(0);
    let idle_cache = text("memory.stat")
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == version.idle_cache)
        .and_then(|(_, value)| value.trim().parse::<u64>().ok())
        .unwrap_or(0);
    Some(Group {
        limit_kib: limit / 1024,
        room_kib: limit.saturating_sub(usage.saturating_sub(idle_cache)) / 1024,
    })
}
