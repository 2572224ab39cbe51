//! Looks at the machine again and again, counts the data moved, and judges whether the machine may
//! be used.
//!
//! The machine is read on a thread that may block, for a sensor may be slow and a dead network file
//! system may hold a reading for ever. Until it is back the last reading stands; what the clock and
//! the count of data say of the machine's use is judged all the same.

use super::{News, WorkerError};
use crate::{
    availability::{self, Availability, DataUsed, DataUsedError, DataUsedFile, Verdict},
    core::Event,
    machine::{Machine, Oddity, Places, STATE_EVERY, State, Watch},
    settings::Settings,
    telemetry,
    traffic::Traffic,
};
use quern_transfer::Allowance;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Looks in the time of one whole reading, where the machine is used only when it is idle, or data have a cap.
/// The others are for a person's input and what was moved alone, so that one who is back waits five seconds at
/// the most.
const LOOKS: u32 = 6;

/// What looks at the machine.
pub(super) struct Gauge {
    rules: Availability,
    /// The machine's threads, of all of which the owner allows a part.
    threads: Option<u32>,
    /// `None` while it reads.
    watch: Option<Watch>,
    /// Looks so far.
    looks: u32,
    /// The clock that the watch goes by.
    started: Instant,
    state: State,
    verdict: Verdict,
    traffic: Traffic,
    used: DataUsed,
    /// What is on disk of it.
    kept: DataUsed,
    file: DataUsedFile,
    /// The log has said that it cannot be written, and it could not since.
    cannot_keep: bool,
    news: mpsc::Sender<News>,
}

/// What was read.
pub(super) struct Reading {
    watch: Watch,
    figures: Figures,
    oddities: Vec<Oddity>,
    /// What is on disk now of the data moved, if there was anything to write.
    kept: Option<Result<DataUsed, DataUsedError>>,
}

enum Figures {
    /// Everything.
    State(State),
    /// Seconds since a person's last input.
    InputIdle(Option<u64>),
}

