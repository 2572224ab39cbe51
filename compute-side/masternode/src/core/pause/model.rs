//! Until when devices get nothing, and of which jobs, found in the whole story each time.

use super::*;
use crate::core::{End, OutputPlace, ReleaseCause};
use proptest::prelude::*;
use quern_primitives::{
    device::Class,
    ids::{AccountId, Digest, ProgramHash, TaskIndex},
    payload::{DeviceSignature, Signed},
    receipt::{Answer, Exit, Receipt},
    verdict::{Finding, Ground, ReplicaFinding, Verdict},
};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    Begins(u8),
    /// What a device paused for is forgotten.
    Accepted(u8),
    Forgotten(u8),
    /// An answer of a device is accepted.
    Answered(u8),
    /// Others have decided a task on which a device was stale, or silent.
    Stalled(u8),
    /// An accepted answer of a device turns out to be wrong.
    Contradicted(u8),
    /// A device is away, and comes back: what is not waited for was laid by meanwhile.
    Away(u8),
    /// A device fails on a task of a job.
    Fails(u8, u8, TaskIndex),
    /// The program of a job fails on a device.
    Traps(u8, u8, TaskIndex),
    /// A task has its verdict, which names one of the devices.
    Judged(u8, TaskIndex),
    /// A job's program is found to fail.
    ProgramFails(u8),
    /// A task of a job opens nowhere.
    Unopened(u8),
    /// A task of a job cannot be decided.
    Undecided(u8),
    /// A job is over.
    Over(u8),
}

