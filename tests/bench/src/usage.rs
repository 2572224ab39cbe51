//! Where processor time goes, from the kernel's own accounts of each thread.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// What one thread, or several of one name, used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// On a processor.
    pub(crate) time: Duration,
    /// How often it went to sleep by itself: each is a wait and a wake-up.
    pub(crate) sleeps: u64,
}

/// What processes used, by process and thread name, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage(BTreeMap<(String, String), Used>);

impl Usage {
    /// So far, of these processes.
    pub(crate) fn of(processes: &[(String, u32)]) -> Self {
        let mut usage = Self::default();
        for (name, id) in processes {
            for folder in threads(*id) {
                // A thread may end while its files are read; it is not counted then.
                let Some((thread, used)) = thread(&folder) else {
                    continue;
                };
                let sum = usage.0.entry((name.clone(), thread)).or_default();
                sum.time += used.time;
                sum.sleeps += used.sleeps;
            }
        }
        usage
    }

    /// What was used since an earlier look.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let used = self.0.iter().map(|(key, used)| {
            let before = earlier.0.get(key).copied().unwrap_or_default();
            let used = Used {
                time: used.time.saturating_sub(before.time),
                sleeps: used.sleeps.saturating_sub(before.sleeps),
            };
            (key.clone(), used)
        });
        Self(used.collect())
    }

    /// All of it.
    pub(crate) fn total(&self) -> Duration {
        self.0.values().map(|used| used.time).sum()
    }

    /// Process, thread and what it used, the busiest thread of each process first.
    pub(crate) fn rows(&self) -> Vec<(&str, &str, Used)> {
        let mut rows: Vec<_> = self
            .0
            .iter()
            .map(|((process, thread), used)| (process.as_str(), thread.as_str(), *used))
            .collect();
        rows.sort_by_key(|(process, _, used)| (*process, std::cmp::Reverse(used.time)));
        rows
    }
}

/// Time all processors of this machine have been busy, with whatever.
pub(crate) fn machine() -> Option<Duration> {
    busy(&fs::read_to_string("/proc/stat").ok()?)
}

/// The first line counts hundredths of a second: user, nice, system, idle, waiting for a disk,
/// interrupts, their second half, and what the machine under this one took away.
fn busy(stat: &str) -> Option<Duration> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?;
    let numbers: Vec<u64> = numbers
        .split_whitespace()
        .map_while(|number| number.parse().ok())
        .collect();
    let ticks = [0, 1, 2, 5, 6, 7].map(|place| numbers.get(place).copied().unwrap_or(0));
    Some(Duration::from_millis(10 * ticks.iter().sum::<u64>()))
}

/// Time this thread has been on a processor.
pub(crate) fn this_thread() -> Option<Duration> {
    on_processor(Path::new("/proc/thread-self"))
}

fn threads(process: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/task"));
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn thread(folder: &Path) -> Option<(String, Used)> {
    let name = fs::read_to_string(folder.join("comm")).ok()?;
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let sleeps = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    let used = Used {
        time: on_processor(folder)?,
        sleeps: sleeps.trim().parse().ok()?,
    };
    // Threads of a pool that are numbered count as one.
    let name = name
        .trim()
        .trim_end_matches(|last: char| last.is_ascii_digit());
    Some((name.trim_end_matches('-').to_owned(), used))
}

/// The first number of `schedstat`, in nanoseconds.
fn on_processor(folder: &Path) -> Option<Duration> {
    let text = fs::read_to_string(folder.join("schedstat")).ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_busy_with_all_but_idling_and_waiting() {
        let stat = "cpu  100 20 30 4000 500 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0";
        assert_eq!(busy(stat), Some(Duration::from_millis(1_710)));
        assert_eq!(busy("intr 1 2 3"), None);
    }

    #[test]
    fn what_this_process_uses_is_seen_and_counted_from_an_earlier_look() {
        let me = [("me".to_owned(), std::process::id())];
        let earlier = Usage::of(&me);
        let start = this_thread();
        // Some work that the compiler cannot leave out.
        let sum = (0..20_000_000_u64).fold(0, |sum, n| sum ^ std::hint::black_box(n));
        std::hint::black_box(sum);
        assert!(this_thread() > start);
        let used = Usage::of(&me).since(&earlier);
        assert!(used.total() > Duration::ZERO && used.total() <= Usage::of(&me).total());
        assert!(used.rows().iter().all(|(process, ..)| *process == "me"));
    }
}
