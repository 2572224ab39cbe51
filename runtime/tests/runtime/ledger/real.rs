//! The runtime's side: blocks begun and ended, calls dispatched, and all that it keeps held against
//! the model.
//!
//! Calls are dispatched as a block's transactions are, but without their signatures and fees, and
//! blocks end without a state root: what those do is tested elsewhere, and costs most of the time.

use super::{
    chance::Chance,
    draft,
    model::{
        Answer, Call, Fee, Ledger, Refusal, Sender, bytechip,
        jobs::{self, Job, Phase},
        money::{self, Purpose, Purse},
        roster,
        workforce::{self, Device, Ending, Past},
    },
};
use crate::chain::{FIRST_SLOT, genesis_state, pre_digest};
use codec::Encode;
use frame_support::{
    dispatch::{Pays, PostDispatchInfo},
    traits::{
        OnFinalize, OnIdle, PalletInfoAccess,
        fungible::{Inspect, InspectHold},
    },
};
use quern_primitives::{
    AccountId, Amount, GenesisHash, JobId,
    batch::BatchRecord,
    device::{self, History, Record},
    job::{self, Escrow, JobEnd, JobState},
};
use quern_runtime::{
    AllPalletsWithSystem, Balances, Bytechip, Executive, Header, Jobs, Roster, Runtime,
    RuntimeCall, RuntimeOrigin, System, Workforce,
    configs::{council::CouncilInstance, money::TreasuryAccount},
    genesis::{ENDOWMENT, LOCAL},
    weights::{BLOCK_WEIGHT_MAX, SLOT_MILLIS},
};
use sp_consensus_babe::BABE_ENGINE_ID;
use sp_core::H256;
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    ArithmeticError, Digest, DigestItem, DispatchError, DispatchErrorWithPostInfo, ModuleError,
    MultiAddress, TokenError,
    traits::{Dispatchable, Header as _},
};
use std::fmt::Debug;

/// Accounts that have money in the preset.
const ENDOWED: usize = 12;
const MASTERNODES: usize = 4;

/// What the first block's parent is called.
const GENESIS: H256 = H256([0x51; 32]);

/// What became of a call.
pub(crate) type Said = Result<Pays, DispatchError>;

/// The runtime with its state.
pub(crate) struct Real {
    state: TestExternalities,
    slot: u64,
}

impl Real {
    /// A chain of four operators, before its first block, with who acts on it and its model.
    pub(crate) fn start() -> (Self, draft::Cast, Ledger) {
        let people: Vec<AccountId> = Sr25519Keyring::iter()
            .take(ENDOWED)
            .map(|key| key.to_account_id())
            .collect();
        let genesis = GenesisHash(GENESIS.0);
        let treasury = TreasuryAccount::get();
        let ledger = Ledger::new(genesis, treasury, &people, MASTERNODES, ENDOWMENT);
        let real = Self {
            state: genesis_state(LOCAL),
            slot: FIRST_SLOT,
        };
        (real, draft::Cast::new(people, genesis), ledger)
    }

    /// Begins the block that is so many blocks later, and tells the model of the draws: they are
    /// the chain's to make, but not whether and among whom.
    pub(crate) fn begin_block(&mut self, later: u32, ledger: &mut Ledger) -> Result<(), String> {
        let slot = self.slot;
        self.slot += 1;
        self.state.execute_with(|| {
            let number = System::block_number() + later;
            System::set_block_number(number - 1);
            let claim = DigestItem::PreRuntime(BABE_ENGINE_ID, pre_digest(slot.into()).encode());
            let digest = Digest { logs: vec![claim] };
            let root = H256::zero();
            Executive::initialize_block(&Header::new(number, root, root, GENESIS, digest));
            let now = slot * SLOT_MILLIS;
            let set = RuntimeCall::Timestamp(pallet_timestamp::Call::set { now });
            let set = set.dispatch(RuntimeOrigin::none());
            set.map_err(|refused| format!("the time is refused: {refused:?}"))?;
            ledger.now = number;
            hear_draws(ledger)
        })
    }

