//! What the judge says, in sentences.

use super::*;
use proptest::prelude::*;

const MAJORITY: Agreement = Agreement::Majority { replicas: 3 };

fn answer(value: u8) -> Answer {
    Answer {
        result_commitment: Digest([value; 32]),
        result_bytes: 1,
        fuel: 1,
        exit: Exit::Success,
    }
}

fn says(value: u8) -> Testimony {
    Testimony::Answered {
        answer: answer(value),
        receipt: Digest([value; 32]),
    }
}

fn case(testimonies: &[(u8, Testimony)]) -> Case {
    let mut case = Case::new(MAJORITY);
    for (n, (replica, testimony)) in testimonies.iter().enumerate() {
        let n = n as u8;
        case.hear(
            *replica,
            DeviceId([n; 32]),
            AccountId::new([n; 32]),
            testimony.clone(),
        );
    }
    case
}

fn decision(hearing: Hearing) -> Decision {
    match hearing {
        Hearing::Decided(decision) => decision,
        other => panic!("not decided but {other:?}"),
    }
}

#[test]
fn three_that_agree_are_all_accepted() {
    let decision = decision(case(&[(0, says(1)), (1, says(1)), (2, says(1))]).hearing(0));
    assert_eq!(decision.answer, answer(1));
    assert!(
        decision
            .findings
            .iter()
            .all(|found| found.finding == Finding::Accepted)
    );
}

#[test]
fn one_that_differs_is_found_incorrect() {
    let decision = decision(case(&[(0, says(1)), (1, says(2)), (2, says(1))]).hearing(0));
    let findings: Vec<_> = decision
        .findings
        .iter()
        .map(|found| found.finding)
        .collect();
    assert_eq!(
        findings,
        [Finding::Accepted, Finding::Incorrect, Finding::Accepted]
    );
}

#[test]
fn two_of_three_make_the_answer_certain_but_the_third_is_still_heard() {
    let case = case(&[(0, says(1)), (1, says(1))]);
    assert_eq!(
        case.hearing(1),
        Hearing::Open {
            certain: Some(answer(1))
        }
    );
}

#[test]
fn a_slow_device_and_its_backup_are_not_both_waited_for() {
    let mut case = case(&[(0, says(1)), (1, says(1))]);
    case.add_replicas(1);
    let certain = Some(answer(1));
    assert_eq!(case.hearing(2), Hearing::Open { certain });
    case.hear(3, DeviceId([9; 32]), AccountId::new([9; 32]), says(1));
    assert_ne!(case.hearing(1), Hearing::Open { certain });
    assert_eq!(decision(case.hearing(1)).findings.len(), 3);
}

#[test]
fn three_of_which_one_differs_decide_without_a_fourth() {
    let mut case = case(&[(0, says(1)), (1, says(2)), (2, says(1))]);
    case.add_replicas(1);
    assert_eq!(decision(case.hearing(1)).answer, answer(1));
}

#[test]
fn one_answer_alone_is_never_accepted_by_majority() {
    let case = case(&[(0, says(1)), (1, Testimony::Late), (2, Testimony::Failed)]);
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
}

#[test]
fn a_failing_program_is_not_believed_on_one_machines_word() {
    let failing = |replica: u8| Testimony::Answered {
        answer: Answer {
            exit: Exit::OutOfFuel,
            ..answer(1)
        },
        receipt: Digest([replica; 32]),
    };
    let mut case = Case::new(Agreement::Single);
    case.hear(0, DeviceId([1; 32]), AccountId::new([1; 32]), failing(0));
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
    let mut other = case.clone();
    case.add_replicas(1);
    case.hear(1, DeviceId([2; 32]), AccountId::new([2; 32]), failing(1));
    assert_eq!(decision(case.hearing(0)).answer.exit, Exit::OutOfFuel);
    // Somebody who can run it settles the matter the other way, but not alone either.
    other.add_replicas(1);
    other.hear(1, DeviceId([2; 32]), AccountId::new([2; 32]), says(1));
    assert_eq!(other.hearing(0), Hearing::NeedsMore { replicas: 1 });
    other.add_replicas(1);
    other.hear(2, DeviceId([3; 32]), AccountId::new([3; 32]), says(1));
    assert_eq!(decision(other.hearing(0)).answer, answer(1));
}

