//! Who makes blocks (BABE), who makes them final (GRANDPA), and the sessions both go by.

use crate::{
    Babe, Balances, Roster, Runtime, RuntimeEvent, Session, SessionKeys,
    weights::{EPOCH_SLOTS, SLOT_MILLIS},
};
use frame_support::{
    parameter_types,
    traits::{ConstU32, ConstU64},
};
use quern_primitives::{AccountId, Amount, amount::BYTECHIP, limits::MASTERNODES_MAX};
use sp_consensus_babe::{AllowedSlots, BabeEpochConfiguration};
use sp_runtime::traits::{ConvertInto, OpaqueKeys};

/// How slots are given to validators. A slot without a primary author (3 of 4 on average) has a
/// secondary one, so there is a block in every slot; and every author, primary or secondary, adds a
/// VRF output, so every block brings fresh randomness for drawing coordinators.
pub const EPOCH_CONFIGURATION: BabeEpochConfiguration = BabeEpochConfiguration {
    c: (1, 4),
    allowed_slots: AllowedSlots::PrimaryAndSecondaryVRFSlots,
};

parameter_types! {
    /// Held from an account for storing its session keys.
    pub const KeyDeposit: Amount = BYTECHIP;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Babe;
    // BABE takes the slot to be twice this.
    type MinimumPeriod = ConstU64<{ SLOT_MILLIS / 2 }>;
    type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

// Equivocations are not reported on chain: masternodes are admitted and expelled by vote and have
// no stake that an offence could slash, so there is nothing a report could do automatically.
// `Void` as the proof of a key's owner says so in the type: no such proof exists. Nodes log
// equivocations they see, and the council acts on them through the roster.
impl pallet_babe::Config for Runtime {
    type EpochDuration = ConstU64<{ EPOCH_SLOTS as u64 }>;
    type ExpectedBlockTime = ConstU64<SLOT_MILLIS>;
    type EpochChangeTrigger = pallet_babe::ExternalTrigger;
    type DisabledValidators = Session;
    type WeightInfo = ();
    type MaxAuthorities = ConstU32<MASTERNODES_MAX>;
    type MaxNominators = ConstU32<0>;
    type KeyOwnerProof = sp_core::Void;
    type EquivocationReportSystem = ();
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = ConstU32<MASTERNODES_MAX>;
    type MaxNominators = ConstU32<0>;
    // Only reports of equivocations ask which session a set of authorities belonged to.
    type MaxSetIdSessionEntries = ConstU64<0>;
    type KeyOwnerProof = sp_core::Void;
    type EquivocationReportSystem = ();
}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
    type EventHandler = ();
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = Babe;
    type NextSessionRotation = Babe;
    type SessionManager = Roster;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = ();
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type KeyDeposit = KeyDeposit;
}
