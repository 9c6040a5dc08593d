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
}

#[derive(Debug)]
struct Dropped(ErrorCounter);

impl Collector for Dropped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let dropped = ConstCounter::new(self.0.dropped_lines() as u64);
        let help = "Log lines that nobody took in time";
        dropped.encode(encoder.encode_descriptor("log_lines_dropped", help, None, MetricType::Counter)?)
    }
}
