//! Files that somebody made to do harm, or by mistake: each is refused, and the field that is wrong named.

use crate::{
    made_up::{of_command, of_module},
    reference::Value,
};
use quern_swarm_file::{
    TaskFileError, ValidatedTaskFile,
    bencode::BencodeError,
    limits::{OTHER_KEYS_MAX, PIECES_MAX, TASK_FILE_BYTES_MAX},
};

/// What is said of a file.
#[track_caller]
fn refusal(value: &Value) -> String {
    refused(&value.write()).to_string()
}

#[track_caller]
fn refused(bytes: &[u8]) -> TaskFileError {
    match ValidatedTaskFile::decode(bytes) {
        Err(error) => error,
        Ok(read) => panic!("it was read: {:?}", read.file()),
    }
}

/// That a file is refused in these words after a change.
#[track_caller]
fn says(mut file: Value, change: impl FnOnce(&mut Value), words: &str) {
    change(&mut file);
    assert_eq!(refusal(&file), words);
}

fn command(change: impl FnOnce(&mut Value), words: &str) {
    says(of_command(), change, words);
}

fn module(change: impl FnOnce(&mut Value), words: &str) {
    says(of_module(), change, words);
}

fn put(way: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |file| *file.at(way) = value
}

#[test]
fn zero_and_too_many_pieces_are_refused() {
    for (pieces, shown) in [
        (0, "0"),
        (1 << 40, "1099511627776"),
        (1 << 20 | 1, "1048577"),
        (-1, "-1"),
        (i128::from(u64::MAX) + 1, "18446744073709551616"),
        (1 << 32, "4294967296"),
        ((1 << 32) + 7, "4294967303"),
    ] {
        let number = Value::Integer(pieces);
        let wanted = format!("`pieces` is {shown}, and must be from 1 to 1048576");
        command(put("pieces", number.clone()), &wanted);
        let wanted = format!("`files[1].parts` is {shown}, and must be from 1 to 1048576");
        command(put("files.1.parts", number), &wanted);
    }
}

#[test]
fn as_many_pieces_as_there_may_be_are_read_without_being_counted() {
    let mut file = of_command();
    *file.at("pieces") = Value::Integer(PIECES_MAX.into());
    *file.at("files.0.parts") = Value::Integer(1);
    *file.at("files.1.parts") = Value::Integer(i128::from(PIECES_MAX) - 1);
    let read = ValidatedTaskFile::decode(&file.write()).unwrap();
    let last = read.layout().work_item(PIECES_MAX - 1).unwrap();
    assert_eq!((last.file, last.part), (1, PIECES_MAX - 2));
}

#[test]
fn parts_that_do_not_add_up_to_the_pieces_are_refused() {
    let wanted = |parts: u64| {
        format!("`files` have {parts} parts together, and `pieces` are 7; they must be as many")
    };
    for (parts, all) in [(4, 6), (6, 8), (1 << 20, (1 << 20) + 2)] {
        let parts = Value::Integer(parts);
        command(put("files.1.parts", parts), &wanted(all));
    }
    command(
        |file| {
            let most = Value::dict([
                ("parts", Value::Integer(1 << 20)),
                ("path", Value::path("x")),
            ]);
            let many = (0..4_096).map(|at| {
                let mut entry = most.clone();
                *entry.at("path") = Value::path(&format!("x{at}"));
                entry
            });
            *file.at("files") = Value::List(many.collect());
        },
        // Together more than 32 bits hold.
        &wanted(1 << 32),
    );
}

#[test]
fn paths_that_leave_their_folder_are_refused_and_named() {
    let leaves = "it leaves its folder or goes in circles; leave out `.` and `..`";
    let separator = "a part of it holds `/` or `\\`";
    let empty = "a part of it is no name: it is empty";
    let long = "x".repeat(256);
    let cases: [(&[&str], &str); 12] = [
        (&[], "it names nothing"),
        (&[".."], leaves),
        (&["a", "..", "..", "b"], leaves),
        (&["."], leaves),
        (&["", "etc", "passwd"], empty),
        (&["a", ""], empty),
        (&["/etc/passwd"], separator),
        (&["a/../../b"], separator),
        (&["..\\b"], separator),
        (
            &["a\0b"],
            "a part of it is no name: it has the character U+0000, which is not seen or ends texts",
        ),
        (
            &[&long],
            "a part of it is no name: it has 256 bytes, and at most 255 are allowed",
        ),
        (&["a"; 17], "it has more than 16 parts"),
    ];
    for (parts, why) in cases {
        let path = Value::List(parts.iter().map(|it| Value::text(it)).collect());
        for (way, name) in [
            ("files.1.path", "files[1].path"),
            ("inputs.0.path", "inputs[0].path"),
        ] {
            let wanted = format!("`{name}` is no path of a file: {why}");
            command(put(way, path.clone()), &wanted);
        }
    }
    let no_text = Value::List(vec![Value::Bytes(vec![0xc0, 0xaf])]);
    command(
        put("files.0.path", no_text),
        "`files[0].path` is no path of a file: a part of it is no name: it is no UTF-8",
    );
    let surely_no_path = Value::text("a/b");
    command(
        put("files.0.path", surely_no_path),
        "`files[0].path` is a string, and must be a list",
    );
    let number = Value::List(vec![Value::Integer(1)]);
    command(
        put("files.0.path", number),
        "`files[0].path` is an integer, and must be a string",
    );
}

