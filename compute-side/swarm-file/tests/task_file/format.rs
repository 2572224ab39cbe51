//! The vectors of `docs/format.md`: what the document says is what the code does. They were computed by
//! another implementation.

use quern_primitives::{Digest, GenesisHash, JobId};
use quern_swarm_file::{Check, InputFile, ValidatedTaskFile, Wasm, Work, limits};

const DOCUMENT: &str = include_str!("../../../../docs/format.md");

/// The bytes of a vector in the document.
fn vector(name: &str) -> Vec<u8> {
    let prefix = format!("{name}: ");
    let mut lines = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix));
    let digits = lines
        .next()
        .unwrap_or_else(|| panic!("docs/format.md has no vector `{name}`"));
    assert_eq!(lines.next(), None, "two vectors are called `{name}`");
    hex::decode(digits).unwrap()
}

fn read(of: &str) -> ValidatedTaskFile {
    let bytes = vector(&format!("task file of a {of}"));
    let read = ValidatedTaskFile::decode(&bytes).unwrap();
    let digest = vector(&format!("swarm of the {of}"));
    assert_eq!(read.digest().0, digest[..]);
    assert_eq!(
        read.file().validate().unwrap().bytes(),
        bytes,
        "it is written alike"
    );
    read
}

#[test]
fn a_task_file_with_a_command_is_as_written() {
    let read = read("command");
    let file = read.file();
    let Work::Command(command) = &file.work else {
        panic!("it has a command");
    };
    assert_eq!(command.shell.as_str(), "seq $QUERN_PIECE");
    let limits = command.limits;
    let taken = (limits.seconds.get(), limits.memory_bytes, limits.disk_bytes);
    assert_eq!(taken, (60, 64 << 20, 0));
    assert_eq!(file.name.as_str(), "table");
    assert_eq!(
        (file.pieces.get(), file.piece_bytes_max.get()),
        (5, 256 << 10)
    );
    let files: Vec<_> = file
        .files
        .iter()
        .map(|it| (it.path.as_str(), it.parts.get()))
        .collect();
    assert_eq!(files, [("tables/first.txt", 2), ("tables/second.txt", 3)]);
    assert_eq!(file.check, Check::By("cmp \"$1\" \"$2\"".parse().unwrap()));
    assert_eq!(read.layout().pieces_of(1), Some(2..5));
}

#[test]
fn a_task_file_with_a_module_is_as_written() {
    let read = read("module");
    let file = read.file();
    let Work::Module(module) = &file.work else {
        panic!("it has a module");
    };
    assert_eq!(module.wasm, Wasm::Inside(b"\0asm\x01\0\0\0".to_vec()));
    let arguments: Vec<_> = module.arguments.iter().map(|it| it.as_str()).collect();
    assert_eq!(arguments, ["--depth", "4"]);
    assert_eq!(
        (module.limits.fuel, module.limits.memory_bytes),
        (1_000_000_000, 16 << 20)
    );
    assert_eq!(module.other.get(b"hint").unwrap().as_bytes(), b"i-1e");
    assert_eq!(file.name.as_str(), "Bäume");
    assert_eq!(
        file.files[0].other.get(b"mode").unwrap().as_bytes(),
        b"d1:alledeee"
    );
    let [
        InputFile {
            path,
            bytes,
            sha256,
            other,
        },
    ] = &file.inputs[..]
    else {
        panic!("it has one input");
    };
    let empty = "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!((path.as_str(), *bytes), ("seeds", 0));
    assert_eq!(*sha256, empty.parse::<Digest>().unwrap());
    assert_eq!(other.get(b"from").unwrap().as_bytes(), b"0:");
    assert_eq!(file.bootstrap[0].peer(), &[7; 32]);
    assert_eq!(
        file.trackers[0].as_str(),
        "https://tracker.example/announce"
    );
    let bounty = file.bounty.as_ref().unwrap();
    assert_eq!(bounty.genesis, GenesisHash([0x11; 32]));
    assert_eq!(
        (bounty.job, bounty.amount),
        (JobId([0x22; 32]), 2_500_000_000)
    );
    assert_eq!(file.other.get(b"zz").unwrap().as_bytes(), b"li0ei-17e1:xe");
    assert_eq!(file.check, Check::Exact);
}

#[test]
fn the_limits_are_as_written() {
    let written = [
        ("a task file", limits::TASK_FILE_BYTES_MAX as u64),
        ("nesting", limits::DEPTH_MAX.into()),
        ("digits of an integer", limits::INTEGER_DIGITS_MAX as u64),
        ("a key", limits::KEY_BYTES_MAX as u64),
        (
            "unknown keys of a dictionary",
            limits::OTHER_KEYS_MAX as u64,
        ),
        ("`pieces`", limits::PIECES_MAX.into()),
        ("`piece-bytes`", limits::PIECE_BYTES_MAX.into()),
        ("`files`", limits::OUTPUT_FILES_MAX as u64),
        ("`inputs`", limits::INPUT_FILES_MAX as u64),
        ("`bootstrap`", limits::BOOTSTRAP_PEERS_MAX as u64),
        ("`trackers`", limits::TRACKERS_MAX as u64),
        ("parts of a path", limits::PATH_PARTS_MAX as u64),
        ("a module", limits::MODULE_BYTES_MAX),
    ];
    for (what, most) in written {
        let digits = most.to_string();
        let groups: Vec<String> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|group| String::from_utf8(group.to_vec()).unwrap())
            .collect();
        let row = format!("| {what} | {} |", groups.join(","));
        assert!(DOCUMENT.contains(&row), "docs/format.md has no row {row}");
    }
}
