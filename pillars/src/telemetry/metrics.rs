#[cfg(feature = "otlp-metrics")]
mod observe;
#[cfg(feature = "axum")]
mod requests;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Metric families of the telemetry pillar. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    over_budget: Counter,
    pub(super) dropped: Family<ReasonLabel, Counter>,
    #[cfg(feature = "axum")]
    requests: requests::Requests,
}

const OVER_BUDGET: &str = "Requests with sampled=01 beyond the budget, left to the ratio";
const DROPPED: &str = "Spans that never arrived";

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

impl DropReason {
    const ALL: [Self; 2] = [Self::queue_full, Self::export_failed];
}

impl Metrics {
    /// Adds the families to `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("telemetry_remote_sampled_over_budget", OVER_BUDGET, self.over_budget.clone());
        for reason in DropReason::ALL {
            self.drop_spans(reason, 0);
        }
        registry.register("telemetry_spans_dropped", DROPPED, self.dropped.clone());
        #[cfg(feature = "axum")]
        self.requests.register(registry);
    }

    #[cfg(feature = "axum")]
    pub(super) fn request(
        &self,
        method: &'static str,
        route: Option<&axum::extract::MatchedPath>,
        status: u16,
        duration: std::time::Duration,
        sampled: Option<&opentelemetry::trace::SpanContext>,
    ) {
        self.requests.observe(method, route, status, duration, sampled);
    }

    pub(super) fn over_budget(&self) {
        self.over_budget.inc();
    }

    pub(super) fn drop_spans(&self, reason: DropReason, count: u64) {
        self.dropped.get_or_create(&ReasonLabel { reason }).inc_by(count);
    }
}
