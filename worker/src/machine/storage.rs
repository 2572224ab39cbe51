//! Storage: the file system that holds the data folder.

use super::{
    look::Look,
    oddity::{Figure, Wrong},
};
use std::path::Path;

/// The most storage a file system is believed to have: 1 EiB.
#[cfg(unix)]
const STORAGE_BYTES_MAX: u64 = 1 << 60;

/// The size of a file system.
pub(super) struct Room {
    pub(super) total_mib: u64,
    /// What an ordinary user may still write.
    pub(super) free_mib: u64,
}

/// The room on the file system of a folder, or of the nearest one above it that is there.
pub(super) fn room(look: &mut Look, figure: Figure, folder: &Path) -> Option<Room> {
    let there = folder.ancestors().find(|above| above.exists());
    let place = there.unwrap_or(Path::new("."));
    match measure(place) {
        Ok(room) => room,
        Err(wrong) => {
            look.odd(figure, place.into(), wrong);
            None
        }
    }
}

#[cfg(unix)]
fn measure(place: &Path) -> Result<Option<Room>, Wrong> {
    let found = rustix::fs::statvfs(place).map_err(|error| Wrong::Unreadable(error.kind()))?;
    let block_bytes = if found.f_frsize == 0 {
        found.f_bsize
    } else {
        found.f_frsize
    };
    let total = believed(found.f_blocks, block_bytes, STORAGE_BYTES_MAX)?;
    if total == 0 {
        // A file system that has no size, as those of the kernel and some remote ones.
        return Ok(None);
    }
    let free = believed(found.f_bavail, block_bytes, total)?;
    Ok(Some(Room {
        total_mib: total >> 20,
        free_mib: free >> 20,
    }))
}

#[cfg(unix)]
fn believed(blocks: u64, block_bytes: u64, most: u64) -> Result<u64, Wrong> {
    let bytes = u128::from(blocks) * u128::from(block_bytes);
    u64::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= most)
        .ok_or(Wrong::Absurd {
            found: i128::try_from(bytes).unwrap_or(i128::MAX),
            least: 0,
            most: most.into(),
        })
}

#[cfg(not(unix))]
fn measure(_place: &Path) -> Result<Option<Room>, Wrong> {
    Ok(None)
}
