//! Data that is kept, through the whole runtime: a contract is opened, a device takes a piece, proves it, misses it,
//! and the money goes where it should.

use crate::{
    chain::Chain,
    jobs::{genesis_of, network_key, publish_endpoints, register},
};
use codec::Encode;
use frame_support::traits::InstanceFilter as _;
use quern_custody_rules::drawn;
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, GenesisHash,
    amount::BYTECHIP,
    custody::{
        Answer, ChallengedChunk, Held, HoldConsent, Offer, PieceEntry, Place, Proved, Terms,
        contract_id,
    },
    ids::{ContractId, Period, PieceIndex},
    merkle::{CHUNK_BYTES, Tree},
    params::Parameter,
    payload::DeviceKey,
};
use quern_runtime::{
    Balances, Block, Custody, Finality, Runtime, Workforce,
    apis::{runtime_decl_for_custody_api::CustodyApi, runtime_decl_for_quern_api::QuernApi},
    configs::accounts::ProxyKind,
    genesis::DEV,
};
use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie};

/// What Bob puts into his contract.
const DEPOSIT: Amount = 5 * BYTECHIP;

/// Blocks of a period, the fewest that the council may set.
const PERIOD: u32 = 15;

/// A piece of 40 chunks, more than a challenge asks for.
struct Piece {
    bytes: Vec<u8>,
    tree: Tree,
}

impl Piece {
    fn new() -> Self {
        let byte = |at: usize| ((at * at) >> 9).to_le_bytes()[0];
        let bytes: Vec<u8> = (0..40 * CHUNK_BYTES).map(byte).collect();
        let tree = Tree::new(bytes.chunks(CHUNK_BYTES));
        Self { bytes, tree }
    }

    /// The same bytes are each of the contract's pieces.
    fn entry(&self, piece: PieceIndex) -> PieceEntry {
        PieceEntry {
            version: PieceEntry::VERSION,
            piece,
            chunk_root: self.tree.root(),
            bytes: self.bytes.len() as u64,
            audit_root: Digest::default(),
            audit_depth: 0,
        }
    }

    fn chunk(&self, index: u32) -> ChallengedChunk {
        let bytes = self.bytes.chunks(CHUNK_BYTES).nth(index as usize);
        ChallengedChunk {
            bytes: bytes.unwrap().to_vec().try_into().unwrap(),
            proof: self.tree.proof(index).unwrap().try_into().unwrap(),
        }
    }
}

/// A chain on which Charlie's device holds Bob's pieces from the next period on.
struct World {
    chain: Chain,
    genesis: GenesisHash,
    piece: Piece,
    /// The first of them.
    place: Place,
}

fn terms() -> Terms {
    <Runtime as CustodyApi<Block>>::storage_terms()
}

impl World {
    fn new() -> Self {
        Self::of(1)
    }

    fn of(pieces: u32) -> Self {
        let mut chain = Chain::start(DEV);
        for (parameter, value) in [
            (Parameter::StoragePeriod, PERIOD.into()),
            (Parameter::StorageNotice, 0),
            (Parameter::ChallengeTime, 15),
        ] {
            chain.decide(quern_params::Call::set { parameter, value });
        }
        publish_endpoints(&mut chain, &Alice.to_account_id());
        let device = register(&mut chain, Charlie, 7);
        let genesis = genesis_of(&mut chain);
        let piece = Piece::new();
        let entries = Tree::new((0..pieces).map(|index| piece.entry(index).encode()));
        let offer = Offer {
            salt: [1; 16],
            pieces_root: entries.root(),
            pieces,
            copies: 1,
            periods: 40,
        };
        let deposit = DEPOSIT;
        let terms = chain.read(terms);
        chain.does(
            Bob,
            quern_custody::Call::open {
                offer,
                terms,
                deposit,
            },
        );
        // The group is drawn when the next block begins.
        chain.blocks(1);
        let contract = contract_id(&genesis, &Bob.to_account_id(), &[1; 16]);
        for index in 0..pieces {
            let consent = HoldConsent {
                contract,
                device,
                account: Charlie.to_account_id(),
                since: chain.read(Finality::clock) / PERIOD + 1,
                entry: piece.entry(index),
                terms,
            };
            let path = entries.proof(index).unwrap().try_into().unwrap();
            let consent = Box::new(DeviceKey::from_seed(&[7; 32]).sign(consent, &genesis));
            chain.does(Alice, quern_custody::Call::hold { consent, path });
        }
        let place = Place {
            contract,
            piece: 0,
            holder: device,
        };
        Self {
            chain,
            genesis,
            piece,
            place,
        }
    }

    fn period(&mut self) -> Period {
        self.chain.read(Finality::clock) / PERIOD
    }

