//! What several masternodes say that came out of a task, and what of it is the truth.
#![allow(clippy::unwrap_used)]

use codec::{DecodeAll as _, Encode as _};
use proptest::prelude::*;
use quern_joblog::RefereeWord;
use quern_primitives::{
    ids::{Digest, GenesisHash, JobId},
    limits::REFEREES_MAX,
    log::{RefereeReport, RefereeStatement},
    payload::NodeSecret,
    receipt::{Answer, Exit},
};

/// What a masternode of this number says, one value for each answer.
fn statement(number: u8, value: u8) -> RefereeStatement {
    let node = NodeSecret::from_seed(&[number; 32]);
    let report = RefereeReport {
        job: JobId([3; 32]),
        task: 4,
        question: Digest([46; 32]),
        answer: Answer {
            result_commitment: Digest([value; 32]),
            result_bytes: 10,
            fuel: 5,
            exit: Exit::Success,
        },
    };
    RefereeStatement {
        report: node.sign(report, &GenesisHash([1; 32])),
        node: node.public(),
    }
}

fn several(values: &[u8]) -> RefereeWord {
    let statements = (1u8..).zip(values);
    let statements: Vec<_> = statements
        .map(|(by, value)| statement(by, *value))
        .collect();
    RefereeWord::Several {
        statements: statements.try_into().unwrap(),
    }
}

/// The truth of what masternodes say by these values, and whose words it is, by their numbers.
fn truth(values: &[u8]) -> Option<(RefereeStatement, Vec<RefereeStatement>)> {
    let word = several(values);
    let agreeing = word.agreeing();
    let truth = word.truth();
    assert_eq!(truth, agreeing.first().copied());
    truth.map(|truth| (truth, agreeing))
}

#[test]
fn of_several_referees_the_truth_is_what_two_have_signed() {
    let first = |values: &[u8]| truth(values).map(|(first, agreeing)| (first, agreeing.len()));
    assert_eq!(first(&[7, 7, 7]), Some((statement(1, 7), 3)));
    assert_eq!(first(&[8, 7, 7]), Some((statement(2, 7), 2)));
    assert_eq!(first(&[7, 8, 7]), Some((statement(1, 7), 2)));
    assert_eq!(first(&[7, 7]), Some((statement(1, 7), 2)));
}

#[test]
fn what_only_one_of_several_says_is_no_truth() {
    for values in [&[][..], &[7], &[7, 8], &[7, 8, 9]] {
        assert_eq!(truth(values), None, "{values:?}");
    }
}

#[test]
fn one_referee_is_believed_and_none_says_nothing() {
    let RefereeStatement { report, node } = statement(1, 7);
    let word = RefereeWord::Computed { report, node };
    assert_eq!(word.truth(), Some(statement(1, 7)));
    assert_eq!(word.agreeing(), [statement(1, 7)]);
    assert_eq!(RefereeWord::None.truth(), None);
    assert!(RefereeWord::None.agreeing().is_empty());
}

#[test]
fn there_are_never_more_referees_than_the_limit() {
    let statements = vec![statement(1, 7); REFEREES_MAX as usize + 1];
    // A variant's number, and a list that is one too long.
    let bytes = [vec![2], statements.encode()].concat();
    assert!(RefereeWord::decode_all(&mut &bytes[..]).is_err());
    let word = several(&[7, 7, 8]);
    assert_eq!(
        RefereeWord::decode_all(&mut &word.encode()[..]).unwrap(),
        word
    );
}

proptest! {
    #[test]
    fn the_truth_is_the_one_answer_that_more_than_half_gave(
        values in prop::collection::vec(0u8..3, 0..=REFEREES_MAX as usize),
    ) {
        let given = |value: u8| values.iter().filter(|it| **it == value).count();
        let most = (0..3).find(|value| given(*value) >= 2);
        let found = truth(&values);
        let said = found.as_ref().map(|(first, _)| first.report.payload.answer);
        let expected = most.map(|value| statement(1, value).report.payload.answer);
        prop_assert_eq!(said, expected);
        if let (Some(value), Some((_, agreeing))) = (most, found) {
            prop_assert_eq!(agreeing.len(), given(value));
            prop_assert!(2 * agreeing.len() > values.len());
        }
    }
}
