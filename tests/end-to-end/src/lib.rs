//! The real programs together: what the end-to-end tests share.
//!
//! Each test starts a grid of its own, of separate processes on loopback, with a folder and ports of
//! its own, and keeps the folder with all logs when it fails. Tests run side by side, a few at a time:
//! [`run`] waits for a turn, and nothing here changes what belongs to the whole process. Everything is
//! waited for with a deadline, which is there to end what hangs: it is far beyond what a small and busy
//! machine takes. A test that shows several things on one grid calls each of them a [`case`] and gives
//! it an owner's account of its own.

mod dice;
mod guide;
mod owner;
mod quern;
mod terminal;
mod text;
mod turn;
pub mod wasm;

pub use dice::Dice;
pub use guide::Guide;
pub use owner::{Owner, refused, small_picture, terms};
pub use quern::{Quern, Ran, says};
pub use terminal::Terminal;
pub use text::write_text;

use anyhow::Context as _;
use quern_jobs_api::{JobStatus, Phase};
use quern_ledger::Chain;
use quern_local_grid::{LocalGrid, Plan};
use quern_owner::Coordinator;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, JobId,
    job::{Escrow, Job},
    view::{DeviceView, WalletView},
};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use turn::GRIDS;

/// How long a whole test may take once it has its turn.
pub const DEADLINE: Duration = Duration::from_secs(900);

/// Pause between two looks at something that takes its time.
const PAUSE: Duration = Duration::from_millis(250);

/// The pallet and the name of the event that says what a transaction cost whom.
const FEE_PAID: (&str, &str) = ("TransactionPayment", "TransactionFeePaid");

/// Runs a test that starts a grid, when it has its turn, on a runtime of its own and within its
/// deadline.
pub fn run(test: impl Future<Output = anyhow::Result<()>>) {
    run_within(DEADLINE, test);
}

/// As [`run`], for a test that may take longer once it has its turn.
#[allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "it is how a test fails"
)]
pub fn run_within(deadline: Duration, test: impl Future<Output = anyhow::Result<()>>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let done = runtime.block_on(async {
        let _turn = GRIDS.take().await;
        tokio::time::timeout(deadline, test).await
    });
    done.expect("the test ends within its deadline")
        .expect("the test passes");
}

/// One of several things that a test shows. What goes wrong carries its name, and the test's output
/// says how long it took.
pub async fn case<T>(
    name: &str,
    shown: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    let outcome = shown.await.with_context(|| name.to_owned());
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    say(&format!(
        "{word} {name} ({:.1} s)",
        begun.elapsed().as_secs_f64()
    ));
    outcome
}

/// Writes a line to standard error, past the harness that keeps the output of tests that pass. As
/// others run beside it, the file of the test is named, which is how the harness's threads are.
pub fn say(line: &str) {
    let thread = thread::current();
    let test = thread.name().and_then(|name| name.split_once("::"));
    let from = test.map_or_else(String::new, |(file, _)| format!("{file}: "));
    // There is nobody to tell that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "  {from}{line}");
}

/// A grid and the folder it lives in.
pub struct Bench {
    /// The grid.
    pub grid: LocalGrid,
    /// A connection to its chain.
    pub chain: Chain,
    folder: TempDir,
}

impl Bench {
    /// Starts a grid with so many honest workers.
    pub async fn start(workers: usize) -> anyhow::Result<Self> {
        Self::start_as(|plan| plan.workers = vec![None; workers]).await
    }

