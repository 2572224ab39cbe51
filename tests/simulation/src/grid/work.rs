//! What is computed: tiny tasks whose right results are known.

use super::{
    asks::{Asked, MIB, USUAL_MIB, one_of},
    chain::{BLOCK_MS, FIRST_BLOCK, OWNER},
    config::Config,
    sizes::{Sizes, USUAL},
};
use quern_masternode::core::{BenchmarkPlan, JobPlan, PlannedAssignment};
use quern_primitives::{
    amount::Amount,
    device::Class,
    ids::{BlockNumber, Digest, GenesisHash, JobId, ProgramHash, SealingKey, TaskIndex},
    job::{Agreement, Referees, Submission, job_id},
    limits::{JOB_LIFETIME_BLOCKS_MAX, TASK_FUEL_MAX},
    merkle::Tree,
    receipt::{Answer, Exit},
};
use quern_protocol::{Assignment, Benchmark, SealedKey, ShardFacts, TaskLimits};
use quern_shards::{
    keys::{ShardKey, TrustSeed},
    result::result_commitment,
};
use rand::{RngExt as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};

pub(super) const GENESIS: GenesisHash = GenesisHash([9; 32]);

/// The engine that all devices run.
pub(super) const ENGINE: Digest = Digest([6; 32]);

/// Fuel of a second on an ordinary desktop.
const FUEL_PER_S: u64 = crate::population::DESKTOP_SPEED as u64 * 1_000;

/// Fuel of tasks of one size differs by less than this; the owner allows twice what the shortest takes.
const FUEL_SPREAD: u64 = 1_000;

/// Where tasks differ in size, the owner allows so many hundredths of what the largest takes: to allow much
/// more would tell devices that they have hours for it.
const ALLOWED_PERCENT: u64 = 125;

/// Fuel a millisecond of the slowest device that masternodes wait for.
const FUEL_PER_MS_MIN: u64 = 1_000_000;

/// Devices that use all their time on a large task and then fail, one after the other, before a job may be
/// over for it: two, each with as much before it.
const TIMES_OVER: u64 = 4;

const RESULT_BYTES: usize = 8;

/// Time that a job has beside what its work takes and beside faults, in milliseconds: devices that
/// had bad luck are left without work for some of it.
const PATIENCE_MS: u64 = 2 * 3_600_000;

/// Time that a job has beside faults for which there are too few devices, in milliseconds.
const TOO_FEW_MS: u64 = 20 * 60_000;

/// What a device says about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// What comes of it.
    TheTruth,
    /// A result that nobody else has.
    OwnLie(u32),
    /// A result that nobody else has, the same for every task.
    OneAnswer(u32),
    /// The result that all colluders have agreed on.
    CommonLie,
    /// That the program traps, as all colluders have agreed.
    ItTraps,
}

/// What is wrong with a job, by its owner's doing alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// No input opens, because the key is another; or the program does not compile, of which devices tell
    /// the masternode no other word.
    NeverOpens,
    /// The input of the last task does not open.
    LastNeverOpens,
    /// The program traps, whatever it reads.
    Traps,
    /// It asks for devices that fewer accounts have than must agree.
    TooFew,
}

impl Flaw {
    /// What is wrong with a job where so many of a thousand are unsound, if anything is.
    pub(super) fn drawn(permille: u32, chance: &mut StdRng) -> Option<Self> {
        let all = [
            Self::NeverOpens,
            Self::LastNeverOpens,
            Self::Traps,
            Self::TooFew,
        ];
        let is_unsound = permille > 0 && chance.random_range(0..1_000u32) < permille;
        is_unsound.then(|| one_of(all, chance))
    }

    /// As a trace has it, behind what is said of the job.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::NeverOpens => ", whose inputs do not open",
            Self::LastNeverOpens => ", whose last input does not open",
            Self::Traps => ", whose program traps",
            Self::TooFew => ", for which there are too few accounts",
        }
    }
}

/// What comes of a task.
pub(super) struct Made {
    pub(super) exit: Exit,
    pub(super) fuel: u64,
    pub(super) result: Vec<u8>,
}

/// A job's work.
pub(super) struct Work {
    pub(super) id: JobId,
    pub(super) submission: Submission,
    /// What is wrong with it, if anything is.
    pub(super) flaw: Option<Flaw>,
    /// What a task of the usual size takes.
    fuel: u64,
    sizes: Sizes,
}

