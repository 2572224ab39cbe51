//! Bytes as a task file, held to every limit.

use crate::{
    address::{PeerAddress, TrackerUrl},
    bencode::{Kind, Reader},
    encode::VERSION,
    error::{Field, TaskFileError},
    file::{
        Bounty, Check, Command, CommandLimits, InputFile, Module, ModuleLimits, OutputFile,
        TaskFile, Wasm, Work,
    },
    layout::Layout,
    limits::{
        BOOTSTRAP_PEERS_MAX, BOUNTY_MAX, COMMAND_DISK_BYTES_MAX, COMMAND_MEMORY_BYTES_MAX,
        INPUT_FILE_BYTES_MAX, INPUT_FILES_MAX, MODULE_BYTES_MAX, OTHER_KEYS_MAX, OUTPUT_FILES_MAX,
        PATH_PARTS_MAX, PIECE_BYTES_MAX, PIECES_MAX, SECONDS_MAX, TRACKERS_MAX,
    },
    other::{Other, Raw},
    path::{PathFault, RelativePath, clash},
    text::{Line, Text, TextFault},
};
use quern_primitives::limits::{
    ARGUMENT_BYTES_MAX, ARGUMENTS_MAX, TASK_FUEL_MAX, TASK_MEMORY_BYTES_MAX,
};
use std::num::NonZeroU32;

type Result<T> = std::result::Result<T, TaskFileError>;

const COMMAND: Field = Field::of("command");
const MODULE: Field = Field::of("module");

/// What has been read of a file, in whatever order its keys come.
#[derive(Default)]
struct Read {
    name: Option<Line<{ crate::limits::NAME_BYTES_MAX }>>,
    command: Option<Command>,
    module: Option<Module>,
    pieces: Option<NonZeroU32>,
    piece_bytes_max: Option<NonZeroU32>,
    files: Option<Vec<OutputFile>>,
    inputs: Vec<InputFile>,
    check: Option<Text<{ crate::limits::COMMAND_BYTES_MAX }>>,
    bootstrap: Vec<PeerAddress>,
    trackers: Vec<TrackerUrl>,
    bounty: Option<Bounty>,
}

