//! Devices that are believed alone.

use super::*;

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
