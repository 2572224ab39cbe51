//! Task files that are made up: the plain value of one that has everything, and any that keep the limits.

use crate::reference::Value;
use proptest::{collection::vec, option, prelude::*, sample::select};
use quern_primitives::{Digest, GenesisHash, JobId};
use quern_swarm_file::{
    Bounty, Check, Command, CommandLimits, InputFile, Module, ModuleLimits, Other, OutputFile,
    PeerAddress, Raw, RelativePath, TaskFile, TrackerUrl, Wasm, Work,
};
use std::num::NonZeroU32;

/// The name of the key of 32 bytes that are all 7.
const PEER: &str = "12D3KooWAHoEkEqnKzM5PXFygh2movVBCSX3k8tDsT2cneU68Gyt";

/// A file with a command, and with every key that such a file may have.
pub(crate) fn of_command() -> Value {
    let command = Value::dict([
        ("disk", Value::Integer(1 << 20)),
        ("memory", Value::Integer(1 << 28)),
        ("seconds", Value::Integer(60)),
        ("shell", Value::text("sort words\n")),
    ]);
    let file = |path, parts| {
        let parts = Value::Integer(parts);
        Value::dict([("path", Value::path(path)), ("parts", parts)])
    };
    let input = Value::dict([
        ("bytes", Value::Integer(1 << 40)),
        ("path", Value::path("words/all")),
        ("sha256", Value::Bytes(vec![3; 32])),
    ]);
    let peer = format!("/ip4/192.0.2.1/tcp/4001/p2p/{PEER}");
    Value::dict([
        ("bootstrap", Value::List(vec![Value::text(&peer)])),
        ("check", Value::text("cmp \"$1\" \"$2\"")),
        ("command", command),
        ("files", Value::List(vec![file("a/b", 2), file("c", 5)])),
        ("inputs", Value::List(vec![input])),
        ("name", Value::text("words")),
        ("piece-bytes", Value::Integer(1 << 20)),
        ("pieces", Value::Integer(7)),
        (
            "trackers",
            Value::List(vec![Value::text("http://tracker.example/a")]),
        ),
        ("version", Value::Integer(1)),
    ])
}

/// A file with a module, and with every key that only such a file may have.
pub(crate) fn of_module() -> Value {
    let mut file = of_command();
    file.remove("command");
    file.remove("check");
    let module = Value::dict([
        ("arguments", Value::List(vec![Value::text("--deep")])),
        ("fuel", Value::Integer(1_000)),
        ("memory", Value::Integer(1 << 26)),
        ("wasm", Value::Bytes(b"\0asm".to_vec())),
    ]);
    file.put("module", module);
    let bounty = Value::dict([
        ("amount", Value::Integer(5_000_000_000)),
        ("genesis", Value::Bytes(vec![1; 32])),
        ("job", Value::Bytes(vec![2; 32])),
    ]);
    file.put("bounty", bounty);
    file
}

fn text<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    pattern: &'static str,
) -> impl Strategy<Value = T> {
    pattern.prop_map(|text| text.parse().unwrap())
}

fn other() -> impl Strategy<Value = Other> {
    let raw = select(vec!["i0e", "0:", "le", "de", "d1:ali-3e2:xyee"]);
    // No key of the format begins with x.
    vec(("x[a-z]{0,3}", raw), 0..3).prop_map(|entries| {
        let mut other = Other::default();
        for (key, raw) in entries {
            other.insert(key, Raw::new(raw.as_bytes()).unwrap());
        }
        other
    })
}

/// A path; the places of others are not in its way.
fn path(place: usize) -> impl Strategy<Value = RelativePath> {
    vec("[a-zä .]{0,6}[a-z]", 1..4)
        .prop_map(move |parts| format!("{place}/{}", parts.join("/")).parse().unwrap())
}

fn input(place: usize) -> impl Strategy<Value = InputFile> {
    (path(place), 0..=1u64 << 40, any::<[u8; 32]>(), other()).prop_map(
        |(path, bytes, sha256, other)| InputFile {
            path,
            bytes,
            sha256: Digest(sha256),
            other,
        },
    )
}

