//! What every command needs: the home folder, the node, the account, and how to answer.

use crate::{
    keystore::{Keystore, KeystoreError},
    output::{Output, Rendering, patiently},
};
use clap::Args;
use quern_ledger::{Account, AccountError, Chain, ChainError};
use quern_local_grid::Record;
use quern_owner::{FolderError, JobFolder};
use quern_primitives::{AccountId, JobId, ids::ContractId};
use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// The node that is asked when nothing says otherwise.
const NODE_DEFAULT: &str = "ws://127.0.0.1:9944";

/// How long a node may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Globals {
    /// The WebSocket of a node [default: that of the running local grid, else ws://127.0.0.1:9944]
    #[arg(long, global = true, env = NODE_VARIABLE, value_name = "URL")]
    node: Option<String>,
    /// Who signs and pays: the name of a key, or a development account such as //Alice
    #[arg(long, global = true, env = "QUERN_ACCOUNT", value_name = "NAME")]
    account: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    /// Where keys and jobs are kept [default: ~/.config/quern]
    #[arg(long, global = true, env = "QUERN_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
}

/// Why a command does not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    /// There is no place for keys and jobs.
    #[error("there is no home folder on this system; name a folder with --home")]
    NoHome,
    /// Nothing says who signs.
    #[error(
        "name the account with --account: the name of a key (`quern keys new NAME` makes one), or a development account such as //Ferdie"
    )]
    NoAccount,
    /// There are several keys.
    #[error("there are several keys; name one with --account: {}", names.join(", "))]
    WhichAccount {
        /// The keys.
        names: Vec<String>,
    },
    /// A text names no account.
    #[error(
        "`{text}` is no account; give an address, the name of a key, or a development account such as //Alice"
    )]
    NotAnAccount {
        /// What was given.
        text: String,
    },
    /// A text names no job.
    #[error(
        "`{text}` names no job; give 64 hexadecimal digits, or the first few of a job submitted from here (`quern job list`)"
    )]
    NotAJob {
        /// What was given.
        text: String,
    },
    /// A text names several jobs.
    #[error("{count} jobs begin with `{text}`; give more digits")]
    WhichJob {
        /// What was given.
        text: String,
        /// How many there are.
        count: usize,
    },
    /// A text names no contract.
    #[error(
        "`{text}` names no contract; give 64 hexadecimal digits, or the first few of one opened from here (`quern store list`)"
    )]
    NotAContract {
        /// What was given.
        text: String,
    },
    /// A text names several contracts.
    #[error("{count} contracts begin with `{text}`; give more digits")]
    WhichContract {
        /// What was given.
        text: String,
        /// How many there are.
        count: usize,
    },
    /// No node is there.
    #[error("no node answers at {url}, {}; {}", named_by.words(), named_by.advice())]
    NodeSilent {
        /// Where it should be.
        url: String,
        /// What says so.
        named_by: NamedBy,
        /// What went wrong; nothing if it only took too long.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The node failed to answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A secret makes no key.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The folder of jobs cannot be used.
    #[error("cannot use the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A job is not here.
    #[error(transparent)]
    JobFolder(#[from] FolderError),
}

/// The variable of the environment that names a node.
const NODE_VARIABLE: &str = "QUERN_NODE";

/// What says where the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// The option of the command.
    Option,
    /// The environment.
    Environment,
    /// The record of a local grid that runs.
    LocalGrid,
    /// Nothing, so that it is where nodes are by default.
    Nobody,
}

impl NamedBy {
    /// What names a node of which the parser read this, where the environment has that.
    fn of(given: Option<&str>, environment: Option<&str>) -> Option<Self> {
        let given = given?;
        // The parser takes the option first, and does not say where it found the other.
        match environment == Some(given) {
            true => Some(Self::Environment),
            false => Some(Self::Option),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Option => "as --node says",
            Self::Environment => "as the environment's QUERN_NODE says",
            Self::LocalGrid => "where the node of this machine's grid should be",
            Self::Nobody => "which is asked as neither --node nor QUERN_NODE names another",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Option | Self::Environment => {
                "start that node, or name another with --node; `quern-node` has its RPC at port 9944 unless it is told otherwise"
            }
            Self::LocalGrid => "`quern dev status` says where its log is",
            Self::Nobody => {
                "start a grid of this machine with `quern dev up`, or name a node with --node"
            }
        }
    }
}

/// What every command needs.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    home: PathBuf,
    node: Option<String>,
    /// What names the node, if one is named.
    node_named_by: Option<NamedBy>,
    account: Option<String>,
    rendering: Rendering,
}

impl Context {
    pub(crate) fn new(globals: &Globals) -> Result<Self, ContextError> {
        let home = match &globals.home {
            Some(home) => home.clone(),
            None => home_default().ok_or(ContextError::NoHome)?,
        };
        let rendering = if globals.json {
            Rendering::Json
        } else {
            Rendering::People
        };
        let (node, account) = (globals.node.clone(), globals.account.clone());
        let variable = std::env::var(NODE_VARIABLE).ok();
        Ok(Self {
            home,
            node_named_by: NamedBy::of(node.as_deref(), variable.as_deref()),
            node,
            account,
            rendering,
        })
    }

