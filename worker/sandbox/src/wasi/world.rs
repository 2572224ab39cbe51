//! All that a program can see: its strings, three streams, a stream of randomness and the time.

use super::{abi::Errno, random::SeedStream};
use crate::{Invocation, invocation::PROGRAM_NAME, limits::DIAGNOSTICS_BYTES_MAX, meter::Stop};
use bytes::Bytes;

/// What an open file number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The shard.
    Input,
    /// The result.
    Output,
    /// Standard error.
    Diagnostics,
}

/// What time it is when a run starts, in nanoseconds since 1970: the start of the year 2000. Not
/// 0, which programs take for "not set".
const START_NANOS: u64 = 946_684_800_000_000_000;

/// One run's surroundings. It knows nothing of the engine and of the machine.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) arguments: Strings,
    pub(crate) environment: Strings,
    input: Bytes,
    input_at: u64,
    files: [Option<Open>; 3],
    output: Vec<u8>,
    output_bytes_max: u64,
    diagnostics: Tail,
    pub(crate) random: SeedStream,
    slept_nanos: u64,
}

/// An open file number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) stream: Stream,
    /// The flags a program has set, given back when it asks; none changes anything here, where
    /// every write appends and nothing ever waits.
    pub(crate) flags: u16,
}

impl World {
    pub(crate) fn new(invocation: &Invocation, output_bytes_max: u64) -> Self {
        let open = |stream| Some(Open { stream, flags: 0 });
        let mut arguments = Strings::default();
        arguments.push(&[PROGRAM_NAME]);
        for argument in invocation.arguments() {
            arguments.push(&[argument]);
        }
        let mut environment = Strings::default();
        for (name, value) in invocation.environment() {
            environment.push(&[name, b"=", value]);
        }
        World {
            arguments,
            environment,
            input: invocation.input().clone(),
            input_at: 0,
            files: [
                open(Stream::Input),
                open(Stream::Output),
                open(Stream::Diagnostics),
            ],
            output: Vec::new(),
            output_bytes_max,
            diagnostics: Tail::default(),
            random: SeedStream::new(*invocation.seed()),
            slept_nanos: 0,
        }
    }

    /// The file that is open under this number.
    pub(crate) fn file(&mut self, number: u32) -> Result<&mut Open, Errno> {
        let slot = self.files.get_mut(number as usize).ok_or(Errno::BadFile)?;
        slot.as_mut().ok_or(Errno::BadFile)
    }

    pub(crate) fn stream(&mut self, number: u32) -> Result<Stream, Errno> {
        self.file(number).map(|open| open.stream)
    }

    pub(crate) fn close(&mut self, number: u32) -> Result<(), Errno> {
        self.file(number)?;
        self.files[number as usize] = None;
        Ok(())
    }

    /// Lets number `to` stand for what `from` stood for, and closes `from`.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        let open = *self.file(from)?;
        *self.file(to)? = open;
        if from != to {
            self.files[from as usize] = None;
        }
        Ok(())
    }

    pub(crate) fn input_bytes(&self) -> u64 {
        self.input.len() as u64
    }

    pub(crate) fn input_at(&self) -> u64 {
        self.input_at
    }

    pub(crate) fn set_input_at(&mut self, at: u64) {
        self.input_at = at;
    }

    /// The input from `at` on, at most `bytes` of it; empty beyond its end.
    pub(crate) fn input_from(&self, at: u64, bytes: usize) -> &[u8] {
        let rest = usize::try_from(at)
            .ok()
            .and_then(|at| self.input.get(at..))
            .unwrap_or_default();
        &rest[..rest.len().min(bytes)]
    }

    /// Says whether the output has room for `bytes` more.
    pub(crate) fn admit_output(&self, bytes: u64) -> Result<(), Stop> {
        if self.output.len() as u64 + bytes > self.output_bytes_max {
            return Err(Stop::OutputLimit);
        }
        Ok(())
    }

    /// Appends to the result, for which [`World::admit_output`] has found room.
    pub(crate) fn put_output(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    pub(crate) fn put_diagnostics(&mut self, bytes: &[u8]) {
        self.diagnostics.push(bytes);
    }

    /// The clock: it starts at a fixed time and goes one nanosecond with each fuel used, and to the
    /// end of each sleep at once. A clock that stands still would have programs that wait for a
    /// time to pass, or divide by the time they took, wait for ever or divide by zero; one that
    /// goes with the machine would have them answer differently on each.
    pub(crate) fn clock_nanos(&self, fuel_used: u64, realtime: bool) -> u64 {
        let start = if realtime { START_NANOS } else { 0 };
        start
            .saturating_add(fuel_used)
            .saturating_add(self.slept_nanos)
    }

    /// Lets `nanos` pass at once.
    pub(crate) fn sleep(&mut self, nanos: u64) {
        self.slept_nanos = self.slept_nanos.saturating_add(nanos);
    }

    /// What the run leaves: its output, and the end of its diagnostics.
    pub(crate) fn into_writings(self) -> (Vec<u8>, Vec<u8>) {
        (self.output, self.diagnostics.into_bytes())
    }
}

/// Strings as WASI hands them over: one block in which each ends with a zero byte, and where each
/// starts in it.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    block: Vec<u8>,
    starts: Vec<u32>,
}

impl Strings {
    /// Adds one string, given in parts. The bounds of [`Invocation`] keep the block far below 4 GiB.
    fn push(&mut self, parts: &[&[u8]]) {
        self.starts
            .push(u32::try_from(self.block.len()).unwrap_or(u32::MAX));
        for part in parts {
            self.block.extend_from_slice(part);
        }
        self.block.push(0);
    }

    pub(crate) fn block(&self) -> &[u8] {
        &self.block
    }

    pub(crate) fn starts(&self) -> &[u32] {
        &self.starts
    }
}

/// The last [`DIAGNOSTICS_BYTES_MAX`] bytes of what was pushed; twice as many are held so that
/// dropping the oldest costs little for each byte.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(DIAGNOSTICS_BYTES_MAX)..];
        if self.0.len() + bytes.len() > 2 * DIAGNOSTICS_BYTES_MAX {
            self.trim();
        }
        self.0.extend_from_slice(bytes);
    }

    fn trim(&mut self) {
        let excess = self.0.len().saturating_sub(DIAGNOSTICS_BYTES_MAX);
        self.0.drain(..excess);
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.trim();
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_tail_is_the_end_of_all_that_was_written(pieces in prop::collection::vec((any::<u8>(), 0usize..3 * DIAGNOSTICS_BYTES_MAX), 0..6)) {
            let mut tail = Tail::default();
            let mut all = Vec::new();
            for (byte, count) in pieces {
                tail.push(&vec![byte; count]);
                all.extend(vec![byte; count]);
                prop_assert!(tail.0.len() <= 2 * DIAGNOSTICS_BYTES_MAX);
            }
            let kept = all.split_off(all.len().saturating_sub(DIAGNOSTICS_BYTES_MAX));
            prop_assert_eq!(tail.into_bytes(), kept);
        }
    }
}
