//! How contracts are opened, and drawn for.

use super::*;
use crate::{
    Awaiting, CONTRACTS_AWAITING_MAX, CONTRACTS_AWAITING_PER_OWNER_MAX, Event, Lengths,
    OPEN_CONTRACTS_PER_OWNER_MAX, OpenContracts, PERIOD_LENGTHS_MAX,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::Mutate};
use quern_primitives::{
    Amount,
    custody::{Offer, Terms},
    limits::{CONTRACT_PERIODS_MAX, COPIES_PER_PIECE_MAX, PIECES_PER_CONTRACT_MAX},
};

fn open(owner: &AccountId, offer: Offer, deposit: Amount) -> DispatchResult {
    Custody::open(signed(owner), offer, TermsOfNow::get(), deposit)
}

#[test]
fn an_owners_deposit_is_held_from_the_beginning() {
    on_new_chain(|| {
        assert_ok!(open(&OWNER, offer(0), DEPOSIT));
        let id = id_of(&OWNER, 0);
        assert_eq!(free(&OWNER), ENDOWMENT - DEPOSIT);
        assert_eq!(Custody::escrow_of(&OWNER), DEPOSIT);
        let expected = Escrow {
            deposited: DEPOSIT,
            held: DEPOSIT,
            ..Escrow::default()
        };
        assert_eq!(escrow(id), expected);
        assert_eq!(Custody::totals(), expected);
        let event = Event::ContractOpened {
            contract: id,
            owner: OWNER,
            deposit: DEPOSIT,
            ends: PERIODS + 1,
        };
        assert_eq!(events(), [event]);
    });
}

#[test]
fn nobody_opens_on_terms_that_are_not_those_of_now() {
    on_new_chain(|| {
        let dearer = Terms {
            rate: TERMS.rate + 1,
            ..TERMS
        };
        TermsOfNow::set(&dearer);
        let told = Custody::open(signed(&OWNER), offer(0), TERMS, DEPOSIT);
        assert_noop!(told, Refusal::TermsChanged);
        assert_ok!(open(&OWNER, offer(0), DEPOSIT));
        // What the council sets later does not touch the contract.
        TermsOfNow::set(&TERMS);
        let kept = Custody::contract(&id_of(&OWNER, 0)).unwrap().terms;
        assert_eq!(kept, dearer);
    });
}

#[test]
fn terms_that_cannot_be_open_nothing() {
    on_new_chain(|| {
        TermsOfNow::set(&Terms {
            period_blocks: 0,
            ..TERMS
        });
        assert_noop!(open(&OWNER, offer(0), DEPOSIT), Refusal::TermsUnfit);
    });
}

#[test]
fn an_offer_out_of_its_bounds_is_refused_by_name() {
    on_new_chain(|| {
        let usual = offer(0);
        let with_pieces = |pieces| Offer { pieces, ..usual };
        for wrong in [0, PIECES_PER_CONTRACT_MAX + 1] {
            let refused = open(&OWNER, with_pieces(wrong), DEPOSIT);
            assert_noop!(refused, Refusal::PiecesOutOfBounds);
        }
        for copies in [0, COPIES_PER_PIECE_MAX + 1] {
            let refused = open(&OWNER, Offer { copies, ..usual }, DEPOSIT);
            assert_noop!(refused, Refusal::CopiesOutOfBounds);
        }
        for periods in [0, CONTRACT_PERIODS_MAX + 1] {
            let refused = open(&OWNER, Offer { periods, ..usual }, DEPOSIT);
            assert_noop!(refused, Refusal::PeriodsOutOfBounds);
        }
        assert_ok!(open(&OWNER, with_pieces(PIECES_PER_CONTRACT_MAX), DEPOSIT));
    });
}

#[test]
fn who_is_banned_or_has_not_the_money_opens_nothing() {
    on_new_chain(|| {
        Banned::set(&vec![OWNER]);
        assert_noop!(open(&OWNER, offer(0), DEPOSIT), Refusal::OwnerBanned);
        let refused = open(&OTHER_OWNER, offer(0), ENDOWMENT);
        assert_noop!(refused, Refusal::BalanceBelowDeposit);
        assert_ok!(open(&OTHER_OWNER, offer(0), ENDOWMENT - 1));
    });
}

#[test]
fn a_salt_names_one_contract_of_an_owner() {
    on_new_chain(|| {
        assert_ok!(open(&OWNER, offer(0), DEPOSIT));
        assert_noop!(open(&OWNER, offer(0), DEPOSIT), Refusal::ContractExists);
        assert_ok!(open(&OWNER, offer(1), DEPOSIT));
        assert_ok!(open(&OTHER_OWNER, offer(0), DEPOSIT));
        assert_ne!(id_of(&OWNER, 0), id_of(&OTHER_OWNER, 0));
    });
}

