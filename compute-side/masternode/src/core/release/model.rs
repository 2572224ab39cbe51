//! How often devices gave tasks back, and until when replicas rest, found in all that happened.

use super::*;
use crate::core::End;
use proptest::prelude::*;
use quern_primitives::{
    ids::Digest,
    receipt::{Answer, Exit},
    verdict::{Ground, Verdict},
};

const JOBS: u8 = 2;
const TASKS: TaskIndex = 2;
const DEVICES: u8 = 2;

const CAUSES: [ReleaseCause; 9] = [
    ReleaseCause::HandedBack,
    ReleaseCause::Forgotten,
    ReleaseCause::Barred,
    ReleaseCause::Late,
    ReleaseCause::Failed,
    ReleaseCause::HandedBackOften,
    ReleaseCause::Withheld,
    ReleaseCause::BadInput { trusted: false },
    ReleaseCause::BadInput { trusted: true },
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    /// A device loses a replica of a task of a job.
    Released(u8, TaskIndex, u8, ReleaseCause),
    /// A task of a job has its verdict.
    Judged(u8, TaskIndex),
    /// It cannot be decided.
    Undecided(u8, TaskIndex),
    /// It opens nowhere.
    Unopened(u8, TaskIndex),
    /// A job is over.
    Over(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let (job, task) = (0..JOBS, 0..TASKS);
    let cause = prop_oneof![
        3 => Just(ReleaseCause::HandedBack),
        3 => Just(ReleaseCause::Forgotten),
        1 => prop::sample::select(CAUSES.to_vec()),
    ];
    prop_oneof![
        20 => (job.clone(), task.clone(), 0..DEVICES, cause)
            .prop_map(|(a, b, c, d)| Happening::Released(a, b, c, d)),
        1 => (job.clone(), task.clone()).prop_map(|(a, b)| Happening::Judged(a, b)),
        1 => (job.clone(), task.clone()).prop_map(|(a, b)| Happening::Undecided(a, b)),
        1 => (job.clone(), task).prop_map(|(a, b)| Happening::Unopened(a, b)),
        1 => job.prop_map(Happening::Over),
    ]
}

fn job_id(job: u8) -> JobId {
    JobId([job; 32])
}

fn device_id(device: u8) -> DeviceId {
    DeviceId([device; 32])
}

fn verdict(job: u8, task: TaskIndex) -> Verdict {
    let answer = Answer {
        result_commitment: Digest::default(),
        result_bytes: 0,
        fuel: 1,
        exit: Exit::Success,
    };
    Verdict {
        job: job_id(job),
        task,
        answer,
        ground: Ground::Majority,
        price: 0,
        replicas: vec![],
    }
}

fn ended(end: End) -> Entry {
    Entry::Ended { end }
}

fn happen(hand_backs: &mut HandBacks, happening: Happening) {
    let (job, entry) = match happening {
        Happening::Released(job, task, device, cause) => {
            let entry = Entry::Released {
                task,
                replica: 0,
                device: device_id(device),
                cause,
            };
            (job, entry)
        }
        Happening::Judged(job, task) => {
            let verdict = verdict(job, task);
            (job, Entry::Judged { verdict })
        }
        Happening::Undecided(job, task) => (job, ended(End::Undecided { task })),
        Happening::Unopened(job, task) => (job, ended(End::Unopened { task })),
        Happening::Over(job) => return hand_backs.forget(job_id(job)),
    };
    hand_backs.note(job_id(job), &entry);
}

/// How often a device gave a task back or forgot it since the task last had an end.
fn times(story: &[Happening], job: u8, task: TaskIndex, device: u8) -> usize {
    let ends = [
        Happening::Judged(job, task),
        Happening::Undecided(job, task),
        Happening::Unopened(job, task),
        Happening::Over(job),
    ];
    let last_end = story.iter().rposition(|it| ends.contains(it));
    let counted = [ReleaseCause::HandedBack, ReleaseCause::Forgotten]
        .map(|cause| Happening::Released(job, task, device, cause));
    let since = &story[last_end.map_or(0, |place| place + 1)..];
    since.iter().filter(|it| counted.contains(it)).count()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A replica of a task of a job could not be handed out.
    Rests(u8, TaskIndex, u8),
    Over(u8),
    /// So many milliseconds pass, and whatever has rested is taken.
    Passes(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let ms = prop_oneof![6 => 0u64..3_000, 3 => 0u64..100_000, 1 => 0u64..2_000_000];
    prop_oneof![
        10 => (0..JOBS, 0..TASKS, 0u8..3).prop_map(|(a, b, c)| Step::Rests(a, b, c)),
        1 => (0..JOBS).prop_map(Step::Over),
        10 => ms.prop_map(Step::Passes),
    ]
}

proptest! {
    #[test]
    fn with_its_third_time_a_device_gave_a_task_back_often_as_the_whole_story_says(
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let (mut hand_backs, mut story) = (HandBacks::default(), vec![]);
        for happening in happenings {
            happen(&mut hand_backs, happening);
            story.push(happening);
            let mut remembered = 0;
            for (job, task) in (0..JOBS).flat_map(|job| (0..TASKS).map(move |task| (job, task))) {
                let given_back = [0, 1].map(|device| times(&story, job, task, device));
                remembered += usize::from(given_back != [0, 0]);
                let id = ReplicaId { job: job_id(job), task, replica: 0 };
                for (device, times) in (0..DEVICES).zip(given_back) {
                    for cause in CAUSES {
                        let counts =
                            [ReleaseCause::HandedBack, ReleaseCause::Forgotten].contains(&cause);
                        let expected = match counts && times >= 2 {
                            true => ReleaseCause::HandedBackOften,
                            false => cause,
                        };
                        prop_assert_eq!(hand_backs.weigh(id, &device_id(device), cause), expected);
                    }
                }
            }
            // Of what has an end nothing is kept.
            prop_assert_eq!(hand_backs.0.len(), remembered);
        }
    }

    #[test]
    fn a_replica_rests_twice_as_long_each_time_and_all_are_taken_in_turn(
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let (mut resting, mut now) = (Resting::default(), Tick(0));
        // What rests and until when, and the task of each rest so far.
        let mut list: Vec<(Tick, ReplicaId)> = vec![];
        let mut rests: Vec<(JobId, TaskIndex)> = vec![];
        for step in steps {
            match step {
                Step::Rests(job, task, replica) => {
                    let id = ReplicaId { job: job_id(job), task, replica };
                    // What rests is in nobody's hands.
                    if list.iter().any(|(_, it)| *it == id) {
                        continue;
                    }
                    let before = rests.iter().filter(|of| **of == (id.job, task)).count();
                    let ms = (1_000u64 << before.min(20)).min(1_024_000);
                    list.push((now.plus_ms(ms), id));
                    rests.push((id.job, task));
                    resting.rest(now, id);
                }
                Step::Over(job) => {
                    list.retain(|(_, id)| id.job != job_id(job));
                    rests.retain(|(of, _)| *of != job_id(job));
                    resting.forget(job_id(job));
                }
                Step::Passes(ms) => {
                    now = now.plus_ms(ms);
                    let taken: Vec<_> = std::iter::from_fn(|| resting.take_rested(now)).collect();
                    let (mut over, rest): (Vec<_>, Vec<_>) =
                        list.into_iter().partition(|(until, _)| *until <= now);
                    list = rest;
                    over.sort_unstable();
                    let over: Vec<_> = over.into_iter().map(|(_, id)| id).collect();
                    prop_assert_eq!(taken, over);
                }
            }
            prop_assert_eq!(resting.next_wakeup(), list.iter().map(|(until, _)| *until).min());
            let places = (0..JOBS).flat_map(|job| (0..TASKS).map(move |task| (job, task)));
            for ((job, task), replica) in places.flat_map(|of| (0..3).map(move |it| (of, it))) {
                let id = ReplicaId { job: job_id(job), task, replica };
                let until = list.iter().find(|(_, it)| *it == id).map(|(until, _)| *until);
                prop_assert_eq!(resting.rests_until(id), until);
            }
        }
    }
}
