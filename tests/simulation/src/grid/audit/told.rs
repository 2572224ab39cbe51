//! Whether what keeps a device from work, as it is told, agrees with the jobs' logs. Each of these says what
//! must be so, at the least, where its rule is told.

use super::{Audit, Books, Heard, lanes};
use crate::grid::{asks::lacking, work::Work};
use quern_jobs_api::Rule;
use quern_primitives::{
    ids::{AccountId, DeviceId, ReplicaIndex, TaskIndex},
    job::ByteLevel,
    receipt::Exit,
};
use std::collections::BTreeSet;

/// So many answers without a verdict, with what it holds, a device has at the least that is kept for them.
const ANSWERS_MIN: usize = 32;

/// On so many tasks of a job without a verdict a device failed that gets nothing of it for that.
pub(super) const FAILURES_MIN: usize = 3;

/// On so many tasks in a row a device had nothing to show that pauses for that.
pub(super) const STALLS_MIN: usize = 3;

impl Books {
    /// Tasks on which a device of an account failed, or that were taken back from the account.
    fn lost_by(&self, device: &DeviceId, account: &AccountId) -> BTreeSet<TaskIndex> {
        let lost = self.lost.iter().filter(|(_, of)| of == account);
        let is_failure = |heard: &Heard| heard.answer.exit != Exit::Success;
        let heard = self.heard.iter();
        let failed = heard.filter(|(_, it)| it.device == *device && is_failure(it));
        let lost = lost.map(|(task, _)| *task);
        lost.chain(failed.map(|((task, _), _)| *task)).collect()
    }

    /// The same without those that have an end.
    fn unjudged_by(&self, device: &DeviceId, account: &AccountId) -> usize {
        let lost = self.lost_by(device, account);
        let is_open = |task: &&TaskIndex| !self.ended.contains_key(*task);
        lost.iter().filter(is_open).count()
    }

    /// How many answers of a device are to tasks without an end, those counted that it has committed itself
    /// to and not revealed.
    fn answers_of(&self, device: &DeviceId) -> usize {
        let is_open = |task: &TaskIndex| !self.ended.contains_key(task);
        let heard = self.heard.iter();
        let heard = heard.filter(|((task, _), it)| it.device == *device && is_open(task));
        let holder = |replica| self.held.get(replica).map(|(holder, _)| holder);
        let committed = self.committed.keys();
        let committed = committed.filter(|it| holder(*it) == Some(device) && is_open(&it.0));
        heard.count() + committed.count()
    }

    /// Whether one of a task's replicas, so many at first, is neither computed nor answered.
    fn is_open(&self, task: TaskIndex, replicas: ReplicaIndex) -> bool {
        let added = self.added.get(&task).copied().unwrap_or(0);
        let all = usize::from(replicas) + usize::from(added);
        !self.ended.contains_key(&task) && self.accounts(task).count() < all
    }

    /// Tasks of which an account has or had a replica, some of them several times.
    fn touched_by(&self, account: &AccountId) -> impl Iterator<Item = TaskIndex> {
        let held = self.held.iter().filter(move |(_, (_, of))| of == account);
        let heard = self.heard.iter();
        let heard = heard.filter(move |(_, it)| it.account == *account);
        let lost = self.lost.iter().filter(move |(_, of)| of == account);
        let held = held.map(|((task, _), _)| *task);
        let heard = heard.map(|((task, _), _)| *task);
        held.chain(heard).chain(lost.map(|(task, _)| *task))
    }

    /// Tasks that were taken from somebody, or got more replicas, some of them several times.
    fn gone_wrong(&self) -> impl Iterator<Item = TaskIndex> {
        let lost = self.lost.iter().map(|(task, _)| *task);
        lost.chain(self.added.keys().copied())
    }
}

impl Audit {
    /// Whether a rule that keeps a device from any work may be told, by the logs.
    pub(in crate::grid) fn may_bar(&self, device: &DeviceId, rule: Rule) -> bool {
        let held = self.in_hand.get(device).copied().unwrap_or(0);
        match rule {
            Rule::HandsFull => held > 0,
            Rule::Pausing => {
                let lost = self.devices.get(device).is_some_and(|facts| {
                    let mut jobs = self.jobs.values();
                    jobs.any(|books| !books.lost_by(device, &facts.account).is_empty())
                });
                lost || self.stalls.get(device).is_some_and(|it| *it >= STALLS_MIN)
            }
            Rule::Contradicted => self.contradicted.contains(device),
            Rule::AwaitingVerdicts => {
                let answers = self.jobs.values().map(|books| books.answers_of(device));
                answers.sum::<usize>() + held as usize >= ANSWERS_MIN
            }
            // It told so itself.
            Rule::BatteryLow
            | Rule::TooHot
            | Rule::OutsideHours
            | Rule::NetworkNotAllowed
            | Rule::DataCapReached
            | Rule::InUse => self.unfit.contains_key(device),
            Rule::Unbonded => {
                let facts = self.devices.get(device);
                facts.is_none_or(|facts| !facts.is_covered)
            }
            Rule::WaitingAfterFaults | Rule::RepeatedFailures => {
                let standing = self.standings.get(device);
                standing.is_some_and(|standing| standing.was_blamed)
            }
            _ => true,
        }
    }

