//! A whole grid on one machine: a validator, a masternode and workers, as separate processes of the
//! real programs, on loopback only. For trying Quern out, for the demo, and for tests that kill and
//! restart parts of it.
//!
//! ```no_run
//! # async fn example() -> Result<(), quern_local_grid::GridError> {
//! use quern_local_grid::{LocalGrid, Plan};
//! let grid = LocalGrid::start(&Plan::new("/tmp/grid"), |step| println!("{step}")).await?;
//! println!("jobs go to {}", grid.jobs_api());
//! grid.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Every process writes its log to a file in the grid's folder; every wait has a deadline, and an
//! error names the log to read. Only processes that this program started are ever ended, by their
//! id.

mod part;
mod programs;
mod record;
mod setup;
mod signals;

pub use part::{Part, PartError};
pub use programs::{Programs, ProgramsError, find_program};
pub use record::{Process, Record, RecordError, stop_recorded};
pub use setup::register;
pub use signals::told_to_stop;

use quern_ledger::{Account, Chain, ChainError, SubmitError};
use quern_primitives::{AccountId, DeviceId};
use std::{
    convert::Infallible,
    future,
    path::{Path, PathBuf},
    time::Duration,
};

/// Workers of one grid: more are more than a small machine bears.
pub const WORKERS_MAX: usize = 32;

/// The operator of the grid's masternode, also its council and treasurer.
pub const OPERATOR: &str = "//Alice";

/// The owner whose jobs the demo and the tests hand in.
pub const OWNER: &str = "//Ferdie";

/// The accounts of the first workers, in order: as many development accounts as there are, less the
/// operator's and the owners'. Accounts of further workers are [paid for](worker_account) by the first.
pub const WORKERS: [&str; 5] = ["//Bob", "//Charlie", "//Dave", "//Eve", "//Bob//stash"];

/// How long a process may take to do what is waited for.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where everything of the grid is kept.
    pub folder: PathBuf,
    /// The chain, as the node takes it: a preset's name or the file of a specification, in which the
    /// same development accounts have money and offices.
    pub chain: String,
    /// The programs of the workers, one each; `None` is the shipped one.
    pub workers: Vec<Option<PathBuf>>,
    /// Where the programs are.
    pub programs: Option<PathBuf>,
    /// Whether to start a masternode.
    pub masternode: bool,
    /// The program of the masternode; `None` is the shipped one.
    pub masternode_program: Option<PathBuf>,
    /// How long a verdict waits for others to be settled with, in seconds.
    pub settle_wait_seconds: u32,
    /// Further lines of the masternode's settings file, each with its line feed.
    pub masternode_settings: String,
}

impl Plan {
    /// Four workers of four accounts.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            chain: "dev".to_owned(),
            workers: vec![None; 4],
            programs: None,
            masternode: true,
            masternode_program: None,
            settle_wait_seconds: 4,
            masternode_settings: String::new(),
        }
    }
}

/// Why a grid does not start.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// A program is missing.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// A process does not do what it should.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The folder cannot be used.
    #[error("cannot use the folder {folder}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// More workers than a machine bears.
    #[error("a local grid has at most {WORKERS_MAX} workers, not {asked}")]
    TooManyWorkers {
        /// How many were asked for.
        asked: usize,
    },
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The chain refused to set an account up.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A device's keys cannot be used.
    #[error(transparent)]
    Device(#[from] quern_worker::device::KeyFileError),
    /// A development account cannot be made.
    #[error(transparent)]
    Account(#[from] quern_ledger::AccountError),
    /// The grid's record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// A worker of the grid.
#[derive(Debug)]
pub struct GridWorker {
    /// Its account.
    pub account: AccountId,
    /// Its device.
    pub device: DeviceId,
    /// Its process.
    pub part: Part,
}

/// A running grid. Its processes end when it is dropped.
#[derive(Debug)]
pub struct LocalGrid {
    folder: PathBuf,
    node_url: String,
    jobs_api: String,
    /// The validator.
    pub node: Part,
    /// The masternode, if there is one.
    pub masternode: Option<Part>,
    /// The workers, in the order of [`WORKERS`].
    pub workers: Vec<GridWorker>,
    lacks_workers: bool,
}

impl LocalGrid {
    /// Starts a grid and waits until all of it is ready. `progress` hears what is being done.
    pub async fn start(plan: &Plan, progress: impl Fn(&str)) -> Result<Self, GridError> {
        let never = future::pending::<Infallible>();
        match setup::start(plan, &progress, never).await? {
            Ok(grid) => Ok(grid),
            Err(never) => match never {},
        }
    }

    /// As [`Self::start`], unless `stop` resolves before the grid is ready: then what has started is
    /// ended, and there is no grid. None of its processes runs any more when this returns.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), quern_local_grid::GridError> {
    /// use quern_local_grid::{LocalGrid, Plan, told_to_stop};
    /// let plan = Plan::new("/tmp/grid");
    /// if let Some(grid) = LocalGrid::start_unless(&plan, |_| {}, told_to_stop()).await? {
    ///     grid.stop().await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_unless(
        plan: &Plan,
        progress: impl Fn(&str),
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Self>, GridError> {
        Ok(setup::start(plan, &progress, stop).await?.ok())
    }

    /// The WebSocket of the validator.
    pub fn node_url(&self) -> &str {
        &self.node_url
    }

    /// The URL of the masternode's Jobs API.
    pub fn jobs_api(&self) -> &str {
        &self.jobs_api
    }

    /// Whether some worker was not connected to the masternode within a minute of its start. Its log says why.
    pub fn lacks_workers(&self) -> bool {
        self.lacks_workers
    }

    /// Where everything of the grid is kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A connection to the chain.
    pub async fn chain(&self) -> Result<Chain, ChainError> {
        Chain::connect(&self.node_url).await
    }

    /// Ends all processes: workers first, so that they hand back what they hold, then the
    /// masternode, then the validator.
    pub async fn stop(mut self) {
        for worker in &mut self.workers {
            worker.part.request_stop();
        }
        for worker in &mut self.workers {
            worker.part.stop().await;
        }
        if let Some(masternode) = &mut self.masternode {
            masternode.stop().await;
        }
        self.node.stop().await;
        record::forget(&self.folder);
    }

    /// Leaves the processes running after this program ends; [`stop_recorded`] ends them.
    pub fn leave_running(mut self) -> Result<Record, GridError> {
        let record = Record::of(&self)?;
        record.write(&self.folder)?;
        self.workers
            .iter_mut()
            .for_each(|worker| worker.part.leave_running());
        self.masternode.iter_mut().for_each(Part::leave_running);
        self.node.leave_running();
        Ok(record)
    }
}

/// The account of a worker, counted from zero: of the [first ones](WORKERS) a development account, of others
/// one that the first worker's gives money to when the grid is started.
pub fn worker_account(number: usize) -> Result<Account, GridError> {
    match WORKERS.get(number) {
        Some(name) => development_account(name),
        None => development_account(&format!("//Worker//{number}")),
    }
}

/// A development account.
pub fn development_account(name: &str) -> Result<Account, GridError> {
    Ok(Account::from_secret(name)?)
}
