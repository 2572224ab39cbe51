//! What the runtime keeps, held against the model, read in the externality of its state.

use super::{Differs, ENDOWED, MASTERNODES};
use crate::ledger::{
    draft::Cast,
    model::{
        Ledger,
        batches::Fate,
        bytechip,
        disputes::Matter,
        groups::Group,
        jobs::{self, Job, Phase},
        money::{Purpose, Purse},
        params::Numbers,
        workforce::{Device, Ending, Past},
    },
};
use frame_support::traits::fungible::{Inspect, InspectHold};
use quern_dispute_rules::{Question, open};
use quern_primitives::{
    AccountId, Amount, DeviceId, JobId,
    batch::{BatchRecord, BatchState},
    device::{self, History, Record},
    job::{self, Escrow, JobEnd, JobState},
    params::Terms,
};
use quern_runtime::{
    Balances, Bytechip, Custody, Disputes, Finality, Jobs, Params, Roster, Runtime,
    RuntimeHoldReason, Workforce,
    genesis::{BOND, ENDOWMENT},
};
use std::fmt::Debug;

/// Compares what may have changed, or `all` there is; of jobs, settled tasks and batches where
/// `is_compared` says so.
pub(super) fn everything(
    ledger: &Ledger,
    cast: &Cast,
    all: bool,
    is_compared: impl Fn(&JobId) -> bool,
) -> Differs {
    compare_money(ledger, cast)?;
    compare_roster(ledger, cast)?;
    compare_bytechip(ledger, all)?;
    compare_workforce(ledger, cast)?;
    compare_params(ledger)?;
    compare_disputes(ledger)?;
    for id in &ledger.jobs.order {
        compare_job(ledger, id, is_compared(id))?;
    }
    compare_book(ledger, all)?;
    try_state()
}

/// That something the runtime keeps is what the model has.
fn same<T: PartialEq + Debug>(what: impl FnOnce() -> String, kept: &T, expected: &T) -> Differs {
    if kept == expected {
        return Ok(());
    }
    Err(format!(
        "{}: the runtime has {kept:?}, the model {expected:?}",
        what()
    ))
}

fn held(reason: impl Into<RuntimeHoldReason>, who: &AccountId) -> Amount {
    <Balances as InspectHold<AccountId>>::balance_on_hold(&reason.into(), who)
}

fn compare_money(ledger: &Ledger, cast: &Cast) -> Differs {
    let none = Purse::default();
    for who in cast.accounts().chain([&ledger.treasury_account]) {
        let purse = ledger.money.purses.get(who).unwrap_or(&none);
        let kept = (
            Balances::free_balance(who),
            held(quern_jobs::HoldReason::Escrow, who),
            held(quern_workforce::HoldReason::Bond, who),
            held(quern_roster::HoldReason::Bond, who),
            held(quern_disputes::HoldReason::Dispute, who),
            held(quern_bytechip::HoldReason::Payout, who),
            <Balances as Inspect<AccountId>>::total_balance(who),
        );
        let expected = (
            purse.free,
            purse.held(Purpose::Escrow),
            purse.held(Purpose::Bond),
            purse.held(Purpose::MasternodeBond),
            purse.held(Purpose::Dispute),
            purse.held(Purpose::Payout),
            purse.all(),
        );
        let what = || format!("free, escrow, bonds, disputes, payout and all of {who}");
        same(what, &kept, &expected)?;
    }
    let accounts = frame_system::Account::<Runtime>::iter_values();
    let all: Amount = accounts
        .map(|account| account.data.free + account.data.reserved)
        .sum();
    let issuance = Balances::total_issuance();
    same(|| "issuance and accounts".into(), &issuance, &all)?;
    same(|| "issuance".into(), &issuance, &ledger.money.all())?;
    let genesis = ENDOWMENT * ENDOWED as Amount + BOND * MASTERNODES as Amount;
    let law = genesis + ledger.bytechip.minted - ledger.bytechip.burnt;
    same(|| "genesis, minted and burnt".into(), &issuance, &law)
}

