//! Any history of the queues against that of the lists, and what no history may break.

mod happenings;

use super::{model::Model, *};
use happenings::{Happening, Story, story};
use std::collections::{BTreeSet, VecDeque};

const OTHER: JobId = JobId([0; 32]);

const JOBS: [JobId; 2] = [JOB, OTHER];
const TASKS: [TaskIndex; 5] = [0, 1, 2, 3, TaskIndex::MAX];

/// Who asks: a device, its account, how fast it is (0 where that is not known), and whether it is
/// trusted.
pub(super) const ASKERS: [(u32, u32, u32, bool); 10] = [
    (0, 0, 1_000, false),
    (1, 0, 10_000, false),
    (2, 1, 10, false),
    (u32::MAX - 1, u32::MAX, 1_000, false),
    (4, 2, 1, true),
    (5, 2, 0, false),
    (6, 3, u32::MAX, false),
    (7, 4, 1_000, false),
    (8, 5, 10_000, false),
    (9, 6, 1_000, true),
];

/// What a ranking makes of a job: its devices' speeds from the top, devices in each pool, accounts, and of
/// the large ones how many of each one's size would have all devices.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    speeds: Vec<u32>,
    pool_size: u32,
    pub(super) accounts: u32,
    large: Vec<(u32, u32)>,
}

impl Grid {
    fn target(&self) -> Target {
        self.target_of(ByteLevel::High)
    }

    pub(super) fn target_of(&self, level: ByteLevel) -> Target {
        let limits = PoolLimits {
            capacity_min: 0,
            size_min: self.pool_size,
            merge_top: false,
        };
        let target = target_of(&self.speeds, level, &limits);
        target.with_large(self.large.iter().copied())
    }
}

pub(super) fn grid() -> impl Strategy<Value = Grid> {
    let speed = prop_oneof![
        1 => Just(0u32),
        1 => Just(1),
        4 => Just(1_000),
        4 => Just(10_000),
        1 => Just(u32::MAX),
    ];
    let speeds = prop::collection::vec(speed, 0..7);
    let accounts = prop_oneof![1 => 0u32..4, 2 => 4u32..40, 2 => Just(1_000)];
    let account = prop_oneof![6 => 0u32..7, 1 => Just(u32::MAX)];
    let large = prop::collection::vec((account, 1u32..64), 0..3);
    (speeds, 1u32..4, accounts, large).prop_map(|(speeds, pool_size, accounts, large)| Grid {
        speeds,
        pool_size,
        accounts,
        large,
    })
}

pub(super) fn terms_of_any_kind() -> impl Strategy<Value = JobTerms> {
    let level = prop_oneof![
        Just(ByteLevel::Low),
        Just(ByteLevel::Balanced),
        Just(ByteLevel::High),
    ];
    let replicas = prop_oneof![8 => 1u8..4, 1 => Just(0), 1 => Just(15), 1 => Just(u8::MAX)];
    let work = prop_oneof![8 => Just(10_000_000), 1 => 0u64..2, 1 => Just(u64::MAX)];
    let bytes = (bytes(), bytes()).prop_map(|(down, up)| TaskBytes { down, up });
    let trusted = prop::bool::weighted(0.05);
    (level, replicas, work, bytes, trusted, any::<[u8; 32]>()).prop_map(
        |(level, replicas, work, bytes, trusted, seed)| JobTerms {
            level,
            needs: Needs {
                trusted,
                ..Needs::default()
            },
            replicas,
            work,
            bytes,
            seed,
        },
    )
}

/// Bytes that a task brings over a line one way.
pub(super) fn bytes() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 3 => Just(1_000_000), 2 => 0..20_000_000u64, 1 => Just(u64::MAX)]
}

/// A line that differs from device to device; some were not measured.
fn line_of(device: u32) -> LineSpeed {
    let kbps = (!device.is_multiple_of(3)).then(|| 1_000 * (device % 100 + 1));
    LineSpeed::measured(kbps, kbps.map(|kbps| kbps / 4))
}

