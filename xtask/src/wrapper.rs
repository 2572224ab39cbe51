//! Lints and documentation from the same pass as the build.
//!
//! Clippy and rustdoc read of other people's crates what the compiler leaves of them. Started by
//! cargo, they have all of those compiled once more, in a form without code that a build cannot
//! use: seven hundred crates, many minutes. So cargo only builds, and calls a copy of this program
//! in the compiler's place for members of the workspace (`build.rustc-workspace-wrapper`). It
//! compiles as it is asked to, because what is tested is to be what ships, but that a warning is an
//! error; then clippy looks at the same source, and rustdoc where `cargo doc` would. What one of
//! them objects to counts as not compiled: cargo shows the words, and asks again the next time.

use std::{
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, anyhow};

use crate::{build::put, places::Places, setup::sysroot_of};

#[cfg(test)]
mod tests;

/// The name by which this program knows that it is called in the compiler's place.
const NAME: &str = "compile-and-look";

/// What the compiler is asked about itself, beside `--print`.
const QUESTIONS: [&str; 3] = ["-vV", "-V", "--version"];

/// Messages by which the compiler tells cargo how far it is. From a look they would be wrong.
const FOR_CARGO: [&str; 2] = ["artifacts", "future-incompat"];

/// A warning is an error, of the compiler as of a look.
const STRICT: [&str; 2] = ["-D", "warnings"];

/// What `cargo doc` adds for programs, which nobody reads from outside.
const OF_PROGRAMS: [&str; 2] = [
    "--document-private-items",
    "-Arustdoc::private-intra-doc-links",
];

/// Puts a copy of this program where cargo can call it, and returns its path. The build replaces
/// the program that runs.
///
/// Cargo compiles anew what was compiled through another path. So the path holds a digest of what
/// decides on a look and cargo does not watch, which is this file and clippy's settings. The rest
/// of this program may change and nothing is compiled anew.
pub(crate) fn install(places: &Places) -> Result<PathBuf> {
    install_as(places, NAME, include_str!("wrapper.rs"))
}

/// Puts a copy of this program where cargo can call it by a name, in a folder that is another when the
/// source that decides on what it does is.
pub(crate) fn install_as(places: &Places, name: &str, source: &str) -> Result<PathBuf> {
    let file = places.root.join("clippy.toml");
    let settings = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut digest = DefaultHasher::new();
    (source, settings).hash(&mut digest);
    let folder = places
        .target
        .join("looks")
        .join(format!("{:016x}", digest.finish()));
    fs::create_dir_all(&folder)
        .with_context(|| format!("{} cannot be made; see who owns it", folder.display()))?;
    let wrapper = folder.join(name);
    put(&ourselves()?, &wrapper)?;
    Ok(wrapper)
}

/// The file of this program. Linux has a name for it that holds when a build has put another program
/// in its place meanwhile, as a build of the whole workspace does.
fn ourselves() -> Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().context("the system does not say what runs here")
}

/// A call in the compiler's place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Where the called program lies.
    folder: PathBuf,
    compiler: OsString,
    arguments: Vec<OsString>,
}

impl Call {
    /// Reads the words this program was started with. None, if a person started it.
    pub(crate) fn heard(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let called = PathBuf::from(words.next()?);
        if called.file_name()? != NAME {
            return None;
        }
        Some(Self {
            folder: called.parent()?.to_owned(),
            compiler: words.next()?,
            arguments: words.collect(),
        })
    }

    /// Compiles, then looks. Returns the exit code: the compiler's if it fails, else that of the
    /// last look that does.
    pub(crate) fn carry_out(self) -> Result<u8> {
        let arguments: Vec<String> = self
            .arguments
            .into_iter()
            .map(OsString::into_string)
            .collect::<Result<_, _>>()
            .map_err(|word| anyhow!("{word:?} is not UTF-8; give its folder another name"))?;
        let looks = looks(&arguments, all_have_tests()?);
        let mut compiler = Command::new(&self.compiler);
        compiler.args(&arguments);
        if is_for_here(&arguments) {
            compiler.args(STRICT);
        }
        let compiled = exit_code(&mut compiler)?;
        if compiled != 0 || looks.is_empty() {
            return Ok(compiled);
        }
        let programs = sysroot_of(&mut Command::new(&self.compiler))?.join("bin");
        // Only their words matter. What they write would stand in the build's way.
        let scratch = self.folder.join(std::process::id().to_string());
        fs::create_dir_all(&scratch)
            .with_context(|| format!("{} cannot be made; see who owns it", scratch.display()))?;
        let mut outcome = 0;
        for look in looks {
            let looked = exit_code(
                Command::new(programs.join(look.program))
                    .args(look.arguments)
                    .arg("--out-dir")
                    .arg(&scratch),
            )?;
            if looked != 0 {
                outcome = looked;
            }
        }
        fs::remove_dir_all(&scratch)
            .with_context(|| format!("{} cannot be removed; see who owns it", scratch.display()))?;
        Ok(outcome)
    }
}

