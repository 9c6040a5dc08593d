use std::hash::{Hash, Hasher};
use std::time::Duration;

use axum::extract::MatchedPath;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The bounds that semantic conventions give for `http.server.request.duration`.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// How long requests took. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Requests(Family<RequestLabels, Histogram, fn() -> Histogram>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "semantic conventions name them")]
struct RequestLabels {
    http_request_method: &'static str,
    http_route: Route,
    http_response_status_code: u16,
}

/// The template of a route, shared with the router; nothing where no route matched.
#[derive(Clone, Debug)]
struct Route(Option<MatchedPath>);

impl Default for Requests {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(SECONDS)))
    }
}

impl Requests {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time from request head to response head";
        registry.register_with_unit("http_server_request_duration", help, Unit::Seconds, self.0.clone());
    }

    pub(super) fn observe(
        &self,
        method: &'static str,
        route: Option<&MatchedPath>,
        status: u16,
        duration: Duration,
    ) {
        let labels = RequestLabels {
            http_request_method: method,
            http_route: Route(route.cloned()),
            http_response_status_code: status,
        };
        self.0.get_or_create(&labels).observe(duration.as_secs_f64());
    }
}

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        self.as_str().encode(encoder)
    }
}
