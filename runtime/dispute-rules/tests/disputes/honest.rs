//! Nothing that can be shown of an honest batch convicts anybody.

use crate::{
    conduct::certificate_of,
    settled::as_settled,
    world::{DEVICES, HERE, SEQUENCE, World, account, device_key, honest, node},
};
use codec::Encode;
use proptest::prelude::*;
use quern_dispute_rules::{
    Ed25519, Evidence, Question, Refusal, Reply, Ruling, Sum, decide,
    evidence::{FalseReport, Withheld, WrongAnswer},
    sum::Step,
    verdict::receipt_digest,
};
use quern_joblog::{Entry, Fork};
use quern_primitives::{
    ids::Digest,
    job::{Agreement, Referees},
    log::RefereeReport,
    verdict::{Finding, Ground, Verdict},
};

pub(crate) fn agreements() -> impl Strategy<Value = Agreement> {
    prop_oneof![
        Just(Agreement::Single),
        Just(Agreement::Majority { replicas: 3 }),
        Just(Agreement::Unanimous),
        Just(Agreement::Adaptive),
    ]
}

pub(crate) fn referees() -> impl Strategy<Value = Referees> {
    prop_oneof![Just(Referees::One), Just(Referees::Three)]
}

/// Decides with the facts that the evidence asks for.
pub(crate) fn ruled(world: &World, evidence: &Evidence) -> Result<Ruling, Refusal> {
    let facts = world.facts_for(evidence.subject().device);
    decide(evidence, &facts, &Ed25519)
}

/// All verdicts in steps of so many.
pub(crate) fn summed(world: &World, step: usize) -> Result<Ruling, Refusal> {
    summed_over(world, &world.verdicts, step)
}

/// These verdicts as if they were the batch's.
pub(crate) fn summed_over(
    world: &World,
    verdicts: &[Verdict],
    step: usize,
) -> Result<Ruling, Refusal> {
    let leaves: Vec<_> = verdicts.iter().map(Encode::encode).collect();
    let mut sum = Sum::default();
    for part in leaves.chunks(step) {
        sum.add(&step_of(part), &world.facts)?;
    }
    sum.conclude(&world.facts)
}

pub(crate) fn step_of(leaves: &[Vec<u8>]) -> Step {
    let leaves = leaves.iter().map(|it| it.clone().try_into().unwrap());
    leaves.collect::<Vec<_>>().try_into().unwrap()
}

/// Everything that can be shown of a world, whether or not it means anything.
pub(crate) fn all_evidence(world: &World) -> Vec<Evidence> {
    let batch = world.name();
    let mut all = vec![Evidence::Payouts { batch }, as_settled(world)];
    for place in 0..world.verdicts.len() {
        let leaf = world.leaf(place);
        // Everybody who computes the task gets the same.
        all.push(false_report(world.verdicts[place].task, 0, 0));
        all.push(Evidence::Verdict {
            batch,
            leaf: leaf.clone(),
        });
        let task = world.verdicts[place].task;
        let asked = [
            Withheld::Verdict { task },
            Withheld::Receipt {
                leaf: leaf.clone(),
                finding: 0,
            },
            Withheld::Report { leaf },
        ];
        all.extend(asked.map(|what| Evidence::Withheld { batch, what }));
    }
    for receipt in &world.receipts {
        let said = &receipt.payload;
        let Some(place) = world.place_of(said.task) else {
            continue;
        };
        let leaf = world.leaf(place);
        all.push(Evidence::Receipt {
            batch,
            leaf: leaf.clone(),
            receipt: Box::new(receipt.clone()),
            input: Some(world.input(said.task)),
        });
        all.push(Evidence::Unassigned {
            batch,
            leaf,
            receipt: Box::new(receipt.clone()),
            entry: Box::new(world.certified(said.log_position)),
        });
        all.push(wrong_answer(world, receipt.payload.task, receipt, 0));
    }
    for (acknowledgement, is_known) in world
        .acknowledgements
        .iter()
        .zip([true, false].iter().cycle())
    {
        let place = world.place_of(acknowledgement.payload.task);
        let leaf = place.filter(|_| *is_known).map(|place| world.leaf(place));
        all.push(Evidence::Omission {
            batch,
            acknowledgement: acknowledgement.clone(),
            leaf,
        });
    }
    for (position, entry) in world.entries.iter().enumerate() {
        let certified = Box::new(world.certified(position as u64));
        match entry {
            Entry::Assigned { .. } => all.extend([
                Evidence::Assignment {
                    batch,
                    entry: certified.clone(),
                },
                Evidence::OtherLane {
                    batch,
                    entry: certified,
                },
            ]),
            Entry::Judged { verdict } => {
                all.extend(
                    world
                        .place_of(verdict.task)
                        .map(|place| Evidence::OtherVerdict {
                            batch,
                            leaf: world.leaf(place),
                            entry: certified,
                        }),
                );
            }
            _ => {}
        }
    }
    let logged: Vec<_> = (0..world.entries.len() as u64)
        .map(|at| Box::new(world.logged(at)))
        .collect();
    for pair in logged
        .windows(2)
        .chain([[logged[2].clone(), logged[2].clone()].as_slice()])
    {
        all.push(Evidence::Entries {
            node: node(0).public(),
            first: pair[0].clone(),
            second: pair[1].clone(),
        });
    }
    for pair in world.receipts.windows(2) {
        all.push(Evidence::Answers {
            first: Box::new(pair[0].clone()),
            second: Box::new(pair[1].clone()),
        });
    }
    let behind = world.blocks.iter().cycle().skip(1);
    for pair in world.blocks.iter().zip(behind) {
        let headers = [pair.0.header, pair.1.header];
        let [first, second] = headers;
        let place = first.payload.index;
        let fork = Box::new(Fork {
            place,
            first,
            second,
        });
        all.push(Evidence::Blocks {
            node: node(0).public(),
            fork: fork.clone(),
        });
        let [first, second] = headers.map(|it| node(1).sign(certificate_of(&it.payload), &HERE));
        all.push(Evidence::Certificates {
            member: node(1).public(),
            node: node(0).public(),
            fork,
            first,
            second,
        });
    }
    all
}

