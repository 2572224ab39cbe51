//! Jobs: an owner's money is held, a coordinator is drawn, batches of verdicts are paid from what is
//! held, and the rest goes back.
//!
//! # The life of a job
//!
//! An owner [submits](Pallet::submit) a job and in the same call puts its quote into escrow: a hold
//! on the owner's own account. The quote is a hard cap; no call takes more. In the next block the
//! chain draws the job's group among the masternodes, from randomness that nobody could know when the
//! job was submitted. The block after notes with the group what the lanes of the
//! job's tasks follow from, that block's randomness and the hash before it. The first of the group coordinates. It
//! [settles](Pallet::settle) tasks in batches. Each is
//! pending until the chain's clock of finality has gone on by the window of the job's terms: its money
//! stays in the hold, set aside for the worker accounts, the masternodes that settled and certified the
//! batch, and the treasury, who get it when the batch is [made final](Pallet::finalise). When the last task is settled the job waits for
//! its last batch to be final; then it is completed and the rest of the hold released. If devices
//! agree that the program itself fails, the coordinator [closes](Pallet::close_failed) the job
//! instead.
//!
//! The batches of a job become final in order. Those that are due are made final by the chain itself,
//! as far as a block has room; anyone may do it by a call. A batch that is disputed is kept open
//! ([`Pallet::keep_open`]), and so are the later ones of its job. A batch that is proved wrong is struck
//! ([`Pallet::strike`]), and with it all later ones of its job, which rest on the same log.
//!
//! # Its group
//!
//! A group is as large as the council has set ([`group_size`](quern_primitives::params::Params)), as far
//! as there are as many masternodes. A batch needs certificates of more than half of it: each says, with
//! the network key that the member had when it was drawn, that the member has replayed the job's log and
//! that the batch follows from it. If nothing is settled for a while, the next in the order of the draw
//! may [take over](Pallet::take_over), and the one before settles nothing more. When a batch is struck,
//! who settled or certified it has no say in the job any more, and the next member goes on. Each has at
//! most one turn; without another member the job waits for its refund.
//!
//! # What it answers with
//!
//! All that a masternode has settled and that is not final, in all jobs together, is never more than its bond:
//! it settles nothing beyond that, and takes nothing out of the bond that is needed. If it was slashed for
//! one batch while others are pending, it settles no more until it has bonded enough for those.
//!
//! # Its end
//!
//! The owner may [cancel](Pallet::cancel): at once before the draw, afterwards with a grace in which
//! the coordinator settles what was finished. Once the deadline, or that grace, is past, anyone may
//! call the [refund](Pallet::refund); nobody's goodwill is needed to get money back.
//!
//! | call | origin |
//! | --- | --- |
//! | [`submit`](Pallet::submit) | signed by the owner, who is not banned |
//! | [`settle`](Pallet::settle), [`close_failed`](Pallet::close_failed) | the job's coordinator |
//! | [`take_over`](Pallet::take_over) | a member of the job's group |
//! | [`cancel`](Pallet::cancel) | the job's owner |
//! | [`refund`](Pallet::refund), [`finalise`](Pallet::finalise) | any signed account |
//! | [`set_prices`](Pallet::set_prices) | council |
//!
//! # Fees
//!
//! The network's share pays for a job's transactions, so a call that succeeds costs no fee. One
//! that is refused does: whoever sends nonsense pays for its being read.
//!
//! # What it rests on
//!
//! What a job may cost, who gets what and what may happen next is decided by `quern-job-rules`; this
//! pallet loads, asks, moves the money and stores. What always holds is written down in
//! [`Pallet::do_try_state`].

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
mod benchmarking;
mod coordinators;
mod escrow;
mod exposure;
mod groups;
mod invariants;
mod life;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
mod mock;
mod pending;
mod refusals;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
mod tests;
mod views;
pub mod weights;

pub use pallet::*;
pub use weights::WeightInfo;

use quern_primitives::{
    AccountId, Amount, DeviceId, NodeKey,
    device::{Class, RecordChange},
};

