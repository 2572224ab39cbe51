//! The chain's runtime: which pallets it has, how they are configured, and what it answers.
//!
//! There are no rules here. A job's rules are in `quern-job-rules`, and every pallet keeps one
//! concern; this crate puts them together.
//!
//! | module | what |
//! | --- | --- |
//! | [`court`] | what the pallets tell of what is disputed, and how a ruling is carried out on them |
//! | [`configs`] | the configuration of each pallet, a file for each thing configured |
//! | [`apis`] | what the runtime answers to the node and, through it, to everybody |
//! | [`genesis`] | the presets of the first block: `dev` and `local` |
//! | [`weights`] | what fits into a block |

#![cfg_attr(not(feature = "std"), no_std)]
// Of what the SDK's macros generate; everything written here is documented.
#![allow(missing_docs, unused_qualifications)]
// The SDK's macros recurse once for each pallet and runtime call.
#![recursion_limit = "512"]

extern crate alloc;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
pub mod configs;
pub mod court;
pub mod genesis;
pub mod weights;

use alloc::{borrow::Cow, vec::Vec};
use frame_support::parameter_types;
use quern_primitives::{AccountId, BlockNumber};
use sp_runtime::{MultiAddress, MultiSignature, generic, impl_opaque_keys, traits::BlakeTwo256};
use sp_version::RuntimeVersion;

pub use apis::{RUNTIME_API_VERSIONS, RuntimeApi};

/// What the build of the runtime's Wasm leaves behind.
#[cfg(feature = "std")]
#[allow(dead_code, unreachable_pub)]
mod wasm {
    include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));
}

/// The runtime as the chain runs it; none when the build was told to skip it (`SKIP_WASM_BUILD`).
#[cfg(feature = "std")]
pub const WASM_BINARY: Option<&[u8]> = wasm::WASM_BINARY;

/// How many transactions an account has made.
pub type Nonce = u32;

/// A signature of a transaction.
pub type Signature = MultiSignature;

/// Whom a transaction comes from or goes to.
pub type Address = MultiAddress<AccountId, ()>;

/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;

/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;

/// A transaction as it is sent.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TransactionExtensions>;

/// What a signature covers beside its transaction's call and extensions.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TransactionExtensions>;

/// What is checked of a transaction before it runs, in this order: that it may be made at all; that
/// it was made for this version, this chain, this time and this turn of its account; that the block
/// has room for it; that its fee is paid. Afterwards the room it did not use is given back.
pub type TransactionExtensions = (
    frame_system::AuthorizeCall<Runtime>,
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);

/// Runs blocks.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

impl_opaque_keys! {
    /// The keys with which a masternode takes part in consensus.
    pub struct SessionKeys {
        /// Makes blocks.
        pub babe: Babe,
        /// Makes them final.
        pub grandpa: Grandpa,
    }
}

/// The runtime's version. `spec_version` grows with every change of what a block does,
/// `transaction_version` with every change of how a call is encoded.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("quern"),
    impl_name: Cow::Borrowed("quern"),
    authoring_version: 1,
    spec_version: 19,
    impl_version: 1,
    apis: RUNTIME_API_VERSIONS,
    transaction_version: 8,
    system_version: 1,
};

parameter_types! {
    /// The prefix of addresses in SS58 form: the SDK's generic one.
    pub const Ss58Prefix: u16 = 42;
}

/// Types of transactions and blocks that leave the call undecoded, for the node: it passes
/// transactions on and needs not know what they say.
pub mod opaque {
    use super::{BlakeTwo256, BlockNumber, generic};

    pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

    /// A block's header.
    pub type Header = generic::Header<BlockNumber, BlakeTwo256>;

    /// A block.
    pub type Block = generic::Block<Header, UncheckedExtrinsic>;

    /// A block's hash.
    pub type Hash = sp_core::H256;
}

// The order of the declarations is the order in which the pallets start and end a block; their
// indices are how calls, events and errors are encoded, and never change. BABE comes before all
// that draw randomness.
#[frame_support::runtime]
mod runtime {
    /// The runtime.
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    /// Accounts, events, blocks.
    #[runtime::pallet_index(0)]
    pub type System = frame_system;

    /// The time of a block.
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp;

    /// Who makes blocks; randomness.
    #[runtime::pallet_index(2)]
    pub type Babe = pallet_babe;

    /// Who made this block.
    #[runtime::pallet_index(3)]
    pub type Authorship = pallet_authorship;

    /// ByteChips.
    #[runtime::pallet_index(4)]
    pub type Balances = pallet_balances;

    /// Fees.
    #[runtime::pallet_index(5)]
    pub type TransactionPayment = pallet_transaction_payment;

    /// Masternodes, bans, verified devices. Before the sessions, whose first validators it names.
    #[runtime::pallet_index(13)]
    pub type Roster = quern_roster;

    /// Sessions and their keys.
    #[runtime::pallet_index(6)]
    pub type Session = pallet_session;

    /// Finality.
    #[runtime::pallet_index(7)]
    pub type Grandpa = pallet_grandpa;

    /// The council's motions.
    #[runtime::pallet_index(8)]
    pub type Council = pallet_collective<Instance1>;

    /// The council's seats.
    #[runtime::pallet_index(9)]
    pub type CouncilMembers = pallet_membership<Instance1>;

    /// Several calls in one.
    #[runtime::pallet_index(10)]
    pub type Utility = pallet_utility;

    /// Several signers for one account.
    #[runtime::pallet_index(11)]
    pub type Multisig = pallet_multisig;

    /// Keys that may do some things for another account.
    #[runtime::pallet_index(12)]
    pub type Proxy = pallet_proxy;

    /// Purchases and payouts of ByteChips. After the balances, which are its genesis issuance.
    #[runtime::pallet_index(14)]
    pub type Bytechip = quern_bytechip;

    /// Workers' bonds and devices.
    #[runtime::pallet_index(15)]
    pub type Workforce = quern_workforce;

    /// The chain's clock of finality. Before the jobs, whose batches go by it.
    #[runtime::pallet_index(18)]
    pub type Finality = quern_finality;

    /// Jobs, their escrow and their settlement. After BABE, whose randomness it draws from.
    #[runtime::pallet_index(16)]
    pub type Jobs = quern_jobs;

    /// What the council sets within bounds.
    #[runtime::pallet_index(17)]
    pub type Params = quern_params;

    /// Disputes over what was settled.
    #[runtime::pallet_index(19)]
    pub type Disputes = quern_disputes;

    /// Contracts to keep data, and who keeps it. After BABE, whose randomness it draws from, and the clock of
    /// finality, by which it goes.
    #[runtime::pallet_index(20)]
    pub type Custody = quern_custody;
}
