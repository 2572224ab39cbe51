//! A job's way through the whole runtime: submitted, drawn for, settled, refunded.

mod groups;
mod size;

use crate::chain::Chain;
use codec::Encode;
use quern_primitives::{
    AccountId, Amount, DeviceId, Digest, GenesisHash, JobId, ProgramHash, SealingKey,
    amount::BYTECHIP,
    batch::{Batch, Certified, DeviceChange, LogRange, Payout, TaskSet},
    device::{Class, Hardware, Possession, RecordChange, Region},
    ids::BatchSequence,
    job::{Agreement, ByteLevel, Job, JobEnd, JobState, Preferences, Referees, Submission, job_id},
    payload::{DeviceKey, NodeSecret},
    view::UnbondingView,
};
use quern_runtime::{
    Balances, Finality, Jobs, Roster, Runtime, RuntimeCall, System, Workforce,
    configs::{grid::UnbondingDelay, money::TreasuryAccount},
    genesis::{DEV, ENDOWMENT},
};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve};

const TASKS: u32 = 4;

/// Later than the tests' other blocks.
const DEADLINE: u32 = 110;

pub(crate) fn submission(salt: u8) -> Submission {
    Submission {
        salt: [salt; 16],
        program: ProgramHash([1; 32]),
        manifest: Digest([2; 32]),
        shards_root: Digest([3; 32]),
        key_commitment: Digest([4; 32]),
        tasks: TASKS,
        input_bytes: 1_000,
        fuel_per_task_max: 1_000_000_000,
        memory_bytes_max: 64 * 1024 * 1024,
        result_bytes_max: 1024 * 1024,
        agreement: Agreement::Majority { replicas: 3 },
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: DEADLINE,
        price_max: BYTECHIP,
        owner_sealing_key: SealingKey([5; 32]),
    }
}

/// The runtime's answers, asked the way the node asks.
mod ask {
    use quern_primitives::{
        AccountId, DeviceId, JobId,
        job::{Job, Submission},
        view::{DeviceView, Quote, Totals, WalletView},
    };
    use quern_runtime::{Block, Runtime, apis::runtime_decl_for_quern_api::QuernApi};

    pub(crate) fn quote(submission: Submission) -> Quote {
        <Runtime as QuernApi<Block>>::quote(submission).unwrap()
    }

    pub(crate) fn jobs_coordinated_by(
        coordinator: AccountId,
        start_after: Option<JobId>,
        limit: u32,
    ) -> Vec<(JobId, Job)> {
        <Runtime as QuernApi<Block>>::jobs_coordinated_by(coordinator, start_after, limit)
    }

    pub(crate) fn device(id: DeviceId) -> DeviceView {
        <Runtime as QuernApi<Block>>::device(id).unwrap()
    }

    pub(crate) fn devices(ids: Vec<DeviceId>) -> Vec<DeviceView> {
        <Runtime as QuernApi<Block>>::devices(ids)
    }

    pub(crate) fn wallet(account: AccountId) -> WalletView {
        <Runtime as QuernApi<Block>>::wallet(account)
    }

    pub(crate) fn totals() -> Totals {
        <Runtime as QuernApi<Block>>::totals()
    }
}

pub(crate) fn genesis_of(chain: &mut Chain) -> GenesisHash {
    GenesisHash(chain.read(|| System::block_hash(0)).0)
}

pub(crate) fn job(chain: &mut Chain, id: JobId) -> Job {
    chain.read(|| Jobs::job(&id)).unwrap()
}

/// The network key of a masternode.
pub(crate) fn network_key(masternode: &AccountId) -> NodeSecret {
    NodeSecret::from_seed(masternode.as_ref())
}

/// A batch with Alice's certificate, who is the whole group on a chain of one masternode.
pub(crate) fn certified(genesis: &GenesisHash, batch: Batch) -> Certified {
    certified_by(genesis, batch, &[Alice.to_account_id()])
}

/// A batch with certificates of these, who are the first of its job's group.
fn certified_by(genesis: &GenesisHash, batch: Batch, members: &[AccountId]) -> Certified {
    let mut certified = Certified {
        batch,
        index: 0,
        head: Digest([8; 32]),
        certificates: Default::default(),
    };
    let said = certified.certificate();
    let signatures = members
        .iter()
        .map(|member| network_key(member).sign(said, genesis).signature);
    let certificates: Vec<_> = (0u8..).zip(signatures).collect();
    certified.certificates = certificates.try_into().unwrap();
    certified
}

/// The batch is settled by Alice.
fn settle(chain: &mut Chain, batch: Batch) {
    let certified = certified(&genesis_of(chain), batch);
    chain.does(Alice, quern_jobs::Call::settle { certified });
}

