//! What masternodes and devices did beside what a batch says: signed two of which there is one, left work
//! out, showed nothing, answered wrongly. It is proved, and only who did it pays.

use crate::{
    honest::{ruled, wrong_answer},
    lies::{UNANIMOUS, accounts, offence, usual},
    world::{
        DEVICES, HERE, JOB, SEQUENCE, World, account, answer, device_key, honest, member, node,
    },
};
use quern_dispute_rules::{
    Ed25519, Evidence, Question, Refusal, Reply, Ruling, evidence::Withheld, ruling::Offence,
    verdict::receipt_digest,
};
use quern_joblog::{Entry, Fork, LogBuilder};
use quern_primitives::{
    ids::{AccountId, Digest},
    job::{Agreement, Referees},
    log::{Certificate, Header, RefereeReport, SignedAcknowledgement},
    receipt::Receipt,
    verdict::{Ground, Verdict},
};

/// One pays and nothing is struck.
#[track_caller]
pub(crate) fn assert_one_pays(ruling: Result<Ruling, Refusal>, who: AccountId, expected: Offence) {
    assert_eq!(offence(&ruling), Some(expected), "{ruling:?}");
    let ruling = ruling.unwrap();
    assert_eq!(accounts(&ruling), [who]);
    assert!(matches!(ruling, Ruling::Convicted(it) if it.strike.is_none()));
}

/// Two blocks of one masternode for place 1.
pub(crate) fn fork(writer: usize) -> Fork {
    let blocks = [10u8, 20].map(|task| {
        let mut log = LogBuilder::new(HERE, JOB, node(writer));
        for task in [1, u32::from(task)] {
            log.append(
                Entry::Queued {
                    first: task,
                    tasks: 1,
                },
                5,
            )
            .unwrap();
            let block = log.cut(5).unwrap();
            if block.header.payload.index == 1 {
                return block.header;
            }
        }
        unreachable!()
    });
    Fork {
        place: 1,
        first: blocks[0],
        second: blocks[1],
    }
}

#[test]
fn who_signs_two_blocks_for_one_place_pays_alone() {
    let world = honest(UNANIMOUS, 3, 1);
    for writer in 0..3 {
        let evidence = Evidence::Blocks {
            node: node(writer).public(),
            fork: Box::new(fork(writer)),
        };
        assert_one_pays(ruled(&world, &evidence), member(writer), Offence::TwoBlocks);
    }
}

#[test]
fn a_block_that_another_masternode_signed_convicts_nobody() {
    let world = honest(UNANIMOUS, 3, 1);
    let mut fork = fork(0);
    fork.second = node(1).sign(fork.second.payload, &HERE);
    for accused in 0..3 {
        let evidence = Evidence::Blocks {
            node: node(accused).public(),
            fork: Box::new(fork.clone()),
        };
        assert_eq!(ruled(&world, &evidence), Err(Refusal::NotSigned));
    }
    let mut same = fork;
    same.second = same.first;
    let evidence = Evidence::Blocks {
        node: node(0).public(),
        fork: Box::new(same),
    };
    assert_eq!(ruled(&world, &evidence), Err(Refusal::Unrelated));
}

/// A block of one log, and a later one that was changed.
fn unlinked(places: (u64, u64), change: fn(&mut Header)) -> Evidence {
    let mut log = LogBuilder::new(HERE, JOB, node(0));
    let blocks: Vec<_> = (0..9)
        .map(|first| {
            log.append(Entry::Queued { first, tasks: 1 }, 5).unwrap();
            log.cut(5).unwrap().header
        })
        .collect();
    let (place, later) = places;
    let mut second = blocks[later as usize].payload;
    change(&mut second);
    Evidence::Blocks {
        node: node(0).public(),
        fork: Box::new(Fork {
            place,
            first: blocks[place as usize],
            second: node(0).sign(second, &HERE),
        }),
    }
}

#[test]
fn who_signs_a_block_that_names_another_ancestor_than_it_signed_pays_alone() {
    let world = honest(UNANIMOUS, 3, 1);
    for evidence in [
        unlinked((7, 8), |it| it.previous.0[0] ^= 1),
        unlinked((7, 8), |it| it.first += 1),
        unlinked((4, 5), |it| it.previous = Digest::default()),
        unlinked((3, 6), |it| it.skip.0[0] ^= 1),
        unlinked((3, 6), |it| it.first = 3),
    ] {
        assert_one_pays(ruled(&world, &evidence), member(0), Offence::TwoBlocks);
    }
}