/// Reads a task file, which is no longer than it may be.
pub(crate) fn task_file(bytes: &[u8]) -> Result<(TaskFile, Layout)> {
    check_form(bytes)?;
    let mut read = Read::default();
    let mut reader = Reader::new(bytes);
    let other = dict(&mut reader, Field::FILE, |reader, key| {
        match key {
            b"version" => drop(reader.integer()?),
            b"name" => read.name = Some(text(reader, Field::of("name"), Line::read)?),
            b"command" => read.command = Some(command(reader)?),
            b"module" => read.module = Some(module(reader)?),
            b"pieces" => read.pieces = Some(count(reader, Field::of("pieces"), PIECES_MAX)?),
            b"piece-bytes" => {
                let field = Field::of("piece-bytes");
                read.piece_bytes_max = Some(count(reader, field, PIECE_BYTES_MAX)?);
            }
            b"files" => {
                read.files = Some(list(reader, "files", OUTPUT_FILES_MAX, output_file)?);
            }
            b"inputs" => read.inputs = list(reader, "inputs", INPUT_FILES_MAX, input_file)?,
            b"check" => read.check = Some(text(reader, Field::of("check"), Text::read)?),
            b"bootstrap" => {
                read.bootstrap = list(reader, "bootstrap", BOOTSTRAP_PEERS_MAX, peer)?;
            }
            b"trackers" => read.trackers = list(reader, "trackers", TRACKERS_MAX, tracker)?,
            b"bounty" => read.bounty = Some(bounty(reader)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    whole(read, other)
}

/// That it is one canonical dictionary of a version that is known here. A later one may have whatever it
/// likes in it, and only its version is told.
fn check_form(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let mut version = None;
    kind(&reader, Field::FILE, Kind::Dict)?;
    reader.dict(|reader, key| {
        if key == b"version" {
            version = Some(integer(reader, Field::of("version"))?);
        } else {
            reader.skip()?;
        }
        Ok::<_, TaskFileError>(())
    })?;
    reader.end()?;
    match version {
        Some(found) if found == i128::from(VERSION) => Ok(()),
        Some(found) => Err(TaskFileError::Version { found }),
        None => Err(missing(Field::of("version"))),
    }
}

/// What holds of the file as a whole.
fn whole(read: Read, other: Other) -> Result<(TaskFile, Layout)> {
    let pieces = read.pieces.ok_or(missing(Field::of("pieces")))?;
    let files = read.files.ok_or(missing(Field::of("files")))?;
    let layout = layout(&files, pieces)?;
    let work = match (read.command, read.module) {
        (Some(command), None) => Work::Command(command),
        (None, Some(module)) => Work::Module(module),
        _ => {
            let (one, other) = (COMMAND, MODULE);
            return Err(TaskFileError::OneOf { one, other });
        }
    };
    let beside = |field, beside, why| Err(TaskFileError::Beside { field, beside, why });
    match &work {
        Work::Module(_) if read.check.is_some() => {
            let why =
                "a module answers alike everywhere, so its results are the same if their bytes are";
            return beside(Field::of("check"), MODULE, why);
        }
        Work::Command(_) if read.bounty.is_some() => {
            let why = "nobody could run a command again bit for bit, and so say who is to be paid";
            return beside(Field::of("bounty"), COMMAND, why);
        }
        _ => {}
    }
    check_paths(&files, &read.inputs, &work)?;
    let file = TaskFile {
        name: read.name.ok_or(missing(Field::of("name")))?,
        work,
        pieces,
        piece_bytes_max: read
            .piece_bytes_max
            .ok_or(missing(Field::of("piece-bytes")))?,
        files,
        inputs: read.inputs,
        check: read.check.map_or(Check::Exact, Check::By),
        bootstrap: read.bootstrap,
        trackers: read.trackers,
        bounty: read.bounty,
        other,
    };
    Ok((file, layout))
}

fn layout(files: &[OutputFile], pieces: NonZeroU32) -> Result<Layout> {
    let parts = || files.iter().map(|file| file.parts.get());
    let layout = Layout::of(parts()).filter(|it| it.pieces() == pieces.get());
    layout.ok_or_else(|| TaskFileError::Parts {
        parts: parts().map(u64::from).fold(0, u64::saturating_add),
        pieces: pieces.get(),
    })
}

/// That no file has another's place. What lies beside the task file lies in one folder.
fn check_paths(files: &[OutputFile], inputs: &[InputFile], work: &Work) -> Result<()> {
    if let Some((one, other)) = clash(files.iter().map(|it| &it.path)) {
        let field = |at| Field::entry("files", at).part("path");
        let (one, other) = (field(one), field(other));
        return Err(TaskFileError::Clash { one, other });
    }
    let module = match work {
        Work::Module(Module {
            wasm: Wasm::Beside(file),
            ..
        }) => Some(&file.path),
        _ => None,
    };
    let beside = inputs.iter().map(|it| &it.path).chain(module);
    if let Some((one, other)) = clash(beside) {
        let field = |at: usize| match at < inputs.len() {
            true => Field::entry("inputs", at).part("path"),
            false => MODULE.part("file.path"),
        };
        let (one, other) = (field(one), field(other));
        return Err(TaskFileError::Clash { one, other });
    }
    Ok(())
}

fn command(reader: &mut Reader<'_>) -> Result<Command> {
    let (mut shell, mut seconds, mut memory, mut disk) = (None, None, None, None);
    let other = dict(reader, COMMAND, |reader, key| {
        match key {
            b"shell" => shell = Some(text(reader, COMMAND.part("shell"), Text::read)?),
            b"seconds" => seconds = Some(count(reader, COMMAND.part("seconds"), SECONDS_MAX)?),
            b"memory" => {
                let range = (1, COMMAND_MEMORY_BYTES_MAX);
                memory = Some(number(reader, COMMAND.part("memory"), range)?);
            }
            b"disk" => {
                let range = (0, COMMAND_DISK_BYTES_MAX);
                disk = Some(number(reader, COMMAND.part("disk"), range)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Command {
        shell: shell.ok_or(missing(COMMAND.part("shell")))?,
        limits: CommandLimits {
            seconds: seconds.ok_or(missing(COMMAND.part("seconds")))?,
            memory_bytes: memory.ok_or(missing(COMMAND.part("memory")))?,
            disk_bytes: disk.ok_or(missing(COMMAND.part("disk")))?,
        },
        other,
    })
}

fn module(reader: &mut Reader<'_>) -> Result<Module> {
    let (mut inside, mut beside, mut arguments) = (None, None, Vec::new());
    let (mut fuel, mut memory) = (None, None);
    let other = dict(reader, MODULE, |reader, key| {
        match key {
            b"wasm" => inside = Some(wasm(reader)?),
            b"file" => beside = Some(module_file(reader)?),
            b"arguments" => arguments = self::arguments(reader)?,
            b"fuel" => fuel = Some(number(reader, MODULE.part("fuel"), (1, TASK_FUEL_MAX))?),
            b"memory" => {
                let range = (1, TASK_MEMORY_BYTES_MAX);
                memory = Some(number(reader, MODULE.part("memory"), range)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let wasm = match (inside, beside) {
        (Some(wasm), None) => Wasm::Inside(wasm),
        (None, Some(file)) => Wasm::Beside(file),
        _ => {
            let (one, other) = (MODULE.part("wasm"), MODULE.part("file"));
            return Err(TaskFileError::OneOf { one, other });
        }
    };
    Ok(Module {
        wasm,
        arguments,
        limits: ModuleLimits {
            fuel: fuel.ok_or(missing(MODULE.part("fuel")))?,
            memory_bytes: memory.ok_or(missing(MODULE.part("memory")))?,
        },
        other,
    })
}

/// A module in the file, which is longer than the longest.
fn wasm(reader: &mut Reader<'_>) -> Result<Vec<u8>> {
    let field = MODULE.part("wasm");
    let wasm = bytes(reader, field)?;
    match wasm.is_empty() {
        true => Err(TaskFileError::Empty { field }),
        false => Ok(wasm.to_vec()),
    }
}

fn module_file(reader: &mut Reader<'_>) -> Result<InputFile> {
    let names = ["file", "file.path", "file.bytes", "file.sha256"].map(|it| MODULE.part(it));
    file_beside(reader, names, (1, MODULE_BYTES_MAX))
}

fn arguments(reader: &mut Reader<'_>) -> Result<Vec<crate::file::Argument>> {
    let field = MODULE.part("arguments");
    let max = usize::try_from(ARGUMENTS_MAX).unwrap_or(usize::MAX);
    let bytes_max = usize::try_from(ARGUMENT_BYTES_MAX).unwrap_or(usize::MAX);
    let mut all: usize = 0;
    list_of(reader, field, max, |reader, _| {
        let argument = text(reader, field, crate::file::Argument::read)?;
        all = all.saturating_add(argument.as_str().len());
        match all > bytes_max {
            true => Err(TaskFileError::Bytes {
                field,
                bytes: all,
                min: 1,
                max: bytes_max,
            }),
            false => Ok(argument),
        }
    })
}

fn output_file(reader: &mut Reader<'_>, field: Field) -> Result<OutputFile> {
    let (mut path, mut parts) = (None, None);
    let other = dict(reader, field, |reader, key| {
        match key {
            b"path" => path = Some(self::path(reader, field.part("path"))?),
            b"parts" => parts = Some(count(reader, field.part("parts"), PIECES_MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(OutputFile {
        path: path.ok_or(missing(field.part("path")))?,
        parts: parts.ok_or(missing(field.part("parts")))?,
        other,
    })
}

fn input_file(reader: &mut Reader<'_>, field: Field) -> Result<InputFile> {
    let names = [
        field,
        field.part("path"),
        field.part("bytes"),
        field.part("sha256"),
    ];
    file_beside(reader, names, (0, INPUT_FILE_BYTES_MAX))
}

/// A file beside the task file: the names of itself and of its path, length and digest.
fn file_beside(
    reader: &mut Reader<'_>,
    [itself, of_path, of_bytes, of_digest]: [Field; 4],
    range: (u64, u64),
) -> Result<InputFile> {
    let (mut path, mut bytes, mut sha256) = (None, None, None);
    let other = dict(reader, itself, |reader, key| {
        match key {
            b"path" => path = Some(self::path(reader, of_path)?),
            b"bytes" => bytes = Some(number(reader, of_bytes, range)?),
            b"sha256" => sha256 = Some(bytes_32(reader, of_digest)?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(InputFile {
        path: path.ok_or(missing(of_path))?,
        bytes: bytes.ok_or(missing(of_bytes))?,
        sha256: sha256.ok_or(missing(of_digest))?,
        other,
    })
}

fn bounty(reader: &mut Reader<'_>) -> Result<Bounty> {
    let field = Field::of("bounty");
    let (mut genesis, mut job, mut amount) = (None, None, None);
    let other = dict(reader, field, |reader, key| {
        match key {
            b"genesis" => genesis = Some(bytes_32(reader, field.part("genesis"))?.into()),
            b"job" => job = Some(bytes_32(reader, field.part("job"))?.into()),
            b"amount" => amount = Some(self::amount(reader, field.part("amount"))?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Bounty {
        genesis: genesis.ok_or(missing(field.part("genesis")))?,
        job: job.ok_or(missing(field.part("job")))?,
        amount: amount.ok_or(missing(field.part("amount")))?,
        other,
    })
}

fn amount(reader: &mut Reader<'_>, field: Field) -> Result<u128> {
    let found = integer(reader, field)?;
    let amount = u128::try_from(found).ok();
    amount
        .filter(|it| (1..=BOUNTY_MAX).contains(it))
        .ok_or_else(|| TaskFileError::Range {
            field,
            found,
            min: 1,
            max: i128::try_from(BOUNTY_MAX).unwrap_or(i128::MAX),
        })
}

fn peer(reader: &mut Reader<'_>, field: Field) -> Result<PeerAddress> {
    let read = PeerAddress::read(bytes(reader, field)?);
    read.map_err(|fault| TaskFileError::Address { field, fault })
}

fn tracker(reader: &mut Reader<'_>, field: Field) -> Result<TrackerUrl> {
    let read = TrackerUrl::read(bytes(reader, field)?);
    read.map_err(|fault| TaskFileError::Url { field, fault })
}

fn path(reader: &mut Reader<'_>, field: Field) -> Result<RelativePath> {
    kind(reader, field, Kind::List)?;
    let mut parts: Vec<&[u8]> = Vec::new();
    let wrong = |fault| TaskFileError::Path { field, fault };
    reader.list(|reader| {
        if parts.len() >= PATH_PARTS_MAX {
            return Err(wrong(PathFault::Deep));
        }
        parts.push(bytes(reader, field)?);
        Ok(())
    })?;
    RelativePath::of(parts).map_err(wrong)
}

/// A dictionary: `known` reads the value of a key and says so, or leaves the key alone.
fn dict<'a>(
    reader: &mut Reader<'a>,
    field: Field,
    mut known: impl FnMut(&mut Reader<'a>, &[u8]) -> Result<bool>,
) -> Result<Other> {
    kind(reader, field, Kind::Dict)?;
    let mut other = Other::default();
    reader.dict(|reader, key| {
        if known(reader, key)? {
            return Ok(());
        }
        if other.len() >= OTHER_KEYS_MAX {
            let max = OTHER_KEYS_MAX;
            return Err(TaskFileError::Unknown { field, max });
        }
        other.insert(key, Raw::read(reader)?);
        Ok(())
    })?;
    Ok(other)
}

/// The list under a key of the file.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    name: &'static str,
    max: usize,
    mut each: impl FnMut(&mut Reader<'a>, Field) -> Result<T>,
) -> Result<Vec<T>> {
    list_of(reader, Field::of(name), max, |reader, at| {
        each(reader, Field::entry(name, at))
    })
}

/// A list, whose entries are counted from zero. One that is there is not empty: else a file could say the
/// same in two ways.
fn list_of<'a, T>(
    reader: &mut Reader<'a>,
    field: Field,
    max: usize,
    mut each: impl FnMut(&mut Reader<'a>, usize) -> Result<T>,
) -> Result<Vec<T>> {
    kind(reader, field, Kind::List)?;
    let mut values = Vec::new();
    reader.list(|reader| {
        if values.len() >= max {
            return Err(TaskFileError::Many { field, max });
        }
        values.push(each(reader, values.len())?);
        Ok(())
    })?;
    match values.is_empty() {
        true => Err(TaskFileError::Empty { field }),
        false => Ok(values),
    }
}

fn text<T>(
    reader: &mut Reader<'_>,
    field: Field,
    read: impl FnOnce(&[u8]) -> std::result::Result<T, TextFault>,
) -> Result<T> {
    read(bytes(reader, field)?).map_err(|fault| TaskFileError::Text { field, fault })
}

fn bytes<'a>(reader: &mut Reader<'a>, field: Field) -> Result<&'a [u8]> {
    kind(reader, field, Kind::Bytes)?;
    Ok(reader.bytes()?)
}

fn bytes_32(reader: &mut Reader<'_>, field: Field) -> Result<[u8; 32]> {
    let bytes = bytes(reader, field)?;
    bytes.try_into().map_err(|_| TaskFileError::Bytes {
        field,
        bytes: bytes.len(),
        min: 32,
        max: 32,
    })
}

fn integer(reader: &mut Reader<'_>, field: Field) -> Result<i128> {
    kind(reader, field, Kind::Integer)?;
    Ok(reader.integer()?)
}

fn number(reader: &mut Reader<'_>, field: Field, (min, max): (u64, u64)) -> Result<u64> {
    let found = integer(reader, field)?;
    let number = u64::try_from(found).ok();
    number
        .filter(|it| (min..=max).contains(it))
        .ok_or_else(|| TaskFileError::Range {
            field,
            found,
            min: min.into(),
            max: max.into(),
        })
}

/// A number from 1 on.
fn count(reader: &mut Reader<'_>, field: Field, max: u32) -> Result<NonZeroU32> {
    let found = number(reader, field, (1, max.into()))?;
    let count = u32::try_from(found).ok().and_then(NonZeroU32::new);
    // It is from 1 to `max`.
    count.ok_or(missing(field))
}

fn kind(reader: &Reader<'_>, field: Field, expected: Kind) -> Result<()> {
    match reader.kind()? {
        found if found == expected => Ok(()),
        found => Err(TaskFileError::Kind {
            field,
            found,
            expected,
        }),
    }
}

fn missing(field: Field) -> TaskFileError {
    TaskFileError::Missing { field }
}
