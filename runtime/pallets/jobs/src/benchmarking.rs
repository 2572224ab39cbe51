//! Measures every call at its most expensive: queues full, the longest bitmap, a batch whose finality
//! also completes its job, payees whose accounts have to be made.

use super::*;
use alloc::{vec, vec::Vec};
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::{
    BoundedVec,
    traits::{
        EnsureOrigin, SortedMembers,
        fungible::{Inspect, Unbalanced},
        tokens::Precision,
    },
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use quern_job_rules::{pay, tasks};
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest, JobId, NodeKey, ProgramHash, SealingKey,
    amount::BYTECHIP,
    batch::{Batch, BatchState, Certified, CertifiedEnd, DeviceChange, LogRange, Payout},
    device::Class,
    group::{Group, Member},
    job::{
        Agreement, ByteLevel, Failure, JobState, Preferences, Prices, Referees, Submission, job_id,
    },
    limits,
    log::Certificate,
    payload::{NodeSignature, SignedPayload},
    receipt::Exit,
};
use sp_core::{crypto::KeyTypeId, ed25519};
use sp_runtime::traits::One;

/// A submission of as many tasks as a job can have.
fn submission(salt: u32) -> Submission {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&salt.to_le_bytes());
    Submission {
        salt: bytes,
        program: ProgramHash([1; 32]),
        manifest: Digest([2; 32]),
        shards_root: Digest([3; 32]),
        key_commitment: Digest([4; 32]),
        tasks: limits::TASKS_PER_JOB_MAX,
        input_bytes: limits::TASKS_PER_JOB_MAX.into(),
        fuel_per_task_max: 1_000_000_000,
        memory_bytes_max: 64 * 1024 * 1024,
        result_bytes_max: 1024,
        agreement: Agreement::Majority { replicas: 3 },
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::High,
        deadline: limits::JOB_LIFETIME_BLOCKS_MAX,
        price_max: Amount::MAX,
        owner_sealing_key: SealingKey([5; 32]),
    }
}

fn rich_account<T: Config>(number: u32) -> Result<AccountId, BenchmarkError> {
    let rich: AccountId = account("owner", number, 0);
    T::Currency::increase_balance(&rich, 100_000_000 * BYTECHIP, Precision::Exact)?;
    Ok(rich)
}

/// Submits `count` jobs, of each owner as many as may await their coordinator; gives the last owner
/// and the last job.
fn submitted<T: Config>(count: u32) -> Result<(AccountId, JobId), BenchmarkError> {
    let mut owner = rich_account::<T>(0)?;
    for salt in 0..count {
        if salt > 0 && salt % limits::JOBS_AWAITING_PER_OWNER_MAX == 0 {
            owner = rich_account::<T>(salt)?;
        }
        Pallet::<T>::do_submit(owner.clone(), submission(salt))?;
    }
    let salt = submission(count.saturating_sub(1)).salt;
    let last = job_id(&Pallet::<T>::genesis_hash(), &owner, &salt);
    Ok((owner, last))
}

/// As many masternodes as there can be; gives one.
fn masternode<T: Config>() -> AccountId {
    for number in 0..limits::MASTERNODES_MAX {
        let masternode = account("masternode", number, 0);
        T::Masternodes::add(&masternode);
        T::Operators::publish(&masternode, NodeKey([1; 32]));
    }
    account("masternode", 0, 0)
}

/// Where the benchmark's network keys are kept.
const NODE_KEYS: KeyTypeId = KeyTypeId(*b"qnod");

/// So many masternodes, each with a new network key.
fn group(members: u32) -> Group {
    let members = (0..members).map(|number| Member {
        account: account("masternode", number, 0),
        node: NodeKey(sp_io::crypto::ed25519_generate(NODE_KEYS, None).0),
        is_out: false,
    });
    Group {
        members: BoundedVec::truncate_from(members.collect()),
        turn: 0,
        since: 0,
        lane_seed: None,
    }
}

/// A batch with the certificates of the first so many of its job's group.
fn certified<T: Config>(batch: Batch, signers: usize) -> Result<Certified, BenchmarkError> {
    let mut certified = Certified {
        batch,
        index: 3,
        head: Digest([8; 32]),
        certificates: BoundedVec::new(),
    };
    let said = certified.certificate();
    certified.certificates = BoundedVec::truncate_from(words::<T>(said, signers)?);
    Ok(certified)
}