/// The masternode tells where it is reached.
pub(crate) fn publish_endpoints(chain: &mut Chain, masternode: &AccountId) {
    chain.does(
        Sr25519Keyring::from_account_id(masternode).unwrap(),
        quern_roster::Call::publish_endpoints {
            network_key: DeviceId(network_key(masternode).public().0),
            sealing_key: SealingKey([2; 32]),
            device_addresses: vec![b"/ip4/127.0.0.1/tcp/1".to_vec().try_into().unwrap()]
                .try_into()
                .unwrap(),
            jobs_api: b"http://127.0.0.1:2".to_vec().try_into().unwrap(),
        },
    );
}

/// Submits a job of Bob's and tells its name and its coordinator, drawn in the next block among
/// the masternodes, which are reached by then.
pub(crate) fn running(chain: &mut Chain, salt: u8) -> (JobId, Sr25519Keyring) {
    if chain.read(Roster::reachable_masternodes).is_empty() {
        for masternode in chain.read(Roster::masternodes) {
            publish_endpoints(chain, &masternode);
        }
    }
    chain.does(
        Bob,
        quern_jobs::Call::submit {
            submission: submission(salt),
        },
    );
    let id = job_id(&genesis_of(chain), &Bob.to_account_id(), &[salt; 16]);
    assert_eq!(job(chain, id).state, JobState::Submitted);
    chain.blocks(1);
    let JobState::Running { coordinator } = job(chain, id).state else {
        panic!("no coordinator was drawn");
    };
    (id, Sr25519Keyring::from_account_id(&coordinator).unwrap())
}

/// Bonds for a device of the account and registers it.
pub(crate) fn register(chain: &mut Chain, worker: Sr25519Keyring, seed: u8) -> DeviceId {
    let key = DeviceKey::from_seed(&[seed; 32]);
    let sealing_key = SealingKey([seed; 32]);
    let account = worker.to_account_id();
    chain.does(
        worker,
        quern_workforce::Call::bond {
            amount: 10 * BYTECHIP,
        },
    );
    let possession = Possession {
        account,
        device: key.id(),
        sealing_key,
    };
    let signature = key.sign(possession, &genesis_of(chain)).signature;
    chain.does(
        worker,
        quern_workforce::Call::register_device {
            device: key.id(),
            sealing_key,
            region: Region::Europe,
            hardware: Hardware::Server,
            possession: signature,
        },
    );
    key.id()
}

pub(crate) fn batch(
    job: JobId,
    sequence: BatchSequence,
    tasks: TaskSet,
    spent: Amount,
    mut payouts: Vec<(AccountId, Amount)>,
    devices: Vec<(DeviceId, RecordChange)>,
) -> Batch {
    payouts.sort();
    let payouts: Vec<_> = payouts
        .into_iter()
        .map(|(account, amount)| Payout { account, amount })
        .collect();
    let devices: Vec<_> = devices
        .into_iter()
        .map(|(device, change)| DeviceChange { device, change })
        .collect();
    Batch {
        job,
        sequence,
        log: LogRange { first: 0, last: 9 },
        verdicts_root: Digest([6; 32]),
        tasks,
        spent,
        payouts: payouts.try_into().unwrap(),
        devices: devices.try_into().unwrap(),
    }
}

pub(crate) fn tasks(bits: u8) -> TaskSet {
    TaskSet {
        first: 0,
        bits: vec![bits].try_into().unwrap(),
    }
}

