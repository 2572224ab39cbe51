//! Whole jobs, held to the rules and to a chain that settled them as the log says, or otherwise.

mod lanes;

use crate::{
    author::{Story, story},
    chain::{settled, verdicts_of},
    honest::{acknowledged, agreements},
    lies::{honest, is_paid, place},
    world::{Facts, HERE, SEED, blocks, device_key, node, roots},
};
use proptest::prelude::*;
use quern_dispute_rules::{Evidence, evidence::Withheld};
use quern_job_rules::tasks;
use quern_joblog::{Entry, LogFault, ReleaseCause, SignedBlock};
use quern_primitives::{
    batch::{BatchRecord, BatchState, PendingBatch},
    ids::{AccountId, Digest},
    job::{Agreement, JobEnd, JobState},
    limits::REPLICAS_PER_TASK_MAX,
    merkle::Tree,
    verdict::{Finding, ReplicaFinding},
};
use quern_recheck::{
    Audited, Difference, Filing, Inputs, JobAudit, OnChain, Part, RecheckFault, Showing, SumOf,
    Unfiled, Wanted, writer_of,
};
use std::collections::BTreeSet;

fn over() -> JobState {
    JobState::Settling {
        coordinator: AccountId::new([4; 32]),
        end: JobEnd::AllSettled,
        cancelled: None,
    }
}

#[test]
fn a_batch_that_rests_on_what_was_told_is_missed_though_the_job_goes_on() {
    let mut story = honest();
    let at = place(&story.entries, |it| matches!(it, Entry::Batched { .. }));
    let log = blocks(&story.entries, 1);
    let on_chain = settled(&story, 0, &log);
    // The entry that tells of it is another one, and the log goes on behind it.
    story.entries[at] = Entry::Added {
        task: 0,
        replicas: 0,
    };
    let blocks = blocks(&story.entries, 1);
    let found = audited(&story, &on_chain, &blocks[..at + 2]);
    let sequence = story.batches[0].sequence;
    assert!(
        found
            .differences
            .contains(&Difference::NotInLog { sequence }),
        "{found:?}"
    );
}

#[test]
fn what_was_acknowledged_and_left_out_of_a_verdict_is_found_and_shown_by_who_has_the_word() {
    let mut story = honest();
    let revealed = |(position, entry): (u64, &Entry)| match entry {
        Entry::Revealed { receipt, .. } => Some(acknowledged(receipt, position)),
        _ => None,
    };
    let words: Vec<_> = (0..).zip(&story.entries).filter_map(revealed).collect();
    let expecting = |story: &Story, on_chain: &OnChain, blocks: &[SignedBlock]| {
        let audit = begun(&story.facts, on_chain, Some(roots(8)));
        let mut audit = audit.expecting(words.iter().cloned());
        blocks.iter().for_each(|block| audit.take(block));
        audit.finish().differences
    };
    let log = blocks(&story.entries, 6);
    let found = expecting(&story, &settled(&story, 0, &log), &log);
    assert!(found.is_empty(), "{found:?}");

    let at = place(&story.entries, is_paid);
    let Entry::Judged { verdict } = &mut story.entries[at] else {
        panic!("no verdict");
    };
    let is_accepted = |found: &ReplicaFinding| found.finding == Finding::Accepted;
    let left_out = verdict.replicas.iter().position(is_accepted).unwrap();
    let receipt = verdict.replicas.remove(left_out).receipt.unwrap();
    let task = verdict.task;
    // The chain has the batch as it follows from that.
    let log = blocks(&story.entries, 6);
    let mut on_chain = settled(&story, 0, &log);
    let batch = on_chain.kept.iter().find(|(_, batch)| {
        let tasks = tasks::validate(&batch.tasks, 8).unwrap();
        tasks.iter().any(|it| it == task)
    });
    let batch = *batch.unwrap().0;
    let verdicts = verdicts_of(&story, &on_chain.kept[&batch]);
    let record = on_chain.batches.get_mut(&batch).unwrap();
    record.verdicts_root = Tree::new(verdicts).root();

    let found = expecting(&story, &on_chain, &log);
    let is_omitted =
        |it: &&Difference| matches!(it, Difference::Rule(RecheckFault::Omitted { .. }));
    let omitted: Vec<_> = found.iter().filter(is_omitted).collect();
    assert_eq!(omitted.len(), 1, "{found:?}");
    let Evidence::Omission {
        batch: named,
        acknowledgement,
        leaf,
    } = evidence(omitted[0], &on_chain, &log)
    else {
        panic!("{found:?}");
    };
    assert_eq!(
        (named.sequence, acknowledgement.payload.receipt),
        (batch, receipt)
    );
    assert_eq!(leaf.unwrap().verdict().unwrap().task, task);
}

