//! The runtime's side: blocks begun and ended, calls dispatched, and all that it keeps held against
//! the model.
//!
//! Calls are dispatched as a block's transactions are, but without their signatures and fees, and
//! blocks end without a state root: what those do is tested elsewhere, and costs most of the time.

mod compare;

use super::{
    draft,
    model::{
        Answer, Call, Fee, Ledger, Refusal, Sender, batches, bytechip, disputes, jobs, money,
        params, roster, workforce,
    },
};
use crate::chain::{FIRST_SLOT, genesis_state, pre_digest};
use codec::{Decode, Encode};
use frame_support::{
    dispatch::Pays,
    traits::{OnFinalize, OnIdle, PalletInfoAccess},
};
use frame_system::Phase;
use quern_primitives::{AccountId, DeviceId, GenesisHash, JobId, ids::BatchSequence};
use quern_runtime::{
    AllPalletsWithSystem, Balances, Bytechip, Disputes, Executive, Header, Jobs, Params, Roster,
    Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, Session, System, Workforce,
    configs::{council::CouncilInstance, money::TreasuryAccount},
    genesis::{BOND, ENDOWMENT, LOCAL},
    weights::{BLOCK_WEIGHT_MAX, SLOT_MILLIS},
};
use sp_consensus_babe::{
    BABE_ENGINE_ID,
    digests::{PreDigest, SecondaryPlainPreDigest},
};
use sp_core::H256;
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    ArithmeticError, Digest, DigestItem, DispatchError, ModuleError, MultiAddress, TokenError,
    traits::{Dispatchable, Header as _},
};
use std::collections::BTreeSet;

/// Accounts that have money in the preset.
const ENDOWED: usize = 12;
const MASTERNODES: usize = 4;

/// Blocks in which each validator has its turn to claim.
const CLAIMS: u32 = 21;

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
    /// A chain of four operators, before its first block, with who acts on it and its model. Its council
    /// has set groups of this size, and how long nothing may be settled.
    pub(crate) fn start(is_lonely: bool, group: u8, stall: u32) -> (Self, draft::Cast, Ledger) {
        let people: Vec<AccountId> = Sr25519Keyring::iter()
            .take(ENDOWED)
            .map(|key| key.to_account_id())
            .collect();
        let genesis = GenesisHash(GENESIS.0);
        let treasury = TreasuryAccount::get();
        let mut ledger = Ledger::new(genesis, treasury, &people, MASTERNODES, ENDOWMENT, BOND);
        (ledger.params.group, ledger.params.stall) = (group.into(), stall.into());
        let mut real = Self {
            state: genesis_state(LOCAL),
            slot: FIRST_SLOT,
        };
        real.state.execute_with(|| {
            quern_params::Current::<Runtime>::mutate(|params| {
                (params.group_size, params.stall_blocks) = (group, stall);
            });
        });
        (real, draft::Cast::new(people, genesis, is_lonely), ledger)
    }

    /// Begins the block that is so many blocks later, and tells the model of the draws: they are
    /// the chain's to make, but not whether and among whom.
    pub(crate) fn begin_block(&mut self, later: u32, ledger: &mut Ledger) -> Result<(), String> {
        let slot = self.slot;
        self.slot += 1;
        self.state.execute_with(|| {
            let last = System::block_number();
            let number = last + later;
            // The blocks between claim too, and of each validator no more than the last counts.
            for between in (number.saturating_sub(CLAIMS).max(last) + 1)..number {
                let authority_index = between % Session::validators().len() as u32;
                let slot = slot.into();
                let turn = SecondaryPlainPreDigest {
                    authority_index,
                    slot,
                };
                let turn = PreDigest::SecondaryPlain(turn).encode();
                let turn = DigestItem::PreRuntime(BABE_ENGINE_ID, turn);
                System::set_block_number(between - 1);
                System::initialize(&between, &GENESIS, &Digest { logs: vec![turn] });
                claim_height(between, ledger)?;
            }
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
            // Drawn before anything of the block is applied, its claim too.
            hear_draws(ledger)?;
            claim_height(number, ledger)
        })
    }

    /// Ends the block, and tells the model in which order batches became final.
    pub(crate) fn end_block(&mut self, ledger: &mut Ledger) -> Result<(), String> {
        self.state.execute_with(|| {
            System::note_finished_extrinsics();
            let number = System::block_number();
            <AllPalletsWithSystem as OnIdle<_>>::on_idle(number, BLOCK_WEIGHT_MAX / 2);
            <AllPalletsWithSystem as OnFinalize<_>>::on_finalize(number);
            let ending = System::events()
                .into_iter()
                .filter(|record| record.phase == Phase::Finalization);
            let order = ending.filter_map(|record| match record.event {
                RuntimeEvent::Jobs(quern_jobs::Event::BatchFinalised { job, sequence, .. }) => {
                    Some((job, sequence))
                }
                _ => None,
            });
            batches::finalise_due(ledger, &order.collect::<Vec<_>>())
        })
    }

    /// A batch is struck, as whatever proves batches wrong will have it.
    pub(crate) fn strike(
        &mut self,
        job: JobId,
        sequence: BatchSequence,
    ) -> Result<(), DispatchError> {
        self.state.execute_with(|| Jobs::strike(job, sequence))
    }

    pub(crate) fn call(&mut self, sender: &Sender, call: &Call) -> Said {
        let (origin, call) = (origin(sender), runtime_call(call));
        let said = self.state.execute_with(|| call.dispatch(origin));
        said.map(|info| info.pays_fee)
            .map_err(|refused| refused.error)
    }

    /// Holds everything against the model: what may have changed, or `all` there is.
    pub(crate) fn compare(
        &mut self,
        ledger: &mut Ledger,
        cast: &draft::Cast,
        all: bool,
    ) -> Differs {
        let touched = std::mem::take(&mut ledger.jobs.touched);
        let is_compared = |id: &JobId| all || touched.contains(id);
        self.state
            .execute_with(|| compare::everything(ledger, cast, all, is_compared))
    }
}

