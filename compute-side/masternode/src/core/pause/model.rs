//! Until when devices get nothing, found in the whole story each time.

use super::*;
use crate::core::ReleaseCause;
use proptest::prelude::*;
use quern_primitives::{
    ids::{AccountId, Digest, TaskIndex},
    receipt::{Answer, Exit},
    verdict::{Finding, ReplicaFinding, Verdict},
};

const HOUR_MS: u64 = 3_600_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    Begins(u8),
    Accepted(u8),
    Forgotten(u8),
    /// A device fails on a task of a job.
    Fails(u8, u8, TaskIndex),
    /// A task has its verdict, which names every device.
    Judged(u8, TaskIndex),
    /// A job's program is found to fail.
    ProgramFails(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let (device, job, task) = (0u8..2, 0u8..2, 0u32..4);
    prop_oneof![
        4 => device.clone().prop_map(Happening::Begins),
        1 => device.clone().prop_map(Happening::Accepted),
        1 => device.clone().prop_map(Happening::Forgotten),
        9 => (device, job.clone(), task.clone()).prop_map(|(a, b, c)| Happening::Fails(a, b, c)),
        2 => (job.clone(), task).prop_map(|(a, b)| Happening::Judged(a, b)),
        1 => job.prop_map(Happening::ProgramFails),
    ]
}

fn id(device: u8) -> DeviceId {
    DeviceId([device; 32])
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
            price: 0,
            replicas: vec![found(0), found(1)],
        },
    }
}

fn happen(pauses: &mut Pauses, now: Tick, happening: Happening) {
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
            pauses.note(now, JobId([job; 32]), &entry);
        }
        Happening::Judged(job, task) => {
            pauses.note(now, JobId([job; 32]), &verdict(job, task, Exit::Success));
        }
        Happening::ProgramFails(job) => {
            pauses.note(now, JobId([job; 32]), &verdict(job, 0, Exit::Trap));
        }
    }
}

type Story = [(Tick, Happening)];

/// Until when a device pauses: the time of its last pause follows from how many there were since an answer
/// of it was accepted.
fn pause(story: &Story, device: u8) -> Option<Tick> {
    let ends = [Happening::Accepted(device), Happening::Forgotten(device)];
    let since = story.iter().rposition(|(_, it)| ends.contains(it));
    let since = since.map_or(story, |end| &story[end + 1..]);
    let begun = since
        .iter()
        .filter(|(_, it)| *it == Happening::Begins(device));
    let (mut ms, mut until) = (1_000, None);
    for (at, _) in begun {
        until = Some(at.plus_ms(ms));
        ms = (2 * ms).min(300_000);
    }
    until
}

/// When each failure of a device ends to count that nobody has judged.
fn failures(story: &Story, device: u8) -> Vec<Tick> {
    let mut ends = vec![];
    for (place, (at, it)) in story.iter().enumerate() {
        let Happening::Fails(by, job, task) = *it else {
            continue;
        };
        let is_over = |(_, later): &(Tick, Happening)| {
            let over = [
                Happening::Fails(device, job, task),
                Happening::Judged(job, task),
                Happening::ProgramFails(job),
                Happening::Forgotten(device),
            ];
            over.contains(later)
        };
        if by == device && !story[place + 1..].iter().any(is_over) {
            ends.push(at.plus_ms(HOUR_MS));
        }
    }
    ends
}

/// From when on fewer than three failures count, if three do.
fn unjudged(story: &Story, device: u8, now: Tick) -> Option<Tick> {
    let ends = failures(story, device);
    let counting = |at: Tick| ends.iter().filter(|end| at < **end).count();
    let times = ends.iter().copied().filter(|at| now < *at);
    let until = times.filter(|at| counting(*at) < 3).min();
    until.filter(|_| counting(now) >= 3)
}

proptest! {
    #[test]
    fn a_device_gets_nothing_for_as_long_as_its_whole_story_says(
        happenings in prop::collection::vec((happening(), prop_oneof![
            6 => 0u64..3_000,
            2 => 0u64..400_000,
            1 => 0u64..2_000_000,
        ]), 0..80),
        looks: bool,
    ) {
        let (mut pauses, mut now, mut story) = (Pauses::default(), Tick(0), vec![]);
        for (happening, later_ms) in happenings {
            happen(&mut pauses, now, happening);
            story.push((now, happening));
            now = now.plus_ms(later_ms);
            // A pause that is over is taken out once, and that changes nothing else.
            while looks && pauses.take_ended(now).is_some() {}
            for device in 0..2 {
                let pause = pause(&story, device).filter(|until| now < *until);
                let unjudged = unjudged(&story, device, now);
                prop_assert_eq!(pauses.until(&id(device), now), pause.max(unjudged));
                prop_assert_eq!(pauses.is_unjudged(&id(device), now), unjudged.is_some());
                if let Some(until) = pause {
                    prop_assert!(pauses.next_wakeup().is_some_and(|at| at <= until));
                }
            }
            if looks {
                prop_assert!(pauses.next_wakeup().is_none_or(|at| now < at));
            }
        }
    }
}
