//! The deterministic part of WASI preview 1, complete enough that ordinary programs link.
//!
//! | what a program finds | here |
//! | --- | --- |
//! | standard input | the shard: a regular file that can be sought |
//! | standard output | the result, in memory, up to its limit |
//! | standard error | its last bytes are kept |
//! | files, directories, sockets, signals | none; the error number of a machine that has none |
//! | randomness | a stream that follows from the seed |
//! | time | starts at the year 2000, and goes one nanosecond with each fuel |
//! | sleeping | sets the clock forward |
//!
//! Every address a program gives is checked; a bad one is answered with `EFAULT`.

mod abi;
mod calls;
mod guest;
mod poll;
mod random;
mod world;

pub(crate) use world::World;

use crate::{
    meter::{Stop, prices},
    run::State,
};
use calls::{Answer, Call, Refusal};
use guest::Guest;
use wasmparser::ValType;
use wasmtime::{Caller, Linker};

/// The module from which programs import.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// A function a program may import.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [ValType],
    pub(crate) results: &'static [ValType],
}

/// A type in the table below, as WebAssembly calls it.
trait Word {
    const TYPE: ValType;
}

impl Word for u32 {
    const TYPE: ValType = ValType::I32;
}

impl Word for i64 {
    const TYPE: ValType = ValType::I64;
}

impl Word for u64 {
    const TYPE: ValType = ValType::I64;
}

/// Makes the list of signatures and the linking of one table, so that they are one truth.
macro_rules! preview1 {
    ($(fn $name:ident($($parameter:ident: $type:ty),*) = $does:expr;)*) => {
        /// All functions a program may import from [`MODULE`].
        pub(crate) const FUNCTIONS: &[Signature] = &[
            $(Signature {
                name: stringify!($name),
                parameters: &[$(<$type as Word>::TYPE),*],
                results: &[ValType::I32],
            },)*
            Signature { name: "proc_exit", parameters: &[ValType::I32], results: &[] },
        ];

        /// Lets programs call all of [`FUNCTIONS`].
        pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
            $(linker.func_wrap(
                MODULE,
                stringify!($name),
                |caller: Caller<'_, State>, $($parameter: $type),*| -> wasmtime::Result<u32> {
                    let does: fn(&mut Call<'_>, $($type),*) -> Answer = $does;
                    enter(caller, |call| does(call, $($parameter),*))
                },
            )?;)*
            linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
                Err(Stop::Exit(code.cast_signed()).into())
            })?;
            Ok(())
        }
    };
}

