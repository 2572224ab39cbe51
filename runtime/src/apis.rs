//! What the runtime answers: to the node, which runs blocks and consensus by it, and to users.

use crate::{
    Babe, Balances, Block, Bytechip, Custody, Disputes, Executive, Finality, Grandpa,
    InherentDataExt, Jobs, Nonce, Params, Roster, Runtime, RuntimeCall, RuntimeGenesisConfig,
    RuntimeHoldReason, SessionKeys, System, TransactionPayment, VERSION, Workforce,
    configs::consensus::EPOCH_CONFIGURATION, genesis, weights::EPOCH_SLOTS,
};
use alloc::vec::Vec;
use frame_support::{
    genesis_builder_helper::{build_state, get_preset},
    traits::fungible::hold::Inspect,
    weights::Weight,
};
use pallet_transaction_payment::{FeeDetails, RuntimeDispatchInfo};
use quern_dispute_rules::{
    open::{ConvictionView, DisputeId, DisputeView},
    ruling,
};
use quern_job_rules::quote::QuoteError;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest, JobId,
    batch::{BatchRecord, PendingBatch},
    custody::{self, Challenge, Contract, Held, Holding, Miss, Place, Standing},
    device::Device,
    group::Group,
    ids::{BatchSequence, ContractId, Period, PieceIndex},
    job::{Job, Prices, Submission},
    limits::DEVICES_PER_ANSWER_MAX,
    params,
    view::{
        DeviceView, FinalityView, MasternodeBondView, MasternodeView, Quote, Totals, UnbondingView,
        WalletView,
    },
};
use sp_api::impl_runtime_apis;
use sp_consensus_babe::{BabeConfiguration, EquivocationProof, OpaqueKeyOwnershipProof, Slot};
use sp_core::{OpaqueMetadata, crypto::KeyTypeId};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
    ApplyExtrinsicResult, ExtrinsicInclusionMode,
    traits::{Block as BlockT, NumberFor},
    transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_session::OpaqueGeneratedSessionKeys;
use sp_version::RuntimeVersion;

