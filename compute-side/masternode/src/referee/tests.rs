//! The referee's answers, against what the programs are known to write.

use super::*;
use crate::vault::{JOBS, tests::vault_in};
use bytes::Bytes;
use quern_primitives::{
    Digest, GenesisHash, SealingKey,
    job::{Agreement, ByteLevel, Preferences, Referees},
    receipt::Exit as SettledExit,
};
use quern_shards::{
    context::ShardContext,
    keys::{JobKey, wrap},
    manifest::{self, Manifest, ShardEntry},
    result::{open_result, result_commitment},
    seal::{SealSalt, seal},
};
use std::{fs, thread, time::Duration};
use tokio::runtime::Runtime;

const GENESIS: GenesisHash = GenesisHash([1; 32]);
const JOB: JobId = JobId([2; 32]);

/// The masternode's network key.
fn node() -> NodeSecret {
    NodeSecret::from_seed(&[3; 32])
}

const MIB: usize = 1024 * 1024;

/// Writes what it reads.
const ECHO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start")
        (loop $more
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 65536))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (if (i32.load (i32.const 8)) (then
                (i32.store (i32.const 4) (i32.load (i32.const 8)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (br $more))))))"#;

/// Writes 16 bytes of chance.
const CHANCE: &str = r#"(module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $random (i32.const 1024) (i32.const 16)))
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 16))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Divides by zero.
const TRAP: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_start") (drop (i32.div_u (i32.const 1) (i32.const 0)))))"#;

/// Never ends.
const ENDLESS: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_start") (loop $more (br $more))))"#;

/// Asks for memory until it is refused, and fails then.
const GREEDY: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_start")
        (loop $more
            (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
            (br $more))))"#;

/// Prints without end.
const WORDY: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\00\10\00\00")
    (func (export "_start")
        (loop $again
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br $again))))"#;

/// A job of the portable class, which every machine runs, with one task for each shard.
struct World {
    folder: tempfile::TempDir,
    runtime: Runtime,
    vault: Vault,
    referee: Referee,
    context: JobContext,
    submission: Submission,
    keys: Vec<ShardKey>,
}

impl World {
    fn new(text: &str, shards: &[&[u8]]) -> Self {
        let module = wat::parse_str(text).unwrap();
        Self::with_program(&module, shards)
    }

    fn with_program(module: &[u8], shards: &[&[u8]]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let vault = runtime.block_on(vault_in(folder.path(), u64::MAX));
        let put = |item, bytes: &[u8]| {
            let put = vault.put(JOB, item, Bytes::copy_from_slice(bytes));
            runtime.block_on(put).unwrap();
        };
        put(Item::Program, module);
        let program = ProgramHash(Sha256::digest(module).into());
        let job_key = JobKey::from_bytes([4; 32]);
        let (mut entries, mut keys) = (vec![], vec![]);
        for (task, plaintext) in (0u32..).zip(shards) {
            let key = ShardKey::from_bytes(Sha256::digest(task.to_le_bytes()).into());
            let context = ShardContext {
                genesis: GENESIS,
                job: JOB,
                program,
                index: task,
                count: shards.len() as u32,
                plaintext_bytes: plaintext.len() as u64,
            };
            let sealed = seal(&key, SealSalt([5; 16]), &context, plaintext).unwrap();
            put(Item::Shard(task), &sealed.bytes);
            entries.push(ShardEntry {
                plaintext_bytes: plaintext.len() as u32,
                chunk_root: sealed.chunk_root,
                key: wrap(&job_key, &JOB, task, &key, &mut rand::rng()),
            });
            keys.push(key);
        }
        let manifest = Manifest::new(JOB, program, entries);
        let sealed = manifest.seal(GENESIS, &job_key, SealSalt([6; 16])).unwrap();
        let submission = submission(&manifest, &job_key, sealed.digest);
        let manifest = manifest::open(GENESIS, JOB, &submission, &job_key, &sealed.bytes).unwrap();
        let kept = runtime.block_on(vault.kept_shards(JOB)).unwrap();
        let referee = {
            let _entered = runtime.enter();
            Referee::new(node(), GENESIS, vault.clone(), 64)
        };
        Self {
            referee,
            context: JobContext::new(manifest, job_key, &submission, &kept),
            runtime,
            folder,
            vault,
            submission,
            keys,
        }
    }

