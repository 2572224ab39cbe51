//! Looks at the processes of a cell, and at what it has put aside; ends those that are left.

use crate::{
    limits::{ENDING_SECONDS_MAX, ENTRIES_MAX},
    message::{At, Refusal, Step},
};
use rustix::{
    event::{Timespec, poll},
    fs::statvfs,
    io::Errno,
    process::{
        Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, pidfd_open,
        pidfd_send_signal, prlimit, wait,
    },
};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Which processes are a cell's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// All that there are but this one: it is the first of its names.
    AllButUs,
    /// Those that stem from this one. Who loses its parent becomes its child.
    OurDescendants,
}

/// What processes have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Bytes of memory that are not a file's.
    pub(super) memory_bytes: u64,
    /// Processes and threads.
    pub(super) tasks: u64,
}

/// Where a command's files are, and what room they have.
pub(super) enum Disk<'a> {
    /// A file system of their own, in which so many files may be.
    Own(&'a str, u64),
    /// A folder among others, which may have so many bytes.
    Among(&'a Path, u64),
}

/// Adds up what a cell's processes have.
pub(super) fn sum(whose: Whose) -> io::Result<Sum> {
    let mut sum = Sum::default();
    for process in processes_of(whose)? {
        sum.memory_bytes = sum.memory_bytes.saturating_add(process.memory_bytes);
        sum.tasks = sum.tasks.saturating_add(process.tasks);
    }
    Ok(sum)
}

/// Processes and threads of a user, wherever they are.
pub(super) fn tasks_of_user(user: u32) -> io::Result<u64> {
    let all = processes()?;
    Ok(all
        .iter()
        .filter(|it| it.user == user)
        .map(|it| it.tasks)
        .sum())
}

impl Disk<'_> {
    /// Whether no room is left.
    pub(super) fn is_full(&self) -> io::Result<bool> {
        match self {
            Disk::Own(path, files_max) => {
                let room = statvfs(*path)?;
                let files = room.f_files.saturating_sub(room.f_ffree);
                Ok(room.f_bfree == 0 || room.f_ffree == 0 || files > *files_max)
            }
            Disk::Among(folder, bytes_max) => Ok(!has_at_most(folder, *bytes_max)),
        }
    }
}

/// Waits for all children that have ended; says how `awaited` did, if it is among them.
pub(super) fn reap(awaited: Option<Pid>) -> Reaped {
    let mut reaped = Reaped {
        awaited: None,
        is_nobody_left: false,
    };
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if Some(pid) == awaited => reaped.awaited = Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return reaped,
            Err(_) => {
                reaped.is_nobody_left = true;
                return reaped;
            }
        }
    }
}

/// What waiting came to.
pub(super) struct Reaped {
    pub(super) awaited: Option<WaitStatus>,
    /// Whether there are no children any more.
    pub(super) is_nobody_left: bool,
}

/// Ends all descendants of this process, which must be the one that gets orphans as children.
pub(super) fn end_all() -> Result<(), Refusal> {
    let until = Instant::now() + Duration::from_secs(ENDING_SECONDS_MAX);
    while !reap(None).is_nobody_left {
        if Instant::now() > until {
            return Err(Refusal {
                step: Step::End,
                number: libc::EBUSY,
            });
        }
        for process in hold_all().at(Step::End)? {
            process.signal(Signal::KILL);
        }
        rest(Duration::from_millis(1));
    }
    Ok(())
}

/// Keeps all descendants from having more, until none is found that is not kept from it. Each that was
/// ended before would make room for another, and they are quicker than we are.
fn hold_all() -> io::Result<Vec<Process>> {
    let mut held = BTreeSet::new();
    loop {
        let found = processes_of(Whose::OurDescendants)?;
        let is_news = |it: &&Process| !held.contains(&it.pid.as_raw_pid());
        let news: Vec<&Process> = found.iter().filter(is_news).collect();
        if news.is_empty() {
            return Ok(found);
        }
        for process in &news {
            process.hold();
        }
        held.extend(news.iter().map(|it| it.pid.as_raw_pid()));
    }
}

fn rest(time: Duration) {
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: time.subsec_nanos().into(),
    };
    let _ = poll(&mut [], Some(&time));
}

fn processes_of(whose: Whose) -> io::Result<Vec<Process>> {
    let us = rustix::process::getpid();
    let all = processes()?;
    match whose {
        Whose::AllButUs => Ok(all.into_iter().filter(|it| it.pid != us).collect()),
        Whose::OurDescendants => Ok(descendants(all, us.as_raw_pid())),
    }
}