sp_api::decl_runtime_apis! {
    /// What owners, workers and masternodes ask the chain. Clients call `state_call` with
    /// `QuernApi_` and the function's name; arguments and answers are SCALE-encoded types of
    /// `quern-primitives`.
    pub trait QuernApi {
        /// What a job would cost at most, if it were submitted in the next block. Its `price_max`
        /// plays no part.
        fn quote(submission: Submission) -> Result<Quote, QuoteError>;

        /// The prices for jobs submitted now.
        fn prices() -> Prices;

        /// What the council has set; its terms are those of jobs submitted now.
        fn params() -> params::Params;

        /// A job, open or over.
        fn job(id: JobId) -> Option<Job>;

        /// An owner's jobs, open or over: those after `start_after`, at most `limit` and at most
        /// [`quern_primitives::limits::JOBS_PER_PAGE_MAX`]. The page after the last is empty.
        fn jobs_of(owner: AccountId, start_after: Option<JobId>, limit: u32) -> Vec<(JobId, Job)>;

        /// A coordinator's open jobs, in pages as those of `jobs_of`.
        fn jobs_coordinated_by(
            coordinator: AccountId,
            start_after: Option<JobId>,
            limit: u32,
        ) -> Vec<(JobId, Job)>;

        /// The settled tasks of an open job: one bit a task, least significant bit of each byte
        /// first. Empty before the first batch and once the job is over.
        fn settled_tasks(job: JobId) -> Vec<u8>;

        /// A settled batch: pending, final or struck.
        fn batch(job: JobId, sequence: BatchSequence) -> Option<BatchRecord>;

        /// What the chain keeps of a batch while it is pending.
        fn pending_batch(job: JobId, sequence: BatchSequence) -> Option<PendingBatch>;

        /// The pending batches of a job in their order, and the height of the clock of finality at
        /// which each is due: at most
        /// [`quern_primitives::limits::PENDING_BATCHES_PER_JOB_MAX`].
        fn pending_of(job: JobId) -> Vec<(BatchSequence, BlockNumber)>;

        /// The chain's clock of finality, and the window of jobs that are submitted now.
        fn finality() -> FinalityView;

        /// An open dispute.
        fn dispute(id: DisputeId) -> Option<DisputeView>;

        /// The open disputes of all jobs: those after `start_after`, at most `limit` and at most
        /// [`quern_dispute_rules::open::DISPUTES_PER_PAGE_MAX`]. The page after the last is empty.
        fn disputes(start_after: Option<DisputeId>, limit: u32) -> Vec<DisputeView>;

        /// A job's open disputes, in pages as those of `disputes`.
        fn disputes_of(job: JobId, start_after: Option<DisputeId>, limit: u32) -> Vec<DisputeView>;

        /// What was proved of a job, in pages as those of `disputes`.
        fn convictions(
            job: JobId,
            start_after: Option<ruling::Place>,
            limit: u32,
        ) -> Vec<ConvictionView>;

        /// A registered device, with what decides whether it may work.
        fn device(id: DeviceId) -> Option<DeviceView>;

        /// Of the first [`quern_primitives::limits::DEVICES_PER_ANSWER_MAX`] of these devices,
        /// those that are registered.
        fn devices(ids: Vec<DeviceId>) -> Vec<DeviceView>;

        /// An account's devices.
        fn devices_of(account: AccountId) -> Vec<DeviceView>;

        /// The masternodes that have published where they are reached.
        fn masternodes() -> Vec<MasternodeView>;

        /// The masternodes of an open job that was drawn for, and whose turn it is.
        fn group(job: JobId) -> Option<Group>;

        /// An operator's bond for its masternode.
        fn masternode_bond(account: AccountId) -> MasternodeBondView;

        /// An account's money.
        fn wallet(account: AccountId) -> WalletView;

        /// The whole chain's money.
        fn totals() -> Totals;

        /// Whole ByteChips for one dollar.
        fn bytechips_per_dollar() -> u32;
    }

    /// What owners, holders and masternodes ask the chain of data that is kept. Clients call `state_call` with
    /// `CustodyApi_` and the function's name.
    pub trait CustodyApi {
        /// On which terms a contract is opened now.
        fn storage_terms() -> custody::Terms;

        /// An open contract.
        fn contract(id: ContractId) -> Option<Contract>;

        /// An owner's open contracts: those after `start_after`, at most `limit` and at most
        /// [`quern_custody::CONTRACTS_PER_PAGE_MAX`]. The page after the last is empty.
        fn contracts_of(
            owner: AccountId,
            start_after: Option<ContractId>,
            limit: u32,
        ) -> Vec<(ContractId, Contract)>;

        /// An open contract's group; none before it is drawn.
        fn contract_group(id: ContractId) -> Option<Group>;

        /// The pieces of an open contract that are others than it says, which nobody takes.
        fn refused_pieces(id: ContractId) -> Vec<PieceIndex>;

        /// Who holds what of a contract, or held it and is not forgotten: those after `start_after`, at most
        /// `limit` and at most [`quern_custody::HOLDINGS_PER_PAGE_MAX`]. The page after the last is empty.
        fn holdings_of(
            id: ContractId,
            start_after: Option<Held>,
            limit: u32,
        ) -> Vec<(Held, Holding)>;

        /// What a device holds, or held and is not forgotten, in pages as those of `holdings_of`.
        fn held_by(
            device: DeviceId,
            start_after: Option<(ContractId, PieceIndex)>,
            limit: u32,
        ) -> Vec<(Place, Holding)>;

        /// The challenge of a holding that waits for its answer.
        fn challenge_of(place: Place) -> Option<Challenge>;

        /// What follows next for a device that missed something, and what it missed since it was last
        /// reviewed, oldest first.
        fn custody_record(device: DeviceId) -> (Standing, Vec<Miss>);

        /// The last period of so many blocks of which it is known what challenges follow from, and that.
        fn period_randomness(period_blocks: BlockNumber) -> Option<(Period, Digest)>;
    }
}

