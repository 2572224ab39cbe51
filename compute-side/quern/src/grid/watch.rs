//! `quern grid watch`: a masternode's grid, live on the terminal.
//!
//! One task asks the masternode every second, a thread reads the keys, and what is shown follows from
//! what they told last ([`screen::Screen`]). Where there is no terminal, the grid is shown once, as
//! text.

mod screen;

use super::{devices::by_rank, words};
use crate::{
    context::Context,
    job::in_words,
    masternodes::MasternodeArgs,
    output::{Output, fields, patiently, table},
    units::{counted, grouped},
};
use anyhow::Context as _;
use clap::Args;
use quern_grid::lottery::first_block_of;
use quern_jobs_api::{
    Dealing, DeviceState, GridState, JobInGrid, JobsApiClient as _, LastDraw, Phase, Scheduling,
};
use quern_owner::{ApiFailure, Masternode};
use quern_primitives::{AccountId, GenesisHash};
use ratatui::{
    DefaultTerminal, Terminal,
    backend::Backend,
    crossterm::event::{self, Event},
};
use screen::{Next, Screen};
use serde::Serialize;
use std::{
    io::{self, IsTerminal as _},
    pin::pin,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::MissedTickBehavior,
};

/// How often the masternode is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the thread that reads keys waits for one before it looks whether it is still wanted.
const KEY_PAUSE: Duration = Duration::from_millis(100);

/// Keys that wait to be seen to; more than anybody types in a frame.
const KEYS_MAX: usize = 64;

/// What is said of a masternode that does not answer. With what stands before it, it fits on a line
/// of 80 letters.
const SILENT: &str = "the masternode is silent; it is asked each second, q quits";

#[derive(Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    masternode: MasternodeArgs,
    /// Show the grid once, as text, and leave; so it is also where there is no terminal
    #[arg(long)]
    once: bool,
}

/// A grid as a masternode told of it.
#[derive(Clone, Debug, Serialize)]
struct Look {
    masternode: String,
    account: AccountId,
    software: String,
    chain: GenesisHash,
    grid: GridState,
    /// The devices that rank highest, as many as fit in an answer.
    devices: Vec<DeviceState>,
}

pub(super) async fn run(context: &Context, args: &WatchArgs) -> anyhow::Result<()> {
    let once = args.once || context.is_json() || !io::stdout().is_terminal();
    let asked = patiently("asking the masternode", async {
        let masternode = args.masternode.reach_one(context).await?;
        let look = look(&masternode).await?;
        anyhow::Ok((masternode, look))
    });
    let (masternode, look) = asked.await?;
    match once {
        true => context.show(&look),
        false => watch(masternode, look).await,
    }
}

/// Asks the masternode how its grid is.
async fn look(masternode: &Masternode) -> Result<Look, ApiFailure> {
    let client = masternode.client();
    let about = client.about().await?;
    Ok(Look {
        masternode: masternode.url().to_owned(),
        account: about.account,
        software: about.software,
        chain: about.genesis,
        grid: client.grid_state().await?,
        devices: client.grid_devices(0).await?,
    })
}

/// Shows the grid until somebody quits.
async fn watch(masternode: Masternode, first: Look) -> anyhow::Result<()> {
    let mut terminate =
        signal(SignalKind::terminate()).context("cannot listen for the signal to stop")?;
    let mut stage = Stage::enter().context(
        "the terminal cannot be drawn on; `quern grid watch --once` shows the grid as text",
    )?;
    let (looks, seen) = mpsc::channel(1);
    let asking = tokio::spawn(keep_looking(masternode, looks));
    let (events, pressed) = mpsc::channel(KEYS_MAX);
    tokio::task::spawn_blocking(move || read_events(&events));
    let stop = async {
        terminate.recv().await;
    };
    let played = play(&mut stage.terminal, Screen::new(first), seen, pressed, stop).await;
    asking.abort();
    played
}

