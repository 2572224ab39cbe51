//! Measures every call at its most expensive: as many signatures, hashes and bytes as evidence may have,
//! and sums whose lists are full. Evidence and answers are of several kinds, of which one has the most signatures and
//! hashes and another the most bytes; a call costs what the dearer of them does.

use super::*;
use crate::staging::{BATCH, JOB, Staged, member, verdict, worker};
use alloc::{vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::{BenchmarkError, v2::*};
use frame_support::traits::{fungible::Unbalanced, tokens::Precision};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use quern_dispute_rules::{
    Question, Sum,
    evidence::{Certified, Input, LINKS_MAX, Logged, Withheld, WrongAnswer},
    sum::STEP_VERDICTS_MAX,
};
use quern_joblog::Entry;
use quern_primitives::{
    Amount, DeviceId, Digest, GenesisHash, NodeKey, ProgramHash,
    batch::{Batch, DeviceChange, LogRange, Payout, TaskSet},
    device::{Class, RecordChange},
    job::Referees,
    limits::{
        DEVICES_PER_BATCH_MAX, LOG_ENTRIES_PER_BLOCK_MAX, PAYEES_PER_BATCH_MAX, REFEREES_MAX,
        REPLICAS_PER_TASK_MAX, TASK_BITMAP_BYTES_MAX, TASKS_PER_JOB_MAX, VERDICTS_PER_BATCH_MAX,
    },
    log::{Header, RefereeReport},
    merkle::Tree,
    payload::{DeviceSignature, NodeSignature, Signed, SignedPayload},
    receipt::{Answer, Exit, Receipt},
    verdict::Ground,
};
use sp_core::{crypto::KeyTypeId, ed25519};
use sp_runtime::traits::Zero;

/// Where the benchmark's keys are kept.
const KEYS: KeyTypeId = KeyTypeId(*b"qdis");

const STOP: BenchmarkError = BenchmarkError::Stop("the evidence is within its limits");

fn genesis<T: Config>() -> GenesisHash {
    GenesisHash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero()).0)
}

fn disputer<T: Config>() -> Result<AccountId, BenchmarkError> {
    let disputer: AccountId = account("disputer", 0, 0);
    for rich in [disputer.clone(), member(0)] {
        let money = crate::staging::BOND.saturating_mul(10);
        T::Currency::increase_balance(&rich, money, Precision::Exact)?;
    }
    Ok(disputer)
}

fn sign<P: SignedPayload>(
    key: &ed25519::Public,
    payload: &P,
    genesis: &GenesisHash,
) -> Result<[u8; 64], BenchmarkError> {
    sp_io::crypto::ed25519_sign(KEYS, key, &payload.signing_digest(genesis))
        .map(|signature| signature.0)
        .ok_or(BenchmarkError::Stop("the keystore has the key"))
}

/// An assignment at the end of a full block that a masternode signed, with as many headers behind it as may be.
fn assignment(
    entry: &Entry,
    writer: &ed25519::Public,
    genesis: &GenesisHash,
) -> Result<(Certified, Digest), BenchmarkError> {
    let (logged, mut header) = logged(entry, 0, writer, genesis)?;
    let mut links = vec![];
    for _ in 0..LINKS_MAX {
        header = Header {
            index: header.index.saturating_add(1),
            previous: header.hash(genesis),
            first: header.first.saturating_add(header.count.into()),
            ..header
        };
        links.push(header);
    }
    let links = links.try_into().map_err(|_| STOP)?;
    Ok((Certified { logged, links }, header.hash(genesis)))
}

/// An entry at the end of a full block of this index that a masternode signed, and the block's header.
fn logged(
    entry: &Entry,
    index: u64,
    writer: &ed25519::Public,
    genesis: &GenesisHash,
) -> Result<(Logged, Header), BenchmarkError> {
    let last = LOG_ENTRIES_PER_BLOCK_MAX.saturating_sub(1);
    let mut leaves: Vec<_> = (0..last).map(|it| it.encode()).collect();
    leaves.push(entry.encode());
    let tree = Tree::new(leaves);
    let header = Header {
        job: JOB,
        index,
        previous: Header::opening(genesis, &JOB),
        skip: Header::opening(genesis, &JOB),
        time_ms: 0,
        first: 0,
        count: tree.count(),
        bytes: 0,
        entries_root: tree.root(),
    };
    let logged = Logged {
        header: Signed {
            payload: header,
            signature: NodeSignature(sign(writer, &header, genesis)?),
        },
        entry: entry.encode().try_into().map_err(|_| STOP)?,
        place: last,
        siblings: tree
            .proof(last)
            .ok_or(STOP)?
            .siblings
            .try_into()
            .map_err(|_| STOP)?,
    };
    Ok((logged, header))
}

