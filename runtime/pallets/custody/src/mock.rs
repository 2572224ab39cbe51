//! A chain of custody and the real balances, beside the least of a roster, a register of devices and a source of
//! randomness, each of which a test can set. Beside it stand owners who have pieces, and devices that keep them.

use crate::{self as quern_custody, FinalityClock, Operators, Workers};
use codec::Encode;
use frame_support::{
    PalletId, derive_impl, parameter_types,
    traits::{
        Contains, OnIdle, OnInitialize, Randomness, SortedMembers,
        fungible::{Inspect, Mutate},
    },
    weights::Weight,
};
use quern_custody_rules::{drawn, steps::Penalty};
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, NodeKey,
    batch::Words,
    custody::{
        Answer, Challenge, ChallengedChunk, Held, HoldConsent, Offer, PieceEntry, Place, Proved,
        ShortProof, Terms, contract_id,
    },
    ids::{ContractId, PieceIndex},
    merkle::{CHUNK_BYTES, Tree},
    payload::{DeviceKey, NodeSecret, Signed},
};
use sp_runtime::{
    BuildStorage, DispatchError, DispatchResult,
    traits::{AccountIdConversion, BlakeTwo256, Hash, IdentityLookup},
};
use std::sync::LazyLock;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Custody: quern_custody,
    }
);

/// A hash of the chain.
type H256 = <Test as frame_system::Config>::Hash;

/// Owners of contracts.
pub const OWNER: AccountId = AccountId::new([1; 32]);
pub const OTHER_OWNER: AccountId = AccountId::new([2; 32]);

/// Somebody without office.
pub const STRANGER: AccountId = AccountId::new([9; 32]);

/// The masternodes at genesis.
pub const MASTERNODES: [AccountId; 3] = [
    AccountId::new([11; 32]),
    AccountId::new([12; 32]),
    AccountId::new([13; 32]),
];

/// Devices that are registered at genesis, each of an account of its own.
pub const DEVICES: u8 = 4;

/// What each of them all has at genesis.
pub const ENDOWMENT: Amount = 1_000_000_000;

/// The bond of each device's account at genesis: three slashes, the last not whole.
pub const BOND: Amount = 3_000;

/// Periods of ten blocks, prices with remainders.
pub const TERMS: Terms = Terms {
    period_blocks: 10,
    answer_blocks: 15,
    notice_periods: 2,
    rate: 7_777_777,
    holders_permille: 700,
    operators_permille: 200,
    challenge_bond: 50,
    slash: 1_001,
    winner_permille: 500,
};

/// What an owner deposits who wants enough.
pub const DEPOSIT: Amount = 400_000;

/// For so many periods contracts are opened.
pub const PERIODS: u32 = 40;

parameter_types! {
    /// The masternodes, ascending.
    pub storage MasternodeList: Vec<AccountId> = MASTERNODES.to_vec();
    /// Masternodes that have published no key.
    pub storage Unreachable: Vec<AccountId> = Vec::new();
    /// Accounts that may open nothing.
    pub storage Banned: Vec<AccountId> = Vec::new();
    /// Devices that may be given nothing.
    pub storage Unfit: Vec<DeviceId> = Vec::new();
    /// The seed of the chain's randomness, if it has any.
    pub storage Seed: Option<u64> = Some(0);
    /// How many blocks before the present one the randomness could be known.
    pub storage SeedAge: u32 = 1;
    /// The terms of now.
    pub storage TermsOfNow: Terms = TERMS;
    /// How large groups are.
    pub storage SizeOfGroups: u8 = 3;
    /// The chain's clock of finality.
    pub storage Clock: u32 = 0;
    /// What was burnt of bonds.
    pub storage Burnt: Amount = 0;
    /// Whether the register takes nothing of bonds.
    pub storage IsStuck: bool = false;

    pub TreasuryAccount: AccountId = PalletId(*b"qn/trsry").into_account_truncating();
}

