//! The process outside: keeps the time, takes the output, and ends the cell when its time is over, when
//! it is too loud, or when nobody waits for it any more.

use super::{
    bubblewrap, look, scratch,
    start::{Started, ourselves, start},
    user,
};
use crate::{
    kind::Kind,
    limits::{DIAGNOSTICS_BYTES_MAX, ENDING_SECONDS_MAX, SETUP_SECONDS_MAX},
    message::{At, Orders, Refusal, Report, Role, Seen, Step, Word, receive, send},
    outcome::Ending,
};
use nix::sched::{CloneFlags, unshare};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::AsFd,
    process::{getpid, set_child_subreaper, setsid},
};
use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::Path,
    process::{Child, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// Bytes that are taken from a pipe at once.
const TAKEN_BYTES: usize = 64 * 1024;

pub(super) fn run(above: &UnixStream, mut orders: Orders) -> ExitCode {
    let mut said = VecDeque::new();
    let scratch = scratch::make(&mut orders);
    let ended = scratch.and_then(|()| guard(above, &mut orders, &mut said));
    // Also if something went wrong: nothing is left.
    let ended = look::end_all().and(ended);
    if let Some(scratch) = &orders.scratch {
        scratch::remove(Path::new(OsStr::from_bytes(scratch)));
    }
    let diagnostics = Vec::from(said);
    let report = match ended {
        Ok((seen, output_bytes)) => Report::Ended {
            seen,
            output_bytes,
            diagnostics,
        },
        Err(refusal) => Report::Refused(refusal, diagnostics),
    };
    match send(above, &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Starts the cell and follows it to its end.
fn guard(
    above: &UnixStream,
    orders: &mut Orders,
    said: &mut VecDeque<u8>,
) -> Result<(Seen, u64), Refusal> {
    let output = io::stdout().as_fd().try_clone_to_owned().at(Step::Output)?;
    // A terminal's signals are for whoever runs the cell, and it ends the cell then.
    setsid().at(Step::Process)?;
    set_child_subreaper(Some(getpid())).at(Step::Process)?;
    let Started { mut child, socket } = start_first(orders)?;
    let pipes = (child.stdout.take(), child.stderr.take());
    let mut following = Following {
        above,
        socket: Some(socket),
        pipe: pipes.0.map(|it| File::from(OwnedFd::from(it))),
        loud: pipes.1.map(|it| File::from(OwnedFd::from(it))),
        output: File::from(output),
        output_bytes: 0,
        output_bytes_max: orders.command.limits.output_bytes,
        seconds: Duration::from_secs(orders.command.limits.seconds.get().into()),
        until: Instant::now() + Duration::from_secs(SETUP_SECONDS_MAX),
        is_running: false,
        seen: None,
        said,
    };
    let followed = following.follow();
    let output_bytes = following.output_bytes;
    let is_silent = !following.is_running;
    end(&mut child)?;
    let seen = followed.map_err(|refusal| match (orders.kind, is_silent, refusal.step) {
        // What it says itself is in what was said.
        (Kind::Bubblewrap, true, Step::Process) => Refusal {
            step: Step::Bubblewrap,
            ..refusal
        },
        _ => refusal,
    })?;
    Ok((seen, output_bytes))
}

fn start_first(orders: &mut Orders) -> Result<Started, Refusal> {
    orders.role = Role::First;
    orders.own_id = user::own_id()?;
    let mut command = match orders.kind {
        Kind::Full => {
            let names = CloneFlags::CLONE_NEWPID
                | CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWCGROUP;
            match orders.own_id {
                // The room is made with the power that there is, and that is given up then.
                Some(_) => unshare(names).at(Step::Namespaces)?,
                None => user::enter_users(0, names)?,
            }
            ourselves()
        }
        Kind::Bubblewrap => bubblewrap::command(orders).at(Step::Bubblewrap)?,
        Kind::WithoutNamespaces => ourselves(),
    };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let step = match orders.kind {
        Kind::Bubblewrap => Step::Bubblewrap,
        _ => Step::Process,
    };
    start(command, orders, step)
}

fn end(child: &mut Child) -> Result<(), Refusal> {
    child.kill().at(Step::End)?;
    child.wait().at(Step::End)?;
    look::end_all()
}

/// A cell that is followed to its end.
struct Following<'a> {
    /// Whoever runs the cell. When it closes its end, it wants it no more.
    above: &'a UnixStream,
    /// The first process.
    socket: Option<UnixStream>,
    /// The command's standard output, and its standard error.
    pipe: Option<File>,
    loud: Option<File>,
    output: File,
    output_bytes: u64,
    output_bytes_max: u64,
    seconds: Duration,
    until: Instant,
    is_running: bool,
    seen: Option<Seen>,
    said: &'a mut VecDeque<u8>,
}

/// Which of the things that are waited for have something.
#[derive(Clone, Copy, Default)]
struct Ready {
    above: bool,
    socket: bool,
    pipe: bool,
    loud: bool,
}

impl Following<'_> {
    fn follow(&mut self) -> Result<Seen, Refusal> {
        let mut buffer = vec![0; TAKEN_BYTES];
        loop {
            if self.socket.is_none() && self.pipe.is_none() && self.loud.is_none() {
                return self.seen.take().ok_or(Refusal {
                    step: Step::Process,
                    number: libc::ECHILD,
                });
            }
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.late();
            }
            let ready = self.wait(left).at(Step::Process)?;
            if ready.above {
                return Ok(self.stopped(Ending::Cancelled));
            }
            if ready.loud {
                self.listen(&mut buffer).at(Step::Process)?;
            }
            if ready.pipe && self.take(&mut buffer)? {
                return Ok(self.stopped(Ending::OutputLimit));
            }
            if ready.socket {
                self.hear()?;
            }
        }
    }

    fn wait(&self, left: Duration) -> rustix::io::Result<Ready> {
        let time = Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut waited_for = vec![PollFd::new(self.above, PollFlags::IN)];
        let others: [Option<BorrowedFd<'_>>; 3] = [
            self.socket.as_ref().map(AsFd::as_fd),
            self.pipe.as_ref().map(AsFd::as_fd),
            self.loud.as_ref().map(AsFd::as_fd),
        ];
        for fd in others.into_iter().flatten() {
            waited_for.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        match poll(&mut waited_for, Some(&time)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error),
        }
        let mut found = waited_for.iter().map(|it| !it.revents().is_empty());
        let mut next = |is_there: bool| is_there && found.next().unwrap_or(false);
        Ok(Ready {
            above: next(true),
            socket: next(self.socket.is_some()),
            pipe: next(self.pipe.is_some()),
            loud: next(self.loud.is_some()),
        })
    }

    /// Time is over: for the command, for making the cell, or for its end.
    fn late(&mut self) -> Result<Seen, Refusal> {
        match (&self.seen, self.is_running) {
            (None, true) => Ok(self.stopped(Ending::TimeLimit)),
            (None, false) => Err(Refusal {
                step: Step::Process,
                number: libc::ETIMEDOUT,
            }),
            (Some(_), _) => Err(Refusal {
                step: Step::End,
                number: libc::ETIMEDOUT,
            }),
        }
    }

    fn stopped(&mut self, ending: Ending) -> Seen {
        let memory_bytes = self.seen.take().map_or(0, |seen| seen.memory_bytes);
        Seen {
            ending,
            memory_bytes,
        }
    }

    /// Keeps the end of what the command says to people.
    fn listen(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(loud) = &mut self.loud else {
            return Ok(());
        };
        let bytes = loud.read(buffer)?;
        if bytes == 0 {
            self.loud = None;
        }
        self.said.extend(buffer.get(..bytes).unwrap_or_default());
        let over = self.said.len().saturating_sub(DIAGNOSTICS_BYTES_MAX);
        self.said.drain(..over);
        Ok(())
    }

    /// Takes over what the command wrote. Says whether that was too much; the file gets no more than it
    /// may.
    fn take(&mut self, buffer: &mut [u8]) -> Result<bool, Refusal> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(false);
        };
        let bytes = pipe.read(buffer).at(Step::Process)?;
        if bytes == 0 {
            self.pipe = None;
        }
        let room = self.output_bytes_max.saturating_sub(self.output_bytes);
        let kept = bytes.min(usize::try_from(room).unwrap_or(usize::MAX));
        self.output
            .write_all(buffer.get(..kept).unwrap_or_default())
            .at(Step::Output)?;
        self.output_bytes = self.output_bytes.saturating_add(kept as u64);
        Ok(kept < bytes)
    }

    fn hear(&mut self) -> Result<(), Refusal> {
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        match receive::<Word>(socket).at(Step::Process)? {
            Some(Word::Runs) => {
                self.is_running = true;
                self.until = Instant::now() + self.seconds;
            }
            Some(Word::Ended(seen)) => {
                self.seen = Some(seen);
                self.until = Instant::now() + Duration::from_secs(ENDING_SECONDS_MAX);
            }
            Some(Word::Refused(refusal)) => return Err(refusal),
            None if self.seen.is_some() => self.socket = None,
            // It was ended from outside. Those it looked after may go on, and are ended by us.
            None => {
                return Err(Refusal {
                    step: Step::Process,
                    number: libc::ECHILD,
                });
            }
        }
        Ok(())
    }
}
