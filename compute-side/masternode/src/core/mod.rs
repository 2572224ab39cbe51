//! The masternode's decisions, pure: events in, [`Core::step`], effects out.
//!
//! The core knows which jobs it coordinates, which devices are there, what each holds, and what the
//! judge was told. It reads no clock (every event comes with the time), touches no disk, socket or
//! key: it says what must be written, answered and settled, and the shell does it.
//!
//! # What survives a crash
//!
//! Each job has a log, which anybody may read. Every step that matters is an [`Entry`] appended to it; what
//! must survive and is not for everybody is a [`Note`] beside it. [`Core::replay`] rebuilds a job from these
//! alone. Four things wait until an entry is on
//! disk ([`Event::Persisted`]): the acknowledgement of a report, the asking for what devices committed
//! themselves to, the settling of a verdict, and the sending of a batch. What is lost with an unwritten
//! tail of the log was promised to nobody.
//!
//! # Money
//!
//! A batch is composed once, written to the log, and sent until the chain either counts it (the
//! job's next sequence number moves past it) or closes the job. Several batches of a job may be on
//! their way; they are sent in order, and from the first again if the chain does not move. It takes
//! each sequence number once, and in order, so sending them again pays nothing twice.

mod alone;
mod answers;
mod assign;
mod benchmarks;
mod bonds;
mod certain;
mod device;
mod effect;
mod elsewhere;
mod explain;
mod failures;
mod holds;
mod impasse;
mod input;
mod job;
mod jobs;
mod judge;
mod kept;
mod line;
mod log;
mod opinion;
mod overdue;
mod pause;
mod referee;
mod register;
mod release;
mod reveal;
mod samples;
mod scheduler;
mod settings;
mod settle;
mod shown;
mod stalls;
mod status;
mod telemetry;
mod trusted;
mod uncounted;
mod upload;
mod watch;

pub use answers::unjudged_max;
pub use device::{Acknowledged, PlannedAssignment, WorkPlan};
pub use effect::Effect;
pub use elsewhere::{CountedBatch, News, Seat};
pub use job::JobPlan;
pub use line::{
    End, Entry, KeptResult, Line, Note, Noted, OutputPlace, RefereeWord, ReleaseCause, in_order,
    name_of,
};
pub use quern_grid::Tick;
pub use quern_ledger::Bond;
pub use referee::{NoReferee, Purpose, REFEREE_REPLICA, Truth};
pub use settings::{Engines, Settings};
pub use settle::SettleLimits;
pub use shown::Shown;
pub use telemetry::{BenchmarkPlan, Challenge, Measured};
pub use watch::{Lapse, Watch};

use answers::Answers;
use benchmarks::{Benchmarks, Challenges};
use device::{Devices, Parked, Waking};
use job::ActiveJob;
use jobs::Jobs;
use kept::Kept;
use pause::Pauses;
use quern_jobs_api::JobStatus;
use quern_primitives::{
    device::Class,
    ids::{BlockNumber, DeviceId, Digest, JobId, TaskIndex},
    job::Job,
    receipt::SignedReceipt,
    view::DeviceView,
};
use quern_protocol::{Exchange, Hello, Refusal, ReplicaId, limits};
use referee::Referee;
use release::{HandBacks, Resting};
use scheduler::Scheduler;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use uncounted::Uncounted;

/// An open request of a device, to be answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Counts log entries handed out for writing, over all jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What is known of the replicas that a device shows or reports, beside the core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportFacts {
    /// What there is to what it shows of shards, for each replica with the place of its assignment in the log. What is
    /// not here was not shown, or need not be looked at.
    pub shown: BTreeMap<(ReplicaId, u64), Shown>,
    /// Length and chunk root of the results that were delivered in pieces before.
    pub delivered: BTreeMap<ReplicaId, (u64, Digest)>,
    /// What each receipt must state that its device was asked, as far as the job's key is here.
    pub questions: BTreeMap<ReplicaId, Digest>,
}

