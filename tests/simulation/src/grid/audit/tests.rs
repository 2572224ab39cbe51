//! An auditor that finds nothing would be worth nothing: each thing that must not happen is made to
//! happen here.

mod given;
mod needed;

use super::*;
use crate::grid::{
    asks::Asked,
    config::Config,
    work::{ENGINE, GENESIS, Says},
};
use quern_masternode::core::{OutputPlace, Ticket};
use quern_primitives::{
    batch::{LogRange, TaskSet},
    device::{Hardware, Region},
    job::{HardwareSet, Preferences, RegionSet},
    log::Commitment,
    payload::DeviceKey,
    receipt::Receipt,
    verdict::{Finding, Ground, ReplicaFinding},
};

const ACCOUNTS: [AccountId; 5] = [
    AccountId::new([1; 32]),
    AccountId::new([2; 32]),
    AccountId::new([3; 32]),
    AccountId::new([4; 32]),
    AccountId::new([5; 32]),
];

/// A job with its log, held against the auditor's books.
struct Case {
    names: Names,
    work: Work,
    audit: Audit,
    disk: Disk,
}

impl Case {
    fn new(replicas: u8) -> Self {
        Self::asking(replicas, Preferences::default())
    }

    /// The same for a job that asks something of devices. The first is a trusted desktop in Europe, the
    /// second a trusted server there, the third a desktop in the Americas that is not trusted; the others
    /// are like the first, but for the last one too little is bonded.
    fn asking(replicas: u8, preferences: Preferences) -> Self {
        let config = Config {
            tasks: 10,
            replicas,
            ..Config::default()
        };
        let (mut names, mut audit) = (Names::default(), Audit::default());
        for number in 0..5 {
            names.add_device(key(number).id(), number.into());
            names.add_account(ACCOUNTS[usize::from(number)].clone(), number.into());
            let facts = Facts {
                account: ACCOUNTS[usize::from(number)].clone(),
                is_trusted: number != 2,
                region: match number {
                    2 => Region::Americas,
                    _ => Region::Europe,
                },
                hardware: match number {
                    1 => Hardware::Server,
                    _ => Hardware::Desktop,
                },
                is_covered: number != 4,
                memory_mib: 128,
            };
            audit.know(key(number).id(), facts);
        }
        let asked = Asked {
            preferences,
            ..Asked::default()
        };
        let work = Work::new(&config, 0, asked);
        names.add_job(work.id, 0);
        Self {
            names,
            work,
            audit,
            disk: Disk::default(),
        }
    }

    fn append(&mut self, entry: Entry) -> Result<(), Violation> {
        let position = self.disk.next_position(self.work.id);
        self.audit
            .append(&self.names, &self.work, position, &entry)?;
        self.disk.append(Ticket(position), self.work.id, entry);
        Ok(())
    }

    fn give(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        device: u8,
    ) -> Result<(), Violation> {
        self.append(Entry::Assigned {
            task,
            replica,
            device: key(device).id(),
            account: ACCOUNTS[usize::from(device)].clone(),
            engine: ENGINE,
            at: 1,
            lanes: 1,
        })
    }

    fn answer(
        &mut self,
        task: TaskIndex,
        replica: ReplicaIndex,
        device: u8,
        says: Says,
    ) -> Result<(), Violation> {
        let answer = self.said(task, says);
        let receipt = Receipt {
            job: self.work.id,
            task,
            replica,
            device: key(device).id(),
            program: self.work.submission.program,
            input_root: Digest::default(),
            question: Digest([46; 32]),
            result_commitment: answer.result_commitment,
            output_root: Digest::default(),
            result_bytes: answer.result_bytes,
            fuel: answer.fuel,
            exit: answer.exit,
            class: self.work.submission.class,
            engine: ENGINE,
            log_position: 0,
            salt: [90; 32].into(),
        };
        if self.work.submission.agreement.commits() {
            let commitment = Commitment {
                job: receipt.job,
                task,
                replica,
                device: receipt.device,
                log_position: receipt.log_position,
                commitment: receipt.commitment(),
            };
            let commitment = key(device).sign(commitment, &GENESIS);
            self.append(Entry::Committed { commitment })?;
        }
        self.append(Entry::Revealed {
            receipt: key(device).sign(receipt, &GENESIS),
            output: OutputPlace::Inline { bytes: 1 },
        })
    }

    fn said(&self, task: TaskIndex, says: Says) -> Answer {
        let made = self.work.made(task, says);
        let truth = self.work.truth(task);
        let same = made.result == self.work.made(task, Says::TheTruth).result;
        let commitment = match same {
            true => truth.result_commitment,
            false => Digest([made.result.first().copied().unwrap_or(0); 32]),
        };
        Answer {
            result_commitment: commitment,
            result_bytes: made.result.len() as u64,
            fuel: made.fuel,
            exit: made.exit,
        }
    }

