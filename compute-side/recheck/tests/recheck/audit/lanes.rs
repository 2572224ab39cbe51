//! In how many lanes replicas were given, as an audit counts them.

use super::*;
use std::collections::BTreeMap;

#[test]
fn an_audit_counts_in_how_many_lanes_replicas_were_given() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let found = audited(&story, &settled(&story, 0, &blocks), &blocks);
    let mut counted = BTreeMap::new();
    for entry in &story.entries {
        if let Entry::Assigned { lanes, .. } = entry {
            *counted.entry(*lanes).or_insert(0) += 1;
        }
    }
    assert_eq!((&found.given_in, found.lanes_untold), (&counted, 0));
    assert!(counted.contains_key(&1) && counted.len() > 2, "{counted:?}");
}

#[test]
fn where_nothing_tells_what_lanes_follow_from_an_audit_says_how_many_replicas_were_not_held_to_theirs()
 {
    let mut story = honest();
    story.facts.lane_seed = None;
    let blocks = blocks(&story.entries, 6);
    let found = audited(&story, &settled(&story, 0, &blocks), &blocks);
    let in_lanes = found.given_in.iter().filter(|(lanes, _)| **lanes > 1);
    let in_lanes: u64 = in_lanes.map(|(_, count)| count).sum();
    assert!(in_lanes > 0);
    assert_eq!(found.lanes_untold, in_lanes);
    assert_eq!(found.differences, []);
}