/// What the core is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// A block was finalised. All jobs that this masternode coordinates, and those it knew that have
    /// ended.
    Finalised {
        /// Its height.
        block: BlockNumber,
        /// The jobs as the chain keeps them.
        jobs: Vec<(JobId, Job)>,
    },
    /// What every task of a job needs is uploaded and checked, and its key is here. Shards may be
    /// missing.
    Uploaded {
        /// The job.
        job: JobId,
        /// What its devices must be told and held to.
        plan: JobPlan,
    },
    /// Shards of a job have come: each is checked and on disk.
    Shards {
        /// The job.
        job: JobId,
        /// The tasks that read them.
        tasks: Vec<TaskIndex>,
    },
    /// A device that the chain admits said hello.
    Hello {
        /// The finalised block of which that was read.
        at: BlockNumber,
        /// What the chain says of it.
        view: Box<DeviceView>,
        /// What its account has bonded.
        bond: Bond,
        /// What it said.
        hello: Hello,
    },
    /// A device asked for work, reported, or just lives.
    Exchange {
        /// The device.
        device: DeviceId,
        /// Where to answer.
        token: Token,
        /// What it said.
        exchange: Exchange,
        /// What is known of its reports, and of what it shows.
        facts: ReportFacts,
    },
    /// A replica that was given to a device could not be handed out, because what belongs to it could
    /// not be read here; or its result not be taken, because there is no room for it.
    Withheld {
        /// The device.
        device: DeviceId,
        /// The replica.
        id: ReplicaId,
        /// The place of the assignment in the job's log.
        log_position: u64,
    },
    /// A device's last connection closed.
    Gone {
        /// The device.
        device: DeviceId,
    },
    /// The chain no longer admits a device.
    Barred {
        /// The device.
        device: DeviceId,
        /// Why.
        refusal: Refusal,
    },
    /// A device is not registered, or no more: nothing of it needs to be known.
    Retired {
        /// The device.
        device: DeviceId,
    },
    /// The masternode measured something of a device.
    Measured {
        /// The device.
        device: DeviceId,
        /// What.
        measured: Measured,
    },
    /// The masternode has computed a benchmark itself; one device gets it.
    Challenge(Challenge),
    /// A day's lottery is drawn among all registered devices, also those that are not here.
    Lottery {
        /// Who won.
        winners: BTreeSet<DeviceId>,
        /// The block from which on winners stand no higher any more.
        ends_at: BlockNumber,
    },
    /// A connected device was looked up on the chain again.
    Rechecked {
        /// The finalised block of which that was read.
        at: BlockNumber,
        /// What the chain says of it.
        view: Box<DeviceView>,
        /// What its account has bonded.
        bond: Bond,
    },
    /// All entries up to this ticket are on disk.
    Persisted {
        /// The last ticket.
        through: Ticket,
    },
    /// A task was computed again, or could not be.
    Recomputed {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// What came out, or why nothing did.
        outcome: Box<Result<Truth, NoReferee>>,
    },
    /// What draws of what was counted in a block follow from was read.
    Seed {
        /// The block's height.
        block: BlockNumber,
        /// What they follow from ([`quern_verdict::seed`]).
        seed: Digest,
    },
    /// There is news of a job of whose group this masternode is and that another one coordinates.
    Elsewhere {
        /// The job.
        job: JobId,
        /// What.
        news: News,
    },
    /// A task that devices of another masternode differ on is computed here for it, or is not any more.
    Refereeing {
        /// Whether it begins; else it ends.
        begins: bool,
    },
    /// A batch or closing transaction did not get into a block; it will be tried again.
    NotSettled {
        /// The job.
        job: JobId,
    },
    /// Time passed.
    Tick,
}

/// The masternode's decisions.
pub struct Core {
    settings: Settings,
    jobs: Jobs,
    scheduler: Scheduler,
    devices: Devices,
    block: BlockNumber,
    last_ticket: Ticket,
    persisted: Ticket,
    /// What is to be erased of closed cases, with the ticket of the entry that must be on disk before.
    closing: VecDeque<(Ticket, Effect)>,
    /// Commitments of which is to be seen, once they are on disk, whether there are enough.
    committing: VecDeque<(Ticket, JobId, TaskIndex)>,
    /// Replayed jobs whose log may lack what follows from what it says.
    taken_up: Vec<JobId>,
    /// Tasks of replayed jobs on which the judge is still to be heard.
    unjudged: Vec<(JobId, TaskIndex)>,
    hand_backs: HandBacks,
    resting: Resting,
    pauses: Pauses,
    answers: Answers,
    uncounted: Uncounted,
    challenges: Challenges,
    benchmarks: Benchmarks,
    kept: Kept,
    waking: Waking,
    referee: Referee,
    next_check: Tick,
    /// The latest time seen.
    latest: Tick,
}

