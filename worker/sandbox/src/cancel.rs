//! Stopping a run from outside.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A handle with which another thread stops a run, because the machine is to shut down or the
/// task is no longer wanted. All clones are one handle; once cancelled it stays so, and a run that
/// is given it later does not start.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A handle that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops every run that was given this handle, within some hundredths of a second.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
