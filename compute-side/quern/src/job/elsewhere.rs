//! Inputs and outputs that are no files here, but elsewhere: at a URL, or in a bucket of the owner's own.

use super::spec::JobSpec;
use crate::{
    context::Context,
    output::{byte_bar, patiently, tell},
};
use anyhow::Context as _;
use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};
use quern_depot::{Access, Elsewhere, ElsewhereError, Target};
use quern_owner::{FetchedInput, Input, JobFolder, fetch_input};
use serde::{Deserialize, Serialize, Serializer};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Bytes of a file of bucket settings.
const SETTINGS_BYTES_MAX: u64 = 64 * 1024;

/// How buckets are asked.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct BucketArgs {
    /// How buckets of yours (s3://BUCKET/KEY) are asked: a file (TOML) with `endpoint`, `region`, `key_file` and
    /// `ca_file`; what it does not say is in the environment, as for the tools of AWS
    #[arg(long, env = "QUERN_BUCKET_SETTINGS", value_name = "FILE.toml")]
    bucket_settings: Option<PathBuf>,
}

/// Why nothing says how buckets are asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketSettingsError {
    /// The file cannot be read.
    #[error("cannot read the bucket settings {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is too long.
    #[error(
        "the bucket settings {path} are longer than {SETTINGS_BYTES_MAX} bytes; is it the right file?"
    )]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// The file does not say what it should.
    #[error(
        "the bucket settings {path} are wrong; they have `endpoint`, `region`, `key_file` and `ca_file`, each if it is needed"
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
}

impl BucketArgs {
    /// What the file says, and nothing without one. Paths in it are relative to its folder.
    fn access(&self) -> Result<Access, BucketSettingsError> {
        match &self.bucket_settings {
            Some(path) => read_settings(path),
            None => Ok(Access::default()),
        }
    }
}

fn read_settings(path: &Path) -> Result<Access, BucketSettingsError> {
    let failed = |source| BucketSettingsError::Read {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > SETTINGS_BYTES_MAX {
        return Err(BucketSettingsError::Long {
            path: path.to_owned(),
        });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let access: Access = toml::from_str(&text).map_err(|source| BucketSettingsError::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    Ok(access.within(path.parent().unwrap_or(Path::new(""))))
}

/// A file here, or something that is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PathBuf")]
pub(crate) enum FileName {
    /// A file here.
    Here(PathBuf),
    /// What an owner has elsewhere.
    Elsewhere(Elsewhere),
}

impl FileName {
    /// Reads it from the command line.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().try_map(Self::try_from)
    }

    /// A file here is below that folder, unless it is named from the root.
    pub(crate) fn within(&mut self, folder: &Path) {
        if let Self::Here(path) = self {
            *path = folder.join(&path);
        }
    }
}

impl TryFrom<PathBuf> for FileName {
    type Error = ElsewhereError;

    fn try_from(path: PathBuf) -> Result<Self, ElsewhereError> {
        match path.to_str() {
            Some(text) if Elsewhere::is_meant(text) => Ok(Self::Elsewhere(text.parse()?)),
            _ => Ok(Self::Here(path)),
        }
    }
}

/// Without what may open it.
impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(path) => path.display().fmt(f),
            Self::Elsewhere(elsewhere) => elsewhere.fmt(f),
        }
    }
}

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Here(path) => path.serialize(serializer),
            Self::Elsewhere(elsewhere) => serializer.collect_str(elsewhere),
        }
    }
}

/// Fetches a job's input if it is elsewhere. From then on the job has it from the file, as long as what is returned is
/// held.
pub(crate) async fn fetch(
    context: &Context,
    spec: &mut JobSpec,
    buckets: &BucketArgs,
) -> anyhow::Result<Option<FetchedInput>> {
    let Some(elsewhere) = spec.elsewhere.take() else {
        return Ok(None);
    };
    let access = buckets.access()?;
    let source = patiently("asking for the input", elsewhere.source(&access)).await?;
    let bar = byte_bar("fetching");
    bar.set_length(source.bytes());
    let most = spec.input.bytes_max().unwrap_or(0);
    let inputs = context.inputs();
    let fetched = fetch_input(&inputs, &source, most, |done, _| bar.set_position(done));
    let fetched = fetched.await;
    bar.finish_and_clear();
    let fetched = fetched?;
    if let Input::File { path, .. } = &mut spec.input {
        *path = fetched.path();
    }
    Ok(Some(fetched))
}

/// Tells that an input that was fetched stays for the job that may follow.
pub(crate) fn tell_of_kept(context: &Context, fetched: Option<&FetchedInput>) {
    if let Some(fetched) = fetched
        && !context.is_json()
    {
        let path = fetched.path();
        tell(&format!(
            "the input is in {} now; it is not fetched again for a day, or until a job is submitted with it",
            path.display()
        ));
    }
}

/// Where a job's result goes.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    name: FileName,
    /// What writes it, if that is elsewhere.
    target: Option<Target>,
}

