//! Measures every call at its most expensive: paths and spans as long as may be, lists full, holders whose
//! accounts have to be made.

use super::*;
use crate::holdings::key;
use alloc::{boxed::Box, vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::{
    BoundedVec,
    pallet_prelude::Get,
    traits::{SortedMembers, fungible::Unbalanced, tokens::Precision},
};
use frame_system::RawOrigin;
use quern_custody_rules::{challenge::check, drawn, pay};
use quern_primitives::{
    Digest,
    batch::Words,
    custody::{
        Answer, Challenge, ChallengedChunk, Contract, Held, HoldConsent, Holding, Miss, Offer,
        PaidPeriods, PieceEntry, Place, Proved, ShortProof, Standing, Step, contract_id,
    },
    group::{Group, Member},
    ids::ContractId,
    limits,
    merkle::{CHUNK_BYTES, SPAN_BYTES, SPAN_PROOF_HASHES_MAX, SpanProof, Tree, leaf},
    payload::{DeviceSignature, NodeSignature, Signed, SignedPayload},
};
use sp_core::{crypto::KeyTypeId, ed25519};

/// Where the benchmarks' keys are kept.
const KEYS: KeyTypeId = KeyTypeId(*b"qcus");

/// What everybody has who pays.
const MONEY: Amount = 1 << 80;

/// The last piece of a contract with as many as may be, whose path is the longest.
const PIECE: u32 = limits::PIECES_PER_CONTRACT_MAX - 1;

const STOP: BenchmarkError = BenchmarkError::Stop("what is staged is within the limits");

fn rich<T: Config>(name: &'static str) -> Result<AccountId, BenchmarkError> {
    let rich: AccountId = account(name, 0, 0);
    T::Currency::increase_balance(&rich, MONEY, Precision::Exact)?;
    Ok(rich)
}

fn salt(number: u32) -> [u8; 16] {
    let mut salt = [0; 16];
    salt[..4].copy_from_slice(&number.to_le_bytes());
    salt
}

/// An offer of as many pieces as may be.
fn offer(number: u32, pieces_root: Digest) -> Offer {
    Offer {
        salt: salt(number),
        pieces_root,
        pieces: limits::PIECES_PER_CONTRACT_MAX,
        copies: limits::COPIES_PER_PIECE_MAX,
        periods: limits::CONTRACT_PERIODS_MAX,
    }
}

/// A tree of so many leaves, of which only those at some places are what they would be.
fn tree(count: u32, known: &[(u32, Digest)]) -> Tree {
    let mut leaves = vec![Digest([7; 32]); count as usize];
    for (place, leaf) in known {
        if let Some(it) = leaves.get_mut(*place as usize) {
            *it = *leaf;
        }
    }
    Tree::from_leaves(leaves)
}

fn path(tree: &Tree, place: u32) -> Result<ShortProof, BenchmarkError> {
    let proof = tree.proof(place).ok_or(STOP)?;
    proof.try_into().map_err(|()| STOP)
}

/// The entry of the last piece, with these chunks.
fn entry(chunk_root: Digest) -> PieceEntry {
    PieceEntry {
        version: PieceEntry::VERSION,
        piece: PIECE,
        chunk_root,
        bytes: limits::PIECE_BYTES_MAX,
        audit_root: Digest([6; 32]),
        audit_depth: limits::AUDIT_DEPTH_MAX,
    }
}

/// So many masternodes, each with a new network key.
fn group(members: u32) -> Group {
    let members = (0..members).map(|number| Member {
        account: account("masternode", number, 0),
        node: NodeKey(sp_io::crypto::ed25519_generate(KEYS, None).0),
        is_out: false,
    });
    Group {
        members: BoundedVec::truncate_from(members.collect()),
        turn: 0,
        since: 0,
        lane_seed: None,
    }
}

/// A contract with this root and a full group, whose first member is a masternode.
fn opened<T: Config>(root: Digest) -> Result<(AccountId, ContractId), BenchmarkError> {
    let owner = rich::<T>("owner")?;
    let offer = offer(0, root);
    Pallet::<T>::do_open(owner.clone(), offer, T::CurrentTerms::get(), MONEY >> 1)?;
    let id = contract_id(&Pallet::<T>::genesis_hash(), &owner, &offer.salt);
    Awaiting::<T>::kill();
    Groups::<T>::insert(id, group(limits::GROUP_MEMBERS_MAX));
    for number in 0..limits::MASTERNODES_MAX {
        T::Masternodes::add(&account("masternode", number, 0));
    }
    Ok((owner, id))
}

fn member() -> AccountId {
    account("masternode", 0, 0)
}

/// A registered device and its key, whose account has a bond that a penalty takes from.
fn device<T: Config>() -> (DeviceId, ed25519::Public, AccountId) {
    let key = sp_io::crypto::ed25519_generate(KEYS, None);
    let (id, holder) = (DeviceId(key.0), account("holder", 0, 0));
    let bond = T::CurrentTerms::get().slash;
    T::Workers::register(id, AccountId::clone(&holder), bond);
    (id, key, holder)
}

fn sign(key: &ed25519::Public, digest: [u8; 32]) -> Result<[u8; 64], BenchmarkError> {
    sp_io::crypto::ed25519_sign(KEYS, key, &digest)
        .map(|signature| signature.0)
        .ok_or(BenchmarkError::Stop("the keystore has the key"))
}

/// Has a device hold a piece of a contract since the beginning, as if it had taken it.
fn give<T: Config>(
    place: &Place,
    account: AccountId,
    chunk_root: Digest,
    bytes: u64,
) -> Result<(), BenchmarkError> {
    let contract = Contracts::<T>::get(place.contract).ok_or(STOP)?;
    let price = pay::price(&contract.terms, bytes).ok_or(STOP)?;
    let holding = Holding {
        account,
        chunk_root,
        bytes,
        price,
        since: 0,
        until: None,
        paid: PaidPeriods::default(),
        is_challenged: false,
        proved_in: None,
    };
    let reserved = price.saturating_mul(contract.ends.into());
    let mut after = contract.clone();
    after.holdings = after.holdings.saturating_add(1);
    after.running = after.running.saturating_add(price);
    after.escrow.reserved = after.escrow.reserved.saturating_add(reserved);
    Pallet::<T>::keep(place.contract, &contract.escrow, after)?;
    Holders::<T>::mutate(place.contract, place.piece, |count| {
        *count = count.saturating_add(1);
    });
    HeldBy::<T>::insert(place.holder, (place.contract, place.piece), ());
    Pallet::<T>::put_holding(place, holding);
    Ok(())
}

/// A contract of which a device holds the last piece, with these chunks.
fn held<T: Config>(chunk_root: Digest) -> Result<(AccountId, Place, AccountId), BenchmarkError> {
    let (owner, contract) = opened::<T>(Digest([5; 32]))?;
    let (holder, _, account) = device::<T>();
    let place = Place {
        contract,
        piece: PIECE,
        holder,
    };
    give::<T>(&place, account.clone(), chunk_root, limits::PIECE_BYTES_MAX)?;
    Ok((owner, place, account))
}

/// Has the randomness of the present period be known.
fn begin<T: Config>() {
    let _ = Pallet::<T>::begin_periods(|| Some(Digest([9; 32])));
}

/// Has a member of the group challenge a holding.
fn challenged<T: Config>(place: &Place) -> Result<Challenge, BenchmarkError> {
    T::Currency::increase_balance(&member(), MONEY, Precision::Exact)?;
    begin::<T>();
    Pallet::<T>::do_challenge(member(), place)?;
    Challenges::<T>::get(place).ok_or(STOP)
}

/// Has a contract, and what is held of it, be over at the height that the clock has.
fn make_over<T: Config>(id: ContractId) -> Result<(), BenchmarkError> {
    let contract: Contract = Contracts::<T>::get(id).ok_or(STOP)?;
    let mut after = contract.clone();
    (after.ends, after.running, after.escrow.reserved) = (0, 0, 0);
    Pallet::<T>::keep(id, &contract.escrow, after)?;
    Ok(())
}

/// A miss as long as any.
fn miss_of(place: Place) -> Miss {
    Miss {
        place,
        chunk_root: Digest([1; 32]),
        bytes: limits::PIECE_BYTES_MAX,
        seed: Digest([2; 32]),
        period: 1,
        opened_at: 1,
        due: 2,
        answered: 7,
        step: Step::Penalty,
        slash: 1,
    }
}

/// What a device is that is contained since the beginning, and full lists of what it missed.
fn contain<T: Config>(place: &Place) {
    let standing = Standing {
        warned_at: Some(0),
        contained_at: Some(0),
        missed_at: 0,
    };
    Standings::<T>::insert(place.holder, standing);
    let misses = vec![miss_of(*place); MISSES_KEPT_MAX as usize];
    Misses::<T>::insert(place.holder, BoundedVec::truncate_from(misses));
}

/// A device that is challenged, its account, and the last part of what it was asked for.
fn last_part<T: Config>() -> Result<(Place, AccountId, Answer), BenchmarkError> {
    let (_, place, holder) = held::<T>(Digest([8; 32]))?;
    let opened = challenged::<T>(&place)?;
    // What is asked for does not hang on the root, so that may be made to fit.
    let count = limits::PIECE_BYTES_MAX.div_ceil(CHUNK_BYTES as u64) as u32;
    let drawn = drawn::chunks(&opened.seed, count);
    let bytes = vec![3; CHUNK_BYTES];
    let known = drawn.iter().map(|index| (*index, leaf(*index, &bytes)));
    let known: Vec<_> = known.collect();
    let tree = tree(count, &known);
    Holdings::<T>::mutate(key(&place), |kept| {
        if let Some(holding) = kept {
            holding.chunk_root = tree.root();
        }
    });
    // All others are shown, so that this part is the last.
    let others = Challenge {
        answered: 0b1110,
        ..opened
    };
    Challenges::<T>::insert(place, others);
    let mut chunks = vec![];
    for index in drawn::part(&drawn, 0).ok_or(STOP)? {
        chunks.push(ChallengedChunk {
            bytes: BoundedVec::truncate_from(bytes.clone()),
            proof: path(&tree, *index)?,
        });
    }
    let shown = Answer {
        part: 0,
        chunks: BoundedVec::truncate_from(chunks),
    };
    Ok((place, holder, shown))
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn begin_periods(l: Linear<0, PERIOD_LENGTHS_MAX>) -> Result<(), BenchmarkError> {
        let lengths = (1..=l).map(|blocks| PeriodLength {
            blocks,
            contracts: 1,
            known: None,
        });
        let lengths: Vec<_> = lengths.collect();
        Lengths::<T>::put(BoundedVec::truncate_from(lengths));
        // Reads the chain's randomness, but takes a number where the state of a benchmark holds none.
        let random = || Pallet::<T>::fresh_randomness().or(Some(Digest([9; 32])));

        #[block]
        {
            Pallet::<T>::begin_periods(random);
        }

        assert!(Lengths::<T>::get().iter().all(|it| it.known.is_some()));
        Ok(())
    }

    #[benchmark]
    fn draw_groups(n: Linear<1, CONTRACTS_AWAITING_MAX>) -> Result<(), BenchmarkError> {
        for number in 0..limits::MASTERNODES_MAX {
            let masternode = account("masternode", number, 0);
            T::Masternodes::add(&masternode);
            let node = NodeKey([1; 32]);
            T::Operators::publish(&masternode, node);
        }
        let waiting = (0..n).map(|number| {
            let owner: AccountId = account("owner", number, 0);
            Waiting {
                contract: contract_id(&Pallet::<T>::genesis_hash(), &owner, &salt(number)),
                owner,
                opened_in: 0,
            }
        });
        Awaiting::<T>::put(BoundedVec::truncate_from(waiting.collect()));
        let random = |contract: &ContractId| {
            let number = Pallet::<T>::random(contract).map_or(7, |(number, _)| number);
            Some((number, BlockNumber::MAX))
        };
        let size = u8::try_from(limits::GROUP_MEMBERS_MAX).unwrap_or(u8::MAX);

        #[block]
        {
            Pallet::<T>::draw_groups(size, random);
        }

        assert_eq!(Groups::<T>::iter_keys().count(), n as usize);
        Ok(())
    }

    #[benchmark]
    fn open() -> Result<(), BenchmarkError> {
        let owner = rich::<T>("owner")?;
        let others = (1..CONTRACTS_AWAITING_MAX).map(|number| Waiting {
            contract: ContractId([1; 32]),
            owner: account("other", number, 0),
            opened_in: 0,
        });
        Awaiting::<T>::put(BoundedVec::truncate_from(others.collect()));
        let (offer, terms) = (offer(0, Digest([5; 32])), T::CurrentTerms::get());

        #[extrinsic_call]
        _(RawOrigin::Signed(owner.clone()), offer, terms, MONEY >> 1);

        assert_eq!(OpenContracts::<T>::get(&owner), 1);
        Ok(())
    }

    #[benchmark]
    fn hold() -> Result<(), BenchmarkError> {
        let entry = entry(Digest([8; 32]));
        let count = limits::PIECES_PER_CONTRACT_MAX;
        let tree = tree(count, &[(PIECE, leaf(PIECE, &entry.encode()))]);
        let (_, contract) = opened::<T>(tree.root())?;
        let (device, key, account) = device::<T>();
        let terms = T::CurrentTerms::get();
        let payload = HoldConsent {
            contract,
            device,
            account,
            since: pay::period_at(&terms, Pallet::<T>::clock()).saturating_add(1),
            entry,
            terms,
        };
        let digest = payload.signing_digest(&Pallet::<T>::genesis_hash());
        let signature = DeviceSignature(sign(&key, digest)?);
        let consent = Box::new(Signed { payload, signature });
        let path = path(&tree, PIECE)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(member()), consent, path);

        assert_eq!(Holders::<T>::get(contract, PIECE), 1);
        Ok(())
    }

    #[benchmark]
    fn refuse() -> Result<(), BenchmarkError> {
        let shown = vec![3; SPAN_BYTES];
        let span = SpanProof {
            span: 0,
            count: u32::MAX,
            siblings: BoundedVec::truncate_from(vec![
                Digest([4; 32]);
                SPAN_PROOF_HASHES_MAX as usize
            ]),
        };
        let entry = entry(span.root_over(&shown).ok_or(STOP)?);
        let count = limits::PIECES_PER_CONTRACT_MAX;
        let tree = tree(count, &[(PIECE, leaf(PIECE, &entry.encode()))]);
        let (_, contract) = opened::<T>(tree.root())?;
        let refused: Vec<_> = (1..REFUSED_PIECES_MAX).collect();
        Refused::<T>::insert(contract, BoundedVec::truncate_from(refused));
        let (path, shown) = (path(&tree, PIECE)?, BoundedVec::truncate_from(shown));

        #[extrinsic_call]
        _(
            RawOrigin::Signed(member()),
            contract,
            entry,
            path,
            span,
            shown,
        );

        assert!(Refused::<T>::get(contract).contains(&PIECE));
        Ok(())
    }

    #[benchmark]
    fn prove(
        h: Linear<0, { limits::HOLDERS_PER_CERTIFICATE_MAX }>,
        c: Linear<1, { limits::GROUP_MEMBERS_MAX }>,
    ) -> Result<(), BenchmarkError> {
        let (_, contract) = opened::<T>(Digest([5; 32]))?;
        Groups::<T>::insert(contract, group(c));
        // One at least, or nothing is paid and the call is refused.
        let mut holders = vec![];
        for piece in 0..h.max(1) {
            let holder = DeviceId([0xd; 32]);
            let place = Place {
                contract,
                piece,
                holder,
            };
            let account = account("holder", piece, 0);
            give::<T>(&place, account, Digest([8; 32]), limits::PIECE_BYTES_MAX)?;
            let device = holder;
            holders.push(Held { piece, device });
        }
        let period = pay::period_at(&T::CurrentTerms::get(), Pallet::<T>::clock());
        let proved = Proved {
            contract,
            period,
            holders: BoundedVec::truncate_from(holders),
        };
        let digest = proved.signing_digest(&Pallet::<T>::genesis_hash());
        let group = Groups::<T>::get(contract).ok_or(STOP)?;
        let mut words = vec![];
        for (place, member) in (0u8..).zip(&group.members) {
            let key = ed25519::Public::from_raw(member.node.0);
            let word = NodeSignature(sign(&key, digest)?);
            words.push((place, word));
        }
        let words: Words = BoundedVec::truncate_from(words);

        #[extrinsic_call]
        _(RawOrigin::Signed(member()), proved, words);

        let paid = Holdings::<T>::iter_prefix_values((contract,));
        assert!(paid.map(|it| it.paid.count).sum::<u32>() >= h);
        Ok(())
    }

    #[benchmark]
    fn challenge() -> Result<(), BenchmarkError> {
        let (_, place, _) = held::<T>(Digest([8; 32]))?;
        T::Currency::increase_balance(&member(), MONEY, Precision::Exact)?;
        begin::<T>();

        #[extrinsic_call]
        _(RawOrigin::Signed(member()), place);

        assert!(Challenges::<T>::contains_key(place));
        Ok(())
    }

    #[benchmark]
    fn answer() -> Result<(), BenchmarkError> {
        let (place, holder, shown) = last_part::<T>()?;

        #[extrinsic_call]
        _(RawOrigin::Signed(holder), place, shown);

        assert!(!Challenges::<T>::contains_key(place));
        Ok(())
    }

    /// Of an answer what is checking it: the draw, eight chunks and their ways up the tree.
    #[benchmark(extra)]
    fn check_answer() -> Result<(), BenchmarkError> {
        let (place, _, shown) = last_part::<T>()?;
        let holding = Holdings::<T>::get(key(&place)).ok_or(STOP)?;
        let asked = Challenges::<T>::get(place).ok_or(STOP)?;
        let checked;

        #[block]
        {
            checked = check(&holding, &asked, &shown);
        }

        assert!(checked.is_ok_and(|(shown, parts)| shown.answered.count_ones() == parts));
        Ok(())
    }

    #[benchmark]
    fn miss() -> Result<(), BenchmarkError> {
        let (_, place, _) = held::<T>(Digest([8; 32]))?;
        // Contained before it was opened, so that a penalty follows.
        T::Clock::set(1);
        let opened = challenged::<T>(&place)?;
        contain::<T>(&place);
        T::Clock::set(opened.due.saturating_add(1));

        #[extrinsic_call]
        _(RawOrigin::Signed(member()), place);

        assert!(!Challenges::<T>::contains_key(place));
        Ok(())
    }

    #[benchmark]
    fn look_for_due() -> Result<(), BenchmarkError> {
        let (_, place, _) = held::<T>(Digest([8; 32]))?;
        challenged::<T>(&place)?;
        let room = T::WeightInfo::look_for_due();

        #[block]
        {
            Pallet::<T>::miss_due(room);
        }

        assert!(Challenges::<T>::contains_key(place));
        Ok(())
    }

    #[benchmark]
    fn release() -> Result<(), BenchmarkError> {
        let (_, place, _) = held::<T>(Digest([8; 32]))?;
        // The first of those who are needed comes last.
        let terms = T::CurrentTerms::get();
        let period = pay::period_at(&terms, Pallet::<T>::clock());
        let voices = 0b1110;
        Wishes::<T>::insert(place, Wish { period, voices });

        #[extrinsic_call]
        _(RawOrigin::Signed(member()), place);

        assert_eq!(Holders::<T>::get(place.contract, PIECE), 0);
        Ok(())
    }

    #[benchmark]
    fn forget() -> Result<(), BenchmarkError> {
        let (_, place, _) = held::<T>(Digest([8; 32]))?;
        Holdings::<T>::mutate(key(&place), |kept| {
            if let Some(holding) = kept {
                (holding.price, holding.until) = (0, None);
            }
        });
        make_over::<T>(place.contract)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(member()), place);

        assert!(!Holdings::<T>::contains_key(key(&place)));
        Ok(())
    }

    #[benchmark]
    fn renew() -> Result<(), BenchmarkError> {
        let (owner, id) = opened::<T>(Digest([5; 32]))?;
        let contract: Contract = Contracts::<T>::get(id).ok_or(STOP)?;
        let ends = contract.ends.saturating_sub(2);
        Contracts::<T>::insert(id, Contract { ends, ..contract });

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), id, 1, MONEY >> 2);

        let deposited = Contracts::<T>::get(id).map(|it| it.escrow.deposited);
        assert_eq!(deposited, Some((MONEY >> 1) + (MONEY >> 2)));
        Ok(())
    }

    #[benchmark]
    fn end() -> Result<(), BenchmarkError> {
        let (owner, place, _) = held::<T>(Digest([8; 32]))?;
        let before = Contracts::<T>::get(place.contract).map(|it| it.ends);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner), place.contract);

        let after = Contracts::<T>::get(place.contract).map(|it| it.ends);
        assert!(after < before);
        Ok(())
    }

    #[benchmark]
    fn close() -> Result<(), BenchmarkError> {
        let (owner, id) = opened::<T>(Digest([5; 32]))?;
        make_over::<T>(id)?;
        let refused: Vec<_> = (0..REFUSED_PIECES_MAX).collect();
        Refused::<T>::insert(id, BoundedVec::truncate_from(refused));

        #[extrinsic_call]
        _(RawOrigin::Signed(member()), id);

        assert_eq!(OpenContracts::<T>::get(&owner), 0);
        Ok(())
    }

    #[benchmark]
    fn review() -> Result<(), BenchmarkError> {
        let (_, place, holder) = held::<T>(Digest([8; 32]))?;
        contain::<T>(&place);
        T::Clock::set(limits::REVIEW_PERIOD_BLOCKS);

        #[extrinsic_call]
        _(RawOrigin::Signed(holder), place.holder);

        assert!(!Misses::<T>::contains_key(place.holder));
        Ok(())
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::mock::genesis_with_keystore(),
        crate::mock::Test
    );
}
