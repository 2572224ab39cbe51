//! Jobs that another masternode went on with: each batch is held to the log of who settled it.

use crate::{
    author::{Story, story, story_behind},
    chain::{joined, settled},
    honest::agreements,
    lies::{is_paid, place},
    world::{
        COORDINATOR, HERE, JOB, SEED, TAKEN_OVER_AT, account, blocks_by, node, roots, successor,
    },
};
use proptest::prelude::*;
use quern_dispute_rules::Evidence;
use quern_job_rules::tasks;
use quern_joblog::{Entry, SignedBlock};
use quern_primitives::{
    batch::BatchState,
    ids::{AccountId, NodeKey},
    job::{Agreement, JobEnd, JobState},
    payload::NodeSecret,
};
use quern_recheck::{
    AuditedTurn, Base, Coordinator, Difference, Filing, Inputs, JobAudit, JobAudited, OnChain,
    Part, RecheckFault, Showing, Turn, Turns,
};
use std::collections::BTreeSet;

/// A job that was taken over, and the log of each coordinator.
struct Handed {
    logs: [Vec<SignedBlock>; 2],
    base: Base,
    on_chain: OnChain,
    stories: [Story; 2],
}

fn is_batch(entry: &&Entry) -> bool {
    matches!(entry, Entry::Batched { .. })
}

/// The first coordinator stops behind so many entries of its log; the last of its batches was settled, or was
/// not any more. The other one computes what is left.
fn handed(first: &Story, until: usize, is_last_settled: bool, seed: u64) -> Handed {
    let mut first = first.clone();
    first.entries.truncate(until);
    let told = first.entries.iter().filter(is_batch).count();
    let lost = usize::from(!is_last_settled);
    first.batches.truncate(told.saturating_sub(lost));
    let submission = &first.facts.job.submission;
    let (agreement, count) = (submission.agreement, submission.tasks);
    let base = Base {
        at: TAKEN_OVER_AT,
        first: first.batches.len() as u32,
        settled: first
            .batches
            .iter()
            .flat_map(|batch| {
                tasks::validate(&batch.tasks, count)
                    .unwrap()
                    .iter()
                    .collect::<Vec<_>>()
            })
            .collect(),
    };
    let opened = Entry::Opened {
        coordinator: account(0),
        node: successor().public(),
        at: TAKEN_OVER_AT,
    };
    let begins = (opened, TAKEN_OVER_AT);
    let second = story_behind(agreement, count, seed, begins, (base.first, &base.settled));
    let logs = [
        blocks_by(node(), &first.entries, 3),
        blocks_by(successor(), &second.entries, 4),
    ];
    let [of_first, of_second] = [settled(&first, 1, &logs[0]), settled(&second, 0, &logs[1])];
    let mut on_chain = joined(of_first, of_second);
    on_chain.job.state = JobState::Settling {
        coordinator: account(0),
        end: JobEnd::AllSettled,
        cancelled: None,
    };
    Handed {
        logs,
        base,
        on_chain,
        stories: [first, second],
    }
}

impl Handed {
    fn turns(&self) -> Vec<Turn> {
        let of = |account: AccountId, node: NodeKey| Coordinator { account, node };
        let first = of(COORDINATOR, node().public());
        let second = of(account(0), successor().public());
        let by = |sequence: u32| match sequence < self.base.first {
            true => first.clone(),
            false => second.clone(),
        };
        let settlers = self.on_chain.batches.keys().map(|it| (*it, by(*it)));
        let turns = Turns::of(settlers, Some(second.clone())).unwrap();
        turns.iter().cloned().collect()
    }

    /// The log of each turn, by whose it is.
    fn log_of(&self, turn: &Turn) -> (&[SignedBlock], Base) {
        match turn.coordinator.account == COORDINATOR {
            true => (&self.logs[0], Base::default()),
            false => (&self.logs[1], self.base.clone()),
        }
    }

