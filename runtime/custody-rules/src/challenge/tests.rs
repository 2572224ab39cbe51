//! Answers that prove nothing, each refused by name.

use super::*;
use crate::proof::ProofError;
use proptest::prelude::*;
use quern_primitives::{
    custody::{ChallengedChunk, Escrow, Offer, PaidPeriods, ShortProof, Terms},
    ids::{ContractId, DeviceId},
    merkle::Tree,
};

/// 40 chunks, the last of 100 bytes; 32 of them are asked for, in four parts.
const BYTES: usize = 39 * CHUNK_BYTES + 100;
const OWNER: AccountId = AccountId::new([1; 32]);
const HOLDER: AccountId = AccountId::new([2; 32]);

fn piece() -> Vec<u8> {
    (0..BYTES).map(|at| (((at * at) >> 7) ^ at) as u8).collect()
}

fn tree(piece: &[u8]) -> Tree {
    Tree::new(piece.chunks(CHUNK_BYTES))
}

fn place() -> Place {
    Place {
        contract: ContractId([1; 32]),
        piece: 0,
        holder: DeviceId([2; 32]),
    }
}

fn contract() -> Contract {
    Contract {
        owner: OWNER,
        offer: Offer {
            salt: [0; 16],
            pieces_root: Digest::default(),
            pieces: 1,
            copies: 1,
            periods: 10,
        },
        terms: Terms {
            period_blocks: 10,
            answer_blocks: 15,
            notice_periods: 1,
            rate: 1 << 30,
            holders_permille: 700,
            operators_permille: 200,
            challenge_bond: 50,
            slash: 100,
            winner_permille: 500,
        },
        ends: 11,
        escrow: Escrow {
            deposited: 2_000_000,
            held: 2_000_000,
            reserved: 10 * BYTES as Amount,
            ..Escrow::default()
        },
        running: BYTES as Amount,
        holdings: 1,
        challenges: 0,
    }
}

fn holding(bytes: usize) -> Holding {
    Holding {
        account: HOLDER,
        chunk_root: tree(&piece()[..bytes]).root(),
        bytes: bytes as u64,
        price: bytes as Amount,
        since: 1,
        until: None,
        paid: PaidPeriods::default(),
        is_challenged: false,
        proved_in: None,
    }
}

fn opened(bytes: usize) -> (Contract, Holding, Challenge) {
    let random = Digest([7; 32]);
    open(
        &contract(),
        &holding(bytes),
        &place(),
        &random,
        Opener {
            account: &OWNER,
            is_member: false,
        },
        25,
    )
    .unwrap()
}

/// The chunks of a part, out of a piece.
fn part_of(piece: &[u8], challenge: &Challenge, part: u8) -> Answer {
    let tree = tree(piece);
    let drawn = drawn::chunks(&challenge.seed, tree.count());
    let chunk = |index: &u32| ChallengedChunk {
        bytes: piece
            .chunks(CHUNK_BYTES)
            .nth(*index as usize)
            .unwrap()
            .to_vec()
            .try_into()
            .unwrap(),
        proof: tree.proof(*index).unwrap().try_into().unwrap(),
    };
    let chunks: Vec<_> = drawn::part(&drawn, part)
        .unwrap()
        .iter()
        .map(chunk)
        .collect();
    Answer {
        part,
        chunks: chunks.try_into().unwrap(),
    }
}

/// What comes of the first part with a change.
fn refusal(change: impl FnOnce(&mut Vec<ChallengedChunk>)) -> AnswerError {
    let (contract, holding, challenge) = opened(BYTES);
    let mut part = part_of(&piece(), &challenge, 0);
    let mut chunks: Vec<_> = part.chunks.into_inner();
    change(&mut chunks);
    part.chunks = chunks.try_into().unwrap();
    answer(&contract, &holding, &challenge, &part, 25).unwrap_err()
}

fn asked() -> Vec<u32> {
    let (_, _, challenge) = opened(BYTES);
    drawn::chunks(&challenge.seed, 40)
}

fn wrong(source: ProofError) -> AnswerError {
    AnswerError::Proof {
        index: asked()[0],
        source,
    }
}

