//! The vectors of `docs/format.md`, section Custody: what the document says is what the code does. They were
//! computed by another implementation.

use crate::{Kept, terms};
use codec::Encode;
use quern_custody_rules::{audit, drawn};
use quern_primitives::{
    AccountId, ContractId, DeviceId, Digest, GenesisHash,
    custody::{Audit, Held, HoldConsent, PieceEntry, Place, Proved, Terms, contract_id},
    merkle::Tree,
    payload::SignedPayload,
};

const DOCUMENT: &str = include_str!("../../../../docs/format.md");
const GENESIS: GenesisHash = GenesisHash([0x11; 32]);
const DEVICE: DeviceId = DeviceId([0x44; 32]);

#[track_caller]
fn assert_vector(name: &str, found: impl AsRef<[u8]>) {
    let found = found.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let row = format!("\n{name}: {}\n", found.collect::<String>());
    assert!(DOCUMENT.contains(&row), "docs/format.md has no row {row}");
}

fn owner() -> AccountId {
    AccountId::new([0x88; 32])
}

fn contract() -> ContractId {
    contract_id(&GENESIS, &owner(), &[0x66; 16])
}

fn piece() -> Kept {
    Kept::patterned(0, 65_541)
}

fn audit(number: u8, sections: u16, section_bytes: u8) -> Audit {
    Audit {
        salt: [0xa0 | number; 32],
        seed: [0xb0 | number; 32],
        sections,
        section_bytes,
    }
}

fn audits() -> [Audit; 3] {
    [audit(1, 5, 16), audit(2, 1, 64), audit(3, 1_024, 1)]
}

fn entries() -> [PieceEntry; 2] {
    let pre_leaf = |it: &Audit| audit::pre_leaf(it, &piece().bytes).unwrap();
    let leaves = audits().map(|it| audit::leaf(&pre_leaf(&it)));
    let first = PieceEntry {
        audit_root: audit::tree(leaves).root(),
        audit_depth: audit::depth(3),
        ..piece().entry(0)
    };
    [first, Kept::of(b"hello".to_vec()).entry(1)]
}

fn vector_terms() -> Terms {
    Terms {
        period_blocks: 1_800,
        answer_blocks: 300,
        notice_periods: 24,
        rate: 5_000_000,
        challenge_bond: 1_000_000_000,
        slash: 10_000_000_000,
        ..terms()
    }
}

#[test]
fn private_audits_are_what_the_format_says() {
    let audits = audits();
    let starts = audit::sections(&audits[0], 65_541).unwrap();
    let starts: Vec<u8> = starts.into_iter().flat_map(u64::to_le_bytes).collect();
    assert_vector("audit", audits[0].encode());
    assert_vector("sections of the audit", starts);
    let pre_leaves = audits.map(|it| audit::pre_leaf(&it, &piece().bytes).unwrap());
    assert_vector("pre-leaf of the audit", pre_leaves[0]);
    assert_vector("leaf of the audit", audit::leaf(&pre_leaves[0]));
    assert_vector("pre-leaf of the second audit", pre_leaves[1]);
    assert_vector("pre-leaf of the third audit", pre_leaves[2]);
    assert_vector("root of three audits", entries()[0].audit_root);
}

#[test]
fn contracts_and_their_pieces_are_what_the_format_says() {
    let entries = entries();
    assert_vector("contract", contract());
    assert_vector("chunk root of the piece", entries[0].chunk_root);
    assert_vector("entry of the piece", entries[0].encode());
    assert_vector("entry of the second piece", entries[1].encode());
    let root = Tree::new(entries.map(|entry| entry.encode())).root();
    assert_vector("pieces root", root);
}

#[test]
fn public_challenges_are_what_the_format_says() {
    let place = Place {
        contract: contract(),
        piece: 0,
        holder: DEVICE,
    };
    let seed = drawn::seed(&Digest([0xcd; 32]), &place, 7);
    assert_vector("seed of a public challenge", seed);
    for count in [8_193, 40] {
        let chunks = drawn::chunks(&seed, count);
        let chunks: Vec<u8> = chunks.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_vector(&format!("challenged of {count} chunks"), chunks);
    }
}

#[test]
fn what_is_signed_about_custody_is_what_the_format_says() {
    let consent = HoldConsent {
        contract: contract(),
        device: DEVICE,
        account: owner(),
        since: 7,
        entry: entries()[0],
        terms: vector_terms(),
    };
    assert_vector("terms of the contract", vector_terms().encode());
    assert_vector("signed of a consent", consent.signing_digest(&GENESIS));
    let holders = [0, 1].map(|piece| Held {
        piece,
        device: DEVICE,
    });
    let proved = Proved {
        contract: contract(),
        period: 7,
        holders: holders.to_vec().try_into().unwrap(),
    };
    assert_vector("signed of what was proved", proved.signing_digest(&GENESIS));
}
