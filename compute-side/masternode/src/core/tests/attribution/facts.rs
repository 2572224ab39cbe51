//! What a log and all that devices told say of a task and of a device: found in the whole list each time, with
//! nothing of the code that is tested.

use crate::core::{Entry, ReleaseCause, Tick};
use quern_primitives::{
    ids::{AccountId, DeviceId, ReplicaIndex, TaskIndex},
    job::Agreement,
    receipt::{Answer, Exit},
    verdict::Finding,
};
use quern_protocol::{HandBackReason, ReplicaId};
use std::collections::BTreeMap;

/// Without a sign of life for so long a device is silent, in milliseconds.
const SILENT_MS: u64 = 17_000;

/// What a device did, as the masternode was told.
#[derive(Clone, Debug)]
pub(super) enum Did {
    /// It said hello, and named what it has.
    Came(Vec<ReplicaId>),
    /// It spoke, and named what it has in hand.
    Spoke(Vec<ReplicaId>),
    /// It gave all that it had in hand back.
    GaveBack(Vec<ReplicaId>, HandBackReason),
    /// Its connection ended.
    Went,
}

/// Something that a device did.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) at: Tick,
    pub(super) by: DeviceId,
    pub(super) did: Did,
    /// How long the log was before.
    pub(super) log: usize,
}

/// Who has a replica of a task.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) device: DeviceId,
    pub(super) since: Tick,
    /// Where in the log it was given.
    pub(super) place: usize,
}

/// All that is known.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) log: &'a [(Tick, Entry)],
    pub(super) deeds: &'a [Deed],
    pub(super) accounts: &'a BTreeMap<DeviceId, AccountId>,
    pub(super) agreement: Agreement,
}

/// Whether so long has passed since then. What would end after the end of time ends there.
pub(super) fn has_passed(since: Tick, ms: u64, now: Tick) -> bool {
    since.0.saturating_add(ms) <= now.0
}

impl<'a> Facts<'a> {
    /// The same before an entry of the log was written.
    pub(super) fn before(self, place: usize) -> Self {
        Self {
            log: &self.log[..place],
            ..self
        }
    }

