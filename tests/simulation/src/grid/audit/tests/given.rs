//! Who may be given what, by faults, doubts and lanes.

use super::*;
use crate::grid::audit::lanes;
use quern_masternode::core::{Bond, ReportFacts, Token};
use quern_primitives::{
    device::{Device, History},
    ids::{BlockNumber, SealingKey},
    view::DeviceView,
};
use quern_protocol::{Exchange, Hello, Machine, State};

const MINUTE_MS: u64 = 60_000;

impl Case {
    /// Time passes at the masternode until its clock tells this.
    fn tick(&mut self, ms: u64) {
        // The second step is one that knows of the first.
        for _ in 0..2 {
            self.audit.hear(Tick(ms), &Event::Tick);
        }
    }

    /// What the chain says of a device, and when it was last reviewed.
    fn view(&self, number: u8, history: History, last_review: BlockNumber) -> Box<DeviceView> {
        let id = key(number).id();
        let facts = &self.audit.devices[&id];
        let (account, key) = (facts.account.clone(), SealingKey([0; 32]));
        let device = Device {
            history,
            last_review,
            ..Device::new(account, key, facts.region, facts.hardware)
        };
        Box::new(DeviceView {
            id,
            quarantined: device.is_quarantined(),
            device,
            bonded: true,
            banned: false,
            verified: facts.is_trusted,
        })
    }

    fn hello(&mut self, number: u8, history: History) {
        let hello = Hello {
            software: vec![],
            engines: vec![],
            in_hand: vec![],
            version: 0,
            machine: Machine::default(),
        };
        let (view, bond) = (self.view(number, history, 0), Bond::default());
        let now = self.audit.now;
        let at = 1;
        self.audit.hear(
            now,
            &Event::Hello {
                at,
                view,
                bond,
                hello,
            },
        );
    }

    fn recheck(&mut self, number: u8, history: History, last_review: BlockNumber) {
        let (view, bond) = (self.view(number, history, last_review), Bond::default());
        let now = self.audit.now;
        let at = 1;
        self.audit.hear(now, &Event::Rechecked { at, view, bond });
    }

    /// A device tells how it is.
    fn tell(&mut self, number: u8, state: State) {
        let exchange = Exchange {
            state: Some(state),
            ..Exchange::default()
        };
        let told = Event::Exchange {
            device: key(number).id(),
            token: Token(0),
            exchange,
            facts: ReportFacts::default(),
        };
        let now = self.audit.now;
        self.audit.hear(now, &told);
    }

    /// A device comes, is fit, and is ranked a second later.
    fn comes(&mut self, number: u8) {
        self.hello(number, History::default());
        self.tell(number, State::default());
        let now = self.audit.now;
        self.tick(now.plus_ms(1_000).0);
    }

    /// A device that has a replica of a task is found to have answered wrongly, by another one.
    fn blame(&mut self, task: TaskIndex, number: u8) {
        assert_eq!(self.give(task, 0, 0), Ok(()));
        assert_eq!(self.answer(task, 0, 0, Says::TheTruth), Ok(()));
        let found = |replica, device: u8, finding| ReplicaFinding {
            replica,
            device: key(device).id(),
            account: ACCOUNTS[usize::from(device)].clone(),
            finding,
            receipt: None,
            pay: 0,
        };
        let verdict = Verdict {
            job: self.work.id,
            task,
            answer: self.said(task, Says::TheTruth),
            ground: Ground::Majority,
            price: 10,
            replicas: vec![
                found(0, 0, Finding::Accepted),
                found(1, number, Finding::Incorrect),
            ],
        };
        assert_eq!(self.append(Entry::Judged { verdict }), Ok(()));
    }
}

/// The chain's memory of a device whose newest tasks were wrong, so many of them.
fn wrong(tasks: u32) -> History {
    History {
        incorrect: (1 << tasks) - 1,
        ..History::default()
    }
}

