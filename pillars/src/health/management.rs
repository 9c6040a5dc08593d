use std::io;
use std::net::TcpListener;

use axum::Router;
use tokio::runtime::Builder;

/// Serves `routes` from an OS thread with a runtime of its own, for as long as the process lives.
///
/// Nothing that the main runtime does, or fails to do, can delay an answer. Fails if the listener or the thread
/// cannot be used.
pub fn spawn(listener: TcpListener, routes: Router) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    std::thread::Builder::new().name("management".to_owned()).spawn(move || {
        runtime.block_on(async {
            let served = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => axum::serve(listener, routes).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "the management port is gone");
            }
        });
    })?;
    Ok(())
}