/// Draws the screen, and again with each look and each event, until somebody quits, looks or events
/// end, or `stop` resolves.
async fn play<B>(
    terminal: &mut Terminal<B>,
    mut screen: Screen,
    mut seen: mpsc::Receiver<Result<Look, ApiFailure>>,
    mut pressed: mpsc::Receiver<io::Result<Event>>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()>
where
    B: Backend,
    B::Error: Send + Sync + 'static,
{
    let mut stop = pin!(stop);
    loop {
        terminal.draw(|frame| screen.draw(frame))?;
        tokio::select! {
            look = seen.recv() => match look {
                Some(look) => screen.take(look.map_err(|failure| in_silence(&failure))),
                None => return Ok(()),
            },
            event = pressed.recv() => match event {
                // A terminal of another size is drawn on anew, as after every event.
                Some(event) => if let Event::Key(key) = event? && screen.press(key) == Next::Quit {
                    return Ok(());
                },
                None => return Ok(()),
            },
            () = &mut stop => return Ok(()),
        }
    }
}

/// Why nothing newer is known.
fn in_silence(failure: &ApiFailure) -> String {
    match failure {
        ApiFailure::NoAnswer(_) => SILENT.to_owned(),
        ApiFailure::Refused(refusal) => refusal.to_string(),
    }
}

/// Looks again and again, and connects anew to a masternode that was away.
async fn keep_looking(mut masternode: Masternode, looks: mpsc::Sender<Result<Look, ApiFailure>>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let look = look(&masternode).await;
        let is_away = matches!(look, Err(ApiFailure::NoAnswer(_)));
        if looks.send(look).await.is_err() {
            return;
        }
        if is_away {
            let again = Masternode::connect(masternode.url()).await;
            if let Ok(again) = again {
                masternode = again;
            }
        }
    }
}

/// Reads what happens on the terminal, until nobody wants to know it any more.
fn read_events(events: &mpsc::Sender<io::Result<Event>>) {
    while !events.is_closed() {
        let event = match event::poll(KEY_PAUSE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let is_over = event.is_err();
        if events.blocking_send(event).is_err() || is_over {
            return;
        }
    }
}

/// The terminal while it is drawn on. Once this is gone the terminal is as it was before, and after
/// a panic too.
struct Stage {
    terminal: DefaultTerminal,
}

impl Stage {
    fn enter() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                // It may have begun; that it cannot be taken back is not worse than the error.
                let _ = ratatui::try_restore();
                Err(error)
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // There is nobody to tell that the terminal is gone.
        let _ = ratatui::try_restore();
    }
}

/// A job's progress and what it waits for, in columns.
fn job_cells(job: &JobInGrid) -> [String; 6] {
    let status = &job.status;
    [
        format!("{:?}", job.level).to_lowercase(),
        format!("{}/{}", grouped(status.decided), grouped(status.tasks)),
        grouped(status.settled),
        grouped(status.running),
        // One that gives nothing out asks for no devices.
        match status.phase {
            Phase::Computing => grouped(job.target_devices),
            Phase::Uploading | Phase::Settling | Phase::Closed => words::UNKNOWN.to_owned(),
        },
        words::plain(&in_words(status)),
    ]
}

/// What there is, in a line.
fn in_sum(grid: &GridState) -> String {
    format!(
        "{} of {} connected, {} ranked{}; {}",
        counted(grid.devices, "device"),
        counted(grid.accounts, "account"),
        grouped(grid.ranked),
        // Scores are of now, and may have another order by then.
        grid.ranked_s_ago
            .map_or_else(String::new, |ago| format!(" {} ago", words::span(ago))),
        counted(grid.jobs.len(), "job")
    )
}

/// How tasks are given out and watched.
fn scheduling_in_words(scheduling: &Scheduling) -> String {
    let dealing = match scheduling.dealing {
        Dealing::OneQueue => "from one queue",
        Dealing::MergedPools => "by pools, a small top pool merged",
        Dealing::Pools => "by pools as published",
    };
    let pools = scheduling.pools.map_or_else(String::new, |pools| {
        let devices = counted(pools.devices, "device");
        format!(
            ", of at least {devices} and {}",
            counted(pools.capacity, "point")
        )
    });
    format!(
        "{dealing}{pools}; T1 {} %, at least {} s, T2 {} %, at least {} s",
        scheduling.delayed_percent,
        scheduling.delayed_ms_min / 1_000,
        scheduling.stale_percent,
        scheduling.stale_ms_min / 1_000
    )
}

/// What came of the last lottery.
fn draw_in_words(draw: Option<LastDraw>) -> String {
    match draw {
        None => "none is drawn yet".to_owned(),
        Some(LastDraw {
            day,
            winners: Some(winners),
        }) => format!("day {day}: {}", counted(winners, "winner")),
        Some(LastDraw { day, winners: None }) => format!(
            "day {day} could not be drawn: the masternode's node has discarded the state of block {}",
            first_block_of(day)
        ),
    }
}

