//! The life of a contract.
//!
//! ```text
//!  opened            renewed (ends later)          ended by its owner (ends after the notice)
//!    │                 ┌───┐                                    │
//!    ▼                 ▼   │                                    ▼
//!  pieces are held, challenged, proved, paid ──── ends ────► what was proved is still paid ────► closed
//! ```
//!
//! The whole deposit is held from the beginning. A piece is held only if its pay to the contract's end is
//! reserved, so nobody keeps anything for which there is no money. What is reserved and never paid comes free
//! again, and what is left goes back to the owner when the contract is closed.

use crate::pay::{is_payable, over, period_at, unreserved};
use core::fmt;
use quern_primitives::{
    amount::Amount,
    custody::{Contract, Escrow, Offer, Terms},
    ids::{AccountId, BlockNumber, Period},
    limits::{
        CONTRACT_PERIODS_MAX, COPIES_PER_PIECE_MAX, NOTICE_PERIODS_MAX, PAYABLE_PERIODS,
        PERIOD_BLOCKS_MAX, PIECES_PER_CONTRACT_MAX,
    },
};

/// A whole, in thousandths.
const PERMILLE: u16 = 1_000;

/// Periods of [`PAYABLE_PERIODS`] that stay between the last block in which a challenge may be answered and the
/// first in which its period is too far back: the one in which it is opened, and one that has just begun.
const SLACK_PERIODS: u32 = 2;

/// Why terms cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// A period has no blocks, or more than [`PERIOD_BLOCKS_MAX`].
    PeriodBlocks {
        /// How many.
        found: BlockNumber,
    },
    /// An answer may take no block, or so long that what it proves could not be paid any more.
    AnswerBlocks {
        /// The most that it may take.
        most: BlockNumber,
    },
    /// The notice is longer than [`NOTICE_PERIODS_MAX`].
    Notice {
        /// How long it is.
        found: u16,
    },
    /// Holders and operators get more than there is, or a winner does.
    Shares,
}

impl fmt::Display for TermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeriodBlocks { found } => write!(
                f,
                "a period has {found} blocks; set 1 to {PERIOD_BLOCKS_MAX}"
            ),
            Self::AnswerBlocks { most } => {
                write!(f, "set 1 to {most} blocks for the answer to a challenge")
            }
            Self::Notice { found } => write!(
                f,
                "the notice is {found} periods; set at most {NOTICE_PERIODS_MAX}"
            ),
            Self::Shares => f.write_str(
                "holders and operators together, and the winner alone, get at most a thousand \
                 thousandths",
            ),
        }
    }
}

impl core::error::Error for TermsError {}

/// Whether a contract may have such terms. Whoever sets them asks this.
pub fn check_terms(terms: &Terms) -> Result<(), TermsError> {
    let Terms {
        period_blocks,
        answer_blocks,
        notice_periods,
        holders_permille,
        operators_permille,
        winner_permille,
        ..
    } = *terms;
    if !(1..=PERIOD_BLOCKS_MAX).contains(&period_blocks) {
        return Err(TermsError::PeriodBlocks {
            found: period_blocks,
        });
    }
    let most = period_blocks.saturating_mul(PAYABLE_PERIODS.saturating_sub(SLACK_PERIODS));
    if !(1..=most).contains(&answer_blocks) {
        return Err(TermsError::AnswerBlocks { most });
    }
    if notice_periods > NOTICE_PERIODS_MAX {
        return Err(TermsError::Notice {
            found: notice_periods,
        });
    }
    let shares = holders_permille.saturating_add(operators_permille);
    if shares > PERMILLE || winner_permille > PERMILLE {
        return Err(TermsError::Shares);
    }
    Ok(())
}

