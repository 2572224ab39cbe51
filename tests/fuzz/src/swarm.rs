//! The task file of a swarm, which anybody hands to anybody.

use crate::{Decoder, honest, memory, oracle};
use quern_primitives::Digest;
use quern_swarm_file::{
    Bounty, Check, Command, CommandLimits, InputFile, Module, ModuleLimits, Other, OutputFile, Raw,
    TaskFile, ValidatedTaskFile, Wasm, Work, limits, text::hides,
};
use sha2::{Digest as _, Sha256};
use std::{
    num::NonZeroU32,
    path::{Component, Path},
    sync::LazyLock,
};

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "task file",
        check: task_file,
        seeds: || WRITTEN.iter().cloned().chain(strange()).collect(),
    },
    Decoder {
        name: "altered task file",
        check: altered_task_file,
        seeds: || {
            let places = [[0, 0, 1, 0, b'd'], [1, 1, 90, 0, b'0'], [2, 2, 200, 1, 0]];
            places.map(|it| it.to_vec()).to_vec()
        },
    },
    Decoder {
        name: "bencoded value",
        check: bencoded_value,
        seeds: values,
    },
];

fn task_file(bytes: &[u8]) {
    let (decoded, held) = memory::most(|| ValidatedTaskFile::decode(bytes));
    oracle::held_no_more_than_given(held, bytes);
    let task = match decoded {
        Ok(task) => task,
        Err(error) => return assert!(!error.to_string().is_empty(), "refused without a word"),
    };
    assert_eq!(task.digest(), Digest(Sha256::digest(bytes).into()));
    let again = task.file().validate();
    assert_eq!(again.as_ref(), Ok(&task), "it is not written as it came");
    assert_eq!(task.bytes(), bytes);
    oracle::one_encoding(bytes, |other| ValidatedTaskFile::decode(other).is_ok());
    keeps_limits(task.file());
    deals_pieces(&task);
}

/// What is said of limits and paths, said once more.
fn keeps_limits(file: &TaskFile) {
    assert!(file.pieces.get() <= limits::PIECES_MAX);
    assert!(file.piece_bytes_max.get() <= limits::PIECE_BYTES_MAX);
    assert!(file.files.len() <= limits::OUTPUT_FILES_MAX);
    assert!(file.inputs.len() <= limits::INPUT_FILES_MAX);
    assert!(file.bootstrap.len() <= limits::BOOTSTRAP_PEERS_MAX);
    assert!(file.trackers.len() <= limits::TRACKERS_MAX);
    assert!(file.other.len() <= limits::OTHER_KEYS_MAX);
    assert!(!file.name.as_str().chars().any(hides));
    let (is_command, is_module) = match &file.work {
        Work::Command(command) => {
            assert!(!command.shell.as_str().contains('\0'));
            (true, false)
        }
        Work::Module(_) => (false, true),
    };
    assert!(!is_command || file.bounty.is_none());
    assert!(!is_module || file.check == Check::Exact);
    let outputs = file.files.iter().map(|it| &it.path);
    let paths: Vec<&str> = outputs.map(|it| it.as_str()).collect();
    apart(&paths);
    let inputs = file.inputs.iter().map(|it| &it.path);
    let mut paths: Vec<&str> = inputs.map(|it| it.as_str()).collect();
    if let Work::Module(module) = &file.work
        && let Wasm::Beside(beside) = &module.wasm
    {
        paths.push(beside.path.as_str());
    }
    apart(&paths);
}

/// Every path stays in its folder, and none is in another's way.
fn apart(paths: &[&str]) {
    for (at, path) in paths.iter().enumerate() {
        let mut parts = Path::new(path).components();
        assert!(parts.all(|it| matches!(it, Component::Normal(_))), "{path}");
        assert!(!path.chars().any(hides), "{path:?}");
        for other in paths.iter().take(at) {
            let (path, other) = (format!("{path}/"), format!("{other}/"));
            assert!(!path.starts_with(&other) && !other.starts_with(&path));
        }
    }
}

