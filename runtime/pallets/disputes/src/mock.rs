//! A chain of disputes and the real balances, beside a court of which a test says what it tells and which
//! notes what it was told to do.

use crate::{
    self as quern_disputes, Court,
    staging::{JOB, Staged, member},
};
use frame_support::{
    derive_impl, pallet_prelude::DispatchResult, traits::ConstU128, weights::Weight,
};
use quern_dispute_rules::{Facts, Subject, evidence::BatchName, penalty::Penalty};
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, GenesisHash, JobId, amount::BYTECHIP,
    ids::BatchSequence,
};
use sp_runtime::{BuildStorage, traits::IdentityLookup};
use std::cell::{Cell, RefCell};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Disputes: quern_disputes,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
    type AccountData = pallet_balances::AccountData<Amount>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Amount;
    type ExistentialDeposit = ConstU128<1>;
    type AccountStore = System;
}

impl quern_disputes::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Court = Bench;
    type WeightInfo = ();
}

/// How long an answer may take.
pub const ANSWER_BLOCKS: BlockNumber = 20;

/// What each of the accounts 1 and 2 has at genesis.
pub const ENDOWMENT: Amount = 1_000 * BYTECHIP;

pub const HERE: GenesisHash = GenesisHash([1; 32]);

/// What the court was told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    KeepOpen(BatchSequence, bool),
    Strike(BatchSequence),
    TurnOut(AccountId),
    SlashWorker(AccountId, Penalty, AccountId),
    SlashMasternode(AccountId, Penalty, AccountId),
    Burnt(Amount),
}

thread_local! {
    static FACTS: RefCell<Option<Facts>> = const { RefCell::new(None) };
    static DEEDS: RefCell<Vec<Deed>> = const { RefCell::new(Vec::new()) };
    static NOW: Cell<BlockNumber> = const { Cell::new(100) };
    static IS_DUE: Cell<bool> = const { Cell::new(false) };
}

/// A court without a chain.
pub struct Bench;

fn note(deed: Deed) -> DispatchResult {
    DEEDS.with_borrow_mut(|deeds| deeds.push(deed));
    Ok(())
}

impl Court for Bench {
    fn facts(subject: &Subject) -> Option<Facts> {
        let facts = FACTS.with_borrow(Clone::clone);
        facts.filter(|facts| facts.job_id == subject.job)
    }

    fn now() -> BlockNumber {
        NOW.get()
    }

    fn answer_blocks() -> BlockNumber {
        ANSWER_BLOCKS
    }

    fn is_due(_batch: &BatchName) -> bool {
        IS_DUE.get()
    }

    fn keep_open(batch: &BatchName, is_disputed: bool) {
        let _ = note(Deed::KeepOpen(batch.sequence, is_disputed));
    }

    fn strike(_job: &JobId, sequence: BatchSequence) -> DispatchResult {
        FACTS.with_borrow_mut(|facts| {
            if let Some(facts) = facts {
                facts.batch = None;
            }
        });
        note(Deed::Strike(sequence))
    }

    fn turn_out(_job: &JobId, account: &AccountId) -> DispatchResult {
        note(Deed::TurnOut(account.clone()))
    }

    fn slash_worker(
        account: &AccountId,
        _device: &DeviceId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult {
        note(Deed::SlashWorker(account.clone(), *penalty, winner.clone()))
    }

    fn slash_masternode(
        account: &AccountId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult {
        note(Deed::SlashMasternode(
            account.clone(),
            *penalty,
            winner.clone(),
        ))
    }

    fn count_burnt(amount: Amount) -> DispatchResult {
        note(Deed::Burnt(amount))
    }

    fn weight_of_facts() -> Weight {
        Weight::from_parts(1, 1)
    }

    fn weight() -> Weight {
        Weight::from_parts(1_000, 1_000)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn stage(facts: Facts) {
        tell(facts);
    }

    // The facts tell of it.
    #[cfg(feature = "runtime-benchmarks")]
    fn enlist(_: DeviceId, _: AccountId) {}
}

/// Has the court tell these facts from now on.
pub fn tell(facts: Facts) {
    FACTS.with_borrow_mut(|told| *told = Some(facts));
}

/// Has the batch be struck for something else.
pub fn strike() {
    FACTS.with_borrow_mut(|told| {
        if let Some(facts) = told {
            facts.batch = None;
        }
    });
}

/// Has the batch's window be past.
pub fn pass_window() {
    IS_DUE.set(true);
}

/// What the court was told to do since it was asked before.
pub fn deeds() -> Vec<Deed> {
    DEEDS.take()
}

/// Lets time pass until answers are too late.
pub fn pass_time() {
    NOW.set(NOW.get() + ANSWER_BLOCKS + 1);
}

/// The account of a number.
pub fn account(number: u8) -> AccountId {
    AccountId::new([number; 32])
}

/// A job whose batch settles three tasks.
pub fn staged() -> Staged {
    Staged::new(HERE, 3, 1)
}

/// A new chain with two accounts that have money, and a coordinator that has some.
pub fn genesis() -> sp_io::TestExternalities {
    let rich = [account(1), account(2), member(0)];
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: rich.into_iter().map(|it| (it, ENDOWMENT)).collect(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
    deeds();
    NOW.set(100);
    IS_DUE.set(false);
    tell(staged().facts);
    assert_eq!(JOB, staged().facts.job_id);
    chain
}

/// A new chain beside a keystore, from which the benchmarks take their keys.
#[cfg(feature = "runtime-benchmarks")]
pub fn genesis_with_keystore() -> sp_io::TestExternalities {
    use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
    let mut chain = genesis();
    chain.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    chain
}

/// Runs `test` on a new chain and checks the invariants after it.
pub fn on_new_chain(test: impl FnOnce()) {
    genesis().execute_with(|| {
        test();
        Disputes::do_try_state().unwrap();
    });
}
