//! The queues against a list that is walked from the front, and each rule by itself.

mod anew;
mod backups;
mod coming;
mod doubted;
mod histories;
mod lanes;
mod levels;
mod lines;
mod listed;
mod model;
mod told;
mod turns;

use super::*;
use crate::{
    needs::{Lack, Profile},
    pools::PoolLimits,
    ranking::{Abilities, Ranking},
    score::Score,
    tuning::Policy,
};
use proptest::prelude::*;
use quern_primitives::device::Class;

const JOB: JobId = JobId([1; 32]);
const NOW: Tick = Tick(1_000);

/// A replica of the job.
fn id_of(task: TaskIndex, replica: ReplicaIndex) -> ReplicaId {
    ReplicaId {
        job: JOB,
        task,
        replica,
    }
}

fn account(n: u32) -> AccountId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    AccountId::new(bytes)
}

fn traits() -> Traits {
    Profile {
        classes: vec![Class::Pinned],
        ..Profile::default()
    }
    .pack()
}

/// Asks for a device; device n is of account n unless said otherwise.
struct Device {
    number: u32,
    account: u32,
    rank: Option<Rank>,
    speed: u32,
    backlog_ms: u64,
}

fn device(number: u32) -> Device {
    Device {
        number,
        account: number,
        rank: None,
        speed: 1_000,
        backlog_ms: 0,
    }
}

impl Device {
    fn take(
        &self,
        dispatch: &mut Dispatch,
        now: Tick,
    ) -> Result<(TaskIndex, ReplicaIndex), Withheld> {
        let id = account(self.account);
        take(dispatch, &self.asker(&id), now).map(|given| (given.id.task, given.id.replica))
    }

    /// Why it does not get an open replica of a task next.
    fn lacks(&self, dispatch: &Dispatch, task: TaskIndex, now: Tick) -> Option<Withheld> {
        let id = account(self.account);
        dispatch.explain_task(JOB, task, &self.asker(&id), now)
    }

    fn asker<'a>(&self, account_id: &'a AccountId) -> Asker<'a> {
        Asker {
            device: self.number,
            account: self.account,
            account_id,
            traits: traits(),
            rank: self.rank,
            speed: self.speed,
            line: LineSpeed::SLOWEST,
            backlog_ms: self.backlog_ms,
        }
    }
}

/// A device asks, and pools are those that were told last.
fn take(dispatch: &mut Dispatch, asker: &Asker<'_>, now: Tick) -> Result<Given, Withheld> {
    dispatch.take_anew(asker, now, |_| None)
}

/// Devices are ranked, and a job has these pools from then on.
fn retarget(dispatch: &mut Dispatch, job: JobId, target: Target, accounts: u32) {
    dispatch.ranked(0);
    dispatch.catch_up(job, NOW, |_| Some((target.clone(), accounts)));
}

fn terms(replicas: ReplicaIndex) -> JobTerms {
    JobTerms {
        level: ByteLevel::Balanced,
        needs: Needs::default(),
        replicas,
        work: 10_000_000,
        bytes: TaskBytes::default(),
        seed: [3; 32],
    }
}

/// Nothing of ours: one queue, no device spared, no backups.
fn plain() -> Tuning {
    Tuning {
        policy: Policy::OneQueue,
        ..Tuning::published()
    }
}

/// Devices of these speeds, the first ranked highest, in pools that all take part.
fn target(speeds: &[u32], limits: &PoolLimits) -> Target {
    target_of(speeds, ByteLevel::High, limits)
}

/// The same for a job of this level.
fn target_of(speeds: &[u32], level: ByteLevel, limits: &PoolLimits) -> Target {
    let abilities = |speed: &u32| Abilities {
        traits: traits(),
        capacity: Score::from_millionths(1_000_000),
        speed: *speed,
    };
    let ranking = Ranking::new(speeds.iter().map(abilities));
    Target::of_level(&ranking, &Needs::default(), level, limits)
}

fn dispatch(tuning: Tuning, tasks: TaskIndex, replicas: ReplicaIndex, speeds: &[u32]) -> Dispatch {
    let mut dispatch = Dispatch::new(tuning);
    let target = target(speeds, &tuning.pool_limits());
    dispatch.add_job(JOB, terms(replicas), target, speeds.len() as u32);
    (0..tasks).for_each(|task| dispatch.push(JOB, task, NOW));
    dispatch
}