/// A receipt against what more than half of the group computed.
pub(crate) fn wrong_answer(
    world: &World,
    task: u32,
    receipt: &quern_primitives::receipt::SignedReceipt,
    truth: u8,
) -> Evidence {
    let report = RefereeReport {
        job: crate::world::JOB,
        task,
        question: Digest([46; 32]),
        answer: crate::world::answer(task, truth),
    };
    let sign = |it: u8| (it, node(it.into()).sign(report, &HERE).signature);
    let referees: Vec<_> = [0u8, 2].into_iter().map(sign).collect();
    Evidence::WrongAnswer(Box::new(WrongAnswer {
        batch: world.name(),
        receipt: receipt.clone(),
        input: world.input(task),
        assignment: world.certified(receipt.payload.log_position),
        report,
        referees: referees.try_into().unwrap(),
    }))
}

/// What the group's second says that came out of a task, against what the others computed; zero is the true value.
pub(crate) fn false_report(task: u32, said: u8, truth: u8) -> Evidence {
    let report = |value| RefereeReport {
        job: crate::world::JOB,
        task,
        question: Digest([46; 32]),
        answer: crate::world::answer(task, value),
    };
    let sign = |it: u8| (it, node(it.into()).sign(report(truth), &HERE).signature);
    let referees: Vec<_> = [0u8, 2].into_iter().map(sign).collect();
    Evidence::FalseReport(Box::new(FalseReport {
        node: node(1).public(),
        said: node(1).sign(report(said), &HERE),
        answer: report(truth).answer,
        referees: referees.try_into().unwrap(),
    }))
}

/// Whether it is only what a device that lied has to pay for its own lie.
pub(crate) fn is_liars_own(world: &World, ruling: &Ruling) -> bool {
    use quern_dispute_rules::ruling::Guilty;
    let Ruling::Convicted(conviction) = ruling else {
        return false;
    };
    let is_liar = |guilty: &Guilty| match guilty {
        Guilty::Masternode(_) => false,
        Guilty::Worker {
            account: owner,
            device,
            task,
            replica,
        } => world.receipts.iter().any(|it| {
            let said = &it.payload;
            let number = (0..DEVICES).find(|it| device_key(*it).id() == *device);
            said.device == *device
                && said.task == *task
                && said.replica == *replica
                && said.answer() != crate::world::answer(*task, 0)
                && number.is_some_and(|number| account(number) == *owner)
        }),
    };
    conviction.strike.is_none() && conviction.sentences.iter().all(|it| is_liar(&it.guilty))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_honest_batch_is_never_ruled_against(
        agreement in agreements(), tasks in 1u32..12, seed: u64,
    ) {
        let world = honest(agreement, tasks, seed);
        for evidence in all_evidence(&world) {
            if let Ok(ruling @ Ruling::Convicted(_)) = ruled(&world, &evidence) {
                prop_assert!(is_liars_own(&world, &ruling), "{evidence:?}: {ruling:?}");
            }
        }
    }

    #[test]
    fn an_honest_batch_adds_up_in_steps_of_any_size(
        agreement in agreements(), tasks in 1u32..12, seed: u64, step in 1usize..7,
    ) {
        let world = honest(agreement, tasks, seed);
        let ruling = summed(&world, step);
        prop_assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
    }

    #[test]
    fn an_honest_coordinator_can_answer_every_question(
        agreement in agreements(), referees in referees(), tasks in 1u32..10, seed: u64,
    ) {
        let mut world = honest(agreement, tasks, seed);
        world.facts.job.submission.referees = referees;
        for (question, reply) in answered(&world) {
            let ruling = question.replied(&reply, &world.facts, &Ed25519);
            prop_assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
        }
    }
}