#[test]
fn blocks_of_one_log_and_those_that_name_nothing_of_each_other_convict_nobody() {
    let world = honest(UNANIMOUS, 3, 1);
    let unrelated = |places, change| {
        let ruling = ruled(&world, &unlinked(places, change));
        assert_eq!(ruling, Err(Refusal::Unrelated), "{places:?}");
    };
    for later in 0..9 {
        (0..9).for_each(|place| unrelated((place, later), |_| {}));
    }
    // Block 6 skips to block 3, and says nothing of block 4.
    unrelated((4, 6), |it| it.skip.0[0] ^= 1);
    unrelated((4, 6), |it| it.previous.0[0] ^= 1);
    unrelated((8, 6), |it| it.previous.0[0] ^= 1);
}

#[test]
fn who_certifies_a_block_and_one_that_does_not_follow_it_is_not_convicted_by_that() {
    let world = honest(UNANIMOUS, 3, 1);
    let Evidence::Blocks { node: writer, fork } = unlinked((3, 6), |it| it.skip.0[0] ^= 1) else {
        unreachable!()
    };
    let sign = |header: &Header, index| {
        let mut certificate = certificate_of(header);
        certificate.index = index;
        node(2).sign(certificate, &HERE)
    };
    for second_index in [3, 6] {
        let evidence = Evidence::Certificates {
            member: node(2).public(),
            node: writer,
            first: sign(&fork.first.payload, 3),
            second: sign(&fork.second.payload, second_index),
            fork: fork.clone(),
        };
        assert_eq!(ruled(&world, &evidence), Err(Refusal::Unrelated));
    }
}

pub(crate) fn certificate_of(header: &Header) -> Certificate {
    Certificate {
        job: header.job,
        sequence: 0,
        index: header.index,
        head: header.hash(&HERE),
        batch: Digest::default(),
    }
}

#[test]
fn who_certifies_both_branches_of_a_fork_pays_alone() {
    let world = honest(UNANIMOUS, 3, 1);
    let fork = fork(0);
    let certificates = [fork.first, fork.second].map(|it| certificate_of(&it.payload));
    let [first, second] = certificates.map(|it| node(2).sign(it, &HERE));
    let evidence = |member, first, second| Evidence::Certificates {
        member,
        node: node(0).public(),
        fork: Box::new(fork.clone()),
        first,
        second,
    };
    let ruling = ruled(&world, &evidence(node(2).public(), first, second));
    assert_one_pays(ruling, member(2), Offence::TwoCertificates);
    // Who certified one of them only has done nothing wrong.
    let ruling = ruled(&world, &evidence(node(2).public(), first, first));
    assert_eq!(ruling, Err(Refusal::Unrelated));
    let one = node(1).sign(certificate_of(&fork.first.payload), &HERE);
    let ruling = ruled(&world, &evidence(node(1).public(), one, second));
    assert_eq!(ruling, Err(Refusal::NotSigned));
}

#[test]
fn a_member_that_goes_on_with_another_coordinator_is_not_convicted() {
    let world = honest(UNANIMOUS, 3, 1);
    // The index is the same, the writers are not.
    let (one, other) = (fork(0).first, fork(1).second);
    let sign = |header| node(2).sign(certificate_of(&header), &HERE);
    for writer in 0..3 {
        let evidence = Evidence::Certificates {
            member: node(2).public(),
            node: node(writer).public(),
            fork: Box::new(Fork {
                place: 1,
                first: one,
                second: other,
            }),
            first: sign(one.payload),
            second: sign(other.payload),
        };
        assert_eq!(ruled(&world, &evidence), Err(Refusal::NotSigned));
    }
}

/// A world in whose log the first verdict, or the batch, was written down twice more.
pub(crate) fn written_twice(is_batch: bool) -> (World, Evidence) {
    let mut world = honest(UNANIMOUS, 4, 3);
    let entry = match is_batch {
        false => Entry::Judged {
            verdict: world.verdicts[0].clone(),
        },
        true => Entry::Batched {
            batch: world.batch.clone(),
        },
    };
    let places = [world.entries.len() as u64, world.entries.len() as u64 + 1];
    world.entries.extend([entry.clone(), entry]);
    world.rebuild();
    let evidence = Evidence::Entries {
        node: node(0).public(),
        first: Box::new(world.logged(places[0])),
        second: Box::new(world.logged(places[1])),
    };
    (world, evidence)
}

