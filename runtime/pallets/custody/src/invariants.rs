//! What always holds of contracts, of who holds what, and of their money.

use crate::{
    Awaiting, Challenges, Config, Contracts, ContractsOf, DueChallenges, Groups, HeldBy,
    HoldReason, Holders, Holdings, Lengths, MISSES_KEPT_MAX, Misses, OPEN_CONTRACTS_PER_OWNER_MAX,
    OpenContracts, Pallet, Refused, Remains, Standings, TotalPutUp, Totals, Wishes,
    challenges::key_of, holdings::key,
};
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::{ensure, traits::fungible::hold::Inspect};
use quern_custody_rules::{life, pay};
use quern_primitives::{
    AccountId, Amount, BlockNumber,
    custody::{Contract, Escrow, Holding, Place, Standing, Step},
    ids::{ContractId, Period, PieceIndex},
};
use sp_runtime::TryRuntimeError;

/// An owner's open contracts and what is held for them.
#[derive(Clone, Copy, Default)]
struct Open {
    contracts: u32,
    held: Amount,
}

impl<T: Config> Pallet<T> {
    /// Checks the storage against the pallet's invariants:
    ///
    /// - each contract: paid + network + refunded + held = deposited, and what is reserved is no more than is
    ///   held, and exactly what the unpaid periods of its holdings cost;
    /// - each contract's holdings and challenges are counted, and of each piece no more devices hold it than the
    ///   owner pays for; of a contract that is closed only holdings are left, and counted;
    /// - who holds what is listed by device as by contract;
    /// - each challenge is of a holding that says so, and waits in the order of the heights up to which it may
    ///   be answered, unless that is over and it is left to the call; each account's hold is the bonds of those
    ///   it opened, and their total is right;
    /// - each owner: what is held on the account is the sum over the open contracts, which are listed, counted
    ///   and within their limit;
    /// - each contract has a group, of different masternodes, or waits for one;
    /// - the lengths of a period are those of the open contracts, counted, and of none a period is known that
    ///   has not begun;
    /// - what is refused is of open contracts, and wishes are of holdings that nobody has given up;
    /// - misses are kept of devices that have a standing, and a device is contained only after a warning;
    /// - the totals are what all contracts' money came to.
    ///
    /// Reads every contract and holding there is: for tests and auditors.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut owners = BTreeMap::<AccountId, Open>::new();
        let (mut held, mut reserved): (Amount, Amount) = (0, 0);
        for (id, contract) in Contracts::<T>::iter() {
            check_contract::<T>(&id, &contract)?;
            ensure!(
                ContractsOf::<T>::contains_key(&contract.owner, id),
                "a contract is not on its owner's list"
            );
            let escrow = contract.escrow;
            let open = owners.entry(contract.owner).or_default();
            open.contracts = open.contracts.saturating_add(1);
            open.held = open.held.saturating_add(escrow.held);
            held = held.saturating_add(escrow.held);
            reserved = reserved.saturating_add(escrow.reserved);
        }
        let totals = Totals::<T>::get();
        check_sum(&totals)?;
        ensure!(
            (totals.held, totals.reserved) == (held, reserved),
            "the totals are not the sum over all open contracts"
        );
        check_owners::<T>(&owners)?;
        check_holdings::<T>()?;
        check_challenges::<T>()?;
        check_groups::<T>()?;
        check_lengths::<T>()?;
        check_lists::<T>()?;
        check_standings::<T>()
    }
}

/// Whether what was deposited is what was paid and went back and is held.
fn check_sum(escrow: &Escrow) -> Result<(), TryRuntimeError> {
    let gone = [escrow.paid, escrow.network, escrow.refunded];
    let accounted = gone
        .into_iter()
        .try_fold(escrow.held, |sum, part| sum.checked_add(part));
    ensure!(
        accounted == Some(escrow.deposited),
        "money does not add up to what was deposited"
    );
    ensure!(
        escrow.reserved <= escrow.held,
        "more is reserved than is held"
    );
    Ok(())
}

/// What the periods of a holding cost that are not paid.
fn unpaid(contract: &Contract, holding: &Holding) -> Option<Amount> {
    let periods = pay::until(contract, holding).checked_sub(holding.since)?;
    let unpaid = periods.checked_sub(holding.paid.count)?;
    holding.price.checked_mul(unpaid.into())
}

