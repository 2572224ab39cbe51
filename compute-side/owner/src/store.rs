//! Folders that strangers keep: as pieces, and back.
//!
//! ```text
//! folder ──pack──► archive ──cut, seal──► shards ──code──► pieces, and the list of them
//!                                                              │
//! folder ◄─restore── archive ◄──open── shards ◄──make again────┘ of any that are enough
//! ```
//!
//! How a folder is divided, and the list, are in `quern_shards::stored`. All is in one pass over the folder and in the memory of a few segments. Shards are all of one length, the
//! last filled up with zeros, so that pieces tell no more of what they hold than how much it is. Whoever keeps
//! or repairs them needs no key; the key of the store stays in its folder here.
//!
//! | file of a store's folder | what it is |
//! | --- | --- |
//! | `salt` | what the contract's name follows from, beside chain and owner |
//! | `store.key` | the store's key, in hexadecimal; without it nothing can be read |
//! | `pieces.list` | what pieces there are, by their roots |
//! | `pieces/N` | the pieces; to be removed when holders have them |
//!
//! A folder is made under another name and gets its own when it is whole.

mod keepers;
mod pack;
mod restore;

pub use keepers::{KeeperFailure, Keepers, KeepersError};
pub use pack::{StoreFolder, StorePackError, pack};
pub use restore::{Pieces, StoreRestoreError, restore};

#[cfg(test)]
mod tests;