/// A look at what was compiled: a program of the toolchain, and all its arguments but the folder
/// to write into.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    program: &'static str,
    arguments: Vec<String>,
}

/// Whether each target of the package that cargo compiles is compiled with its tests too.
fn all_have_tests() -> Result<bool> {
    let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else {
        return Ok(false);
    };
    let manifest = Path::new(&folder).join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest)
        .with_context(|| format!("{} cannot be read", manifest.display()))?;
    Ok(!manifest.lines().any(|line| line.trim() == "test = false"))
}

/// The looks that follow upon a compilation with these arguments, in a package of which all targets
/// have tests or not.
///
/// None upon a question about the compiler itself. None for Wasm: a build script compiles the
/// runtime to it, with a cargo of its own that calls this program too. And clippy looks at a library
/// or a program once, with its tests, where it reads all that is read without them. What is used by
/// tests alone the compiler tells.
fn looks(arguments: &[String], all_have_tests: bool) -> Vec<Look> {
    if !is_for_here(arguments) {
        return Vec::new();
    }
    let mut looks = Vec::new();
    if !(all_have_tests && is_looked_at_with_its_tests(arguments)) {
        looks.push(clippy(arguments));
    }
    if is_documented(arguments) {
        // Of code generation `cargo doc` says no more than whose code it is.
        let mut rustdoc = for_a_look(arguments, |it| it.starts_with("metadata="));
        if is_binary(arguments) {
            rustdoc.extend(OF_PROGRAMS.map(str::to_owned));
        }
        rustdoc.extend(STRICT.map(str::to_owned));
        looks.push(Look {
            program: "rustdoc",
            arguments: rustdoc,
        });
    }
    looks
}

fn clippy(arguments: &[String]) -> Look {
    let mut clippy = for_a_look(arguments, |it| !it.starts_with("incremental="));
    clippy.push("--emit=metadata".to_owned());
    clippy.extend(STRICT.map(str::to_owned));
    Look {
        program: "clippy-driver",
        arguments: clippy,
    }
}

/// Whether something is compiled, and for this machine.
pub(crate) fn is_for_here(arguments: &[String]) -> bool {
    let is_question = arguments
        .iter()
        .any(|it| QUESTIONS.contains(&it.as_str()) || it.starts_with("--print"));
    !is_question && !values(arguments, "--target").any(|it| it.starts_with("wasm"))
}

/// Whether it is a library or a program, which cargo compiles with its tests as well.
fn is_looked_at_with_its_tests(arguments: &[String]) -> bool {
    is_for_here(arguments) && !arguments.iter().any(|it| it == "--test") && is_of_source(arguments)
}

/// The arguments in the form cargo gives them, without what is to be written where, and with the
/// options of code generation that are wanted.
fn for_a_look(arguments: &[String], is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--out-dir" {
            words.next();
        } else if word == "-C" {
            if let Some(option) = words.next().filter(|it| is_wanted(it)) {
                kept.extend([word.clone(), option.clone()]);
            }
        } else if let Some(messages) = word.strip_prefix("--json=") {
            let messages: Vec<&str> = messages
                .split(',')
                .filter(|it| !FOR_CARGO.contains(it))
                .collect();
            kept.push(format!("--json={}", messages.join(",")));
        } else if !word.starts_with("--emit=") {
            kept.push(word.clone());
        }
    }
    kept
}

/// Whether `cargo doc` documents it: every library, and every program that has no library of its
/// own name.
fn is_documented(arguments: &[String]) -> bool {
    if arguments.iter().any(|it| it == "--test") {
        return false;
    }
    if !is_binary(arguments) {
        return true;
    }
    let name = values(arguments, "--crate-name").next();
    let has_library = values(arguments, "--extern").any(|it| it.split('=').next() == name);
    is_of_source(arguments) && !has_library
}

/// Whether it lies in `src`. Build scripts, examples and tests without a harness are binaries too, and
/// lie elsewhere.
fn is_of_source(arguments: &[String]) -> bool {
    arguments.iter().map(Path::new).any(|it| {
        it.extension().is_some_and(|it| it == "rs")
            && it.components().any(|part| part.as_os_str() == "src")
    })
}

fn is_binary(arguments: &[String]) -> bool {
    values(arguments, "--crate-type").any(|it| it == "bin")
}

/// The values an option is given, in the next word or behind an `=`.
fn values<'a>(arguments: &'a [String], option: &'a str) -> impl Iterator<Item = &'a str> {
    arguments.iter().enumerate().filter_map(move |(at, word)| {
        let rest = word.strip_prefix(option)?;
        if rest.is_empty() {
            arguments.get(at + 1).map(String::as_str)
        } else {
            rest.strip_prefix('=')
        }
    })
}

/// Runs a program to its end with its output shown.
pub(crate) fn exit_code(command: &mut Command) -> Result<u8> {
    let name = Path::new(command.get_program()).display().to_string();
    let status = command.status().with_context(|| {
        format!("{name} cannot be started; `cargo xtask setup` adds what the toolchain lacks")
    })?;
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .with_context(|| format!("{name} was ended ({status}); has the machine enough memory?"))
}
