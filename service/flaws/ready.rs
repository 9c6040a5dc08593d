//! Readiness that is asked of the wrong thing.

use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use golive_service::users::{Listing, Users};
use http::StatusCode;

use super::Ended;

const READY: &str = "/ready";
/// What a copy needs until it can serve.
const WARM_UP: Duration = Duration::from_secs(3);

/// A copy says that it is ready before it has what it needs: for the first seconds every request is refused.
pub(crate) fn early(settings: &mut Settings) -> Ended {
    let started = Instant::now();
    app::run_with(settings, |wiring| Wiring {
        router: wiring.router.layer(from_fn_with_state(started, warm_up)),
        ..wiring
    })
}

async fn warm_up(State(started): State<Instant>, request: Request, next: Next) -> Response {
    match request.uri().path() {
        _ if started.elapsed() >= WARM_UP => next.run(request).await,
        READY => StatusCode::OK.into_response(),
        path if path.starts_with("/api/") => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => next.run(request).await,
    }
}

/// Readiness also asks what users ask, over the same pool and past the same circuit.
pub(crate) fn by_the_pool(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| {
        let asked = from_fn_with_state(wiring.users.clone(), ask_for_users);
        Wiring { router: wiring.router.layer(asked), ..wiring }
    })
}

async fn ask_for_users(State(users): State<Users>, request: Request, next: Next) -> Response {
    let is_probe = request.uri().path() == READY;
    if is_probe && !matches!(users.list(0, 1).await, Ok(Listing::Live(_))) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}