impl Work {
    /// The job of this number, and what its owner asks for.
    pub(super) fn new(config: &Config, number: u32, asked: Asked) -> Self {
        let mut salt = [0; 16];
        salt[..4].copy_from_slice(&number.to_le_bytes());
        salt[8..].copy_from_slice(&config.seed.to_le_bytes());
        let agreement = match config.replicas {
            1 => Agreement::Single,
            2 => Agreement::Unanimous,
            replicas => Agreement::Majority { replicas },
        };
        let fuel = u64::from(config.task_s) * FUEL_PER_S;
        let id = job_id(&GENESIS, &OWNER, &salt);
        let submission = Submission {
            salt,
            program: ProgramHash(digest("program", &id, 0)),
            manifest: Digest(digest("manifest", &id, 0)),
            shards_root: Tree::new(roots(&id, config.tasks)).root(),
            key_commitment: Digest(digest("key", &id, 0)),
            tasks: config.tasks,
            input_bytes: u64::from(config.tasks) * 100,
            fuel_per_task_max: fuel * 2,
            memory_bytes_max: asked.memory_mib.max(USUAL_MIB) * MIB,
            result_bytes_max: 1_024,
            agreement,
            // The group is the masternode alone, so that both come to the same.
            referees: match number.is_multiple_of(2) {
                true => Referees::One,
                false => Referees::Three,
            },
            class: Class::Pinned,
            preferences: asked.preferences,
            level: asked.level,
            deadline: deadline(config, asked.desktops, config.tasks.into(), 0),
            price_max: Amount::MAX,
            owner_sealing_key: SealingKey([6; 32]),
        };
        Self {
            id,
            submission,
            flaw: None,
            fuel,
            sizes: Sizes::default(),
        }
    }

    /// The same job with tasks of these sizes, for devices that are together as fast as so many desktops.
    pub(super) fn sized(mut self, config: &Config, desktops: u32, sizes: Sizes) -> Self {
        if sizes.differ() {
            let largest = self.fuel_of(sizes.largest()) + FUEL_SPREAD;
            let allowed = (largest * ALLOWED_PERCENT / 100).min(TASK_FUEL_MAX);
            self.submission.fuel_per_task_max = allowed;
            let over_ms = TIMES_OVER * allowed / FUEL_PER_MS_MIN;
            let tasks = sizes.usual_ones(config.tasks);
            self.submission.deadline = deadline(config, desktops, tasks, over_ms);
        }
        self.sizes = sizes;
        self
    }

    /// The size of the largest task that the chain takes such a job with.
    pub(super) fn size_max(config: &Config) -> u32 {
        let fuel = u64::from(config.task_s) * FUEL_PER_S;
        let most = TASK_FUEL_MAX * 100 / ALLOWED_PERCENT;
        // What is rounded off covers what tasks of one size differ by.
        let size = (most - FUEL_SPREAD) * u64::from(USUAL) / fuel.max(1);
        u32::try_from(size).unwrap_or(u32::MAX)
    }

