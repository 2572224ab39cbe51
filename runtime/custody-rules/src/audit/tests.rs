//! Masks that cover a piece, and answers that are none.

use super::*;
use proptest::prelude::*;
use quern_primitives::custody::ShortProof;

fn audit(number: u8, sections: u16, section_bytes: u8) -> Audit {
    Audit {
        salt: [number; 32],
        seed: [number ^ 0xff; 32],
        sections,
        section_bytes,
    }
}

fn piece() -> Vec<u8> {
    (0..10_000usize)
        .map(|at| (((at * at) >> 7) ^ at) as u8)
        .collect()
}

/// Audits of the piece, the tree over their leaves, and the piece's entry.
fn committed(count: u8) -> (Vec<Audit>, Tree, PieceEntry) {
    let audits: Vec<_> = (0..count).map(|number| audit(number, 20, 16)).collect();
    let leaves = audits
        .iter()
        .map(|audit| leaf(&pre_leaf(audit, &piece()).unwrap()));
    let tree = tree(leaves);
    let entry = PieceEntry {
        version: PieceEntry::VERSION,
        piece: 0,
        chunk_root: Digest::default(),
        bytes: piece().len() as u64,
        audit_root: tree.root(),
        audit_depth: depth(count.into()),
    };
    (audits, tree, entry)
}

fn answer(tree: &Tree, index: u32, pre_leaf: Digest) -> AuditAnswer {
    AuditAnswer {
        pre_leaf,
        proof: tree.proof(index).unwrap().try_into().unwrap(),
    }
}

#[test]
fn who_has_the_piece_answers_each_audit_and_no_answer_serves_for_another() {
    for count in [1, 2, 3, 9] {
        let (audits, tree, entry) = committed(count);
        for (index, audit) in (0..).zip(&audits) {
            let right = answer(&tree, index, pre_leaf(audit, &piece()).unwrap());
            for asked in 0..u32::from(count) {
                let said = check(&entry, asked, &right);
                let expected = match asked == index {
                    true => Ok(()),
                    false => Err(AuditAnswerError::Proof(ProofError::Index {
                        expected: asked,
                        found: index,
                    })),
                };
                assert_eq!(said, expected);
            }
        }
    }
}

#[test]
fn an_answer_from_an_altered_piece_is_none_if_an_altered_byte_is_asked_for() {
    let (audits, tree, entry) = committed(9);
    let starts = sections(&audits[4], entry.bytes).unwrap();
    for at in 0..piece().len() {
        let mut altered = piece();
        altered[at] ^= 0x80;
        let is_asked = starts.iter().any(|start| {
            let start = *start as usize;
            (start..start + 16).contains(&at)
        });
        let answer = answer(&tree, 4, pre_leaf(&audits[4], &altered).unwrap());
        let expected = match is_asked {
            true => Err(AuditAnswerError::Proof(ProofError::NotUnderRoot)),
            false => Ok(()),
        };
        assert_eq!(check(&entry, 4, &answer), expected, "byte {at}");
    }
}

#[test]
fn the_leaves_that_a_holder_is_given_answer_nothing() {
    let (audits, tree, entry) = committed(9);
    let leaf = leaf(&pre_leaf(&audits[4], &piece()).unwrap());
    let refused = check(&entry, 4, &answer(&tree, 4, leaf));
    let not_under_root = Err(AuditAnswerError::Proof(ProofError::NotUnderRoot));
    assert_eq!(refused, not_under_root);
}

