//! Whose devices are found anew, and when, by all that happened so far.

use super::{
    histories::{ASKERS, Grid, grid, terms_of_any_kind, tuning},
    model::Model,
    *,
};

/// What says whose turn it is.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// So many devices were ranked.
    Ranked(u32),
    /// A job was queued, with its devices in the last ranking.
    Queued(JobId),
    /// They were found anew.
    Found(JobId, Tick),
}

/// All of that from the beginning, and nothing else.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Vec<Event>);

impl Past {
    pub(super) fn ranked(&mut self, devices: u32) {
        self.0.push(Event::Ranked(devices));
    }

    pub(super) fn queued(&mut self, id: JobId) {
        self.0.push(Event::Queued(id));
    }

    pub(super) fn found(&mut self, id: JobId, at: Tick) {
        self.0.push(Event::Found(id, at));
    }

    /// Whether nothing was ranked since a job was queued or its devices were found.
    pub(super) fn is_up_to_date(&self, id: JobId) -> bool {
        let is_its = |event: &Event| match event {
            Event::Queued(of) | Event::Found(of, _) => *of == id,
            Event::Ranked(_) => false,
        };
        let mut since = self.0.iter().rev().take_while(|event| !is_its(event));
        since.all(|event| !matches!(event, Event::Ranked(_)))
    }

    /// To find one job's devices takes a millisecond for each 40,000 that are ranked, rounded down. Nobody's
    /// were found for as long as that, and this job's not since it was queued, or not for as long as it takes to
    /// find those of so many jobs.
    pub(super) fn is_turn_of(&self, id: JobId, jobs: usize, now: Tick) -> bool {
        let ranked = self.0.iter().rev().find_map(|event| match event {
            Event::Ranked(devices) => Some(*devices),
            _ => None,
        });
        let one_ms = u64::from(ranked.unwrap_or(0) / 40_000);
        let (mut last, mut last_own) = (None, None);
        for event in &self.0 {
            match event {
                Event::Queued(of) if *of == id => last_own = None,
                Event::Found(of, at) if *of == id => (last, last_own) = (Some(*at), Some(*at)),
                Event::Found(_, at) => last = Some(*at),
                _ => {}
            }
        }
        let passed_ms = |since: Option<Tick>| since.map_or(u64::MAX, |at| now.0 - at.0);
        passed_ms(last) >= one_ms && passed_ms(last_own) >= one_ms * jobs as u64
    }
}

/// Jobs by number; it is in their seeds.
const JOBS: u8 = 4;

fn job(n: u8) -> JobId {
    JobId([n; 32])
}

/// What the last ranking makes of each job, if it is found there.
type Grids = Vec<Option<Grid>>;

#[derive(Clone, Debug)]
enum Happening {
    Rank(u32),
    Queue(u8, JobTerms, Grid, TaskIndex),
    Remove(u8),
    /// A device asks, a place in [`ASKERS`], that is barred from some jobs.
    Ask(usize, Option<Rank>, Vec<JobId>, Grids),
    /// Somebody wants to know how a job stands.
    AskAbout(u8, Grids),
    Finish(ReplicaId),
    Release(ReplicaId),
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let job_number = || 0..JOBS;
    let id = || {
        (job_number(), 0u32..3, 0u8..3).prop_map(|(n, task, replica)| ReplicaId {
            job: job(n),
            task,
            replica,
        })
    };
    let ranked = prop_oneof![
        6 => Just(1_000_000u32),
        1 => Just(0),
        1 => prop::sample::select(vec![39_999u32, 40_000, 79_999, 80_000, u32::MAX]),
        1 => any::<u32>(),
    ];
    let rank = prop_oneof![1 => Just(None), 4 => (0u32..7).prop_map(Some)];
    let barred = prop::sample::subsequence((0..JOBS).map(job).collect::<Vec<_>>(), 0..3);
    let grids = || {
        let found = prop::option::weighted(0.9, grid());
        prop::collection::vec(found, usize::from(JOBS))
    };
    let ms = prop_oneof![
        6 => 0u64..30,
        3 => prop::sample::select(vec![24u64, 25, 26, 49, 50, 51, 75, 100]),
        2 => 0u64..500_000,
        1 => Just(u64::MAX),
    ];
    prop_oneof![
        12 => ranked.prop_map(Rank),
        8 => (job_number(), terms_of_any_kind(), grid(), 0u32..4)
            .prop_map(|(n, terms, grid, tasks)| Queue(n, terms, grid, tasks)),
        2 => job_number().prop_map(Remove),
        40 => (0..ASKERS.len(), rank, prop_oneof![3 => Just(vec![]), 1 => barred], grids())
            .prop_map(|(who, rank, barred, grids)| Ask(who, rank, barred, grids)),
        12 => (job_number(), grids()).prop_map(|(n, grids)| AskAbout(n, grids)),
        4 => id().prop_map(Finish),
        4 => id().prop_map(Release),
        24 => ms.prop_map(Pass),
    ]
}

/// The queues and the lists, to which the same happens, and which jobs were found so far: the number of
/// each, by both, in their order.
struct Pair {
    dispatch: Dispatch,
    model: Model,
    now: Tick,
    found: [Vec<u8>; 2],
}

