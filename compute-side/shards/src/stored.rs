//! What strangers keep of a folder: into which pieces it is divided, and the public list of them.
//!
//! Both are the same for the owner, who makes the pieces, for a masternode, which has lost ones made again, and
//! for whoever restores the folder. None of them needs a key for it.

mod layout;
mod list;

pub use layout::{Layout, LayoutError, NoCode, Plan, SpotOfPiece};
pub use list::{ListError, PieceList};

#[cfg(test)]
mod tests;
