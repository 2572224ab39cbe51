//! What one run of a program is given.

use crate::limits::{ENVIRONMENT_BYTES_MAX, ENVIRONMENT_MAX};
use bytes::Bytes;
use quern_primitives::limits::{ARGUMENT_BYTES_MAX, ARGUMENTS_MAX};

/// What a program finds as its argument 0, where a command finds its own name.
pub const PROGRAM_NAME: &[u8] = b"program";

/// The input of one run: the shard on standard input, arguments, environment and the seed of all
/// randomness. Cloning it does not copy the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    input: Bytes,
    arguments: Vec<Vec<u8>>,
    environment: Vec<(Vec<u8>, Vec<u8>)>,
    seed: [u8; 32],
}

/// Arguments or environment that no program can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// There are more than a task may have.
    #[error("{count} {what}, but a task may have at most {max}: pass the rest in the input")]
    TooMany {
        /// `arguments` or `environment variables`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many a task may have.
        max: usize,
    },
    /// Together they are too long.
    #[error(
        "{bytes} bytes of {what}, but a task may have at most {max}: pass the rest in the input"
    )]
    TooLong {
        /// `arguments` or `environment variables`.
        what: &'static str,
        /// Bytes of all of them.
        bytes: usize,
        /// Bytes a task may have.
        max: usize,
    },
    /// One holds a zero byte, at which a program would cut it.
    #[error("{what} {index} holds a zero byte, which ends a string there: leave it out")]
    ZeroByte {
        /// `argument` or `environment variable`.
        what: &'static str,
        /// Which one, from 0.
        index: usize,
    },
    /// The name of a variable is empty or holds `=`.
    #[error("the name of environment variable {index} is empty or holds '=': give it a plain name")]
    VariableName {
        /// Which one, from 0.
        index: usize,
    },
}

impl Invocation {
    /// A run on `input`, without arguments and with an empty environment. All randomness the
    /// program draws follows from `seed`.
    pub fn new(input: impl Into<Bytes>, seed: [u8; 32]) -> Self {
        Invocation {
            input: input.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            seed,
        }
    }

    /// The same run with these arguments, which the program finds from place 1 on; place 0 is
    /// [`PROGRAM_NAME`].
    pub fn with_arguments<T: Into<Vec<u8>>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvocationError> {
        let arguments: Vec<Vec<u8>> = arguments.into_iter().map(Into::into).collect();
        let bytes = arguments.iter().map(Vec::len).sum();
        within(
            "arguments",
            arguments.len(),
            ARGUMENTS_MAX as usize,
            bytes,
            ARGUMENT_BYTES_MAX as usize,
        )?;
        if let Some(index) = arguments.iter().position(|argument| argument.contains(&0)) {
            return Err(InvocationError::ZeroByte {
                what: "argument",
                index,
            });
        }
        self.arguments = arguments;
        Ok(self)
    }

    /// The same run with these environment variables, names and values, in this order.
    pub fn with_environment<N: Into<Vec<u8>>, V: Into<Vec<u8>>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, InvocationError> {
        let variables: Vec<(Vec<u8>, Vec<u8>)> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let bytes = variables
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let what = "environment variables";
        within(
            what,
            variables.len(),
            ENVIRONMENT_MAX,
            bytes,
            ENVIRONMENT_BYTES_MAX,
        )?;
        for (index, (name, value)) in variables.iter().enumerate() {
            if name.is_empty() || name.contains(&b'=') {
                return Err(InvocationError::VariableName { index });
            }
            if name.contains(&0) || value.contains(&0) {
                return Err(InvocationError::ZeroByte {
                    what: "environment variable",
                    index,
                });
            }
        }
        self.environment = variables;
        Ok(self)
    }

    /// What the program reads on standard input.
    pub fn input(&self) -> &Bytes {
        &self.input
    }

    /// The arguments after [`PROGRAM_NAME`].
    pub fn arguments(&self) -> &[Vec<u8>] {
        &self.arguments
    }

    /// The environment: names and values.
    pub fn environment(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.environment
    }

    /// What all randomness follows from.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

fn within(
    what: &'static str,
    count: usize,
    count_max: usize,
    bytes: usize,
    bytes_max: usize,
) -> Result<(), InvocationError> {
    if count > count_max {
        return Err(InvocationError::TooMany {
            what,
            count,
            max: count_max,
        });
    }
    if bytes > bytes_max {
        return Err(InvocationError::TooLong {
            what,
            bytes,
            max: bytes_max,
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn empty() -> Invocation {
        Invocation::new(Bytes::new(), [0; 32])
    }

    #[test]
    fn too_many_or_too_long_arguments_are_refused_with_their_figures() {
        let many = vec![Vec::new(); ARGUMENTS_MAX as usize + 1];
        let error = empty().with_arguments(many).unwrap_err();
        assert_eq!(
            error,
            InvocationError::TooMany {
                what: "arguments",
                count: 257,
                max: 256
            }
        );

        let long = vec![vec![b'a'; ARGUMENT_BYTES_MAX as usize + 1]];
        let error = empty().with_arguments(long).unwrap_err();
        assert_eq!(
            error,
            InvocationError::TooLong {
                what: "arguments",
                bytes: 65_537,
                max: 65_536
            }
        );
    }

    #[test]
    fn strings_that_a_program_would_read_differently_are_refused() {
        let error = empty()
            .with_arguments([b"a".to_vec(), b"b\0c".to_vec()])
            .unwrap_err();
        assert_eq!(
            error,
            InvocationError::ZeroByte {
                what: "argument",
                index: 1
            }
        );
        let error = empty()
            .with_environment([("a", "1"), ("", "2")])
            .unwrap_err();
        assert_eq!(error, InvocationError::VariableName { index: 1 });
        let error = empty().with_environment([("a=b", "1")]).unwrap_err();
        assert_eq!(error, InvocationError::VariableName { index: 0 });
        let error = empty().with_environment([("a", "1\0")]).unwrap_err();
        assert_eq!(
            error,
            InvocationError::ZeroByte {
                what: "environment variable",
                index: 0
            }
        );
    }
}