    /// Holds these logs to the chain. The last of the coordinators tells its own.
    fn audited(&self, knows_roots: bool) -> JobAudited {
        let count = self.on_chain.job.submission.tasks;
        let turns = self.turns();
        let last = turns.len() - 1;
        let audited = turns.into_iter().enumerate().map(|(number, turn)| {
            let (blocks, base) = self.log_of(&turn);
            if blocks.is_empty() {
                return AuditedTurn { turn, log: None };
            }
            let facts = self.stories[0].facts.clone();
            let roots = knows_roots.then(|| roots(count));
            let audit = JobAudit::new(facts, self.on_chain.clone(), roots, turn.coordinator.node);
            let mut audit = audit.unwrap().of_turn(&turn, &base).with_trust_seed(SEED);
            if number < last {
                audit = audit.as_far_as_told();
            }
            blocks.iter().for_each(|block| audit.take(block));
            let log = Some((base, audit.finish()));
            AuditedTurn { turn, log }
        });
        JobAudited::of(&self.on_chain, knows_roots, audited.collect())
    }

    /// What the chain is shown of the first difference in the log of one of them.
    fn evidence(&self, audited: &JobAudited, by: &NodeSecret) -> Evidence {
        let mut turns = audited.turns.iter();
        let of = turns.find(|it| it.turn.coordinator.node == by.public());
        let of = of.unwrap();
        let difference = &of.log.as_ref().unwrap().1.differences[0];
        let own = self.on_chain.of_turn(&of.turn);
        let mut showing = Showing::of(JOB, difference, &own)
            .unwrap()
            .signed_by(by.public(), HERE);
        // Whoever tells the logs may mix them.
        for block in self.logs.iter().flatten() {
            showing.take(block);
        }
        match showing.filing(&roots(self.on_chain.job.submission.tasks)) {
            Filing::Can { evidence, .. } => *evidence,
            Filing::Cannot(why) => panic!("{difference}: {why}"),
        }
    }
}

fn differences(audited: &JobAudited) -> Vec<(Option<NodeKey>, &Difference)> {
    let of_logs = audited.turns.iter().flat_map(|it| {
        let log = it.log.iter();
        let found = log.flat_map(|(_, audited)| &audited.differences);
        found.map(|difference| (Some(it.turn.coordinator.node), difference))
    });
    let whole = audited.differences.iter().map(|it| (None, it));
    of_logs.chain(whole).collect()
}

/// A job of which each coordinator settles something.
fn shared_job() -> (Story, usize) {
    for seed in 0.. {
        let story = story(Agreement::Unanimous, 8, seed);
        let batches = story.batches.len();
        let is_done = matches!(story.entries.last(), Some(Entry::Batched { .. }));
        let verdicts: Vec<_> = (0..)
            .zip(&story.entries)
            .filter(|(_, it)| is_paid(it))
            .collect();
        if batches >= 4 && is_done && verdicts.len() == 8 {
            let mut at = (0..).zip(&story.entries).filter(|(_, it)| is_batch(it));
            let second = at.nth(1).unwrap().0;
            return (story, second + 1);
        }
    }
    unreachable!()
}

