//! The command line, in parts that the shipped program and the lying test worker share.

use crate::{
    acknowledgements,
    bench::Machinery,
    claims::{ClaimsAccountError, Deed, Journal, JournalError, new_account},
    device::{DeviceSecrets, KeyFileError},
    settings::{self, Level, Log, Settings, SettingsError},
    shell::{self, Ended, WorkerError},
};
use clap::{Args, Parser, Subcommand};
use quern_primitives::{
    AccountId, Digest, JobId,
    amount::display,
    ids::{DeviceId, SealingKey},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs::OpenOptions,
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

/// A worker of the Quern grid: takes tasks, runs them in a sandbox, is paid for accepted answers.
#[derive(Debug, Parser)]
#[command(name = "quern-worker", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What a worker can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take tasks and run them until stopped
    Run(RunArgs),
    /// Make a settings file and a device's keys
    Init(ConfigArgs),
    /// Show the device's name and sealing key, as they are registered on the chain
    ShowKey(ConfigArgs),
    /// What masternodes owe this device for acknowledged work, and what is claimed of it
    #[command(subcommand)]
    Claims(ClaimsCommand),
}

/// What can be asked about claims.
#[derive(Debug, Subcommand)]
pub enum ClaimsCommand {
    /// Acknowledged work that is not settled for good, and what was claimed or told of it
    Show(ConfigArgs),
    /// The account that puts up bonds for claims; makes its key if there is none
    Account(ConfigArgs),
}

/// Which settings to use.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// The settings file
    #[arg(
        long,
        env = "QUERN_WORKER_CONFIG",
        default_value = "worker.toml",
        value_name = "FILE"
    )]
    pub config: PathBuf,
}

/// How to run.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Which settings to use.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Take work until one task is reported and acknowledged, then exit
    #[arg(long)]
    pub once: bool,
    /// Log in JSON, one object a line, whatever the settings say
    #[arg(long)]
    pub json: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The device's keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The claims' account cannot be used.
    #[error(transparent)]
    ClaimsAccount(#[from] ClaimsAccountError),
    /// What was claimed cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What masternodes acknowledged cannot be read.
    #[error("cannot read what masternodes acknowledged, {path}")]
    Words {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The worker cannot go on.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// There are settings already.
    #[error("{path} exists already and is not overwritten; name another file with --config")]
    SettingsExist {
        /// The file.
        path: PathBuf,
    },
    /// The settings cannot be written.
    #[error("cannot write the settings {path}")]
    WriteSettings {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What was asked for cannot be written out.
    #[error("cannot write to standard output")]
    Tell(#[source] io::Error),
    /// The runtime or the signal handlers do not start.
    #[error("the worker does not start on this system")]
    System(#[source] io::Error),
}

/// Ends a program: where its command failed, after it told why on standard error, as every program of the
/// grid does.
pub fn exit<E: Error + 'static>(outcome: Result<ExitCode, E>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        // There is nobody to tell that standard error is closed.
        let _ = io::stderr().write_all(failure(&error).as_bytes());
        ExitCode::FAILURE
    })
}

/// What went wrong and why, a line each.
pub fn failure(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("error: {error}\n");
    for cause in causes(error) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    text
}

/// The causes of an error, without those that an error above has said already.
pub fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let (mut said, mut causes) = (error.to_string(), Vec::new());
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let text = cause.to_string();
        if !said.contains(&text) {
            causes.push(text.clone());
        }
        said = text;
    }
    causes
}

