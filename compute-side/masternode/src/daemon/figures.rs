//! What the masternode finds out about devices by itself: the speed of their transfers, the round
//! trip, the benchmark's answers; and the draw of the daily lottery.

use super::{Command, Shared, devices};
use crate::core::{Challenge, Measured};
use quern_grid::lottery::Draw;
use quern_ledger::ChainError;
use quern_primitives::{
    BlockNumber, DeviceId, JobId,
    ids::{ReplicaIndex, TaskIndex},
    job::Job,
    limits::DAY_BLOCKS,
};
use quern_protocol::{Content, Deliver, Fetch};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a new benchmark is computed.
const CHALLENGE_EVERY: Duration = Duration::from_secs(60);

/// Benchmarks computed at the start.
const CHALLENGES_AT_START: usize = 4;

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// A transfer in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    Down(Content),
    Up(JobId, TaskIndex, ReplicaIndex),
}

/// The last piece of a device's transfer.
#[derive(Clone, Copy, Debug)]
struct LastPiece {
    of: Transfer,
    end: u64,
    length: u64,
    at: Instant,
}

/// Watches transfers in pieces. A device asks for the next piece when it has the last, so the time
/// between two requests is what one piece takes.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    last: BTreeMap<DeviceId, LastPiece>,
    welcomed: BTreeMap<DeviceId, Instant>,
}

impl Transfers {
    /// A device asks for a piece.
    pub(super) fn fetch(
        &mut self,
        device: DeviceId,
        fetch: &Fetch,
        now: Instant,
    ) -> Option<Measured> {
        let length = u64::from(fetch.length);
        let piece = LastPiece {
            of: Transfer::Down(fetch.content),
            end: fetch.offset.saturating_add(length),
            length,
            at: now,
        };
        let last = self.last.insert(device, piece)?;
        let follows = last.of == piece.of && last.end == fetch.offset;
        follows.then(|| Measured::Down {
            bytes: last.length,
            ms: ms(last.at, now),
        })
    }

    /// A piece of a device's result is here.
    pub(super) fn deliver(
        &mut self,
        device: DeviceId,
        deliver: &Deliver,
        now: Instant,
    ) -> Option<Measured> {
        let length = deliver.bytes.len() as u64;
        let piece = LastPiece {
            of: Transfer::Up(deliver.id.job, deliver.id.task, deliver.id.replica),
            end: deliver.offset.saturating_add(length),
            length,
            at: now,
        };
        let last = self.last.insert(device, piece)?;
        let follows = last.of == piece.of && last.end == deliver.offset;
        follows.then(|| Measured::Up {
            bytes: length,
            ms: ms(last.at, now),
        })
    }

    /// A device was welcomed.
    pub(super) fn welcomed(&mut self, device: DeviceId, now: Instant) {
        self.welcomed.insert(device, now);
    }

    /// A device speaks: if it was just welcomed, that took a round trip.
    pub(super) fn spoke(&mut self, device: &DeviceId, now: Instant) -> Option<Measured> {
        let welcomed = self.welcomed.remove(device)?;
        Some(Measured::RoundTrip {
            ms: ms(welcomed, now),
        })
    }

    pub(super) fn gone(&mut self, device: &DeviceId) {
        self.last.remove(device);
        self.welcomed.remove(device);
    }
}

fn ms(from: Instant, to: Instant) -> u64 {
    let ms = to.saturating_duration_since(from).as_millis();
    u64::try_from(ms).unwrap_or(u64::MAX)
}

/// Computes benchmarks for devices until the masternode stops.
pub(super) async fn compute_benchmarks(shared: Arc<Shared>) {
    let Some(benchmark) = shared.benchmark.clone() else {
        return;
    };
    let mut computed = 0;
    loop {
        let benchmark = benchmark.clone();
        let run = tokio::task::spawn_blocking(move || benchmark.run()).await;
        match run {
            Ok(Ok(run)) => {
                let challenge = Challenge {
                    input: run.input,
                    output: run.output,
                    fuel: run.fuel,
                };
                let command = Command::Challenge(challenge);
                if shared.commands.send(command).await.is_err() {
                    return;
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "cannot run the benchmark; processors stay unknown"
                );
            }
            Err(_) => return,
        }
        computed += 1;
        if computed >= CHALLENGES_AT_START {
            tokio::time::sleep(CHALLENGE_EVERY).await;
        }
    }
}

/// The day of a block.
pub(super) fn day(block: BlockNumber) -> u32 {
    block / DAY_BLOCKS
}

