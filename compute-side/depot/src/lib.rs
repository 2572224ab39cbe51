//! A depot: bytes by their name, behind one interface, in a folder of this machine or in a bucket that speaks S3. The
//! only room that knows of `object_store`.
//!
//! | module | what it does |
//! | --- | --- |
//! | `depot` | the interface: parts, room and checks around what keeps whole things |
//! | `name` | what things are called, in folder and bucket |
//! | `content` | what bytes are held to before they get a name |
//! | `parts` | what has come and is not whole, always on this machine |
//! | `room` | how much everything takes, and may take |
//! | `store` | what a folder and a bucket have in common |
//! | `folder`, `bucket` | whole things in either |
//! | `config` | settings, addresses, keys |
//! | `own` | what an owner has elsewhere: a URL, or a bucket of its own |
//!
//! A thing comes in pieces, in order, into a file that has no name yet ([`Depot::append`]); an upload that breaks goes
//! on from that file's length, also after a restart. When somebody knows what it has to be it is held to that, and gets
//! its name ([`Depot::keep`]): whole, or not at all. From then on it is read, listed, and erased. So a bucket never
//! hears of what was not checked, and a bucket that fails half way loses nothing: what came is here, and is kept when
//! it is well again.
//!
//! # How a masternode's files sit on it
//!
//! Names and files are those that masternodes had in their folder of jobs before, so such a folder is a depot. A
//! masternode's `vault` knows what the names mean to it: which may be there, and when they go. What it keeps in memory,
//! and its notes of tasks that were begun, are its own.
//!
//! All of it waits, so it is called from tasks, or from threads of their own that wait for the runtime. With a bucket
//! [`Depot::head`] is a question over the network: who asks it for each piece should remember the answer. Which results
//! a task may have, and what has begun to come, is known without asking ([`Depot::may_have_results`],
//! [`Depot::begun`]).

mod bucket;
mod config;
mod content;
mod depot;
mod disk;
mod folder;
mod locks;
mod name;
mod own;
mod parts;
mod room;
mod store;

pub use bucket::{
    Asked, BucketError, OBJECTS_MAX, PART_BYTES, Patience, Roots, RootsError, UPLOADS_MAX, Upload,
    UploadsError, read_uploads,
};
pub use config::{
    Address, AddressError, BucketConfig, Config, ConfigError, Keys, KeysError, Settings,
};
pub use content::Content;
pub use depot::{
    AppendError, Depot, GetError, KeepError, LISTED_MAX, ListError, PIECE_BYTES_MAX, PutError,
    Received, Swept, TIDY_EVERY,
};
pub use disk::DiskError;
pub use name::{ITEM_BYTES_MAX, Item, Name};
pub use own::{Place, PlaceError, Source, SourceError};
pub use store::StoreError;
