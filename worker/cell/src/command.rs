//! What is to be run.

use crate::limits::{
    ARGUMENTS_MAX, ENVIRONMENT_MAX, INPUTS_MAX, LimitOutside, Limits, PATH_BYTES_MAX,
    PATH_PARTS_MAX, SHELL_BYTES_MAX, WORDS_BYTES_MAX,
};
use codec::{Decode, Encode};
use std::{
    os::unix::ffi::OsStrExt,
    path::{Component, Path},
};

/// Variables that every cell gives by itself: `PATH`, `HOME`, `TMPDIR`, `LANG` and `TZ`.
pub const FIXED_VARIABLES: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LANG", "TZ"];

/// A command of the shell, with what it finds and what it may take.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Command {
    pub(crate) shell: Vec<u8>,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) environment: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) limits: Limits,
}

/// A file that a command may read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Input {
    /// Where it is outside.
    pub(crate) from: Vec<u8>,
    /// Where the command finds it, from its work folder on.
    pub(crate) at: Vec<u8>,
}

/// What no command can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A limit that no command may have.
    #[error(transparent)]
    Limit(#[from] LimitOutside),
    /// There are more of something than there may be.
    #[error("there are {count} {what}, but at most {max} may be: leave some out")]
    TooMany {
        /// `arguments`, `environment variables` or `inputs`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Something is too long.
    #[error("{what} has {bytes} bytes, but may have at most {max}: put the rest into an input")]
    TooLong {
        /// Of what.
        what: &'static str,
        /// Bytes it has.
        bytes: usize,
        /// Bytes it may have.
        max: usize,
    },
    /// A zero byte, at which the system would cut it.
    #[error("{what} holds a zero byte, which ends a string there: leave it out")]
    ZeroByte {
        /// Where.
        what: &'static str,
    },
    /// The name of a variable is empty, holds `=`, is given twice, or is one of [`FIXED_VARIABLES`].
    #[error(
        "the name of environment variable {index} is empty, holds '=', is there already, or is \
         given by every cell itself: choose another"
    )]
    VariableName {
        /// Which one, from 0.
        index: usize,
    },
    /// An input that is not named by an absolute path.
    #[error("input {index} is not named by an absolute path: say where it is from `/` on")]
    NotAbsolute {
        /// Which one, from 0.
        index: usize,
    },
    /// An input would not be in the work folder, or in place of another, or above or below one.
    #[error(
        "input {index} would be found outside of the work folder, or where another is: give it a \
         relative path of plain names that is its own"
    )]
    Place {
        /// Which one, from 0.
        index: usize,
    },
}

impl Command {
    /// A command of the shell, `/bin/sh -c SHELL`, with nothing to read.
    ///
    /// # Errors
    ///
    /// If the text is too long or holds a zero byte, or if a limit is outside of what it may be.
    pub fn new(shell: impl Into<Vec<u8>>, limits: Limits) -> Result<Self, CommandError> {
        let shell = shell.into();
        limits.check()?;
        short("the command", shell.len(), SHELL_BYTES_MAX)?;
        whole("the command", &shell)?;
        Ok(Self {
            shell,
            arguments: Vec::new(),
            environment: Vec::new(),
            inputs: Vec::new(),
            limits,
        })
    }

    /// The same with these arguments, which the shell has as `$1` and so on.
    ///
    /// # Errors
    ///
    /// If there are too many, they are too long, or one holds a zero byte.
    pub fn with_arguments<T: Into<Vec<u8>>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, CommandError> {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        few("arguments", self.arguments.len(), ARGUMENTS_MAX)?;
        for argument in &self.arguments {
            whole("an argument", argument)?;
        }
        self.words_are_short()
    }

    /// The same with these variables.
    ///
    /// # Errors
    ///
    /// If there are too many, they are too long, one holds a zero byte, or a name is none.
    pub fn with_environment<N: Into<Vec<u8>>, V: Into<Vec<u8>>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, CommandError> {
        self.environment = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        few(
            "environment variables",
            self.environment.len(),
            ENVIRONMENT_MAX,
        )?;
        for (index, (name, value)) in self.environment.iter().enumerate() {
            whole("an environment variable", name)?;
            whole("an environment variable", value)?;
            let is_fixed = FIXED_VARIABLES.iter().any(|it| it.as_bytes() == name);
            let mut before = self.environment.iter().take(index);
            let is_there = before.any(|(other, _)| other == name);
            if name.is_empty() || name.contains(&b'=') || is_fixed || is_there {
                return Err(CommandError::VariableName { index });
            }
        }
        self.words_are_short()
    }