    fn brief(&self, task: TaskIndex, purpose: Purpose) -> Brief<'_> {
        Brief {
            context: &self.context,
            submission: &self.submission,
            task,
            purpose,
            accepted: None,
            time_ms: 60_000,
        }
    }

    fn compute(&self, task: TaskIndex, purpose: Purpose) -> Result<Truth, RefereeError> {
        let brief = self.brief(task, purpose);
        self.referee.compute(&brief, &Cancel::new())
    }

    fn has(&self, item: Item) -> bool {
        let length = self.vault.length(JOB, item);
        self.runtime.block_on(length).unwrap().is_some()
    }

    fn read_all(&self, item: Item) -> Vec<u8> {
        let read = self.vault.read_all(JOB, item);
        self.runtime.block_on(read).unwrap()
    }

    /// What is in a result that the referee sealed, as the owner opens it.
    fn opened(&self, task: TaskIndex, truth: &Truth, sealed: &[u8]) -> Vec<u8> {
        assert_eq!(chunk_root(sealed), truth.output_root);
        let manifest = &self.context.manifest;
        let context = manifest.result_context(task, REFEREE_REPLICA, name_of(&truth.node));
        let key = &self.keys[task as usize];
        let answer = truth.answer();
        let commitment = &answer.result_commitment;
        open_result(key, &context.unwrap(), commitment, sealed).unwrap()
    }
}

fn submission(manifest: &Manifest, key: &JobKey, digest: Digest) -> Submission {
    Submission {
        salt: [0; 16],
        program: manifest.program,
        manifest: digest,
        shards_root: manifest.shards_root(),
        key_commitment: key.commitment(&JOB),
        tasks: manifest.shards.len() as u32,
        input_bytes: manifest.input_bytes(),
        fuel_per_task_max: 50_000_000_000,
        memory_bytes_max: 64 << 20,
        result_bytes_max: 8 << 20,
        agreement: Agreement::Single,
        referees: Referees::One,
        class: Class::Portable,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: 100,
        price_max: 0,
        owner_sealing_key: SealingKey([7; 32]),
    }
}

#[test]
fn a_job_is_planned_with_its_program_and_its_largest_shard_to_fetch() {
    let world = World::new(ECHO, &[b"one", b"and the third", b"two"]);
    let program = world.context.program_bytes(&world.vault);
    let program = u64::from(world.runtime.block_on(program).unwrap().unwrap());
    let plan = world.context.plan([9; 32], [2].into());
    let largest = world.context.manifest.shard(1).unwrap().sealed_bytes();
    assert!(program > 100 && largest > 13, "{program} {largest}");
    assert_eq!(plan.fetch_bytes_max, program + largest);
    assert_eq!(plan.input_roots, world.context.input_roots());
    assert_eq!((plan.seed, plan.settled), ([9; 32], [2].into()));
    assert!(plan.missing.is_empty());
}

#[test]
fn the_answer_is_that_of_a_device_and_the_owner_opens_the_result() {
    let world = World::new(ECHO, &[b"first", b"second"]);
    let truth = world.compute(1, Purpose::Referee).unwrap();
    let answer = truth.answer();
    let commitment = result_commitment(&world.keys[1], &JOB, 1, b"second");
    assert_eq!(answer.result_commitment, commitment);
    assert_eq!(
        (answer.result_bytes, answer.exit),
        (6, SettledExit::Success)
    );
    assert!(answer.fuel > 0);
    let Output::Inline(sealed) = &truth.output else {
        panic!("a small result is told");
    };
    assert_eq!(world.opened(1, &truth, sealed), b"second");
    let again = world.compute(1, Purpose::Referee).unwrap();
    assert_eq!(again, truth, "it comes out the same each time");
}

#[test]
fn chance_follows_from_job_and_task_as_on_every_device() {
    let world = World::new(CHANCE, &[b"", b""]);
    let [one, other] = [0, 1].map(|task| world.compute(task, Purpose::Referee).unwrap());
    let Output::Inline(sealed) = &one.output else {
        panic!("a small result is told");
    };
    let drawn = world.opened(0, &one, sealed);
    let seed = quern_sandbox::run_seed(&JOB, 0);
    let module = wat::parse_str(CHANCE).unwrap();
    let program = Engine::new(Class::Portable)
        .unwrap()
        .compile(&module)
        .unwrap();
    let run = program.run(
        &Invocation::new(Vec::<u8>::new(), seed),
        &Limits::default(),
        &Cancel::new(),
    );
    assert_eq!(run.unwrap().output, drawn);
    let Output::Inline(sealed) = &other.output else {
        panic!("a small result is told");
    };
    assert_ne!(world.opened(1, &other, sealed), drawn);
}

