//! What each WASI function does, on a program's memory and its world. Nothing here knows the
//! engine; [`super`] hands the calls over.

use super::{
    abi::{self, Errno, put},
    guest::{Buffer, Guest},
    world::{Stream, Strings, World},
};
use crate::meter::{Meter, Stop, prices};

/// One call: the memory it may touch, the world it may change, the budget it draws on.
pub(crate) struct Call<'a> {
    pub(crate) memory: Guest<'a>,
    pub(crate) world: &'a mut World,
    pub(crate) meter: &'a mut Meter,
}

/// Why a call did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The program is told and goes on.
    Errno(Errno),
    /// The run ends here.
    Stop(Stop),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Errno(errno)
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Refusal::Stop(stop)
    }
}

pub(crate) type Answer = Result<(), Refusal>;

impl Call<'_> {
    pub(super) fn charge(&mut self, items: u64, bytes: u64) -> Result<(), Stop> {
        let items = items.saturating_mul(prices::HOST_ITEM_FUEL);
        self.meter
            .charge(items.saturating_add(bytes.saturating_mul(prices::HOST_BYTE_FUEL)))
    }

    /// The buffers a program named; finding them is paid, their bytes are not yet.
    fn buffers(&mut self, address: u32, count: u32) -> Result<(Vec<Buffer>, u32), Refusal> {
        let found = self.memory.buffers(address, count)?;
        self.charge(count.into(), 0)?;
        Ok(found)
    }
}

pub(crate) fn args_get(call: &mut Call<'_>, pointers: u32, block: u32) -> Answer {
    let Call {
        memory,
        world,
        meter,
    } = call;
    put_strings(memory, meter, &world.arguments, pointers, block)
}

pub(crate) fn args_sizes_get(call: &mut Call<'_>, count: u32, bytes: u32) -> Answer {
    let Call { memory, world, .. } = call;
    put_sizes(memory, &world.arguments, count, bytes)
}

pub(crate) fn environ_get(call: &mut Call<'_>, pointers: u32, block: u32) -> Answer {
    let Call {
        memory,
        world,
        meter,
    } = call;
    put_strings(memory, meter, &world.environment, pointers, block)
}

pub(crate) fn environ_sizes_get(call: &mut Call<'_>, count: u32, bytes: u32) -> Answer {
    let Call { memory, world, .. } = call;
    put_sizes(memory, &world.environment, count, bytes)
}

fn put_strings(
    memory: &mut Guest<'_>,
    meter: &mut Meter,
    strings: &Strings,
    pointers: u32,
    block: u32,
) -> Answer {
    let items = strings.starts().len() as u64 * prices::HOST_ITEM_FUEL;
    meter.charge(items + strings.block().len() as u64 * prices::HOST_BYTE_FUEL)?;
    let addresses: Option<Vec<u8>> = strings
        .starts()
        .iter()
        .map(|start| block.checked_add(*start).map(u32::to_le_bytes))
        .collect::<Option<Vec<_>>>()
        .map(|addresses| addresses.concat());
    memory.store(pointers, &addresses.ok_or(Errno::Fault)?)?;
    Ok(memory.store(block, strings.block())?)
}

fn put_sizes(memory: &mut Guest<'_>, strings: &Strings, count: u32, bytes: u32) -> Answer {
    memory.store(count, &word(strings.starts().len()))?;
    Ok(memory.store(bytes, &word(strings.block().len()))?)
}

