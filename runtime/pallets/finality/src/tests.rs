//! What the clock does, each test a sentence about it.

mod model;

use crate::{Error, INHERENT_IDENTIFIER, InherentError, mock::*};
use frame_support::{assert_noop, assert_ok, inherent::ProvideInherent};
use sp_inherents::InherentData;

type Refusal = Error<Test>;
type Call = crate::Call<Test>;

fn claim(height: u32) -> frame_support::dispatch::DispatchResult {
    Finality::claim(RuntimeOrigin::none(), height)
}

fn told(height: u32) -> InherentData {
    let mut data = InherentData::new();
    data.put_data(INHERENT_IDENTIFIER, &height).unwrap();
    data
}

/// Blocks whose authors all say the truth: what is three blocks behind is final.
fn honest_blocks(count: u32) {
    for _ in 0..count {
        next_block();
        let height = System::block_number().saturating_sub(3);
        assert_ok!(claim(Finality::claim_of(height)));
    }
}

#[test]
fn the_clock_follows_finality_by_two_thirds_of_a_round() {
    on_new_chain(|| {
        honest_blocks(100);
        // In block 101, the last claims of the four are 95 to 98; three of them reach 96.
        assert_eq!(Finality::clock(), 96);
    });
}

#[test]
fn the_clock_stands_still_until_more_than_two_thirds_have_claimed() {
    on_new_chain(|| {
        for block in 2..=3 {
            next_block();
            assert_ok!(claim(block - 1));
            assert_eq!(Finality::clock(), 0);
        }
        next_block();
        assert_ok!(claim(3));
        assert_eq!(Finality::clock(), 1);
    });
}

#[test]
fn who_makes_every_block_counts_once() {
    on_new_chain(|| {
        Author::set(Some(account(0)));
        for _ in 0..1_000 {
            next_block();
            assert_ok!(claim(Finality::claim_of(u32::MAX)));
        }
        assert_eq!(Finality::clock(), 0);
    });
}

#[test]
fn two_of_four_who_lie_do_not_move_the_clock_whoever_is_drawn() {
    on_new_chain(|| {
        for block in 0..1_000u32 {
            next_block();
            Author::set(Some(account((block % 2) as u8)));
            assert_ok!(claim(Finality::claim_of(u32::MAX)));
        }
        assert_eq!(Finality::clock(), 0);
    });
}

#[test]
fn one_of_four_who_is_silent_does_not_stop_the_clock() {
    on_new_chain(|| {
        for block in 0..99u32 {
            next_block();
            Author::set(Some(account((block % 3) as u8)));
            assert_ok!(claim(Finality::claim_of(System::block_number() - 1)));
        }
        // Block 100 claims 99, and those of the other two are of the blocks before it.
        assert_eq!(Finality::clock(), 97);
    });
}

#[test]
fn a_chain_of_one_validator_goes_by_its_word() {
    on_new_chain(|| {
        Validators::set(vec![account(0)]);
        honest_blocks(10);
        assert_eq!(Finality::clock(), 8);
    });
}

#[test]
fn validators_that_left_do_not_count_and_new_ones_count_when_they_have_claimed() {
    on_new_chain(|| {
        honest_blocks(50);
        let clock = Finality::clock();
        // One stays.
        Validators::set([0, 7, 8, 9].map(account).to_vec());
        Author::set(Some(account(0)));
        next_block();
        let height = System::block_number() - 1;
        assert_ok!(claim(height));
        Author::set(Some(account(7)));
        next_block();
        assert_ok!(claim(height));
        assert_eq!(Finality::clock(), clock);
        Author::set(Some(account(8)));
        next_block();
        assert_ok!(claim(height));
        assert_eq!(Finality::clock(), height);
    });
}

#[test]
fn a_block_of_nobody_among_the_validators_has_no_claim() {
    on_new_chain(|| {
        next_block();
        Author::set(Some(account(9)));
        assert_noop!(claim(1), Refusal::NoAuthor);
    });
}

#[test]
fn the_clock_stands_still_while_finality_does() {
    on_new_chain(|| {
        honest_blocks(50);
        let last = System::block_number() - 3;
        for _ in 0..100 {
            next_block();
            assert_ok!(claim(Finality::claim_of(last)));
        }
        assert_eq!(Finality::clock(), last);
        for _ in 0..2 {
            next_block();
            assert_ok!(claim(Finality::claim_of(System::block_number() - 3)));
            assert_eq!(Finality::clock(), last);
        }
    });
}

#[test]
fn an_author_whose_node_lags_behind_holds_the_clock_back_by_no_more_than_itself() {
    on_new_chain(|| {
        honest_blocks(50);
        let clock = Finality::clock();
        assert_eq!(Finality::claim_of(0), clock);
        next_block();
        assert_ok!(claim(Finality::claim_of(0)));
        assert!(Finality::clock() >= clock);
    });
}

#[test]
fn a_claim_below_the_clock_is_refused() {
    on_new_chain(|| {
        honest_blocks(50);
        next_block();
        let clock = Finality::clock();
        assert_noop!(claim(clock - 1), Refusal::BelowClock);
        let check = Finality::check_inherent(&Call::claim { height: clock - 1 }, &told(0));
        assert_eq!(check, Err(InherentError::BelowClock));
        assert_ok!(claim(clock));
    });
}

#[test]
fn a_claim_that_is_not_below_its_block_is_refused() {
    on_new_chain(|| {
        next_block();
        assert_noop!(claim(2), Refusal::NotBelowBlock);
        // Others check a block from the state before it, in which the height is the one before.
        let check = |height| Finality::check_inherent(&Call::claim { height }, &told(9));
        assert_eq!(check(3), Err(InherentError::NotBelowBlock));
        assert_eq!(check(2), Ok(()));
        assert_ok!(claim(1));
    });
}

#[test]
fn a_block_has_one_claim() {
    on_new_chain(|| {
        next_block();
        assert_ok!(claim(1));
        assert_noop!(claim(1), Refusal::ClaimedAlready);
    });
}

#[test]
fn only_a_blocks_author_claims() {
    on_new_chain(|| {
        next_block();
        for origin in [RuntimeOrigin::root(), RuntimeOrigin::signed(1)] {
            let refused = Finality::claim(origin, 1);
            assert_eq!(refused, Err(sp_runtime::DispatchError::BadOrigin));
        }
    });
}

#[test]
fn a_node_that_knows_what_is_final_demands_a_claim_and_makes_one() {
    on_new_chain(|| {
        next_block();
        let (known, unknown) = (told(9), InherentData::new());
        let required = Finality::is_inherent_required(&known);
        assert_eq!(required, Ok(Some(InherentError::Missing)));
        assert_eq!(Finality::is_inherent_required(&unknown), Ok(None));
        assert!(Finality::create_inherent(&unknown).is_none());
        let made = Finality::create_inherent(&known);
        assert!(matches!(made, Some(Call::claim { height: 1 })));
        assert!(made.is_some_and(|call| Finality::is_inherent(&call)));
    });
}

#[test]
fn what_cannot_be_read_is_no_claim() {
    on_new_chain(|| {
        let mut data = InherentData::new();
        data.put_data(INHERENT_IDENTIFIER, &1u8).unwrap();
        assert!(Finality::create_inherent(&data).is_none());
    });
}
