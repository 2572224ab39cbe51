//! Writing a task file.

use super::{
    file::{SwarmFileError, beside, read_at_most},
    show::Told,
};
use crate::{
    context::Context,
    output::{OutputFile as FileToWrite, patiently},
    units::{Size, Span},
};
use clap::Args;
use quern_primitives::limits::TASK_FUEL_MAX;
use quern_sandbox::{ProgramError, inspect};
use quern_swarm_file::{
    Check, Command, CommandLimits, InputFile, Line, Module, ModuleLimits, Other, OutputFile,
    PeerAddress, RelativePath, TaskFile, TaskFileError, Text, TrackerUrl, ValidatedTaskFile, Wasm,
    Work,
    file::Argument,
    limits::{COMMAND_BYTES_MAX, MODULE_BYTES_MAX, NAME_BYTES_MAX},
};
use std::{
    io::Write as _,
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
};

/// What a command or module may take unless it is said: memory, and what a command may put aside.
const MEMORY_DEFAULT: Size = Size(1 << 30);

/// How long a command may take for a piece unless it is said.
const TIME_DEFAULT: Span = Span { seconds: 600 };

/// The fuel of a module unless it is said: the thousandth part of the most, as of jobs.
const FUEL_DEFAULT: u64 = TASK_FUEL_MAX / 1_000;

/// The file that all pieces make if no other is named.
const OUTPUT_DEFAULT: &str = "output";

#[derive(Args, Clone, Debug)]
pub(crate) struct CreateArgs {
    /// Where the task file goes
    #[arg(value_name = "TASK")]
    task: PathBuf,
    /// What people call the swarm [default: the task file's name without its ending]
    #[arg(long)]
    name: Option<Line<NAME_BYTES_MAX>>,
    /// How many pieces there are
    #[arg(long, value_name = "N")]
    pieces: NonZeroU32,
    /// How long a piece may be; 256KiB to 4MiB are recommended
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    piece_size: Size,
    #[command(flatten)]
    work: WorkArgs,
    /// A file that the pieces make, and of how many; several are made of the pieces in order
    /// [default: one of all pieces, `output`]
    #[arg(long = "file", value_name = "PATH=PIECES")]
    files: Vec<FileArg>,
    /// A file that each piece may read, from the task file's folder on; may be given several times
    #[arg(long = "input", value_name = "PATH")]
    inputs: Vec<RelativePath>,
    /// The address of a peer to begin with, which ends with /p2p/ and its name; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    bootstrap: Vec<PeerAddress>,
    /// The URL of a tracker; may be given several times
    #[arg(long = "tracker", value_name = "URL")]
    trackers: Vec<TrackerUrl>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// What computes a piece, and what it may take.
#[derive(Args, Clone, Debug)]
struct WorkArgs {
    /// The command of the shell that writes a piece to its standard output; QUERN_PIECE, QUERN_FILE,
    /// QUERN_PART and QUERN_PIECES tell it which
    #[arg(long, required_unless_present = "module", conflicts_with = "module")]
    command: Option<Text<COMMAND_BYTES_MAX>>,
    /// The WebAssembly module that writes a piece
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// An argument of the module; may be given several times
    #[arg(
        long = "arg",
        value_name = "TEXT",
        conflicts_with = "command",
        allow_hyphen_values = true
    )]
    arguments: Vec<Argument>,
    /// The command that says by its exit code whether two results of a piece are the same; they are the
    /// files $1 and $2 [default: their bytes must be]
    #[arg(long, value_name = "COMMAND", conflicts_with = "module")]
    check: Option<Text<COMMAND_BYTES_MAX>>,
    /// How long the command may take for a piece [default: 10m]
    #[arg(long, value_name = "SPAN", conflicts_with = "module")]
    time: Option<Span>,
    /// Memory for a piece [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// What the command may put aside on the disk [default: 1GiB]
    #[arg(long, value_name = "SIZE", conflicts_with = "module")]
    disk: Option<Size>,
    /// Fuel of the module for a piece [default: 10000000000]
    #[arg(long, value_name = "N", conflicts_with = "command")]
    fuel: Option<u64>,
}

/// A file that pieces make, written as `tables/first.txt=64`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileArg {
    path: RelativePath,
    parts: NonZeroU32,
}

/// A text is no file that pieces make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum ParseFileError {
    /// It does not say of how many.
    #[error("it does not say of how many pieces the file is made; write it as PATH=PIECES")]
    Pieces,
    /// It names no file.
    #[error("{0}")]
    Path(#[from] quern_swarm_file::path::PathFault),
}

