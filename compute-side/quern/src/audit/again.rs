//! Some tasks of a job, computed again.

use anyhow::Context as _;
use quern_owner::JobFolder;
use quern_primitives::{JobId, TaskIndex, job::Submission, receipt::Answer};
use quern_sandbox::{Cancel, Engine, Exit, Invocation, Limits, Program};
use quern_shards::{
    chunks::chunk_root, keys::JobKey, manifest::ValidatedManifest, result::result_commitment, seal,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
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
    ) -> anyhow::Result<Self> {
        let shards = match shards {
            Some(shards) => shards.to_owned(),
            None => folder.path().join("shards"),
        };
        Ok(Self {
            job: folder.job(),
            submission: folder.submission()?,
            manifest,
            key: folder.key()?,
            program: folder.program(),
            shards,
        })
    }

    /// Whether the sealed shards are there at all.
    pub(super) fn has_shards(&self) -> bool {
        self.shards.is_dir()
    }

    /// The program, compiled.
    pub(super) fn compile(&self) -> anyhow::Result<Program> {
        let module = fs::read(&self.program)
            .with_context(|| format!("cannot read {}", self.program.display()))?;
        Ok(Engine::new(self.submission.class)?.compile(&module)?)
    }

    /// The answer to a task; `None` if it takes too long here. Takes as long as the task does.
    pub(super) fn compute(
        &self,
        program: &Program,
        task: TaskIndex,
    ) -> anyhow::Result<Option<Answer>> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
