//! The guides' shell blocks, run as they stand.
//!
//! Every block of a guide that begins with ` ```sh ` is run, in order, in one shell, so that what a
//! block exports is there in the next. A block that a test cannot run says so and why, behind the
//! language: ` ```sh no-run: it runs until it is stopped `. One that takes a program which not every
//! machine has names it, ` ```sh needs: curl `, and is left out aloud where the program is missing.
//! Readers of the page see neither.

use anyhow::{Context as _, bail, ensure};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use quern_local_grid::{RecordError, find_program, stop_recorded};
use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// How long all blocks of one guide may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a fence says when its block is not run.
const NO_RUN: &str = "no-run:";

/// What a fence says when its block is run only where a program is installed.
const NEEDS: &str = "needs:";

/// Things of the repository that a guide must not see: builds are linked one by one.
const HIDDEN: [&str; 2] = [".git", "target"];

/// A guide and the folder that it is followed in.
pub struct Guide {
    name: String,
    blocks: Vec<Block>,
    folder: TempDir,
}

/// A block that is run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    /// The line of its fence, counted from 1.
    line: usize,
    /// A program without which it is left out.
    needs: Option<String>,
    commands: String,
}

impl Guide {
    /// Reads a guide of the repository, and makes a folder that looks like a clone in which
    /// everything is built.
    pub fn read(name: &str) -> anyhow::Result<Self> {
        let repository = crate::repository();
        let text = fs::read_to_string(repository.join(name))?;
        let mut folder = tempfile::Builder::new().prefix("quern-guide-").tempdir()?;
        folder.disable_cleanup(true);
        let clone = folder.path().join("quern");
        fs::create_dir_all(clone.join("target"))?;
        fs::create_dir_all(folder.path().join("home"))?;
        for entry in fs::read_dir(&repository)? {
            let entry = entry?;
            if !HIDDEN.iter().any(|hidden| entry.file_name() == *hidden) {
                symlink(entry.path(), clone.join(entry.file_name()))?;
            }
        }
        // Those to install are not built for tests; the others stand in for them.
        for profile in ["debug", "release"] {
            symlink(programs()?, clone.join("target").join(profile))?;
        }
        symlink(
            std::path::absolute(crate::programs_folder())?,
            clone.join("target/programs"),
        )?;
        Ok(Self {
            name: name.to_owned(),
            blocks: blocks(&text).with_context(|| name.to_owned())?,
            folder,
        })
    }

    /// Whether a page of the repository has blocks to run. Fails if one is neither run nor says why.
    pub fn has_blocks(name: &str) -> anyhow::Result<bool> {
        let text = fs::read_to_string(crate::repository().join(name))?;
        Ok(!blocks(&text).with_context(|| name.to_owned())?.is_empty())
    }

    /// Runs the blocks. Fails with the first block that fails, and what it wrote.
    pub async fn follow(mut self) -> anyhow::Result<()> {
        ensure!(!self.blocks.is_empty(), "{} has no block to run", self.name);
        let outcome = self.run().await;
        let grid = self.folder.path().join("home/.config/quern/dev");
        match stop_recorded(&grid).await {
            Err(RecordError::None { .. }) => {}
            Ok(ended) if outcome.is_ok() => {
                bail!(
                    "{} leaves {ended} processes running; end them in it",
                    self.name
                )
            }
            stopped => drop(stopped?),
        }
        self.folder.disable_cleanup(outcome.is_err());
        outcome
    }

