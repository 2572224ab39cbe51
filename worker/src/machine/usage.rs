//! Processor time and load.

use super::{
    look::{Look, SHORT_BYTES_MAX, TABLE_BYTES_MAX},
    oddity::{Figure, Wrong},
};

const FIGURE: Figure = Figure::FreeCpu;
const STAT: &str = "proc/stat";
const OWN_STAT: &str = "proc/self/stat";

/// The least processor time between two readings, in ticks of 10 ms over all threads: less is too
/// coarse for a share, and the last share stands.
const TICKS_MIN: u64 = 20;

/// Remembers the last reading.
#[derive(Debug, Default)]
pub(super) struct Usage {
    last: Option<Ticks>,
    permille: Option<u16>,
}

/// Processor time since the machine's start, in the kernel's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    total: u64,
    idle: u64,
    /// What this process took of it.
    own: u64,
}

impl Usage {
    /// The share of the processor's time since the last reading that others left.
    pub(super) fn free_permille(&mut self, look: &mut Look) -> Option<u16> {
        let Some(now) = ticks(look) else {
            *self = Self::default();
            return None;
        };
        let Some(last) = self.last else {
            self.last = Some(now);
            return None;
        };
        if now.total < last.total {
            look.odd(FIGURE, look.path(STAT), Wrong::WentBack);
            *self = Self {
                last: Some(now),
                permille: None,
            };
            return None;
        }
        if now.total - last.total >= TICKS_MIN {
            self.permille = Some(share(last, now));
            self.last = Some(now);
        }
        self.permille
    }
}

/// The kernel says that time waited for disks may be corrected downwards; that is no free time.
fn share(last: Ticks, now: Ticks) -> u16 {
    let total = u128::from(now.total - last.total);
    let idle = u128::from(now.idle.saturating_sub(last.idle)).min(total);
    let own = u128::from(now.own.saturating_sub(last.own)).min(total - idle);
    u16::try_from((idle + own) * 1_000 / total).unwrap_or(1_000)
}

fn ticks(look: &mut Look) -> Option<Ticks> {
    let text = look.text(FIGURE, STAT, TABLE_BYTES_MAX)?;
    let line = text.lines().next().unwrap_or_default();
    let Some(numbers) = line.strip_prefix("cpu ") else {
        look.not_understood(FIGURE, STAT, line);
        return None;
    };
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is contained in user and
    // nice. Time that a host stole is neither idle nor ours.
    let mut counts = [0_u64; 8];
    for (count, word) in counts.iter_mut().zip(numbers.split_whitespace()) {
        let number = look.parsed(FIGURE, STAT, word, 0..=i64::MAX)?;
        *count = number.cast_unsigned();
    }
    let total = counts
        .iter()
        .fold(0_u64, |sum, count| sum.saturating_add(*count));
    if total == 0 {
        look.not_understood(FIGURE, STAT, line);
        return None;
    }
    Some(Ticks {
        total,
        idle: counts[3].saturating_add(counts[4]),
        own: own(look),
    })
}

/// Processor time of this process and all its threads; none where that is not told, so that the
/// worker's tasks count as load rather than others' as free time.
fn own(look: &mut Look) -> u64 {
    let Some(text) = look.text(FIGURE, OWN_STAT, SHORT_BYTES_MAX) else {
        return 0;
    };
    // The name before may hold anything, brackets and blanks included.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut numbers = after_name
        .split_whitespace()
        .skip(11)
        .map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(user)), Some(Ok(system))) => user.saturating_add(system),
        _ => {
            look.not_understood(FIGURE, OWN_STAT, after_name);
            0
        }
    }
}
