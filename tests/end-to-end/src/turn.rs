//! Turns: no more grids at once than a small machine bears.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Grids that run at once. Most of their time they wait for blocks: three together keep two
/// processors busy, and none of them waiting for one.
const GRIDS_MAX: usize = 3;

/// The turns of this process's grids.
pub(crate) static GRIDS: Turns = Turns::new(GRIDS_MAX);

/// Turns, so many at a time, in the order in which they are asked for.
pub(crate) struct Turns(Semaphore);

/// A turn. It is over when this is dropped, which a test that panics does too.
#[must_use]
pub(crate) struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Turns {
    const fn new(most: usize) -> Self {
        Self(Semaphore::const_new(most))
    }

    /// Waits for a turn.
    pub(crate) async fn take(&self) -> Turn<'_> {
        let permit = self.0.acquire().await;
        Turn {
            _permit: permit.expect("nobody closes the queue"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{pin::pin, time::Duration};

    #[tokio::test]
    async fn a_turn_begins_when_one_of_those_before_is_over() {
        let turns = Turns::new(2);
        let first = turns.take().await;
        let _second = turns.take().await;
        let mut third = pin!(turns.take());
        let soon = tokio::time::timeout(Duration::from_millis(20), &mut third).await;
        assert!(soon.is_err(), "three have a turn");
        drop(first);
        let _third = third.await;
    }

    #[tokio::test]
    async fn a_test_that_panics_leaves_its_turn_to_the_next() {
        static TURNS: Turns = Turns::new(1);
        let failed = tokio::spawn(async {
            let _turn = TURNS.take().await;
            panic!("the test fails");
        });
        assert!(failed.await.is_err());
        let _turn = TURNS.take().await;
    }
}
