//! Some tasks of a job, computed again.

use super::progress::Progress;
use anyhow::Context as _;
use quern_owner::{FolderError, JobFolder};
use quern_primitives::{JobId, TaskIndex, job::Submission, receipt::Answer};
use quern_recheck::Difference;
use quern_sandbox::{Cancel, Engine, Exit, Invocation, Limits, Program};
use quern_shards::{
    chunks::chunk_root, keys::JobKey, manifest::ValidatedManifest, result::result_commitment, seal,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

/// Tasks that are computed again if nothing else is said.
const TASKS_DEFAULT: u32 = 3;

/// How long one task may take here.
const TASK_MS: u64 = 600_000;

/// How much of a job is computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// So many tasks.
    Tasks(u32),
    /// So many of a hundred, rounded up.
    Percent(u8),
}

/// A text says no such amount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a number of tasks, or a percentage from 0% to 100%")]
pub(super) struct NoAmount;

impl FromStr for Amount {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse() {
                Ok(percent @ 0..=100) => Ok(Self::Percent(percent)),
                _ => Err(NoAmount),
            },
            None => text.parse().map(Self::Tasks).map_err(|_| NoAmount),
        }
    }
}

impl Default for Amount {
    fn default() -> Self {
        Self::Tasks(TASKS_DEFAULT)
    }
}

impl Amount {
    /// Whether that is none, of however many tasks.
    pub(super) fn is_nothing(self) -> bool {
        matches!(self, Self::Tasks(0) | Self::Percent(0))
    }

    /// How many tasks that is of so many.
    fn of(self, tasks: u32) -> u32 {
        match self {
            Self::Tasks(wanted) => wanted.min(tasks),
            Self::Percent(percent) => {
                let share = u64::from(tasks)
                    .saturating_mul(percent.into())
                    .div_ceil(100);
                u32::try_from(share).unwrap_or(tasks)
            }
        }
    }

    /// As many of a job's tasks, each as likely as any other, by drawn numbers. Nobody knows them
    /// beforehand, so nobody is wrong only where it is not looked at.
    pub(super) fn draw(self, tasks: u32, mut draw: impl FnMut() -> u64) -> BTreeSet<TaskIndex> {
        let mut drawn = BTreeSet::new();
        for last in tasks.saturating_sub(self.of(tasks))..tasks {
            // Of 2^64 numbers the remainder favours none of a job's tasks noticeably.
            let task = draw() % (u64::from(last) + 1);
            let task = TaskIndex::try_from(task).unwrap_or(last);
            if !drawn.insert(task) {
                drawn.insert(last);
            }
        }
        drawn
    }
}

/// Why no task of a job can be computed again here.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHereError {
    /// It was submitted from elsewhere.
    #[error(
        "its key is not here; only its owner has that and the data, in the home folder it was submitted from"
    )]
    Key,
    /// The sealed shards are gone, or never were here.
    #[error(
        "its sealed shards are not in {path}; `quern job submit --keep-shards` keeps them, and --shards names where they are"
    )]
    Shards {
        /// Where they should be.
        path: PathBuf,
    },
    /// What is here of the job cannot be used.
    #[error("{why}")]
    Unusable {
        /// What it is, and why.
        why: String,
    },
    /// A file of the job's folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// What is needed to compute a job's tasks again: what only its owner has.
pub(super) struct Own {
    job: JobId,
    submission: Submission,
    manifest: ValidatedManifest,
    key: JobKey,
    program: PathBuf,
    shards: PathBuf,
}

impl Own {
    /// From the folder of a job; the sealed shards may be elsewhere.
    pub(super) fn of(
        folder: &JobFolder,
        manifest: ValidatedManifest,
        shards: Option<&Path>,
    ) -> Result<Self, NotHereError> {
        let shards = match shards {
            Some(shards) => shards.to_owned(),
            None => folder.path().join("shards"),
        };
        if !shards.is_dir() {
            return Err(NotHereError::Shards { path: shards });
        }
        Ok(Self {
            job: folder.job(),
            submission: folder.submission()?,
            manifest,
            key: folder.key()?,
            program: folder.program(),
            shards,
        })
    }

    /// The program, compiled.
    fn compile(&self) -> anyhow::Result<Program> {
        let module = fs::read(&self.program)
            .with_context(|| format!("cannot read {}", self.program.display()))?;
        Ok(Engine::new(self.submission.class)?.compile(&module)?)
    }