    /// The same with these files to read: where each is, by an absolute path, and where the command
    /// finds it, from its work folder on.
    ///
    /// # Errors
    ///
    /// If there are too many, a path is too long or holds a zero byte, or a place is none.
    pub fn with_inputs<F: AsRef<Path>, A: AsRef<Path>>(
        mut self,
        inputs: impl IntoIterator<Item = (F, A)>,
    ) -> Result<Self, CommandError> {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        self.inputs = inputs
            .into_iter()
            .map(|(from, at)| Input {
                from: bytes(from.as_ref()),
                at: bytes(at.as_ref()),
            })
            .collect();
        few("inputs", self.inputs.len(), INPUTS_MAX)?;
        for (index, input) in self.inputs.iter().enumerate() {
            for path in [&input.from, &input.at] {
                short("the path of an input", path.len(), PATH_BYTES_MAX)?;
                whole("the path of an input", path)?;
            }
            if input.from.first() != Some(&b'/') {
                return Err(CommandError::NotAbsolute { index });
            }
        }
        let mut places: Vec<(Vec<&[u8]>, usize)> = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let place = parts(&input.at).ok_or(CommandError::Place { index })?;
            places.push((place, index));
        }
        // Sorted by parts, whatever is below a path stands right behind it.
        places.sort();
        for (first, second) in places.iter().zip(places.iter().skip(1)) {
            if second.0.starts_with(&first.0) {
                return Err(CommandError::Place { index: second.1 });
            }
        }
        Ok(self)
    }

    /// What it may take.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    fn words_are_short(self) -> Result<Self, CommandError> {
        let arguments = self.arguments.iter().map(Vec::len);
        let variables = self
            .environment
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let bytes = arguments.chain(variables).sum();
        short("arguments and environment", bytes, WORDS_BYTES_MAX)?;
        Ok(self)
    }
}

/// The names that a relative path is made of; none if it could leave the folder it is in.
fn parts(path: &[u8]) -> Option<Vec<&[u8]>> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.as_bytes()),
            _ => return None,
        }
    }
    (1..=PATH_PARTS_MAX).contains(&names.len()).then_some(names)
}

fn few(what: &'static str, count: usize, max: usize) -> Result<(), CommandError> {
    match count > max {
        true => Err(CommandError::TooMany { what, count, max }),
        false => Ok(()),
    }
}

fn short(what: &'static str, bytes: usize, max: usize) -> Result<(), CommandError> {
    match bytes > max {
        true => Err(CommandError::TooLong { what, bytes, max }),
        false => Ok(()),
    }
}

fn whole(what: &'static str, bytes: &[u8]) -> Result<(), CommandError> {
    match bytes.contains(&0) {
        true => Err(CommandError::ZeroByte { what }),
        false => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn command() -> Command {
        let limits = Limits {
            seconds: NonZeroU32::MIN,
            memory_bytes: 1 << 26,
            disk_bytes: 1 << 20,
            output_bytes: 1,
            processes: 8,
        };
        Command::new("true", limits).unwrap()
    }

    #[test]
    fn what_the_system_would_cut_or_not_take_is_refused() {
        let limits = command().limits;
        let refused = |shell: Vec<u8>| Command::new(shell, limits).unwrap_err();
        let long = refused(vec![b'a'; SHELL_BYTES_MAX + 1]);
        assert!(matches!(long, CommandError::TooLong { bytes: 65_537, .. }));
        assert!(matches!(
            refused(b"a\0b".to_vec()),
            CommandError::ZeroByte { .. }
        ));

        let many = vec!["a"; ARGUMENTS_MAX + 1];
        let error = command().with_arguments(many).unwrap_err();
        assert!(matches!(error, CommandError::TooMany { count: 17, .. }));
        let long = command().with_arguments([vec![b'a'; WORDS_BYTES_MAX + 1]]);
        assert!(matches!(long.unwrap_err(), CommandError::TooLong { .. }));
    }

    #[test]
    fn a_variable_needs_a_name_of_its_own() {
        for (index, names) in [
            (0, ["", "B"]),
            (0, ["A=B", "B"]),
            (1, ["A", "PATH"]),
            (1, ["A", "A"]),
        ] {
            let variables = names.map(|name| (name, "1"));
            let error = command().with_environment(variables).unwrap_err();
            assert_eq!(error, CommandError::VariableName { index });
        }
        command().with_environment([("A", "="), ("B", "")]).unwrap();
    }

    #[test]
    fn an_input_stays_in_the_work_folder_and_has_its_place_for_itself() {
        let at = |places: [&str; 3]| command().with_inputs(places.map(|at| ("/usr/x", at)));
        at(["a", "b/a", "b/c"]).unwrap();
        for place in ["", "/a", "../a", "a/../b", "."] {
            let error = at(["x", "y", place]).unwrap_err();
            assert_eq!(error, CommandError::Place { index: 2 }, "{place}");
        }
        assert_eq!(
            at(["a", "b", "a"]).unwrap_err(),
            CommandError::Place { index: 2 }
        );
        assert_eq!(
            at(["a", "a-b", "a/b"]).unwrap_err(),
            CommandError::Place { index: 2 }
        );
        assert_eq!(
            at(["a/b/c", "b", "a"]).unwrap_err(),
            CommandError::Place { index: 0 }
        );
        let error = command().with_inputs([("x", "x")]).unwrap_err();
        assert_eq!(error, CommandError::NotAbsolute { index: 0 });
    }
}
