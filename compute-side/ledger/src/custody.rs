//! Data that are kept: the calls of owners, holders and masternodes, and what the chain tells.

use crate::{State, chain::ChainError};
use codec::Encode;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest,
    batch::Words,
    custody::{
        Answer, Challenge, Contract, Held, HoldConsent, Holding, Miss, Offer, Place, Proved,
        ShortProof, Standing, Terms,
    },
    group::Group,
    ids::{ContractId, Period, PieceIndex},
    payload::Signed,
};

/// Contracts, or holdings, that are read of one account, contract or device at most. A contract has 65,536 pieces of a few
/// copies each, of which a masternode places as many as it has devices for.
const READ_MAX: usize = 1 << 20;

/// Entries of one page that are asked for: the chain gives fewer where it gives no more.
const PAGE: u32 = 1_024;

/// A call about data that are kept.
#[derive(Clone, Debug)]
pub enum CustodyCall {
    /// Open a contract; its owner.
    Open {
        /// What is to be kept.
        offer: Offer,
        /// On the terms that the owner saw.
        terms: Terms,
        /// What it is paid of.
        deposit: Amount,
    },
    /// Have a device take a piece; the owner, or a member of the contract's group.
    Hold {
        /// What the device signed.
        consent: Box<Signed<HoldConsent>>,
        /// That the piece is the contract's.
        path: ShortProof,
    },
    /// Pay holders for a period; a member of the contract's group.
    Prove {
        /// Who has proved which pieces.
        proved: Box<Proved>,
        /// Words of more than half of the group, each with its member's place.
        certificates: Words,
    },
    /// Challenge a holder; the owner, or a member of the contract's group.
    Challenge(Place),
    /// Answer a part of a challenge. Anyone may, for the holder.
    Answer {
        /// Which.
        place: Place,
        /// The part.
        answer: Answer,
    },
    /// Say that a challenge was missed. Anyone may.
    Miss(Place),
    /// Give a piece up; its holder's account, the owner, or a member of the contract's group.
    Release(Place),
    /// Forget a holding that is over. Anyone may.
    Forget(Place),
    /// Put a contract's end off, add to its deposit, or both; its owner.
    Renew {
        /// The contract.
        contract: ContractId,
        /// For so many periods.
        periods: u32,
        /// So much more.
        deposit: Amount,
    },
    /// Have a contract end as soon as its notice allows; its owner.
    End(ContractId),
    /// Close a contract that is over. Anyone may.
    Close(ContractId),
    /// End a device's containment; its account.
    Review(DeviceId),
}

impl CustodyCall {
    /// The call as the runtime names it, and the encoded arguments.
    pub(crate) fn parts(&self) -> (&'static str, Vec<u8>) {
        match self {
            Self::Open {
                offer,
                terms,
                deposit,
            } => ("open", (offer, terms, deposit).encode()),
            Self::Hold { consent, path } => ("hold", (consent, path).encode()),
            Self::Prove {
                proved,
                certificates,
            } => ("prove", (proved, certificates).encode()),
            Self::Challenge(place) => ("challenge", place.encode()),
            Self::Answer { place, answer } => ("answer", (place, answer).encode()),
            Self::Miss(place) => ("miss", place.encode()),
            Self::Release(place) => ("release", place.encode()),
            Self::Forget(place) => ("forget", place.encode()),
            Self::Renew {
                contract,
                periods,
                deposit,
            } => ("renew", (contract, periods, deposit).encode()),
            Self::End(contract) => ("end", contract.encode()),
            Self::Close(contract) => ("close", contract.encode()),
            Self::Review(device) => ("review", device.encode()),
        }
    }
}

impl State {
    /// On which terms a contract is opened now.
    pub async fn storage_terms(&self) -> Result<Terms, ChainError> {
        self.ask_of("CustodyApi", "storage_terms", &()).await
    }

    /// An open contract.
    pub async fn contract(&self, contract: ContractId) -> Result<Option<Contract>, ChainError> {
        self.ask_of("CustodyApi", "contract", &contract).await
    }

    /// An owner's open contracts: all of them.
    pub async fn contracts_of(
        &self,
        owner: &AccountId,
    ) -> Result<Vec<(ContractId, Contract)>, ChainError> {
        let key = |(contract, _): &(ContractId, Contract)| *contract;
        self.pages(("CustodyApi", "contracts_of"), owner, (PAGE, READ_MAX), key)
            .await
    }

    /// A contract's masternodes; none before they are drawn.
    pub async fn contract_group(&self, contract: ContractId) -> Result<Option<Group>, ChainError> {
        self.ask_of("CustodyApi", "contract_group", &contract).await
    }

    /// Pieces of a contract that are others than it says.
    pub async fn refused_pieces(
        &self,
        contract: ContractId,
    ) -> Result<Vec<PieceIndex>, ChainError> {
        self.ask_of("CustodyApi", "refused_pieces", &contract).await
    }

    /// Who holds what of a contract, or held it and is not forgotten: all of them.
    pub async fn holdings_of(
        &self,
        contract: ContractId,
    ) -> Result<Vec<(Held, Holding)>, ChainError> {
        let key = |(held, _): &(Held, Holding)| *held;
        self.pages(
            ("CustodyApi", "holdings_of"),
            &contract,
            (PAGE, READ_MAX),
            key,
        )
        .await
    }

    /// What a device holds, or held and is not forgotten: all of it.
    pub async fn held_by(&self, device: DeviceId) -> Result<Vec<(Place, Holding)>, ChainError> {
        let key = |(place, _): &(Place, Holding)| (place.contract, place.piece);
        self.pages(("CustodyApi", "held_by"), &device, (PAGE, READ_MAX), key)
            .await
    }

    /// The challenge of a holding that waits for its answer.
    pub async fn challenge_of(&self, place: Place) -> Result<Option<Challenge>, ChainError> {
        self.ask_of("CustodyApi", "challenge_of", &place).await
    }

    /// How a device stands that missed something, and what it missed since it was last reviewed.
    pub async fn custody_record(
        &self,
        device: DeviceId,
    ) -> Result<(Standing, Vec<Miss>), ChainError> {
        self.ask_of("CustodyApi", "custody_record", &device).await
    }

    /// The last period of so many blocks of which it is known what challenges follow from, and that.
    pub async fn period_randomness(
        &self,
        period_blocks: BlockNumber,
    ) -> Result<Option<(Period, Digest)>, ChainError> {
        self.ask_of("CustodyApi", "period_randomness", &period_blocks)
            .await
    }
}
