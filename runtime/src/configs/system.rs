//! The system itself: what a block is, who an account is, which calls are let in.

use crate::{
    Block, Nonce, PalletInfo, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, RuntimeTask,
    VERSION, weights,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU32, Contains},
};
use quern_primitives::{AccountId, BlockNumber};
use sp_runtime::traits::AccountIdLookup;
use sp_version::RuntimeVersion;

parameter_types! {
    /// Blocks whose hash the chain remembers, and so the longest life of a transaction: more than
    /// two hours.
    pub const BlockHashCount: BlockNumber = 4_096;
    /// The runtime's version.
    pub const Version: RuntimeVersion = VERSION;
}

/// Lets in every call but one: `balances.burn`. Money leaves the chain through payouts only, so
/// that `issuance = genesis + minted - burnt` can be checked by anyone.
pub struct CallFilter;

impl Contains<RuntimeCall> for CallFilter {
    fn contains(call: &RuntimeCall) -> bool {
        !matches!(
            call,
            RuntimeCall::Balances(pallet_balances::Call::burn { .. })
        )
    }
}

// Hash, hashing and the aggregated types are the SDK's usual ones for a chain of its own; what is
// listed is what this chain decides.
#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountData = pallet_balances::AccountData<quern_primitives::Amount>;
    type AccountId = AccountId;
    type BaseCallFilter = CallFilter;
    type Block = Block;
    type BlockHashCount = BlockHashCount;
    type BlockLength = weights::Length;
    type BlockWeights = weights::Weights;
    type DbWeight = weights::ParityDbWeight;
    type ExtensionsWeightInfo = frame_system::SubstrateExtensionsWeight<Runtime>;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type MaxConsumers = ConstU32<16>;
    type Nonce = Nonce;
    type SS58Prefix = crate::Ss58Prefix;
    type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
    type Version = Version;
}
