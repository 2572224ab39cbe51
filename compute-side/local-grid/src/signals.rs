//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Until the terminal (Ctrl-C) or another process (SIGTERM) asks this one to stop. Once this has
/// been waited for, neither ends this process by itself any more.
///
/// The parts of a grid are in process groups of their own, so that whoever started them ends them.
pub async fn told_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without it there is still the terminal.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = terminate.recv() => (),
    }
}
