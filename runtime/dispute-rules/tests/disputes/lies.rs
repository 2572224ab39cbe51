//! Each single lie is proved, and only who told it pays.

use crate::{
    honest::{ruled, step_of, summed},
    world::{DEVICES, HERE, SEQUENCE, World, batch_of, device_key, honest, member},
};
use codec::Encode;
use quern_dispute_rules::{
    Ed25519, Evidence, Question, Refusal, Ruling, Sum, decide,
    evidence::Leaf,
    ruling::{Guilty, Offence, ReceiptLie, VerdictLie},
    verdict::receipt_digest,
};
use quern_joblog::Entry;
use quern_primitives::{
    amount::{Amount, BYTECHIP},
    batch::LogRange,
    ids::{AccountId, DeviceId, Digest, JobId},
    job::Agreement,
    merkle::Tree,
    receipt::{Exit, Receipt},
    verdict::{Finding, Ground, Verdict},
};

pub(crate) const UNANIMOUS: Agreement = Agreement::Unanimous;

/// What each member has bonded, and what a lie of one costs: more than any batch spends here.
pub(crate) const BOND: Amount = 1_000 * BYTECHIP;
pub(crate) const SLASH: Amount = 700 * BYTECHIP;

/// A world whose batch has three verdicts or more, the first of them of two that agree.
pub(crate) fn usual() -> World {
    let is_usual =
        |world: &World| world.verdicts.len() > 2 && world.verdicts[0].ground == Ground::Unanimous;
    let mut worlds = (0..).map(|seed| honest(UNANIMOUS, 6, seed));
    worlds.find(is_usual).unwrap()
}

pub(crate) fn accounts(ruling: &Ruling) -> Vec<AccountId> {
    let Ruling::Convicted(conviction) = ruling else {
        return vec![];
    };
    let guilty = conviction.sentences.iter().map(|it| match &it.guilty {
        Guilty::Masternode(account) | Guilty::Worker { account, .. } => account.clone(),
    });
    guilty.collect()
}

pub(crate) fn offence(ruling: &Result<Ruling, Refusal>) -> Option<Offence> {
    match ruling {
        Ok(Ruling::Convicted(conviction)) => Some(conviction.offence),
        _ => None,
    }
}

/// The batch is struck, its coordinator and the other certifier pay, and the third member does not.
#[track_caller]
pub(crate) fn assert_batch_struck(ruling: Result<Ruling, Refusal>, expected: Offence) {
    assert_eq!(offence(&ruling), Some(expected), "{ruling:?}");
    let ruling = ruling.unwrap();
    assert_eq!(accounts(&ruling), [member(0), member(1)]);
    let Ruling::Convicted(conviction) = ruling else {
        unreachable!()
    };
    assert_eq!(conviction.strike, Some(SEQUENCE));
    for sentence in conviction.sentences {
        let penalty = sentence.penalty;
        assert_eq!((penalty.winner, penalty.burnt), (SLASH / 2, SLASH / 2));
    }
}

/// A world with a changed verdict at the first place, in batch and log alike.
pub(crate) fn with_verdict(change: impl Fn(&mut Verdict)) -> World {
    let mut world = usual();
    change(&mut world.verdicts[0]);
    world.rebuild();
    world
}

fn first_verdict(world: &World) -> Result<Ruling, Refusal> {
    let leaf = world.leaf(0);
    let batch = world.name();
    ruled(world, &Evidence::Verdict { batch, leaf })
}

