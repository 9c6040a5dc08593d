use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use opentelemetry::metrics::Meter;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use super::Problem;
use golive_pillars::telemetry::NotLogged;

/// Advice to those who are turned away: another instance, or this one a moment later, can answer.
const SOON: Duration = Duration::from_secs(1);

const SHED: &str = "Requests answered 503 because too many were under way";

/// Room for so many requests at a time; the others are turned away at once, since a queue would only make all late.
#[derive(Clone)]
pub struct Room {
    places: Arc<Semaphore>,
    turned_away: Counter,
}

/// Metric families of the HTTP server. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    turned_away: Counter,
}

impl Metrics {
    /// Adds the families to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("http_server_requests_shed", SHED, self.turned_away.clone());
    }

    /// The same for `meter`, read at each export.
    pub fn observe(&self, meter: &Meter) {
        let turned_away = self.turned_away.clone();
        meter
            .u64_observable_counter("http.server.requests.shed")
            .with_description(SHED)
            .with_callback(move |counter| counter.observe(turned_away.get(), &[]))
            .build();
    }
}

impl Room {
    /// Room for `places` requests.
    pub fn new(places: usize, metrics: &Metrics) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), turned_away: metrics.turned_away.clone() }
    }
}

pub(super) async fn shed(State(room): State<Room>, request: Request, next: Next) -> Response {
    let Ok(_place) = room.places.try_acquire() else {
        room.turned_away.inc();
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are under way");
        let mut response = problem.retry_after(SOON).into_response();
        // A line for each would leave less for those inside.
        response.extensions_mut().insert(NotLogged);
        return response;
    };
    next.run(request).await
}
