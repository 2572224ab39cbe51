//! What a job shall be: from options and a job file to a checked description.

use super::{
    elsewhere::FileName,
    preferences::{
        AgreementChoice, AgreementTable, ClassChoice, DeviceOptions, agreement, probability,
    },
};
use crate::units::{Price, Size, Span};
use clap::{Args, ValueEnum};
use quern_depot::Elsewhere;
use quern_grid::replication::FailureProbability;
use quern_owner::Input;
use quern_primitives::{
    BlockNumber,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees},
    limits,
};
use quern_shards::cut::{SHARD_BYTES_DEFAULT, Split};
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Replicas of each task of a majority unless the owner says otherwise.
const REPLICAS_DEFAULT: u8 = 3;
const MEMORY_DEFAULT: Size = Size(256 << 20);
const RESULT_DEFAULT: Size = Size(16 << 20);
const DEADLINE_DEFAULT: Span = Span { seconds: 2 * 3_600 };

/// Bytes of a job file.
const JOB_FILE_BYTES_MAX: u64 = 1 << 20;

/// Where an input may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SplitChoice {
    /// Behind line feeds only
    Lines,
    /// Anywhere
    Bytes,
    /// Nowhere: one task
    None,
}

/// Price and priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LevelChoice {
    /// Cheaper, later
    Low,
    /// The usual
    Balanced,
    /// Dearer, sooner
    High,
}

/// What the job is. A job file has the same keys; options override it.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct JobOptions {
    /// The program: WebAssembly built for wasm32-wasip1
    #[arg(long, value_name = "FILE.wasm")]
    program: Option<PathBuf>,
    /// What the program reads, cut into one shard for each task: a file, a URL (https://…), or an object of a bucket of
    /// yours (s3://BUCKET/KEY), which are fetched first
    #[arg(long, value_name = "FILE", value_parser = FileName::parser(), conflicts_with = "prepared")]
    input: Option<FileName>,
    /// A folder whose files are the shards already, in the order of their names
    #[arg(long, value_name = "DIR")]
    prepared: Option<PathBuf>,
    /// Where the input may be cut
    #[arg(long, value_enum)]
    split: Option<SplitChoice>,
    /// The most bytes of a shard [default: 8MiB]
    #[arg(long, value_name = "SIZE")]
    shard_size: Option<Size>,
    /// An argument of the program; may be given several times
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true)]
    #[serde(default, rename = "arg")]
    arguments: Vec<String>,
    /// How devices agree on an answer [default: unanimous]
    #[arg(
        long = "agreement",
        value_name = "MODE",
        value_enum,
        conflicts_with = "single"
    )]
    #[serde(skip)]
    mode: Option<AgreementChoice>,
    /// How many devices of different accounts run each task; more than half must agree [default: 3 with
    /// `--agreement majority`]
    #[arg(long, value_name = "N", conflicts_with = "single")]
    replicas: Option<u8>,
    /// How many masternodes compute a task on which devices differ: 1, or 3, of which 2 must say the same
    /// [default: 1]
    #[arg(long, value_name = "N")]
    referees: Option<u8>,
    /// One device for each task, which is believed
    #[arg(long)]
    #[serde(default)]
    single: bool,
    /// Instead of a number of devices for each task: as many as it takes that the job fails with at
    /// most this probability, such as 1%, by the faults that the grid's devices had lately
    #[arg(long, value_name = "P", conflicts_with_all = ["mode", "replicas", "single"])]
    #[serde(
        default,
        alias = "failure_probability_max",
        deserialize_with = "probability"
    )]
    failure_probability_max: Option<FailureProbability>,
    /// Instead of an agreement: the one that costs least of those with which an answer to a task is wrong and
    /// final with at most this probability, such as 0.1%, where as many accounts collude as `--colluders` says
    #[arg(long, value_name = "P", conflicts_with_all = ["mode", "replicas", "single", "failure_probability_max"])]
    #[serde(default, alias = "wrong_at_most", deserialize_with = "probability")]
    wrong_at_most: Option<FailureProbability>,
    /// In a job file these can stand in a table of their own, or the mode alone.
    #[arg(skip)]
    #[serde(default, deserialize_with = "agreement")]
    agreement: AgreementTable,
    #[command(flatten)]
    #[serde(default)]
    devices: DeviceOptions,
    /// Which machines may be compared [default: pinned]
    #[arg(long, value_enum)]
    class: Option<ClassChoice>,
    /// Price and priority [default: balanced]
    #[arg(long, value_enum)]
    level: Option<LevelChoice>,
    /// Fuel one task may use [default: four times what the trial run used, more if a shard is longer than the first, at least 10 million]
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,
    /// Memory one task may use [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// The most bytes of one task's result [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    result_max: Option<Size>,
    /// How long the job may take, such as 2h or 90m; what is not done by then is not paid [default: 2h]
    #[arg(long, value_name = "SPAN", conflicts_with = "deadline_block")]
    deadline: Option<Span>,
    /// The block by which the job must be settled, instead of a span
    #[arg(long, value_name = "BLOCK")]
    deadline_block: Option<BlockNumber>,
    /// The most the job may cost, in ByteChips [default: the quote]
    #[arg(long, value_name = "BC")]
    max_price: Option<Price>,
}

