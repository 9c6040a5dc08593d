//! The routes of users: extract, ask, answer. Everything else is a layer.

mod deadline;
mod identity;
mod orders;
mod overload;
mod problem;
mod users;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler as _;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;

pub use identity::Identity;
pub use overload::{Metrics, Room};
pub use problem::Problem;

use crate::health::{self, Health};
use crate::telemetry::{Telemetry, TraceLayer};
use crate::users::{Orders, Users};

/// Longest request body, far above any valid one.
const BODY_LIMIT: usize = 64 * 1024;

/// What handlers need.
#[derive(Clone)]
pub struct Api {
    /// Where users are kept.
    pub users: Users,
    /// The orders service, if orders are not answered from our own table.
    pub orders: Option<Orders>,
}

/// The router for the port of users: traced routes with limited room, then probes, which always have room and no trace.
pub fn router(api: Api, telemetry: Telemetry, health: Health, identity: Identity, room: Room) -> Router {
    Router::new()
        .route("/api/users", get(users::list).post(users::create.layer(DefaultBodyLimit::max(BODY_LIMIT))))
        .route("/api/users/{id}", get(users::find))
        .route("/api/users/{id}/orders", get(orders::list))
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(api)
        .layer(from_fn(deadline::limit))
        .layer(TraceLayer::new(telemetry))
        // Outside: to turn away must cost little, or under overload nothing is left for those inside.
        .layer(from_fn_with_state(room, overload::shed))
        .merge(health::routes(health))
        .layer(from_fn_with_state(identity, identity::sign))
}
