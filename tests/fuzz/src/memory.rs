//! How much memory a decoder takes, counted at the allocator: a length that a stranger makes up must
//! not be believed before the bytes are there.

#![allow(
    unsafe_code,
    reason = "an allocator that counts cannot be written without"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, and how much each thread has of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Below zero where a thread frees what others took.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends has no counters any more.
    let _ = HELD.try_with(|held| {
        let now = held.get().saturating_add(change);
        held.set(now);
        let _ = MOST.try_with(|most| most.set(most.get().max(now)));
    });
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: every call goes on to the system's allocator as it came. Counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller keeps to what this call asks for, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While it is copied there are both.
        count(signed(size));
        // SAFETY: as above.
        let moved = unsafe { System.realloc(place, layout, size) };
        count(-signed(layout.size()));
        moved
    }
}

/// Does something, and tells how many bytes more than before were held by this thread at the most.
pub(crate) fn most<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(Cell::get);
    MOST.with(|most| most.set(before));
    let done = work();
    let most = MOST.with(Cell::get).saturating_sub(before);
    (done, usize::try_from(most).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_and_freed_again_counts() {
        let (length, held) = most(|| vec![1u8; 100_000].len());
        assert_eq!(length, 100_000);
        assert!((100_000..101_000).contains(&held), "{held}");
        let ((), held) = most(|| ());
        assert_eq!(held, 0);
    }

    #[test]
    fn what_grows_counts_with_what_it_was_copied_from() {
        let (_, held) = most(|| {
            let mut bytes = vec![1u8; 1_000];
            bytes.reserve_exact(9_000);
            bytes
        });
        assert!((11_000..12_000).contains(&held), "{held}");
    }
}
