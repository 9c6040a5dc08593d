//! Spans and answers that tell what is not true.

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use http::StatusCode;

use super::Ended;

/// The version stands in the code, and nobody has raised it.
pub(crate) fn version(settings: &mut Settings) -> Ended {
    settings.config.service.telemetry.service_version = Some("0.0.9".into());
    app::run(settings)
}

/// What users asked and could not be answered is answered with 200, and an error inside.
pub(crate) fn fine(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| Wiring { router: wiring.router.layer(from_fn(say_fine)), ..wiring })
}

async fn say_fine(request: Request, next: Next) -> Response {
    let is_asked_by_users = request.uri().path().starts_with("/api/");
    let answer = next.run(request).await;
    if is_asked_by_users && answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        return r#"{"error":"try again later"}"#.into_response();
    }
    answer
}
