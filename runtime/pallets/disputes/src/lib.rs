//! Disputes: what is shown of a lie, and what follows.
//!
//! # What it keeps
//!
//! - **Disputes** that the chain cannot decide at once: sums that are added up in steps, and questions
//!   that a coordinator has to answer in time. Each has the bond of who began it, held in their account
//!   under [`HoldReason::Dispute`]. While a batch has one it is not made final.
//! - **Sums**: a sum that is being added up, beside its dispute.
//! - **Convictions**: what was proved, so that nobody pays for it twice.
//!
//! What is proved by evidence, who pays and how much is said by `quern-dispute-rules`. What the chain
//! tells of jobs, batches and bonds, and how a batch is struck or a bond slashed, is said by
//! [`Config::Court`].
//!
//! # Calls
//!
//! | call | origin |
//! | --- | --- |
//! | [`dispute`](Pallet::dispute) | any account that has the bond |
//! | [`step`](Pallet::step) | who began the dispute |
//! | [`answer`](Pallet::answer) | any account |
//! | [`expire`](Pallet::expire) | any account |
//!
//! Evidence that is not in order is refused and costs the fee. Evidence that is in order and proves
//! nothing costs the bond. A call pays for what it had done, also one that is refused: the room in a
//! block that a strike would have needed is given back if there was none.
//!
//! # What others ask it
//!
//! [`Pallet::dispute_of`], [`Pallet::disputes`], [`Pallet::disputes_of`], [`Pallet::convictions_of`],
//! [`Pallet::total_held`].

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
mod bonds;
mod cases;
mod invariants;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
#[cfg(any(test, feature = "runtime-benchmarks"))]
mod staging;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
mod views;
pub mod weights;

pub use pallet::*;
pub use quern_dispute_rules::open::{Dispute, DisputeId, Matter};
pub use weights::WeightInfo;

use alloc::boxed::Box;
use cases::Work;
use frame_support::{
    dispatch::{DispatchErrorWithPostInfo, DispatchResultWithPostInfo},
    pallet_prelude::DispatchResult,
    weights::Weight,
};
use quern_dispute_rules::{
    Evidence, Facts, Refusal, Reply, Subject,
    evidence::BatchName,
    penalty::Penalty,
    ruling::{Offence, Place, Sentence},
    sum::Step,
};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    ids::{BatchSequence, DeviceId},
    limits::VERDICTS_PER_BATCH_MAX,
};

/// Open disputes of one batch: as many as it can have verdicts. Who fills the room, to keep others out
/// until the window is over, loses what is burnt of so many bonds. That is more than a batch is worth if
/// the burnt part of a bond is more than a task may cost.
pub const OPEN_PER_BATCH_MAX: u32 = VERDICTS_PER_BATCH_MAX;

/// What the rest of the chain tells and does for disputes.
pub trait Court {
    /// What the chain says about a subject; `None` if there is no such job, or all of it is final.
    fn facts(subject: &Subject) -> Option<Facts>;

    /// The height by which answers are awaited; it stands still while finality does.
    fn now() -> BlockNumber;

    /// How long an answer, or the whole of a sum, may take.
    fn answer_blocks() -> BlockNumber;

    /// Whether a batch's window is past, so that no dispute may be opened over it that would have to wait.
    /// What can be decided at once still may be, as long as the batch is pending.
    fn is_due(batch: &BatchName) -> bool;

    /// From now on a batch is not made final, or may be again.
    fn keep_open(batch: &BatchName, is_disputed: bool);

    /// Strikes a batch and all that follow it.
    fn strike(job: &JobId, sequence: BatchSequence) -> DispatchResult;

    /// Takes a masternode's say in a job from it.
    fn turn_out(job: &JobId, account: &AccountId) -> DispatchResult;

