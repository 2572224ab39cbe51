//! What a device or a referee signed that two of a group's masternodes contradict.

use crate::{
    author::{Story, story},
    chain::settled,
    exhibits::chain_facts,
    world::{HERE, JOB, blocks, node, referee, roots, successor},
};
use quern_dispute_rules::{
    Ed25519, Evidence, Facts, Refusal, Ruling, decide,
    facts::{DeviceFacts, Member},
    ruling::{Guilty, Offence},
};
use quern_joblog::{Entry, RefereeWord, SignedBlock};
use quern_primitives::{
    batch::BatchState,
    ids::{AccountId, DeviceId, Digest},
    job::Agreement,
    log::{RefereeReport, RefereeStatement, SignedRefereeReport},
    merkle::Tree,
    payload::{NodeSecret, NodeSignature},
    receipt::SignedReceipt,
};
use quern_recheck::{Accusing, Unfiled};

const TASKS: u32 = 4;

/// A story in which a referee contradicts a device, its blocks, and the task.
fn contradicted() -> (Story, Vec<SignedBlock>, u32) {
    for seed in 0.. {
        let story = story(Agreement::Unanimous, TASKS, seed);
        let blocks = blocks(&story.entries, 3);
        for task in 0..TASKS {
            let Ok(accusing) = read(&story, &blocks, task) else {
                continue;
            };
            if accusing.accused().next().is_some() {
                return (story, blocks, task);
            }
        }
    }
    panic!("no referee was asked");
}

fn read(story: &Story, blocks: &[SignedBlock], task: u32) -> Result<Accusing, Unfiled> {
    let mut accusing = Accusing::of(JOB, task, &settled(story, 0, blocks))?;
    for block in blocks {
        accusing.take(block);
    }
    Ok(accusing)
}

/// The coordinator, the referee and a third, in this order.
fn group() -> [NodeSecret; 3] {
    [node(), referee(), successor()]
}

fn signed_by(places: &[u8], report: &SignedRefereeReport) -> Vec<(u8, NodeSignature)> {
    let group = group();
    let sign = |place: &u8| {
        let signed = group[usize::from(*place)].sign(report.payload, &HERE);
        (*place, signed.signature)
    };
    places.iter().map(sign).collect()
}

/// What the chain knows of the batch that settles a task.
fn facts(story: &Story, blocks: &[SignedBlock], task: u32) -> Facts {
    let of_task = |batch: &&quern_primitives::batch::Batch| {
        let set = quern_job_rules::tasks::validate(&batch.tasks, TASKS).unwrap();
        set.iter().any(|it| it == task)
    };
    let batch = story.batches.iter().find(of_task).unwrap();
    let mut facts = chain_facts(story, batch);
    facts.job.submission.shards_root = Tree::new(roots(TASKS)).root();
    let record = settled(story, 0, blocks).batches[&batch.sequence];
    facts.batch.as_mut().unwrap().heads = vec![record.head];
    // The first coordinates.
    facts.group = (1..)
        .zip(group())
        .map(|(number, node)| Member {
            account: AccountId::new([number; 32]),
            node: node.public(),
            bond: 1,
        })
        .collect();
    facts.worker_bond = 1_000;
    let accusing = read(story, blocks, task).ok();
    let accused = accusing.and_then(|it| Some(it.accused().next()?.payload.device));
    let owner = accused.and_then(|accused| account_given(story, &accused));
    facts.device = owner.map(|account| DeviceFacts {
        registered: Some((account.clone(), 0)),
        answers: Some(account),
        accepted: 0,
        is_convicted: false,
    });
    facts
}

/// The account by which a device was given something.
fn account_given(story: &Story, wanted: &DeviceId) -> Option<AccountId> {
    story.entries.iter().find_map(|entry| match entry {
        Entry::Assigned {
            device, account, ..
        } if device == wanted => Some(account.clone()),
        _ => None,
    })
}

/// One that is accused, and what is shown of it with these signatures.
fn shown(accusing: &Accusing, places: &[u8]) -> (SignedReceipt, Evidence) {
    let report = &accusing.agreeing().first().unwrap().report;
    let receipt = accusing.accused().next().unwrap();
    let referees = signed_by(places, report);
    let evidence = accusing.evidence(receipt, &referees, &roots(TASKS));
    (receipt.clone(), evidence.unwrap())
}

