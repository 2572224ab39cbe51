//! Fuzzing the decoders that take bytes from strangers: `tests/fuzz`, with libFuzzer.

use std::{
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    build::put,
    cargo::{Cargo, modest, run, run_beside},
    coverage,
    places::Places,
    setup,
    steps::{Steps, spelled},
};

/// The program that is fuzzed, and the one that writes the corpus.
const FUZZER: &str = "quern-fuzz";
const KEEPER: &str = "quern-fuzz-corpus";

/// Says to the first which target; read by `tests/fuzz/src/main.rs`.
const TARGET: &str = "QUERN_FUZZ_TARGET";

/// Targets that are fuzzed at a time.
const AT_A_TIME: usize = 2;

/// How long each target is fuzzed by `ci` on a machine that does nothing else, by `ci` elsewhere, and by
/// `test --nightly`, in seconds.
const CI_SECONDS: u64 = 60;
const CI_ELSEWHERE_SECONDS: u64 = 5;
pub(crate) const NIGHTLY_SECONDS: u64 = 600;

/// What a target may take beside the time that it is fuzzed: to read its corpus, and to end.
const BESIDE_IT: Duration = Duration::from_secs(60);

/// How long each target is fuzzed, and whether something beside it matters more.
#[derive(Clone, Copy, Debug)]
struct Pace {
    seconds: u64,
    is_modest: bool,
}

impl Pace {
    /// When it is ended, whatever it does.
    fn most(self) -> Duration {
        Duration::from_secs(self.seconds) + BESIDE_IT
    }

