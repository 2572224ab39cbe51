//! What the clock does, each test a sentence about it.

mod model;

use crate::{Error, INHERENT_IDENTIFIER, InherentError, mock::*};
use frame_support::{assert_noop, assert_ok, inherent::ProvideInherent};
use quern_primitives::limits::FINALITY_CLAIMS;
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
fn the_clock_follows_finality_by_half_of_the_claims() {
    on_new_chain(|| {
        honest_blocks(100);
        // In block 101, the last 21 claims are 78 to 98.
        assert_eq!(Finality::clock(), 98 - FINALITY_CLAIMS / 2);
    });
}

#[test]
fn the_clock_stands_still_until_half_of_the_claims_are_made() {
    on_new_chain(|| {
        for block in 2..=11 {
            next_block();
            assert_ok!(claim(block - 1));
            assert_eq!(Finality::clock(), 0);
        }
        next_block();
        assert_ok!(claim(11));
        assert_eq!(Finality::clock(), 1);
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
        for _ in 0..10 {
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
