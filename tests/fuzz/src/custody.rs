//! What anybody may hand in at the chain about data that are kept: offers, consents, and what shows that a piece
//! is there, or is another.

use crate::{Decoder, honest, oracle};
use codec::Encode;
use quern_custody_rules::{
    challenge,
    holding::{self, Facts},
    life, mismatch,
};
use quern_primitives::{
    Amount, Digest,
    custody::{
        Answer, Challenge, ChallengedChunk, Contract, HoldConsent, Holding, Offer, PieceEntry,
        Proved, ShortProof, Standing, Terms,
    },
    ids::ContractId,
    limits,
    merkle::{CHUNK_BYTES, SpanProof, Tree},
    params::Params,
    payload::Signed,
};
use std::sync::LazyLock;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "offer",
        check: offer,
        seeds: || vec![OFFER.encode()],
    },
    Decoder {
        name: "consent to hold",
        check: consent,
        seeds: || vec![(CONSENT.clone(), PATH.clone()).encode()],
    },
    Decoder {
        name: "piece of another length",
        check: refused,
        seeds: refusals,
    },
    Decoder {
        name: "answer to a challenge",
        check: answer,
        seeds: answers,
    },
    Decoder {
        name: "proved pieces",
        check: oracle::scale_alone::<Proved>,
        seeds: proved,
    },
];

/// What the owner deposits.
const DEPOSIT: Amount = 1_000_000_000;

const CONTRACT: ContractId = ContractId([0x77; 32]);

/// A piece of two chunks, of which the second is short.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let byte = |at: usize| at.to_le_bytes()[0] ^ 0x5a;
    (0..CHUNK_BYTES + 9).map(byte).collect()
});

static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::new(BYTES.chunks(CHUNK_BYTES)));

/// The only piece of the honest contract.
static ENTRY: LazyLock<PieceEntry> = LazyLock::new(|| PieceEntry {
    version: PieceEntry::VERSION,
    piece: 0,
    chunk_root: TREE.root(),
    bytes: BYTES.len() as u64,
    audit_root: Digest::default(),
    audit_depth: 0,
});

static ENTRIES: LazyLock<Tree> = LazyLock::new(|| Tree::new([ENTRY.encode()]));

/// Its path.
static PATH: LazyLock<ShortProof> = LazyLock::new(|| ShortProof {
    index: 0,
    count: 1,
    siblings: Default::default(),
});

static TERMS: LazyLock<Terms> = LazyLock::new(|| Params::FIRST.storage_terms());

static OFFER: LazyLock<Offer> = LazyLock::new(|| Offer {
    salt: [9; 16],
    pieces_root: ENTRIES.root(),
    pieces: 1,
    copies: 1,
    periods: 5,
});

/// The honest contract; none if the rules do not take it, which a test notices.
static OPEN: LazyLock<Option<Contract>> =
    LazyLock::new(|| life::open(honest::OWNER, *OFFER, *TERMS, DEPOSIT, honest::NOW).ok());

/// All that the honest device ever signed of it.
static CONSENT: LazyLock<Signed<HoldConsent>> = LazyLock::new(|| {
    let consent = HoldConsent {
        contract: CONTRACT,
        device: honest::DEVICE.id(),
        account: honest::COORDINATOR,
        since: 1,
        entry: *ENTRY,
        terms: *TERMS,
    };
    honest::DEVICE.sign(consent, &honest::GENESIS)
});

/// A contract that the chain opens keeps every limit, and holds all that was deposited.
fn offer(bytes: &[u8]) {
    let Some(offer) = oracle::scale::<Offer>(bytes) else {
        return;
    };
    let Ok(contract) = life::open(honest::OWNER, offer, *TERMS, DEPOSIT, honest::NOW) else {
        return;
    };
    assert!((1..=limits::PIECES_PER_CONTRACT_MAX).contains(&offer.pieces));
    assert!((1..=limits::COPIES_PER_PIECE_MAX).contains(&offer.copies));
    assert!((1..=limits::CONTRACT_PERIODS_MAX).contains(&offer.periods));
    assert_eq!(contract.escrow.held, DEPOSIT);
    assert_eq!(contract.escrow.reserved, 0);
}

