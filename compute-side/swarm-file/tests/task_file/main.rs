//! A task file read and written: by examples that another implementation made, by hostile bytes, and by
//! whatever chance makes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bencoding;
mod format;
mod hostile;
mod made_up;
mod reference;
mod round_trip;
