//! How a device takes a piece, gives it up, and is forgotten.

use crate::{
    life::{after_notice, free, next, reserve},
    pay::{self, is_payable, over, period_at, price},
    proof::{self, ProofError},
};
use codec::Encode;
use core::fmt;
use quern_primitives::{
    amount::Amount,
    custody::{
        Contract, HoldConsent, Holding, PaidPeriods, PieceEntry, ShortProof, Standing, piece_chunks,
    },
    ids::{AccountId, BlockNumber, Period},
    limits::AUDIT_DEPTH_MAX,
};

/// What the chain knows of a device and a piece when it takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the device missed before.
    pub standing: Standing,
    /// Devices that hold the piece, without those that gave it up or lost it.
    pub holders: u8,
    /// Whether this device holds it, or did and is not forgotten yet.
    pub is_known: bool,
}

/// Why a device does not take a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldError {
    /// No period is left for which it could be held.
    Over,
    /// The device missed too much.
    Contained,
    /// The device holds it, or did and is not forgotten yet.
    Known,
    /// As many devices hold it as may.
    Taken,
    /// The entry is of another version.
    Version {
        /// Its version.
        found: u8,
    },
    /// No piece has as many bytes, or as few.
    Bytes {
        /// How many the entry says.
        found: u64,
    },
    /// The tree over its private audits is too deep.
    Audits {
        /// Its levels.
        found: u8,
    },
    /// The entry is none of the contract's.
    Proof(ProofError),
    /// There is no money for it.
    NotCovered {
        /// So much is missing.
        missing: Amount,
    },
    /// It costs more than any amount.
    TooMuch,
    /// The device signed for another time.
    Since {
        /// The first period in which the piece would be held.
        expected: Period,
        /// What the device signed.
        found: Period,
    },
    /// The device did not sign for it.
    NotSigned,
}

impl fmt::Display for HoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("the contract ends before the piece could be held"),
            Self::Contained => f.write_str(
                "the device missed challenges and gets no more pieces; have its account review it",
            ),
            Self::Known => f.write_str("the device has the piece, or had it; forget that first"),
            Self::Taken => f.write_str("as many devices hold the piece as the owner pays for"),
            Self::Version { found } => write!(
                f,
                "the entry has version {found}; show one of version {}",
                PieceEntry::VERSION
            ),
            Self::Bytes { found } => write!(f, "no piece has {found} bytes; do not take it"),
            Self::Audits { found } => write!(
                f,
                "the audits' tree has {found} levels, of at most {AUDIT_DEPTH_MAX}; do not take it"
            ),
            Self::Proof(_) => f.write_str("the entry is none of the contract's; show its own path"),
            Self::NotCovered { missing } => write!(
                f,
                "the escrow is {missing} units short of what it costs; have the owner renew"
            ),
            Self::TooMuch => f.write_str("the piece costs more than can exist"),
            Self::Since { expected, found } => write!(
                f,
                "the device signed for period {found}; ask it for its consent from {expected} on"
            ),
            Self::NotSigned => f.write_str(
                "the device did not sign for this piece on these terms; ask it for its consent again",
            ),
        }
    }
}

impl core::error::Error for HoldError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Proof(source) => Some(source),
            _ => None,
        }
    }
}

/// A device takes a piece, from the next period on and until the contract ends. Its pay for all of that is
/// reserved. What it signs is what it is paid for and answers for; the signature, which costs most, is looked
/// at last.
pub fn hold(
    contract: &Contract,
    consent: &HoldConsent,
    proof: &ShortProof,
    facts: &Facts,
    now: BlockNumber,
    is_signed: impl FnOnce(&HoldConsent) -> bool,
) -> Result<(Contract, Holding), HoldError> {
    let entry = &consent.entry;
    let since = next(&contract.terms, now).filter(|since| *since < contract.ends);
    let since = since.ok_or(HoldError::Over)?;
    if consent.since != since {
        return Err(HoldError::Since {
            expected: since,
            found: consent.since,
        });
    }
    if facts.standing.contained_at.is_some() {
        return Err(HoldError::Contained);
    }
    if facts.is_known {
        return Err(HoldError::Known);
    }
    if facts.holders >= contract.offer.copies {
        return Err(HoldError::Taken);
    }
    check_entry(contract, entry, proof)?;
    let price = price(&contract.terms, entry.bytes).ok_or(HoldError::TooMuch)?;
    let periods = contract.ends.saturating_sub(since);
    let whole = over(price, periods).ok_or(HoldError::TooMuch)?;
    let escrow = reserve(&contract.escrow, whole);
    let escrow = escrow.map_err(|missing| HoldError::NotCovered { missing })?;
    let running = contract.running.checked_add(price);
    let holdings = contract.holdings.checked_add(1);
    let (running, holdings) = running.zip(holdings).ok_or(HoldError::TooMuch)?;
    if consent.terms != contract.terms || !is_signed(consent) {
        return Err(HoldError::NotSigned);
    }
    let contract = Contract {
        escrow,
        running,
        holdings,
        ..contract.clone()
    };
    let holding = Holding {
        account: consent.account.clone(),
        chunk_root: entry.chunk_root,
        bytes: entry.bytes,
        price,
        since,
        until: None,
        paid: PaidPeriods::default(),
        is_challenged: false,
        proved_in: None,
    };
    Ok((contract, holding))
}

