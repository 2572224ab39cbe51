//! Custody: an owner's money is held, devices take pieces of its data upon themselves, prove in each period
//! that they have them, and are paid for that.
//!
//! # The life of a contract
//!
//! An owner [opens](Pallet::open) a contract over the root of its pieces, on the terms of now, and in the same
//! call puts a deposit into escrow: a hold on the owner's own account. In the next block the chain draws the
//! contract's group among the masternodes. A device [takes](Pallet::hold) a piece, with a signature of its own,
//! from the next period on; what the piece costs to the contract's end is reserved then. Who received a piece
//! whose length is another than the contract says shows that ([`refuse`](Pallet::refuse)), and nobody takes it.
//!
//! In each period holders show the group off the chain that they have their pieces, and more than half of the
//! group certifies it: [`prove`](Pallet::prove) pays for that period. The owner may [put the end
//! off](Pallet::renew) or [end](Pallet::end) the contract, with notice; owner, holder or group may [give a
//! piece up](Pallet::release), with notice too. When nothing can be paid any more anyone may
//! [close](Pallet::close) the contract, and what is left goes back.
//!
//! # Challenges
//!
//! The owner or a member of the group may [challenge](Pallet::challenge) a holder on the chain, and puts up a
//! bond. The chunks that are asked for follow from the chain's randomness of the period's first block, which
//! the next block notes. Whoever [answers](Pallet::answer) in time is paid for the period and gets the bond.
//! Whoever does not has [missed](Pallet::miss) it: the bond goes back, the piece is not held any more, and the
//! device is warned, then contained, then its account pays. The chain itself says so of challenges whose time
//! is over, as far as a block has room. What was missed is kept for the device's account to see until it has
//! the device [reviewed](Pallet::review).
//!
//! | call | origin |
//! | --- | --- |
//! | [`open`](Pallet::open) | signed by the owner, who is not banned |
//! | [`renew`](Pallet::renew), [`end`](Pallet::end) | the contract's owner |
//! | [`hold`](Pallet::hold) | the owner or a member of the group, with the device's own signature |
//! | [`prove`](Pallet::prove) | a member of the contract's group |
//! | [`challenge`](Pallet::challenge) | the owner, or a member of the group |
//! | [`answer`](Pallet::answer) | anybody, for the holder |
//! | [`release`](Pallet::release) | the holder's account, the owner, or more than half of the group |
//! | [`refuse`](Pallet::refuse), [`miss`](Pallet::miss), [`forget`](Pallet::forget), [`close`](Pallet::close) | any signed account |
//! | [`review`](Pallet::review) | the device's account |
//!
//! # Fees
//!
//! The network's share pays for what a contract's group does for it, so a call of a member that succeeds costs
//! no fee; nor does one that says what is missed or clears what is over. All others cost theirs. What a holder
//! pays for an answer it gets back with the bond of who challenged it.
//!
//! # What it rests on
//!
//! What may happen, what an answer proves, who gets what and what follows from a miss is decided by
//! `quern-custody-rules`; this pallet loads, asks, moves the money and stores. Time is the chain's clock of
//! finality. What always holds is written down in [`Pallet::do_try_state`].

#![cfg_attr(not(feature = "std"), no_std)]
// Money is decided here: nothing wraps, is cut off or panics.
#![cfg_attr(
    not(any(test, feature = "runtime-benchmarks")),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
#[allow(unused_qualifications)] // In what the macro generates.
mod benchmarking;
mod calls;
mod challenges;
mod contracts;
mod errors;
mod escrow;
mod events;
mod groups;
mod holdings;
mod invariants;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
mod periods;
mod proofs;
mod refusals;
mod standings;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
mod views;
pub mod weights;

pub use groups::Waiting;
pub use holdings::Wish;
pub use pallet::*;
pub use periods::PeriodLength;
pub use weights::WeightInfo;

use frame_support::{pallet_macros::import_section, pallet_prelude::DispatchResult};
use quern_custody_rules::steps::Penalty;
use quern_primitives::{AccountId, Amount, BlockNumber, DeviceId, NodeKey};

/// Contracts of one owner that are open at the same time.
pub const OPEN_CONTRACTS_PER_OWNER_MAX: u32 = 256;

/// Contracts that wait for their group to be drawn; more are refused until the next block.
pub const CONTRACTS_AWAITING_MAX: u32 = 64;

/// Contracts of one owner among them: an eighth of the room.
pub const CONTRACTS_AWAITING_PER_OWNER_MAX: u32 = CONTRACTS_AWAITING_MAX / 8;

/// Different lengths of a period among the contracts that are open; for each the chain notes what challenges
/// follow from. On terms with a ninth none is opened until those with another are closed.
pub const PERIOD_LENGTHS_MAX: u32 = 8;

