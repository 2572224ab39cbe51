//! The thread that lets running programs look up now and then.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// How often running programs look whether to go on: the delay of a cancellation, and the grain
/// of the wall time and of a pace.
const BEAT: Duration = Duration::from_millis(20);

/// Advances an engine's epoch while programs run, and sleeps while none does.
#[derive(Debug)]
pub(crate) struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    runs: u32,
    /// Whether any run began since the last beat. The thread sleeps only after a beat without one:
    /// waking it for each of many short runs would cost more than they do.
    began: bool,
    /// The thread sleeps until it is woken.
    sleeps: bool,
    stopped: bool,
}

/// One run, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Shared);

impl Pulse {
    pub(crate) fn start(engine: wasmtime::Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let beaten = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("sandbox-pulse".into())
            .spawn(move || beaten.beat(&engine))?;
        Ok(Pulse {
            shared,
            thread: Some(thread),
        })
    }

    pub(crate) fn run(&self) -> Running<'_> {
        let mut state = self.shared.lock();
        state.runs += 1;
        state.began = true;
        if state.sleeps {
            self.shared.changed.notify_one();
        }
        Running(&self.shared)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().runs -= 1;
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It panics nowhere; and if it did, there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The state; it is whole even if a thread panicked while it had the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self, engine: &wasmtime::Engine) {
        let mut state = self.lock();
        while !state.stopped {
            state = if state.runs == 0 && !state.began {
                state.sleeps = true;
                let woken = self.changed.wait(state);
                let mut state = woken.unwrap_or_else(PoisonError::into_inner);
                state.sleeps = false;
                state
            } else {
                state.began = false;
                engine.increment_epoch();
                let waited = self.changed.wait_timeout(state, BEAT);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}
