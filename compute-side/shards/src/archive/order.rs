//! Which entry may follow which.

use super::{ArchivePath, Entry};
use std::cmp::Ordering;

/// Why an entry is not at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    /// The entry before has the same path.
    #[error("it is there twice; leave one out")]
    Duplicate,
    /// The entry before has a path that belongs behind it.
    #[error("it belongs before the entry that it follows; sort them by the parts of their paths")]
    Unsorted,
    /// What should be its folder is a file.
    #[error("what it is in is a file; pack the folder anew")]
    ParentNotFolder,
    /// The folder that it is in has no entry.
    #[error("the folder that it is in has no entry; put one before it")]
    ParentMissing,
}

/// Entries as they must follow each other. Remembers only the last one: all folders above it had
/// entries, and with paths in order no other folder can get an entry any more.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Option<(ArchivePath, bool)>,
}

impl Order {
    /// Takes the next entry if it may follow.
    pub(super) fn admit(&mut self, entry: &Entry) -> Result<(), OrderFault> {
        let parts = entry.path.parts();
        let (before, is_folder) = match &self.last {
            Some((path, is_folder)) => (path.parts(), *is_folder),
            // The folder that is packed is above all.
            None => (&[][..], true),
        };
        match parts.cmp(before) {
            Ordering::Equal => return Err(OrderFault::Duplicate),
            Ordering::Less => return Err(OrderFault::Unsorted),
            Ordering::Greater => {}
        }
        let parent = parts.split_last().map_or(&[][..], |(_, parent)| parent);
        if !before.starts_with(parent) {
            return Err(OrderFault::ParentMissing);
        }
        if before.len() == parent.len() && !is_folder {
            return Err(OrderFault::ParentNotFolder);
        }
        self.last = Some((entry.path.clone(), entry.is_folder()));
        Ok(())
    }
}
