//! The masternode: its own core, with a disk, a network and a chain that are simulated.

use super::{
    benchmarks::BENCHMARKS_READY,
    chain::Order,
    deaths::{Place, kind_at_office},
    machine::{SHOWN, unfit},
    network::Link,
    rules::node,
    violation::Violation,
    work::{ENGINE, GENESIS, benchmark},
    world::{Coming, World},
};
use crate::population;
use quern_grid::{FleetSettings, Tuning};
use quern_masternode::core::{
    Core, Effect, Engines, Entry, Event, Measured, ReportFacts, Settings, Shown, Tick, Token,
    WorkPlan,
};
use quern_primitives::{
    ids::{BlockNumber, DeviceId, Digest, JobId, TaskIndex},
    job::{Job, JobState},
};
use quern_protocol::{
    Discard, DiscardReason, Exchange, Hello, Output, Refusal, ReplicaId, Report, Response, Welcome,
    Work, limits,
};
use rand::RngExt as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Range, RangeInclusive},
};

/// The least and the most time between two looks at what is due, in milliseconds.
const WAKE_MS: RangeInclusive<u64> = 20..=200;

/// How long the disk takes, in milliseconds.
const WRITE_MS: Range<u64> = 2..30;

/// How long a busy disk takes, in milliseconds; one time in a hundred.
const WRITE_LATE_MS: Range<u64> = 300..2_000;

/// How long the masternode stays away, in milliseconds.
const AWAY_MS: Range<u64> = 500..15_000;

/// After so long a request without an answer is given up, in milliseconds.
pub(super) const REQUEST_MS: u64 = limits::REQUEST_TIMEOUT.as_millis() as u64;

/// What happens at the masternode.
pub(super) enum AtOffice {
    Wakes,
    /// The disk has written.
    Written,
    /// It becomes known that a transaction got lost.
    NotSettled(JobId),
    /// A replica could not be handed out.
    Withheld {
        device: DeviceId,
        id: ReplicaId,
        log_position: u64,
    },
    /// A benchmark is computed.
    Computed,
    /// A task is computed again; the number says for which order.
    Recomputed {
        job: JobId,
        task: TaskIndex,
        number: u64,
    },
    /// What draws of what was counted in a block follow from is read.
    Seeded {
        block: BlockNumber,
    },
}

/// A request that is to be answered.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) link: Link,
    pub(super) number: u64,
    pub(super) at: u64,
    /// What the masternode took to be the time.
    pub(super) tick: Tick,
}

/// The masternode. Without a core it is dead.
#[derive(Default)]
pub(super) struct Office {
    pub(super) core: Option<Core>,
    /// Counts its lives.
    pub(super) life: u32,
    started: u64,
    /// How far its clock has jumped since, in milliseconds.
    pub(super) jumped_ms: i64,
    tokens: BTreeMap<Token, Asked>,
    next_token: u64,
    /// Connections of each device.
    pub(super) links: BTreeMap<u32, BTreeSet<Link>>,
    /// Devices that said hello over a connection that stands.
    pub(super) greeted: BTreeSet<u32>,
    /// Devices that were welcomed and have not spoken since, and when.
    welcomed: BTreeMap<u32, u64>,
    /// It dies among what it does next.
    pub(super) dies_soon: Option<Place>,
    is_writing: bool,
    /// From when on it may compute the next benchmark.
    pub(super) benchmarks_at: u64,
    /// The tasks that it computes again, each with the number of the order.
    pub(super) recomputing: BTreeMap<(JobId, TaskIndex), u64>,
    /// Orders to compute again so far.
    pub(super) recomputations: u64,
    /// The jobs as it was told of them.
    pub(super) told: BTreeMap<JobId, Job>,
    /// The day whose lottery it was told of.
    pub(super) drawn: Option<u32>,
    /// How often in a row a device asked in vain without a rule that says why.
    pub(super) unexplained: BTreeMap<DeviceId, u32>,
}

