//! Our own pallets: masternodes, money in and out, workers, finality, jobs, disputes and custody.

use super::{council::CouncilMajority, money::TreasuryAccount};
use crate::{
    Babe, Balances, Bytechip, Finality, Jobs, Params, Roster, Runtime, RuntimeHoldReason, Session,
    System, Workforce,
    court::ChainCourt,
    weights::{DAY_BLOCKS, HOUR_BLOCKS},
};
use alloc::vec::Vec;
use frame_support::{
    pallet_prelude::DispatchResult,
    parameter_types,
    traits::{Contains, FindAuthor, Get, SortedMembers},
};
use pallet_babe::ParentBlockRandomness;
use pallet_session::FindAccountFromAuthorIndex;
use quern_custody_rules::steps::Penalty;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, NodeKey, custody,
    device::{Class, RecordChange},
    params,
};
#[cfg(feature = "runtime-benchmarks")]
use sp_runtime::DigestItem;

parameter_types! {
    /// How long what was unbonded stays held: as long as work of the account may still be judged.
    /// What covered a device that is retired stays at least as long as a fresh key must not pay, see
    /// `docs/adr/0007-fault-history.md`.
    pub const UnbondingDelay: BlockNumber = 7 * DAY_BLOCKS;
    /// How long the coordinator of a cancelled job has to settle what was finished: 10 minutes,
    /// enough for the answers that are under way and one batch.
    pub const SettleGrace: BlockNumber = HOUR_BLOCKS / 6;
}

impl quern_roster::Config for Runtime {
    type CouncilOrigin = CouncilMajority;
    type Session = Session;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type MinBond = BondPerMasternode;
    type UnbondingDelay = UnbondingDelay;
    type Exposures = OpenBatches;
    type WeightInfo = quern_roster::weights::SubstrateWeight<Runtime>;
}

impl quern_bytechip::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type CouncilOrigin = CouncilMajority;
    type WeightInfo = quern_bytechip::weights::SubstrateWeight<Runtime>;
}

impl quern_workforce::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type CouncilOrigin = CouncilMajority;
    type MinBondPerDevice = BondPerDevice;
    type UnbondingDelay = UnbondingDelay;
    type WeightInfo = quern_workforce::weights::SubstrateWeight<Runtime>;
}

impl quern_finality::Config for Runtime {
    type Authors = BlockAuthors;
    type WeightInfo = quern_finality::weights::SubstrateWeight<Runtime>;
}

// A job submitted in one block is drawn for when the next begins. BABE keeps the VRF output of a
// block when that block ends and has not replaced it when the next begins, so what is drawn from is
// the output of the very block that holds the submission: its author's, whom nobody could foresee
// but the author. An author who submits a job in its own block does know it; all it could win is to
// coordinate its own job.
impl quern_jobs::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Masternodes = Masternodes;
    type Operators = Masternodes;
    type Bans = BannedAccounts;
    type Devices = DeviceRecords;
    type Randomness = ParentBlockRandomness<Runtime>;
    type Params = CurrentParams;
    type PricesOrigin = CouncilMajority;
    type TreasuryAccount = TreasuryAccount;
    type Finalised = FinalityClock;
    type SettleGrace = SettleGrace;
    type WeightInfo = quern_jobs::weights::SubstrateWeight<Runtime>;
}

impl quern_params::Config for Runtime {
    type CouncilOrigin = CouncilMajority;
    type WeightInfo = quern_params::weights::SubstrateWeight<Runtime>;
}

impl quern_disputes::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Court = ChainCourt;
    type WeightInfo = quern_disputes::weights::SubstrateWeight<Runtime>;
}

// The group of a contract is drawn as a job's is, and so is what challenges follow from: from the output of
// the block before, whose author alone could know it while it was made.
impl quern_custody::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Masternodes = Masternodes;
    type Operators = Masternodes;
    type GroupSize = GroupSize;
    type Bans = BannedAccounts;
    type Workers = Keepers;
    type Randomness = ParentBlockRandomness<Runtime>;
    type CurrentTerms = StorageTerms;
    type TreasuryAccount = TreasuryAccount;
    type Clock = FinalityClock;
    type WeightInfo = quern_custody::weights::SubstrateWeight<Runtime>;
}