impl FromStr for FileArg {
    type Err = ParseFileError;

    fn from_str(text: &str) -> Result<Self, ParseFileError> {
        let (path, parts) = text.rsplit_once('=').ok_or(ParseFileError::Pieces)?;
        Ok(Self {
            path: path.parse()?,
            parts: parts.parse().map_err(|_| ParseFileError::Pieces)?,
        })
    }
}

/// Why no task file is written.
#[derive(Debug, thiserror::Error)]
enum CreateError {
    /// There is one.
    #[error("{} is there already; name another file, or say --force", path.display())]
    There {
        /// The file.
        path: PathBuf,
    },
    /// The task file's own name is no name of a swarm.
    #[error("{} makes no name for people; say one with --name", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] SwarmFileError),
    /// The module is none that the sandbox runs.
    #[error("{} is no program that peers can run", path.display())]
    Program {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ProgramError,
    },
    /// The module is too long to be in the file, and does not lie where it could be found.
    #[error(
        "{} is too long to be put into the task file; put it into the task file's folder, {}, to be handed on beside it",
        path.display(),
        folder.display()
    )]
    Elsewhere {
        /// The module.
        path: PathBuf,
        /// The folder of the task file.
        folder: PathBuf,
    },
    /// It would be no task file.
    #[error("these options make no task file")]
    NoTask(#[source] TaskFileError),
}

pub(super) async fn run(context: &Context, args: &CreateArgs) -> anyhow::Result<()> {
    if args.task.exists() && !args.force {
        let path = args.task.clone();
        return Err(CreateError::There { path }.into());
    }
    let asked = args.clone();
    let made = tokio::task::spawn_blocking(move || task(&asked));
    let task = patiently("reading the files", made).await??;
    let (file, mut writer) = FileToWrite::create(&args.task)?;
    writer.write_all(task.bytes())?;
    let path = file.keep(writer)?;
    context.show(&Told::new(&task, &path))
}

/// The task file that is asked for.
fn task(args: &CreateArgs) -> Result<ValidatedTaskFile, CreateError> {
    let folder = args.task.parent().unwrap_or_else(|| Path::new(""));
    let inputs = args.inputs.iter().map(|path| beside(folder, path.clone()));
    let mut file = TaskFile {
        name: name(args)?,
        work: work(&args.work)?,
        pieces: args.pieces,
        piece_bytes_max: piece_bytes_max(args.piece_size),
        files: files(args),
        inputs: inputs.collect::<Result<Vec<InputFile>, _>>()?,
        check: args.work.check.clone().map_or(Check::Exact, Check::By),
        bootstrap: args.bootstrap.clone(),
        trackers: args.trackers.clone(),
        bounty: None,
        other: Other::default(),
    };
    let made = match (file.validate(), &args.work.module) {
        (Err(TaskFileError::Long { .. }), Some(path)) => {
            lay_beside(&mut file.work, folder, path)?;
            file.validate()
        }
        (made, _) => made,
    };
    made.map_err(CreateError::NoTask)
}

fn name(args: &CreateArgs) -> Result<Line<NAME_BYTES_MAX>, CreateError> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let stem = args.task.file_stem().and_then(|stem| stem.to_str());
    let name = stem.and_then(|stem| stem.parse().ok());
    name.ok_or_else(|| CreateError::Name {
        path: args.task.clone(),
    })
}

/// The number that is asked for, or one that is refused as it would be.
fn piece_bytes_max(size: Size) -> NonZeroU32 {
    let bytes = u32::try_from(size.0).unwrap_or(u32::MAX);
    NonZeroU32::new(bytes).unwrap_or(NonZeroU32::MAX)
}

fn files(args: &CreateArgs) -> Vec<OutputFile> {
    let file = |path: &RelativePath, parts| OutputFile {
        path: path.clone(),
        parts,
        other: Other::default(),
    };
    let named = args.files.iter().map(|it| file(&it.path, it.parts));
    let whole = OUTPUT_DEFAULT.parse().map(|path| file(&path, args.pieces));
    match args.files.is_empty() {
        true => whole.into_iter().collect(),
        false => named.collect(),
    }
}

