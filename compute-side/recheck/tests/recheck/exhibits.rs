//! Faults as the chain is shown them.

use crate::{
    author::{Story, story},
    honest::agreements,
    lies::{honest, is_paid, place},
    world::{HERE, JOB, LANE_SEED, blocks, follow, node, roots},
};
use codec::Encode;
use proptest::prelude::*;
use quern_dispute_rules::{
    Ed25519, Evidence, Facts, Ruling, Sum, decide,
    evidence::BatchName,
    facts::{BatchFacts, Member, Stakes},
    ruling::Offence,
    verdict::{lie_in, receipt_digest},
};
use quern_joblog::{Entry, Fork, LogFault};
use quern_primitives::{
    batch::Batch,
    ids::AccountId,
    lanes::Draw,
    verdict::{Finding, Verdict},
};
use quern_recheck::{BatchFault, Dispute, Exhibits, RecheckFault, Shown};
use std::collections::BTreeMap;

/// What a member has of a story whose first batch is disputed.
fn shown(story: &Story, fault: &RecheckFault) -> Option<Evidence> {
    let mut shown: Vec<Shown> = Vec::new();
    for block in blocks(&story.entries, 6) {
        let header = &block.header.payload;
        shown.iter_mut().for_each(|it| it.take(header));
        shown.push(Shown::new(block));
    }
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
        shown: &shown,
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
fn two_batches_of_one_number_are_shown_by_both_entries() {
    let mut story = honest();
    let at = place(&story.entries, |it| matches!(it, Entry::Batched { .. }));
    let mut other = story.batches[0].clone();
    other.spent += 1;
    let recheck = follow(&story.facts, &story.entries, 6).unwrap();
    let beside = recheck.batch(&other).unwrap_err();
    // The log has only one of them; the other is the chain's.
    let Some(Evidence::OtherBatch { batch, entry }) = shown(&story, &beside) else {
        panic!("{beside}");
    };
    assert_eq!(batch.sequence, other.sequence);
    assert_eq!(entry.position(), Some(at as u64));
    let last = story.entries.len();
    story.entries.push(Entry::Batched { batch: other });
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    let Some(Evidence::Entries {
        node: writer,
        first,
        second,
    }) = shown(&story, &fault)
    else {
        panic!("{fault}");
    };
    assert_eq!(writer, node().public());
    assert_eq!(first.position(), Some(at as u64));
    assert_eq!(second.position(), Some(last as u64));
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
fn a_finding_that_the_receipt_denies_is_shown_with_the_receipt() {
    let mut story = honest();
    let at = place(&story.entries, is_paid);
    let mut denied = None;
    if let Entry::Judged { verdict } = &mut story.entries[at] {
        let mut found = verdict.replicas.iter_mut();
        let found = found.find(|it| it.finding == Finding::Accepted).unwrap();
        (found.finding, found.pay) = (Finding::Incorrect, 0);
        denied = found.receipt;
    }
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert!(matches!(fault, RecheckFault::Verdict { .. }), "{fault}");
    let Some(Evidence::Receipt { receipt, input, .. }) = shown(&story, &fault) else {
        panic!("{fault}");
    };
    assert_eq!((Some(receipt_digest(&receipt)), input), (denied, None));
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
fn an_assignment_in_another_lane_is_shown_as_that_and_convicts() {
    for lanes in [2, 4, 8, 16, 32, 3] {
        let mut story = honest();
        let is_of_another = |it: &Entry| match it {
            Entry::Assigned {
                task,
                replica,
                account,
                ..
            } => !Draw::of(&LANE_SEED.0, account).is_for(*task, *replica, lanes),
            _ => false,
        };
        let at = place(&story.entries, is_of_another);
        if let Entry::Assigned { lanes: claimed, .. } = &mut story.entries[at] {
            *claimed = lanes;
        }
        let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
        assert_eq!(fault.dispute(), Some(Dispute::Assignment));
        let Some(evidence) = shown(&story, &fault) else {
            panic!("{fault}");
        };
        let Evidence::OtherLane { entry, .. } = &evidence else {
            panic!("{evidence:?}");
        };
        assert_eq!(entry.logged.position(), Some(at as u64));
        let mut facts = chain_facts(&story, &story.batches[0]);
        let blocks = blocks(&story.entries, 6);
        let batch = facts.batch.as_mut().unwrap();
        batch.heads = vec![blocks.last().unwrap().header.payload.hash(&HERE)];
        batch.log.last = story.entries.len() as u64;
        let ruling = decide(&evidence, &facts, &Ed25519);
        assert!(
            matches!(&ruling, Ok(Ruling::Convicted(it)) if it.offence == Offence::OtherLane),
            "{ruling:?}"
        );
    }
}

#[test]
fn what_no_dispute_is_about_is_not_shown() {
    let story = honest();
    for fault in [RecheckFault::NoTariff, RecheckFault::InputRoots] {
        assert_eq!(shown(&story, &fault), None);
        assert_eq!(fault.dispute(), None);
    }
}

/// What the chain says of a story's batch, with nobody but its coordinator in its group.
pub(crate) fn chain_facts(story: &Story, batch: &Batch) -> Facts {
    Facts {
        genesis: HERE,
        job_id: JOB,
        job: story.facts.job.clone(),
        batch: Some(BatchFacts {
            sequence: batch.sequence,
            verdicts_root: batch.verdicts_root,
            verdicts: quern_job_rules::tasks::count(&batch.tasks.bits),
            spent: batch.spent,
            log: batch.log,
            settled_at: u32::MAX,
            coordinator: AccountId::new([1; 32]),
            certifiers: vec![],
            heads: vec![],
            tasks: batch.tasks.clone(),
            payouts: batch.payouts.to_vec(),
            devices: batch.devices.to_vec(),
        }),
        group: vec![Member {
            account: AccountId::new([1; 32]),
            node: node().public(),
            bond: 1,
        }],
        referees: vec![],
        device: None,
        worker_bond: 0,
        lane_seed: Some(LANE_SEED),
        seed: None,
        stakes: Stakes {
            masternode_slash: 1,
            device_slash: 1,
            wrong_answer_slash: 1,
            dispute_bond: 1,
            winner_permille: 500,
        },
    }
}

proptest! {
    #[test]
    fn what_is_accepted_here_the_chain_never_convicts(
        agreement in agreements(), tasks in 1u32..10, seed: u64,
    ) {
        let story = story(agreement, tasks, seed);
        let mut judged = BTreeMap::new();
        for entry in &story.entries {
            if let Entry::Judged { verdict } = entry {
                judged.insert(verdict.task, verdict.encode());
            }
        }
        for batch in &story.batches {
            let facts = chain_facts(&story, batch);
            let set = quern_job_rules::tasks::validate(&batch.tasks, tasks).unwrap();
            let mut step = vec![];
            for task in set.iter() {
                let bytes = &judged[&task];
                prop_assert_eq!(lie_in(bytes, task, &facts), None);
                step.push(bytes.clone().try_into().unwrap());
            }
            let mut sum = Sum::default();
            sum.add(&step.try_into().unwrap(), &facts).unwrap();
            let ruling = sum.conclude(&facts);
            prop_assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
        }
    }
}
