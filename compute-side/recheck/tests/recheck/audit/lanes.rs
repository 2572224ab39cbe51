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
    assert_eq!(found.given_in, counted);
    assert!(counted.contains_key(&1) && counted.len() > 2, "{counted:?}");
}
