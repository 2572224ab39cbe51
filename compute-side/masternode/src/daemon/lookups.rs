//! Looking devices up on the chain, however many say hello.
//!
//! Whoever has a key can say hello, registered or not; which it is, only the chain knows. So that keys
//! that are made up by the thousand cost the node next to nothing, all that wait are asked about with
//! one question, and the next question waits for its answer; what is bonded is asked of registered
//! devices only. A hello that finds no room to wait is refused, and a part of the room is left to
//! devices that were here before.

use super::{Command, Grid, Shared};
use crate::core::Bond;
use futures::future::try_join_all;
use quern_ledger::ChainError;
use quern_network::ReplyToken;
use quern_primitives::{
    AccountId, BlockNumber, DeviceId, limits::DEVICES_PER_ANSWER_MAX, view::DeviceView,
};
use quern_protocol::{Hello, Refusal, Response};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::mpsc;

/// Hellos that wait for the chain: as many as one question asks about.
pub(super) const WAITING_MAX: usize = DEVICES_PER_ANSWER_MAX as usize;

/// Of these places, those that only devices known here may take: half.
const FOR_KNOWN: usize = WAITING_MAX / 2;

/// Accounts whose bond is asked for at a time.
const BONDS_AT_A_TIME: usize = 32;

/// What the chain says of a device that is registered.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    /// The finalised block of which that was read.
    pub(crate) at: BlockNumber,
    /// The device.
    pub(crate) view: Box<DeviceView>,
    /// What its account has bonded.
    pub(crate) bond: Bond,
}

/// Devices that are registered.
type Found = BTreeMap<DeviceId, Sighting>;

/// A hello that waits for what the chain says of its device.
pub(super) struct Greeting {
    device: DeviceId,
    hello: Hello,
    reply: ReplyToken,
}

/// Whether a hello may wait where so many more can.
fn may_wait(places: usize, is_known: bool) -> bool {
    places > if is_known { 0 } else { FOR_KNOWN }
}

impl Grid {
    /// A device said hello: it waits to be looked up.
    pub(super) fn look_up(&self, device: DeviceId, hello: Hello, reply: ReplyToken) {
        let greeting = Greeting {
            device,
            hello,
            reply,
        };
        let refused = match may_wait(self.greetings.capacity(), self.core.is_known(&device)) {
            true => match self.greetings.try_send(greeting) {
                Ok(()) => return,
                Err(error) => error.into_inner(),
            },
            false => greeting,
        };
        tracing::debug!(%device, "too many hellos wait to be looked up; it is refused");
        let full = Response::Refused(Refusal::Full);
        tokio::spawn(refused.reply.dismiss(full));
    }
}

/// Looks the devices up that say hello, until the masternode stops.
pub(super) async fn answer(shared: Arc<Shared>, mut greetings: mpsc::Receiver<Greeting>) {
    let mut waiting = Vec::new();
    while greetings.recv_many(&mut waiting, WAITING_MAX).await > 0 {
        // Who is gone meanwhile needs no answer.
        waiting.retain(|greeting: &Greeting| greeting.reply.is_wanted());
        let devices: Vec<DeviceId> = waiting.iter().map(|greeting| greeting.device).collect();
        let looked_up = look_up(&shared, &devices).await;
        if let Err(error) = &looked_up {
            let error = error as &dyn std::error::Error;
            tracing::warn!(devices = devices.len(), error, "cannot look devices up");
        }
        for greeting in waiting.drain(..) {
            let Greeting {
                device,
                hello,
                reply,
            } = greeting;
            let Ok(found) = &looked_up else {
                reply.dismiss(Response::Refused(Refusal::Starting)).await;
                continue;
            };
            let command = Command::LookedUp {
                device,
                found: found.get(&device).cloned(),
                hello,
                reply,
            };
            if shared.commands.send(command).await.is_err() {
                // The masternode stops.
                return;
            }
        }
    }
}

/// Looks devices up again that are connected. If the chain does not answer, the next time will do.
pub(super) async fn recheck(shared: Arc<Shared>, devices: Vec<DeviceId>) {
    let Ok(mut found) = look_up(&shared, &devices).await else {
        return;
    };
    for device in devices {
        let command = Command::Rechecked {
            device,
            found: found.remove(&device),
        };
        if shared.commands.send(command).await.is_err() {
            // The masternode stops.
            return;
        }
    }
}

/// What the chain says of those devices that are registered, as of the last finalised block.
async fn look_up(shared: &Shared, devices: &[DeviceId]) -> Result<Found, ChainError> {
    if devices.is_empty() {
        return Ok(Found::new());
    }
    let state = shared.chain.at_finalised().await?;
    let at = state.block().number;
    let views = state.devices(devices).await?;
    let accounts: BTreeSet<AccountId> = views
        .iter()
        .map(|view| view.device.account.clone())
        .collect();
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    let mut bonds: BTreeMap<&AccountId, Bond> = BTreeMap::new();
    for some in accounts.chunks(BONDS_AT_A_TIME) {
        let asked = some.iter().map(|account| state.bond_of(account));
        let found = try_join_all(asked).await?;
        bonds.extend(some.iter().zip(found));
    }
    let with_bond = |view: DeviceView| {
        let bond = bonds.get(&view.device.account).copied();
        let sighting = Sighting {
            at,
            bond: bond.unwrap_or_default(),
            view: Box::new(view),
        };
        (sighting.view.id, sighting)
    };
    let found: Found = views.into_iter().map(with_bond).collect();
    shared.sightings.note(found.values());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_made_up_leave_room_for_devices_that_were_here_before() {
        for (places, unknown, known) in [
            (WAITING_MAX, true, true),
            (FOR_KNOWN + 1, true, true),
            (FOR_KNOWN, false, true),
            (1, false, true),
            (0, false, false),
        ] {
            assert_eq!(may_wait(places, false), unknown, "{places}");
            assert_eq!(may_wait(places, true), known, "{places}");
        }
    }
}
