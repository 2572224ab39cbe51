//! How the words of custody are encoded.

use super::*;
use crate::{
    limits::{CUSTODY_PROOF_HASHES_MAX, PIECE_BYTES_MAX},
    merkle::{CHUNK_BYTES, Proof, Tree},
    payload::DeviceKey,
};
use alloc::{vec, vec::Vec};

fn entry() -> PieceEntry {
    PieceEntry {
        version: PieceEntry::VERSION,
        piece: 2,
        chunk_root: Digest([3; 32]),
        bytes: 4,
        audit_root: Digest([5; 32]),
        audit_depth: 6,
    }
}

fn terms() -> Terms {
    Terms {
        period_blocks: 1_800,
        answer_blocks: 300,
        notice_periods: 24,
        rate: 1,
        holders_permille: 700,
        operators_permille: 200,
        challenge_bond: 2,
        slash: 3,
        winner_permille: 500,
    }
}

#[test]
fn a_piece_is_78_bytes_and_an_audit_67() {
    let expected = [
        &[1][..],
        &2u32.to_le_bytes(),
        &[3; 32],
        &4u64.to_le_bytes(),
        &[5; 32],
        &[6],
    ];
    assert_eq!(entry().encode(), expected.concat());
    assert_eq!(PieceEntry::max_encoded_len(), 78);
    assert_eq!(Audit::max_encoded_len(), 67);
}

#[test]
fn a_piece_has_a_chunk_for_each_4096_bytes_and_from_one_to_16384_of_them() {
    let of = piece_chunks;
    assert_eq!((of(0), of(1)), (None, Some(1)));
    assert_eq!((of(4_096), of(4_097)), (Some(1), Some(2)));
    assert_eq!(of(PIECE_BYTES_MAX), Some(16_384));
    assert_eq!((of(PIECE_BYTES_MAX + 1), of(u64::MAX)), (None, None));
}

#[test]
fn a_contract_is_another_on_another_chain_for_another_owner_and_with_another_salt() {
    let (genesis, owner, salt) = (GenesisHash([1; 32]), AccountId::new([2; 32]), [3; 16]);
    let id = contract_id(&genesis, &owner, &salt);
    let others = [
        contract_id(&GenesisHash([0; 32]), &owner, &salt),
        contract_id(&genesis, &AccountId::new([0; 32]), &salt),
        contract_id(&genesis, &owner, &[0; 16]),
    ];
    assert!(!others.contains(&id));
}

#[test]
fn a_short_proof_holds_where_the_long_one_does_and_longer_ones_are_none() {
    let tree = Tree::new((0..70u8).map(|leaf| [leaf]));
    for index in 0..70u8 {
        let proof = tree.proof(index.into()).unwrap();
        let short = ShortProof::try_from(proof.clone()).unwrap();
        for leaf in 0..70 {
            assert_eq!(short.root_over(&[leaf]), proof.root_over(&[leaf]));
        }
    }
    let long = |hashes: u32| Proof {
        index: 0,
        count: 1,
        siblings: vec![Digest([0; 32]); hashes as usize],
    };
    assert!(ShortProof::try_from(long(CUSTODY_PROOF_HASHES_MAX)).is_ok());
    assert!(ShortProof::try_from(long(CUSTODY_PROOF_HASHES_MAX + 1)).is_err());
}

#[test]
fn a_part_of_an_answer_is_no_longer_than_a_call_may_be() {
    let part = 1 + 1 + 8 * (2 + CHUNK_BYTES + 4 + 4 + 1 + 16 * 32);
    assert_eq!(Answer::max_encoded_len(), part);
}

#[test]
fn a_consent_is_for_one_piece_on_one_contracts_terms_by_one_device_on_one_chain() {
    let (here, key) = (GenesisHash([1; 32]), DeviceKey::from_seed(&[7; 32]));
    let consent = HoldConsent {
        contract: ContractId([1; 32]),
        device: key.id(),
        account: AccountId::new([2; 32]),
        since: 7,
        entry: entry(),
        terms: terms(),
    };
    let signature = key.sign(consent.clone(), &here).signature;
    let holds = |payload: &HoldConsent, genesis| {
        let digest = payload.signing_digest(&genesis);
        crate::payload::verify(&signature, &digest, &key.id())
    };
    assert!(holds(&consent, here));
    assert!(!holds(&consent, GenesisHash([2; 32])));
    let changes: [fn(&mut HoldConsent); 7] = [
        |it| it.contract.0[0] ^= 1,
        |it| it.device.0[0] ^= 1,
        |it| it.account = AccountId::new([9; 32]),
        |it| it.since += 1,
        |it| it.entry.bytes += 1,
        |it| it.entry.chunk_root.0[0] ^= 1,
        |it| it.terms.slash += 1,
    ];
    for change in changes {
        let mut changed = consent.clone();
        change(&mut changed);
        assert!(!holds(&changed, here));
    }
}

#[test]
fn what_a_group_says_of_a_period_it_says_of_no_other_holder_or_period() {
    let genesis = GenesisHash([1; 32]);
    let proved = |period, pieces: &[u32]| {
        let held = pieces.iter().map(|piece| Held {
            piece: *piece,
            device: DeviceId([1; 32]),
        });
        let proved = Proved {
            contract: ContractId([1; 32]),
            period,
            holders: held.collect::<Vec<_>>().try_into().unwrap(),
        };
        proved.signing_digest(&genesis)
    };
    let digests = [
        proved(1, &[1, 2]),
        proved(2, &[1, 2]),
        proved(1, &[1]),
        proved(1, &[1, 3]),
    ];
    for (index, digest) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(digest));
    }
}
