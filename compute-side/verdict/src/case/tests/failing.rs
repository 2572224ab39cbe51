//! Programs that are said to fail, which ends their job.

use super::*;

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
        assert_eq!(case.hearing(0), Hearing::NeedsReferee);
        case.no_referee();
        assert_eq!(decision(case.hearing(0)).answer.exit, Exit::Trap);
    }
}

const MODES: [Agreement; 4] = [
    Agreement::Single,
    MAJORITY,
    Agreement::Unanimous,
    Agreement::Adaptive,
];

/// As many accounts as are asked, and two at least, say that the program fails.
fn all_fail(agreement: Agreement) -> Case {
    let accounts = agreement.replicas().max(2);
    let said: Vec<_> = (0..accounts).map(fails).collect();
    heard(agreement, &said)
}

#[test]
fn two_that_agree_that_the_program_fails_do_not_end_the_job_without_a_referee() {
    for agreement in MODES {
        let case = all_fail(agreement);
        for outstanding in [0, 1, 9] {
            assert_eq!(case.hearing(outstanding), Hearing::NeedsReferee);
        }
    }
}

#[test]
fn a_referee_that_can_compute_what_devices_say_fails_finds_all_of_them_wrong() {
    for agreement in MODES {
        let mut case = all_fail(agreement);
        case.hear_referee(answer(1));
        let decision = decision(case.hearing(0));
        assert_eq!(
            (decision.answer, decision.ground),
            (answer(1), Ground::Referee)
        );
        let found = findings(&decision);
        assert!(found.iter().all(|finding| *finding == Finding::Incorrect));
    }
}

#[test]
fn a_referee_on_whose_machine_it_fails_too_confirms_it() {
    let Testimony::Answered {
        answer: failure, ..
    } = fails(0)
    else {
        panic!("no answer");
    };
    for agreement in MODES {
        let mut case = all_fail(agreement);
        case.hear_referee(failure);
        let decision = decision(case.hearing(0));
        assert_eq!(
            (decision.answer, decision.ground),
            (failure, Ground::Referee)
        );
        let found = findings(&decision);
        assert!(found.iter().all(|finding| *finding == Finding::Accepted));
    }
}

#[test]
fn a_referee_on_whose_machine_it_fails_otherwise_leaves_it_to_the_devices() {
    for agreement in MODES {
        let mut case = all_fail(agreement);
        case.hear_referee(Answer {
            exit: Exit::OutOfFuel,
            ..answer(1)
        });
        let decision = decision(case.hearing(0));
        assert_eq!(decision.answer.exit, Exit::Trap);
        assert_ne!(decision.ground, Ground::Referee);
    }
}

#[test]
fn a_failing_majority_wants_a_referee_as_soon_as_it_is_certain() {
    let mut case = heard(MAJORITY, &[fails(0), fails(1)]);
    assert_eq!(case.hearing(2), Hearing::NeedsReferee);
    assert_eq!(case.hearing(1), Hearing::NeedsReferee);
    case.no_referee();
    assert!(matches!(
        case.hearing(1),
        Hearing::Open {
            certain: Some(Answer {
                exit: Exit::Trap,
                ..
            })
        }
    ));
}
