//! What an owner has elsewhere: a file at a URL, or an object in a bucket of its own. It is asked by the owner's own
//! program alone; nobody asks a URL for somebody else.

mod place;
mod source;

pub use place::{Place, PlaceError};
pub use source::{Source, SourceError};
