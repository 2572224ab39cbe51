//! What anybody may hand in at the court: evidence, verdicts to add up, answers; and what a node tells of
//! disputes.

use crate::{
    chain::{GROUP, RUNNING, honest_batch},
    evidence, honest, log, oracle,
};
use codec::{Decode, Encode};
use quern_dispute_rules::{
    Ed25519, Evidence, Facts, Question, Reply, Ruling, Sum, decide,
    evidence::{BatchName, Leaf, Withheld},
    facts::{BatchFacts, DeviceFacts, Member, Stakes},
    open::{ConvictionView, Dispute, DisputeView, Matter},
    ruling::{Offence, Place},
    sum::Step,
};
use quern_joblog::Fork;
use quern_primitives::{
    AccountId, Amount, Digest, NodeKey,
    log::{Acknowledgement, Header, RefereeReport, SignedHeader},
    payload::NodeSignature,
};
use std::sync::LazyLock;

/// What each who may be guilty has bonded, and what a lie costs.
const BOND: Amount = 1_000;
const SLASH: Amount = 700;

/// What the chain says of the honest job and its only batch.
static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let batch = honest_batch();
    let member = GROUP.members.iter().map(|member| Member {
        account: member.account.clone(),
        node: member.node,
        bond: BOND,
    });
    Facts {
        genesis: honest::GENESIS,
        job_id: honest::JOB,
        job: RUNNING.clone(),
        batch: Some(BatchFacts {
            sequence: batch.sequence,
            verdicts_root: batch.verdicts_root,
            verdicts: 3,
            spent: batch.spent,
            log: batch.log,
            settled_at: honest::NOW,
            coordinator: honest::COORDINATOR,
            certifiers: vec![honest::COORDINATOR],
            heads: vec![Digest([12; 32]), log::head()],
            tasks: batch.tasks,
            payouts: batch.payouts.into_inner(),
            devices: batch.devices.into_inner(),
        }),
        group: member.collect(),
        referees: GROUP.members.iter().map(|member| member.node).collect(),
        device: Some(DeviceFacts {
            registered: Some((honest::OWNER, 1)),
            answers: Some(honest::OWNER),
            accepted: 9,
            is_convicted: false,
        }),
        worker_bond: BOND,
        lane_seed: Some(Digest([13; 32])),
        seed: None,
        stakes: Stakes {
            masternode_slash: SLASH,
            device_slash: SLASH,
            wrong_answer_slash: SLASH,
            dispute_bond: 11,
            winner_permille: 500,
        },
    }
});

fn batch() -> BatchName {
    BatchName {
        job: honest::JOB,
        sequence: 0,
    }
}