    fn judge(&mut self, task: TaskIndex, says: Says, devices: &[u8]) -> Result<(), Violation> {
        let found = |(replica, device): (u8, &u8)| ReplicaFinding {
            replica,
            device: key(*device).id(),
            account: ACCOUNTS[usize::from(*device)].clone(),
            finding: Finding::Accepted,
            receipt: Some(Digest::default()),
            pay: 1,
        };
        let verdict = Verdict {
            job: self.work.id,
            task,
            answer: self.said(task, says),
            ground: Ground::Majority,
            price: 10,
            replicas: (0u8..).zip(devices).map(found).collect(),
        };
        self.append(Entry::Judged { verdict })
    }

    fn batch(&self, sequence: BatchSequence) -> Batch {
        Batch {
            job: self.work.id,
            sequence,
            log: LogRange::default(),
            verdicts_root: Digest::default(),
            tasks: TaskSet {
                first: 0,
                bits: vec![1u8].try_into().unwrap_or_default(),
            },
            spent: 0,
            payouts: Default::default(),
            devices: Default::default(),
        }
    }
}

fn key(number: u8) -> DeviceKey {
    DeviceKey::from_seed(&[number + 1; 32])
}

fn id(case: &Case, task: TaskIndex, replica: ReplicaIndex) -> ReplicaId {
    ReplicaId {
        job: case.work.id,
        task,
        replica,
    }
}

#[test]
fn two_replicas_of_a_task_with_one_account_are_found_also_when_one_is_answered() {
    let mut case = Case::new(3);
    let given = |case: &mut Case, replica, account: usize| {
        case.append(Entry::Assigned {
            task: 1,
            replica,
            device: key(replica).id(),
            account: ACCOUNTS[account].clone(),
            engine: ENGINE,
            at: 1,
            lanes: 1,
        })
    };
    assert_eq!(given(&mut case, 0, 0), Ok(()));
    let twice = |first, second| {
        Err(Violation::TwoReplicas {
            job: 0,
            task: 1,
            account: 0,
            first,
            second,
        })
    };
    assert_eq!(given(&mut case, 1, 0), twice(0, 1));
    assert_eq!(case.answer(1, 0, 0, Says::TheTruth), Ok(()));
    assert_eq!(given(&mut case, 2, 0), twice(0, 2));
    assert_eq!(given(&mut case, 2, 1), Ok(()));
}

#[test]
fn a_task_on_a_device_that_its_job_does_not_want_is_found() {
    let nothing = Preferences::default();
    let trusted = Preferences {
        trusted: true,
        ..nothing
    };
    let in_europe = Preferences {
        regions: RegionSet::only([Region::Europe, Region::AsiaPacific]),
        ..nothing
    };
    let on_desktops = Preferences {
        hardware: HardwareSet::only([Hardware::Desktop]),
        ..nothing
    };
    for (preferences, device, asked) in [
        (trusted, 2, "trusted devices"),
        (in_europe, 2, "other regions"),
        (on_desktops, 1, "other kinds of machine"),
        (nothing, 4, "a larger bond"),
    ] {
        let mut case = Case::asking(1, preferences);
        let unasked = Violation::Unasked {
            job: 0,
            task: 4,
            device: device.into(),
            asked,
        };
        assert_eq!(case.give(4, 0, device), Err(unasked));
        assert_eq!(case.give(4, 0, 0), Ok(()));
    }
}

#[test]
fn a_third_task_in_hand_is_found_and_a_task_given_back_makes_room() {
    let mut case = Case::new(1);
    assert_eq!(case.give(0, 0, 0), Ok(()));
    assert_eq!(case.give(1, 0, 0), Ok(()));
    let full = Err(Violation::TooManyGiven { device: 0, held: 2 });
    assert_eq!(case.give(2, 0, 0), full);
    let back = Entry::Released {
        task: 0,
        replica: 0,
        device: key(0).id(),
        cause: ReleaseCause::HandedBack,
    };
    assert_eq!(case.append(back), Ok(()));
    assert_eq!(case.give(2, 0, 0), Ok(()));
}

#[test]
fn a_replica_or_a_decided_task_that_is_given_again_is_found() {
    let mut case = Case::new(1);
    assert_eq!(case.give(0, 0, 0), Ok(()));
    let (job, task, replica) = (0, 0, 0);
    let twice = Err(Violation::GivenTwice { job, task, replica });
    assert_eq!(case.give(0, 0, 1), twice);
    assert_eq!(case.answer(0, 0, 0, Says::TheTruth), Ok(()));
    assert_eq!(case.give(0, 0, 1), twice);
    assert_eq!(case.judge(0, Says::TheTruth, &[0]), Ok(()));
    let device = 1;
    let decided = Err(Violation::DecidedTaskGiven { job, task, device });
    assert_eq!(case.give(0, 1, 1), decided);
    let again = Err(Violation::DecidedTwice { job, task });
    assert_eq!(case.judge(0, Says::TheTruth, &[0]), again);
}

