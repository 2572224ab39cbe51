//! Handing a job in, and going on with one whose submission was interrupted.

use super::{
    JobName, SpecArgs,
    download::{Download, Downloaded},
    elsewhere::{self, BucketArgs, Destination, FileName},
    follow,
    impasse::end_in_words,
    quote::{self, Offer, Priced},
    trial,
};
use crate::{
    context::Context,
    output::{Output, byte_bar, can_confirm, confirm, count_bar, fields, spinner, tell},
};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar};
use quern_jobs_api::{ApiError, Impasse};
use quern_ledger::{Account, Chain};
use quern_owner::{
    AcceptedWrong, ApiFailure, Coordinator, CoordinatorError, Draft, JobFolder, Members,
    SubmitJobError, prepare, submit as submit_job,
};
use quern_primitives::{
    JobId,
    job::{Escrow, JobState},
};
use quern_shards::manifest::Assembly;
use serde::Serialize;
use std::{path::PathBuf, process::ExitCode};

#[derive(Args, Clone, Debug)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Do not ask before money goes into escrow
    #[arg(long, short)]
    yes: bool,
    /// Submit the job even if nobody could compute it now: no masternode answers, or there are not
    /// enough devices that meet what it asks for
    #[arg(long)]
    anyway: bool,
    /// Keep the sealed shards here when the coordinator has them, so that an audit can compute tasks again
    #[arg(long)]
    keep_shards: bool,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    buckets: BucketArgs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    name: JobName,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    buckets: BucketArgs,
}

#[derive(Args, Clone, Debug)]
struct WaitArgs {
    /// Follow the job until it is over
    #[arg(long)]
    wait: bool,
    /// Where the result goes: a file, an object of a bucket of yours (s3://BUCKET/KEY), or a URL that takes it by PUT; it
    /// is put together while the job runs
    #[arg(long, value_name = "FILE", value_parser = FileName::parser(), requires = "wait")]
    output: Option<FileName>,
}

impl WaitArgs {
    /// The same, once it is known that the result can be written where it goes.
    async fn checked(&self, buckets: &BucketArgs) -> anyhow::Result<Waiting> {
        Ok(Waiting {
            is_followed: self.wait,
            destination: match &self.output {
                Some(name) => Some(Destination::of(name, buckets).await?),
                None => None,
            },
        })
    }
}

/// What is done with a job that is handed in.
struct Waiting {
    is_followed: bool,
    destination: Option<Destination>,
}

/// What came of a submission.
#[derive(Debug, Serialize)]
struct Submitted {
    job: JobId,
    folder: PathBuf,
    /// The block of the submission; not there if the chain had the job already.
    block: Option<u32>,
    transaction: Option<String>,
    quote: Option<Offer>,
    #[serde(flatten)]
    state: Option<JobState>,
    /// The task for which it ended, if it could not go on and its coordinator still tells why.
    impasse: Option<Impasse>,
    escrow: Option<Escrow>,
    #[serde(flatten)]
    download: Downloaded,
}

/// Tries, prices, seals, submits and uploads a job.
pub(crate) async fn submit(context: &Context, args: &SubmitArgs) -> anyhow::Result<ExitCode> {
    let mut spec = args.spec.check()?;
    // Whoever names a file that is not there is told so, and not first that nobody can be asked.
    trial::check_files(&spec)?;
    can_confirm(args.yes)?;
    let owner = context.account()?;
    let waiting = args.wait.checked(&args.buckets).await?;
    let fetched = elsewhere::fetch(context, &mut spec, &args.buckets).await?;
    let (program, plan, trial) = quote::tried(&spec, args.spec.no_trial).await?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let priced = quote::price(&state, spec, program, &plan, trial, args.spec.assumed).await?;
    let (price, free) = (
        priced.offer.quote.total,
        state.wallet(&owner.id()).await?.free,
    );
    if free < price {
        return Err(SubmitJobError::Balance { price, free }.into());
    }
    if !args.anyway {
        priced.offer.matching.check()?;
    }
    if !context.is_json() {
        tell(&priced.offer.people());
    }
    if !args.yes {
        confirm("Submit the job?", "not submitted, and nothing spent")?;
    }
    let offer = priced.offer.clone();
    let folder = seal(context, &chain, &owner, priced).await?;
    if let Some(fetched) = fetched {
        // What of it stays now goes after a day.
        let _ = fetched.remove();
    }
    if args.keep_shards {
        folder.keep_uploads()?;
    }
    if let Some(bound) = offer.wrong_at_most {
        folder.put_accepted_wrong(&AcceptedWrong {
            at_most: bound.get(),
            colluders: args.spec.assumed.colluders,
        })?;
    }
    hand_in(context, &chain, &owner, &folder, Some(offer), waiting).await
}