impl Destination {
    /// Of this name. Of a bucket it is asked whether it lets the result be written, so that nobody waits for a result that
    /// does not get there.
    pub(crate) async fn of(name: &FileName, buckets: &BucketArgs) -> anyhow::Result<Self> {
        let target = match name {
            FileName::Here(_) => None,
            FileName::Elsewhere(elsewhere) => Some(elsewhere.target(&buckets.access()?)?),
        };
        if let Some(target) = &target {
            patiently("asking whether the result can be written", target.check()).await?;
        }
        Ok(Self {
            name: name.clone(),
            target,
        })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &FileName {
        &self.name
    }

    /// Where a job's result is put together.
    pub(crate) fn path(&self, folder: &JobFolder) -> PathBuf {
        match &self.name {
            FileName::Here(path) => path.clone(),
            FileName::Elsewhere(_) => folder.assembled(),
        }
    }

    /// Takes the result of a job there, once it is put together.
    pub(crate) async fn deliver(&self, folder: &JobFolder) -> anyhow::Result<()> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        let bar = byte_bar("writing the result");
        let assembled = folder.assembled();
        let put = target.put(&assembled, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        let put = put.await;
        bar.finish_and_clear();
        // Where it did not get, it is put together anew.
        folder.drop_assembled()?;
        put.with_context(|| {
            let (job, name) = (folder.job(), &self.name);
            format!(
                "the result is here, but not at {name}; `quern job result {job} --output` takes it there, or into a file"
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;
    use quern_primitives::JobId;
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    #[derive(Parser, Debug)]
    struct Typed {
        #[arg(long, value_parser = FileName::parser())]
        input: FileName,
    }

    fn typed(text: &str) -> Result<FileName, String> {
        let typed = Typed::try_parse_from(["job", "--input", text]);
        typed.map(|it| it.input).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_here_unless_a_url_or_an_object_is_named() {
        for here in ["words.txt", "/a/words.txt", "./s3://mine/words.txt"] {
            assert_eq!(typed(here).unwrap(), FileName::Here(here.into()));
        }
        for elsewhere in ["https://host/words.txt", "s3://mine/words.txt"] {
            let named = typed(elsewhere).unwrap();
            assert!(matches!(named, FileName::Elsewhere(_)), "{named:?}");
            assert_eq!(named.to_string(), elsewhere);
            assert_eq!(serde_json::to_value(&named).unwrap(), elsewhere);
        }
        for (wrong, why) in [
            ("http://host/words.txt", "http is taken to this machine"),
            ("ftp://host/words.txt", "write it as https://"),
            ("s3://mine", "write an object of a bucket as"),
            ("https://a:b@host/", "name or password"),
        ] {
            let refused = typed(wrong).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn files_here_are_below_the_folder_of_the_job_file_and_what_is_elsewhere_is_not() {
        for (text, name) in [
            ("words.txt", "folder/words.txt"),
            ("/words.txt", "/words.txt"),
            ("s3://mine/words.txt", "s3://mine/words.txt"),
        ] {
            let mut named = FileName::try_from(PathBuf::from(text)).unwrap();
            named.within(Path::new("folder"));
            assert_eq!(named.to_string(), name);
        }
    }

    #[test]
    fn bucket_settings_say_where_their_files_are_and_never_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bucket.toml");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            let buckets = BucketArgs {
                bucket_settings: Some(path.clone()),
            };
            buckets.access()
        };
        let access = read("region = \"eu-central-1\"\nkey_file = \"keys\"").unwrap();
        assert_eq!(access.region.as_deref(), Some("eu-central-1"));
        assert_eq!(access.key_file, Some(folder.path().join("keys")));
        let secret = read("secret = \"x\"");
        assert!(matches!(secret, Err(BucketSettingsError::Syntax { .. })));
        let long = read(&"#".repeat(70_000));
        assert!(matches!(long, Err(BucketSettingsError::Long { .. })));
        let nowhere = read_settings(Path::new("/nowhere/at/all"));
        assert!(matches!(nowhere, Err(BucketSettingsError::Read { .. })));
    }

    /// A server that is sent one file and answers so; what it was sent, and where to.
    fn taking(answer: &'static str) -> (String, thread::JoinHandle<(String, Vec<u8>)>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!(
            "http://{}/counts.txt?signed",
            listener.local_addr().unwrap()
        );
        let taken = thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(tcp.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                reader.read_line(&mut head).unwrap();
                let line = head[start..].to_ascii_lowercase();
                if let Some(bytes) = line.strip_prefix("content-length:") {
                    length = bytes.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            tcp.write_all(answer.as_bytes()).unwrap();
            (head.lines().next().unwrap().to_owned(), body)
        });
        (url, taken)
    }

    #[tokio::test]
    async fn a_result_goes_where_it_was_named_and_nothing_of_it_stays_on_its_way() {
        let jobs = tempfile::tempdir().unwrap();
        let job = JobId([3; 32]);
        let path = jobs.path().join("03".repeat(32));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("submission"), "").unwrap();
        let folder = JobFolder::find(jobs.path(), job).unwrap();
        for (answer, is_there) in [("201 Created", true), ("403 Forbidden", false)] {
            let (url, taken) = taking(answer);
            let name = FileName::try_from(PathBuf::from(url)).unwrap();
            let destination = Destination::of(&name, &BucketArgs::default())
                .await
                .unwrap();
            assert_eq!(destination.path(&folder), folder.assembled());
            fs::write(folder.assembled(), "a 1\nb 2\n").unwrap();
            let delivered = destination.deliver(&folder).await;
            let (head, body) = taken.join().unwrap();
            assert_eq!(head, "PUT /counts.txt?signed HTTP/1.1");
            assert_eq!(body, b"a 1\nb 2\n");
            assert!(!folder.assembled().exists());
            if let Err(error) = &delivered {
                let told = format!("{error:#}");
                assert!(told.contains("`quern job result 0x0303"), "{told}");
                assert!(
                    told.contains("is refused") && !told.contains("signed"),
                    "{told}"
                );
            }
            assert_eq!(delivered.is_ok(), is_there);
        }
        let here = FileName::Here("counts.txt".into());
        let here = Destination::of(&here, &BucketArgs::default())
            .await
            .unwrap();
        assert_eq!(here.path(&folder), Path::new("counts.txt"));
        here.deliver(&folder).await.unwrap();
    }
}