/// Draws a day's lottery: from the chain's randomness in the day's first block, and from when each
/// device last had a task as of then. Anybody who asks the chain can draw it again.
pub(super) async fn draw(
    shared: &Shared,
    day: u32,
    devices: Vec<DeviceId>,
) -> Result<Command, ChainError> {
    let first = day.saturating_mul(DAY_BLOCKS);
    let state = shared.chain.at_height(first).await?;
    let seed = state.lottery_seed().await?;
    let mut idle = BTreeMap::new();
    for view in state.devices(&devices).await? {
        let last = view.device.last_task;
        if last > 0 {
            idle.insert(view.id, first.saturating_sub(last));
        }
    }
    let draw = Draw { seed, day };
    Ok(Command::Drawn { draw, idle })
}

/// What a job's lanes follow from: the block in which its coordinator was drawn, which nobody knew
/// when the job was committed.
pub(crate) async fn seed_of(shared: &Shared, id: JobId, job: &Job) -> Result<[u8; 32], ChainError> {
    let drawn_in = job.submitted_at.saturating_add(1);
    let hash = shared.chain.block_hash(drawn_in).await?;
    let mut hasher = Sha256::new();
    hasher.update(b"quern/lanes/1");
    hasher.update(hash);
    hasher.update(id.0);
    Ok(hasher.finalize().into())
}

/// The same, asked again until the chain answers.
pub(super) async fn seed_at_last(shared: &Shared, id: JobId, job: &Job) -> [u8; 32] {
    loop {
        match seed_of(shared, id, job).await {
            Ok(seed) => return seed,
            Err(error) => {
                tracing::warn!(
                    job = %id,
                    error = &error as &dyn std::error::Error,
                    "cannot read a job's seed; trying again"
                );
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Looks a device up for the core.
pub(super) async fn recheck(shared: &Shared, device: DeviceId) {
    if let Ok(view) = devices::look_up(shared, device).await {
        let view = view.map(Box::new);
        // An error says that the masternode stops.
        let command = Command::Rechecked { device, view };
        drop(shared.commands.send(command).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::ProgramHash;
    use quern_protocol::ReplicaId;

    const DEVICE: DeviceId = DeviceId([1; 32]);

    fn fetch(program: u8, offset: u64) -> Fetch {
        Fetch {
            content: Content::Program(ProgramHash([program; 32])),
            offset,
            length: 1_000,
        }
    }

    fn deliver(task: TaskIndex, offset: u64, bytes: usize) -> Deliver {
        Deliver {
            id: ReplicaId {
                job: JobId([2; 32]),
                task,
                replica: 0,
            },
            offset,
            bytes: vec![0; bytes],
        }
    }

    #[test]
    fn the_time_between_two_pieces_of_one_transfer_tells_its_speed() {
        let mut transfers = Transfers::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(transfers.fetch(DEVICE, &fetch(1, 0), at(0)), None);
        let down = Some(Measured::Down {
            bytes: 1_000,
            ms: 20,
        });
        assert_eq!(transfers.fetch(DEVICE, &fetch(1, 1_000), at(20)), down);
        // Another program, and another place of the same one, are no continuation.
        assert_eq!(transfers.fetch(DEVICE, &fetch(2, 2_000), at(30)), None);
        assert_eq!(transfers.fetch(DEVICE, &fetch(2, 9_000), at(40)), None);

        assert_eq!(transfers.deliver(DEVICE, &deliver(1, 0, 10), at(50)), None);
        let up = Some(Measured::Up { bytes: 500, ms: 5 });
        assert_eq!(transfers.deliver(DEVICE, &deliver(1, 10, 500), at(55)), up);
        assert_eq!(transfers.deliver(DEVICE, &deliver(2, 510, 1), at(60)), None);
        transfers.gone(&DEVICE);
        assert_eq!(transfers.deliver(DEVICE, &deliver(2, 511, 1), at(61)), None);
    }

    #[test]
    fn what_a_device_says_first_after_its_welcome_tells_the_round_trip() {
        let mut transfers = Transfers::default();
        let start = Instant::now();
        assert_eq!(transfers.spoke(&DEVICE, start), None);
        transfers.welcomed(DEVICE, start);
        let later = start + Duration::from_millis(7);
        let trip = Some(Measured::RoundTrip { ms: 7 });
        assert_eq!(transfers.spoke(&DEVICE, later), trip);
        assert_eq!(transfers.spoke(&DEVICE, later), None);
    }
}
