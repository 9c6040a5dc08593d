use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::{DROPPED, DropReason, Metrics, OVER_BUDGET, ReasonLabel};

impl Metrics {
    /// Families that `meter` sends as well. By way of Prometheus' rules for OTLP they are called as at a scrape.
    pub(in crate::telemetry) fn sent_by(meter: &Meter) -> Self {
        let metrics = Self {
            #[cfg(feature = "axum")]
            requests: super::requests::Requests::sent_by(meter),
            ..Self::default()
        };
        let over_budget = metrics.over_budget.clone();
        meter
            .u64_observable_counter("telemetry.remote_sampled.over_budget")
            .with_description(OVER_BUDGET)
            .with_callback(move |counter| counter.observe(over_budget.get(), &[]))
            .build();
        let dropped = metrics.dropped.clone();
        meter
            .u64_observable_counter("telemetry.spans.dropped")
            .with_description(DROPPED)
            .with_callback(move |counter| {
                for reason in DropReason::ALL {
                    let count = dropped.get_or_create(&ReasonLabel { reason }).get();
                    counter.observe(count, &[KeyValue::new("reason", format!("{reason:?}"))]);
                }
            })
            .build();
        metrics
    }
}