/// The files have all pieces, each one, in order.
fn deals_pieces(task: &ValidatedTaskFile) {
    let (layout, file) = (task.layout(), task.file());
    let mut next = 0;
    for (index, output) in (0..).zip(&file.files) {
        let pieces = layout.pieces_of(index).unwrap_or(0..0);
        assert_eq!(
            (pieces.start, pieces.len()),
            (next, output.parts.get() as usize)
        );
        for piece in [pieces.start, pieces.end - 1] {
            let item = layout.work_item(piece);
            assert!(item.is_some_and(|it| (it.file, it.part) == (index, piece - pieces.start)));
        }
        next = pieces.end;
    }
    assert_eq!(next, file.pieces.get());
    assert_eq!(layout.work_item(next), None);
}

/// An honest file with a byte changed, added or taken away: which file, what is done, where, and the byte.
/// It is refused, or says something else under another name.
fn altered_task_file(bytes: &[u8]) {
    let [file, change, low, high, byte] = bytes else {
        return;
    };
    let Some(honest) = WRITTEN.get(usize::from(*file) % WRITTEN.len().max(1)) else {
        return;
    };
    let place = usize::from(u16::from_le_bytes([*low, *high])) % honest.len().max(1);
    let mut altered = honest.clone();
    let (end, put) = match change % 3 {
        0 => (place + 1, Some(*byte)),
        1 => (place, Some(*byte)),
        _ => (place + 1, None),
    };
    altered.splice(place..end, put);
    task_file(&altered);
    let (honest, altered) = (
        ValidatedTaskFile::decode(honest),
        ValidatedTaskFile::decode(&altered),
    );
    let (Ok(honest), Ok(altered)) = (honest, altered) else {
        return;
    };
    let is_same = honest.bytes() == altered.bytes();
    assert_eq!(honest.file() == altered.file(), is_same);
    assert_eq!(honest.digest() == altered.digest(), is_same);
}

fn bencoded_value(bytes: &[u8]) {
    let (read, held) = memory::most(|| Raw::new(bytes));
    oracle::held_no_more_than_given(held, bytes);
    assert_eq!(read.is_ok(), is_canonical(bytes));
    if let Ok(raw) = read {
        assert_eq!(raw.as_bytes(), bytes);
        oracle::one_encoding(bytes, |other| Raw::new(other).is_ok());
    }
}

/// The same once more, from behind: values are taken off the end of the bytes' tokens. A token is a mark,
/// an integer or a string; a stack has what is open.
fn is_canonical(mut rest: &[u8]) -> bool {
    /// What is open: a list, or a dictionary with its last key and whether a value is due.
    enum Open<'a> {
        List,
        Dict(Option<&'a [u8]>, bool),
    }
    let mut open: Vec<Open<'_>> = Vec::new();
    loop {
        let Some(first) = rest.first() else {
            return false;
        };
        let is_key_due = matches!(open.last(), Some(Open::Dict(_, false)));
        match first {
            b'l' | b'd' if !is_key_due && open.len() < usize::from(limits::DEPTH_MAX) => {
                open.push(match first {
                    b'l' => Open::List,
                    _ => Open::Dict(None, false),
                });
                rest = &rest[1..];
                continue;
            }
            b'e' if !matches!(open.last(), None | Some(Open::Dict(_, true))) => {
                open.pop();
                rest = &rest[1..];
            }
            b'i' if !is_key_due => {
                let Some(end) = rest.iter().position(|it| *it == b'e') else {
                    return false;
                };
                let written = &rest[1..end];
                let digits = written.strip_prefix(b"-").unwrap_or(written);
                let is_minus_zero = digits == b"0" && digits.len() < written.len();
                if !is_decimal(digits) || is_minus_zero {
                    return false;
                }
                rest = &rest[end + 1..];
            }
            b'0'..=b'9' => {
                let Some(end) = rest.iter().position(|it| *it == b':') else {
                    return false;
                };
                let length = String::from_utf8_lossy(&rest[..end]);
                let length = is_decimal(&rest[..end]).then(|| length.parse::<usize>().ok());
                let behind = &rest[end + 1..];
                let Some(string) = length.flatten().and_then(|length| behind.get(..length)) else {
                    return false;
                };
                rest = &behind[string.len()..];
                if let Some(Open::Dict(key, is_value_due @ false)) = open.last_mut() {
                    let ascends = key.is_none_or(|before| before < string);
                    if !ascends || string.len() > limits::KEY_BYTES_MAX {
                        return false;
                    }
                    *key = Some(string);
                    *is_value_due = true;
                    continue;
                }
            }
            _ => return false,
        }
        // A value is whole.
        match open.last_mut() {
            None => return rest.is_empty(),
            Some(Open::Dict(_, is_value_due)) => *is_value_due = false,
            Some(Open::List) => {}
        }
    }
}