pub(super) fn tuning() -> impl Strategy<Value = Tuning> {
    let lane_ms = prop_oneof![1 => Just(0), 4 => Just(10_000)];
    (any::<bool>(), any::<bool>(), 0u8..3, lane_ms).prop_map(
        |(spares_the_slow, backs_up, backups_max, lane_ms)| Tuning {
            spares_the_slow,
            backs_up,
            backups_max,
            lane_ms,
            ..Tuning::default()
        },
    )
}

/// The queues and the lists, to which the same happens.
struct Pair {
    dispatch: Dispatch,
    model: Model,
    now: Tick,
    /// What was answered to those who asked.
    answers: BTreeSet<&'static str>,
}

impl Pair {
    fn new(tuning: Tuning) -> Self {
        Self {
            dispatch: Dispatch::new(tuning),
            model: Model::new(tuning),
            now: NOW,
            answers: BTreeSet::new(),
        }
    }

    fn live(&mut self, (terms, grid, happenings): Story) -> Result<(), TestCaseError> {
        self.happen(Happening::AddJob(JOB, terms, grid))?;
        for task in TASKS {
            self.happen(Happening::Push(JOB, task))?;
        }
        for happening in happenings {
            self.happen(happening)?;
            self.compare()?;
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        let now = self.now;
        match happening {
            Happening::AddJob(id, terms, grid) => {
                let target = grid.target_of(terms.level);
                self.dispatch
                    .add_job(id, terms, target.clone(), grid.accounts);
                self.model.add_job(id, terms, target, grid.accounts);
            }
            Happening::RemoveJob(id) => {
                self.dispatch.remove_job(id);
                self.model.remove_job(id);
            }
            Happening::Retarget(id, grid) => {
                if let Some(job) = self.model.job(id) {
                    let target = grid.target_of(job.level());
                    retarget(&mut self.dispatch, id, target.clone(), grid.accounts);
                    job.retarget(target, grid.accounts);
                }
            }
            Happening::SetTrusted(id, trusted) => {
                let trusted: Vec<_> = trusted.into_iter().map(holder).collect();
                self.dispatch.set_trusted(id, trusted.clone());
                if let Some(job) = self.model.job(id) {
                    job.set_trusted(trusted);
                }
            }
            Happening::Push(id, task) => {
                self.dispatch.push(id, task, now);
                if let Some(job) = self.model.job(id) {
                    job.push(task, now);
                }
            }
            Happening::Expect(id, tasks) => {
                self.dispatch.expect(id, tasks);
                if let Some(job) = self.model.job(id) {
                    job.expect(tasks);
                }
            }
            Happening::Add(id, task, replicas) => {
                let job = self.model.job(id);
                prop_assert_eq!(
                    self.dispatch.add_replicas(id, task, replicas, now),
                    job.map_or(vec![], |job| job.add(task, replicas, now))
                );
            }
            Happening::Rescue(id, task) => {
                let job = self.model.job(id);
                prop_assert_eq!(
                    self.dispatch.rescue(id, task, now),
                    job.and_then(|job| job.rescue(task, now))
                );
            }
            Happening::Take {
                who,
                rank,
                backlog_ms,
            } => self.take(who, rank, backlog_ms)?,
            Happening::Finish(id) => {
                self.dispatch.finish(id);
                if let Some(job) = self.model.job(id.job) {
                    job.finish((id.task, id.replica));
                }
            }
            Happening::Accept(id, work, result_bytes) => {
                self.dispatch.accept(id, work, result_bytes);
                if let Some(job) = self.model.job(id) {
                    job.accept(work, result_bytes);
                }
            }
            Happening::Release { id, fault } => {
                self.dispatch.release(id, fault, now);
                if let Some(job) = self.model.job(id.job) {
                    job.release((id.task, id.replica), fault, now);
                }
            }
            Happening::Retract { id, fault } => {
                self.dispatch.retract(id, fault, now);
                if let Some(job) = self.model.job(id.job) {
                    job.retract((id.task, id.replica), fault, now);
                }
            }
            Happening::Rest(id) => {
                self.dispatch.rest(id);
                if let Some(job) = self.model.job(id.job) {
                    job.rest((id.task, id.replica));
                }
            }
            Happening::Wake(id) => {
                self.dispatch.wake(id, now);
                if let Some(job) = self.model.job(id.job) {
                    job.wake((id.task, id.replica), now);
                }
            }
            Happening::Claim { id, who, runs } => {
                let by = holder(who);
                let claimed = match runs {
                    true => Claimed::Running { since: now },
                    false => Claimed::Answered,
                };
                let job = self.model.job(id.job);
                // No log says that an account had two replicas of a task.
                if job
                    .as_ref()
                    .is_none_or(|job| !job.is_touched(id.task, by.account))
                {
                    prop_assert_eq!(
                        self.dispatch.claim(id, by, claimed),
                        job.is_some_and(|job| job.claim((id.task, id.replica), by, claimed))
                    );
                }
            }
            Happening::Doubt(id, task) => {
                self.dispatch.doubt(id, task, now);
                if let Some(job) = self.model.job(id) {
                    job.doubt(task, now);
                }
            }
            Happening::Reserve(id, task, is_reserved) => {
                let job = self.model.job(id);
                prop_assert_eq!(
                    self.dispatch.reserve(id, task, is_reserved),
                    job.is_some_and(|job| job.reserve(task, is_reserved))
                );
            }
            Happening::Exclude(id, task, who) => {
                self.dispatch.exclude(id, task, ASKERS[who].0);
                if let Some(job) = self.model.job(id) {
                    job.exclude(task, ASKERS[who].0);
                }
            }
            Happening::Forget { who } => {
                self.dispatch.forget_device(ASKERS[who].0);
                self.model.forget_device(ASKERS[who].0);
            }
            Happening::Close(id, task) => {
                self.dispatch.close(id, task);
                if let Some(job) = self.model.job(id) {
                    job.close(task);
                }
            }
            Happening::Pass { ms } => self.now = now.plus_ms(ms),
        }
        for id in JOBS {
            if let Some(job) = self.model.job(id) {
                job.wait_in_turn();
            }
        }
        Ok(())
    }

    /// The same is given; or what is said is one of the reasons. What is explained beforehand, of each
    /// job and of each task, is what comes of asking.
    fn take(
        &mut self,
        who: usize,
        rank: Option<Rank>,
        backlog_ms: u64,
    ) -> Result<(), TestCaseError> {
        let (device, account_number, speed, is_trusted) = ASKERS[who];
        let profile = Profile {
            classes: vec![Class::Pinned],
            is_trusted,
            ..Profile::default()
        };
        let account_id = account(account_number);
        let asker = Asker {
            device,
            account: account_number,
            account_id: &account_id,
            traits: profile.pack(),
            rank,
            speed,
            line: line_of(device),
            backlog_ms,
        };
        for id in JOBS {
            let explained = self.dispatch.explain(id, &asker, self.now);
            match self.model.clone().only(id).take(&asker, self.now) {
                Ok(given) => prop_assert_eq!(explained, None, "{:?}", given),
                Err(reasons) => prop_assert!(
                    explained.is_some_and(|why| reasons.contains(&why)),
                    "{explained:?} is not of {reasons:?}"
                ),
            }
        }
        let before = self.dispatch.clone();
        let next = before.next_job(&asker, self.now, |_| false);
        let taken = take(&mut self.dispatch, &asker, self.now);
        for (id, task) in JOBS.into_iter().flat_map(|id| TASKS.map(|task| (id, task))) {
            let why = before.explain_task(id, task, &asker, self.now);
            let is_it = |given: Given| (given.id.job, given.id.task) == (id, task);
            let is_next = taken.is_ok_and(|given| !given.is_backup && is_it(given));
            let is_told = why.is_none() && next == Some(id);
            prop_assert_eq!(is_told, is_next, "{} {:?} {:?}", task, why, next);
        }
        prop_assert_eq!(next, taken.ok().map(|given| given.id.job));
        match (taken, self.model.take(&asker, self.now)) {
            (Ok(given), Ok(expected)) => prop_assert_eq!(given, expected),
            (Err(why), Err(reasons)) => {
                prop_assert!(reasons.contains(&why), "{why:?} is not of {reasons:?}");
            }
            (taken, expected) => prop_assert!(false, "{taken:?} is not {expected:?}"),
        }
        self.answers.insert(match taken {
            Ok(given) if given.is_backup => "a backup",
            Ok(_) => "a replica",
            Err(Withheld::NoJob) => "no job",
            Err(Withheld::NothingOpen) => "nothing open",
            Err(Withheld::NothingInPool) => "nothing in its pool",
            Err(Withheld::OtherLevel) => "of another level",
            Err(Withheld::Lacks(_)) => "lacks something",
            Err(Withheld::TouchedByAccount) => "touched by its account",
            Err(Withheld::Excluded) => "excluded",
            Err(Withheld::OtherLane) => "of another lane",
            Err(Withheld::KeptForTheFast) => "kept for the fast",
            Err(Withheld::KeptForTheTrusted) => "kept for the trusted",
            Err(Withheld::OthersComeFirst) => "others come first",
            Err(Withheld::OthersAreSooner { .. }) => "others are sooner",
            Err(Withheld::FasterComeFirst { .. }) => "faster ones come first",
        });
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        prop_assert!(self.dispatch.jobs().eq(self.model.jobs()));
        for id in JOBS {
            let (counts, job) = (self.dispatch.counts(id), self.model.job(id));
            let Some(job) = job else {
                prop_assert_eq!(counts, JobCounts::default());
                prop_assert!(!self.dispatch.has_job(id));
                continue;
            };
            prop_assert_eq!(counts, job.counts());
            for task in TASKS {
                let states = self.dispatch.replicas(id, task);
                prop_assert_eq!(&states, &job.replicas(task));
                let mut accounts: Vec<u32> = states.iter().filter_map(account_of).collect();
                let held = accounts.len();
                accounts.sort_unstable();
                accounts.dedup();
                prop_assert_eq!(accounts.len(), held, "two of {} on one account", task);
                for replica in 0..states.len() as ReplicaIndex {
                    let lane_ms = self.dispatch.tuning().lane_ms;
                    if let Some(expected) = job.queued((task, replica), lane_ms) {
                        let name = ReplicaId {
                            job: id,
                            task,
                            replica,
                        };
                        let queued = self.dispatch.queued(name, self.now);
                        prop_assert_eq!(queued, Some(expected));
                    }
                }
                prop_assert_eq!(
                    self.dispatch.waits_for_trusted(id, task, self.now),
                    job.waits_for_trusted(task, self.now)
                );
            }
        }
        Ok(())
    }
}

/// Who asks at this place in [`ASKERS`].
fn holder(who: usize) -> Holder {
    let (device, account, ..) = ASKERS[who];
    Holder { account, device }
}

/// The account of who computes or answered a replica.
fn account_of(state: &ReplicaState) -> Option<u32> {
    let of = match state {
        ReplicaState::Running { device, .. } | ReplicaState::Answered { device } => device,
        ReplicaState::Open { .. } | ReplicaState::Resting => return None,
    };
    let asker = ASKERS.iter().find(|(device, ..)| device == of)?;
    Some(asker.1)
}

proptest! {
    #[test]
    fn any_history_of_the_queues_is_that_of_the_lists(tuning in tuning(), story in story()) {
        Pair::new(tuning).live(story)?;
    }

    #[test]
    fn a_device_takes_the_next_of_its_own_pool_and_then_of_those_below(
        devices in 0u32..9,
        pool_size in 1u32..4,
        tasks in 0u32..30,
        ranks in prop::collection::vec(prop_oneof![
            1 => Just(None),
            6 => (0u32..9).prop_map(Some),
            1 => Just(Some(Rank::MAX)),
        ], 0..40),
    ) {
        let grid = Grid {
            speeds: vec![1_000; devices as usize],
            pool_size,
            accounts: devices,
            large: vec![],
        };
        let mut dispatch = Dispatch::new(Tuning::published());
        dispatch.add_job(JOB, terms(1), grid.target(), grid.accounts);
        // A list for each pool, and one where nobody is ranked; dealt to in turn.
        let pools = devices.div_ceil(pool_size).max(1) as usize;
        let mut lists = vec![VecDeque::new(); pools];
        for task in 0..tasks {
            dispatch.push(JOB, task, NOW);
            lists[task as usize % pools].push_back(task);
        }
        for (who, rank) in (0..).zip(ranks) {
            // The ranks from the bottom fill pool after pool; who is not among them is at the bottom.
            let below = rank.map_or(0, |rank| devices.saturating_sub(1).saturating_sub(rank));
            let own = pools - 1 - (below / pool_size) as usize;
            let expected = lists[own..].iter_mut().find_map(VecDeque::pop_front);
            let asker = Device { rank, ..device(who) };
            prop_assert_eq!(asker.take(&mut dispatch, NOW).ok(), expected.map(|task| (task, 0)));
        }
    }

    #[test]
    fn new_rankings_lose_nothing_give_nothing_twice_and_keep_the_order(
        tasks in 0u32..12,
        replicas in 1u8..4,
        happenings in prop::collection::vec((0u8..3, 0usize..8), 0..40),
    ) {
        let grid = |devices| Grid {
            speeds: vec![1_000; devices],
            pool_size: 1,
            accounts: 0,
            large: vec![],
        };
        let mut dispatch = Dispatch::new(Tuning::published());
        dispatch.add_job(JOB, terms(replicas), grid(3).target(), 0);
        (0..tasks).for_each(|task| dispatch.push(JOB, task, NOW));
        // Nobody asks twice, so everything that is open may be had by whoever asks.
        let mut given: Vec<(TaskIndex, ReplicaIndex)> = vec![];
        for (who, (what, much)) in (0..).zip(happenings) {
            match what {
                0 => {
                    let asker = Device { rank: Some(much as Rank), ..device(who) };
                    given.extend(asker.take(&mut dispatch, NOW));
                }
                1 if !given.is_empty() => {
                    let (task, replica) = given.remove(much % given.len());
                    dispatch.release(id_of(task, replica), false, NOW);
                }
                1 => {}
                _ => {
                    let before = dispatch.counts(JOB).open;
                    retarget(&mut dispatch, JOB, grid(much).target(), 0);
                    let open = dispatch.counts(JOB).open;
                    prop_assert_eq!(open.len(), much.max(1));
                    // Counted from the bottom, each pool has what it had, and an equal number of what
                    // lay in those that are no more.
                    let had = before.iter().rev().copied().chain(std::iter::repeat(0));
                    let more = open.iter().rev().zip(had);
                    let more: Vec<_> = more.map(|(open, had)| open.checked_sub(had)).collect();
                    let is_even = more.iter().max().zip(more.iter().min());
                    let is_even = is_even.and_then(|(most, least)| Some((*most)? - (*least)?));
                    prop_assert!(is_even.is_some_and(|by| by <= 1), "{before:?} {open:?}");
                }
            }
        }
        retarget(&mut dispatch, JOB, grid(1).target(), 0);
        let askers = (1_000..).map(device);
        let rest: Vec<_> = askers.map_while(|it| it.take(&mut dispatch, NOW).ok()).collect();
        let all = (0..tasks).flat_map(|task| (0..replicas).map(move |replica| (task, replica)));
        let expected: Vec<_> = all.filter(|name| !given.contains(name)).collect();
        prop_assert_eq!(rest, expected);
    }
}

#[test]
fn random_histories_reach_every_answer() {
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use std::cell::RefCell;
    let config = Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let answers = RefCell::new(BTreeSet::new());
    let lived =
        TestRunner::new_with_rng(config, rng).run(&(tuning(), story()), |(tuning, story)| {
            let mut pair = Pair::new(tuning);
            pair.live(story)?;
            answers.borrow_mut().extend(pair.answers);
            Ok(())
        });
    lived.unwrap();
    let answers = answers.into_inner();
    // Only of a single task is it said that others come first.
    assert_eq!(answers.len(), 14, "{answers:?}");
}
