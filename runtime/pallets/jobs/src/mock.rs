//! A chain of jobs and the real balances, beside the least of a roster, a register of devices and
//! a source of randomness, each of which a test can set.

use crate::{self as quern_jobs, Devices, Operators};
use codec::Encode;
use frame_support::{
    PalletId, derive_impl, parameter_types,
    traits::{Contains, EitherOfDiverse, OnIdle, OnInitialize, Randomness, SortedMembers},
    weights::Weight,
};
use frame_system::{EnsureRoot, EnsureSignedBy};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, JobId, NodeKey, ProgramHash, SealingKey, TaskIndex,
    amount::BYTECHIP,
    batch::{Batch, Certified, CertifiedEnd, DeviceChange, LogRange, Payout},
    device::{Class, Record, RecordChange},
    job::{Agreement, ByteLevel, Failure, Job, Preferences, Referees, Submission, job_id},
    log::Certificate,
    params::Params,
    payload::{NodeSecret, NodeSignature},
};
use sp_runtime::{
    BuildStorage,
    traits::{AccountIdConversion, BlakeTwo256, Hash, IdentityLookup},
};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Jobs: quern_jobs,
    }
);

/// A hash of the chain.
type H256 = <Test as frame_system::Config>::Hash;

/// Owners of jobs; each has [`ENDOWMENT`] at genesis.
pub const OWNER: AccountId = AccountId::new([1; 32]);
pub const OTHER_OWNER: AccountId = AccountId::new([2; 32]);

/// Somebody without money or office.
pub const STRANGER: AccountId = AccountId::new([9; 32]);

/// The masternodes at genesis.
pub const MASTERNODES: [AccountId; 3] = [
    AccountId::new([11; 32]),
    AccountId::new([12; 32]),
    AccountId::new([13; 32]),
];

/// Worker accounts, which do not exist before they are paid.
pub const WORKERS: [AccountId; 3] = [
    AccountId::new([21; 32]),
    AccountId::new([22; 32]),
    AccountId::new([23; 32]),
];

/// Who may set prices beside root.
pub const COUNCIL: AccountId = AccountId::new([31; 32]);

/// What each owner has at genesis.
pub const ENDOWMENT: Amount = 1_000 * BYTECHIP;

/// Blocks a coordinator has after a cancellation.
pub const GRACE: u32 = 20;

/// Heights of the clock of finality that a batch stays pending.
pub const WINDOW: u32 = 30;

/// Heights of the clock of finality without a batch after which another masternode may take over.
pub const STALL: u32 = 15;

/// What the council has set at genesis.
pub const PARAMS: Params = Params {
    window_blocks: WINDOW,
    group_size: 3,
    stall_blocks: STALL,
    ..Params::FIRST
};

/// The most that one task of [`submission`] can cost: two gigafuel at 0.01 ByteChips, times 2.2 for
/// three replicas.
pub const TASK_CAP: Amount = 44_000_000;

parameter_types! {
    /// The masternodes, ascending.
    pub storage MasternodeList: Vec<AccountId> = MASTERNODES.to_vec();
    /// Masternodes that have no bond.
    pub storage Unbonded: Vec<AccountId> = Vec::new();
    /// What each masternode has bonded: more than any test settles, if it sets nothing else.
    pub storage BondOfEach: Amount = 1_000_000 * BYTECHIP;
    /// Accounts whose jobs are refused.
    pub storage Banned: Vec<AccountId> = Vec::new();
    /// The seed of the chain's randomness, if it has any.
    pub storage Seed: Option<u64> = Some(0);
    /// What the council has set.
    pub storage CurrentParams: Params = PARAMS;
    /// The chain's clock of finality.
    pub storage Clock: u32 = 0;
    /// How many blocks before the present one the randomness could be known.
    pub storage SeedAge: u32 = 1;

    pub TreasuryAccount: AccountId = PalletId(*b"qn/trsry").into_account_truncating();
    pub const SettleGrace: u32 = GRACE;
    pub CouncilMembers: Vec<AccountId> = vec![COUNCIL];
}

/// The devices' records.
#[frame_support::storage_alias]
pub type DeviceRecords = StorageMap<Register, frame_support::Twox64Concat, DeviceId, Record>;

/// The register of devices; a record is there once it has changed.
pub struct Register;

