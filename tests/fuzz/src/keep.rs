//! What masternodes wish of devices that keep pieces, and what these answer.

use crate::{Decoder, memory, oracle};
use quern_primitives::{
    custody::{ChallengedChunk, PieceEntry, ShortProof, Terms, piece_chunks},
    ids::{AccountId, ContractId, Digest},
    limits::{CHALLENGED_CHUNKS_MAX, PIECES_PER_CONTRACT_MAX},
    payload::DeviceSignature,
};
use quern_protocol::keep::{Answer, KeepMessage, Reason, Wish, decode, encode};
use std::fmt::Debug;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "wish",
        check: wish,
        seeds: wishes,
    },
    Decoder {
        name: "answer",
        check: answer,
        seeds: answers,
    },
];

fn wish(bytes: &[u8]) {
    let piece = match message::<Wish>(bytes) {
        Some(Wish::Take { entry, .. }) => {
            assert!(piece_chunks(entry.bytes).is_some());
            entry.piece
        }
        Some(Wish::Prove { piece, chunks, .. }) => {
            assert!((1..=CHALLENGED_CHUNKS_MAX as usize).contains(&chunks.len()));
            piece
        }
        Some(Wish::Sign { piece, .. } | Wish::Drop { piece, .. }) => piece,
        Some(Wish::Room) | None => return,
    };
    assert!(piece < PIECES_PER_CONTRACT_MAX);
}

fn answer(bytes: &[u8]) {
    if let Some(Answer::Proved(chunks)) = message::<Answer>(bytes) {
        assert!((1..=CHALLENGED_CHUNKS_MAX as usize).contains(&chunks.len()));
    }
}

fn message<M: KeepMessage + PartialEq + Debug>(bytes: &[u8]) -> Option<M> {
    let (decoded, held) = memory::most(|| decode::<M>(bytes));
    oracle::held_no_more_than_given(held, bytes);
    let message = decoded.ok()?;
    assert!(bytes.len() <= M::BYTES_MAX);
    assert_eq!(encode(&message), bytes, "a second encoding");
    oracle::one_encoding(bytes, |other| decode::<M>(other).is_ok());
    Some(message)
}

const CONTRACT: ContractId = ContractId([0xc0; 32]);

fn wishes() -> Vec<Vec<u8>> {
    let terms = Terms {
        period_blocks: 1_800,
        answer_blocks: 300,
        notice_periods: 24,
        rate: 1_000_000,
        holders_permille: 700,
        operators_permille: 200,
        challenge_bond: 2_000_000_000,
        slash: 1_000_000_000,
        winner_permille: 200,
    };
    let entry = PieceEntry {
        version: PieceEntry::VERSION,
        piece: 3,
        chunk_root: Digest([0xab; 32]),
        bytes: 33_554_432,
        audit_root: Digest([0; 32]),
        audit_depth: 0,
    };
    let (contract, piece) = (CONTRACT, 3);
    let wishes = [
        Wish::Room,
        Wish::Take {
            contract,
            terms,
            entry,
        },
        Wish::Sign {
            contract,
            piece,
            account: AccountId::new([0xac; 32]),
            since: 7,
        },
        Wish::Prove {
            contract,
            piece,
            chunks: vec![0, 8_191],
        },
        Wish::Drop { contract, piece },
    ];
    wishes.iter().map(encode).collect()
}

fn answers() -> Vec<Vec<u8>> {
    let chunk = |index: u32| ChallengedChunk {
        bytes: vec![0xcc; 3].try_into().unwrap_or_default(),
        proof: ShortProof {
            index,
            count: 16_384,
            siblings: vec![Digest([0xab; 32]); 2].try_into().unwrap_or_default(),
        },
    };
    let answers = [
        Answer::Room { bytes: 1 << 30 },
        Answer::Has,
        Answer::Fetching { bytes: 4_096 },
        Answer::Signed(DeviceSignature([0x51; 64])),
        Answer::Proved(vec![chunk(1), chunk(2)]),
        Answer::Dropped,
        Answer::No(Reason::NoRoom),
    ];
    answers.iter().map(encode).collect()
}