    pub(crate) fn end_block(&mut self) {
        self.state.execute_with(|| {
            System::note_finished_extrinsics();
            let number = System::block_number();
            <AllPalletsWithSystem as OnIdle<_>>::on_idle(number, BLOCK_WEIGHT_MAX / 2);
            <AllPalletsWithSystem as OnFinalize<_>>::on_finalize(number);
        });
    }

    pub(crate) fn call(&mut self, sender: &Sender, call: &Call) -> Said {
        let (origin, call) = (origin(sender), runtime_call(call));
        let said = self.state.execute_with(|| call.dispatch(origin));
        said.map(|info: PostDispatchInfo| info.pays_fee)
            .map_err(|refused: DispatchErrorWithPostInfo<_>| refused.error)
    }

    /// Holds everything against the model: what may have changed, or `all` there is.
    pub(crate) fn compare(
        &mut self,
        ledger: &mut Ledger,
        cast: &draft::Cast,
        all: bool,
    ) -> Differs {
        let touched = std::mem::take(&mut ledger.jobs.touched);
        let ledger = &*ledger;
        self.state.execute_with(|| {
            compare_money(ledger, cast)?;
            compare_roster(ledger, cast)?;
            compare_bytechip(ledger, all)?;
            compare_workforce(ledger, cast)?;
            for id in &ledger.jobs.order {
                compare_job(ledger, id, all || touched.contains(id))?;
            }
            compare_book(ledger, all)?;
            try_state()
        })
    }
}

pub(crate) type Differs = Result<(), String>;

/// The numbers of a sequence, apart from those that draw its blocks' lengths.
pub(crate) fn chance(seed: u64) -> Chance {
    Chance::from_seed(seed)
}

/// Whether the model's answer is what the runtime said.
pub(crate) fn agree(call: &Call, answer: &Answer, said: &Said) -> bool {
    match (answer, said) {
        (Ok(Fee::Charged), Ok(Pays::Yes)) | (Ok(Fee::Waived), Ok(Pays::No)) => true,
        (Err(Refusal::Origin), Err(DispatchError::BadOrigin)) => true,
        (Err(Refusal::Funds), Err(DispatchError::Token(TokenError::FundsUnavailable))) => true,
        (Err(Refusal::Overflow), Err(DispatchError::Arithmetic(ArithmeticError::Overflow))) => true,
        (Err(Refusal::Named(name)), Err(DispatchError::Module(error))) => {
            let ModuleError { index, message, .. } = error;
            usize::from(*index) == pallet_of(call) && *message == Some(*name)
        }
        _ => false,
    }
}

fn pallet_of(call: &Call) -> usize {
    match call {
        Call::Money(_) => Balances::index(),
        Call::Roster(_) => Roster::index(),
        Call::Bytechip(_) => Bytechip::index(),
        Call::Workforce(_) => Workforce::index(),
        Call::Jobs(_) => Jobs::index(),
    }
}

fn origin(sender: &Sender) -> RuntimeOrigin {
    match sender {
        Sender::Account(account) => RuntimeOrigin::signed(account.clone()),
        Sender::Council { yes, seats } => {
            pallet_collective::RawOrigin::<AccountId, CouncilInstance>::Members(*yes, *seats).into()
        }
    }
}

fn runtime_call(call: &Call) -> RuntimeCall {
    match call.clone() {
        Call::Money(money::Call::Transfer { to, amount }) => {
            pallet_balances::Call::transfer_allow_death {
                dest: MultiAddress::Id(to),
                value: amount,
            }
            .into()
        }
        Call::Roster(call) => roster_call(call).into(),
        Call::Bytechip(call) => bytechip_call(call).into(),
        Call::Workforce(call) => workforce_call(call).into(),
        Call::Jobs(call) => jobs_call(call).into(),
    }
}