/// A size as programs of 32 bits see it; all sizes here are far below 4 GiB.
fn word(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

pub(crate) fn clock_res_get(call: &mut Call<'_>, clock: u32, resolution: u32) -> Answer {
    known_clock(clock)?;
    Ok(call.memory.store(resolution, &1u64.to_le_bytes())?)
}

pub(crate) fn clock_time_get(call: &mut Call<'_>, clock: u32, time: u32) -> Answer {
    known_clock(clock)?;
    let nanos = call
        .world
        .clock_nanos(call.meter.used(), clock == abi::CLOCK_REALTIME);
    Ok(call.memory.store(time, &nanos.to_le_bytes())?)
}

fn known_clock(clock: u32) -> Result<(), Errno> {
    if clock > abi::CLOCK_THREAD_CPU {
        Err(Errno::Invalid)
    } else {
        Ok(())
    }
}

pub(crate) fn fd_advise(call: &mut Call<'_>, fd: u32) -> Answer {
    seekable(call, fd)
}

pub(crate) fn fd_close(call: &mut Call<'_>, fd: u32) -> Answer {
    Ok(call.world.close(fd)?)
}

pub(crate) fn fd_renumber(call: &mut Call<'_>, from: u32, to: u32) -> Answer {
    Ok(call.world.renumber(from, to)?)
}

/// Nothing waits to be written out, so there is nothing to do but to know the file.
pub(crate) fn fd_sync(call: &mut Call<'_>, fd: u32) -> Answer {
    call.world.file(fd)?;
    Ok(())
}

pub(crate) fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Answer {
    let open = *call.world.file(fd)?;
    let (kind, rights) = match open.stream {
        Stream::Input => (abi::FILE_REGULAR, abi::RIGHTS_INPUT),
        Stream::Output | Stream::Diagnostics => (abi::FILE_UNKNOWN, abi::RIGHTS_OUTPUT),
    };
    let mut layout = [0; abi::FDSTAT_BYTES];
    put(&mut layout, 0, &[kind]);
    put(&mut layout, 2, &open.flags.to_le_bytes());
    put(&mut layout, 8, &rights.to_le_bytes());
    Ok(call.memory.store(stat, &layout)?)
}

pub(crate) fn fd_fdstat_set_flags(call: &mut Call<'_>, fd: u32, flags: u32) -> Answer {
    let open = call.world.file(fd)?;
    // Append, dsync, nonblock, rsync and sync are all there are.
    open.flags = u16::try_from(flags)
        .ok()
        .filter(|flags| *flags < 1 << 5)
        .ok_or(Errno::Invalid)?;
    Ok(())
}

pub(crate) fn fd_filestat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Answer {
    let (kind, size) = match call.world.stream(fd)? {
        Stream::Input => (abi::FILE_REGULAR, call.world.input_bytes()),
        Stream::Output | Stream::Diagnostics => (abi::FILE_UNKNOWN, 0),
    };
    let mut layout = [0; abi::FILESTAT_BYTES];
    // The inode: each stream has its own, and 0 would say that there is none.
    put(&mut layout, 8, &(u64::from(fd) + 1).to_le_bytes());
    put(&mut layout, 16, &[kind]);
    put(&mut layout, 24, &1u64.to_le_bytes());
    put(&mut layout, 32, &size.to_le_bytes());
    Ok(call.memory.store(stat, &layout)?)
}

pub(crate) fn fd_read(call: &mut Call<'_>, fd: u32, buffers: u32, count: u32, read: u32) -> Answer {
    readable(call, fd)?;
    let at = call.world.input_at();
    let bytes = read_input(call, at, buffers, count)?;
    call.memory.store(read, &bytes.to_le_bytes())?;
    call.world.set_input_at(at.saturating_add(bytes.into()));
    Ok(())
}

pub(crate) fn fd_pread(
    call: &mut Call<'_>,
    fd: u32,
    buffers: u32,
    count: u32,
    at: u64,
    read: u32,
) -> Answer {
    readable(call, fd)?;
    let bytes = read_input(call, at, buffers, count)?;
    Ok(call.memory.store(read, &bytes.to_le_bytes())?)
}

/// Copies the input from `at` on into the buffers, and says how many bytes that were.
fn read_input(call: &mut Call<'_>, at: u64, buffers: u32, count: u32) -> Result<u32, Refusal> {
    let (buffers, total) = call.buffers(buffers, count)?;
    let available = call.world.input_from(at, total as usize).len();
    call.charge(0, available as u64)?;
    let mut left = call.world.input_from(at, total as usize);
    for buffer in buffers {
        let (now, later) = left.split_at(left.len().min(buffer.len()));
        call.memory
            .write(buffer.first(now.len()))
            .copy_from_slice(now);
        left = later;
    }
    // No more than `total`, which is a u32.
    Ok(u32::try_from(available).unwrap_or(total))
}

fn readable(call: &mut Call<'_>, fd: u32) -> Answer {
    match call.world.stream(fd)? {
        Stream::Input => Ok(()),
        Stream::Output | Stream::Diagnostics => Err(Errno::BadFile.into()),
    }
}

pub(crate) fn fd_write(
    call: &mut Call<'_>,
    fd: u32,
    buffers: u32,
    count: u32,
    written: u32,
) -> Answer {
    let stream = call.world.stream(fd)?;
    if stream == Stream::Input {
        return Err(Errno::BadFile.into());
    }
    let (buffers, total) = call.buffers(buffers, count)?;
    // Known to be writable before anything is written, so that a refused call changed nothing.
    call.memory.store(written, &total.to_le_bytes())?;
    call.charge(0, total.into())?;
    if stream == Stream::Output {
        call.world.admit_output(total.into())?;
    }
    for buffer in buffers {
        let bytes = call.memory.read(buffer);
        match stream {
            Stream::Output => call.world.put_output(bytes),
            Stream::Input | Stream::Diagnostics => call.world.put_diagnostics(bytes),
        }
    }
    Ok(())
}

/// A write to a place: standard input is not written to, and the other streams have no places.
pub(crate) fn fd_pwrite(call: &mut Call<'_>, fd: u32) -> Answer {
    match call.world.stream(fd)? {
        Stream::Input => Err(Errno::BadFile.into()),
        Stream::Output | Stream::Diagnostics => Err(Errno::NotSeekable.into()),
    }
}

pub(crate) fn fd_seek(
    call: &mut Call<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    place: u32,
) -> Answer {
    seekable(call, fd)?;
    let from = match whence {
        abi::WHENCE_SET => 0,
        abi::WHENCE_CURRENT => call.world.input_at(),
        abi::WHENCE_END => call.world.input_bytes(),
        _ => return Err(Errno::Invalid.into()),
    };
    // A place beyond the end is allowed: reading there finds nothing.
    let at = from
        .checked_add_signed(offset)
        .filter(|at| i64::try_from(*at).is_ok());
    let at = at.ok_or(Errno::Invalid)?;
    call.memory.store(place, &at.to_le_bytes())?;
    call.world.set_input_at(at);
    Ok(())
}

pub(crate) fn fd_tell(call: &mut Call<'_>, fd: u32, place: u32) -> Answer {
    seekable(call, fd)?;
    Ok(call
        .memory
        .store(place, &call.world.input_at().to_le_bytes())?)
}

fn seekable(call: &mut Call<'_>, fd: u32) -> Answer {
    match call.world.stream(fd)? {
        Stream::Input => Ok(()),
        Stream::Output | Stream::Diagnostics => Err(Errno::NotSeekable.into()),
    }
}

/// Changes to a file that no stream here lets be made to it.
pub(crate) fn unchangeable(call: &mut Call<'_>, fd: u32) -> Answer {
    call.world.file(fd)?;
    Err(Errno::NotSupported.into())
}

/// Anything to be done in a directory: there is none, the open numbers are streams.
pub(crate) fn not_a_directory(call: &mut Call<'_>, fd: u32) -> Answer {
    call.world.file(fd)?;
    Err(Errno::NotDirectory.into())
}

/// Directories that were opened beforehand: none. Libraries ask from number 3 on until they hear
/// of a bad file, and then know that there are no files.
pub(crate) fn not_opened_beforehand(_: &mut Call<'_>, _: u32) -> Answer {
    Err(Errno::BadFile.into())
}

/// Anything to be done with a socket: there is none.
pub(crate) fn not_a_socket(call: &mut Call<'_>, fd: u32) -> Answer {
    call.world.file(fd)?;
    Err(Errno::NotSocket.into())
}

/// Signals: there are none.
pub(crate) fn not_supported(_: &mut Call<'_>) -> Answer {
    Err(Errno::NotSupported.into())
}

pub(crate) fn random_get(call: &mut Call<'_>, address: u32, bytes: u32) -> Answer {
    let buffer = call.memory.buffer(address, bytes)?;
    call.meter
        .charge(u64::from(bytes) * prices::RANDOM_BYTE_FUEL)?;
    call.world.random.fill(call.memory.write(buffer));
    Ok(())
}

/// There is nobody to yield to.
pub(crate) fn sched_yield(_: &mut Call<'_>) -> Answer {
    Ok(())
}
