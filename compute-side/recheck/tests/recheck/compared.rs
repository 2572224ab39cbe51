//! What somebody was given, held to a log.

use crate::{
    audit::{audited, begun, evidence, filing},
    author::Story,
    chain::{settled, verdicts_of},
    exhibits::chain_facts,
    lies::{honest, place},
    world::{HERE, blocks, node, roots},
};
use quern_dispute_rules::{Ed25519, Evidence, Facts, Ruling, decide, evidence::Leaf};
use quern_joblog::Entry;
use quern_primitives::{
    batch::{BatchRecord, PendingBatch},
    ids::{AccountId, Digest},
    log::Header,
    merkle::Tree,
};
use quern_recheck::{Difference, Filing, OnChain, Part, Unfiled};

#[test]
fn a_verdict_that_was_given_out_of_a_batch_and_is_not_the_log_s_is_shown_with_the_log_s() {
    let mut story = honest();
    let settled_otherwise = story.batches[0].clone();
    let told = settled(&story, 0, &blocks(&story.entries, 6));
    let verdicts = verdicts_of(&story, &told.kept[&settled_otherwise.sequence]);
    let tree = Tree::new(&verdicts);
    let leaf = |place: usize| Leaf {
        bytes: verdicts[place].clone().try_into().unwrap(),
        place: place as u32,
        siblings: tree
            .proof(place as u32)
            .unwrap()
            .siblings
            .try_into()
            .unwrap(),
    };
    let task = leaf(0).verdict().unwrap().task;
    // The log has another one on the first task than the chain's batch.
    let is_on = |it: &Entry| matches!(it, Entry::Judged { verdict } if verdict.task == task);
    let at = place(&story.entries, is_on);
    if let Entry::Judged { verdict } = &mut story.entries[at] {
        verdict.price += 1;
    }
    let log = blocks(&story.entries, 6);
    let on_chain = settled(&story, 0, &log);
    let given = |leaves: Vec<Leaf>| {
        let mut audit = begun(&story.facts, &on_chain, Some(roots(8))).comparing(
            leaves
                .into_iter()
                .map(|leaf| (settled_otherwise.sequence, leaf)),
        );
        log.iter().for_each(|block| audit.take(block));
        audit.finish().differences
    };
    let is_other = |it: &&Difference| it.code() == "other_verdict";
    let found = given((0..verdicts.len()).map(leaf).collect());
    let other: Vec<_> = found.iter().filter(is_other).collect();
    assert_eq!(other.len(), 1, "{found:?}");
    let shown = evidence(other[0], &on_chain, &log);
    let Evidence::OtherVerdict {
        entry,
        leaf: shown_leaf,
        ..
    } = &shown
    else {
        panic!("{shown:?}");
    };
    assert_eq!(entry.logged.position(), Some(at as u64));
    assert_eq!(*shown_leaf, leaf(0));
    let mut facts = chain_facts(&story, &settled_otherwise);
    let head = on_chain.batches[&settled_otherwise.sequence].head;
    facts.batch.as_mut().unwrap().heads.push(head);
    let ruling = decide(&shown, &facts, &Ed25519);
    assert!(matches!(ruling, Ok(Ruling::Convicted(_))), "{ruling:?}");
    // What is not under the root is nobody's word.
    let mut forged = leaf(0);
    forged.place = 1;
    assert_eq!(given(vec![forged]).iter().filter(is_other).count(), 0);
}