/// What the first so many of a job's group sign.
fn words<T: Config>(
    said: Certificate,
    signers: usize,
) -> Result<Vec<(u8, NodeSignature)>, BenchmarkError> {
    let group = Groups::<T>::get(said.job).ok_or(BenchmarkError::Stop("the job has a group"))?;
    let digest = said.signing_digest(&Pallet::<T>::genesis_hash());
    let members = group.members.iter().zip(0u8..).take(signers);
    let signed = members.map(|(member, place)| {
        let public = ed25519::Public::from_raw(member.node.0);
        let signature = sp_io::crypto::ed25519_sign(NODE_KEYS, &public, &digest)
            .ok_or(BenchmarkError::Stop("the keystore has the member's key"))?;
        Ok((place, NodeSignature(signature.0)))
    });
    signed.collect()
}

/// A job with its group, of which all but a full batch of tasks is settled.
fn nearly_done<T: Config>(members: u32) -> Result<(AccountId, AccountId, JobId), BenchmarkError> {
    let (owner, id) = submitted::<T>(1)?;
    let coordinator = masternode::<T>();
    Groups::<T>::insert(id, group(members));
    Awaiting::<T>::kill();
    JobsCoordinatedBy::<T>::insert(&coordinator, id, ());
    let left = limits::VERDICTS_PER_BATCH_MAX;
    let settled = limits::TASKS_PER_JOB_MAX.saturating_sub(left);
    Jobs::<T>::mutate(id, |job| {
        if let Some(job) = job {
            job.state = JobState::Running {
                coordinator: coordinator.clone(),
            };
            job.settled_tasks = settled;
        }
    });
    let mut bitmap = vec![0u8; tasks::bitmap_bytes(left) as usize];
    bitmap.resize(limits::TASK_BITMAP_BYTES_MAX as usize, 0xff);
    SettledTasks::<T>::insert(id, BoundedVec::truncate_from(bitmap));
    Ok((owner, coordinator, id))
}

/// The batch that completes the job of [`nearly_done`].
fn last_batch<T: Config>(id: JobId, payees: u32, devices: u32) -> Result<Batch, BenchmarkError> {
    let pay = BYTECHIP / 1_000;
    let mut accounts: Vec<AccountId> = (0..payees).map(|n| account("worker", n, 0)).collect();
    accounts.sort();
    let mut names: Vec<DeviceId> = (0..devices).map(device).collect();
    names.sort();
    for (number, name) in (0..).zip(&names) {
        T::Devices::register(*name, account("worker", number, 0));
    }
    let change = RecordChange {
        accepted: 1,
        ..RecordChange::default()
    };
    Ok(Batch {
        job: id,
        sequence: 0,
        log: LogRange { first: 0, last: 1 },
        verdicts_root: Digest([7; 32]),
        tasks: tasks::collect(0..limits::VERDICTS_PER_BATCH_MAX)
            .map_err(|_| BenchmarkError::Stop("a full batch is a set of tasks"))?,
        spent: BYTECHIP,
        payouts: accounts
            .into_iter()
            .map(|account| Payout {
                account,
                amount: pay,
            })
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| BenchmarkError::Stop("the payees are within the limit"))?,
        devices: names
            .into_iter()
            .map(|device| DeviceChange { device, change })
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| BenchmarkError::Stop("the devices are within the limit"))?,
    })
}

/// Lets a job's pending batches be due at the very first height of the clock, which is always past.
fn make_due<T: Config>(id: JobId) {
    let mut list = PendingOf::<T>::get(id).into_inner();
    if let Some((_, due)) = list.first() {
        DueJobs::<T>::remove(due.to_be_bytes(), id);
        DueJobs::<T>::insert([0; 4], id, ());
    }
    for (sequence, due) in &mut list {
        *due = 0;
        Pending::<T>::mutate(id, *sequence, |batch| {
            if let Some(batch) = batch {
                batch.due = 0;
            }
        });
        Batches::<T>::mutate(id, *sequence, |record| {
            if let Some(record) = record {
                record.state = BatchState::Pending { due: 0 };
            }
        });
    }
    PendingOf::<T>::insert(id, BoundedVec::truncate_from(list));
}