#[test]
fn tasks_are_given_out_first_come_first_served() {
    let mut dispatch = dispatch(plain(), 2, 1, &[1]);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((1, 0)));
    assert_eq!(
        device(1).take(&mut dispatch, NOW),
        Err(Withheld::NothingOpen)
    );
}

#[test]
fn two_replicas_of_a_task_never_go_to_one_account() {
    let mut dispatch = dispatch(plain(), 1, 2, &[1]);
    let sibling = Device {
        account: 1,
        ..device(2)
    };
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    assert_eq!(
        sibling.take(&mut dispatch, NOW),
        Err(Withheld::TouchedByAccount)
    );
    assert_eq!(device(3).take(&mut dispatch, NOW), Ok((0, 1)));
}

#[test]
fn a_replica_given_back_is_open_again_also_for_its_account_and_behind_its_cursor() {
    let mut dispatch = dispatch(plain(), 3, 1, &[1]);
    (0..3).for_each(|task| assert_eq!(device(1).take(&mut dispatch, NOW), Ok((task, 0))));
    dispatch.release(id_of(1, 0), false, NOW);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((1, 0)));
}

#[test]
fn a_device_that_failed_on_a_task_passes_over_it_but_its_account_does_not() {
    let mut dispatch = dispatch(plain(), 2, 1, &[1]);
    let later = NOW.plus_ms(60_000);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.release(id_of(0, 0), true, NOW);
    assert_eq!(device(1).take(&mut dispatch, later), Ok((1, 0)));
    assert_eq!(
        device(1).take(&mut dispatch, later),
        Err(Withheld::Excluded)
    );
    let sibling = Device {
        account: 1,
        ..device(2)
    };
    assert_eq!(sibling.take(&mut dispatch, later), Ok((0, 0)));
}

#[test]
fn a_device_that_has_the_number_of_one_that_is_gone_is_another_one() {
    let mut dispatch = dispatch(plain(), 2, 2, &[1]);
    let later = NOW.plus_ms(60_000);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.release(id_of(0, 0), true, NOW);
    assert_eq!(device(1).take(&mut dispatch, later), Ok((1, 0)));
    dispatch.finish(id_of(1, 0));
    dispatch.forget_device(1);
    let device_of = |dispatch: &Dispatch, task| match dispatch.replicas(JOB, task)[0] {
        ReplicaState::Answered { device } => device,
        ref other => panic!("{other:?}"),
    };
    assert_ne!(device_of(&dispatch, 1), 1);
    let next = Device {
        account: 7,
        ..device(1)
    };
    assert_eq!(next.take(&mut dispatch, later), Ok((0, 0)));
    let sibling = Device {
        account: 1,
        ..device(1)
    };
    // What the account touched, it touched.
    assert_eq!(sibling.take(&mut dispatch, later), Ok((0, 1)));
    assert_eq!(
        sibling.take(&mut dispatch, later),
        Err(Withheld::TouchedByAccount)
    );
}

#[test]
fn what_failed_is_kept_for_a_fast_device_for_a_while() {
    let mut dispatch = dispatch(plain(), 1, 1, &[9_000, 1_000, 1_000]);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.release(id_of(0, 0), true, NOW);
    assert_eq!(
        device(2).take(&mut dispatch, NOW),
        Err(Withheld::KeptForTheFast)
    );
    let fast = Device {
        speed: 9_000,
        ..device(3)
    };
    let mut as_well = dispatch.clone();
    assert_eq!(fast.take(&mut as_well, NOW), Ok((0, 0)));
    let later = NOW.plus_ms(plain().lane_ms);
    assert_eq!(device(2).take(&mut dispatch, later), Ok((0, 0)));
}

#[test]
fn jobs_of_a_higher_level_are_served_first_and_equal_ones_by_arrival() {
    let mut dispatch = dispatch(plain(), 1, 1, &[1]);
    let (second, urgent) = (JobId([0; 32]), JobId([9; 32]));
    let one = || target(&[1], &plain().pool_limits());
    dispatch.add_job(second, terms(1), one(), 1);
    let high = JobTerms {
        level: ByteLevel::High,
        ..terms(1)
    };
    dispatch.add_job(urgent, high, one(), 1);
    dispatch.push(second, 0, NOW);
    dispatch.push(urgent, 0, NOW);
    let mut next = || {
        let id = account(1);
        let asker = Asker {
            device: 1,
            account: 1,
            account_id: &id,
            traits: traits(),
            rank: None,
            speed: 1,
            line: LineSpeed::SLOWEST,
            backlog_ms: 0,
        };
        take(&mut dispatch, &asker, NOW).map(|given| given.id.job)
    };
    assert_eq!([next(), next(), next()], [Ok(urgent), Ok(JOB), Ok(second)]);
    assert!(next().is_err());
}