/// Why options and job file describe no job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpecError {
    /// The job file cannot be read.
    #[error("cannot read the job file {path}")]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The job file is too long.
    #[error("the job file {path} is longer than {JOB_FILE_BYTES_MAX} bytes; is it the right file?")]
    LongFile {
        /// The file.
        path: PathBuf,
    },
    /// The job file does not say what it should.
    #[error("the job file {path} is wrong")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Something is missing.
    #[error("the job needs {what}; give it with --{key}, or as `{key}` in a job file")]
    Missing {
        /// What, in words.
        what: &'static str,
        /// Its key.
        key: &'static str,
    },
    /// Two things are given of which only one can be.
    #[error("`{one}` and `{other}` exclude each other; leave one of them out")]
    Both {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A number is beyond what a job can have.
    #[error("`{key}` is {found}, but can be at most {max}")]
    TooLarge {
        /// Its key.
        key: &'static str,
        /// What was given.
        found: u64,
        /// The most.
        max: u64,
    },
    /// A number of replicas that cannot decide.
    #[error("{replicas} replicas cannot decide by majority; ask for an odd number from 3 to {max}, for two devices that must agree with `--agreement unanimous`, or for one with `--single`", max = limits::REPLICAS_PER_TASK_MAX)]
    Replicas {
        /// What was given.
        replicas: u8,
    },
    /// A number of referees that there is not.
    #[error("`referees` is {found}, but can only be 1, or 3, of which 2 must say the same")]
    Referees {
        /// What was given.
        found: u8,
    },
    /// The folder of prepared shards cannot be read.
    #[error("cannot read the folder {path} of prepared shards")]
    ReadPrepared {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder of prepared shards has no files.
    #[error("there is no file in {path}; every file there is the input of one task")]
    NothingPrepared {
        /// The folder.
        path: PathBuf,
    },
}

/// By when a job must be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// So long after the submission.
    After(Span),
    /// By that block.
    Block(BlockNumber),
}

impl Deadline {
    /// The last block, if the present one is `now`.
    pub(crate) fn block(self, now: BlockNumber) -> BlockNumber {
        match self {
            Self::Block(block) => block,
            Self::After(span) => {
                now.saturating_add(BlockNumber::try_from(span.blocks()).unwrap_or(BlockNumber::MAX))
            }
        }
    }
}

/// How certain a job's answers shall be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Certainty {
    /// As so many devices make them.
    Agreement(Agreement),
    /// So that the job fails with at most this probability.
    FailureAtMost(FailureProbability),
    /// So that an answer to a task is wrong and final with at most this probability.
    WrongAtMost(FailureProbability),
}

/// A job as its owner means it, checked as far as it can be without the chain.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobSpec {
    pub(crate) program: PathBuf,
    /// What the tasks work on. If it is elsewhere its path is none before it was fetched.
    pub(crate) input: Input,
    /// Where the input is, if that is elsewhere and it was not fetched yet.
    pub(crate) elsewhere: Option<Elsewhere>,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) certainty: Certainty,
    pub(crate) referees: Referees,
    pub(crate) preferences: Preferences,
    pub(crate) class: Class,
    pub(crate) level: ByteLevel,
    pub(crate) fuel: Option<u64>,
    pub(crate) memory_bytes_max: u64,
    pub(crate) result_bytes_max: u32,
    pub(crate) deadline: Deadline,
    pub(crate) price_max: Option<Price>,
}