fn device(number: u32) -> DeviceId {
    let mut name = [0xd; 32];
    name[..4].copy_from_slice(&number.to_le_bytes());
    DeviceId(name)
}

/// Moves to the block after the last one in which the jobs may be settled.
fn pass_deadline<T: Config>() {
    let deadline: BlockNumberFor<T> = limits::JOB_LIFETIME_BLOCKS_MAX.into();
    frame_system::Pallet::<T>::set_block_number(deadline + One::one());
}

/// Fails unless the job is over and nothing is held for it.
fn assert_over<T: Config>(id: &JobId) {
    let held = Jobs::<T>::get(id).map(|job| (job.state.is_open(), job.escrow.held));
    assert_eq!(held, Some((false, 0)));
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn draw_coordinators(
        n: Linear<1, { limits::JOBS_AWAITING_COORDINATOR_MAX }>,
    ) -> Result<(), BenchmarkError> {
        let (_, last) = submitted::<T>(n)?;
        masternode::<T>();
        // Reads the chain's randomness, but takes what it finds, or a number, as fresh: the jobs were
        // submitted in this very block, and the state of a benchmark may hold none.
        let random = |job: &JobId| {
            let number = Pallet::<T>::random(job).map_or(7, |(number, _)| number);
            Some((number, BlockNumber::MAX))
        };
        let size = u8::try_from(limits::GROUP_MEMBERS_MAX).unwrap_or(u8::MAX);

        #[block]
        {
            Pallet::<T>::draw_coordinators(size, random);
        }

        let coordinator = Jobs::<T>::get(last).and_then(|job| job.state.coordinator().cloned());
        assert!(coordinator.is_some() && Awaiting::<T>::get().is_empty());
        Ok(())
    }

    #[benchmark]
    fn seed_lanes(
        n: Linear<1, { limits::JOBS_AWAITING_COORDINATOR_MAX }>,
    ) -> Result<(), BenchmarkError> {
        let job = |number: u32| {
            let mut name = [6; 32];
            name[..4].copy_from_slice(&number.to_le_bytes());
            JobId(name)
        };
        let drawn: Vec<JobId> = (0..n).map(job).collect();
        let group = group(limits::GROUP_MEMBERS_MAX);
        for id in &drawn {
            Groups::<T>::insert(id, group.clone());
        }
        DrawnLately::<T>::put(BoundedVec::truncate_from(drawn));
        // Reads the chain's randomness, but takes a number where there is none.
        let random = || Pallet::<T>::random_of_lanes().or(Some([7; 32]));

        #[block]
        {
            Pallet::<T>::seed_lanes(random);
        }

        assert!(Groups::<T>::iter_values().all(|group| group.lane_seed.is_some()));
        Ok(())
    }

    #[benchmark]
    fn submit() -> Result<(), BenchmarkError> {
        let full = limits::JOBS_AWAITING_COORDINATOR_MAX.saturating_sub(1);
        let (owner, _) = submitted::<T>(full)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(owner.clone()), submission(full));

        assert_eq!(
            OpenJobs::<T>::get(owner),
            limits::JOBS_AWAITING_PER_OWNER_MAX
        );
        Ok(())
    }

    #[benchmark]
    fn settle(
        p: Linear<0, { limits::PAYEES_PER_BATCH_MAX }>,
        d: Linear<0, { limits::DEVICES_PER_BATCH_MAX }>,
        c: Linear<1, { limits::GROUP_MEMBERS_MAX }>,
    ) -> Result<(), BenchmarkError> {
        let (_, coordinator, id) = nearly_done::<T>(c)?;
        let certified = certified::<T>(last_batch::<T>(id, p, d)?, c as usize)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(coordinator), certified);

        let state = Jobs::<T>::get(id).map(|job| job.state);
        assert!(matches!(state, Some(JobState::Settling { .. })));
        Ok(())
    }

    /// Of a group all of which certifies, with the coordinator, and whose accounts are made by that.
    #[benchmark]
    fn finalise(
        p: Linear<0, { limits::PAYEES_PER_BATCH_MAX }>,
        d: Linear<0, { limits::DEVICES_PER_BATCH_MAX }>,
        c: Linear<1, { limits::GROUP_MEMBERS_MAX }>,
    ) -> Result<(), BenchmarkError> {
        let (_, coordinator, id) = nearly_done::<T>(c)?;
        let batch = certified::<T>(last_batch::<T>(id, p, d)?, c as usize)?;
        Pallet::<T>::do_settle(coordinator, &batch)?;
        make_due::<T>(id);
        let anyone: AccountId = account("anyone", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(anyone), id, 0);

        assert_over::<T>(&id);
        for number in 0..c {
            let member: AccountId = account("masternode", number, 0);
            assert!(T::Currency::total_balance(&member) > 0);
        }
        Ok(())
    }

    /// With the largest batch due, and room for looking at it alone: its job's list is read, as long as it
    /// may be, and the batch with its lists. What making it final costs is measured by `finalise`.
    #[benchmark]
    fn look_for_due() -> Result<(), BenchmarkError> {
        let (_, coordinator, id) = nearly_done::<T>(1)?;
        let (payees, devices) = (limits::PAYEES_PER_BATCH_MAX, limits::DEVICES_PER_BATCH_MAX);
        let batch = certified::<T>(last_batch::<T>(id, payees, devices)?, 1)?;
        Pallet::<T>::do_settle(coordinator, &batch)?;
        make_due::<T>(id);
        let full = (0..limits::PENDING_BATCHES_PER_JOB_MAX).map(|number| (number, 0));
        PendingOf::<T>::insert(id, BoundedVec::truncate_from(full.collect::<Vec<_>>()));
        let room = T::WeightInfo::look_for_due();

        #[block]
        {
            Pallet::<T>::finalise_due(room);
        }

        assert!(Pending::<T>::contains_key(id, 0));
        Ok(())
    }

    #[benchmark]
    fn strike(b: Linear<1, { limits::PENDING_BATCHES_PER_JOB_MAX }>) -> Result<(), BenchmarkError> {
        let (_, coordinator, id) = nearly_done::<T>(limits::GROUP_MEMBERS_MAX)?;
        let mut batch = last_batch::<T>(
            id,
            limits::PAYEES_PER_BATCH_MAX,
            limits::DEVICES_PER_BATCH_MAX,
        )?;
        // Fifteen tasks each, so that there are enough for all; their lists are as long as those of fifteen
        // tasks may be, and each is disputed.
        batch.payouts.truncate(225);
        batch.devices.truncate(225);
        for number in 0..b {
            let tasks = number.saturating_mul(15)..number.saturating_add(1).saturating_mul(15);
            batch.sequence = number;
            batch.spent = BYTECHIP / 100;
            for payout in batch.payouts.iter_mut() {
                payout.amount = 1;
            }
            batch.tasks = tasks::collect(tasks)
                .map_err(|_| BenchmarkError::Stop("fifteen tasks are a set of tasks"))?;
            // Four of seven certify it, and are turned out.
            let certified = certified::<T>(batch.clone(), 4)?;
            Pallet::<T>::do_settle(coordinator.clone(), &certified)?;
            Pallet::<T>::keep_open(&id, number, true);
        }
        let next: AccountId = account("masternode", 4, 0);

        #[block]
        {
            Pallet::<T>::strike(id, 0)?;
        }

        let now = Jobs::<T>::get(id).and_then(|job| job.state.coordinator().cloned());
        assert_eq!(now, Some(next));
        Ok(())
    }

    /// The only batch of a job whose list is full.
    #[benchmark]
    fn keep_open() -> Result<(), BenchmarkError> {
        let (_, coordinator, id) = nearly_done::<T>(1)?;
        let batch = certified::<T>(last_batch::<T>(id, 0, 0)?, 1)?;
        Pallet::<T>::do_settle(coordinator, &batch)?;
        let due = PendingOf::<T>::get(id).first().map_or(0, |(_, due)| *due);
        let full = (0..limits::PENDING_BATCHES_PER_JOB_MAX).map(|number| (number, due));
        PendingOf::<T>::insert(id, BoundedVec::truncate_from(full.collect::<Vec<_>>()));
        Pallet::<T>::keep_open(&id, 0, true);

        #[block]
        {
            Pallet::<T>::keep_open(&id, 0, false);
        }

        assert!(DueJobs::<T>::contains_key(due.to_be_bytes(), id));
        Ok(())
    }

    /// By the last of a group whose others are no masternodes any more, which is looked up for each.
    #[benchmark]
    fn take_over() -> Result<(), BenchmarkError> {
        let (_, _, id) = nearly_done::<T>(limits::GROUP_MEMBERS_MAX)?;
        let last = limits::GROUP_MEMBERS_MAX.saturating_sub(1);
        let next: AccountId = account("masternode", last, 0);
        let gone: AccountId = account("gone", 0, 0);
        Groups::<T>::mutate(id, |group| {
            let members = group.iter_mut().flat_map(|group| group.members.iter_mut());
            for (member, number) in members.zip(0..last) {
                member.account = account("gone", number, 0);
            }
        });
        Jobs::<T>::mutate(id, |job| {
            if let Some(job) = job {
                job.state = JobState::Running { coordinator: gone };
            }
        });

        #[extrinsic_call]
        _(RawOrigin::Signed(next.clone()), id);

        let now = Jobs::<T>::get(id).and_then(|job| job.state.coordinator().cloned());
        assert_eq!(now, Some(next));
        Ok(())
    }

    #[benchmark]
    fn close_failed(c: Linear<1, { limits::GROUP_MEMBERS_MAX }>) -> Result<(), BenchmarkError> {
        let (_, coordinator, id) = nearly_done::<T>(c)?;
        let mut end = CertifiedEnd {
            job: id,
            task: 0,
            why: Failure::Program(Exit::Trap),
            index: 3,
            head: Digest([8; 32]),
            certificates: BoundedVec::new(),
        };
        let said = end.certificate(0);
        end.certificates = BoundedVec::truncate_from(words::<T>(said, c as usize)?);

        #[extrinsic_call]
        _(RawOrigin::Signed(coordinator), end);

        assert_over::<T>(&id);
        Ok(())
    }

    #[benchmark]
    fn cancel_awaiting() -> Result<(), BenchmarkError> {
        let (owner, id) = submitted::<T>(limits::JOBS_AWAITING_COORDINATOR_MAX)?;

        #[extrinsic_call]
        cancel(RawOrigin::Signed(owner), id);

        assert_over::<T>(&id);
        Ok(())
    }

    #[benchmark]
    fn cancel_running() -> Result<(), BenchmarkError> {
        let (owner, _, id) = nearly_done::<T>(limits::GROUP_MEMBERS_MAX)?;

        #[extrinsic_call]
        cancel(RawOrigin::Signed(owner), id);

        let state = Jobs::<T>::get(id).map(|job| job.state);
        assert!(matches!(state, Some(JobState::Cancelling { .. })));
        Ok(())
    }

    #[benchmark]
    fn refund_awaiting() -> Result<(), BenchmarkError> {
        let (owner, id) = submitted::<T>(limits::JOBS_AWAITING_COORDINATOR_MAX)?;
        pass_deadline::<T>();

        #[extrinsic_call]
        refund(RawOrigin::Signed(owner), id);

        assert_over::<T>(&id);
        Ok(())
    }

    #[benchmark]
    fn refund_running() -> Result<(), BenchmarkError> {
        let (owner, _, id) = nearly_done::<T>(limits::GROUP_MEMBERS_MAX)?;
        pass_deadline::<T>();

        #[extrinsic_call]
        refund(RawOrigin::Signed(owner), id);

        assert_over::<T>(&id);
        Ok(())
    }

    #[benchmark]
    fn set_prices() -> Result<(), BenchmarkError> {
        let origin =
            T::PricesOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let prices = Prices {
            gigafuel: 7,
            ..pay::PRICES_AT_GENESIS
        };

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, prices);

        assert_eq!(CurrentPrices::<T>::get(), prices);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::genesis_with_keystore(), mock::Test);
}