/// Why nothing becomes of an owner's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeError {
    /// The contract cannot have these terms.
    Terms(TermsError),
    /// It has no pieces, or more than [`PIECES_PER_CONTRACT_MAX`].
    Pieces {
        /// How many.
        found: u32,
    },
    /// Nobody may hold a piece, or more than [`COPIES_PER_PIECE_MAX`] devices.
    Copies {
        /// How many.
        found: u8,
    },
    /// It would end at once, or later than [`CONTRACT_PERIODS_MAX`] from now.
    Periods,
    /// Nothing is added to it.
    Nothing,
    /// There is not enough money for what is held to the new end.
    NotCovered {
        /// So much is missing.
        missing: Amount,
    },
    /// An amount is larger than any that can exist.
    TooMuch,
    /// Who asks is not its owner.
    NotOwner,
    /// It has ended, or ends no later than it would.
    Ended,
    /// It cannot be closed yet.
    TooEarly {
        /// The first period in which it can, if all challenges are done.
        from: Period,
    },
    /// Challenges are open.
    Challenged {
        /// How many.
        open: u32,
    },
}

impl fmt::Display for LifeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terms(_) => {
                f.write_str("the terms cannot be; wait for the council to set others")
            }
            Self::Pieces { found } => write!(
                f,
                "the contract has {found} pieces; give it 1 to {PIECES_PER_CONTRACT_MAX}"
            ),
            Self::Copies { found } => write!(
                f,
                "{found} devices are to hold a piece; ask for 1 to {COPIES_PER_PIECE_MAX}"
            ),
            Self::Periods => write!(
                f,
                "a contract ends 1 to {CONTRACT_PERIODS_MAX} periods from now; name another number"
            ),
            Self::Nothing => f.write_str("add periods or money"),
            Self::NotCovered { missing } => {
                write!(f, "what is held costs more; deposit {missing} units more")
            }
            Self::TooMuch => f.write_str("the amount is larger than any that can exist"),
            Self::NotOwner => f.write_str("only the contract's owner may do that"),
            Self::Ended => f.write_str("the contract ends as soon as it can already"),
            Self::TooEarly { from } => write!(
                f,
                "what was proved is still paid; close the contract from period {from} on"
            ),
            Self::Challenged { open } => write!(
                f,
                "{open} challenges are open; close the contract when they are answered or missed"
            ),
        }
    }
}

impl core::error::Error for LifeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Terms(source) => Some(source),
            _ => None,
        }
    }
}

/// A contract at its beginning. Pieces can be held from the next period on.
pub fn open(
    owner: AccountId,
    offer: Offer,
    terms: Terms,
    deposit: Amount,
    now: BlockNumber,
) -> Result<Contract, LifeError> {
    check_terms(&terms).map_err(LifeError::Terms)?;
    if !(1..=PIECES_PER_CONTRACT_MAX).contains(&offer.pieces) {
        return Err(LifeError::Pieces {
            found: offer.pieces,
        });
    }
    if !(1..=COPIES_PER_PIECE_MAX).contains(&offer.copies) {
        return Err(LifeError::Copies {
            found: offer.copies,
        });
    }
    if !(1..=CONTRACT_PERIODS_MAX).contains(&offer.periods) {
        return Err(LifeError::Periods);
    }
    let first = next(&terms, now).ok_or(LifeError::Periods)?;
    let ends = first.checked_add(offer.periods).ok_or(LifeError::Periods)?;
    Ok(Contract {
        owner,
        offer,
        terms,
        ends,
        escrow: Escrow {
            deposited: deposit,
            held: deposit,
            ..Escrow::default()
        },
        running: 0,
        holdings: 0,
        challenges: 0,
    })
}

/// The first whole period behind a block.
pub(crate) fn next(terms: &Terms, now: BlockNumber) -> Option<Period> {
    period_at(terms, now).checked_add(1)
}

/// The first period in which nothing is held any more if notice is given now.
pub(crate) fn after_notice(terms: &Terms, now: BlockNumber) -> Option<Period> {
    next(terms, now)?.checked_add(terms.notice_periods.into())
}