/// Two of the longest batches of one number that one masternode wrote down, and the facts for it.
fn two_batches<T: Config>() -> Result<(Evidence, Facts), BenchmarkError> {
    let genesis = genesis::<T>();
    let mut facts = Staged::new(genesis, 1, 1).facts;
    let writer = sp_io::crypto::ed25519_generate(KEYS, None);
    let node = NodeKey(writer.0);
    facts.group.first_mut().ok_or(STOP)?.node = node;
    let payouts = (0..PAYEES_PER_BATCH_MAX).map(|number| Payout {
        account: worker(number),
        amount: Amount::MAX,
    });
    let devices = (0..DEVICES_PER_BATCH_MAX).map(|number| DeviceChange {
        device: crate::staging::device(number),
        change: RecordChange::default(),
    });
    let tasks = TaskSet {
        first: 0,
        bits: vec![u8::MAX; TASK_BITMAP_BYTES_MAX as usize]
            .try_into()
            .map_err(|_| STOP)?,
    };
    let batch = Batch {
        job: JOB,
        sequence: BATCH.sequence,
        log: LogRange { first: 0, last: 9 },
        verdicts_root: Digest([1; 32]),
        tasks,
        spent: 1,
        payouts: payouts.collect::<Vec<_>>().try_into().map_err(|_| STOP)?,
        devices: devices.collect::<Vec<_>>().try_into().map_err(|_| STOP)?,
    };
    let other = Batch {
        spent: 2,
        ..batch.clone()
    };
    let (first, _) = logged(&Entry::Batched { batch }, 0, &writer, &genesis)?;
    let (second, _) = logged(&Entry::Batched { batch: other }, 1, &writer, &genesis)?;
    let evidence = Evidence::Entries {
        node,
        first: Box::new(first),
        second: Box::new(second),
    };
    Ok((evidence, facts))
}

/// A wrong answer that all of a full group contradict, and the facts for it.
fn wrong_answer<T: Config>() -> Result<(Evidence, Facts), BenchmarkError> {
    let genesis = genesis::<T>();
    let mut facts = Staged::new(genesis, 1, 1).facts;
    let key = sp_io::crypto::ed25519_generate(KEYS, None);
    let device = DeviceId(key.0);
    let task = TASKS_PER_JOB_MAX.saturating_sub(1);
    let roots = Tree::new((0..TASKS_PER_JOB_MAX).map(|_| [7; 32]));
    facts.job.submission.shards_root = roots.root();
    let siblings = roots.proof(task).ok_or(STOP)?.siblings;
    let engine = Digest([3; 32]);
    let entry = Entry::Assigned {
        task,
        replica: 0,
        device,
        account: worker(0),
        engine,
        at: 5,
        lanes: 1,
    };
    let mut nodes = vec![];
    for member in &mut facts.group {
        let key = sp_io::crypto::ed25519_generate(KEYS, None);
        member.node = NodeKey(key.0);
        nodes.push(key);
    }
    let batch = facts.batch.as_ref().ok_or(STOP)?;
    let mut members = facts.group.iter();
    let writer = members.position(|member| member.account == batch.coordinator);
    let writer = writer.and_then(|place| nodes.get(place)).ok_or(STOP)?;
    let (assignment, head) = assignment(&entry, writer, &genesis)?;
    if let Some(batch) = &mut facts.batch {
        batch.heads = vec![head];
    }
    let answer = |value: u8| Answer {
        result_commitment: Digest([value; 32]),
        result_bytes: 10,
        fuel: 5,
        exit: Exit::Success,
    };
    let said = answer(1);
    let receipt = Receipt {
        job: JOB,
        task,
        replica: 0,
        device,
        program: ProgramHash([8; 32]),
        input_root: Digest([7; 32]),
        question: Digest([46; 32]),
        result_commitment: said.result_commitment,
        output_root: Digest([2; 32]),
        result_bytes: said.result_bytes,
        fuel: said.fuel,
        exit: said.exit,
        class: Class::Pinned,
        engine,
        log_position: u64::from(LOG_ENTRIES_PER_BLOCK_MAX).saturating_sub(1),
        salt: [90; 32].into(),
    };
    let report = RefereeReport {
        job: JOB,
        task,
        question: Digest([46; 32]),
        answer: answer(2),
    };
    let mut referees = vec![];
    for (place, key) in (0u8..).zip(&nodes) {
        referees.push((place, NodeSignature(sign(key, &report, &genesis)?)));
    }
    let signature = DeviceSignature(sign(&key, &receipt, &genesis)?);
    let evidence = Evidence::WrongAnswer(Box::new(WrongAnswer {
        batch: BATCH,
        receipt: Signed {
            payload: receipt,
            signature,
        },
        input: Input {
            root: Digest([7; 32]),
            siblings: siblings.try_into().map_err(|_| STOP)?,
        },
        assignment,
        report,
        referees: referees.try_into().map_err(|_| STOP)?,
    }));
    Ok((evidence, facts))
}

/// Verdicts of the largest batch from a task on, each of as many replicas as may be.
fn verdicts(facts: &Facts, first: u32, count: u32) -> Result<Step, BenchmarkError> {
    let mut step = vec![];
    for task in first..first.saturating_add(count) {
        let verdict = verdict(&facts.job, task, REPLICAS_PER_TASK_MAX);
        step.push(verdict.encode().try_into().map_err(|_| STOP)?);
    }
    step.try_into().map_err(|_| STOP)
}

