//! What a program finds when it calls WASI.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use quern_sandbox::{Cancel, Class, DIAGNOSTICS_BYTES_MAX, Exit, Invocation, Limits, Outcome};
use support::{SEED, compile, engine, invocation, limits, module, wasm};

const BAD_FILE: u32 = 8;
const FAULT: u32 = 21;
const INVALID: u32 = 28;
const NOT_DIRECTORY: u32 = 54;
const NOT_SOCKET: u32 = 57;
const NOT_SUPPORTED: u32 = 58;
const NOT_SEEKABLE: u32 = 70;

/// All functions of preview 1 with their types, written down from the specification and not from
/// the code: one letter for each parameter, i for i32 and l for i64.
const PREVIEW1: [(&str, &str); 46] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// A program that makes these calls in order and prints the 4 bytes of what each returned. The
/// function is imported under its real type; arguments are integers.
fn calling(calls: &[(&str, &[i64])]) -> String {
    let mut imports = String::new();
    let mut body = String::new();
    for (name, kinds) in PREVIEW1 {
        let parameters: Vec<_> = kinds
            .chars()
            .map(|kind| if kind == 'i' { "i32" } else { "i64" })
            .collect();
        let result = if name == "proc_exit" {
            ""
        } else {
            "(result i32)"
        };
        imports += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {}) {result}))\n",
            parameters.join(" ")
        );
    }
    for (place, (name, arguments)) in calls.iter().enumerate() {
        let kinds = PREVIEW1.iter().find(|(known, _)| known == name).unwrap().1;
        assert_eq!(kinds.len(), arguments.len(), "{name}");
        let arguments: String = kinds
            .chars()
            .zip(*arguments)
            .map(|(kind, value)| {
                format!(
                    "({} {value})",
                    if kind == 'i' {
                        "i32.const"
                    } else {
                        "i64.const"
                    }
                )
            })
            .collect();
        body += &format!(
            "(i32.store (i32.const {}) (call ${name} {arguments}))\n",
            64_000 + 4 * place
        );
    }
    let bytes = calls.len() * 4;
    format!(
        r#"(module {imports} (memory (export "memory") 1)
            (data (i32.const 60000) "hello world")
            (func (export "_start") {body}
                ;; Standard output may have been closed by the calls; number 2 is always left open.
                (i32.store (i32.const 65000) (i32.const 64000))
                (i32.store (i32.const 65004) (i32.const {bytes}))
                (drop (call $fd_write (i32.const 2) (i32.const 65000) (i32.const 1) (i32.const 65008)))))"#
    )
}