impl Happening {
    /// Whether that is the end of a job.
    fn ends(&self, job: u8) -> bool {
        [
            Self::ProgramFails(job),
            Self::Unopened(job),
            Self::Undecided(job),
            Self::Over(job),
        ]
        .contains(self)
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let (device, job, task) = (0u8..2, 0u8..2, 0u32..4);
    prop_oneof![
        4 => device.clone().prop_map(Happening::Begins),
        1 => device.clone().prop_map(Happening::Accepted),
        1 => device.clone().prop_map(Happening::Forgotten),
        1 => device.clone().prop_map(Happening::Answered),
        6 => device.clone().prop_map(Happening::Stalled),
        1 => device.clone().prop_map(Happening::Contradicted),
        3 => device.clone().prop_map(Happening::Away),
        6 => (device.clone(), job.clone(), task.clone())
            .prop_map(|(a, b, c)| Happening::Fails(a, b, c)),
        3 => (device, job.clone(), task.clone()).prop_map(|(a, b, c)| Happening::Traps(a, b, c)),
        2 => (job.clone(), task).prop_map(|(a, b)| Happening::Judged(a, b)),
        1 => job.clone().prop_map(Happening::ProgramFails),
        1 => job.clone().prop_map(Happening::Unopened),
        1 => job.clone().prop_map(Happening::Undecided),
        1 => job.prop_map(Happening::Over),
    ]
}

fn id(device: u8) -> DeviceId {
    DeviceId([device; 32])
}

fn ended(end: End) -> Entry {
    Entry::Ended { end }
}

fn verdict(job: u8, task: TaskIndex, exit: Exit) -> Entry {
    let found = |device: u8| ReplicaFinding {
        replica: device,
        device: id(device),
        account: AccountId::new([device; 32]),
        finding: Finding::Failed,
        receipt: None,
        pay: 0,
    };
    let answer = Answer {
        result_commitment: Digest::default(),
        result_bytes: 0,
        fuel: 1,
        exit,
    };
    Entry::Judged {
        verdict: Verdict {
            job: JobId([job; 32]),
            task,
            answer,
            ground: Ground::Majority,
            price: 0,
            replicas: vec![found(0)],
        },
    }
}

/// What a device reports on which the program fails.
fn report(device: u8, job: u8, task: TaskIndex) -> Entry {
    let payload = Receipt {
        job: JobId([job; 32]),
        task,
        replica: 0,
        device: id(device),
        program: ProgramHash([2; 32]),
        input_root: Digest::default(),
        question: Digest([46; 32]),
        result_commitment: Digest::default(),
        output_root: Digest::default(),
        result_bytes: 0,
        fuel: 1,
        exit: Exit::Trap,
        class: Class::Pinned,
        engine: Digest::default(),
        log_position: 0,
        salt: [90; 32].into(),
    };
    Entry::Revealed {
        receipt: Signed {
            payload,
            signature: DeviceSignature([0; 64]),
        },
        output: OutputPlace::Inline { bytes: 0 },
    }
}

/// Returns who may get something now that might not before.
fn happen(pauses: &mut Pauses, now: Tick, happening: Happening) -> BTreeSet<DeviceId> {
    match happening {
        Happening::Begins(device) => pauses.begin(now, id(device)),
        Happening::Accepted(device) => pauses.accepted(&id(device)),
        Happening::Forgotten(device) => pauses.forget(&id(device)),
        Happening::Answered(device) => {
            pauses.accepted(&id(device));
            pauses.stalls_no_more(&id(device));
        }
        Happening::Stalled(device) => pauses.stalled(now, id(device)),
        Happening::Contradicted(device) => pauses.contradicted(now, id(device)),
        Happening::Away(device) => {
            let device = id(device);
            let laid_by = (
                pauses.lay_by(now, &device),
                pauses.stalls.lay_by(now, &device),
            );
            if let Some(times) = laid_by.0 {
                pauses.take_back(device, times);
            }
            if let Some(in_a_row) = laid_by.1 {
                pauses.stalls.take_back(device, in_a_row);
            }
        }
        Happening::Fails(device, job, task) => {
            let entry = Entry::Released {
                task,
                replica: 0,
                device: id(device),
                cause: ReleaseCause::Failed,
            };
            return pauses.note(now, JobId([job; 32]), &entry);
        }
        Happening::Traps(device, job, task) => {
            return pauses.note(now, JobId([job; 32]), &report(device, job, task));
        }
        Happening::Judged(job, task) => {
            return pauses.note(now, JobId([job; 32]), &verdict(job, task, Exit::Success));
        }
        Happening::ProgramFails(job) => {
            return pauses.note(now, JobId([job; 32]), &verdict(job, 0, Exit::Trap));
        }
        Happening::Unopened(job) => {
            return pauses.note(now, JobId([job; 32]), &ended(End::Unopened { task: 0 }));
        }
        Happening::Undecided(job) => {
            return pauses.note(now, JobId([job; 32]), &ended(End::Undecided { task: 0 }));
        }
        Happening::Over(job) => return pauses.forget_job(JobId([job; 32])),
    }
    BTreeSet::new()
}

type Story = [(Tick, Happening)];

/// Until when a device pauses: the time of its last pause follows from how many there were since an answer
/// of it was accepted, or a job ended on which it had failed without a verdict on that.
fn pause(story: &Story, device: u8) -> Option<Tick> {
    let (mut times, mut until) = (0u32, None);
    for (place, (at, it)) in story.iter().enumerate() {
        let before = &story[..place];
        let is_cleared = |job: u8| it.ends(job) && !failures(before, device, job, *at).is_empty();
        if *it == Happening::Begins(device) {
            let ms = 1_000u64 << times;
            until = Some(at.plus_ms(ms.min(300_000)));
            times = (times + 1).min(20);
        } else if [
            Happening::Accepted(device),
            Happening::Answered(device),
            Happening::Forgotten(device),
        ]
        .contains(it)
            || (0..2).any(is_cleared)
        {
            (times, until) = (0, None);
        }
    }
    until
}

/// Until when a device waits that was stale, or silent: ten minutes from the third such task on without an
/// accepted answer between, twice as long from each further one, a day at most.
fn stall(story: &Story, device: u8) -> Option<Tick> {
    let ends = [Happening::Answered(device), Happening::Forgotten(device)];
    let row = story.iter().rev().take_while(|(_, it)| !ends.contains(it));
    let row = row.filter(|(_, it)| *it == Happening::Stalled(device));
    let row: Vec<Tick> = row.map(|(at, _)| *at).collect();
    let further = row.len().checked_sub(3)?;
    let ms = (0..further).fold(10 * MINUTE_MS, |ms: u64, _| ms.saturating_mul(2));
    Some(row[0].plus_ms(ms.min(DAY_MS)))
}

/// For a day from when an accepted answer of a device last turned out to be wrong, whatever else happens.
fn contradiction(story: &Story, device: u8) -> Option<Tick> {
    let is_it = |(_, it): &&(Tick, Happening)| *it == Happening::Contradicted(device);
    let last = story.iter().rev().find(is_it);
    last.map(|(at, _)| at.plus_ms(DAY_MS))
}

/// When each failure of a device in a job ends to count that nobody has judged and that counts now.
fn failures(story: &Story, device: u8, job: u8, now: Tick) -> Vec<Tick> {
    let mut ends = vec![];
    for (place, (at, it)) in story.iter().enumerate() {
        let (Happening::Fails(by, of, task) | Happening::Traps(by, of, task)) = *it else {
            continue;
        };
        let is_over = |(_, later): &(Tick, Happening)| {
            let over = [
                Happening::Fails(device, job, task),
                Happening::Traps(device, job, task),
                Happening::Judged(job, task),
                Happening::Forgotten(device),
            ];
            over.contains(later) || later.ends(job)
        };
        let until = at.plus_ms(HOUR_MS);
        let is_over = story[place + 1..].iter().any(is_over);
        if (by, of) == (device, job) && !is_over && now < until {
            ends.push(until);
        }
    }
    ends
}

/// How long after one thing the next happens: mostly by round numbers, so that what is counted from different
/// moments ends at the same one; or at once, or at the end of time.
fn later_ms() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0u64..3_000,
        6 => Just(0),
        6 => (0u64..4).prop_map(|seconds| seconds * 1_000),
        4 => (0u64..12).prop_map(|times| times * 5 * MINUTE_MS),
        2 => 0u64..400_000,
        1 => 0u64..2_000_000,
        1 => (0u64..3).prop_map(|days| days * DAY_MS),
        1 => Just(u64::MAX - DAY_MS),
        1 => Just(u64::MAX - 500),
        1 => Just(u64::MAX),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_device_gets_nothing_for_as_long_as_its_whole_story_says(
        happenings in prop::collection::vec((happening(), later_ms()), 0..80),
    ) {
        let (mut pauses, mut now, mut story) = (Pauses::default(), Tick(0), vec![]);
        let mut last = vec![(None, [false; 2]); 2];
        for (happening, later_ms) in happenings {
            // What is over is taken out once, as before each event of the core.
            let ended: Vec<_> = std::iter::from_fn(|| pauses.take_ended(now)).collect();
            prop_assert!(pauses.next_wakeup().is_none_or(|at| now < at));
            let kept = |pauses: &Pauses, device: u8| {
                let unjudged = |job: u8| pauses.is_unjudged(&id(device), JobId([job; 32]), now);
                (pauses.until(&id(device), now), [unjudged(0), unjudged(1)])
            };
            let before: Vec<_> = (0..2).map(|device| kept(&pauses, device)).collect();
            for (device, ((until_last, unjudged_last), (until, unjudged))) in
                (0..).zip(last.iter().zip(&before))
            {
                let is_judged = (0..2).any(|job| unjudged_last[job] && !unjudged[job]);
                let is_freed = is_judged || (until_last.is_some() && until.is_none());
                prop_assert!(!is_freed || ended.contains(&id(device)));
            }
            let told = happen(&mut pauses, now, happening);
            story.push((now, happening));
            let is_by_itself = matches!(
                happening,
                Happening::Accepted(_) | Happening::Answered(_) | Happening::Forgotten(_)
            );
            for device in 0..2 {
                let (until, unjudged) = kept(&pauses, device);
                let (until_before, unjudged_before) = before[usize::from(device)];
                let is_judged = (0..2).any(|job| unjudged_before[job] && !unjudged[job]);
                let is_freed = until < until_before || is_judged;
                prop_assert!(is_by_itself || !is_freed || told.contains(&id(device)));
            }
            last = (0..2).map(|device| kept(&pauses, device)).collect();
            now = now.plus_ms(later_ms);
            for device in 0..2 {
                let all = [pause, stall, contradiction].map(|until| until(&story, device));
                let running = all.into_iter().flatten().filter(|until| now < *until);
                let pause = running.max();
                prop_assert_eq!(pauses.until(&id(device), now), pause);
                let mut jobs = 0;
                for job in 0..2 {
                    let is_barred = failures(&story, device, job, now).len() >= 3;
                    prop_assert_eq!(pauses.is_unjudged(&id(device), JobId([job; 32]), now), is_barred);
                    jobs += usize::from(is_barred);
                }
                prop_assert_eq!(pauses.unjudged_jobs(&id(device), now), jobs);
                if let Some(until) = pause {
                    prop_assert!(pauses.next_wakeup().is_some_and(|at| at <= until));
                }
            }
        }
    }
}
