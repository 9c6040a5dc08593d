use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::{Value, json};

use super::{Health, Report};

/// `/health` and `/ready` for the port that serves users: answering at all is the proof of life there.
pub fn routes(health: Health) -> Router {
    Router::new().route("/health", get(live)).route("/ready", get(ready)).with_state(health)
}

/// `/health` and `/ready` for the management port, where `/health` looks at the heartbeat of the main runtime and
/// `/ready?verbose` shows the parts.
pub fn management_routes(health: Health) -> Router {
    Router::new().route("/health", get(watched)).route("/ready", get(ready_or_verbose)).with_state(health)
}

/// 200 with the uptime in seconds.
async fn live(State(health): State<Health>) -> Response {
    answer(StatusCode::OK, json!({ "status": "ok", "uptime": uptime(&health) }))
}

async fn watched(State(health): State<Health>) -> Response {
    let Some(age) = health.stuck_for() else {
        return live(State(health)).await;
    };
    let error = format!("the runtime has done nothing for {age:.1?}");
    let body = json!({ "status": "stuck", "uptime": uptime(&health), "error": error });
    answer(StatusCode::SERVICE_UNAVAILABLE, body)
}

async fn ready(State(health): State<Health>) -> Response {
    readiness(health.report(false))
}

async fn ready_or_verbose(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    let verbose =
        query.is_some_and(|query| query.split('&').any(|key| key == "verbose" || key == "verbose=true"));
    readiness(health.report(verbose))
}

fn readiness(report: Report) -> Response {
    let status = if report.is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, Value::Object(report.body))
}

fn uptime(health: &Health) -> u64 {
    health.uptime().as_secs()
}

fn answer(status: StatusCode, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
