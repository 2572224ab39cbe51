//! What the benchmarks need to be there before the call that is measured.

use super::*;

/// Where the benchmarks' keys are kept.
pub(super) const KEYS: KeyTypeId = KeyTypeId(*b"qcus");

/// What everybody has who pays.
pub(super) const MONEY: Amount = 1 << 80;

/// The last piece of a contract with as many as may be, whose path is the longest.
pub(super) const PIECE: u32 = limits::PIECES_PER_CONTRACT_MAX - 1;

pub(super) const STOP: BenchmarkError = BenchmarkError::Stop("what is staged is within the limits");

pub(super) fn rich<T: Config>(name: &'static str) -> Result<AccountId, BenchmarkError> {
    let rich: AccountId = account(name, 0, 0);
    T::Currency::increase_balance(&rich, MONEY, Precision::Exact)?;
    Ok(rich)
}

pub(super) fn salt(number: u32) -> [u8; 16] {
    let mut salt = [0; 16];
    salt[..4].copy_from_slice(&number.to_le_bytes());
    salt
}

/// An offer of as many pieces as may be.
pub(super) fn offer(number: u32, pieces_root: Digest) -> Offer {
    Offer {
        salt: salt(number),
        pieces_root,
        pieces: limits::PIECES_PER_CONTRACT_MAX,
        copies: limits::COPIES_PER_PIECE_MAX,
        periods: limits::CONTRACT_PERIODS_MAX,
    }
}

/// A tree of so many leaves, of which only those at some places are what they would be.
pub(super) fn tree(count: u32, known: &[(u32, Digest)]) -> Tree {
    let mut leaves = vec![Digest([7; 32]); count as usize];
    for (place, leaf) in known {
        if let Some(it) = leaves.get_mut(*place as usize) {
            *it = *leaf;
        }
    }
    Tree::from_leaves(leaves)
}

pub(super) fn path(tree: &Tree, place: u32) -> Result<ShortProof, BenchmarkError> {
    let proof = tree.proof(place).ok_or(STOP)?;
    proof.try_into().map_err(|()| STOP)
}

/// The entry of the last piece, with these chunks.
pub(super) fn entry(chunk_root: Digest) -> PieceEntry {
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
pub(super) fn group(members: u32) -> Group {
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
pub(super) fn opened<T: Config>(root: Digest) -> Result<(AccountId, ContractId), BenchmarkError> {
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

pub(super) fn member() -> AccountId {
    account("masternode", 0, 0)
}

/// A registered device and its key, whose account has a bond that a penalty takes from.
pub(super) fn device<T: Config>() -> (DeviceId, ed25519::Public, AccountId) {
    let key = sp_io::crypto::ed25519_generate(KEYS, None);
    let (id, holder) = (DeviceId(key.0), account("holder", 0, 0));
    let bond = T::CurrentTerms::get().slash;
    T::Workers::register(id, AccountId::clone(&holder), bond);
    (id, key, holder)
}

pub(super) fn sign(key: &ed25519::Public, digest: [u8; 32]) -> Result<[u8; 64], BenchmarkError> {
    sp_io::crypto::ed25519_sign(KEYS, key, &digest)
        .map(|signature| signature.0)
        .ok_or(BenchmarkError::Stop("the keystore has the key"))
}

/// Has a device hold a piece of a contract since the beginning, as if it had taken it.
pub(super) fn give<T: Config>(
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
pub(super) fn held<T: Config>(
    chunk_root: Digest,
) -> Result<(AccountId, Place, AccountId), BenchmarkError> {
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
pub(super) fn begin<T: Config>() {
    let _ = Pallet::<T>::begin_periods(|| Some(Digest([9; 32])));
}

/// Has a member of the group challenge a holding.
pub(super) fn challenged<T: Config>(place: &Place) -> Result<Challenge, BenchmarkError> {
    T::Currency::increase_balance(&member(), MONEY, Precision::Exact)?;
    begin::<T>();
    Pallet::<T>::do_challenge(member(), place)?;
    Challenges::<T>::get(place).ok_or(STOP)
}

/// Has a contract, and what is held of it, be over at the height that the clock has.
pub(super) fn make_over<T: Config>(id: ContractId) -> Result<(), BenchmarkError> {
    let contract: Contract = Contracts::<T>::get(id).ok_or(STOP)?;
    let mut after = contract.clone();
    (after.ends, after.running, after.escrow.reserved) = (0, 0, 0);
    Pallet::<T>::keep(id, &contract.escrow, after)?;
    Ok(())
}

/// A miss as long as any.
pub(super) fn miss_of(place: Place) -> Miss {
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
pub(super) fn contain<T: Config>(place: &Place) {
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
pub(super) fn last_part<T: Config>() -> Result<(Place, AccountId, Answer), BenchmarkError> {
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