#[test]
fn a_job_that_was_taken_over_at_any_point_holds() {
    for seed in 0..6 {
        let story = story(Agreement::Unanimous, 6, seed);
        for until in 1..=story.entries.len() {
            for is_last_settled in [true, false] {
                let handed = handed(&story, until, is_last_settled, seed + 100);
                for knows_roots in [true, false] {
                    let audited = handed.audited(knows_roots);
                    assert_eq!(differences(&audited), [], "seed {seed}, behind {until}");
                    assert_eq!(audited.untold, [], "seed {seed}, behind {until}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_job_of_any_agreement_that_was_taken_over_anywhere_holds(
        agreement in agreements(), tasks in 1u32..10, seed: u64, point in any::<prop::sample::Index>(),
        is_last_settled: bool, knows_roots: bool,
    ) {
        let story = story(agreement, tasks, seed);
        let until = 1 + point.index(story.entries.len());
        let handed = handed(&story, until, is_last_settled, seed.wrapping_add(1));
        let audited = handed.audited(knows_roots);
        prop_assert_eq!(differences(&audited), vec![]);
        prop_assert_eq!(&audited.untold, &vec![]);
    }
}

#[test]
fn the_inputs_of_a_job_are_known_from_the_receipts_of_all_its_logs_together() {
    let (story, until) = shared_job();
    let handed = handed(&story, until, true, 5);
    let audited = handed.audited(false);
    assert_eq!(audited.inputs, Inputs::Receipts);
    assert_eq!(audited.roots, roots(8));
}

#[test]
fn a_batch_that_either_coordinator_settled_otherwise_is_held_against_it_alone() {
    let (story, until) = shared_job();
    for (by, sequence) in [(node(), 1), (successor(), 2)] {
        let mut handed = handed(&story, until, true, 5);
        assert_eq!(handed.base.first, 2);
        let pending = handed.on_chain.kept.get_mut(&sequence).unwrap();
        pending.payouts[0].amount += 1;
        let audited = handed.audited(true);
        let found = differences(&audited);
        assert_eq!(found.len(), 1, "{found:?}");
        let (of, difference) = &found[0];
        assert_eq!(*of, Some(by.public()));
        assert!(matches!(
            difference,
            Difference::Batch {
                part: Part::Payouts,
                ..
            }
        ));
        // By what its writer wrote down itself, or by what the verdicts add up to.
        let batch = match handed.evidence(&audited, &by) {
            Evidence::OtherBatch { batch, .. } | Evidence::Payouts { batch } => batch,
            other => panic!("{found:?} {other:?}"),
        };
        assert_eq!(batch.sequence, sequence);
    }
}

#[test]
fn a_lie_in_either_log_is_shown_from_what_its_own_writer_signed() {
    let (story, until) = shared_job();
    for (which, by) in [node(), successor()].into_iter().enumerate() {
        let mut handed = handed(&story, until, true, 5);
        // An assignment to an account that is not the device's.
        let story = &mut handed.stories[which];
        let at = place(&story.entries, |it| matches!(it, Entry::Assigned { .. }));
        if let Entry::Assigned { account, .. } = &mut story.entries[at] {
            *account = AccountId::new([9; 32]);
        }
        handed.logs[which] = blocks_by(by.clone(), &story.entries, [3, 4][which]);
        // The chain has it as it was certified.
        for batch in story.batches.clone() {
            let record = handed.on_chain.batches.get_mut(&batch.sequence).unwrap();
            record.state = BatchState::Pending { due: 400 };
            let header = handed.logs[which][record.block as usize].header.payload;
            record.head = header.hash(&HERE);
        }
        let audited = handed.audited(true);
        let of_log = audited.turns[which].log.as_ref().unwrap();
        assert!(matches!(
            of_log.1.differences[..],
            [Difference::Rule(RecheckFault::Assignment { .. })]
        ));
        let other = audited.turns[1 - which].log.as_ref().unwrap();
        assert_eq!(other.1.differences, []);
        let Evidence::Assignment { batch, entry } = handed.evidence(&audited, &by) else {
            panic!("{of_log:?}");
        };
        assert_eq!(batch.sequence, [0, 2][which]);
        assert!(entry.logged.header.is_signed_by(&by.public(), &HERE));
    }
}

#[test]
fn of_a_log_that_nobody_tells_the_batches_are_untold_and_not_wrong() {
    let (story, until) = shared_job();
    for which in [0, 1] {
        let mut handed = handed(&story, until, true, 5);
        handed.logs[which].clear();
        let all: BTreeSet<u32> = handed.on_chain.batches.keys().copied().collect();
        let audited = handed.audited(false);
        assert_eq!(differences(&audited), []);
        let expected: Vec<_> = all
            .into_iter()
            .filter(|it| (*it >= 2) == (which == 1))
            .collect();
        assert_eq!(audited.untold, expected);
        assert_eq!(audited.inputs, Inputs::Unknown);
    }
}

#[test]
fn of_a_log_that_is_told_in_part_the_rest_is_untold() {
    let (story, until) = shared_job();
    let whole = handed(&story, until, true, 5);
    for length in 0..whole.logs[0].len() {
        let mut handed = handed(&story, until, true, 5);
        handed.logs[0].truncate(length);
        let audited = handed.audited(true);
        assert_eq!(differences(&audited), [], "of {length} blocks");
        let is_untold = |sequence: &u32| {
            let record = &handed.on_chain.batches[sequence];
            // The entry that tells of a batch is in that block or in the next.
            let entries = handed.logs[0].iter().flat_map(|block| &block.entries);
            let mut batches = entries.filter(is_batch);
            let is_told = batches
                .any(|it| matches!(it, Entry::Batched { batch } if batch.sequence == *sequence));
            !is_told && record.block + 1 >= length as u64
        };
        let expected: Vec<_> = [0, 1].into_iter().filter(is_untold).collect();
        assert_eq!(audited.untold, expected, "of {length} blocks");
    }
}

#[test]
fn what_a_stranger_signed_in_the_place_of_a_log_is_nobody_s_word() {
    let (story, until) = shared_job();
    let mut handed = handed(&story, until, true, 5);
    let stranger = NodeSecret::from_seed(&[77; 32]);
    handed.logs[0] = blocks_by(stranger, &handed.stories[0].entries, 3);
    let audited = handed.audited(true);
    assert_eq!(differences(&audited), []);
    assert_eq!(audited.untold, [0, 1]);
    // Nor is the log of the other coordinator.
    handed.logs[0] = handed.logs[1].clone();
    let audited = handed.audited(true);
    assert_eq!(differences(&audited), []);
    assert_eq!(audited.untold, [0, 1]);
}

#[test]
fn who_sends_what_no_writer_signed_makes_no_log_false() {
    let (story, until) = shared_job();
    let handed = handed(&story, until, true, 5);
    let turn = handed.turns().pop().unwrap();
    let blocks = &handed.logs[1];
    let stranger = &blocks_by(NodeSecret::from_seed(&[77; 32]), &story.entries, 3)[1];
    for length in 1..blocks.len() {
        let audit = |is_heard: bool| {
            let (facts, writer) = (story.facts.clone(), turn.coordinator.node);
            let audit = JobAudit::new(facts, handed.on_chain.clone(), Some(roots(8)), writer);
            let audit = audit.unwrap().of_turn(&turn, &handed.base);
            let mut audit = match is_heard {
                true => audit.heard(),
                false => audit,
            };
            blocks[..length].iter().for_each(|block| audit.take(block));
            audit.take(stranger);
            audit.finish()
        };
        let heard = audit(true);
        assert_eq!(heard.differences, []);
        let told = heard.settled.keys().chain(&heard.untold);
        assert!(told.eq(handed.on_chain.of_turn(&turn).batches.keys()));
        // Who gives a file says that it is the log.
        assert!(!audit(false).differences.is_empty());
    }
}

#[test]
fn what_who_goes_on_takes_for_settled_is_held_to_what_was() {
    let (story, until) = shared_job();
    let mut handed = handed(&story, until, true, 5);
    let task = *handed.base.settled.first().unwrap();
    handed.base.settled.remove(&task);
    let audited = handed.audited(true);
    let other = Difference::OtherBase {
        first: 2,
        base: 2,
        task: Some(task),
    };
    assert!(audited.differences.contains(&other), "{audited:?}");
    // Where the log before is not told nobody can say.
    handed.logs[0].clear();
    let audited = handed.audited(true);
    assert!(!audited.differences.contains(&other), "{audited:?}");
}
