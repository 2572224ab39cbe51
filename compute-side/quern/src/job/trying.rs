//! `quern job try`: running tasks of a job here, as devices run them, to see what they take.

use super::{
    DescribedArgs,
    confidence::AssumedArgs,
    elsewhere::{self, BucketArgs},
    quote::{self, Offer},
    spec::JobSpec,
    trial::{self, Ready, Run, Trial, TrialError},
};
use crate::{
    causes,
    context::Context,
    output::{Output, OutputFile, count_bar, fields, table},
    units::{Size, counted, grouped},
};
use anyhow::Context as _;
use clap::Args;
use quern_primitives::{TaskIndex, receipt::Exit};
use quern_shards::cut::CutPlan;
use serde::Serialize;
use std::{
    io::Write as _,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Rows of the table of tasks.
const ROWS_MAX: usize = 20;

#[derive(Args, Clone, Debug)]
pub(crate) struct TryArgs {
    #[command(flatten)]
    job: DescribedArgs,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    buckets: BucketArgs,
    /// Where the results go, one behind the other [default: trial.result in the folder of keys and jobs]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which tasks are tried: the first, unless something is said.
#[derive(Args, Clone, Copy, Debug, Default)]
struct Which {
    /// The task to try, by the place of its shard, counted from 0 [default: 0]
    #[arg(long, value_name = "K", conflicts_with_all = ["sample", "all"])]
    shard: Option<TaskIndex>,
    /// Try so many tasks, evenly spread over the job
    #[arg(long, value_name = "N", conflicts_with = "all")]
    sample: Option<NonZeroU32>,
    /// Try every task
    #[arg(long)]
    all: bool,
}

/// The job has no such task.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input makes {}, counted from 0, so there is no shard {shard}", counted(*tasks, "shard"))]
struct NoSuchShard {
    shard: TaskIndex,
    tasks: u32,
}

/// What one task came to.
#[derive(Clone, Debug, Serialize)]
struct Tried {
    task: TaskIndex,
    shard_bytes: u32,
    /// As a device's receipt would state it; none if it ran longer than a trial may.
    exit: Option<Exit>,
    /// The same in words.
    #[serde(skip)]
    ended: String,
    fuel: u64,
    milliseconds: u64,
    memory_bytes: u64,
    output_bytes: u64,
    /// The end of it.
    standard_error: String,
}

/// What came of a trial.
#[derive(Debug, Serialize)]
struct Answer {
    /// How many tasks the job has.
    tasks: u32,
    /// Those that were tried, in order, up to the first that has no result.
    tried: Vec<Tried>,
    /// Why the last of them has none, as the job would be refused.
    error: Option<String>,
    /// What they wrote, one behind the other.
    output: PathBuf,
    output_bytes: u64,
    /// Fuel that a task of the job may use, which follows from them.
    fuel_per_task_max: Option<u64>,
    /// What the whole job would cost.
    offer: Option<Offer>,
    /// Why that is not known.
    offer_unknown: Option<String>,
}

/// What was done without a chain.
struct Done {
    program: Vec<u8>,
    plan: CutPlan,
    /// The task that used the most fuel.
    heaviest: Option<Trial>,
    answer: Answer,
}

/// Tries the tasks that are asked for. Fails, once all is shown, if one has no result.
pub(crate) async fn run(context: &Context, args: &TryArgs) -> anyhow::Result<ExitCode> {
    let mut spec = args.job.check()?;
    trial::check_files(&spec)?;
    let fetched = elsewhere::fetch(context, &mut spec, &args.buckets).await?;
    let output = match &args.output {
        Some(output) => output.clone(),
        None => context.trial_result()?,
    };
    let bar = count_bar("tasks");
    let (drawn, which, tried) = (bar.clone(), args.which, spec.clone());
    let done = tokio::task::spawn_blocking(move || {
        try_tasks(&tried, which, &output, |tried, chosen| {
            drawn.set_length(chosen);
            drawn.set_position(tried);
        })
    });
    let done = done.await?;
    bar.finish_and_clear();
    let mut done = done?;
    if let Some(heaviest) = done.heaviest.filter(|_| done.answer.error.is_none()) {
        done.answer.fuel_per_task_max = quote::fuel_per_task(&spec, &done.plan, Some(&heaviest));
        match offer(context, spec, done.program, &done.plan, heaviest).await {
            Ok(offer) => done.answer.offer = Some(offer),
            Err(error) => done.answer.offer_unknown = Some(in_words(&error)),
        }
    }
    context.show(&done.answer)?;
    elsewhere::tell_of_kept(context, fetched.as_ref());
    Ok(match done.answer.error {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

/// What the whole job costs, if its tasks take what the trial took.
async fn offer(
    context: &Context,
    spec: JobSpec,
    program: Vec<u8>,
    plan: &CutPlan,
    trial: Trial,
) -> anyhow::Result<Offer> {
    let state = context.chain().await?.at_finalised().await?;
    let assumed = AssumedArgs::default();
    let priced = quote::price(&state, spec, program, plan, Some(trial), assumed).await?;
    Ok(priced.offer)
}

/// An error and its causes on one line.
fn in_words(error: &anyhow::Error) -> String {
    let parts = std::iter::once(error.to_string()).chain(causes(error.as_ref()));
    parts.collect::<Vec<_>>().join("; ")
}

/// Runs the chosen tasks one after the other, until one has no result. `progress` hears how many of how
/// many were.
fn try_tasks(
    spec: &JobSpec,
    which: Which,
    output: &Path,
    progress: impl Fn(u64, u64),
) -> anyhow::Result<Done> {
    let program = trial::read_program(&spec.program)?;
    let plan = trial::plan(&spec.input)?;
    let chosen = which.of(plan.count())?;
    let ready = Ready::new(spec, &program)?;
    let (file, mut writer) = OutputFile::create(output)?;
    let (mut tried, mut output_bytes) = (Vec::new(), 0u64);
    let mut error: Option<TrialError> = None;
    let mut heaviest: Option<Trial> = None;
    for sharded in trial::shards(&spec.input, &plan, &chosen)? {
        progress(tried.len() as u64, chosen.len() as u64);
        let (task, shard) = sharded?;
        let run = ready.run(task, shard)?;
        writer
            .write_all(&run.outcome.output)
            .with_context(|| format!("cannot write {}", output.display()))?;
        let trial = run.trial();
        output_bytes = output_bytes.saturating_add(trial.result_bytes);
        if heaviest.is_none_or(|heaviest| heaviest.fuel < trial.fuel) {
            heaviest = Some(trial);
        }
        error = run.check().err();
        tried.push(Tried::new(&run, &plan));
        if error.is_some() {
            break;
        }
    }
    let answer = Answer {
        tasks: plan.count(),
        tried,
        error: error.as_ref().map(ToString::to_string),
        output: file.keep(writer)?,
        output_bytes,
        fuel_per_task_max: None,
        offer: None,
        offer_unknown: None,
    };
    Ok(Done {
        program,
        plan,
        heaviest,
        answer,
    })
}

impl Which {
    /// The chosen of so many tasks, ascending.
    fn of(self, tasks: u32) -> Result<Vec<TaskIndex>, NoSuchShard> {
        if self.all {
            return Ok((0..tasks).collect());
        }
        if let Some(sample) = self.sample {
            let chosen = sample.get().min(tasks);
            let spread = |place: u32| u64::from(place) * u64::from(tasks) / u64::from(chosen);
            let places = (0..chosen).filter_map(|place| u32::try_from(spread(place)).ok());
            return Ok(places.collect());
        }
        match self.shard.unwrap_or(0) {
            shard if shard < tasks => Ok(vec![shard]),
            shard => Err(NoSuchShard { shard, tasks }),
        }
    }
}

impl Tried {
    fn new(run: &Run, plan: &CutPlan) -> Self {
        let trial = run.trial();
        let shard = plan.lengths().get(trial.task as usize);
        Self {
            task: trial.task,
            shard_bytes: shard.copied().unwrap_or(0),
            exit: run.outcome.exit.settled(),
            ended: run.outcome.exit.to_string(),
            fuel: trial.fuel,
            milliseconds: u64::try_from(run.time.as_millis()).unwrap_or(u64::MAX),
            memory_bytes: trial.memory_bytes,
            output_bytes: trial.result_bytes,
            standard_error: run.diagnostics().plain(),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.task.to_string(),
            Size(self.shard_bytes.into()).to_string(),
            self.ended.clone(),
            grouped(self.fuel),
            seconds(self.milliseconds),
            Size(self.memory_bytes).to_string(),
            Size(self.output_bytes).to_string(),
        ]
    }
}

/// A time in seconds, such as `0.042 s`.
fn seconds(milliseconds: u64) -> String {
    let time = Duration::from_millis(milliseconds);
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

impl Answer {
    /// The only task that was tried.
    fn one(&self, tried: &Tried) -> String {
        let task = match self.tasks {
            0 | 1 => "0, the only one".to_owned(),
            several => format!(
                "{}, of {} that are counted from 0",
                tried.task,
                grouped(several)
            ),
        };
        let mut pairs = vec![
            ("task", task),
            ("shard", Size(tried.shard_bytes.into()).to_string()),
            ("exit", tried.ended.clone()),
            ("fuel", grouped(tried.fuel)),
            ("time here", seconds(tried.milliseconds)),
            ("memory", Size(tried.memory_bytes).to_string()),
            ("output", self.output_in_words()),
        ];
        if tried.standard_error.is_empty() {
            pairs.push(("standard error", "nothing".to_owned()));
        }
        fields(&pairs)
    }

    /// Several tasks: all of them, or those that used the most fuel, and the last if it failed.
    fn several(&self) -> String {
        let failed = self.error.as_ref().and(self.tried.last());
        let weight = |tried: &&Tried| {
            let is_failed = failed.is_some_and(|failed| failed.task == tried.task);
            (is_failed, tried.fuel)
        };
        let mut shown: Vec<_> = self.tried.iter().collect();
        shown.sort_by_key(|tried| std::cmp::Reverse(weight(tried)));
        shown.truncate(ROWS_MAX);
        shown.sort_by_key(|tried| tried.task);
        let rows: Vec<_> = shown.iter().map(|tried| tried.row()).collect();
        let head = [
            ">task",
            ">shard",
            "exit",
            ">fuel",
            ">time here",
            ">memory",
            ">output",
        ];
        let mut lines = vec![table(&head, &rows)];
        if shown.len() < self.tried.len() {
            lines.push(format!(
                "(those of the {} tried that used the most fuel; --json lists all)",
                self.tried.len()
            ));
        }
        let sum = |of: fn(&Tried) -> u64| {
            let parts = self.tried.iter().map(of);
            parts.fold(0u64, u64::saturating_add)
        };
        lines.push(format!(
            "{} of {} tried, with {} fuel and in {} together; output: {}",
            grouped(self.tried.len()),
            counted(self.tasks, "task"),
            grouped(sum(|tried| tried.fuel)),
            seconds(sum(|tried| tried.milliseconds)),
            self.output_in_words()
        ));
        lines.join("\n")
    }

    fn output_in_words(&self) -> String {
        let output = self.output.display();
        format!("{} in {output}", Size(self.output_bytes))
    }

    /// What the last task wrote to standard error, unless the error says it already.
    fn last_words(&self) -> Option<String> {
        let last = self.tried.last()?;
        let is_wanted = self.tried.len() == 1 || self.error.is_some();
        let said = self.error.as_deref().unwrap_or_default();
        let text = &last.standard_error;
        let is_new = !text.is_empty() && !said.contains(text.as_str());
        (is_wanted && is_new).then(|| format!("it wrote to standard error:\n{text}"))
    }
}

impl Output for Answer {
    fn people(&self) -> String {
        let mut parts = vec![match self.tried.as_slice() {
            [only] => self.one(only),
            _ => self.several(),
        }];
        parts.extend(self.last_words());
        if let Some(error) = &self.error {
            parts.push(format!("the job would be refused: {error}"));
        }
        if let Some(offer) = &self.offer {
            parts.push(offer.people());
        }
        if let Some(why) = &self.offer_unknown {
            let fuel = self.fuel_per_task_max.map_or_else(String::new, |fuel| {
                format!("a task may use {} fuel by this trial; ", grouped(fuel))
            });
            parts.push(format!("{fuel}what the job would cost is not known: {why}"));
        }
        parts.join("\n\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
