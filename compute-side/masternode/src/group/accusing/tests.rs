use super::*;
use quern_primitives::{
    AccountId, GenesisHash,
    group::Member,
    log::{RefereeReport, RefereeStatement},
    payload::{NodeSecret, NodeSignature},
    receipt::{Answer, Exit},
};
use std::collections::BTreeMap;

fn group(members: u8) -> Group {
    let member = |number: u8| Member {
        account: AccountId::new([number; 32]),
        node: NodeKey([number; 32]),
        is_out: false,
    };
    let members: Vec<_> = (0..members).map(member).collect();
    Group {
        members: members.try_into().unwrap(),
        turn: 0,
        since: 0,
        lane_seed: None,
    }
}

#[test]
fn members_accuse_one_after_the_other_and_who_is_first_follows_from_the_task() {
    let group = group(4);
    let order = |task| [1u8, 2, 3].map(|it| before(&group, 0, &NodeKey([it; 32]), task));
    assert_eq!(order(0), [0, 1, 2]);
    assert_eq!(order(1), [2, 0, 1]);
    assert_eq!(order(5), [1, 2, 0]);
    // Each is first somewhere, whoever wrote the log.
    assert_eq!(before(&group, 3, &NodeKey([0; 32]), 0), 0);
}

#[test]
fn a_member_lets_the_coordinator_accuse_first_that_may_have_found_the_same() {
    let group = group(4);
    let waits = [0u8, 1, 3].map(|it| before_who_found(&group, &NodeKey([it; 32])));
    assert_eq!(waits, [0, 1, 1]);
}

/// What a member says, one value for each answer.
fn says(member: u8, fuel: u64) -> RefereeStatement {
    let report = RefereeReport {
        job: JobId([1; 32]),
        task: 3,
        question: Digest([2; 32]),
        answer: Answer {
            result_commitment: Digest([1; 32]),
            result_bytes: 10,
            fuel,
            exit: Exit::Success,
        },
    };
    let secret = NodeSecret::from_seed(&[member; 32]);
    RefereeStatement {
        report: secret.sign(report, &GenesisHash([1; 32])),
        node: NodeKey([member; 32]),
    }
}

fn words(of: &[RefereeStatement]) -> BTreeMap<u8, NodeSignature> {
    let of = of.iter().map(|it| (it.node.0[0], it.report.signature));
    of.collect()
}

#[test]
fn who_contradicts_a_referee_begins_with_its_own_word_and_does_not_ask_the_referee() {
    let group = group(4);
    let (said, own) = (says(1, 7), says(2, 8));
    let mut begun = GroupWords::begun(&group, said, &[said]).unwrap();
    assert_eq!((begun.needed, &begun.given), (3, &words(&[said])));
    assert!(begun.refused.is_empty());
    begun.hear(&group, own, &[said]);
    assert_eq!(begun.report, own.report);
    assert_eq!(begun.given, words(&[own]));
    assert_eq!(begun.refused, BTreeSet::from([1]));
    assert_eq!(begun.within_reach(&group), 3);
}

#[test]
fn the_words_of_all_referees_of_a_log_count_that_agree_and_who_differs_is_not_asked() {
    let group = group(5);
    let referees = [says(3, 9), says(2, 7), says(1, 7), says(77, 7)];
    let mut begun = GroupWords::begun(&group, referees[1], &referees).unwrap();
    assert_eq!(begun.given, words(&referees[1..3]));
    assert_eq!(begun.refused, BTreeSet::from([3]));
    begun.hear(&group, says(4, 7), &referees);
    assert_eq!(begun.given.len(), referees_needed(group.members.len()));
    // One that says the same now is refused no more.
    begun.hear(&group, says(3, 7), &referees);
    assert!(begun.refused.is_empty() && begun.given.contains_key(&3));
    let stranger = says(77, 7);
    assert!(GroupWords::begun(&group, stranger, &[stranger]).is_none());
}

#[test]
fn who_contradicts_most_referees_of_a_log_counts_the_one_that_says_the_same() {
    let group = group(5);
    let (referees, own) = ([says(1, 7), says(2, 7), says(3, 9)], says(4, 9));
    let mut begun = GroupWords::begun(&group, referees[0], &referees).unwrap();
    begun.hear(&group, own, &referees);
    assert_eq!(begun.given, words(&[referees[2], own]));
    assert_eq!(begun.refused, BTreeSet::from([1, 2]));
    // And so where it is that one itself.
    let mut begun = GroupWords::begun(&group, referees[0], &referees).unwrap();
    begun.hear(&group, referees[2], &referees);
    assert_eq!(begun.given, words(&referees[2..]));
    assert_eq!(begun.refused, BTreeSet::from([1, 2]));
}

#[test]
fn who_is_out_is_within_reach_only_if_it_has_given_its_word() {
    let mut group = group(4);
    group.members[2].is_out = true;
    let given = |member| GroupWords::begun(&group, says(member, 7), &[]).unwrap();
    assert_eq!(given(2).within_reach(&group), 4);
    assert_eq!(given(1).within_reach(&group), 3);
    let mut without = given(1);
    without.refused.extend([2, 3]);
    assert_eq!(without.within_reach(&group), 2);
}

#[test]
fn each_task_is_looked_after_once_and_no_more_than_there_is_room_for() {
    let known = Mutex::default();
    let name = |task| (JobId([1; 32]), Some(0), task);
    assert!(add(&known, name(0)) && !add(&known, name(0)));
    assert!(add(&known, (JobId([1; 32]), None, 0)), "of another log");
    let more = (1..).map(name).take_while(|name| add(&known, *name));
    assert_eq!(more.count(), SUSPICIONS_MAX - 2);
    lock(&known).remove(&name(0));
    assert!(add(&known, name(SUSPICIONS_MAX as TaskIndex)));
}