/// A device takes no piece that it did not sign for, and none that is not the contract's.
fn consent(bytes: &[u8]) {
    let Some((signed, path)) = oracle::scale::<(Signed<HoldConsent>, ShortProof)>(bytes) else {
        return;
    };
    let Some(contract) = OPEN.as_ref() else {
        return;
    };
    let facts = Facts {
        standing: Standing::default(),
        holders: 0,
        is_known: false,
    };
    let is_signed = |consent: &HoldConsent| signed.is_signed_by(&consent.device, &honest::GENESIS);
    let taken = holding::hold(
        contract,
        &signed.payload,
        &path,
        &facts,
        honest::NOW,
        is_signed,
    );
    let Ok((after, held)) = taken else {
        return;
    };
    assert_eq!(held.chunk_root, TREE.root());
    assert_eq!(held.bytes, BYTES.len() as u64);
    assert!(after.escrow.reserved <= after.escrow.held);
    // Others may sign for themselves; the honest device signed this and nothing else.
    if signed.payload.device == honest::DEVICE.id() {
        assert_eq!(signed.payload, CONSENT.payload);
    }
}

/// Nobody shows of an honest piece that it is another.
fn refused(bytes: &[u8]) {
    type Shown = (PieceEntry, ShortProof, SpanProof, Vec<u8>);
    let Some((entry, path, span, shown)) = oracle::scale::<Shown>(bytes) else {
        return;
    };
    let Some(contract) = OPEN.as_ref() else {
        return;
    };
    if holding::check_entry(contract, &entry, &path).is_ok() {
        assert_eq!(entry, *ENTRY);
        assert!(mismatch::mismatch(&entry, &span, &shown).is_err());
    }
}

fn refusals() -> Vec<Vec<u8>> {
    let Some(span) = TREE.span_proof(0) else {
        return Vec::new();
    };
    let entry = *ENTRY;
    vec![(entry, PATH.clone(), span, BYTES.clone()).encode()]
}

/// Only the piece's own chunks answer a challenge of it.
fn answer(bytes: &[u8]) {
    let Some(answer) = oracle::scale::<Answer>(bytes) else {
        return;
    };
    let asked = [1];
    let held = held();
    if challenge::check_part(&held, TREE.count(), &asked, &answer).is_ok() {
        let chunks = answer.chunks.iter().map(|chunk| chunk.bytes.as_slice());
        assert!(chunks.eq(BYTES.chunks(CHUNK_BYTES).skip(1)));
    }
    // Of a piece with two chunks both are asked for; one alone is no answer.
    let Some(contract) = OPEN.as_ref() else {
        return;
    };
    let open = Challenge {
        seed: Digest([1; 32]),
        period: 1,
        opened_at: honest::NOW,
        due: honest::NOW + 9,
        opener: honest::OWNER,
        bond: 1,
        answered: 0,
    };
    let mut contract = contract.clone();
    (contract.holdings, contract.challenges) = (1, 1);
    let answered = challenge::answer(&contract, &held, &open, &answer, honest::NOW);
    if answered.is_ok() {
        let chunks = answer.chunks.iter().map(|chunk| chunk.bytes.as_slice());
        assert!(chunks.eq(BYTES.chunks(CHUNK_BYTES)));
    }
}

fn held() -> Holding {
    Holding {
        account: honest::COORDINATOR,
        chunk_root: TREE.root(),
        bytes: BYTES.len() as u64,
        price: 1,
        since: 1,
        until: None,
        paid: Default::default(),
        is_challenged: true,
        proved_in: None,
    }
}

fn answers() -> Vec<Vec<u8>> {
    let last = (1u32..).zip(BYTES.chunks(CHUNK_BYTES).skip(1));
    let last = last.filter_map(|(index, bytes)| {
        Some(ChallengedChunk {
            bytes: bytes.to_vec().try_into().ok()?,
            proof: TREE.proof(index)?.try_into().ok()?,
        })
    });
    let chunks: Vec<_> = last.collect();
    let chunks = chunks.try_into().ok();
    let answer = chunks.map(|chunks| Answer { part: 0, chunks });
    answer.iter().map(Encode::encode).collect()
}

fn proved() -> Vec<Vec<u8>> {
    let proved = Proved {
        contract: CONTRACT,
        period: 1,
        holders: Default::default(),
    };
    vec![proved.encode()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_honest_consent_and_answer_are_what_the_rules_accept() {
        let contract = OPEN.as_ref();
        assert!(contract.is_some());
        let entry = contract.map(|contract| holding::check_entry(contract, &ENTRY, &PATH));
        assert_eq!(entry, Some(Ok(())));
        assert!(CONSENT.is_signed_by(&honest::DEVICE.id(), &honest::GENESIS));
        let answer = answers()
            .first()
            .and_then(|bytes| oracle::scale::<Answer>(bytes));
        let checked = answer.map(|it| challenge::check_part(&held(), TREE.count(), &[1], &it));
        assert_eq!(checked, Some(Ok(())));
    }
}
