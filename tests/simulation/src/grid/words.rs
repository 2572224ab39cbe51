//! Events and effects in a few words, with numbers for names.

use quern_masternode::core::{Effect, Entry, Event, Note, WorkPlan};
use quern_primitives::{
    batch::Batch,
    ids::{AccountId, DeviceId, JobId},
    job::{Job, JobState},
    receipt::Answer,
    verdict::{Finding, Verdict},
};
use quern_protocol::{Exchange, ReplicaId, Report};
use std::{collections::BTreeMap, fmt::Write as _};

/// The numbers that a trace has for names.
#[derive(Default)]
pub(super) struct Names {
    devices: BTreeMap<DeviceId, u32>,
    accounts: BTreeMap<AccountId, u32>,
    jobs: BTreeMap<JobId, u32>,
}

impl Names {
    pub(super) fn add_device(&mut self, id: DeviceId, number: u32) {
        self.devices.insert(id, number);
    }

    pub(super) fn add_account(&mut self, id: AccountId, number: u32) {
        self.accounts.insert(id, number);
    }

    pub(super) fn add_job(&mut self, id: JobId, number: u32) {
        self.jobs.insert(id, number);
    }

    /// A device's number; one that no device has, if it has none.
    pub(super) fn device(&self, id: &DeviceId) -> u32 {
        self.devices.get(id).copied().unwrap_or(u32::MAX)
    }

    pub(super) fn account(&self, id: &AccountId) -> u32 {
        self.accounts.get(id).copied().unwrap_or(u32::MAX)
    }

    pub(super) fn job(&self, id: &JobId) -> u32 {
        self.jobs.get(id).copied().unwrap_or(u32::MAX)
    }

    pub(super) fn event(&self, event: &Event) -> String {
        match event {
            Event::Finalised { block, jobs } => {
                let mut words = format!("block {block}");
                for (id, job) in jobs {
                    words.push_str(&self.job_words(id, job));
                }
                words
            }
            Event::Uploaded { job, .. } => format!("uploaded j{}", self.job(job)),
            Event::Shards { job, tasks } => {
                format!("{} shards of j{}", tasks.len(), self.job(job))
            }
            Event::Hello { view, hello, .. } => {
                let in_hand = self.list(" has", hello.in_hand.iter());
                format!("hello d{}{in_hand}", self.device(&view.id))
            }
            Event::Exchange {
                device,
                token,
                exchange,
                ..
            } => {
                let words = self.exchange(exchange);
                format!("exchange d{} #{}{words}", self.device(device), token.0)
            }
            Event::Withheld {
                device,
                id,
                log_position,
            } => {
                let (device, id) = (self.device(device), self.replica(id));
                format!("withheld {id} @{log_position} from d{device}")
            }
            Event::Gone { device } => format!("gone d{}", self.device(device)),
            Event::Barred { device, refusal } => {
                format!("barred d{}: {refusal:?}", self.device(device))
            }
            Event::Retired { device } => format!("retired d{}", self.device(device)),
            Event::Measured { device, measured } => {
                format!("measured d{}: {measured:?}", self.device(device))
            }
            Event::Lottery { winners, ends_at } => {
                let mut words = "lottery:".to_owned();
                for device in winners {
                    // Writing to a string does not fail.
                    let _ = write!(words, " d{}", self.device(device));
                }
                let _ = write!(words, " until block {ends_at}");
                words
            }
            Event::Rechecked { view, .. } => {
                let record = &view.device.record;
                let device = self.device(&view.id);
                format!("looked up d{device}: {record:?}")
            }
            Event::Persisted { through } => format!("written #{}", through.0),
            Event::Recomputed { job, task, outcome } => {
                let job = self.job(job);
                match &**outcome {
                    Ok(truth) => format!("j{job}/{task} comes out {}", answer(&truth.answer())),
                    Err(why) => format!("j{job}/{task} is not computed: {why:?}"),
                }
            }
            Event::Seed { block, .. } => format!("what draws of block {block} follow from"),
            Event::NotSettled { job } => format!("not settled j{}", self.job(job)),
            other => format!("{other:?}"),
        }
    }

