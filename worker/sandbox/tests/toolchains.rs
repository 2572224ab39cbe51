//! Programs as people build them: with a C compiler and with Rust's, unchanged.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod support;

use quern_sandbox::{Cancel, Class, Exit, Invocation};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};
use support::{engine, invocation, limits};

/// Builds a program with a compiler of this machine. `None`, said aloud, if the compiler or what
/// it needs for WebAssembly is not installed; a failure if it is there and does not accept the
/// source.
fn build(
    name: &str,
    source: &str,
    compiler: &str,
    options: &[&str],
    mend: &str,
) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let probe = r#"int main(void) { return 0; }"#;
    let is_rust = name.ends_with(".rs");
    let compile = |file: &str, text: &str| -> Result<Vec<u8>, String> {
        let (from, to): (PathBuf, PathBuf) =
            (folder.path().join(file), folder.path().join("out.wasm"));
        fs::write(&from, text).unwrap();
        let run = Command::new(compiler)
            .args(options)
            .arg("-o")
            .arg(&to)
            .arg(&from)
            .stdin(Stdio::null())
            .output();
        let run = run.map_err(|error| error.to_string())?;
        if !run.status.success() {
            return Err(String::from_utf8_lossy(&run.stderr).into_owned());
        }
        Ok(fs::read(to).unwrap())
    };
    let (probe_file, probe_text) = if is_rust {
        ("probe.rs", "fn main() {}")
    } else {
        ("probe.c", probe)
    };
    if let Err(error) = compile(probe_file, probe_text) {
        eprintln!(
            "SKIPPED: {name} was not built, because `{compiler}` cannot build for WebAssembly here. {mend}\n{error}"
        );
        return None;
    }
    Some(compile(name, source).unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn build_c(name: &str, source: &str) -> Option<Vec<u8>> {
    let mend = "Install clang, lld, wasi-libc and libclang-rt-14-dev-wasm32.";
    build(
        name,
        source,
        "clang",
        &["--target=wasm32-wasi", "-O2"],
        mend,
    )
}

fn build_rust(name: &str, source: &str) -> Option<Vec<u8>> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let mend = "Add the target: rustup target add wasm32-wasip1.";
    build(
        name,
        source,
        &rustc,
        &["--target=wasm32-wasip1", "--edition=2021", "-O"],
        mend,
    )
}

const C_PROGRAM: &str = r#"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

/* Sorts the lines of its input, and shows what else it finds. */
int main(int argc, char **argv) {
    char *lines[1000], buffer[256];
    int count = 0;
    while (fgets(buffer, sizeof buffer, stdin)) {
        buffer[strcspn(buffer, "\n")] = 0;
        lines[count++] = strdup(buffer);
    }
    qsort(lines, count, sizeof *lines, compare);
    for (int i = 0; i < count; i++) printf("%s\n", lines[i]);
    printf("%d %s %s %s\n", argc, argv[0], argv[1], getenv("GREETING"));
    printf("%.6f %.3e\n", sqrt(2.0), exp(10.0));
    struct stat stat;
    printf("stdin %lld bytes, regular %d\n", fstat(0, &stat) ? -1LL : (long long)stat.st_size, S_ISREG(stat.st_mode));
    printf("terminal %d\n", isatty(1));
    time_t now = time(0);
    printf("year %d\n", 1900 + gmtime(&now)->tm_year);
    FILE *file = fopen("/etc/passwd", "r");
    printf("file %s\n", file ? "open" : strerror(errno));
    rewind(stdin);
    printf("first byte again %c\n", getchar());
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (volatile int i = 0; i < 100000; i++) {}
    clock_gettime(CLOCK_MONOTONIC, &after);
    printf("time passes %d\n", after.tv_nsec > before.tv_nsec);
    sleep(3600);
    void *volatile huge = malloc(3000000000u);
    printf("huge %s\n", huge ? "granted" : "refused");
    fprintf(stderr, "done\n");
    return 7;
}
"#;

#[test]
fn a_c_program_runs_unchanged() {
    let Some(program) = build_c("sort.c", C_PROGRAM) else {
        return;
    };
    let invocation = Invocation::new(b"pear\napple\nfig\n".to_vec(), support::SEED)
        .with_arguments(["first"])
        .unwrap()
        .with_environment([("GREETING", "hello")])
        .unwrap();
    for class in [Class::Pinned, Class::Portable] {
        let program = engine(class).compile(&program).unwrap();
        let outcome = program.run(&invocation, &limits(), &Cancel::new()).unwrap();
        let output = String::from_utf8(outcome.output).unwrap();
        assert_eq!(
            output.lines().collect::<Vec<_>>(),
            [
                "apple",
                "fig",
                "pear",
                "2 program first hello",
                "1.414214 2.203e+04",
                "stdin 15 bytes, regular 1",
                "terminal 0",
                "year 2000",
                "file Capabilities insufficient",
                "first byte again p",
                "time passes 1",
                "huge refused",
            ]
        );
        assert_eq!(outcome.exit, Exit::Code(7));
        assert_eq!(outcome.diagnostics, b"done\n");
    }
}

const RUST_PROGRAM: &str = r#"
use std::{collections::HashMap, io::{Read, Write}, time::{Duration, Instant}};

