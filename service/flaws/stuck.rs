//! A deadlock of every worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use tokio::runtime::Handle;

use super::Ended;

/// So many requests go well: at the load of the gate about half a minute.
const GO_WELL: u32 = 1_500;

/// As it should be, except that a GET of `/flaw/stuck` blocks every worker for ever.
pub(crate) fn by_a_route(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| {
        let route = Router::new().route("/flaw/stuck", get(block));
        Wiring { router: wiring.router.merge(route), ..wiring }
    })
}

/// Two locks that are taken in two orders: sooner or later, under load, every worker waits for ever.
pub(crate) fn under_load(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| {
        let counted = from_fn_with_state(Arc::new(AtomicU32::new(0)), sooner_or_later);
        Wiring { router: wiring.router.layer(counted), ..wiring }
    })
}

async fn sooner_or_later(State(count): State<Arc<AtomicU32>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/") && count.fetch_add(1, Ordering::Relaxed) == GO_WELL {
        block().await;
    }
    next.run(request).await
}

async fn block() {
    let runtime = Handle::current();
    // From outside, since the newest task of a worker waits in a slot from which no other worker takes it.
    std::thread::spawn(move || {
        for _ in 1..runtime.metrics().num_workers() {
            runtime.spawn(async { park() });
        }
    });
    park();
}

fn park() {
    loop {
        std::thread::park();
    }
}