impl Devices for Register {
    fn record(device: &DeviceId, class: Class, change: &RecordChange) {
        let mut record = DeviceRecords::get(device).unwrap_or_default();
        record.add(change, class);
        DeviceRecords::insert(device, record);
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn register(device: DeviceId, _account: AccountId) {
        DeviceRecords::insert(device, Record::default());
    }
}

/// The roster.
pub struct Roster;

impl SortedMembers<AccountId> for Roster {
    fn sorted_members() -> Vec<AccountId> {
        MasternodeList::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn add(account: &AccountId) {
        let mut all = MasternodeList::get();
        all.push(account.clone());
        all.sort();
        MasternodeList::set(&all);
    }
}

/// The network key that a masternode has published.
pub fn network_key(account: &AccountId) -> NodeSecret {
    NodeSecret::from_seed(account.as_ref())
}

impl Operators for Roster {
    fn network_key(account: &AccountId) -> Option<NodeKey> {
        let published = Published::get(account);
        Some(published.unwrap_or_else(|| network_key(account).public()))
    }

    fn is_bonded(account: &AccountId) -> bool {
        !Unbonded::get().contains(account)
    }

    fn bonded(_account: &AccountId) -> Amount {
        BondOfEach::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn publish(account: &AccountId, node: NodeKey) {
        Published::insert(account, node);
    }
}

/// Keys that masternodes have published beside those that tests know.
#[frame_support::storage_alias]
pub type Published = StorageMap<Keys, frame_support::Twox64Concat, AccountId, NodeKey>;

impl Contains<AccountId> for Roster {
    fn contains(account: &AccountId) -> bool {
        Banned::get().contains(account)
    }
}

/// A number for each block and subject.
pub struct Numbers;

impl Randomness<Option<H256>, u32> for Numbers {
    fn random(subject: &[u8]) -> (Option<H256>, u32) {
        let now = System::block_number();
        let number = Seed::get().map(|seed| BlakeTwo256::hash(&(seed, now, subject).encode()));
        (number, now.saturating_sub(SeedAge::get()))
    }
}

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
    type ExistentialDeposit = frame_support::traits::ConstU128<1>;
    type AccountStore = System;
}

impl quern_jobs::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Masternodes = Roster;
    type Operators = Roster;
    type Bans = Roster;
    type Devices = Register;
    type Randomness = Numbers;
    type Params = CurrentParams;
    type PricesOrigin =
        EitherOfDiverse<EnsureRoot<AccountId>, EnsureSignedBy<CouncilMembersSorted, AccountId>>;
    type TreasuryAccount = TreasuryAccount;
    type Finalised = Clock;
    type SettleGrace = SettleGrace;
    type WeightInfo = ();
}

/// The council as a sorted list.
pub type CouncilMembersSorted = frame_support::traits::IsInVec<CouncilMembers>;

/// A new chain in its first block.
pub fn genesis() -> sp_io::TestExternalities {
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: vec![(OWNER, ENDOWMENT), (OTHER_OWNER, ENDOWMENT)],
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| System::set_block_number(1));
    chain
}

/// A new chain beside a keystore, from which the benchmarks take their masternodes' keys.
#[cfg(feature = "runtime-benchmarks")]
pub fn genesis_with_keystore() -> sp_io::TestExternalities {
    use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
    let mut chain = genesis();
    chain.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    chain
}

/// Runs `test` on a new chain and checks the jobs' invariants after it.
pub fn on_new_chain<R>(test: impl FnOnce() -> R) -> R {
    genesis().execute_with(|| {
        let answer = test();
        Jobs::do_try_state().unwrap();
        answer
    })
}

/// Lets blocks begin until `block` has.
pub fn run_to(block: u32) {
    while System::block_number() < block {
        let next = System::block_number() + 1;
        System::set_block_number(next);
        AllPalletsWithSystem::on_initialize(next);
    }
}

/// Lets the next block begin.
pub fn next_block() {
    run_to(System::block_number() + 1);
}

/// Lets the clock of finality go on to this height, and an empty block end.
pub fn clock_to(height: u32) {
    Clock::set(&height);
    idle();
}

/// Lets an empty block end.
pub fn idle() {
    AllPalletsWithSystem::on_idle(System::block_number(), Weight::MAX);
}

/// Lets the window of every batch settled so far pass.
pub fn pass_window() {
    clock_to(Clock::get() + WINDOW);
}

/// Ten tasks of three replicas, deadline at block 1000, in agreement with any price.
pub fn submission() -> Submission {
    Submission {
        salt: [0; 16],
        program: ProgramHash([1; 32]),
        manifest: Digest([2; 32]),
        shards_root: Digest([3; 32]),
        key_commitment: Digest([4; 32]),
        tasks: 10,
        input_bytes: 1_000,
        fuel_per_task_max: 2_000_000_000,
        memory_bytes_max: 64 * 1024 * 1024,
        result_bytes_max: 1024,
        agreement: Agreement::Majority { replicas: 3 },
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: 1_000,
        price_max: Amount::MAX,
        owner_sealing_key: SealingKey([5; 32]),
    }
}