    /// Starts a grid of which something is not as usual.
    #[allow(
        clippy::print_stdout,
        reason = "the harness shows it of a test that fails, however it does"
    )]
    pub async fn start_as(change: impl FnOnce(&mut Plan)) -> anyhow::Result<Self> {
        let mut folder = tempfile::Builder::new().prefix("quern-test-").tempdir()?;
        folder.disable_cleanup(true);
        println!("logs are in {}", folder.path().display());
        let mut plan = Plan::new(folder.path().join("grid"));
        plan.settle_wait_seconds = 2;
        change(&mut plan);
        let grid = LocalGrid::start(&plan, |_| {})
            .await
            .with_context(|| format!("logs are in {}", folder.path().display()))?;
        let chain = grid.chain().await?;
        Ok(Self {
            grid,
            chain,
            folder,
        })
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The test's outcome, with the place of the logs if it is bad. Stops the grid; a folder of a
    /// test that passed goes.
    pub async fn conclude(mut self, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        self.grid.stop().await;
        self.folder.disable_cleanup(outcome.is_err());
        outcome.with_context(|| format!("logs are in {}", self.folder.path().display()))
    }

    /// Waits until so many tasks are decided.
    pub async fn decided(&self, job: JobId, tasks: u32) -> anyhow::Result<JobStatus> {
        self.when(job, |status| status.decided >= tasks).await
    }

    /// Waits until the coordinator says of the job what is wanted, or that it is closed.
    pub async fn when(
        &self,
        job: JobId,
        wanted: impl Fn(&JobStatus) -> bool,
    ) -> anyhow::Result<JobStatus> {
        loop {
            // The masternode may be down at the moment, which is what some tests are about.
            if let Ok(coordinator) = Coordinator::of(&self.chain, job).await
                && let Ok(status) = coordinator.status().await
                && (wanted(&status) || status.phase == Phase::Closed)
            {
                return Ok(status);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the chain has closed the job.
    pub async fn closed(&self, job: JobId) -> anyhow::Result<Job> {
        loop {
            let known = self.job(job).await?;
            if !known.state.is_open() {
                return Ok(known);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The job as the chain knows it.
    pub async fn job(&self, job: JobId) -> anyhow::Result<Job> {
        let known = self.chain.at_finalised().await?.job(job).await?;
        known.context("the chain lost the job")
    }

    /// A device as the chain knows it.
    pub async fn device(&self, device: DeviceId) -> anyhow::Result<DeviceView> {
        let known = self.chain.at_finalised().await?.device(device).await?;
        known.context("the chain lost the device")
    }

    /// An account's money.
    pub async fn wallet(&self, account: &AccountId) -> anyhow::Result<WalletView> {
        Ok(self.chain.at_finalised().await?.wallet(account).await?)
    }

    /// What an account paid in fees in the blocks behind one, up to another, as the chain's events say.
    pub async fn fees(
        &self,
        account: &AccountId,
        behind: BlockNumber,
        until: BlockNumber,
    ) -> anyhow::Result<Amount> {
        let mut fees: Amount = 0;
        for block in behind + 1..=until {
            let events = self.chain.at_height(block).await?.events().await?;
            for event in &events {
                if (event.pallet.as_str(), event.name.as_str()) == FEE_PAID {
                    let (payer, fee) = fee_paid(&event.bytes)
                        .with_context(|| format!("a fee that is none: {}", event.text))?;
                    fees += if payer == *account { fee } else { 0 };
                }
            }
        }
        Ok(fees)
    }

    /// What the workers' accounts have, in the order of the workers.
    pub async fn workers_money(&self) -> anyhow::Result<Vec<Amount>> {
        let state = self.chain.at_finalised().await?;
        let mut free = Vec::new();
        for worker in &self.grid.workers {
            free.push(state.wallet(&worker.account).await?.free);
        }
        Ok(free)
    }

    /// Fails unless the chain's money adds up.
    pub async fn conserves_money(&self) -> anyhow::Result<()> {
        let totals = self.chain.at_finalised().await?.totals().await?;
        anyhow::ensure!(
            totals.conserves_money(),
            "money appeared or vanished: {totals:?}"
        );
        Ok(())
    }

    /// The block so many blocks from now.
    pub async fn in_blocks(&self, blocks: BlockNumber) -> anyhow::Result<BlockNumber> {
        Ok(self.chain.at_finalised().await?.block().number + blocks)
    }

    /// Waits until the finalised chain is beyond a block.
    pub async fn beyond(&self, block: BlockNumber) -> anyhow::Result<()> {
        let mut blocks = self.chain.finalised().await?;
        while blocks.next().await?.number <= block {}
        Ok(())
    }
}

/// Who paid how much, by the encoded fields of the event that says so: the account, the whole fee and, within
/// it, the tip. None if there are others.
fn fee_paid(fields: &[u8]) -> Option<(AccountId, Amount)> {
    let (payer, amounts) = fields.split_first_chunk::<32>()?;
    let (fee, tip) = amounts.split_first_chunk::<16>()?;
    let fee = Amount::from_le_bytes(*fee);
    (tip.len() == 16).then_some((AccountId::new(*payer), fee))
}

/// Fails unless an ended job's escrow went where it should.
pub fn adds_up(escrow: &Escrow) -> anyhow::Result<()> {
    let out = escrow.paid + escrow.network + escrow.refunded;
    anyhow::ensure!(
        out == escrow.deposited && escrow.held == 0 && escrow.pending == 0,
        "the escrow does not add up: {escrow:?}"
    );
    Ok(())
}

/// A program of this repository, built for the sandbox: where it is.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = programs_folder().join(format!("{name}.wasm"));
    anyhow::ensure!(
        path.is_file(),
        "there is no {}; build it with `cargo xtask programs`",
        path.display()
    );
    Ok(path)
}

/// Where the sandbox's programs are.
pub(crate) fn programs_folder() -> PathBuf {
    std::env::var_os("QUERN_PROGRAMS_DIR")
        .map_or_else(|| repository().join("target/programs"), PathBuf::from)
}

/// The repository.
pub fn repository() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder).to_owned()
}
