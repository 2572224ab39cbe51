//! Public challenges on the chain: opened where somebody says that a holder has not proved its piece, answered
//! by the holder in up to four parts, missed if it is not in time.
//!
//! Whoever opens one puts up a bond. An answer gives it to the holder, for its trouble, and has the period paid,
//! so a holder that its group slanders loses nothing. A miss gives it back and ends the holding; what else
//! follows is in [`steps`].

use crate::{
    drawn,
    holding::shorten,
    pay::{self, Split, is_paid, period_at, until},
    proof,
    steps::{self, Penalty},
};
use alloc::boxed::Box;
use quern_primitives::{
    amount::Amount,
    custody::{Answer, Challenge, Contract, Holding, Miss, Place, Standing, piece_chunks},
    ids::{AccountId, BlockNumber, Digest, Period},
    merkle::CHUNK_BYTES,
};

mod error;

pub use error::{AnswerError, MissError, OpenError};

/// Who opens a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opener<'a> {
    /// Their account.
    pub account: &'a AccountId,
    /// Whether they have a say in the contract's group.
    pub is_member: bool,
}

/// Opens a challenge in the present period, drawn from the randomness of its first block. The contract's
/// `challenge_bond` is taken of who opens it.
pub fn open(
    contract: &Contract,
    holding: &Holding,
    place: &Place,
    randomness: &Digest,
    by: Opener<'_>,
    now: BlockNumber,
) -> Result<(Contract, Holding, Challenge), OpenError> {
    if *by.account != contract.owner && !by.is_member {
        return Err(OpenError::NotEntitled);
    }
    let period = period_at(&contract.terms, now);
    let (since, until) = (holding.since, until(contract, holding));
    if !(since..until).contains(&period) {
        return Err(OpenError::NotHeld { since, until });
    }
    if holding.is_challenged {
        return Err(OpenError::AlreadyOpen);
    }
    if holding.proved_in == Some(period) {
        return Err(OpenError::AlreadyProved);
    }
    let due = now.checked_add(contract.terms.answer_blocks);
    let challenges = contract.challenges.checked_add(1);
    let (due, challenges) = due.zip(challenges).ok_or(OpenError::TooMany)?;
    let challenge = Challenge {
        seed: drawn::seed(randomness, place, period),
        period,
        opened_at: now,
        due,
        opener: by.account.clone(),
        bond: contract.terms.challenge_bond,
        answered: 0,
    };
    let contract = Contract {
        challenges,
        ..contract.clone()
    };
    let holding = Holding {
        is_challenged: true,
        ..holding.clone()
    };
    Ok((contract, holding, challenge))
}

/// What a part of an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Others are still to come.
    Part(Challenge),
    /// It was the last: the challenge is over.
    Whole(Box<Passed>),
}

/// A challenge that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The contract afterwards.
    pub contract: Contract,
    /// The holding afterwards.
    pub holding: Holding,
    /// Who gets what for the period; nothing if it was paid already.
    pub split: Split,
    /// What the holder's account gets of who opened the challenge.
    pub bond: Amount,
}

/// Takes a part of an answer.
pub fn answer(
    contract: &Contract,
    holding: &Holding,
    challenge: &Challenge,
    answer: &Answer,
    now: BlockNumber,
) -> Result<Answered, AnswerError> {
    if now > challenge.due {
        return Err(AnswerError::Late { due: challenge.due });
    }
    let (challenge, parts) = check(holding, challenge, answer)?;
    if challenge.answered.count_ones() < parts {
        return Ok(Answered::Part(challenge));
    }
    pass(contract, holding, &challenge, now)
        .map(|passed| Answered::Whole(Box::new(passed)))
        .ok_or(AnswerError::Unfit)
}

/// Checks a part of an answer. Gives the challenge with that part shown, and in how many parts all of it is.
pub fn check(
    holding: &Holding,
    challenge: &Challenge,
    answer: &Answer,
) -> Result<(Challenge, u32), AnswerError> {
    let count = piece_chunks(holding.bytes).ok_or(AnswerError::Unfit)?;
    let drawn = drawn::chunks(&challenge.seed, count);
    let asked = drawn::part(&drawn, answer.part).ok_or(AnswerError::NoSuchPart {
        parts: drawn::parts(drawn.len()),
    })?;
    let bit = bit(answer.part).ok_or(AnswerError::Unfit)?;
    if challenge.answered & bit != 0 {
        return Err(AnswerError::AlreadyAnswered);
    }
    check_part(holding, count, asked, answer)?;
    let challenge = Challenge {
        answered: challenge.answered | bit,
        ..challenge.clone()
    };
    let parts = u32::try_from(drawn::parts(drawn.len())).unwrap_or(u32::MAX);
    Ok((challenge, parts))
}

