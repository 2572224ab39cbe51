//! Any history of the queues against that of the lists, and what no history may break.

use super::{model::Model, *};
use std::collections::{BTreeSet, VecDeque};

const OTHER: JobId = JobId([0; 32]);

const JOBS: [JobId; 2] = [JOB, OTHER];
const TASKS: [TaskIndex; 5] = [0, 1, 2, 3, TaskIndex::MAX];

/// Who asks: a device, its account, how fast it is (0 where that is not known), and whether it is
/// trusted.
const ASKERS: [(u32, u32, u32, bool); 10] = [
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

/// What a ranking makes of a job: its devices' speeds from the top, devices in each pool, and accounts.
#[derive(Clone, Debug)]
struct Grid {
    speeds: Vec<u32>,
    pool_size: u32,
    accounts: u32,
}

impl Grid {
    fn target(&self) -> Target {
        self.target_of(ByteLevel::High)
    }

    fn target_of(&self, level: ByteLevel) -> Target {
        let limits = PoolLimits {
            capacity_min: 0,
            size_min: self.pool_size,
            merge_top: false,
        };
        target_of(&self.speeds, level, &limits)
    }
}

fn grid() -> impl Strategy<Value = Grid> {
    let speed = prop_oneof![
        1 => Just(0u32),
        1 => Just(1),
        4 => Just(1_000),
        4 => Just(10_000),
        1 => Just(u32::MAX),
    ];
    let speeds = prop::collection::vec(speed, 0..7);
    let accounts = prop_oneof![1 => 0u32..4, 2 => 4u32..40, 2 => Just(1_000)];
    (speeds, 1u32..4, accounts).prop_map(|(speeds, pool_size, accounts)| Grid {
        speeds,
        pool_size,
        accounts,
    })
}

fn terms_of_any_kind() -> impl Strategy<Value = JobTerms> {
    let level = prop_oneof![
        Just(ByteLevel::Low),
        Just(ByteLevel::Balanced),
        Just(ByteLevel::High),
    ];
    let replicas = prop_oneof![8 => 1u8..4, 1 => Just(0), 1 => Just(15), 1 => Just(u8::MAX)];
    let work = prop_oneof![8 => Just(10_000_000), 1 => 0u64..2, 1 => Just(u64::MAX)];
    let trusted = prop::bool::weighted(0.05);
    (level, replicas, work, trusted, any::<[u8; 32]>()).prop_map(
        |(level, replicas, work, trusted, seed)| JobTerms {
            level,
            needs: Needs {
                trusted,
                ..Needs::default()
            },
            replicas,
            work,
            seed,
        },
    )
}

fn tuning() -> impl Strategy<Value = Tuning> {
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

/// A replica, whether there is one of that name or not.
type Name = (JobId, TaskIndex, ReplicaIndex);

/// What happens to the queues. Who asks is a place in [`ASKERS`].
#[derive(Clone, Debug)]
enum Happening {
    AddJob(JobId, JobTerms, Grid),
    RemoveJob(JobId),
    Retarget(JobId, Grid),
    SetTrusted(JobId, Vec<usize>),
    Push(JobId, TaskIndex),
    Add(Name),
    Rescue(Name),
    Take {
        who: usize,
        rank: Option<Rank>,
        backlog_ms: u64,
    },
    Finish(Name),
    Accept(JobId, u64),
    Release {
        name: Name,
        fault: bool,
    },
    Rest(Name),
    Wake(Name),
    Claim {
        name: Name,
        who: usize,
        runs: bool,
    },
    Doubt(Name),
    Reserve {
        name: Name,
        is_reserved: bool,
    },
    Exclude {
        name: Name,
        who: usize,
    },
    Forget {
        who: usize,
    },
    Close(Name),
    Pass {
        ms: u64,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let either_job = || prop::sample::select(JOBS.to_vec());
    let job = || prop_oneof![9 => Just(JOB), 1 => Just(OTHER)];
    let task = || prop::sample::select(TASKS.to_vec());
    let name = || {
        let replica = prop_oneof![12 => 0u8..3, 1 => any::<u8>()];
        (job(), task(), replica)
    };
    let who = || 0..ASKERS.len();
    let rank = prop_oneof![
        1 => Just(None),
        4 => (0u32..7).prop_map(Some),
        1 => Just(Some(Rank::MAX)),
    ];
    let backlog_ms = prop_oneof![6 => Just(0), 2 => 0u64..60_000, 1 => Just(u64::MAX)];
    let work = prop_oneof![6 => 1u64..20_000_000, 1 => Just(0), 1 => Just(u64::MAX)];
    let ms = prop_oneof![
        10 => 0u64..4_000,
        10 => 4_000u64..40_000,
        4 => 40_000u64..4_000_000,
        1 => Just(u64::MAX),
    ];
    prop_oneof![
        3 => (either_job(), terms_of_any_kind(), grid())
            .prop_map(|(job, terms, grid)| AddJob(job, terms, grid)),
        1 => either_job().prop_map(RemoveJob),
        4 => (job(), grid()).prop_map(|(job, grid)| Retarget(job, grid)),
        3 => (job(), prop::sample::subsequence(vec![4usize, 9], 0..=2))
            .prop_map(|(job, trusted)| SetTrusted(job, trusted)),
        10 => (job(), task()).prop_map(|(job, task)| Push(job, task)),
        2 => name().prop_map(Add),
        3 => name().prop_map(Rescue),
        60 => (who(), rank, backlog_ms)
            .prop_map(|(who, rank, backlog_ms)| Take { who, rank, backlog_ms }),
        12 => name().prop_map(Finish),
        12 => (job(), work).prop_map(|(job, work)| Accept(job, work)),
        12 => (name(), any::<bool>()).prop_map(|(name, fault)| Release { name, fault }),
        4 => name().prop_map(Rest),
        4 => name().prop_map(Wake),
        4 => (name(), who(), any::<bool>())
            .prop_map(|(name, who, runs)| Claim { name, who, runs }),
        3 => name().prop_map(Doubt),
        2 => (name(), any::<bool>())
            .prop_map(|(name, is_reserved)| Reserve { name, is_reserved }),
        2 => (name(), who()).prop_map(|(name, who)| Exclude { name, who }),
        1 => who().prop_map(|who| Forget { who }),
        2 => name().prop_map(Close),
        16 => ms.prop_map(|ms| Pass { ms }),
    ]
}

/// A job to begin with, and what happens then.
type Story = (JobTerms, Grid, Vec<Happening>);

fn story() -> impl Strategy<Value = Story> {
    let happenings = prop::collection::vec(happening(), 0..120);
    (terms_of_any_kind(), grid(), happenings)
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
                    self.dispatch.retarget(id, target.clone(), grid.accounts);
                    job.retarget(target, grid.accounts);
                }
            }
            Happening::SetTrusted(id, trusted) => {
                let by = |who: usize| (ASKERS[who].1, ASKERS[who].0);
                let trusted: Vec<_> = trusted.into_iter().map(by).collect();
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
            Happening::Add((id, task, replicas)) => {
                let job = self.model.job(id);
                prop_assert_eq!(
                    self.dispatch.add_replicas(id, task, replicas, now),
                    job.map_or(vec![], |job| job.add(task, replicas, now))
                );
            }
            Happening::Rescue((id, task, _)) => {
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
            Happening::Finish((id, task, replica)) => {
                self.dispatch.finish((id, task, replica));
                if let Some(job) = self.model.job(id) {
                    job.finish((task, replica));
                }
            }
            Happening::Accept(id, work) => {
                self.dispatch.accept(id, work);
                if let Some(job) = self.model.job(id) {
                    job.accept(work);
                }
            }
            Happening::Release {
                name: (id, task, replica),
                fault,
            } => {
                self.dispatch.release((id, task, replica), fault, now);
                if let Some(job) = self.model.job(id) {
                    job.release((task, replica), fault, now);
                }
            }
            Happening::Rest((id, task, replica)) => {
                self.dispatch.rest(id, task, replica);
                if let Some(job) = self.model.job(id) {
                    job.rest((task, replica));
                }
            }
            Happening::Wake((id, task, replica)) => {
                self.dispatch.wake(id, task, replica, now);
                if let Some(job) = self.model.job(id) {
                    job.wake((task, replica), now);
                }
            }
            Happening::Claim {
                name: (id, task, replica),
                who,
                runs,
            } => {
                let (device, account, ..) = ASKERS[who];
                let runs = runs.then_some(now);
                let job = self.model.job(id);
                // No log says that an account had two replicas of a task.
                if job
                    .as_ref()
                    .is_none_or(|job| !job.is_touched(task, account))
                {
                    prop_assert_eq!(
                        self.dispatch
                            .claim((id, task, replica), (account, device), runs),
                        job.is_some_and(|job| job.claim((task, replica), (account, device), runs))
                    );
                }
            }
            Happening::Doubt((id, task, _)) => {
                self.dispatch.doubt(id, task, now);
                if let Some(job) = self.model.job(id) {
                    job.doubt(task, now);
                }
            }
            Happening::Reserve {
                name: (id, task, _),
                is_reserved,
            } => {
                let job = self.model.job(id);
                prop_assert_eq!(
                    self.dispatch.reserve(id, task, is_reserved),
                    job.is_some_and(|job| job.reserve(task, is_reserved))
                );
            }
            Happening::Exclude {
                name: (id, task, _),
                who,
            } => {
                self.dispatch.exclude(id, task, ASKERS[who].0);
                if let Some(job) = self.model.job(id) {
                    job.exclude(task, ASKERS[who].0);
                }
            }
            Happening::Forget { who } => {
                self.dispatch.forget_device(ASKERS[who].0);
                self.model.forget_device(ASKERS[who].0);
            }
            Happening::Close((id, task, _)) => {
                self.dispatch.close(id, task);
                if let Some(job) = self.model.job(id) {
                    job.close(task);
                }
            }
            Happening::Pass { ms } => self.now = now.plus_ms(ms),
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
        let taken = self.dispatch.take(&asker, self.now);
        for (id, task) in JOBS.into_iter().flat_map(|id| TASKS.map(|task| (id, task))) {
            let why = before.explain_task((id, task), &asker, self.now);
            let is_next =
                taken.is_ok_and(|given| !given.is_backup && (given.job, given.task) == (id, task));
            prop_assert_eq!(why.is_none(), is_next, "{} {:?}", task, why);
        }
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
                        let queued = self.dispatch.queued(id, task, replica);
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
        let grid = Grid { speeds: vec![1_000; devices as usize], pool_size, accounts: devices };
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
            let asking = Device { rank, ..device(who) };
            prop_assert_eq!(asking.take(&mut dispatch, NOW).ok(), expected.map(|task| (task, 0)));
        }
    }

    #[test]
    fn new_rankings_lose_nothing_give_nothing_twice_and_keep_the_order(
        tasks in 0u32..12,
        replicas in 1u8..4,
        happenings in prop::collection::vec((0u8..3, 0usize..8), 0..40),
    ) {
        let grid = |devices| Grid { speeds: vec![1_000; devices], pool_size: 1, accounts: 0 };
        let mut dispatch = Dispatch::new(Tuning::published());
        dispatch.add_job(JOB, terms(replicas), grid(3).target(), 0);
        (0..tasks).for_each(|task| dispatch.push(JOB, task, NOW));
        // Nobody asks twice, so everything that is open may be had by whoever asks.
        let mut given: Vec<(TaskIndex, ReplicaIndex)> = vec![];
        for (who, (what, much)) in (0..).zip(happenings) {
            match what {
                0 => {
                    let asking = Device { rank: Some(much as Rank), ..device(who) };
                    given.extend(asking.take(&mut dispatch, NOW));
                }
                1 if !given.is_empty() => {
                    let (task, replica) = given.remove(much % given.len());
                    dispatch.release((JOB, task, replica), false, NOW);
                }
                1 => {}
                _ => {
                    let before = dispatch.counts(JOB).open;
                    dispatch.retarget(JOB, grid(much).target(), 0);
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
        dispatch.retarget(JOB, grid(1).target(), 0);
        let asking = (1_000..).map(device);
        let rest: Vec<_> = asking.map_while(|it| it.take(&mut dispatch, NOW).ok()).collect();
        let all = (0..tasks).flat_map(|task| (0..replicas).map(move |replica| (task, replica)));
        let expected: Vec<_> = all.filter(|name| !given.contains(name)).collect();
        prop_assert_eq!(rest, expected);
    }
}

#[test]
fn random_histories_reach_every_answer() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let histories = (tuning(), story());
    let mut answers = BTreeSet::new();
    for _ in 0..400 {
        let (tuning, story) = histories.new_tree(&mut runner).unwrap().current();
        let mut pair = Pair::new(tuning);
        pair.live(story).unwrap();
        answers.extend(pair.answers);
    }
    // Only of a single task is it said that others come first.
    assert_eq!(answers.len(), 13, "{answers:?}");
}
