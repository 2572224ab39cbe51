//! Faults as the chain is shown them.

use crate::{
    author::Story,
    lies::{honest, place},
    world::{HERE, JOB, blocks, follow, node, roots},
};
use quern_dispute_rules::{Evidence, evidence::BatchName, verdict::receipt_digest};
use quern_joblog::{Entry, Fork, LogFault};
use quern_primitives::{ids::AccountId, verdict::Verdict};
use quern_recheck::{BatchFault, Exhibits, RecheckFault};

/// What a member has of a story whose first batch is disputed.
fn shown(story: &Story, fault: &RecheckFault) -> Option<Evidence> {
    let blocks = blocks(&story.entries, 6);
    let batch = &story.batches[0];
    let tasks = quern_job_rules::tasks::validate(&batch.tasks, 8).unwrap();
    let verdict_on = |task: u32| -> Option<Verdict> {
        story.entries.iter().find_map(|entry| match entry {
            Entry::Judged { verdict } if verdict.task == task => Some(verdict.clone()),
            _ => None,
        })
    };
    let verdicts: Vec<_> = tasks.iter().filter_map(verdict_on).collect();
    let exhibits = Exhibits {
        batch: BatchName {
            job: JOB,
            sequence: batch.sequence,
        },
        verdicts: &verdicts,
        blocks: &blocks,
        writer: node().public(),
        input_roots: &roots(8),
    };
    exhibits.evidence(fault)
}

#[test]
fn an_assignment_is_shown_with_the_headers_up_to_the_head() {
    let mut story = honest();
    let at = place(&story.entries, |it| matches!(it, Entry::Assigned { .. }));
    if let Entry::Assigned { account, .. } = &mut story.entries[at] {
        *account = AccountId::new([9; 32]);
    }
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    let Some(Evidence::Assignment { entry, .. }) = shown(&story, &fault) else {
        panic!("{fault}");
    };
    assert_eq!(entry.logged.position(), Some(at as u64));
    let blocks = blocks(&story.entries, 6);
    let last = entry.links.last().unwrap();
    assert_eq!(
        last.hash(&HERE),
        blocks.last().unwrap().header.payload.hash(&HERE)
    );
}

#[test]
fn a_task_that_is_judged_twice_is_shown_by_both_entries() {
    let mut story = honest();
    let at = place(&story.entries, |it| matches!(it, Entry::Judged { .. }));
    let again = story.entries[at].clone();
    story.entries.insert(at + 1, again);
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    let Some(Evidence::Entries { first, second, .. }) = shown(&story, &fault) else {
        panic!("{fault}");
    };
    assert_eq!(first.position(), Some(at as u64));
    assert_eq!(second.position(), Some(at as u64 + 1));
    assert_eq!(first.entry, second.entry);
}

#[test]
fn a_batch_that_does_not_add_up_is_added_up_by_the_chain() {
    let story = honest();
    let fault = RecheckFault::Batch {
        position: None,
        sequence: 0,
        why: BatchFault::Spent { expected: 1 },
        evidence: vec![],
    };
    assert!(matches!(
        shown(&story, &fault),
        Some(Evidence::Payouts { .. })
    ));
}

#[test]
fn a_receipt_is_shown_with_the_verdict_that_names_it() {
    let story = honest();
    let named = story.entries.iter().find_map(|entry| match entry {
        Entry::Revealed { receipt, .. } => {
            let fault = RecheckFault::Reveal {
                position: 0,
                assigned: None,
                receipt: Box::new(receipt.clone()),
                why: quern_recheck::RevealFault::NotAssigned,
            };
            Some((receipt.clone(), shown(&story, &fault)?))
        }
        _ => None,
    });
    let (named, evidence) = named.unwrap();
    let Evidence::Unassigned {
        leaf,
        receipt,
        entry,
        ..
    } = evidence
    else {
        panic!("{evidence:?}");
    };
    assert_eq!(*receipt, named);
    assert_eq!(entry.logged.position(), Some(named.payload.log_position));
    let digest = receipt_digest(&named);
    let replicas = leaf.verdict().unwrap().replicas;
    assert!(replicas.iter().any(|it| it.receipt == Some(digest)));
}

#[test]
fn a_fork_is_shown_as_it_was_found() {
    let story = honest();
    let header = blocks(&story.entries, 6)[0].header;
    let fork = Fork {
        place: 0,
        first: header,
        second: header,
    };
    let fault = RecheckFault::Log(LogFault::Forked(Box::new(fork.clone())));
    let Some(Evidence::Blocks {
        fork: shown,
        node: writer,
    }) = shown(&story, &fault)
    else {
        panic!("{fault}");
    };
    assert_eq!((*shown, writer), (fork, node().public()));
}

#[test]
fn what_no_dispute_is_about_is_not_shown() {
    let story = honest();
    for fault in [RecheckFault::NoTariff, RecheckFault::InputRoots] {
        assert_eq!(shown(&story, &fault), None);
        assert_eq!(fault.dispute(), None);
    }
}