#[test]
fn a_task_for_a_device_in_quarantine_is_found_until_it_is_reviewed() {
    let mut case = Case::new(3);
    let (job, device) = (0, 2);
    let quarantined = |task| Err(Violation::Quarantined { job, task, device });
    // So that it has not to wait beside: its last task was right.
    let history = History {
        incorrect: wrong(11).incorrect << 1,
        ..History::default()
    };
    case.hello(2, history);
    assert_eq!(case.give(0, 0, 2), quarantined(0));
    assert_eq!(case.give(0, 0, 1), Ok(()));
    case.recheck(2, History::default(), 7);
    assert_eq!(case.give(0, 1, 2), Ok(()));
    case.recheck(2, history, 7);
    assert_eq!(case.give(1, 0, 2), quarantined(1));
    // An answer accepted since then may have displaced one of the eleven.
    assert_eq!(case.answer(0, 1, 2, Says::TheTruth), Ok(()));
    assert_eq!(case.answer(0, 0, 1, Says::TheTruth), Ok(()));
    assert_eq!(case.judge(0, Says::TheTruth, &[1, 2]), Ok(()));
    assert_eq!(case.give(1, 0, 2), Ok(()));
}

#[test]
fn an_accepted_answer_that_the_chain_has_counted_displaces_nothing_it_tells_later() {
    let history = wrong(11);
    for is_counted in [false, true] {
        let mut case = Case::new(1);
        case.hello(2, History::default());
        assert_eq!(case.give(0, 0, 2), Ok(()));
        assert_eq!(case.answer(0, 0, 2, Says::TheTruth), Ok(()));
        assert_eq!(case.judge(0, Says::TheTruth, &[2]), Ok(()));
        let batch = case.batch(0);
        assert_eq!(case.append(Entry::Batched { batch }), Ok(()));
        if is_counted {
            let job = case.work.id;
            case.audit.count(job, 1);
        }
        case.recheck(2, history, 0);
        let given = case.give(1, 0, 2);
        assert_eq!(given.is_err(), is_counted, "{given:?}");
    }
}

#[test]
fn a_second_task_after_a_fault_is_found_until_one_is_accepted() {
    let mut case = Case::new(3);
    case.hello(2, History::default());
    case.blame(0, 2);
    assert_eq!(case.give(1, 0, 2), Ok(()));
    let (device, held) = (2, 1);
    let second = Err(Violation::TooManyAfterFault { device, held });
    assert_eq!(case.give(2, 0, 2), second);
    assert_eq!(case.answer(1, 0, 2, Says::TheTruth), Ok(()));
    assert_eq!(case.judge(1, Says::TheTruth, &[2]), Ok(()));
    assert_eq!(case.give(2, 0, 2), Ok(()));
    assert_eq!(case.give(3, 0, 2), Ok(()));
}

#[test]
fn a_task_during_the_wait_after_three_faults_is_found_and_a_further_one_doubles_it() {
    let mut case = Case::new(3);
    case.hello(2, History::default());
    let (job, device) = (0, 2);
    let waits = |task, faults| {
        Err(Violation::Waits {
            job,
            task,
            device,
            faults,
        })
    };
    (0..3).for_each(|task| case.blame(task, 2));
    case.tick(10 * MINUTE_MS - 1);
    assert_eq!(case.give(3, 0, 2), waits(3, 3));
    case.tick(10 * MINUTE_MS);
    assert_eq!(case.give(3, 0, 2), Ok(()));
    case.blame(4, 2);
    case.tick(30 * MINUTE_MS - 1);
    assert_eq!(case.give(5, 0, 2), waits(5, 4));
    // A review ends it.
    case.recheck(2, History::default(), 7);
    assert_eq!(case.give(5, 0, 2), Ok(()));
}

#[test]
fn after_a_death_what_the_chain_remembers_counts_from_the_hello_on() {
    let mut case = Case::new(3);
    let (job, device) = (0, 2);
    case.audit.begin_anew(&case.disk);
    case.tick(5_000);
    case.hello(2, wrong(3));
    case.tick(5_000 + 10 * MINUTE_MS - 1);
    let (task, faults) = (0, 3);
    let waits = Err(Violation::Waits {
        job,
        task,
        device,
        faults,
    });
    assert_eq!(case.give(0, 0, 2), waits);
    case.tick(5_000 + 10 * MINUTE_MS);
    assert_eq!(case.give(0, 0, 2), Ok(()));
    let held = 1;
    let second = Err(Violation::TooManyAfterFault { device, held });
    assert_eq!(case.give(1, 0, 2), second);
}