/// Who makes blocks: as a block's digest says, among the validators of its session. What the authorship
/// pallet keeps of a session's first block was looked up among those of the session before.
pub struct BlockAuthors;

impl quern_finality::Authors for BlockAuthors {
    fn author() -> Option<AccountId> {
        let digest = System::digest();
        let said = digest.logs.iter().filter_map(|item| item.as_pre_runtime());
        FindAccountFromAuthorIndex::<Runtime, Babe>::find_author(said)
    }

    fn all() -> Vec<AccountId> {
        Session::validators()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(count: u32) {
        use codec::Encode;
        use sp_consensus_babe::{
            BABE_ENGINE_ID,
            digests::{PreDigest, SecondaryPlainPreDigest},
        };
        let name = |number| frame_benchmarking::account("validator", number, 0);
        let all: Vec<AccountId> = (0..count).map(name).collect();
        pallet_session::Validators::<Runtime>::put(all);
        let first = SecondaryPlainPreDigest {
            authority_index: 0,
            slot: 1.into(),
        };
        let said = PreDigest::SecondaryPlain(first).encode();
        System::deposit_log(DigestItem::PreRuntime(BABE_ENGINE_ID, said));
    }
}

/// What the council has set.
pub struct CurrentParams;

impl Get<params::Params> for CurrentParams {
    fn get() -> params::Params {
        Params::current()
    }
}

/// What a worker's bond must be for each of its devices. A bond is not a price: it makes a thousand
/// identities cost a thousand bonds.
pub struct BondPerDevice;

impl Get<Amount> for BondPerDevice {
    fn get() -> Amount {
        Params::current().bond_per_device
    }
}

/// What an operator's bond must be for its masternode to be given jobs.
pub struct BondPerMasternode;

impl Get<Amount> for BondPerMasternode {
    fn get() -> Amount {
        Params::current().bond_per_masternode
    }
}

/// How many masternodes are drawn for a contract, if there are as many.
pub struct GroupSize;

impl Get<u8> for GroupSize {
    fn get() -> u8 {
        Params::current().group_size
    }
}

/// What holds for contracts to keep data that are opened now.
pub struct StorageTerms;

impl Get<custody::Terms> for StorageTerms {
    fn get() -> custody::Terms {
        Params::current().storage_terms()
    }
}

/// The height that the chain holds to be final, as jobs and custody ask for it.
pub struct FinalityClock;

impl Get<BlockNumber> for FinalityClock {
    fn get() -> BlockNumber {
        Finality::clock()
    }
}

impl quern_custody::FinalityClock for FinalityClock {
    fn height() -> BlockNumber {
        Finality::clock()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(height: BlockNumber) {
        quern_finality::Clock::<Runtime>::put(height);
    }
}

/// The roster's masternodes, as jobs see them. Coordinators are drawn among those that can be
/// reached, because a job given to one that has published no endpoints would wait in vain, and that have
/// the bond, because nobody answers for the others.
pub struct Masternodes;

impl SortedMembers<AccountId> for Masternodes {
    fn sorted_members() -> Vec<AccountId> {
        Roster::bonded_masternodes()
    }

    fn contains(account: &AccountId) -> bool {
        Roster::is_masternode(account)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn add(account: &AccountId) {
        quern_roster::Masternodes::<Runtime>::mutate(|all| add(all, account));
        quern_roster::ReachableMasternodes::<Runtime>::mutate(|all| add(all, account));
        let bond = quern_roster::Bond {
            active: BondPerMasternode::get(),
            ..Default::default()
        };
        quern_roster::Bonds::<Runtime>::insert(account, bond);
    }
}

impl quern_jobs::Operators for Masternodes {
    fn network_key(account: &AccountId) -> Option<NodeKey> {
        let published = Roster::endpoints(account);
        published.map(|endpoints| NodeKey(endpoints.network_key.0))
    }