#[test]
fn an_answer_from_who_does_not_have_the_replica_is_found() {
    let mut case = Case::new(1);
    assert_eq!(case.give(0, 0, 0), Ok(()));
    let found = case.answer(0, 0, 1, Says::TheTruth);
    assert!(matches!(
        found,
        Err(Violation::ReportUnheld { device: 1, .. })
    ));
}

#[test]
fn a_wrong_answer_counts_only_with_the_majority_that_gave_it() {
    let mut case = Case::new(3);
    let said = [Says::CommonLie, Says::TheTruth, Says::CommonLie];
    for (number, says) in (0u8..).zip(said) {
        assert_eq!(case.give(0, number, number), Ok(()));
        if number < 2 {
            assert_eq!(case.answer(0, number, number, says), Ok(()));
        }
    }
    let wrong = Err(Violation::WrongAnswer {
        job: 0,
        task: 0,
        votes: 1,
        heard: 2,
    });
    assert_eq!(case.judge(0, Says::CommonLie, &[0]), wrong);
    assert_eq!(case.answer(0, 2, 2, Says::CommonLie), Ok(()));
    assert_eq!(case.judge(0, Says::CommonLie, &[0, 2]), Ok(()));
    assert_eq!(case.audit.wrong_answers, 1);
}

#[test]
fn a_program_said_to_fail_that_does_not_is_believed_only_without_a_referee() {
    for is_without_referee in [true, false] {
        let mut case = Case::new(3);
        for number in 0..2 {
            assert_eq!(case.give(0, number, number), Ok(()));
            assert_eq!(case.answer(0, number, number, Says::ItTraps), Ok(()));
        }
        if is_without_referee {
            let (task, word) = (0, RefereeWord::None);
            assert_eq!(case.append(Entry::Refereed { task, word }), Ok(()));
        }
        let judged = case.judge(0, Says::ItTraps, &[0, 1]);
        let found = Err(Violation::WrongAnswer {
            job: 0,
            task: 0,
            votes: 2,
            heard: 2,
        });
        assert_eq!(judged, if is_without_referee { Ok(()) } else { found });
    }
}

#[test]
fn a_job_that_ends_for_an_input_that_too_few_could_not_open_is_found() {
    // A trusted device counts for all, but not alone, and nobody does against who opened it.
    let cases = [
        (vec![false], false, false),
        (vec![true], false, false),
        (vec![false, false], false, false),
        (vec![false, false, false], false, true),
        (vec![false, true], false, true),
        (vec![false, true, false], true, false),
    ];
    for (says_trusted, is_answered, is_shown) in cases {
        let mut case = Case::new(5);
        for (number, trusted) in (0u8..).zip(&says_trusted) {
            assert_eq!(case.give(0, number, number), Ok(()));
            let back = Entry::Released {
                task: 0,
                replica: number,
                device: key(number).id(),
                cause: ReleaseCause::BadInput { trusted: *trusted },
            };
            assert_eq!(case.append(back), Ok(()));
        }
        if is_answered {
            assert_eq!(case.give(0, 4, 3), Ok(()));
            assert_eq!(case.answer(0, 4, 3, Says::TheTruth), Ok(()));
        }
        let end = End::Unopened { task: 0 };
        let ended = case.append(Entry::Ended { end });
        let unfounded = Err(Violation::EndUnfounded {
            job: 0,
            task: 0,
            accounts: says_trusted.len(),
            answered: usize::from(is_answered),
        });
        let expected = if is_shown { Ok(()) } else { unfounded };
        assert_eq!(ended, expected, "{says_trusted:?}");
    }
}

#[test]
fn an_acknowledgement_before_the_disk_has_the_report_is_found() {
    let mut case = Case::new(1);
    assert_eq!(case.give(0, 0, 0), Ok(()));
    assert_eq!(case.answer(0, 0, 0, Says::TheTruth), Ok(()));
    case.disk.write(1);
    let id = id(&case, 0, 0);
    let device = key(0).id();
    let Case {
        names, audit, disk, ..
    } = &mut case;
    let early = audit.acknowledge(names, disk, device, id);
    assert!(matches!(
        early,
        Err(Violation::AcknowledgedUnwritten { .. })
    ));
    disk.write(1);
    assert_eq!(audit.acknowledge(names, disk, device, id), Ok(()));
    // It was never judged, so a job that is settled as a whole has lost it.
    let lost = audit.check_acknowledged(names, disk, id.job);
    assert!(matches!(lost, Err(Violation::AcknowledgedLost { .. })));
}

