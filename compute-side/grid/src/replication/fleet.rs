//! The devices that replicas run on, as far as replication cares: how often they fail.

use super::{FACTOR_MAX, TASKS_MAX, probability::FailureProbability};

/// Devices of one fleet; sums of groups stay far from the largest number.
pub const DEVICES_MAX: u64 = 1 << 60;

/// Groups that a fleet may be given as; 24 bytes each.
pub const GROUPS_MAX: usize = 10_000_000;

/// Devices that fail equally often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceGroup {
    /// How many they are.
    pub devices: u64,
    /// How likely one of them fails with a task.
    pub failure: FailureProbability,
}

impl DeviceGroup {
    /// More devices than the largest plan has replicas.
    pub const ANY_NUMBER: u64 = TASKS_MAX * FACTOR_MAX;
}

/// Devices are no fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// There are none.
    #[error("there are no devices; name at least one")]
    NoDevices,
    /// There are too many.
    #[error("there are more devices than can be counted here; name at most {DEVICES_MAX}")]
    TooManyDevices,
    /// There are too many groups.
    #[error(
        "there are {groups} groups of devices; join those that fail equally often, to at most {GROUPS_MAX}"
    )]
    TooManyGroups {
        /// How many there are.
        groups: usize,
    },
}

/// Devices by how often they fail, the most reliable first.
///
/// A fleet is a histogram: it costs as much as it has different probabilities, however many devices
/// those are.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// Ascending by probability, each once.
    runs: Vec<Run>,
}

/// The devices with one probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// How many devices there are up to the end of this run.
    pub(super) end: u64,
    pub(super) ln_failure: f64,
    failure: FailureProbability,
}

impl Fleet {
    /// A fleet of groups, in any order; empty ones and several of one probability are fine.
    pub fn of_groups(groups: impl IntoIterator<Item = DeviceGroup>) -> Result<Self, FleetError> {
        let mut groups: Vec<_> = groups
            .into_iter()
            .filter(|group| group.devices > 0)
            .take(GROUPS_MAX + 1)
            .collect();
        if groups.len() > GROUPS_MAX {
            let groups = groups.len();
            return Err(FleetError::TooManyGroups { groups });
        }
        groups.sort_unstable_by(|a, b| a.failure.get().total_cmp(&b.failure.get()));
        let mut runs: Vec<Run> = Vec::new();
        let mut end = 0u64;
        for DeviceGroup { devices, failure } in groups {
            end = end
                .checked_add(devices)
                .filter(|&end| end <= DEVICES_MAX)
                .ok_or(FleetError::TooManyDevices)?;
            match runs.last_mut().filter(|run| run.failure == failure) {
                Some(run) => run.end = end,
                None => runs.push(Run {
                    end,
                    ln_failure: failure.ln(),
                    failure,
                }),
            }
        }
        if runs.is_empty() {
            return Err(FleetError::NoDevices);
        }
        Ok(Self { runs })
    }

    /// A fleet of single devices, in any order.
    pub fn of_devices(
        devices: impl IntoIterator<Item = FailureProbability>,
    ) -> Result<Self, FleetError> {
        Self::of_groups(devices.into_iter().map(|failure| DeviceGroup {
            devices: 1,
            failure,
        }))
    }

    /// As many devices as a plan may want, all alike.
    #[must_use]
    pub fn alike(failure: FailureProbability) -> Self {
        let run = Run {
            end: DeviceGroup::ANY_NUMBER,
            ln_failure: failure.ln(),
            failure,
        };
        Self { runs: vec![run] }
    }

    /// How many devices there are.
    #[must_use]
    pub fn devices(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.end)
    }

    /// The groups, the most reliable first.
    pub fn groups(&self) -> impl Iterator<Item = DeviceGroup> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let devices = run.end - start;
            start = run.end;
            let failure = run.failure;
            DeviceGroup { devices, failure }
        })
    }

    /// Who runs how many of this many replicas.
    pub(super) fn deal(&self, replicas: u64) -> Deal<'_> {
        let devices = self.devices();
        Deal {
            runs: &self.runs,
            replicas,
            rounds: replicas / devices,
            last_round: replicas % devices,
        }
    }
}

/// Replicas dealt to a fleet in rounds: every device gets one before any gets another, and of a
/// round that does not go all the way round the most reliable get theirs.
///
/// The places of the deal are the replicas in the order of their devices, the most reliable first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deal<'a> {
    runs: &'a [Run],
    replicas: u64,
    /// Replicas that every device runs.
    rounds: u64,
    /// Devices, from the most reliable one, that run one more.
    last_round: u64,
}

impl Deal<'_> {
    /// The first place behind those of a run.
    fn end(&self, run: &Run) -> u64 {
        self.rounds * run.end + self.last_round.min(run.end)
    }

    /// The ends of all runs that have a place.
    fn ends(&self) -> impl Iterator<Item = u64> {
        let used = self
            .runs
            .partition_point(|run| self.end(run) < self.replicas);
        self.runs.iter().take(used + 1).map(|run| self.end(run))
    }

    /// The natural logarithm of the probability that no task fails everywhere, where task `i` has
    /// the places `i`, `i + tasks`, `i + 2 tasks` and so on.
    ///
    /// Tasks between two neighbouring ends, both taken modulo the number of tasks, have their
    /// replicas in the same runs, so one of them speaks for all. There are at most as many such
    /// stretches as runs and one more.
    pub(super) fn ln_all_done(&self, tasks: u64) -> f64 {
        let mut bounds: Vec<_> = self.ends().map(|end| end % tasks).collect();
        bounds.extend([0, tasks]);
        bounds.sort_unstable();
        bounds.dedup();
        let stretches = bounds.windows(2).map(|pair| {
            let (start, end) = (pair[0], pair[1]);
            let ln_done = super::probability::ln_of_complement(self.ln_failure(start, tasks));
            // Both are below 2^53, so nothing is rounded.
            (end - start) as f64 * ln_done
        });
        stretches.sum()
    }

    /// The natural logarithm of the probability that a task fails on all its devices.
    fn ln_failure(&self, task: u64, tasks: u64) -> f64 {
        let mut sum = 0.0;
        let mut place = task;
        let mut runs = self.runs;
        while place < self.replicas {
            runs = &runs[runs.partition_point(|run| self.end(run) <= place)..];
            let Some(run) = runs.first() else { break };
            // The first place and every further one that is in the same run.
            let replicas = (self.end(run) - 1 - place) / tasks + 1;
            sum += replicas as f64 * run.ln_failure;
            place += replicas * tasks;
        }
        sum
    }
}