#[test]
fn a_tree_of_another_depth_or_size_is_refused_by_name() {
    let (audits, tree, entry) = committed(9);
    let right = answer(&tree, 4, pre_leaf(&audits[4], &piece()).unwrap());
    let forged = |count| AuditAnswer {
        proof: ShortProof {
            count,
            ..right.proof.clone()
        },
        ..right.clone()
    };
    for (count, found) in [(0, 0), (8, 3), (17, 5), (65_537, 17), (u32::MAX, 32)] {
        let expected = 4;
        let refused = Err(AuditAnswerError::Depth { expected, found });
        assert_eq!(check(&entry, 4, &forged(count)), refused);
    }
    // The same depth, and as many hashes as the path has: the root holds the number of leaves.
    for count in [10, 12, 16] {
        let refused = check(&entry, 4, &forged(count));
        assert_eq!(
            refused,
            Err(AuditAnswerError::Proof(ProofError::NotUnderRoot))
        );
    }
    let deep = PieceEntry {
        audit_depth: 17,
        ..entry
    };
    let (expected, found) = (17, 17);
    let refused = Err(AuditAnswerError::Depth { expected, found });
    assert_eq!(check(&deep, 4, &forged(65_537)), refused);
    let mut longer = right.clone();
    longer.proof.siblings.try_push(Digest::default()).unwrap();
    let refused = check(&entry, 4, &longer);
    assert_eq!(
        refused,
        Err(AuditAnswerError::Proof(ProofError::Siblings { found: 5 }))
    );
}

#[test]
fn the_depth_is_how_often_leaves_are_halved_until_one_is_left() {
    for leaves in 0..1_000u32 {
        let (mut rest, mut halved) = (leaves, 0);
        while rest > 1 {
            rest = rest.div_ceil(2);
            halved += 1;
        }
        assert_eq!(depth(leaves), halved, "{leaves}");
    }
    assert_eq!((depth(1 << 31), depth((1 << 31) + 1)), (31, 32));
    assert_eq!(depth(u32::MAX), 32);
}

#[test]
fn what_no_piece_could_answer_is_not_asked() {
    let asked = |count, bytes, piece| sections(&audit(1, count, bytes), piece).map(|it| it.len());
    let sections_error = |found| Err(AuditError::Sections { found });
    assert_eq!(asked(0, 1, 100), sections_error(0));
    assert_eq!(asked(1_025, 1, 100), sections_error(1_025));
    assert_eq!(asked(1, 0, 100), Err(AuditError::SectionBytes { found: 0 }));
    assert_eq!(
        asked(1, 65, 100),
        Err(AuditError::SectionBytes { found: 65 })
    );
    assert_eq!(asked(1, 64, 63), Err(AuditError::Piece { bytes: 63 }));
    assert_eq!(
        (asked(1_024, 64, 64), asked(3, 64, u64::MAX)),
        (Ok(1_024), Ok(3))
    );
}

#[test]
fn every_byte_of_a_piece_may_be_asked_for_the_last_one_too() {
    let mut asked = [false; 40];
    for number in 0..=u8::MAX {
        for start in sections(&audit(number, 8, 7), 40).unwrap() {
            asked[start as usize..][..7].fill(true);
        }
    }
    assert!(asked.iter().all(|asked| *asked));
}

proptest! {
    #[test]
    fn every_section_is_within_the_piece(
        seed: [u8; 32], count in 1u16..1_025, bytes in 1u8..65, more: u64,
    ) {
        let audit = Audit { salt: [0; 32], seed, sections: count, section_bytes: bytes };
        let piece = more.saturating_add(bytes.into());
        let starts = sections(&audit, piece).unwrap();
        prop_assert_eq!(starts.len(), usize::from(count));
        prop_assert!(starts.iter().all(|start| *start <= piece - u64::from(bytes)));
    }

    #[test]
    fn a_piece_that_is_read_section_by_section_has_the_same_pre_leaf(
        number: u8, count in 1u16..30, bytes in 1u8..65,
    ) {
        let (audit, piece) = (audit(number, count, bytes), piece());
        let mut hash = PreLeaf::new(&audit);
        for start in sections(&audit, piece.len() as u64).unwrap() {
            hash = hash.section(&piece[start as usize..][..usize::from(bytes)]);
        }
        prop_assert_eq!(Ok(hash.finish()), pre_leaf(&audit, &piece));
    }
}