#[test]
fn who_writes_down_two_verdicts_or_batches_pays_alone() {
    for is_batch in [false, true] {
        let (world, evidence) = written_twice(is_batch);
        let expected = match is_batch {
            false => Offence::TwoVerdicts,
            true => Offence::TwoBatches,
        };
        assert_one_pays(ruled(&world, &evidence), member(0), expected);
    }
}

/// A world whose batch leaves out what was acknowledged, the acknowledgement, and the verdict's place.
pub(crate) fn left_out() -> (World, SignedAcknowledgement, usize) {
    let mut world = honest(Agreement::Majority { replicas: 3 }, 6, 11);
    let (receipt, place) = world.settled_receipt();
    let digest = receipt_digest(&receipt);
    let replicas = &mut world.verdicts[place].replicas;
    replicas.retain(|it| it.receipt != Some(digest));
    world.rebuild();
    let mut acknowledgements = world.acknowledgements.iter();
    let is_meant = |it: &&SignedAcknowledgement| it.payload.receipt == digest;
    let acknowledgement = acknowledgements.find(is_meant).unwrap().clone();
    (world, acknowledgement, place)
}

#[test]
fn work_that_was_acknowledged_and_left_out_costs_the_coordinator() {
    let (world, acknowledgement, place) = left_out();
    let batch = world.name();
    let claim = |leaf| Evidence::Omission {
        batch,
        acknowledgement: acknowledgement.clone(),
        leaf,
    };
    let ruling = ruled(&world, &claim(Some(world.leaf(place))));
    assert_one_pays(ruling, member(0), Offence::Omission);
    // Without the verdict the coordinator is asked, and cannot answer.
    let Ok(Ruling::Asked(SEQUENCE, question)) = ruled(&world, &claim(None)) else {
        panic!("the coordinator is asked");
    };
    for place in 0..world.verdicts.len() {
        let reply = Reply::Verdict(world.leaf(place));
        let ruling = question.replied(&reply, &world.facts, &Ed25519);
        assert_eq!(ruling, Err(Refusal::NoReply));
    }
    let ruling = question.expired(&world.facts);
    assert_one_pays(ruling, member(0), Offence::Omission);
}

#[test]
fn who_coordinated_before_answers_for_nothing_that_another_settled() {
    let mut world = usual();
    world.facts.batch.as_mut().unwrap().coordinator = member(1);
    let batch = world.name();
    for acknowledgement in world.acknowledgements.clone() {
        let Some(place) = world.place_of(acknowledgement.payload.task) else {
            continue;
        };
        for leaf in [None, Some(world.leaf(place))] {
            let evidence = Evidence::Omission {
                batch,
                acknowledgement: acknowledgement.clone(),
                leaf,
            };
            assert_eq!(ruled(&world, &evidence), Err(Refusal::NotSigned));
        }
    }
}

#[test]
fn a_coordinator_that_shows_nothing_loses_and_its_batch_is_struck() {
    let world = usual();
    let question = Question::Receipt {
        receipt: Digest([66; 32]),
    };
    let ruling = question.expired(&world.facts);
    assert_eq!(offence(&ruling), Some(Offence::Silence));
    let ruling = ruling.unwrap();
    // Who certified was not asked.
    assert_eq!(accounts(&ruling), [member(0)]);
    assert!(matches!(ruling, Ruling::Convicted(it) if it.strike == Some(SEQUENCE)));
}

#[test]
fn a_batch_that_rests_on_what_nobody_shows_is_struck_although_its_coordinator_is_gone() {
    let mut world = usual();
    world.facts.group.retain(|it| it.account != member(0));
    let silent = Question::Verdict { task: 0 }.expired(&world.facts);
    assert_eq!(offence(&silent), Some(Offence::Silence));
    assert!(accounts(silent.as_ref().unwrap()).is_empty());
    assert!(matches!(silent, Ok(Ruling::Convicted(it)) if it.strike == Some(SEQUENCE)));
    // What was left out costs its coordinator and nobody else.
    let acknowledgement = world.acknowledgements[0].payload;
    let omission = Question::Omission { acknowledgement }.expired(&world.facts);
    assert_eq!(omission, Err(Refusal::NobodyAnswers));
}

