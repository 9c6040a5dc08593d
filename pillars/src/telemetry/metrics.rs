use std::hash::{Hash, Hasher};
use std::time::Duration;

use axum::extract::MatchedPath;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The bounds that semantic conventions give for `http.server.request.duration`.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Metric families of the telemetry pillar. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    over_budget: Counter,
    pub(super) dropped: Family<ReasonLabel, Counter>,
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "counts requests"))]
    requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
}

/// Why a span never arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, prometheus_client::encoding::EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the derive writes the names of the variants as label values")]
pub(super) enum DropReason {
    queue_full,
    export_failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    pub(super) reason: DropReason,
}

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

impl Default for Metrics {
    fn default() -> Self {
        Self {
            over_budget: Counter::default(),
            dropped: Family::default(),
            requests: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        }
    }
}

impl Metrics {
    /// Adds the families to `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "telemetry_remote_sampled_over_budget",
            "Requests with sampled=01 beyond the budget, left to the ratio",
            self.over_budget.clone(),
        );
        for reason in [DropReason::queue_full, DropReason::export_failed] {
            self.drop_spans(reason, 0);
        }
        registry.register("telemetry_spans_dropped", "Spans that never arrived", self.dropped.clone());
        registry.register_with_unit(
            "http_server_request_duration",
            "Time from request head to response head",
            Unit::Seconds,
            self.requests.clone(),
        );
    }

    pub(super) fn request(
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
        self.requests.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    pub(super) fn over_budget(&self) {
        self.over_budget.inc();
    }

    pub(super) fn drop_spans(&self, reason: DropReason, count: u64) {
        self.dropped.get_or_create(&ReasonLabel { reason }).inc_by(count);
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
