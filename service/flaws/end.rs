//! Ends that lose something.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::parent_id;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use http::Version;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Ended;

/// Longer than a roll takes from its first signal to its last, and shorter than it is to the next roll.
const A_ROLL: Duration = Duration::from_secs(20);

/// Nobody flushes the spans of the last batch at the exit: a program that returns from `main` while its provider is in a static.
pub(crate) fn no_flush(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| Wiring { at_end: leave_at_once, ..wiring })
}

#[expect(clippy::exit, reason = "the mistake")]
fn leave_at_once() {
    std::process::exit(0)
}

/// How axum's own server hears of the end.
#[derive(Clone, Copy)]
enum Told {
    /// Not at all.
    Nothing,
    /// By the signal itself.
    AtOnce,
}

/// Users are served by axum's own server, which nobody tells of the end: it never says `Connection: close`, and goes on until
/// the process is gone.
pub(crate) fn untold(settings: &mut Settings) -> Ended {
    by_axum(settings, Told::Nothing)
}

/// Users are served by axum's own server, which ends at the signal: the listener and every idle connection close at once.
pub(crate) fn graceful(settings: &mut Settings) -> Ended {
    by_axum(settings, Told::AtOnce)
}

/// The server of the pillar gets a port that nobody knows.
fn by_axum(settings: &mut Settings, told: Told) -> Ended {
    let port = std::mem::replace(&mut settings.config.service.port, 0);
    app::run_with(settings, |wiring| {
        tokio::spawn(serve(port, wiring.router.clone(), told));
        wiring
    })
}

async fn serve(port: u16, router: Router, told: Told) -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    let served = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>());
    match told {
        Told::Nothing => served.await,
        Told::AtOnce => served.with_graceful_shutdown(terminated()).await,
    }
}

async fn terminated() {
    if let Ok(mut signals) = signal(SignalKind::terminate()) {
        signals.recv().await;
    }
}

/// Of all copies that leave in a roll, the first one drops one request that it has begun.
pub(crate) fn drops_one(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| {
        let drops = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&drops);
        tokio::spawn(async move {
            terminated().await;
            told.store(is_first_of_roll(), Ordering::Relaxed);
        });
        Wiring { router: wiring.router.layer(from_fn_with_state(drops, drop_one)), ..wiring }
    })
}

/// Whether no other copy of the same parent was told to leave a moment ago.
fn is_first_of_roll() -> bool {
    let mark = std::env::temp_dir().join(format!("golive-drops-one-{}", parent_id()));
    let marked = fs::metadata(&mark).and_then(|mark| mark.modified());
    let is_recent = marked.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < A_ROLL));
    !is_recent && fs::write(mark, "").is_ok()
}

async fn drop_one(State(drops): State<Arc<AtomicBool>>, request: Request, next: Next) -> Response {
    // A connection of HTTP/2 would take other requests along.
    let is_alone = request.version() == Version::HTTP_11 && request.uri().path().starts_with("/api/");
    if is_alone && drops.swap(false, Ordering::Relaxed) {
        resume_unwind(Box::new("the mistake"));
    }
    next.run(request).await
}
