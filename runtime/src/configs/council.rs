//! The council: admits masternodes, sets prices and rate, bans, verifies devices.
//!
//! Nothing on this chain has the root origin (there is no sudo), so every power there is belongs to
//! a majority of the council.

use crate::{
    Council, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin,
    weights::{DAY_BLOCKS, MotionWeightMax},
};
use frame_support::{
    parameter_types,
    traits::{ConstU32, NeverEnsureOrigin},
};
use pallet_collective::{EnsureProportionMoreThan, Instance1, PrimeDefaultVote};
use quern_primitives::{AccountId, BlockNumber};

/// Which of the possible collectives the council is; the only one so far.
pub type CouncilInstance = Instance1;

/// More than half of the council.
pub type CouncilMajority = EnsureProportionMoreThan<AccountId, CouncilInstance, 1, 2>;

/// Seats in the council.
pub const COUNCIL_SEATS_MAX: u32 = 64;

parameter_types! {
    /// How long a motion may be voted on.
    pub const MotionDuration: BlockNumber = 7 * DAY_BLOCKS;
}

impl pallet_collective::Config<CouncilInstance> for Runtime {
    type RuntimeOrigin = RuntimeOrigin;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type MotionDuration = MotionDuration;
    type MaxProposals = ConstU32<64>;
    type MaxMembers = ConstU32<COUNCIL_SEATS_MAX>;
    type DefaultVote = PrimeDefaultVote;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
    // The seats are kept by `CouncilMembers`; motions end by votes and time only.
    type SetMembersOrigin = NeverEnsureOrigin<()>;
    type MaxProposalWeight = MotionWeightMax;
    type DisapproveOrigin = NeverEnsureOrigin<()>;
    type KillOrigin = NeverEnsureOrigin<()>;
    type Consideration = ();
}

impl pallet_membership::Config<CouncilInstance> for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type AddOrigin = CouncilMajority;
    type RemoveOrigin = CouncilMajority;
    type SwapOrigin = CouncilMajority;
    type ResetOrigin = CouncilMajority;
    type PrimeOrigin = CouncilMajority;
    type MembershipInitialized = Council;
    type MembershipChanged = Council;
    type MaxMembers = ConstU32<COUNCIL_SEATS_MAX>;
    type WeightInfo = pallet_membership::weights::SubstrateWeight<Runtime>;
}
