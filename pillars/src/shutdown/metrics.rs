#[cfg(feature = "otlp-metrics")]
mod observe;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::{Phase, Shutdown};

const DRAINING: &str = "1 from the signal on, else 0";
#[cfg(feature = "axum")]
const OPEN: &str = "Open connections";
#[cfg(feature = "axum")]
const REFUSED: &str = "Connections closed at once because too many were open";

impl Shutdown {
    /// Adds `shutdown_draining` and the connections of the server to `registry`, read at each scrape.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Clock(self.clone())));
    }

    fn is_draining(&self) -> bool {
        self.phase() != Phase::Running
    }
}

struct Clock(Shutdown);

impl Collector for Clock {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(clock) = self;
        let draining = ConstGauge::new(i64::from(clock.is_draining()));
        draining.encode(encoder.encode_descriptor(
            "shutdown_draining",
            DRAINING,
            None,
            MetricType::Gauge,
        )?)?;
        #[cfg(feature = "axum")]
        connections(&clock.counts, &mut encoder)?;
        Ok(())
    }
}

#[cfg(feature = "axum")]
fn connections(counts: &super::Counts, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    use std::sync::atomic::Ordering;

    use prometheus_client::metrics::counter::ConstCounter;

    let open = ConstGauge::new(counts.open.load(Ordering::Relaxed));
    let name = "http_server_connections";
    open.encode(encoder.encode_descriptor(name, OPEN, None, MetricType::Gauge)?)?;
    let refused = ConstCounter::new(counts.refused.load(Ordering::Relaxed));
    let name = "http_server_connections_refused";
    refused.encode(encoder.encode_descriptor(name, REFUSED, None, MetricType::Counter)?)
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}
