//! Peers of a swarm over real loopback sockets, several in one process. One program, because each takes long
//! to link.
#![allow(clippy::unwrap_used, clippy::panic)]

mod consent;
mod group;
mod hostile;
mod together;