fn work(args: &WorkArgs) -> Result<Work, CreateError> {
    let memory_bytes = args.memory.unwrap_or(MEMORY_DEFAULT).0;
    if let Some(path) = &args.module {
        return Ok(Work::Module(Module {
            wasm: Wasm::Inside(read_module(path)?),
            arguments: args.arguments.clone(),
            limits: ModuleLimits {
                fuel: args.fuel.unwrap_or(FUEL_DEFAULT),
                memory_bytes,
            },
            other: Other::default(),
        }));
    }
    let seconds = u32::try_from(args.time.unwrap_or(TIME_DEFAULT).seconds).unwrap_or(u32::MAX);
    let none = TaskFileError::OneOf {
        one: quern_swarm_file::Field::of("command"),
        other: quern_swarm_file::Field::of("module"),
    };
    Ok(Work::Command(Command {
        shell: args.command.clone().ok_or(CreateError::NoTask(none))?,
        limits: CommandLimits {
            seconds: NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MAX),
            memory_bytes,
            disk_bytes: args.disk.unwrap_or(MEMORY_DEFAULT).0,
        },
        other: Other::default(),
    }))
}

/// Reads a module, which is one that the sandbox runs. One byte more than it may have shows that it has
/// too many.
fn read_module(path: &Path) -> Result<Vec<u8>, CreateError> {
    let module = read_at_most(path, MODULE_BYTES_MAX.saturating_add(1))?;
    match inspect(&module) {
        Ok(_) => Ok(module),
        Err(source) => Err(CreateError::Program {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Has a module lie beside the task file.
fn lay_beside(work: &mut Work, folder: &Path, path: &Path) -> Result<(), CreateError> {
    let below = path.strip_prefix(folder).ok().and_then(Path::to_str);
    let relative = below.and_then(|text| text.parse::<RelativePath>().ok());
    let relative = relative.ok_or_else(|| CreateError::Elsewhere {
        path: path.to_owned(),
        folder: folder.to_owned(),
    })?;
    if let Work::Module(module) = work {
        module.wasm = Wasm::Beside(beside(folder, relative)?);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;

    #[derive(Parser, Debug)]
    struct Typed {
        #[command(flatten)]
        create: CreateArgs,
    }

    /// The task file that these words ask for, in a folder.
    fn made(folder: &Path, words: &[&str]) -> Result<ValidatedTaskFile, CreateError> {
        let task = folder.join("table.swarm").display().to_string();
        let words = ["create", &task].into_iter().chain(words.iter().copied());
        super::task(&Typed::try_parse_from(words).unwrap().create)
    }

    fn refused(words: &[&str]) -> String {
        let words = ["create", "t"].into_iter().chain(words.iter().copied());
        Typed::try_parse_from(words).unwrap_err().to_string()
    }

    /// A module of about so many bytes: most are in a section that nothing reads.
    fn module(bytes: usize) -> Vec<u8> {
        let plain = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
        let mut module = wat::parse_str(plain).unwrap();
        let mut section = vec![1, b'x'];
        section.resize(bytes, 0);
        module.push(0);
        let mut length = section.len();
        while length > 0x7f {
            module.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        module.push(length as u8);
        module.extend(section);
        module
    }

    #[test]
    fn a_command_and_a_number_are_enough() {
        let folder = tempfile::tempdir().unwrap();
        let words = ["--pieces", "5", "--command", "seq $QUERN_PIECE"];
        let task = made(folder.path(), &words).unwrap();
        let file = task.file();
        assert_eq!((file.name.as_str(), file.pieces.get()), ("table", 5));
        assert_eq!(file.files[0].path.as_str(), "output");
        assert_eq!(task.layout().pieces_of(0), Some(0..5));
        let Work::Command(command) = &file.work else {
            panic!("it has a command");
        };
        assert_eq!(command.shell.as_str(), "seq $QUERN_PIECE");
        assert_eq!(command.limits.seconds.get(), 600);
        assert_eq!(command.limits.disk_bytes, 1 << 30);
        let again = made(folder.path(), &words).unwrap();
        assert_eq!(
            again.digest(),
            task.digest(),
            "the same is asked, the same is made"
        );
    }

    #[test]
    fn everything_that_is_asked_for_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("words")).unwrap();
        fs::write(folder.path().join("words/all"), b"a\nb\n").unwrap();
        let peer = "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWAHoEkEqnKzM5PXFygh2movVBCSX3k8tDsT2cneU68Gyt";
        let task = made(
            folder.path(),
            &[
                "--name",
                "two tables",
                "--pieces",
                "7",
                "--piece-size",
                "256KiB",
                "--command",
                "sort words/all",
                "--check",
                "cmp $1 $2",
                "--time",
                "1h30m",
                "--memory",
                "64MiB",
                "--disk",
                "0",
                "--file",
                "a/b=3",
                "--file",
                "a/c=d=4",
                "--input",
                "words/all",
                "--bootstrap",
                peer,
                "--tracker",
                "http://a.example/",
            ],
        );
        let task = task.unwrap();
        let file = task.file();
        assert_eq!(file.name.as_str(), "two tables");
        assert_eq!(file.piece_bytes_max.get(), 256 << 10);
        assert_eq!(file.files[1].path.as_str(), "a/c=d");
        assert_eq!(task.layout().pieces_of(1), Some(3..7));
        assert_eq!(
            (file.inputs[0].path.as_str(), file.inputs[0].bytes),
            ("words/all", 4)
        );
        assert_eq!(file.check, Check::By("cmp $1 $2".parse().unwrap()));
        assert_eq!((file.bootstrap.len(), file.trackers.len()), (1, 1));
        let Work::Command(command) = &file.work else {
            panic!("it has a command");
        };
        let limits = command.limits;
        let taken = (limits.seconds.get(), limits.memory_bytes, limits.disk_bytes);
        assert_eq!(taken, (5_400, 64 << 20, 0));
    }

    #[test]
    fn a_module_is_in_the_file_and_a_long_one_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program.wasm");
        let words = path.display().to_string();
        let words = [
            "--pieces", "1", "--module", &words, "--arg", "-x", "--fuel", "9",
        ];
        let made = || made(folder.path(), &words).map(|task| task.file().work.clone());
        fs::write(&path, module(10)).unwrap();
        let Work::Module(short) = made().unwrap() else {
            panic!("it has a module");
        };
        assert_eq!(short.wasm, Wasm::Inside(module(10)));
        assert_eq!((short.arguments[0].as_str(), short.limits.fuel), ("-x", 9));
        let long = module(5 << 20);
        fs::write(&path, &long).unwrap();
        let Work::Module(beside) = made().unwrap() else {
            panic!("it has a module");
        };
        let Wasm::Beside(file) = &beside.wasm else {
            panic!("it is too long to be in the file");
        };
        assert_eq!(
            (file.path.as_str(), file.bytes),
            ("program.wasm", long.len() as u64)
        );
        fs::write(&path, b"no module").unwrap();
        assert!(matches!(made(), Err(CreateError::Program { .. })));
    }

    #[test]
    fn a_long_module_elsewhere_is_refused() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = other.path().join("program.wasm");
        fs::write(&path, module(5 << 20)).unwrap();
        let path = path.display().to_string();
        let made = made(folder.path(), &["--pieces", "1", "--module", &path]);
        assert!(matches!(made, Err(CreateError::Elsewhere { .. })));
    }

    #[test]
    fn what_makes_no_task_file_is_refused_and_the_field_named() {
        let folder = tempfile::tempdir().unwrap();
        let cases: [(&[&str], &str); 5] = [
            (&["--file", "a=3"], "`files` have 3 parts together"),
            (
                &["--file", "a=3", "--file", "a/b=2"],
                "`files[0].path` and `files[1].path`",
            ),
            (&["--piece-size", "17MiB"], "`piece-bytes` is 17825792"),
            (&["--time", "2d"], "`command.seconds` is 172800"),
            (&["--memory", "0"], "`command.memory` is 0"),
        ];
        for (words, said) in cases {
            let all = [&["--pieces", "5", "--command", "true"], words].concat();
            let error = anyhow::Error::from(made(folder.path(), &all).unwrap_err());
            let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
            assert!(causes[1].starts_with(said), "{causes:?}");
        }
        let missing = ["--pieces", "5", "--command", "true", "--input", "none"];
        let refused = made(folder.path(), &missing).unwrap_err();
        assert!(matches!(refused, CreateError::File(_)));
    }

    #[test]
    fn what_is_said_wrongly_is_refused_with_how_to_say_it() {
        let pieces = ["--pieces", "5"];
        let cases: [(&[&str], &str); 9] = [
            (&[], "--command"),
            (&["--command", "a", "--module", "b"], "cannot be used with"),
            (&["--command", "a", "--fuel", "1"], "cannot be used with"),
            (&["--module", "a", "--check", "b"], "cannot be used with"),
            (&["--check", "b"], "--command"),
            (&["--command", "a", "--file", "b"], "PATH=PIECES"),
            (&["--command", "a", "--file", "../b=5"], "leaves its folder"),
            (&["--command", "a", "--input", "/etc/passwd"], "is no name"),
            (&["--command", "a", "--bootstrap", "/ip4/1.2.3.4"], "/p2p/"),
        ];
        for (words, said) in cases {
            let error = refused(&[&pieces, words].concat());
            assert!(error.contains(said), "{error}");
        }
        assert!(refused(&["--pieces", "0", "--command", "a"]).contains("--pieces"));
    }
}