    /// Lets blocks pass until this period has begun, and what challenges of it follow from is known.
    fn wait_for(&mut self, period: Period) {
        let known = || <Runtime as CustodyApi<Block>>::period_randomness(PERIOD);
        while self.period() < period {
            self.chain.blocks(1);
        }
        while self.chain.read(known).is_none_or(|(of, _)| of < period) {
            self.chain.blocks(1);
        }
    }

    fn free(&mut self, account: AccountId) -> Amount {
        self.chain.read(|| Balances::free_balance(account))
    }

    fn contract(&self) -> ContractId {
        self.place.contract
    }

    fn holder(&self) -> DeviceId {
        self.place.holder
    }

    /// Alice, the whole group, certifies that the piece was proved.
    fn prove(&mut self, period: Period) {
        let holder = Held {
            piece: 0,
            device: self.holder(),
        };
        let proved = Proved {
            contract: self.contract(),
            period,
            holders: vec![holder].try_into().unwrap(),
        };
        let key = network_key(&Alice.to_account_id());
        let signature = key.sign(proved.clone(), &self.genesis).signature;
        let certificates = vec![(0, signature)].try_into().unwrap();
        self.chain.does(
            Alice,
            quern_custody::Call::prove {
                proved,
                certificates,
            },
        );
    }

    /// What the device of who holds the piece says to a part of the open challenge.
    fn answer(&mut self, part: u8) -> Answer {
        let place = self.place;
        let open = || <Runtime as CustodyApi<Block>>::challenge_of(place);
        let open = self.chain.read(open).unwrap();
        let drawn = drawn::chunks(&open.seed, self.piece.tree.count());
        let chunks = drawn::part(&drawn, part).unwrap().iter();
        let chunks: Vec<_> = chunks.map(|index| self.piece.chunk(*index)).collect();
        Answer {
            part,
            chunks: chunks.try_into().unwrap(),
        }
    }
}

#[test]
fn a_holder_is_paid_for_what_it_proves_and_the_rest_goes_back_to_the_owner() {
    let mut world = World::new();
    let of_bob = Bob.to_account_id();
    let (wallet, totals) = world.chain.read(|| {
        (
            <Runtime as QuernApi<Block>>::wallet(of_bob.clone()),
            <Runtime as QuernApi<Block>>::totals(),
        )
    });
    assert_eq!((wallet.contracts, wallet.challenges), (DEPOSIT, 0));
    assert_eq!((totals.contracts, totals.challenges), (DEPOSIT, 0));

    let price = world
        .chain
        .read(|| Custody::holding(&world.place))
        .unwrap()
        .price;
    // 40 chunks of 4 KiB at 0.005 BC a GiB.
    assert_eq!(price, 5_000_000 * 40 * 4_096 / (1 << 30));
    let first = world.period() + 1;
    let charlie = world.free(Charlie.to_account_id());
    for period in [first, first + 1] {
        world.wait_for(period);
        world.prove(period);
    }
    let holders = price * 7 / 10;
    assert_eq!(world.free(Charlie.to_account_id()), charlie + 2 * holders);

    let contract = world.contract();
    world.chain.does(Bob, quern_custody::Call::end { contract });
    // What was proved is paid for 64 periods; then it is closed, and what is left goes back.
    let close = quern_custody::Call::close { contract };
    let before = world.free(Bob.to_account_id());
    let ends = world
        .chain
        .read(|| Custody::contract(&contract))
        .unwrap()
        .ends;
    world.wait_for(ends + 64);
    world.chain.does(Charlie, close);
    assert_eq!(
        world.free(Bob.to_account_id()),
        before + DEPOSIT - 2 * price
    );
    let totals = world.chain.read(<Runtime as QuernApi<Block>>::totals);
    assert_eq!(totals.custody(), 0);
}

#[test]
fn who_is_challenged_and_answers_in_parts_gets_its_pay_and_the_bond() {
    let mut world = World::new();
    let next = world.period() + 1;
    world.wait_for(next);
    let place = world.place;
    world
        .chain
        .does(Bob, quern_custody::Call::challenge { place });
    let bond = world.chain.read(terms).challenge_bond;
    let totals = world.chain.read(<Runtime as QuernApi<Block>>::totals);
    assert_eq!(totals.challenges, bond);
    let charlie = world.free(Charlie.to_account_id());
    for part in 0..4 {
        let answer = world.answer(part);
        world
            .chain
            .does(Charlie, quern_custody::Call::answer { place, answer });
    }
    let held = world.chain.read(|| Custody::holding(&place)).unwrap();
    assert_eq!((held.is_challenged, held.proved_in), (false, Some(next)));
    let got = world.free(Charlie.to_account_id());
    // Four fees were paid of it, and something is left.
    assert!(got > charlie && got < charlie + bond, "{got} of {charlie}");
    let totals = world.chain.read(<Runtime as QuernApi<Block>>::totals);
    assert_eq!(totals.challenges, 0);
}