/// The first difference, in words.
pub(crate) type Differs = Result<(), String>;

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
        Call::Params(_) => Params::index(),
        Call::Disputes(_) => Disputes::index(),
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
        Call::Params(params::Call::Set { parameter, value }) => {
            quern_params::Call::set { parameter, value }.into()
        }
        Call::Disputes(call) => disputes_call(call).into(),
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
        roster::Call::Bond(amount) => Call::bond { amount },
        roster::Call::Unbond(amount) => Call::unbond { amount },
        roster::Call::WithdrawUnbonded => Call::withdraw_unbonded {},
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
        jobs::Call::Settle(certified, _) => Call::settle {
            certified: *certified,
        },
        jobs::Call::TakeOver(job) => Call::take_over { job },
        jobs::Call::CloseFailed(end) => Call::close_failed { end: *end },
        jobs::Call::Cancel(job) => Call::cancel { job },
        jobs::Call::Refund(job) => Call::refund { job },
        jobs::Call::SetPrices(prices) => Call::set_prices { prices },
        jobs::Call::Finalise(job, sequence) => Call::finalise { job, sequence },
    }
}

fn disputes_call(call: disputes::Call) -> quern_disputes::Call<Runtime> {
    use quern_disputes::Call;
    match call {
        disputes::Call::Dispute { evidence, .. } => Call::dispute { evidence },
        disputes::Call::Step { dispute, leaves } => {
            let mut verdicts = quern_dispute_rules::sum::Step::default();
            for leaf in leaves {
                verdicts.try_push(leaf.try_into().unwrap()).unwrap();
            }
            Call::step {
                id: dispute,
                verdicts,
            }
        }
        disputes::Call::Answer { dispute, reply, .. } => Call::answer { id: dispute, reply },
        disputes::Call::Expire(id) => Call::expire { id },
    }
}

/// The author of this block, which has begun, holds the one before to be final.
fn claim_height(block: u32, ledger: &mut Ledger) -> Differs {
    let height = block - 1;
    let claim = RuntimeCall::Finality(quern_finality::Call::claim { height });
    let claim = claim.dispatch(RuntimeOrigin::none());
    claim.map_err(|refused| format!("the claim is refused: {refused:?}"))?;
    let validators = Session::validators();
    let digest = System::digest();
    let said = digest.logs.first().and_then(|item| item.as_pre_runtime());
    let (_, said) = said.ok_or("the block says nothing of its author")?;
    let turn = PreDigest::decode(&mut &*said).map_err(|error| error.to_string())?;
    let author = usize::try_from(turn.authority_index()).ok();
    let author = author.and_then(|author| validators.get(author));
    let author = author.ok_or("the block is of no validator")?;
    ledger.finality.claim(author, height, &validators);
    Ok(())
}

fn hear_draws(ledger: &mut Ledger) -> Differs {
    let waiting: Vec<JobId> = ledger.jobs.waiting().map(|(id, _)| *id).collect();
    for id in waiting {
        let kept = Jobs::job(&id).ok_or_else(|| format!("job {id} is gone"))?;
        let drawn = kept.state.coordinator().cloned();
        let among = ledger.roster.eligible(ledger.params.masternode_bond);
        let group = Jobs::group(&id).into_iter();
        let members: Vec<_> = group
            .flat_map(|group| group.members)
            .map(|member| (member.account, DeviceId(member.node.0)))
            .collect();
        let different: BTreeSet<_> = members.iter().map(|(account, _)| account).collect();
        let are_reached = members.iter().all(|(account, key)| {
            among.contains(account) && ledger.roster.reachable.get(account) == Some(key)
        });
        let size = usize::try_from(ledger.params.group).unwrap();
        let fits = different.len() == members.len()
            && members.len() == size.min(among.len())
            && are_reached
            && members.first().map(|(first, _)| first) == drawn.as_ref();
        if !fits {
            return Err(format!(
                "{drawn:?} and {members:?} were drawn for job {id} among {among:?}"
            ));
        }
        if drawn.is_some() {
            jobs::drawn(ledger, id, members);
        }
    }
    Ok(())
}