impl JobOptions {
    /// Reads a job file. Paths in it are relative to its folder.
    pub(crate) fn read(path: &Path) -> Result<Self, SpecError> {
        let failed = |source| SpecError::ReadFile {
            path: path.to_owned(),
            source,
        };
        if fs::metadata(path).map_err(failed)?.len() > JOB_FILE_BYTES_MAX {
            return Err(SpecError::LongFile {
                path: path.to_owned(),
            });
        }
        Self::parse(&fs::read_to_string(path).map_err(failed)?, path)
    }

    /// What a job file says that stands at this path.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, SpecError> {
        let mut options: Self = toml::from_str(text).map_err(|source| SpecError::Syntax {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let within = |path: &mut PathBuf| *path = folder.join(&path);
        options.program.iter_mut().for_each(within);
        options.input.iter_mut().for_each(|it| it.within(folder));
        options.prepared.iter_mut().for_each(within);
        options.take_agreement_table()?;
        Ok(options)
    }

    /// Takes over what the table says of the agreement, which nothing else may say then.
    fn take_agreement_table(&mut self) -> Result<(), SpecError> {
        let table = std::mem::take(&mut self.agreement);
        let both = |one, other| Err(SpecError::Both { one, other });
        if table.replicas.is_some() && self.replicas.is_some() {
            return both("replicas", "agreement.replicas");
        }
        if table.referees.is_some() && self.referees.is_some() {
            return both("referees", "agreement.referees");
        }
        if table.failure_probability_max.is_some() && self.failure_probability_max.is_some() {
            return both(
                "failure-probability-max",
                "agreement.failure-probability-max",
            );
        }
        if table.wrong_at_most.is_some() && self.wrong_at_most.is_some() {
            return both("wrong-at-most", "agreement.wrong-at-most");
        }
        // At the top level a mode has no key of its own.
        self.mode = table.mode;
        self.replicas = self.replicas.or(table.replicas);
        self.referees = self.referees.or(table.referees);
        self.single |= table.single;
        self.failure_probability_max = self
            .failure_probability_max
            .or(table.failure_probability_max);
        self.wrong_at_most = self.wrong_at_most.or(table.wrong_at_most);
        Ok(())
    }

    /// These options, and what a job file says where they say nothing.
    pub(crate) fn over(self, file: Self) -> Self {
        let named_input = self.input.is_some() || self.prepared.is_some();
        let named_agreement = self.mode.is_some()
            || self.replicas.is_some()
            || self.single
            || self.failure_probability_max.is_some()
            || self.wrong_at_most.is_some();
        let named_deadline = self.deadline.is_some() || self.deadline_block.is_some();
        Self {
            program: self.program.or(file.program),
            input: self.input.or(file.input.filter(|_| !named_input)),
            prepared: self.prepared.or(file.prepared.filter(|_| !named_input)),
            split: self.split.or(file.split),
            shard_size: self.shard_size.or(file.shard_size),
            arguments: match self.arguments.is_empty() {
                true => file.arguments,
                false => self.arguments,
            },
            mode: self.mode.or(file.mode.filter(|_| !named_agreement)),
            replicas: self.replicas.or(file.replicas.filter(|_| !named_agreement)),
            referees: self.referees.or(file.referees),
            single: self.single || (file.single && !named_agreement),
            failure_probability_max: self
                .failure_probability_max
                .or(file.failure_probability_max.filter(|_| !named_agreement)),
            wrong_at_most: self
                .wrong_at_most
                .or(file.wrong_at_most.filter(|_| !named_agreement)),
            // What a file has there was taken over when it was read.
            agreement: AgreementTable::default(),
            devices: self.devices.over(file.devices),
            class: self.class.or(file.class),
            level: self.level.or(file.level),
            fuel: self.fuel.or(file.fuel),
            memory: self.memory.or(file.memory),
            result_max: self.result_max.or(file.result_max),
            deadline: self.deadline.or(file.deadline.filter(|_| !named_deadline)),
            deadline_block: self
                .deadline_block
                .or(file.deadline_block.filter(|_| !named_deadline)),
            max_price: self.max_price.or(file.max_price),
        }
    }

    /// Checks the options.
    pub(crate) fn check(self) -> Result<JobSpec, SpecError> {
        let both = |one, other| Err(SpecError::Both { one, other });
        if self.deadline.is_some() && self.deadline_block.is_some() {
            return both("deadline", "deadline-block");
        }
        let certainty = self.certainty()?;
        let memory = self.memory.unwrap_or(MEMORY_DEFAULT);
        let result = self.result_max.unwrap_or(RESULT_DEFAULT);
        let (input, elsewhere) = self.input()?;
        Ok(JobSpec {
            input,
            elsewhere,
            program: self.program.ok_or(SpecError::Missing {
                what: "a program",
                key: "program",
            })?,
            arguments: self.arguments.into_iter().map(String::into_bytes).collect(),
            certainty,
            referees: referees(self.referees)?,
            preferences: self.devices.check()?,
            class: self.class.map_or_else(Class::default, Class::from),
            level: match self.level.unwrap_or(LevelChoice::Balanced) {
                LevelChoice::Low => ByteLevel::Low,
                LevelChoice::Balanced => ByteLevel::Balanced,
                LevelChoice::High => ByteLevel::High,
            },
            fuel: self
                .fuel
                .map(|fuel| at_most("fuel", fuel, limits::TASK_FUEL_MAX))
                .transpose()?,
            memory_bytes_max: at_most("memory", memory.0, limits::TASK_MEMORY_BYTES_MAX)?,
            result_bytes_max: bytes32("result-max", result, limits::RESULT_BYTES_MAX)?,
            deadline: match self.deadline_block {
                Some(block) => Deadline::Block(block),
                None => Deadline::After(self.deadline.unwrap_or(DEADLINE_DEFAULT)),
            },
            price_max: self.max_price,
        })
    }

    /// How certain the answers shall be. A number of replicas without a mode is a majority's.
    fn certainty(&self) -> Result<Certainty, SpecError> {
        let both = |one, other| Err(SpecError::Both { one, other });
        if self.single && self.replicas.is_some() {
            return both("single", "replicas");
        }
        if self.single
            && self
                .mode
                .is_some_and(|mode| mode != AgreementChoice::Single)
        {
            return both("agreement", "single");
        }
        if let Some((key, certainty)) = self.probable()? {
            return match (self.single, self.replicas, self.mode) {
                (true, ..) => both(key, "single"),
                (_, Some(_), _) => both(key, "replicas"),
                (.., Some(_)) => both(key, "agreement"),
                (false, None, None) => Ok(certainty),
            };
        }
        let agreement = match (self.mode, self.replicas) {
            (None | Some(AgreementChoice::Majority), Some(replicas)) => {
                Agreement::Majority { replicas }
            }
            (Some(_), Some(_)) => return both("agreement", "replicas"),
            (Some(AgreementChoice::Majority), None) => Agreement::Majority {
                replicas: REPLICAS_DEFAULT,
            },
            (Some(AgreementChoice::Unanimous), None) => Agreement::Unanimous,
            (Some(AgreementChoice::Adaptive), None) => Agreement::Adaptive,
            (Some(AgreementChoice::Single), None) => Agreement::Single,
            (None, None) if self.single => Agreement::Single,
            (None, None) => Agreement::default(),
        };
        match agreement.is_valid() {
            true => Ok(Certainty::Agreement(agreement)),
            false => Err(SpecError::Replicas {
                replicas: agreement.replicas(),
            }),
        }
    }

    /// The probability from which the agreement follows, if one is given, with its key.
    fn probable(&self) -> Result<Option<(&'static str, Certainty)>, SpecError> {
        const FAILURE: &str = "failure-probability-max";
        const WRONG: &str = "wrong-at-most";
        match (self.failure_probability_max, self.wrong_at_most) {
            (Some(_), Some(_)) => Err(SpecError::Both {
                one: FAILURE,
                other: WRONG,
            }),
            (Some(accepted), None) => Ok(Some((FAILURE, Certainty::FailureAtMost(accepted)))),
            (None, Some(accepted)) => Ok(Some((WRONG, Certainty::WrongAtMost(accepted)))),
            (None, None) => Ok(None),
        }
    }

    fn input(&self) -> Result<(Input, Option<Elsewhere>), SpecError> {
        let name = match (&self.input, &self.prepared) {
            (Some(_), Some(_)) => {
                return Err(SpecError::Both {
                    one: "input",
                    other: "prepared",
                });
            }
            (None, None) => {
                return Err(SpecError::Missing {
                    what: "an input",
                    key: "input",
                });
            }
            (None, Some(folder)) => return Ok((prepared(folder)?, None)),
            (Some(name), None) => name.clone(),
        };
        let (path, elsewhere) = match name {
            FileName::Here(path) => (path, None),
            FileName::Elsewhere(elsewhere) => (PathBuf::new(), Some(elsewhere)),
        };
        let what = "to know where its input may be cut (lines, bytes or none)";
        let split = match self
            .split
            .ok_or(SpecError::Missing { what, key: "split" })?
        {
            SplitChoice::Lines => Split::Lines,
            SplitChoice::Bytes => Split::Bytes,
            SplitChoice::None => Split::None,
        };
        let shard = self.shard_size.unwrap_or(Size(SHARD_BYTES_DEFAULT.into()));
        let shard_bytes = bytes32("shard-size", shard, limits::SHARD_BYTES_MAX)?;
        let input = Input::File {
            path,
            split,
            shard_bytes,
        };
        Ok((input, elsewhere))
    }
}

/// How many masternodes compute a task on which devices differ.
fn referees(asked: Option<u8>) -> Result<Referees, SpecError> {
    match asked {
        None => Ok(Referees::default()),
        Some(1) => Ok(Referees::One),
        Some(3) => Ok(Referees::Three),
        Some(found) => Err(SpecError::Referees { found }),
    }
}

/// The files of a folder, in the order of their names.
fn prepared(folder: &Path) -> Result<Input, SpecError> {
    let failed = |source| SpecError::ReadPrepared {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(SpecError::NothingPrepared {
            path: folder.to_owned(),
        }),
        false => Ok(Input::Prepared(files)),
    }
}

pub(super) fn at_most(key: &'static str, found: u64, max: u64) -> Result<u64, SpecError> {
    if found > max {
        Err(SpecError::TooLarge { key, found, max })
    } else {
        Ok(found)
    }
}

fn bytes32(key: &'static str, size: Size, max: u32) -> Result<u32, SpecError> {
    u32::try_from(size.0)
        .ok()
        .filter(|bytes| *bytes <= max)
        .ok_or(SpecError::TooLarge {
            key,
            found: size.0,
            max: max.into(),
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::error::Error as _;

    fn parse(text: &str) -> Result<JobOptions, SpecError> {
        JobOptions::parse(text, Path::new("folder/job.toml"))
    }

    const WHOLE: &str = "program = 'p.wasm'\ninput = '/in'\nsplit = 'lines'\nshard-size = '1MiB'\n\
        arg = ['--top', '10']\nreplicas = 5\nreferees = 3\nclass = 'portable'\nlevel = 'high'\nfuel = 5\n\
        memory = 1048576\nresult-max = '1kB'\ndeadline = '30m'\nmax-price = '0.5'\n";

    #[test]
    fn a_job_file_says_all_that_options_do() {
        let spec = parse(WHOLE).unwrap().check().unwrap();
        assert_eq!(spec.program, Path::new("folder/p.wasm"));
        let path = PathBuf::from("/in");
        assert_eq!(
            spec.input,
            Input::File {
                path,
                split: Split::Lines,
                shard_bytes: 1 << 20
            }
        );
        assert_eq!(spec.arguments, [b"--top".to_vec(), b"10".to_vec()]);
        let five = Agreement::Majority { replicas: 5 };
        assert_eq!(spec.certainty, Certainty::Agreement(five));
        assert_eq!(spec.referees, Referees::Three);
        assert_eq!(spec.preferences, Preferences::default());
        assert_eq!((spec.class, spec.level), (Class::Portable, ByteLevel::High));
        assert_eq!(
            (spec.memory_bytes_max, spec.result_bytes_max),
            (1 << 20, 1_000)
        );
        assert_eq!(spec.deadline.block(100), 1_000);
        assert_eq!(spec.price_max, Some(Price(500_000_000)));
    }

    #[test]
    fn options_override_the_job_file() {
        let options = JobOptions {
            single: true,
            fuel: Some(7),
            referees: Some(1),
            ..JobOptions::default()
        };
        let spec = options.over(parse(WHOLE).unwrap()).check().unwrap();
        let single = Certainty::Agreement(Agreement::Single);
        assert_eq!((spec.certainty, spec.fuel), (single, Some(7)));
        assert_eq!(spec.referees, Referees::One);
        let elsewhere = JobOptions {
            input: Some(FileName::Here("/other".into())),
            ..JobOptions::default()
        };
        let file = parse("program = 'p'\nprepared = 'shards'\nsplit = 'none'").unwrap();
        let spec = elsewhere.over(file).check().unwrap();
        assert_eq!(spec.referees, Referees::One, "as if nothing was said");
        assert!(matches!(spec.input, Input::File { path, .. } if path == Path::new("/other")));
    }

    #[test]
    fn an_input_may_be_elsewhere_in_a_job_file_too() {
        let elsewhere = WHOLE.replace("'/in'", "'s3://mine/words.txt'");
        let spec = parse(&elsewhere).unwrap().check().unwrap();
        let named = spec.elsewhere.map(|it| it.to_string());
        assert_eq!(named.as_deref(), Some("s3://mine/words.txt"));
        let error = parse("input = 'http://host/words.txt'").unwrap_err();
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(cause.contains("http is taken to this machine"), "{cause}");
    }

    #[test]
    fn errors_of_a_job_file_name_the_key() {
        let wrong = [
            ("memroy = '1MiB'", "memroy"),
            ("memory = '1 apple'", "memory"),
            ("memory = -1", "memory"),
            ("deadline = 'soon'", "deadline"),
            ("split = 'words'", "split"),
            ("max-price = '1,5'", "max-price"),
            ("fuel = 'much'", "fuel"),
            ("arg = 'one'", "arg"),
            ("single = 1", "single"),
        ];
        for (text, key) in wrong {
            let error = parse(text).unwrap_err();
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(cause.contains(key), "{text}: {cause}");
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let error = |text: &str| parse(text).unwrap().check().unwrap_err().to_string();
        assert!(error("program = 'p'").contains("--input"));
        assert!(error("input = 'i'\nprogram = 'p'").contains("--split"));
        assert!(error("input = 'i'\nsplit = 'none'").contains("--program"));
        assert!(error(&format!("{WHOLE}single = true")).contains("`single` and `replicas`"));
        assert!(error(&format!("{WHOLE}prepared = 'x'")).contains("`input` and `prepared`"));
        let changed = |from: &str, to: &str| error(&WHOLE.replace(from, to));
        assert!(
            changed("memory = 1048576", "memory = '100GB'").contains("`memory` is 100000000000")
        );
        assert!(changed("'1kB'", "'65MiB'").contains("`result-max`"));
        assert!(changed("'1MiB'", "'8GiB'").contains("`shard-size`"));
        assert!(changed("fuel = 5", "fuel = 10000000000001").contains("`fuel`"));
        assert!(changed("replicas = 5", "replicas = 4").contains("4 replicas"));
        assert!(changed("referees = 3", "referees = 2").contains("`referees` is 2"));
    }

    #[test]
    fn prepared_shards_are_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            prepared(folder.path()),
            Err(SpecError::NothingPrepared { .. })
        ));
        for name in ["2", "10", "01"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let Ok(Input::Prepared(files)) = prepared(folder.path()) else {
            panic!("not prepared")
        };
        let names: Vec<_> = files
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .collect();
        assert_eq!(names, ["01", "10", "2"]);
    }
}