#[test]
fn a_verdict_that_the_rules_do_not_give_strikes_its_batch() {
    type Change = fn(&mut Verdict);
    let changes: [(VerdictLie, Change); 15] = [
        (VerdictLie::OtherJob, |it| it.job = JobId([8; 32])),
        (VerdictLie::OtherTask, |it| it.task += 100),
        (VerdictLie::Failing, |it| it.answer.exit = Exit::Trap),
        (VerdictLie::Replicas, |it| {
            let found = it.replicas[0].clone();
            it.replicas.push(found);
        }),
        (VerdictLie::Replicas, |it| it.replicas[0].receipt = None),
        (VerdictLie::Replicas, |it| it.replicas[0].replica = 15),
        (VerdictLie::Replicas, |it| {
            let mut found = it.replicas[0].clone();
            (found.replica, found.device) = (9, DeviceId([77; 32]));
            it.replicas.push(found);
        }),
        (VerdictLie::Backing, |it| it.ground = Ground::Majority),
        (VerdictLie::Backing, |it| {
            it.ground = Ground::Unanimous;
            it.replicas.truncate(1);
        }),
        // Nobody asks a referee about what all say, nor about what one device says.
        (VerdictLie::Backing, |it| it.ground = Ground::Referee),
        (VerdictLie::Backing, |it| {
            it.ground = Ground::Referee;
            it.replicas.truncate(1);
            it.replicas[0].finding = Finding::Incorrect;
        }),
        (VerdictLie::Backing, |it| {
            it.ground = Ground::Referee;
            it.replicas.clear();
        }),
        (VerdictLie::Price, |it| it.price += 1),
        (VerdictLie::Pay, |it| {
            it.replicas.iter_mut().for_each(|it| it.pay += 1);
        }),
        (VerdictLie::Price, |it| it.answer.fuel += 1_000_000),
    ];
    for (lie, change) in changes {
        let ruling = first_verdict(&with_verdict(change));
        assert_batch_struck(ruling, Offence::Verdict(lie));
    }
}

#[test]
fn a_batch_that_falls_costs_as_much_as_it_spends_if_that_is_more_and_no_more_than_the_bond() {
    let mut world = with_verdict(|it| it.price += 1);
    let costs = |world: &World| {
        let Ok(Ruling::Convicted(conviction)) = first_verdict(world) else {
            unreachable!()
        };
        let sentences = conviction.sentences.iter();
        sentences.map(|it| it.penalty.slash()).collect::<Vec<_>>()
    };
    let spent = world.facts.batch.as_ref().unwrap().spent;
    assert!(spent > 1);
    world.facts.stakes.masternode_slash = spent - 1;
    assert_eq!(costs(&world), [spent, spent]);
    world.facts.stakes.masternode_slash = spent + 1;
    assert_eq!(costs(&world), [spent + 1, spent + 1]);
    world.facts.group[1].bond = spent / 2;
    assert_eq!(costs(&world), [spent + 1, spent / 2]);
    // Who does not show what is asked for loses as much as for a lie.
    world.facts.stakes.masternode_slash = 1;
    let silent = Question::Verdict { task: 0 }.expired(&world.facts);
    let Ok(Ruling::Convicted(conviction)) = silent else {
        unreachable!()
    };
    assert_eq!(conviction.sentences[0].penalty.slash(), spent);
}

#[test]
fn what_is_no_verdict_strikes_its_batch() {
    let mut world = usual();
    let bytes = b"nothing".to_vec();
    let mut leaves: Vec<_> = world.verdicts.iter().map(Encode::encode).collect();
    leaves[0] = bytes.clone();
    let tree = Tree::new(&leaves);
    let batch = world.facts.batch.as_mut().unwrap();
    batch.verdicts_root = tree.root();
    let leaf = Leaf {
        bytes: bytes.try_into().unwrap(),
        place: 0,
        siblings: tree.proof(0).unwrap().siblings.try_into().unwrap(),
    };
    let batch = world.name();
    let ruling = ruled(&world, &Evidence::Verdict { batch, leaf });
    assert_batch_struck(ruling, Offence::Verdict(VerdictLie::Malformed));
    let mut sum = Sum::default();
    sum.add(&step_of(&leaves), &world.facts).unwrap();
    assert_batch_struck(sum.conclude(&world.facts), Offence::Payouts);
}

#[test]
fn a_device_that_the_draw_does_not_believe_is_not_believed_alone() {
    let world = (0..)
        .map(|seed| honest(Agreement::Adaptive, 8, seed))
        .find(|world| world.verdicts.iter().any(|it| it.ground == Ground::Trusted))
        .unwrap();
    let place = world
        .verdicts
        .iter()
        .position(|it| it.ground == Ground::Trusted)
        .unwrap();
    let leaf = world.leaf(place);
    let evidence = Evidence::Verdict {
        batch: world.name(),
        leaf,
    };
    let mut facts = world.facts_for(evidence.subject().device);
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert!(matches!(ruling, Ok(Ruling::Unfounded(_))));
    facts.device.as_mut().unwrap().accepted = 9;
    let ruling = decide(&evidence, &facts, &Ed25519);
    assert_batch_struck(ruling, Offence::Verdict(VerdictLie::Trust));
}

