//! Depots over a folder and over a bucket. The bucket's server is `s3s-fs` in this process, on loopback.

#![allow(clippy::unwrap_used)]

mod both;
mod full_disk;
mod own;
mod troubles;
mod world;
