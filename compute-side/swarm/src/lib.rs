//! The peer of a swarm as a program. What it does is decided by [`quern_swarm_rules`]; here it is carried
//! out: connections, pieces on the disk, modules and commands that compute them.
//!
//! ```text
//!               ┌────────────────── Peer: one task ───────────────────┐
//!  links  ◄────►│ mesh events ─► Event ─► Rules::step ─► Effect ─► …  │◄───► disk, one thread
//!  (network)    └──────▲──────────────────────────────────────┬───────┘
//!                      └─── what came out, what came ─────────┴─► runs and fetches, a task each
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`limits`] | every bound, and why |
//! | [`consent`] | whether a command may run here |
//! | [`disk`] | the swarm's folder: a piece is whole in it, or not there |
//! | [`inputs`] | the files beside the task file, and the room that a swarm takes |
//! | [`run`] | one piece: a module in the sandbox, or a command in a cell |
//! | [`peer`] | the task that owns rules, links, runs and disk |
//! | [`status`] | what a peer tells of itself, also when it does not run |
//!
//! # What is believed
//!
//! Nothing that comes from elsewhere: messages are held to their limits before they are read, each chunk of
//! a piece to its root before it is written, and what is found on the disk to the root and signature that
//! stand beside it. Who breaks a rule is disconnected, and for a while not let in.

pub mod consent;
pub mod disk;
pub mod inputs;
pub mod limits;
pub mod peer;
pub mod run;
pub mod status;

pub use consent::{Consent, ConsentError};
pub use disk::DiskError;
pub use peer::{Begin, Computing, Peer, PeerConfig, PeerError};
pub use status::{Status, StatusError};
