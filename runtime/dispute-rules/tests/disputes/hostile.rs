//! Evidence of another place, evidence that was changed, evidence that is none.

use crate::{
    honest::{agreements, all_evidence, false_report, ruled, wrong_answer},
    world::{ELSEWHERE, HERE, World, account, device_key, honest, node, receipt},
};
use codec::{Decode, Encode};
use proptest::prelude::*;
use quern_dispute_rules::{Ed25519, Evidence, Refusal, Ruling, decide, ruling::Guilty};
use quern_primitives::{ids::JobId, job::Agreement};

/// Whoever a ruling convicts, but for a device of which a lie is known.
fn innocents(ruling: &Result<Ruling, Refusal>, liar: Option<usize>) -> Vec<Guilty> {
    let Ok(Ruling::Convicted(conviction)) = ruling else {
        return vec![];
    };
    let is_liar = |guilty: &Guilty| {
        liar.is_some_and(|liar| {
            matches!(
                guilty,
                Guilty::Worker { account: owner, device, .. }
                    if *owner == account(liar) && *device == device_key(liar).id()
            )
        })
    };
    let guilty = conviction.sentences.iter().map(|it| it.guilty.clone());
    guilty.filter(|it| !is_liar(it)).collect()
}

fn decoded(bytes: &[u8]) -> Option<Evidence> {
    Evidence::decode(&mut &bytes[..]).ok()
}

/// Two answers that device 2 signed for one replica.
pub(crate) fn two_answers() -> Evidence {
    let sign = |value| Box::new(device_key(2).sign(receipt(1, 0, 2, 4, value), &HERE));
    Evidence::Answers {
        first: sign(0),
        second: sign(1),
    }
}

fn without_liars(agreement: Agreement, tasks: u32) -> World {
    (0..)
        .map(|seed| honest(agreement, tasks, seed))
        .find(|world| {
            let mut receipts = world.receipts.iter().map(|it| &it.payload);
            receipts.all(|it| it.answer() == crate::world::answer(it.task, 0))
        })
        .unwrap()
}

#[test]
fn no_bit_that_is_changed_convicts_the_innocent() {
    let world = without_liars(Agreement::Unanimous, 2);
    let mut all = all_evidence(&world);
    all.truncate(60);
    all.push(wrong_answer(&world, 0, &world.receipts[0], 0));
    all.push(false_report(0, 0, 0));
    for evidence in all {
        let bytes = evidence.encode();
        // Every bit of what is short, and one bit of each byte of what is long.
        let step = if bytes.len() < 700 { 1 } else { 11 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Some(changed) = decoded(&changed) else {
                continue;
            };
            let ruling = ruled(&world, &changed);
            assert_eq!(innocents(&ruling, None), [], "{bit} of {evidence:?}");
        }
    }
}

#[test]
fn no_bit_that_is_changed_turns_a_lie_against_another() {
    let world = without_liars(Agreement::Single, 3);
    let bytes = two_answers().encode();
    assert!(innocents(&ruled(&world, &two_answers()), None).len() == 1);
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Some(changed) = decoded(&changed) else {
            continue;
        };
        assert_eq!(innocents(&ruled(&world, &changed), Some(2)), []);
    }
}

#[test]
fn evidence_that_is_cut_off_is_none() {
    let world = honest(Agreement::Unanimous, 3, 7);
    for evidence in all_evidence(&world) {
        let bytes = evidence.encode();
        for end in 0..bytes.len() {
            // What can still be read was read before its end, and says the same.
            if let Some(read) = decoded(&bytes[..end]) {
                let ruling = ruled(&world, &read);
                assert!(!matches!(ruling, Ok(Ruling::Convicted(_))), "{ruling:?}");
            }
        }
    }
}

#[test]
fn evidence_of_another_job_or_batch_is_refused() {
    let world = honest(Agreement::Unanimous, 4, 7);
    let mut all = all_evidence(&world);
    all.push(two_answers());
    for evidence in all {
        let subject = evidence.subject();
        let mut facts = world.facts_for(subject.device);
        facts.job_id = JobId([99; 32]);
        let ruling = decide(&evidence, &facts, &Ed25519);
        assert_eq!(ruling, Err(Refusal::OtherJob));
        if subject.batch.is_some() {
            let mut facts = world.facts_for(subject.device);
            facts.batch.as_mut().unwrap().sequence += 1;
            let ruling = decide(&evidence, &facts, &Ed25519);
            assert_eq!(ruling, Err(Refusal::NotPending));
            facts.batch = None;
            let ruling = decide(&evidence, &facts, &Ed25519);
            assert_eq!(ruling, Err(Refusal::NotPending));
        }
    }
}

