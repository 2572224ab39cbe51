//! What an owner has elsewhere: a file at a URL, or an object in a bucket of its own, to be read or written. It is asked
//! by the owner's own program alone; nobody asks a URL for somebody else.
//!
//! | module | what it does |
//! | --- | --- |
//! | `elsewhere` | how an owner names either |
//! | `object` | objects of buckets |
//! | `place` | where it is, and what a request for it is signed with |
//! | `source` | reads it |
//! | `target` | writes it: whole, or not at all |
//! | `put` | what goes to a URL |
//! | `tries` | how often something is tried again |

mod elsewhere;
mod object;
mod place;
mod put;
mod source;
mod target;
mod tries;

pub use elsewhere::{Elsewhere, ElsewhereError, OpenError};
pub use object::{Object, ObjectName, ObjectNameError};
pub use place::{Place, PlaceError};
pub use source::{Source, SourceError};
pub use target::{OBJECT_BYTES_MAX, PUT_BYTES_MAX, Target, TargetError};