/// A world whose first receipt in the batch is another, named by verdict and log.
pub(crate) fn with_receipt(change: impl Fn(&mut Receipt)) -> (World, Evidence) {
    let mut world = usual();
    let (before, place) = world.settled_receipt();
    let digest = receipt_digest(&before);
    let mut payload = before.payload;
    let device = (0..DEVICES)
        .find(|it| device_key(*it).id() == payload.device)
        .unwrap();
    change(&mut payload);
    let signed = device_key(device).sign(payload, &HERE);
    let mut found = world.verdicts[place].replicas.iter_mut();
    let found = found.find(|it| it.receipt == Some(digest)).unwrap();
    found.receipt = Some(receipt_digest(&signed));
    world.rebuild();
    let evidence = Evidence::Receipt {
        batch: world.name(),
        leaf: world.leaf(place),
        receipt: Box::new(signed),
        input: Some(world.input(world.verdicts[place].task)),
    };
    (world, evidence)
}

#[test]
fn a_receipt_that_does_not_bear_its_verdict_out_strikes_the_batch() {
    type Change = fn(&mut Receipt);
    let changes: [(ReceiptLie, Change); 10] = [
        (ReceiptLie::Other, |it| it.job = JobId([8; 32])),
        (ReceiptLie::Other, |it| it.task += 1),
        (ReceiptLie::Other, |it| it.replica += 1),
        (ReceiptLie::Other, |it| it.device.0[0] ^= 1),
        (ReceiptLie::Other, |it| it.program.0[0] ^= 1),
        (ReceiptLie::Input, |it| it.input_root.0[0] ^= 1),
        (ReceiptLie::OverLimit, |it| it.fuel = 3_000_000_000),
        (ReceiptLie::OverLimit, |it| it.result_bytes = 1_025),
        (ReceiptLie::OverLimit, |it| it.exit = Exit::Trap),
        (ReceiptLie::Answer, |it| {
            it.result_commitment = Digest([99; 32])
        }),
    ];
    for (lie, change) in changes {
        let (world, evidence) = with_receipt(change);
        let ruling = ruled(&world, &evidence);
        match lie {
            // A receipt that bore the finding of an incorrect answer bears another one as well.
            ReceiptLie::Answer if offence(&ruling).is_none() => {
                assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
            }
            _ => assert_batch_struck(ruling, Offence::Receipt(lie)),
        }
    }
}

#[test]
fn an_accepted_answer_that_was_not_given_strikes_the_batch() {
    let mut world = honest(Agreement::Single, 6, 11);
    for verdict in &mut world.verdicts {
        verdict.answer.result_commitment = Digest([99; 32]);
    }
    world.rebuild();
    let (receipt, place) = world.settled_receipt();
    let evidence = Evidence::Receipt {
        batch: world.name(),
        leaf: world.leaf(place),
        receipt: Box::new(receipt),
        input: None,
    };
    let expected = Offence::Receipt(ReceiptLie::Answer);
    assert_batch_struck(ruled(&world, &evidence), expected);
}

#[test]
fn a_receipt_that_another_key_signed_strikes_the_batch() {
    let mut world = usual();
    let (mut receipt, place) = world.settled_receipt();
    let digest = receipt_digest(&receipt);
    receipt.signature.0[0] ^= 1;
    let mut found = world.verdicts.iter_mut().flat_map(|it| &mut it.replicas);
    let found = found.find(|it| it.receipt == Some(digest)).unwrap();
    found.receipt = Some(receipt_digest(&receipt));
    world.rebuild();
    let evidence = Evidence::Receipt {
        batch: world.name(),
        leaf: world.leaf(place),
        receipt: Box::new(receipt),
        input: None,
    };
    let expected = Offence::Receipt(ReceiptLie::Signature);
    assert_batch_struck(ruled(&world, &evidence), expected);
}