    async fn run(&self) -> anyhow::Result<()> {
        let folder = self.folder.path();
        fs::write(folder.join("script"), self.script())?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .args(["-e", "../script"])
            .current_dir(folder.join("quern"))
            .env("HOME", folder.join("home"))
            .env("PATH", format!("{}:{path}", programs()?.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        for (name, _) in std::env::vars() {
            if name.starts_with("QUERN_") || name.starts_with("XDG_") {
                shell.env_remove(name);
            }
        }
        let mut running = shell.spawn().context("the shell does not start")?;
        let group = running.id();
        let ended = tokio::time::timeout(PATIENCE, running.wait()).await;
        let success = matches!(&ended, Ok(Ok(status)) if status.success());
        if success {
            return Ok(());
        }
        end_group(group);
        let at = fs::read_to_string(folder.join("at")).unwrap_or_default();
        let number = at.trim().parse().unwrap_or(0);
        let block = self
            .blocks
            .get(number)
            .context("the shell does not start")?;
        let wrote = fs::read(folder.join(format!("{number}.log"))).unwrap_or_default();
        let how = match ended {
            Err(_) => format!("was still running after {} s", PATIENCE.as_secs()),
            Ok(status) => format!("failed ({})", status?),
        };
        bail!(
            "the block at line {} of {} {how}:\n{}\nIt wrote:\n{}\n(in {})",
            block.line,
            self.name,
            block.commands,
            String::from_utf8_lossy(&wrote),
            folder.display()
        )
    }

    /// One script of all blocks, each with its output in a file of its own.
    fn script(&self) -> String {
        let mut script = String::new();
        for (number, block) in self.blocks.iter().enumerate() {
            let needs = block.needs.as_deref();
            if let Some(missing) = needs.filter(|program| !is_installed(program)) {
                let (line, page) = (block.line, &self.name);
                crate::say(&format!(
                    "SKIPPED: line {line} of {page}, because there is no {missing} here"
                ));
                continue;
            }
            // Writing to a text does not fail.
            let _ = write!(
                script,
                "echo {number} > ../at\n{{\n{}}} > ../{number}.log 2>&1\n",
                block.commands
            );
        }
        script
    }
}

/// Ends a shell whose block failed or took too long, and what the blocks left in its background. The
/// parts of a grid are in groups of their own.
fn end_group(shell: Option<u32>) {
    if let Some(shell) = shell.and_then(|id| i32::try_from(id).ok()) {
        // An error says that nothing of it runs.
        let _ = killpg(Pid::from_raw(shell), Signal::SIGKILL);
    }
}

/// Whether there is a program of this name to be started.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The folder of Quern's programs.
fn programs() -> anyhow::Result<PathBuf> {
    let quern = find_program(None, "quern")?;
    Ok(quern.parent().unwrap_or(Path::new("/")).to_owned())
}

/// The blocks of a page that are run.
fn blocks(text: &str) -> anyhow::Result<Vec<Block>> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, fence)) = lines.next() {
        let Some(language) = fence.strip_prefix("```") else {
            continue;
        };
        let mut commands = String::new();
        for (_, command) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            commands.push_str(command);
            commands.push('\n');
        }
        match language.strip_prefix("sh").map(str::trim) {
            Some("") => found.push(Block {
                line,
                needs: None,
                commands,
            }),
            Some(said) => {
                let behind = |word: &str| said.strip_prefix(word).map_or("", str::trim);
                let (reason, program) = (behind(NO_RUN), behind(NEEDS));
                ensure!(
                    !(reason.is_empty() && program.is_empty()),
                    "line {line}: a block is `sh`, `sh {NEEDS} PROGRAM` or `sh {NO_RUN} REASON`, \
                     not `{language}`"
                );
                if !program.is_empty() {
                    found.push(Block {
                        line,
                        needs: Some(program.to_owned()),
                        commands,
                    });
                }
            }
            None => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_shell_blocks_are_run_and_exceptions_give_a_reason() {
        let page = "# Title\n```sh\none\ntwo\n```\ntext\n```toml\nkey = 1\n```\n\
                    ```sh no-run: it never ends\nthree\n```\n```sh\nfour\n```\n\
                    ```sh needs: curl\nfive\n```\n";
        let block = |line, needs: Option<&str>, commands: &str| Block {
            line,
            needs: needs.map(str::to_owned),
            commands: commands.to_owned(),
        };
        assert_eq!(
            blocks(page).unwrap(),
            [
                block(2, None, "one\ntwo\n"),
                block(13, None, "four\n"),
                block(16, Some("curl"), "five\n")
            ]
        );
        let unreasoned = blocks("```sh no-run:\n```\n").unwrap_err().to_string();
        assert!(unreasoned.contains("line 1"), "{unreasoned}");
        assert!(blocks("```sh needs:\n```\n").is_err());
        assert!(blocks("```sh ignore\n```\n").is_err());
    }

    #[test]
    fn a_program_is_installed_if_it_stands_in_a_folder_of_the_path() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-program-of-this-name"));
        assert!(!is_installed(""));
    }
}