pub(crate) fn begun(
    facts: &Facts,
    on_chain: &OnChain,
    roots: Option<Vec<Digest>>,
) -> JobAudit<Facts> {
    let audit = JobAudit::new(facts.clone(), on_chain.clone(), roots, node().public());
    audit.unwrap().with_trust_seed(SEED)
}

pub(crate) fn audited(story: &Story, on_chain: &OnChain, blocks: &[SignedBlock]) -> Audited {
    let tasks = story.facts.job.submission.tasks;
    let mut audit = begun(&story.facts, on_chain, Some(roots(tasks)));
    blocks.iter().for_each(|block| audit.take(block));
    audit.finish()
}

pub(crate) fn filing(
    difference: &Difference,
    on_chain: &OnChain,
    blocks: &[SignedBlock],
) -> Filing {
    let job = crate::world::JOB;
    match Showing::of(job, difference, on_chain) {
        Ok(mut showing) => {
            blocks.iter().for_each(|block| showing.take(block));
            showing.filing(&roots(on_chain.job.submission.tasks))
        }
        Err(why) => Filing::Cannot(why),
    }
}

/// What the chain is shown, which has to be something.
pub(crate) fn evidence(
    difference: &Difference,
    on_chain: &OnChain,
    blocks: &[SignedBlock],
) -> Evidence {
    match filing(difference, on_chain, blocks) {
        Filing::Can { evidence, .. } => *evidence,
        Filing::Cannot(why) => panic!("{difference}: {why}"),
    }
}

fn codes(audited: &Audited) -> Vec<&'static str> {
    audited.differences.iter().map(Difference::code).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_settled_as_the_log_says_has_no_difference(
        agreement in agreements(), tasks in 1u32..10, seed: u64, per_block in 1usize..30,
        pending_from in 0usize..4,
    ) {
        let story = story(agreement, tasks, seed);
        let blocks = blocks(&story.entries, per_block);
        let on_chain = settled(&story, pending_from, &blocks);
        let found = audited(&story, &on_chain, &blocks);
        prop_assert_eq!(&found.differences, &vec![]);
        prop_assert!(found.is_whole);
        prop_assert_eq!(found.blocks, blocks.len() as u64);
        prop_assert_eq!(found.entries, story.entries.len() as u64);
        prop_assert_eq!(found.batches, story.batches.len() as u64);
        prop_assert_eq!(found.inputs, Inputs::Manifest);
    }

    #[test]
    fn without_the_manifest_the_receipts_show_what_was_read(
        agreement in agreements(), tasks in 1u32..10, seed: u64,
    ) {
        let story = story(agreement, tasks, seed);
        let blocks = blocks(&story.entries, 9);
        let on_chain = settled(&story, 1, &blocks);
        let mut audit = begun(&story.facts, &on_chain, None);
        blocks.iter().for_each(|block| audit.take(block));
        let found = audit.finish();
        prop_assert_eq!(&found.differences, &vec![]);
        let revealed: BTreeSet<_> = story.entries.iter().filter_map(|entry| match entry {
            Entry::Revealed { receipt, .. } => Some(receipt.payload.task),
            _ => None,
        }).collect();
        let is_whole = revealed.len() == tasks as usize;
        let expected = if is_whole { Inputs::Receipts } else { Inputs::Unknown };
        prop_assert_eq!(found.inputs, expected);
    }

    #[test]
    fn a_log_of_which_any_bit_was_changed_is_found_out(
        seed: u64, which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let story = story(Agreement::Unanimous, 5, seed);
        let blocks = blocks(&story.entries, 7);
        let on_chain = settled(&story, 1, &blocks);
        let which = which.index(blocks.len());
        let mut bytes = blocks[which].to_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let mut audit = begun(&story.facts, &on_chain, Some(roots(5)));
        for (number, block) in blocks.iter().enumerate() {
            match SignedBlock::read(&bytes) {
                _ if number != which => audit.take(block),
                Ok(changed) => audit.take(&changed),
                Err(fault) => audit.broken(fault),
            }
        }
        let found = audit.finish();
        prop_assert!(!found.is_whole);
        prop_assert_eq!(codes(&found), ["log"]);
    }
}