/// A world in whose log another entry is where the first receipt in the batch says it was assigned.
pub(crate) fn without_assignment(change: impl Fn(&mut Entry)) -> (World, Evidence) {
    let mut world = usual();
    let (receipt, place) = world.settled_receipt();
    let position = receipt.payload.log_position;
    change(&mut world.entries[position as usize]);
    world.rebuild();
    let evidence = Evidence::Unassigned {
        batch: world.name(),
        leaf: world.leaf(place),
        receipt: Box::new(receipt),
        entry: Box::new(world.certified(position)),
    };
    (world, evidence)
}

#[test]
fn a_receipt_of_a_replica_that_was_never_given_strikes_the_batch() {
    let changes: [fn(&mut Entry); 4] = [
        |entry| {
            if let Entry::Assigned { device, .. } = entry {
                device.0[0] ^= 1;
            }
        },
        |entry| {
            if let Entry::Assigned { account, .. } = entry {
                *account = AccountId::new([7; 32]);
            }
        },
        |entry| {
            if let Entry::Assigned { engine, .. } = entry {
                engine.0[0] ^= 1;
            }
        },
        |entry| {
            *entry = Entry::Added {
                task: 0,
                replicas: 1,
            }
        },
    ];
    for change in changes {
        let (world, evidence) = without_assignment(change);
        assert_batch_struck(ruled(&world, &evidence), Offence::Unassigned);
    }
}

/// A world whose batch has another first verdict than its log.
pub(crate) fn with_other_verdict() -> (World, Evidence) {
    let mut world = usual();
    world.verdicts[0].answer.fuel += 1;
    world.settle();
    let task = world.verdicts[0].task;
    let is_it = |it: &Entry| matches!(it, Entry::Judged { verdict } if verdict.task == task);
    let position = world.position(is_it).unwrap();
    let evidence = Evidence::OtherVerdict {
        batch: world.name(),
        leaf: world.leaf(0),
        entry: Box::new(world.certified(position)),
    };
    (world, evidence)
}

#[test]
fn a_batch_with_another_verdict_than_its_log_is_struck() {
    let (world, evidence) = with_other_verdict();
    assert_batch_struck(ruled(&world, &evidence), Offence::OtherVerdict);
}

#[test]
fn a_batch_that_does_not_pay_what_its_verdicts_make_is_struck() {
    type Change = fn(&mut quern_primitives::batch::Batch);
    let changes: [Change; 7] = [
        |it| it.spent += 1,
        |it| it.payouts[0].amount += 1,
        |it| it.payouts[0].amount -= 1,
        |it| it.payouts[0].account = AccountId::new([7; 32]),
        |it| it.payouts.truncate(it.payouts.len() - 1),
        |it| it.devices[0].change.accepted += 1,
        |it| it.devices.truncate(it.devices.len() - 1),
    ];
    for step in [1, 2, 5] {
        for change in changes {
            let mut world = usual();
            change(&mut world.batch);
            world.settle();
            assert_batch_struck(summed(&world, step), Offence::Payouts);
        }
    }
}

#[test]
fn a_sum_over_other_verdicts_costs_who_added_them() {
    let world = usual();
    let leaves: Vec<_> = world.verdicts.iter().map(Encode::encode).collect();
    let sum_of = |leaves: &[Vec<u8>]| {
        let mut sum = Sum::default();
        sum.add(&step_of(leaves), &world.facts)?;
        sum.conclude(&world.facts)
    };
    let mut swapped = leaves.clone();
    swapped.swap(0, 1);
    let mut doubled = leaves.clone();
    doubled[1] = doubled[0].clone();
    let mut dearer = world.verdicts.clone();
    dearer[0].price += 1;
    let dearer: Vec<_> = dearer.iter().map(Encode::encode).collect();
    for wrong in [swapped, doubled, dearer] {
        let ruling = sum_of(&wrong);
        assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
    }
    assert_eq!(sum_of(&leaves[1..]), Err(Refusal::Unfinished));
    assert_eq!(sum_of(&[]), Err(Refusal::Step));
    assert_eq!(
        sum_of(&[leaves.clone(), vec![leaves[0].clone()]].concat()),
        Err(Refusal::Step)
    );
}