#[test]
fn a_job_is_drawn_for_settled_and_paid_and_the_rest_comes_back() {
    let mut chain = Chain::start(DEV);
    let device = register(&mut chain, Charlie, 7);
    let quote = chain.read(|| ask::quote(submission(1)));
    let charlie = chain.read(|| Balances::free_balance(Charlie.to_account_id()));

    let (id, coordinator) = running(&mut chain, 1);
    assert_eq!(coordinator, Alice);
    let wallet = chain.read(|| ask::wallet(Bob.to_account_id()));
    assert_eq!(
        (wallet.free, wallet.escrow),
        (ENDOWMENT - quote.total, quote.total)
    );
    assert_eq!(chain.read(ask::totals).escrow, quote.total);

    // Two tasks, each at half its cap; three replicas agreed, one of them Charlie's.
    let treasury = chain.read(|| Balances::free_balance(TreasuryAccount::get()));
    let alice = chain.read(|| Balances::free_balance(Alice.to_account_id()));
    let spent = quote.task;
    let pay = spent / 10 * 7 / 3;
    let to = |key: Sr25519Keyring| (key.to_account_id(), pay);
    let changes = vec![(
        device,
        RecordChange {
            accepted: 2,
            ..Default::default()
        },
    )];
    let first = batch(
        id,
        0,
        tasks(0b0011),
        spent,
        vec![to(Charlie), to(Dave), to(Eve)],
        changes,
    );
    settle(&mut chain, first);
    let wallet =
        |chain: &mut Chain, of: Sr25519Keyring| chain.read(|| ask::wallet(of.to_account_id()));
    let waiting = wallet(&mut chain, Charlie);
    assert_eq!((waiting.free, waiting.pending), (charlie, pay));
    assert!(!waiting.pending_partly);
    assert_eq!(wallet(&mut chain, Bob).escrow, quote.total);
    assert_eq!(chain.read(ask::totals).pending, spent);
    chain.pass_window();
    assert_eq!(wallet(&mut chain, Charlie).pending, 0);
    assert_eq!(
        chain.read(|| Balances::free_balance(Charlie.to_account_id())),
        charlie + pay
    );
    assert_eq!(
        chain
            .read(|| Workforce::device(&device))
            .unwrap()
            .record
            .accepted,
        2
    );

    // The others used next to no fuel.
    let spent_then = 2 * 220_000;
    let second = batch(
        id,
        1,
        tasks(0b1100),
        spent_then,
        vec![(Dave.to_account_id(), 2)],
        vec![],
    );
    settle(&mut chain, second);
    let (coordinator, end) = (Alice.to_account_id(), JobEnd::AllSettled);
    assert_eq!(
        job(&mut chain, id).state,
        JobState::Settling {
            coordinator,
            end,
            cancelled: None
        }
    );
    chain.pass_window();

    let done = job(&mut chain, id);
    assert_eq!(
        done.state,
        JobState::Completed {
            end: JobEnd::AllSettled
        }
    );
    assert_eq!(done.escrow.held, 0);
    assert_eq!(done.escrow.refunded, quote.total - spent - spent_then);
    let wallet = chain.read(|| ask::wallet(Bob.to_account_id()));
    assert_eq!(
        (wallet.free, wallet.escrow),
        (ENDOWMENT - spent - spent_then, 0)
    );
    let operators = chain.read(|| Balances::free_balance(Alice.to_account_id())) - alice;
    let rest = chain.read(|| Balances::free_balance(TreasuryAccount::get())) - treasury;
    assert_eq!(operators + rest, spent + spent_then - 3 * pay - 2);
    assert!(chain.read(ask::totals).conserves_money());
}

#[test]
fn a_device_with_repeated_faults_is_in_quarantine_until_it_is_reviewed() {
    let mut chain = Chain::start(DEV);
    let device = register(&mut chain, Charlie, 7);
    let (id, coordinator) = running(&mut chain, 1);
    assert_eq!(coordinator, Alice);
    let settle_faults = |chain: &mut Chain, sequence: BatchSequence| {
        let faults = RecordChange {
            incorrect: 11,
            ..Default::default()
        };
        let devices = vec![(device, faults)];
        let batch = batch(id, sequence, tasks(1 << sequence), 1, vec![], devices);
        settle(chain, batch);
        let told = chain.read(|| ask::device(device));
        assert!(!told.quarantined, "it waits until the batch is final");
        chain.pass_window();
        let settled_at = chain.read(System::block_number);
        let view = chain.read(|| ask::device(device));
        assert!(view.quarantined && view.bonded && !view.may_work());
        assert_eq!(view.device.last_task, settled_at);
    };
    settle_faults(&mut chain, 0);
    let review = quern_workforce::Call::review { device };
    let stranger = chain.block(vec![(Eve, review.clone().into())]);
    assert!(matches!(stranger[..], [Ok(Err(_))]));
    chain.does(Charlie, review.clone());
    let view = chain.read(|| ask::device(device));
    assert!(!view.quarantined && view.may_work());
    assert_eq!(view.device.record.incorrect, 11);
    let unknown = DeviceId([9; 32]);
    assert_eq!(chain.read(|| ask::devices(vec![unknown, device])), [view]);

    // Again, and the week is not over: the council may, and on this chain it is Alice alone.
    settle_faults(&mut chain, 1);
    let early = chain.block(vec![(Charlie, review.clone().into())]);
    assert!(matches!(early[..], [Ok(Err(_))]));
    let proposal = Box::new(RuntimeCall::from(review));
    let length_bound = proposal.encoded_size() as u32;
    let propose = pallet_collective::Call::propose {
        threshold: 1,
        proposal,
        length_bound,
    };
    chain.does(Alice, RuntimeCall::Council(propose));
    assert!(!chain.read(|| ask::device(device)).quarantined);
}