/// Those of a list that stem from `root`.
fn descendants(mut others: Vec<Process>, root: i32) -> Vec<Process> {
    let mut family = BTreeSet::from([root]);
    let mut found = Vec::new();
    loop {
        let (children, rest): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|it| family.contains(&it.parent));
        if children.is_empty() {
            return found;
        }
        family.extend(children.iter().map(|it| it.pid.as_raw_pid()));
        found.extend(children);
        others = rest;
    }
}

/// A process, as the system shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    pid: Pid,
    parent: i32,
    user: u32,
    tasks: u64,
    memory_bytes: u64,
}

fn processes() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name
            .to_str()
            .and_then(|name| Pid::from_raw(name.parse().ok()?));
        // One that is gone by now has nothing.
        found.extend(pid.and_then(Process::read));
    }
    Ok(found)
}

impl Process {
    /// Forbids it children, which it cannot undo, and stops it, so that it takes no time from us.
    fn hold(&self) {
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        if self.is_there() {
            let _ = prlimit(Some(self.pid), Resource::Nproc, none);
        }
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        let process = pidfd_open(self.pid, PidfdFlags::empty());
        if let Ok(process) = process
            && self.is_there()
        {
            let _ = pidfd_send_signal(process, signal);
        }
    }

    /// Whether its number still belongs to it, by its parent, or to us, who get orphans.
    fn is_there(&self) -> bool {
        let us = rustix::process::getpid().as_raw_pid();
        Process::read(self.pid).is_some_and(|now| [self.parent, us].contains(&now.parent))
    }

    fn read(pid: Pid) -> Option<Self> {
        let status = fs::read(format!("/proc/{}/status", pid.as_raw_pid())).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&status))
    }

    fn parse(pid: Pid, status: &str) -> Option<Self> {
        let mut process = Process {
            pid,
            parent: 0,
            user: 0,
            tasks: 0,
            memory_bytes: 0,
        };
        for line in status.lines() {
            let (name, value) = line.split_once(':')?;
            let number = value.split_whitespace().next().unwrap_or_default();
            match name {
                "PPid" => process.parent = number.parse().ok()?,
                "Uid" => process.user = number.parse().ok()?,
                "Threads" => process.tasks = number.parse().ok()?,
                "RssAnon" | "RssShmem" | "VmSwap" => {
                    let kibibytes: u64 = number.parse().ok()?;
                    let bytes = kibibytes.saturating_mul(1_024);
                    process.memory_bytes = process.memory_bytes.saturating_add(bytes);
                }
                _ => {}
            }
        }
        Some(process)
    }
}

/// Whether a folder's files take no more than so many bytes on the disk. What cannot be counted is too
/// much: a command can make folders that nobody may list.
fn has_at_most(folder: &Path, bytes_max: u64) -> bool {
    let (mut bytes, mut entries) = (0_u64, 0);
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = match fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return false,
        };
        for entry in listed {
            // What goes while it is looked at takes no room.
            let Some((path, seen)) = entry
                .ok()
                .and_then(|it| Some((it.path(), it.metadata().ok()?)))
            else {
                continue;
            };
            entries += 1;
            bytes = bytes.saturating_add(seen.blocks().saturating_mul(512));
            if bytes > bytes_max || entries > ENTRIES_MAX {
                return false;
            }
            if seen.is_dir() {
                folders.push(path);
            }
        }
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    #[test]
    fn a_process_is_read_whatever_it_calls_itself() {
        let status = "Name:\tThreads: 9\\nPPid:\t7\nPPid:\t12\nUid:\t5\t6\t7\t8\nVmRSS:\t99 kB\n\
            RssAnon:\t      40 kB\nRssFile:\t 50 kB\nRssShmem:\t 2 kB\nVmSwap:\t 1 kB\nThreads:\t3\n";
        let wanted = Process {
            pid: pid(20),
            parent: 12,
            user: 5,
            tasks: 3,
            memory_bytes: 43 * 1_024,
        };
        assert_eq!(Process::parse(pid(20), status), Some(wanted));
    }

    #[test]
    fn descendants_are_found_over_generations_and_nobody_else_is() {
        let all = [(5, 1), (9, 5), (3, 9), (7, 2), (2, 1), (8, 3)];
        let all = all.map(|(number, parent)| Process {
            pid: pid(number),
            parent,
            user: 0,
            tasks: 1,
            memory_bytes: 0,
        });
        let mut found: Vec<i32> = descendants(all.to_vec(), 5)
            .iter()
            .map(|it| it.pid.as_raw_pid())
            .collect();
        found.sort_unstable();
        assert_eq!(found, [3, 8, 9]);
    }

    #[test]
    fn a_folder_is_full_when_its_files_take_more_than_it_may_have() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), vec![1; 1 << 20]).unwrap();
        assert!(Disk::Among(folder.path(), 1 << 19).is_full().unwrap());
        assert!(!Disk::Among(folder.path(), 1 << 22).is_full().unwrap());
    }
}