/// Submits and uploads what is not on the chain or at the coordinator yet.
pub(crate) async fn resume(context: &Context, args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    let folder = context.job_folder(context.job(&args.name.job)?)?;
    let owner = context.account()?;
    let waiting = args.wait.checked(&args.buckets).await?;
    let chain = context.chain().await?;
    hand_in(context, &chain, &owner, &folder, None, waiting).await
}

/// Cuts and seals the input into the job's folder.
async fn seal(
    context: &Context,
    chain: &Chain,
    owner: &Account,
    priced: Priced,
) -> anyhow::Result<JobFolder> {
    let draft = Draft {
        program: priced.program,
        input: priced.spec.input,
        arguments: priced.spec.arguments,
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: priced.terms,
    };
    let (jobs, genesis, owner) = (context.jobs()?, chain.genesis(), owner.id());
    let bar = byte_bar("sealing");
    let drawn = bar.clone();
    let prepared = tokio::task::spawn_blocking(move || {
        prepare(&jobs, genesis, &owner, &draft, |done, total| {
            drawn.set_length(total);
            drawn.set_position(done);
        })
    })
    .await?;
    bar.finish_and_clear();
    Ok(prepared?)
}

async fn hand_in(
    context: &Context,
    chain: &Chain,
    owner: &Account,
    folder: &JobFolder,
    quote: Option<Offer>,
    waiting: Waiting,
) -> anyhow::Result<ExitCode> {
    let job = folder.job();
    let bar = spinner(format!("submitting job {job}"));
    let settled = submit_job(chain, owner, folder).await;
    bar.finish_and_clear();
    let settled = settled?;
    let mut answer = Submitted {
        job,
        folder: folder.path().to_owned(),
        block: settled.map(|settled| settled.block.number),
        transaction: settled.map(|settled| format!("0x{}", hex::encode(settled.transaction))),
        quote,
        state: None,
        impasse: None,
        escrow: None,
        download: Downloaded::default(),
    };
    if let Some(settled) = &settled
        && !context.is_json()
    {
        tell(&format!(
            "submitted job {job} in block {}",
            settled.block.number
        ));
    }
    let mut begun = begin(chain, folder).await?;
    let bars = MultiProgress::new();
    let bar = bars.add(byte_bar("uploading"));
    let uploading = upload(begun.as_mut(), folder, &bar);
    if waiting.is_followed {
        // Tasks are computed while shards are uploaded, and results come back.
        let download = Download::new(chain, folder.clone(), waiting.destination)?;
        let bar = bars.add(count_bar("tasks"));
        let following = follow::with_bar(chain, job, Some(download), &bar);
        let (_, over) = tokio::try_join!(uploading, following)?;
        (answer.state, answer.escrow) = (Some(over.job.state), Some(over.job.escrow));
        answer.impasse = over.impasse;
        answer.download = over.download;
    } else if !uploading.await? {
        anyhow::bail!(
            "the job ended before all of it was uploaded; `quern job show {job}` says how"
        );
    }
    context.show(&answer)?;
    let state = answer.state.as_ref();
    Ok(state.map_or(ExitCode::SUCCESS, super::exit_code))
}