impl Output for Look {
    fn people(&self) -> String {
        let mut parts = vec![fields(&[
            (
                "masternode",
                format!("{} ({})", self.masternode, words::plain(&self.software)),
            ),
            ("operator", self.account.to_string()),
            ("chain", self.chain.to_string()),
            ("block", self.grid.block.to_string()),
            ("grid", in_sum(&self.grid)),
            ("tasks", scheduling_in_words(&self.grid.scheduling)),
            ("lottery", draw_in_words(self.grid.last_draw)),
        ])];
        if !self.grid.jobs.is_empty() {
            let row = |job: &JobInGrid| {
                let mut row = vec![words::short(&job.job)];
                row.extend(job_cells(job));
                row
            };
            let rows: Vec<_> = self.grid.jobs.iter().map(row).collect();
            parts.push(table(
                &[
                    "job", "level", "decided", ">settled", ">running", ">devices", "now",
                ],
                &rows,
            ));
        }
        if !self.devices.is_empty() {
            parts.push(by_rank(&self.devices));
            parts.extend(words::ranked_when(&self.devices));
        }
        parts.join("\n\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::words::tests::known_device;
    use quern_jobs_api::{ApiError, JobStatus, Phase, PoolsAtLeast, WaitingFor};
    use quern_primitives::{JobId, job::ByteLevel};
    use ratatui::{
        backend::TestBackend,
        crossterm::event::{KeyCode, KeyModifiers},
    };
    use std::future::{pending, ready};

    /// A grid with a job that is being computed, one that waits, and two devices.
    pub(super) fn known_grid() -> Look {
        let status = |number: u8, decided, waiting_for| JobStatus {
            job: JobId([number; 32]),
            phase: Phase::Computing,
            tasks: 10,
            not_uploaded: 0,
            waiting: 8 - decided,
            running: 2,
            decided,
            settled: 1,
            replicas: 6,
            incorrect: 0,
            refereed: 0,
            voted: 0,
            contradicted: 0,
            fuel: 5,
            spent: 7,
            devices: 2,
            waiting_for,
            impasse: None,
        };
        let job = |level, status: JobStatus| JobInGrid {
            job: status.job,
            level,
            status,
            target_devices: 4,
        };
        let accounts = WaitingFor::Accounts {
            connected: 1,
            needed: 3,
        };
        let mut flagged = known_device();
        flagged.byte_rank = 0;
        flagged.flags = vec!["its processor is too hot".into()];
        Look {
            masternode: "ws://127.0.0.1:9955".into(),
            account: AccountId::new([9; 32]),
            software: "quern-masternode 0.1.0".into(),
            chain: GenesisHash([7; 32]),
            grid: GridState {
                block: 1_234,
                devices: 2,
                accounts: 1,
                ranked: 1,
                ranked_s_ago: Some(7),
                scheduling: Scheduling {
                    dealing: Dealing::OneQueue,
                    pools: None,
                    spares_the_slow: true,
                    backs_up: true,
                    delayed_percent: 200,
                    stale_percent: 400,
                    delayed_ms_min: 15_000,
                    stale_ms_min: 60_000,
                },
                last_draw: None,
                recomputations: Default::default(),
                jobs: vec![
                    job(ByteLevel::High, status(1, 5, None)),
                    job(ByteLevel::Balanced, status(2, 0, Some(accounts))),
                ],
            },
            devices: vec![known_device(), flagged],
        }
    }

    #[test]
    fn without_a_terminal_the_grid_is_text_or_json() {
        let look = known_grid();
        let text = look.people();
        for words in [
            "2 devices of 1 account connected, 1 ranked 7 s ago; 2 jobs",
            "high      5/10",
            "6 replicas, 0 wrong, 1 settled, 2 devices",
            "waiting: devices of 1 account could have it, of 3 needed",
            "! its processor is too hot",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        let json = serde_json::to_value(&look).unwrap();
        assert_eq!(json["grid"]["jobs"][1]["level"], "balanced");
        assert_eq!(json["devices"][0]["byte_rank"], 3);
    }

    #[test]
    fn a_grid_without_jobs_and_devices_is_shown_too() {
        let mut look = known_grid();
        (look.grid.jobs, look.devices) = (vec![], vec![]);
        let text = look.people();
        assert!(text.contains("1 ranked 7 s ago; 0 jobs\ntasks "), "{text}");
    }

    #[test]
    fn how_tasks_are_watched_and_what_came_of_the_lottery_are_said() {
        let mut look = known_grid();
        let text = look.people();
        assert!(text.contains("from one queue; T1 200 %, at least 15 s, T2 400 %, at least 60 s"));
        assert!(text.contains("none is drawn yet"), "{text}");
        look.grid.scheduling.dealing = Dealing::Pools;
        look.grid.scheduling.pools = Some(PoolsAtLeast {
            capacity: 8_000,
            devices: 8,
        });
        let winners = Some(1);
        look.grid.last_draw = Some(LastDraw { day: 2, winners });
        let text = look.people();
        assert!(
            text.contains("of at least 8 devices and 8,000 points; T1"),
            "{text}"
        );
        assert!(text.contains("day 2: 1 winner"), "{text}");
        let winners = None;
        look.grid.last_draw = Some(LastDraw { day: 2, winners });
        let text = look.people();
        assert!(text.contains("day 2 could not be drawn"), "{text}");
        assert!(text.contains("the state of block 86400"), "{text}");
    }

    fn terminal() -> Terminal<TestBackend> {
        Terminal::new(TestBackend::new(80, 24)).unwrap()
    }

    /// What stands on a terminal when the masternode has told this, one after the other, and somebody
    /// then types `q`.
    async fn shown_after(told: Vec<Result<Look, ApiFailure>>) -> String {
        let (looks, seen) = mpsc::channel(1);
        let (events, pressed) = mpsc::channel(1);
        let script = async {
            for look in told {
                looks.send(look).await.unwrap();
            }
            // There is room again when the last one was taken, and it is drawn before anything else.
            let _room = looks.reserve().await.unwrap();
            let quit = event::KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
            events.send(Ok(Event::Key(quit))).await.unwrap();
        };
        let mut terminal = terminal();
        let first = Screen::new(known_grid());
        let playing = play(&mut terminal, first, seen, pressed, pending());
        let (played, ()) = tokio::join!(playing, script);
        played.unwrap();
        terminal.backend().to_string()
    }

    fn at_block(block: u32) -> Look {
        let mut look = known_grid();
        look.grid.block = block;
        look
    }

    /// What asking a masternode comes to that is not there.
    async fn no_answer() -> ApiFailure {
        let error = Masternode::connect("nowhere").await.err().unwrap();
        ApiFailure::NoAnswer(*error.cause)
    }

    #[tokio::test]
    async fn the_grid_is_drawn_and_drawn_anew_with_each_look_until_q_is_pressed() {
        let text = shown_after(vec![]).await;
        assert!(
            text.contains("block 1234") && text.contains("q quit"),
            "{text}"
        );
        let text = shown_after(vec![Ok(at_block(1_235)), Ok(at_block(1_236))]).await;
        assert!(
            text.contains("block 1236") && !text.contains("1234"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_masternode_that_is_gone_is_asked_on_and_that_is_said() {
        let gone = shown_after(vec![Err(no_answer().await)]).await;
        let words = format!("this is how it was: {SILENT}");
        assert!(
            gone.contains(&words) && gone.contains("block 1234"),
            "{gone}"
        );
        let starting = ApiFailure::Refused(ApiError::Starting);
        let words = starting.to_string();
        let refused = shown_after(vec![Err(starting)]).await;
        assert!(refused.contains(&words), "{refused}");
        let back = shown_after(vec![Err(no_answer().await), Ok(at_block(1_240))]).await;
        assert!(
            back.contains("block 1240") && !back.contains("this is how it was"),
            "{back}"
        );
    }

    #[tokio::test]
    async fn it_ends_when_told_to_stop_and_when_the_terminal_cannot_be_read() {
        let (_looks, seen) = mpsc::channel(1);
        let (_events, pressed) = mpsc::channel(1);
        let first = || Screen::new(known_grid());
        let mut terminal = terminal();
        let stopped = play(&mut terminal, first(), seen, pressed, ready(())).await;
        stopped.unwrap();
        let (_looks, seen) = mpsc::channel(1);
        let (events, pressed) = mpsc::channel(1);
        let broken = io::Error::other("the terminal is gone");
        events.send(Err(broken)).await.unwrap();
        let ended = play(&mut terminal, first(), seen, pressed, pending()).await;
        assert!(ended.unwrap_err().to_string().contains("is gone"));
    }
}
