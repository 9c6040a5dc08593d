//! The signals that end a run early.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// A token that SIGTERM and SIGINT cancel, from now on.
///
/// # Errors
/// Exit 3 when they cannot be listened for.
pub(super) fn cancelled_by_signals() -> Result<CancellationToken, Failure> {
    let listen = |kind| signal(kind).map_err(|e| Failure::environment(format!("no signal handler: {e}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let cancel = CancellationToken::new();
    let cancelled = cancel.clone();
    // It ends with the process.
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(cancel)
}