#[test]
fn a_program_that_fails_has_an_answer_and_an_empty_result() {
    let world = World::new(TRAP, &[b"x"]);
    let truth = world.compute(0, Purpose::Referee).unwrap();
    assert_eq!(truth.answer().exit, SettledExit::Trap);
    assert_eq!(truth.answer().result_bytes, 0);
    let empty = result_commitment(&world.keys[0], &JOB, 0, b"");
    assert_eq!(truth.answer().result_commitment, empty);
}

#[test]
fn a_program_that_keeps_no_limit_fails_as_on_every_device() {
    for (text, exit) in [
        (ENDLESS, SettledExit::OutOfFuel),
        (GREEDY, SettledExit::OutOfMemory),
        (WORDY, SettledExit::OutputTooLong),
    ] {
        let mut world = World::new(text, &[b"x"]);
        world.submission.fuel_per_task_max = 300_000_000;
        let truth = world.compute(0, Purpose::Referee).unwrap();
        assert_eq!(truth.answer().exit, exit);
        assert_eq!(truth.answer().result_bytes, 0);
        let again = world.compute(0, Purpose::Referee).unwrap();
        assert_eq!(again, truth, "with the same fuel");
    }
}

#[test]
fn a_program_that_asks_for_more_memory_than_is_to_spare_is_not_called_failing() {
    let mut world = World::new(GREEDY, &[b"x"]);
    world.submission.memory_bytes_max = 128 << 20;
    let error = world.compute(0, Purpose::Referee).unwrap_err();
    assert_eq!(NoReferee::from(&error), NoReferee::Machine);
}

#[test]
fn while_a_program_is_compiled_others_run_and_who_waits_for_it_may_stop() {
    let world = World::new(ECHO, &[b"x"]);
    world.compute(0, Purpose::Check).unwrap();
    let busy = Turn::take(&world.referee.compiler).unwrap();
    assert!(world.compute(0, Purpose::Check).is_ok(), "it is compiled");
    lock(&world.referee.programs).compiled.clear();
    let cancel = Cancel::new();
    let stopped = thread::scope(|scope| {
        let run = scope.spawn(|| {
            let brief = world.brief(0, Purpose::Check);
            world.referee.compute(&brief, &cancel)
        });
        thread::park_timeout(Duration::from_millis(100));
        cancel.cancel();
        run.join().unwrap()
    });
    let error = stopped.unwrap_err();
    assert!(matches!(error, RefereeError::GivenUp(Exit::Cancelled)));
    let mut brief = world.brief(0, Purpose::Check);
    brief.time_ms = 100;
    let late = world.referee.compute(&brief, &Cancel::new()).unwrap_err();
    assert!(matches!(late, RefereeError::GivenUp(Exit::WallTime)));
    drop(busy);
    assert!(world.compute(0, Purpose::Check).is_ok());
}

#[test]
fn a_large_result_is_kept_in_a_file_under_the_referee_s_name_and_one_to_check_is_not() {
    let large = vec![9_u8; 3 * MIB];
    let world = World::new(ECHO, &[&large]);
    let item = Item::Result(0, REFEREE_REPLICA, name_of(&node().public()));
    let checked = world.compute(0, Purpose::Check).unwrap();
    assert!(!world.has(item));
    for _ in 0..2 {
        let truth = world.compute(0, Purpose::Referee).unwrap();
        assert_eq!(truth.answer(), checked.answer());
        let Output::Delivered { bytes } = truth.output else {
            panic!("a large result is not told");
        };
        let sealed = world.read_all(item);
        assert_eq!(sealed.len() as u64, bytes);
        assert_eq!(world.opened(0, &truth, &sealed), large);
    }
    let kept = Some((REFEREE_REPLICA, name_of(&node().public())));
    let keeping = world.vault.keep_result(JOB, 0, kept);
    world.runtime.block_on(keeping).unwrap();
    assert!(world.has(item));
}