#[test]
fn a_task_in_doubt_for_others_than_a_trusted_device_that_could_have_it_is_found() {
    type Change = fn(&mut Case);
    let changes: [(&str, Change, bool); 9] = [
        ("nothing else", |_| {}, true),
        (
            "pools of which some may take no part",
            |case| case.audit.has_pools = true,
            false,
        ),
        (
            "its account has the task",
            |case| assert_eq!(case.give(0, 1, 1), Ok(())),
            false,
        ),
        (
            "it is gone",
            |case| {
                let device = key(1).id();
                let now = case.audit.now;
                case.audit.hear(now, &Event::Gone { device });
            },
            false,
        ),
        ("it is silent", |case| case.tick(20_000), false),
        (
            "it is not fit",
            |case| {
                let battery_permille = Some(10);
                let weak = State {
                    battery_permille,
                    ..State::default()
                };
                assert!(unfit(&weak).is_some());
                case.tell(1, weak);
            },
            false,
        ),
        (
            "it was at fault once",
            |case| case.recheck(1, wrong(1), 0),
            false,
        ),
        (
            "its hands are full",
            |case| {
                for task in [1, 2] {
                    assert_eq!(case.give(task, 0, 1), Ok(()));
                }
            },
            false,
        ),
        (
            "it lost the task",
            |case| {
                assert_eq!(case.give(0, 2, 1), Ok(()));
                let lost = Entry::Released {
                    task: 0,
                    replica: 2,
                    device: key(1).id(),
                    cause: ReleaseCause::Late,
                };
                assert_eq!(case.append(lost), Ok(()));
            },
            false,
        ),
    ];
    for (what, change, is_found) in changes {
        let mut case = Case::new(3);
        // Somebody says that the program fails.
        assert_eq!(case.give(0, 0, 0), Ok(()));
        assert_eq!(case.answer(0, 0, 0, Says::ItTraps), Ok(()));
        case.comes(1);
        change(&mut case);
        let given = case.give(0, 3, 2);
        let passed_over = Err(Violation::TrustedPassedOver {
            job: 0,
            task: 0,
            device: 2,
            trusted: 1,
        });
        let expected = if is_found { passed_over } else { Ok(()) };
        assert_eq!(given, expected, "{what}");
    }
}

#[test]
fn answers_that_differ_and_inputs_that_open_nowhere_are_doubts_for_ten_minutes() {
    let doubts: [fn(&mut Case); 2] = [
        |case| {
            assert_eq!(case.give(0, 1, 3), Ok(()));
            assert_eq!(case.answer(0, 1, 3, Says::OwnLie(3)), Ok(()));
        },
        |case| {
            assert_eq!(case.give(0, 1, 3), Ok(()));
            let cause = ReleaseCause::BadInput { trusted: true };
            let device = key(3).id();
            let (task, replica) = (0, 1);
            let back = Entry::Released {
                task,
                replica,
                device,
                cause,
            };
            assert_eq!(case.append(back), Ok(()));
        },
    ];
    for doubt in doubts {
        for (after_ms, is_found) in [(0, true), (10 * MINUTE_MS, false)] {
            let mut case = Case::new(3);
            assert_eq!(case.give(0, 0, 0), Ok(()));
            assert_eq!(case.answer(0, 0, 0, Says::TheTruth), Ok(()));
            doubt(&mut case);
            case.tick(after_ms);
            // It comes then, so that it is heard.
            case.comes(1);
            let given = case.give(0, 3, 2);
            assert_eq!(given.is_err(), is_found, "{given:?}");
            assert_eq!(case.give(0, 4, 1), Ok(()));
        }
    }
}

#[test]
fn more_tasks_in_doubt_than_the_trusted_devices_can_take_are_for_others_too() {
    for (tasks, is_found) in [(2, true), (3, false)] {
        let mut case = Case::new(3);
        for task in 0..tasks {
            assert_eq!(case.give(task, 0, 0), Ok(()));
            assert_eq!(case.answer(task, 0, 0, Says::ItTraps), Ok(()));
        }
        case.comes(1);
        let given = case.give(0, 3, 2);
        assert_eq!(given.is_err(), is_found, "{given:?}");
    }
}