fn compare_roster(ledger: &Ledger, cast: &Cast) -> Differs {
    let roster = &ledger.roster;
    let expected: Vec<AccountId> = roster.masternodes.iter().cloned().collect();
    same(|| "masternodes".into(), &Roster::masternodes(), &expected)?;
    let expected: Vec<AccountId> = roster.reachable.keys().cloned().collect();
    same(
        || "reachable".into(),
        &Roster::reachable_masternodes(),
        &expected,
    )?;
    for (account, network_key) in &roster.reachable {
        let kept = Roster::endpoints(account).map(|endpoints| endpoints.network_key);
        let what = || format!("what {account} published");
        same(what, &kept, &Some(*network_key))?;
    }
    for account in &cast.people {
        let bond = Roster::bond_of(account).unwrap_or_default();
        let parts = bond.unbonding.iter();
        let kept: (Amount, Vec<(u32, Amount)>) = (
            bond.active,
            parts.map(|it| (it.withdrawable_at, it.amount)).collect(),
        );
        let expected = roster.bond_of(account);
        same(|| format!("masternode bond of {account}"), &kept, &expected)?;
        let (open, bonded) = (ledger.jobs.open_of(account), roster.held(account));
        let kept = Jobs::exposure_of(account).open;
        same(|| format!("what {account} has open"), &kept, &open)?;
        if open > bonded && !roster.short.contains(account) {
            return Err(format!("{account} has {open} open and {bonded} bonded"));
        }
        let what = || format!("ban of {account}");
        let expected = roster.banned.contains(account);
        same(what, &Roster::is_banned(account), &expected)?;
    }
    let expected = roster.eligible(ledger.params.masternode_bond);
    let what = || "who jobs are given to".into();
    same(what, &Roster::bonded_masternodes(), &expected)?;
    let all = ledger.money.all_held(Purpose::MasternodeBond);
    let what = || "bonds of masternodes".into();
    same(what, &Roster::total_bonded(), &all)?;
    for device in cast.device_ids() {
        let what = || format!("verification of {device}");
        let expected = roster.verified.contains(&device);
        same(what, &Roster::is_verified(&device), &expected)?;
    }
    Ok(())
}

fn compare_bytechip(ledger: &Ledger, all: bool) -> Differs {
    let money = &ledger.bytechip;
    let treasurer = quern_bytechip::Treasurer::<Runtime>::get();
    same(
        || "treasurer".into(),
        &treasurer,
        &Some(money.treasurer.clone()),
    )?;
    let kept = (
        Bytechip::bytechips_per_dollar(),
        Bytechip::minted(),
        Bytechip::burnt(),
        Bytechip::held(),
        quern_bytechip::NextPayout::<Runtime>::get(),
    );
    let expected = (
        money.bytechips_per_dollar,
        money.minted,
        money.burnt,
        money.held(),
        money.next_payout,
    );
    let what = || "rate, minted, burnt, held and next payout".into();
    same(what, &kept, &expected)?;
    for (id, expected) in &money.open {
        let kept = quern_bytechip::Payouts::<Runtime>::get(id);
        let kept = kept.map(|kept| bytechip::Payout {
            account: kept.account,
            amount: kept.amount,
            destination: kept.destination,
            at: kept.requested_at,
        });
        same(|| format!("payout {id}"), &kept, &Some(expected.clone()))?;
    }
    let open = quern_bytechip::Payouts::<Runtime>::iter_keys().count();
    same(|| "open payouts".into(), &open, &money.open.len())?;
    if all {
        compare_papers(ledger)?;
    }
    Ok(())
}