#[test]
fn three_different_answers_need_more_replicas() {
    let mut case = case(&[(0, says(1)), (1, says(2)), (2, says(3))]);
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 2 });
    case.add_replicas(2);
    case.hear(3, DeviceId([7; 32]), AccountId::new([7; 32]), says(2));
    case.hear(4, DeviceId([8; 32]), AccountId::new([8; 32]), says(2));
    assert_eq!(decision(case.hearing(0)).answer, answer(2));
}

#[test]
fn an_account_has_one_voice() {
    let mut case = Case::new(MAJORITY);
    for replica in 0..2 {
        case.hear(
            replica,
            DeviceId([replica; 32]),
            AccountId::new([1; 32]),
            says(1),
        );
    }
    case.hear(2, DeviceId([2; 32]), AccountId::new([2; 32]), says(2));
    assert!(matches!(case.hearing(0), Hearing::NeedsMore { .. }));
}

#[test]
fn a_replica_is_not_heard_twice() {
    let mut case = case(&[(0, says(1))]);
    case.hear(0, DeviceId([9; 32]), AccountId::new([9; 32]), says(1));
    assert_eq!(case.hearing(2), Hearing::Open { certain: None });
}

#[test]
fn a_late_device_is_named_beside_the_one_that_took_over() {
    let mut case = case(&[
        (0, Testimony::Late),
        (0, says(1)),
        (1, says(1)),
        (2, says(1)),
    ]);
    let findings = decision(case.hearing(0)).findings;
    assert_eq!(findings.len(), 4);
    assert_eq!(findings[0].finding, Finding::Delayed);
    case.hear(
        0,
        DeviceId([9; 32]),
        AccountId::new([9; 32]),
        Testimony::Late,
    );
    assert_eq!(decision(case.hearing(0)).findings.len(), 4);
}

#[test]
fn one_replica_is_believed_when_the_owner_asked_for_one() {
    let mut case = Case::new(Agreement::Single);
    case.hear(0, DeviceId([1; 32]), AccountId::new([1; 32]), says(1));
    assert_eq!(decision(case.hearing(0)).answer, answer(1));
}