#[test]
fn a_report_of_nobody_that_may_say_so_is_no_reply() {
    let world = (0..)
        .map(|seed| honest(UNANIMOUS, 6, seed))
        .find(|world| world.verdicts.iter().any(|it| it.ground == Ground::Referee))
        .unwrap();
    let referee = |it: &Verdict| it.ground == Ground::Referee;
    let place = world.verdicts.iter().position(referee).unwrap();
    let task = world.verdicts[place].task;
    let what = Withheld::Report {
        leaf: world.leaf(place),
    };
    let batch = world.name();
    let Ok(Ruling::Asked(_, question)) = ruled(&world, &Evidence::Withheld { batch, what }) else {
        panic!("the coordinator is asked");
    };
    let mut report = *world
        .reports
        .iter()
        .find(|it| it.payload.task == task)
        .unwrap();
    let refused = |report, node| {
        let reply = Reply::Report {
            report: Box::new(report),
            node,
        };
        assert_eq!(
            question.replied(&reply, &world.facts, &Ed25519),
            Err(Refusal::NoReply)
        );
    };
    refused(report, node(2).public());
    let stranger = node(9);
    refused(stranger.sign(report.payload, &HERE), stranger.public());
    // What the coordinator gives out it does not judge, but in a group of its own.
    let own = node(0).sign(report.payload, &HERE);
    refused(own, node(0).public());
    let mut alone = world.facts.clone();
    alone.group.truncate(1);
    let reply = Reply::Report {
        report: Box::new(own),
        node: node(0).public(),
    };
    let ruling = question.replied(&reply, &alone, &Ed25519);
    assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}");
    report.payload.answer = answer(task, 7);
    refused(node(1).sign(report.payload, &HERE), node(1).public());
}

/// A task that a referee decided, and the coordinator was asked for the report.
fn asked_for_a_report() -> (World, RefereeReport, Question) {
    let referee = |it: &Verdict| it.ground == Ground::Referee;
    let world = (0..)
        .map(|seed| honest(UNANIMOUS, 6, seed))
        .find(|world| world.verdicts.iter().any(referee))
        .unwrap();
    let place = world.verdicts.iter().position(referee).unwrap();
    let task = world.verdicts[place].task;
    let leaf = world.leaf(place);
    let (batch, what) = (world.name(), Withheld::Report { leaf });
    let Ok(Ruling::Asked(_, question)) = ruled(&world, &Evidence::Withheld { batch, what }) else {
        panic!("the coordinator is asked");
    };
    let mut reports = world.reports.iter();
    let report = reports.find(|it| it.payload.task == task).unwrap().payload;
    (world, report, question)
}

/// A report with the signatures of masternodes with these numbers.
fn signed_by(report: &RefereeReport, by: &[usize]) -> Reply {
    let signed = by.iter().map(|number| {
        let node = node(*number);
        (node.public(), node.sign(*report, &HERE).signature)
    });
    Reply::reports(*report, signed.collect())
}

#[test]
fn where_a_job_asks_for_three_referees_the_word_of_two_members_is_shown_and_none_else() {
    let (mut world, report, question) = asked_for_a_report();
    world.facts.job.submission.referees = Referees::Three;
    let replied = |reply: &Reply| question.replied(reply, &world.facts, &Ed25519);
    assert!(matches!(
        replied(&signed_by(&report, &[1, 2])),
        Ok(Ruling::Unfounded(_))
    ));
    let one = Reply::Report {
        report: Box::new(node(1).sign(report, &HERE)),
        node: node(1).public(),
    };
    let mut other = report;
    other.answer = answer(report.task, 7);
    let mut elsewhere = report;
    elsewhere.task += 1;
    for refused in [
        one,
        signed_by(&report, &[1]),
        signed_by(&report, &[1, 1]),
        // The coordinator, which gave the task out and judged it, and somebody who is not of the group.
        signed_by(&report, &[0, 1]),
        signed_by(&report, &[1, 9]),
        signed_by(&report, &[0, 1, 2]),
        signed_by(&other, &[1, 2]),
        signed_by(&elsewhere, &[1, 2]),
    ] {
        assert_eq!(replied(&refused), Err(Refusal::NoReply), "{refused:?}");
    }
    let mut forged = signed_by(&report, &[1, 2]);
    if let Reply::Reports { report, .. } = &mut forged {
        report.question.0[0] ^= 1;
    }
    assert_eq!(replied(&forged), Err(Refusal::NoReply));
    let mut unsorted = signed_by(&report, &[1, 2]);
    if let Reply::Reports { signed, .. } = &mut unsorted {
        let mut backwards = signed.to_vec();
        backwards.reverse();
        *signed = backwards.try_into().unwrap();
    }
    assert_eq!(replied(&unsorted), Err(Refusal::NoReply));
}

