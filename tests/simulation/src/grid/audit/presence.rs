//! Which devices the masternode must know to be there, and ranked.
//!
//! A device counts here when it has said hello and told that it is fit, and devices were ranked since;
//! until it is silent, gone, or not fit. Where it is not sure whether it is ranked it does not count.

use quern_grid::Tick;
use quern_primitives::ids::DeviceId;
use quern_protocol::limits;
use std::collections::BTreeMap;

/// How long after a device came devices are ranked at the latest, and after anything else, in
/// milliseconds.
const RANKED_AGAIN_MS: u64 = 1_000;
const RANKED_MS: u64 = 30_000;

/// How long a device may be given nothing after it gave a task back, in milliseconds: five minutes at
/// the most, and then it is to be ranked again.
const PAUSE_MS_MAX: u64 = 5 * 60_000 + RANKED_MS;

/// How long a device may be given nothing that had nothing to show of several tasks, in milliseconds: a
/// day at the most, from when it is found to be silent perhaps, and then it is to be ranked again.
const REST_MS_MAX: u64 = 24 * 60 * 60_000 + SILENCE_MS + RANKED_MS;

const SILENCE_MS: u64 = limits::SILENCE_MAX.as_millis() as u64;

#[derive(Clone, Copy, Debug)]
struct Here {
    heard: Tick,
    /// Whether it said hello over the connection it has.
    is_greeted: bool,
    /// Whether it has told how it is in this life of the masternode.
    has_told: bool,
    /// From when on it is sure to be ranked; none while it is not to be.
    ranked_from: Option<Tick>,
    /// Until when it may have to pause.
    pauses_until: Tick,
}

/// The devices that were heard in this life of the masternode.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence(BTreeMap<DeviceId, Here>);

impl Presence {
    pub(super) fn says_hello(&mut self, device: DeviceId, now: Tick) {
        let here = self.0.entry(device).or_insert(Here {
            heard: now,
            is_greeted: true,
            has_told: false,
            ranked_from: None,
            pauses_until: Tick::default(),
        });
        here.heard = now;
        here.is_greeted = true;
        here.ranked_from = None;
    }

    /// A device says something. One that was silent for too long has to say hello first.
    pub(super) fn says(&mut self, device: &DeviceId, now: Tick) {
        let Some(here) = self.0.get_mut(device) else {
            return;
        };
        if now.since(here.heard) >= SILENCE_MS {
            return self.goes(device);
        }
        here.heard = now;
    }

    /// A device tells whether it is fit.
    pub(super) fn tells(&mut self, device: &DeviceId, now: Tick, is_fit: bool) {
        let here = self.0.get_mut(device).filter(|here| here.is_greeted);
        let Some(here) = here else {
            return;
        };
        let in_ms = match here.has_told {
            true => RANKED_MS,
            false => RANKED_AGAIN_MS,
        };
        here.has_told = true;
        here.ranked_from = match is_fit {
            true => here.ranked_from.or(Some(now.plus_ms(in_ms))),
            false => None,
        };
    }

    /// A device has given a task back, or come back without it.
    pub(super) fn pauses(&mut self, device: &DeviceId, now: Tick) {
        if let Some(here) = self.0.get_mut(device) {
            here.pauses_until = here.pauses_until.max(now.plus_ms(PAUSE_MS_MAX));
        }
    }

    /// A device had nothing to show of one task after the other.
    pub(super) fn rests(&mut self, device: &DeviceId, now: Tick) {
        if let Some(here) = self.0.get_mut(device) {
            here.pauses_until = here.pauses_until.max(now.plus_ms(REST_MS_MAX));
        }
    }

    pub(super) fn goes(&mut self, device: &DeviceId) {
        if let Some(here) = self.0.get_mut(device) {
            here.is_greeted = false;
            here.ranked_from = None;
        }
    }

    /// Whether a device is there, and is ranked since the step of the masternode before this one.
    pub(super) fn is_ranked(&self, device: &DeviceId, before: Tick, now: Tick) -> bool {
        self.0.get(device).is_some_and(|here| {
            let is_ranked = here.ranked_from.is_some_and(|from| from <= before);
            is_ranked && here.pauses_until <= now && now.since(here.heard) < SILENCE_MS
        })
    }
}