    /// Takes a penalty from a worker's bond, for one of its devices.
    fn slash_worker(
        account: &AccountId,
        device: &DeviceId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult;

    /// Takes a penalty from a masternode's bond.
    fn slash_masternode(
        account: &AccountId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult;

    /// Counts what was burnt of a dispute's bond.
    fn count_burnt(amount: Amount) -> DispatchResult;

    /// What it costs the court at most to be asked for facts, to keep a batch open, and to slash one
    /// worker.
    fn weight_of_facts() -> Weight;

    /// The most that one ruling costs the court: facts, a strike, and as many slashes as a group has
    /// members.
    fn weight() -> Weight;

    /// Makes the chain tell these facts, whatever it knows.
    #[cfg(feature = "runtime-benchmarks")]
    fn stage(facts: Facts);

    /// Makes the chain know a device of an account.
    #[cfg(feature = "runtime-benchmarks")]
    fn enlist(device: DeviceId, account: AccountId);
}

// What the macro generates breaks these lints; everything written here is documented.
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing
)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::{pallet_prelude::*, traits::fungible};
    use frame_system::pallet_prelude::*;
    use quern_dispute_rules::Sum;
    use sp_core::H256;

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId, Hash = H256, RuntimeEvent: From<Event<Self>>>
    {
        /// The ledger of ByteChips.
        type Currency: fungible::Inspect<AccountId, Balance = Amount>
            + fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holding money, ours among them.
        type RuntimeHoldReason: From<HoldReason>;

        /// Jobs, batches, devices and bonds.
        type Court: Court;

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// As the bond of who disputes.
        Dispute,
    }

    /// The number that the next dispute gets.
    #[pallet::storage]
    pub type NextDispute<T: Config> = StorageValue<_, DisputeId, ValueQuery>;

    /// Open disputes; each has a bond.
    #[pallet::storage]
    pub type Disputes<T: Config> = StorageMap<_, Twox64Concat, DisputeId, Dispute, OptionQuery>;

    /// What was added up so far, of each dispute that adds up.
    #[pallet::storage]
    pub type Sums<T: Config> = StorageMap<_, Twox64Concat, DisputeId, Sum, OptionQuery>;

    /// How many disputes a batch has open; at most [`OPEN_PER_BATCH_MAX`].
    #[pallet::storage]
    pub type OpenIn<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, JobId, Twox64Concat, BatchSequence, u32, ValueQuery>;

    /// The open disputes of each job.
    #[pallet::storage]
    pub type DisputesOf<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, JobId, Twox64Concat, DisputeId, (), OptionQuery>;

    /// The bonds of all open disputes together.
    #[pallet::storage]
    pub type TotalHeld<T: Config> = StorageValue<_, Amount, ValueQuery>;