impl Pair {
    fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        let now = self.now;
        match happening {
            Happening::Rank(devices) => {
                self.dispatch.ranked(devices);
                self.model.ranked(devices);
            }
            Happening::Queue(n, terms, grid, tasks) => {
                let terms = JobTerms {
                    seed: [n; 32],
                    ..terms
                };
                let target = grid.target_of(terms.level);
                let accounts = grid.accounts;
                self.dispatch
                    .add_job(job(n), terms, target.clone(), accounts);
                self.model.add_job(job(n), terms, target, accounts);
                for task in 0..tasks {
                    self.dispatch.push(job(n), task, now);
                    if let Some(job) = self.model.job(job(n)) {
                        job.push(task, now);
                    }
                }
            }
            Happening::Remove(n) => {
                self.dispatch.remove_job(job(n));
                self.model.remove_job(job(n));
            }
            Happening::Ask(who, rank, barred, grids) => self.ask(who, rank, &barred, &grids)?,
            Happening::AskAbout(n, grids) => {
                let levels = self.levels();
                let find_of = |n: u8| found_in(&grids, &levels, n);
                let [quick, slow] = &mut self.found;
                self.dispatch.catch_up(job(n), now, |terms| {
                    quick.push(terms.seed[0]);
                    find_of(terms.seed[0])
                });
                self.model.catch_up(job(n), now, &mut |id| {
                    slow.push(id.0[0]);
                    find_of(id.0[0])
                });
            }
            Happening::Finish(id) => {
                self.dispatch.finish(id);
                if let Some(job) = self.model.job(id.job) {
                    job.finish((id.task, id.replica));
                }
            }
            Happening::Release(id) => {
                self.dispatch.release(id, false, now);
                if let Some(job) = self.model.job(id.job) {
                    job.release((id.task, id.replica), false, now);
                }
            }
            Happening::Pass(ms) => self.now = now.plus_ms(ms),
        }
        Ok(())
    }

    fn levels(&mut self) -> Vec<Option<ByteLevel>> {
        let level = |n| self.model.job(job(n)).map(|job| job.level());
        (0..JOBS).map(level).collect()
    }

    fn ask(
        &mut self,
        who: usize,
        rank: Option<Rank>,
        barred: &[JobId],
        grids: &Grids,
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
            line: LineSpeed::SLOWEST,
            backlog_ms: 0,
        };
        let levels = self.levels();
        let [quick, slow] = &mut self.found;
        let is_barred = |id| barred.contains(&id);
        let given = self
            .dispatch
            .take_unless(&asker, self.now, is_barred, |terms| {
                quick.push(terms.seed[0]);
                found_in(grids, &levels, terms.seed[0])
            });
        let expected = self.model.take_unless(&asker, self.now, barred, |id| {
            slow.push(id.0[0]);
            found_in(grids, &levels, id.0[0])
        });
        match (given, expected) {
            (Ok(given), Ok(expected)) => prop_assert_eq!(given, expected),
            (Err(why), Err(reasons)) => {
                prop_assert!(reasons.contains(&why), "{why:?} is not of {reasons:?}");
            }
            (given, expected) => prop_assert!(false, "{given:?} is not {expected:?}"),
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let [quick, slow] = &self.found;
        prop_assert_eq!(quick, slow);
        for id in (0..JOBS).map(job) {
            let [quick, slow] = [
                self.dispatch.is_up_to_date(id),
                self.model.is_up_to_date(id),
            ];
            prop_assert_eq!(quick, slow);
            let target = self.model.job(id).map(|job| job.target().clone());
            prop_assert_eq!(self.dispatch.target(id), target.as_ref());
        }
        Ok(())
    }
}

/// A job's pools in the last ranking, and how many accounts have a device there.
fn found_in(grids: &Grids, levels: &[Option<ByteLevel>], n: u8) -> Option<(Target, u32)> {
    let grid = grids[usize::from(n)].as_ref()?;
    Some((grid.target_of(levels[usize::from(n)]?), grid.accounts))
}

/// With one queue for all jobs take turns, with pools they do not.
fn tuning_of_any_policy() -> impl Strategy<Value = Tuning> {
    let policy = prop_oneof![
        4 => Just(Policy::OneQueue),
        1 => Just(Policy::Pools),
        1 => Just(Policy::MergedPools),
    ];
    (tuning(), policy).prop_map(|(tuning, policy)| Tuning { policy, ..tuning })
}

proptest! {
    #[test]
    fn jobs_are_found_anew_in_the_turns_that_all_that_happened_says(
        tuning in tuning_of_any_policy(),
        began in prop_oneof![Just(0u64), Just(100), Just(1_000_000)],
        happenings in prop::collection::vec(happening(), 0..120),
    ) {
        let mut pair = Pair {
            dispatch: Dispatch::new(tuning),
            model: Model::new(tuning),
            now: Tick(began),
            found: Default::default(),
        };
        for happening in happenings {
            pair.happen(happening)?;
            pair.compare()?;
        }
    }

    /// Within a round of turns each other job has one at the most, so there is one left.
    #[test]
    fn no_job_that_is_asked_all_the_time_waits_for_two_rounds(
        jobs in 1u8..8,
        turn_ms in 0u32..9,
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
    ) {
        let mut dispatch = Dispatch::new(plain());
        for n in 0..jobs {
            dispatch.add_job(job(n), terms(1), Target::default(), 0);
        }
        let round_ms = u64::from(jobs) * u64::from(turn_ms);
        let mut last = vec![0; usize::from(jobs)];
        let mut turns = vec![];
        for (ms, first) in (0..1_000).zip(order.iter().cycle()) {
            dispatch.ranked(40_000 * turn_ms);
            let first = first.index(usize::from(jobs)) as u8;
            for n in (first..jobs).chain(0..first) {
                dispatch.catch_up(job(n), Tick(ms), |_| {
                    turns.push(ms);
                    last[usize::from(n)] = ms;
                    Some((Target::default(), 0))
                });
            }
            let longest = last.iter().map(|last| ms - last).max();
            prop_assert!(longest < Some((2 * round_ms).max(1)), "{longest:?} at {ms}");
        }
        prop_assert!(turns.is_sorted_by(|one, next| one + u64::from(turn_ms) <= *next));
    }
}
