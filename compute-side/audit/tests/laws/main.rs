//! The replay, held against a world that is written apart: whatever lawful happens there the replay
//! agrees with, and whatever is changed of it the replay finds, or it changes nothing.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod examples;
mod histories;
mod told;
mod world;