/// A device with what other pallets know of it.
fn view((id, device): (DeviceId, Device)) -> DeviceView {
    DeviceView {
        id,
        bonded: Workforce::is_bonded(&device.account),
        banned: Roster::is_banned(&device.account),
        verified: Roster::is_verified(&id),
        quarantined: device.is_quarantined(),
        device,
    }
}

/// What is held of an account for one reason.
fn held(reason: impl Into<RuntimeHoldReason>, account: &AccountId) -> Amount {
    Balances::balance_on_hold(&reason.into(), account)
}

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block);
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl frame_support::view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
        fn execute_view_function(
            id: frame_support::view_functions::ViewFunctionId,
            input: Vec<u8>,
        ) -> Result<Vec<u8>, frame_support::view_functions::ViewFunctionDispatchError> {
            Runtime::execute_view_function(id, input)
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: InherentData,
        ) -> CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            transaction: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, transaction, block_hash)
        }
    }

    impl sp_session::SessionKeys<Block> for Runtime {
        fn generate_session_keys(
            owner: Vec<u8>,
            seed: Option<Vec<u8>>,
        ) -> OpaqueGeneratedSessionKeys {
            SessionKeys::generate(&owner, seed).into()
        }

        fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
            SessionKeys::decode_into_raw_public_keys(&encoded)
        }
    }

    impl sp_consensus_babe::BabeApi<Block> for Runtime {
        fn configuration() -> BabeConfiguration {
            let epoch = Babe::epoch_config().unwrap_or(EPOCH_CONFIGURATION);
            BabeConfiguration {
                slot_duration: Babe::slot_duration(),
                epoch_length: EPOCH_SLOTS.into(),
                c: epoch.c,
                authorities: Babe::authorities().to_vec(),
                randomness: Babe::randomness(),
                allowed_slots: epoch.allowed_slots,
            }
        }

        fn current_epoch_start() -> Slot {
            Babe::current_epoch_start()
        }

        fn current_epoch() -> sp_consensus_babe::Epoch {
            Babe::current_epoch()
        }

        fn next_epoch() -> sp_consensus_babe::Epoch {
            Babe::next_epoch()
        }

        // Equivocations are not reported on chain, see `configs::consensus`.
        fn generate_key_ownership_proof(
            _slot: Slot,
            _authority: sp_consensus_babe::AuthorityId,
        ) -> Option<OpaqueKeyOwnershipProof> {
            None
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            _equivocation: EquivocationProof<<Block as BlockT>::Header>,
            _owner: OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            None
        }
    }

    impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
        fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
            Grandpa::grandpa_authorities()
        }

        fn current_set_id() -> sp_consensus_grandpa::SetId {
            Grandpa::current_set_id()
        }

        fn generate_key_ownership_proof(
            _set: sp_consensus_grandpa::SetId,
            _authority: sp_consensus_grandpa::AuthorityId,
        ) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
            None
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            _equivocation: sp_consensus_grandpa::EquivocationProof<
                <Block as BlockT>::Hash,
                NumberFor<Block>,
            >,
            _owner: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            None
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Amount>
        for Runtime
    {
        fn query_info(
            transaction: <Block as BlockT>::Extrinsic,
            bytes: u32,
        ) -> RuntimeDispatchInfo<Amount> {
            TransactionPayment::query_info(transaction, bytes)
        }

        fn query_fee_details(
            transaction: <Block as BlockT>::Extrinsic,
            bytes: u32,
        ) -> FeeDetails<Amount> {
            TransactionPayment::query_fee_details(transaction, bytes)
        }

        fn query_weight_to_fee(weight: Weight) -> Amount {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(bytes: u32) -> Amount {
            TransactionPayment::length_to_fee(bytes)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<
        Block,
        Amount,
        RuntimeCall,
    > for Runtime {
        fn query_call_info(call: RuntimeCall, bytes: u32) -> RuntimeDispatchInfo<Amount> {
            TransactionPayment::query_call_info(call, bytes)
        }

        fn query_call_fee_details(call: RuntimeCall, bytes: u32) -> FeeDetails<Amount> {
            TransactionPayment::query_call_fee_details(call, bytes)
        }

        fn query_weight_to_fee(weight: Weight) -> Amount {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(bytes: u32) -> Amount {
            TransactionPayment::length_to_fee(bytes)
        }
    }

    impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
        fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
            build_state::<RuntimeGenesisConfig>(config)
        }

        fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
            get_preset::<RuntimeGenesisConfig>(id, |name| genesis::preset(name))
        }

        fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
            genesis::PRESETS.iter().map(|name| (*name).into()).collect()
        }
    }

    impl self::QuernApi<Block> for Runtime {
        fn quote(submission: Submission) -> Result<Quote, QuoteError> {
            Jobs::quote(&submission)
        }

        fn prices() -> Prices {
            Jobs::prices()
        }

        fn params() -> params::Params {
            Params::current()
        }

        fn job(id: JobId) -> Option<Job> {
            Jobs::job(&id)
        }

        fn jobs_of(owner: AccountId, start_after: Option<JobId>, limit: u32) -> Vec<(JobId, Job)> {
            Jobs::jobs_of(&owner, start_after, limit)
        }

        fn jobs_coordinated_by(
            coordinator: AccountId,
            start_after: Option<JobId>,
            limit: u32,
        ) -> Vec<(JobId, Job)> {
            Jobs::jobs_coordinated_by(&coordinator, start_after, limit)
        }

        fn settled_tasks(job: JobId) -> Vec<u8> {
            Jobs::settled_tasks(&job)
        }

        fn batch(job: JobId, sequence: BatchSequence) -> Option<BatchRecord> {
            Jobs::batch(&job, sequence)
        }

        fn pending_batch(job: JobId, sequence: BatchSequence) -> Option<PendingBatch> {
            Jobs::pending_batch(&job, sequence)
        }

        fn pending_of(job: JobId) -> Vec<(BatchSequence, BlockNumber)> {
            Jobs::pending_of(&job)
        }

        fn finality() -> FinalityView {
            FinalityView {
                clock: Finality::clock(),
                window: Params::current().window_blocks,
            }
        }

        fn dispute(id: DisputeId) -> Option<DisputeView> {
            Disputes::dispute_of(id)
        }

        fn disputes(start_after: Option<DisputeId>, limit: u32) -> Vec<DisputeView> {
            Disputes::disputes(start_after, limit)
        }

        fn disputes_of(job: JobId, start_after: Option<DisputeId>, limit: u32) -> Vec<DisputeView> {
            Disputes::disputes_of(&job, start_after, limit)
        }

        fn convictions(
            job: JobId,
            start_after: Option<ruling::Place>,
            limit: u32,
        ) -> Vec<ConvictionView> {
            Disputes::convictions_of(&job, start_after, limit)
        }

        fn device(id: DeviceId) -> Option<DeviceView> {
            Workforce::device(&id).map(|device| view((id, device)))
        }

        fn devices(ids: Vec<DeviceId>) -> Vec<DeviceView> {
            let ids = ids.into_iter().take(DEVICES_PER_ANSWER_MAX as usize);
            ids.filter_map(|id| Some(view((id, Workforce::device(&id)?))))
                .collect()
        }

        fn devices_of(account: AccountId) -> Vec<DeviceView> {
            Workforce::devices_of(&account).into_iter().map(view).collect()
        }

        fn masternodes() -> Vec<MasternodeView> {
            Roster::masternode_views()
        }

        fn group(job: JobId) -> Option<Group> {
            Jobs::group(&job)
        }

        fn masternode_bond(account: AccountId) -> MasternodeBondView {
            let bond = Roster::bond_of(&account).unwrap_or_default();
            let unbonding = bond.unbonding.iter().map(|part| UnbondingView {
                amount: part.amount,
                withdrawable_at: part.withdrawable_at,
            });
            let params = Params::current();
            MasternodeBondView {
                active: bond.active,
                unbonding: unbonding.collect(),
                least: params.bond_per_masternode,
                open: Jobs::exposure_of(&account).open,
                per_exposure_permille: params.bond_per_exposure_permille,
                is_masternode: Roster::is_masternode(&account),
                is_reachable: Roster::endpoints(&account).is_some(),
            }
        }

        fn wallet(account: AccountId) -> WalletView {
            let (pending, is_all) = Jobs::pending_to(&account);
            let bond = Workforce::bond_of(&account).unwrap_or_default();
            let unbonding = bond.unbonding.iter().map(|part| UnbondingView {
                amount: part.amount,
                withdrawable_at: part.withdrawable_at,
            });
            WalletView {
                // While anything is held, one unit of this (the existential deposit) stays in the
                // account; it is counted all the same, so that the sums are all there is.
                free: Balances::free_balance(&account),
                escrow: held(quern_jobs::HoldReason::Escrow, &account),
                pending,
                pending_partly: !is_all,
                bond_active: bond.active,
                unbonding: unbonding.collect(),
                payouts: held(quern_bytechip::HoldReason::Payout, &account),
                masternode_bond: held(quern_roster::HoldReason::Bond, &account),
                disputes: held(quern_disputes::HoldReason::Dispute, &account),
                contracts: Custody::escrow_of(&account),
                challenges: Custody::put_up_by(&account),
            }
        }

        fn totals() -> Totals {
            let jobs = Jobs::totals();
            Totals {
                issuance: Balances::total_issuance(),
                genesis: Bytechip::genesis_issuance(),
                minted: Bytechip::minted(),
                burnt: Bytechip::burnt(),
                // Neither part is more than all there is.
                escrow: jobs.held.saturating_add(jobs.pending),
                pending: jobs.pending,
                bonds: Workforce::total_bonded(),
                payouts: Bytechip::held(),
                masternode_bonds: Roster::total_bonded(),
                disputes: Disputes::total_held(),
                contracts: Custody::totals().held,
                challenges: Custody::total_put_up(),
            }
        }

        fn bytechips_per_dollar() -> u32 {
            Bytechip::bytechips_per_dollar()
        }
    }

    impl self::CustodyApi<Block> for Runtime {
        fn storage_terms() -> custody::Terms {
            Params::current().storage_terms()
        }

        fn contract(id: ContractId) -> Option<Contract> {
            Custody::contract(&id)
        }

        fn contracts_of(
            owner: AccountId,
            start_after: Option<ContractId>,
            limit: u32,
        ) -> Vec<(ContractId, Contract)> {
            Custody::contracts_of(&owner, start_after, limit)
        }

        fn contract_group(id: ContractId) -> Option<Group> {
            Custody::group(&id)
        }

        fn refused_pieces(id: ContractId) -> Vec<PieceIndex> {
            Custody::refused(&id)
        }

        fn holdings_of(
            id: ContractId,
            start_after: Option<Held>,
            limit: u32,
        ) -> Vec<(Held, Holding)> {
            Custody::holdings_of(&id, start_after, limit)
        }

        fn held_by(
            device: DeviceId,
            start_after: Option<(ContractId, PieceIndex)>,
            limit: u32,
        ) -> Vec<(Place, Holding)> {
            Custody::held_by(&device, start_after, limit)
        }

        fn challenge_of(place: Place) -> Option<Challenge> {
            Custody::challenge_of(&place)
        }

        fn custody_record(device: DeviceId) -> (Standing, Vec<Miss>) {
            (Custody::standing(&device), Custody::misses_of(&device))
        }

        fn period_randomness(period_blocks: BlockNumber) -> Option<(Period, Digest)> {
            Custody::randomness_of(period_blocks)
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    impl frame_benchmarking::Benchmark<Block> for Runtime {
        fn benchmark_metadata(
            extra: bool,
        ) -> (
            Vec<frame_benchmarking::BenchmarkList>,
            Vec<frame_support::traits::StorageInfo>,
        ) {
            crate::benchmarks::list(extra)
        }

        fn dispatch_benchmark(
            config: frame_benchmarking::BenchmarkConfig,
        ) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
            crate::benchmarks::run(config)
        }
    }
}