#[test]
fn a_task_ends_undecidable_when_all_replicas_differ() {
    let mut case = Case::new(MAJORITY);
    let mut replica = 0;
    loop {
        while replica < case.replicas() {
            case.hear(
                replica,
                DeviceId([replica; 32]),
                AccountId::new([replica; 32]),
                says(replica),
            );
            replica += 1;
        }
        match case.hearing(0) {
            Hearing::NeedsMore { replicas } => case.add_replicas(replicas),
            Hearing::Undecidable => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(case.replicas() <= REPLICAS_PER_TASK_MAX);
}

proptest! {
    #[test]
    fn an_accepted_answer_always_has_more_than_half_of_the_voices(
        values in prop::collection::vec(prop::option::of(0u8..3), 0..20)
    ) {
        let mut case = Case::new(MAJORITY);
        case.add_replicas(12);
        for (n, value) in values.iter().enumerate() {
            let n = n as u8;
            let testimony = value.map_or(Testimony::Late, says);
            case.hear(n, DeviceId([n; 32]), AccountId::new([n; 32]), testimony);
        }
        if let Hearing::Decided(decision) = case.hearing(0) {
            let right = decision.findings.iter().filter(|f| f.finding == Finding::Accepted).count();
            let wrong = decision.findings.iter().filter(|f| f.finding == Finding::Incorrect).count();
            prop_assert!(right >= 2 && right > wrong);
        }
    }
}

fn fails(receipt: u8) -> Testimony {
    Testimony::Answered {
        answer: Answer {
            exit: Exit::Trap,
            ..answer(1)
        },
        receipt: Digest([receipt; 32]),
    }
}

/// Tells a case what the next account says for a replica.
fn tell(case: &mut Case, replica: u8, account: u8, testimony: Testimony) {
    let device = DeviceId([account; 32]);
    case.hear(replica, device, AccountId::new([account; 32]), testimony);
}

/// A case of this agreement in which the accounts 1, 2... have answered so for the replicas 0, 1...
fn heard(agreement: Agreement, testimonies: &[Testimony]) -> Case {
    let mut case = Case::new(agreement);
    for (replica, testimony) in (0..).zip(testimonies) {
        if replica >= case.replicas() {
            case.add_replicas(1);
        }
        tell(&mut case, replica, replica + 1, testimony.clone());
    }
    case
}

fn findings(decision: &Decision) -> Vec<Finding> {
    decision
        .findings
        .iter()
        .map(|found| found.finding)
        .collect()
}

const COMPARED: [Agreement; 2] = [Agreement::Unanimous, Agreement::Adaptive];
const OPEN: Hearing = Hearing::Open { certain: None };

#[test]
fn two_accounts_that_agree_decide() {
    for agreement in COMPARED {
        let case = heard(agreement, &[says(1), says(1)]);
        for outstanding in [0, 1, 9] {
            let decision = decision(case.hearing(outstanding));
            assert_eq!(decision.ground, Ground::Unanimous);
            assert_eq!(findings(&decision), [Finding::Accepted; 2]);
        }
    }
}

#[test]
fn one_of_two_is_waited_for_and_nothing_is_certain_before() {
    let case = heard(Agreement::Unanimous, &[says(1)]);
    assert_eq!(case.hearing(1), OPEN);
    let mut late = case.clone();
    tell(&mut late, 1, 2, Testimony::Late);
    assert_eq!(late.hearing(1), OPEN, "another device may take the replica");
    assert_eq!(late.hearing(0), Hearing::NeedsMore { replicas: 1 });
}

#[test]
fn nothing_heard_asks_for_as_many_as_must_agree() {
    let unanimous = Case::new(Agreement::Unanimous);
    assert_eq!(unanimous.hearing(2), OPEN);
    assert_eq!(unanimous.hearing(0), Hearing::NeedsMore { replicas: 2 });
    let adaptive = Case::new(Agreement::Adaptive);
    assert_eq!(adaptive.hearing(0), Hearing::NeedsMore { replicas: 1 });
}

#[test]
fn a_split_is_never_outvoted() {
    for agreement in COMPARED {
        // However many say the same, one who differs is enough.
        for same in 1..10 {
            let mut testimonies = vec![says(2); same];
            testimonies.push(says(1));
            let case = heard(agreement, &testimonies);
            for outstanding in [0, 1, 5] {
                assert_eq!(case.hearing(outstanding), Hearing::NeedsReferee);
            }
        }
    }
}

#[test]
fn a_third_that_differs_before_the_case_is_closed_opens_it_again() {
    let mut case = heard(Agreement::Unanimous, &[says(1), says(1)]);
    case.add_replicas(1);
    assert_eq!(decision(case.hearing(1)).findings.len(), 2);
    tell(&mut case, 2, 3, says(2));
    assert_eq!(case.hearing(0), Hearing::NeedsReferee);
}

#[test]
fn a_backup_that_agrees_is_paid_with_the_others() {
    let mut case = heard(Agreement::Unanimous, &[says(1), says(1)]);
    case.add_replicas(1);
    tell(&mut case, 2, 3, says(1));
    let decision = decision(case.hearing(0));
    assert_eq!(decision.ground, Ground::Unanimous);
    assert_eq!(findings(&decision), [Finding::Accepted; 3]);
}

#[test]
fn a_referee_decides_alone_against_however_many() {
    for agreement in COMPARED {
        let mut case = heard(agreement, &[says(2), says(2), says(2), says(2), says(1)]);
        case.hear_referee(answer(1));
        let decision = decision(case.hearing(7));
        assert_eq!(
            (decision.answer, decision.ground),
            (answer(1), Ground::Referee)
        );
        let found = findings(&decision);
        assert_eq!(found[..4], [Finding::Incorrect; 4]);
        assert_eq!(found[4], Finding::Accepted);
    }
}

#[test]
fn where_nobody_gave_the_truth_nobody_is_accepted() {
    let mut case = heard(Agreement::Unanimous, &[says(1), says(2)]);
    case.hear_referee(answer(3));
    let decision = decision(case.hearing(0));
    assert_eq!(decision.answer, answer(3));
    assert_eq!(findings(&decision), [Finding::Incorrect; 2]);
    assert!(
        decision
            .findings
            .iter()
            .all(|found| found.receipt.is_some())
    );
}

#[test]
fn that_the_program_fails_is_not_believed_on_the_referee_s_word_alone() {
    let failure = Answer {
        exit: Exit::Trap,
        ..answer(0)
    };
    for agreement in COMPARED {
        let mut case = heard(agreement, &[says(1), says(2)]);
        case.hear_referee(failure);
        assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
        case.add_replicas(1);
        assert_eq!(case.hearing(1), OPEN);
        let mut voted = case.clone();
        tell(&mut voted, 2, 3, says(2));
        let voted = decision(voted.hearing(0));
        assert_eq!((voted.answer, voted.ground), (answer(2), Ground::Vote));
        // Two machines say so now: the referee's and a device.
        let receipt = Digest([9; 32]);
        let fails = Testimony::Answered {
            answer: failure,
            receipt,
        };
        tell(&mut case, 2, 3, fails);
        let decision = decision(case.hearing(0));
        assert_eq!(
            (decision.answer, decision.ground),
            (failure, Ground::Referee)
        );
        let (right, wrong) = (Finding::Accepted, Finding::Incorrect);
        assert_eq!(findings(&decision), [wrong, wrong, right]);
    }
}

#[test]
fn a_referee_and_one_device_are_enough_to_say_that_the_program_fails() {
    let failure = Answer {
        exit: Exit::Trap,
        ..answer(0)
    };
    let fails = Testimony::Answered {
        answer: failure,
        receipt: Digest([9; 32]),
    };
    let mut case = heard(Agreement::Unanimous, &[says(1), fails]);
    assert_eq!(case.hearing(0), Hearing::NeedsReferee);
    case.hear_referee(failure);
    let decision = decision(case.hearing(0));
    assert_eq!(
        (decision.answer, decision.ground),
        (failure, Ground::Referee)
    );
}

#[test]
fn what_cannot_be_decided_stays_so_if_the_referee_alone_says_that_the_program_fails() {
    let said: Vec<_> = (1..=15).map(says).collect();
    let mut case = heard(Agreement::Majority { replicas: 3 }, &said);
    assert_eq!(case.hearing(0), Hearing::Undecidable);
    case.hear_referee(Answer {
        exit: Exit::Trap,
        ..answer(0)
    });
    assert_eq!(case.hearing(0), Hearing::Undecidable);
}

#[test]
fn of_two_referees_the_first_is_heard() {
    let mut case = heard(Agreement::Unanimous, &[says(1), says(2)]);
    case.hear_referee(answer(1));
    case.hear_referee(answer(2));
    assert_eq!(decision(case.hearing(0)).answer, answer(1));
}

#[test]
fn a_referee_who_comes_after_all_still_decides() {
    let mut case = heard(Agreement::Unanimous, &[says(1), says(2)]);
    case.no_referee();
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
    case.hear_referee(answer(2));
    assert_eq!(decision(case.hearing(0)).ground, Ground::Referee);
}

#[test]
fn without_a_referee_more_than_half_of_three_decide_and_it_is_said() {
    let mut case = heard(Agreement::Unanimous, &[says(1), says(2)]);
    case.no_referee();
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
    case.add_replicas(1);
    assert_eq!(case.hearing(1), OPEN);
    tell(&mut case, 2, 3, says(2));
    let decision = decision(case.hearing(0));
    assert_eq!(
        (decision.answer, decision.ground),
        (answer(2), Ground::Vote)
    );
    assert_eq!(
        findings(&decision),
        [Finding::Incorrect, Finding::Accepted, Finding::Accepted]
    );
}

#[test]
fn a_vote_without_a_majority_among_five_is_undecidable() {
    let mut case = heard(Agreement::Unanimous, &[says(1), says(2), says(3)]);
    case.no_referee();
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 2 });
    case.add_replicas(2);
    tell(&mut case, 3, 4, says(1));
    assert_eq!(case.hearing(1), OPEN);
    tell(&mut case, 4, 5, says(2));
    assert_eq!(case.hearing(0), Hearing::Undecidable);
    assert_eq!(case.replicas(), ESCALATION_REPLICAS_MAX);
}