/// Pieces of one contract that are known to be others than the contract says. One is enough to know the
/// owner by.
pub const REFUSED_PIECES_MAX: u32 = 64;

/// Misses of one device that are kept until it is reviewed: 11 kB.
pub const MISSES_KEPT_MAX: u32 = 64;

/// Contracts in one answer of the chain, to who asks for many.
pub const CONTRACTS_PER_PAGE_MAX: u32 = 256;

/// Holdings in one answer of the chain, to who asks for many.
pub const HOLDINGS_PER_PAGE_MAX: u32 = 1_024;

/// The register of devices and the bonds of their accounts, as custody needs them.
pub trait Workers {
    /// The account that a registered device belongs to.
    fn account_of(device: &DeviceId) -> Option<AccountId>;

    /// Whether a registered device may be given anything: its account is bonded and not banned, and the device
    /// is not in quarantine.
    fn may_hold(device: &DeviceId) -> bool;

    /// All that can be taken from an account: its bond, active and on its way out.
    fn bonded(account: &AccountId) -> Amount;

    /// Takes a penalty from an account's bond, for one of its devices. Nothing was lied about: the device may
    /// work again when it was reviewed.
    fn slash(
        account: &AccountId,
        device: &DeviceId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult;

    /// Makes the device one of the account's, which has this bond.
    #[cfg(feature = "runtime-benchmarks")]
    fn register(device: DeviceId, account: AccountId, bond: Amount);
}

/// The chain's clock of finality.
pub trait FinalityClock {
    /// The height that the chain holds to be final. It never goes back, and stands still while finality does.
    fn height() -> BlockNumber;

    /// Has the chain hold this height to be final.
    #[cfg(feature = "runtime-benchmarks")]
    fn set(height: BlockNumber);
}

/// What masternodes have published, as groups need it.
pub trait Operators {
    /// The network key of a masternode that can be reached.
    fn network_key(account: &AccountId) -> Option<NodeKey>;