#[test]
fn a_wallet_tells_what_is_unbonding_apart_from_the_bond() {
    let mut chain = Chain::start(DEV);
    register(&mut chain, Charlie, 7);
    let amount = 2 * BYTECHIP;
    chain.does(Charlie, quern_workforce::Call::bond { amount });
    chain.does(Charlie, quern_workforce::Call::unbond { amount });
    let now = chain.read(System::block_number);
    let wallet = chain.read(|| ask::wallet(Charlie.to_account_id()));
    assert_eq!(wallet.bond_active, 10 * BYTECHIP);
    let withdrawable_at = now + UnbondingDelay::get();
    let parts = [UnbondingView {
        amount,
        withdrawable_at,
    }];
    assert_eq!(wallet.unbonding, parts);
    assert_eq!(wallet.unbonding_total(), amount);
    assert_eq!(chain.read(ask::totals).bonds, 12 * BYTECHIP);
}

#[test]
fn a_submission_and_its_settlement_cost_no_fee() {
    let mut chain = Chain::start(DEV);
    let (id, _) = running(&mut chain, 1);
    let held = job(&mut chain, id).escrow.held;
    let free = chain.read(|| Balances::free_balance(Bob.to_account_id()));
    assert_eq!(free, ENDOWMENT - held);
    chain.does(Bob, quern_jobs::Call::cancel { job: id });
    assert_eq!(
        chain.read(|| Balances::free_balance(Bob.to_account_id())),
        free
    );
}

#[test]
fn a_stranger_gets_an_expired_job_refunded() {
    let mut chain = Chain::start(DEV);
    let (id, _) = running(&mut chain, 1);
    let refund = quern_jobs::Call::refund { job: id };
    let early = chain.block(vec![(Eve, refund.clone().into())]);
    assert!(matches!(early[..], [Ok(Err(_))]));
    while chain.read(System::block_number) < DEADLINE {
        chain.blocks(1);
    }
    chain.does(Eve, refund);
    assert_eq!(job(&mut chain, id).state, JobState::Expired);
    let wallet = chain.read(|| ask::wallet(Bob.to_account_id()));
    assert_eq!((wallet.free, wallet.escrow), (ENDOWMENT, 0));
}

#[test]
fn a_coordinator_asks_for_its_jobs_a_page_at_a_time() {
    let mut chain = Chain::start(DEV);
    let mut ids: Vec<JobId> = (1..4).map(|salt| running(&mut chain, salt).0).collect();
    let mut page = |start_after: Option<JobId>| {
        chain.read(|| ask::jobs_coordinated_by(Alice.to_account_id(), start_after, 2))
    };
    let first = page(None);
    assert_eq!(first.len(), 2);
    let second = page(Some(first[1].0));
    assert_eq!(second.len(), 1);
    assert!(page(Some(second[0].0)).is_empty());
    let mut seen: Vec<JobId> = first.into_iter().chain(second).map(|(id, _)| id).collect();
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}

#[test]
fn anyone_makes_a_batch_final_that_is_due() {
    let mut chain = Chain::start(DEV);
    let (id, _) = running(&mut chain, 1);
    let batch = batch(id, 0, tasks(1), 220_000, vec![], vec![]);
    settle(&mut chain, batch);
    let finalise = quern_jobs::Call::finalise {
        job: id,
        sequence: 0,
    };
    let early = chain.block(vec![(Eve, finalise.into())]);
    assert!(matches!(early[..], [Ok(Err(_))]));
    chain.pass_window();
    assert!(chain.read(|| Jobs::batch(&id, 0)).unwrap().is_final());
}

#[test]
fn a_block_without_its_claim_of_what_is_final_is_refused_by_others() {
    use frame_support::inherent::{InherentData, ProvideInherent as _};
    use quern_finality::{INHERENT_IDENTIFIER, InherentError, Pallet as Clock};
    let mut chain = Chain::start(DEV);
    chain.blocks(30);
    let mut data = InherentData::new();
    data.put_data(INHERENT_IDENTIFIER, &29u32).unwrap();
    let check = |height| {
        let call = quern_finality::Call::<Runtime>::claim { height };
        Clock::<Runtime>::check_inherent(&call, &data)
    };
    chain.read(|| {
        let required = Clock::<Runtime>::is_inherent_required(&data);
        assert_eq!(required, Ok(Some(InherentError::Missing)));
        let clock = Finality::clock();
        assert!(clock > 0);
        assert_eq!(check(clock), Ok(()));
        assert_eq!(check(clock - 1), Err(InherentError::BelowClock));
        assert_eq!(check(31), Err(InherentError::NotBelowBlock));
    });
}
