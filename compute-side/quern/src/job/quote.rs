//! What a job would cost.

use super::{
    SpecArgs,
    confidence::{self, AssumedArgs},
    elsewhere::{self, BucketArgs},
    matching::Matched,
    preferences,
    replicas::Found,
    spec::{Certainty, JobSpec},
    trial::{self, TaskName, Trial, TrialError},
    worth::WorthTooMuch,
};
use crate::{
    context::Context,
    grid::live::{self, Asked},
    output::{Output, patiently, spinner},
    units::{Size, counted, grouped, span_of_blocks},
};
use clap::Args;
use quern_confidence::{Bound, Search, Statement, accounts_for};
use quern_grid::replication::FailureProbability;
use quern_job_rules::quote::QuoteError;
use quern_jobs_api::Asking;
use quern_ledger::{ChainError, State};
use quern_owner::{Masternodes, SubmitJobError, Terms};
use quern_primitives::{
    Amount, Digest, ProgramHash, SealingKey, TaskIndex,
    amount::display,
    device::Class,
    job::{Agreement, Preferences, Referees, Submission},
    view::Quote,
};
use quern_shards::cut::CutPlan;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

#[derive(Args, Clone, Debug)]
pub(crate) struct QuoteArgs {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    buckets: BucketArgs,
}

/// A job that was tried and cut, with its price.
pub(crate) struct Priced {
    pub(crate) spec: JobSpec,
    pub(crate) program: Vec<u8>,
    pub(crate) terms: Terms,
    pub(crate) offer: Offer,
}

/// What a job would cost, and what for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Offer {
    #[serde(flatten)]
    pub(crate) quote: Quote,
    tasks: u32,
    agreement: Agreement,
    replicas: u8,
    referees: Referees,
    input_bytes: u64,
    fuel_per_task_max: u64,
    memory_bytes_max: u64,
    /// Between which devices answers are compared.
    class: Class,
    deadline_block: u32,
    deadline_blocks_left: u32,
    preferences: Preferences,
    pub(crate) trial: Option<Trial>,
    /// How the number of replicas was found, if a failure probability was given in place of it.
    certainty: Option<Found>,
    /// How likely a wrong and final answer to a task may be, if that was given in place of an agreement: this one
    /// costs least of those that keep it.
    pub(crate) wrong_at_most: Option<Bound>,
    /// How likely a wrong answer is accepted and stays; none if no masternode tells of enough accounts.
    confidence: Option<Statement>,
    /// The devices that there are for the job, as far as masternodes tell.
    pub(crate) matching: Matched,
}

pub(crate) async fn run(context: &Context, args: &QuoteArgs) -> anyhow::Result<()> {
    let mut spec = args.spec.check()?;
    trial::check_files(&spec)?;
    let fetched = elsewhere::fetch(context, &mut spec, &args.buckets).await?;
    let (program, plan, trial) = tried(&spec, args.spec.no_trial).await?;
    let state = context.chain().await?.at_finalised().await?;
    let priced = price(&state, spec, program, &plan, trial, args.spec.assumed);
    context.show(&priced.await?.offer)?;
    elsewhere::tell_of_kept(context, fetched.as_ref());
    Ok(())
}

/// Checks the program, cuts the input, and runs the first task. Needs no chain.
pub(crate) async fn tried(
    spec: &JobSpec,
    no_trial: bool,
) -> anyhow::Result<(Vec<u8>, CutPlan, Option<Trial>)> {
    let bar = spinner(if no_trial {
        "reading the input"
    } else {
        "trying the first task here"
    });
    let spec = spec.clone();
    let tried = tokio::task::spawn_blocking(move || {
        let program = trial::read_program(&spec.program)?;
        let plan = trial::plan(&spec.input)?;
        let trial = match no_trial {
            true => None,
            false => Some(trial::run(&spec, &program, &plan)?),
        };
        Ok::<_, TrialError>((program, plan, trial))
    })
    .await?;
    bar.finish_and_clear();
    Ok(tried?)
}