/// What each of these calls returned.
fn answers(calls: &[(&str, &[i64])], input: &[u8]) -> Vec<u32> {
    let outcome = compile(&calling(calls))
        .run(&invocation(input), &limits(), &Cancel::new())
        .unwrap();
    assert_eq!(outcome.exit, Exit::Success);
    let words = outcome.diagnostics.chunks_exact(4);
    words
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

fn answer(name: &str, arguments: &[i64]) -> u32 {
    answers(&[(name, arguments)], b"input")[0]
}

#[test]
fn all_46_functions_link_under_the_types_of_the_specification() {
    let program = wasm(&calling(&[]));
    assert_eq!(quern_sandbox::inspect(&program).unwrap().imports.len(), 46);
    for class in [Class::Pinned, Class::Portable] {
        engine(class).compile(&program).unwrap();
    }
}

#[test]
fn no_function_trusts_an_address_or_a_number() {
    // Every function, with every parameter at its most hostile, must answer or end the run; the
    // memory has a page, so the largest addresses are far outside.
    for hostile in [-1i64, i64::from(i32::MAX), 65_535, 65_536, 0x7fff_fff8] {
        for (name, kinds) in PREVIEW1 {
            if name == "proc_exit" {
                continue;
            }
            for victim in 0..=kinds.len() {
                let arguments: Vec<i64> = kinds
                    .char_indices()
                    .map(|(place, _)| {
                        if place == victim || victim == kinds.len() {
                            hostile
                        } else {
                            1
                        }
                    })
                    .collect();
                let program = compile(&calling(&[(name, &arguments)]));
                let limits = Limits {
                    fuel: 10_000_000,
                    ..limits()
                };
                let outcome = program
                    .run(&invocation(b"input"), &limits, &Cancel::new())
                    .unwrap();
                assert!(
                    matches!(
                        outcome.exit,
                        Exit::Success | Exit::OutOfFuel | Exit::OutputLimit
                    ),
                    "{name} {arguments:?}: {}",
                    outcome.exit
                );
            }
        }
    }
}

#[test]
fn bad_addresses_are_answered_with_a_fault() {
    let out = 65_533;
    for (name, arguments) in [
        ("args_get", &[out, 0][..]),
        ("args_get", &[0, 65_530]),
        ("args_get", &[0, -1]),
        ("args_sizes_get", &[0, out]),
        ("environ_sizes_get", &[out, 0]),
        ("clock_time_get", &[0, 0, 65_529]),
        ("clock_res_get", &[0, 65_529]),
        ("fd_fdstat_get", &[0, 65_513]),
        ("fd_filestat_get", &[0, 65_473]),
        ("fd_seek", &[0, 0, 0, 65_529]),
        ("fd_tell", &[0, 65_529]),
        ("fd_read", &[0, 65_529, 1, 0]),
        ("fd_write", &[1, 65_529, 1, 0]),
        ("fd_write", &[1, 0, 0, out]),
        ("random_get", &[65_000, 1_000]),
        ("random_get", &[-1, -1]),
        ("poll_oneoff", &[65_500, 0, 1, 0]),
    ] {
        assert_eq!(answer(name, arguments), FAULT, "{name} {arguments:?}");
    }
}

#[test]
fn the_three_streams_are_open_and_nothing_else_is() {
    for fd in [3, 4, 1_000, -1] {
        assert_eq!(answer("fd_prestat_get", &[fd, 0]), BAD_FILE);
        assert_eq!(answer("fd_prestat_dir_name", &[fd, 0, 8]), BAD_FILE);
        assert_eq!(answer("fd_read", &[fd, 0, 0, 0]), BAD_FILE);
        assert_eq!(answer("fd_write", &[fd, 0, 0, 0]), BAD_FILE);
        assert_eq!(answer("fd_close", &[fd]), BAD_FILE);
        assert_eq!(answer("fd_fdstat_get", &[fd, 0]), BAD_FILE);
        assert_eq!(answer("path_open", &[fd, 0, 0, 1, 0, 0, 0, 0, 0]), BAD_FILE);
    }
    assert_eq!(answer("fd_read", &[1, 0, 0, 0]), BAD_FILE);
    assert_eq!(answer("fd_write", &[0, 0, 0, 0]), BAD_FILE);
    assert_eq!(answer("fd_prestat_get", &[0, 0]), BAD_FILE);
}

#[test]
fn files_directories_sockets_and_signals_are_answered_as_where_there_are_none() {
    assert_eq!(
        answer("path_open", &[0, 0, 60_000, 5, 0, 0, 0, 0, 0]),
        NOT_DIRECTORY
    );
    assert_eq!(answer("path_unlink_file", &[1, 60_000, 5]), NOT_DIRECTORY);
    assert_eq!(
        answer("path_symlink", &[60_000, 5, 1, 60_000, 5]),
        NOT_DIRECTORY
    );
    assert_eq!(answer("fd_readdir", &[0, 0, 100, 0, 200]), NOT_DIRECTORY);
    assert_eq!(answer("sock_send", &[1, 0, 0, 0, 0]), NOT_SOCKET);
    assert_eq!(answer("sock_accept", &[0, 0, 0]), NOT_SOCKET);
    assert_eq!(answer("proc_raise", &[6]), NOT_SUPPORTED);
    assert_eq!(answer("fd_filestat_set_size", &[1, 0]), NOT_SUPPORTED);
    assert_eq!(answer("fd_seek", &[1, 0, 0, 0]), NOT_SEEKABLE);
    assert_eq!(answer("fd_pwrite", &[1, 0, 0, 0, 0]), NOT_SEEKABLE);
    assert_eq!(answer("fd_seek", &[0, -1, 0, 0]), INVALID);
    assert_eq!(answer("fd_seek", &[0, 0, 9, 0]), INVALID);
    assert_eq!(answer("clock_time_get", &[4, 0, 0]), INVALID);
    assert_eq!(answer("poll_oneoff", &[0, 0, 0, 0]), INVALID);
    assert_eq!(answer("fd_write", &[1, 0, 1_025, 0]), INVALID);
    assert_eq!(answer("sched_yield", &[]), 0);
    assert_eq!(answer("fd_sync", &[1]), 0);
    assert_eq!(answer("fd_fdstat_set_flags", &[1, 4]), 0);
    assert_eq!(answer("fd_fdstat_set_flags", &[1, 32]), INVALID);
}

#[test]
fn a_closed_stream_stays_closed() {
    let calls: [(&str, &[i64]); 4] = [
        ("fd_close", &[1]),
        ("fd_write", &[1, 0, 0, 0]),
        ("fd_close", &[1]),
        ("fd_renumber", &[0, 1]),
    ];
    assert_eq!(answers(&calls, b""), [0, BAD_FILE, BAD_FILE, BAD_FILE]);
}

#[test]
fn a_renumbered_stream_is_found_under_its_new_number_only() {
    let text = calling(&[
        ("fd_renumber", &[1, 2]),
        ("fd_write", &[1, 0, 0, 0]),
        ("fd_renumber", &[2, 2]),
    ]);
    let outcome = compile(&text)
        .run(&invocation(b""), &limits(), &Cancel::new())
        .unwrap();
    let answers: Vec<u8> = [0, BAD_FILE, 0]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    assert_eq!(outcome.output, answers);
    assert!(outcome.diagnostics.is_empty());
}

fn run(body: &str, input: &[u8]) -> Outcome {
    compile(&module(body))
        .run(&invocation(input), &limits(), &Cancel::new())
        .unwrap()
}

#[test]
fn input_is_read_in_pieces_to_its_end_and_output_is_what_was_written() {
    // Copies the input to the output through two buffers of 3 and 5 bytes.
    let outcome = run(
        r#"(func (export "_start")
            (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 3))
            (i32.store (i32.const 8) (i32.const 103)) (i32.store (i32.const 12) (i32.const 5))
            (loop $more
                (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 16)))
                (call $print (i32.const 100) (i32.load (i32.const 16)))
                (br_if $more (i32.load (i32.const 16)))))"#,
        b"the quick brown fox jumps over the lazy dog",
    );
    assert_eq!(outcome.exit, Exit::Success);
    assert_eq!(
        outcome.output,
        b"the quick brown fox jumps over the lazy dog"
    );
}