#[test]
fn a_path_is_of_one_file_only() {
    let clash = |one: &str, other: &str| {
        format!(
            "`{one}` and `{other}` are the same, or one is a folder above the other; name files apart"
        )
    };
    for path in ["a", "a/b", "a/b/c"] {
        let wanted = clash("files[0].path", "files[1].path");
        command(put("files.1.path", Value::path(path)), &wanted);
    }
    module(
        |file| {
            file.at("module").remove("wasm");
            let beside = Value::dict([
                ("bytes", Value::Integer(9)),
                ("path", Value::path("words")),
                ("sha256", Value::Bytes(vec![0; 32])),
            ]);
            file.at("module").put("file", beside);
        },
        &clash("inputs[0].path", "module.file.path"),
    );
    // What lies beside the file and what is made are in folders of their own.
    let mut apart = of_command();
    *apart.at("inputs.0.path") = Value::path("a/b");
    assert!(ValidatedTaskFile::decode(&apart.write()).is_ok());
}

#[test]
fn every_field_that_must_be_there_is_missed() {
    for name in ["files", "name", "piece-bytes", "pieces", "version"] {
        command(|file| file.remove(name), &format!("`{name}` is missing"));
    }
    for name in ["disk", "memory", "seconds", "shell"] {
        let wanted = format!("`command.{name}` is missing");
        command(|file| file.at("command").remove(name), &wanted);
    }
    for name in ["fuel", "memory"] {
        let wanted = format!("`module.{name}` is missing");
        module(|file| file.at("module").remove(name), &wanted);
    }
    for name in ["amount", "genesis", "job"] {
        let wanted = format!("`bounty.{name}` is missing");
        module(|file| file.at("bounty").remove(name), &wanted);
    }
    for name in ["parts", "path"] {
        let wanted = format!("`files[1].{name}` is missing");
        command(|file| file.at("files.1").remove(name), &wanted);
    }
    for name in ["bytes", "path", "sha256"] {
        let wanted = format!("`inputs[0].{name}` is missing");
        command(|file| file.at("inputs.0").remove(name), &wanted);
    }
}

#[test]
fn either_command_or_module_and_either_inside_or_beside() {
    let wanted = "there must be `command` or `module`, and not both";
    command(|file| file.remove("command"), wanted);
    module(
        |file| file.put("command", of_command().at("command").clone()),
        wanted,
    );
    let wanted = "there must be `module.wasm` or `module.file`, and not both";
    module(|file| file.at("module").remove("wasm"), wanted);
    let input = of_command().at("inputs.0").clone();
    let small = |file: &mut Value| *file.at("bytes") = Value::Integer(4);
    module(
        |file| {
            let mut beside = input;
            small(&mut beside);
            file.at("module").put("file", beside);
        },
        wanted,
    );
}

#[test]
fn what_only_the_other_kind_of_work_has_is_refused() {
    command(
        |file| file.put("bounty", of_module().at("bounty").clone()),
        "`bounty` cannot be where `command` is: nobody could run a command again bit for bit, and so say who is to be paid",
    );
    module(
        |file| file.put("check", Value::text("true")),
        "`check` cannot be where `module` is: a module answers alike everywhere, so its results are the same if their bytes are",
    );
}