fn is_decimal(digits: &[u8]) -> bool {
    let is_padded = digits.len() > 1 && digits[0] == b'0';
    let length = 1..=limits::INTEGER_DIGITS_MAX;
    length.contains(&digits.len()) && !is_padded && digits.iter().all(u8::is_ascii_digit)
}

/// Files as people make them: with a command, with a module inside, with one beside and all there is.
static WRITTEN: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let files = files().into_iter().flatten();
    let valid = files.filter_map(|file| file.validate().ok());
    valid.map(|valid| valid.bytes().to_vec()).collect()
});

/// Bytes that look like files and are none.
fn strange() -> Vec<Vec<u8>> {
    let texts = [
        "d4:name4294967296:table",
        "d5:filesld5:partsi1099511627776e4:pathl2:..eeee",
        "d7:version1:1e",
        "d6:piecesi0e7:versioni1ee",
    ];
    texts.map(|it| it.as_bytes().to_vec()).to_vec()
}

fn values() -> Vec<Vec<u8>> {
    let texts = [
        "i-17e",
        "4:spam",
        "lli0ee0:e",
        "d0:le1:ad1:bi1eee",
        "i-0e",
        "d1:bi0e1:ai0ee",
    ];
    texts.map(|it| it.as_bytes().to_vec()).to_vec()
}

const PEER: &str =
    "/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWAHoEkEqnKzM5PXFygh2movVBCSX3k8tDsT2cneU68Gyt";

fn files() -> Option<[TaskFile; 3]> {
    let limits = CommandLimits {
        seconds: NonZeroU32::new(60)?,
        memory_bytes: 1 << 26,
        disk_bytes: 0,
    };
    let plain = TaskFile {
        name: "table".parse().ok()?,
        work: Work::Command(Command {
            shell: "seq $QUERN_PIECE".parse().ok()?,
            limits,
            other: Other::default(),
        }),
        pieces: NonZeroU32::new(5)?,
        piece_bytes_max: NonZeroU32::new(1 << 18)?,
        files: vec![output("a/b", 2)?, output("a-b", 3)?],
        inputs: vec![],
        check: Check::By("cmp \"$1\" \"$2\"".parse().ok()?),
        bootstrap: vec![],
        trackers: vec![],
        bounty: None,
        other: Other::default(),
    };
    let inside = TaskFile {
        work: module(Wasm::Inside(b"\0asm\x01\0\0\0".to_vec()))?,
        check: Check::Exact,
        ..plain.clone()
    };
    let mut other = Other::default();
    other.insert("hint", Raw::new(b"d1:ali-1e0:ee").ok()?);
    let full = TaskFile {
        work: module(Wasm::Beside(input("program.wasm", 1_000)?))?,
        inputs: vec![input("words/all", 0)?, input("words.txt", 1 << 40)?],
        bootstrap: vec![PEER.parse().ok()?],
        trackers: vec!["https://tracker.example:8080/announce?a=b".parse().ok()?],
        bounty: Some(Bounty {
            genesis: honest::GENESIS,
            job: honest::JOB,
            amount: 2_500_000_000,
            other: other.clone(),
        }),
        other,
        ..inside.clone()
    };
    Some([plain, inside, full])
}

fn module(wasm: Wasm) -> Option<Work> {
    Some(Work::Module(Module {
        wasm,
        arguments: vec!["--depth".parse().ok()?, "4".parse().ok()?],
        limits: ModuleLimits {
            fuel: 1_000_000_000,
            memory_bytes: 1 << 24,
        },
        other: Other::default(),
    }))
}

fn output(path: &str, parts: u32) -> Option<OutputFile> {
    Some(OutputFile {
        path: path.parse().ok()?,
        parts: NonZeroU32::new(parts)?,
        other: Other::default(),
    })
}

fn input(path: &str, bytes: u64) -> Option<InputFile> {
    Some(InputFile {
        path: path.parse().ok()?,
        bytes,
        sha256: Digest([7; 32]),
        other: Other::default(),
    })
}
