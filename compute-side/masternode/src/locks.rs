//! Locks that stay open when who held one panicked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a lock guards. Only for what is whole between any two of its changes, as sets and maps are that are changed
/// by one entry: a panic while the lock was held then leaves nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use std::{sync::Arc, thread};

    #[test]
    fn what_is_guarded_is_there_after_who_held_it_panicked() {
        let guarded = Arc::new(Mutex::new(7));
        let held = guarded.clone();
        let panicked = thread::spawn(move || {
            let _guard = lock(&held);
            panic!("while it is held");
        });
        assert!(panicked.join().is_err() && guarded.is_poisoned());
        assert_eq!(*lock(&guarded), 7);
    }
}