#[test]
fn four_parts_in_any_order_are_a_whole_answer_and_pay_the_period_and_the_bond() {
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let (contract, holding, mut challenge) = opened(BYTES);
        for part in &order[..3] {
            let part = part_of(&piece(), &challenge, *part);
            let said = answer(&contract, &holding, &challenge, &part, 40).unwrap();
            let Answered::Part(next) = said else {
                panic!("one part is missing")
            };
            let again = answer(&contract, &holding, &next, &part, 40);
            assert_eq!(again, Err(AnswerError::AlreadyAnswered));
            challenge = next;
        }
        let last = part_of(&piece(), &challenge, order[3]);
        let said = answer(&contract, &holding, &challenge, &last, 40).unwrap();
        let Answered::Whole(passed) = said else {
            panic!("all parts are answered")
        };
        assert_eq!((passed.bond, passed.contract.challenges), (50, 0));
        assert_eq!(
            passed.split,
            Split::of(BYTES as Amount, &contract.terms).unwrap()
        );
        assert!(is_paid(&passed.holding.paid, 2));
        assert_eq!(
            (passed.holding.is_challenged, passed.holding.proved_in),
            (false, Some(2))
        );
    }
}

#[test]
fn a_small_piece_is_shown_whole_in_as_many_parts_as_it_has_eights() {
    for (bytes, parts) in [(1, 1), (8 * CHUNK_BYTES, 1), (8 * CHUNK_BYTES + 1, 2)] {
        let (contract, holding, mut challenge) = opened(bytes);
        let piece = &piece()[..bytes];
        for part in 0..parts {
            let said = part_of(piece, &challenge, part);
            let said = answer(&contract, &holding, &challenge, &said, 30).unwrap();
            match said {
                Answered::Part(next) => challenge = next,
                Answered::Whole(_) => assert_eq!(part + 1, parts),
            }
        }
        let none = Answer {
            part: parts,
            chunks: Default::default(),
        };
        let refused = answer(&contract, &holding, &challenge, &none, 30);
        let parts = usize::from(parts);
        assert_eq!(refused, Err(AnswerError::NoSuchPart { parts }));
    }
}

#[test]
fn who_is_late_answers_nothing_and_who_is_not_misses_nothing() {
    let (contract, holding, challenge) = opened(BYTES);
    let (part, due) = (part_of(&piece(), &challenge, 0), 40);
    let standing = Standing::default();
    let said = |now| answer(&contract, &holding, &challenge, &part, now).is_ok();
    let missed = |now| {
        miss(
            &contract,
            &holding,
            &place(),
            &challenge,
            &standing,
            1_000,
            now,
        )
    };
    assert!(said(40) && !said(41));
    assert_eq!(missed(40), Err(MissError::TooEarly { due }));
    let missed = missed(41).unwrap();
    assert_eq!((missed.bond, missed.penalty), (50, Penalty::default()));
    assert_eq!(missed.holding.until, Some(2));
    assert_eq!(missed.contract.escrow.reserved, BYTES as Amount);
    assert_eq!(
        (missed.contract.running, missed.contract.challenges),
        (0, 0)
    );
    assert_eq!(missed.standing.warned_at, Some(41));
}

#[test]
fn a_repeated_chunk_is_refused_by_name() {
    let refused = refusal(|chunks| chunks[1] = chunks[0].clone());
    assert_eq!(refused, AnswerError::Repeated { index: asked()[0] });
}

#[test]
fn chunks_in_another_order_or_of_another_part_are_refused_by_name() {
    let (first, second, ninth) = (asked()[0], asked()[1], asked()[8]);
    let index = |found| {
        let expected = first;
        wrong(ProofError::Index { expected, found })
    };
    assert_eq!(refusal(|chunks| chunks.swap(0, 1)), index(second));
    let (_, _, challenge) = opened(BYTES);
    let other = part_of(&piece(), &challenge, 1);
    assert_eq!(
        refusal(|chunks| *chunks = other.chunks.into_inner()),
        index(ninth)
    );
}

#[test]
fn a_part_with_a_chunk_too_few_is_refused_by_name() {
    let (expected, found) = (8, 7);
    let refused = refusal(|chunks| {
        chunks.pop();
    });
    assert_eq!(refused, AnswerError::Chunks { expected, found });
}