/// Has a holder challenged, and the time for its answer pass.
fn missed(world: &mut World, piece: PieceIndex) {
    let place = Place {
        piece,
        ..world.place
    };
    world
        .chain
        .does(Alice, quern_custody::Call::challenge { place });
    let due = world
        .chain
        .read(|| Custody::challenge_of(&place))
        .unwrap()
        .due;
    while world.chain.read(Finality::clock) <= due {
        world.chain.blocks(1);
    }
    // The chain says so by itself.
    world.chain.blocks(1);
    assert!(world.chain.read(|| Custody::challenge_of(&place)).is_none());
}

#[test]
fn who_does_not_answer_is_warned_contained_and_then_pays_of_its_bond() {
    let mut world = World::of(3);
    let (next, holder) = (world.period() + 1, world.holder());
    world.wait_for(next);
    let record = || <Runtime as CustodyApi<Block>>::custody_record(holder);
    let bonded = || Workforce::slashable(&Charlie.to_account_id());
    let (alice, issued) = (world.free(Alice.to_account_id()), |world: &mut World| {
        world.chain.read(Balances::total_issuance)
    });

    missed(&mut world, 0);
    let (standing, misses) = world.chain.read(record);
    assert!(standing.warned_at.is_some() && standing.contained_at.is_none());
    assert_eq!(misses.len(), 1);
    let held = world.chain.read(|| Custody::holding(&world.place)).unwrap();
    assert!(held.until.is_some_and(|until| until >= next));

    missed(&mut world, 1);
    assert!(world.chain.read(record).0.contained_at.is_some());
    assert_eq!(world.chain.read(bonded), 10 * BYTECHIP);

    let before = issued(&mut world);
    missed(&mut world, 2);
    assert_eq!(world.chain.read(record).1.len(), 3);
    assert_eq!(world.chain.read(bonded), 9 * BYTECHIP);
    // A fifth is for who challenged it. It made blocks meanwhile, in which nobody else paid a fee.
    let won = world
        .free(Alice.to_account_id())
        .checked_sub(alice)
        .unwrap();
    assert_eq!(won, BYTECHIP / 5);
    assert_eq!(before - issued(&mut world), BYTECHIP / 5 * 4);
    // Nothing was lied about.
    let device = world.chain.read(|| Workforce::device(&holder)).unwrap();
    assert!(!device.is_quarantined());
}

#[test]
fn what_a_contract_has_is_told_by_contract_holder_and_owner() {
    let mut world = World::of(2);
    let (contract, holder) = (world.contract(), world.holder());
    world.chain.read(|| {
        let owner = Bob.to_account_id();
        let of_owner = <Runtime as CustodyApi<Block>>::contracts_of(owner, None, 9);
        assert_eq!(of_owner.len(), 1);
        assert_eq!(of_owner[0].0, contract);
        let known = <Runtime as CustodyApi<Block>>::contract(contract).unwrap();
        assert_eq!((known.holdings, &known), (2, &of_owner[0].1));
        let group = <Runtime as CustodyApi<Block>>::contract_group(contract).unwrap();
        assert_eq!(group.members[0].account, Alice.to_account_id());
        assert!(<Runtime as CustodyApi<Block>>::refused_pieces(contract).is_empty());
        let first = <Runtime as CustodyApi<Block>>::holdings_of(contract, None, 1);
        let rest = <Runtime as CustodyApi<Block>>::holdings_of(contract, Some(first[0].0), 9);
        let mut pieces = [first[0].0.piece, rest[0].0.piece];
        pieces.sort_unstable();
        assert_eq!((pieces, rest.len()), ([0, 1], 1));
        let by_device = <Runtime as CustodyApi<Block>>::held_by(holder, None, 9);
        assert_eq!(by_device.len(), 2);
        assert!(
            by_device
                .iter()
                .all(|(place, _)| place.contract == contract)
        );
    });
}

#[test]
fn a_proxy_does_with_contracts_what_it_is_for_and_moves_no_money_to_others() {
    let contract = ContractId([1; 32]);
    let place = Place {
        contract,
        piece: 0,
        holder: DeviceId([2; 32]),
    };
    let may = |kind: ProxyKind, call: quern_custody::Call<Runtime>| kind.filter(&call.into());
    let end = || quern_custody::Call::end { contract };
    let challenge = || quern_custody::Call::challenge { place };
    let miss = || quern_custody::Call::miss { place };
    let review = || quern_custody::Call::review {
        device: place.holder,
    };
    use ProxyKind::{Any, Devices, Jobs, Masternode, NonTransfer};
    for (kind, expected) in [
        (Any, [true; 4]),
        (NonTransfer, [false; 4]),
        (Jobs, [true, false, false, false]),
        (Masternode, [false, true, true, false]),
        (Devices, [false, false, false, true]),
    ] {
        let found = [
            may(kind, end()),
            may(kind, challenge()),
            may(kind, miss()),
            may(kind, review()),
        ];
        assert_eq!(found, expected, "{kind:?}");
    }
}
