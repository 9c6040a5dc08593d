//! The agent's API: status, targets, faults, learning, evidence. Only a port-forward reaches it, or who knows the key
//! of the run.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use tokio::net::TcpListener;

use super::agent::Agent;
use super::protocol::cannot;
use super::{FaultOrder, Learning, MiddleStatus, Targets};
use crate::key::Key;

/// Serves the API until the future is dropped or the listener fails.
pub async fn serve(agent: Arc<Agent>, listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, api(agent)).await
}

/// The same where others reach the listener.
pub(crate) async fn serve_guarded(agent: Arc<Agent>, listener: TcpListener, key: Key) -> std::io::Result<()> {
    axum::serve(listener, key.guards(api(agent))).await
}

fn api(agent: Arc<Agent>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/targets", put(targets))
        .route("/faults", put(faults))
        .route("/learning", put(learning))
        .route("/evidence", get(evidence))
        .layer(from_fn_with_state(Arc::clone(&agent), hear))
        .with_state(agent)
}

/// Every request is a word of the validator.
async fn hear(State(agent): State<Arc<Agent>>, request: Request, next: Next) -> Response {
    agent.desk.hear();
    next.run(request).await
}

async fn status(State(agent): State<Arc<Agent>>) -> Json<MiddleStatus> {
    Json(agent.desk.status())
}

async fn targets(State(agent): State<Arc<Agent>>, Json(targets): Json<Targets>) -> StatusCode {
    agent.desk.aim(targets);
    StatusCode::NO_CONTENT
}

async fn faults(State(agent): State<Arc<Agent>>, Json(orders): Json<Vec<FaultOrder>>) -> impl IntoResponse {
    let protocol = agent.desk.plan.protocol;
    if let Some(reason) = orders.iter().find_map(|order| cannot(protocol, &order.fault)) {
        return (StatusCode::UNPROCESSABLE_ENTITY, reason);
    }
    agent.desk.order(orders);
    (StatusCode::OK, "set".to_owned())
}

async fn learning(State(agent): State<Arc<Agent>>, Json(learning): Json<Learning>) -> StatusCode {
    agent.desk.learn(learning.on);
    StatusCode::NO_CONTENT
}

async fn evidence(State(agent): State<Arc<Agent>>) -> impl IntoResponse {
    let mut body = Vec::new();
    for fact in agent.facts() {
        // Facts are plain data: writing them to memory cannot fail.
        if serde_json::to_writer(&mut body, &fact).is_ok() {
            body.push(b'\n');
        }
    }
    body
}
