//! How long an accepted answer waits for the finalised block in which it is settled, while the grid
//! is under steady load: two workers that are busy all the time, with tasks of a few hundredths of a
//! second, and a masternode that waits for fuller batches as long as it does unless it is told.
//!
//! Accepted is the verdict, at the masternode. The batch is finalised when GRANDPA has finalised the block
//! that settles it; that it is final too, and paid, takes the window of the job's terms beside.
//!
//! Verdicts are settled in the order in which they are made. So it is enough to look how many there are,
//! and how many of them are settled: the lag of the n-th lies between the first look that tells of so many
//! verdicts and the first that tells of so many settled. A masternode may tell again what it told
//! [`STATUS_AGE_MAX`] ago, so a lag may seem that much too short, and that much is added to each.

use crate::{
    report::{Bar, Row, say, title},
    world::{LOOK_EVERY, Load, SETTLE_WAIT, World, look},
};
use anyhow::Context as _;
use quern_jobs_api::STATUS_AGE_MAX;
use quern_owner::Coordinator;
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "settlement_lag_p95_s";

/// The longest that it may be for 95 of 100.
const LAG_MAX_S: f64 = 30.0;

/// What it is made of where nothing is late: the wait for others, and two blocks, of which one has the
/// batch and the other makes it final.
const BLOCKS: f64 = 2.0;
const BLOCK_SECONDS: f64 = 2.0;

/// A program that counts down from 30 million, which takes some hundredths of a second.
const COUNTING: &str = r#"(module (memory (export "memory") 1)
  (func (export "_start") (local $left i32)
    (local.set $left (i32.const 30000000))
    (loop $again
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))))"#;

/// More fuel than that takes.
const FUEL_MAX: u64 = 1_000_000_000;

pub(crate) async fn measure(world: &World, quick: bool) -> anyhow::Result<Row> {
    let tasks = if quick { 40 } else { 2_000 };
    title(&format!(
        "{tasks} tasks of some hundredths of a second, and when each is settled"
    ));
    let load = Load {
        program: wat::parse_str(COUNTING)?,
        fuel_per_task_max: FUEL_MAX,
        tasks,
    };
    let folder = world.prepare(load).await?;
    world.submit(&folder).await?;
    let coordinator = Coordinator::of(&world.chain, folder.job()).await?;
    let mut course = Course::default();
    let following = look(&coordinator, |at, status| {
        course.see(at, status.decided, status.settled);
        status.settled == status.tasks
    });
    let uploading = async {
        coordinator.upload(&folder, |_| {}).await?;
        anyhow::Ok(())
    };
    tokio::try_join!(following, uploading)?;
    let lags = course.lags(SETTLE_WAIT);
    let (median, p95) = (share_of(&lags, 50), share_of(&lags, 95));
    let p95 = p95.context("no task was settled")?.as_secs_f64();
    say(&format!(
        "{} tasks under steady load: half of them settled within {:.1} s, 95 of 100 within {p95:.1} s",
        lags.len(),
        median.unwrap_or_default().as_secs_f64()
    ));
    let least = SETTLE_WAIT.as_secs_f64() + BLOCKS * BLOCK_SECONDS;
    let row = Row::new(
        NAME,
        (p95, "s"),
        (
            "the longest wait for others to fill a batch, and two blocks of 2 seconds",
            least,
        ),
    );
    Ok(row.with_bar(Bar::ValueAtMost(LAG_MAX_S)))
}

/// When as many verdicts as this place says were first seen, and as many of them settled.
#[derive(Default)]
struct Course {
    decided: Vec<Instant>,
    settled: Vec<Instant>,
}

impl Course {
    fn see(&mut self, at: Instant, decided: u32, settled: u32) {
        for (seen, count) in [(&mut self.decided, decided), (&mut self.settled, settled)] {
            if seen.len() < count as usize {
                seen.resize(count as usize, at);
            }
        }
    }

    /// The lags, ascending. The last verdicts of a job wait for no others: those made within the last
    /// wait are left out, as long as others remain.
    fn lags(&self, wait: Duration) -> Vec<Duration> {
        let late = STATUS_AGE_MAX + LOOK_EVERY;
        let both = self.decided.iter().zip(&self.settled);
        let all = both.map(|(decided, settled)| (*decided, *settled - *decided + late));
        let all: Vec<_> = all.collect();
        let last = self.decided.last().copied();
        let is_steady = |(decided, _): &&(Instant, Duration)| Some(*decided + wait) <= last;
        let mut lags: Vec<_> = all.iter().filter(is_steady).map(|(_, lag)| *lag).collect();
        if lags.is_empty() {
            lags.extend(all.iter().map(|(_, lag)| *lag));
        }
        lags.sort_unstable();
        lags
    }
}

/// What so many of a hundred are not above.
fn share_of(ascending: &[Duration], of_hundred: usize) -> Option<Duration> {
    let place = (ascending.len() * of_hundred).div_ceil(100);
    ascending.get(place.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_lies_between_the_looks_that_tell_of_a_verdict_and_of_its_settlement() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut course = Course::default();
        for (seconds, decided, settled) in [(0, 1, 0), (1, 3, 0), (9, 3, 1), (20, 4, 4)] {
            course.see(at(seconds), decided, settled);
        }
        let late = STATUS_AGE_MAX + LOOK_EVERY;
        let lags = |wait| course.lags(Duration::from_secs(wait));
        let seconds = |lags: &[u64]| -> Vec<_> {
            let lags = lags.iter().map(|lag| Duration::from_secs(*lag) + late);
            lags.collect()
        };
        assert_eq!(
            lags(6),
            seconds(&[9, 19, 19]),
            "the fourth is of the last wait"
        );
        assert_eq!(lags(60), seconds(&[0, 9, 19, 19]));
    }

    #[test]
    fn of_twenty_the_nineteenth_is_above_95_of_100() {
        let lags: Vec<_> = (1..=20).map(Duration::from_secs).collect();
        assert_eq!(share_of(&lags, 95), Some(Duration::from_secs(19)));
        assert_eq!(share_of(&lags, 50), Some(Duration::from_secs(10)));
        assert_eq!(share_of(&lags[..1], 95), Some(Duration::from_secs(1)));
        assert_eq!(share_of(&[], 95), None);
    }
}