    pub(super) fn effect(&self, effect: &Effect) -> String {
        match effect {
            Effect::Append {
                ticket,
                job,
                position,
                entry,
                ..
            } => {
                let (job, entry) = (self.job(job), self.entry(entry));
                format!("append #{} j{job} @{position}: {entry}", ticket.0)
            }
            Effect::Note { job, noted, .. } => {
                let (job, note) = (self.job(job), self.note(&noted.note));
                format!("note j{job} @{}: {note}", noted.behind)
            }
            Effect::Answer {
                token,
                device,
                work,
            } => {
                let (device, work) = (self.device(device), self.work(work));
                format!("answer d{device} #{}{work}", token.0)
            }
            Effect::Dismiss { device } => format!("dismiss d{}", self.device(device)),
            Effect::Settle { batch } => format!("settle {}", self.batch(batch)),
            Effect::CloseFailed { job, task, why } => {
                format!("end j{} for {task}: {why:?}", self.job(job))
            }
            Effect::KeepOutputs {
                job,
                task,
                accepted,
            } => {
                let job = self.job(job);
                let mut words = format!("keep of j{job}/{task}");
                for (replica, device) in accepted {
                    // Writing to a string does not fail.
                    let _ = write!(words, " {replica} d{}", self.device(device));
                }
                words
            }
            Effect::Recompute {
                job, task, purpose, ..
            } => format!("compute j{}/{task} again: {purpose:?}", self.job(job)),
            Effect::StopRecomputing { job, task } => {
                format!("stop computing j{}/{task}", self.job(job))
            }
            Effect::DropInputs { job } => format!("drop what j{} reads", self.job(job)),
            Effect::Changed { job } => format!("changed j{}", self.job(job)),
            Effect::Closed { job, status } => {
                let (decided, settled) = (status.decided, status.settled);
                format!(
                    "closed j{}: {decided} decided, {settled} settled",
                    self.job(job)
                )
            }
            other => format!("{other:?}"),
        }
    }

    fn job_words(&self, id: &JobId, job: &Job) -> String {
        let state = match &job.state {
            JobState::Running { .. } => "running".to_owned(),
            JobState::Cancelling { until, .. } => format!("cancelling until {until}"),
            other => format!("{other:?}"),
        };
        let (settled, batch) = (job.settled_tasks, job.next_batch);
        let number = self.job(id);
        format!("; j{number} {state}, {settled} settled, batch {batch} next")
    }

    fn exchange(&self, exchange: &Exchange) -> String {
        let mut words = String::new();
        for commitment in &exchange.commitments {
            let said = &commitment.payload;
            let _ = write!(words, " commits {}/{}", said.task, said.replica);
        }
        for report in &exchange.reports {
            // Writing to a string does not fail.
            let _ = write!(words, " reports {}", self.report(report));
        }
        for progress in &exchange.progress {
            let _ = write!(
                words,
                " {} {:?}",
                self.replica(&progress.id),
                progress.stage
            );
        }
        for returned in &exchange.handed_back {
            let id = self.replica(&returned.id);
            let _ = write!(words, " returns {id} {:?}", returned.reason);
        }
        if let Some(answer) = &exchange.benchmark {
            let _ = write!(words, " benchmark {}", answer.number);
        }
        if let Some(number) = exchange.unavailable_for {
            let _ = write!(words, " declines benchmark {number}");
        }
        if let Some(state) = &exchange.state {
            let _ = write!(words, " unavailable {:?}", state.unavailable);
        }
        let _ = write!(words, " wants {}", exchange.want);
        words
    }

    fn report(&self, report: &Report) -> String {
        let payload = &report.receipt.payload;
        let id = ReplicaId {
            job: payload.job,
            task: payload.task,
            replica: payload.replica,
        };
        format!("{} {}", self.replica(&id), answer(&payload.answer()))
    }

