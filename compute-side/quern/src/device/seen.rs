//! Devices as the schedulers of the masternodes see them, beside what the chain keeps of them.

use crate::{
    grid::all_of,
    masternodes::{Answer, MasternodeArgs, ask_each},
};
use quern_jobs_api::{ApiError, DeviceState, GRID_DEVICES_MAX, JobsApiClient as _};
use quern_ledger::State;
use quern_owner::{ApiFailure, Masternode};
use quern_primitives::DeviceId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A device as one masternode sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Seen {
    /// Which masternode: one that the device is connected to, if there is one.
    pub(super) masternode: String,
    /// To how many masternodes it is connected.
    pub(super) connected_to: usize,
    #[serde(flatten)]
    pub(super) state: DeviceState,
}

/// What the masternodes told of some devices.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pub(super) devices: BTreeMap<DeviceId, Seen>,
    /// Masternodes that answered.
    pub(super) answered: usize,
    /// Those that did not.
    pub(super) silent: Vec<String>,
}

impl Sight {
    /// Asks the masternodes. Where none answers, nothing is known of any device.
    pub(super) async fn of(
        state: &State,
        args: &MasternodeArgs,
        devices: BTreeSet<DeviceId>,
    ) -> anyhow::Result<Self> {
        if devices.is_empty() {
            return Ok(Self::default());
        }
        let masternodes = args.reach_by(state).await?;
        let answers = ask_each(masternodes.reached, |masternode| {
            let devices = devices.clone();
            async move { told(&masternode, &devices).await }
        });
        Ok(Self::merged(answers.await, masternodes.silent))
    }

    /// Puts the answers together.
    fn merged(answers: Vec<Answer<Vec<DeviceState>>>, silent: Vec<String>) -> Self {
        let mut sight = Self {
            silent,
            ..Self::default()
        };
        for Answer { url, answer } in answers {
            let Ok(states) = answer else {
                sight.silent.push(url);
                continue;
            };
            sight.answered += 1;
            for state in states {
                sight.add(&url, state);
            }
        }
        sight
    }

    fn add(&mut self, url: &str, state: DeviceState) {
        let device = state.device;
        let here = Seen {
            masternode: url.to_owned(),
            connected_to: usize::from(state.connected),
            state,
        };
        let connected_to = here.connected_to;
        let seen = self.devices.entry(device).or_insert_with(|| here.clone());
        if seen.masternode == url {
            return;
        }
        // The first masternode that it is connected to says most of it.
        if !seen.state.connected && here.state.connected {
            (seen.masternode, seen.state) = (here.masternode, here.state);
        }
        seen.connected_to += connected_to;
    }

    /// Why nothing is known of any device, if no masternode answered.
    pub(super) fn silence(&self) -> Option<String> {
        if self.answered > 0 || self.silent.is_empty() {
            return None;
        }
        Some(format!(
            "rank, score and flags are not known: none of the masternodes answers ({})",
            self.silent.join(", ")
        ))
    }
}

/// What a masternode knows of these devices. It is asked for each, or for the pages of all devices,
/// whichever takes fewer questions.
async fn told(
    masternode: &Masternode,
    devices: &BTreeSet<DeviceId>,
) -> Result<Vec<DeviceState>, ApiFailure> {
    let all = masternode.client().about().await?.devices;
    let pages = all.div_ceil(GRID_DEVICES_MAX).max(1) as usize;
    if devices.len() > pages {
        let is_wanted = |state: &DeviceState| devices.contains(&state.device);
        return all_of(masternode, devices.len(), is_wanted).await;
    }
    let mut states = Vec::new();
    for device in devices {
        let told = masternode.client().explain_device(*device).await;
        match told.map_err(ApiFailure::from) {
            Ok(explanation) => states.push(explanation.state),
            Err(ApiFailure::Refused(ApiError::UnknownDevice)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(states)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::grid::words::tests::known_device;

    /// A sight of one device at one masternode.
    pub(in crate::device) fn known_sight() -> Sight {
        let answer = Ok(vec![known_device()]);
        let url = "ws://here".into();
        Sight::merged(vec![Answer { url, answer }], vec![])
    }

    fn answer(url: &str, connected: bool, byte_rank: u32) -> Answer<Vec<DeviceState>> {
        let state = DeviceState {
            connected,
            byte_rank,
            ..known_device()
        };
        Answer {
            url: url.into(),
            answer: Ok(vec![state]),
        }
    }

    fn only(sight: &Sight) -> (&str, usize, u32) {
        let seen = sight.devices.values().next().unwrap();
        (&seen.masternode, seen.connected_to, seen.state.byte_rank)
    }

    #[test]
    fn a_device_is_shown_where_it_is_connected_and_its_connections_are_counted() {
        let answers = vec![
            answer("a", false, 0),
            answer("b", true, 2),
            answer("c", true, 3),
        ];
        let sight = Sight::merged(answers, vec![]);
        assert_eq!(only(&sight), ("b", 2, 2));
        let sight = Sight::merged(vec![answer("a", false, 0)], vec![]);
        assert_eq!(only(&sight), ("a", 0, 0));
    }

    #[test]
    fn only_where_nobody_answers_is_that_said() {
        let failure = ApiFailure::Refused(ApiError::Starting);
        let failed = Answer {
            url: "c".into(),
            answer: Err(failure),
        };
        let sight = Sight::merged(vec![failed], vec!["d".into()]);
        assert!(sight.silence().unwrap().contains("(d, c)"));
        assert_eq!(known_sight().silence(), None);
        assert_eq!(Sight::default().silence(), None);
    }
}