    /// The answer to a task; `None` if it takes too long here. Takes as long as the task does.
    fn compute(&self, program: &Program, task: TaskIndex) -> anyhow::Result<Option<Answer>> {
        let manifest = &self.manifest;
        let no_such_task = || format!("the manifest has no task {task}");
        let shard = manifest.shard(task).with_context(no_such_task)?;
        let context = manifest.shard_context(task).with_context(no_such_task)?;
        let key = manifest
            .shard_key(&self.key, task)
            .with_context(no_such_task)??;
        let path = self.shards.join(task.to_string());
        let sealed = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        anyhow::ensure!(
            chunk_root(&sealed) == shard.chunk_root,
            "{} is not the shard that the job was submitted with",
            path.display()
        );
        let input = seal::open(&key, &context, &sealed)?;
        let invocation = Invocation::of_task(&self.job, task, input, manifest.arguments(task))?;
        let submission = &self.submission;
        let limits = Limits::of_task(
            submission.fuel_per_task_max,
            submission.memory_bytes_max,
            submission.result_bytes_max,
            TASK_MS,
        );
        let outcome = program.run(&invocation, &limits, &Cancel::new())?;
        Ok(match outcome.into_answer() {
            Ok(answer) => Some(Answer {
                result_commitment: result_commitment(&key, &self.job, task, &answer.result),
                result_bytes: answer.result.len() as u64,
                fuel: answer.fuel,
                exit: answer.exit,
            }),
            Err(Exit::WallTime) => None,
            Err(exit) => anyhow::bail!("task {task} was not computed to its end: {exit}"),
        })
    }
}

/// What came of computing tasks again.
#[derive(Debug, Default)]
pub(super) struct Computed {
    /// Those that were.
    pub(super) tasks: Vec<TaskIndex>,
    /// Those of which something else came out.
    pub(super) differences: Vec<Difference>,
    /// Why some were not, though nothing failed.
    pub(super) left_out: Vec<String>,
    /// What failed, if something did. What was computed before still counts.
    pub(super) failed: Option<anyhow::Error>,
}

impl Computed {
    /// Computes the tasks again that have an accepted answer, one after the other.
    pub(super) async fn of(
        own: Own,
        answers: &BTreeMap<TaskIndex, Answer>,
        progress: &Progress,
    ) -> Self {
        let mut computed = Self::default();
        if answers.is_empty() {
            let why = "none of the tasks that were drawn has an accepted answer";
            computed.left_out.push(why.into());
        } else {
            let done = computed.compute(own, answers, progress).await;
            computed.failed = done.err();
        }
        computed
    }

    async fn compute(
        &mut self,
        own: Own,
        answers: &BTreeMap<TaskIndex, Answer>,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        progress.tasks(0, answers.len());
        let own = Arc::new(own);
        let compiling = own.clone();
        let program = tokio::task::spawn_blocking(move || compiling.compile()).await?;
        let program = program.context("the job's program cannot be run here")?;
        for (before, (task, accepted)) in answers.iter().enumerate() {
            let (task, accepted) = (*task, *accepted);
            let (own, program) = (own.clone(), program.clone());
            let answer = tokio::task::spawn_blocking(move || own.compute(&program, task)).await?;
            match answer.with_context(|| format!("task {task} cannot be computed again here"))? {
                Some(answer) => {
                    self.tasks.push(task);
                    if answer != accepted {
                        self.differences.push(Difference::Recomputed {
                            task,
                            accepted,
                            computed: answer,
                        });
                    }
                }
                None => self
                    .left_out
                    .push(format!("task {task} takes too long here")),
            }
            progress.tasks(before + 1, answers.len());
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use quern_owner::{Draft, Input, Terms, prepare};
    use quern_primitives::{
        AccountId, GenesisHash,
        device::Class,
        job::{Agreement, ByteLevel, Preferences, Referees},
    };
    use quern_shards::manifest::Assembly;

    const GENESIS: GenesisHash = GenesisHash([7; 32]);

    /// Prints what it reads.
    const COPIES: &str = r#"(module
        (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (i32.store (i32.const 0) (i32.const 16))
            (loop $again
                (i32.store (i32.const 4) (i32.const 4096))
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                (i32.store (i32.const 4) (i32.load (i32.const 8)))
                (if (i32.load (i32.const 8)) (then
                    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (br $again))))))"#;

    /// The folder of a job of three tasks that copy their input, as its submission leaves it.
    fn prepared(jobs: &Path) -> JobFolder {
        let input = |task: u32| {
            let path = jobs.join(format!("input-{task}"));
            fs::write(&path, format!("line {task}\n")).unwrap();
            path
        };
        let draft = Draft {
            program: wat::parse_str(COPIES).unwrap(),
            input: Input::Prepared((0..3).map(input).collect()),
            arguments: vec![],
            task_arguments: vec![],
            assembly: Assembly::Concatenate,
            terms: Terms {
                agreement: Agreement::Single,
                referees: Referees::One,
                class: Class::Portable,
                preferences: Preferences::default(),
                level: ByteLevel::Balanced,
                fuel_per_task_max: 1_000_000,
                memory_bytes_max: 1 << 20,
                result_bytes_max: 1_000,
                deadline: 100,
                price_max: 1,
            },
        };
        let owner = AccountId::new([1; 32]);
        prepare(jobs, GENESIS, &owner, &draft, |_, _| {}).unwrap()
    }

    fn own(folder: &JobFolder) -> Own {
        Own::of(folder, folder.manifest(GENESIS).unwrap(), None).unwrap()
    }

    /// The answers to these tasks.
    fn answers(folder: &JobFolder, tasks: &[TaskIndex]) -> BTreeMap<TaskIndex, Answer> {
        let own = own(folder);
        let program = own.compile().unwrap();
        let answer = |task: &TaskIndex| (*task, own.compute(&program, *task).unwrap().unwrap());
        tasks.iter().map(answer).collect()
    }

    async fn computed(folder: &JobFolder, answers: &BTreeMap<TaskIndex, Answer>) -> Computed {
        let progress = Progress::of_job(&indicatif::ProgressBar::hidden());
        Computed::of(own(folder), answers, &progress).await
    }

    #[tokio::test]
    async fn an_answer_that_was_accepted_and_is_wrong_is_found_by_computing_it_again() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        let mut accepted = answers(&folder, &[0, 2]);
        assert_eq!(accepted[&0].result_bytes, 7);
        let right = computed(&folder, &accepted).await;
        assert_eq!((right.tasks, right.differences), (vec![0, 2], vec![]));
        assert!(right.failed.is_none() && right.left_out.is_empty());

        let really = accepted[&2];
        let lie = Answer {
            result_commitment: accepted[&0].result_commitment,
            ..really
        };
        accepted.insert(2, lie);
        let found = computed(&folder, &accepted).await;
        assert_eq!(found.tasks, [0, 2]);
        let difference = Difference::Recomputed {
            task: 2,
            accepted: lie,
            computed: really,
        };
        assert_eq!(found.differences, [difference]);
    }