#[test]
fn three_of_five_decide_a_vote() {
    let mut case = heard(
        Agreement::Unanimous,
        &[says(1), says(2), says(3), says(3), says(3)],
    );
    case.no_referee();
    assert_eq!(decision(case.hearing(0)).answer, answer(3));
}

#[test]
fn that_no_referee_can_be_had_changes_nothing_where_all_agree() {
    let mut case = heard(Agreement::Unanimous, &[says(1)]);
    case.no_referee();
    assert_eq!(case.hearing(1), OPEN);
    tell(&mut case, 1, 2, says(1));
    assert_eq!(decision(case.hearing(0)).ground, Ground::Unanimous);
}

#[test]
fn one_account_is_never_two_voices_that_agree_or_differ() {
    for agreement in COMPARED {
        for second in [says(1), says(2)] {
            let mut case = Case::new(agreement);
            case.add_replicas(1);
            tell(&mut case, 0, 1, says(1));
            tell(&mut case, 1, 1, second);
            assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
        }
    }
}

#[test]
fn a_trusted_device_is_enough() {
    // Whether it is said before the answer or after it.
    for before in [true, false] {
        let mut case = Case::new(Agreement::Adaptive);
        if before {
            case.trust(0);
            assert_eq!(case.hearing(1), OPEN);
        }
        tell(&mut case, 0, 1, says(1));
        if !before {
            assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
            case.trust(0);
        }
        let decision = decision(case.hearing(1));
        assert_eq!(decision.ground, Ground::Trusted);
        assert_eq!(findings(&decision), [Finding::Accepted]);
    }
}