preview1! {
    fn args_get(pointers: u32, block: u32) = calls::args_get;
    fn args_sizes_get(count: u32, bytes: u32) = calls::args_sizes_get;
    fn environ_get(pointers: u32, block: u32) = calls::environ_get;
    fn environ_sizes_get(count: u32, bytes: u32) = calls::environ_sizes_get;
    fn clock_res_get(clock: u32, resolution: u32) = calls::clock_res_get;
    fn clock_time_get(clock: u32, precision: u64, time: u32) =
        |call, clock, _, time| calls::clock_time_get(call, clock, time);
    fn fd_advise(fd: u32, at: u64, bytes: u64, advice: u32) = |call, fd, _, _, _| calls::fd_advise(call, fd);
    fn fd_allocate(fd: u32, at: u64, bytes: u64) = |call, fd, _, _| calls::unchangeable(call, fd);
    fn fd_close(fd: u32) = calls::fd_close;
    fn fd_datasync(fd: u32) = calls::fd_sync;
    fn fd_fdstat_get(fd: u32, stat: u32) = calls::fd_fdstat_get;
    fn fd_fdstat_set_flags(fd: u32, flags: u32) = calls::fd_fdstat_set_flags;
    fn fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) = |call, fd, _, _| calls::unchangeable(call, fd);
    fn fd_filestat_get(fd: u32, stat: u32) = calls::fd_filestat_get;
    fn fd_filestat_set_size(fd: u32, bytes: u64) = |call, fd, _| calls::unchangeable(call, fd);
    fn fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, which: u32) =
        |call, fd, _, _, _| calls::unchangeable(call, fd);
    fn fd_pread(fd: u32, buffers: u32, count: u32, at: u64, read: u32) = calls::fd_pread;
    fn fd_prestat_get(fd: u32, prestat: u32) = |call, fd, _| calls::not_opened_beforehand(call, fd);
    fn fd_prestat_dir_name(fd: u32, path: u32, bytes: u32) = |call, fd, _, _| calls::not_opened_beforehand(call, fd);
    fn fd_pwrite(fd: u32, buffers: u32, count: u32, at: u64, written: u32) =
        |call, fd, _, _, _, _| calls::fd_pwrite(call, fd);
    fn fd_read(fd: u32, buffers: u32, count: u32, read: u32) = calls::fd_read;
    fn fd_readdir(fd: u32, buffer: u32, bytes: u32, cookie: u64, used: u32) =
        |call, fd, _, _, _, _| calls::not_a_directory(call, fd);
    fn fd_renumber(from: u32, to: u32) = calls::fd_renumber;
    fn fd_seek(fd: u32, offset: i64, whence: u32, place: u32) = calls::fd_seek;
    fn fd_sync(fd: u32) = calls::fd_sync;
    fn fd_tell(fd: u32, place: u32) = calls::fd_tell;
    fn fd_write(fd: u32, buffers: u32, count: u32, written: u32) = calls::fd_write;
    fn path_create_directory(fd: u32, path: u32, bytes: u32) = |call, fd, _, _| calls::not_a_directory(call, fd);
    fn path_filestat_get(fd: u32, lookup: u32, path: u32, bytes: u32, stat: u32) =
        |call, fd, _, _, _, _| calls::not_a_directory(call, fd);
    fn path_filestat_set_times(fd: u32, lookup: u32, path: u32, bytes: u32, accessed: u64, modified: u64, which: u32) =
        |call, fd, _, _, _, _, _, _| calls::not_a_directory(call, fd);
    fn path_link(fd: u32, lookup: u32, path: u32, bytes: u32, new_fd: u32, new_path: u32, new_bytes: u32) =
        |call, fd, _, _, _, _, _, _| calls::not_a_directory(call, fd);
    fn path_open(fd: u32, lookup: u32, path: u32, bytes: u32, how: u32, base: u64, inheriting: u64, flags: u32, opened: u32) =
        |call, fd, _, _, _, _, _, _, _, _| calls::not_a_directory(call, fd);
    fn path_readlink(fd: u32, path: u32, bytes: u32, buffer: u32, buffer_bytes: u32, used: u32) =
        |call, fd, _, _, _, _, _| calls::not_a_directory(call, fd);
    fn path_remove_directory(fd: u32, path: u32, bytes: u32) = |call, fd, _, _| calls::not_a_directory(call, fd);
    fn path_rename(fd: u32, path: u32, bytes: u32, new_fd: u32, new_path: u32, new_bytes: u32) =
        |call, fd, _, _, _, _, _| calls::not_a_directory(call, fd);
    fn path_symlink(target: u32, target_bytes: u32, fd: u32, path: u32, bytes: u32) =
        |call, _, _, fd, _, _| calls::not_a_directory(call, fd);
    fn path_unlink_file(fd: u32, path: u32, bytes: u32) = |call, fd, _, _| calls::not_a_directory(call, fd);
    fn poll_oneoff(subscriptions: u32, events: u32, count: u32, stored: u32) = poll::poll_oneoff;
    fn proc_raise(signal: u32) = |call, _| calls::not_supported(call);
    fn random_get(buffer: u32, bytes: u32) = calls::random_get;
    fn sched_yield() = calls::sched_yield;
    fn sock_accept(fd: u32, flags: u32, accepted: u32) = |call, fd, _, _| calls::not_a_socket(call, fd);
    fn sock_recv(fd: u32, buffers: u32, count: u32, how: u32, bytes: u32, flags: u32) =
        |call, fd, _, _, _, _, _| calls::not_a_socket(call, fd);
    fn sock_send(fd: u32, buffers: u32, count: u32, how: u32, bytes: u32) =
        |call, fd, _, _, _, _| calls::not_a_socket(call, fd);
    fn sock_shutdown(fd: u32, how: u32) = |call, fd, _| calls::not_a_socket(call, fd);
}

/// Hands one call over: takes the fuel from the engine and gives back what is left, and turns a
/// refusal into an error number or the end of the run.
fn enter(
    mut caller: Caller<'_, State>,
    does: impl FnOnce(&mut Call<'_>) -> Answer,
) -> wasmtime::Result<u32> {
    let fuel = caller.get_fuel()?;
    caller.data_mut().look(fuel)?;
    let (memory, state) = match caller.data().memory {
        Some(memory) => memory.data_and_store_mut(&mut caller),
        None => (&mut [][..], caller.data_mut()),
    };
    let State { world, meter, .. } = state;
    let answer = meter
        .open(fuel)
        .and_then(|()| meter.charge(prices::HOST_CALL_FUEL));
    let answer = match answer {
        Ok(()) => does(&mut Call {
            memory: Guest::new(memory),
            world,
            meter,
        }),
        Err(stop) => Err(stop.into()),
    };
    let remaining = meter.remaining();
    caller.set_fuel(remaining)?;
    match answer {
        Ok(()) => Ok(0),
        Err(Refusal::Errno(errno)) => Ok(errno.code().into()),
        Err(Refusal::Stop(stop)) => Err(stop.into()),
    }
}
