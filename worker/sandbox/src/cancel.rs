//! Stopping a run from outside.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A handle with which another thread stops a run, because the machine is to shut down or the
/// task is no longer wanted. All clones are one handle; once cancelled it stays so, and a run that
/// is given it later does not start.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_cancelled: Mutex<bool>,
    changed: Condvar,
}

impl Cancel {
    /// A handle that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops every run that was given this handle, within some hundredths of a second.
    pub fn cancel(&self) {
        *self.lock() = true;
        self.0.changed.notify_all();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.lock()
    }

    /// Waits so long, or until it is cancelled; returns whether it is.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.lock(), time, |is_cancelled| !*is_cancelled);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The state; it is whole even if a thread panicked while it had the lock.
    fn lock(&self) -> MutexGuard<'_, bool> {
        let locked = self.0.is_cancelled.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}