impl Gauge {
    /// Reads what the machine at these places is, and how it is for the first time; the data folder must be
    /// there.
    pub(super) async fn start(
        settings: &Settings,
        places: Places,
        started: Instant,
        traffic: Traffic,
        news: mpsc::Sender<News>,
    ) -> Result<(Self, Machine), WorkerError> {
        let rules = settings.availability.clone();
        let file = DataUsedFile::new(settings.data.join("data-used"));
        let used = match file.load() {
            Err(error) if rules.data_bytes_per_month_max.is_none() => {
                tracing::warn!(%error, "data are counted from zero");
                DataUsed::default()
            }
            loaded => loaded?,
        };
        if rules.hours.is_some() {
            tell_time_zone();
        }
        let read = move || {
            let (mut watch, machine) = Watch::start(places, started.elapsed());
            let state = watch.read(started.elapsed());
            (watch, machine, state)
        };
        let (mut watch, machine, state) = tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| WorkerError::LookEnded)?;
        tell(&watch.oddities());
        let mut gauge = Self {
            rules,
            threads: machine.processor.threads,
            watch: Some(watch),
            looks: 0,
            started,
            state,
            verdict: Verdict::Available,
            traffic,
            kept: used.clone(),
            used,
            file,
            cannot_keep: false,
            news,
        };
        gauge.judge();
        Ok((gauge, machine))
    }

    /// Goes by other rules from now on.
    pub(super) fn revise(&mut self, rules: Availability) {
        if rules.hours.is_some() && self.rules.hours.is_none() {
            tell_time_zone();
        }
        self.rules = rules;
        self.judge();
    }

    /// How often to look.
    pub(super) fn period(&self) -> Duration {
        if self.looks_often() {
            STATE_EVERY / LOOKS
        } else {
            STATE_EVERY
        }
    }

    /// Whether a rule may come to hold the machine back between two readings of its whole state.
    fn looks_often(&self) -> bool {
        self.rules.only_when_idle.is_some() || self.rules.data_bytes_per_month_max.is_some()
    }

    /// What may still move of the owner's month.
    pub(super) fn allowance(&self) -> Allowance {
        let used = self.used.in_month(availability::now().month());
        let most = self.rules.data_bytes_per_month_max;
        Allowance {
            left_bytes: most.map(|most| most.saturating_sub(used)),
            ..Allowance::default()
        }
    }

    /// What the core is to be told of the last reading.
    pub(super) fn measured(&self) -> Event {
        let line = self.rules.network(self.state.network);
        let task_percent = self.rules.thread_percent(self.threads);
        Event::Measured {
            state: telemetry::state(&self.state, line, task_percent, &self.verdict),
            verdict: self.verdict.clone(),
        }
    }

    /// Begins to look, and judges what needs no look at the machine.
    pub(super) fn look(&mut self) -> Option<Event> {
        let is_other = self.judge();
        if let Some(watch) = self.watch.take() {
            self.looks = self.looks.wrapping_add(1);
            let is_whole = !self.looks_often() || self.looks.is_multiple_of(LOOKS);
            match is_whole || self.rules.only_when_idle.is_some() {
                true => self.read(watch, is_whole),
                // Of the machine nothing is to be known in between.
                false => self.watch = Some(watch),
            }
        }
        is_other.then(|| self.measured())
    }

    fn read(&self, mut watch: Watch, is_whole: bool) {
        let (started, news, file) = (self.started, self.news.clone(), self.file.clone());
        let unkept = (is_whole && self.used != self.kept).then(|| self.used.clone());
        let read = move || {
            let now = started.elapsed();
            let figures = if is_whole {
                Figures::State(watch.read(now))
            } else {
                Figures::InputIdle(watch.input_idle_s(now))
            };
            let oddities = watch.oddities();
            Reading {
                watch,
                figures,
                oddities,
                kept: unkept.map(|used| file.keep(&used).map(|()| used)),
            }
        };
        tokio::spawn(async move {
            let outcome = match tokio::task::spawn_blocking(read).await {
                Ok(reading) => News::Looked(Box::new(reading)),
                Err(_) => News::LookEnded,
            };
            // An error says that the worker ends.
            let _ = news.send(outcome).await;
        });
    }

    /// Takes a reading. The core hears of one of the whole state, and of any that changes whether the
    /// machine may be used.
    pub(super) fn looked(&mut self, reading: Reading) -> Option<Event> {
        self.watch = Some(reading.watch);
        tell(&reading.oddities);
        match reading.kept {
            Some(Ok(kept)) => {
                self.kept = kept;
                self.cannot_keep = false;
            }
            Some(Err(error)) => self.not_kept(&error),
            None => {}
        }
        let is_whole = match reading.figures {
            Figures::State(state) => {
                self.state = state;
                true
            }
            Figures::InputIdle(idle_s) => {
                self.state.input_idle_s = idle_s;
                false
            }
        };
        let is_other = self.judge();
        (is_whole || is_other).then(|| self.measured())
    }

    /// Judges anew; true if other rules hold the machine back than before.
    fn judge(&mut self) -> bool {
        let now = availability::now();
        self.used.add(now.month(), self.traffic.take());
        let verdict = self
            .rules
            .judge_after(&self.verdict, now, &self.state, &self.used);
        let is_other = !verdict.is_like(&self.verdict);
        self.verdict = verdict;
        is_other
    }

    /// Writes the count of the data moved, before the worker ends.
    pub(super) fn keep(&mut self) {
        self.used
            .add(availability::now().month(), self.traffic.take());
        if self.used != self.kept
            && let Err(error) = self.file.keep(&self.used)
        {
            self.not_kept(&error);
        }
    }

    fn not_kept(&mut self, error: &DataUsedError) {
        if !self.cannot_keep {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(%error, source, "if the worker ends now, data moved are not counted");
            self.cannot_keep = true;
        }
    }
}

fn tell_time_zone() {
    let zone = availability::time_zone();
    let zone = zone.as_deref().unwrap_or("not known, so UTC");
    tracing::info!(zone, "`availability.hours` are in the machine's time zone");
}

