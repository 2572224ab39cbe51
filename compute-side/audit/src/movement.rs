//! Movements of money, and what is said beside them.

use crate::Tasks;
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId, amount::as_string, ids::BatchSequence,
};
use serde::{Serialize, Serializer};

/// What a held amount is held for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// As the escrow of open jobs.
    Escrow,
    /// As a worker's bond.
    Bond,
    /// As an operator's bond for its masternode.
    MasternodeBond,
    /// As the bond of who disputes.
    Dispute,
    /// For payouts that wait for the treasurer.
    Payout,
    /// For open contracts to keep data, and as the bonds of open challenges.
    Custody,
    /// For session keys.
    Keys,
    /// For what the chain keeps without a reason of its own: proxies, and calls of several signers.
    Deposit,
    /// For a pallet that has no name here.
    Other(String),
}

impl Reason {
    /// The reason for which a pallet holds money.
    pub fn of_pallet(pallet: &str) -> Self {
        match pallet {
            "Jobs" => Self::Escrow,
            "Workforce" => Self::Bond,
            "Roster" => Self::MasternodeBond,
            "Disputes" => Self::Dispute,
            "Bytechip" => Self::Payout,
            "Custody" => Self::Custody,
            "Session" => Self::Keys,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Its name; that of the pallet where it has none here.
    pub fn name(&self) -> &str {
        match self {
            Self::Escrow => "escrow",
            Self::Bond => "bond",
            Self::MasternodeBond => "masternode_bond",
            Self::Dispute => "dispute",
            Self::Payout => "payout",
            Self::Custody => "custody",
            Self::Keys => "session_keys",
            Self::Deposit => "deposit",
            Self::Other(pallet) => pallet,
        }
    }
}

impl Reason {
    /// Whether it is a bond that a dispute can take away.
    pub(crate) fn is_at_stake(&self) -> bool {
        matches!(self, Self::Bond | Self::MasternodeBond | Self::Dispute)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Where money is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purse {
    /// What an account can spend.
    Free(AccountId),
    /// What is held on an account.
    Held(AccountId, Reason),
    /// Taken from an account and not given to another yet: fees, within one transaction.
    Passing,
    /// Where money comes from when it begins to exist, and goes to when it ends.
    Nowhere,
}

impl Purse {
    /// Whose it is; nobody's while it passes or does not exist.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Free(account) | Self::Held(account, _) => Some(account),
            Self::Passing | Self::Nowhere => None,
        }
    }

    /// What it is held for, if it is held.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Held(_, reason) => Some(reason),
            Self::Free(_) | Self::Passing | Self::Nowhere => None,
        }
    }

    /// Its kind in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Free(_) => "free",
            Self::Held(..) => "held",
            Self::Passing => "passing",
            Self::Nowhere => "nowhere",
        }
    }

    /// Whether it is what an account has in escrow.
    pub(crate) fn is_escrow(&self) -> bool {
        self.reason() == Some(&Reason::Escrow)
    }
}

/// What a movement was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One account sent it to another.
    Transfer,
    /// Taken for a transaction before it ran.
    FeeTaken,
    /// Of that, what was too much and came back.
    FeeReturned,
    /// Of fees, the part of a block's author or of the treasury.
    FeeShared,
    /// Minted for a recorded purchase.
    Purchase,
    /// Began to exist, and no purchase tells why.
    Minted,
    /// Ceased to exist without a payout: fees that nobody could be given.
    Burnt,
    /// Put into escrow for a job.
    EscrowHeld,
    /// Back from a job's escrow.
    EscrowReleased,
    /// A worker account's pay.
    WorkerPay,
    /// A masternode's part of a batch that it settled or certified.
    OperatorPay,
    /// The treasury's part of a batch.
    TreasuryShare,
    /// Out of an escrow, and no batch tells what for.
    EscrowPaid,
    /// Bonded.
    BondHeld,
    /// Back from a bond.
    BondReleased,
    /// Bonded by an operator for its masternode.
    MasternodeBondHeld,
    /// Back from that.
    MasternodeBondReleased,
    /// Put up by who disputes.
    DisputeHeld,
    /// Back from that.
    DisputeReleased,
    /// Out of a bond, to who proved a lie or was disputed wrongly.
    SlashPaid,
    /// Out of a bond, and gone, because a lie was proved or a dispute was lost.
    SlashBurnt,
    /// Held for a payout.
    PayoutHeld,
    /// A payout was returned.
    PayoutReleased,
    /// A payout was made.
    PayoutBurnt,
    /// Put up for a contract to keep data, or for a challenge.
    CustodyHeld,
    /// Back from that.
    CustodyReleased,
    /// Out of that: for a period in which data were kept, or the bond of a challenge that was answered.
    CustodyPaid,
    /// Held for session keys, proxies and the like.
    DepositHeld,
    /// Back from that.
    DepositReleased,
    /// Between other purses.
    Other,
}