#[test]
fn in_a_small_group_three_referees_are_as_many_as_there_are() {
    let (mut world, report, question) = asked_for_a_report();
    world.facts.job.submission.referees = Referees::Three;
    let by_one = Reply::Report {
        report: Box::new(node(1).sign(report, &HERE)),
        node: node(1).public(),
    };
    for (members, wanted) in [(1, 1), (2, 1), (3, 2)] {
        let mut facts = world.facts.clone();
        facts.group.truncate(members);
        assert_eq!(facts.referees_wanted(), wanted);
        let is_answered = question.replied(&by_one, &facts, &Ed25519).is_ok();
        assert_eq!(is_answered, wanted == 1, "{members}");
    }
}

/// A world in which a device lied, its lie, and its place among devices.
pub(crate) fn with_liar() -> (World, quern_primitives::receipt::SignedReceipt, usize) {
    let is_lie = |it: &quern_primitives::receipt::SignedReceipt| {
        it.payload.answer() != answer(it.payload.task, 0)
    };
    let (world, lie) = (0..)
        .map(|seed| honest(UNANIMOUS, 6, seed))
        .find_map(|world| {
            let lie = world.receipts.iter().find(|it| is_lie(it))?.clone();
            Some((world, lie))
        })
        .unwrap();
    let device = (0..DEVICES).find(|it| device_key(*it).id() == lie.payload.device);
    (world, lie, device.unwrap())
}

#[test]
fn an_answer_that_most_of_the_group_contradicts_costs_its_account() {
    let (world, lie, device) = with_liar();
    let evidence = wrong_answer(&world, lie.payload.task, &lie, 0);
    let ruling = ruled(&world, &evidence);
    assert_one_pays(ruling.clone(), account(device), Offence::WrongAnswer);
    let Ok(Ruling::Convicted(conviction)) = ruling else {
        unreachable!()
    };
    let penalty = conviction.sentences[0].penalty;
    assert_eq!((penalty.winner, penalty.burnt), (15, 15));
}

#[test]
fn one_masternode_alone_convicts_no_device() {
    let (world, lie, _) = with_liar();
    let Evidence::WrongAnswer(whole) = wrong_answer(&world, lie.payload.task, &lie, 0) else {
        unreachable!()
    };
    let signed = whole.referees.to_vec();
    let wrong = [
        vec![],
        vec![signed[0]],
        vec![signed[0], signed[0]],
        vec![signed[1], signed[0]],
        vec![signed[0], (1, signed[1].1)],
        vec![signed[0], (9, signed[1].1)],
    ];
    for referees in wrong {
        let mut it = whole.clone();
        it.referees = referees.try_into().unwrap();
        let ruling = ruled(&world, &Evidence::WrongAnswer(it));
        assert_eq!(ruling, Err(Refusal::NotSigned));
    }
}

#[test]
fn a_device_that_was_given_another_input_or_engine_pays_nothing() {
    let (world, lie, device) = with_liar();
    let changes: [fn(&mut Receipt); 4] = [
        |it| it.input_root.0[0] ^= 1,
        |it| it.engine.0[0] ^= 1,
        |it| it.program.0[0] ^= 1,
        |it| it.log_position += 1,
    ];
    for change in changes {
        let mut payload = lie.payload.clone();
        change(&mut payload);
        let receipt = device_key(device).sign(payload, &HERE);
        let Evidence::WrongAnswer(mut it) = wrong_answer(&world, lie.payload.task, &lie, 0) else {
            unreachable!()
        };
        it.receipt = receipt;
        let ruling = ruled(&world, &Evidence::WrongAnswer(it));
        assert_eq!(ruling, Err(Refusal::Unrelated));
    }
}
