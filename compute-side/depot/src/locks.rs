//! One at a time for each name.

use crate::Name;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Names that are remembered before those that nobody holds are forgotten.
const NAMES_MIN: usize = 256;

/// Who has a name to itself.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    names: BTreeMap<Name, Weak<AsyncMutex<()>>>,
    swept_at: usize,
}

impl Locks {
    /// Waits until nobody else has the name.
    pub(crate) async fn lock(&self, name: Name) -> OwnedMutexGuard<()> {
        let lock = self.of(name);
        lock.lock_owned().await
    }

    fn of(&self, name: Name) -> Arc<AsyncMutex<()>> {
        // Nothing panics while it is held.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.names.len() >= held.swept_at.max(NAMES_MIN) {
            held.names.retain(|_, lock| lock.strong_count() > 0);
            held.swept_at = held.names.len().saturating_mul(2);
        }
        let there = held.names.get(&name).and_then(Weak::upgrade);
        there.unwrap_or_else(|| {
            let lock = Arc::new(AsyncMutex::new(()));
            held.names.insert(name, Arc::downgrade(&lock));
            lock
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;
    use quern_primitives::JobId;

    fn name(task: u32) -> Name {
        Name {
            job: JobId([0; 32]),
            item: Item::Shard(task),
        }
    }

    #[tokio::test]
    async fn a_name_is_held_by_one_and_forgotten_when_nobody_holds_it() {
        let locks = Locks::default();
        let held = locks.lock(name(0)).await;
        for task in 1..10_000 {
            drop(locks.lock(name(task)).await);
        }
        let is_free = locks.of(name(0)).try_lock().is_ok();
        assert!(!is_free, "it is remembered as long as it is held");
        drop(held);
        assert!(locks.of(name(0)).try_lock().is_ok());
        let held = locks.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(held.names.len() <= NAMES_MIN);
    }
}
