//! A program on a terminal of its own, as a person has it.

use anyhow::{Context as _, bail};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// How long anything on it may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Its size. One that nobody sets has none, and nothing is drawn on it.
const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// A terminal with a program on it.
pub struct Terminal {
    script: Child,
    keys: ChildStdin,
    output: ChildStdout,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts a program on a new terminal, by these words.
    pub(crate) fn start(words: &[String]) -> anyhow::Result<Self> {
        let quoted = words.iter().map(|word| quoted(word));
        let command = quoted.collect::<Vec<_>>().join(" ");
        let command = format!("stty rows {ROWS} cols {COLUMNS} && exec {command}");
        let mut script = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env_remove("QUERN_WORKER_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start `script`, by which programs have a terminal; Debian has it in bsdutils, others in util-linux")?;
        let keys = script.stdin.take().context("nobody can press a key")?;
        let output = script.stdout.take().context("nobody sees it")?;
        Ok(Self {
            script,
            keys,
            output,
            shown: Vec::new(),
        })
    }

    /// All that came so far, with what moves the cursor.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Takes in what comes next. False if nothing comes any more.
    async fn goes_on(&mut self) -> anyhow::Result<bool> {
        let reads = self.output.read_buf(&mut self.shown);
        let read = tokio::time::timeout(PATIENCE, reads).await;
        let Ok(read) = read else {
            bail!("nothing more is shown after {:?}", self.text());
        };
        // What it runs on is gone when it has ended.
        Ok(read.is_ok_and(|bytes| bytes > 0))
    }

    /// Waits until these words were shown, in one piece.
    pub async fn shows(&mut self, words: &str) -> anyhow::Result<()> {
        while !self.text().contains(words) {
            if !self.goes_on().await? {
                bail!("it ended, and `{words}` is not in {:?}", self.text());
            }
        }
        Ok(())
    }

    /// Presses keys.
    pub async fn press(&mut self, keys: &str) -> anyhow::Result<()> {
        self.keys.write_all(keys.as_bytes()).await?;
        Ok(self.keys.flush().await?)
    }

    /// Waits for its end. Returns its exit code, and all that was shown.
    pub async fn ends(mut self) -> anyhow::Result<(i32, String)> {
        while self.goes_on().await? {}
        let status = tokio::time::timeout(PATIENCE, self.script.wait()).await;
        let status = status.context("it shows nothing more and does not end")??;
        Ok((status.code().unwrap_or(-1), self.text()))
    }
}

/// A word as a shell takes it, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_has_a_terminal_of_a_size_and_reads_its_keys() {
        let script = "stty size; read line; echo \"<$line>\"; exit 3";
        let words = ["sh", "-c", script].map(str::to_owned);
        let mut terminal = Terminal::start(&words).unwrap();
        terminal.shows("40 120").await.unwrap();
        terminal.press("it's\n").await.unwrap();
        terminal.shows("<it's>").await.unwrap();
        let (code, shown) = terminal.ends().await.unwrap();
        assert_eq!(code, 3, "{shown}");
    }

    #[test]
    fn a_shell_takes_a_word_with_quotes_as_one() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
