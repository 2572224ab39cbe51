//! The rules of a motion, as the chain has them: who may vote, and when it is decided.

use super::Vote;
use crate::units::span_of_blocks;
use quern_ledger::Motion;
use quern_primitives::{AccountId, BlockNumber};

/// Why nothing is done in the council.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CouncilError {
    /// The account has no seat.
    #[error(
        "{account} is no member of the council; `quern council show` lists them, and --account NAME signs as one"
    )]
    NotAMember { account: AccountId },
    /// It was proposed before.
    #[error("that is proposed already: vote with  quern council vote {number} yes")]
    Open { number: u32 },
    /// There is no such motion.
    #[error("no motion {number} is open; `quern council show` lists those that are")]
    NoSuchMotion { number: u32 },
    /// The vote is given.
    #[error("you voted so on motion {number} already; `quern council show` tells how it stands")]
    Voted { number: u32 },
    /// It is too early.
    #[error(
        "motion {number} is not decided: {missing} more must vote for it; it can be closed without them from block {from}, in {left}"
    )]
    Undecided {
        number: u32,
        missing: u32,
        from: BlockNumber,
        left: String,
    },
    /// The chain did not do what was decided.
    #[error(
        "the motion was accepted in block {block} and is over, but nothing is done; see to what is wrong and propose it again: {why}"
    )]
    NotMade { block: BlockNumber, why: String },
    /// The motion is over, and the block does not say how.
    #[error("block {block} does not tell what came of the motion; see `quern council show`")]
    NoEnd { block: BlockNumber },
}

/// The members that must vote for a motion: more than half of so many.
pub(super) fn majority(seats: usize) -> u32 {
    // There are 64 seats at most.
    u32::try_from(seats / 2).map_or(u32::MAX, |half| half.saturating_add(1))
}

/// Fails unless an account is a member.
pub(super) fn member(members: &[AccountId], account: &AccountId) -> Result<(), CouncilError> {
    match members.contains(account) {
        true => Ok(()),
        false => Err(CouncilError::NotAMember {
            account: account.clone(),
        }),
    }
}

/// The open motion of a number.
pub(super) fn find(motions: Vec<Motion>, number: u32) -> Result<Motion, CouncilError> {
    let mut motions = motions.into_iter();
    let found = motions.find(|motion| motion.number == number);
    found.ok_or(CouncilError::NoSuchMotion { number })
}

/// Whether so many have voted for a motion that it is accepted, whatever the others do.
fn is_accepted(motion: &Motion) -> bool {
    motion.ayes.len() >= motion.threshold as usize
}

/// Whether a motion can be closed in a block: it is accepted, or cannot be any more, or its time is
/// over.
pub(super) fn is_decided(motion: &Motion, seats: usize, block: BlockNumber) -> bool {
    let left = seats.saturating_sub(motion.nays.len());
    is_accepted(motion) || left < motion.threshold as usize || block >= motion.ends_at
}

/// Whether an account's vote would change anything.
pub(super) fn check_vote(
    motion: &Motion,
    account: &AccountId,
    vote: Vote,
) -> Result<(), CouncilError> {
    let same = match vote {
        Vote::Yes => &motion.ayes,
        Vote::No => &motion.nays,
    };
    match same.contains(account) {
        true => Err(CouncilError::Voted {
            number: motion.number,
        }),
        false => Ok(()),
    }
}

/// Whether a motion can be closed in the block after this one.
pub(super) fn check_close(
    motion: &Motion,
    seats: usize,
    now: BlockNumber,
) -> Result<(), CouncilError> {
    if is_decided(motion, seats, now.saturating_add(1)) {
        return Ok(());
    }
    let ayes = u32::try_from(motion.ayes.len()).unwrap_or(u32::MAX);
    Err(CouncilError::Undecided {
        number: motion.number,
        missing: motion.threshold.saturating_sub(ayes),
        from: motion.ends_at,
        left: span_of_blocks(motion.ends_at.saturating_sub(now).into()),
    })
}