    /// Has a masternode publish this key.
    #[cfg(feature = "runtime-benchmarks")]
    fn publish(account: &AccountId, node: NodeKey);
}

// Of what the macro generates; everything written here is documented. Events, errors and calls are sections of
// this module.
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing
)]
#[import_section(events::events)]
#[import_section(errors::errors)]
#[import_section(calls::calls)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::boxed::Box;
    use frame_support::{
        dispatch::Pays,
        pallet_prelude::*,
        traits::{Contains, Randomness, SortedMembers, fungible},
    };
    use frame_system::pallet_prelude::*;
    use quern_primitives::{
        batch::Words,
        custody::{
            Answer, Challenge, Contract, Escrow, HoldConsent, Holding, Miss, Offer, PieceEntry,
            Place, Proved, ShortProof, Standing, Step, Terms,
        },
        group::Group,
        ids::{ContractId, Period, PieceIndex},
        limits::SPAN_BYTES,
        merkle::SpanProof,
        payload::Signed,
    };

    /// The pallet; its calls are the life of a contract, its functions what others ask.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<
            AccountId = AccountId,
            Hash: Into<[u8; 32]>,
            RuntimeEvent: From<Event<Self>>,
        >
    {
        /// The ledger of ByteChips. Its existential deposit must be 1, so that every pay can be received.
        type Currency: fungible::Inspect<AccountId, Balance = Amount>
            + fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holding money, ours among them.
        type RuntimeHoldReason: From<HoldReason>;

        /// The masternodes: a contract's group is drawn among the members as listed, and only a member has a
        /// say. The list may leave out members that cannot be reached, or answer for nothing.
        type Masternodes: SortedMembers<AccountId>;

        /// Their network keys.
        type Operators: Operators;

        /// How large a group is, as far as there are as many masternodes.
        type GroupSize: Get<u8>;

        /// Who may open no contract: the banned accounts.
        type Bans: Contains<AccountId>;

        /// Devices, and the bonds that answer for them.
        type Workers: Workers;

        /// What groups are drawn from, and what challenges follow from; BABE's `ParentBlockRandomness` fits.
        /// While it gives none, or gives one that could be known too early, both wait.
        type Randomness: Randomness<Option<Self::Hash>, BlockNumberFor<Self>>;

        /// The terms of a contract that is opened now. They hold for it to its end.
        type CurrentTerms: Get<Terms>;

        /// Who gets the treasury's share.
        type TreasuryAccount: Get<AccountId>;

        /// The chain's clock of finality.
        type Clock: FinalityClock;

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// As escrow of the account's open contracts.
        Contract,
        /// As the bonds of the challenges that the account opened.
        Challenge,
    }

    /// The contracts that are open.
    #[pallet::storage]
    pub type Contracts<T: Config> =
        StorageMap<_, Blake2_128Concat, ContractId, Contract, OptionQuery>;

    /// The open contracts of each owner.
    #[pallet::storage]
    pub type ContractsOf<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId,
        Blake2_128Concat,
        ContractId,
        (),
        OptionQuery,
    >;

    /// How many open contracts each owner has; owners without any are not in it.
    #[pallet::storage]
    pub type OpenContracts<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, u32, ValueQuery>;

    /// How many holdings there still are of each contract that is closed. They are worth nothing, and anybody
    /// may have them forgotten. A contract without any is not in it.
    #[pallet::storage]
    pub type Remains<T: Config> = StorageMap<_, Blake2_128Concat, ContractId, u32, OptionQuery>;

    /// The group of each open contract that does not wait for it.
    #[pallet::storage]
    pub type Groups<T: Config> = StorageMap<_, Blake2_128Concat, ContractId, Group, OptionQuery>;

    /// The contracts whose group is not drawn yet, in the order in which they were opened.
    #[pallet::storage]
    pub type Awaiting<T: Config> =
        StorageValue<_, BoundedVec<Waiting, ConstU32<CONTRACTS_AWAITING_MAX>>, ValueQuery>;

    /// The lengths of a period that open contracts have, ascending, and of each what challenges follow from
    /// now.
    #[pallet::storage]
    pub type Lengths<T: Config> =
        StorageValue<_, BoundedVec<PeriodLength, ConstU32<PERIOD_LENGTHS_MAX>>, ValueQuery>;

    /// The pieces of each open contract that are others than it says, ascending; nobody takes them.
    #[pallet::storage]
    pub type Refused<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        ContractId,
        BoundedVec<PieceIndex, ConstU32<REFUSED_PIECES_MAX>>,
        ValueQuery,
    >;

    /// Who holds what, or held it and is not forgotten yet.
    #[pallet::storage]
    pub type Holdings<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, ContractId>,
            NMapKey<Twox64Concat, PieceIndex>,
            NMapKey<Blake2_128Concat, DeviceId>,
        ),
        Holding,
        OptionQuery,
    >;

    /// The same by device.
    #[pallet::storage]
    pub type HeldBy<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        DeviceId,
        Blake2_128Concat,
        (ContractId, PieceIndex),
        (),
        OptionQuery,
    >;

    /// How many devices hold each piece, without those that gave it up or lost it. A piece without any is not
    /// in it.
    #[pallet::storage]
    pub type Holders<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, ContractId, Twox64Concat, PieceIndex, u8, ValueQuery>;

    /// Which members of the group want a holding given up.
    #[pallet::storage]
    pub type Wishes<T: Config> = StorageMap<_, Blake2_128Concat, Place, Wish, OptionQuery>;

    /// The challenges that wait for their answer.
    #[pallet::storage]
    pub type Challenges<T: Config> = StorageMap<_, Blake2_128Concat, Place, Challenge, OptionQuery>;

    /// The same by the height of the clock of finality up to which they may be answered, without those of
    /// which the chain could not say that they are missed. Heights are kept unhashed and with their highest
    /// byte first, so that the storage's own order is theirs, and what is over next is what comes first.
    #[pallet::storage]
    pub type DueChallenges<T: Config> =
        StorageDoubleMap<_, Identity, [u8; 4], Blake2_128Concat, Place, (), OptionQuery>;

    /// What follows next for each device that missed something.
    #[pallet::storage]
    pub type Standings<T: Config> = StorageMap<_, Blake2_128Concat, DeviceId, Standing, ValueQuery>;

    /// What each of them missed, oldest first.
    #[pallet::storage]
    pub type Misses<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        DeviceId,
        BoundedVec<Miss, ConstU32<MISSES_KEPT_MAX>>,
        ValueQuery,
    >;

    /// The money of all contracts together, since the chain began; held and reserved is what is so now.
    #[pallet::storage]
    pub type Totals<T: Config> = StorageValue<_, Escrow, ValueQuery>;

    /// The bonds of all open challenges together.
    #[pallet::storage]
    pub type TotalPutUp<T: Config> = StorageValue<_, Amount, ValueQuery>;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// Notes what challenges of periods follow from that began in the block before, and draws the groups
        /// of the contracts that wait for theirs.
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            let looked_at = Self::begin_periods(Self::fresh_randomness);
            let draws = match Self::draw_groups(T::GroupSize::get(), Self::random) {
                // How large groups are is read beside the list.
                0 => T::DbWeight::get().reads(2),
                waited => T::WeightInfo::draw_groups(waited),
            };
            T::WeightInfo::begin_periods(looked_at).saturating_add(draws)
        }

        /// Says of challenges whose time is over that they are missed, as far as the block has room.
        fn on_idle(_now: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::miss_due(room)
        }

        fn integrity_test() {
            use fungible::Inspect;
            assert_eq!(
                T::Currency::minimum_balance(),
                1,
                "every pay must be receivable"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }
}
