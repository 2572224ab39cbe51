//! What the chain says of all money, held to the laws and to what the movements make.

use crate::{
    Account, Difference, JobAccount, PendingAccount, Place, Reason, Side, Snapshot, TotalName,
    replay::Differences, snapshot::sum,
};
use quern_primitives::{AccountId, Amount, BlockNumber, JobId, view::Totals};
use std::collections::{BTreeMap, BTreeSet};

/// Holds what the chain says at one block to the laws.
pub(crate) fn check(snapshot: &Snapshot, differences: &mut Differences) {
    let at = Place {
        block: snapshot.block,
        transaction: None,
    };
    let totals = &snapshot.totals;
    let accounts = snapshot.accounts.values();
    let balances = accounts.clone().map(Account::total);
    let balances = balances.collect::<Option<Vec<_>>>().and_then(sum);
    let made = totals.genesis.checked_add(totals.minted);
    let made = made.and_then(|made| made.checked_sub(totals.burnt));
    for (law, expected) in [(TotalName::Minted, made), (TotalName::Balances, balances)] {
        if expected != Some(totals.issuance) {
            differences.add(Difference::Issuance {
                at,
                law,
                expected: expected.unwrap_or(Amount::MAX),
                issuance: totals.issuance,
            });
        }
    }
    for (name, reason, chain) in [
        (TotalName::Escrow, Reason::Escrow, totals.escrow),
        (TotalName::Bonds, Reason::Bond, totals.bonds),
        (
            TotalName::MasternodeBonds,
            Reason::MasternodeBond,
            totals.masternode_bonds,
        ),
        (TotalName::Disputes, Reason::Dispute, totals.disputes),
        (TotalName::Payouts, Reason::Payout, totals.payouts),
        (TotalName::Custody, Reason::Custody, totals.custody()),
    ] {
        let held = sum(accounts.clone().map(|account| account.held_for(&reason)));
        let replayed = held.unwrap_or(Amount::MAX);
        hold_total(snapshot.block, name, replayed, chain, differences);
    }
    check_jobs(snapshot, at, differences);
}

fn check_jobs(snapshot: &Snapshot, at: Place, differences: &mut Differences) {
    let mut owners: BTreeMap<&AccountId, Amount> = BTreeMap::new();
    for (job, known) in &snapshot.jobs {
        if !known.is_conserved() {
            differences.add(Difference::NotConserved {
                at,
                job: *job,
                deposited: known.escrow.deposited,
                accounted: known.accounted().unwrap_or(Amount::MAX),
            });
        }
        let held = known.on_hold();
        if !known.is_set_aside() {
            let batches = known.pending.values().map(PendingAccount::spent);
            differences.add(Difference::Job {
                block: at.block,
                job: *job,
                side: Side::Pending,
                replayed: sum(batches).unwrap_or(Amount::MAX),
                chain: known.escrow.pending,
            });
        }
        if known.open {
            let of_owner = owners.entry(&known.owner).or_default();
            *of_owner = of_owner.saturating_add(held);
        } else if held > 0 {
            let job = *job;
            differences.add(Difference::StillHeld { at, job, held });
        }
        if !known.counts_its_tasks() {
            differences.add(Difference::Job {
                block: at.block,
                job: *job,
                side: Side::SettledTasks,
                replayed: crate::tasks::count(&known.settled).into(),
                chain: known.settled_tasks.into(),
            });
        }
    }
    let holders = snapshot.accounts.iter();
    let holders = holders.filter(|(_, known)| known.held_for(&Reason::Escrow) > 0);
    let all: BTreeSet<_> = holders.map(|(account, _)| account).collect();
    for account in all
        .into_iter()
        .chain(owners.keys().copied())
        .collect::<BTreeSet<_>>()
    {
        let known = snapshot.accounts.get(account);
        let held = known.map_or(0, |it| it.held_for(&Reason::Escrow));
        let jobs = owners.get(account).copied().unwrap_or(0);
        if held != jobs {
            differences.add(Difference::Escrow {
                at,
                account: account.clone(),
                held,
                jobs,
            });
        }
    }
}