/// Everything that can be asked of a world, and what answers it.
pub(crate) fn answered(world: &World) -> Vec<(Question, Reply)> {
    let batch = world.name();
    let mut all = vec![];
    for (place, verdict) in world.verdicts.iter().enumerate() {
        let leaf = world.leaf(place);
        let what = Withheld::Verdict { task: verdict.task };
        let question = asked(world, &Evidence::Withheld { batch, what });
        all.push((question, Reply::Verdict(leaf.clone())));
        for (finding, found) in (0..).zip(&verdict.replicas) {
            let leaf = leaf.clone();
            let what = Withheld::Receipt { leaf, finding };
            let evidence = Evidence::Withheld { batch, what };
            let Some(digest) = found.receipt else {
                assert_eq!(ruled(world, &evidence), Err(Refusal::Unrelated));
                continue;
            };
            let mut receipts = world.receipts.iter();
            let receipt = receipts.find(|it| receipt_digest(it) == digest).unwrap();
            let reply = Reply::Receipt(Box::new(receipt.clone()));
            all.push((asked(world, &evidence), reply));
        }
        if verdict.ground == Ground::Referee {
            let what = Withheld::Report { leaf };
            let question = asked(world, &Evidence::Withheld { batch, what });
            let mut reports = world.reports.iter();
            let report = reports.find(|it| it.payload.task == verdict.task);
            let report = *report.unwrap();
            let signed = [1, 2].map(|number| {
                let node = node(number);
                (node.public(), node.sign(report.payload, &HERE).signature)
            });
            let reply = match world.facts.referees_wanted() {
                1 => Reply::Report {
                    report: Box::new(report),
                    node: node(1).public(),
                },
                _ => Reply::reports(report.payload, signed.into()),
            };
            all.push((question, reply));
        }
    }
    for acknowledgement in &world.acknowledgements {
        let Some(place) = world.place_of(acknowledgement.payload.task) else {
            continue;
        };
        let evidence = Evidence::Omission {
            batch,
            acknowledgement: acknowledgement.clone(),
            leaf: None,
        };
        let reply = Reply::Verdict(world.leaf(place));
        all.push((asked(world, &evidence), reply));
    }
    all
}

fn asked(world: &World, evidence: &Evidence) -> Question {
    match ruled(world, evidence) {
        Ok(Ruling::Asked(SEQUENCE, question)) => question,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_told_the_truth_never_pays_for_another_finding() {
    // Two that lie alike outvote the third; only they can be convicted.
    let worlds = (0..40).map(|seed| honest(Agreement::Majority { replicas: 3 }, 6, seed));
    let mut honest_and_found_incorrect = 0;
    for world in worlds {
        for receipt in &world.receipts {
            let said = &receipt.payload;
            let is_true = said.answer() == crate::world::answer(said.task, 0);
            let Some(place) = world.place_of(said.task) else {
                continue;
            };
            let mut found = world.verdicts[place].replicas.iter();
            let found = found.find(|it| it.replica == said.replica && it.device == said.device);
            let is_found_incorrect = found.unwrap().finding == Finding::Incorrect;
            honest_and_found_incorrect += u32::from(is_true && is_found_incorrect);
            let ruling = ruled(&world, &wrong_answer(&world, said.task, receipt, 0)).unwrap();
            assert_eq!(matches!(ruling, Ruling::Convicted(_)), !is_true);
        }
    }
    assert!(honest_and_found_incorrect > 0);
}