/// Purchases and transfers stay as they are.
fn compare_papers(ledger: &Ledger) -> Differs {
    let money = &ledger.bytechip;
    for (reference, expected) in &money.purchases {
        let key: quern_bytechip::Reference = reference.clone().try_into().unwrap();
        let kept = quern_bytechip::Purchases::<Runtime>::get(key);
        let kept = kept.map(|kept| bytechip::Purchase {
            buyer: kept.buyer,
            cents: kept.cents,
            amount: kept.amount,
            at: kept.recorded_at,
        });
        same(
            || format!("purchase {reference:?}"),
            &kept,
            &Some(expected.clone()),
        )?;
    }
    for (reference, expected) in &money.transfers {
        let key: quern_bytechip::Reference = reference.clone().try_into().unwrap();
        let kept = quern_bytechip::Transfers::<Runtime>::get(key);
        let kept = kept.map(|kept| (kept.id, kept.completed_at));
        same(
            || format!("transfer {reference:?}"),
            &kept,
            &Some(*expected),
        )?;
    }
    let kept = (
        quern_bytechip::Purchases::<Runtime>::iter_keys().count(),
        quern_bytechip::Transfers::<Runtime>::iter_keys().count(),
    );
    let expected = (money.purchases.len(), money.transfers.len());
    same(|| "purchases and transfers".into(), &kept, &expected)
}

fn compare_workforce(ledger: &Ledger, cast: &Cast) -> Differs {
    let workforce = &ledger.workforce;
    for who in &cast.people {
        let bond = Workforce::bond_of(who).unwrap_or_default();
        let leaving = bond.unbonding.iter();
        let leaving: Vec<_> = leaving
            .map(|part| (part.withdrawable_at, part.amount))
            .collect();
        let kept = (bond.active, bond.devices, leaving);
        let expected = workforce.bonds.get(who).cloned().unwrap_or_default();
        let expected = (
            expected.active,
            workforce.devices_of(who),
            expected.leaving.into_iter().collect::<Vec<_>>(),
        );
        same(|| format!("bond of {who}"), &kept, &expected)?;
    }
    let bonds = ledger.money.purses.values();
    let bonds: Amount = bonds.map(|purse| purse.held(Purpose::Bond)).sum();
    same(|| "all bonds".into(), &Workforce::total_bonded(), &bonds)?;
    for id in cast.device_ids() {
        let registered = workforce.devices.get(&id).map(device_of);
        same(
            || format!("device {id}"),
            &Workforce::device(&id),
            &registered,
        )?;
        let kept = quern_workforce::RetiredDevices::<Runtime>::get(id);
        let retired = workforce.retired.get(&id).map(past_of);
        same(|| format!("retired device {id}"), &kept, &retired)?;
        let kept = quern_workforce::LastOwners::<Runtime>::get(id);
        let last = workforce.last_owners.get(&id).cloned();
        same(|| format!("last account of device {id}"), &kept, &last)?;
    }
    Ok(())
}

fn device_of(device: &Device) -> device::Device {
    let device::Past {
        record,
        history,
        last_task,
        last_review,
    } = past_of(&device.past);
    device::Device {
        account: device.account.clone(),
        sealing_key: device.sealing_key,
        region: device.region,
        hardware: device.hardware,
        record,
        history,
        last_task,
        last_review,
    }
}

fn past_of(past: &Past) -> device::Past {
    let count = |of| past.count(of) as u64;
    let bits = |of| {
        let newest = past.newest().enumerate();
        let of_kind = newest.filter(|(_, ending)| *ending == of);
        of_kind.map(|(age, _)| 1u32 << age).sum()
    };
    device::Past {
        record: Record {
            accepted: count(Ending::Accepted),
            accepted_portable: past.portable,
            failed: count(Ending::Failed),
            delayed: count(Ending::Delayed),
            incorrect: count(Ending::Incorrect),
            accepted_in_a_row: u32::try_from(past.accepted_in_a_row()).unwrap(),
            convicted: past.convicted,
        },
        history: History {
            failed: bits(Ending::Failed),
            delayed: bits(Ending::Delayed),
            incorrect: bits(Ending::Incorrect),
        },
        last_task: past.last_task.unwrap_or(0),
        last_review: past.last_review.unwrap_or(0),
    }
}

