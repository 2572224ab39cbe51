//! What stands on the terminal: it follows from what the masternode told last and from the keys that
//! were pressed, and from nothing else.

use super::{Look, in_sum, job_cells};
use crate::grid::words;
use quern_jobs_api::{DeviceState, JobInGrid};
use ratatui::{
    Frame,
    crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Style, Stylize as _},
    text::Line,
    widgets::{Block, Paragraph, Row, Table, TableState},
};

/// Letters of a progress bar.
const BAR_LETTERS: u32 = 16;

/// Rows that a page key goes on by.
const PAGE_ROWS: u16 = 10;

const KEYS: &str = " q quit   Tab jobs or devices   j k ↑ ↓ PgUp PgDn Home End scroll";

/// Whether somebody wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Stay,
    Quit,
}

/// The panel that the keys scroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Panel {
    Jobs,
    Devices,
}

/// What stands on the terminal.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    look: Look,
    /// Why nothing newer is known.
    silence: Option<String>,
    scrolled: Panel,
    jobs: TableState,
    devices: TableState,
}

impl Screen {
    pub(super) fn new(look: Look) -> Self {
        Self {
            look,
            silence: None,
            scrolled: Panel::Devices,
            jobs: TableState::new(),
            devices: TableState::new(),
        }
    }

    /// Takes over what the masternode told, or why it told nothing.
    pub(super) fn take(&mut self, look: Result<Look, String>) {
        match look {
            Ok(look) => (self.look, self.silence) = (look, None),
            Err(why) => self.silence = Some(why),
        }
    }

    /// Does what a key asks for.
    pub(super) fn press(&mut self, key: KeyEvent) -> Next {
        if key.kind == KeyEventKind::Release {
            return Next::Stay;
        }
        let rows = match self.scrolled {
            Panel::Jobs => &mut self.jobs,
            Panel::Devices => &mut self.devices,
        };
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Next::Quit,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Next::Quit;
            }
            KeyCode::Char('j') | KeyCode::Down => rows.select_next(),
            // Where no row is marked yet there is none above it.
            KeyCode::Char('k') | KeyCode::Up => rows.scroll_up_by(1),
            KeyCode::PageDown => rows.scroll_down_by(PAGE_ROWS),
            KeyCode::PageUp => rows.scroll_up_by(PAGE_ROWS),
            KeyCode::Home => rows.select_first(),
            KeyCode::End => rows.select_last(),
            KeyCode::Tab | KeyCode::BackTab => {
                self.scrolled = match self.scrolled {
                    Panel::Jobs => Panel::Devices,
                    Panel::Devices => Panel::Jobs,
                };
            }
            _ => {}
        }
        Next::Stay
    }

    /// Draws it all. Where the terminal is too small for a panel, that one is cut.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let [head, jobs, devices, keys] = Layout::vertical([
            Constraint::Length(4),
            Constraint::Fill(2),
            Constraint::Fill(3),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        self.draw_head(frame, head);
        self.draw_jobs(frame, jobs);
        self.draw_devices(frame, devices);
        let keys_or_silence = match &self.silence {
            None => Line::from(KEYS).dim(),
            Some(why) => Line::from(format!(" this is how it was: {}", words::plain(why))).red(),
        };
        frame.render_widget(keys_or_silence, keys);
    }

    fn draw_head(&self, frame: &mut Frame<'_>, area: Rect) {
        let look = &self.look;
        let lines = vec![
            Line::from(format!(
                "chain {}   block {}   {}",
                words::short(&look.chain),
                look.grid.block,
                words::plain(&look.software)
            )),
            Line::from(in_sum(&look.grid)).bold(),
        ];
        let block = Block::bordered().title(format!(" {} ", words::plain(&look.masternode)));
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn draw_jobs(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.look.grid.jobs.iter().map(job_row);
        let widths = [
            Constraint::Length(15),
            Constraint::Length(8),
            Constraint::Length(16),
            Constraint::Length(11),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Fill(1),
        ];
        let head = [
            "job", "level", "", "decided", "settled", "running", "devices", "now",
        ];
        let table = Table::new(rows, widths)
            .header(Row::new(head).dim())
            .block(panel("jobs", self.scrolled == Panel::Jobs))
            .row_highlight_style(Style::new().reversed());
        frame.render_stateful_widget(table, area, &mut self.jobs);
    }

    fn draw_devices(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.look.devices.iter().map(device_row);
        let widths = [
            Constraint::Length(6),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Length(4),
            Constraint::Length(15),
            Constraint::Length(10),
            Constraint::Fill(1),
        ];
        let head = ["rank", "score", "faults", "hand", "device", "pool", "flags"];
        let table = Table::new(rows, widths)
            .header(Row::new(head).dim())
            .block(panel("devices", self.scrolled == Panel::Devices))
            .row_highlight_style(Style::new().reversed());
        frame.render_stateful_widget(table, area, &mut self.devices);
    }
}

