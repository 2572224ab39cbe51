//! What commands answer, for people and for programs, and what they show while they work.

use crate::UsageError;
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use quern_ledger::{Account, Call, Chain, Settled, SubmitError};
use ratatui::crossterm;
use serde::Serialize;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a command may say nothing while it waits.
const SILENCE: Duration = Duration::from_secs(1);

/// What a command answers.
pub(crate) trait Output: Serialize {
    /// For people: lines, without a line feed behind the last.
    fn people(&self) -> String;
}

/// Which of the two renderings is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// Text for people.
    People,
    /// One JSON document.
    Json,
}

impl Rendering {
    /// Writes an answer to standard output.
    pub(crate) fn show(self, output: &impl Output) -> anyhow::Result<()> {
        let text = match self {
            Self::People => output.people(),
            Self::Json => serde_json::to_string_pretty(output)?,
        };
        Ok(print(&text)?)
    }

    /// Writes one of several answers to standard output: in JSON, one line each.
    pub(crate) fn show_line(self, output: &impl Output) -> anyhow::Result<()> {
        let text = match self {
            Self::People => output.people(),
            Self::Json => serde_json::to_string(output)?,
        };
        Ok(print(&text)?)
    }
}

/// Writes a text and a line feed to standard output. That nobody reads any more is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a text and a line feed to standard error, where it disturbs no result.
pub(crate) fn tell(text: &str) {
    // There is nobody to tell that standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A file that has its name only when it is whole. Under another name it disturbs nobody but looks like
/// one, so what does not become whole is removed.
pub(crate) struct OutputFile {
    path: PathBuf,
    part: PathBuf,
}

impl OutputFile {
    pub(crate) fn create(path: &Path) -> anyhow::Result<(Self, BufWriter<File>)> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let file = Self {
            path: path.to_owned(),
            part: part.into(),
        };
        let writer = File::create(&file.part).with_context(|| file.cannot())?;
        Ok((file, BufWriter::new(writer)))
    }

    /// It is whole. Returns where it is.
    pub(crate) fn keep(&self, writer: BufWriter<File>) -> anyhow::Result<PathBuf> {
        writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&self.part, &self.path).with_context(|| self.cannot())?;
        Ok(self.path.clone())
    }

    fn cannot(&self) -> String {
        format!("cannot write {}", self.path.display())
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        // One that is whole has another name by now.
        let _ = fs::remove_file(&self.part);
    }
}

/// Lines of names and values, the values in one column.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect();
    lines.join("\n")
}

/// What begins the name of a column of numbers.
const NUMBERS: char = '>';

/// Rows under a head, each column as wide as its widest cell. A column whose name begins with `>` is one
/// of numbers: it stands right, so that their digits are below each other.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let names: Vec<_> = head
        .iter()
        .map(|name| name.trim_start_matches(NUMBERS))
        .collect();
    let width = |(column, name): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| cell.chars().count());
        widths.fold(name.chars().count(), usize::max)
    };
    let widths: Vec<_> = names.iter().enumerate().map(width).collect();
    let line = |cells: &[&str]| {
        let mut line = String::new();
        for ((cell, width), name) in cells.iter().zip(&widths).zip(head) {
            // Writing to a text does not fail.
            let _ = match name.starts_with(NUMBERS) {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:width$}  "),
            };
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(&names)];
    lines.extend(
        rows.iter()
            .map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>())),
    );
    lines.join("\n")
}

/// The columns of the terminal that standard output is; none where it is no terminal, which takes lines of
/// any length.
pub(crate) fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (columns, _) = crossterm::terminal::size().ok()?;
    // One that does not know its own width says zero.
    Some(columns.into()).filter(|columns| *columns > 0)
}

/// A bar for bytes, drawn to standard error if that is a terminal.
pub(crate) fn byte_bar(what: &'static str) -> ProgressBar {
    bar("{msg} {wide_bar} {bytes}/{total_bytes} {eta}").with_message(what)
}

/// A bar for counted things, drawn to standard error if that is a terminal.
pub(crate) fn count_bar(what: &'static str) -> ProgressBar {
    bar("{prefix} {pos}/{len} {wide_bar} {msg} {elapsed}").with_prefix(what)
}

/// Something turning, for what has no measure.
pub(crate) fn spinner(what: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// Whether somebody can be asked, who has not said yes already. What takes long before it asks is not
/// begun otherwise.
pub(crate) fn can_confirm(yes: bool) -> Result<(), UsageError> {
    confirmed_by(yes, io::stdin().is_terminal())
}

fn confirmed_by(yes: bool, is_terminal: bool) -> Result<(), UsageError> {
    match yes || is_terminal {
        true => Ok(()),
        false => Err(UsageError::Unconfirmed),
    }
}

/// Asks a question on the terminal, before something is paid; fails with the refusal if the answer is no.
pub(crate) fn confirm(question: &str, refusal: &'static str) -> anyhow::Result<()> {
    can_confirm(false)?;
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => anyhow::bail!(refusal),
    }
}

/// Submits a call and waits until it is settled, with a spinner that says what is being done.
pub(crate) async fn submit(
    chain: &Chain,
    account: &Account,
    call: &Call,
    what: &'static str,
) -> Result<Settled, SubmitError> {
    let bar = spinner(what);
    let settled = chain.submit(account, call).await;
    bar.finish_and_clear();
    settled
}

tokio::task_local! {
    /// Set within what is waited for with a spinner.
    static WAITED_FOR: ();
}

/// Waits for something; with a spinner once that takes longer than people expect. What is waited for
/// so within that has no spinner of its own: two would be drawn over each other.
pub(crate) async fn patiently<T>(what: &'static str, wait: impl Future<Output = T>) -> T {
    if is_waited_for() {
        return wait.await;
    }
    let mut wait = std::pin::pin!(WAITED_FOR.scope((), wait));
    if let Ok(done) = tokio::time::timeout(SILENCE, &mut wait).await {
        return done;
    }
    let bar = spinner(what);
    let done = wait.await;
    bar.finish_and_clear();
    done
}

fn is_waited_for() -> bool {
    WAITED_FOR.try_with(|_| ()).is_ok()
}

fn bar(template: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_spinner_turns_for_all_that_is_waited_for_within_a_wait() {
        let within = patiently("outside", async {
            let nested = patiently("inside", async { is_waited_for() }).await;
            (is_waited_for(), nested)
        });
        assert_eq!((within.await, is_waited_for()), ((true, true), false));
    }

    #[test]
    fn without_a_terminal_only_yes_confirms_and_the_error_names_it() {
        assert!(confirmed_by(false, true).is_ok() && confirmed_by(true, false).is_ok());
        let refused = confirmed_by(false, false).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("--yes")));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned()],
            vec!["long".to_owned(), "22".to_owned()],
        ];
        assert_eq!(table(&["name", "n"], &rows), "name  n\na     1\nlong  22");
        let right = table(&[">name", ">n"], &rows);
        assert_eq!(right, "name   n\n   a   1\nlong  22");
        assert_eq!(
            fields(&[("one", "1".to_owned()), ("three", "3".to_owned())]),
            "one    1\nthree  3"
        );
    }
}