    /// What was proved of each job. An entry cost somebody a bond, or is the first against a device of which nothing
    /// was left; it stays as the job does.
    #[pallet::storage]
    pub type Convictions<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, JobId, Blake2_128Concat, Place, Offence, OptionQuery>;

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A dispute is open: the chain adds up, or a coordinator has to answer.
        DisputeOpened {
            /// The dispute.
            id: DisputeId,
            /// Who began it.
            disputer: AccountId,
            /// The batch.
            batch: BatchName,
            /// What it is about.
            matter: Matter,
            /// The last height at which it can be ended by steps or answers.
            until: BlockNumber,
        },
        /// Verdicts were added up.
        StepTaken {
            /// The dispute.
            id: DisputeId,
            /// Verdicts added so far.
            verdicts: u32,
        },
        /// A lie was proved.
        LieProved {
            /// Who proved it.
            disputer: AccountId,
            /// The job.
            job: JobId,
            /// What was proved.
            offence: Offence,
            /// The batch that was struck with all that followed it, if one was.
            struck: Option<BatchSequence>,
        },
        /// An account pays for a lie.
        BondSlashed {
            /// The job.
            job: JobId,
            /// Who pays, and what.
            sentence: Sentence,
        },
        /// Nothing was wrong: who disputed has lost the bond.
        DisputeLost {
            /// Who disputed.
            disputer: AccountId,
            /// The batch.
            batch: BatchName,
            /// What they lose, of which the winner's part is the coordinator's.
            penalty: Penalty,
        },
        /// The batch was struck for something else; the dispute is over and its bond is free.
        DisputeDropped {
            /// The dispute.
            id: DisputeId,
        },
    }

    /// Why a call was refused. A refused call changes nothing.
    #[pallet::error]
    pub enum Error<T> {
        /// There is no such job, or all of it is final; name a job that is not over.
        JobUnknown,
        /// The account has not the bond of a dispute free; get it first.
        BondTooSmall,
        /// The same was proved before; nobody pays for it twice.
        ProvedBefore,
        /// The batch has as many disputes as it may; wait until one is over.
        TooManyDisputes,
        /// The batch's window is past, so no dispute that has to wait is opened over it any more; show what
        /// can be decided at once.
        WindowOver,
        /// There is no such dispute; it may be over.
        DisputeUnknown,
        /// Another account began the dispute; sign with that one.
        NotDisputer,
        /// The dispute asks for an answer and not for verdicts; answer it.
        NothingToAdd,
        /// The dispute adds up and asks nothing; nothing is to be answered.
        NothingToAnswer,
        /// The dispute's time is not over; wait for it.
        TimeRemains,
        /// The dispute's time is over; end it with `expire`.
        TimeOver,
        /// The evidence is of another job; name that job.
        OtherJob,
        /// The batch is not pending: it is final, was struck, or never was.
        NotPending,
        /// The verdict is not under the batch's root; make its proof again.
        NotInBatch,
        /// The entry is not in a log that was certified; add the headers up to its head.
        NotInLog,
        /// The parts are about different things; show two about one place.
        Unrelated,
        /// The accused did not sign it; show what they signed for this chain.
        NotSigned,
        /// Nobody of this job answers for it; name a member of its group or a registered device.
        NobodyAnswers,
        /// The chain does not know enough to decide it; show something else.
        Undecidable,
        /// Add between 1 and 256 verdicts a step, and no more than the batch has.
        WrongStep,
        /// Verdicts of the batch are missing; add them first.
        Unfinished,
        /// The reply does not answer the question; show what was asked for.
        NoReply,
        /// The device is convicted already, and nothing is left of what covered it; nothing follows.
        NothingLeft,
    }

    impl<T: Config> From<Refusal> for Error<T> {
        fn from(refusal: Refusal) -> Self {
            match refusal {
                Refusal::OtherJob => Self::OtherJob,
                Refusal::NotPending => Self::NotPending,
                Refusal::NotInBatch => Self::NotInBatch,
                Refusal::NotInLog => Self::NotInLog,
                Refusal::Unrelated => Self::Unrelated,
                Refusal::NotSigned => Self::NotSigned,
                Refusal::NobodyAnswers => Self::NobodyAnswers,
                Refusal::Undecidable => Self::Undecidable,
                Refusal::Step => Self::WrongStep,
                Refusal::Unfinished => Self::Unfinished,
                Refusal::NoReply => Self::NoReply,
                Refusal::NothingLeft => Self::NothingLeft,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Shows the chain a lie.
        ///
        /// Origin: signed by an account that has the bond of a dispute free.
        ///
        /// Details: what signed data alone decide is decided here: who is guilty pays, or who signed
        /// loses the bond. Otherwise the bond stays held while the chain adds up or a coordinator is
        /// asked.
        ///
        /// Events: [`Event::LieProved`] with [`Event::BondSlashed`] for each who pays, or
        /// [`Event::DisputeLost`], or [`Event::DisputeOpened`].
        ///
        /// Errors: [`Error::JobUnknown`], [`Error::BondTooSmall`], [`Error::ProvedBefore`],
        /// [`Error::WindowOver`], [`Error::TooManyDisputes`], and one for each [`Refusal`].
        #[pallet::call_index(0)]
        #[pallet::weight(Pallet::<T>::weight_of_dispute().saturating_add(T::Court::weight()))]
        pub fn dispute(
            origin: OriginFor<T>,
            evidence: Box<Evidence>,
        ) -> DispatchResultWithPostInfo {
            let disputer = ensure_signed(origin)?;
            let mut work = Work::Looked;
            let done = Self::do_dispute(disputer, &evidence, &mut work);
            Self::billed(Self::weight_of_dispute(), work, done)
        }

        /// Adds the next verdicts of a batch, in the order of its tree. With the last of them the sum is
        /// compared with the batch.
        ///
        /// Origin: signed by who began the dispute.
        ///
        /// Events: [`Event::StepTaken`]; with the last verdicts those of a ruling.
        ///
        /// Errors: [`Error::DisputeUnknown`], [`Error::NotDisputer`], [`Error::NothingToAdd`],
        /// [`Error::TimeOver`], [`Error::WrongStep`], [`Error::NotPending`], [`Error::ProvedBefore`].
        #[pallet::call_index(1)]
        #[pallet::weight(
            T::WeightInfo::step(verdicts.len() as u32).saturating_add(T::Court::weight())
        )]
        pub fn step(
            origin: OriginFor<T>,
            id: DisputeId,
            verdicts: Step,
        ) -> DispatchResultWithPostInfo {
            let disputer = ensure_signed(origin)?;
            let mut work = Work::Looked;
            let done = Self::do_step(&disputer, id, &verdicts, &mut work);
            Self::billed(T::WeightInfo::step(verdicts.len() as u32), work, done)
        }

        /// Answers what a dispute asks. Who began it has lost.
        ///
        /// Origin: signed by any account: who certified the batch can answer for its coordinator.
        ///
        /// Event: [`Event::DisputeLost`].
        ///
        /// Errors: [`Error::DisputeUnknown`], [`Error::NothingToAnswer`], [`Error::TimeOver`],
        /// [`Error::NoReply`], [`Error::NotInBatch`], [`Error::NotPending`].
        #[pallet::call_index(2)]
        #[pallet::weight(Pallet::<T>::weight_of_answer().saturating_add(T::Court::weight()))]
        pub fn answer(
            origin: OriginFor<T>,
            id: DisputeId,
            reply: Box<Reply>,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            let mut work = Work::Looked;
            let done = Self::do_answer(id, &reply, &mut work);
            Self::billed(Self::weight_of_answer(), work, done)
        }

        /// Ends a dispute whose time is over: a coordinator that did not answer has lost, and so has who
        /// did not add up. A dispute over a batch that was struck meanwhile is dropped at any time.
        ///
        /// Origin: signed by any account.
        ///
        /// Events: those of a ruling, or [`Event::DisputeDropped`].
        ///
        /// Errors: [`Error::DisputeUnknown`], [`Error::TimeRemains`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::expire().saturating_add(T::Court::weight()))]
        pub fn expire(origin: OriginFor<T>, id: DisputeId) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            let mut work = Work::Looked;
            let done = Self::do_expire(id, &mut work);
            Self::billed(T::WeightInfo::expire(), work, done)
        }
    }
}

impl<T: Config> Pallet<T> {
    /// What it costs to show evidence, of whatever kind.
    fn weight_of_dispute() -> Weight {
        T::WeightInfo::dispute_wrong_answer().max(T::WeightInfo::dispute_entries())
    }

    /// What an answer costs, of whatever kind.
    fn weight_of_answer() -> Weight {
        T::WeightInfo::answer_verdict().max(T::WeightInfo::answer_reports())
    }

    /// The end of a call that had the court do this work.
    fn billed(call: Weight, work: Work, done: DispatchResult) -> DispatchResultWithPostInfo {
        let court = match work {
            Work::Looked => T::Court::weight_of_facts(),
            Work::Ruled => T::Court::weight(),
        };
        let post_info = Some(call.saturating_add(court)).into();
        match done {
            Ok(()) => Ok(post_info),
            Err(error) => Err(DispatchErrorWithPostInfo { post_info, error }),
        }
    }
}