#[test]
fn an_untrusted_device_is_backed_by_a_second_one() {
    let mut case = heard(Agreement::Adaptive, &[says(1)]);
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
    case.add_replicas(1);
    assert_eq!(case.hearing(1), OPEN);
    let mut other = case.clone();
    tell(&mut case, 1, 2, says(1));
    assert_eq!(decision(case.hearing(0)).ground, Ground::Unanimous);
    tell(&mut other, 1, 2, says(2));
    assert_eq!(other.hearing(0), Hearing::NeedsReferee);
}

#[test]
fn a_trusted_device_is_not_believed_against_another_one() {
    let mut case = heard(Agreement::Adaptive, &[says(1), says(2)]);
    case.trust(0);
    assert_eq!(case.hearing(0), Hearing::NeedsReferee);
}

#[test]
fn trust_is_in_the_device_and_not_in_the_replica() {
    let mut case = Case::new(Agreement::Adaptive);
    case.trust(0);
    tell(&mut case, 0, 1, Testimony::Late);
    tell(&mut case, 0, 2, says(1));
    assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
}

#[test]
fn trust_counts_in_adaptive_jobs_only() {
    for agreement in [Agreement::Unanimous, MAJORITY] {
        let mut case = heard(agreement, &[says(1)]);
        case.trust(0);
        assert!(!matches!(case.hearing(0), Hearing::Decided(_)));
    }
}

#[test]
fn a_failing_program_is_never_believed_on_one_devices_word() {
    for agreement in [
        Agreement::Single,
        MAJORITY,
        Agreement::Unanimous,
        Agreement::Adaptive,
    ] {
        let mut case = heard(agreement, &[fails(0)]);
        case.trust(0);
        assert_eq!(case.hearing(0), Hearing::NeedsMore { replicas: 1 });
        if case.replicas() < 2 {
            case.add_replicas(1);
        }
        tell(&mut case, 1, 2, fails(1));
        assert_eq!(decision(case.hearing(0)).answer.exit, Exit::Trap);
    }
}

#[test]
fn a_verdict_says_why_its_answer_is_accepted() {
    let ground = |agreement, testimonies: &[Testimony]| {
        decision(heard(agreement, testimonies).hearing(0)).ground
    };
    assert_eq!(
        ground(MAJORITY, &[says(1), says(1), says(1)]),
        Ground::Majority
    );
    assert_eq!(ground(Agreement::Single, &[says(1)]), Ground::Trusted);
    // A second and a third are asked where the first says that the program fails.
    assert_eq!(
        ground(Agreement::Single, &[fails(0), fails(1)]),
        Ground::Unanimous
    );
    let outvoted = [fails(0), says(1), says(1)];
    assert_eq!(ground(Agreement::Single, &outvoted), Ground::Majority);
}