#[test]
fn numbers_beyond_their_limits_are_refused() {
    let day = (1, 86_400);
    let terabyte = 1i128 << 40;
    let of_command: [(&str, &str, (i128, i128)); 6] = [
        ("piece-bytes", "piece-bytes", (1, 1 << 24)),
        ("command.seconds", "command.seconds", day),
        ("command.memory", "command.memory", (1, terabyte)),
        ("command.disk", "command.disk", (0, terabyte)),
        ("inputs.0.bytes", "inputs[0].bytes", (0, terabyte)),
        ("files.0.parts", "files[0].parts", (1, 1 << 20)),
    ];
    for (way, name, (min, max)) in of_command {
        for number in [min - 1, max + 1, i128::from(u64::MAX) + 1 + min] {
            let wanted = format!("`{name}` is {number}, and must be from {min} to {max}");
            command(put(way, Value::Integer(number)), &wanted);
        }
    }
    for number in [0, (1 << 24) + 1] {
        module(
            |file| {
                let mut beside = file.at("inputs.0").clone();
                *beside.at("bytes") = Value::Integer(number);
                *beside.at("path") = Value::path("program.wasm");
                file.at("module").remove("wasm");
                file.at("module").put("file", beside);
            },
            &format!("`module.file.bytes` is {number}, and must be from 1 to 16777216"),
        );
    }
    let all_digits = 10i128.pow(38) - 1;
    let of_module = [
        ("module.fuel", (1, 10_000_000_000_000)),
        ("module.memory", (1, 1 << 32)),
        ("bounty.amount", (1, all_digits)),
    ];
    for (way, (min, max)) in of_module {
        for number in [min - 1, -max] {
            let wanted = format!("`{way}` is {number}, and must be from {min} to {max}");
            module(put(way, Value::Integer(number)), &wanted);
        }
    }
}

#[test]
fn lists_are_neither_empty_nor_longer_than_they_may_be() {
    for (way, most) in [
        ("bootstrap", 64),
        ("trackers", 16),
        ("inputs", 4_096),
        ("files", 4_096),
    ] {
        let wanted = format!("`{way}` is empty; leave it out, or fill it");
        command(put(way, Value::List(vec![])), &wanted);
        let wanted = format!("`{way}` has more than the {most} entries that it may have");
        let entry = of_command().at(way).at("0").clone();
        let full = Value::List(vec![entry; most + 1]);
        command(put(way, full), &wanted);
    }
    let most = Value::List(vec![Value::text("a"); 257]);
    let wanted = "`module.arguments` has more than the 256 entries that it may have";
    module(put("module.arguments", most), wanted);
    let long = Value::List(vec![Value::text(&"a".repeat(40_000)); 2]);
    let wanted = "`module.arguments` has 80000 bytes, and must have from 1 to 65536";
    module(put("module.arguments", long), wanted);
}

#[test]
fn texts_that_are_none_are_refused() {
    let wanted = |name: &str, why: &str| format!("`{name}` is no text as it must be: {why}");
    for way in ["name", "command.shell", "check"] {
        let nul = Value::text("a\0");
        let why = "it has the character U+0000, which is not seen or ends texts";
        command(put(way, nul), &wanted(way, why));
        command(put(way, Value::text("")), &wanted(way, "it is empty"));
        let no_text = Value::Bytes(vec![0xff]);
        command(put(way, no_text), &wanted(way, "it is no UTF-8"));
    }
    let long = Value::text(&"x".repeat(65_537));
    let why = "it has 65537 bytes, and at most 65536 are allowed";
    command(put("command.shell", long), &wanted("command.shell", why));
    let long = Value::text(&"x".repeat(256));
    let why = "it has 256 bytes, and at most 255 are allowed";
    command(put("name", long), &wanted("name", why));
    let why = "it has the character U+001B, which is not seen or ends texts";
    command(put("name", Value::text("\u{1b}[2J")), &wanted("name", why));
}

#[test]
fn addresses_digests_and_names_of_jobs_that_are_none_are_refused() {
    command(
        put("bootstrap.0", Value::text("/ip4/192.0.2.1/tcp/4001")),
        "`bootstrap[0]` is no address of a peer: it does not end with /p2p/ and the peer's name",
    );
    command(
        put("trackers.0", Value::text("file:///etc/passwd")),
        "`trackers[0]` is no URL of a tracker: it does not begin with http:// or https://",
    );
    let short = || Value::Bytes(vec![0; 31]);
    command(
        put("inputs.0.sha256", short()),
        "`inputs[0].sha256` has 31 bytes, and must have from 32 to 32",
    );
    for way in ["bounty.genesis", "bounty.job"] {
        let wanted = format!("`{way}` has 31 bytes, and must have from 32 to 32");
        module(put(way, short()), &wanted);
    }
    let empty = Value::Bytes(vec![]);
    module(
        put("module.wasm", empty),
        "`module.wasm` is empty; leave it out, or fill it",
    );
}

#[test]
fn a_later_version_is_told_whatever_else_is_in_it() {
    let later = Value::dict([("name", Value::Integer(3)), ("version", Value::Integer(2))]);
    let wanted = "the task file has version 2, and this program knows 1; take a newer program";
    assert_eq!(refusal(&later), wanted);
}