#[test]
fn a_device_that_was_late_gives_way_in_a_verdict_to_the_last_of_as_many_answers_as_may_be() {
    let story = story(
        Agreement::Majority { replicas: 3 },
        8,
        5_122_830_190_644_302_924,
    );
    let of_task = |entry: &&Entry| match entry {
        Entry::Revealed { receipt, .. } => receipt.payload.task == 1,
        Entry::Released { task, cause, .. } => *task == 1 && *cause == ReleaseCause::Late,
        _ => false,
    };
    assert_eq!(story.entries.iter().filter(of_task).count(), 16);
    let verdict = story.entries.iter().find_map(|entry| match entry {
        Entry::Judged { verdict } if verdict.task == 1 => Some(verdict),
        _ => None,
    });
    let replicas = &verdict.unwrap().replicas;
    assert_eq!(replicas.len(), usize::from(REPLICAS_PER_TASK_MAX));
    assert!(replicas.iter().all(|found| found.receipt.is_some()));
    let blocks = blocks(&story.entries, 1);
    let found = audited(&story, &settled(&story, 0, &blocks), &blocks);
    assert_eq!(found.differences, []);
}

#[test]
fn a_lie_is_told_with_what_it_was_and_what_follows_is_still_compared() {
    let mut story = honest();
    let at = place(&story.entries, is_paid);
    let Entry::Judged { verdict } = &mut story.entries[at] else {
        panic!("it is a verdict");
    };
    verdict.price += 1;
    let blocks = blocks(&story.entries, 6);
    let mut on_chain = settled(&story, 0, &blocks);
    let last = story.batches.len() as u32 - 1;
    if let Some(record) = on_chain.batches.get_mut(&last) {
        record.verdicts_root = Digest([77; 32]);
    }
    let found = audited(&story, &on_chain, &blocks);
    assert_eq!(codes(&found), ["verdict", "batch_root"]);
    assert!(!found.is_whole);
    let rule = &found.differences[0];
    assert!(rule.positions().contains(&(at as u64)), "{rule}");
    assert_eq!(found.differences[1].batch(), Some(last));
}

