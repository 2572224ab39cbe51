//! Which of two faults of one entry is told.

use super::*;

#[test]
fn that_an_account_is_in_another_lane_is_told_before_what_the_chain_may_not_know_any_more() {
    let is_of_another = |it: &Entry| match it {
        Entry::Assigned {
            task,
            replica,
            account,
            ..
        } => !Draw::of(&LANE_SEED.0, account).is_for(*task, *replica, 32),
        _ => false,
    };
    let (_, fault) = refused(is_of_another, |entry| {
        if let Entry::Assigned { lanes, engine, .. } = entry {
            (*lanes, *engine) = (32, Digest([0xee; 32]));
        }
    });
    let is_of_lanes = matches!(&fault, RecheckFault::Assignment { why, .. } if why.is_of_lanes());
    assert!(is_of_lanes, "{fault:?}");
}