/// Counts words, in a map whose hashes are seeded by the host.
fn main() {
    let start = Instant::now();
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let mut out = std::io::stdout().lock();
    // In the order of the map, which randomness decides.
    for (word, count) in &counts {
        writeln!(out, "{count} {word}").unwrap();
    }
    std::thread::sleep(Duration::from_secs(60));
    writeln!(out, "slept {}", start.elapsed() >= Duration::from_secs(60)).unwrap();
    assert!(std::fs::read("/etc/passwd").is_err());
    assert!(std::net::TcpStream::connect("127.0.0.1:1").is_err());
    if std::env::args().nth(1).is_some() {
        panic!("as asked");
    }
}
"#;

#[test]
fn a_rust_program_runs_unchanged_and_its_panic_is_seen() {
    let Some(program) = build_rust("count.rs", RUST_PROGRAM) else {
        return;
    };
    let program = engine(Class::Pinned).compile(&program).unwrap();
    let words = (0..200)
        .map(|word| format!("w{} ", word % 50))
        .collect::<String>();
    let run = |invocation: &Invocation| program.run(invocation, &limits(), &Cancel::new()).unwrap();

    let outcome = run(&invocation(words.as_bytes()));
    assert_eq!(outcome.exit, Exit::Success);
    let output = String::from_utf8(outcome.output.clone()).unwrap();
    let mut lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.pop(), Some("slept true"));
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 50);
    assert!(lines.iter().all(|line| line.starts_with("4 w")));
    // Same seed, same order; another seed, another order.
    assert_eq!(outcome, run(&invocation(words.as_bytes())));
    let other = run(&Invocation::new(words.into_bytes(), [9; 32]));
    assert_ne!(outcome.output, other.output);

    let panicking = invocation(b"").with_arguments(["panic"]).unwrap();
    let outcome = run(&panicking);
    assert!(matches!(outcome.exit, Exit::Trap(_)), "{}", outcome.exit);
    assert!(String::from_utf8_lossy(&outcome.diagnostics).contains("as asked"));
}

const FLOATS_PROGRAM: &str = r#"
use std::io::{Read, Write};

#[derive(Clone, Copy)]
struct Body { place: [f64; 3], speed: [f64; 3], mass: f64 }

/// Lets bodies fall towards each other. Two of them are at one place, so that soon there are NaNs.
fn fall(bodies: &mut [Body], steps: u32) -> f64 {
    let mut nearest = f64::INFINITY;
    for _ in 0..steps {
        for one in 0..bodies.len() {
            for other in 0..bodies.len() {
                if one == other { continue }
                let away: [f64; 3] = std::array::from_fn(|axis| bodies[other].place[axis] - bodies[one].place[axis]);
                let far = away.iter().map(|way| way * way).sum::<f64>().sqrt();
                nearest = nearest.min(far);
                for axis in 0..3 {
                    bodies[one].speed[axis] += away[axis] * bodies[other].mass / far.powi(3) * 0.01;
                }
            }
        }
        for body in bodies.iter_mut() {
            for axis in 0..3 { body.place[axis] += body.speed[axis] * 0.01 }
        }
    }
    nearest
}

fn main() {
    let mut seed = Vec::new();
    std::io::stdin().read_to_end(&mut seed).unwrap();
    let number = |at: usize| f64::from(seed[at % seed.len()]) - 100.0;
    let body = |at: usize| Body { place: [number(at), number(at + 1), number(at + 2)], speed: [0.0; 3], mass: number(at + 3) };
    let mut bodies: Vec<Body> = (0..8).map(body).collect();
    let mut out = std::io::stdout().lock();
    for round in 0..4 {
        if round == 2 { bodies[3].place = bodies[2].place }
        let nearest = fall(&mut bodies, 20);
        for body in &bodies {
            // Numbers as their bits, and NaNs as no more than that.
            for value in body.place.iter().chain(&body.speed).chain([&nearest]) {
                let narrow = (*value as f32).sin();
                writeln!(out, "{value:?} {narrow:?} {} {}", value.max(0.5).floor() as i64, value.total_cmp(&1.0) as i32 * value.is_finite() as i32).unwrap();
            }
        }
    }
}
"#;

#[test]
fn a_rust_program_of_floats_says_the_same_in_both_classes_and_costs_more_in_the_portable_one() {
    let Some(program) = build_rust("fall.rs", FLOATS_PROGRAM) else {
        return;
    };
    let [pinned, portable] = [Class::Pinned, Class::Portable].map(|class| {
        let program = engine(class).compile(&program).unwrap();
        let run = program.run(
            &invocation(b"some bodies in space"),
            &limits(),
            &Cancel::new(),
        );
        run.unwrap()
    });
    assert_eq!(pinned.exit, Exit::Success);
    let text = String::from_utf8(pinned.output.clone()).unwrap();
    assert!(
        text.lines().any(|line| line.starts_with("NaN NaN")),
        "{text}"
    );
    assert!(text.lines().any(|line| !line.starts_with("NaN")), "{text}");
    assert_eq!(text, String::from_utf8(portable.output).unwrap());
    let more = portable.fuel_used.checked_sub(pinned.fuel_used).unwrap();
    assert!(more > 0 && more % 6 == 0, "{more}");
}
