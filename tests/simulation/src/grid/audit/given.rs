//! To whom a replica may be given.

use super::{Audit, Books, Names, Violation, Work, lanes, told::FAILURES_MIN};
use crate::grid::asks::{Facts, lacking};
use quern_grid::Tuning;
use quern_primitives::{
    ids::{AccountId, DeviceId, ReplicaIndex, TaskIndex},
    job::ByteLevel,
};
use quern_protocol::limits::TASKS_IN_HAND_MAX;
use std::collections::BTreeSet;

/// How long a replica that is passed in vain is for its lane alone, in milliseconds.
const NARROW_MS: u64 = 1_000;

/// Tasks in doubt that are kept for each trusted device.
const KEPT_FOR_EACH: usize = 2;

/// For so long a masternode goes by what it knew of trusted devices when it ranked devices last, in
/// milliseconds.
const KNOWN_MS: u64 = 31_000;

/// How long what is open of a task in doubt is kept for trusted devices, in milliseconds: ten minutes.
const KEPT_MS: u64 = 10 * 60_000;

impl Audit {
    /// Whether a replica is given to an account in whose lane it is, where there are lanes for sure.
    pub(super) fn check_given(
        &self,
        names: &Names,
        work: &Work,
        (task, replica): (TaskIndex, ReplicaIndex),
        device: &DeviceId,
        account: &AccountId,
    ) -> Result<bool, Violation> {
        let job = names.job(&work.id);
        let number = names.device(device);
        let Some(facts) = self.devices.get(device) else {
            return Err(Violation::Unregistered {
                job,
                task,
                device: number,
            });
        };
        if let Some(why) = self.unfit.get(device) {
            return Err(Violation::Unfit {
                job,
                task,
                device: number,
                why,
            });
        }
        self.check_faults(names, work, task, device)?;
        if let Some(asked) = lacking(&work.submission.preferences, facts) {
            return Err(Violation::Unasked {
                job,
                task,
                device: number,
                asked,
            });
        }
        if let Some(books) = self.jobs.get(&work.id) {
            if books.ended.contains_key(&task) {
                return Err(Violation::DecidedTaskGiven {
                    job,
                    task,
                    device: number,
                });
            }
            for (other, of) in books.accounts(task) {
                if other == replica {
                    return Err(Violation::GivenTwice { job, task, replica });
                }
                if of == account {
                    return Err(Violation::TwoReplicas {
                        job,
                        task,
                        account: names.account(account),
                        first: other,
                        second: replica,
                    });
                }
            }
        }
        let held = self.in_hand.get(device).copied().unwrap_or(0);
        let most = self.in_hand_max.unwrap_or(TASKS_IN_HAND_MAX as u32);
        if held >= most {
            return Err(Violation::TooManyGiven {
                device: number,
                held,
            });
        }
        match self.jobs.get(&work.id) {
            Some(books) => {
                self.check_doubted(names, (work, books), task, (device, facts))?;
                self.check_lane(names, (work, books), (task, replica), account)
            }
            None => Ok(false),
        }
    }

    /// Whom its faults keep from work gets none, and who had one holds one task at a time.
    fn check_faults(
        &self,
        names: &Names,
        work: &Work,
        task: TaskIndex,
        device: &DeviceId,
    ) -> Result<(), Violation> {
        let Some(standing) = self.standings.get(device) else {
            return Ok(());
        };
        let (job, number) = (names.job(&work.id), names.device(device));
        if standing.is_quarantined() {
            return Err(Violation::Quarantined {
                job,
                task,
                device: number,
            });
        }
        if let Some(faults) = standing.waits(self.now) {
            return Err(Violation::Waits {
                job,
                task,
                device: number,
                faults,
            });
        }
        let held = self.in_hand.get(device).copied().unwrap_or(0);
        if standing.is_on_probation() && held > 0 {
            return Err(Violation::TooManyAfterFault {
                device: number,
                held,
            });
        }
        Ok(())
    }