    /// As a trace has it.
    pub(super) fn sizes_in_words(&self) -> &'static str {
        match self.sizes.differ() {
            true => ", uneven tasks",
            false => "",
        }
    }

    /// The same job with something wrong. One that waits for devices that are not there is given up soon.
    pub(super) fn flawed(mut self, config: &Config, flaw: Option<Flaw>) -> Self {
        self.flaw = flaw;
        if flaw == Some(Flaw::TooFew) {
            let ms = u64::from(config.faults_s) * 1_000 + TOO_FEW_MS;
            let blocks = (ms / BLOCK_MS) as BlockNumber;
            self.submission.deadline = FIRST_BLOCK.saturating_add(blocks);
        }
        self
    }

    /// Whether what a task reads opens nowhere.
    pub(super) fn never_opens(&self, task: TaskIndex) -> bool {
        match self.flaw {
            Some(Flaw::NeverOpens) => true,
            Some(Flaw::LastNeverOpens) => task + 1 == self.submission.tasks,
            Some(Flaw::Traps | Flaw::TooFew) | None => false,
        }
    }

    /// What the masternode must know of it, where these of its shards are there.
    pub(super) fn plan(&self, is_there: impl Fn(TaskIndex) -> bool) -> JobPlan {
        let tasks = 0..self.submission.tasks;
        JobPlan {
            input_roots: self.input_roots(),
            missing: tasks.filter(|task| !is_there(*task)).collect(),
            settled: Default::default(),
            seed: self.lane_seed(),
            fetch_bytes_max: 0,
            trust_seed: TrustSeed::from_bytes(digest("trust", &self.id, 0)),
        }
    }

    /// What the lanes of its tasks are drawn from.
    pub(super) fn lane_seed(&self) -> [u8; 32] {
        digest("lanes", &self.id, 0)
    }

    /// What a device is told of a replica.
    pub(super) fn assignment(&self, given: &PlannedAssignment) -> Assignment {
        let submission = &self.submission;
        Assignment {
            id: given.id,
            program: submission.program,
            program_bytes: 100,
            arguments: vec![],
            shard: ShardFacts {
                root: self.input_root(given.id.task),
                sealed_bytes: 400,
                plaintext_bytes: 100,
                count: submission.tasks,
            },
            // Sealing keys to devices changes nothing here and takes most of the time.
            key: SealedKey {
                encapsulated: [0; 32],
                ciphertext: [0; 48],
            },
            limits: TaskLimits {
                fuel: submission.fuel_per_task_max,
                memory_bytes: submission.memory_bytes_max,
                result_bytes: submission.result_bytes_max,
                time_ms: given.time_ms,
            },
            class: submission.class,
            log_position: given.log_position,
            commits: submission.agreement.commits(),
            inline_shard: None,
        }
    }

    pub(super) fn shard_key(&self, task: TaskIndex) -> ShardKey {
        ShardKey::from_bytes(digest("shard key", &self.id, task))
    }

    fn input_root(&self, task: TaskIndex) -> Digest {
        Digest(digest("input", &self.id, task))
    }

    /// The chunk roots of its shards.
    pub(super) fn input_roots(&self) -> Vec<Digest> {
        roots(&self.id, self.submission.tasks)
    }

    /// What a task takes.
    pub(super) fn fuel(&self, task: TaskIndex) -> u64 {
        self.fuel_of(self.sizes.of(task)) + u64::from(task) % FUEL_SPREAD
    }

    /// What tasks of a size take at the least.
    fn fuel_of(&self, size: u32) -> u64 {
        self.fuel * u64::from(size) / u64::from(USUAL)
    }

    /// What comes of a task on a device that says this.
    pub(super) fn made(&self, task: TaskIndex, says: Says) -> Made {
        let fuel = self.fuel(task);
        let (exit, bytes) = match says {
            Says::TheTruth if self.flaw == Some(Flaw::Traps) => (Exit::Trap, [0; 32]),
            Says::TheTruth => (Exit::Success, digest("result", &self.id, task)),
            Says::OwnLie(device) => {
                let mut bytes = digest("lie", &self.id, task);
                bytes[..4].copy_from_slice(&device.to_le_bytes());
                (Exit::Success, bytes)
            }
            Says::OneAnswer(device) => {
                let mut bytes = digest("one answer", &self.id, 0);
                bytes[..4].copy_from_slice(&device.to_le_bytes());
                (Exit::Success, bytes)
            }
            Says::CommonLie => (Exit::Success, digest("conspiracy", &self.id, task)),
            Says::ItTraps => (Exit::Trap, [0; 32]),
        };
        let result = match exit {
            Exit::Success => bytes[..RESULT_BYTES].to_vec(),
            _ => vec![],
        };
        Made { exit, fuel, result }
    }

    /// The right answer to a task.
    pub(super) fn truth(&self, task: TaskIndex) -> Answer {
        let Made { exit, fuel, result } = self.made(task, Says::TheTruth);
        let key = self.shard_key(task);
        Answer {
            result_commitment: result_commitment(&key, &self.id, task, &result),
            result_bytes: result.len() as u64,
            fuel,
            exit,
        }
    }
}

/// The benchmark as a device gets it. Its program is never run here.
pub(super) fn benchmark(plan: BenchmarkPlan) -> Benchmark {
    Benchmark {
        number: plan.number,
        program: vec![0; 100],
        input: plan.input,
        fuel: plan.fuel,
    }
}

/// What the benchmark writes on this input.
pub(super) fn benchmark_output(input: &[u8; 16]) -> [u8; 8] {
    let digest = Sha256::digest(input);
    std::array::from_fn(|place| digest[place])
}

/// When jobs must be through, if each is as much as so many tasks of the usual size: after the faults, twice
/// what all work takes these devices if every replica is computed twice, a while, and so many milliseconds.
fn deadline(config: &Config, desktops: u32, tasks: u64, over_ms: u64) -> BlockNumber {
    let tasks = tasks * u64::from(config.jobs) * u64::from(config.replicas);
    let work_ms = tasks * u64::from(config.task_s) * 1_000 * 4 / u64::from(desktops.max(1));
    let ms = u64::from(config.faults_s) * 1_000 + work_ms + PATIENCE_MS + over_ms;
    let blocks = (ms / BLOCK_MS).min(JOB_LIFETIME_BLOCKS_MAX.into());
    FIRST_BLOCK.saturating_add(blocks as BlockNumber)
}