/// Whether an entry is one that a piece may have, and the contract's at its place.
pub fn check_entry(
    contract: &Contract,
    entry: &PieceEntry,
    proof: &ShortProof,
) -> Result<(), HoldError> {
    if entry.version != PieceEntry::VERSION {
        return Err(HoldError::Version {
            found: entry.version,
        });
    }
    if piece_chunks(entry.bytes).is_none() {
        return Err(HoldError::Bytes { found: entry.bytes });
    }
    if entry.audit_depth > AUDIT_DEPTH_MAX {
        return Err(HoldError::Audits {
            found: entry.audit_depth,
        });
    }
    let (pieces, root) = (contract.offer.pieces, &contract.offer.pieces_root);
    proof::check(proof, entry.piece, pieces, root, &entry.encode()).map_err(HoldError::Proof)
}

/// Why a device goes on holding a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseError {
    /// Who asks is neither the holder's account nor the owner, nor its group.
    NotEntitled,
    /// It ends already.
    Ending {
        /// The first period in which the piece is not held any more.
        until: Period,
    },
    /// The contract has ended.
    Over,
    /// The escrow has less reserved than it should; nothing changes.
    Escrow,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEntitled => f.write_str(
                "only the holder's account, the contract's owner or its group may give a piece up",
            ),
            Self::Ending { until } => {
                write!(f, "the piece is given up already, until period {until}")
            }
            Self::Over => f.write_str("the contract has ended, and with it all that was held"),
            Self::Escrow => f.write_str("the escrow is short of what is reserved; report this"),
        }
    }
}

impl core::error::Error for ReleaseError {}

/// Gives a piece up: it is held, paid and answered for until the notice is over. `is_group` says that more than
/// half of the contract's group want it, because the device is gone or contained.
pub fn release(
    contract: &Contract,
    holding: &Holding,
    by: &AccountId,
    is_group: bool,
    now: BlockNumber,
) -> Result<(Contract, Holding), ReleaseError> {
    if *by != holding.account && *by != contract.owner && !is_group {
        return Err(ReleaseError::NotEntitled);
    }
    if let Some(until) = holding.until {
        return Err(ReleaseError::Ending { until });
    }
    if period_at(&contract.terms, now) >= contract.ends {
        return Err(ReleaseError::Over);
    }
    let until = after_notice(&contract.terms, now).unwrap_or(contract.ends);
    shorten(contract, holding, until).ok_or(ReleaseError::Escrow)
}

/// Has a holding end at a period, or when it would anyway if that is sooner; what was reserved for behind that
/// is reserved no more.
pub(crate) fn shorten(
    contract: &Contract,
    holding: &Holding,
    until: Period,
) -> Option<(Contract, Holding)> {
    let before = pay::until(contract, holding);
    let until = until.min(before);
    let freed = free(contract, holding.price, before.checked_sub(until)?)?;
    let running = match holding.until {
        None => freed.running.checked_sub(holding.price)?,
        Some(_) => freed.running,
    };
    let holding = Holding {
        until: Some(until),
        ..holding.clone()
    };
    Some((Contract { running, ..freed }, holding))
}

/// Why a holding is not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgetError {
    /// The piece is held still.
    Held {
        /// The first period in which it is not.
        until: Period,
    },
    /// Something that was proved may still be paid.
    Payable,
    /// A challenge is open.
    Challenged,
    /// The escrow has less reserved than it should; nothing changes.
    Escrow,
}

impl fmt::Display for ForgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { until } => write!(f, "the piece is held until period {until}; wait"),
            Self::Payable => f.write_str("not all that was proved is paid; wait until it is"),
            Self::Challenged => f.write_str("a challenge is open; wait until it is over"),
            Self::Escrow => f.write_str("the escrow is short of what is reserved; report this"),
        }
    }
}

impl core::error::Error for ForgetError {}

/// The contract without a holding of which nothing can be paid any more. What was reserved for periods that
/// nobody proved is reserved no more. Anybody may ask for it.
pub fn forget(
    contract: &Contract,
    holding: &Holding,
    now: BlockNumber,
) -> Result<Contract, ForgetError> {
    let period = period_at(&contract.terms, now);
    let until = pay::until(contract, holding);
    if period < until {
        return Err(ForgetError::Held { until });
    }
    if holding.is_challenged {
        return Err(ForgetError::Challenged);
    }
    let held = until.saturating_sub(holding.since);
    let unpaid = held.checked_sub(holding.paid.count);
    let unpaid = unpaid.ok_or(ForgetError::Escrow)?;
    if unpaid > 0 && is_payable(until.saturating_sub(1), period) {
        return Err(ForgetError::Payable);
    }
    let forgotten = shorten(contract, holding, until)
        .and_then(|(contract, holding)| free(&contract, holding.price, unpaid))
        .and_then(|contract| {
            let holdings = contract.holdings.checked_sub(1)?;
            Some(Contract {
                holdings,
                ..contract
            })
        });
    forgotten.ok_or(ForgetError::Escrow)
}
