use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Health;
use super::dependency::Standing;

impl Health {
    /// Adds `health_dependency_up` to `registry`, read at each scrape.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Dependencies(self.clone())));
    }
}

struct Dependencies(Health);

impl Collector for Dependencies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 while the dependency is confirmed, else 0";
        let mut family = encoder.encode_descriptor("health_dependency_up", help, None, MetricType::Gauge)?;
        for dependency in &self.0.vitals.dependencies {
            let up = dependency.status().standing == Standing::Up;
            let labels = [("dependency", dependency.name)];
            ConstGauge::new(i64::from(up)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Dependencies")
    }
}