/// The bit of a part.
fn bit(part: u8) -> Option<u8> {
    1u8.checked_shl(part.into())
}

/// Whether a part has the chunks that were asked for, each once and in order.
pub fn check_part(
    holding: &Holding,
    count: u32,
    asked: &[u32],
    answer: &Answer,
) -> Result<(), AnswerError> {
    if answer.chunks.len() != asked.len() {
        return Err(AnswerError::Chunks {
            expected: asked.len(),
            found: answer.chunks.len(),
        });
    }
    // What costs no hashing is looked at first, of all chunks.
    for (place, (chunk, index)) in answer.chunks.iter().zip(asked).enumerate() {
        let mut before = answer.chunks.iter().take(place);
        let found = chunk.proof.index;
        if before.any(|earlier| earlier.proof.index == found) {
            return Err(AnswerError::Repeated { index: found });
        }
        let start = u64::from(*index).checked_mul(CHUNK_BYTES as u64);
        let left = start.and_then(|start| holding.bytes.checked_sub(start));
        let expected = left.unwrap_or_default().min(CHUNK_BYTES as u64);
        let bytes = u64::try_from(chunk.bytes.len()).unwrap_or(u64::MAX);
        if found == *index && bytes != expected {
            return Err(AnswerError::Bytes {
                index: *index,
                expected,
                found: bytes,
            });
        }
    }
    for (chunk, index) in answer.chunks.iter().zip(asked) {
        let root = &holding.chunk_root;
        proof::check(&chunk.proof, *index, count, root, &chunk.bytes).map_err(|source| {
            AnswerError::Proof {
                index: *index,
                source,
            }
        })?;
    }
    Ok(())
}

fn pass(
    contract: &Contract,
    holding: &Holding,
    challenge: &Challenge,
    now: BlockNumber,
) -> Option<Passed> {
    let period = challenge.period;
    let (contract, holding, split) = match is_paid(&holding.paid, period) {
        true => (contract.clone(), holding.clone(), Split::default()),
        false => {
            // The terms leave no time in which an answer comes and its period is too far back.
            let paid = pay::pay(contract, holding, period, now).ok()?;
            (paid.contract, paid.holding, paid.split)
        }
    };
    let challenges = contract.challenges.checked_sub(1)?;
    Some(Passed {
        contract: Contract {
            challenges,
            ..contract
        },
        holding: Holding {
            is_challenged: false,
            proved_in: Some(period),
            ..holding
        },
        split,
        bond: challenge.bond,
    })
}

/// A challenge that nobody answered in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The contract afterwards.
    pub contract: Contract,
    /// The holding afterwards. It has ended.
    pub holding: Holding,
    /// The device's standing afterwards.
    pub standing: Standing,
    /// What goes back to who opened the challenge.
    pub bond: Amount,
    /// What the bond of the holder's account loses.
    pub penalty: Penalty,
    /// What its account is shown, as long as the standing lasts.
    pub evidence: Miss,
}

/// The next step against who did not answer in time. Anybody may ask for it. `bond` is what the holder's account
/// has bonded.
pub fn miss(
    contract: &Contract,
    holding: &Holding,
    place: &Place,
    challenge: &Challenge,
    standing: &Standing,
    bond: Amount,
    now: BlockNumber,
) -> Result<Missed, MissError> {
    if now <= challenge.due {
        return Err(MissError::TooEarly { due: challenge.due });
    }
    let (ended, holding) = end_at_miss(contract, holding, challenge.period)?;
    let challenges = ended.challenges.checked_sub(1);
    let challenges = challenges.ok_or(MissError::Unfit)?;
    let (standing, step) = steps::after_miss(standing, challenge.opened_at, now);
    let penalty = Penalty::of(step, &contract.terms, bond);
    let evidence = Miss {
        place: *place,
        chunk_root: holding.chunk_root,
        bytes: holding.bytes,
        seed: challenge.seed,
        period: challenge.period,
        opened_at: challenge.opened_at,
        due: challenge.due,
        answered: challenge.answered,
        step,
        slash: penalty.slash(),
    };
    Ok(Missed {
        contract: Contract {
            challenges,
            ..ended
        },
        holding: Holding {
            is_challenged: false,
            ..holding
        },
        standing,
        bond: challenge.bond,
        penalty,
        evidence,
    })
}

/// From the period that was missed on the piece is not held; but what was paid before stays so.
fn end_at_miss(
    contract: &Contract,
    holding: &Holding,
    period: Period,
) -> Result<(Contract, Holding), MissError> {
    let behind_paid = match holding.paid.count {
        0 => 0,
        _ => holding.paid.newest.saturating_add(1),
    };
    let until = period.max(behind_paid);
    shorten(contract, holding, until).ok_or(MissError::Unfit)
}

#[cfg(test)]
mod tests;