    fn work(&self, work: &WorkPlan) -> String {
        let acknowledged = self.list(" has", work.acknowledged.iter().map(|it| &it.id));
        let reveals = self.list(" reveal", work.reveals.iter());
        let discard = self.list(" drop", work.discard.iter().map(|it| &it.id));
        let given = self.list(" take", work.assignments.iter().map(|it| &it.id));
        format!(
            "{acknowledged}{reveals}{discard}{given} ask in {}",
            work.ask_again_ms
        )
    }

    fn entry(&self, entry: &Entry) -> String {
        match entry {
            Entry::Assigned {
                task,
                replica,
                device,
                ..
            } => format!("{task}/{replica} to d{}", self.device(device)),
            Entry::Released {
                task,
                replica,
                device,
                cause,
            } => {
                let device = self.device(device);
                format!("{task}/{replica} back from d{device}: {cause:?}")
            }
            Entry::Committed { commitment } => {
                let said = &commitment.payload;
                let device = self.device(&said.device);
                format!("{}/{} committed by d{device}", said.task, said.replica)
            }
            Entry::Revealed { receipt, .. } => {
                let payload = &receipt.payload;
                let (task, replica) = (payload.task, payload.replica);
                let device = self.device(&payload.device);
                let answer = answer(&payload.answer());
                format!("{task}/{replica} answered by d{device} {answer}")
            }
            Entry::Judged { verdict } => self.verdict(verdict),
            Entry::Refereed { task, word } => match word.truth() {
                Some(truth) => format!("{task} refereed {}", answer(&truth.report.payload.answer)),
                None => format!("{entry:?}"),
            },
            Entry::Batched { batch } => format!("batched {}", self.batch(batch)),
            Entry::Opened { at, .. } => format!("opened at {at}"),
            other => format!("{other:?}"),
        }
    }

    fn note(&self, note: &Note) -> String {
        match note {
            Note::Trusted {
                task,
                replica,
                device,
                accepted_in_a_row,
            } => {
                let device = self.device(device);
                format!("{task}/{replica}: d{device} is believed for {accepted_in_a_row}")
            }
            Note::Contradicted {
                task,
                accepted,
                report,
                kept,
                ..
            } => {
                let (one, other) = (answer(accepted), answer(&report.payload.answer));
                let kept = kept.map_or("which nobody has", |_| "which is kept");
                format!("{task} was {one} and comes out {other}, {kept}")
            }
            other => format!("{other:?}"),
        }
    }

    fn verdict(&self, verdict: &Verdict) -> String {
        let mut words = format!("{} judged {}", verdict.task, answer(&verdict.answer));
        for found in &verdict.replicas {
            let finding = match found.finding {
                Finding::Accepted => "right",
                Finding::Incorrect => "wrong",
                Finding::Failed => "failed",
                Finding::Delayed => "late",
            };
            let device = self.device(&found.device);
            // Writing to a string does not fail.
            let _ = write!(words, ", d{device} {finding} {}", found.pay);
        }
        words
    }

    fn batch(&self, batch: &Batch) -> String {
        let (job, sequence, spent) = (self.job(&batch.job), batch.sequence, batch.spent);
        let root = short(&batch.verdicts_root.0);
        format!("j{job} batch {sequence} {root} spends {spent}")
    }

    fn list<'a>(&self, words: &str, ids: impl Iterator<Item = &'a ReplicaId>) -> String {
        let mut list = String::new();
        for id in ids {
            if list.is_empty() {
                list.push_str(words);
            }
            list.push(' ');
            list.push_str(&self.replica(id));
        }
        list
    }

    fn replica(&self, id: &ReplicaId) -> String {
        format!("j{}/{}/{}", self.job(&id.job), id.task, id.replica)
    }
}

fn answer(answer: &Answer) -> String {
    let commitment = short(&answer.result_commitment.0);
    format!("{:?} {commitment}", answer.exit)
}

/// The first digits of a digest: enough to tell two apart.
fn short(digest: &[u8; 32]) -> String {
    let [a, b, c, d, ..] = digest;
    format!("{a:02x}{b:02x}{c:02x}{d:02x}")
}