fn tell(oddities: &[Oddity]) {
    for oddity in oddities {
        tracing::info!("{oddity}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::availability::Withheld;
    use quern_protocol::Unavailable;
    use std::path::Path;

    fn settings(folder: &Path, availability: &str) -> Settings {
        settings_with(folder, (0, 110), availability)
    }

    /// With the least charge and the highest temperature.
    fn settings_with(folder: &Path, (least, most): (u8, u8), availability: &str) -> Settings {
        let text = format!(
            "data = \".\"\nchain = [\"ws://127.0.0.1:1\"]\n[availability]\n\
             battery_percent_min = {least}\ntemperature_c_max = {most}\n{availability}"
        );
        Settings::parse(&text, &folder.join("worker.toml")).unwrap()
    }

    async fn started(settings: &Settings) -> (Gauge, Traffic, mpsc::Receiver<News>) {
        started_at(settings, Places::here(settings.data.clone())).await
    }

    async fn started_at(
        settings: &Settings,
        places: Places,
    ) -> (Gauge, Traffic, mpsc::Receiver<News>) {
        let (news, received) = mpsc::channel(8);
        let traffic = Traffic::default();
        let (gauge, _) = Gauge::start(settings, places, Instant::now(), traffic.clone(), news)
            .await
            .unwrap();
        (gauge, traffic, received)
    }

    fn unavailable(event: &Event) -> &[Unavailable] {
        match event {
            Event::Measured { state, .. } => &state.unavailable,
            other => panic!("not measured: {other:?}"),
        }
    }

    async fn reading(received: &mut mpsc::Receiver<News>) -> Reading {
        match received.recv().await {
            Some(News::Looked(reading)) => *reading,
            _ => panic!("no reading"),
        }
    }

    #[tokio::test]
    async fn every_whole_reading_is_told_and_a_look_for_input_only_if_it_changes_anything() {
        let folder = tempfile::tempdir().unwrap();
        let always = settings(folder.path(), "");
        let (mut gauge, _, mut received) = started(&always).await;
        assert_eq!(gauge.period(), STATE_EVERY);
        assert!(gauge.look().is_none());
        let told = reading(&mut received).await;
        assert!(matches!(told.figures, Figures::State(_)));
        let event = gauge.looked(told).unwrap();
        assert_eq!(unavailable(&event), []);

        let idle = settings(folder.path(), "only_when_idle = {}");
        let (mut gauge, _, mut received) = started(&idle).await;
        assert_eq!(gauge.period(), Duration::from_secs(5));
        assert_eq!(unavailable(&gauge.measured()), [Unavailable::InUse]);
        let mut whole = Vec::new();
        for look in 1..=LOOKS {
            gauge.look();
            let told = reading(&mut received).await;
            if matches!(told.figures, Figures::State(_)) {
                whole.push(look);
            }
            let is_told = gauge.looked(told).is_some();
            assert!(is_told || look < LOOKS);
        }
        assert_eq!(whole, [LOOKS]);
    }

    #[tokio::test]
    async fn while_a_reading_takes_its_time_the_clock_and_the_data_are_judged() {
        let folder = tempfile::tempdir().unwrap();
        let (mut gauge, _, mut received) =
            started(&settings(folder.path(), "data_mb_per_month = 1")).await;
        for _ in 1..LOOKS {
            assert!(gauge.look().is_none());
            assert!(received.try_recv().is_err(), "only data are looked at");
        }
        assert!(gauge.look().is_none());
        gauge.used.add(availability::now().month(), 1_000_000);
        let event = gauge.look().unwrap();
        assert_eq!(unavailable(&event), [Unavailable::DataCapReached]);
        assert!(gauge.look().is_none(), "it is told once");
        reading(&mut received).await;
        assert!(received.try_recv().is_err(), "one reading at a time");
    }

    #[tokio::test]
    async fn other_rules_are_gone_by_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut gauge, ..) = started(&settings(folder.path(), "")).await;
        gauge.used.add(availability::now().month(), 2_000_000);
        let idle = settings(
            folder.path(),
            "data_mb_per_month = 1\nonly_when_idle = {}\nline = \"fibre\"",
        );
        gauge.revise(idle.availability);
        let told = gauge.measured();
        assert_eq!(
            unavailable(&told),
            [Unavailable::DataCapReached, Unavailable::InUse]
        );
        assert_eq!(gauge.period(), STATE_EVERY / LOOKS);
        gauge.revise(settings(folder.path(), "data_mb_per_month = 3").availability);
        assert_eq!(unavailable(&gauge.measured()), []);
        assert_eq!(
            gauge.period(),
            STATE_EVERY / LOOKS,
            "data move all the time"
        );
        gauge.revise(settings(folder.path(), "").availability);
        assert_eq!(gauge.period(), STATE_EVERY);
    }

    #[tokio::test]
    async fn another_share_of_the_processor_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut gauge, ..) = started(&settings(folder.path(), "")).await;
        gauge.threads = Some(2);
        let share = |gauge: &Gauge| match gauge.measured() {
            Event::Measured { state, .. } => state.task_cpu_permille,
            other => panic!("not measured: {other:?}"),
        };
        assert_eq!(share(&gauge), Some(1_000));
        gauge.revise(settings(folder.path(), "cpu_percent = 20").availability);
        assert_eq!(share(&gauge), Some(400), "one thread of two");
    }

    #[tokio::test]
    async fn data_moved_are_counted_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "data_mb_per_month = 1");
        let month = availability::now().month();
        let (mut gauge, _, mut received) = started(&settings).await;
        gauge.used.add(month, 400_000);
        for _ in 0..LOOKS {
            gauge.look();
        }
        let told = reading(&mut received).await;
        gauge.looked(told);
        drop(gauge);
        // Killed, and started again; then stopped.
        let (mut gauge, ..) = started(&settings).await;
        assert_eq!(unavailable(&gauge.measured()), []);
        gauge.used.add(month, 600_000);
        gauge.keep();
        let (gauge, ..) = started(&settings).await;
        let told = gauge.measured();
        assert_eq!(unavailable(&told), [Unavailable::DataCapReached]);
    }

    #[tokio::test]
    async fn a_damaged_count_ends_only_a_worker_with_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data-used"), "much").unwrap();
        let limited = settings(folder.path(), "data_mb_per_month = 1");
        let (news, _received) = mpsc::channel(8);
        let (places, now) = (Places::here(limited.data.clone()), Instant::now());
        let refused = Gauge::start(&limited, places, now, Traffic::default(), news).await;
        let error = refused.err().unwrap();
        assert!(error.to_string().contains("data-used"), "{error}");

        let (gauge, ..) = started(&settings(folder.path(), "")).await;
        assert_eq!(unavailable(&gauge.measured()), []);
    }

    /// A machine of files: a cable and a telephone, a battery, a sensor and a processor.
    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            files.write("sys/class/net/eth0/device/uevent", "DRIVER=e1000e\n");
            files.write("sys/class/net/eth0/operstate", "up\n");
            files.write("sys/class/net/wwan0/uevent", "DEVTYPE=wwan\n");
            files.write("sys/class/power_supply/BAT0/type", "Battery\n");
            files.write("sys/class/power_supply/BAT0/status", "Discharging\n");
            files.write("sys/class/hwmon/hwmon0/name", "coretemp\n");
            files.write(
                "proc/self/stat",
                "7 (a) R 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1\n",
            );
            files.goes_by("eth0");
            files.is_charged(80);
            files.is_warm(50);
            files.has_computed(0, 0);
            files
        }

        fn write(&self, place: &str, text: &str) {
            let path = self.0.path().join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn goes_by(&self, interface: &str) {
            let names = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT";
            let route =
                format!("{names}\n{interface} 00000000 0100000A 0003 0 0 0 00000000 0 0 0\n");
            self.write("proc/net/route", &route);
        }

        fn is_charged(&self, percent: u32) {
            self.write(
                "sys/class/power_supply/BAT0/capacity",
                &format!("{percent}\n"),
            );
        }

        fn is_warm(&self, celsius: u32) {
            let text = format!("{celsius}000\n");
            self.write("sys/class/hwmon/hwmon0/temp1_input", &text);
        }

        /// How often its keyboard was heard. Before this is said there is none to be heard.
        fn was_touched(&self, times: u32) {
            let text = format!("           CPU0\n  1: {times} IO-APIC 1-edge i8042\n");
            self.write("proc/interrupts", &text);
        }

        fn places(&self, settings: &Settings) -> Places {
            Places {
                root: self.0.path().into(),
                data: settings.data.clone(),
            }
        }

        /// Ticks that other programs had, and that nobody had.
        fn has_computed(&self, others: u32, idle: u32) {
            let text = format!("cpu  {others} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3\n");
            self.write("proc/stat", &text);
        }
    }

    /// What holds the machine back, once its state was read again.
    async fn held_back(gauge: &mut Gauge, news: &mut mpsc::Receiver<News>) -> Vec<Unavailable> {
        loop {
            let mut told = gauge.look();
            if gauge.watch.is_some() {
                continue;
            }
            let reading = reading(news).await;
            let is_whole = matches!(reading.figures, Figures::State(_));
            told = gauge.looked(reading).or(told);
            if is_whole {
                return unavailable(&told.unwrap()).to_vec();
            }
        }
    }

    #[tokio::test]
    async fn each_rule_of_the_owner_holds_for_what_is_read_of_the_machine() {
        let files = Files::new();
        let folder = tempfile::tempdir().unwrap();
        let rules = "networks = [\"ethernet\", \"wireless\"]\ndata_mb_per_month = 1\n\
                     only_when_idle = { minutes = 1, load_percent_max = 25 }";
        let settings = settings_with(folder.path(), (20, 60), rules);
        let (mut gauge, traffic, mut news) = started_at(&settings, files.places(&settings)).await;
        files.has_computed(0, 1_000);
        let gauge = &mut gauge;
        let news = &mut news;
        // For all that is known somebody may use a machine on which no input can be seen.
        assert_eq!(held_back(gauge, news).await, [Unavailable::InUse]);
        let mut rules = settings.availability.clone();
        rules.only_when_idle = None;
        gauge.revise(rules);
        assert_eq!(held_back(gauge, news).await, []);

        files.goes_by("wwan0");
        let other_network = [Unavailable::NetworkNotAllowed];
        assert_eq!(held_back(gauge, news).await, other_network);
        files.goes_by("eth0");
        files.is_charged(19);
        assert_eq!(held_back(gauge, news).await, [Unavailable::BatteryLow]);
        files.is_charged(20);
        files.is_warm(61);
        assert_eq!(held_back(gauge, news).await, [Unavailable::TooHot]);
        // What was too hot is used again when it is five degrees cooler.
        files.is_warm(58);
        assert_eq!(held_back(gauge, news).await, [Unavailable::TooHot]);
        files.is_warm(55);
        assert_eq!(held_back(gauge, news).await, []);

        traffic.add(&vec![0u8; 1_000_001]);
        assert_eq!(held_back(gauge, news).await, [Unavailable::DataCapReached]);
    }

    #[tokio::test]
    async fn a_machine_that_nobody_touches_is_held_back_while_other_programs_compute_much() {
        let files = Files::new();
        files.was_touched(7);
        files.has_computed(0, 1_000);
        let folder = tempfile::tempdir().unwrap();
        let rules = "only_when_idle = { minutes = 1, load_percent_max = 25 }";
        let settings = settings(folder.path(), rules);
        let (mut gauge, _, mut news) = started_at(&settings, files.places(&settings)).await;
        let gauge = &mut gauge;
        let news = &mut news;
        // The start counts as use, and for a minute nobody knows better. Nothing computes.
        files.has_computed(0, 2_000);
        assert_eq!(held_back(gauge, news).await, [Unavailable::InUse]);
        let reasons = gauge.verdict.reasons();
        let touched = |reasons: &[Withheld]| {
            matches!(
                reasons,
                [Withheld::InUse {
                    idle_s: Some(_),
                    idle_s_min: 60,
                }]
            )
        };
        assert!(touched(reasons), "{reasons:?}");
        // A minute passes.
        gauge.started = gauge.started.checked_sub(Duration::from_secs(60)).unwrap();
        assert_eq!(held_back(gauge, news).await, []);

        // Of a thousand ticks other programs had three hundred, and then as many as they may have.
        files.has_computed(300, 2_700);
        assert_eq!(held_back(gauge, news).await, [Unavailable::InUse]);
        let busy = Withheld::Busy {
            permille: Some(300),
            permille_max: 250,
        };
        assert_eq!(gauge.verdict.reasons(), [busy]);
        files.has_computed(550, 3_450);
        assert_eq!(held_back(gauge, news).await, []);

        files.was_touched(8);
        assert_eq!(held_back(gauge, news).await, [Unavailable::InUse]);
        let reasons = gauge.verdict.reasons();
        assert!(touched(reasons), "{reasons:?}");
    }
}
