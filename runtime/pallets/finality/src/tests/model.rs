//! Random authors against the truth. The clock is told again from the claims by another rule: it is
//! the greatest height that the last claims of more than two thirds reach.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One block.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// By how much finality goes on before it.
    finalised: u32,
    /// Whose it is, counted among those who may make it.
    author: u8,
    /// How far ahead of the truth its author is, if that is a liar.
    ahead: u32,
}

fn block() -> impl Strategy<Value = Block> {
    let finalised = prop_oneof![2 => Just(0u32), 6 => Just(1), 1 => 2u32..6];
    let ahead = prop_oneof![Just(u32::MAX), 0u32..40];
    (finalised, any::<u8>(), ahead).prop_map(|(finalised, author, ahead)| Block {
        finalised,
        author,
        ahead,
    })
}

/// The greatest height that more than two thirds of so many validators have claimed last, without
/// sorting any.
fn reached(claims: &BTreeMap<u8, u32>, validators: u8) -> u32 {
    let reach = |height: u32| claims.values().filter(|claim| **claim >= height).count();
    claims
        .values()
        .copied()
        .filter(|height| 3 * reach(*height) > 2 * usize::from(validators))
        .max()
        .unwrap_or(0)
}

/// Makes these blocks on a chain of so many validators, the first of which lie and the last of which
/// make none, and checks the clock after each.
fn run(blocks: &[Block], validators: u8, liars: u8, silent: u8) -> Result<(), TestCaseError> {
    genesis().execute_with(|| {
        Validators::set((0..validators).map(account).collect());
        let (mut truth, mut claims, mut known) = (0u32, BTreeMap::new(), BTreeMap::new());
        for block in blocks {
            next_block();
            let now = System::block_number();
            truth = truth.saturating_add(block.finalised).min(now - 1);
            let author = block.author % (validators - silent);
            Author::set(Some(account(author)));
            let ahead = if author < liars { block.ahead } else { 0 };
            let before = Finality::clock();
            let claim_made = Finality::claim_of(truth.saturating_add(ahead));
            prop_assert_eq!(claim(claim_made), Ok(()));
            claims.insert(author, claim_made);
            if author >= liars {
                known.insert(author, truth);
            }

            let clock = Finality::clock();
            prop_assert_eq!(clock, reached(&claims, validators).max(before));
            prop_assert!(clock >= before, "the clock never goes back");
            if 3 * u32::from(liars) <= 2 * u32::from(validators) {
                prop_assert!(clock <= truth, "two thirds hurried the clock");
            }
            if 3 * u32::from(liars + silent) < u32::from(validators) {
                let honest = usize::from(validators - liars - silent);
                let all_know = known.values().min().filter(|_| known.len() == honest);
                prop_assert!(
                    clock >= all_know.copied().unwrap_or(0),
                    "the clock was stopped"
                );
            }
            prop_assert_eq!(Finality::do_try_state(), Ok(()));
        }
        Ok(())
    })
}

/// How many validators there are, and how many of them lie or are silent, fewer than a third together.
fn fewer_than_a_third() -> impl Strategy<Value = (u8, u8, u8)> {
    (1u8..20)
        .prop_flat_map(|all| (Just(all), 0..=(all - 1) / 3))
        .prop_flat_map(|(all, few)| (Just(all), Just(few), 0..=few))
        .prop_map(|(all, few, liars)| (all, liars, few - liars))
}

proptest! {
    #[test]
    fn two_thirds_of_the_validators_never_move_the_clock_beyond_the_truth(
        blocks in prop::collection::vec(block(), 1..200),
        validators in 1u8..20,
    ) {
        run(&blocks, validators, validators * 2 / 3, 0)?;
    }

    #[test]
    fn fewer_than_a_third_never_stop_the_clock_that_the_others_have_moved(
        blocks in prop::collection::vec(block(), 1..200),
        (validators, liars, silent) in fewer_than_a_third(),
    ) {
        run(&blocks, validators, liars, silent)?;
    }

    #[test]
    fn any_claims_move_the_clock_as_two_thirds_of_them_say(
        blocks in prop::collection::vec(block(), 1..200),
        (validators, liars) in (1u8..20).prop_flat_map(|all| (Just(all), 0..=all)),
    ) {
        run(&blocks, validators, liars, 0)?;
    }

    #[test]
    fn where_validators_take_turns_the_clock_lags_by_less_than_a_round(
        validators in 1u8..20,
        rounds in 2u32..10,
    ) {
        genesis().execute_with(|| {
            Validators::set((0..validators).map(account).collect());
            for _ in 0..rounds * u32::from(validators) {
                next_block();
                let now = System::block_number();
                prop_assert_eq!(claim(Finality::claim_of(now - 1)), Ok(()));
            }
            let now = System::block_number();
            prop_assert!(now - 1 - Finality::clock() < u32::from(validators));
            Ok(())
        })?;
    }
}

#[test]
fn more_than_two_thirds_of_the_validators_do_move_it() {
    on_new_chain(|| {
        for author in 0..3 {
            next_block();
            Author::set(Some(account(author)));
            assert_ok!(claim(Finality::claim_of(u32::MAX)));
        }
        assert!(Finality::clock() > 0);
    });
}