fn open<T: Config>(evidence: Evidence, facts: Facts) -> Result<AccountId, BenchmarkError> {
    let disputer = disputer::<T>()?;
    T::Court::stage(facts);
    Pallet::<T>::do_dispute(disputer.clone(), &evidence, &mut Work::Looked)?;
    Ok(disputer)
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn dispute_wrong_answer() -> Result<(), BenchmarkError> {
        let disputer = disputer::<T>()?;
        let (evidence, facts) = wrong_answer::<T>()?;
        let device = evidence.subject().device.ok_or(STOP)?;
        T::Court::enlist(device, worker(0));
        T::Court::stage(facts);

        #[extrinsic_call]
        dispute(RawOrigin::Signed(disputer), Box::new(evidence));

        assert_eq!(Convictions::<T>::iter_prefix(JOB).count(), 1);
        Ok(())
    }

    #[benchmark]
    fn dispute_entries() -> Result<(), BenchmarkError> {
        let disputer = disputer::<T>()?;
        let (evidence, facts) = two_batches::<T>()?;
        T::Court::stage(facts);

        #[extrinsic_call]
        dispute(RawOrigin::Signed(disputer), Box::new(evidence));

        assert_eq!(Convictions::<T>::iter_prefix(JOB).count(), 1);
        Ok(())
    }

    #[benchmark]
    fn step(v: Linear<1, STEP_VERDICTS_MAX>) -> Result<(), BenchmarkError> {
        let facts = Staged::new(genesis::<T>(), VERDICTS_PER_BATCH_MAX, 1).facts;
        let disputer = open::<T>(Evidence::Payouts { batch: BATCH }, facts.clone())?;
        // More accounts and devices than the lists have room for.
        let mut sum = Sum::default();
        let filling = verdicts(&facts, 0, 40)?;
        sum.add(&filling, &facts).map_err(|_| STOP)?;
        Sums::<T>::insert(0, sum);
        let more = verdicts(&facts, 40, v)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(disputer), 0, more);

        let added = Sums::<T>::get(0).map(|sum| sum.verdicts());
        assert_eq!(added, Some(v.saturating_add(40)));
        Ok(())
    }

    #[benchmark]
    fn answer_verdict() -> Result<(), BenchmarkError> {
        let staged = Staged::new(genesis::<T>(), VERDICTS_PER_BATCH_MAX, 1);
        let what = Withheld::Verdict { task: 0 };
        let batch = BATCH;
        let disputer = open::<T>(Evidence::Withheld { batch, what }, staged.facts.clone())?;
        let reply = Reply::Verdict(staged.leaf().ok_or(STOP)?);

        #[extrinsic_call]
        answer(RawOrigin::Signed(disputer), 0, Box::new(reply));

        assert!(!Disputes::<T>::contains_key(0));
        Ok(())
    }

    #[benchmark]
    fn answer_reports() -> Result<(), BenchmarkError> {
        let genesis = genesis::<T>();
        let mut staged = Staged::new(genesis, VERDICTS_PER_BATCH_MAX, 1);
        let verdict = staged.verdicts.first_mut().ok_or(STOP)?;
        verdict.ground = Ground::Referee;
        let report = RefereeReport {
            job: JOB,
            task: verdict.task,
            question: Digest([46; 32]),
            answer: verdict.answer,
        };
        staged.settle();
        staged.facts.job.submission.referees = Referees::Three;
        let mut signed = vec![];
        for member in staged
            .facts
            .group
            .iter_mut()
            .skip(1)
            .take(REFEREES_MAX as usize)
        {
            let key = sp_io::crypto::ed25519_generate(KEYS, None);
            member.node = NodeKey(key.0);
            staged.facts.referees.push(member.node);
            signed.push((member.node, NodeSignature(sign(&key, &report, &genesis)?)));
        }
        let leaf = staged.leaf().ok_or(STOP)?;
        let what = Withheld::Report { leaf };
        let batch = BATCH;
        let disputer = open::<T>(Evidence::Withheld { batch, what }, staged.facts)?;
        let reply = Reply::reports(report, signed);

        #[extrinsic_call]
        answer(RawOrigin::Signed(disputer), 0, Box::new(reply));

        assert!(!Disputes::<T>::contains_key(0));
        Ok(())
    }

    #[benchmark]
    fn expire() -> Result<(), BenchmarkError> {
        let facts = Staged::new(genesis::<T>(), VERDICTS_PER_BATCH_MAX, 1).facts;
        let disputer = open::<T>(Evidence::Payouts { batch: BATCH }, facts)?;
        // As if the time were over and a coordinator had not answered.
        Disputes::<T>::mutate(0, |kept| {
            if let Some(kept) = kept {
                kept.until = 0;
                kept.matter = Matter::Asked(Question::Verdict { task: 0 });
            }
        });
        frame_system::Pallet::<T>::set_block_number(1_000u32.into());

        #[extrinsic_call]
        _(RawOrigin::Signed(disputer), 0);

        assert!(!Disputes::<T>::contains_key(0));
        Ok(())
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::mock::genesis_with_keystore(),
        crate::mock::Test
    );
}