/// A submission with another salt.
pub fn salted(number: u16) -> Submission {
    let mut salt = [0; 16];
    salt[..2].copy_from_slice(&number.to_le_bytes());
    Submission {
        salt,
        ..submission()
    }
}

/// The id of an owner's submission.
pub fn id_of(owner: &AccountId, submission: &Submission) -> JobId {
    job_id(&Jobs::genesis_hash(), owner, &submission.salt)
}

/// A job that must exist.
pub fn job(id: JobId) -> Job {
    Jobs::job(&id).unwrap()
}

/// Submits [`submission`] for [`OWNER`].
pub fn submitted() -> JobId {
    Jobs::submit(RuntimeOrigin::signed(OWNER), submission()).unwrap();
    id_of(&OWNER, &submission())
}

/// Submits [`submission`] for [`OWNER`] and lets its coordinator be drawn.
pub fn running() -> (JobId, AccountId) {
    let id = submitted();
    next_block();
    (id, job(id).state.coordinator().unwrap().clone())
}

/// A batch of these tasks, each at half its cap, with the workers' whole part to two workers.
pub fn batch(id: JobId, sequence: u32, tasks: impl IntoIterator<Item = u32>) -> Batch {
    let tasks: Vec<u32> = tasks.into_iter().collect();
    let each = TASK_CAP / 2 * 7 / 10 / 2;
    let count = tasks.len() as Amount;
    Batch {
        job: id,
        sequence,
        log: LogRange { first: 0, last: 9 },
        verdicts_root: Digest([6; 32]),
        spent: TASK_CAP / 2 * count,
        payouts: vec![payout(0, each * count), payout(1, each * count)]
            .try_into()
            .unwrap(),
        devices: vec![device_change(1, 1)].try_into().unwrap(),
        tasks: quern_job_rules::tasks::collect(tasks).unwrap(),
    }
}

/// A batch with certificates of as many of its job's group as it needs.
pub fn certified(batch: Batch) -> Certified {
    let voices = voices(&batch.job);
    certified_by(batch, &voices)
}

/// Places of as many of a job's group as certify.
fn voices(id: &JobId) -> Vec<u8> {
    let group = Jobs::group(id);
    let voices = group.into_iter().flat_map(|group| {
        let needed = group.needed();
        let members = group.members.into_iter().zip(0u8..);
        let voices = members.filter(|(member, _)| !member.is_out);
        voices
            .map(|(_, place)| place)
            .take(needed)
            .collect::<Vec<_>>()
    });
    voices.collect()
}

/// A batch with certificates of the members at these places.
pub fn certified_by(batch: Batch, places: &[u8]) -> Certified {
    let mut certified = Certified {
        index: u64::from(batch.sequence),
        head: Digest([7; 32]),
        batch,
        certificates: Default::default(),
    };
    let said = certified.certificate();
    certified.certificates = words(said, places).try_into().unwrap();
    certified
}

/// That a task of a job cannot be settled, with as many certificates as that needs.
pub fn failed(id: JobId, task: TaskIndex, why: Failure) -> CertifiedEnd {
    failed_by(id, task, why, &voices(&id))
}

/// The same with certificates of the members at these places.
pub fn failed_by(id: JobId, task: TaskIndex, why: Failure, places: &[u8]) -> CertifiedEnd {
    let mut end = CertifiedEnd {
        job: id,
        task,
        why,
        index: 5,
        head: Digest([7; 32]),
        certificates: Default::default(),
    };
    let said = end.certificate(Jobs::job(&id).map_or(0, |job| job.next_batch));
    end.certificates = words(said, places).try_into().unwrap();
    end
}

/// What the members at these places sign.
fn words(said: Certificate, places: &[u8]) -> Vec<(u8, NodeSignature)> {
    let group = Jobs::group(&said.job);
    let words = places.iter().map(|place| {
        let member = group.as_ref().and_then(|group| group.member(*place));
        let account = member.map_or(STRANGER, |member| member.account.clone());
        let signed = network_key(&account).sign(said, &Jobs::genesis_hash());
        (*place, signed.signature)
    });
    words.collect()
}

/// The pay of one of the [`WORKERS`].
pub fn payout(worker: usize, amount: Amount) -> Payout {
    Payout {
        account: WORKERS[worker].clone(),
        amount,
    }
}

/// So many accepted answers of a device.
pub fn device_change(device: u8, accepted: u32) -> DeviceChange {
    let change = RecordChange {
        accepted,
        ..RecordChange::default()
    };
    DeviceChange {
        device: DeviceId([device; 32]),
        change,
    }
}

/// What an account can spend.
pub fn free(account: &AccountId) -> Amount {
    Balances::free_balance(account)
}

/// The pallet's events so far.
pub fn events() -> Vec<crate::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Jobs(event) => Some(event),
            _ => None,
        })
        .collect()
}