#[test]
fn what_the_chain_settled_otherwise_is_told_part_by_part() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let honest = settled(&story, 0, &blocks);
    let parts_with = |change: &dyn Fn(&mut OnChain)| {
        let mut on_chain = honest.clone();
        change(&mut on_chain);
        let found = audited(&story, &on_chain, &blocks);
        let parts: Vec<_> = found
            .differences
            .iter()
            .filter_map(|difference| match difference {
                Difference::Batch { part, .. } => Some(*part),
                _ => None,
            })
            .collect();
        parts
    };
    let record = |change: fn(&mut BatchRecord)| {
        parts_with(&|on_chain| on_chain.batches.values_mut().take(1).for_each(change))
    };
    let pending = |change: fn(&mut PendingBatch)| {
        parts_with(&|on_chain| on_chain.kept.values_mut().take(1).for_each(change))
    };
    assert_eq!(record(|it| it.verdicts_root.0[0] ^= 1), [Part::Root]);
    assert_eq!(record(|it| it.log.last += 1), [Part::Log]);
    assert_eq!(record(|it| it.head.0[0] ^= 1), [Part::Head]);
    assert_eq!(record(|it| it.tasks += 1), [Part::Tasks]);
    assert_eq!(record(|it| it.spent += 1), [Part::Spent]);
    assert_eq!(record(|it| it.paid += 1), [Part::Workers]);
    assert_eq!(pending(|it| it.payouts[0].amount += 1), [Part::Payouts]);
    assert_eq!(
        pending(|it| it.payouts.truncate(it.payouts.len() - 1)),
        [Part::Payouts]
    );
    assert_eq!(
        pending(|it| it.devices[0].change.accepted += 1),
        [Part::Devices]
    );
    assert_eq!(pending(|it| it.tasks.first += 8), [Part::Tasks]);
    assert_eq!(pending(|it| it.split.treasury += 1), [Part::Split]);
    assert_eq!(parts_with(&|_| {}), []);
    // A batch that is final is held to what it set aside, where that is known.
    let made_final = |change: fn(&mut PendingBatch)| {
        parts_with(&|on_chain| {
            let state = BatchState::Final { at: 20 };
            let mut records = on_chain.batches.values_mut();
            records.next().unwrap().state = state;
            on_chain.kept.values_mut().take(1).for_each(change);
        })
    };
    assert_eq!(made_final(|it| it.payouts[0].amount += 1), [Part::Payouts]);
    assert_eq!(made_final(|_| {}), []);
}

#[test]
fn a_job_s_sums_are_held_to_its_batches() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let sums_with = |change: fn(&mut OnChain)| {
        let mut on_chain = settled(&story, 1, &blocks);
        change(&mut on_chain);
        let found = audited(&story, &on_chain, &blocks);
        let sums: Vec<_> = found
            .differences
            .iter()
            .map(|difference| match difference {
                Difference::Sum { of, .. } => *of,
                other => panic!("{other}"),
            })
            .collect();
        sums
    };
    assert_eq!(
        sums_with(|it| it.job.escrow.paid += 1),
        [SumOf::Paid, SumOf::Deposit]
    );
    assert_eq!(
        sums_with(|it| it.job.escrow.network += 1),
        [SumOf::Network, SumOf::Deposit]
    );
    assert_eq!(
        sums_with(|it| it.job.escrow.pending += 1),
        [SumOf::Pending, SumOf::Deposit]
    );
    assert_eq!(sums_with(|it| it.job.escrow.held += 1), [SumOf::Deposit]);
    assert_eq!(sums_with(|it| it.job.settled_tasks += 1), [SumOf::Tasks]);
    assert_eq!(
        sums_with(|it| it.job.pending_batches += 1),
        [SumOf::PendingBatches]
    );
    let mut on_chain = settled(&story, 1, &blocks);
    on_chain.job.next_batch += 1;
    let found = audited(&story, &on_chain, &blocks);
    assert_eq!(codes(&found), ["batch_without_record"]);
}

#[test]
fn a_log_that_was_cut_off_lacks_what_the_chain_settled() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let mut on_chain = settled(&story, 0, &blocks);
    // While the job goes on its coordinator may tell the rest later.
    let found = audited(&story, &on_chain, &blocks[..1]);
    assert_eq!(found.differences, []);
    assert_eq!(found.untold.len(), story.batches.len());
    on_chain.job.state = over();
    let found = audited(&story, &on_chain, &blocks[..1]);
    assert_eq!(found.untold, []);
    assert_eq!(found.differences.len(), story.batches.len());
    for (difference, batch) in found.differences.iter().zip(&story.batches) {
        let sequence = batch.sequence;
        assert_eq!(*difference, Difference::NotInLog { sequence });
        let evidence = evidence(difference, &on_chain, &blocks[..1]);
        let Evidence::Withheld { batch, what } = evidence else {
            panic!("{evidence:?}");
        };
        assert_eq!(batch.sequence, sequence);
        assert!(matches!(what, Withheld::Verdict { .. }));
    }
    // What was struck need not be in it.
    let mut struck = on_chain.clone();
    for record in struck.batches.values_mut() {
        record.state = BatchState::Struck { at: 30 };
    }
    let found = audited(&story, &struck, &blocks[..1]);
    assert!(!codes(&found).contains(&"batch_not_in_log"));
}

