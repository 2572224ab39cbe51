//! What the parts of a cell tell each other, over a pair of sockets each.

use crate::{command::Command, kind::Kind, limits::MESSAGE_BYTES_MAX, outcome::Ending};
use codec::{Decode, DecodeAll, Encode};
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

/// What a process of a cell is to do.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Orders {
    pub(crate) role: Role,
    pub(crate) kind: Kind,
    pub(crate) command: Command,
    /// The user and group that the cell becomes, if whoever runs it may become others.
    pub(crate) own_id: Option<u32>,
    /// Where the command's folders are, in a cell without a root of its own.
    pub(crate) scratch: Option<Vec<u8>>,
}

/// Which process of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Role {
    /// Outside: keeps the time, takes the output, ends the cell.
    Guard,
    /// The first process inside: makes the room, looks at memory and disk.
    First,
    /// Makes itself small and becomes the shell.
    Last,
}

/// What the first process and the one that becomes the shell say.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Word {
    /// It could not be done.
    Refused(Refusal),
    /// The shell runs.
    Runs,
    /// The shell ended, or was to be ended.
    Ended(Seen),
}

/// How it ended, as the first process saw it.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Seen {
    pub(crate) ending: Ending,
    pub(crate) memory_bytes: u64,
}

/// What the guard says at last.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Report {
    Refused(Refusal, Vec<u8>),
    Ended {
        seen: Seen,
        output_bytes: u64,
        diagnostics: Vec<u8>,
    },
}

/// What could not be done, and the system's number for why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Refusal {
    pub(crate) step: Step,
    pub(crate) number: i32,
}

/// What has to be done before a command runs, or while it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Step {
    /// To read what is to be done.
    Orders,
    /// To get namespaces: of users, processes, mounts, network, IPC, host name and cgroups.
    Namespaces,
    /// To become another user, inside or outside.
    User,
    /// To make a root of its own.
    Root,
    /// To show the system's programs and libraries, read-only.
    System,
    /// To mount a `/proc` of its own.
    Proc,
    /// To make the folders in which the command may write.
    Folders,
    /// To show the input at this place, read-only.
    Input(u32),
    /// To give up all capabilities.
    Capabilities,
    /// To set limits on resources.
    Resources,
    /// To restrict files and network by landlock.
    Landlock,
    /// To refuse system calls by seccomp.
    Seccomp,
    /// To start a further process of a cell.
    Process,
    /// To start `bwrap`.
    Bubblewrap,
    /// To become the shell.
    Shell,
    /// To look at memory, processes and disk.
    Look,
    /// To write to the file for the output.
    Output,
    /// To end all processes.
    End,
}

/// Gives an error of the system the step that it belongs to.
pub(crate) trait At<T> {
    fn at(self, step: Step) -> Result<T, Refusal>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: Step) -> Result<T, Refusal> {
        self.map_err(|error| {
            let number = error.into().raw_os_error().unwrap_or(libc::EIO);
            Refusal { step, number }
        })
    }
}

/// Writes a message, its length first.
pub(crate) fn send(mut to: &UnixStream, message: &impl Encode) -> io::Result<()> {
    let bytes = message.encode();
    let length = u32::try_from(bytes.len())
        .ok()
        .filter(|_| bytes.len() <= MESSAGE_BYTES_MAX)
        .ok_or(io::Error::from_raw_os_error(libc::EMSGSIZE))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&bytes)
}

/// Reads a message; none if the other side has gone.
pub(crate) fn receive<T: Decode>(mut from: &UnixStream) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes(length);
    if usize::try_from(length).map_or(true, |length| length > MESSAGE_BYTES_MAX) {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    let mut bytes = Vec::new();
    from.take(length.into()).read_to_end(&mut bytes)?;
    T::decode_all(&mut bytes.as_slice())
        .map(Some)
        .map_err(|_| io::Error::from_raw_os_error(libc::EBADMSG))
}
