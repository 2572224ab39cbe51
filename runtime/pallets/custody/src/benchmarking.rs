//! Measures every call at its most expensive: paths and spans as long as may be, lists full, holders whose
//! accounts have to be made.

mod stage;

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
use stage::*;

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