/// Whose each device is.
#[frame_support::storage_alias]
pub type Registered = StorageMap<Register, frame_support::Twox64Concat, DeviceId, AccountId>;

/// What each account has bonded.
#[frame_support::storage_alias]
pub type Bonds = StorageMap<
    Register,
    frame_support::Twox64Concat,
    AccountId,
    Amount,
    frame_support::pallet_prelude::ValueQuery,
>;

/// The register of devices.
pub struct Register;

impl Workers for Register {
    fn account_of(device: &DeviceId) -> Option<AccountId> {
        Registered::get(device)
    }

    fn may_hold(device: &DeviceId) -> bool {
        !Unfit::get().contains(device)
    }

    fn bonded(account: &AccountId) -> Amount {
        Bonds::get(account)
    }

    fn slash(
        account: &AccountId,
        _device: &DeviceId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult {
        if IsStuck::get() {
            return Err(DispatchError::Other("the register takes nothing"));
        }
        let left = Bonds::get(account).checked_sub(penalty.slash());
        Bonds::insert(account, left.ok_or(DispatchError::Unavailable)?);
        if penalty.winner > 0 {
            Balances::mint_into(winner, penalty.winner)?;
        }
        Burnt::set(&(Burnt::get() + penalty.burnt));
        Ok(())
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn register(device: DeviceId, account: AccountId, bond: Amount) {
        Bonds::insert(&account, bond);
        Registered::insert(device, account);
    }
}

/// The chain's clock of finality, as a test sets it.
pub struct Finality;

impl FinalityClock for Finality {
    fn height() -> u32 {
        Clock::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(height: u32) {
        Clock::set(&height);
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

impl Operators for Roster {
    fn network_key(account: &AccountId) -> Option<NodeKey> {
        if Unreachable::get().contains(account) {
            return None;
        }
        let published = Published::get(account);
        Some(published.unwrap_or_else(|| network_key(account).public()))
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

/// The network key that a masternode has published.
pub fn network_key(account: &AccountId) -> NodeSecret {
    NodeSecret::from_seed(account.as_ref())
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

impl quern_custody::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Masternodes = Roster;
    type Operators = Roster;
    type GroupSize = SizeOfGroups;
    type Bans = Roster;
    type Workers = Register;
    type Randomness = Numbers;
    type CurrentTerms = TermsOfNow;
    type TreasuryAccount = TreasuryAccount;
    type Clock = Finality;
    type WeightInfo = ();
}

/// The key of each device.
static KEYS: LazyLock<Vec<DeviceKey>> = LazyLock::new(|| {
    let keys = (0..DEVICES).map(|number| DeviceKey::from_seed(&[100 + number; 32]));
    keys.collect()
});

/// The device with a number.
pub fn device(number: u8) -> DeviceId {
    KEYS[usize::from(number)].id()
}

/// The account that it belongs to.
pub fn account_of(number: u8) -> AccountId {
    AccountId::new([100 + number; 32])
}

/// A new chain in its first block.
pub fn genesis() -> sp_io::TestExternalities {
    let holders = (0..DEVICES).map(account_of);
    let rich = [OWNER, OTHER_OWNER, STRANGER].into_iter();
    let rich = rich.chain(MASTERNODES).chain(holders);
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: rich.map(|account| (account, ENDOWMENT)).collect(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::new(config.build_storage().unwrap());
    chain.execute_with(|| {
        System::set_block_number(1);
        for number in 0..DEVICES {
            Registered::insert(device(number), account_of(number));
            Bonds::insert(account_of(number), BOND);
        }
    });
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
pub fn on_new_chain<R>(test: impl FnOnce() -> R) -> R {
    genesis().execute_with(|| {
        let all = all_money();
        let answer = test();
        Custody::do_try_state().unwrap();
        assert_eq!(all_money(), all, "no money comes from nowhere");
        answer
    })
}

/// All money there is: on accounts, in the register's bonds, and burnt.
pub fn all_money() -> Amount {
    let bonds: Amount = Bonds::iter_values().sum();
    Balances::total_issuance() + bonds + Burnt::get()
}

/// Lets the next block begin.
pub fn next_block() {
    let next = System::block_number() + 1;
    System::set_block_number(next);
    AllPalletsWithSystem::on_initialize(next);
}

/// Lets the clock of finality go on, and a block begin that knows of it.
pub fn pass(blocks: u32) {
    clock_to(Clock::get() + blocks);
}

/// The same to a height.
pub fn clock_to(height: u32) {
    Clock::set(&height);
    next_block();
}

/// The same to the beginning of a period of the usual length.
pub fn period(number: u32) {
    clock_to(number * TERMS.period_blocks);
}

/// Lets an empty block end.
pub fn idle() {
    AllPalletsWithSystem::on_idle(System::block_number(), Weight::MAX);
}

/// A piece as somebody has it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub bytes: Vec<u8>,
    pub tree: Tree,
}

impl Kept {
    /// A piece of so many bytes, different for each number.
    pub fn patterned(number: u8, bytes: usize) -> Self {
        let byte = |at: usize| (((at * at) >> 7) ^ at).to_le_bytes()[0] ^ number;
        let bytes: Vec<u8> = (0..bytes).map(byte).collect();
        let tree = Tree::new(bytes.chunks(CHUNK_BYTES));
        Self { bytes, tree }
    }

    pub fn entry(&self, piece: PieceIndex) -> PieceEntry {
        PieceEntry {
            version: PieceEntry::VERSION,
            piece,
            chunk_root: self.tree.root(),
            bytes: self.bytes.len() as u64,
            audit_root: Digest::default(),
            audit_depth: 0,
        }
    }

    /// What whoever has these bytes says to a part of a challenge; none if that part is not asked for.
    pub fn answer(&self, challenge: &Challenge, part: u8) -> Option<Answer> {
        let drawn = drawn::chunks(&challenge.seed, self.tree.count());
        let chunks = drawn::part(&drawn, part)?.iter().map(|index| {
            let bytes = self.bytes.chunks(CHUNK_BYTES).nth(*index as usize);
            ChallengedChunk {
                bytes: bytes.unwrap().to_vec().try_into().unwrap(),
                proof: self.tree.proof(*index).unwrap().try_into().unwrap(),
            }
        });
        let chunks = chunks.collect::<Vec<_>>().try_into().unwrap();
        Some(Answer { part, chunks })
    }
}

/// The pieces of every owner, shown in one, two and four parts.
pub static PIECES: LazyLock<Vec<Kept>> = LazyLock::new(|| {
    let bytes = [5_000, 9 * CHUNK_BYTES, 40 * CHUNK_BYTES + 1];
    let pieces = (0..).zip(bytes);
    pieces
        .map(|(number, bytes)| Kept::patterned(number, bytes))
        .collect()
});

/// The tree over their entries.
pub static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let entries = (0..).zip(PIECES.iter());
    Tree::new(entries.map(|(piece, kept)| kept.entry(piece).encode()))
});

/// What a period of a piece costs on the usual terms.
pub fn price(piece: PieceIndex) -> Amount {
    TERMS.rate * PIECES[piece as usize].bytes.len() as Amount / (1 << 30)
}

/// The path of a piece.
pub fn path(piece: PieceIndex) -> ShortProof {
    TREE.proof(piece).unwrap().try_into().unwrap()
}

/// An offer over all pieces, of which two devices each may hold one, with a salt.
pub fn offer(salt: u8) -> Offer {
    Offer {
        salt: [salt; 16],
        pieces_root: TREE.root(),
        pieces: TREE.count(),
        copies: 2,
        periods: PERIODS,
    }
}

/// The id of an owner's contract with a salt.
pub fn id_of(owner: &AccountId, salt: u8) -> ContractId {
    contract_id(&Custody::genesis_hash(), owner, &[salt; 16])
}

/// Has the owner open a contract with the usual terms and money, and its group be drawn.
pub fn opened() -> ContractId {
    let origin = RuntimeOrigin::signed(OWNER);
    Custody::open(origin, offer(0), TermsOfNow::get(), DEPOSIT).unwrap();
    next_block();
    id_of(&OWNER, 0)
}

/// A device's hold of a piece of a contract.
pub fn place(contract: ContractId, piece: PieceIndex, number: u8) -> Place {
    Place {
        contract,
        piece,
        holder: device(number),
    }
}

/// What a device is to sign that takes a piece now.
pub fn consent(place: &Place, number: u8) -> HoldConsent {
    let terms = Custody::contract(&place.contract).map_or(TERMS, |contract| contract.terms);
    HoldConsent {
        contract: place.contract,
        device: place.holder,
        account: account_of(number),
        since: Clock::get() / terms.period_blocks + 1,
        entry: PIECES[place.piece as usize].entry(place.piece),
        terms,
    }
}

/// The same with the signature of a device.
pub fn signed_by(number: u8, consent: HoldConsent) -> Box<Signed<HoldConsent>> {
    Box::new(KEYS[usize::from(number)].sign(consent, &Custody::genesis_hash()))
}

/// Has a device take a piece, sent by the first masternode of the contract's group.
pub fn taken(contract: ContractId, piece: PieceIndex, number: u8) -> Place {
    let place = place(contract, piece, number);
    let word = signed_by(number, consent(&place, number));
    let by = member(&contract, 0);
    Custody::hold(RuntimeOrigin::signed(by), word, path(piece)).unwrap();
    place
}

/// The masternode at a place of a contract's group.
pub fn member(contract: &ContractId, place: u8) -> AccountId {
    let group = Custody::group(contract).unwrap();
    group.member(place).unwrap().account.clone()
}

/// That these have proved what they hold in a period.
pub fn proved(contract: ContractId, period: u32, places: &[Place]) -> Proved {
    let holders = places.iter().map(|place| Held {
        piece: place.piece,
        device: place.holder,
    });
    let mut holders: Vec<_> = holders.collect();
    holders.sort();
    Proved {
        contract,
        period,
        holders: holders.try_into().unwrap(),
    }
}

/// What the members at these places sign.
pub fn words(proved: &Proved, places: &[u8]) -> Words {
    let group = Custody::group(&proved.contract);
    let words = places.iter().map(|place| {
        let member = group.as_ref().and_then(|group| group.member(*place));
        let account = member.map_or(STRANGER, |member| member.account.clone());
        let signed = network_key(&account).sign(proved.clone(), &Custody::genesis_hash());
        (*place, signed.signature)
    });
    words.collect::<Vec<_>>().try_into().unwrap()
}

/// Has a part of an answer sent by who holds the piece.
pub fn answer(place: &Place, number: u8, part: u8) -> DispatchResult {
    let open = Custody::challenge_of(place).ok_or(DispatchError::Unavailable)?;
    let answer = PIECES[place.piece as usize].answer(&open, part);
    let answer = answer.ok_or(DispatchError::Unavailable)?;
    Custody::answer(RuntimeOrigin::signed(account_of(number)), *place, answer)
}

/// Has all of an answer sent, and says in how many parts.
pub fn answer_all(place: &Place, number: u8) -> usize {
    let parts = (0..4).filter(|part| answer(place, number, *part).is_ok());
    parts.count()
}

/// What an account can spend.
pub fn free(account: &AccountId) -> Amount {
    Balances::balance(account)
}

/// The pallet's events so far.
pub fn events() -> Vec<crate::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Custody(event) => Some(event),
            _ => None,
        })
        .collect()
}
