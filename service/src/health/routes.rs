use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::{Map, Value, json};

use super::Health;
use super::dependency::{Standing, Status};

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
    let age = health.vitals.heartbeat.age();
    if age <= health.vitals.args.health_stall {
        return live(State(health)).await;
    }
    let error = format!("the runtime has done nothing for {age:.1?}");
    let body = json!({ "status": "stuck", "uptime": uptime(&health), "error": error });
    answer(StatusCode::SERVICE_UNAVAILABLE, body)
}

async fn ready(State(health): State<Health>) -> Response {
    let (status, body) = summary(&health);
    answer(status, Value::Object(body))
}

async fn ready_or_verbose(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    let verbose =
        query.is_some_and(|query| query.split('&').any(|key| key == "verbose" || key == "verbose=true"));
    let (status, mut body) = summary(&health);
    if verbose {
        let vitals = &health.vitals;
        let dependencies: Map<_, _> =
            vitals.dependencies.iter().map(|each| (each.name.to_owned(), describe(&each.status()))).collect();
        body.insert("dependencies".to_owned(), dependencies.into());
        body.insert("heartbeat_age_ms".to_owned(), (vitals.heartbeat.age().as_millis() as u64).into());
        body.extend(vitals.details.iter().map(|(name, value)| ((*name).to_owned(), value())));
    }
    answer(status, Value::Object(body))
}

fn summary(health: &Health) -> (StatusCode, Map<String, Value>) {
    let readiness = health.readiness();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = Map::new();
    body.insert("status".to_owned(), readiness.as_str().into());
    if let Some(error) = readiness.error() {
        body.insert("error".to_owned(), error.into());
    }
    (status, body)
}

fn describe(status: &Status) -> Value {
    let (standing, error) = match &status.standing {
        Standing::Up => ("up", None),
        Standing::Unconfirmed(reason) => ("unconfirmed", Some(reason)),
        Standing::Down(reason) => ("down", Some(reason)),
    };
    json!({ "status": standing, "error": error, "age_ms": status.age.as_millis() as u64 })
}

fn uptime(health: &Health) -> u64 {
    health.vitals.started.elapsed().as_secs()
}

fn answer(status: StatusCode, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