fn compare_job(ledger: &Ledger, id: &JobId, thoroughly: bool) -> Differs {
    let job = &ledger.jobs.jobs[id];
    same(|| format!("job {id}"), &Jobs::job(id), &Some(job_of(job)))?;
    let kept = Jobs::group(id).map(|group| {
        let members = group.members.iter();
        let out = (0usize..).zip(&group.members);
        Group {
            members: members
                .map(|it| (it.account.clone(), DeviceId(it.node.0)))
                .collect(),
            turn: group.turn.into(),
            out: out
                .filter(|(_, it)| it.is_out)
                .map(|(place, _)| place)
                .collect(),
            since: group.since,
        }
    });
    same(|| format!("group of {id}"), &kept, &job.group)?;
    if !thoroughly {
        return Ok(());
    }
    let settled = Jobs::settled_tasks(id);
    let settled: Vec<u32> = (0..settled.len() as u32 * 8)
        .filter(|task| (settled[*task as usize / 8] >> (task % 8)) & 1 == 1)
        .collect();
    let is_over = matches!(job.phase, Phase::Over(_));
    let expected: Vec<u32> = match is_over {
        true => Vec::new(),
        false => job.done.iter().copied().collect(),
    };
    same(|| format!("settled tasks of {id}"), &settled, &expected)?;
    for (sequence, settled) in (0..).zip(&job.batches) {
        let expected = BatchRecord {
            verdicts_root: settled.batch.verdicts_root,
            log: settled.batch.log,
            block: settled.certified.index,
            head: settled.certified.head,
            tasks: settled.tasks,
            spent: settled.batch.spent,
            paid: settled.paid,
            settled_at: settled.at,
            state: match settled.fate {
                Fate::Pending { due } => BatchState::Pending { due },
                Fate::Final { at } => BatchState::Final { at },
                Fate::Struck { at } => BatchState::Struck { at },
            },
        };
        let what = || format!("batch {sequence} of {id}");
        same(what, &Jobs::batch(id, sequence), &Some(expected))?;
    }
    Ok(())
}

fn job_of(job: &Job) -> job::Job {
    job::Job {
        owner: job.owner.clone(),
        submission: job.submission.clone(),
        prices: job.prices,
        terms: terms_of(&job.terms),
        submitted_at: job.submitted_at,
        state: match job.phase.clone() {
            Phase::Waiting => JobState::Submitted,
            Phase::Running { coordinator } => JobState::Running { coordinator },
            Phase::Cancelling { coordinator, until } => JobState::Cancelling { coordinator, until },
            Phase::Settling {
                coordinator,
                end,
                cancelled,
            } => JobState::Settling {
                coordinator,
                end,
                cancelled,
            },
            Phase::Over(JobEnd::OwnerCancelled) => JobState::Cancelled,
            Phase::Over(JobEnd::DeadlinePassed) => JobState::Expired,
            Phase::Over(end) => JobState::Completed { end },
        },
        escrow: escrow_of(&job.pots),
        settled_tasks: job.done.len() as u32,
        next_batch: job.batches.len() as u32,
        pending_batches: job.pending().len() as u32,
    }
}

fn escrow_of(pots: &jobs::Pots) -> Escrow {
    Escrow {
        deposited: pots.deposited,
        paid: pots.workers,
        network: pots.network,
        refunded: pots.owner,
        pending: pots.pending,
        held: pots.held(),
    }
}

fn compare_book(ledger: &Ledger, all: bool) -> Differs {
    let book = &ledger.jobs;
    same(|| "prices".into(), &Jobs::prices(), &book.prices)?;
    let totals = escrow_of(&book.totals());
    same(|| "all jobs' money".into(), &Jobs::totals(), &totals)?;
    let clock = ledger.finality.clock();
    same(|| "clock of finality".into(), &Finality::clock(), &clock)?;
    let awaiting: Vec<JobId> = quern_jobs::Awaiting::<Runtime>::get()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    let is_waiting = |id: &&JobId| book.jobs[*id].phase == Phase::Waiting;
    let expected: Vec<JobId> = book.order.iter().filter(is_waiting).copied().collect();
    same(|| "waiting jobs".into(), &awaiting, &expected)?;
    if all {
        let jobs = quern_jobs::Jobs::<Runtime>::iter_keys().count();
        same(|| "jobs".into(), &jobs, &book.jobs.len())?;
    }
    Ok(())
}

