//! What a task file says, for people and for programs.

use super::file;
use crate::{
    context::Context,
    output::{Output, fields, table},
    units::{Size, counted, grouped},
};
use quern_primitives::{Amount, Digest, GenesisHash, JobId, amount};
use quern_swarm_file::{
    Bounty, Check, Command, InputFile, Module, Other, TaskFile, ValidatedTaskFile, Wasm, Work,
    limits::PIECE_BYTES_RECOMMENDED, shown,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Files, peers and the like that people are shown; programs are told all of them.
const LISTED_MAX: usize = 12;

/// A task file, told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// Where it is.
    task: PathBuf,
    /// Its SHA-256.
    swarm: Digest,
    bytes: usize,
    name: String,
    work: ToldWork,
    pieces: u32,
    piece_bytes_max: u32,
    files: Vec<ToldFile>,
    inputs: Vec<ToldInput>,
    /// The command that compares two results; none if their bytes must be the same.
    check: Option<String>,
    bootstrap: Vec<String>,
    trackers: Vec<String>,
    bounty: Option<ToldBounty>,
    /// Keys that this program does not know, with where they are.
    unknown_keys: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ToldWork {
    Command {
        shell: String,
        seconds: u32,
        memory_bytes: u64,
        disk_bytes: u64,
    },
    Module {
        /// Where it is, if it is not in the task file.
        file: Option<ToldInput>,
        bytes: u64,
        arguments: Vec<String>,
        fuel: u64,
        memory_bytes: u64,
    },
}

#[derive(Debug, Serialize)]
struct ToldFile {
    path: String,
    parts: u32,
    first_piece: u32,
}

#[derive(Debug, Serialize)]
struct ToldInput {
    path: String,
    bytes: u64,
    sha256: Digest,
}

#[derive(Debug, Serialize)]
struct ToldBounty {
    genesis: GenesisHash,
    job: JobId,
    #[serde(with = "amount::as_string")]
    amount: Amount,
}

pub(super) fn run(context: &Context, path: &Path) -> anyhow::Result<()> {
    let task = file::read(path)?;
    context.show(&Told::new(&task, path))
}

impl Told {
    /// What a task file that is at some place says.
    pub(super) fn new(task: &ValidatedTaskFile, path: &Path) -> Self {
        let file = task.file();
        let output = |(index, output): (u32, &quern_swarm_file::OutputFile)| ToldFile {
            path: output.path.to_string(),
            parts: output.parts.get(),
            first_piece: task.layout().pieces_of(index).map_or(0, |it| it.start),
        };
        Self {
            task: path.to_owned(),
            swarm: task.digest(),
            bytes: task.bytes().len(),
            name: file.name.to_string(),
            work: ToldWork::new(&file.work),
            pieces: file.pieces.get(),
            piece_bytes_max: file.piece_bytes_max.get(),
            files: (0..).zip(&file.files).map(output).collect(),
            inputs: file.inputs.iter().map(ToldInput::new).collect(),
            check: match &file.check {
                Check::Exact => None,
                Check::By(command) => Some(command.to_string()),
            },
            bootstrap: file.bootstrap.iter().map(ToString::to_string).collect(),
            trackers: file.trackers.iter().map(ToString::to_string).collect(),
            bounty: file.bounty.as_ref().map(ToldBounty::new),
            unknown_keys: unknown_keys(file),
        }
    }

    fn summary(&self) -> String {
        let mut pairs = vec![
            ("task file", self.task.display().to_string()),
            ("swarm", self.swarm.to_string()),
            ("name", shown(&self.name)),
            ("work", self.work.summary()),
            ("limits", self.work.limits()),
            ("pieces", self.sizes()),
        ];
        let listed = |name, values: Vec<String>| {
            let more = values.len().saturating_sub(LISTED_MAX);
            let mut values: Vec<_> = values.into_iter().take(LISTED_MAX).collect();
            if more > 0 {
                values.push(format!("and {more} more; --json tells them all"));
            }
            // What stands below each other in the column of values.
            values
                .into_iter()
                .enumerate()
                .map(move |(at, value)| match at {
                    0 => (name, value),
                    _ => ("", value),
                })
        };
        let inputs = self.inputs.iter().map(ToldInput::summary).collect();
        pairs.extend(listed("inputs", inputs));
        pairs.extend(listed("begins at", self.bootstrap.clone()));
        pairs.extend(listed("trackers", self.trackers.clone()));
        if let Some(bounty) = &self.bounty {
            pairs.push(("bounty", bounty.summary()));
        }
        pairs.extend(listed("unknown keys", self.unknown_keys.clone()));
        fields(&pairs)
    }

    fn sizes(&self) -> String {
        let most = Size(self.piece_bytes_max.into());
        let pieces = grouped(self.pieces);
        let advice = match PIECE_BYTES_RECOMMENDED.contains(&self.piece_bytes_max) {
            true => "",
            false => "; 256 KiB to 4 MiB are recommended",
        };
        format!("{pieces} of at most {most} each{advice}")
    }

    fn outputs(&self) -> String {
        let row = |file: &ToldFile| {
            vec![
                shown(&file.path),
                grouped(file.parts),
                grouped(file.first_piece),
            ]
        };
        let rows: Vec<_> = self.files.iter().take(LISTED_MAX).map(row).collect();
        let table = table(&["file", ">parts", ">first piece"], &rows);
        match self.files.len().saturating_sub(LISTED_MAX) {
            0 => table,
            more => format!("{table}\nand {more} more; --json tells them all"),
        }
    }
}

impl ToldWork {
    fn new(work: &Work) -> Self {
        match work {
            Work::Command(Command { shell, limits, .. }) => Self::Command {
                shell: shell.to_string(),
                seconds: limits.seconds.get(),
                memory_bytes: limits.memory_bytes,
                disk_bytes: limits.disk_bytes,
            },
            Work::Module(Module {
                wasm,
                arguments,
                limits,
                ..
            }) => {
                let (file, bytes) = match wasm {
                    Wasm::Inside(wasm) => (None, wasm.len() as u64),
                    Wasm::Beside(file) => (Some(ToldInput::new(file)), file.bytes),
                };
                Self::Module {
                    file,
                    bytes,
                    arguments: arguments.iter().map(ToString::to_string).collect(),
                    fuel: limits.fuel,
                    memory_bytes: limits.memory_bytes,
                }
            }
        }
    }

    fn summary(&self) -> String {
        match self {
            Self::Command { .. } => "a command, which stands below".into(),
            Self::Module {
                file: Some(file), ..
            } => format!("the WebAssembly module {}", file.summary()),
            Self::Module {
                file: None, bytes, ..
            } => format!("a WebAssembly module in the file, {}", Size(*bytes)),
        }
    }

    fn limits(&self) -> String {
        match self {
            Self::Command {
                seconds,
                memory_bytes,
                disk_bytes,
                ..
            } => format!(
                "{} for a piece, {} of memory, {} put aside",
                counted(*seconds, "second"),
                Size(*memory_bytes),
                Size(*disk_bytes)
            ),
            Self::Module {
                fuel, memory_bytes, ..
            } => format!(
                "{} fuel for a piece, {} of memory",
                grouped(*fuel),
                Size(*memory_bytes)
            ),
        }
    }
}

impl ToldInput {
    fn new(file: &InputFile) -> Self {
        Self {
            path: file.path.to_string(),
            bytes: file.bytes,
            sha256: file.sha256,
        }
    }

    fn summary(&self) -> String {
        let path = shown(&self.path);
        format!("{path}, {}, SHA-256 {}", Size(self.bytes), self.sha256)
    }
}

impl ToldBounty {
    fn new(bounty: &Bounty) -> Self {
        Self {
            genesis: bounty.genesis,
            job: bounty.job,
            amount: bounty.amount,
        }
    }

    fn summary(&self) -> String {
        let amount = amount::display(self.amount);
        format!("{amount} by job {} of the chain {}", self.job, self.genesis)
    }
}

/// The keys that this program does not know, as a way from the file's own dictionary.
fn unknown_keys(file: &TaskFile) -> Vec<String> {
    let mut keys = Vec::new();
    let mut add = |place: &str, other: &Other| {
        let named = other.iter().map(|(key, _)| key.escape_ascii());
        keys.extend(named.map(|key| format!("{place}{key}")));
    };
    add("", &file.other);
    match &file.work {
        Work::Command(command) => add("command.", &command.other),
        Work::Module(module) => {
            add("module.", &module.other);
            if let Wasm::Beside(beside) = &module.wasm {
                add("module.file.", &beside.other);
            }
        }
    }
    for (at, output) in file.files.iter().enumerate() {
        add(&format!("files[{at}]."), &output.other);
    }
    for (at, input) in file.inputs.iter().enumerate() {
        add(&format!("inputs[{at}]."), &input.other);
    }
    if let Some(bounty) = &file.bounty {
        add("bounty.", &bounty.other);
    }
    keys
}

/// A stranger's command, each line of it set in, so that none looks like one of ours.
fn set_in(command: &str) -> String {
    let lines: Vec<_> = shown(command)
        .split('\n')
        .map(|line| format!("    {line}"))
        .collect();
    lines.join("\n")
}

impl Output for Told {
    fn people(&self) -> String {
        let mut parts = vec![self.summary(), self.outputs()];
        match &self.work {
            ToldWork::Command { shell, .. } => {
                parts.push(format!("For each piece runs:\n{}", set_in(shell)));
            }
            ToldWork::Module { arguments, .. } if !arguments.is_empty() => {
                let arguments = set_in(&arguments.join("\n"));
                parts.push(format!("The module's arguments:\n{arguments}"));
            }
            ToldWork::Module { .. } => {}
        }
        if let Some(check) = &self.check {
            let check = set_in(check);
            parts.push(format!("Two results of a piece are compared by:\n{check}"));
        }
        parts.join("\n\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A file with a command that would hide what it does, and with a key of a later program.
    const TRICKY: &str = "d5:check13:cmp \"$1\" \"$2\"7:commandd4:diski0e6:memoryi67108864e\
        7:secondsi60e5:shell17:rm -rf ~\r\u{1b}[2K\nls\ne5:filesld5:partsi2e4:pathl1:a1:beed\
        4:mode0:5:partsi3e4:pathl1:ceee4:name5:table11:piece-bytesi65536e6:piecesi5e7:versioni1ee";

    fn told(text: &str) -> Told {
        let task = ValidatedTaskFile::decode(text.as_bytes()).unwrap();
        Told::new(&task, Path::new("table.swarm"))
    }

    #[test]
    fn people_see_each_character_of_a_command() {
        let text = told(TRICKY).people();
        let command = "For each piece runs:\n    rm -rf ~\\u{d}\\u{1b}[2K\n    ls\n    \n";
        assert!(text.contains(command), "{text}");
        assert!(!text.contains(['\r', '\u{1b}']), "{text}");
        assert!(
            text.contains("compared by:\n    cmp \"$1\" \"$2\""),
            "{text}"
        );
        assert!(
            text.contains("60 seconds for a piece, 64 MiB of memory, 0 bytes put aside"),
            "{text}"
        );
        assert!(text.contains("5 of at most 64 KiB each; 256 KiB"), "{text}");
        assert!(text.contains("unknown keys  files[1].mode"), "{text}");
        assert!(
            text.contains("file  parts  first piece\na/b       2            0"),
            "{text}"
        );
    }

    #[test]
    fn programs_are_told_the_command_as_it_is() {
        let value = serde_json::to_value(told(TRICKY)).unwrap();
        assert_eq!(value["work"]["kind"], "command");
        assert_eq!(value["work"]["shell"], "rm -rf ~\r\u{1b}[2K\nls\n");
        assert_eq!(value["files"][1]["first_piece"], 2);
        assert_eq!(value["unknown_keys"][0], "files[1].mode");
        assert_eq!(value["bounty"], serde_json::Value::Null);
    }
}