#[test]
fn exit_codes_are_kept_whole() {
    for (code, exit) in [
        (0, Exit::Success),
        (1, Exit::Code(1)),
        (255, Exit::Code(255)),
        (-1, Exit::Code(-1)),
    ] {
        let body =
            format!(r#"(func (export "_start") (call $proc_exit (i32.const {code})) unreachable)"#);
        assert_eq!(run(&body, b"").exit, exit);
    }
}

#[test]
fn the_end_of_standard_error_is_kept() {
    let outcome = run(
        r#"(func (export "_start") (local $i i32)
            (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 5000))
            (loop $more
                (memory.fill (i32.const 100) (i32.add (i32.const 97) (local.get $i)) (i32.const 5000))
                (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 26)))))"#,
        b"",
    );
    assert_eq!(outcome.diagnostics.len(), DIAGNOSTICS_BYTES_MAX);
    assert!(outcome.diagnostics.ends_with(&[b'z'; 5_000]));
    assert_eq!(outcome.diagnostics[0], b'w');
    assert!(outcome.output.is_empty());
}

/// Prints 40 bytes of randomness in two draws, and the time before and after.
const CHANCE_AND_TIME: &str = r#"(func (export "_start")
    (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))
    (drop (call $random_get (i32.const 8) (i32.const 13)))
    (drop (call $random_get (i32.const 21) (i32.const 27)))
    (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 48)))
    (call $print (i32.const 0) (i32.const 56)))"#;