/// What is kept of a job, of these numbers.
fn terms_of(numbers: &Numbers) -> Terms {
    let permille = |number: Amount| u16::try_from(number).unwrap();
    Terms {
        workers_permille: permille(numbers.workers),
        operators_permille: permille(numbers.operators),
        re_execution_permille: permille(numbers.again),
        window_blocks: u32::try_from(numbers.window).unwrap(),
    }
}

fn compare_params(ledger: &Ledger) -> Differs {
    let kept = Params::current();
    let numbers = &ledger.params;
    let expected = (
        terms_of(numbers),
        [numbers.bond, numbers.masternode_bond, numbers.per_exposure],
        [numbers.group, numbers.stall],
        [numbers.dispute_bond, numbers.winner, numbers.answer_time],
        [numbers.storage, numbers.period, numbers.notice],
        [
            numbers.challenge_time,
            numbers.challenge_bond,
            numbers.missed,
        ],
    );
    let kept = (
        kept.terms(),
        [
            kept.bond_per_device,
            kept.bond_per_masternode,
            kept.bond_per_exposure_permille.into(),
        ],
        [kept.group_size.into(), kept.stall_blocks.into()],
        [
            kept.dispute_bond,
            kept.winner_permille.into(),
            kept.answer_blocks.into(),
        ],
        [
            kept.storage_rate,
            kept.storage_period_blocks.into(),
            kept.storage_notice_periods.into(),
        ],
        [
            kept.challenge_blocks.into(),
            kept.challenge_bond,
            kept.missed_piece,
        ],
    );
    same(|| "parameters".into(), &kept, &expected)
}

fn compare_disputes(ledger: &Ledger) -> Differs {
    let disputes = &ledger.disputes;
    let next = quern_disputes::NextDispute::<Runtime>::get();
    same(|| "the next dispute".into(), &next, &disputes.next)?;
    let kept = quern_disputes::Disputes::<Runtime>::iter_keys().count();
    same(|| "open disputes".into(), &kept, &disputes.open.len())?;
    for (id, dispute) in &disputes.open {
        let kept = Disputes::dispute_of(*id).map(|view| {
            let matter = match view.dispute.matter {
                open::Matter::Adding => (true, view.verdicts),
                open::Matter::Asked(Question::Verdict { task }) => (false, task),
                open::Matter::Asked(_) => (false, u32::MAX),
            };
            let batch = view.dispute.batch;
            let what = (batch.job, batch.sequence as usize, matter);
            (
                view.dispute.disputer,
                view.dispute.bond,
                view.dispute.until,
                what,
            )
        });
        let matter = match dispute.matter {
            Matter::Adding { leaves, .. } => (true, leaves),
            Matter::Asked(task) => (false, task),
        };
        let what = (dispute.job, dispute.batch, matter);
        let expected = (dispute.by.clone(), dispute.bond, dispute.until, what);
        same(|| format!("dispute {id}"), &kept, &Some(expected))?;
    }
    let kept = quern_disputes::Convictions::<Runtime>::iter_keys().count();
    same(|| "convictions".into(), &kept, &disputes.proved.len())
}

/// The pallets' own invariants.
fn try_state() -> Differs {
    let all = [
        ("roster", Roster::do_try_state()),
        ("bytechip", Bytechip::do_try_state()),
        ("workforce", Workforce::do_try_state()),
        ("finality", Finality::do_try_state()),
        ("jobs", Jobs::do_try_state()),
        ("params", Params::do_try_state()),
        ("disputes", Disputes::do_try_state()),
        ("custody", Custody::do_try_state()),
    ];
    all.into_iter()
        .try_for_each(|(pallet, holds)| holds.map_err(|broken| format!("{pallet}: {broken:?}")))
}