fn check_contract<T: Config>(id: &ContractId, contract: &Contract) -> Result<(), TryRuntimeError> {
    check_sum(&contract.escrow)?;
    ensure!(
        life::check_terms(&contract.terms).is_ok(),
        "a contract has terms that cannot be"
    );
    let (mut holdings, mut challenges) = (0u32, 0u32);
    let (mut running, mut reserved): (Amount, Amount) = (0, 0);
    let mut holders = BTreeMap::<PieceIndex, u8>::new();
    for ((piece, _), holding) in Holdings::<T>::iter_prefix((id,)) {
        ensure!(
            piece < contract.offer.pieces,
            "a piece is held that the contract has not"
        );
        ensure!(
            pay::price(&contract.terms, holding.bytes) == Some(holding.price),
            "a piece has another price than its bytes"
        );
        let owed =
            unpaid(contract, &holding).ok_or("more periods are paid than a piece is held")?;
        reserved = reserved.saturating_add(owed);
        holdings = holdings.saturating_add(1);
        challenges = challenges.saturating_add(holding.is_challenged.into());
        match holding.until {
            Some(until) => ensure!(
                until <= contract.ends,
                "a piece is held beyond its contract"
            ),
            None => {
                running = running.saturating_add(holding.price);
                let count = holders.entry(piece).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    ensure!(
        (holdings, challenges) == (contract.holdings, contract.challenges),
        "a contract's holdings or challenges are miscounted"
    );
    ensure!(
        (running, reserved) == (contract.running, contract.escrow.reserved),
        "what is reserved is not what the holdings cost"
    );
    ensure!(
        holders
            .values()
            .all(|count| *count <= contract.offer.copies),
        "more devices hold a piece than the owner pays for"
    );
    ensure!(
        Holders::<T>::iter_prefix(id).collect::<BTreeMap<_, _>>() == holders,
        "who holds a piece is miscounted"
    );
    Ok(())
}

fn check_owners<T: Config>(owners: &BTreeMap<AccountId, Open>) -> Result<(), TryRuntimeError> {
    for (owner, open) in owners {
        ensure!(
            Pallet::<T>::escrow_of(owner) == open.held,
            "what is held on an account is not the sum over its open contracts"
        );
        ensure!(
            OpenContracts::<T>::get(owner) == open.contracts
                && open.contracts <= OPEN_CONTRACTS_PER_OWNER_MAX,
            "an owner's open contracts are miscounted, or too many"
        );
    }
    ensure!(
        OpenContracts::<T>::iter_keys().count() == owners.len(),
        "an owner without open contracts is counted"
    );
    ensure!(
        ContractsOf::<T>::iter_keys().count() == Contracts::<T>::iter_keys().count(),
        "an owner's list names a contract that is none of its open ones"
    );
    Ok(())
}

/// Who holds what is listed by device, and what is left of contracts that are closed is counted.
fn check_holdings<T: Config>() -> Result<(), TryRuntimeError> {
    let mut left = BTreeMap::<ContractId, u32>::new();
    let mut running_left = BTreeMap::<(ContractId, PieceIndex), u8>::new();
    let mut all = 0usize;
    for ((contract, piece, device), holding) in Holdings::<T>::iter() {
        all = all.saturating_add(1);
        ensure!(
            HeldBy::<T>::contains_key(device, (contract, piece)),
            "a holding is not on its device's list"
        );
        if !Contracts::<T>::contains_key(contract) {
            ensure!(
                !holding.is_challenged,
                "a challenge is open of a contract that is closed"
            );
            let count = left.entry(contract).or_default();
            *count = count.saturating_add(1);
            if holding.until.is_none() {
                let count = running_left.entry((contract, piece)).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    ensure!(
        HeldBy::<T>::iter_keys().count() == all,
        "a device's list names what it does not hold"
    );
    ensure!(
        Remains::<T>::iter().collect::<BTreeMap<_, _>>() == left,
        "what is left of contracts that are closed is miscounted"
    );
    let counted = Holders::<T>::iter().filter(|(id, ..)| !Contracts::<T>::contains_key(id));
    let counted: BTreeMap<_, _> = counted
        .map(|(id, piece, count)| ((id, piece), count))
        .collect();
    ensure!(
        counted == running_left,
        "who held a piece of a contract that is closed is miscounted"
    );
    Ok(())
}

fn check_challenges<T: Config>() -> Result<(), TryRuntimeError> {
    let mut put_up = BTreeMap::<AccountId, Amount>::new();
    let (mut open, mut waiting) = (0usize, 0usize);
    for (place, challenge) in Challenges::<T>::iter() {
        open = open.saturating_add(1);
        let holding = Holdings::<T>::get(key(&place)).ok_or("a challenge is of no holding")?;
        ensure!(
            holding.is_challenged,
            "a holding does not know of its challenge"
        );
        let is_waiting = DueChallenges::<T>::contains_key(key_of(challenge.due), place);
        ensure!(
            is_waiting || challenge.due < Pallet::<T>::clock(),
            "a challenge is not kept by the height up to which it may be answered"
        );
        waiting = waiting.saturating_add(is_waiting.into());
        let sum = put_up.entry(challenge.opener).or_default();
        *sum = sum.saturating_add(challenge.bond);
    }
    let challenged = Holdings::<T>::iter_values().filter(|holding| holding.is_challenged);
    ensure!(
        challenged.count() == open,
        "a holding waits for a challenge that is not there"
    );
    ensure!(
        DueChallenges::<T>::iter_keys().count() == waiting,
        "a height is kept of a challenge that is not open"
    );
    let total = put_up
        .values()
        .fold(Amount::MIN, |sum, bonds| sum.saturating_add(*bonds));
    ensure!(
        total == TotalPutUp::<T>::get(),
        "the total is not the sum of the challenges' bonds"
    );
    for (opener, bonds) in put_up {
        let reason = HoldReason::Challenge.into();
        ensure!(
            T::Currency::balance_on_hold(&reason, &opener) == bonds,
            "what is held is not the bonds of the account's challenges"
        );
    }
    Ok(())
}

/// Each contract has a group or waits for one.
fn check_groups<T: Config>() -> Result<(), TryRuntimeError> {
    let awaiting = Awaiting::<T>::get();
    let mut waiting = BTreeSet::new();
    for one in &awaiting {
        let owner = Contracts::<T>::get(one.contract).map(|contract| contract.owner);
        ensure!(
            owner.as_ref() == Some(&one.owner),
            "what waits for its group is no contract of that owner"
        );
        ensure!(
            waiting.insert(one.contract),
            "a contract waits for its group twice"
        );
    }
    for (id, group) in Groups::<T>::iter() {
        ensure!(
            Contracts::<T>::contains_key(id) && !waiting.contains(&id),
            "a group is of no open contract, or of one that waits for its own"
        );
        let accounts: BTreeSet<_> = group.members.iter().map(|it| &it.account).collect();
        ensure!(
            !accounts.is_empty() && accounts.len() == group.members.len(),
            "a group is empty, or a masternode twice in it"
        );
    }
    let grouped = Groups::<T>::iter_keys().count();
    ensure!(
        grouped.saturating_add(waiting.len()) == Contracts::<T>::iter_keys().count(),
        "a contract has no group and waits for none"
    );
    Ok(())
}

fn check_lengths<T: Config>() -> Result<(), TryRuntimeError> {
    let mut used = BTreeMap::<BlockNumber, u32>::new();
    for contract in Contracts::<T>::iter_values() {
        let count = used.entry(contract.terms.period_blocks).or_default();
        *count = count.saturating_add(1);
    }
    let lengths = Lengths::<T>::get();
    ensure!(
        lengths
            .iter()
            .map(|length| (length.blocks, length.contracts))
            .eq(used),
        "the lengths of a period are not those of the open contracts, in order"
    );
    let clock = Pallet::<T>::clock();
    let has_begun =
        |period: Option<Period>, present: Period| period.is_none_or(|period| period <= present);
    ensure!(
        lengths.iter().all(|length| {
            let known = length.known.map(|(period, _)| period);
            has_begun(known, length.period(clock))
        }),
        "the randomness of a period is known that has not begun"
    );
    Ok(())
}

/// What is kept beside contracts and holdings is of some that there are.
fn check_lists<T: Config>() -> Result<(), TryRuntimeError> {
    for (id, refused) in Refused::<T>::iter() {
        let contract = Contracts::<T>::get(id).ok_or("a piece is refused of no open contract")?;
        ensure!(
            !refused.is_empty()
                && refused.is_sorted_by(|one, next| one < next)
                && refused.iter().all(|it| *it < contract.offer.pieces),
            "what is refused is not in order, or none of the contract's pieces"
        );
    }
    let is_of_holding = |place: &Place| {
        Holdings::<T>::get(key(place)).is_some_and(|holding| holding.until.is_none())
    };
    ensure!(
        Wishes::<T>::iter().all(|(place, wish)| is_of_holding(&place) && wish.voices > 0),
        "a holding is to be given up that is, or is none"
    );
    Ok(())
}

fn check_standings<T: Config>() -> Result<(), TryRuntimeError> {
    for (device, standing) in Standings::<T>::iter() {
        ensure!(
            standing != Standing::default(),
            "a standing is kept of a device that missed nothing"
        );
        let misses = Misses::<T>::get(device);
        ensure!(
            !misses.is_empty() && misses.len() <= MISSES_KEPT_MAX as usize,
            "of a device that missed something nothing is kept, or too much"
        );
        ensure!(
            standing.contained_at.is_none() || standing.warned_at.is_some(),
            "a device is contained that was not warned"
        );
        ensure!(
            misses.iter().all(|miss| miss.place.holder == device
                && (miss.slash == 0 || miss.step == Step::Penalty)),
            "a miss is another's, or cost something without a penalty"
        );
    }
    ensure!(
        Misses::<T>::iter_keys().all(Standings::<T>::contains_key),
        "misses are kept of a device without a standing"
    );
    Ok(())
}
