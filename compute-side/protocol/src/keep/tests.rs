//! What is on the wire, and what is refused.

use super::*;
use proptest::prelude::*;
use quern_primitives::{
    custody::ShortProof,
    ids::Digest,
    limits::{CUSTODY_PROOF_HASHES_MAX, PIECE_BYTES_MAX},
    merkle::CHUNK_BYTES,
};

const CONTRACT: ContractId = ContractId([0xc0; 32]);

fn terms() -> Terms {
    Terms {
        period_blocks: 1_800,
        answer_blocks: 300,
        notice_periods: 24,
        rate: 1_000_000,
        holders_permille: 700,
        operators_permille: 200,
        challenge_bond: 2_000_000_000,
        slash: 1_000_000_000,
        winner_permille: 200,
    }
}

fn entry(piece: PieceIndex, bytes: u64) -> PieceEntry {
    PieceEntry {
        version: PieceEntry::VERSION,
        piece,
        chunk_root: Digest([0xab; 32]),
        bytes,
        audit_root: Digest([0; 32]),
        audit_depth: 0,
    }
}

fn take(entry: PieceEntry) -> Wish {
    Wish::Take {
        contract: CONTRACT,
        terms: terms(),
        entry,
    }
}

fn prove(piece: PieceIndex, chunks: Vec<u32>) -> Wish {
    Wish::Prove {
        contract: CONTRACT,
        piece,
        chunks,
    }
}

fn sign() -> Wish {
    Wish::Sign {
        contract: CONTRACT,
        piece: 3,
        account: AccountId::new([0xac; 32]),
        since: 7,
    }
}

fn chunk(bytes: usize, siblings: usize) -> ChallengedChunk {
    ChallengedChunk {
        bytes: vec![0xcc; bytes].try_into().unwrap(),
        proof: ShortProof {
            index: 1,
            count: 16_384,
            siblings: vec![Digest([0xab; 32]); siblings].try_into().unwrap(),
        },
    }
}

fn refusal<M: KeepMessage + std::fmt::Debug>(message: &M) -> KeepDecodeError {
    decode::<M>(&message.encode()).unwrap_err()
}

/// The vectors were computed by another implementation.
const DOCUMENT: &str = include_str!("../../../../docs/format.md");

#[test]
fn messages_are_the_bytes_that_the_format_says() {
    let vectors = [
        ("wish, room", Wish::Room.encode()),
        ("wish, take", take(entry(3, 33_554_432)).encode()),
        ("wish, sign", sign().encode()),
        ("wish, prove", prove(3, vec![0, 8_191]).encode()),
        (
            "wish, drop",
            Wish::Drop {
                contract: CONTRACT,
                piece: 3,
            }
            .encode(),
        ),
        ("answer, room", Answer::Room { bytes: 1 << 30 }.encode()),
        ("answer, has", Answer::Has.encode()),
        (
            "answer, fetching",
            Answer::Fetching { bytes: 4_096 }.encode(),
        ),
        (
            "answer, signed",
            Answer::Signed(DeviceSignature([0x51; 64])).encode(),
        ),
        ("answer, proved", Answer::Proved(vec![chunk(3, 1)]).encode()),
        ("answer, dropped", Answer::Dropped.encode()),
        ("answer, no room", Answer::No(Reason::NoRoom).encode()),
    ];
    for (name, bytes) in vectors {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let row = format!("\n{name}: {hex}\n");
        assert!(DOCUMENT.contains(&row), "docs/format.md has no row {row}");
    }
}

#[test]
fn the_longest_messages_fit_and_read_back() {
    let most = CHALLENGED_CHUNKS_MAX as usize;
    let wishes = [
        take(entry(65_535, PIECE_BYTES_MAX)),
        prove(65_535, vec![16_383; most]),
        sign(),
    ];
    for wish in wishes {
        assert!(wish.encode().len() <= Wish::BYTES_MAX);
        assert_eq!(decode::<Wish>(&wish.encode()).unwrap(), wish);
    }
    let longest = chunk(CHUNK_BYTES, CUSTODY_PROOF_HASHES_MAX as usize);
    let answer = Answer::Proved(vec![longest; most]);
    assert!(answer.encode().len() <= Answer::BYTES_MAX);
    assert_eq!(decode::<Answer>(&answer.encode()).unwrap(), answer);
}

#[test]
fn what_no_contract_has_is_refused() {
    let none = KeepDecodeError::NoSuchPiece { piece: 65_536 };
    assert_eq!(refusal(&take(entry(65_536, 1))), none);
    assert_eq!(refusal(&prove(65_536, vec![0])), none);
    let (contract, piece) = (CONTRACT, 65_536);
    assert_eq!(refusal(&Wish::Drop { contract, piece }), none);
    for bytes in [0, PIECE_BYTES_MAX + 1, u64::MAX] {
        let none = KeepDecodeError::NoSuchEntry { version: 1, bytes };
        assert_eq!(refusal(&take(entry(0, bytes))), none);
    }
    let other = PieceEntry {
        version: 2,
        ..entry(0, 1)
    };
    let none = KeepDecodeError::NoSuchEntry {
        version: 2,
        bytes: 1,
    };
    assert_eq!(refusal(&take(other)), none);
}

#[test]
fn no_chunks_and_more_than_a_challenge_asks_for_are_refused() {
    for found in [0, 33] {
        let error = KeepDecodeError::ChunkCount { found };
        assert_eq!(refusal(&prove(0, vec![0; found])), error);
        assert_eq!(refusal(&Answer::Proved(vec![chunk(1, 0); found])), error);
    }
}

#[test]
fn a_message_over_its_length_is_refused_unread() {
    let over = |bytes, limit| KeepDecodeError::TooLarge { bytes, limit };
    let (wish, answer) = (Wish::BYTES_MAX, Answer::BYTES_MAX);
    assert_eq!(
        decode::<Wish>(&vec![0; wish + 1]),
        Err(over(wish + 1, wish))
    );
    assert_eq!(
        decode::<Answer>(&vec![0; answer + 1]),
        Err(over(answer + 1, answer))
    );
}

#[test]
fn a_list_that_says_it_is_longer_than_it_is_and_bytes_behind_a_message_are_refused() {
    // A thousand million chunks, of which none is there.
    let mut bytes = vec![4, 3, 0, 0, 0, 0x40];
    assert_eq!(decode::<Answer>(&bytes), Err(KeepDecodeError::Malformed));
    bytes = Answer::Has.encode();
    bytes.push(0);
    assert_eq!(decode::<Answer>(&bytes), Err(KeepDecodeError::Malformed));
}

proptest! {
    #[test]
    fn what_is_taken_has_one_encoding_and_keeps_its_limits(
        kind in 0u8..7,
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes: Vec<u8> = std::iter::once(kind).chain(rest).collect();
        if let Ok(wish) = decode::<Wish>(&bytes) {
            prop_assert_eq!(wish.encode(), &bytes[..]);
            prop_assert!(wish.check().is_ok());
        }
        if let Ok(answer) = decode::<Answer>(&bytes) {
            prop_assert_eq!(answer.encode(), &bytes[..]);
            prop_assert!(answer.check().is_ok());
        }
    }

    #[test]
    fn a_message_that_is_cut_short_is_none(cut in 0usize..220) {
        for bytes in [take(entry(1, 5)).encode(), prove(1, vec![9; 32]).encode(), sign().encode()] {
            let cut = &bytes[..cut.min(bytes.len() - 1)];
            prop_assert_eq!(decode::<Wish>(cut), Err(KeepDecodeError::Malformed));
        }
    }
}
