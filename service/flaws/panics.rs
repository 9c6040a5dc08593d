//! A handler that panics.

use axum::Router;
use axum::routing::get;
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use golive_service::http::{Metrics, Room, layered};

use super::Ended;

/// As it should be, except that a GET of `/flaw/panic` panics; there is room for one of them at a time.
pub(crate) fn by_a_route(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| {
        let route = Router::new().route("/flaw/panic", get(panic));
        let room = Room::new(1, &Metrics::default());
        let route = layered(route, wiring.telemetry.clone(), room);
        Wiring { router: wiring.router.merge(route), ..wiring }
    })
}

async fn panic() {
    panic!("the mistake")
}