impl Kind {
    /// Its name, which does not change.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::FeeTaken => "fee_taken",
            Self::FeeReturned => "fee_returned",
            Self::FeeShared => "fee_shared",
            Self::Purchase => "purchase",
            Self::Minted => "minted",
            Self::Burnt => "burnt",
            Self::EscrowHeld => "escrow_held",
            Self::EscrowReleased => "escrow_released",
            Self::WorkerPay => "worker_pay",
            Self::OperatorPay => "operator_pay",
            Self::TreasuryShare => "treasury_share",
            Self::EscrowPaid => "escrow_paid",
            Self::BondHeld => "bond_held",
            Self::BondReleased => "bond_released",
            Self::MasternodeBondHeld => "masternode_bond_held",
            Self::MasternodeBondReleased => "masternode_bond_released",
            Self::DisputeHeld => "dispute_held",
            Self::DisputeReleased => "dispute_released",
            Self::SlashPaid => "slash_paid",
            Self::SlashBurnt => "slash_burnt",
            Self::PayoutHeld => "payout_held",
            Self::PayoutReleased => "payout_released",
            Self::PayoutBurnt => "payout_burnt",
            Self::CustodyHeld => "custody_held",
            Self::CustodyReleased => "custody_released",
            Self::CustodyPaid => "custody_paid",
            Self::DepositHeld => "deposit_held",
            Self::DepositReleased => "deposit_released",
            Self::Other => "other",
        }
    }

    /// What a movement between two purses is for, as far as these tell.
    pub(crate) fn of(from: &Purse, to: &Purse) -> Self {
        use Purse::{Free, Held, Nowhere, Passing};
        match (from, to) {
            (Free(_), Free(_)) => Self::Transfer,
            (Free(_), Passing) => Self::FeeTaken,
            (Passing, Free(_)) => Self::FeeShared,
            (Nowhere, _) => Self::Minted,
            (Held(_, Reason::Payout), Nowhere) => Self::PayoutBurnt,
            (Held(_, reason), Nowhere) if reason.is_at_stake() => Self::SlashBurnt,
            (_, Nowhere) => Self::Burnt,
            (Free(_), Held(_, reason)) => match reason {
                Reason::Escrow => Self::EscrowHeld,
                Reason::Bond => Self::BondHeld,
                Reason::MasternodeBond => Self::MasternodeBondHeld,
                Reason::Dispute => Self::DisputeHeld,
                Reason::Payout => Self::PayoutHeld,
                Reason::Custody => Self::CustodyHeld,
                Reason::Keys | Reason::Deposit => Self::DepositHeld,
                Reason::Other(_) => Self::Other,
            },
            (Held(account, reason), Free(other)) if account == other => match reason {
                Reason::Escrow => Self::EscrowReleased,
                Reason::Bond => Self::BondReleased,
                Reason::MasternodeBond => Self::MasternodeBondReleased,
                Reason::Dispute => Self::DisputeReleased,
                Reason::Payout => Self::PayoutReleased,
                Reason::Custody => Self::CustodyReleased,
                Reason::Keys | Reason::Deposit => Self::DepositReleased,
                Reason::Other(_) => Self::Other,
            },
            (Held(_, Reason::Escrow), Free(_)) => Self::EscrowPaid,
            (Held(_, Reason::Custody), Free(_)) => Self::CustodyPaid,
            (Held(_, reason), Free(_)) if reason.is_at_stake() => Self::SlashPaid,
            (Held(..) | Passing, _) => Self::Other,
        }
    }
}