#[test]
fn evidence_of_another_chain_convicts_nobody() {
    let world = without_liars(Agreement::Unanimous, 4);
    let mut all = all_evidence(&world);
    all.push(two_answers());
    for evidence in all {
        // There the same job and batch stand by chance; nothing that was signed here is signed there.
        let is_bare = matches!(evidence, Evidence::Receipt { .. });
        let mut facts = world.facts_for(evidence.subject().device);
        facts.genesis = ELSEWHERE;
        let ruling = decide(&evidence, &facts, &Ed25519);
        // A batch of that chain that names a receipt of this one does lie.
        if !is_bare {
            assert!(!matches!(ruling, Ok(Ruling::Convicted(_))), "{evidence:?}");
        }
    }
}

#[test]
fn an_entry_that_no_certified_head_covers_is_no_evidence() {
    let world = honest(Agreement::Unanimous, 6, 11);
    let batch = world.name();
    // Another branch of the coordinator's, with an assignment that cannot be: its signature alone does
    // not convict those who certified something else.
    let mut branch = world.clone();
    for entry in &mut branch.entries {
        if let quern_joblog::Entry::Assigned { task, .. } = entry {
            *task = 60;
        }
    }
    branch.write_log();
    let is_it = |it: &quern_joblog::Entry| matches!(it, quern_joblog::Entry::Assigned { .. });
    let position = branch.position(is_it).unwrap();
    let entry = branch.certified(position);
    let evidence = Evidence::Assignment {
        batch,
        entry: Box::new(entry.clone()),
    };
    assert_eq!(ruled(&world, &evidence), Err(Refusal::NotInLog));
    // Nor with the headers of the log that was certified behind it.
    let mut mixed = entry;
    mixed.links = world.certified(position).links;
    let evidence = Evidence::Assignment {
        batch,
        entry: Box::new(mixed),
    };
    assert_eq!(ruled(&world, &evidence), Err(Refusal::NotInLog));
    // An entry of the log itself, at a place that it does not have.
    let mut moved = world.certified(position);
    moved.logged.place = moved.logged.place.wrapping_add(1);
    let evidence = Evidence::Assignment {
        batch,
        entry: Box::new(moved),
    };
    assert_eq!(ruled(&world, &evidence), Err(Refusal::NotInLog));
}

#[test]
fn who_is_no_member_answers_for_nothing() {
    let world = honest(Agreement::Unanimous, 3, 1);
    let logged = Box::new(world.logged(0));
    let evidence = Evidence::Entries {
        node: node(9).public(),
        first: logged.clone(),
        second: logged,
    };
    assert_eq!(ruled(&world, &evidence), Err(Refusal::NobodyAnswers));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_convict_nobody(
        agreement in agreements(), bytes in prop::collection::vec(any::<u8>(), 0..2_000), kind in 0u8..14,
    ) {
        let world = honest(agreement, 3, 5);
        let mut bytes = bytes;
        bytes.insert(0, kind);
        if let Some(evidence) = decoded(&bytes) {
            let ruling = ruled(&world, &evidence);
            prop_assert_eq!(innocents(&ruling, None), []);
        }
    }

    #[test]
    fn parts_of_honest_evidence_put_together_convict_nobody(
        agreement in agreements(), seed: u64, one: prop::sample::Index, other: prop::sample::Index,
        cut in 0usize..1_000,
    ) {
        let world = honest(agreement, 4, seed);
        let all = all_evidence(&world);
        let (one, other) = (one.get(&all).encode(), other.get(&all).encode());
        let at = |bytes: &[u8]| bytes.len() * cut / 1_000;
        let spliced = [&one[..at(&one)], &other[at(&other)..]].concat();
        if let Some(evidence) = decoded(&spliced) {
            let ruling = ruled(&world, &evidence);
            let Ok(Ruling::Convicted(conviction)) = ruling else { return Ok(()) };
            // A device that lied in this world may be convicted of that.
            let is_worker = |guilty: &Guilty| matches!(guilty, Guilty::Worker { .. });
            prop_assert!(conviction.strike.is_none());
            prop_assert!(conviction.sentences.iter().all(|it| is_worker(&it.guilty)));
        }
    }
}
