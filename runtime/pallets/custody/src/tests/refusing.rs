//! Pieces that are others than their contract says.

use super::*;
use crate::{Event, REFUSED_PIECES_MAX, Refused};
use codec::Encode;
use frame_support::{assert_ok, traits::ConstU32};
use quern_primitives::{
    custody::{Offer, PieceEntry, ShortProof},
    limits::SPAN_BYTES,
    merkle::{SPAN_CHUNKS, SpanProof, Tree},
};
use sp_core::bounded::BoundedVec;

/// Bytes that are shown.
type Shown = BoundedVec<u8, ConstU32<SPAN_BYTES>>;

/// A contract whose owner says of the last piece that it has other bytes than it has.
struct Lie {
    id: ContractId,
    entry: PieceEntry,
    path: ShortProof,
}

/// An owner that says so many bytes of a piece of 163,841.
fn lie(bytes: u64) -> Lie {
    let entries = (0..).zip(PIECES.iter());
    let mut entries: Vec<_> = entries.map(|(piece, kept)| kept.entry(piece)).collect();
    entries[2].bytes = bytes;
    let tree = Tree::new(entries.iter().map(Encode::encode));
    let offer = Offer {
        pieces_root: tree.root(),
        ..offer(0)
    };
    assert_ok!(Custody::open(signed(&OWNER), offer, TERMS, DEPOSIT));
    next_block();
    Lie {
        id: id_of(&OWNER, 0),
        entry: entries[2],
        path: tree.proof(2).unwrap().try_into().unwrap(),
    }
}

/// The only span of the piece as it is.
fn span() -> (SpanProof, Shown) {
    assert!(PIECES[2].tree.count() <= SPAN_CHUNKS);
    let proof = PIECES[2].tree.span_proof(0).unwrap();
    (proof, PIECES[2].bytes.clone().try_into().unwrap())
}

fn refuse(
    by: &AccountId,
    lie: &Lie,
    (span, shown): (SpanProof, Shown),
) -> DispatchResultWithPostInfo {
    Custody::refuse(signed(by), lie.id, lie.entry, lie.path.clone(), span, shown)
}

#[test]
fn whoever_received_a_piece_of_another_length_shows_it_and_nobody_takes_it() {
    for bytes in [163_840, 163_842, 5_000, 0, u64::MAX] {
        on_new_chain(|| {
            let lie = lie(bytes);
            for_a_fee(refuse(&account_of(0), &lie, span()));
            assert_eq!(Custody::refused(&lie.id), [2]);
            let event = Event::PieceRefused {
                contract: lie.id,
                piece: 2,
            };
            assert_eq!(events().last(), Some(&event));
            let mut word = consent(&place(lie.id, 2, 0), 0);
            word.entry = lie.entry;
            let word = signed_by(0, word);
            refused(
                Custody::hold(signed(&OWNER), word, lie.path.clone()),
                Refusal::PieceRefused,
            );
            refused(refuse(&account_of(0), &lie, span()), Refusal::PieceRefused);
        });
    }
}

#[test]
fn a_member_of_the_group_shows_it_for_no_fee() {
    on_new_chain(|| {
        let lie = lie(163_840);
        free_of_charge(refuse(&member(&lie.id, 2), &lie, span()));
    });
}

#[test]
fn of_a_true_entry_nothing_is_shown() {
    on_new_chain(|| {
        let truth = lie(163_841);
        refused(refuse(&account_of(0), &truth, span()), Refusal::SpanFits);
        assert!(Custody::refused(&truth.id).is_empty());
    });
}

#[test]
fn bytes_that_are_not_under_the_root_show_nothing_of_the_owner() {
    on_new_chain(|| {
        let lie = lie(163_840);
        let (proof, mut shown) = span();
        shown[7] ^= 1;
        refused(
            refuse(&account_of(0), &lie, (proof.clone(), shown)),
            Refusal::SpanNotUnderRoot,
        );
        // Nor does an entry that is none of the contract's.
        let other = Lie {
            entry: PieceEntry {
                bytes: 1,
                ..lie.entry
            },
            ..lie
        };
        refused(
            refuse(&account_of(0), &other, span()),
            Refusal::EntryNotInContract,
        );
    });
}

#[test]
fn no_more_pieces_of_a_contract_are_noted_than_one_is_known_by() {
    on_new_chain(|| {
        let lie = lie(163_840);
        // As if the contract had so many pieces.
        let many: Vec<u32> = (100..100 + REFUSED_PIECES_MAX).collect();
        Refused::<Test>::insert(lie.id, BoundedVec::truncate_from(many));
        refused(
            refuse(&account_of(0), &lie, span()),
            Refusal::TooManyRefused,
        );
        Refused::<Test>::remove(lie.id);
    });
}