/// The masternodes of a job that have what every task needs.
struct Begun {
    coordinator: Coordinator,
    members: Members,
}

/// Hands over to the job's masternodes what every task needs, so that the job starts. None if it is over
/// already.
async fn begin(chain: &Chain, folder: &JobFolder) -> anyhow::Result<Option<Begun>> {
    let bar = spinner("waiting for the job's coordinator");
    let begun = async {
        let coordinator = Coordinator::of(chain, folder.job()).await?;
        let offer = coordinator.begin(folder).await?;
        coordinator.upload_program(folder, &offer).await?;
        let members = Members::begin(chain, folder).await?;
        Ok::<_, CoordinatorError>(Begun {
            coordinator,
            members,
        })
    };
    let begun = begun.await;
    bar.finish_and_clear();
    unless_over(begun, folder.job())
}

/// Uploads the shards that are not there yet. False if the job was over before all of them were.
async fn upload(
    begun: Option<&mut Begun>,
    folder: &JobFolder,
    bar: &ProgressBar,
) -> anyhow::Result<bool> {
    let Some(Begun {
        coordinator,
        members,
    }) = begun
    else {
        return Ok(false);
    };
    let uploaded = coordinator.upload_shards(folder, |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
    });
    let uploaded = uploaded.await;
    bar.finish_and_clear();
    let is_whole = unless_over(uploaded, folder.job())?.is_some();
    if is_whole {
        members.upload_shards(folder).await;
        // Who was missed is handed the shards later, and whoever goes on then needs them.
        if tell_of_missed(folder.job(), members) == 0 {
            folder.drop_uploads()?;
        }
    }
    Ok(is_whole)
}

/// Tells of the masternodes of a job that did not take what the coordinator took, and how many there are.
/// One that is not there is nothing to stop for.
fn tell_of_missed(job: JobId, members: &Members) -> usize {
    let mut count = 0;
    for (account, error) in members.missed() {
        // One that says that the job is over was not needed.
        if matches!(
            error,
            CoordinatorError::Api(ApiFailure::Refused(ApiError::Closed))
        ) {
            continue;
        }
        count += 1;
        tell(&format!(
            "masternode {account} of the job has not all of it, and could not go on with it: {error}; `quern job resume {job}` hands it over"
        ));
    }
    count
}

/// What came of a part of an upload; none if the coordinator takes nothing more because the job is over.
fn unless_over<T>(part: Result<T, CoordinatorError>, job: JobId) -> anyhow::Result<Option<T>> {
    match part {
        Ok(done) => Ok(Some(done)),
        Err(CoordinatorError::Api(ApiFailure::Refused(ApiError::Closed))) => Ok(None),
        Err(error) => Err(anyhow::Error::from(error).context(format!(
            "the job is on the chain, but not all of it is at its coordinator; go on with `quern job resume {job}`"
        ))),
    }
}

impl Output for Submitted {
    fn people(&self) -> String {
        let mut pairs = vec![("job", self.job.to_string())];
        if let Some(state) = &self.state {
            pairs.push(("state", end_in_words(state, self.impasse.as_ref())));
        }
        if let Some(escrow) = &self.escrow {
            pairs.push(("money", super::status::escrow_in_words(escrow)));
            if escrow.pending > 0 {
                pairs.push((
                    "payment",
                    format!(
                        "{} are paid when their batches are final, and the rest goes back then; `quern job show {}` says how far that is",
                        quern_primitives::amount::display(escrow.pending),
                        self.job
                    ),
                ));
            }
        }
        match (self.download.in_words(self.job), &self.state) {
            (Some(words), _) => pairs.push(("result", words)),
            (None, Some(state)) if !super::is_done(state) => {}
            (None, Some(_)) => pairs.push(("result", format!("quern job result {}", self.job))),
            (None, None) => pairs.push(("follow it", format!("quern job watch {}", self.job))),
        }
        let corrections = self.download.corrections(self.job).into_iter();
        pairs.extend(corrections.map(|words| ("wrong", words)));
        fields(&pairs)
    }
}
