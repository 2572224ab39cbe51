//! Presets of the first block, for development. Their accounts are the SDK's well-known test
//! accounts, whose keys everybody has: a chain with money at stake starts from a file of its own.

use crate::{
    BabeConfig, BalancesConfig, BytechipConfig, CouncilMembersConfig, ParamsConfig, RosterConfig,
    RuntimeGenesisConfig, SessionConfig, SessionKeys, configs::consensus::EPOCH_CONFIGURATION,
};
use alloc::{string::ToString, vec::Vec};
use frame_support::build_struct_json_patch;
use quern_primitives::{AccountId, Amount, BlockNumber, amount::BYTECHIP, params::Parameter};
use serde_json::Value;
use sp_core::bounded::BoundedVec;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// One validator, //Alice, who is the whole council and the treasurer too.
pub const DEV: &str = "dev";

/// Four validators, //Alice to //Dave, who are the council; //Alice is the treasurer. Three masternodes
/// answer for each job, so that one of them may fail.
pub const LOCAL: &str = "local";

/// All presets by name.
pub const PRESETS: [&str; 2] = [DEV, LOCAL];

/// What each endowed account of a preset has free.
pub const ENDOWMENT: Amount = 1_000_000 * BYTECHIP;

/// What each operator of a preset has bonded for its masternode, beside its endowment.
pub const BOND: Amount = Parameter::BondPerMasternode.row().first;

/// What the council of every preset begins with that a new chain does not: times, which are short because who
/// develops waits for them, and nobody's money is at stake. A period of storage is a minute, and the time to
/// answer a challenge half of one.
pub const TIMES: [(Parameter, BlockNumber); 4] = [
    (Parameter::Window, 5),
    (Parameter::StoragePeriod, 30),
    (Parameter::StorageNotice, 2),
    (Parameter::ChallengeTime, 15),
];

/// The accounts that have money in every preset.
const ENDOWED: [Sr25519Keyring; 12] = [
    Sr25519Keyring::Alice,
    Sr25519Keyring::Bob,
    Sr25519Keyring::Charlie,
    Sr25519Keyring::Dave,
    Sr25519Keyring::Eve,
    Sr25519Keyring::Ferdie,
    Sr25519Keyring::AliceStash,
    Sr25519Keyring::BobStash,
    Sr25519Keyring::CharlieStash,
    Sr25519Keyring::DaveStash,
    Sr25519Keyring::EveStash,
    Sr25519Keyring::FerdieStash,
];

/// An operator: its account and BABE key, and its GRANDPA key.
type Operator = (Sr25519Keyring, Ed25519Keyring);

const ALICE: Operator = (Sr25519Keyring::Alice, Ed25519Keyring::Alice);
const BOB: Operator = (Sr25519Keyring::Bob, Ed25519Keyring::Bob);
const CHARLIE: Operator = (Sr25519Keyring::Charlie, Ed25519Keyring::Charlie);
const DAVE: Operator = (Sr25519Keyring::Dave, Ed25519Keyring::Dave);

/// The preset of this name as JSON: what differs from the default genesis.
pub fn preset(name: &str) -> Option<Vec<u8>> {
    let patch = match name {
        DEV => patch(&[ALICE]),
        LOCAL => patch(&[ALICE, BOB, CHARLIE, DAVE]),
        _ => return None,
    };
    Some(patch.to_string().into_bytes())
}

/// The genesis of a chain with these operators: masternodes from the first block and members of
/// the council, the first of them the treasurer. Of what the council sets only [`TIMES`] are otherwise than
/// on a new chain.
fn patch(operators: &[Operator]) -> Value {
    let accounts: Vec<AccountId> = operators
        .iter()
        .map(|(account, _)| account.to_account_id())
        .collect();
    let session_keys = |(babe, grandpa): &Operator| SessionKeys {
        babe: babe.public().into(),
        grandpa: grandpa.public().into(),
    };
    build_struct_json_patch!(RuntimeGenesisConfig {
        babe: BabeConfig {
            epoch_config: EPOCH_CONFIGURATION
        },
        balances: BalancesConfig {
            balances: ENDOWED
                .iter()
                .map(|key| key.to_account_id())
                .map(|account| {
                    let bond = if accounts.contains(&account) { BOND } else { 0 };
                    (account, ENDOWMENT.saturating_add(bond))
                })
                .collect(),
        },
        bytechip: BytechipConfig {
            treasurer: accounts.first().cloned()
        },
        council_members: CouncilMembersConfig {
            // The presets have fewer members than the council has seats.
            members: BoundedVec::truncate_from(accounts.clone()),
        },
        params: ParamsConfig {
            values: TIMES
                .map(|(parameter, value)| (parameter.row().name.into(), value.into()))
                .into()
        },
        roster: RosterConfig {
            masternodes: accounts,
            bond: BOND,
        },
        session: SessionConfig {
            keys: operators
                .iter()
                .map(|operator| {
                    let account = operator.0.to_account_id();
                    (account.clone(), account, session_keys(operator))
                })
                .collect(),
        },
    })
}