    fn is_bonded(account: &AccountId) -> bool {
        Roster::is_bonded(account)
    }

    fn bonded(account: &AccountId) -> Amount {
        Roster::bonded(account)
    }

    // With addresses as long and as many as they may be, which is what reading them costs the most.
    #[cfg(feature = "runtime-benchmarks")]
    fn publish(account: &AccountId, node: NodeKey) {
        let longest: quern_roster::Address =
            frame_support::BoundedVec::truncate_from(alloc::vec![b'a'; 256]);
        let addresses = alloc::vec![longest.clone(); 8];
        let endpoints = quern_roster::Endpoints {
            network_key: DeviceId(node.0),
            sealing_key: node.0.into(),
            device_addresses: frame_support::BoundedVec::truncate_from(addresses),
            jobs_api: longest,
        };
        quern_roster::PublishedEndpoints::<Runtime>::insert(account, endpoints);
    }
}

impl quern_custody::Operators for Masternodes {
    fn network_key(account: &AccountId) -> Option<NodeKey> {
        <Self as quern_jobs::Operators>::network_key(account)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn publish(account: &AccountId, node: NodeKey) {
        <Self as quern_jobs::Operators>::publish(account, node);
    }
}

/// What masternodes have settled that is not final, as the roster asks for it.
pub struct OpenBatches;

impl quern_roster::Exposures for OpenBatches {
    fn needed(account: &AccountId) -> Amount {
        let open = Jobs::exposure_of(account).open;
        Params::current().bond_per_exposure().needed(open)
    }
}

#[cfg(feature = "runtime-benchmarks")]
fn add<Limit: frame_support::traits::Get<u32>>(
    all: &mut frame_support::BoundedVec<AccountId, Limit>,
    account: &AccountId,
) {
    if let Err(place) = all.binary_search(account) {
        let added = all.try_insert(place, account.clone());
        debug_assert!(added.is_ok(), "a benchmark adds no more than there may be");
    }
}

/// The roster's bans, as jobs ask for them.
pub struct BannedAccounts;

impl Contains<AccountId> for BannedAccounts {
    fn contains(account: &AccountId) -> bool {
        Roster::is_banned(account)
    }
}

/// The workforce's records, as settlements change them.
pub struct DeviceRecords;

impl quern_jobs::Devices for DeviceRecords {
    fn record(device: &DeviceId, class: Class, change: &RecordChange) {
        Workforce::apply_record_change(device, class, change);
    }

    // A device that was retired costs the most: it is looked for among the others first.
    #[cfg(feature = "runtime-benchmarks")]
    fn register(device: DeviceId, _account: AccountId) {
        let past = quern_primitives::device::Past::default();
        quern_workforce::RetiredDevices::<Runtime>::insert(device, past);
    }
}

/// The workforce's devices and bonds, as custody needs them.
pub struct Keepers;

impl quern_custody::Workers for Keepers {
    fn account_of(device: &DeviceId) -> Option<AccountId> {
        Workforce::device(device).map(|known| known.account)
    }

    // Who is contained for what it missed is custody's own to know.
    fn may_hold(device: &DeviceId) -> bool {
        Workforce::device(device).is_some_and(|known| {
            Workforce::is_bonded(&known.account)
                && !Roster::is_banned(&known.account)
                && !known.is_quarantined()
        })
    }

    fn bonded(account: &AccountId) -> Amount {
        Workforce::slashable(account)
    }

    fn slash(
        account: &AccountId,
        device: &DeviceId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult {
        let burnt = Workforce::fine(account, device, penalty.winner, penalty.burnt, winner)?;
        match burnt {
            Amount::MIN => Ok(()),
            burnt => Bytechip::count_burnt(burnt),
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn register(device: DeviceId, account: AccountId, bond: Amount) {
        crate::benchmarks::register(device, account, bond);
    }
}
