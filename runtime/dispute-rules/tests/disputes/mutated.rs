//! Evidence that is well-formed but for one field, of every kind there is, convicts nobody but by what is
//! true of it still.

use crate::{
    conduct::{certificate_of, fork, left_out, with_liar, written_twice},
    fields::Changed,
    honest::{
        agreements, all_evidence, answered, false_report, is_liars_own, referees, ruled,
        summed_over, wrong_answer,
    },
    hostile::two_answers,
    lanes::in_another_lane,
    lies::{
        UNANIMOUS, with_assignment, with_other_verdict, with_receipt, with_verdict,
        without_assignment,
    },
    settled::with_other_batch,
    world::{Dice, HERE, World, honest, node},
};
use codec::Encode;
use proptest::prelude::*;
use quern_dispute_rules::{Ed25519, Evidence, Reply, Ruling};
use quern_joblog::Entry;
use quern_primitives::{ids::DeviceId, job::Agreement, payload::NodeSignature};
use scale_info::{TypeDef, TypeInfo};
use std::collections::BTreeSet;

/// Seeds with which each lie is changed.
const SEEDS: u64 = 4;

/// The number of an enum's variant.
fn kind(of: &impl Encode) -> u8 {
    of.encode()[0]
}

fn kinds<T: TypeInfo>() -> BTreeSet<u8> {
    match T::type_info().type_def {
        TypeDef::Variant(it) => it.variants.iter().map(|it| it.index).collect(),
        other => panic!("no enum: {other:?}"),
    }
}

/// Whether evidence of its kind convicts by itself, and not only by what is added up or never shown.
fn convicts_at_once(evidence: &Evidence) -> bool {
    match evidence {
        Evidence::Verdict { .. }
        | Evidence::Receipt { .. }
        | Evidence::Unassigned { .. }
        | Evidence::OtherVerdict { .. }
        | Evidence::Blocks { .. }
        | Evidence::Certificates { .. }
        | Evidence::Entries { .. }
        | Evidence::Omission { .. }
        | Evidence::Assignment { .. }
        | Evidence::Answers { .. }
        | Evidence::WrongAnswer(_)
        | Evidence::FalseReport(_)
        | Evidence::OtherBatch { .. }
        | Evidence::OtherLane { .. } => true,
        Evidence::Payouts { .. } | Evidence::Withheld { .. } => false,
    }
}

/// The evidence without what no conviction hangs on: the signature of a block that a certified head leads
/// to, which its hash does not cover, and the input where another lie than about that is shown.
fn essence(evidence: &Evidence) -> Evidence {
    let mut essence = evidence.clone();
    let blank = NodeSignature([0; 64]);
    match &mut essence {
        Evidence::Receipt { input, .. } => *input = None,
        Evidence::Unassigned { entry, .. }
        | Evidence::OtherVerdict { entry, .. }
        | Evidence::Assignment { entry, .. }
        | Evidence::OtherLane { entry, .. } => entry.logged.header.signature = blank,
        Evidence::WrongAnswer(it) => it.assignment.logged.header.signature = blank,
        Evidence::Verdict { .. }
        | Evidence::Blocks { .. }
        | Evidence::Certificates { .. }
        | Evidence::Entries { .. }
        | Evidence::Payouts { .. }
        | Evidence::Omission { .. }
        | Evidence::Withheld { .. }
        | Evidence::Answers { .. }
        | Evidence::FalseReport(_)
        | Evidence::OtherBatch { .. } => {}
    }
    essence
}

/// A lie of each kind that evidence proves at once, in its world.
fn lies() -> Vec<(World, Evidence)> {
    let priced = with_verdict(|it| it.price += 1);
    let leaf = priced.leaf(0);
    let batch = priced.name();
    let verdict = Evidence::Verdict { batch, leaf };

    let [first, second] =
        [fork(0).first, fork(0).second].map(|it| node(2).sign(certificate_of(&it.payload), &HERE));
    let certificates = Evidence::Certificates {
        member: node(2).public(),
        node: node(0).public(),
        fork: Box::new(fork(0)),
        first,
        second,
    };
    let blocks = Evidence::Blocks {
        node: node(1).public(),
        fork: Box::new(fork(1)),
    };

    let (omitting, acknowledgement, place) = left_out();
    let omission = Evidence::Omission {
        batch: omitting.name(),
        acknowledgement,
        leaf: Some(omitting.leaf(place)),
    };
    let (lied_to, lie, _) = with_liar();
    let wrong = wrong_answer(&lied_to, lie.payload.task, &lie, 0);

    let small = || honest(UNANIMOUS, 3, 1);
    let mut all = vec![
        (priced, verdict),
        with_receipt(|it| it.program.0[0] ^= 1),
        with_receipt(|it| it.input_root.0[0] ^= 1),
        without_assignment(|it| {
            if let Entry::Assigned { engine, .. } = it {
                engine.0[0] ^= 1;
            }
        }),
        with_other_verdict(),
        (small(), blocks),
        (small(), certificates),
        (omitting, omission),
        with_assignment(|it| {
            if let Entry::Assigned { device, .. } = it {
                *device = DeviceId([66; 32]);
            }
        }),
        (small(), two_answers()),
        (lied_to, wrong),
        (small(), false_report(1, 7, 0)),
        with_other_batch(),
        in_another_lane(),
    ];
    all.extend([false, true].map(written_twice));
    all
}