    #[tokio::test]
    async fn what_was_computed_before_something_failed_still_counts() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        let accepted = answers(&folder, &[0, 1, 2]);
        fs::write(folder.shard(1), b"something else").unwrap();
        let computed = computed(&folder, &accepted).await;
        assert_eq!(computed.tasks, [0]);
        let why = format!("{:#}", computed.failed.unwrap());
        assert!(
            why.starts_with("task 1 cannot be computed again here: "),
            "{why}"
        );
        assert!(
            why.contains("is not the shard that the job was submitted with"),
            "{why}"
        );
    }

    #[tokio::test]
    async fn where_no_task_that_was_drawn_has_an_answer_that_is_said() {
        let jobs = tempfile::tempdir().unwrap();
        let computed = computed(&prepared(jobs.path()), &BTreeMap::new()).await;
        assert!(computed.tasks.is_empty() && computed.failed.is_none());
        assert!(computed.left_out[0].contains("has an accepted answer"));
    }

    #[test]
    fn without_the_sealed_shards_nothing_can_be_computed_again_and_it_is_said_how_they_are_kept() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = prepared(jobs.path());
        let kept = jobs.path().join("kept");
        fs::rename(folder.path().join("shards"), &kept).unwrap();
        let manifest = folder.manifest(GENESIS).unwrap();
        let Err(why) = Own::of(&folder, manifest.clone(), None) else {
            panic!("there are no shards");
        };
        assert!(why.to_string().contains("--keep-shards"), "{why}");
        let own = Own::of(&folder, manifest, Some(&kept)).unwrap();
        let program = own.compile().unwrap();
        assert!(own.compute(&program, 1).unwrap().is_some());
    }

    #[test]
    fn an_amount_is_a_number_of_tasks_or_a_percentage() {
        assert_eq!("7".parse(), Ok(Amount::Tasks(7)));
        assert_eq!("100%".parse(), Ok(Amount::Percent(100)));
        for text in ["", "%", "101%", "-1", "1.5%", "ten"] {
            assert_eq!(text.parse::<Amount>(), Err(NoAmount), "{text}");
        }
        assert_eq!(Amount::Percent(1).of(1), 1);
        assert_eq!(Amount::Percent(10).of(101), 11);
        assert_eq!(Amount::Percent(0).of(50), 0);
        assert_eq!(Amount::Tasks(9).of(4), 4);
        assert!(Amount::Tasks(0).is_nothing() && Amount::Percent(0).is_nothing());
        assert!(!Amount::default().is_nothing() && !Amount::Percent(1).is_nothing());
    }

    #[test]
    fn as_many_tasks_are_drawn_as_are_wanted_whatever_the_numbers() {
        for number in [0, 1, 41, u64::MAX] {
            let drawn = Amount::Tasks(7).draw(20, || number);
            assert_eq!(drawn.len(), 7, "{drawn:?}");
            assert!(drawn.iter().all(|task| *task < 20));
        }
        let mut next = 0;
        let counting = || {
            next += 13;
            next
        };
        let all = Amount::Percent(100).draw(30, counting);
        assert_eq!(all, (0..30).collect());
        assert!(Amount::default().draw(0, || 5).is_empty());
    }

    #[test]
    fn every_task_is_drawn_as_often_as_any_other() {
        let mut state = 9_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 20
        };
        let mut counts = [0_u32; 10];
        for _ in 0..3_000 {
            for task in Amount::Tasks(3).draw(10, &mut draw) {
                counts[task as usize] += 1;
            }
        }
        assert!(
            counts.iter().all(|count| (800..1_000).contains(count)),
            "{counts:?}"
        );
    }
}
