//! The machine of the tests: its cells, its neighbours, its files.

use quern_cell::{
    Cells, Command, Ending, Helper, Kind, Limits, Outcome, ProbeError, RunError, probe_one,
};
use rustix::process::geteuid;
use std::{
    fs::{self, File},
    io::Write,
    num::NonZeroU32,
    os::unix::fs::PermissionsExt,
    path::Path,
    process,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Where the helper is, if not where cargo has put it.
pub(crate) const HELPER_VARIABLE: &str = "QUERN_TRY_CELL";

/// The hostile program.
const SOURCE: &str = include_str!("hostile.c");

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

static KINDS: LazyLock<Vec<Cells>> = LazyLock::new(|| {
    let mut given = Vec::new();
    for kind in Kind::ALL {
        let cells = Cells::new(kind, helper());
        match probe_one(&cells) {
            Ok(()) => given.push(cells),
            Err(error) => say_aloud(kind, &error),
        }
    }
    given
});

/// All kinds of cells that the machine gives.
pub(crate) fn kinds() -> &'static [Cells] {
    &KINDS
}

/// Past the test's own output, which nobody sees while tests pass.
fn say_aloud(kind: Kind, error: &ProbeError) {
    let text = format!("SKIPPED: nothing is tried in a cell {kind}: {error}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Whether these tests are run by one who may become anybody, as each cell does then.
pub(crate) fn is_superuser() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    geteuid().is_root() && map.split_whitespace().nth(2) == Some("4294967295")
}

pub(crate) fn helper() -> Helper {
    let built = env!("CARGO_BIN_EXE_quern-try-cell");
    let program = std::env::var_os(HELPER_VARIABLE).unwrap_or_else(|| built.into());
    Helper {
        program: program.into(),
        arguments: vec!["inside".into()],
    }
}

/// Small, so that a cell that did not hold would do no harm.
pub(crate) fn limits() -> Limits {
    Limits {
        seconds: NonZeroU32::new(30).unwrap(),
        memory_bytes: 64 << 20,
        disk_bytes: 4 << 20,
        output_bytes: 1 << 20,
        processes: 24,
    }
}

/// The hostile program, in a folder of its own.
pub(crate) struct Hostile(TempDir);

impl Hostile {
    /// Compiles it, by what links every Rust program here.
    pub(crate) fn compiled() -> Self {
        let folder = folder();
        let text = folder.path().join("hostile.c");
        fs::write(&text, SOURCE).unwrap();
        let program = folder.path().join("hostile");
        let compiled = process::Command::new("cc")
            .args([Path::new("-O1"), Path::new("-o"), &program, &text])
            .status()
            .unwrap();
        assert!(compiled.success(), "cc does not compile hostile.c");
        Self(folder)
    }

    /// A command that has it as `./hostile` in its work folder.
    pub(crate) fn command(&self, shell: &str, limits: Limits) -> Command {
        let program = [(self.0.path().join("hostile"), "hostile")];
        command(shell, limits).with_inputs(program).unwrap()
    }
}

pub(crate) fn command(shell: &str, limits: Limits) -> Command {
    Command::new(shell, limits).unwrap()
}

/// What a run came to, and what it wrote.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) output: String,
}

impl Ran {
    pub(crate) fn ending(&self) -> Ending {
        self.outcome.ending
    }

    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.outcome.diagnostics).into_owned()
    }
}

pub(crate) fn run(cells: &Cells, command: &Command) -> Ran {
    try_run(cells, command).unwrap_or_else(|error| panic!("{}: {error}: {error:?}", cells.kind()))
}

pub(crate) fn try_run(cells: &Cells, command: &Command) -> Result<Ran, RunError> {
    let folder = folder();
    let path = folder.path().join("output");
    let outcome = cells.run(command, File::create(&path).unwrap())?;
    let output = fs::read(path).unwrap();
    assert_eq!(outcome.output_bytes, output.len() as u64);
    let output = String::from_utf8_lossy(&output).into_owned();
    Ok(Ran { outcome, output })
}

/// A folder into which everybody may look, as where people keep what a swarm computes with.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Seconds to sleep for that are nobody else's, so that a process is known by them.
pub(crate) fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("86400.{}{next:03}", process::id())
}

/// Processes of the whole machine with this in their command line.
pub(crate) fn marked(mark: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap();
    all.filter_map(|it| fs::read(it.ok()?.path().join("cmdline")).ok())
        .filter(|line| line.windows(mark.len()).any(|it| it == mark.as_bytes()))
        .count()
}

/// Waits until it is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}
