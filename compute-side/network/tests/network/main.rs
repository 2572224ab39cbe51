//! Networking over real loopback sockets. One program, because each takes long to link.
#![allow(clippy::unwrap_used, clippy::panic)]

mod content;
mod cut;
mod keeping;
mod loopback;
mod mesh;
mod raw;
mod streams;
mod timers;