/// Runs a worker with this machinery until it is stopped: by SIGTERM or SIGINT once cleanly, twice at
/// once. SIGHUP has it look whether its settings file has changed. A terminal that closes sends it too;
/// the worker goes on, without a log.
pub fn run(args: &RunArgs, machinery: Machinery) -> Result<ExitCode, CommandError> {
    let settings = Settings::load(&args.config.config)?;
    start_log(&settings.log, args.json);
    // One thread for everything but the tasks: what it does takes microseconds, and handing it
    // between threads would take longer.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::System)?;
    let ended = runtime.block_on(async {
        let stop = stop_signals().map_err(CommandError::System)?;
        let reread = reread_signals().map_err(CommandError::System)?;
        shell::run(settings, args.once, machinery, stop, reread)
            .await
            .map_err(CommandError::from)
    });
    // A program that is being compiled is not waited for.
    runtime.shutdown_background();
    match ended? {
        Ended::Cleanly { acknowledged } => {
            tracing::info!(acknowledged, "the worker has stopped");
            Ok(ExitCode::SUCCESS)
        }
        Ended::AtOnce => {
            tracing::warn!("the worker has stopped at once; tasks in hand were dropped");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// One message for each signal to stop.
fn stop_signals() -> io::Result<mpsc::Receiver<()>> {
    let (stop, stopped) = mpsc::channel(2);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if stop.send(()).await.is_err() {
                    return;
                }
            }
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && stop.send(()).await.is_ok() {}
    });
    Ok(stopped)
}

/// One message for signals to look at the settings file; several may be one.
fn reread_signals() -> io::Result<mpsc::Receiver<()>> {
    let (reread, told) = mpsc::channel(1);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() && reread.send(()).await.is_ok() {}
        });
    }
    // Elsewhere there is no such signal, and none ever comes.
    #[cfg(not(unix))]
    drop(reread);
    Ok(told)
}

/// Logs to standard error; `RUST_LOG` overrides the level.
fn start_log(log: &Log, json: bool) {
    let level = match log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        // Libraries that tell of each connection are heard from `debug` on.
        Level::Info => "warn,quern_worker=info,quern_lying_worker=info",
        Level::Debug => "info,quern_worker=debug,quern_network=debug",
        Level::Trace => "debug,quern_worker=trace,quern_network=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A file shows the codes of colours as they are.
        .with_ansi(io::stderr().is_terminal())
        // What cannot be written, because the terminal has closed, is lost. To say so there is no other
        // place, and trying it would end the worker.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    // An error says that a log was started before; it serves as well.
    let _ = if log.json || json {
        subscriber.json().flatten_event(true).try_init()
    } else {
        subscriber.try_init()
    };
}

/// What `init` has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// The settings file.
    pub settings: PathBuf,
    /// The key file.
    pub device_key: PathBuf,
    /// The device's name.
    pub device: DeviceId,
    /// The key that its data keys are sealed to.
    pub sealing_key: SealingKey,
}

/// Makes a settings file with all defaults and, beside it, a new device's keys. Overwrites nothing;
/// settings that are there already are used as they are.
pub fn init(path: &Path) -> Result<Initialised, CommandError> {
    let has_settings = path.exists();
    let settings = if has_settings {
        Settings::load(path)?
    } else {
        Settings::parse(&settings::template(), path)?
    };
    if settings.device_key.exists() && has_settings {
        return Err(CommandError::SettingsExist { path: path.into() });
    }
    let secrets = DeviceSecrets::random();
    secrets.save(&settings.device_key)?;
    if !has_settings {
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut file| file.write_all(settings::template().as_bytes()));
        written.map_err(|source| CommandError::WriteSettings {
            path: path.into(),
            source,
        })?;
    }
    Ok(Initialised {
        settings: path.into(),
        device_key: settings.device_key,
        device: secrets.id(),
        sealing_key: secrets.sealing_key(),
    })
}

/// The device's name and sealing key.
pub fn show_key(path: &Path) -> Result<(DeviceId, SealingKey), CommandError> {
    let settings = Settings::load(path)?;
    let secrets = DeviceSecrets::load(&settings.device_key)?;
    Ok((secrets.id(), secrets.sealing_key()))
}