/// Asks the chain what the job costs, and the masternodes which devices there are for it.
pub(crate) async fn price(
    state: &State,
    spec: JobSpec,
    program: Vec<u8>,
    plan: &CutPlan,
    trial: Option<Trial>,
    assumed: AssumedArgs,
) -> anyhow::Result<Priced> {
    let pricing = Pricing {
        state,
        spec: &spec,
        program: &program,
        plan,
        trial,
        assumed,
    };
    let (terms, offer) = match spec.certainty {
        Certainty::Agreement(agreement) => pricing.with(agreement).await?,
        Certainty::FailureAtMost(accepted) => pricing.failing_at_most(accepted).await?,
        Certainty::WrongAtMost(accepted) => pricing.within(Bound::new(accepted.get())?).await?,
    };
    Ok(Priced {
        spec,
        program,
        terms,
        offer,
    })
}

/// A job before its agreement is known.
struct Pricing<'a> {
    state: &'a State,
    spec: &'a JobSpec,
    program: &'a [u8],
    plan: &'a CutPlan,
    trial: Option<Trial>,
    assumed: AssumedArgs,
}

impl Pricing<'_> {
    /// The job with the agreement that costs least of those that keep a bound, by the accounts that may compute it
    /// then: the more a task costs, the fewer have bonded enough for it. One with which the chain would not take
    /// the job, because a task would be worth too much, is none.
    async fn within(&self, bound: Bound) -> anyhow::Result<(Terms, Offer)> {
        let mut search = Search::new(bound);
        let mut worth = None;
        while let Some(agreement) = search.ask_next() {
            let (terms, offer) = match self.with(agreement).await {
                Ok(priced) => priced,
                Err(error) if error.is::<WorthTooMuch>() => {
                    worth = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if search.take(offer.confidence.as_ref()) {
                let wrong_at_most = Some(bound);
                return Ok((
                    terms,
                    Offer {
                        wrong_at_most,
                        ..offer
                    },
                ));
            }
        }
        let refused = search.out_of_reach();
        Err(match worth {
            Some(error) if refused.least.is_none() => error,
            _ => refused.into(),
        })
    }

    /// The job with as many replicas as its largest failure probability takes, by the devices that have bonded enough
    /// for what a task costs then. That is known once the number of replicas is: so devices are asked for again until
    /// a task costs no more than what they were asked for. Each time it costs more, as it has more replicas, and
    /// of these there are only so many.
    async fn failing_at_most(
        &self,
        accepted: FailureProbability,
    ) -> anyhow::Result<(Terms, Offer)> {
        let mut task = 0;
        loop {
            let asked = devices_for(self.state, self.spec, Agreement::Single, task).await?;
            let found = Found::of(self.plan.count(), accepted, &asked.grids)?;
            let (terms, mut offer) = self.with(found.agreement()).await?;
            if offer.quote.task <= task {
                offer.certainty = Some(found);
                return Ok((terms, offer));
            }
            task = offer.quote.task;
        }
    }

    /// The job with this agreement.
    async fn with(&self, agreement: Agreement) -> anyhow::Result<(Terms, Offer)> {
        let Self {
            state, spec, plan, ..
        } = *self;
        let now = state.block().number;
        let fuel = fuel_per_task(spec, plan, self.trial.as_ref()).ok_or(TrialError::NoFuel)?;
        let mut terms = Terms {
            agreement,
            referees: spec.referees,
            class: spec.class,
            preferences: spec.preferences,
            level: spec.level,
            fuel_per_task_max: fuel,
            memory_bytes_max: spec.memory_bytes_max,
            result_bytes_max: spec.result_bytes_max,
            deadline: spec.deadline.block(now),
            price_max: spec.price_max.map_or(Amount::MAX, |price| price.0),
        };
        let quote = quoted(state, &unsealed(&terms, self.program, plan)).await?;
        let asked = devices_for(state, spec, agreement, quote.task).await?;
        let again = state.params().await?.terms().re_execution_permille;
        let offer = Offer {
            quote,
            tasks: plan.count(),
            agreement,
            replicas: agreement.replicas(),
            referees: terms.referees,
            input_bytes: plan.input_bytes(),
            fuel_per_task_max: terms.fuel_per_task_max,
            memory_bytes_max: terms.memory_bytes_max,
            class: terms.class,
            deadline_block: terms.deadline,
            deadline_blocks_left: terms.deadline.saturating_sub(now),
            preferences: terms.preferences,
            trial: self.trial,
            certainty: None,
            wrong_at_most: None,
            confidence: confidence::at_worst(agreement, again, &asked.grids, self.assumed)?,
            matching: Matched::of(&asked, &terms.preferences, accounts_for(agreement)),
        };
        // Without a limit of the owner's the quote is what they agree to.
        if spec.price_max.is_none() {
            terms.price_max = quote.total;
        }
        Ok((terms, offer))
    }
}

/// What the chain would take for a job, and no more than its owner agrees to.
async fn quoted(state: &State, submission: &Submission) -> anyhow::Result<Quote> {
    let quote = match state.quote(submission).await? {
        Ok(quote) => quote,
        Err(refused @ QuoteError::TaskWorthTooMuch { .. }) => {
            let told = WorthTooMuch::of(state, submission, refused).await?;
            return Err(told.into());
        }
        Err(refused) => return Err(SubmitJobError::Quote(refused).into()),
    };
    let (total, price_max) = (quote.total, submission.price_max);
    if total > price_max {
        return Err(SubmitJobError::Quote(QuoteError::AbovePriceMax { total, price_max }).into());
    }
    Ok(quote)
}

/// Asks the masternodes which devices they have for a job of which a task costs at most so much.
async fn devices_for(
    state: &State,
    spec: &JobSpec,
    agreement: Agreement,
    task: Amount,
) -> Result<Asked, ChainError> {
    let asking = Asking {
        preferences: spec.preferences,
        class: spec.class,
        agreement,
        task,
        memory_bytes: spec.memory_bytes_max,
        terms: state.params().await?.terms(),
    };
    let asked = patiently("looking for devices", async {
        let masternodes = Masternodes::of(state).await?;
        Ok::<_, ChainError>(live::ask(masternodes, asking).await)
    });
    asked.await
}

/// Fuel one task may use: what the owner says, else what follows from a trial. None without both.
pub(super) fn fuel_per_task(spec: &JobSpec, plan: &CutPlan, trial: Option<&Trial>) -> Option<u64> {
    let suggested = trial.map(|trial| {
        let times = times_as_long(plan.lengths(), trial.task);
        trial.fuel_suggested(times)
    });
    spec.fuel.or(suggested)
}

/// How many times as long the longest shard is as that of the task that was tried; rounded up.
fn times_as_long(lengths: &[u32], tried: TaskIndex) -> u64 {
    let tried = lengths
        .get(tried as usize)
        .map_or(1, |tried| (*tried).max(1));
    let longest = lengths.iter().max().map_or(1, |longest| *longest);
    u64::from(longest.div_ceil(tried).max(1))
}

/// A submission with all that decides the price, before anything is sealed.
fn unsealed(terms: &Terms, program: &[u8], plan: &CutPlan) -> Submission {
    Submission {
        salt: [0; 16],
        program: ProgramHash(Sha256::digest(program).into()),
        manifest: Digest::default(),
        shards_root: Digest::default(),
        key_commitment: Digest::default(),
        tasks: plan.count(),
        input_bytes: plan.input_bytes(),
        fuel_per_task_max: terms.fuel_per_task_max,
        memory_bytes_max: terms.memory_bytes_max,
        result_bytes_max: terms.result_bytes_max,
        agreement: terms.agreement,
        referees: terms.referees,
        class: terms.class,
        preferences: terms.preferences,
        level: terms.level,
        deadline: terms.deadline,
        price_max: terms.price_max,
        owner_sealing_key: SealingKey::default(),
    }
}

/// Between which devices answers are compared, in words.
fn of_class(class: Class) -> &'static str {
    match class {
        Class::Pinned => {
            "class pinned: only on x86-64 devices, all of which run the same machine code"
        }
        Class::Portable => {
            "class portable: on any device; arithmetic with fractions takes more fuel"
        }
    }
}

