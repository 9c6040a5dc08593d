//! Spans and answers that tell what is not true, or what is nobody's business.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use golive_pillars::telemetry::annotate;
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use http::StatusCode;

use super::Ended;

/// The version stands in the code, and nobody has raised it.
pub(crate) fn version(settings: &mut Settings) -> Ended {
    settings.config.service.telemetry.service_version = Some("0.0.9".into());
    app::run(settings)
}

/// Each request's span says which database it asks, with the password.
pub(crate) fn secret(settings: &mut Settings) -> Ended {
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    app::run_with(settings, |wiring| Wiring {
        router: wiring.router.layer(from_fn_with_state(url, tell)),
        ..wiring
    })
}

async fn tell(State(url): State<String>, request: Request, next: Next) -> Response {
    annotate("db.connection_string", url);
    next.run(request).await
}

/// What could not be answered is answered with 200, and an error inside.
pub(crate) fn fine(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| Wiring { router: wiring.router.layer(from_fn(say_fine)), ..wiring })
}

async fn say_fine(request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        return r#"{"error":"try again later"}"#.into_response();
    }
    answer
}
