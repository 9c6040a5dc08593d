use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use tracing_appender::non_blocking::ErrorCounter;

use super::Logs;

impl Logs {
    /// Adds `log_lines_dropped` to `registry`, read at each scrape.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Dropped(self.writer.error_counter())));
    }

    /// The same for `meter`, read at each export.
    #[cfg(feature = "otlp-metrics")]
    pub fn observe(&self, meter: &opentelemetry::metrics::Meter) {
        let dropped = self.writer.error_counter();
        meter
            .u64_observable_counter("log.lines.dropped")
            .with_description(HELP)
            .with_callback(move |counter| counter.observe(dropped.dropped_lines() as u64, &[]))
            .build();
    }
}

const HELP: &str = "Log lines that nobody took in time";

#[derive(Debug)]
struct Dropped(ErrorCounter);

impl Collector for Dropped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let dropped = ConstCounter::new(self.0.dropped_lines() as u64);
        dropped.encode(encoder.encode_descriptor("log_lines_dropped", HELP, None, MetricType::Counter)?)
    }
}