#[test]
fn a_device_is_told_what_it_lacks_for_a_job() {
    let mut dispatch = Dispatch::new(plain());
    let mut terms = terms(1);
    terms.needs.trusted = true;
    dispatch.add_job(JOB, terms, Target::default(), 0);
    dispatch.push(JOB, 0, NOW);
    let told = device(1).take(&mut dispatch, NOW);
    assert_eq!(told, Err(Withheld::Lacks(Lack::Trust)));
}

#[test]
fn pools_are_dealt_equal_numbers_and_inherit_from_below() {
    let tuning = Tuning {
        pool_capacity_min: 0,
        pool_size_min: 1,
        ..Tuning::published()
    };
    let mut dispatch = dispatch(tuning, 6, 1, &[3, 2, 1]);
    assert_eq!(dispatch.counts(JOB).open, [2, 2, 2]);
    let at = |rank| Device {
        rank: Some(rank),
        ..device(rank)
    };
    // The lowest pool has tasks 2 and 5, and nothing below it.
    assert_eq!(at(2).take(&mut dispatch, NOW), Ok((2, 0)));
    assert_eq!(at(2).take(&mut dispatch, NOW), Ok((5, 0)));
    assert_eq!(at(2).take(&mut dispatch, NOW), Err(Withheld::NothingInPool));
    // The top pool has 0 and 3, then inherits 1 and 4.
    let taken: Vec<_> = (0..4)
        .map(|_| at(0).take(&mut dispatch, NOW).map(|it| it.0))
        .collect();
    assert_eq!(taken, [Ok(0), Ok(3), Ok(1), Ok(4)]);
}

#[test]
fn what_no_device_of_its_pool_may_have_is_for_those_below_when_nobody_finds_anything_in_turn() {
    let tuning = Tuning {
        pool_capacity_min: 0,
        pool_size_min: 1,
        ..Tuning::published()
    };
    // Of two tasks two replicas are in the top pool, whose one device may have one of them.
    let mut dispatch = dispatch(tuning, 4, 3, &[1_000, 1_000]);
    assert_eq!(dispatch.counts(JOB).open, [6, 6]);
    let at = |rank, number| Device {
        rank: Some(rank),
        ..device(number)
    };
    for (rank, number) in [(0, 0), (1, 1), (1, 3)] {
        while at(rank, number).take(&mut dispatch, NOW).is_ok() {}
    }
    assert_eq!(dispatch.counts(JOB).open, [2, 0]);
    // Two tasks take 20 seconds, and a replica waits 10 for its lane.
    let then = NOW.plus_ms(30_000);
    for (number, now) in [(2, NOW), (2, then)] {
        let why = Withheld::NothingInPool;
        assert_eq!(at(1, number).lacks(&dispatch, 0, now), Some(why));
        assert_eq!(at(1, number).take(&mut dispatch, now), Err(why));
    }
    let mut later = then.plus_ms(1);
    assert_eq!(at(1, 2).lacks(&dispatch, 0, later), None);
    assert!(at(1, 2).take(&mut dispatch, later).is_ok());
    // Who takes it so does not close the pool again.
    assert!(at(1, 2).take(&mut dispatch, later).is_ok());
    assert_eq!(dispatch.counts(JOB).open, [0, 0]);
    // Who takes something in turn does.
    dispatch.push(JOB, 4, later);
    assert!(at(0, 0).take(&mut dispatch, later).is_ok());
    later = later.plus_ms(30_000);
    let taken: Vec<_> = (1..4)
        .filter(|number| at(1, *number).take(&mut dispatch, later).is_ok())
        .collect();
    assert_eq!((taken.len(), dispatch.counts(JOB).open), (1, vec![1, 0]));
}