/// The register of devices, as settlement needs it.
pub trait Devices {
    /// Adds the counts of a batch of a job of this class to a device's record, also if it was retired
    /// meanwhile. A device that was never registered is passed over: if it could refuse, one worker
    /// could keep a batch's others from their pay.
    fn record(device: &DeviceId, class: Class, change: &RecordChange);

    /// Makes the device one whose record can change.
    #[cfg(feature = "runtime-benchmarks")]
    fn register(device: DeviceId, account: AccountId);
}

/// What masternodes have published and put up, as groups need it.
pub trait Operators {
    /// The network key of a masternode that can be reached.
    fn network_key(account: &AccountId) -> Option<NodeKey>;

    /// Whether a masternode has the bond without which it is given no jobs.
    fn is_bonded(account: &AccountId) -> bool;

    /// All that can be taken from an operator: its bond, active and on its way out.
    fn bonded(account: &AccountId) -> Amount;

    /// Has a masternode publish this key.
    #[cfg(feature = "runtime-benchmarks")]
    fn publish(account: &AccountId, node: NodeKey);
}

// Of what the macro generates; everything written here is documented.
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
    use frame_support::{
        pallet_prelude::*,
        traits::{Contains, EnsureOrigin, Randomness, SortedMembers, fungible},
    };
    use frame_system::pallet_prelude::*;
    use quern_job_rules::pay;
    use quern_primitives::{
        BlockNumber, JobId,
        batch::{BatchRecord, Certified, CertifiedEnd, Exposure, PendingBatch},
        group::Group,
        ids::BatchSequence,
        job::{Escrow, Job, JobEnd, Prices, Submission},
        limits::{
            JOBS_AWAITING_COORDINATOR_MAX, PENDING_BATCHES_PER_JOB_MAX, TASK_BITMAP_BYTES_MAX,
        },
        params::Params,
    };

    /// The pallet; its calls are a job's life, its functions what others ask.
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
        /// The ledger of ByteChips. Its existential deposit must be 1, so that every payout can be
        /// received.
        type Currency: fungible::Inspect<AccountId, Balance = Amount>
            + fungible::hold::Mutate<AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holding money, ours among them.
        type RuntimeHoldReason: From<HoldReason>;

        /// The masternodes: a job's group is drawn among the members as listed, and only a member may
        /// settle. The list may leave out members that cannot be reached, or answer for nothing.
        type Masternodes: SortedMembers<AccountId>;

        /// Their network keys and bonds.
        type Operators: Operators;

        /// Whose jobs are refused: the banned accounts.
        type Bans: Contains<AccountId>;

        /// The devices' records.
        type Devices: Devices;

        /// What coordinators are drawn from; BABE's `ParentBlockRandomness` fits. While it gives
        /// none, or gives one that could be known before a job's block, the job waits.
        type Randomness: Randomness<Option<Self::Hash>, BlockNumberFor<Self>>;

        /// What the council has set. Its terms hold for a job that is submitted now as long as it lives.
        type Params: Get<Params>;

        /// Who speaks for the council on prices.
        type PricesOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who gets the treasury's share.
        type TreasuryAccount: Get<AccountId>;

        /// The chain's clock of finality: the height that it holds to be final. It never goes back, and
        /// stands still while finality does.
        type Finalised: Get<BlockNumber>;

        /// Blocks a coordinator has, after the owner cancels, to settle what was finished.
        #[pallet::constant]
        type SettleGrace: Get<BlockNumber>;

        /// What the calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why money is held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// As escrow of the account's open jobs.
        Escrow,
    }

    /// Every job there ever was. A job that is over stays: it is what batches and receipts refer to.
    #[pallet::storage]
    pub type Jobs<T: Config> = StorageMap<_, Blake2_128Concat, JobId, Job, OptionQuery>;

    /// The jobs of each owner, those that are over too.
    #[pallet::storage]
    pub type JobsOf<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId, Blake2_128Concat, JobId, (), OptionQuery>;

    /// How many open jobs each owner has; owners without any are not in it.
    #[pallet::storage]
    pub type OpenJobs<T: Config> = StorageMap<_, Blake2_128Concat, AccountId, u32, ValueQuery>;

    /// The open jobs of each coordinator.
    #[pallet::storage]
    pub type JobsCoordinatedBy<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId, Blake2_128Concat, JobId, (), OptionQuery>;

    /// The group of each open job that has its coordinator.
    #[pallet::storage]
    pub type Groups<T: Config> = StorageMap<_, Blake2_128Concat, JobId, Group, OptionQuery>;

    /// Which tasks of an open job are settled: one bit a task, least significant bit of each byte
    /// first. Empty until the first batch, gone when the job is over.
    #[pallet::storage]
    pub type SettledTasks<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        JobId,
        BoundedVec<u8, ConstU32<TASK_BITMAP_BYTES_MAX>>,
        ValueQuery,
    >;

    /// The settled batches of each job; they stay, because receipts are proved against them.
    #[pallet::storage]
    pub type Batches<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        JobId,
        Twox64Concat,
        BatchSequence,
        BatchRecord,
        OptionQuery,
    >;

    /// The batches that are settled and not final yet.
    #[pallet::storage]
    pub type Pending<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        JobId,
        Twox64Concat,
        BatchSequence,
        PendingBatch,
        OptionQuery,
    >;

    /// The jobs with pending batches, by the height of the clock of finality at which the oldest of them
    /// is due; those whose oldest is kept open are not in it, nor those whose oldest was due and could not
    /// be paid. Heights are kept unhashed and with their
    /// highest byte first, so that the storage's own order is theirs, and what is due next is what comes
    /// first.
    #[pallet::storage]
    pub type DueJobs<T: Config> =
        StorageDoubleMap<_, Identity, [u8; 4], Blake2_128Concat, JobId, (), OptionQuery>;

    /// The pending batches that do not become final although they may be due, because they are disputed;
    /// see [`Pallet::keep_open`].
    #[pallet::storage]
    pub type KeptOpen<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, JobId, Twox64Concat, BatchSequence, (), OptionQuery>;

    /// The pending batches of each job in their order, and when each is due, which is in that order
    /// too. A job without any is not in it.
    #[pallet::storage]
    pub type PendingOf<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        JobId,
        BoundedVec<(BatchSequence, BlockNumber), ConstU32<PENDING_BATCHES_PER_JOB_MAX>>,
        ValueQuery,
    >;

    /// What each masternode has settled that is not final, which its bond covers. Who has nothing open is not
    /// in it.
    #[pallet::storage]
    pub type Exposures<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId, Exposure, ValueQuery>;

    /// The submitted jobs whose coordinator is not drawn yet, in the order of submission, each with
    /// its owner, because one may have only so many of them.
    #[pallet::storage]
    pub type Awaiting<T: Config> = StorageValue<
        _,
        BoundedVec<(JobId, AccountId), ConstU32<JOBS_AWAITING_COORDINATOR_MAX>>,
        ValueQuery,
    >;

    /// The jobs whose groups were drawn in the last block in which any was: their lanes follow from that
    /// block's randomness, which the next one knows. Nothing once it is noted.
    #[pallet::storage]
    pub type DrawnLately<T: Config> =
        StorageValue<_, BoundedVec<JobId, ConstU32<JOBS_AWAITING_COORDINATOR_MAX>>, ValueQuery>;

    /// The money of all jobs together, since the chain began.
    #[pallet::storage]
    pub type Totals<T: Config> = StorageValue<_, Escrow, ValueQuery>;

    /// The prices for jobs submitted now.
    #[pallet::storage]
    pub type CurrentPrices<T: Config> = StorageValue<_, Prices, ValueQuery, PricesAtGenesis>;

    /// What the prices are as long as nobody has set any.
    #[pallet::type_value]
    pub fn PricesAtGenesis() -> Prices {
        pay::PRICES_AT_GENESIS
    }

    /// The prices the chain starts with.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// Units for 10^9 units of fuel at level balanced with one replica.
        pub gigafuel: Amount,
        /// Least units for a task at level balanced with one replica.
        pub task_min: Amount,
        /// Thousandths added by each replica after the first.
        pub replica_permille: u32,
        /// Thousandths of the balanced price at level low.
        pub low_permille: u32,
        /// Thousandths of the balanced price at level high.
        pub high_permille: u32,
        #[serde(skip)]
        #[doc(hidden)]
        pub _config: PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            let Prices {
                gigafuel,
                task_min,
                replica_permille,
                low_permille,
                high_permille,
            } = pay::PRICES_AT_GENESIS;
            Self {
                gigafuel,
                task_min,
                replica_permille,
                low_permille,
                high_permille,
                _config: PhantomData,
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let prices = Prices {
                gigafuel: self.gigafuel,
                task_min: self.task_min,
                replica_permille: self.replica_permille,
                low_permille: self.low_permille,
                high_permille: self.high_permille,
            };
            let check = pay::check_prices(&prices);
            assert!(
                check.is_ok(),
                "the genesis has a price out of its bounds: {check:?}"
            );
            CurrentPrices::<T>::put(prices);
        }
    }

    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A job was submitted, and its quote put into escrow.
        JobSubmitted {
            /// The job.
            job: JobId,
            /// Who pays.
            owner: AccountId,
            /// What is held: the most it can cost.
            escrow: Amount,
        },
        /// A job's coordinator was drawn; it runs.
        CoordinatorDrawn {
            /// The job.
            job: JobId,
            /// The masternode in charge.
            coordinator: AccountId,
        },
        /// A batch was settled. Nobody has its money before it is final.
        BatchSettled {
            /// The job.
            job: JobId,
            /// The batch's place in it.
            sequence: BatchSequence,
            /// Tasks settled.
            tasks: u32,
            /// What is set aside in the escrow: the three sums that follow.
            spent: Amount,
            /// For worker accounts.
            workers: Amount,
            /// For the masternodes that settled and certified it, together.
            operators: Amount,
            /// For the treasury, beside what these do not get.
            treasury: Amount,
            /// The height that must be final, by the chain's clock, before the batch is.
            due: BlockNumber,
        },
        /// A batch is final, and paid.
        BatchFinalised {
            /// The job.
            job: JobId,
            /// The batch's place in it.
            sequence: BatchSequence,
            /// Tasks that it settled.
            tasks: u32,
            /// What worker accounts got.
            workers: Amount,
            /// What the masternodes that settled and certified it got together, each an equal part.
            operators: Amount,
            /// What the treasury got, with what does not divide equally among these and the parts of those
            /// that have no say any more.
            treasury: Amount,
        },
        /// A pending batch was struck: its tasks are unsettled again.
        BatchStruck {
            /// The job.
            job: JobId,
            /// The batch's place in it.
            sequence: BatchSequence,
            /// Tasks that are unsettled again.
            tasks: u32,
            /// What is no longer set aside.
            spent: Amount,
        },
        /// Another masternode of its group goes on with a job: batches of it were struck, or nothing was
        /// settled for too long.
        CoordinatorReplaced {
            /// The job.
            job: JobId,
            /// The masternode in charge now.
            coordinator: AccountId,
        },
        /// A masternode settled or certified a batch that was struck, or was convicted of something else, and
        /// has no say in the job any more.
        MemberTurnedOut {
            /// The job.
            job: JobId,
            /// The masternode's operator.
            account: AccountId,
        },
        /// Nothing more of a job is settled; it is over when the last of its batches is final.
        JobSettling {
            /// The job.
            job: JobId,
            /// How it will have ended.
            end: JobEnd,
            /// What went back to the owner now.
            refunded: Amount,
        },
        /// A running job was cancelled by its owner; what was finished may still be settled.
        JobCancelled {
            /// The job.
            job: JobId,
            /// The last block in which its coordinator may settle.
            until: BlockNumber,
        },
        /// A job is over, and the rest of its escrow returned.
        JobEnded {
            /// The job.
            job: JobId,
            /// Why it ended.
            end: JobEnd,
            /// What went back to the owner now.
            refunded: Amount,
        },
        /// The council set the prices for jobs submitted from now on.
        PricesSet {
            /// The prices.
            prices: Prices,
        },
    }

    /// Why a call was refused. A refused call changes nothing but its sender's fee.
    #[pallet::error]
    pub enum Error<T> {
        /// The job has no tasks; cut its input into at least one.
        NoTasks,
        /// The job has more tasks than allowed; cut its input into fewer.
        TooManyTasks,
        /// The job's input is empty; give at least one byte.
        NoInput,
        /// The input is larger than this many shards can be; cut it into more tasks.
        InputTooLarge,
        /// The fuel limit is zero; allow each task some.
        NoFuel,
        /// The fuel limit is above what a task may have; lower it and cut the input into more tasks.
        TooMuchFuel,
        /// The memory limit is zero; allow each task some.
        NoMemory,
        /// The memory limit is above what a task may have; lower it.
        TooMuchMemory,
        /// The result limit is above what a task may return; lower it.
        ResultTooLong,
        /// This number of replicas cannot decide by majority; ask for an odd one within the limit.
        AgreementUndecidable,
        /// The job asks for a region that the chain does not know; name only known ones.
        RegionUnknown,
        /// The job asks for a kind of machine that the chain does not know; name only known ones.
        HardwareUnknown,
        /// The job asks for a kind of line that the chain does not know; name only known ones.
        LineUnknown,
        /// The job asks for more points of the processor than any has; ask for fewer.
        TooManyProcessorPoints,
        /// The deadline is not after the present block; set a later one.
        DeadlinePassed,
        /// The deadline is nearer than allowed; set a later one.
        DeadlineTooNear,
        /// The deadline is too far away; set an earlier one.
        DeadlineTooFar,
        /// The price does not fit an amount; lower the fuel limit.
        PriceTooLarge,
        /// The quote is above the owner's `price_max`; raise it, or lower fuel, replicas or level.
        AbovePriceMax,

        /// The owner's account is banned; ask the council.
        OwnerBanned,
        /// The owner has submitted a job with this salt; take another salt.
        JobExists,
        /// The owner has as many open jobs as allowed; wait for one to end or cancel one.
        TooManyOpenJobs,
        /// As many jobs await their coordinator as can; submit again in the next block.
        TooManyAwaiting,
        /// As many of the owner's jobs await their coordinator as may; submit in the next block.
        TooManyOwnAwaiting,
        /// The owner's free balance does not cover the quote; buy ByteChips or ask for less.
        BalanceBelowQuote,

        /// There is no such job; check its id.
        NoSuchJob,
        /// The job is over; nothing more can happen to it.
        JobOver,
        /// Nothing more of the job is settled; it is over when its last batch is final.
        JobClosed,
        /// The job has its coordinator already.
        AlreadyDrawn,
        /// The job has no coordinator yet; wait for the next block.
        NotDrawn,
        /// Only the job's coordinator may settle or close it.
        NotCoordinator,
        /// The job's coordinator is no masternode any more; another of its group may take over at once,
        /// and otherwise the owner gets the refund in time.
        CoordinatorRemoved,
        /// Only the job's owner may cancel it.
        NotOwner,
        /// The owner has cancelled the job already; wait for the refund.
        AlreadyCancelled,
        /// The last block for this is past; call the refund instead.
        TooLate,
        /// The deadline, or the grace after a cancellation, is not past; wait until it is.
        TooEarly,
        /// The job has no such task; name only those it has.
        NoSuchTask,
        /// A task is settled already; leave it out.
        TaskSettled,
        /// A successful exit is no failure; settle the task instead.
        ExitIsSuccess,
        /// More tasks or money would be taken than are left of the job; take less.
        MoreThanLeft,

        /// The batch does not follow the job's last one; give it the job's `next_batch`.
        WrongSequence,
        /// The batch's stretch of the job log ends before it begins; swap its ends.
        LogReversed,
        /// The batch settles no task; name at least one.
        TaskSetEmpty,
        /// The set of tasks is not in its shortest form; start at a multiple of 8 and leave out
        /// outer zero bytes.
        TaskSetNotShortest,
        /// The batch settles more tasks than one may; split it.
        TaskSetTooLarge,
        /// The batch spends more than its tasks can cost; spend no more than their caps.
        OverCap,
        /// The batch spends more than is held for the job; spend no more.
        OverEscrow,
        /// Payouts are not strictly ascending by account; sort them, one an account.
        PayoutsUnsorted,
        /// A payout is zero; leave it out.
        PayoutZero,
        /// The batch pays more accounts than its tasks can have replicas; pay no more.
        TooManyPayees,
        /// The payouts are more than the workers' share of what is spent; pay no more.
        WorkersOverShare,
        /// Record changes are not strictly ascending by device; sort them, one a device.
        DevicesUnsorted,
        /// A record change is empty; leave it out.
        DeviceUnchanged,
        /// The record changes count more replicas than the tasks can have; count each once.
        TooManyFindings,
        /// As many batches of the job are pending as may; settle more when the oldest is final.
        TooManyPending,
        /// With this batch more would be pending than the coordinator's bond covers; bond more, settle fewer
        /// tasks, or wait until a batch is final.
        ExposureAboveBond,
        /// The job has no such pending batch; it is final, struck, or was never settled.
        BatchNotPending,
        /// An earlier batch of the job is pending; make that final first.
        EarlierPending,
        /// The batch's window is not past; wait until the chain's clock of finality is there.
        BatchNotDue,
        /// The batch is disputed; wait until the dispute is over, or end it if its time is.
        BatchDisputed,

        /// The price of fuel is above its bound; lower it.
        GigafuelOutOfBounds,
        /// The least price of a task is out of its bounds; move it within.
        TaskMinOutOfBounds,
        /// The surcharge for a replica is above its bound; lower it.
        ReplicaOutOfBounds,
        /// The factor of level low is out of its bounds; move it within.
        LowOutOfBounds,
        /// The factor of level high is out of its bounds; move it within.
        HighOutOfBounds,

        /// A task costs more than what makes cheating with it lose; cut the input into more tasks, each
        /// with a lower fuel limit, or ask for more replicas.
        TaskWorthTooMuch,

        /// Certificates are not strictly ascending by place in the group; sort them, one a member.
        CertificatesUnsorted,
        /// A certificate is of no member of the job's group, or of one that has no say any more; leave it
        /// out.
        CertificateOfNobody,
        /// The batch, or the job's end, has not the certificates of more than half of the job's group; collect
        /// more.
        TooFewCertificates,
        /// A certificate is not over this batch, or end, and log head by the key that the member had when it was
        /// drawn; ask for it again.
        CertificateNotSigned,
        /// Only a masternode takes a job over, and this account is none any more; ask the council.
        NotMasternode,
        /// The masternode has not the bond without which it is given no jobs; bond more first.
        NotBonded,
        /// Only a member of the job's group may take it over.
        NotMember,
        /// This member has had its turn, has it now, or has no say any more; another has to take over.
        NoTurn,
        /// The coordinator, or a member between, may still settle; wait until the chain's clock of
        /// finality has gone on by a stall for each of them.
        NotStalled,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// Notes what the lanes of the jobs follow from whose groups were drawn in the block before, and
        /// draws the groups of the jobs that await their coordinator.
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            let drawn = Self::seed_lanes(Self::random_of_lanes);
            let looked_at = Self::draw_coordinators(T::Params::get().group_size, Self::random);
            T::WeightInfo::seed_lanes(drawn)
                .saturating_add(T::WeightInfo::draw_coordinators(looked_at))
        }

        /// Makes final what is due, as far as the block has room.
        fn on_idle(_now: BlockNumberFor<T>, room: Weight) -> Weight {
            Self::finalise_due(room)
        }

        fn integrity_test() {
            use fungible::Inspect;
            assert_eq!(
                T::Currency::minimum_balance(),
                1,
                "every payout must be receivable"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Submits a job and holds its quote.
        ///
        /// Origin: signed by the owner, who must not be banned.
        ///
        /// Details: the job's id follows from chain, owner and salt, see
        /// [`job_id`](quern_primitives::job::job_id). The prices and terms of now hold for all of its life.
        /// No fee on success; to send the call the account needs the fee beside the quote.
        ///
        /// Event: [`Event::JobSubmitted`].
        ///
        /// Errors: the submission's own, from [`Error::NoTasks`] to [`Error::AbovePriceMax`], and
        /// [`Error::TaskWorthTooMuch`];
        /// [`Error::OwnerBanned`], [`Error::JobExists`], [`Error::TooManyOpenJobs`],
        /// [`Error::TooManyOwnAwaiting`], [`Error::TooManyAwaiting`],
        /// [`Error::BalanceBelowQuote`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::submit())]
        pub fn submit(origin: OriginFor<T>, submission: Submission) -> DispatchResultWithPostInfo {
            let owner = ensure_signed(origin)?;
            Self::do_submit(owner, submission)?;
            Ok(Pays::No.into())
        }

        /// Settles a batch: sets aside, in the job's escrow, what its workers, the masternodes that settle
        /// and certify it, and the treasury get when it is final. Of a job whose last task is settled nothing more is.
        ///
        /// Origin: signed by the job's coordinator, which must still be a masternode.
        ///
        /// Details: until the deadline, or the end of the grace if the owner cancelled. Payouts and
        /// record changes are in ascending order, each account and device once. What it spends, and what
        /// else its coordinator has settled that is not final, is covered by the coordinator's bond. It is final
        /// when the clock of finality has gone on by the window of the job's terms, and not before the
        /// earlier ones of its job. Certificates are in ascending order of the members' places in the
        /// job's group, of more than half of those who have a say. No fee on success.
        ///
        /// Events: [`Event::BatchSettled`], and [`Event::JobSettling`] with the last task.
        ///
        /// Errors: [`Error::NoSuchJob`], [`Error::CoordinatorRemoved`]; who and when:
        /// [`Error::NotDrawn`], [`Error::NotCoordinator`], [`Error::TooLate`], [`Error::JobOver`];
        /// what: [`Error::NoSuchTask`], [`Error::TaskSettled`], those from [`Error::WrongSequence`] to
        /// [`Error::ExposureAboveBond`], and those from [`Error::CertificatesUnsorted`] to
        /// [`Error::CertificateNotSigned`].
        #[pallet::call_index(1)]
        #[pallet::weight(Pallet::<T>::settle_weight(certified))]
        pub fn settle(origin: OriginFor<T>, certified: Certified) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Self::do_settle(by, &certified)?;
            Ok(Pays::No.into())
        }

        /// Ends a job because a task cannot be settled: devices agree that the program fails on it,
        /// and the rest would only fail too, or no answer can get a majority any more.
        /// Everything that is not spent goes back to the owner, once no batch is pending; nothing is
        /// taken for that task.
        ///
        /// Origin: signed by the job's coordinator, which must still be a masternode.
        ///
        /// Details: until the deadline, or the end of the grace if the owner cancelled. With certificates
        /// as those of a batch: of more than half of those of the job's group who have a say, over the
        /// log head that shows it. No fee on success.
        ///
        /// Event: [`Event::JobEnded`], or [`Event::JobSettling`] while a batch is pending.
        ///
        /// Errors: [`Error::NoSuchJob`], [`Error::CoordinatorRemoved`], [`Error::NotDrawn`],
        /// [`Error::NotCoordinator`], [`Error::TooLate`], [`Error::JobOver`], [`Error::JobClosed`],
        /// [`Error::ExitIsSuccess`], [`Error::NoSuchTask`], [`Error::TaskSettled`], and those from
        /// [`Error::CertificatesUnsorted`] to [`Error::CertificateNotSigned`].
        #[pallet::call_index(2)]
        #[pallet::weight(Pallet::<T>::close_failed_weight(end))]
        pub fn close_failed(origin: OriginFor<T>, end: CertifiedEnd) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Self::do_close_failed(by, &end)?;
            Ok(Pays::No.into())
        }

        /// Cancels a job.
        ///
        /// Origin: signed by the job's owner.
        ///
        /// Details: before its coordinator is drawn the job is over at once and everything goes
        /// back. Afterwards the coordinator has [`Config::SettleGrace`] blocks, but not beyond the
        /// deadline, to settle what was finished; then the refund returns the rest. The
        /// ordinary fee before the draw, no fee on success afterwards.
        ///
        /// Events: [`Event::JobEnded`] or [`Event::JobCancelled`].
        ///
        /// Errors: [`Error::NoSuchJob`], [`Error::NotOwner`], [`Error::AlreadyCancelled`],
        /// [`Error::TooLate`], [`Error::JobOver`], [`Error::JobClosed`].
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::cancel_awaiting().max(T::WeightInfo::cancel_running()))]
        pub fn cancel(origin: OriginFor<T>, job: JobId) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Ok(Self::do_cancel(by, job)?.into())
        }

        /// Returns what is still held for a job whose time is past, and ends it. What pending batches
        /// spend stays; with any, the job is over when the last of them is final.
        ///
        /// Origin: signed by anyone; the money goes to the owner.
        ///
        /// Details: after the deadline, or after the grace if the owner cancelled. No fee on
        /// success.
        ///
        /// Event: [`Event::JobEnded`], or [`Event::JobSettling`] while a batch is pending.
        ///
        /// Errors: [`Error::NoSuchJob`], [`Error::TooEarly`], [`Error::JobOver`],
        /// [`Error::JobClosed`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::refund_awaiting().max(T::WeightInfo::refund_running()))]
        pub fn refund(origin: OriginFor<T>, job: JobId) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Self::do_refund(job)?;
            Ok(Pays::No.into())
        }

        /// Sets the prices for jobs submitted from now on; jobs there are keep theirs.
        ///
        /// Origin: the council ([`Config::PricesOrigin`]).
        ///
        /// Event: [`Event::PricesSet`].
        ///
        /// Errors: those from [`Error::GigafuelOutOfBounds`] to [`Error::HighOutOfBounds`].
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::set_prices())]
        pub fn set_prices(origin: OriginFor<T>, prices: Prices) -> DispatchResult {
            T::PricesOrigin::ensure_origin(origin)?;
            pay::check_prices(&prices).map_err(Error::<T>::from)?;
            CurrentPrices::<T>::put(prices);
            Self::deposit_event(Event::PricesSet { prices });
            Ok(())
        }

        /// Makes a batch final that is due: pays its workers, the masternodes that settled and certified it,
        /// each an equal part, and the treasury from the job's escrow, and changes the devices' records. The chain does it by itself where a
        /// block has room; nobody depends on that.
        ///
        /// Origin: signed by anyone.
        ///
        /// Details: the batches of a job become final in order. No fee on success.
        ///
        /// Events: [`Event::BatchFinalised`], and [`Event::JobEnded`] if the job waited for it.
        ///
        /// Errors: [`Error::BatchNotPending`], [`Error::EarlierPending`], [`Error::BatchNotDue`],
        /// [`Error::BatchDisputed`].
        #[pallet::call_index(6)]
        #[pallet::weight(Pallet::<T>::finalise_weight_max())]
        pub fn finalise(
            origin: OriginFor<T>,
            job: JobId,
            sequence: BatchSequence,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            let weight = Self::do_finalise(job, sequence)?;
            Ok((Some(weight), Pays::No).into())
        }

        /// Takes a job over from a coordinator that settles nothing. That one settles nothing more of it.
        ///
        /// Origin: signed by a member of the job's group, which must still be a masternode and have its
        /// bond.
        ///
        /// Details: once the clock of finality has gone on by a stall
        /// ([`stall_blocks`](quern_primitives::params::Params)) since the last settlement, or since the
        /// present turn began, and by another for each member between. Who is no masternode any more, or
        /// has no say, is not waited for, nor one between that has no bond. A member has one turn and never another. No fee on success.
        ///
        /// Event: [`Event::CoordinatorReplaced`].
        ///
        /// Errors: [`Error::NoSuchJob`], [`Error::NotMasternode`], [`Error::NotBonded`],
        /// [`Error::NotMember`], [`Error::NoTurn`], [`Error::NotStalled`], [`Error::NotDrawn`], [`Error::TooLate`],
        /// [`Error::JobOver`], [`Error::JobClosed`].
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::take_over())]
        pub fn take_over(origin: OriginFor<T>, job: JobId) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Self::do_take_over(by, job)?;
            Ok(Pays::No.into())
        }
    }
}