/// The chunk roots of a job's shards, of which nobody has the bytes.
fn roots(job: &JobId, tasks: TaskIndex) -> Vec<Digest> {
    (0..tasks)
        .map(|task| Digest(digest("input", job, task)))
        .collect()
}

fn digest(what: &str, job: &JobId, number: u32) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(what.as_bytes());
    hasher.update(job.0);
    hasher.update(number.to_le_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn lies_differ_from_the_truth_and_only_common_ones_are_alike() {
        let work = Work::new(&Config::default(), 0, Asked::default());
        let made = |says| work.made(3, says).result;
        let all = [
            made(Says::TheTruth),
            made(Says::OwnLie(1)),
            made(Says::OwnLie(2)),
            made(Says::OneAnswer(1)),
            made(Says::OneAnswer(2)),
            made(Says::CommonLie),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|other| other != one));
        }
        assert_eq!(made(Says::CommonLie), made(Says::CommonLie));
        let elsewhere = work.made(4, Says::OneAnswer(1)).result;
        assert_eq!(made(Says::OneAnswer(1)), elsewhere);
        assert!(made(Says::ItTraps).is_empty());
        assert_eq!(work.truth(3).result_bytes, RESULT_BYTES as u64);
    }

    #[test]
    fn jobs_have_names_of_their_own_and_deadlines_after_the_faults() {
        let config = Config::default();
        let [one, other] = [0, 1].map(|number| Work::new(&config, number, Asked::default()));
        assert_ne!(one.id, other.id);
        let faults_end = FIRST_BLOCK + config.faults_s / 2;
        assert!(one.submission.deadline > faults_end + 3_600);
    }

    #[test]
    fn uneven_tasks_are_paid_for_and_have_the_time_that_the_largest_needs() {
        let config = Config {
            uneven: 1_000,
            ..Config::default()
        };
        let sizes = |task_s| {
            let config = Config {
                task_s,
                ..config.clone()
            };
            let mut chance = StdRng::seed_from_u64(7);
            Sizes::drawn(&config, Work::size_max(&config), &mut chance)
        };
        let asked = Asked {
            desktops: 50,
            ..Asked::default()
        };
        let even = Work::new(&config, 0, asked);
        let uneven = Work::new(&config, 0, asked).sized(&config, asked.desktops, sizes(20));
        let fuels = |work: &Work| -> Vec<u64> {
            let tasks = 0..config.tasks;
            tasks.map(|task| work.fuel(task)).collect()
        };
        let range = |work: &Work| {
            let (least, most) = (fuels(work).into_iter().min(), fuels(work).into_iter().max());
            (least.unwrap(), most.unwrap())
        };
        let (least, most) = range(&even);
        assert!(most - least < FUEL_SPREAD);
        let (least, most) = range(&uneven);
        assert!(most / least >= 10);
        assert_eq!(uneven.truth(3).fuel, uneven.fuel(3));
        assert!(uneven.submission.fuel_per_task_max > most);
        assert!(uneven.submission.deadline > even.submission.deadline);
        let words = [&even, &uneven].map(Work::sizes_in_words);
        assert_eq!(words, ["", ", uneven tasks"]);

        // However long a task takes, the chain takes the job.
        for task_s in [1, 30, 240] {
            let config = Config {
                task_s,
                ..config.clone()
            };
            let work = Work::new(&config, 0, Asked::default()).sized(&config, 0, sizes(task_s));
            let (_, most) = range(&work);
            let allowed = work.submission.fuel_per_task_max;
            assert!(
                most <= allowed && allowed <= TASK_FUEL_MAX,
                "{most} {allowed}"
            );
        }
    }

    #[test]
    fn the_truth_about_an_unsound_job_is_what_is_wrong_with_it() {
        let config = Config::default();
        let flawed = |flaw| Work::new(&config, 0, Asked::default()).flawed(&config, Some(flaw));
        let last = config.tasks - 1;
        let opens = |flaw| [0, last].map(|task| !flawed(flaw).never_opens(task));
        assert_eq!(opens(Flaw::NeverOpens), [false, false]);
        assert_eq!(opens(Flaw::LastNeverOpens), [true, false]);
        assert_eq!(opens(Flaw::Traps), [true, true]);
        assert_eq!(flawed(Flaw::Traps).truth(3).exit, Exit::Trap);
        assert_eq!(flawed(Flaw::TooFew).truth(3).exit, Exit::Success);
        let sound = Work::new(&config, 0, Asked::default());
        assert!(flawed(Flaw::TooFew).submission.deadline < sound.submission.deadline);
    }
}