/// Nobody is convicted by what a stranger makes up: the honest device and masternode signed nothing of
/// which there are two, nothing is under the batch's root, and what the certified log gives to whom is
/// right. A question is the most that comes of it.
pub(crate) fn evidence(bytes: &[u8]) {
    let Some(evidence) = oracle::scale::<Evidence>(bytes) else {
        return;
    };
    let ruling = decide(&evidence, &FACTS, &Ed25519);
    let is_conviction = matches!(ruling, Ok(Ruling::Convicted(_)));
    assert!(!is_conviction, "{evidence:?} convicts: {ruling:?}");
    match ruling {
        Ok(Ruling::Convicted(_)) => {}
        Ok(Ruling::Unfounded(penalty)) => assert_eq!(penalty.slash(), FACTS.stakes.dispute_bond),
        Ok(Ruling::Adding(sequence) | Ruling::Asked(sequence, _)) => {
            assert_eq!(Some(sequence), evidence.subject().batch);
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// Whatever is added up, the sum has its bounds, and other verdicts than the batch's cost who adds them.
pub(crate) fn step(bytes: &[u8]) {
    let Some(step) = oracle::scale::<Step>(bytes) else {
        return;
    };
    let mut sum = Sum::default();
    if sum.add(&step, &FACTS).is_err() {
        assert_eq!(sum, Sum::default(), "a step that is refused adds something");
        return;
    }
    assert_eq!(sum.verdicts() as usize, step.len());
    let encoded = sum.encode();
    assert!(encoded.len() <= <Sum as codec::MaxEncodedLen>::max_encoded_len());
    assert_eq!(Sum::decode(&mut &encoded[..]), Ok(sum.clone()));
    if let Ok(ruling) = sum.conclude(&FACTS) {
        assert!(matches!(ruling, Ruling::Unfounded(_)), "{ruling:?}");
    }
}

/// A question is answered only by what is under the batch's root or was signed.
pub(crate) fn reply(bytes: &[u8]) {
    let Some((question, reply)) = oracle::scale::<(Question, Reply)>(bytes) else {
        return;
    };
    let replied = question.replied(&reply, &FACTS, &Ed25519);
    let is_receipt = matches!(
        (&question, &reply),
        (Question::Receipt { .. }, Reply::Receipt(_))
    );
    assert!(
        replied.is_err() || is_receipt,
        "{reply:?} answers {question:?}"
    );
}

/// What may be shown to the chain, one of each kind that is short.
pub(crate) fn evidences() -> Vec<Vec<u8>> {
    let pairs = honest::RECEIPTS.iter().zip(honest::RECEIPTS.iter().skip(1));
    let answers = pairs.map(|(first, second)| Evidence::Answers {
        first: Box::new(first.clone()),
        second: Box::new(second.clone()),
    });
    let leaf = || Leaf {
        bytes: vec![7].try_into().unwrap_or_default(),
        place: 1,
        siblings: vec![Digest([1; 32]); 2].try_into().unwrap_or_default(),
    };
    let header = |time_ms| SignedHeader {
        payload: Header {
            job: honest::JOB,
            index: 1,
            previous: Digest([1; 32]),
            skip: Digest([3; 32]),
            time_ms,
            first: 7,
            count: 1,
            bytes: 1,
            entries_root: Digest([2; 32]),
        },
        signature: NodeSignature([3; 64]),
    };
    let others = [
        Evidence::Payouts { batch: batch() },
        Evidence::Verdict {
            batch: batch(),
            leaf: leaf(),
        },
        Evidence::Withheld {
            batch: batch(),
            what: Withheld::Verdict { task: 9 },
        },
        Evidence::Blocks {
            node: GROUP.members.first().map(|it| it.node).unwrap_or_default(),
            fork: Box::new(Fork {
                place: 1,
                first: header(1),
                second: header(2),
            }),
        },
    ];
    let mut entries = log::certified().into_iter();
    let assigned = entries.find(|entry| entry.logged.assigned().is_some());
    let given = assigned.into_iter().flat_map(|entry| {
        let (batch, entry) = (batch(), Box::new(entry));
        let lane = Evidence::OtherLane {
            batch,
            entry: entry.clone(),
        };
        [Evidence::Assignment { batch, entry }, lane]
    });
    let all = answers.chain(others).chain(given);
    all.map(|it| it.encode()).collect()
}

/// Steps of a few bytes.
pub(crate) fn steps() -> Vec<Vec<u8>> {
    let step = |count: usize| {
        let mut step = Step::default();
        for _ in 0..count {
            let leaf = vec![7; 3].try_into().unwrap_or_default();
            step.try_push(leaf).unwrap_or_default();
        }
        step
    };
    [0, 2, 3].map(|count| step(count).encode()).into()
}

/// Questions and what is shown for them.
pub(crate) fn replies() -> Vec<Vec<u8>> {
    let leaf = Leaf {
        bytes: vec![7].try_into().unwrap_or_default(),
        place: 1,
        siblings: vec![Digest([1; 32]); 2].try_into().unwrap_or_default(),
    };
    let acknowledgement = Acknowledgement {
        job: honest::JOB,
        task: 8,
        replica: 1,
        device: honest::DEVICE.id(),
        receipt: Digest([5; 32]),
        position: 12,
    };
    let receipt = honest::RECEIPTS.first().cloned();
    let receipt = receipt.map(|receipt| {
        let question = Question::Receipt {
            receipt: Digest([5; 32]),
        };
        (question, Reply::Receipt(Box::new(receipt)))
    });
    let report = RefereeReport {
        job: honest::JOB,
        task: 8,
        question: Digest([46; 32]),
        answer: evidence::answer(),
    };
    let asked = Question::Report {
        task: 8,
        answer: report.answer,
    };
    let signed = [1, 2].map(|byte| (NodeKey([byte; 32]), NodeSignature([byte; 64])));
    let verdicts = [
        (Question::Verdict { task: 8 }, Reply::Verdict(leaf.clone())),
        (Question::Omission { acknowledgement }, Reply::Verdict(leaf)),
        (asked, Reply::reports(report, signed.into())),
    ];
    verdicts
        .into_iter()
        .chain(receipt)
        .map(|it| it.encode())
        .collect()
}

/// What a node tells of disputes.
pub(crate) fn open() -> Vec<Vec<u8>> {
    let view = DisputeView {
        id: 4,
        dispute: Dispute {
            disputer: AccountId::new([9; 32]),
            bond: 5,
            batch: batch(),
            until: 400,
            matter: Matter::Asked(Question::Verdict { task: 8 }),
        },
        verdicts: 0,
    };
    vec![vec![view.clone(), view].encode()]
}

/// What a node tells of what was proved.
pub(crate) fn convictions() -> Vec<Vec<u8>> {
    let signer = ConvictionView {
        place: Place::Signer(honest::COORDINATOR),
        offence: Offence::TwoBlocks,
    };
    let batch = ConvictionView {
        place: Place::Batch(3),
        offence: Offence::Payouts,
    };
    vec![vec![signer, batch].encode()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_dispute_rules::{Refusal, ruling::Guilty};

    #[test]
    fn each_entry_of_the_honest_log_is_in_the_log_that_was_certified_and_convicts_nobody() {
        let rulings = log::certified().into_iter().map(|entry| {
            let is_assignment = entry.logged.assigned().is_some();
            let evidence = Evidence::Assignment {
                batch: batch(),
                entry: Box::new(entry),
            };
            (is_assignment, decide(&evidence, &FACTS, &Ed25519))
        });
        let mut assignments = 0;
        for (is_assignment, ruling) in rulings {
            match is_assignment {
                true => assert!(matches!(ruling, Ok(Ruling::Unfounded(_))), "{ruling:?}"),
                false => assert_eq!(ruling, Err(Refusal::Unrelated)),
            }
            assignments += usize::from(is_assignment);
        }
        assert_eq!(assignments, 1);
    }

    #[test]
    fn a_lie_of_the_honest_device_would_be_found() {
        let [first, ..] = &honest::RECEIPTS[..] else {
            return;
        };
        let mut other = first.payload.clone();
        other.fuel += 1;
        let evidence = Evidence::Answers {
            first: Box::new(first.clone()),
            second: Box::new(honest::DEVICE.sign(other, &honest::GENESIS)),
        };
        let ruling = decide(&evidence, &FACTS, &Ed25519);
        let Ok(Ruling::Convicted(conviction)) = ruling else {
            panic!("{ruling:?}");
        };
        let guilty: Vec<_> = conviction.sentences.iter().map(|it| &it.guilty).collect();
        assert!(matches!(guilty[..], [Guilty::Worker { .. }]));
        assert_eq!(conviction.sentences[0].penalty.slash(), SLASH);
    }
}
