//! The whole of it: what there is, what will happen, and what happens next.

use super::{
    Counts, Outcome,
    asks::{self, MIB},
    audit::Audit,
    chain::{BLOCK_MS, BONDS_MORE, Chain, FIRST_BLOCK, OnChain},
    config::{Config, Scheduling},
    deaths::Deaths,
    disk::Disk,
    machine::{self, AtDevice, Machine},
    network::{Link, Sent},
    office::{AtOffice, Office},
    owners::Owner,
    rules::Rules,
    sizes::Sizes,
    trace::{Look, Trace},
    violation::Violation,
    words::Names,
    work::{Flaw, Work},
};
use crate::clock::Clock;
use quern_grid::Policy;
use quern_job_rules::quote::QuoteError;
use quern_masternode::core::{Entry, Event};
use quern_primitives::{
    amount::Amount,
    ids::{AccountId, BlockNumber, DeviceId, JobId},
    job::{Job, JobEnd, JobState},
};
use quern_protocol::Refusal;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::collections::{BTreeMap, BTreeSet};

/// Devices come within so long of the beginning, in milliseconds.
const ARRIVALS_MS: u64 = 20_000;

/// When the first job's owner begins to hand it in, in milliseconds; and how much later at most any
/// other's.
const UPLOAD_MS: u64 = 5_000;

/// How long an owner waits who gets no answer, in milliseconds.
pub(super) const UPLOAD_AGAIN_MS: u64 = 2_000;

/// What owners' habits are drawn from beside the seed, so that they change nobody's luck.
const APART: u64 = 0x6f77_6e65_7273_2121;

/// What is wrong with jobs is drawn from this beside the seed, for the same reason.
const FLAWS_APART: u64 = 0x666c_6177_7321_2121;

/// And how large tasks are, from this.
const SIZES_APART: u64 = 0x7369_7a65_7321_2121;

/// Blocks between two looks at what the chain says of the devices that are here.
const RECHECK_BLOCKS: BlockNumber = 15;

/// How long after their deadline jobs may still be open, in milliseconds.
const END_MS: u64 = 120_000;

/// How late it may become known that a transaction got lost, in milliseconds.
const NEWS_OF_LOSS_MS: u64 = 10_000;

/// What will happen.
pub(super) enum Coming {
    Block,
    /// To the masternode, if it still lives then.
    Office {
        life: u32,
        what: AtOffice,
    },
    /// To a device, if it was not switched off meanwhile.
    Device {
        device: u32,
        life: u32,
        what: AtDevice,
    },
    /// A request comes to the masternode.
    Request(Box<Sent>),
    /// The masternode notices that a connection has ended.
    LinkEnds(Link),
    Uploads(JobId),
    /// An owner hands shards in.
    Shards(JobId),
    Cancels(JobId),
    Bans(u32),
    /// The masternode will die with the next thing it does.
    Dies,
    /// The masternode's clock jumps.
    Leaps,
    Starts,
    CutBegins,
    CutEnds(Vec<u32>),
    /// The masternode hears nothing of the chain, nor the chain of it.
    SeveredBegins,
    SeveredEnds,
    /// A device is switched on.
    Returns(u32),
}