/// Compares the sums.
pub(crate) fn compare_totals(
    block: BlockNumber,
    replayed: &Totals,
    chain: &Totals,
    differences: &mut Differences,
) {
    let pairs = [
        (TotalName::Issuance, replayed.issuance, chain.issuance),
        (TotalName::Genesis, replayed.genesis, chain.genesis),
        (TotalName::Minted, replayed.minted, chain.minted),
        (TotalName::Burnt, replayed.burnt, chain.burnt),
        (TotalName::Escrow, replayed.escrow, chain.escrow),
        (TotalName::Pending, replayed.pending, chain.pending),
        (TotalName::Bonds, replayed.bonds, chain.bonds),
        (TotalName::Payouts, replayed.payouts, chain.payouts),
        (
            TotalName::MasternodeBonds,
            replayed.masternode_bonds,
            chain.masternode_bonds,
        ),
        (TotalName::Disputes, replayed.disputes, chain.disputes),
        (TotalName::Custody, replayed.custody(), chain.custody()),
    ];
    for (name, replayed, chain) in pairs {
        hold_total(block, name, replayed, chain, differences);
    }
}

fn hold_total(
    block: BlockNumber,
    name: TotalName,
    replayed: Amount,
    chain: Amount,
    differences: &mut Differences,
) {
    if replayed != chain {
        differences.add(Difference::Total {
            block,
            name,
            replayed,
            chain,
        });
    }
}

/// Compares all.
pub(crate) fn compare(replayed: &Snapshot, chain: &Snapshot, differences: &mut Differences) {
    let block = replayed.block;
    compare_totals(block, &replayed.totals, &chain.totals, differences);
    let accounts = replayed.accounts.keys().chain(chain.accounts.keys());
    let nothing = Account::default();
    for account in accounts.collect::<BTreeSet<_>>() {
        let ours = replayed.accounts.get(account).unwrap_or(&nothing);
        let theirs = chain.accounts.get(account).unwrap_or(&nothing);
        compare_account(block, account, ours, theirs, differences);
    }
    let jobs = replayed.jobs.keys().chain(chain.jobs.keys());
    for job in jobs.collect::<BTreeSet<_>>() {
        match (replayed.jobs.get(job), chain.jobs.get(job)) {
            (Some(ours), Some(theirs))
                if ours.owner == theirs.owner && ours.open == theirs.open =>
            {
                compare_job(block, *job, ours, theirs, differences);
            }
            _ => differences.add(Difference::JobState { block, job: *job }),
        }
    }
}

fn compare_account(
    block: BlockNumber,
    account: &AccountId,
    ours: &Account,
    theirs: &Account,
    differences: &mut Differences,
) {
    let mut hold = |side, replayed: Amount, chain: Amount| {
        if replayed != chain {
            differences.add(Difference::Account {
                block,
                account: account.clone(),
                side,
                replayed,
                chain,
            });
        }
    };
    hold(Side::Free, ours.free, theirs.free);
    let reasons = ours.held.keys().chain(theirs.held.keys());
    for reason in reasons.collect::<BTreeSet<_>>() {
        let side = Side::Held(reason.clone());
        hold(side, ours.held_for(reason), theirs.held_for(reason));
    }
}

fn compare_job(
    block: BlockNumber,
    job: JobId,
    ours: &JobAccount,
    theirs: &JobAccount,
    differences: &mut Differences,
) {
    let (our, their) = (&ours.escrow, &theirs.escrow);
    let pairs = [
        (Side::Deposited, our.deposited, their.deposited),
        (Side::Paid, our.paid, their.paid),
        (Side::Network, our.network, their.network),
        (Side::Refunded, our.refunded, their.refunded),
        (Side::Pending, our.pending, their.pending),
        (Side::StillHeld, our.held, their.held),
        (
            Side::Batches,
            ours.next_batch.into(),
            theirs.next_batch.into(),
        ),
        (
            Side::SettledTasks,
            ours.settled_tasks.into(),
            theirs.settled_tasks.into(),
        ),
    ];
    for (side, replayed, chain) in pairs {
        if replayed != chain {
            differences.add(Difference::Job {
                block,
                job,
                side,
                replayed,
                chain,
            });
        }
    }
}
