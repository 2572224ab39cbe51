//! Stands in for `futures-timer`, over tokio's timers.
//!
//! The networking libraries set a timer for each stream they open, ten seconds away, and drop it
//! when the stream is agreed on, microseconds later. The crate of this name wakes its thread for
//! every timer that is set, reset or dropped; at thousands of exchanges a second that is a tenth of
//! the processor (docs/experiments/dispatch.md). Tokio's thread sleeps on until the earliest timer
//! is due, and is woken only for one that is earlier still.
//!
//! As in that crate a timer belongs to no runtime: it may be made and awaited anywhere.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{LazyLock, mpsc},
    task::{Context, Poll},
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    time::{Instant, Sleep},
};

/// The runtime whose only work is to wait for timers; `None` if its thread could not be started.
static TIMERS: LazyLock<Option<Handle>> = LazyLock::new(|| {
    let (tell, told) = mpsc::sync_channel(1);
    let run = move || {
        let Ok(runtime) = Builder::new_current_thread().enable_time().build() else {
            return;
        };
        if tell.send(runtime.handle().clone()).is_ok() {
            runtime.block_on(std::future::pending::<()>());
        }
    };
    thread::Builder::new()
        .name("timers".to_owned())
        .spawn(run)
        .ok()?;
    told.recv().ok()
});

/// A future that is ready once a time has passed.
pub struct Delay {
    /// Nothing where no timers can be had; such a delay is over at once.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Delay {
    /// Ready `duration` from now.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        let sleep = TIMERS.as_ref().map(|timers| {
            let _entered = timers.enter();
            Box::pin(tokio::time::sleep(duration))
        });
        Self { sleep }
    }

    /// Ready `duration` from now, whatever it waited for before.
    pub fn reset(&mut self, duration: Duration) {
        if let (Some(sleep), Some(timers)) = (&mut self.sleep, TIMERS.as_ref()) {
            let _entered = timers.enter();
            match Instant::now().checked_add(duration) {
                Some(at) => sleep.as_mut().reset(at),
                None => *self = Self::new(duration),
            }
        }
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Ready(()),
        }
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Delay").finish_non_exhaustive()
    }
}