    /// Seconds that one input may take: it is a finding too if it takes longer. Who gets what others leave
    /// waits for most of them.
    fn input_seconds(self) -> u64 {
        match self.is_modest {
            true => 30,
            false => 10,
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The corpus with what honest people say.
    Seed,
    /// To fuzz each target for so long, and to keep what was found.
    Fuzz { seconds: u64, minimise: bool },
}

/// `cargo xtask fuzz`.
pub(crate) fn task(
    places: &Places,
    steps: &mut Steps,
    only: Option<&str>,
    wish: Wish,
) -> Result<()> {
    let cargo = setup::all(places, steps)?;
    let chosen = targets(places, only)?;
    let (seconds, minimise) = match wish {
        Wish::Seed => {
            return steps.step("Write what honest people say", || {
                let keeper = Keeper::build(places, &cargo)?;
                chosen
                    .iter()
                    .try_for_each(|target| keeper.keep(target, None))
            });
        }
        Wish::Fuzz { seconds, minimise } => (seconds, minimise),
    };
    let fuzzer = steps.step("Build the fuzz targets, with counters", || {
        Fuzzer::build(places, &cargo, run_loudly)
    })?;
    let pace = Pace {
        seconds,
        is_modest: false,
    };
    steps.part(&title(chosen.len(), seconds), || fuzzer.fuzz(&chosen, pace));
    if minimise {
        steps.part("Keep the fewest inputs that lead as far", || {
            let keeper = Keeper::build(places, &cargo)?;
            chosen
                .iter()
                .try_for_each(|target| keeper.keep(target, Some(&fuzzer.fewest(target)?)))
        });
    }
    steps.conclude()
}

/// Builds and fuzzes every target, beside something else that matters more.
pub(crate) fn beside(places: &Places, cargo: &Cargo) -> Result<()> {
    let fuzzer = Fuzzer::build(places, cargo, |command| {
        run_beside(command, "the first error above is the one to mend")
    })?;
    let pace = Pace {
        seconds: ci_seconds(),
        is_modest: true,
    };
    fuzzer.fuzz(&targets(places, None)?, pace)
}

/// Builds and fuzzes every target, for so long each.
pub(crate) fn every(places: &Places, cargo: &Cargo, seconds: u64) -> Result<()> {
    let fuzzer = Fuzzer::build(places, cargo, run_loudly)?;
    let pace = Pace {
        seconds,
        is_modest: false,
    };
    fuzzer.fuzz(&targets(places, None)?, pace)
}

/// How long `ci` fuzzes each target.
pub(crate) fn ci_seconds() -> u64 {
    let is_alone = std::env::var_os("CI").is_some_and(|it| it == "true");
    match is_alone {
        true => CI_SECONDS,
        false => CI_ELSEWHERE_SECONDS,
    }
}

fn title(targets: usize, seconds: u64) -> String {
    format!("Fuzz {targets} targets, {seconds} s each, {AT_A_TIME} at a time")
}

fn run_loudly(command: &mut Command) -> Result<()> {
    run(command, "the first error above is the one to mend")
}

/// The corpus's folders, which a test of `tests/fuzz` holds to its targets.
fn targets(places: &Places, only: Option<&str>) -> Result<Vec<String>> {
    let corpus = corpus(places);
    let mut targets = Vec::new();
    for entry in fs::read_dir(&corpus)
        .with_context(|| format!("{} cannot be read; is the clone whole?", corpus.display()))?
    {
        let folder = entry?.path();
        if folder.is_dir()
            && let Some(name) = folder.file_name()
        {
            targets.push(name.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    let Some(only) = only else {
        return Ok(targets);
    };
    ensure!(
        targets.iter().any(|target| target == only),
        "there is no target `{only}`; there are {}",
        targets.join(", ")
    );
    Ok(vec![only.to_owned()])
}

fn corpus(places: &Places) -> PathBuf {
    places.root.join("tests/fuzz/corpus")
}

/// The program that writes the corpus. It is built as everything else is: counters would ask for
/// libFuzzer.
struct Keeper {
    program: PathBuf,
    corpus: PathBuf,
}

impl Keeper {
    fn build(places: &Places, cargo: &Cargo) -> Result<Self> {
        let mut build = cargo.locked("build");
        run_loudly(build.args(["--workspace", "--bin", KEEPER]))?;
        Ok(Self {
            program: places.binaries().join(KEEPER),
            corpus: corpus(places),
        })
    }

    /// Has it write a target's folder, with what was found or with what is in it.
    fn keep(&self, target: &str, found: Option<&Path>) -> Result<()> {
        let mut keeper = Command::new(&self.program);
        keeper.arg(&self.corpus).arg(target).args(found);
        run(&mut keeper, "see who owns tests/fuzz/corpus")
    }
}

/// The program that is fuzzed.
struct Fuzzer {
    program: PathBuf,
    corpus: PathBuf,
    /// Where what was found is put. Always inside the workspace, so that a person finds it.
    found: PathBuf,
}

impl Fuzzer {
    /// Builds it, and copies it to where no build without counters replaces it.
    fn build(
        places: &Places,
        cargo: &Cargo,
        run: impl FnOnce(&mut Command) -> Result<()>,
    ) -> Result<Self> {
        let counting = cargo.looking(coverage::install(places)?);
        let mut build = counting.locked("build");
        run(build.args(["--workspace", "--bin", FUZZER]))?;
        let found = places.root.join("target/fuzz");
        fs::create_dir_all(&found)
            .with_context(|| format!("{} cannot be made; see who owns it", found.display()))?;
        let program = found.join(FUZZER);
        put(&places.binaries().join(FUZZER), &program)?;
        Ok(Self {
            program,
            corpus: corpus(places),
            found,
        })
    }

    /// Fuzzes some targets, and says of each how far it came. Fails if one of them found something, when
    /// all have ended.
    fn fuzz(&self, targets: &[String], pace: Pace) -> Result<()> {
        let left = Mutex::new(targets.iter());
        let failed = Mutex::new(Vec::new());
        let next = || left.lock().ok().and_then(|mut left| left.next());
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 0..AT_A_TIME.min(cores) {
                scope.spawn(|| {
                    while let Some(target) = next() {
                        if let Err(error) = self.fuzz_one(target, pace)
                            && let Ok(mut failed) = failed.lock()
                        {
                            failed.push(format!("{error:#}"));
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap_or_default();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("{}", failed.join("\n"));
    }

    fn fuzz_one(&self, target: &str, pace: Pace) -> Result<()> {
        let found = self.folder_of(target, "found")?;
        let crashes = self.folder_of(target, "crashes")?;
        let mut fuzzer = self.fuzzer(target);
        fuzzer
            .arg(format!("-max_total_time={}", pace.seconds))
            .arg(format!("-timeout={}", pace.input_seconds()))
            .args(["-rss_limit_mb=1024"])
            .arg(format!("-max_len={}", bytes_max(target)))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/", crashes.display()))
            // What is new goes into the first.
            .args([&found, &self.corpus.join(target)]);
        if pace.is_modest {
            fuzzer = modest(&fuzzer);
        }
        let file = self.found.join(target).join("said");
        let ended = run_within(&mut fuzzer, &file, pace.most())
            .with_context(|| format!("{} cannot be started", self.program.display()))?;
        let said = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let said = String::from_utf8_lossy(&said);
        if ended.is_some_and(|status| status.success()) {
            println!("    {target}: {}", Told::by(&said));
            return Ok(());
        }
        // For people, the end says why.
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.len().saturating_sub(60);
        eprintln!("{}", lines[last..].join("\n"));
        match ended {
            Some(_) => bail!("{target}: {}", self.repeat(target, &said, &crashes)),
            None => bail!(
                "{target}: it had not ended after {}; `cargo xtask fuzz {target}` fuzzes it alone",
                spelled(pace.most())
            ),
        }
    }

    /// The command that makes it happen again.
    fn repeat(&self, target: &str, said: &str, crashes: &Path) -> String {
        let file = said
            .lines()
            .filter_map(|line| line.split("Test unit written to ").nth(1))
            .next_back()
            .map_or_else(|| crashes.join("…").display().to_string(), str::to_owned);
        let fuzzer = self.program.display();
        format!(
            "something does not hold; `{TARGET}={target} {fuzzer} {file}` makes it happen again"
        )
    }

    /// A folder with the fewest inputs that lead as far as the corpus and all that was found.
    fn fewest(&self, target: &str) -> Result<PathBuf> {
        let found = self.folder_of(target, "found")?;
        let fewest = self.folder_of(target, "fewest")?;
        fs::remove_dir_all(&fewest)
            .and_then(|()| fs::create_dir_all(&fewest))
            .with_context(|| format!("{} cannot be emptied", fewest.display()))?;
        let mut fuzzer = self.fuzzer(target);
        fuzzer
            .arg("-set_cover_merge=1")
            .arg(format!("-max_len={}", bytes_max(target)))
            .args([&fewest, &self.corpus.join(target), &found])
            .stderr(Stdio::null());
        run(
            &mut fuzzer,
            "an input of the corpus or of target/fuzz breaks it: run the tests",
        )?;
        Ok(fewest)
    }

    fn fuzzer(&self, target: &str) -> Command {
        let mut fuzzer = Command::new(&self.program);
        fuzzer.env(TARGET, target).stdin(Stdio::null());
        fuzzer
    }

    fn folder_of(&self, target: &str, what: &str) -> Result<PathBuf> {
        let folder = self.found.join(target).join(what);
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made; see who owns it", folder.display()))?;
        Ok(folder)
    }
}

/// Runs a program with what it says of itself in a file, for so long at the most. None if it was ended.
fn run_within(
    command: &mut Command,
    said: &Path,
    most: Duration,
) -> io::Result<Option<ExitStatus>> {
    let mut running = command
        .stdout(Stdio::piped())
        .stderr(fs::File::create(said)?)
        .spawn()?;
    let (runs, ended) = mpsc::sync_channel::<()>(0);
    let output = running.stdout.take();
    thread::spawn(move || {
        // What it prints is of no use, but its output ends when it does, however that is.
        if let Some(mut output) = output {
            let _ = io::copy(&mut output, &mut io::sink());
        }
        drop(runs);
    });
    if ended.recv_timeout(most) == Err(RecvTimeoutError::Disconnected) {
        return running.wait().map(Some);
    }
    running.kill()?;
    running.wait()?;
    Ok(None)
}

/// What libFuzzer told at the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    executions: u64,
    per_second: u64,
    /// Edges of our code that some input led over.
    edges: u64,
    new_inputs: u64,
}

impl Told {
    fn by(said: &str) -> Self {
        let mut told = Self::default();
        for line in said.lines() {
            let number = |text: &str| text.trim().parse().unwrap_or(0);
            if let Some((name, value)) = line.split_once(": ")
                && let Some(name) = name.strip_prefix("stat::")
            {
                match name {
                    "number_of_executed_units" => told.executions = number(value),
                    "average_exec_per_sec" => told.per_second = number(value),
                    "new_units_added" => told.new_inputs = number(value),
                    _ => (),
                }
            } else if let Some((_, rest)) = line.split_once(" cov: ") {
                told.edges = rest.split(' ').next().map_or(told.edges, number);
            }
        }
        told
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            executions,
            per_second,
            edges,
            new_inputs,
        } = self;
        write!(
            f,
            "{executions} inputs tried, {per_second} a second; {edges} edges reached; \
             {new_inputs} inputs led somewhere new"
        )
    }
}

/// Bytes of an input at the most. Evidence and a block of a log may have a list as long as a batch's, of 48 kB; of
/// the others a few kilobytes reach every part of what reads them.
fn bytes_max(target: &str) -> u32 {
    match target {
        "evidence" | "log" => 64 * 1024,
        _ => 4 * 1024,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_told_is_read_from_its_lines() {
        let said = "\
#2\tINITED cov: 100 ft: 110 corp: 5/200b exec/s: 0 rss: 40Mb
#4096\tNEW    cov: 321 ft: 500 corp: 9/300b lim: 40 exec/s: 2048 rss: 41Mb L: 3/9 MS: 1 CopyPart-
Done 9000 runs in 4 second(s)
stat::number_of_executed_units: 9000
stat::average_exec_per_sec:     2250
stat::new_units_added:          17
stat::slowest_unit_time_sec:    0
";
        let wanted = Told {
            executions: 9_000,
            per_second: 2_250,
            edges: 321,
            new_inputs: 17,
        };
        assert_eq!(Told::by(said), wanted);
        assert_eq!(Told::by("nothing of the kind"), Told::default());
    }

    #[test]
    fn whoever_finds_something_is_told_how_it_happens_again() {
        let fuzzer = Fuzzer {
            program: PathBuf::from("/w/target/fuzz/quern-fuzz"),
            corpus: PathBuf::new(),
            found: PathBuf::new(),
        };
        let said = "x\nartifact_prefix='/w/c/'; Test unit written to /w/c/crash-0a\nBase64: AA==";
        let words = fuzzer.repeat("wire", said, Path::new("/w/c"));
        let wanted = "`QUERN_FUZZ_TARGET=wire /w/target/fuzz/quern-fuzz /w/c/crash-0a`";
        assert!(words.contains(wanted), "{words}");
    }

    #[test]
    fn what_does_not_end_by_itself_is_ended() {
        let file = std::env::temp_dir().join(format!("quern-said-{}", std::process::id()));
        let run = |line: &str, most| {
            let mut command = Command::new("sh");
            run_within(command.args(["-c", line]), &file, most).ok()
        };
        let ended = run("echo crash >&2; exit 3", Duration::from_secs(60));
        assert_eq!(ended.flatten().and_then(|status| status.code()), Some(3));
        assert_eq!(fs::read(&file).ok(), Some(b"crash\n".to_vec()));
        let too_long = run("exec sleep 600", Duration::from_millis(100));
        assert_eq!(too_long, Some(None));
        let _ = fs::remove_file(&file);
    }
}