#[test]
fn what_lay_in_a_pool_that_is_no_more_is_dealt_again() {
    let one_each = PoolLimits {
        capacity_min: 0,
        size_min: 1,
        merge_top: false,
    };
    let tuning = Tuning {
        pool_capacity_min: 0,
        pool_size_min: 1,
        ..Tuning::published()
    };
    let mut dispatch = dispatch(tuning, 6, 1, &[3, 2, 1]);
    assert_eq!(device(7).take(&mut dispatch, NOW), Ok((2, 0)));
    retarget(&mut dispatch, JOB, target(&[2, 1], &one_each), 2);
    assert_eq!(dispatch.counts(JOB).open, [3, 2]);
    dispatch.release(id_of(2, 0), false, NOW);
    assert_eq!(dispatch.counts(JOB).open.iter().sum::<usize>(), 6);
    let at = |rank| Device {
        rank: Some(rank),
        ..device(rank)
    };
    let taken: Vec<_> = (0..7)
        .map(|_| at(0).take(&mut dispatch, NOW).is_ok())
        .collect();
    assert_eq!(taken, [true, true, true, true, true, true, false]);
}

#[test]
fn a_slow_device_is_spared_when_the_others_are_sooner_done() {
    let tuning = Tuning {
        spares_the_slow: true,
        ..plain()
    };
    // A task takes the slow device 100 s, each of the others 1 s.
    let speeds = [10_000; 20];
    let slow = Device {
        speed: 100,
        ..device(1)
    };
    let mut many = dispatch(tuning, 5_000, 1, &speeds);
    assert_eq!(slow.take(&mut many, NOW), Ok((0, 0)));
    let mut few = dispatch(tuning, 10, 1, &speeds);
    assert!(matches!(
        slow.take(&mut few, NOW),
        Err(Withheld::OthersAreSooner {
            mine_ms: 100_000,
            ..
        })
    ));
    let fast = Device {
        speed: 10_000,
        ..device(2)
    };
    assert_eq!(fast.take(&mut few, NOW), Ok((0, 0)));
    // One that is alone, however slow, is not kept waiting for nobody.
    let mut alone = dispatch(tuning, 1, 1, &[100]);
    assert_eq!(slow.take(&mut alone, NOW), Ok((0, 0)));
}

#[test]
fn what_a_task_takes_is_what_accepted_answers_say_and_not_what_a_device_answered() {
    let mut dispatch = dispatch(plain(), 4, 1, &[1_000]);
    let expected_ms = |dispatch: &Dispatch| {
        let id = account(9);
        let given = take(&mut dispatch.clone(), &device(9).asker(&id), NOW);
        given.unwrap().expected_ms
    };
    for task in 0..3 {
        assert_eq!(device(1).take(&mut dispatch, NOW), Ok((task, 0)));
        dispatch.finish(id_of(task, 0));
    }
    assert_eq!(expected_ms(&dispatch), 10_000, "it is what the terms say");
    dispatch.accept(JOB, 1_000_000, 0);
    dispatch.accept(JOB, 2_000_000, 0);
    assert_eq!(expected_ms(&dispatch), 10_000);
    dispatch.accept(JOB, 6_000_000, 0);
    assert_eq!(expected_ms(&dispatch), 3_000);
}

#[test]
fn what_was_held_before_a_restart_is_claimed() {
    let mut dispatch = dispatch(plain(), 2, 2, &[1]);
    let [first, second] = [5, 6].map(|number| Holder {
        account: number,
        device: number,
    });
    let running = Claimed::Running { since: NOW };
    assert!(dispatch.claim(id_of(0, 1), first, running));
    assert!(dispatch.claim(id_of(1, 0), first, Claimed::Answered));
    assert!(!dispatch.claim(id_of(1, 0), second, Claimed::Answered));
    assert!(!dispatch.claim(id_of(7, 0), second, Claimed::Answered));
    assert_eq!(
        device(5).take(&mut dispatch, NOW),
        Err(Withheld::TouchedByAccount)
    );
    assert_eq!(dispatch.counts(JOB).running, 1);
    let states = dispatch.replicas(JOB, 1);
    assert!(matches!(states[0], ReplicaState::Answered { device: 5 }));
    assert!(matches!(states[1], ReplicaState::Open { .. }));
}

#[test]
fn a_task_that_a_device_failed_on_hides_none_behind_it() {
    let mut dispatch = dispatch(plain(), 3_000, 3, &[1]);
    let late = NOW.plus_ms(1_000_000);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.release(id_of(0, 0), true, NOW);
    let taken = (0..3_000).filter(|_| device(1).take(&mut dispatch, late).is_ok());
    assert_eq!(taken.count(), 2_999);
}