pub(super) struct World<'a> {
    pub(super) config: Config,
    /// As it was drawn, if it was to be.
    pub(super) scheduling: Scheduling,
    pub(super) clock: Clock<Coming>,
    pub(super) chance: StdRng,
    pub(super) trace: Trace<'a>,
    pub(super) names: Names,
    pub(super) works: BTreeMap<JobId, Work>,
    pub(super) owners: BTreeMap<JobId, Owner>,
    pub(super) machines: Vec<Machine>,
    pub(super) office: Office,
    pub(super) chain: Chain,
    pub(super) disk: Disk,
    pub(super) audit: Audit,
    pub(super) rules: Rules,
    pub(super) counts: Counts,
    pub(super) office_deaths: Deaths,
    pub(super) worker_deaths: Deaths,
    /// Jobs that their owners cancelled.
    pub(super) cancelled: BTreeSet<JobId>,
    /// Whether masternode and chain hear nothing of each other.
    pub(super) is_severed: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(config: &Config, look: Look<'a>) -> Result<Self, QuoteError> {
        let mut chance = StdRng::seed_from_u64(config.seed);
        let scheduling = config.scheduling.or_drawn(chance.random_range(0..3));
        let (mut names, mut chain) = (Names::default(), Chain::new());
        let machines = machine::all(config, &mut names, &mut chain, &mut chance);
        let rushing = machines.iter().filter(|it| it.rushes()).count() as u64;
        let mut audit = Audit::new(config.audited_in_hand);
        let tuning = scheduling.tuning();
        audit.has_pools = tuning.policy != Policy::OneQueue;
        audit.spares_the_slow = tuning.spares_the_slow;
        for machine in &machines {
            audit.know(machine.id, machine.facts.clone());
        }
        let (mut works, mut owners) = (BTreeMap::new(), BTreeMap::new());
        let mut apart = StdRng::seed_from_u64(config.seed ^ APART);
        let mut flaws_apart = StdRng::seed_from_u64(config.seed ^ FLAWS_APART);
        let mut sizes_apart = StdRng::seed_from_u64(config.seed ^ SIZES_APART);
        for number in 0..config.jobs {
            let mut asked = asks::drawn(config, &machines, &mut chance);
            let mut flaw = Flaw::drawn(config.faults.unsound, &mut flaws_apart);
            if flaw == Some(Flaw::TooFew) {
                match asks::too_few(config, &machines, &mut flaws_apart) {
                    Some(wished) => asked = wished,
                    None => flaw = None,
                }
            }
            let sizes = Sizes::drawn(config, Work::size_max(config), &mut sizes_apart);
            let work = Work::new(config, number, asked)
                .sized(config, asked.desktops, sizes)
                .flawed(config, flaw);
            chain.submit(work.id, work.submission.clone())?;
            names.add_job(work.id, number);
            audit.await_shards(work.id, config.tasks);
            owners.insert(work.id, Owner::new(config.tasks, &mut apart));
            works.insert(work.id, work);
        }
        let mut world = Self {
            config: config.clone(),
            scheduling,
            clock: Clock::default(),
            chance,
            trace: Trace::new(look),
            names,
            works,
            owners,
            machines,
            office: Office::default(),
            chain,
            disk: Disk::default(),
            audit,
            rules: Rules::default(),
            counts: Counts {
                rushing,
                ..Counts::default()
            },
            office_deaths: Deaths::default(),
            worker_deaths: Deaths::default(),
            cancelled: BTreeSet::new(),
            is_severed: false,
        };
        world.begin();
        Ok(world)
    }

    fn begin(&mut self) {
        self.clock.plan(0, Coming::Starts);
        self.clock.plan(BLOCK_MS, Coming::Block);
        for device in 0..self.config.devices {
            let in_ms = self.chance.random_range(0..ARRIVALS_MS);
            self.clock.plan(in_ms, Coming::Returns(device));
        }
        let jobs = self.works.values().map(|work| {
            let (job, asked) = (self.names.job(&work.id), &work.submission);
            let wishes = asks::in_words(&asked.preferences);
            let (level, mib) = (asked.level, asked.memory_bytes_max / MIB);
            let sizes = work.sizes_in_words();
            let flaw = work.flaw.map_or("", Flaw::in_words);
            let words =
                format!("j{job} is submitted, {level:?}, {mib} MiB a task{sizes}{wishes}{flaw}");
            (work.id, words)
        });
        let jobs: Vec<(JobId, String)> = jobs.collect();
        for (job, words) in jobs {
            self.happening(&words);
            for what in [Coming::Uploads(job), Coming::Shards(job)] {
                let in_ms = UPLOAD_MS + self.chance.random_range(0..UPLOAD_MS);
                self.clock.plan(in_ms, what);
            }
        }
        self.plan_weather();
    }

    /// Lets things happen until every job is over, or what is wanted was seen.
    pub(super) fn go(&mut self) -> Result<(), Violation> {
        let deadlines = self.works.values().map(|work| work.submission.deadline);
        let last = deadlines.max().unwrap_or(FIRST_BLOCK);
        let limit_ms = u64::from(last.saturating_sub(FIRST_BLOCK)) * BLOCK_MS + END_MS;
        while !self.is_over() {
            let Some(coming) = self.clock.advance() else {
                break;
            };
            if self.clock.now().0 > limit_ms {
                let job = self.first_open_job();
                return Err(Violation::NeverEnds { job });
            }
            self.happens(coming)?;
            if self.trace.has_enough() {
                return Ok(());
            }
        }
        self.check_end()
    }

    /// Every job is over, and the masternode knows of each that it was told of.
    fn is_over(&self) -> bool {
        let knows = |job: &JobId| self.disk.closed.contains(job);
        self.chain.is_all_over() && self.disk.remembered.iter().all(knows)
    }

    fn first_open_job(&self) -> u32 {
        let is_open = |it: &&JobId| !self.disk.closed.contains(*it);
        let job = self.works.keys().find(is_open);
        job.map_or(0, |job| self.names.job(job))
    }

    pub(super) fn outcome(&self, violation: Option<Violation>) -> Outcome {
        let jobs = self.works.keys();
        let jobs = jobs.filter_map(|id| Some((id, &self.chain.jobs.get(id)?.job.state)));
        let causes = jobs.clone().map(|(id, state)| self.cause(id, state));
        Outcome {
            history: self.trace.history(),
            steps: self.trace.steps(),
            lasted_ms: self.clock.now().0,
            bound_ms: self.bound_ms(),
            causes: causes.collect(),
            ends: jobs.map(|(_, state)| state.clone()).collect(),
            counts: Counts {
                wrong_answers: self.audit.wrong_answers,
                in_lanes: self.audit.in_lanes,
                ..self.counts
            },
            office_deaths: self.office_deaths.clone(),
            worker_deaths: self.worker_deaths.clone(),
            conduct: self.conduct(),
            violation,
        }
    }

    /// How long all devices together take for the first replicas of all tasks, in milliseconds.
    fn bound_ms(&self) -> u64 {
        let fuel_of = |work: &Work| {
            let tasks = (0..work.submission.tasks).map(|task| work.fuel(task) as f64);
            f64::from(work.submission.agreement.replicas()) * tasks.sum::<f64>()
        };
        let fuel: f64 = self.works.values().map(fuel_of).sum();
        let machines = self.machines.iter().take(self.config.devices as usize);
        let speed: f64 = machines.map(Machine::speed).sum();
        (fuel / speed) as u64
    }

    fn happens(&mut self, coming: Coming) -> Result<(), Violation> {
        match coming {
            Coming::Block => self.block(),
            Coming::Office { life, what } if self.office.life == life => self.at_office(what),
            Coming::Device { device, life, what }
                if self.machines[device as usize].life == life =>
            {
                self.at_device(device, what)
            }
            // It was for a life that has ended.
            Coming::Office { .. } | Coming::Device { .. } => Ok(()),
            Coming::Request(sent) => self.arrives(*sent),
            Coming::LinkEnds(link) => self.link_ends(link),
            Coming::Uploads(job) => self.uploads(job),
            Coming::Shards(job) => self.uploads_shards(job),
            Coming::Cancels(job) => {
                self.happening(&format!("the owner cancels j{}", self.names.job(&job)));
                self.cancelled.insert(job);
                self.chain.cancel(job);
                Ok(())
            }
            Coming::Bans(device) => {
                self.happening(&format!("d{device} is banned"));
                let id = self.machine(device).id;
                self.chain.ban(id);
                Ok(())
            }
            Coming::Dies => {
                self.dies_soon();
                Ok(())
            }
            Coming::Leaps => {
                self.leaps();
                Ok(())
            }
            Coming::Starts => self.starts(),
            Coming::CutBegins => {
                self.cut_begins();
                Ok(())
            }
            Coming::CutEnds(devices) => {
                self.cut_ends(&devices);
                Ok(())
            }
            Coming::SeveredBegins => {
                self.severed_begins();
                Ok(())
            }
            Coming::SeveredEnds => self.severed_ends(),
            Coming::Returns(device) => self.returns(device),
        }
    }

    /// Devices that the masternode may remember: all that can ever be registered, and no others.
    pub(super) fn devices_max(&self) -> usize {
        self.config.devices as usize * (1 + BONDS_MORE as usize)
    }

    pub(super) fn machine(&mut self, device: u32) -> &mut Machine {
        &mut self.machines[device as usize]
    }

    /// Something happens: a step of the trace.
    pub(super) fn happening(&mut self, what: &str) {
        let now = self.clock.now().0;
        self.trace.step(now, what);
    }

    /// Whether networks, disks, power and the masternode have their faults now.
    pub(super) fn is_rough(&self) -> bool {
        self.clock.now().0 < u64::from(self.config.faults_s) * 1_000
    }

    /// Whether something goes wrong that does so in so many of a thousand cases.
    pub(super) fn goes_wrong(&mut self, permille: u32) -> bool {
        permille > 0 && self.is_rough() && self.chance.random_range(0..1_000u32) < permille
    }

    fn block(&mut self) -> Result<(), Violation> {
        self.clock.plan(BLOCK_MS, Coming::Block);
        let lost = match self.is_rough() {
            _ if self.is_severed => 1_000,
            true => self.config.faults.unsettled,
            false => 0,
        };
        let Self {
            chain,
            chance,
            names,
            ..
        } = self;
        let is_lost = || lost > 0 && chance.random_range(0..1_000u32) < lost;
        let failed = chain.next_block(names, is_lost)?;
        if chain.begins_day() {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&chance.random::<u64>().to_le_bytes());
            chain.begin_day(seed);
        }
        for job in failed {
            self.counts.transactions_lost += 1;
            if self.chance.random::<bool>() {
                let in_ms = self.chance.random_range(0..NEWS_OF_LOSS_MS);
                self.plan_at_office(in_ms, AtOffice::NotSettled(job));
            }
        }
        if self.is_severed {
            return Ok(());
        }
        self.tell_block()?;
        if self.goes_wrong(self.config.faults.duplicate) {
            self.tell_block()?;
        }
        let height = self.chain.finalised - FIRST_BLOCK;
        if height.is_multiple_of(RECHECK_BLOCKS) {
            self.recheck()?;
            self.draw_lottery()?;
        }
        Ok(())
    }

    /// Draws the day's lottery, as soon as its block is final and once in a life of the masternode.
    fn draw_lottery(&mut self) -> Result<(), Violation> {
        let Some(lottery) = &self.chain.lottery else {
            return Ok(());
        };
        let draw = lottery.draw;
        let is_final = draw.block() <= self.chain.finalised;
        if self.office.core.is_none() || self.office.drawn == Some(draw.day) || !is_final {
            return Ok(());
        }
        self.office.drawn = Some(draw.day);
        let winners = lottery.winners();
        self.counts.winners += winners.len() as u64;
        let ends_at = draw.ends_at();
        self.office_step(Event::Lottery { winners, ends_at })
    }

    pub(super) fn tell_block(&mut self) -> Result<(), Violation> {
        if self.office.core.is_none() {
            return Ok(());
        }
        let Self { chain, disk, .. } = self;
        let is_ours = |(id, job): &(&JobId, &Job)| {
            let is_awaited = disk.remembered.contains(*id) && !disk.closed.contains(*id);
            is_awaited || (job.state.is_open() && job.state.coordinator().is_some())
        };
        let ours = chain.finalised_jobs.iter().filter(is_ours);
        let jobs: Vec<_> = ours.map(|(id, job)| (*id, job.clone())).collect();
        let block = chain.finalised;
        self.disk.remembered.extend(jobs.iter().map(|(id, _)| *id));
        self.office.told.extend(jobs.iter().cloned());
        self.office_step(Event::Finalised { block, jobs })
    }

    /// Looks up on the chain every device that is here.
    fn recheck(&mut self) -> Result<(), Violation> {
        let Some(core) = &self.office.core else {
            return Ok(());
        };
        let devices: Vec<DeviceId> = core.connected_devices().collect();
        let at = self.chain.block;
        for device in devices {
            let event = match self.chain.view(&device) {
                None => Event::Retired { device },
                Some(view) if view.banned => Event::Barred {
                    device,
                    refusal: Refusal::Banned,
                },
                Some(view) => {
                    self.rules.see(at, &view);
                    Event::Rechecked {
                        at,
                        bond: self.chain.bond(&view.device.account),
                        view: Box::new(view),
                    }
                }
            };
            self.office_step(event)?;
        }
        Ok(())
    }

    fn check_end(&self) -> Result<(), Violation> {
        self.check_rules()?;
        for (id, known) in &self.chain.jobs {
            self.check_pay(*id, known)?;
            let end = JobEnd::AllSettled;
            if known.job.state == (JobState::Completed { end }) {
                self.audit
                    .check_acknowledged(&self.names, &self.disk, *id)?;
            }
        }
        Ok(())
    }

    /// Accounts got what the verdicts of settled tasks say, no more and no less.
    fn check_pay(&self, id: JobId, known: &OnChain) -> Result<(), Violation> {
        let mut owed: BTreeMap<&AccountId, Amount> = BTreeMap::new();
        for entry in self.disk.written(id) {
            let Entry::Judged { verdict } = entry else {
                continue;
            };
            if known.is_settled(verdict.task) {
                for found in verdict.replicas.iter().filter(|found| found.pay > 0) {
                    *owed.entry(&found.account).or_default() += found.pay;
                }
            }
        }
        for account in known.paid.keys().chain(owed.keys().copied()) {
            let owed = owed.get(account).copied().unwrap_or(0);
            let paid = known.paid.get(account).copied().unwrap_or(0);
            if owed != paid {
                return Err(Violation::Pay {
                    job: self.names.job(&id),
                    account: self.names.account(account),
                    owed,
                    paid,
                });
            }
        }
        Ok(())
    }
}