#[test]
fn a_forged_count_trailing_hashes_and_other_bytes_are_refused_by_name() {
    let (expected, found) = (40, 39);
    let refused = refusal(|chunks| chunks[0].proof.count = 39);
    assert_eq!(refused, wrong(ProofError::Count { expected, found }));
    let refused = refusal(|chunks| {
        chunks[0]
            .proof
            .siblings
            .try_push(Digest::default())
            .unwrap();
    });
    assert!(matches!(
        refused,
        AnswerError::Proof {
            source: ProofError::Siblings { .. },
            ..
        }
    ));
    let refused = refusal(|chunks| chunks[0].bytes[7] ^= 1);
    assert_eq!(refused, wrong(ProofError::NotUnderRoot));
    let refused = refusal(|chunks| {
        chunks[0].bytes.pop();
    });
    assert!(matches!(refused, AnswerError::Bytes { .. }));
}

#[test]
fn another_tree_of_as_many_chunks_is_refused_by_name() {
    let mut other = piece();
    other[CHUNK_BYTES * asked()[0] as usize] ^= 1;
    let (_, _, challenge) = opened(BYTES);
    let part = part_of(&other, &challenge, 0);
    let refused = refusal(|chunks| *chunks = part.chunks.into_inner());
    assert_eq!(refused, wrong(ProofError::NotUnderRoot));
}

#[test]
fn only_owner_and_members_challenge_what_is_held_and_once_a_period() {
    let random = Digest([7; 32]);
    let by = |holding: &Holding, account, is_member, now| {
        let by = Opener { account, is_member };
        open(&contract(), holding, &place(), &random, by, now).map(|_| ())
    };
    let plain = holding(BYTES);
    assert_eq!(by(&plain, &OWNER, false, 25), Ok(()));
    assert_eq!(by(&plain, &HOLDER, true, 25), Ok(()));
    assert_eq!(by(&plain, &HOLDER, false, 25), Err(OpenError::NotEntitled));
    let (since, until) = (1, 11);
    let not_held = Err(OpenError::NotHeld { since, until });
    assert_eq!(by(&plain, &OWNER, false, 9), not_held);
    assert_eq!(by(&plain, &OWNER, false, 109), Ok(()));
    assert_eq!(by(&plain, &OWNER, false, 110), not_held);
    let challenged = Holding {
        is_challenged: true,
        ..plain.clone()
    };
    assert_eq!(
        by(&challenged, &OWNER, false, 25),
        Err(OpenError::AlreadyOpen)
    );
    let proved = Holding {
        proved_in: Some(2),
        ..plain
    };
    assert_eq!(
        by(&proved, &OWNER, false, 25),
        Err(OpenError::AlreadyProved)
    );
    assert_eq!(by(&proved, &OWNER, false, 30), Ok(()));
}

proptest! {
    #[test]
    fn nothing_that_is_made_up_answers(
        part in 0u8..6, made_up in prop::collection::vec(
            (any::<u32>(), 0u32..64, any::<[u8; 32]>(), 0usize..9, 0usize..CHUNK_BYTES), 0..9,
        ),
    ) {
        let (contract, holding, challenge) = opened(BYTES);
        let chunks = made_up.into_iter().map(|(index, count, node, nodes, bytes)| ChallengedChunk {
            bytes: vec![1; bytes].try_into().unwrap(),
            proof: ShortProof {
                index: index % 64,
                count,
                siblings: vec![Digest(node); nodes].try_into().unwrap(),
            },
        });
        let chunks: Vec<_> = chunks.take(8).collect();
        let made_up = Answer { part, chunks: chunks.try_into().unwrap() };
        prop_assert!(answer(&contract, &holding, &challenge, &made_up, 30).is_err());
    }

    #[test]
    fn a_whole_answer_with_one_bit_turned_over_is_none(
        part in 0u8..4, chunk in 0usize..8, at: prop::sample::Index, bit in 0u8..8, in_path: bool,
    ) {
        let (contract, holding, challenge) = opened(BYTES);
        let said = part_of(&piece(), &challenge, part);
        let mut chunks = said.chunks.into_inner();
        let changed = &mut chunks[chunk];
        if in_path {
            let mut siblings = changed.proof.siblings.clone().into_inner();
            let node = at.index(siblings.len());
            siblings[node].0[usize::from(bit)] ^= 1 << bit;
            changed.proof.siblings = siblings.try_into().unwrap();
        } else {
            let place = at.index(changed.bytes.len());
            changed.bytes[place] ^= 1 << bit;
        }
        let altered = Answer { part, chunks: chunks.try_into().unwrap() };
        let refused = answer(&contract, &holding, &challenge, &altered, 30).unwrap_err();
        let is_named = matches!(refused, AnswerError::Proof { source: ProofError::NotUnderRoot, .. });
        prop_assert!(is_named, "{refused}");
    }
}
