//! What devices have answered and nobody has judged, and how much they may have of it, found in all that
//! happened.

use super::*;
use crate::core::End;
use proptest::prelude::*;
use quern_primitives::{
    ids::{AccountId, Digest},
    receipt::Answer,
    verdict::{Ground, ReplicaFinding, Verdict},
};

const DEVICES: u8 = 2;
const JOBS: u8 = 2;
const TASKS: TaskIndex = 50;
const TEN_MINUTES_MS: u64 = 600_000;

#[derive(Clone, Debug, PartialEq)]
enum Happening {
    /// A device answers so many tasks of a job from one on.
    Answers(u8, u8, TaskIndex, TaskIndex),
    /// A task has its verdict, which finds that of these devices.
    Judged(u8, TaskIndex, Vec<(u8, Finding)>),
    /// A program is found to fail.
    ProgramFails(u8),
    /// A task of a job opens nowhere.
    Unopened(u8),
    /// A task of a job cannot be decided.
    Undecided(u8),
    /// A job is over.
    Over(u8),
    Forgotten(u8),
}

impl Happening {
    /// Whether a device's answer to a task, given before, counts no more after that.
    fn ends(&self, device: u8, job: u8, task: TaskIndex) -> bool {
        match self {
            // It counts from then on.
            Self::Answers(by, of, ..) => *by == device && *of == job && self.has(task),
            // Also of who is not named in the verdict.
            Self::Judged(of, judged, _) => *of == job && *judged == task,
            Self::ProgramFails(of) | Self::Unopened(of) | Self::Undecided(of) | Self::Over(of) => {
                *of == job
            }
            Self::Forgotten(of) => *of == device,
        }
    }

