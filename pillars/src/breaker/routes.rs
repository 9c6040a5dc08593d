use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Breaker, State};

/// For drills, on a port that only operators reach: `GET /breakers` lists the circuits, and
/// `PUT /breakers/{name}/state` sets one to the state in the body (`forced_open`, `disabled`, `metrics_only`, or
/// `closed` to begin anew).
pub fn drill_routes(breakers: Vec<Breaker>) -> Router {
    Router::new()
        .route("/breakers", get(list))
        .route("/breakers/{name}/state", put(set))
        .with_state(Arc::new(breakers))
}

async fn list(Shared(breakers): Shared<Arc<Vec<Breaker>>>) -> Json<Map<String, Value>> {
    let entry = |breaker: &Breaker| (breaker.name().to_owned(), breaker.state().as_str().into());
    Json(breakers.iter().map(entry).collect())
}

async fn set(
    Shared(breakers): Shared<Arc<Vec<Breaker>>>,
    Path(name): Path<String>,
    wanted: String,
) -> Response {
    let Some(breaker) = breakers.iter().find(|breaker| breaker.name() == name) else {
        return refuse(StatusCode::NOT_FOUND, "no such circuit; GET /breakers lists them");
    };
    let state = State::ALL.into_iter().find(|state| state.as_str() == wanted.trim());
    if state.is_some_and(|state| breaker.force(state)) {
        return Json(json!({ "breaker": name, "state": breaker.state().as_str() })).into_response();
    }
    refuse(StatusCode::BAD_REQUEST, "expected forced_open, disabled, metrics_only or closed as the body")
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
