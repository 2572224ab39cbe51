//! What the masternodes' grids have for a job at the moment: devices that meet what it asks for, and
//! how often devices fail.

use crate::masternodes::{Answer, ask_each};
use quern_grid::replication::{
    DeviceGroup, FailureProbability, FailureProbabilityError, Fleet, FleetError,
};
use quern_jobs_api::{Asking, FAULT_RATES, JobsApiClient as _, Matching};
use quern_owner::{ApiFailure, Masternode, Masternodes};

/// The last tasks of a device, of which a masternode tells how many were faulty.
const TASKS: f64 = (FAULT_RATES - 1) as f64;

/// How likely a device fails with a task that had no fault in its last 20 tasks: half of the least
/// share above zero, one in 40. So few tasks do not show that it never fails.
pub(crate) const FAULTLESS: f64 = 0.5 / TASKS;

/// What a masternode told of its grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveGrid {
    /// Where it is.
    pub(crate) url: String,
    /// How many of its devices meet what the job asks for.
    pub(crate) matching: Matching,
    /// How many of its ranked devices that meet it had how many faulty tasks among their last 20.
    pub(crate) rates: Vec<u32>,
}

/// What the masternodes of a chain told of their grids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The grids of those that answered.
    pub(crate) grids: Vec<LiveGrid>,
    /// Where the others are.
    pub(crate) silent: Vec<String>,
}

/// What a masternode tells of its devices' faults makes no fleet.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum LiveError {
    /// It tells other counts than it should.
    #[error(
        "the masternode at {url} told {found} counts of faulty tasks, not {FAULT_RATES}; update `quern`, or ask another with --masternode"
    )]
    Counts {
        /// Where it is.
        url: String,
        /// How many it told.
        found: usize,
    },
    /// A rate is no probability.
    #[error(transparent)]
    Failure(#[from] FailureProbabilityError),
    /// The devices are no fleet.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

/// Asks all of them what they have for a job that asks for this.
pub(crate) async fn ask(masternodes: Masternodes, asking: Asking) -> Asked {
    let Masternodes { reached, silent } = masternodes;
    let answers = ask_each(reached, |masternode| async move {
        told(&masternode, asking).await
    });
    let mut asked = Asked {
        grids: vec![],
        silent,
    };
    for Answer { url, answer } in answers.await {
        match answer {
            Ok(grid) => asked.grids.push(grid),
            Err(_) => asked.silent.push(url),
        }
    }
    asked
}

async fn told(masternode: &Masternode, asking: Asking) -> Result<LiveGrid, ApiFailure> {
    let client = masternode.client();
    Ok(LiveGrid {
        url: masternode.url().to_owned(),
        matching: client.grid_matching(asking).await?,
        rates: client.grid_rates(asking).await?,
    })
}

impl LiveGrid {
    /// Its ranked devices by how often they fail: with as large a share of all tasks as of their last.
    /// The fault rate is no such share, for it is a mean over three kinds of fault. None if it has no
    /// device.
    pub(crate) fn fleet(&self) -> Result<Option<Fleet>, LiveError> {
        if self.rates.len() != FAULT_RATES {
            return Err(LiveError::Counts {
                url: self.url.clone(),
                found: self.rates.len(),
            });
        }
        let mut groups = Vec::new();
        for (faulty, devices) in (0u32..).zip(&self.rates) {
            let share = match faulty {
                0 => FAULTLESS,
                _ => f64::from(faulty) / TASKS,
            };
            groups.push(DeviceGroup {
                devices: u64::from(*devices),
                failure: FailureProbability::new(share)?,
            });
        }
        match Fleet::of_groups(groups) {
            Err(FleetError::NoDevices) => Ok(None),
            fleet => Ok(Some(fleet?)),
        }
    }
}

/// How likely a replica fails that goes to any of these devices: the mean over them.
pub(crate) fn mean_failure(fleet: &Fleet) -> Result<FailureProbability, LiveError> {
    let sum: f64 = fleet
        .groups()
        .map(|group| group.devices as f64 * group.failure.get())
        .sum();
    // Rounding may bring it a hair above what all of them have.
    let mean = (sum / fleet.devices() as f64).min(1.0);
    Ok(FailureProbability::new(mean)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    /// A grid with so many devices for each of these numbers of faulty tasks, and so many accounts.
    pub(crate) fn grid(url: &str, accounts: u32, rates: &[(usize, u32)]) -> LiveGrid {
        let mut counts = vec![0; FAULT_RATES];
        for (faulty, devices) in rates {
            counts[*faulty] = *devices;
        }
        let devices = counts.iter().sum();
        LiveGrid {
            url: url.into(),
            matching: Matching {
                devices,
                accounts,
                of: devices,
                ..Matching::default()
            },
            rates: counts,
        }
    }

    #[test]
    fn devices_fail_with_the_share_of_their_last_tasks_that_was_faulty_and_none_never_fails() {
        let fleet = grid("a", 3, &[(0, 5), (1, 2), (20, 1)]).fleet().unwrap();
        let groups: Vec<_> = fleet.unwrap().groups().collect();
        let found = groups.iter().map(|it| (it.devices, it.failure.get()));
        let found: Vec<_> = found.collect();
        assert_eq!(found, [(5, 0.025), (2, 0.05), (1, 1.0)]);
    }

    #[test]
    fn a_replica_that_goes_to_any_device_fails_as_often_as_they_do_on_average() {
        let mean = |rates: &[(usize, u32)]| {
            let fleet = grid("a", 3, rates).fleet().unwrap().unwrap();
            mean_failure(&fleet).unwrap().get()
        };
        assert_eq!(mean(&[(20, 7)]), 1.0);
        let mixed = mean(&[(2, 100), (10, 300)]);
        assert!((mixed - 0.4).abs() < 1e-12, "{mixed}");
    }

    #[test]
    fn a_grid_without_devices_has_no_fleet_and_nonsense_is_refused() {
        assert_eq!(grid("a", 0, &[]).fleet(), Ok(None));
        let mut short = grid("a", 0, &[]);
        short.rates.pop();
        let found = FAULT_RATES - 1;
        let url = "a".into();
        assert_eq!(short.fleet(), Err(LiveError::Counts { url, found }));
        let most = grid("a", 1, &[(1, u32::MAX)]);
        let devices = most.fleet().unwrap().unwrap().devices();
        assert_eq!(devices, u64::from(u32::MAX));
    }
}