    /// Whether a task is among those that are answered.
    fn has(&self, task: TaskIndex) -> bool {
        match self {
            Self::Answers(_, _, first, count) => (*first..first + count).contains(&task),
            _ => false,
        }
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let (device, job) = (0..DEVICES, 0..JOBS);
    let count = prop_oneof![8 => 1..3u32, 1 => 20..40u32];
    let finding = prop::sample::select(vec![
        Finding::Accepted,
        Finding::Accepted,
        Finding::Accepted,
        Finding::Incorrect,
        Finding::Failed,
        Finding::Delayed,
    ]);
    // Of each device at most one thing.
    let found = prop::collection::btree_map(device.clone(), finding, 1..3);
    let found = found.prop_map(|found| found.into_iter().collect::<Vec<_>>());
    prop_oneof![
        10 => (device.clone(), job.clone(), 0..8u32, count)
            .prop_map(|(device, job, first, count)| Happening::Answers(device, job, first, count)),
        10 => (job.clone(), 0..8u32, found)
            .prop_map(|(job, task, found)| Happening::Judged(job, task, found)),
        1 => job.clone().prop_map(Happening::ProgramFails),
        1 => job.clone().prop_map(Happening::Unopened),
        1 => job.clone().prop_map(Happening::Undecided),
        1 => job.prop_map(Happening::Over),
        1 => device.prop_map(Happening::Forgotten),
    ]
}

fn id(device: u8) -> DeviceId {
    DeviceId([device; 32])
}

fn job_id(job: u8) -> JobId {
    JobId([job; 32])
}

fn ended(end: End) -> Entry {
    Entry::Ended { end }
}

fn verdict(job: u8, task: TaskIndex, found: &[(u8, Finding)], exit: Exit) -> Entry {
    let replicas = found.iter().map(|(device, finding)| ReplicaFinding {
        replica: *device,
        device: id(*device),
        account: AccountId::new([*device; 32]),
        finding: *finding,
        receipt: None,
        pay: 0,
    });
    let answer = Answer {
        result_commitment: Digest::default(),
        result_bytes: 0,
        fuel: 1,
        exit,
    };
    Entry::Judged {
        verdict: Verdict {
            job: job_id(job),
            task,
            answer,
            ground: Ground::Majority,
            price: 0,
            replicas: replicas.collect(),
        },
    }
}

fn happen(answers: &mut Answers, now: Tick, happening: &Happening) {
    let mut note = |job: u8, entry: Entry| answers.note(now, job_id(job), &entry);
    match happening {
        Happening::Answers(device, job, ..) => {
            let tasks = (0..TASKS).filter(|task| happening.has(*task));
            tasks.for_each(|task| answers.add(now, id(*device), (job_id(*job), task)));
        }
        Happening::Judged(job, task, found) => {
            note(*job, verdict(*job, *task, found, Exit::Success));
        }
        Happening::ProgramFails(job) => note(*job, verdict(*job, 0, &[], Exit::Trap)),
        Happening::Unopened(job) => note(*job, ended(End::Unopened { task: 0 })),
        Happening::Undecided(job) => note(*job, ended(End::Undecided { task: 0 })),
        Happening::Over(job) => answers.forget_job(job_id(*job)),
        Happening::Forgotten(device) => answers.forget(&id(*device)),
    }
}

type Story = [(Tick, Happening)];

/// Until when each answer of a device counts that counts now.
fn counting(story: &Story, device: u8, now: Tick) -> Vec<Tick> {
    let mut counting = vec![];
    for (job, task) in (0..JOBS).flat_map(|job| (0..TASKS).map(move |task| (job, task))) {
        // Whatever ended it last, or answered it anew.
        let last = story
            .iter()
            .rev()
            .find(|(_, it)| it.ends(device, job, task));
        let Some((at, Happening::Answers(..))) = last else {
            continue;
        };
        if now.since(*at) < TEN_MINUTES_MS {
            counting.push(at.plus_ms(TEN_MINUTES_MS));
        }
    }
    counting
}

/// How many answers a device may have: 32, and four more for each that was accepted since it is known to
/// answer and one was last found incorrect; 1,024 at the most.
fn most(story: &Story, device: u8) -> usize {
    let (mut has_answered, mut accepted) = (false, 0);
    for (_, it) in story {
        match it {
            Happening::Answers(by, ..) if *by == device => has_answered = true,
            Happening::Forgotten(of) if *of == device => (has_answered, accepted) = (false, 0),
            Happening::Judged(_, _, found) => {
                for (_, finding) in found.iter().filter(|(of, _)| *of == device) {
                    match finding {
                        Finding::Accepted if has_answered => accepted += 1,
                        Finding::Incorrect => accepted = 0,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    (32 + 4 * accepted).min(1_024)
}

/// Where a device stands.
struct Standing {
    /// Until when each answer counts.
    until: Vec<Tick>,
    most: usize,
}

impl Standing {
    fn of(story: &Story, device: u8, now: Tick) -> Self {
        Self {
            until: counting(story, device, now),
            most: most(story, device),
        }
    }

    /// Whether it gets nothing more while it holds so many tasks.
    fn is_kept(&self, in_hand: usize) -> bool {
        self.until.len() + in_hand >= self.most
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_device_may_have_without_a_verdict_is_what_its_whole_story_says(
        happenings in prop::collection::vec((happening(), prop_oneof![
            4 => 0u64..5_000,
            2 => 0u64..200_000,
            1 => Just(TEN_MINUTES_MS),
        ]), 0..40),
    ) {
        let (mut answers, mut now) = (Answers::default(), Tick(0));
        let mut story: Vec<(Tick, Happening)> = vec![];
        for (happening, later_ms) in happenings {
            let before = [0, 1].map(|device| Standing::of(&story, device, now));
            happen(&mut answers, now, &happening);
            story.push((now, happening.clone()));
            now = now.plus_ms(later_ms);
            let freed = answers.take_freed(now);
            let after = [0, 1].map(|device| Standing::of(&story, device, now));
            for (device, (before, after)) in (0..).zip(before.iter().zip(&after)) {
                let (of, unjudged) = (id(device), after.until.len());
                let room = after.most.saturating_sub(unjudged);
                for in_hand in (0..=TASKS_IN_HAND_MAX).chain([room.saturating_sub(1), room]) {
                    let is_kept = after.is_kept(in_hand);
                    // Of one that has answered nothing nothing is known.
                    if unjudged > 0 || !is_kept {
                        let found = answers.too_many(&of, in_hand);
                        prop_assert_eq!(found, is_kept.then_some(unjudged));
                    }
                }
                // Whoever may have waited is looked at again, but for one that is here no more.
                let mut hands = 0..=TASKS_IN_HAND_MAX;
                let is_freed = hands.any(|it| before.is_kept(it) && !after.is_kept(it));
                let is_gone = happening == Happening::Forgotten(device);
                prop_assert!(!is_freed || is_gone || freed.contains(&of));
                prop_assert_eq!(answers.next_end_of(&of), after.until.iter().min().copied());
            }
            let until: Vec<_> = after.into_iter().flat_map(|it| it.until).collect();
            prop_assert_eq!(answers.next_wakeup(), until.iter().min().copied());
            prop_assert_eq!(answers.ends.len(), until.len());
            let by_task = answers.ends.iter().map(|(_, device, task)| (*task, *device));
            prop_assert_eq!(&answers.by_task, &by_task.collect::<BTreeSet<_>>());
        }
    }
}