#[test]
fn randomness_follows_from_the_seed_and_time_from_the_fuel() {
    let program = compile(&module(CHANCE_AND_TIME));
    let with = |seed| {
        let invocation = Invocation::new(b"".to_vec(), seed);
        program
            .run(&invocation, &limits(), &Cancel::new())
            .unwrap()
            .output
    };
    let output = with(SEED);
    assert_eq!(output, with(SEED));
    let other = with([8; 32]);
    assert_ne!(output[8..48], other[8..48]);
    assert_eq!(output[..8], other[..8]);

    let time = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let (before, after) = (time(&output[..8]), time(&output[48..]));
    let year_2000 = 946_684_800_000_000_000;
    assert!(
        (year_2000..year_2000 + 1_000_000).contains(&before),
        "{before}"
    );
    assert!(before < after && after < year_2000 + 1_000_000, "{after}");
}

#[test]
fn a_sleeper_finds_its_time_come_without_anyone_waiting() {
    // Sleeps an hour, for which the machine's own limit would be far too short.
    let text = calling(&[
        ("clock_time_get", &[1, 0, 1_000]),
        ("poll_oneoff", &[0, 512, 1, 600]),
        ("clock_time_get", &[1, 0, 1_008]),
    ])
    .replace(
        "(data (i32.const 60000)",
        // Token 9; a clock, the monotonic one; 3,600 seconds from now.
        r#"(data (i32.const 0) "\09\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\a0\b8\30\46\03\00\00")
           (data (i32.const 60000)"#,
    )
    .replace("(i32.const 64000))", "(i32.const 512))")
    .replace("(i32.store (i32.const 65004) (i32.const 12))", "(i32.store (i32.const 65004) (i32.const 512))");
    let outcome = compile(&text)
        .run(&invocation(b""), &limits(), &Cancel::new())
        .unwrap();
    assert_eq!(outcome.exit, Exit::Success);
    let at = |place: usize| &outcome.diagnostics[place - 512..];
    // One event: the token, no error, a clock.
    assert_eq!(
        at(512)[..16],
        [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(at(600)[..4], [1, 0, 0, 0]);
    let time = |place| u64::from_le_bytes(at(place)[..8].try_into().unwrap());
    let slept = time(1_008) - time(1_000);
    assert!(
        (3_600_000_000_000..3_600_001_000_000).contains(&slept),
        "{slept}"
    );
}

#[test]
fn arguments_and_environment_arrive_as_given() {
    let text = calling(&[
        ("args_sizes_get", &[512, 516]),
        ("args_get", &[520, 600]),
        ("environ_sizes_get", &[700, 704]),
        ("environ_get", &[708, 800]),
    ])
    .replace("(i32.const 64000))", "(i32.const 512))")
    .replace(
        "(i32.store (i32.const 65004) (i32.const 16))",
        "(i32.store (i32.const 65004) (i32.const 512))",
    );
    let invocation = invocation(b"")
        .with_arguments(["--top", "10 words"])
        .unwrap()
        .with_environment([("LANG", "C"), ("EMPTY", "")])
        .unwrap();
    let outcome = compile(&text)
        .run(&invocation, &limits(), &Cancel::new())
        .unwrap();
    let at = |place: usize| &outcome.diagnostics[place - 512..];
    let word = |place| u32::from_le_bytes(at(place)[..4].try_into().unwrap());
    assert_eq!((word(512), word(516)), (3, 23));
    assert!(at(600).starts_with(b"program\0--top\x0010 words\0"));
    assert_eq!([word(520), word(524), word(528)], [600, 608, 614]);
    assert_eq!((word(700), word(704)), (2, 14));
    assert!(at(800).starts_with(b"LANG=C\0EMPTY=\0"));
    assert_eq!([word(708), word(712)], [800, 807]);
}
