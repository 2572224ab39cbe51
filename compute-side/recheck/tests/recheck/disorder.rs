//! Entries and blocks that do not stand where they should.

use crate::{
    lies::{honest, is_paid, place},
    world::{HERE, JOB, account, blocks, follow, node, recheck, replayed, roots},
};
use quern_joblog::{End, Entry, LogBuilder, LogFault};
use quern_recheck::{Dispute, HEIGHT_LAG_MAX, OrderFault, Recheck, RecheckFault};

#[test]
fn an_entry_stands_only_where_it_can() {
    let order = |entries: Vec<Entry>| {
        let story = honest();
        match follow(&story.facts, &entries, 6).unwrap_err() {
            RecheckFault::Order { why, .. } => why,
            other => panic!("{other:?}"),
        }
    };
    let opened = honest().entries[0].clone();
    let queued = |first, tasks| Entry::Queued { first, tasks };
    let added = |task, replicas| Entry::Added { task, replicas };
    let ended = |end| Entry::Ended { end };
    let begun = |rest: Vec<Entry>| [vec![opened.clone()], rest].concat();
    assert_eq!(order(vec![queued(0, 1)]), OrderFault::NotOpened);
    assert_eq!(order(begun(vec![opened.clone()])), OrderFault::OpenedTwice);
    let other = Entry::Opened {
        coordinator: account(0),
        node: node().public(),
        at: 2,
    };
    assert_eq!(order(vec![other]), OrderFault::OtherCoordinator);
    assert_eq!(order(begun(vec![queued(0, 9)])), OrderFault::NoSuchTask);
    assert_eq!(order(begun(vec![queued(3, 0)])), OrderFault::NoSuchTask);
    assert_eq!(
        order(begun(vec![queued(0, 2), queued(1, 1)])),
        OrderFault::QueuedTwice
    );
    assert_eq!(order(begun(vec![added(0, 1)])), OrderFault::NotQueued);
    assert_eq!(
        order(begun(vec![queued(0, 1), added(0, 14)])),
        OrderFault::TooManyReplicas
    );
    assert_eq!(order(begun(vec![ended(End::Done)])), OrderFault::NoSuchEnd);
    assert_eq!(
        order(begun(vec![queued(0, 1), ended(End::Undecided { task: 0 })])),
        OrderFault::NoSuchEnd
    );
    assert_eq!(
        order(begun(vec![ended(End::Closed), queued(0, 1)])),
        OrderFault::AfterEnd
    );
}

#[test]
fn blocks_that_are_left_out_moved_or_doubled_are_refused() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let followed = |order: &[usize]| {
        let mut recheck = recheck(&story.facts);
        order
            .iter()
            .try_for_each(|place| recheck.take(&blocks[*place].to_bytes()))
    };
    let log = RecheckFault::Log;
    assert_eq!(followed(&[0, 1, 2]), Ok(()));
    let gap = LogFault::Gap {
        expected: 1,
        index: 2,
    };
    assert_eq!(followed(&[0, 2, 1]), Err(log(gap)));
    let again = LogFault::Repeated { index: 0 };
    assert_eq!(followed(&[0, 1, 0]), Err(log(again)));
}

#[test]
fn a_fork_is_a_dispute() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let mut recheck = follow(&story.facts, &story.entries[..6], 6).unwrap();
    let mut fork = LogBuilder::new(HERE, JOB, node());
    fork.append(story.entries[0].clone(), 1).unwrap();
    let fault = recheck.take(&fork.cut(1).unwrap().to_bytes()).unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Twice));
    let RecheckFault::Log(LogFault::Forked(fork)) = fault else {
        panic!("no fork");
    };
    assert!(fork.holds(&node().public(), &HERE));
    recheck.take(&blocks[1].to_bytes()).unwrap();
}

#[test]
fn a_log_without_blocks_is_not_certified() {
    let story = honest();
    let recheck = recheck(&story.facts);
    assert_eq!(
        recheck.batch(&story.batches[0]),
        Err(RecheckFault::NothingToCertify)
    );
}

#[test]
fn the_roots_of_other_shards_are_refused() {
    let story = honest();
    for other in [roots(7), roots(9), roots(8).into_iter().rev().collect()] {
        let refused = Recheck::new(story.facts.clone(), other, node().public());
        assert!(matches!(refused, Err(RecheckFault::InputRoots)));
    }
}

#[test]
fn every_entry_that_proves_a_fault_can_be_shown_alone() {
    let mut story = honest();
    let judged = place(&story.entries, is_paid);
    if let Entry::Judged { verdict } = &mut story.entries[judged] {
        verdict.price += 1;
    }
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    let blocks = blocks(&story.entries, 6);
    for position in fault.positions() {
        let proof = blocks.iter().find_map(|block| block.prove(position));
        let proof = proof.unwrap();
        assert_eq!(proof.position(&node().public(), &HERE), Some(position));
        assert_eq!(proof.entry, story.entries[position as usize]);
    }
    // As a log it is whole; only what it says is not so.
    assert_eq!(
        replayed(&story.entries).next_position(),
        story.entries.len() as u64
    );
}

#[test]
fn an_assignment_may_refer_to_a_block_a_little_older_than_others_and_not_much() {
    let story = honest();
    let followed = |behind: u32| {
        let mut entries = story.entries.clone();
        let mut heights = entries.iter_mut().filter_map(|entry| match entry {
            Entry::Assigned { at, .. } => Some(at),
            _ => None,
        });
        *heights.next().unwrap() = 1_000;
        heights.for_each(|at| *at = 1_000 - behind);
        follow(&story.facts, &entries, 6).map(drop)
    };
    assert_eq!(followed(HEIGHT_LAG_MAX), Ok(()));
    match followed(HEIGHT_LAG_MAX + 1).unwrap_err() {
        RecheckFault::Order { why, .. } => assert_eq!(why, OrderFault::ChainBackwards),
        other => panic!("{other:?}"),
    }
}

#[test]
fn batches_are_counted_on_from_those_of_the_coordinator_before() {
    let mut story = honest();
    for entry in &mut story.entries {
        if let Entry::Batched { batch } = entry {
            batch.sequence += 7;
        }
    }
    let follow = |mut recheck: Recheck<_>| {
        let mut blocks = blocks(&story.entries, 6).into_iter();
        blocks.try_for_each(|block| recheck.take(&block.to_bytes()))
    };
    assert_eq!(follow(recheck(&story.facts).from_batch(7)), Ok(()));
    for other in [0, 6, 8] {
        let fault = follow(recheck(&story.facts).from_batch(other));
        assert!(
            matches!(fault, Err(RecheckFault::Batch { .. })),
            "{fault:?}"
        );
    }
}

#[test]
fn only_who_checked_every_signature_before_leaves_them_out() {
    let mut story = honest();
    let revealed = story.entries.iter_mut().find_map(|entry| match entry {
        Entry::Revealed { receipt, .. } => Some(receipt),
        _ => None,
    });
    revealed.unwrap().signature.0[0] ^= 1;
    let follow = |mut recheck: Recheck<_>| {
        let mut blocks = blocks(&story.entries, 6).into_iter();
        blocks.try_for_each(|block| recheck.take(&block.to_bytes()))
    };
    let fault = follow(recheck(&story.facts));
    assert!(
        matches!(fault, Err(RecheckFault::Reveal { .. })),
        "{fault:?}"
    );
    // The verdict names the receipt as it was signed.
    let fault = follow(recheck(&story.facts).without_signatures());
    assert!(
        matches!(fault, Err(RecheckFault::Verdict { .. })),
        "{fault:?}"
    );
}