fn settings(tuning: Tuning, devices_max: usize) -> Settings {
    let engines = Engines {
        pinned: ENGINE,
        portable: Digest([7; 32]),
    };
    let fleet = FleetSettings {
        devices_max,
        ..population::fleet_settings()
    };
    Settings {
        tuning,
        fleet,
        ..Settings::new(GENESIS, node().public(), engines)
    }
}

impl Office {
    /// What its clock tells at a time: milliseconds since its start. It may tell less than before; the
    /// core goes on from the latest.
    pub(super) fn tick(&self, now: u64) -> Tick {
        let elapsed = now.saturating_sub(self.started);
        Tick(elapsed.saturating_add_signed(self.jumped_ms))
    }

    /// When its clock tells this time.
    fn when(&self, tick: Tick) -> u64 {
        let elapsed = tick.0.saturating_add_signed(-self.jumped_ms);
        self.started.saturating_add(elapsed)
    }
}

impl World<'_> {
    pub(super) fn plan_at_office(&mut self, in_ms: u64, what: AtOffice) {
        let life = self.office.life;
        self.clock.plan(in_ms, Coming::Office { life, what });
    }

    /// The masternode starts, and takes up what its disk and the chain have.
    pub(super) fn starts(&mut self) -> Result<(), Violation> {
        let scheduling = self.scheduling;
        self.happening(&format!("the masternode starts, scheduling {scheduling}"));
        let devices_max = self.devices_max();
        self.office.core = Some(Core::new(settings(scheduling.tuning(), devices_max)));
        self.office.started = self.clock.now().0;
        let block = self.chain.finalised;
        self.office_step(Event::Finalised {
            block,
            jobs: vec![],
        })?;
        let jobs = self.chain.finalised_jobs.iter();
        let jobs: Vec<_> = jobs.map(|(id, job)| (*id, job.clone())).collect();
        for (id, job) in jobs {
            let is_known = self.disk.remembered.contains(&id);
            let is_ours = job.state.is_open() && job.state.coordinator().is_some();
            if (is_known || is_ours) && !self.disk.closed.contains(&id) {
                self.takes_up(id, job);
            }
        }
        self.plan_benchmarks(BENCHMARKS_READY);
        self.plan_at_office(*WAKE_MS.end(), AtOffice::Wakes);
        Ok(())
    }

    fn takes_up(&mut self, id: JobId, job: Job) {
        let lines = self.disk.lines(id);
        let number = self.names.job(&id);
        self.trace
            .effect(&format!("takes up j{number}, {} lines", lines.len()));
        let is_uploaded = self.disk.uploaded.contains(&id);
        let work = self.works.get(&id).filter(|_| is_uploaded);
        let plan = work.map(|work| work.plan(self.disk.shards(&id)));
        self.disk.remembered.insert(id);
        self.office.told.insert(id, job.clone());
        let Some(core) = &mut self.office.core else {
            return;
        };
        if core.replay(Tick(0), id, job, plan, lines).is_some() {
            self.disk.closed.insert(id);
            self.audit.close(id);
        }
    }

    /// The masternode dies. What it did not write is lost, or some of it is written all the same.
    pub(super) fn dies(&mut self) {
        self.happening("the masternode dies");
        self.counts.crashes += 1;
        let written = self.chance.random_range(0..=self.disk.waiting());
        self.disk.lose_all_but(written);
        self.audit.begin_anew(&self.disk);
        let last = std::mem::take(&mut self.office);
        self.office.life = last.life + 1;
        self.office.next_token = last.next_token;
        for link in last.links.into_values().flatten() {
            self.device_loses(link);
        }
        let in_ms = self.chance.random_range(AWAY_MS);
        self.clock.plan(in_ms, Coming::Starts);
    }

    pub(super) fn at_office(&mut self, what: AtOffice) -> Result<(), Violation> {
        match what {
            AtOffice::Wakes => self.wakes(),
            AtOffice::Written => self.written(),
            AtOffice::NotSettled(job) => self.office_step(Event::NotSettled { job }),
            AtOffice::Withheld {
                device,
                id,
                log_position,
            } => self.office_step(Event::Withheld {
                device,
                id,
                log_position,
            }),
            AtOffice::Computed => self.computed_benchmark(),
            AtOffice::Recomputed { job, task, number } => self.recomputed(job, task, number),
            AtOffice::Seeded { block } => self.seeded(block),
        }
    }

    fn wakes(&mut self) -> Result<(), Violation> {
        self.office_step(Event::Tick)?;
        let Some(core) = &self.office.core else {
            return Ok(());
        };
        let now = self.clock.now().0;
        let due = core.next_wakeup();
        let due_ms = due.map_or(u64::MAX, |due| self.office.when(due).saturating_sub(now));
        let in_ms = due_ms.clamp(*WAKE_MS.start(), *WAKE_MS.end());
        self.plan_at_office(in_ms, AtOffice::Wakes);
        self.give_up(now);
        Ok(())
    }

    /// Devices give up requests that were not answered for long.
    fn give_up(&mut self, now: u64) {
        while let Some(first) = self.office.tokens.first_entry()
            && first.get().at + REQUEST_MS <= now
        {
            let asked = first.remove();
            self.device_hears(asked, None, 0);
        }
    }

    fn written(&mut self) -> Result<(), Violation> {
        self.office.is_writing = false;
        let waiting = self.disk.waiting();
        let count = match self.chance.random_range(0..4) {
            0 if waiting > 0 => self.chance.random_range(1..=waiting),
            _ => waiting,
        };
        if let Some(through) = self.disk.write(count) {
            self.office_step(Event::Persisted { through })?;
        }
        self.plan_writing();
        Ok(())
    }

    fn plan_writing(&mut self) {
        if self.office.is_writing || self.disk.waiting() == 0 {
            return;
        }
        self.office.is_writing = true;
        let in_ms = match self.chance.random_range(0..100) {
            0 => self.chance.random_range(WRITE_LATE_MS),
            _ => self.chance.random_range(WRITE_MS),
        };
        self.plan_at_office(in_ms, AtOffice::Written);
    }

    /// Tells the masternode something, and carries out what it wants, unless it dies meanwhile.
    pub(super) fn office_step(&mut self, event: Event) -> Result<(), Violation> {
        if self.office.core.is_none() {
            return Ok(());
        }
        let before = self.trace.tells_changes().then(|| self.situation());
        let words = self.names.event(&event);
        self.happening(&words);
        let now = self.office.tick(self.clock.now().0);
        self.audit.hear(now, &event);
        let Some(core) = &mut self.office.core else {
            return Ok(());
        };
        let effects = core.step(now, event);
        let known = core.known_devices();
        if known > self.devices_max() {
            return Err(Violation::TooManyKnown { known });
        }
        let kinds: Vec<_> = effects.iter().map(kind_at_office).collect();
        let place = self.office.dies_soon;
        let dies_at = place.and_then(|place| place.among(&kinds, &mut self.chance));
        self.office_deaths.note(&kinds, dies_at);
        for (place, effect) in effects.into_iter().enumerate() {
            if dies_at == Some(place) {
                self.dies();
                return Ok(());
            }
            let words = self.names.effect(&effect);
            self.trace.effect(&words);
            self.carry_out(effect)?;
        }
        self.check_idle()?;
        if let Some(before) = before {
            self.tell_changes(&before);
        }
        if dies_at.is_some() {
            self.dies();
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Append {
                ticket,
                job,
                position,
                entry,
                ..
            } => {
                self.check_append(job, position, &entry)?;
                self.disk.append(ticket, job, *entry);
                self.plan_writing();
            }
            Effect::Note { job, noted, .. } => {
                if let Some(work) = self.works.get(&job) {
                    self.audit.note(&self.names, work, &noted.note)?;
                }
                self.disk.note(job, *noted);
            }
            Effect::Answer {
                token,
                device,
                work,
            } => self.answers(token, device, work)?,
            Effect::Refuse { token, refusal } => {
                if let Some(asked) = self.office.tokens.remove(&token) {
                    self.refuses(asked, refusal)?;
                }
            }
            Effect::Dismiss { device } => self.dismisses(self.names.device(&device)),
            Effect::Settle { batch } => {
                self.audit.send(&self.names, &self.disk, &batch)?;
                self.chain.order(Order::Settle(batch));
            }
            Effect::CloseFailed { job, task, why } => {
                self.audit.rely_on_end(&self.names, &self.disk, job, task)?;
                self.chain.order(Order::CloseFailed { job, task, why });
            }
            Effect::KeepOutputs { job, task, .. } => {
                self.audit.rely_on_end(&self.names, &self.disk, job, task)?;
            }
            Effect::Closed { job, .. } => {
                self.disk.closed.insert(job);
                self.audit.close(job);
                self.audit.forgive_uncounted(&job);
            }
            Effect::Recompute { job, task, .. } => self.recomputes(job, task),
            Effect::StopRecomputing { job, task } => {
                self.office.recomputing.remove(&(job, task));
            }
            Effect::ReadSeed { block } => self.reads_seed(block),
            // Nobody watches.
            _ => {}
        }
        Ok(())
    }

    fn check_append(&mut self, id: JobId, position: u64, entry: &Entry) -> Result<(), Violation> {
        let job = self.names.job(&id);
        let expected = self.disk.next_position(id);
        if position != expected {
            return Err(Violation::LogGap {
                job,
                position,
                expected,
            });
        }
        let Some(work) = self.works.get(&id) else {
            return Ok(());
        };
        self.audit.append(&self.names, work, position, entry)?;
        match entry {
            Entry::Assigned { task, device, .. } => {
                let told = self.office.told.get(&id).map(|job| &job.state);
                if !matches!(told, Some(JobState::Running { .. })) {
                    return Err(Violation::ClosedJobGiven {
                        job,
                        task: *task,
                        device: self.names.device(device),
                    });
                }
                self.counts.given += 1;
            }
            Entry::Revealed { .. } => self.counts.reports += 1,
            Entry::Added { task, .. } => self.adds(id, *task),
            _ => {}
        }
        Ok(())
    }

    /// A device that is not served any more.
    fn refuses(&mut self, asked: Asked, refusal: Refusal) -> Result<(), Violation> {
        self.respond(asked, Response::Refused(refusal))?;
        self.dismisses(asked.link.device);
        Ok(())
    }

    /// A device says hello.
    pub(super) fn hears_hello(&mut self, asked: Asked, hello: Hello) -> Result<(), Violation> {
        let device = asked.link.device;
        let id = self.machine(device).id;
        let Some(view) = self.chain.view(&id) else {
            self.counts.strangers += 1;
            let core = self.office.core.as_ref();
            if core.is_some_and(|core| core.is_known(&id)) {
                self.office_step(Event::Retired { device: id })?;
            }
            return self.refuses(asked, Refusal::NotRegistered);
        };
        if view.banned {
            return self.refuses(asked, Refusal::Banned);
        }
        let life = self.office.life;
        // What it told over another connection counts until it tells something else.
        let core = self.office.core.as_ref();
        if !core.is_some_and(|core| core.is_known(&id)) {
            self.audit.hear_state(id, None);
        }
        let (at, bond) = (self.chain.block, self.chain.bond(&view.device.account));
        self.rules.see(at, &view);
        let view = Box::new(view);
        self.office_step(Event::Hello {
            at,
            view,
            bond,
            hello,
        })?;
        if self.office.life != life {
            return Ok(());
        }
        self.office.greeted.insert(device);
        let now = self.clock.now().0;
        self.office.welcomed.insert(device, now);
        let heartbeat_ms = limits::HEARTBEAT.as_millis() as u32;
        self.respond(asked, Response::Welcome(Welcome { heartbeat_ms }))
    }

    /// A device says something.
    pub(super) fn hears(&mut self, asked: Asked, exchange: Exchange) -> Result<(), Violation> {
        let device = asked.link.device;
        if !self.office.greeted.contains(&device) {
            return self.refuses(asked, Refusal::NoHello);
        }
        let id = self.machine(device).id;
        if let Some(since) = self.office.welcomed.remove(&device) {
            let ms = self.clock.now().0 - since;
            self.office_step(Event::Measured {
                device: id,
                measured: Measured::RoundTrip { ms },
            })?;
        }
        let Some(core) = &self.office.core else {
            return Ok(());
        };
        if let Some(state) = &exchange.state
            && core.is_here(&id)
        {
            self.audit.hear_state(id, unfit(state));
        }
        let delivered = exchange.reports.iter().filter_map(|report| {
            let (id_of, bytes) = delivered(report)?;
            let found = self.disk.delivered.get(&(id, id_of)).copied()?;
            let is_whole = found.0 == bytes && core.holds_replica(&id, id_of);
            is_whole.then_some((id_of, found))
        });
        let shown = exchange.holds.iter().map(|held| {
            let is_it = held.shown == SHOWN;
            let shown = if is_it { Shown::Right } else { Shown::Wrong };
            ((held.id, held.log_position), shown)
        });
        let facts = ReportFacts {
            shown: shown.collect(),
            delivered: delivered.collect(),
            ..ReportFacts::default()
        };
        self.office.next_token += 1;
        let token = Token(self.office.next_token);
        self.office.tokens.insert(token, asked);
        self.office_step(Event::Exchange {
            device: id,
            token,
            exchange,
            facts,
        })
    }

    /// Answers an exchange, with what belongs to the replicas it gives.
    fn answers(&mut self, token: Token, id: DeviceId, plan: WorkPlan) -> Result<(), Violation> {
        let mut acknowledged = Vec::new();
        for told in &plan.acknowledged {
            self.audit
                .acknowledge(&self.names, &self.disk, id, told.id)?;
            acknowledged.extend(self.rules.tell(&self.disk, id, told));
        }
        if plan.benchmark.is_some() {
            self.plan_benchmarks(1);
        }
        if !plan.assignments.is_empty() {
            self.office.unexplained.remove(&id);
        } else if plan.ask_again_ms == 0 && plan.benchmark.is_none() {
            // It wanted something, and was tried for it.
            self.check_refused(id)?;
        }
        let Some(asked) = self.office.tokens.remove(&token) else {
            return Ok(());
        };
        self.counts.asked_again += u64::from(self.asks_again(&asked, &plan));
        let mut work = Work {
            acknowledged: self.rules.sign(&acknowledged),
            reveals: plan.reveals,
            discard: plan.discard,
            ask_again_ms: plan.ask_again_ms,
            benchmark: plan.benchmark.map(benchmark),
            ..Work::default()
        };
        for given in plan.assignments {
            if self.goes_wrong(self.config.faults.unreadable) {
                self.counts.withheld += 1;
                let (id_of, log_position) = (given.id, given.log_position);
                let reason = DiscardReason::NotAssigned;
                work.discard.push(Discard { id: id_of, reason });
                let in_ms = self.chance.random_range(0..10);
                let what = AtOffice::Withheld {
                    device: id,
                    id: id_of,
                    log_position,
                };
                self.plan_at_office(in_ms, what);
            } else if let Some(of) = self.works.get(&given.id.job) {
                work.assignments.push(of.assignment(&given));
            }
        }
        self.respond(asked, Response::Work(work))
    }

    /// A device's connections are closed.
    fn dismisses(&mut self, device: u32) {
        let links = self.office.links.get(&device).cloned().unwrap_or_default();
        for link in links {
            self.clock.plan(0, Coming::LinkEnds(link));
            self.device_loses(link);
        }
    }
}

/// The replica whose result a report says was delivered in pieces, and its length.
fn delivered(report: &Report) -> Option<(ReplicaId, u64)> {
    let Output::Delivered { bytes } = report.output else {
        return None;
    };
    let payload = &report.receipt.payload;
    let id = ReplicaId {
        job: payload.job,
        task: payload.task,
        replica: payload.replica,
    };
    Some((id, bytes))
}