    /// Whether a rule that keeps a device from a job may be told, by the logs.
    pub(in crate::grid) fn may_keep(&self, work: &Work, device: &DeviceId, rule: Rule) -> bool {
        let (Some(books), Some(facts)) = (self.jobs.get(&work.id), self.devices.get(device)) else {
            return true;
        };
        let replicas = work.submission.agreement.replicas();
        let is_open = |task: TaskIndex| books.is_open(task, replicas);
        match rule {
            // One queue is for all, and a high level for all pools.
            Rule::Pool => self.has_pools,
            Rule::Level => self.has_pools && work.submission.level != ByteLevel::High,
            Rule::Account => books.touched_by(&facts.account).any(is_open),
            Rule::FailedBefore => {
                let lost = books.lost_by(device, &facts.account);
                lost.into_iter().any(is_open)
            }
            Rule::KeptForFast => !facts.is_trusted && books.gone_wrong().any(is_open),
            Rule::OthersSooner => self.may_be_spared(work) && self.has_open(work, books),
            // Somebody has what is computed again.
            Rule::FasterFirst => self.may_be_spared(work) && !books.held.is_empty(),
            // There is another job.
            Rule::OthersFirst => self.jobs.keys().any(|job| *job != work.id),
            // There is this one.
            Rule::NoJob => false,
            Rule::Unjudged => books.unjudged_by(device, &facts.account) >= FAILURES_MIN,
            Rule::KeptForTrusted => {
                let mut doubted = books.doubted.keys();
                doubted.any(|task| !books.ended.contains_key(task))
            }
            Rule::Lane => lanes::count(replicas, self.able_accounts(work)).is_some(),
            _ => true,
        }
    }

    /// Whether the slow may be passed over for a job: others are left who can do a task without them.
    fn may_be_spared(&self, work: &Work) -> bool {
        let replicas = usize::from(work.submission.agreement.replicas());
        self.spares_the_slow && self.able_accounts(work) > replicas
    }

    /// Accounts with a device that has what a job asks for, by what the chain says, whether or not it is
    /// here.
    fn able_accounts(&self, work: &Work) -> usize {
        let able = self.devices.values();
        let able = able.filter(|it| lacking(&work.submission.preferences, it).is_none());
        let accounts: BTreeSet<&AccountId> = able.map(|it| &it.account).collect();
        accounts.len()
    }