#[test]
fn a_batch_sent_before_it_is_written_or_changed_since_is_found() {
    let mut case = Case::new(1);
    let batch = case.batch(0);
    let out_of_order = Entry::Batched {
        batch: case.batch(1),
    };
    let found = case.append(out_of_order);
    assert!(matches!(found, Err(Violation::BatchOutOfOrder { .. })));
    let entry = Entry::Batched {
        batch: batch.clone(),
    };
    assert_eq!(case.append(entry), Ok(()));
    let send = |case: &Case, batch: &Batch| case.audit.send(&case.names, &case.disk, batch);
    let (job, sequence) = (0, 0);
    let unwritten = Err(Violation::SentUnwritten { job, sequence });
    assert_eq!(send(&case, &batch), unwritten);
    case.disk.write(1);
    assert_eq!(send(&case, &batch), Ok(()));
    let other = Batch { spent: 7, ..batch };
    assert_eq!(send(&case, &other), unwritten);
}

#[test]
fn after_a_crash_only_what_is_written_counts() {
    let mut case = Case::new(1);
    assert_eq!(case.give(0, 0, 0), Ok(()));
    assert_eq!(case.answer(0, 0, 0, Says::TheTruth), Ok(()));
    assert_eq!(case.judge(0, Says::TheTruth, &[0]), Ok(()));
    case.disk.lose_all_but(2);
    case.audit.begin_anew(&case.disk);
    let ended = case
        .audit
        .rely_on_end(&case.names, &case.disk, case.work.id, 0);
    assert!(matches!(ended, Err(Violation::EndUnwritten { .. })));
    assert_eq!(case.judge(0, Says::TheTruth, &[0]), Ok(()));
    case.disk.write(1);
    let ended = case
        .audit
        .rely_on_end(&case.names, &case.disk, case.work.id, 0);
    assert_eq!(ended, Ok(()));
}

#[test]
fn a_task_for_a_device_that_was_never_registered_or_is_to_be_left_alone_is_found() {
    let mut case = Case::new(1);
    let (job, task) = (0, 0);
    let stranger = Err(Violation::Unregistered {
        job,
        task,
        device: u32::MAX,
    });
    let given = case.append(Entry::Assigned {
        task,
        replica: 0,
        device: key(9).id(),
        account: ACCOUNTS[0].clone(),
        engine: ENGINE,
        at: 1,
        lanes: 1,
    });
    assert_eq!(given, stranger);

    let why = "its battery is low";
    case.audit.hear_state(key(0).id(), Some(why));
    let unfit = |device| {
        Err(Violation::Unfit {
            job,
            task,
            device,
            why,
        })
    };
    assert_eq!(case.give(0, 0, 0), unfit(0));
    assert_eq!(case.give(0, 0, 1), Ok(()));
    // When it is fit again, or the masternode has forgotten it, it may have something.
    case.audit.hear_state(key(0).id(), None);
    assert_eq!(case.give(1, 0, 0), Ok(()));
    case.audit.hear_state(key(2).id(), Some(why));
    case.audit.begin_anew(&case.disk);
    assert_eq!(case.give(2, 0, 2), Ok(()));
}

#[test]
fn pay_for_another_answer_and_two_shares_for_one_account_are_found() {
    let mut case = Case::new(3);
    let said = [Says::TheTruth, Says::OwnLie(1), Says::TheTruth];
    for (number, says) in (0u8..).zip(said) {
        assert_eq!(case.give(0, number, number), Ok(()));
        assert_eq!(case.answer(0, number, number, says), Ok(()));
    }
    let (job, task) = (0, 0);
    for device in [1, 3] {
        let paid = case.judge(0, Says::TheTruth, &[0, device]);
        let device = device.into();
        assert_eq!(paid, Err(Violation::PaidUnearned { job, task, device }));
    }
    let account = 0;
    let twice = Err(Violation::PaidTwice { job, task, account });
    assert_eq!(case.judge(0, Says::TheTruth, &[0, 0]), twice);
    assert_eq!(case.judge(0, Says::TheTruth, &[0, 2]), Ok(()));
}

#[test]
fn books_may_be_told_to_let_a_device_hold_less_than_masternodes_do() {
    let mut case = Case::new(1);
    let facts = case.audit.devices.clone();
    case.audit = Audit::new(Some(1));
    for (device, facts) in facts {
        case.audit.know(device, facts);
    }
    assert_eq!(case.give(0, 0, 0), Ok(()));
    let full = Err(Violation::TooManyGiven { device: 0, held: 1 });
    assert_eq!(case.give(1, 0, 0), full);
}