fn inputs() -> impl Strategy<Value = Vec<InputFile>> {
    (0usize..4).prop_flat_map(|count| (0..count).map(input).collect::<Vec<_>>())
}

fn files() -> impl Strategy<Value = Vec<OutputFile>> {
    let file = |place| {
        (path(place), 1u32..9, other()).prop_map(|(path, parts, other)| OutputFile {
            path,
            parts: NonZeroU32::new(parts).unwrap(),
            other,
        })
    };
    (1usize..5).prop_flat_map(move |count| (0..count).map(file).collect::<Vec<_>>())
}

fn command() -> impl Strategy<Value = Work> {
    let limits = (1u32..=86_400, 1..=1u64 << 40, 0..=1u64 << 40);
    (text("[ -~\n]{1,40}"), limits, other()).prop_map(|(shell, (seconds, memory, disk), other)| {
        let limits = CommandLimits {
            seconds: NonZeroU32::new(seconds).unwrap(),
            memory_bytes: memory,
            disk_bytes: disk,
        };
        Work::Command(Command {
            shell,
            limits,
            other,
        })
    })
}

fn module() -> impl Strategy<Value = Work> {
    let wasm = prop_oneof![
        vec(any::<u8>(), 1..80).prop_map(Wasm::Inside),
        input(9).prop_map(|file| {
            let bytes = file.bytes.clamp(1, 1 << 24);
            Wasm::Beside(InputFile { bytes, ..file })
        }),
    ];
    let limits = (1u64..10_000_000_000_000, 1..=1u64 << 32);
    (wasm, vec(text("[ -~]{1,9}"), 0..4), limits, other()).prop_map(
        |(wasm, arguments, (fuel, memory_bytes), other)| {
            let limits = ModuleLimits { fuel, memory_bytes };
            Work::Module(Module {
                wasm,
                arguments,
                limits,
                other,
            })
        },
    )
}

fn bounty() -> impl Strategy<Value = Bounty> {
    let amount = 1u128..10u128.pow(38);
    (any::<[u8; 32]>(), any::<[u8; 32]>(), amount, other()).prop_map(
        |(genesis, job, amount, other)| Bounty {
            genesis: GenesisHash(genesis),
            job: JobId(job),
            amount,
            other,
        },
    )
}

fn bootstrap() -> impl Strategy<Value = Vec<PeerAddress>> {
    let address = |port: u16| {
        format!("/dns/a.example/tcp/{port}/p2p/{PEER}")
            .parse()
            .unwrap()
    };
    vec(any::<u16>().prop_map(address), 0..3)
}

fn trackers() -> impl Strategy<Value = Vec<TrackerUrl>> {
    vec(
        text("https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?(/[a-z?=]{0,5})?"),
        0..3,
    )
}

/// Any file that keeps the limits.
pub(crate) fn any_file() -> impl Strategy<Value = TaskFile> {
    let check = option::of(text("[ -~]{1,20}"));
    let work = prop_oneof![
        (command(), check, Just(None)),
        (module(), Just(None), option::of(bounty())),
    ];
    let found = (bootstrap(), trackers());
    let texts = (text("[a-zA-Zäöü ]{1,20}"), 1u32..=1 << 24);
    (texts, work, files(), inputs(), found, other()).prop_map(
        |((name, bytes), (work, check, bounty), files, inputs, (bootstrap, trackers), other)| {
            let pieces: u32 = files.iter().map(|file| file.parts.get()).sum();
            TaskFile {
                name,
                work,
                pieces: NonZeroU32::new(pieces).unwrap(),
                piece_bytes_max: NonZeroU32::new(bytes).unwrap(),
                files,
                inputs,
                check: check.map_or(Check::Exact, Check::By),
                bootstrap,
                trackers,
                bounty,
                other,
            }
        },
    )
}