    /// Whether something is open of a task whose shard is there. Those are looked at first that are queued
    /// last.
    fn has_open(&self, work: &Work, books: &Books) -> bool {
        let awaited = self.awaited.get(&work.id);
        let is_there = |task: &TaskIndex| awaited.is_none_or(|awaited| !awaited.contains(task));
        let replicas = work.submission.agreement.replicas();
        let mut tasks = (0..work.submission.tasks).rev().filter(is_there);
        tasks.any(|task| books.is_open(task, replicas))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{
        asks::{Asked, Facts},
        config::Config,
    };
    use quern_masternode::core::{End, Entry, ReleaseCause, Tick};
    use quern_primitives::{
        device::{Hardware, Region},
        ids::{Digest, JobId},
    };

    const DEVICE: DeviceId = DeviceId([1; 32]);

    fn facts() -> Facts {
        Facts {
            account: AccountId::new([2; 32]),
            is_trusted: false,
            region: Region::Unknown,
            hardware: Hardware::Unknown,
            is_covered: true,
            memory_mib: 1_024,
        }
    }

    fn unopened(task: TaskIndex) -> Entry {
        let end = End::Unopened { task };
        Entry::Ended { end }
    }

    /// A device is given a replica of a task.
    fn give(audit: &mut Audit, job: JobId, task: TaskIndex, replica: ReplicaIndex) {
        let given = Entry::Assigned {
            task,
            replica,
            device: DEVICE,
            account: facts().account,
            engine: Digest::default(),
            at: 1,
            lanes: 1,
        };
        audit.enter(job, 0, &given);
    }

    /// It is given a task and says that it does not open.
    fn refuse(audit: &mut Audit, job: JobId, task: TaskIndex) {
        let replica = 0;
        give(audit, job, task, replica);
        let back = Entry::Released {
            task,
            replica,
            device: DEVICE,
            cause: ReleaseCause::BadInput { trusted: false },
        };
        audit.enter(job, 0, &back);
    }

    #[test]
    fn what_is_told_of_failures_is_seen_in_the_log_of_that_job_and_of_no_other() {
        let [work, other] = [0, 1].map(|it| Work::new(&Config::default(), it, Asked::default()));
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        assert!(!audit.may_bar(&DEVICE, Rule::Pausing));
        for task in 0..3 {
            refuse(&mut audit, work.id, task);
            assert_eq!(audit.may_keep(&work, &DEVICE, Rule::Unjudged), task == 2);
        }
        refuse(&mut audit, other.id, 0);
        assert!(audit.may_keep(&work, &DEVICE, Rule::Unjudged));
        assert!(!audit.may_keep(&other, &DEVICE, Rule::Unjudged));
        assert!(audit.may_keep(&other, &DEVICE, Rule::KeptForTrusted));
        assert!(audit.may_bar(&DEVICE, Rule::Pausing));
        // The other job ends: nobody is kept from anything for it.
        audit.enter(other.id, 1, &unopened(0));
        assert!(!audit.may_keep(&other, &DEVICE, Rule::KeptForTrusted));
    }

    #[test]
    fn an_account_or_a_device_is_kept_from_what_it_had_while_something_of_that_is_open() {
        let config = Config {
            replicas: 3,
            ..Config::default()
        };
        let [work, other] = [0, 1].map(|it| Work::new(&config, it, Asked::default()));
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        audit.jobs.entry(other.id).or_default();
        let told = |audit: &Audit, of: &Work| {
            [Rule::Account, Rule::FailedBefore].map(|rule| audit.may_keep(of, &DEVICE, rule))
        };
        give(&mut audit, work.id, 0, 0);
        assert_eq!(told(&audit, &work), [true, false]);
        assert_eq!(told(&audit, &other), [false, false]);
        refuse(&mut audit, work.id, 1);
        audit.enter(work.id, 1, &unopened(0));
        assert_eq!(told(&audit, &work), [true, true]);
        // Others have all of it now.
        let books = audit.jobs.entry(work.id).or_default();
        for replica in 0..3 {
            let account = AccountId::new([3 + replica; 32]);
            books.held.insert((1, replica), (DEVICE, account));
        }
        assert_eq!(told(&audit, &work), [false, false]);
        let one_more = Entry::Added {
            task: 1,
            replicas: 1,
        };
        audit.enter(work.id, 2, &one_more);
        assert_eq!(told(&audit, &work), [true, true]);
        audit.enter(work.id, 3, &unopened(1));
        assert_eq!(told(&audit, &work), [false, false]);
    }

    #[test]
    fn only_what_was_taken_back_or_added_is_kept_for_the_fast_and_not_from_who_is_trusted() {
        let work = Work::new(&Config::default(), 0, Asked::default());
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        let trusted = DeviceId([2; 32]);
        let its_facts = Facts {
            is_trusted: true,
            ..facts()
        };
        audit.know(trusted, its_facts);
        let is_kept = |audit: &Audit, device| audit.may_keep(&work, &device, Rule::KeptForFast);
        give(&mut audit, work.id, 0, 0);
        assert!(!is_kept(&audit, DEVICE));
        let one_more = Entry::Added {
            task: 0,
            replicas: 1,
        };
        audit.enter(work.id, 1, &one_more);
        assert!(is_kept(&audit, DEVICE) && !is_kept(&audit, trusted));
        let end = End::Undecided { task: 0 };
        audit.enter(work.id, 2, &Entry::Ended { end });
        assert!(!is_kept(&audit, DEVICE));
        refuse(&mut audit, work.id, 1);
        assert!(is_kept(&audit, DEVICE));
    }

    #[test]
    fn others_are_sooner_only_where_the_slow_are_spared_and_others_could_have_what_is_open() {
        let config = Config {
            tasks: 2,
            replicas: 1,
            ..Config::default()
        };
        let work = Work::new(&config, 0, Asked::default());
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        audit.jobs.entry(work.id).or_default();
        let may_keep = |audit: &Audit, rule| audit.may_keep(&work, &DEVICE, rule);
        let is_spared = |audit: &Audit| may_keep(audit, Rule::OthersSooner);
        audit.spares_the_slow = true;
        assert!(!is_spared(&audit), "there is nobody else");
        let other = Facts {
            account: AccountId::new([3; 32]),
            ..facts()
        };
        audit.know(DeviceId([3; 32]), other);
        assert!(is_spared(&audit));
        audit.spares_the_slow = false;
        assert!(!is_spared(&audit));
        audit.spares_the_slow = true;
        // The shard of the one is not there, and somebody computes the other.
        audit.await_shards(work.id, 2);
        audit.store(&work.id, &[1]);
        assert!(is_spared(&audit));
        assert!(!may_keep(&audit, Rule::FasterFirst));
        give(&mut audit, work.id, 1, 0);
        assert!(!is_spared(&audit));
        // It may be computed again, by who is faster.
        assert!(may_keep(&audit, Rule::FasterFirst));
        audit.spares_the_slow = false;
        assert!(!may_keep(&audit, Rule::FasterFirst));
        assert!(!may_keep(&audit, Rule::NoJob));
    }

    #[test]
    fn what_is_told_of_a_device_itself_it_told_or_the_chain_or_a_verdict_did() {
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        let told = |audit: &Audit| {
            let rules = [
                Rule::BatteryLow,
                Rule::TooHot,
                Rule::InUse,
                Rule::Unbonded,
                Rule::WaitingAfterFaults,
                Rule::RepeatedFailures,
            ];
            rules.map(|rule| audit.may_bar(&DEVICE, rule))
        };
        assert_eq!(told(&audit), [false; 6]);
        audit.hear_state(DEVICE, Some("its battery is low"));
        assert_eq!(told(&audit), [true, true, true, false, false, false]);
        audit.hear_state(DEVICE, None);
        let bare = Facts {
            is_covered: false,
            ..facts()
        };
        audit.know(DEVICE, bare);
        assert_eq!(told(&audit), [false, false, false, true, false, false]);
        audit.know(DEVICE, facts());
        let standing = audit.standings.entry(DEVICE).or_default();
        standing.ends(Tick(0), false);
        assert_eq!(told(&audit), [false; 6]);
        let standing = audit.standings.entry(DEVICE).or_default();
        standing.ends(Tick(0), true);
        assert_eq!(told(&audit), [false, false, false, false, true, true]);
    }

    #[test]
    fn rules_of_pools_are_told_where_there_are_pools_and_of_others_where_there_are_jobs() {
        let level = |level| {
            let asked = Asked {
                level,
                ..Asked::default()
            };
            Work::new(&Config::default(), 0, asked)
        };
        let [low, high] = [ByteLevel::Low, ByteLevel::High].map(level);
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        audit.jobs.entry(low.id).or_default();
        let told = |audit: &Audit, work: &Work| {
            let rules = [Rule::Pool, Rule::Level, Rule::OthersFirst];
            rules.map(|rule| audit.may_keep(work, &DEVICE, rule))
        };
        assert_eq!(told(&audit, &low), [false, false, false]);
        audit.has_pools = true;
        assert_eq!(told(&audit, &low), [true, true, false]);
        assert_eq!(told(&audit, &high), [true, false, false]);
        audit.jobs.entry(JobId([9; 32])).or_default();
        assert_eq!(told(&audit, &low), [true, true, true]);
    }

    #[test]
    fn answers_without_an_end_and_what_is_held_are_counted_and_one_account_has_no_lanes() {
        let work = Work::new(&Config::default(), 0, Asked::default());
        let mut audit = Audit::default();
        audit.know(DEVICE, facts());
        let books = audit.jobs.entry(work.id).or_default();
        for task in 0..ANSWERS_MIN as TaskIndex {
            let heard = Heard {
                device: DEVICE,
                account: facts().account,
                answer: work.truth(task),
                position: 0,
            };
            books.heard.insert((task, 0), heard);
        }
        assert!(audit.may_bar(&DEVICE, Rule::AwaitingVerdicts));
        let books = audit.jobs.entry(work.id).or_default();
        books.ended.insert(0, 0);
        assert!(!audit.may_bar(&DEVICE, Rule::AwaitingVerdicts));
        assert!(!audit.may_bar(&DEVICE, Rule::HandsFull));
        audit.in_hand.insert(DEVICE, 1);
        assert!(audit.may_bar(&DEVICE, Rule::AwaitingVerdicts));
        assert!(audit.may_bar(&DEVICE, Rule::HandsFull));
        assert!(!audit.may_keep(&work, &DEVICE, Rule::Lane));
        audit.in_hand.clear();
        // What it has committed itself to is in its hand no more, and nobody has judged it.
        let books = audit.jobs.entry(work.id).or_default();
        let replica = (ANSWERS_MIN as TaskIndex, 0);
        books.committed.insert(replica, Digest::default());
        let tells = |audit: &Audit| audit.may_bar(&DEVICE, Rule::AwaitingVerdicts);
        assert!(!tells(&audit), "it is nobody's");
        let books = audit.jobs.entry(work.id).or_default();
        books.held.insert(replica, (DEVICE, facts().account));
        assert!(tells(&audit) && !audit.may_bar(&DEVICE, Rule::HandsFull));
        let books = audit.jobs.entry(work.id).or_default();
        books.ended.insert(replica.0, 1);
        assert!(!tells(&audit));
    }
}