/// The account for claims, whose key is made if there is none.
pub fn claims_account(path: &Path) -> Result<AccountId, CommandError> {
    let settings = Settings::load(path)?;
    Ok(new_account(&settings.claims.account)?)
}

/// What is owed and what was claimed, for people. The worker may run meanwhile: nothing is written.
pub fn show_claims(path: &Path) -> Result<String, CommandError> {
    let settings = Settings::load(path)?;
    let words = settings.data.join("acknowledgements");
    let kept = match acknowledgements::read(&words) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => vec![],
        kept => kept.map_err(|source| CommandError::Words {
            path: words,
            source,
        })?,
    };
    let mut of_jobs: BTreeMap<JobId, BTreeSet<Digest>> = BTreeMap::new();
    for kept in kept {
        let word = kept.word.payload;
        of_jobs.entry(word.job).or_default().insert(word.receipt);
    }
    let journal = Journal::open(&settings.data)?;
    let mut text = String::new();
    for (job, receipts) in &of_jobs {
        text.push_str(&format!("acknowledged  {job}  {}\n", receipts.len()));
    }
    if of_jobs.is_empty() {
        text.push_str("acknowledged  nothing that is not settled for good\n");
    }
    for line in journal.lines() {
        let deed = match line.deed {
            Deed::Proved => "proved",
            Deed::Asked => "asked",
            Deed::Told => "told",
        };
        text.push_str(&format!(
            "{deed:12}  {}  batch {}  task {}  bond {}  at {}\n",
            line.job,
            line.batch,
            line.task,
            display(line.bond),
            line.at_s,
        ));
    }
    if !journal.lines().is_empty() {
        let folder = journal.folder().display();
        text.push_str(&format!("evidence      {folder}\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_failure_is_told_with_its_causes_once_each_and_no_backtrace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let error = show_key(&path).unwrap_err();
        let text = failure(&error);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("error: "), "{text}");
        assert!(lines[0].contains("worker.toml"), "{text}");
        assert!(
            lines.len() == 2 && lines[1].starts_with("  because: "),
            "{text}"
        );
        // One whose words are above already is not said again.
        let again = CommandError::System(io::Error::other("the worker does not start"));
        assert!(causes(&again).is_empty(), "{:?}", causes(&again));
        let again = io::Error::other(CommandError::System(io::Error::other("no threads")));
        assert_eq!(causes(&again), ["no threads"]);
    }

    #[test]
    fn init_makes_settings_and_keys_that_work_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let made = init(&path).unwrap();
        assert_eq!(show_key(&path).unwrap(), (made.device, made.sealing_key));
        assert!(matches!(
            init(&path),
            Err(CommandError::SettingsExist { .. })
        ));
        assert_eq!(show_key(&path).unwrap(), (made.device, made.sealing_key));
    }

    #[test]
    fn init_makes_keys_for_settings_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let text = "device_key = \"other.key\"\nchain = [\"ws://127.0.0.1:1\"]\n";
        std::fs::write(&path, text).unwrap();
        let made = init(&path).unwrap();
        assert_eq!(made.device_key, folder.path().join("other.key"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn an_account_for_claims_is_made_beside_the_settings_and_nothing_is_owed_at_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        init(&path).unwrap();
        let account = claims_account(&path).unwrap();
        assert!(folder.path().join("claims.key").exists());
        assert_eq!(claims_account(&path).unwrap(), account);
        let shown = show_claims(&path).unwrap();
        assert_eq!(
            shown,
            "acknowledged  nothing that is not settled for good\n"
        );
        assert!(!folder.path().join("data").exists(), "nothing is written");
    }

    #[test]
    fn keys_that_are_there_are_not_replaced_by_new_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let made = init(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            init(&path),
            Err(CommandError::Keys(KeyFileError::Exists { .. }))
        ));
        assert!(!path.exists());
        assert_eq!(
            DeviceSecrets::load(&made.device_key).unwrap().id(),
            made.device
        );
    }
}