#[test]
fn an_answered_replica_is_not_opened_again() {
    let mut dispatch = dispatch(plain(), 1, 1, &[1]);
    assert_eq!(device(1).take(&mut dispatch, NOW), Ok((0, 0)));
    dispatch.finish(id_of(0, 0));
    dispatch.release(id_of(0, 0), true, NOW);
    assert_eq!(
        device(2).take(&mut dispatch, NOW),
        Err(Withheld::NothingOpen)
    );
}

/// The same queue as a list that is walked from the front on every pull.
#[derive(Default)]
struct Walk(Vec<Walked>);

/// A task, who holds each replica of it (account and device), and devices that may not have it.
type Walked = (TaskIndex, Vec<Option<(u32, u32)>>, Vec<u32>);

impl Walk {
    fn take(&mut self, device: u32, account: u32) -> Option<(TaskIndex, ReplicaIndex)> {
        for (task, replicas, excluded) in &mut self.0 {
            let touched = replicas.iter().flatten().any(|(of, _)| *of == account);
            if touched || excluded.contains(&device) {
                continue;
            }
            if let Some(open) = replicas.iter().position(Option::is_none) {
                replicas[open] = Some((account, device));
                return Some((*task, open as ReplicaIndex));
            }
        }
        None
    }
}

proptest! {
    #[test]
    fn cursors_change_nothing_but_the_speed(
        ops in prop::collection::vec((0u8..6, 0u32..5, 0u32..12, 0u8..3), 1..200)
    ) {
        let mut dispatch = dispatch(plain(), 0, 3, &[1]);
        let mut walk = Walk::default();
        // Late enough that nothing is kept for the fast.
        let late = NOW.plus_ms(1_000_000);
        for (op, who, task, replica) in ops {
            match op {
                0 => {
                    dispatch.push(JOB, task, NOW);
                    if walk.0.iter().all(|(known, ..)| *known != task) {
                        walk.0.push((task, vec![None; 3], vec![]));
                    }
                }
                1..4 => {
                    let asker = Device { account: who / 2, ..device(who) };
                    // What is said of each task agrees with what is given.
                    let given = asker.take(&mut dispatch.clone(), late).ok();
                    let free = (0..12).find(|task| asker.lacks(&dispatch, *task, late).is_none());
                    prop_assert_eq!(free, given.map(|(task, _)| task));
                    prop_assert_eq!(
                        asker.take(&mut dispatch, late).ok(),
                        walk.take(who, who / 2)
                    );
                }
                4 => {
                    let fault = who == 0;
                    dispatch.release(id_of(task, replica), fault, NOW);
                    if let Some((_, replicas, excluded)) = walk.0.iter_mut().find(|it| it.0 == task)
                        && let Some((_, device)) = replicas[usize::from(replica)].take()
                        && fault
                    {
                        excluded.push(device);
                    }
                }
                _ => {
                    dispatch.close(JOB, task);
                    walk.0.retain(|(known, ..)| *known != task);
                }
            }
            let open = walk.0.iter().flat_map(|it| &it.1).filter(|it| it.is_none()).count();
            prop_assert_eq!(dispatch.counts(JOB).open.iter().sum::<usize>(), open);
        }
    }
}

#[test]
fn a_stale_task_is_rescued_unless_more_is_out_or_open_than_it_still_needs() {
    let mut single = dispatch(plain(), 1, 1, &[1]);
    assert_eq!(device(1).take(&mut single, NOW), Ok((0, 0)));
    assert_eq!(single.rescue(JOB, 0, NOW), Some(1));
    assert_eq!(single.rescue(JOB, 0, NOW), None);
    assert_eq!(device(2).take(&mut single, NOW), Ok((0, 1)));
    // Also when it is the rescuer that is stale.
    assert_eq!(single.rescue(JOB, 0, NOW), None);

    let mut three = dispatch(plain(), 1, 3, &[1]);
    (0..3).for_each(|n| assert_eq!(device(n).take(&mut three, NOW), Ok((0, n as u8))));
    (0..2).for_each(|replica| three.finish(id_of(0, replica)));
    assert_eq!(three.rescue(JOB, 0, NOW), Some(3));
    assert_eq!(three.rescue(JOB, 0, NOW), None);
    assert_eq!(three.rescue(JOB, 7, NOW), None);
}
