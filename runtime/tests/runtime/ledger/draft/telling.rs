//! Drafts of what coordinators have of the batches that they settle.

use super::Draft;
use crate::ledger::{
    model::{batches, jobs::Job},
    told::{Author, Lie, Told},
};
use quern_primitives::{AccountId, DeviceId, batch::Batch};

/// In how many of a hundred batches there is a lie.
const LYING_PERCENT: u64 = 60;

impl Draft<'_> {
    /// What the coordinator has of the batch, mostly; the batch gets the root of that.
    pub(super) fn told(&mut self, batch: &mut Batch, job: Option<&Job>) -> Option<Told> {
        let by = job.and_then(Job::coordinator);
        let group = job.and_then(|job| job.group.as_ref());
        let mut members = group.iter().flat_map(|group| &group.members);
        let key = members.find(|(who, _)| Some(who) == by);
        let key = key.map(|(_, key)| *key);
        let nodes = &self.cast.nodes;
        let node = nodes.iter().find(|it| Some(DeviceId(it.public().0)) == key);
        let job = job?;
        let tasks = batches::named(&batch.tasks, job.submission.tasks);
        let tasks: Vec<u32> = tasks.ok()?.into_iter().collect();
        let lie = self.chance.one_of(&Lie::ALL);
        let lie = lie.filter(|_| self.chance.percent(LYING_PERCENT));
        let (place, account) = self.first_device();
        if self.spoils() {
            return None;
        }
        let device = (place, &self.cast.devices[place], account);
        let author = Author {
            genesis: self.cast.genesis,
            id: batch.job,
            job,
            node: node?,
            device,
            now: self.ledger.now,
            lie,
        };
        Some(author.tell(batch, &tasks))
    }

    /// A device that is registered, if one is, by its place among the cast, and whose it is.
    fn first_device(&mut self) -> (usize, AccountId) {
        let known = &self.ledger.workforce.devices;
        let cast = self.cast;
        let registered = cast.devices.iter().enumerate().filter_map(|(place, key)| {
            let account = known.get(&key.id()).map(|device| device.account.clone())?;
            Some((place, account))
        });
        let registered: Vec<_> = registered.collect();
        let any = self.chance.below(cast.devices.len() as u64) as usize;
        let found = self.chance.one_of(&registered);
        found.unwrap_or_else(|| (any, cast.workers()[0].clone()))
    }
}
