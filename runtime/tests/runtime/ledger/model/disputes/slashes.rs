//! Who is convicted: once for one thing, what it costs, and who gets it.

use super::{Ledger, Place, Purpose, Refusal, batch_of, batches, groups, need};
use quern_primitives::{AccountId, Amount, DeviceId, JobId, TaskIndex};
use std::collections::BTreeSet;

/// Nobody is convicted of one thing twice.
pub(super) fn prove(ledger: &mut Ledger, job: &JobId, place: Place) -> Result<(), Refusal> {
    let is_new = ledger.disputes.proved.insert((*job, place));
    need(is_new, "ProvedBefore")
}

/// A device without a bond is convicted once.
pub(super) fn has_something_to_lose(
    ledger: &Ledger,
    guilty: &AccountId,
    device: &DeviceId,
) -> Result<(), Refusal> {
    let workforce = &ledger.workforce;
    let registered = workforce.devices.get(device).map(|device| &device.past);
    let past = registered.or(workforce.retired.get(device));
    let is_convicted = past.is_some_and(|past| past.convicted > 0);
    let is_bonded = workforce.held(guilty) > 0;
    need(is_bonded || !is_convicted, "NothingLeft")
}

/// A masternode lied where no batch falls.
pub(super) fn convict_member(
    ledger: &mut Ledger,
    winner: &AccountId,
    job: &JobId,
    guilty: &AccountId,
    place: Place,
) -> Result<(), Refusal> {
    prove(ledger, job, place)?;
    slash_masternodes(ledger, winner, std::slice::from_ref(guilty), 0, Amount::MAX);
    groups::convicted(ledger, job, guilty);
    Ok(())
}

/// A device lied in a replica of a task; there is one here.
pub(super) fn convict_worker(
    ledger: &mut Ledger,
    winner: &AccountId,
    job: &JobId,
    guilty: &AccountId,
    (device, task): (&DeviceId, TaskIndex),
) -> Result<(), Refusal> {
    prove(ledger, job, Place::Replica(task, *device))?;
    slash_worker(ledger, winner, guilty, device);
    Ok(())
}

/// A batch is wrong: who settled it pays, and who certified it too if they should have seen it.
pub(super) fn convict_batch(
    ledger: &mut Ledger,
    winner: &AccountId,
    job: &JobId,
    batch: usize,
    with_certifiers: bool,
) {
    let (known, settled) = batch_of(ledger, job, batch).expect("it is pending");
    let group = known.group.as_ref().expect("it was drawn");
    let certificates = settled.certified.certificates.iter();
    let certified: BTreeSet<usize> = certificates
        .filter(|_| with_certifiers)
        .map(|(place, _)| usize::from(*place))
        .collect();
    let members = group.members.iter().enumerate();
    let guilty =
        members.filter(|(place, (who, _))| *who == settled.by || certified.contains(place));
    let guilty: Vec<AccountId> = guilty.map(|(_, (who, _))| who.clone()).collect();
    let spent = settled.certified.batch.spent;
    slash_masternodes(ledger, winner, &guilty, spent, Amount::MAX);
    ledger.disputes.proved.insert((*job, Place::Batch(batch)));
    batches::strike(ledger, job, batch);
}

/// What of a slash the winner gets: nothing if the winner is guilty too.
fn part(ledger: &Ledger, slash: Amount, is_guilty: bool) -> Amount {
    match is_guilty {
        true => 0,
        false => slash * ledger.params.winner / 1_000,
    }
}

/// Each loses a masternode's bond, or what the batch that falls has spent if that is more. The winner gets a part
/// of so much of each slash at the most.
pub(super) fn slash_masternodes(
    ledger: &mut Ledger,
    winner: &AccountId,
    guilty: &[AccountId],
    spent: Amount,
    rewarded: Amount,
) {
    for who in guilty {
        let slash = ledger.params.masternode_bond.max(spent);
        let slash = slash.min(ledger.roster.held(who));
        let paid = part(ledger, slash.min(rewarded), guilty.contains(winner));
        ledger.roster.take(who, slash);
        if slash > 0 {
            ledger.roster.short.insert(who.clone());
        }
        ledger.money.take_held(who, Purpose::MasternodeBond, slash);
        ledger.money.give(winner, paid);
        ledger.bytechip.burnt += slash - paid;
    }
}

fn slash_worker(ledger: &mut Ledger, winner: &AccountId, who: &AccountId, device: &DeviceId) {
    let slash = ledger.params.bond.min(ledger.workforce.held(who));
    let paid = part(ledger, slash, winner == who);
    // Who has nothing left is convicted all the same.
    if slash > 0 {
        ledger.workforce.take(who, slash);
        ledger.money.take_held(who, Purpose::Bond, slash);
        ledger.money.give(winner, paid);
        ledger.bytechip.burnt += slash - paid;
    }
    let workforce = &mut ledger.workforce;
    let registered = workforce.devices.get_mut(device);
    let registered = registered.map(|device| &mut device.past);
    if let Some(past) = registered.or(workforce.retired.get_mut(device)) {
        past.convicted += 1;
    }
}
