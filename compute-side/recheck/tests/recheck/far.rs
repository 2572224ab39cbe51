//! Lies that stand some thousand blocks before the head that was certified.

use crate::{
    author::Story,
    chain::settled,
    exhibits::chain_facts,
    lies::{honest, place},
    world::{JOB, account, blocks, recheck},
};
use quern_dispute_rules::{
    Ed25519, Evidence, Facts, Refusal, Ruling, decide,
    evidence::{Certified, LINKS_MAX},
    facts::DeviceFacts,
    ruling::Offence,
    verdict::receipt_digest,
};
use quern_joblog::{Entry, SignedBlock};
use quern_primitives::ids::AccountId;
use quern_recheck::{Difference, Filing, RecheckFault, RevealFault, Showing};

/// Blocks between the entry that is shown and the certified head; many times as many as are shown.
const BETWEEN: usize = 3_000;

/// A story whose log goes on for so many blocks behind the entry at a place before it tells of anything
/// else, and its blocks, of one entry each.
fn drawn_out(mut story: Story, at: usize) -> (Story, Vec<SignedBlock>) {
    let behind = at + 1..at + 1;
    let pause = (0..BETWEEN as u32).map(|_| Entry::Queued { first: 0, tasks: 1 });
    story.entries.splice(behind, pause);
    story.batches.truncate(1);
    let batch = &mut story.batches[0];
    batch.log.last += BETWEEN as u64;
    let blocks = blocks(&story.entries, 1);
    (story, blocks)
}

/// What is shown of it, read as a stream.
fn filed(story: &Story, blocks: &[SignedBlock], difference: &Difference) -> Evidence {
    let on_chain = settled(story, 0, blocks);
    let mut showing = Showing::of(JOB, difference, &on_chain).unwrap();
    blocks.iter().for_each(|block| showing.take(block));
    match showing.filing(&[]) {
        Filing::Can { evidence, .. } => *evidence,
        Filing::Cannot(why) => panic!("{difference}: {why}"),
    }
}

/// What the chain knows of it, with a device that has always been of this account.
fn facts(story: &Story, blocks: &[SignedBlock], owner: AccountId) -> Facts {
    let mut facts = chain_facts(story, &story.batches[0]);
    let record = settled(story, 0, blocks).batches[&story.batches[0].sequence];
    if let Some(batch) = &mut facts.batch {
        batch.heads = vec![record.head];
    }
    facts.device = Some(DeviceFacts {
        registered: Some((owner.clone(), 0)),
        answers: Some(owner),
        accepted: 0,
        is_convicted: false,
    });
    facts
}

fn fault_of(story: &Story, blocks: &[SignedBlock]) -> RecheckFault {
    let (mut recheck, mut blocks) = (recheck(&story.facts), blocks.iter());
    let fault = blocks.find_map(|block| recheck.take(&block.to_bytes()).err());
    fault.unwrap()
}

fn assert_short(entry: &Certified, from: u64) {
    let head = entry.links.last().unwrap();
    assert!(head.index > from + BETWEEN as u64);
    let doublings = (u64::BITS - head.index.leading_zeros()) as usize;
    assert!(entry.links.len() <= 3 * doublings);
    const { assert!(BETWEEN > 10 * LINKS_MAX as usize) };
}

#[test]
fn an_assignment_some_thousand_blocks_before_the_head_is_shown_and_the_rules_convict() {
    let mut story = honest();
    let at = place(&story.entries, |it| matches!(it, Entry::Assigned { .. }));
    let mut owner = account(0);
    if let Entry::Assigned { account, .. } = &mut story.entries[at] {
        owner = account.clone();
        *account = AccountId::new([9; 32]);
    }
    let (story, blocks) = drawn_out(story, at);
    let fault = fault_of(&story, &blocks);
    assert!(matches!(fault, RecheckFault::Assignment { .. }), "{fault}");
    let evidence = filed(&story, &blocks, &fault.into());
    let Evidence::Assignment { entry, .. } = &evidence else {
        panic!("{evidence:?}");
    };
    assert_eq!(entry.logged.position(), Some(at as u64));
    assert_short(entry, at as u64);
    match decide(&evidence, &facts(&story, &blocks, owner), &Ed25519) {
        Ok(Ruling::Convicted(it)) => assert_eq!(it.offence, Offence::Assignment),
        other => panic!("{other:?}"),
    }
    // Had it been so, nobody would be convicted.
    let as_written = facts(&story, &blocks, AccountId::new([9; 32]));
    let ruling = decide(&evidence, &as_written, &Ed25519);
    assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
}

#[test]
fn a_receipt_some_thousand_blocks_behind_its_assignment_is_shown_with_that() {
    let story = honest();
    let tasks = quern_job_rules::tasks::validate(&story.batches[0].tasks, 8).unwrap();
    let mut verdicts = story.entries.iter().filter_map(|entry| match entry {
        Entry::Judged { verdict } if tasks.iter().any(|it| it == verdict.task) => Some(verdict),
        _ => None,
    });
    let named = verdicts.find_map(|it| it.replicas.iter().find_map(|it| it.receipt));
    let receipt = story.entries.iter().find_map(|entry| match entry {
        Entry::Revealed { receipt, .. } if Some(receipt_digest(receipt)) == named => {
            Some(receipt.clone())
        }
        _ => None,
    });
    let receipt = receipt.unwrap();
    let at = receipt.payload.log_position as usize;
    let (mut story, _) = drawn_out(story, at);
    // Somebody else was given the replica that a verdict names a receipt of.
    if let Entry::Assigned { replica, .. } = &mut story.entries[at] {
        *replica += 1;
    }
    let blocks = blocks(&story.entries, 1);
    let fault = RecheckFault::Reveal {
        position: story.batches[0].log.last,
        assigned: None,
        receipt: Box::new(receipt),
        why: RevealFault::NotAssigned,
    };
    let evidence = filed(&story, &blocks, &fault.into());
    let Evidence::Unassigned { entry, .. } = &evidence else {
        panic!("{evidence:?}");
    };
    assert_short(entry, at as u64);
    match decide(&evidence, &facts(&story, &blocks, account(0)), &Ed25519) {
        Ok(Ruling::Convicted(it)) => assert_eq!(it.offence, Offence::Unassigned),
        other => panic!("{other:?}"),
    }
}

#[test]
fn headers_behind_the_certified_head_are_no_part_of_what_is_shown() {
    let mut story = honest();
    let at = place(&story.entries, |it| matches!(it, Entry::Assigned { .. }));
    if let Entry::Assigned { account, .. } = &mut story.entries[at] {
        *account = AccountId::new([9; 32]);
    }
    let (mut story, blocks) = drawn_out(story, at);
    let difference = Difference::from(fault_of(&story, &blocks));
    let end = Entry::Queued { first: 0, tasks: 1 };
    for more in [0, 1, 100] {
        story.entries.extend(vec![end.clone(); more]);
        let blocks = crate::world::blocks(&story.entries, 1);
        let evidence = filed(&story, &blocks, &difference);
        let ruling = decide(&evidence, &facts(&story, &blocks, account(0)), &Ed25519);
        assert_ne!(ruling, Err(Refusal::NotInLog), "{more}");
    }
}