#[test]
fn a_block_that_names_another_ancestor_is_shown_with_the_one_that_it_should_name() {
    let story = honest();
    let honest = blocks(&story.entries, 2);
    // Whether the batches are final changes nothing.
    let on_chain = settled(&story, story.batches.len(), &honest);
    type Change = fn(&mut Header);
    let lies: [(u64, u64, Change); 4] = [
        (5, 6, |it| it.previous.0[0] ^= 1),
        (3, 6, |it| it.skip.0[0] ^= 1),
        (5, 6, |it| it.first += 1),
        (7, 8, |it| it.skip = Digest::default()),
    ];
    for (place, index, change) in lies {
        let mut blocks = honest.clone();
        let block = &mut blocks[index as usize];
        let mut header = block.header.payload;
        change(&mut header);
        block.header = node().sign(header, &HERE);
        let found = audited(&story, &on_chain, &blocks);
        assert_eq!(found.blocks, index);
        let broken = &found.differences[0];
        assert_eq!(broken.code(), "log");
        let shown = evidence(broken, &on_chain, &blocks);
        let Evidence::Blocks { node: writer, fork } = &shown else {
            panic!("{shown:?}");
        };
        assert_eq!((*writer, fork.place), (node().public(), place));
        assert_eq!(fork.second.payload, header);
        let facts = chain_facts(&story, &story.batches[0]);
        let ruling = decide(&shown, &facts, &Ed25519);
        assert!(matches!(ruling, Ok(Ruling::Convicted(_))), "{ruling:?}");
        // Who does not have the block any more has nothing to show.
        let why = filing(broken, &on_chain, &blocks[..index as usize]);
        assert_eq!(why, Filing::Cannot(Unfiled::NotAtHand));
    }
}

/// What the court knows of a batch of the story that the chain has so.
fn facts_of(story: &Story, on_chain: &OnChain, sequence: u32) -> Facts {
    let batch = &story.batches[sequence as usize];
    let (record, pending) = (&on_chain.batches[&sequence], &on_chain.kept[&sequence]);
    let mut facts = chain_facts(story, batch);
    let known = facts.batch.as_mut().unwrap();
    known.verdicts_root = record.verdicts_root;
    known.log = record.log;
    known.spent = record.spent;
    known.tasks = pending.tasks.clone();
    known.payouts = pending.payouts.to_vec();
    known.devices = pending.devices.to_vec();
    known.heads = vec![record.head];
    facts
}

#[test]
fn what_was_settled_otherwise_than_it_was_written_down_is_shown_as_it_was_written_down() {
    type Change = fn(&mut BatchRecord, &mut PendingBatch);
    let changes: [(Part, Change); 6] = [
        (Part::Root, |it, _| it.verdicts_root.0[0] ^= 1),
        (Part::Log, |it, _| it.log.last += 1),
        (Part::Spent, |it, _| it.spent += 1),
        (Part::Tasks, |_, it| it.tasks.first += 8),
        (Part::Payouts, |_, it| it.payouts[0].amount += 1),
        (Part::Devices, |_, it| it.devices[0].change.accepted += 1),
    ];
    let story = honest();
    let log = blocks(&story.entries, 6);
    for (part, change) in changes {
        let mut on_chain = settled(&story, 0, &log);
        let record = on_chain.batches.get_mut(&0).unwrap();
        change(record, on_chain.kept.get_mut(&0).unwrap());
        let writer = &on_chain.kept[&0].coordinator;
        assert!(on_chain.has_settled_otherwise(&story.batches[0], writer));
        assert!(!on_chain.has_settled_otherwise(&story.batches[0], &AccountId::new([5; 32])));
        let found = audited(&story, &on_chain, &log).differences;
        let is_it = |it: &&Difference| matches!(it, Difference::Batch { part: other, .. } if *other == part);
        let differs = found.iter().find(is_it).unwrap();
        let shown = evidence(differs, &on_chain, &log);
        let Evidence::OtherBatch { batch, entry } = &shown else {
            panic!("{part}: {shown:?}");
        };
        assert_eq!(batch.sequence, 0);
        let at = place(&story.entries, |it| matches!(it, Entry::Batched { .. }));
        assert_eq!(entry.position(), Some(at as u64));
        let ruling = decide(&shown, &facts_of(&story, &on_chain, 0), &Ed25519);
        assert!(
            matches!(ruling, Ok(Ruling::Convicted(_))),
            "{part}: {ruling:?}"
        );
    }
    // Of what was settled as it was written down nobody is convicted.
    let on_chain = settled(&story, 0, &log);
    let writer = &on_chain.kept[&0].coordinator;
    for batch in &story.batches {
        assert!(!on_chain.has_settled_otherwise(batch, writer));
    }
}
