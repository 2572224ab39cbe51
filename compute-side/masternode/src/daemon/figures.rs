//! What the masternode finds out about devices by itself: the speed of their transfers, the round
//! trip, the benchmark's answers; and the draw of the daily lottery.

use super::{Command, Shared, devices};
use crate::core::{Challenge, Measured};
use quern_grid::lottery::{Draw, first_block_of};
use quern_ledger::ChainError;
use quern_primitives::{
    DeviceId, JobId,
    device::Device,
    ids::{ReplicaIndex, TaskIndex},
    job::Job,
};
use quern_protocol::{Content, Deliver, Fetch};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a new benchmark is computed.
const CHALLENGE_EVERY: Duration = Duration::from_secs(60);

/// Benchmarks computed at the start.
const CHALLENGES_AT_START: usize = 4;

/// So often a day's lottery is tried to be drawn.
const DRAWS_MAX: u32 = 5;

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// A transfer in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    Down(Content),
    Up(JobId, TaskIndex, ReplicaIndex),
}

/// A transfer of a device, as far as it is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    of: Transfer,
    /// Where its first piece began, or ended if it comes from the device: from then on time counts.
    start: u64,
    began: Instant,
    /// Where its last piece ends.
    end: u64,
}

/// Pieces that a device asks for before it has the first of them, at the most.
const IN_FLIGHT_MAX: u64 = 2;

/// Watches transfers in pieces. A device asks for a piece when it has all but the last few of those
/// before, so these are not counted as received yet; what it sends is here when it is here.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    under_way: BTreeMap<DeviceId, Progress>,
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
        let of = Transfer::Down(fetch.content);
        let end = fetch.offset.saturating_add(length);
        let progress = self.go_on(device, of, (fetch.offset, fetch.offset), end, now)?;
        // This one and the one before may be asked for and not here.
        let on_their_way = length.saturating_mul(IN_FLIGHT_MAX - 1);
        let received = fetch.offset.saturating_sub(progress.start);
        let bytes = received.saturating_sub(on_their_way);
        (bytes > length).then(|| Measured::Down {
            bytes,
            ms: ms(progress.began, now),
        })
    }

    /// A piece of a device's result is here.
    pub(super) fn deliver(
        &mut self,
        device: DeviceId,
        deliver: &Deliver,
        now: Instant,
    ) -> Option<Measured> {
        let of = Transfer::Up(deliver.id.job, deliver.id.task, deliver.id.replica);
        let end = deliver.offset.saturating_add(deliver.bytes.len() as u64);
        let progress = self.go_on(device, of, (deliver.offset, end), end, now)?;
        Some(Measured::Up {
            bytes: end.saturating_sub(progress.start),
            ms: ms(progress.began, now),
        })
    }

    /// The transfer that a piece goes on with; none if it begins one. `at` and `counts_from` say where
    /// the piece begins, and from where bytes are counted if it is the first.
    fn go_on(
        &mut self,
        device: DeviceId,
        of: Transfer,
        (at, counts_from): (u64, u64),
        end: u64,
        now: Instant,
    ) -> Option<Progress> {
        let known = self.under_way.get_mut(&device);
        if let Some(known) = known.filter(|known| known.of == of && known.end == at) {
            known.end = end;
            return Some(*known);
        }
        let begins = Progress {
            of,
            start: counts_from,
            began: now,
            end,
        };
        self.under_way.insert(device, begins);
        None
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
        self.under_way.remove(device);
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

/// Draws a day's lottery among all registered devices, from the state of the day's first block. As it
/// follows from that alone, `quern grid lottery` draws the same.
async fn draw(shared: &Shared, day: u32) -> Result<Command, ChainError> {
    let state = shared.chain.at_height(first_block_of(day)).await?;
    let seed = state.lottery_seed().await?;
    let draw = Draw { seed, day };
    let mut winners = BTreeSet::new();
    let draws = |id: DeviceId, device: Device| {
        let lot = draw.lot(&id, device.last_task);
        if lot.is_some_and(|lot| lot.wins()) {
            winners.insert(id);
        }
    };
    state.each_device(draws).await?;
    tracing::info!(day, winners = winners.len(), "the day's lottery is drawn");
    let ends_at = draw.ends_at();
    Ok(Command::Drawn { winners, ends_at })
}

/// The same, asked some times until the chain answers.
pub(super) async fn draw_at_last(shared: &Shared, day: u32) -> Option<Command> {
    for _ in 0..DRAWS_MAX {
        match draw(shared, day).await {
            Ok(drawn) => return Some(drawn),
            Err(error) => {
                tracing::warn!(
                    day,
                    error = &error as &dyn std::error::Error,
                    "cannot draw the day's lottery"
                );
                if let ChainError::Discarded { .. } = error {
                    // What the node has discarded does not come back.
                    return None;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
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
    if let Ok(found) = devices::look_up(shared, device).await {
        // An error says that the masternode stops.
        let command = Command::Rechecked { device, found };
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
    fn the_pieces_of_one_transfer_tell_its_speed() {
        let mut transfers = Transfers::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut fetches =
            |program, offset, ms| transfers.fetch(DEVICE, &fetch(program, offset), at(ms));
        // Two are asked for at once, and then each when one has come.
        assert_eq!(fetches(1, 0, 0), None);
        assert_eq!(fetches(1, 1_000, 0), None);
        assert_eq!(fetches(1, 2_000, 20), None);
        let down = |bytes, ms| Some(Measured::Down { bytes, ms });
        assert_eq!(fetches(1, 3_000, 40), down(2_000, 40));
        assert_eq!(fetches(1, 4_000, 60), down(3_000, 60));
        // Another program, and another place of the same one, are no continuation.
        assert_eq!(fetches(2, 5_000, 80), None);
        assert_eq!(fetches(2, 9_000, 80), None);

        let mut delivers = |task, offset, bytes, ms| {
            transfers.deliver(DEVICE, &deliver(task, offset, bytes), at(ms))
        };
        assert_eq!(delivers(1, 0, 10, 100), None);
        let up = |bytes, ms| Some(Measured::Up { bytes, ms });
        assert_eq!(delivers(1, 10, 500, 105), up(500, 5));
        assert_eq!(delivers(1, 510, 500, 110), up(1_000, 10));
        assert_eq!(delivers(2, 1_010, 1, 115), None);
        transfers.gone(&DEVICE);
        assert_eq!(
            transfers.deliver(DEVICE, &deliver(2, 1_011, 1), at(120)),
            None
        );
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