/// Puts the contract's end off, and adds money to it; either may be nothing. Who holds a piece to the end goes
/// on with it, and may give it up with notice.
pub fn renew(
    contract: &Contract,
    by: &AccountId,
    periods: u32,
    deposit: Amount,
    now: BlockNumber,
) -> Result<Contract, LifeError> {
    let period = period_at(&contract.terms, now);
    if *by != contract.owner {
        return Err(LifeError::NotOwner);
    }
    if period >= contract.ends {
        return Err(LifeError::Ended);
    }
    if periods == 0 && deposit == 0 {
        return Err(LifeError::Nothing);
    }
    let ends = contract.ends.checked_add(periods);
    let ends = ends.filter(|ends| ends.saturating_sub(period) <= CONTRACT_PERIODS_MAX);
    let ends = ends.ok_or(LifeError::Periods)?;
    let add = |one: Amount, more| one.checked_add(more).ok_or(LifeError::TooMuch);
    let escrow = Escrow {
        deposited: add(contract.escrow.deposited, deposit)?,
        held: add(contract.escrow.held, deposit)?,
        ..contract.escrow
    };
    let wanted = over(contract.running, periods).ok_or(LifeError::TooMuch)?;
    let escrow = reserve(&escrow, wanted).map_err(|missing| LifeError::NotCovered { missing })?;
    Ok(Contract {
        ends,
        escrow,
        ..contract.clone()
    })
}

/// Reserves an amount; how much is missing if there is less.
pub(crate) fn reserve(escrow: &Escrow, wanted: Amount) -> Result<Escrow, Amount> {
    let missing = wanted.saturating_sub(unreserved(escrow));
    let reserved = escrow.reserved.checked_add(wanted);
    match reserved.filter(|_| missing == 0) {
        Some(reserved) => Ok(Escrow {
            reserved,
            ..*escrow
        }),
        None => Err(missing),
    }
}

/// The contract with so many periods of a price reserved no more; none if fewer are.
pub(crate) fn free(contract: &Contract, price: Amount, periods: u32) -> Option<Contract> {
    let reserved = contract
        .escrow
        .reserved
        .checked_sub(over(price, periods)?)?;
    Some(Contract {
        escrow: Escrow {
            reserved,
            ..contract.escrow
        },
        ..contract.clone()
    })
}

/// Ends the contract as soon as the notice allows.
pub fn end(contract: &Contract, by: &AccountId, now: BlockNumber) -> Result<Contract, LifeError> {
    if *by != contract.owner {
        return Err(LifeError::NotOwner);
    }
    let ends = after_notice(&contract.terms, now).filter(|ends| *ends < contract.ends);
    let ends = ends.ok_or(LifeError::Ended)?;
    let cut = contract.ends.saturating_sub(ends);
    let freed = free(contract, contract.running, cut).ok_or(LifeError::TooMuch)?;
    Ok(Contract { ends, ..freed })
}

/// Closes a contract of which nothing can be paid any more: all that is held goes back to the owner. Anybody
/// may ask for it.
pub fn close(contract: &Contract, now: BlockNumber) -> Result<(Contract, Amount), LifeError> {
    let period = period_at(&contract.terms, now);
    let last = contract.ends.saturating_sub(1);
    // Whom nobody holds anything for has nothing to wait for but the end.
    let is_done = contract.holdings == 0 || !is_payable(last, period);
    if period < contract.ends || !is_done {
        let from = match contract.holdings {
            0 => contract.ends,
            _ => last.saturating_add(PAYABLE_PERIODS),
        };
        return Err(LifeError::TooEarly { from });
    }
    if contract.challenges > 0 {
        return Err(LifeError::Challenged {
            open: contract.challenges,
        });
    }
    let refund = contract.escrow.held;
    let refunded = contract.escrow.refunded.checked_add(refund);
    let escrow = Escrow {
        refunded: refunded.ok_or(LifeError::TooMuch)?,
        held: 0,
        reserved: 0,
        ..contract.escrow
    };
    let closed = Contract {
        escrow,
        ..contract.clone()
    };
    Ok((closed, refund))
}

#[cfg(test)]
mod tests;