#[test]
fn honest_jobs_show_every_kind_of_evidence_and_lies_every_kind_that_convicts_at_once() {
    let shown = all_evidence(&honest(UNANIMOUS, 4, 3));
    assert_eq!(
        shown.iter().map(kind).collect::<BTreeSet<_>>(),
        kinds::<Evidence>()
    );
    let at_once = shown.iter().filter(|it| convicts_at_once(it));
    let at_once: BTreeSet<_> = at_once.map(kind).collect();
    let lies = lies();
    let proved: BTreeSet<_> = lies.iter().map(|(_, evidence)| kind(evidence)).collect();
    assert_eq!(proved, at_once);
    for (world, evidence) in &lies {
        let ruling = ruled(world, evidence);
        assert!(matches!(ruling, Ok(Ruling::Convicted(_))), "{ruling:?}");
    }
}

#[test]
fn a_lie_shown_with_one_field_changed_convicts_only_who_told_it_and_only_by_what_is_true_still() {
    for (world, evidence) in lies() {
        let proved = ruled(&world, &evidence);
        let true_still = essence(&evidence);
        for seed in 0..SEEDS {
            for changed in evidence.changed(&mut Dice(seed)) {
                let ruling = ruled(&world, &changed);
                if matches!(ruling, Ok(Ruling::Convicted(_))) {
                    assert_eq!(essence(&changed), true_still);
                    assert_eq!(ruling, proved);
                }
            }
        }
    }
}

#[test]
fn a_sum_over_verdicts_with_one_field_changed_convicts_nobody() {
    for agreement in [UNANIMOUS, Agreement::Majority { replicas: 3 }] {
        let world = honest(agreement, 4, 3);
        // Also where the batch does lie: it is not these verdicts that show it.
        let mut lying = world.clone();
        lying.batch.spent += 1;
        lying.settle();
        for seed in 0..SEEDS {
            for changed in world.verdicts.changed(&mut Dice(seed)) {
                if changed == world.verdicts {
                    continue;
                }
                for world in [&world, &lying] {
                    let ruling = summed_over(world, &changed, 2);
                    assert!(!matches!(ruling, Ok(Ruling::Convicted(_))), "{ruling:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn evidence_of_an_honest_job_with_one_field_changed_convicts_nobody(
        agreement in agreements(), tasks in 1u32..7, seed: u64,
    ) {
        let world = honest(agreement, tasks, seed);
        let mut dice = Dice(seed);
        let all = all_evidence(&world);
        for kind_of in kinds::<Evidence>() {
            let of_kind: Vec<_> = all.iter().filter(|it| kind(*it) == kind_of).collect();
            if of_kind.is_empty() {
                continue;
            }
            let evidence = of_kind[dice.below(of_kind.len())];
            for changed in evidence.changed(&mut dice) {
                let ruling = ruled(&world, &changed);
                // A device that lied in this world has to pay for that.
                if let Ok(ruling @ Ruling::Convicted(_)) = ruling {
                    prop_assert!(is_liars_own(&world, &ruling), "{changed:?}: {ruling:?}");
                }
            }
        }
    }

    #[test]
    fn a_reply_with_one_field_changed_answers_nothing(
        agreement in agreements(), referees in referees(), tasks in 1u32..7, seed: u64,
    ) {
        let mut world = honest(agreement, tasks, seed);
        world.facts.job.submission.referees = referees;
        let mut dice = Dice(seed);
        let all = answered(&world);
        for kind_of in kinds::<Reply>() {
            let of_kind: Vec<_> = all.iter().filter(|(_, it)| kind(it) == kind_of).collect();
            if of_kind.is_empty() {
                continue;
            }
            let (question, reply) = of_kind[dice.below(of_kind.len())];
            for changed in reply.changed(&mut dice) {
                let ruling = question.replied(&changed, &world.facts, &Ed25519);
                prop_assert!(ruling.is_err() || changed == *reply, "{changed:?}: {ruling:?}");
            }
        }
    }
}