/// A world in whose log the first assignment is another.
pub(crate) fn with_assignment(change: impl Fn(&mut Entry)) -> (World, Evidence) {
    let mut world = usual();
    let is_it = |it: &Entry| matches!(it, Entry::Assigned { .. });
    let position = world.position(is_it).unwrap();
    change(&mut world.entries[position as usize]);
    world.rebuild();
    let evidence = Evidence::Assignment {
        batch: world.name(),
        entry: Box::new(world.certified(position)),
    };
    (world, evidence)
}

#[test]
fn a_replica_given_to_who_could_not_have_it_strikes_the_batch() {
    let changes: [fn(&mut Entry); 5] = [
        |it| {
            if let Entry::Assigned { device, .. } = it {
                *device = DeviceId([66; 32]);
            }
        },
        |it| {
            if let Entry::Assigned { account, .. } = it {
                *account = AccountId::new([66; 32]);
            }
        },
        |it| {
            if let Entry::Assigned { at, .. } = it {
                *at = 61;
            }
        },
        |it| {
            if let Entry::Assigned { task, .. } = it {
                *task = 6;
            }
        },
        |it| {
            if let Entry::Assigned { replica, .. } = it {
                *replica = 15;
            }
        },
    ];
    for change in changes {
        let (world, evidence) = with_assignment(change);
        assert_batch_struck(ruled(&world, &evidence), Offence::Assignment);
    }
}

#[test]
fn a_batch_that_names_a_shorter_stretch_hides_no_assignment() {
    let mut world = usual();
    let is_it = |it: &Entry| matches!(it, Entry::Assigned { .. });
    let position = world.position(is_it).unwrap();
    if let Entry::Assigned { task, .. } = &mut world.entries[position as usize] {
        *task = 6;
    }
    let whole = world.batch.log;
    let stretches = [
        LogRange {
            first: position + 1,
            ..whole
        },
        LogRange {
            first: whole.last,
            last: u64::MAX,
        },
        LogRange { first: 0, last: 0 },
    ];
    for log in stretches {
        world.batch.log = log;
        world.rebuild();
        let evidence = Evidence::Assignment {
            batch: world.name(),
            entry: Box::new(world.certified(position)),
        };
        assert_batch_struck(ruled(&world, &evidence), Offence::Assignment);
    }
}

#[test]
fn who_certified_a_head_that_does_not_lead_to_an_assignment_answers_for_none() {
    let (mut world, evidence) = with_assignment(|it| {
        if let Entry::Assigned { task, .. } = it {
            *task = 6;
        }
    });
    assert_batch_struck(ruled(&world, &evidence), Offence::Assignment);
    // The head that leads to it was certified with a batch before.
    let facts = world.facts.batch.as_mut().unwrap();
    facts.heads.push(Digest([0xee; 32]));
    assert_eq!(ruled(&world, &evidence), Err(Refusal::NotInLog));
}

#[test]
fn a_device_that_has_changed_hands_since_proves_nothing() {
    let world = usual();
    let is_it = |it: &Entry| matches!(it, Entry::Assigned { .. });
    let position = world.position(is_it).unwrap();
    let evidence = Evidence::Assignment {
        batch: world.name(),
        entry: Box::new(world.certified(position)),
    };
    let mut facts = world.facts_for(evidence.subject().device);
    for registered in [None, Some((AccountId::new([66; 32]), 6))] {
        facts.device.as_mut().unwrap().registered = registered;
        let ruling = decide(&evidence, &facts, &Ed25519);
        assert_eq!(ruling, Err(Refusal::Undecidable));
    }
}

#[test]
fn verdicts_are_counted_here_as_the_batch_has_them() {
    let world = usual();
    let again = batch_of(&world.verdicts, world.entries.len() as u64);
    assert_eq!(again.payouts, world.batch.payouts);
    let accepted = world.verdicts.iter().flat_map(|it| &it.replicas);
    assert!(accepted.clone().any(|it| it.finding == Finding::Accepted));
}