#[test]
fn other_kinds_of_values_are_refused_where_they_are() {
    for way in [
        "bootstrap",
        "command",
        "files",
        "files.0",
        "files.0.parts",
        "inputs",
        "inputs.0",
        "name",
        "pieces",
        "piece-bytes",
        "trackers",
        "version",
        "check",
        "command.shell",
    ] {
        let mut file = of_command();
        let is_integer = matches!(file.at(way), Value::Integer(_));
        *file.at(way) = match is_integer {
            true => Value::text("1"),
            false => Value::Integer(1),
        };
        let name = way.replace(".0", "[0]");
        let words = refusal(&file);
        let found = if is_integer { "a string" } else { "an integer" };
        let begin = format!("`{name}` is {found}, and must be ");
        assert!(words.starts_with(&begin), "{words}");
    }
    assert_eq!(
        refusal(&Value::List(vec![])),
        "`the file` is a list, and must be a dictionary"
    );
}

#[test]
fn more_unknown_keys_than_there_may_be_are_refused() {
    let mut file = of_command();
    for at in 0..OTHER_KEYS_MAX {
        file.put(&format!("x{at}"), Value::Integer(0));
    }
    assert!(ValidatedTaskFile::decode(&file.write()).is_ok());
    file.put("y", Value::Integer(0));
    assert_eq!(refusal(&file), "`the file` has more than 1024 unknown keys");
}

#[test]
fn huge_files_are_refused_unread() {
    let huge = vec![b'l'; TASK_FILE_BYTES_MAX + 1];
    let bytes = huge.len();
    assert_eq!(refused(&huge), TaskFileError::Long { bytes });
    // As long as it may be, and as deep as it is long.
    let deep = refused(&huge[1..]);
    assert!(matches!(deep, TaskFileError::Kind { .. }), "{deep}");
    let mut file = of_command();
    let room = TASK_FILE_BYTES_MAX - file.write().len() - "1:x4000000:".len();
    file.put("x", Value::Bytes(vec![0; room]));
    assert_eq!(file.write().len(), TASK_FILE_BYTES_MAX);
    assert!(ValidatedTaskFile::decode(&file.write()).is_ok());
}

#[test]
fn deeply_nested_files_are_refused() {
    let nested = |depth: usize| {
        let nest = |inner, _| Value::List(vec![inner]);
        (0..depth).fold(Value::Integer(0), nest)
    };
    let mut file = of_command();
    file.put("x", nested(7));
    assert!(ValidatedTaskFile::decode(&file.write()).is_ok());
    file.put("x", nested(8));
    let error = refused(&file.write());
    assert!(matches!(
        error,
        TaskFileError::Bencode(BencodeError::Deep { .. })
    ));
    for open in ["d1:a", "l"] {
        let bytes = ["d1:x", &open.repeat(1_000_000)].concat();
        let error = refused(bytes.as_bytes());
        assert!(matches!(
            error,
            TaskFileError::Bencode(BencodeError::Deep { .. })
        ));
    }
}

#[test]
fn lengths_that_are_announced_and_not_there_are_refused() {
    for length in ["9", "4194304", "4294967296", "18446744073709551615"] {
        for before in ["d", "d4:name", "d7:commandd5:shell", "d5:filesld4:pathl"] {
            let bytes = format!("{before}{length}:x");
            let error = refused(bytes.as_bytes());
            let is_beyond = matches!(error, TaskFileError::Bencode(BencodeError::Beyond { .. }));
            assert!(is_beyond, "{bytes}: {error}");
        }
    }
}

#[test]
fn a_file_that_ends_early_or_late_is_refused() {
    for file in [of_command().write(), of_module().write()] {
        for end in 0..file.len() {
            let error = refused(&file[..end]);
            assert!(matches!(error, TaskFileError::Bencode(_)), "{end}: {error}");
        }
        let error = refused(&[&file[..], b"e"].concat());
        let at = file.len();
        assert_eq!(error, TaskFileError::Bencode(BencodeError::Trailing { at }));
    }
}

#[test]
fn a_key_that_is_there_twice_or_out_of_order_is_refused() {
    let file = of_command().write();
    let text = String::from_utf8(file).unwrap();
    let twice = text.replace("6:piecesi7e", "6:piecesi7e6:piecesi7e");
    let swapped = text.replace(
        "11:piece-bytesi1048576e6:piecesi7e",
        "6:piecesi7e11:piece-bytesi1048576e",
    );
    for text in [twice, swapped] {
        let error = refused(text.as_bytes());
        assert!(matches!(
            error,
            TaskFileError::Bencode(BencodeError::Unordered { .. })
        ));
    }
}