#[test]
fn where_there_are_lanes_a_replica_for_another_one_is_found_for_ten_seconds() {
    let ours = 10;
    for (accounts, waits_ms, is_found) in [
        (32, 0, true),
        (32, 1_000, true),
        (23, 0, false),
        (32, 10_000, false),
    ] {
        let mut case = Case::new(3);
        for number in ours..ours + accounts {
            let account = AccountId::new([number + 100; 32]);
            let facts = Facts {
                account,
                ..case.audit.devices[&key(0).id()].clone()
            };
            case.audit.know(key(number).id(), facts);
        }
        for number in ours..ours + accounts {
            case.hello(number, History::default());
            case.tell(number, State::default());
        }
        case.tick(1_000);
        let account = AccountId::new([ours + 100; 32]);
        let is_for = |case: &Case, task| {
            let seed = case.work.lane_seed();
            let is_for = |lanes| lanes::is_for((&seed, lanes), &account, task, 0);
            // Of the four lanes, or of as many as replicas.
            (is_for(4), is_for(3))
        };
        let give = |case: &mut Case, task| {
            case.append(Entry::Assigned {
                task,
                replica: 0,
                device: key(ours).id(),
                account: account.clone(),
                engine: ENGINE,
                at: 1,
                lanes: 1,
            })
        };
        let own = (0..100).find(|task| is_for(&case, *task).0).unwrap();
        let neither = (false, false);
        let other = (0..100).find(|task| is_for(&case, *task) == neither);
        let other = other.unwrap();
        assert_eq!(give(&mut case, own), Ok(()));
        case.tick(1_000 + waits_ms);
        let found = Err(Violation::OtherLane {
            job: 0,
            task: other,
            replica: 0,
            account: u32::MAX,
        });
        let expected = if is_found { found } else { Ok(()) };
        assert_eq!(give(&mut case, other), expected, "{accounts} {waits_ms}");
    }
}

#[test]
fn what_opens_again_stays_with_its_lane_while_others_find_their_own_and_the_job_goes_on() {
    let all = 10..52;
    let account = |number: u8| AccountId::new([number + 100; 32]);
    for (waits_ms, is_found) in [(9_000, true), (10_000, false)] {
        let mut case = Case::new(3);
        case.tick(30_000);
        for number in all.clone() {
            let facts = Facts {
                account: account(number),
                ..case.audit.devices[&key(0).id()].clone()
            };
            case.audit.know(key(number).id(), facts);
            case.hello(number, History::default());
        }
        let seed = case.work.lane_seed();
        let is_for = |lanes, number, task| lanes::is_for((&seed, lanes), &account(number), task, 0);
        let give = |case: &mut Case, task, number| {
            case.append(Entry::Assigned {
                task,
                replica: 0,
                device: key(number).id(),
                account: account(number),
                engine: ENGINE,
                at: 1,
                lanes: 1,
            })
        };
        let all_tell = |case: &mut Case, ms| {
            case.tick(ms);
            all.clone()
                .for_each(|number| case.tell(number, State::default()));
        };
        let own = |task| all.clone().filter(move |number| is_for(4, *number, task));
        let [first, second] = [0, 1].map(|task| own(task).next().unwrap());
        all_tell(&mut case, 31_000);
        case.tick(32_000);
        assert_eq!(give(&mut case, 0, first), Ok(()));
        let late = Entry::Released {
            task: 0,
            replica: 0,
            device: key(first).id(),
            cause: ReleaseCause::Late,
        };
        assert_eq!(case.append(late), Ok(()));
        all_tell(&mut case, 41_000);
        assert_eq!(give(&mut case, 1, second), Ok(()));
        all_tell(&mut case, 41_000 + waits_ms);
        let of_no_lane = |number: &u8| !is_for(4, *number, 0) && !is_for(3, *number, 0);
        let of_no_lane = all.clone().rev().find(of_no_lane).unwrap();
        let found = Err(Violation::OtherLane {
            job: 0,
            task: 0,
            replica: 0,
            account: u32::MAX,
        });
        let expected = if is_found { found } else { Ok(()) };
        assert_eq!(give(&mut case, 0, of_no_lane), expected, "{waits_ms}");
    }
}

#[test]
fn an_account_with_a_large_part_of_the_devices_may_be_in_one_of_fewer_lanes() {
    for (replicas, lanes, own, all, counts) in [
        // Two of 64 are a 32nd; it may have a 16th.
        (3, 16, 2, 64, vec![16]),
        (3, 16, 3, 64, vec![8, 16]),
        (3, 16, 9, 64, vec![3, 4, 8, 16]),
        (5, 5, 60, 64, vec![5]),
        (3, 4, 1, 32, vec![4]),
    ] {
        let found = lanes::counts_for((replicas, lanes), (own, all));
        assert!(found.into_iter().eq(counts), "{own} of {all}");
    }
}

#[test]
fn an_account_is_in_one_lane_of_each_task() {
    let account = AccountId::new([7; 32]);
    for task in 0..200 {
        let of = |replica: &u8| lanes::is_for((&[3; 32], 5), &account, task, *replica);
        assert_eq!((0..5).filter(of).count(), 1);
    }
}