impl Core {
    /// A masternode that knows no job and no device.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            jobs: Jobs::default(),
            scheduler: Scheduler::new(settings.tuning, settings.fleet),
            devices: Devices::default(),
            block: 0,
            last_ticket: Ticket::default(),
            persisted: Ticket::default(),
            closing: VecDeque::new(),
            committing: VecDeque::new(),
            taken_up: Vec::new(),
            unjudged: Vec::new(),
            hand_backs: HandBacks::default(),
            resting: Resting::default(),
            pauses: Pauses::default(),
            answers: Answers::default(),
            uncounted: Uncounted::default(),
            challenges: Challenges::default(),
            benchmarks: Benchmarks::default(),
            kept: Kept::default(),
            waking: Waking::default(),
            referee: Referee::default(),
            next_check: Tick::default(),
            latest: Tick::default(),
        }
    }

    /// Rebuilds a job from what the chain says and from what was written of it, before any event is taken in.
    /// A job that the chain closed meanwhile is not kept; what its owner is told of it is answered.
    pub fn replay(
        &mut self,
        now: Tick,
        id: JobId,
        job: Job,
        plan: Option<JobPlan>,
        lines: impl IntoIterator<Item = impl Into<Line>>,
    ) -> Option<JobStatus> {
        let replica_ms = self.settings.replica_ms(&job.submission);
        let mut active = ActiveJob::new(id, job);
        if let Some(plan) = plan {
            active.start(plan);
        }
        for line in lines {
            let line = line.into();
            if let Line::Entry(entry) = &line {
                self.hand_backs.note(id, entry);
                drop(self.pauses.note(now, id, entry));
                self.answers.note(now, id, entry);
                self.uncounted.note(id, active.pending_from(), entry);
            }
            active.replay(line, now, replica_ms);
        }
        active.close_settled();
        if !active.job.state.is_open() {
            self.hand_backs.forget(id);
            drop(self.pauses.forget_job(id));
            self.answers.forget_job(id);
            self.uncounted.forget(id);
            return Some(self.status_of(&active));
        }
        let starts = active.has_plan()
            && active.takes_work(self.block, self.settings.deadline_margin_blocks);
        self.unjudged
            .extend(active.unjudged().into_iter().map(|task| (id, task)));
        let waiting = active.with_waiting().into_iter();
        self.committing
            .extend(waiting.map(|task| (Ticket::default(), id, task)));
        self.jobs.insert(id, active);
        self.taken_up.push(id);
        if starts {
            self.enqueue(now, id);
        }
        self.jobs.refresh(&self.settings);
        None
    }

    /// Takes one event in and says what follows. Time never goes backwards; an earlier tick is taken
    /// as the latest seen.
    pub fn step(&mut self, now: Tick, event: Event) -> Vec<Effect> {
        let now = now.max(self.latest);
        self.latest = now;
        let mut out = Vec::new();
        for job in std::mem::take(&mut self.taken_up) {
            self.continue_log(job, &mut out);
        }
        for (job, task) in std::mem::take(&mut self.unjudged) {
            self.judge(now, job, task, &mut out);
        }
        match event {
            Event::Finalised { block, jobs } => self.finalised(now, block, jobs, &mut out),
            Event::Uploaded { job, plan } => self.uploaded(now, job, plan, &mut out),
            Event::Shards { job, tasks } => self.shards(now, job, &tasks, &mut out),
            Event::Hello {
                at,
                view,
                bond,
                hello,
            } => self.greeted(now, (at, *view), bond, &hello, &mut out),
            Event::Exchange {
                device,
                token,
                exchange,
                facts,
            } => self.exchange(now, device, token, exchange, &facts, &mut out),
            Event::Withheld {
                device,
                id,
                log_position,
            } => self.withheld(now, device, id, log_position, &mut out),
            Event::Gone { device } => self.gone(now, device),
            Event::Barred { device, refusal } => self.barred(now, device, refusal, &mut out),
            Event::Retired { device } => self.retired(now, device, &mut out),
            Event::Measured { device, measured } => self.measured(now, &device, measured),
            Event::Challenge(challenge) => self.challenges.add(challenge),
            Event::Lottery { winners, ends_at } => self.lottery(now, winners, ends_at),
            Event::Rechecked { at, view, bond } => {
                self.rechecked(now, (at, &view), bond, &mut out);
            }
            Event::Persisted { through } => self.persisted(through, &mut out),
            Event::Recomputed { job, task, outcome } => {
                self.recomputed(now, job, task, *outcome, &mut out);
            }
            Event::Seed { block, seed } => self.draw_samples(block, &seed, &mut out),
            Event::Elsewhere { job, news } => self.elsewhere(job, news, &mut out),
            Event::Refereeing { begins } => self.refereeing(begins, &mut out),
            Event::NotSettled { job } => self.not_settled(now, job),
            Event::Tick => {}
        }
        self.open_rested(now);
        self.end_pauses(now);
        self.release_overdue(now, &mut out);
        self.end_referee_waits(now, &mut out);
        self.ask_in_turn(now, &mut out);
        self.ask_for_reveals(now);
        if self.scheduler.rank_if_due(now) {
            self.tell_all_trusted(now);
            self.try_as_ranked();
        }
        self.settle_due(now, &mut out);
        self.end_answers(now);
        self.answer_parked(now, &mut out);
        self.start_check(&mut out);
        self.jobs.refresh(&self.settings);
        out
    }

    /// When [`Event::Tick`] is wanted at the latest. Jobs, devices, and what rests or pauses are kept in
    /// the order of their times, so that this costs a look at the first of each, however many there are.
    pub fn next_wakeup(&self) -> Option<Tick> {
        let devices = self.devices.next_wakeup();
        let jobs = self.jobs.next_wakeup();
        let rested = self.resting.next_wakeup();
        let paused = self.pauses.next_wakeup();
        let answered = self.answers.next_wakeup();
        // Nobody looks at the ranking while no device is here.
        let ranked = devices.and(self.scheduler.next_wakeup());
        let woken = self.waking.next_wakeup();
        let refereed = self.referee.next_wakeup();
        let wanted = [
            devices, jobs, rested, paused, answered, ranked, woken, refereed,
        ];
        let wanted = wanted.into_iter().flatten().min();
        wanted.map(|tick| tick.max(self.next_check))
    }

    /// Whether a device that says hello with these engines is served. One that is not hears the
    /// refusal; the core ignores its hello, except that it gives to others what the device holds.
    pub fn check_engines(&self, offered: &[(Class, Digest)]) -> Result<(), Refusal> {
        self.settings.engines.check(offered)
    }

    /// Devices that are connected and admitted.
    pub fn connected_devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.devices.connected()
    }

    fn finalised(
        &mut self,
        now: Tick,
        block: BlockNumber,
        jobs: Vec<(JobId, Job)>,
        out: &mut Vec<Effect>,
    ) {
        // A node that lags behind tells of batches not counted that are; they must not be composed
        // again under their old number.
        if block < self.block {
            return;
        }
        self.block = block;
        self.scheduler.end_lottery(now, block);
        for (id, job) in jobs {
            // One that is not known here was forgotten when it closed, or never was computed here.
            if !job.state.is_open() && !self.jobs.contains_key(&id) {
                continue;
            }
            let samples = &mut self.referee.samples;
            let known = self.jobs.get_or_insert_with(id, || {
                ActiveJob::new(id, job.clone()).behind(samples.taken_over(id))
            });
            let stage = |job: &Job| (job.state.is_open(), job.state.goes_on(), job.next_batch);
            let before = stage(&known.job);
            let counted = known.take_counted(job.next_batch);
            known.learn(job, now, self.settings.settle.retry_ms);
            for batch in known.take_final() {
                self.uncounted.counted(id, &batch);
            }
            let takes_work = known.takes_work(self.block, self.settings.deadline_margin_blocks);
            let (is_open, goes_on, _) = stage(&known.job);
            if before != stage(&known.job) {
                out.push(Effect::Changed { job: id });
            }
            if before.1 && !goes_on {
                // What it is computed from stays: a batch may be struck as long as it is not final.
                self.devices.drop_job(id);
                self.stop_recomputing_all(id, out);
                self.end_closed(id, out);
            }
            if !takes_work {
                self.scheduler.dispatch.remove_job(id);
            }
            self.counted(id, counted);
            if !is_open {
                self.forget(id, out);
            }
        }
        self.want_seeds(out);
        self.end_waits_of_closing_jobs(now, out);
        self.stop_overdue_jobs();
        self.ask_for_the_last(now);
    }

    /// The chain closed a job: its devices drop what they hold, and nothing of it is kept here.
    fn forget(&mut self, id: JobId, out: &mut Vec<Effect>) {
        let Some(active) = self.jobs.remove(&id) else {
            return;
        };
        self.devices.drop_job(id);
        self.hand_backs.forget(id);
        self.resting.forget(id);
        // Whoever may get something now is among all that are tried.
        for device in self.pauses.forget_job(id) {
            self.lay_by(self.latest, &device);
        }
        self.answers.forget_job(id);
        self.uncounted.forget(id);
        self.waking.changed_for_all();
        self.stop_recomputing_all(id, out);
        out.push(Effect::Closed {
            job: id,
            status: Box::new(self.status_of(&active)),
        });
        self.close_samples(&active, out);
    }

    fn persisted(&mut self, through: Ticket, out: &mut Vec<Effect>) {
        self.persisted = self.persisted.max(through);
        self.devices.confirm(self.persisted);
        let is_written = |(ticket, _): &mut (Ticket, Effect)| *ticket <= self.persisted;
        while let Some((_, effect)) = self.closing.pop_front_if(is_written) {
            out.push(effect);
        }
    }

    fn reply(&mut self, parked: Parked, device: DeviceId, work: WorkPlan, out: &mut Vec<Effect>) {
        out.push(Effect::Answer {
            token: parked.token,
            device,
            work,
        });
    }
}

/// The replica a receipt is about.
pub(crate) fn replica_of(receipt: &SignedReceipt) -> ReplicaId {
    let payload = &receipt.payload;
    ReplicaId {
        job: payload.job,
        task: payload.task,
        replica: payload.replica,
    }
}

// What the scheduler gives a device is what its worker takes.
const _: () = assert!(limits::TASKS_IN_HAND_MAX == quern_grid::faults::IN_HAND_MAX as usize);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
