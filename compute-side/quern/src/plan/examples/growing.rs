//! The third example's grid, which grows with r.

use super::{ACCOUNTS, GRID, GRID_DEVICES, GRID_TASKS, drawn, means};
use crate::plan::draws::Draws;
use quern_grid::replication::{CurvePoint, DeviceGroup, FailureProbability, Fleet, Plan};

/// What may be added to the second example's grid, up to r = 6.
const MORE: &str = "20000@35%~12%";

/// Replicas from one drawn point of the curve to the next.
const STEP: usize = 100;

/// The grid: every replica that its own devices do not run brings a device.
///
/// Drawn devices are kept in the order in which they come, so that more replicas mean more devices
/// and never others.
#[derive(Clone, Debug)]
pub(super) struct Growing {
    grid: Vec<DeviceGroup>,
    more: Vec<DeviceGroup>,
}

impl Growing {
    /// As drawn.
    pub(super) fn drawn(draws: &mut Draws) -> anyhow::Result<Self> {
        let (grid, more) = (drawn(GRID, draws)?, drawn(MORE, draws)?);
        Ok(Self { grid, more })
    }

    /// All devices at their means.
    pub(super) fn by_means() -> anyhow::Result<Self> {
        let one = |group: DeviceGroup| DeviceGroup {
            devices: 1,
            ..group
        };
        let more = means(MORE)?;
        let single = more
            .iter()
            .flat_map(|group| (0..group.devices).map(|_| one(*group)));
        Ok(Self {
            grid: means(GRID)?,
            more: single.collect(),
        })
    }

    /// P for a number of replicas.
    pub(super) fn failure(&self, replicas: u64) -> anyhow::Result<FailureProbability> {
        let joined = usize::try_from(replicas.saturating_sub(GRID_DEVICES))?;
        let groups = self.grid.iter().chain(self.more.iter().take(joined));
        let fleet = Fleet::of_groups(groups.copied())?;
        Ok(Plan::new(GRID_TASKS, fleet, ACCOUNTS)?.failure(replicas)?)
    }

    /// The fewest replicas that do. P falls as devices join, so halving finds them.
    pub(super) fn least(&self, accepted: FailureProbability) -> anyhow::Result<u64> {
        let (mut least, mut enough) = (GRID_TASKS, self.replicas_max());
        while least < enough {
            let middle = least + (enough - least) / 2;
            if self.failure(middle)? <= accepted {
                enough = middle;
            } else {
                least = middle + 1;
            }
        }
        Ok(enough)
    }

    /// P for as many replicas as there can be, and fewer.
    pub(super) fn curve(&self) -> anyhow::Result<Vec<CurvePoint>> {
        let replicas = (GRID_TASKS..=self.replicas_max()).step_by(STEP);
        let point = |replicas: u64| {
            Ok(CurvePoint {
                replicas,
                factor: replicas as f64 / GRID_TASKS as f64,
                failure: self.failure(replicas)?,
            })
        };
        replicas.map(point).collect()
    }

    fn replicas_max(&self) -> u64 {
        GRID_DEVICES + self.more.len() as u64
    }
}