#[test]
fn a_device_that_two_masternodes_contradict_is_convicted_by_the_log_they_have() {
    let (story, blocks, task) = contradicted();
    let accusing = read(&story, &blocks, task).unwrap();
    let facts = facts(&story, &blocks, task);
    let (receipt, evidence) = shown(&accusing, &[1, 2]);
    let given = account_given(&story, &receipt.payload.device);
    match decide(&evidence, &facts, &Ed25519) {
        Ok(Ruling::Convicted(it)) => {
            assert_eq!(it.offence, Offence::WrongAnswer);
            assert_eq!(it.strike, None, "nothing is wrong with the batch");
            let [sentence] = it.sentences.as_slice() else {
                panic!("{it:?}");
            };
            let Guilty::Worker {
                account, device, ..
            } = &sentence.guilty
            else {
                panic!("{it:?}");
            };
            assert_eq!(
                (Some(account), *device),
                (given.as_ref(), receipt.payload.device)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_is_convicted_by_one_masternode_or_by_who_was_asked_something_else() {
    let (story, blocks, task) = contradicted();
    let accusing = read(&story, &blocks, task).unwrap();
    let mut facts = facts(&story, &blocks, task);
    for places in [&[1u8][..], &[2], &[]] {
        let (_, evidence) = shown(&accusing, places);
        let ruling = decide(&evidence, &facts, &Ed25519);
        assert_eq!(ruling, Err(Refusal::NotSigned), "{places:?}");
    }
    let (_, evidence) = shown(&accusing, &[1, 2]);
    let Evidence::WrongAnswer(mut other) = evidence else {
        panic!("{evidence:?}");
    };
    other.report.question = Digest([1; 32]);
    let ruling = decide(&Evidence::WrongAnswer(other), &facts, &Ed25519);
    assert_eq!(ruling, Err(Refusal::Unrelated));
    // In a group of one its word is more than half, and still one masternode's.
    facts.group.truncate(1);
    let (_, evidence) = shown(&accusing, &[0]);
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_eq!(ruling, Err(Refusal::NotSigned));
}

/// What a third member signs at which something else comes out than the log's referee says.
fn contradiction(accusing: &Accusing) -> SignedRefereeReport {
    let mut payload = accusing.agreeing()[0].report.payload;
    payload.answer.fuel += 1;
    successor().sign(payload, &HERE)
}

#[test]
fn a_referee_that_two_others_contradict_is_convicted_by_the_log_they_have() {
    let (story, blocks, task) = contradicted();
    let accusing = read(&story, &blocks, task).unwrap();
    let facts = facts(&story, &blocks, task);
    let own = accusing.agreeing()[0].report;
    let nothing = accusing.false_reports(&signed_by(&[0, 2], &own));
    assert_eq!(nothing, [], "it says what it is held to");
    let truth = contradiction(&accusing);
    let accusing = accusing.contradicted_by(truth, successor().public());
    let shown = |places: &[u8]| {
        let evidence = accusing.false_reports(&signed_by(places, &truth));
        decide(&evidence[0], &facts, &Ed25519)
    };
    match shown(&[0, 2]) {
        Ok(Ruling::Convicted(it)) => {
            assert_eq!(it.offence, Offence::FalseReport);
            assert_eq!(it.strike, None, "who certified the batch could not know");
            let guilty: Vec<_> = it.sentences.iter().map(|it| it.guilty.clone()).collect();
            assert_eq!(guilty, [Guilty::Masternode(AccountId::new([2; 32]))]);
        }
        other => panic!("{other:?}"),
    }
    for places in [&[0u8][..], &[2], &[], &[0, 1], &[1, 2]] {
        assert_eq!(shown(places), Err(Refusal::NotSigned), "{places:?}");
    }
}

#[test]
fn nobody_that_was_asked_something_else_is_accused_and_all_are_held_to_the_other_report() {
    let (story, blocks, task) = contradicted();
    let accusing = read(&story, &blocks, task).unwrap();
    let truth = contradiction(&accusing);
    let mut payload = truth.payload;
    payload.question = Digest([1; 32]);
    let elsewhere = successor().sign(payload, &HERE);
    let asked_else = accusing
        .clone()
        .contradicted_by(elsewhere, successor().public());
    assert_eq!(asked_else.false_reports(&[]), []);
    assert_eq!(asked_else.accused().count(), 0);
    // Who gave the referee's answer is contradicted as well.
    let of_referee = accusing.accused().count();
    let held = accusing.contradicted_by(truth, successor().public());
    assert!(held.accused().count() >= of_referee);
    let mut accused = held.accused();
    assert!(accused.all(|it| it.payload.answer() != truth.payload.answer));
}

/// A story of a job that asked for three referees: the first says something else than the two others, whose word
/// contradicts a device. With what each of them says.
fn dissented() -> (Story, Vec<SignedBlock>, u32, Vec<RefereeStatement>) {
    let (mut story, _, task) = contradicted();
    let is_word =
        |entry: &&mut Entry| matches!(entry, Entry::Refereed { task: it, .. } if *it == task);
    let Some(Entry::Refereed { word, .. }) = story.entries.iter_mut().find(is_word) else {
        panic!("a referee was asked");
    };
    let truth = word.truth().unwrap().report.payload;
    let mut other = truth;
    other.answer.fuel += 1;
    let [first, second, third] = group();
    let statements = vec![
        says(&first, other),
        says(&second, truth),
        says(&third, truth),
    ];
    *word = RefereeWord::Several {
        statements: statements.clone().try_into().unwrap(),
    };
    let blocks = blocks(&story.entries, 3);
    (story, blocks, task, statements)
}

fn says(by: &NodeSecret, report: RefereeReport) -> RefereeStatement {
    RefereeStatement {
        report: by.sign(report, &HERE),
        node: by.public(),
    }
}

/// The words of those who agree, who are of the group from this place on.
fn signed_from(place: u8, agreeing: &[RefereeStatement]) -> Vec<(u8, NodeSignature)> {
    let signed = (place..).zip(agreeing);
    signed
        .map(|(place, it)| (place, it.report.signature))
        .collect()
}

#[test]
fn all_who_agree_in_the_log_accuse_a_device_and_who_differs_does_not() {
    let (story, blocks, task, statements) = dissented();
    let accusing = read(&story, &blocks, task).unwrap();
    assert_eq!(accusing.agreeing(), &statements[1..]);
    let facts = facts(&story, &blocks, task);
    let receipt = accusing.accused().next().unwrap();
    let signed = signed_from(1, accusing.agreeing());
    let evidence = accusing.evidence(receipt, &signed, &roots(TASKS)).unwrap();
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert!(matches!(ruling, Ok(Ruling::Convicted(_))), "{ruling:?}");
}

#[test]
fn a_referee_that_the_others_of_the_log_contradict_is_convicted_by_their_words() {
    let (story, blocks, task, statements) = dissented();
    let accusing = read(&story, &blocks, task).unwrap();
    assert_eq!(accusing.dissenting(), &statements[..1]);
    let facts = facts(&story, &blocks, task);
    let signed = signed_from(1, accusing.agreeing());
    let shown = |signed| match accusing.false_reports(signed).as_slice() {
        [evidence] => decide(evidence, &facts, &Ed25519),
        other => panic!("{other:?}"),
    };
    match shown(&signed) {
        Ok(Ruling::Convicted(it)) => {
            let guilty: Vec<_> = it.sentences.iter().map(|it| it.guilty.clone()).collect();
            assert_eq!(guilty, [Guilty::Masternode(AccountId::new([1; 32]))]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(shown(&signed[..1]), Err(Refusal::NotSigned));
}

#[test]
fn who_contradicts_most_of_a_log_s_referees_is_borne_out_by_the_one_that_does_too() {
    let (story, blocks, task, statements) = dissented();
    let accusing = read(&story, &blocks, task).unwrap();
    let other = says(
        &NodeSecret::from_seed(&[77; 32]),
        statements[0].report.payload,
    );
    let held = accusing.clone().contradicted_by(other.report, other.node);
    assert_eq!(held.agreeing(), [other, statements[0]]);
    assert_eq!(held.dissenting(), &statements[1..]);
    assert_eq!(held.false_reports(&[]).len(), 2);
    // Its own word it does not give twice.
    let own = accusing.contradicted_by(statements[0].report, statements[0].node);
    assert_eq!(own.agreeing(), &statements[..1]);
}

#[test]
fn only_what_a_pending_batch_settles_is_accused() {
    let (story, blocks, task) = contradicted();
    let mut on_chain = settled(&story, 0, &blocks);
    on_chain.kept.clear();
    let none = Accusing::of(JOB, task, &on_chain).map(|_| ());
    assert_eq!(none, Err(Unfiled::NoBatch));
    let mut on_chain = settled(&story, 0, &blocks);
    for record in on_chain.batches.values_mut() {
        record.state = BatchState::Final { at: 20 };
    }
    let none = Accusing::of(JOB, task, &on_chain).map(|_| ());
    assert_eq!(none, Err(Unfiled::NoBatch), "what it set aside is known");
    let accusing = Accusing::of(JOB, task, &settled(&story, 0, &blocks)).unwrap();
    assert!(accusing.agreeing().is_empty() && accusing.accused().next().is_none());
}
