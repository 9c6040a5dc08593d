//! The routes of users: extract, ask, answer. Everything else is a layer.

mod deadline;
mod identity;
mod orders;
mod overload;
mod panic;
mod problem;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler as _;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;

pub use deadline::REQUEST_LIMIT;
pub use identity::Identity;
pub use overload::{Metrics, Room};
pub use problem::Problem;

use crate::users::{Orders, Users};
use golive_pillars::health::{self, Health};
use golive_pillars::telemetry::{Telemetry, TraceLayer};

/// Longest request body, far above any valid one.
const BODY_LIMIT: usize = 64 * 1024;

/// What handlers need. Shared, since axum clones its state for every layer of every request.
pub struct Api {
    /// Where users are kept.
    pub users: Users,
    /// The orders service, if orders are not answered from our own table.
    pub orders: Option<Orders>,
}

/// The router for the port of users: traced routes with limited room, then probes, which take none of it and have no trace.
pub fn router(api: Api, telemetry: Telemetry, health: Health, identity: Identity, room: Room) -> Router {
    let routes = Router::new()
        .route("/api/users", get(users::list).post(users::create.layer(DefaultBodyLimit::max(BODY_LIMIT))))
        .route("/api/users/{id}", get(users::find))
        .route("/api/users/{id}/orders", get(orders::list))
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(Arc::new(api));
    layered(routes, telemetry, room)
        .merge(health::routes(health))
        .layer(from_fn_with_state(identity, identity::sign))
}

/// Routes behind what all of users stand behind: a trace, limited room, an answer to panics, a limit of time.
pub fn layered(routes: Router, telemetry: Telemetry, room: Room) -> Router {
    // One stack, outermost first: the router boxes what each `layer` makes once more.
    routes.layer((
        TraceLayer::new(telemetry),
        from_fn_with_state(room, overload::shed),
        from_fn(panic::answer),
        from_fn(deadline::limit),
    ))
}
