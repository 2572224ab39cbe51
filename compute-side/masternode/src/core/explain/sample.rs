//! Which devices are looked at to say what keeps a job or a task waiting.
//!
//! There may be more than can be asked one by one, and whoever owns devices chooses their keys. So those
//! are looked at on which it hangs: the best ranked of those that the job could go to, the ranked before
//! the others, and beside them some of those met on the way that it could not go to. That costs a look at
//! each device that is known, if the job could go to few; if it could go to many, at the best of them.

use crate::core::{Core, device::Known};
use quern_jobs_api::EXPLAINED_DEVICES_MAX;
use quern_primitives::ids::{DeviceId, JobId};

/// So many of the devices are such as a job could not go to, if so many are met, and more if it could go
/// to few.
const OTHERS: usize = EXPLAINED_DEVICES_MAX / 4;

impl Core {
    /// The connected devices that are looked at, at most [`EXPLAINED_DEVICES_MAX`]: those that a queued
    /// job could go to, best first, then others, best first.
    pub(in crate::core) fn sample_for(&self, id: JobId) -> Vec<(DeviceId, &Known)> {
        let (dispatch, fleet) = (&self.scheduler.dispatch, &self.scheduler.fleet);
        let most = EXPLAINED_DEVICES_MAX;
        let (mut suited, mut others) = (vec![], vec![]);
        for number in fleet.ranking().listed(0) {
            let has_contrast = others.len() >= OTHERS && suited.len() >= most - OTHERS;
            if has_contrast || suited.len() >= most {
                break;
            }
            let (traits, rank) = (fleet.traits(number), fleet.rank_of(number));
            let found = match dispatch.is_for(id, traits, rank) {
                true => &mut suited,
                false => &mut others,
            };
            if found.len() >= most {
                continue;
            }
            let device = fleet.device(number);
            let known = device.and_then(|device| Some((device, self.devices.get(&device)?)));
            found.extend(known.filter(|(_, known)| known.connected));
        }
        others.truncate(most.saturating_sub(suited.len()).max(OTHERS));
        suited.truncate(most.saturating_sub(others.len()));
        suited.extend(others);
        suited
    }
}