#[test]
fn batches_that_are_not_settled_yet_are_no_difference() {
    let story = honest();
    let mut some = Story {
        facts: story.facts.clone(),
        entries: story.entries.clone(),
        batches: story.batches.clone(),
    };
    let last = some.batches.pop().unwrap();
    let blocks = blocks(&story.entries, 6);
    let on_chain = settled(&some, 0, &blocks);
    let found = audited(&story, &on_chain, &blocks);
    assert_eq!(found.differences, []);
    assert_eq!(found.unsettled, [last.sequence]);
}

#[test]
fn behind_a_block_that_does_not_follow_nothing_is_said() {
    let story = honest();
    let mut blocks = blocks(&story.entries, 6);
    let on_chain = settled(&story, 0, &blocks);
    blocks.remove(1);
    let found = audited(&story, &on_chain, &blocks);
    let (expected, index) = (1, 2);
    let gap = RecheckFault::Log(LogFault::Gap { expected, index });
    assert_eq!(found.differences, [Difference::Rule(gap)]);
    assert_eq!((found.blocks, found.is_whole), (1, false));
}

#[test]
fn inputs_that_are_not_the_job_s_are_found_without_the_manifest() {
    let mut story = story(Agreement::Single, 1, 3);
    let without_manifest = |story: &Story| {
        let blocks = blocks(&story.entries, 9);
        let on_chain = settled(story, 0, &blocks);
        let mut audit = begun(&story.facts, &on_chain, None);
        blocks.iter().for_each(|block| audit.take(block));
        audit.finish()
    };
    story.facts.job.submission.shards_root = Digest([1; 32]);
    let found = without_manifest(&story);
    assert_eq!(codes(&found), ["other_inputs"]);
    // Two devices that read different things cannot both be right.
    let mut story = honest();
    let is_revealed = |entry: &Entry| matches!(entry, Entry::Revealed { .. });
    let first = place(&story.entries, is_revealed);
    let Entry::Revealed { receipt: of, .. } = &story.entries[first] else {
        panic!("it is a receipt");
    };
    let (task, key) = (of.payload.task, of.payload.device);
    let mut other = of.payload.clone();
    other.input_root = Digest([99; 32]);
    let device = (0..40).find(|it| device_key(*it).id() == key).unwrap();
    if let Entry::Revealed { receipt, .. } = &mut story.entries[first] {
        *receipt = device_key(device).sign(other, &HERE);
    }
    let found = without_manifest(&story);
    let is_two = |it: &&Difference| matches!(it, Difference::TwoInputs { task: of, first: at, .. } if *of == task && *at == first as u64);
    assert!(found.differences.iter().any(|it| is_two(&it)), "{found:?}");
}

#[test]
fn an_assignment_that_could_not_be_is_disputed_while_its_batch_is_pending() {
    let mut story = honest();
    let at = place(&story.entries, |it| matches!(it, Entry::Assigned { .. }));
    if let Entry::Assigned { account, .. } = &mut story.entries[at] {
        *account = AccountId::new([9; 32]);
    }
    let blocks = blocks(&story.entries, 6);
    let pending = settled(&story, 0, &blocks);
    let found = audited(&story, &pending, &blocks);
    let evidence = evidence(&found.differences[0], &pending, &blocks);
    let Evidence::Assignment { batch, entry } = evidence else {
        panic!("{evidence:?}");
    };
    assert_eq!(batch.sequence, 0);
    assert_eq!(entry.logged.position(), Some(at as u64));
    // The links end with the block that has the last entry on which the batch rests.
    let last = story.batches[0].log.last;
    let head = blocks.iter().rfind(|it| it.header.payload.first <= last);
    let end = entry.links.last().copied();
    let own = entry.logged.header.payload;
    assert_eq!(
        end.unwrap_or(own).hash(&HERE),
        head.unwrap().header.payload.hash(&HERE)
    );
    let is_final = settled(&story, story.batches.len(), &blocks);
    let why = filing(&found.differences[0], &is_final, &blocks);
    assert_eq!(why, Filing::Cannot(Unfiled::Final));
}