/// What names a movement beside the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A payment's reference.
    Reference(Vec<u8>),
    /// A payout's number.
    Payout(u64),
    /// That a lie was proved, that a dispute was lost, or that a piece was missed.
    Lost,
    /// That data were kept, or that a challenge was answered.
    Kept,
}

/// Money that goes from one purse to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Where it was.
    pub from: Purse,
    /// Where it is now.
    pub to: Purse,
    /// How much, above zero.
    pub amount: Amount,
    /// What it was for.
    pub kind: Kind,
    /// The job for which it was, where that is known.
    pub job: Option<JobId>,
    /// The batch of that job that paid it.
    pub batch: Option<BatchSequence>,
    /// What names it beside the chain.
    pub note: Option<Note>,
}

/// What the chain says of a batch that it settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// The job.
    pub job: JobId,
    /// The batch's place in it.
    pub sequence: BatchSequence,
    /// Tasks settled.
    pub tasks: u32,
    /// What is set aside in the escrow.
    #[serde(with = "as_string")]
    pub spent: Amount,
    /// For worker accounts.
    #[serde(with = "as_string")]
    pub workers: Amount,
    /// For the masternodes that settled and certified it.
    #[serde(with = "as_string")]
    pub operators: Amount,
    /// For the treasury, beside what these do not get.
    #[serde(with = "as_string")]
    pub treasury: Amount,
}

/// What the chain says of a batch that is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Finalised {
    /// The job.
    pub job: JobId,
    /// The batch's place in it.
    pub sequence: BatchSequence,
    /// Tasks that it settled.
    pub tasks: u32,
    /// What worker accounts got.
    #[serde(with = "as_string")]
    pub workers: Amount,
    /// What the masternodes that settled and certified it got together, in equal parts.
    #[serde(with = "as_string")]
    pub operators: Amount,
    /// What the treasury got.
    #[serde(with = "as_string")]
    pub treasury: Amount,
}

/// What the chain says of a batch that was struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Struck {
    /// The job.
    pub job: JobId,
    /// The batch's place in it.
    pub sequence: BatchSequence,
    /// Tasks that are unsettled again.
    pub tasks: u32,
    /// What is no longer set aside.
    #[serde(with = "as_string")]
    pub spent: Amount,
}

/// What the chain says beside what moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A job was submitted.
    Submitted {
        /// The job.
        job: JobId,
        /// Who pays.
        owner: AccountId,
        /// What is held for it.
        escrow: Amount,
    },
    /// A batch was settled; its money is set aside.
    Settled(Settled),
    /// A batch is final, and paid.
    Finalised(Finalised),
    /// A batch was struck; its money is held again.
    Struck(Struck),
    /// Nothing more of a job is settled; it is over when its last batch is final.
    Settling {
        /// The job.
        job: JobId,
        /// What went back to its owner now.
        refunded: Amount,
    },
    /// A job ended.
    Ended {
        /// The job.
        job: JobId,
        /// What went back to its owner now.
        refunded: Amount,
    },
    /// An account took a part out of its active bond; it stays held for a time.
    Unbonded {
        /// The account.
        account: AccountId,
        /// How much.
        amount: Amount,
    },
    /// An event about money that is not understood.
    Unread {
        /// Its pallet and its name.
        event: String,
    },
}

/// A movement, or what is said beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Money moved.
    Moved(Movement),
    /// Something was said.
    Said(Statement),
}

/// What an event of a block tells of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place in the block of the transaction that caused it, unless the block itself did.
    pub transaction: Option<u32>,
    /// What it tells.
    pub what: What,
}

/// The tasks that a transaction of a block wants to settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The transaction's place in the block.
    pub transaction: u32,
    /// The job.
    pub job: JobId,
    /// The batch's place in it.
    pub sequence: BatchSequence,
    /// The tasks.
    pub tasks: Tasks,
}

/// What a block does with money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub number: BlockNumber,
    /// What its events tell, in order.
    pub entries: Vec<Entry>,
    /// What its transactions want to settle, whether they succeeded or not.
    pub settlements: Vec<Settlement>,
}

impl Entry {
    /// The movement, if it is one.
    pub fn movement(&self) -> Option<&Movement> {
        match &self.what {
            What::Moved(movement) => Some(movement),
            What::Said(_) => None,
        }
    }
}
