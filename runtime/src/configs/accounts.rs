//! Conveniences for accounts: several calls in one, several signers for one account, and keys that
//! may do only some things for another account.

use super::money::deposit;
use crate::{Balances, OriginCaller, Runtime, RuntimeCall, RuntimeEvent, System};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    parameter_types,
    traits::{ConstU32, InstanceFilter},
};
use quern_primitives::Amount;
use scale_info::TypeInfo;
use sp_runtime::traits::BlakeTwo256;

parameter_types! {
    /// For a multisig call under way: one entry of 88 bytes.
    pub const MultisigDepositBase: Amount = deposit(1, 88);
    /// For each signatory of it: 32 bytes.
    pub const MultisigDepositFactor: Amount = deposit(0, 32);
    /// For an account's list of proxies: one entry of 8 bytes.
    pub const ProxyDepositBase: Amount = deposit(1, 8);
    /// For each proxy in it: an account, a type and a delay.
    pub const ProxyDepositFactor: Amount = deposit(0, 37);
    /// For a proxy's list of announcements: one entry of 8 bytes.
    pub const AnnouncementDepositBase: Amount = deposit(1, 8);
    /// For each announcement in it: an account, a digest and a height.
    pub const AnnouncementDepositFactor: Amount = deposit(0, 68);
}

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

impl pallet_multisig::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type DepositBase = MultisigDepositBase;
    type DepositFactor = MultisigDepositFactor;
    type MaxSignatories = ConstU32<100>;
    type WeightInfo = pallet_multisig::weights::SubstrateWeight<Runtime>;
    type BlockNumberProvider = System;
}

/// What a proxy may do for the account it stands for.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum ProxyKind {
    /// Everything.
    #[default]
    Any,
    /// Everything that moves no money to others, now or later.
    NonTransfer,
    /// What an owner's programs need: submit jobs, cancel them, call the refund, make batches final; open,
    /// renew, end and close contracts to keep data, and deal with who keeps it.
    Jobs,
    /// What a masternode's daemon needs: publish endpoints, settle, close and take over jobs, make
    /// batches final, answer disputes and end those whose time is over; certify who keeps what, and
    /// challenge who does not.
    Masternode,
    /// What a worker's machines need: register devices, review and retire them, answer challenges and give
    /// pieces up. Retiring a device begins to unbond its share; no bond is withdrawn.
    Devices,
    /// Vote and propose in the council.
    Councillor,
}

impl InstanceFilter<RuntimeCall> for ProxyKind {
    fn filter(&self, call: &RuntimeCall) -> bool {
        match self {
            Self::Any => true,
            Self::NonTransfer => !matches!(
                call,
                RuntimeCall::Balances(_)
                    | RuntimeCall::Jobs(_)
                    | RuntimeCall::Bytechip(_)
                    | RuntimeCall::Disputes(_)
                    | RuntimeCall::Custody(_)
                    | RuntimeCall::Proxy(_)
            ),
            Self::Jobs => matches!(
                call,
                RuntimeCall::Jobs(
                    quern_jobs::Call::submit { .. }
                        | quern_jobs::Call::cancel { .. }
                        | quern_jobs::Call::refund { .. }
                        | quern_jobs::Call::finalise { .. }
                ) | RuntimeCall::Custody(
                    quern_custody::Call::open { .. }
                        | quern_custody::Call::renew { .. }
                        | quern_custody::Call::end { .. }
                        | quern_custody::Call::hold { .. }
                        | quern_custody::Call::refuse { .. }
                        | quern_custody::Call::release { .. }
                        | quern_custody::Call::close { .. }
                )
            ),
            Self::Masternode => matches!(
                call,
                RuntimeCall::Roster(quern_roster::Call::publish_endpoints { .. })
                    | RuntimeCall::Jobs(
                        quern_jobs::Call::settle { .. }
                            | quern_jobs::Call::take_over { .. }
                            | quern_jobs::Call::close_failed { .. }
                            | quern_jobs::Call::finalise { .. }
                    )
                    | RuntimeCall::Disputes(
                        quern_disputes::Call::answer { .. } | quern_disputes::Call::expire { .. }
                    )
                    | RuntimeCall::Custody(
                        quern_custody::Call::hold { .. }
                            | quern_custody::Call::refuse { .. }
                            | quern_custody::Call::prove { .. }
                            | quern_custody::Call::challenge { .. }
                            | quern_custody::Call::miss { .. }
                            | quern_custody::Call::release { .. }
                            | quern_custody::Call::forget { .. }
                            | quern_custody::Call::close { .. }
                    )
            ),
            Self::Devices => matches!(
                call,
                RuntimeCall::Workforce(
                    quern_workforce::Call::register_device { .. }
                        | quern_workforce::Call::rotate_sealing_key { .. }
                        | quern_workforce::Call::retire_device { .. }
                        | quern_workforce::Call::review { .. }
                ) | RuntimeCall::Custody(
                    quern_custody::Call::refuse { .. }
                        | quern_custody::Call::answer { .. }
                        | quern_custody::Call::release { .. }
                        | quern_custody::Call::review { .. }
                )
            ),
            Self::Councillor => matches!(call, RuntimeCall::Council(_)),
        }
    }

    fn is_superset(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (Self::NonTransfer, Self::Devices | Self::Councillor) => true,
            (kind, other) => kind == other,
        }
    }
}

impl pallet_proxy::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type ProxyType = ProxyKind;
    type ProxyDepositBase = ProxyDepositBase;
    type ProxyDepositFactor = ProxyDepositFactor;
    type MaxProxies = ConstU32<32>;
    type WeightInfo = pallet_proxy::weights::SubstrateWeight<Runtime>;
    type MaxPending = ConstU32<32>;
    type CallHasher = BlakeTwo256;
    type AnnouncementDepositBase = AnnouncementDepositBase;
    type AnnouncementDepositFactor = AnnouncementDepositFactor;
    type BlockNumberProvider = System;
}
