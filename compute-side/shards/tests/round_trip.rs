//! A job's data all the way: cut, sealed, wrapped, delegated, handed over, opened, sealed again,
//! assembled. No network and no program: the "program" turns letters upside down.

#![allow(clippy::unwrap_used)]

#[path = "../src/testing.rs"]
mod testing;

use proptest::prelude::*;
use quern_primitives::{
    AccountId, DeviceId, GenesisHash, ProgramHash, SealingKey,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees, Submission, job_id},
};
use quern_shards::{
    assemble::{Assembler, Placed},
    chunks::chunk_root,
    context::ShardContext,
    cut::{CutPlan, Split},
    keys::{
        Delegation, HandOver, JobKey, SealingSecret, ShardKey, accept_delegation, delegate,
        hand_over, receive, wrap,
    },
    manifest::{self, Manifest, ShardEntry},
    result::{open_result, seal_result},
    seal::{SealSalt, open, seal},
};
use testing::SeededRng;

const GENESIS: GenesisHash = GenesisHash([1; 32]);
const PROGRAM: ProgramHash = ProgramHash([2; 32]);

fn program(input: &[u8]) -> Vec<u8> {
    input
        .iter()
        .map(|byte| {
            if byte.is_ascii_alphabetic() {
                byte ^ 0x20
            } else {
                *byte
            }
        })
        .collect()
}

fn submission(
    manifest: &Manifest,
    key: &JobKey,
    digest: quern_primitives::Digest,
    tasks: u32,
) -> Submission {
    Submission {
        salt: [3; 16],
        program: PROGRAM,
        manifest: digest,
        shards_root: manifest.shards_root(),
        key_commitment: key.commitment(&manifest.job),
        tasks,
        input_bytes: manifest.input_bytes(),
        fuel_per_task_max: 1,
        memory_bytes_max: 1,
        result_bytes_max: 1,
        agreement: Agreement::Majority { replicas: 3 },
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: 1,
        price_max: 1,
        owner_sealing_key: SealingKey::default(),
    }
}

fn run_job(input: &[u8], split: Split, shard_bytes: u32, seed: u64) -> Vec<u8> {
    let mut rng = SeededRng::new(seed);
    let owner = AccountId::new([4; 32]);
    let job = job_id(&GENESIS, &owner, &[3; 16]);

    // The owner.
    let job_key = JobKey::random(&mut rng);
    let plan = CutPlan::scan(input, split, shard_bytes).unwrap();
    let mut entries = Vec::new();
    let mut sealed_shards = Vec::new();
    for (index, piece) in (0..).zip(plan.pieces(input)) {
        let piece = piece.unwrap();
        let (key, salt) = (ShardKey::random(&mut rng), SealSalt::random(&mut rng));
        let context = ShardContext {
            genesis: GENESIS,
            job,
            program: PROGRAM,
            index,
            count: plan.count(),
            plaintext_bytes: piece.len() as u64,
        };
        let sealed = seal(&key, salt, &context, &piece).unwrap();
        entries.push(ShardEntry {
            plaintext_bytes: plan.lengths()[index as usize],
            chunk_root: sealed.chunk_root,
            key: wrap(&job_key, &job, index, &key, &mut rng),
        });
        sealed_shards.push(sealed.bytes);
    }
    let manifest = Manifest::new(job, PROGRAM, entries);
    let sealed_manifest = manifest
        .seal(GENESIS, &job_key, SealSalt::random(&mut rng))
        .unwrap();
    let submission = submission(&manifest, &job_key, sealed_manifest.digest, plan.count());
    let masternode = SealingSecret::random(&mut rng);
    let delegation = Delegation {
        genesis: GENESIS,
        job,
        masternode: AccountId::new([5; 32]),
    };
    let delegated = delegate(&job_key, &masternode.public(), &delegation, &mut rng).unwrap();

    // The coordinator.
    let commitment = submission.key_commitment;
    let key = accept_delegation(&masternode, &delegation, &commitment, &delegated).unwrap();
    let opened = manifest::open(GENESIS, job, &submission, &key, &sealed_manifest.bytes).unwrap();

    let device_secret = SealingSecret::random(&mut rng);
    let mut assembler = Assembler::new(opened.tasks(), 1 << 20);
    let mut output = Vec::new();
    // From the last to the first, so that the assembler has something to do.
    for task in (0..opened.tasks()).rev() {
        let device = DeviceId([task.to_le_bytes()[0]; 32]);
        let shard_key = opened.shard_key(&key, task).unwrap().unwrap();
        let purpose = HandOver {
            genesis: GENESIS,
            job,
            index: task,
            device,
        };
        let to = device_secret.public();
        let handed = hand_over(&shard_key, &to, &purpose, &mut rng).unwrap();

        // The device.
        let sealed = &sealed_shards[task as usize];
        assert_eq!(chunk_root(sealed), opened.shard(task).unwrap().chunk_root);
        assert_eq!(
            sealed.len() as u64,
            opened.shard(task).unwrap().sealed_bytes()
        );
        let device_key = receive(&device_secret, &purpose, &handed).unwrap();
        let input = open(&device_key, &opened.shard_context(task).unwrap(), sealed).unwrap();
        let context = opened.result_context(task, 2, device).unwrap();
        let result = seal_result(&device_key, &context, &program(&input)).unwrap();

        // The owner again.
        let result = open_result(&shard_key, &context, &result.commitment, &result.bytes).unwrap();
        if let Placed::Ready(ready) = assembler.place(task, result).unwrap() {
            output.extend(ready.concat());
        }
    }
    assert!(assembler.is_complete());
    output
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_the_owner_gets_is_the_program_over_the_input(
        lines in prop::collection::vec("[a-zA-Z ]{0,40}", 1..30), shard_bytes in 45u32..200, seed: u64,
    ) {
        let input = lines.join("\n") + "\n";
        for split in [Split::Lines, Split::Bytes, Split::None] {
            let output = run_job(input.as_bytes(), split, shard_bytes, seed);
            prop_assert_eq!(output, program(input.as_bytes()));
        }
    }
}

#[test]
fn shards_of_many_segments_go_the_same_way() {
    let input = testing::patterned(1_000_000);
    assert_eq!(run_job(&input, Split::Bytes, 300_000, 7), program(&input));
}