#[test]
fn a_group_is_drawn_in_the_next_block() {
    on_new_chain(|| {
        assert_ok!(open(&OWNER, offer(0), DEPOSIT));
        let id = id_of(&OWNER, 0);
        assert_eq!(Custody::group(&id), None);
        assert_eq!(Awaiting::<Test>::get().len(), 1);
        next_block();
        assert!(Awaiting::<Test>::get().is_empty());
        let group = Custody::group(&id).unwrap();
        let mut drawn: Vec<_> = group.members.iter().map(|it| it.account.clone()).collect();
        let drawn_event = Event::GroupDrawn {
            contract: id,
            coordinator: drawn[0].clone(),
        };
        assert_eq!(events().last(), Some(&drawn_event));
        drawn.sort();
        assert_eq!(drawn, MASTERNODES);
        for member in group.members {
            assert_eq!(member.node, network_key(&member.account).public());
        }
    });
}

#[test]
fn a_contract_waits_while_there_is_nobody_to_draw_or_nothing_to_draw_from() {
    on_new_chain(|| {
        MasternodeList::set(&vec![]);
        assert_ok!(open(&OWNER, offer(0), DEPOSIT));
        let id = id_of(&OWNER, 0);
        next_block();
        assert_eq!(Custody::group(&id), None);
        MasternodeList::set(&MASTERNODES.to_vec());
        Seed::set(&None);
        next_block();
        assert_eq!(Custody::group(&id), None);
        // Its owner could have known this number when it chose the contract's name.
        Seed::set(&Some(1));
        SeedAge::set(&4);
        next_block();
        assert_eq!(Custody::group(&id), None);
        next_block();
        assert!(Custody::group(&id).is_some());
    });
}

#[test]
fn an_owner_has_only_so_many_contracts_and_waits_with_only_so_many() {
    on_new_chain(|| {
        for salt in 0..CONTRACTS_AWAITING_PER_OWNER_MAX as u8 {
            assert_ok!(open(&OWNER, offer(salt), 1));
        }
        let one_more = offer(CONTRACTS_AWAITING_PER_OWNER_MAX as u8);
        assert_noop!(open(&OWNER, one_more, 1), Refusal::TooManyOwnAwaiting);
        next_block();
        assert_ok!(open(&OWNER, one_more, 1));
        OpenContracts::<Test>::insert(&OWNER, OPEN_CONTRACTS_PER_OWNER_MAX);
        assert_noop!(open(&OWNER, offer(99), 1), Refusal::TooManyContracts);
        let open_now = CONTRACTS_AWAITING_PER_OWNER_MAX + 1;
        OpenContracts::<Test>::insert(&OWNER, open_now);
    });
}

#[test]
fn no_more_contracts_wait_than_there_is_room_for() {
    on_new_chain(|| {
        let owners = CONTRACTS_AWAITING_MAX / CONTRACTS_AWAITING_PER_OWNER_MAX;
        for number in 0..owners as u8 {
            let owner = AccountId::new([200 + number; 32]);
            // The money is taken of somebody, so that there is no more of it.
            let sent = Balances::transfer(
                &STRANGER,
                &owner,
                1_000,
                frame_support::traits::tokens::Preservation::Expendable,
            );
            assert_ok!(sent);
            for salt in 0..CONTRACTS_AWAITING_PER_OWNER_MAX as u8 {
                assert_ok!(open(&owner, offer(salt), 1));
            }
        }
        assert_noop!(open(&OWNER, offer(0), 1), Refusal::TooManyAwaiting);
        next_block();
        assert_ok!(open(&OWNER, offer(0), 1));
    });
}

#[test]
fn only_so_many_lengths_of_a_period_are_kept_and_each_as_long_as_a_contract_has_it() {
    on_new_chain(|| {
        let lengths = PERIOD_LENGTHS_MAX as u8;
        for number in 0..lengths {
            TermsOfNow::set(&Terms {
                // From long to short, and kept ascending.
                period_blocks: u32::from(100 - number),
                ..TERMS
            });
            let owner = [OWNER, OTHER_OWNER][usize::from(number % 2)].clone();
            let short = Offer {
                periods: 1,
                ..offer(number)
            };
            assert_ok!(open(&owner, short, 1));
        }
        TermsOfNow::set(&TERMS);
        assert_noop!(open(&OWNER, offer(50), 1), Refusal::TooManyLengths);
        let kept: Vec<_> = Lengths::<Test>::get().iter().map(|it| it.blocks).collect();
        assert_eq!(kept, [93, 94, 95, 96, 97, 98, 99, 100]);
        pass(2 * 93);
        assert_ok!(plain(close(id_of(&OTHER_OWNER, 7))));
        assert_ok!(open(&OWNER, offer(50), 1));
    });
}