fn roster_call(call: roster::Call) -> quern_roster::Call<Runtime> {
    use quern_roster::Call;
    match call {
        roster::Call::AddMasternode(account) => Call::add_masternode { account },
        roster::Call::RemoveMasternode(account) => Call::remove_masternode { account },
        roster::Call::PublishEndpoints {
            network_key,
            device_addresses,
            jobs_api,
        } => {
            let addresses = device_addresses
                .into_iter()
                .map(|address| address.try_into().unwrap());
            let addresses: Vec<quern_roster::Address> = addresses.collect();
            Call::publish_endpoints {
                network_key,
                sealing_key: network_key.0.into(),
                device_addresses: addresses.try_into().unwrap(),
                jobs_api: jobs_api.try_into().unwrap(),
            }
        }
        roster::Call::Ban(account) => Call::ban { account },
        roster::Call::LiftBan(account) => Call::lift_ban { account },
        roster::Call::VerifyDevice(device) => Call::verify_device { device },
        roster::Call::UnverifyDevice(device) => Call::unverify_device { device },
    }
}

fn bytechip_call(call: bytechip::Call) -> quern_bytechip::Call<Runtime> {
    use quern_bytechip::Call;
    match call {
        bytechip::Call::SetTreasurer(account) => Call::set_treasurer { account },
        bytechip::Call::SetRate(bytechips_per_dollar) => Call::set_rate {
            bytechips_per_dollar,
        },
        bytechip::Call::RecordPurchase {
            reference,
            buyer,
            cents,
        } => Call::record_purchase {
            reference: reference.try_into().unwrap(),
            buyer,
            cents,
        },
        bytechip::Call::RequestPayout {
            amount,
            destination,
        } => Call::request_payout {
            amount,
            destination_digest: destination,
        },
        bytechip::Call::CompletePayout { id, reference } => Call::complete_payout {
            id,
            reference: reference.try_into().unwrap(),
        },
        bytechip::Call::ReturnPayout { id } => Call::return_payout { id },
    }
}

fn workforce_call(call: workforce::Call) -> quern_workforce::Call<Runtime> {
    use quern_workforce::Call;
    match call {
        workforce::Call::Bond(amount) => Call::bond { amount },
        workforce::Call::Unbond(amount) => Call::unbond { amount },
        workforce::Call::WithdrawUnbonded => Call::withdraw_unbonded {},
        workforce::Call::RegisterDevice {
            device,
            sealing_key,
            region,
            hardware,
            possession,
        } => Call::register_device {
            device,
            sealing_key,
            region,
            hardware,
            possession,
        },
        workforce::Call::RotateSealingKey {
            device,
            sealing_key,
            possession,
        } => Call::rotate_sealing_key {
            device,
            sealing_key,
            possession,
        },
        workforce::Call::RetireDevice(device) => Call::retire_device { device },
        workforce::Call::Review(device) => Call::review { device },
    }
}

fn jobs_call(call: jobs::Call) -> quern_jobs::Call<Runtime> {
    use quern_jobs::Call;
    match call {
        jobs::Call::Submit(submission) => Call::submit {
            submission: *submission,
        },
        jobs::Call::Settle(batch) => Call::settle { batch: *batch },
        jobs::Call::CloseFailed { job, task, why } => Call::close_failed { job, task, why },
        jobs::Call::Cancel(job) => Call::cancel { job },
        jobs::Call::Refund(job) => Call::refund { job },
        jobs::Call::SetPrices(prices) => Call::set_prices { prices },
    }
}