#[test]
fn what_the_chain_does_not_decide_is_not_disputed() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let on_chain = settled(&story, 0, &blocks);
    let sum = Difference::Sum {
        of: SumOf::Paid,
        batches: 1,
        chain: 2,
    };
    let why = filing(&sum, &on_chain, &blocks);
    assert_eq!(why, Filing::Cannot(Unfiled::NoBatch));
    let sequence = story.batches.len() as u32;
    let why = filing(&Difference::NoRecord { sequence }, &on_chain, &blocks);
    assert_eq!(why, Filing::Cannot(Unfiled::NoBatch));
    let answer = crate::author::answer(0, 0);
    let recomputed = Difference::Recomputed {
        task: 0,
        accepted: answer,
        computed: crate::author::answer(0, 1),
    };
    let why = filing(&recomputed, &on_chain, &blocks);
    assert_eq!(why, Filing::Cannot(Unfiled::Referees));
}

#[test]
fn a_pending_payout_that_differs_is_added_up_by_the_chain() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let mut on_chain = settled(&story, 0, &blocks);
    if let Some(pending) = on_chain.kept.get_mut(&0) {
        pending.payouts[0].amount += 1;
        // By others too, and with another block than that which has the batch.
        pending.certified_by = vec![0, 1].try_into().unwrap();
    }
    on_chain.batches.get_mut(&0).unwrap().block += 2;
    let found = audited(&story, &on_chain, &blocks);
    let is_batchs =
        |it: &&Difference| matches!(it, Difference::Batch { part, .. } if *part == Part::Payouts);
    let differs = found.differences.iter().find(is_batchs).unwrap();
    let evidence = evidence(differs, &on_chain, &blocks);
    assert!(matches!(evidence, Evidence::Payouts { .. }));
    // The verdicts that it adds up are shown in the order of the batch's tree.
    let Filing::Can { verdicts, .. } = filing(differs, &on_chain, &blocks) else {
        panic!("{found:?}");
    };
    assert_eq!(Tree::new(&verdicts).root(), story.batches[0].verdicts_root);
    // Other verdicts than the batch's add up to nothing; then its writer is shown what it wrote.
    on_chain
        .batches
        .values_mut()
        .for_each(|it| it.verdicts_root = Digest([9; 32]));
    let shown = crate::audit::evidence(differs, &on_chain, &blocks);
    assert!(matches!(shown, Evidence::OtherBatch { .. }), "{shown:?}");
    // Where another coordinator settled it, what was written down says nothing.
    let pending = on_chain.kept.get_mut(&0).unwrap();
    pending.coordinator = AccountId::new([5; 32]);
    let why = filing(differs, &on_chain, &blocks);
    assert_eq!(why, Filing::Cannot(Unfiled::NotAtHand));
}

#[test]
fn the_answers_of_watched_tasks_are_kept_and_no_others() {
    let story = honest();
    let blocks = blocks(&story.entries, 6);
    let on_chain = settled(&story, 0, &blocks);
    let audit = begun(&story.facts, &on_chain, Some(roots(8)));
    let mut audit = audit.watching([2, 5].into());
    blocks.iter().for_each(|block| audit.take(block));
    let answers = audit.finish().answers;
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [2, 5]);
    for entry in &story.entries {
        if let Entry::Judged { verdict } = entry
            && let Some(answer) = answers.get(&verdict.task)
        {
            assert_eq!(*answer, verdict.answer);
        }
    }
}

#[test]
fn what_a_block_looks_up_is_known_before_it_is_taken() {
    let story = honest();
    let block = &blocks(&story.entries, 1_000)[0];
    let wanted = Wanted::by(block);
    assert_eq!(wanted.coordinators, [2].into());
    assert_eq!(writer_of(block), Some(node().public()));
    for entry in &story.entries {
        if let Entry::Assigned {
            device,
            account,
            at,
            ..
        } = entry
        {
            assert_eq!(wanted.devices[at].get(device), Some(account));
        }
    }
}