    /// A task in doubt is for a trusted device that could have it, for ten minutes: one that is ranked,
    /// has what the job asks for and has not lost the task, and whose account has no replica of it. That
    /// is so where no more tasks are in doubt than the trusted devices can take. One that gets nothing for a
    /// minute is not waited for: its hands may have been full when devices were ranked, or it failed on
    /// several tasks of the job.
    fn check_doubted(
        &self,
        names: &Names,
        (work, books): (&Work, &Books),
        task: TaskIndex,
        (device, facts): (&DeviceId, &Facts),
    ) -> Result<(), Violation> {
        let Some(since) = books.doubted.get(&task) else {
            return Ok(());
        };
        if facts.is_trusted || self.now.since(*since) >= KEPT_MS || !self.all_take_part(work) {
            return Ok(());
        }
        let touched: BTreeSet<&AccountId> = books.accounts(task).map(|(_, of)| of).collect();
        let is_waited_for = |id: &DeviceId, facts: &Facts| {
            let failures = books.failures.get(id).copied().unwrap_or(0);
            facts.is_trusted
                && failures < FAILURES_MIN
                && self.had_room(id)
                && self.is_able(work, id, facts)
        };
        let could_have_it = |id: &DeviceId, facts: &Facts| {
            let has_lost_it = books.lost.contains(&(task, facts.account.clone()));
            !touched.contains(&facts.account) && !has_lost_it && is_waited_for(id, facts)
        };
        let mut devices = self.devices.iter();
        let is_trusted = |(id, facts): &(&DeviceId, &Facts)| is_waited_for(id, facts);
        let trusted = devices.clone().filter(is_trusted).count();
        let open = |task: &&TaskIndex| !books.ended.contains_key(*task);
        if books.doubted.keys().filter(open).count() > KEPT_FOR_EACH * trusted {
            return Ok(());
        }
        match devices.find(|(id, facts)| could_have_it(id, facts)) {
            Some((trusted, _)) => Err(Violation::TrustedPassedOver {
                job: names.job(&work.id),
                task,
                device: names.device(device),
                trusted: names.device(trusted),
            }),
            None => Ok(()),
        }
    }

    /// Where there are lanes, a replica is for its own as long as it is not open for long; one that is open
    /// again also after that, while nobody can have passed it in vain. The first holds of what is added
    /// too: who has a task cannot be overdue for long before it is open for long. True if it is given to an
    /// account of its lane.
    fn check_lane(
        &self,
        names: &Names,
        (work, books): (&Work, &Books),
        (task, replica): (TaskIndex, ReplicaIndex),
        account: &AccountId,
    ) -> Result<bool, Violation> {
        let replicas = work.submission.agreement.replicas();
        // A trusted device has any of a task in doubt.
        if replicas <= 1 || books.doubted.contains_key(&task) {
            return Ok(false);
        }
        let again = books.opened.get(&(task, replica)).copied();
        let opened = again.or(books.uploaded).unwrap_or_default();
        let open_ms = self.now.since(opened);
        let is_over = open_ms >= Tuning::default().lane_ms;
        if (is_over && again.is_none()) || !self.all_take_part(work) {
            return Ok(false);
        }
        let able = self.devices.iter();
        let able = able.filter(|(id, facts)| self.is_able(work, id, facts));
        let able: Vec<&AccountId> = able.map(|(_, facts)| &facts.account).collect();
        let accounts: BTreeSet<&AccountId> = able.iter().copied().collect();
        let Some(lanes) = lanes::count(replicas, accounts.len()) else {
            return Ok(false);
        };
        // More accounts may be ranked than are sure to be. Of powers of two the greater number of lanes
        // leaves an account nothing that the lesser does not. Of its own devices one may have gone meanwhile.
        let its_devices = self.devices.values().filter(|it| it.account == *account);
        let sizes = (its_devices.count() + 1, able.len());
        let mut counts = lanes::counts_for((replicas, lanes), sizes);
        counts.insert(lanes.next_power_of_two());
        let seed = work.lane_seed();
        let is_own = |count: &ReplicaIndex| lanes::is_for((&seed, *count), account, task, replica);
        if counts.iter().any(is_own) {
            return Ok(true);
        }
        let keeps_lanes =
            || again.is_some_and(|again| self.keeps_lanes((work, books), again, lanes));
        let is_wide = open_ms >= NARROW_MS && is_own(&replicas);
        if (is_over || is_wide) && !keeps_lanes() {
            return Ok(false);
        }
        Err(Violation::OtherLane {
            job: names.job(&work.id),
            task,
            replica,
            account: names.account(account),
        })
    }

    /// Whether a device's hands were never full since devices were ranked.
    fn had_room(&self, device: &DeviceId) -> bool {
        let held = self.in_hand.get(device).copied().unwrap_or(0);
        let full = self.full.get(device);
        let was_full = full.is_some_and(|last| self.now.since(*last) < KNOWN_MS);
        held < TASKS_IN_HAND_MAX as u32 && !was_full
    }

    /// Whether a device is sure to be ranked and has what a job asks for. One that was ever at fault may
    /// not be ranked.
    fn is_able(&self, work: &Work, device: &DeviceId, facts: &Facts) -> bool {
        let standing = self.standings.get(device);
        lacking(&work.submission.preferences, facts).is_none()
            && facts.has_memory_for(&work.submission)
            && standing.is_some_and(|standing| !standing.was_blamed)
            && self.presence.is_ranked(device, self.before, self.now)
    }

    /// Whether the job's level gives its tasks to all devices that have what it asks for, and not to
    /// those of some pools alone.
    fn all_take_part(&self, work: &Work) -> bool {
        !self.has_pools || work.submission.level == ByteLevel::High
    }
}