impl Output for Offer {
    fn people(&self) -> String {
        let quote = &self.quote;
        let replicas = confidence::agreement_in_words(self.agreement);
        let mut lines = vec![
            format!(
                "{} of {} input, {replicas}",
                counted(self.tasks, "task"),
                Size(self.input_bytes)
            ),
            format!(
                "a task may use {} fuel and {} of memory",
                grouped(self.fuel_per_task_max),
                Size(self.memory_bytes_max)
            ),
            confidence::referees_in_words(self.agreement, self.referees),
            of_class(self.class).to_owned(),
        ];
        lines.extend(self.certainty.as_ref().map(Found::in_words));
        lines.extend(self.wrong_at_most.map(|bound| {
            format!(
                "of the agreements that keep a wrong and final answer to a task at {bound} or less this one costs the least"
            )
        }));
        lines.push(confidence::in_words(self.confidence.as_ref()));
        if let Some(asks) = preferences::in_words(&self.preferences) {
            lines.push(format!("only on devices {asks}"));
        }
        lines.push(self.matching.in_words());
        if let Some(trial) = &self.trial {
            lines.push(format!(
                "tried here: {} used {} fuel and {} of memory, and wrote {}",
                TaskName(trial.task),
                grouped(trial.fuel),
                Size(trial.memory_bytes),
                Size(trial.result_bytes)
            ));
        }
        lines.push(format!(
            "at most {} in all ({} a task): {} to workers, {} to the network",
            display(quote.total),
            display(quote.task),
            display(quote.workers),
            display(quote.network)
        ));
        lines.push(
            "this is a hard cap; it goes into escrow, and what is not used comes back".into(),
        );
        lines.push(format!(
            "what is not settled by block {} ({} from now) comes back too; anyone may call that refund",
            self.deadline_block,
            span_of_blocks(self.deadline_blocks_left.into())
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::amount::BYTECHIP;

    #[test]
    fn fuel_is_for_the_longest_shard_not_for_the_one_that_was_tried() {
        assert_eq!(times_as_long(&[8, 8, 3], 0), 1);
        assert_eq!(times_as_long(&[8, 17], 0), 3);
        assert_eq!(times_as_long(&[8, 17], 1), 1);
        assert_eq!(times_as_long(&[0, 5], 0), 5);
        assert_eq!(times_as_long(&[], 0), 1);
    }

    #[test]
    fn a_quote_says_cap_split_and_refund() {
        let quote = Quote {
            total: 100 * BYTECHIP,
            task: 10 * BYTECHIP,
            workers: 70 * BYTECHIP,
            network: 30 * BYTECHIP,
        };
        let offer = Offer {
            quote,
            tasks: 10,
            agreement: Agreement::Majority { replicas: 3 },
            replicas: 3,
            referees: Referees::Three,
            input_bytes: 3 << 20,
            fuel_per_task_max: 10_000_000,
            memory_bytes_max: 256 << 20,
            class: Class::Portable,
            deadline_block: 4_000,
            deadline_blocks_left: 3_600,
            preferences: Preferences {
                gpu: true,
                ..Preferences::default()
            },
            trial: Some(Trial {
                task: 0,
                fuel: 1_234_567,
                memory_bytes: 1 << 20,
                result_bytes: 12,
            }),
            certainty: None,
            wrong_at_most: Bound::new(0.001).ok(),
            confidence: None,
            matching: Matched::of(&Asked::default(), &Preferences::default(), 3),
        };
        let text = offer.people();
        for words in [
            "10 tasks of 3 MiB input, 3 devices each, of which 2 must agree",
            "where the program is said to fail, three masternodes",
            "class portable: on any device",
            "at most 100 BC in all (10 BC a task): 70 BC to workers, 30 BC to the network",
            "hard cap",
            "block 4000 (about 2 h 0 min from now)",
            "1,234,567 fuel",
            "only on devices with a GPU",
            "! the chain names no masternode",
            "how likely a wrong answer is cannot be said",
            "a wrong and final answer to a task at 0.1 % or less this one costs the least",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let json = serde_json::to_value(&offer).unwrap_or_default();
        assert_eq!(json["total"], "100000000000");
        assert_eq!(json["trial"]["fuel"], 1_234_567);
        assert_eq!(json["preferences"]["gpu"], true);
        assert_eq!(json["matching"]["lack"], "masternodes");
        assert_eq!(json["agreement"]["majority"]["replicas"], 3);
        assert_eq!(json["referees"], "three");
        assert!(json["confidence"].is_null());
        assert_eq!(json["wrong_at_most"], 0.001);
    }
}