/// The frame of a panel; that of the one that the keys scroll is marked.
fn panel(name: &'static str, is_scrolled: bool) -> Block<'static> {
    let block = Block::bordered();
    match is_scrolled {
        true => block.title(Line::from(format!(" {name} ◂ ")).bold()),
        false => block.title(format!(" {name} ")),
    }
}

fn job_row(job: &JobInGrid) -> Row<'static> {
    let [level, others @ ..] = job_cells(job);
    let bar = bar(job.status.decided, job.status.tasks);
    let row = Row::new(
        [words::short(&job.job), level, bar]
            .into_iter()
            .chain(others),
    );
    match job.status.waiting_for {
        Some(_) => row.yellow(),
        None => row,
    }
}

fn device_row(device: &DeviceState) -> Row<'static> {
    let flags: Vec<_> = device.flags.iter().map(|flag| words::plain(flag)).collect();
    let row = Row::new([
        match device.byte_rank {
            0 => words::UNKNOWN.into(),
            rank => rank.to_string(),
        },
        words::points(device.score),
        words::percent(device.fault_rate),
        words::in_hand(device),
        words::short(&device.device),
        words::pool(device),
        flags.join("; "),
    ]);
    match device.flags.is_empty() {
        true => row,
        false => row.yellow(),
    }
}

/// How far something is, drawn.
fn bar(done: u32, all: u32) -> String {
    let full = u64::from(done) * u64::from(BAR_LETTERS) / u64::from(all.max(1));
    let full = full.min(BAR_LETTERS.into()) as usize;
    let rest = BAR_LETTERS as usize - full;
    "█".repeat(full) + &"░".repeat(rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::tests::known_grid, *};
    use ratatui::{Terminal, backend::TestBackend};

    /// What stands on a terminal of this size.
    fn drawn(screen: &mut Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn press(screen: &mut Screen, code: KeyCode) -> Next {
        screen.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn a_hundred_columns_show_grid_jobs_devices_and_keys() {
        let text = drawn(&mut Screen::new(known_grid()), 100, 24);
        for words in [
            "ws://127.0.0.1:9955",
            "block 1234",
            "2 devices of 1 account connected, 1 ranked 7 s ago; 2 jobs",
            "0x010101010101…",
            "████████░░░░░░░░ 5/10",
            "3      1532.4  1.7 %   1/2  0xabababababab…",
            "its processor is too hot",
            "q quit",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }

    #[test]
    fn terminals_of_any_size_are_drawn_on() {
        let mut screen = Screen::new(known_grid());
        for (width, height) in [(1, 1), (3, 2), (10, 5), (40, 10), (300, 100)] {
            drawn(&mut screen, width, height);
        }
    }

    #[test]
    fn a_masternode_that_is_away_leaves_what_it_told_and_says_so() {
        let mut screen = Screen::new(known_grid());
        screen.take(Err("it is away\u{1b}[2J".into()));
        let text = drawn(&mut screen, 100, 24);
        assert!(text.contains("this is how it was: it is away"), "{text}");
        assert!(text.contains("block 1234") && !text.contains('\u{1b}'));
        let mut later = known_grid();
        later.grid.block = 1_235;
        screen.take(Ok(later));
        let text = drawn(&mut screen, 100, 24);
        assert!(
            text.contains("block 1235") && text.contains("q quit"),
            "{text}"
        );
    }

    #[test]
    fn keys_scroll_the_marked_panel_and_stop_at_its_ends() {
        let mut grid = known_grid();
        grid.devices = vec![grid.devices[0].clone(); 100];
        let mut screen = Screen::new(grid);
        for code in [KeyCode::End, KeyCode::Char('j'), KeyCode::Down] {
            assert_eq!(press(&mut screen, code), Next::Stay);
            drawn(&mut screen, 80, 24);
        }
        assert_eq!(screen.devices.selected(), Some(99));
        press(&mut screen, KeyCode::PageUp);
        assert_eq!(screen.devices.selected(), Some(89));
        press(&mut screen, KeyCode::Home);
        press(&mut screen, KeyCode::Char('k'));
        drawn(&mut screen, 80, 24);
        assert_eq!(screen.devices.selected(), Some(0));
        press(&mut screen, KeyCode::Tab);
        press(&mut screen, KeyCode::Down);
        assert_eq!(screen.jobs.selected(), Some(0));
        // A job that ends meanwhile does not leave its mark in the void.
        let mut later = known_grid();
        later.grid.jobs = vec![];
        screen.take(Ok(later));
        drawn(&mut screen, 80, 24);
        assert_eq!(screen.jobs.selected(), None);
    }

    #[test]
    fn q_escape_and_control_c_quit() {
        let mut screen = Screen::new(known_grid());
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert_eq!(press(&mut screen, code), Next::Quit);
        }
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(screen.press(control_c), Next::Quit);
        assert_eq!(press(&mut screen, KeyCode::Char('c')), Next::Stay);
    }

    #[test]
    fn a_bar_is_full_when_all_is_done_and_not_before() {
        assert_eq!(bar(0, 10), "░".repeat(16));
        assert_eq!(bar(10, 10), "█".repeat(16));
        assert_eq!(bar(99, 100).matches('█').count(), 15);
        assert_eq!(bar(7, 0).chars().count(), 16);
    }
}