fn hear_draws(ledger: &mut Ledger) -> Differs {
    let waiting: Vec<JobId> = ledger.jobs.waiting().map(|(id, _)| *id).collect();
    for id in waiting {
        let kept = Jobs::job(&id).ok_or_else(|| format!("job {id} is gone"))?;
        let drawn = kept.state.coordinator().cloned();
        let reachable = &ledger.roster.reachable;
        let fits = match &drawn {
            None => reachable.is_empty(),
            Some(coordinator) => reachable.contains_key(coordinator),
        };
        if !fits {
            return Err(format!(
                "{drawn:?} was drawn for job {id} among {reachable:?}"
            ));
        }
        if let Some(coordinator) = drawn {
            jobs::drawn(ledger, id, coordinator);
        }
    }
    Ok(())
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

fn held(reason: impl Into<quern_runtime::RuntimeHoldReason>, who: &AccountId) -> Amount {
    <Balances as InspectHold<AccountId>>::balance_on_hold(&reason.into(), who)
}

fn compare_money(ledger: &Ledger, cast: &draft::Cast) -> Differs {
    let none = Purse::default();
    for who in cast.accounts().chain([&ledger.treasury_account]) {
        let purse = ledger.money.purses.get(who).unwrap_or(&none);
        let kept = (
            Balances::free_balance(who),
            held(quern_jobs::HoldReason::Escrow, who),
            held(quern_workforce::HoldReason::Bond, who),
            held(quern_bytechip::HoldReason::Payout, who),
            <Balances as Inspect<AccountId>>::total_balance(who),
        );
        let expected = (
            purse.free,
            purse.held(Purpose::Escrow),
            purse.held(Purpose::Bond),
            purse.held(Purpose::Payout),
            purse.all(),
        );
        let what = || format!("free, escrow, bond, payout and all of {who}");
        same(what, &kept, &expected)?;
    }
    let accounts = frame_system::Account::<Runtime>::iter_values();
    let all: Amount = accounts
        .map(|account| account.data.free + account.data.reserved)
        .sum();
    let issuance = Balances::total_issuance();
    same(|| "issuance and accounts".into(), &issuance, &all)?;
    same(|| "issuance".into(), &issuance, &ledger.money.all())?;
    let law = ENDOWMENT * ENDOWED as Amount + ledger.bytechip.minted - ledger.bytechip.burnt;
    same(|| "genesis, minted and burnt".into(), &issuance, &law)
}

fn compare_roster(ledger: &Ledger, cast: &draft::Cast) -> Differs {
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
        let what = || format!("ban of {account}");
        let expected = roster.banned.contains(account);
        same(what, &Roster::is_banned(account), &expected)?;
    }
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

fn compare_workforce(ledger: &Ledger, cast: &draft::Cast) -> Differs {
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
            failed: count(Ending::Failed),
            delayed: count(Ending::Delayed),
            incorrect: count(Ending::Incorrect),
            accepted_in_a_row: u32::try_from(past.accepted_in_a_row()).unwrap(),
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
    if !thoroughly {
        return Ok(());
    }
    let settled = Jobs::settled_tasks(id);
    let settled: Vec<u32> = (0..settled.len() as u32 * 8)
        .filter(|task| settled[*task as usize / 8] >> (task % 8) & 1 == 1)
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
            tasks: settled.tasks,
            spent: settled.batch.spent,
            paid: settled.paid,
            settled_at: settled.at,
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
        submitted_at: job.submitted_at,
        state: match job.phase.clone() {
            Phase::Waiting => JobState::Submitted,
            Phase::Running { coordinator } => JobState::Running { coordinator },
            Phase::Settling { coordinator, until } => JobState::Settling { coordinator, until },
            Phase::Over(JobEnd::OwnerCancelled) => JobState::Cancelled,
            Phase::Over(JobEnd::DeadlinePassed) => JobState::Expired,
            Phase::Over(end) => JobState::Completed { end },
        },
        escrow: escrow_of(&job.pots),
        settled_tasks: job.done.len() as u32,
        next_batch: job.batches.len() as u32,
    }
}

fn escrow_of(pots: &jobs::Pots) -> Escrow {
    Escrow {
        deposited: pots.deposited,
        paid: pots.workers,
        network: pots.network,
        refunded: pots.owner,
        held: pots.held(),
    }
}

fn compare_book(ledger: &Ledger, all: bool) -> Differs {
    let book = &ledger.jobs;
    same(|| "prices".into(), &Jobs::prices(), &book.prices)?;
    let totals = escrow_of(&book.totals());
    same(|| "all jobs' money".into(), &Jobs::totals(), &totals)?;
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

/// The pallets' own invariants.
fn try_state() -> Differs {
    let all = [
        ("roster", Roster::do_try_state()),
        ("bytechip", Bytechip::do_try_state()),
        ("workforce", Workforce::do_try_state()),
        ("jobs", Jobs::do_try_state()),
    ];
    all.into_iter()
        .try_for_each(|(pallet, holds)| holds.map_err(|broken| format!("{pallet}: {broken:?}")))
}
