//! What a command finds in a cell, and what hostile ones try. Each is tried in every kind of cell that
//! the machine gives; which it does not is said aloud.

#![allow(clippy::unwrap_used, clippy::panic)]

mod hostile;
mod leaving;
mod limits;
mod machine;
mod plain;
mod starting;
