//! Random authors against the truth. The clock is told again from the claims by another rule: it is
//! the greatest height that more than half of the last claims reach.

use super::*;
use proptest::prelude::*;

/// Half of the claims, rounded down: so many liars are fewer than half.
const FEW: usize = FINALITY_CLAIMS as usize / 2;

/// One block.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// By how much finality goes on before it.
    finalised: u32,
    /// Whether its author lies, and how far ahead of the truth, if it may.
    lies: Option<u32>,
}

fn block() -> impl Strategy<Value = Block> {
    let finalised = prop_oneof![2 => Just(0u32), 6 => Just(1), 1 => 2u32..6];
    let lies = prop::option::weighted(0.5, prop_oneof![Just(u32::MAX), 0u32..40]);
    (finalised, lies).prop_map(|(finalised, lies)| Block { finalised, lies })
}

/// The greatest height that more than half of the last claims reach, without sorting any.
fn reached(claims: &[u32]) -> u32 {
    let last = &claims[claims.len().saturating_sub(FINALITY_CLAIMS as usize)..];
    last.iter()
        .copied()
        .filter(|height| last.iter().filter(|claim| *claim >= height).count() > FEW)
        .max()
        .unwrap_or(0)
}

/// Makes these blocks, of which at most `liars` in any stretch of claims lie, and checks the clock
/// after each.
fn run(blocks: &[Block], liars: usize) -> Result<(), TestCaseError> {
    genesis().execute_with(|| {
        let (mut truth, mut claims, mut lying) = (0u32, Vec::new(), Vec::new());
        for block in blocks {
            next_block();
            let now = System::block_number();
            truth = truth.saturating_add(block.finalised).min(now - 1);
            let stretch = FINALITY_CLAIMS as usize - 1;
            let lately = lying.iter().rev().take(stretch).filter(|lie| **lie).count();
            let lie = block.lies.filter(|_| lately < liars);
            let said = truth.saturating_add(lie.unwrap_or(0));
            let before = Finality::clock();
            let claim_made = Finality::claim_of(said);
            prop_assert_eq!(claim(claim_made), Ok(()));
            claims.push(claim_made);
            lying.push(lie.is_some());

            let clock = Finality::clock();
            prop_assert_eq!(clock, reached(&claims).max(before));
            prop_assert!(clock >= before, "the clock never goes back");
            if liars <= FEW {
                prop_assert!(clock <= truth, "few liars hurried the clock");
            }
            prop_assert_eq!(Finality::do_try_state(), Ok(()));
        }
        Ok(())
    })
}

proptest! {
    #[test]
    fn fewer_than_half_of_the_authors_never_move_the_clock_beyond_the_truth(
        blocks in prop::collection::vec(block(), 1..200),
    ) {
        run(&blocks, FEW)?;
    }

    #[test]
    fn any_claims_move_the_clock_as_the_median_says(
        blocks in prop::collection::vec(block(), 1..200),
        liars in 0usize..=FINALITY_CLAIMS as usize,
    ) {
        run(&blocks, liars)?;
    }
}

#[test]
fn more_than_half_of_the_authors_do_move_it() {
    on_new_chain(|| {
        for _ in 0..=FEW {
            next_block();
            assert_ok!(claim(Finality::claim_of(u32::MAX)));
        }
        assert!(Finality::clock() > 0);
    });
}
