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

const HOUR_MS: u64 = 3_600_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    Begins(u8),
    Accepted(u8),
    Forgotten(u8),
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
        } else if [Happening::Accepted(device), Happening::Forgotten(device)].contains(it)
            || (0..2).any(is_cleared)
        {
            (times, until) = (0, None);
        }
    }
    until
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

proptest! {
    #[test]
    fn a_device_gets_nothing_for_as_long_as_its_whole_story_says(
        happenings in prop::collection::vec((happening(), prop_oneof![
            6 => 0u64..3_000,
            2 => 0u64..400_000,
            1 => 0u64..2_000_000,
        ]), 0..80),
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
            let is_by_itself =
                matches!(happening, Happening::Accepted(_) | Happening::Forgotten(_));
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
                let pause = pause(&story, device).filter(|until| now < *until);
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