    /// Whether the answer is for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.rendering == Rendering::Json
    }

    /// How to answer.
    pub(crate) fn rendering(&self) -> Rendering {
        self.rendering
    }

    /// Writes the command's answer.
    pub(crate) fn show(&self, output: &impl Output) -> anyhow::Result<()> {
        self.rendering.show(output)
    }

    /// The folder of the local grid.
    pub(crate) fn dev_folder(&self) -> PathBuf {
        self.home.join("dev")
    }

    /// The keys.
    pub(crate) fn keystore(&self) -> Keystore {
        Keystore::new(self.home.join("keys"))
    }

    /// The folder with the jobs' folders, made if it is not there.
    pub(crate) fn jobs(&self) -> Result<PathBuf, ContextError> {
        let path = self.home.join("jobs");
        fs::create_dir_all(&path).map_err(|source| ContextError::Folder {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// Where inputs that are elsewhere are fetched into.
    pub(crate) fn inputs(&self) -> PathBuf {
        self.home.join("inputs")
    }

    /// The folder with the folders of what is stored, made if it is not there.
    pub(crate) fn stores(&self) -> Result<PathBuf, ContextError> {
        let path = self.home.join("stores");
        fs::create_dir_all(&path).map_err(|source| ContextError::Folder {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// The folder with the swarms' folders.
    pub(crate) fn swarms(&self) -> PathBuf {
        self.home.join("swarms")
    }

    /// The contract that a text names: all its digits, or the first of one that was opened from here.
    pub(crate) fn contract(&self, text: &str) -> Result<ContractId, ContextError> {
        if let Ok(contract) = text.parse() {
            return Ok(contract);
        }
        let names = names_in(self.stores()?)?;
        let found = of_prefix(text, names.into_iter());
        match found.as_slice() {
            [contract] => Ok(*contract),
            [] => Err(ContextError::NotAContract {
                text: text.to_owned(),
            }),
            several => Err(ContextError::WhichContract {
                text: text.to_owned(),
                count: several.len(),
            }),
        }
    }

    /// Where the results of a trial go unless it is said; the home folder is made if it is not there.
    pub(crate) fn trial_result(&self) -> Result<PathBuf, ContextError> {
        fs::create_dir_all(&self.home).map_err(|source| ContextError::Folder {
            path: self.home.clone(),
            source,
        })?;
        Ok(self.home.join("trial.result"))
    }

    /// Where the node is.
    pub(crate) fn node_url(&self) -> String {
        self.node().0
    }

    /// Where the node is, and what says so.
    fn node(&self) -> (String, NamedBy) {
        if let (Some(url), Some(named_by)) = (&self.node, self.node_named_by) {
            return (url.clone(), named_by);
        }
        let running = Record::read(&self.dev_folder()).ok().filter(|record| {
            record
                .processes
                .last()
                .is_some_and(quern_local_grid::Process::is_running)
        });
        match running {
            Some(record) => (record.node_url, NamedBy::LocalGrid),
            None => (NODE_DEFAULT.to_owned(), NamedBy::Nobody),
        }
    }

    /// A connection to the node. One that does not answer soon is not waited for.
    pub(crate) async fn chain(&self) -> Result<Chain, ContextError> {
        self.chain_within(CONNECT_PATIENCE).await
    }

    async fn chain_within(&self, patience: Duration) -> Result<Chain, ContextError> {
        let (url, named_by) = self.node();
        let silent = |source| ContextError::NodeSilent {
            url: url.clone(),
            named_by,
            source,
        };
        let connected = tokio::time::timeout(patience, Chain::connect(&url));
        match patiently("connecting to the node", connected).await {
            Ok(Ok(chain)) => Ok(chain),
            Ok(Err(ChainError::Unreachable { source, .. })) => Err(silent(Some(source))),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(silent(None)),
        }
    }

    /// Who signs: as told, else the only key there is.
    pub(crate) fn account(&self) -> Result<Account, ContextError> {
        match &self.account {
            Some(name) if name.starts_with("//") => Ok(Account::from_secret(name)?),
            Some(name) => Ok(self.keystore().account(name)?),
            None => {
                let mut names = self.keystore().names()?;
                match (names.pop(), names.is_empty()) {
                    (None, _) => Err(ContextError::NoAccount),
                    (Some(only), true) => Ok(self.keystore().account(&only)?),
                    (Some(last), false) => {
                        names.push(last);
                        Err(ContextError::WhichAccount { names })
                    }
                }
            }
        }
    }

    /// The account that a text names: an address, a key, or a development account; without one, the
    /// signer's.
    pub(crate) fn account_id(&self, text: Option<&str>) -> Result<AccountId, ContextError> {
        let Some(text) = text else {
            return Ok(self.account()?.id());
        };
        if text.starts_with("//") {
            return Ok(Account::from_secret(text)?.id());
        }
        if let Ok(account) = text.parse() {
            return Ok(account);
        }
        match self.keystore().account(text) {
            Ok(account) => Ok(account.id()),
            Err(KeystoreError::NoKey { .. } | KeystoreError::Name { .. }) => {
                Err(ContextError::NotAnAccount {
                    text: text.to_owned(),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The job that a text names: all its digits, or the first of a job that was submitted from
    /// here.
    pub(crate) fn job(&self, text: &str) -> Result<JobId, ContextError> {
        if let Ok(job) = text.parse() {
            return Ok(job);
        }
        job_of_prefix(text, names_in(self.jobs()?)?.into_iter())
    }

    /// The folder of a job that was submitted from here.
    pub(crate) fn job_folder(&self, job: JobId) -> Result<JobFolder, ContextError> {
        Ok(JobFolder::find(&self.jobs()?, job)?)
    }
}

/// The names of what is in a folder.
fn names_in(folder: PathBuf) -> Result<Vec<String>, ContextError> {
    let read = fs::read_dir(&folder);
    let entries = read.map_err(|source| ContextError::Folder {
        path: folder,
        source,
    })?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

/// Those of these that begin so.
fn of_prefix<T: FromStr>(text: &str, names: impl Iterator<Item = String>) -> Vec<T> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    names
        .filter(|name| !digits.is_empty() && name.starts_with(&digits))
        .filter_map(|name| name.parse().ok())
        .collect()
}

fn job_of_prefix(text: &str, names: impl Iterator<Item = String>) -> Result<JobId, ContextError> {
    match of_prefix(text, names).as_slice() {
        [] => Err(ContextError::NotAJob {
            text: text.to_owned(),
        }),
        [job] => Ok(*job),
        several => Err(ContextError::WhichJob {
            text: text.to_owned(),
            count: several.len(),
        }),
    }
}

fn home_default() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let config = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let config = config.or_else(|| set("HOME").map(|home| home.join(Path::new(".config"))));
    config.map(|config| config.join("quern"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A context whose home is empty, with a node or without one.
    fn with_node(home: &Path, node: Option<&str>) -> Context {
        Context {
            home: home.to_owned(),
            node: node.map(str::to_owned),
            node_named_by: NamedBy::of(node, None),
            account: None,
            rendering: Rendering::People,
        }
    }

    #[tokio::test]
    async fn a_node_that_does_not_answer_is_told_with_its_address_and_what_named_it() {
        let home = tempfile::tempdir().unwrap();
        let context = with_node(home.path(), Some("ws://127.0.0.1:1"));
        let within = context.chain_within(Duration::from_millis(50));
        let text = within.await.err().unwrap().to_string();
        for words in ["at ws://127.0.0.1:1, as --node says", "start that node"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn who_named_the_node_is_told_from_its_default() {
        let (url, other) = ("ws://a", "ws://b");
        let of = NamedBy::of;
        assert_eq!(of(Some(url), Some(url)), Some(NamedBy::Environment));
        assert_eq!(of(Some(url), Some(other)), Some(NamedBy::Option));
        assert_eq!(of(Some(url), None), Some(NamedBy::Option));
        assert_eq!(of(None, None), None);
        let home = tempfile::tempdir().unwrap();
        let (default, named_by) = with_node(home.path(), None).node();
        assert_eq!((&*default, named_by), (NODE_DEFAULT, NamedBy::Nobody));
    }

    #[test]
    fn each_silence_of_a_node_says_what_to_do() {
        let said = |named_by| {
            let silent = ContextError::NodeSilent {
                url: NODE_DEFAULT.to_owned(),
                named_by,
                source: None,
            };
            silent.to_string()
        };
        for (named_by, origin, advice) in [
            (NamedBy::Option, "--node says", "--node"),
            (NamedBy::Environment, "QUERN_NODE says", "--node"),
            (
                NamedBy::LocalGrid,
                "this machine's grid",
                "quern dev status",
            ),
            (
                NamedBy::Nobody,
                "neither --node nor QUERN_NODE",
                "quern dev up",
            ),
        ] {
            let text = said(named_by);
            assert!(text.starts_with("no node answers at ws://127.0.0.1:9944, "));
            let (said, do_next) = text.split_once("; ").unwrap();
            assert!(said.contains(origin) && do_next.contains(advice), "{text}");
        }
    }

    #[test]
    fn a_job_is_named_by_its_first_digits() {
        let names = ["aa", "ab", "b0"].map(|start| format!("{start:0<64}"));
        let named = |text: &str| job_of_prefix(text, names.iter().cloned());
        assert_eq!(named("b").unwrap(), names[2].parse().unwrap());
        assert_eq!(named("0xAB").unwrap(), names[1].parse().unwrap());
        assert!(matches!(
            named("a"),
            Err(ContextError::WhichJob { count: 2, .. })
        ));
        for text in ["", "0x", "c", "../b"] {
            assert!(
                matches!(named(text), Err(ContextError::NotAJob { .. })),
                "{text}"
            );
        }
    }
}