#[test]
fn a_checked_result_is_kept_only_where_another_answer_than_the_accepted_one_comes_out() {
    let (small, large) = (b"small".to_vec(), vec![9_u8; 3 * MIB]);
    let world = World::new(ECHO, &[&small, &large]);
    let check = |task, accepted| {
        let mut brief = world.brief(task, Purpose::Check);
        brief.accepted = Some(accepted);
        world.referee.compute(&brief, &Cancel::new()).unwrap()
    };
    let right = [0, 1].map(|task| world.compute(task, Purpose::Check).unwrap().answer());
    let item = Item::Result(1, REFEREE_REPLICA, name_of(&node().public()));
    for (task, answer) in (0..).zip(right) {
        let truth = check(task, answer);
        assert_eq!(truth.output, Output::Inline(vec![]));
    }
    assert!(!world.has(item));
    let wrong = |answer: Answer| Answer {
        fuel: answer.fuel + 1,
        ..answer
    };
    let truth = check(0, wrong(right[0]));
    let Output::Inline(sealed) = &truth.output else {
        panic!("a small result is told");
    };
    assert_eq!(world.opened(0, &truth, sealed), small);
    let truth = check(1, wrong(right[1]));
    let sealed = world.read_all(item);
    let bytes = sealed.len() as u64;
    assert_eq!(truth.output, Output::Delivered { bytes });
    assert_eq!(world.opened(1, &truth, &sealed), large);
}

#[test]
fn who_is_not_waited_for_any_more_stops_at_once() {
    let world = World::new(ENDLESS, &[b"x"]);
    let cancel = Cancel::new();
    let stopped = thread::scope(|scope| {
        let run = scope.spawn(|| {
            let brief = world.brief(0, Purpose::Referee);
            world.referee.compute(&brief, &cancel)
        });
        thread::park_timeout(Duration::from_millis(300));
        cancel.cancel();
        run.join().unwrap()
    });
    let error = stopped.unwrap_err();
    assert!(matches!(error, RefereeError::GivenUp(Exit::Cancelled)));
    let mut brief = world.brief(0, Purpose::Referee);
    brief.time_ms = 50;
    let late = world.referee.compute(&brief, &Cancel::new()).unwrap_err();
    assert_eq!(NoReferee::from(&late), NoReferee::Late);
}

#[test]
fn a_task_that_may_need_more_memory_than_is_to_spare_is_not_begun() {
    let mut world = World::new(ECHO, &[b"x"]);
    world.submission.memory_bytes_max += 1;
    let error = world.compute(0, Purpose::Referee).unwrap_err();
    assert_eq!(NoReferee::from(&error), NoReferee::Machine);
    let words = error.to_string();
    assert!(
        words.contains("65 MiB, and referee_memory_mib is 64"),
        "{words}"
    );
}

#[test]
fn a_task_that_ends_the_masternode_again_and_again_is_not_begun_any_more() {
    let world = World::new(ECHO, &[b"first", b"second"]);
    // What comes to an end is begun as often as it is asked for.
    for _ in 0..=ATTEMPTS_MAX {
        assert!(world.compute(0, Purpose::Check).is_ok());
    }
    for before in 0..ATTEMPTS_MAX {
        assert_eq!(world.vault.begin_attempt(JOB, 0).unwrap(), before);
    }
    for _ in 0..2 {
        let error = world.compute(0, Purpose::Referee).unwrap_err();
        assert!(matches!(error, RefereeError::NeverEnds), "{error}");
        assert_eq!(NoReferee::from(&error), NoReferee::Machine);
    }
    assert!(world.compute(1, Purpose::Referee).is_ok(), "another task");
    // One fewer, and it is tried once more.
    world.vault.end_attempt(JOB, 0).unwrap();
    for _ in 1..ATTEMPTS_MAX {
        world.vault.begin_attempt(JOB, 0).unwrap();
    }
    assert!(world.compute(0, Purpose::Referee).is_ok());
}

#[test]
fn what_is_missing_or_damaged_is_said() {
    let world = World::new(ECHO, &[b"first", b"second"]);
    let why = |task| {
        let error = world.compute(task, Purpose::Referee).unwrap_err();
        (NoReferee::from(&error), error.to_string())
    };
    let (kind, words) = why(2);
    assert_eq!(kind, NoReferee::Data);
    assert!(words.contains("no such task"), "{words}");
    let erasing = world.vault.erase_inputs(JOB);
    world.runtime.block_on(erasing).unwrap();
    let (kind, words) = why(0);
    assert_eq!(kind, NoReferee::Data);
    assert!(words.contains("restore its file"), "{words}");
    let world = World::new(ECHO, &[b"x"]);
    let job = world.folder.path().join(JOBS).join(hex::encode(JOB.0));
    let other = wat::parse_str(TRAP).unwrap();
    fs::write(job.join("program.wasm"), other).unwrap();
    let error = world.compute(0, Purpose::Referee).unwrap_err();
    assert!(matches!(error, RefereeError::OtherProgram), "{error}");
    let world = World::with_program(b"no program", &[b"x"]);
    let error = world.compute(0, Purpose::Referee).unwrap_err();
    assert!(matches!(error, RefereeError::Compile(_)), "{error}");
}
