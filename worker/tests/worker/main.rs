//! The worker as its owner and its masternode see it. One program, because each that starts a worker
//! holds a sandbox and takes long to link.
#![allow(clippy::unwrap_used, clippy::panic)]

mod office;
#[cfg(unix)]
mod process;
#[cfg(target_os = "linux")]
mod rate;
mod work;