    fn account(&self, device: &DeviceId) -> &'a AccountId {
        &self.accounts[device]
    }

    /// Who has each replica of a task, by its number.
    pub(super) fn holders(&self, task: TaskIndex) -> BTreeMap<ReplicaIndex, Holder> {
        let mut holders = BTreeMap::new();
        for (place, (at, entry)) in self.log.iter().enumerate() {
            match entry {
                Entry::Assigned {
                    task: of,
                    replica,
                    device,
                    ..
                } if *of == task => {
                    let (device, since) = (*device, *at);
                    let holder = Holder {
                        device,
                        since,
                        place,
                    };
                    holders.insert(*replica, holder);
                }
                Entry::Released {
                    task: of, replica, ..
                } if *of == task => {
                    holders.remove(replica);
                }
                Entry::Revealed { receipt, .. } if receipt.payload.task == task => {
                    holders.remove(&receipt.payload.replica);
                }
                _ => {}
            }
        }
        if self.is_closed(task) {
            holders.clear();
        }
        holders
    }

    /// What devices have answered, and for which replica.
    pub(super) fn answers(&self, task: TaskIndex) -> Vec<(ReplicaIndex, DeviceId, Answer)> {
        let answers = self.log.iter().filter_map(|(_, entry)| match entry {
            Entry::Revealed { receipt, .. } => Some(&receipt.payload),
            _ => None,
        });
        let answers = answers.filter(|it| it.task == task);
        answers
            .map(|it| (it.replica, it.device, it.answer()))
            .collect()
    }

    /// Who lost a replica of a task, and why.
    pub(super) fn losses(&self, task: TaskIndex) -> Vec<(DeviceId, ReleaseCause)> {
        let losses = self.log.iter().filter_map(|(_, entry)| match entry {
            Entry::Released {
                task: of,
                device,
                cause,
                ..
            } if *of == task => Some((*device, *cause)),
            _ => None,
        });
        losses.collect()
    }

    /// Replicas that a task begins with.
    pub(super) fn first_replicas(&self) -> usize {
        match self.agreement {
            Agreement::Majority { replicas } => replicas.into(),
            _ => 1,
        }
    }

    /// Replicas that a task has.
    pub(super) fn replicas(&self, task: TaskIndex) -> usize {
        let added = self.log.iter().map(|(_, entry)| match entry {
            Entry::Added { task: of, replicas } if *of == task => usize::from(*replicas),
            _ => 0,
        });
        added
            .fold(self.first_replicas(), usize::saturating_add)
            .min(15)
    }

    /// Whether the job has come to an end that is not its last verdict.
    pub(super) fn is_over(&self) -> bool {
        self.log.iter().any(|(_, entry)| match entry {
            Entry::Judged { verdict } => verdict.answer.exit != Exit::Success,
            Entry::Ended { end } => end.task().is_some(),
            _ => false,
        })
    }

    /// Whether nobody is to compute a task any more.
    pub(super) fn is_closed(&self, task: TaskIndex) -> bool {
        let is_judged = |(_, entry): &(Tick, Entry)| match entry {
            Entry::Judged { verdict } => verdict.task == task,
            _ => false,
        };
        self.is_over() || self.log.iter().any(is_judged)
    }

    /// What a verdict that accepts this answer finds of each device: nothing of those that only gave the task
    /// back.
    pub(super) fn findings(&self, task: TaskIndex, accepted: &Answer) -> Vec<(DeviceId, Finding)> {
        let answers = self.answers(task).into_iter();
        let found = answers.map(|(_, device, answer)| match answer == *accepted {
            true => (device, Finding::Accepted),
            false => (device, Finding::Incorrect),
        });
        let lost = self.losses(task).into_iter();
        let lost = lost.filter_map(|(device, cause)| match cause {
            ReleaseCause::Late => Some((device, Finding::Delayed)),
            ReleaseCause::Failed | ReleaseCause::BadInput { .. } => Some((device, Finding::Failed)),
            _ => None,
        });
        let mut all: Vec<_> = found.chain(lost).collect();
        all.sort_unstable_by_key(|(device, finding)| (*device, format!("{finding:?}")));
        all
    }

    /// Accounts that gave an answer to a task.
    pub(super) fn voices(&self, task: TaskIndex, answer: &Answer) -> usize {
        let said = self.answers(task).into_iter();
        let said = said.filter(|(.., it)| it == answer);
        let mut accounts: Vec<_> = said.map(|(_, by, _)| self.account(&by)).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts.len()
    }

    /// Accounts of which a device could not open a task.
    pub(super) fn unopened_by(&self, task: TaskIndex) -> usize {
        let lost = self.losses(task).into_iter();
        let lost = lost.filter(|(_, cause)| matches!(cause, ReleaseCause::BadInput { .. }));
        let mut accounts: Vec<_> = lost.map(|(by, _)| self.account(&by)).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts.len()
    }

    /// Since when a task is in doubt: a device failed on it, or two answers differ.
    pub(super) fn doubted(&self, task: TaskIndex) -> Option<Tick> {
        let is_in_doubt = |facts: &Self| {
            let answers = facts.answers(task);
            let fails = |it: &(ReplicaIndex, DeviceId, Answer)| it.2.exit != Exit::Success;
            let differs = answers.iter().any(|it| it.2 != answers[0].2);
            let is_failure = |(_, cause): &(DeviceId, ReleaseCause)| {
                matches!(cause, ReleaseCause::Failed | ReleaseCause::BadInput { .. })
            };
            differs || answers.iter().any(fails) || facts.losses(task).iter().any(is_failure)
        };
        let mut places = 0..self.log.len();
        let first = places.find(|place| is_in_doubt(&self.before(place + 1)));
        first.map(|place| self.log[place].0)
    }

    /// Since when a replica is nobody's.
    pub(super) fn open_since(&self, task: TaskIndex, replica: ReplicaIndex) -> Option<Tick> {
        let lost = self.log.iter().rev().find_map(|(at, entry)| match entry {
            Entry::Released {
                task: of,
                replica: it,
                ..
            } if (*of, *it) == (task, replica) => Some(*at),
            _ => None,
        });
        let places = 0..self.log.len();
        let mut is_there = places.filter(|place| {
            let facts = self.before(place + 1);
            usize::from(replica) < facts.replicas(task)
        });
        lost.or_else(|| is_there.next().map(|place| self.log[place].0))
    }

    /// Whether a device may not have a task again.
    pub(super) fn is_excluded(&self, task: TaskIndex, device: &DeviceId) -> bool {
        let is_for_good = |cause: &ReleaseCause| {
            matches!(
                cause,
                ReleaseCause::Late
                    | ReleaseCause::Failed
                    | ReleaseCause::BadInput { .. }
                    | ReleaseCause::HandedBackOften
                    | ReleaseCause::Barred
            )
        };
        let losses = self.losses(task);
        losses
            .iter()
            .any(|(by, cause)| by == device && is_for_good(cause))
    }

    /// Whether a device of the same account has a replica of a task, or has answered one.
    pub(super) fn is_touched(&self, task: TaskIndex, device: &DeviceId) -> bool {
        let holders = self.holders(task).into_values().map(|it| it.device);
        let answered = self.answers(task).into_iter().map(|(_, by, _)| by);
        let mut devices = holders.chain(answered);
        devices.any(|by| self.account(&by) == self.account(device))
    }

    /// What a device has in hand.
    pub(super) fn in_hand(&self, tasks: u32, device: &DeviceId) -> Vec<(TaskIndex, ReplicaIndex)> {
        let of_task = |task| {
            let holders = self.holders(task).into_iter();
            let its = holders.filter(|(_, it)| it.device == *device);
            its.map(move |(replica, _)| (task, replica))
                .collect::<Vec<_>>()
        };
        (0..tasks).flat_map(of_task).collect()
    }

    /// How the tasks of a device ended that have a verdict, and when.
    fn endings(&self, device: &DeviceId) -> Vec<(Tick, bool)> {
        let mut endings = vec![];
        for (at, entry) in self.log {
            let Entry::Judged { verdict } = entry else {
                continue;
            };
            if verdict.answer.exit == Exit::Success {
                let found = verdict.replicas.iter().filter(|it| it.device == *device);
                endings.extend(found.map(|it| (*at, it.finding != Finding::Accepted)));
            }
        }
        endings
    }

    /// Of its last twenty tasks, those with a fault, if before all of these there were others that the chain
    /// remembers.
    pub(super) fn faulty_tasks(&self, device: &DeviceId, earlier: &[bool]) -> usize {
        let here = self
            .endings(device)
            .into_iter()
            .map(|(_, is_fault)| is_fault);
        let all: Vec<bool> = earlier.iter().copied().chain(here).collect();
        all.iter().rev().take(20).filter(|it| **it).count()
    }

    /// Tasks that a device may have in hand: two; one after a fault, until one of its answers is accepted; none
    /// for ten minutes after the third in a row, twice as long after each further one before it is without a
    /// fault again, a day at most.
    pub(super) fn in_hand_max(&self, device: &DeviceId, earlier: &[bool], now: Tick) -> usize {
        let came = self.deeds.iter().find(|it| it.by == *device);
        let came = came.map_or(now, |it| it.at);
        let earlier = earlier.iter().map(|is_fault| (came, *is_fault));
        let (mut row, mut waits, mut until) = (0, 0, None);
        let mut all = vec![];
        for (at, is_fault) in earlier.chain(self.endings(device)) {
            all.push(is_fault);
            if is_fault {
                row += 1;
                if row >= 3 {
                    let ms = (0..waits).fold(600_000, |ms: u64, _| ms.saturating_mul(2));
                    until = Some(at.0.saturating_add(ms.min(86_400_000)));
                    waits += 1;
                }
                continue;
            }
            (row, until) = (0, None);
            if !all.iter().rev().take(20).any(|it| *it) {
                waits = 0;
            }
        }
        match row {
            0 => 2,
            _ if until.is_some_and(|until| now.0 < until) => 0,
            _ => 1,
        }
    }

    /// Until when a device pauses that gave tasks back or failed on them: a second, twice as long each time,
    /// five minutes at most, until an answer of it is accepted.
    pub(super) fn pauses_until(&self, device: &DeviceId) -> Option<u64> {
        let (mut times, mut until) = (0_u32, None);
        for (at, entry) in self.log {
            let pauses = match entry {
                Entry::Released {
                    device: by, cause, ..
                } => by == device && *cause != ReleaseCause::Late,
                Entry::Revealed { receipt, .. } => {
                    receipt.payload.device == *device && receipt.payload.exit != Exit::Success
                }
                Entry::Judged { verdict } => {
                    let mut found = verdict.replicas.iter();
                    let is_accepted = verdict.answer.exit == Exit::Success
                        && found.any(|it| it.device == *device && it.finding == Finding::Accepted);
                    if is_accepted {
                        (times, until) = (0, None);
                    }
                    false
                }
                _ => false,
            };
            if pauses {
                let ms = (0..times).fold(1_000, |ms: u64, _| ms.saturating_mul(2));
                until = Some(at.0.saturating_add(ms.min(300_000)));
                times += 1;
            }
        }
        until
    }

    /// When a device last gave a sign of life, if it is here.
    pub(super) fn last_sign(&self, device: &DeviceId) -> Option<Tick> {
        let mut its = self.deeds.iter().rev().filter(|it| it.by == *device);
        its.next().map(|it| it.at)
    }

    /// Whether a device has been silent for too long.
    pub(super) fn is_silent(&self, device: &DeviceId, now: Tick) -> bool {
        let last = self.last_sign(device);
        last.is_none_or(|last| has_passed(last, SILENT_MS, now))
    }

    /// How often a device gave a task back, or lost it without a fault.
    pub(super) fn times_given_back(&self, task: TaskIndex, device: &DeviceId) -> usize {
        let losses = self.losses(task).into_iter();
        let counts = |(by, cause): &(DeviceId, ReleaseCause)| {
            by == device && matches!(cause, ReleaseCause::HandedBack | ReleaseCause::Forgotten)
        };
        losses.filter(counts).count()
    }

    /// Since when the device of a replica, which it was asked about, does not name it although it speaks. It
    /// was asked so long after it last came a step further with it, at the latest so long after it got it.
    pub(super) fn unnamed_since(
        &self,
        id: ReplicaId,
        holder: &Holder,
        (delayed_ms, stale_ms): (u64, u64),
    ) -> Option<Tick> {
        let its = self.deeds.iter().filter(|it| it.by == holder.device);
        let (mut stepped_at, mut was_named, mut unnamed) = (holder.since, false, None);
        for deed in its.filter(|it| it.log > holder.place) {
            let is_named = match &deed.did {
                Did::Spoke(named) => named.contains(&id),
                Did::GaveBack(..) => false,
                Did::Came(_) | Did::Went => continue,
            };
            let was_asked = has_passed(stepped_at, delayed_ms, deed.at)
                || has_passed(holder.since, stale_ms, deed.at);
            match (is_named, was_named) {
                // It tells always of the same stage, so only the first time is a step forward.
                (true, false) => (stepped_at, was_named, unnamed) = (deed.at, true, None),
                (true, true) => unnamed = None,
                (false, _) if was_asked => unnamed = unnamed.or(Some(deed.at)),
                (false, _) => {}
            }
        }
        unnamed
    }
}
