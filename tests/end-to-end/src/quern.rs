//! The real `quern`, run as a person or a script runs it.

use crate::{Bench, Terminal};
use anyhow::{Context as _, ensure};
use quern_local_grid::find_program;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tokio::process::Command;

/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Time between two looks at a job: about a block.
const PAUSE: Duration = Duration::from_secs(2);

/// `quern` with a node, an account and a home folder.
pub struct Quern {
    program: PathBuf,
    node_url: String,
    account: String,
    home: PathBuf,
}

/// What came of a command.
pub struct Ran {
    /// The command, for messages.
    command: String,
    /// Its exit code.
    pub code: i32,
    /// The JSON document on its standard output.
    pub answer: Value,
    /// Its standard error.
    said: String,
}

impl Quern {
    /// `quern` for an account of a grid, with a home folder of its own.
    pub fn new(bench: &Bench, account: &str) -> anyhow::Result<Self> {
        Self::at(bench.grid.node_url(), bench.folder(), account)
    }

    /// With this node, and a home in a folder.
    pub fn at(node_url: &str, folder: &Path, account: &str) -> anyhow::Result<Self> {
        Ok(Self {
            program: find_program(None, "quern")?,
            node_url: node_url.to_owned(),
            account: account.to_owned(),
            home: folder.join(format!("home-{}", account.replace('/', "_"))),
        })
    }

    /// Where it keeps keys and jobs.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Runs a command with `--json` and waits for its end.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let (command, output) = self.output(arguments).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            answer: serde_json::from_slice(&output.stdout).with_context(|| {
                format!("`{command}` answers no JSON; on standard error stands:\n{said}")
            })?,
            command,
            said,
        })
    }

    /// Runs a command that answers with several JSON documents, one behind the other, and waits for
    /// its end. Returns its exit code and the documents.
    pub async fn tells(&self, arguments: &[&str]) -> anyhow::Result<(i32, Vec<Value>)> {
        let (command, output) = self.output(arguments).await?;
        let told: Result<Vec<Value>, serde_json::Error> =
            serde_json::Deserializer::from_slice(&output.stdout)
                .into_iter()
                .collect();
        let told = told.with_context(|| format!("`{command}` answers no JSON"))?;
        Ok((output.status.code().unwrap_or(-1), told))
    }

    /// Runs a command with `--json`. Returns it as a person would type it, and what came of it.
    async fn output(&self, arguments: &[&str]) -> anyhow::Result<(String, Output)> {
        let mut command = Command::new(&self.program);
        command
            .args([
                "--json",
                "--node",
                &self.node_url,
                "--account",
                &self.account,
            ])
            .arg("--home")
            .arg(&self.home)
            .args(arguments)
            .env_remove("QUERN_WORKER_CONFIG")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let spoken = format!("quern {}", arguments.join(" "));
        let output = tokio::time::timeout(PATIENCE, command.output())
            .await
            .with_context(|| format!("`{spoken}` does not end"))?
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok((spoken, output))
    }

    /// Starts a command on a terminal, as a person has it.
    pub fn on_terminal(&self, arguments: &[&str]) -> anyhow::Result<Terminal> {
        let (program, home) = (self.program.display(), self.home.display());
        let mut words = vec![program.to_string()];
        words.extend(["--node", &self.node_url, "--account", &self.account].map(str::to_owned));
        words.extend(["--home".to_owned(), home.to_string()]);
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        Terminal::start(&words)
    }

    /// Runs a command that must succeed. Returns its answer.
    pub async fn does(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let ran = self.run(arguments).await?;
        ensure!(ran.code == 0, "`{}` failed:\n{}", ran.command, ran.said);
        Ok(ran.answer)
    }

    /// Waits until a job is over, which it is when the last of its batches is final. Returns what `job
    /// show` tells then.
    pub async fn over(&self, job: &str) -> anyhow::Result<Value> {
        loop {
            let shown = self.does(&["job", "show", job]).await?;
            let state = shown["state"]["state"].as_str();
            let is_open = matches!(
                state,
                Some("submitted" | "running" | "cancelling" | "settling")
            );
            if !is_open {
                return Ok(shown);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs a command that must be refused with this exit code and with an error that has all these
    /// words in it.
    pub async fn refuses(
        &self,
        code: i32,
        words: &[&str],
        arguments: &[&str],
    ) -> anyhow::Result<()> {
        let ran = self.run(arguments).await?;
        let text = ran.error();
        ensure!(
            ran.code == code,
            "`{}` ended with {}, not with {code}: {text}",
            ran.command,
            ran.code
        );
        for word in words {
            ensure!(
                text.contains(word),
                "`{}` does not say `{word}`: {text}",
                ran.command
            );
        }
        Ok(())
    }
}

impl Ran {
    /// The error and its causes, or nothing.
    pub fn error(&self) -> String {
        let causes = self.answer["causes"].as_array().into_iter().flatten();
        let parts: Vec<_> = std::iter::once(&self.answer["error"])
            .chain(causes)
            .filter_map(Value::as_str)
            .collect();
        parts.join(" because: ")
    }
}

/// Fails unless an answer has these fields with these values. It may have others.
pub fn says(answer: &Value, wanted: &Value) -> anyhow::Result<()> {
    for (field, value) in wanted.as_object().into_iter().flatten() {
        ensure!(
            answer[field] == *value,
            "`{field}` is {}, not {value}, in {answer}",
            answer[field]
        );
    }
    Ok(())
}
