use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Health;
use super::dependency::{Dependency, Standing};

impl Health {
    /// Adds `health_dependency_up` to `registry`, read at each scrape.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Dependencies(self.clone())));
    }

    /// The same for `meter`, read at each export.
    #[cfg(feature = "otlp-metrics")]
    pub fn observe(&self, meter: &opentelemetry::metrics::Meter) {
        let health = self.clone();
        meter
            .u64_observable_gauge("health.dependency.up")
            .with_description(HELP)
            .with_callback(move |gauge| {
                for dependency in &health.vitals.dependencies {
                    let name = opentelemetry::KeyValue::new("dependency", dependency.name);
                    gauge.observe(u64::from(is_up(dependency)), &[name]);
                }
            })
            .build();
    }
}

const HELP: &str = "1 while the dependency is confirmed, else 0";

fn is_up(dependency: &Dependency) -> bool {
    dependency.status().standing == Standing::Up
}

struct Dependencies(Health);

impl Collector for Dependencies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor("health_dependency_up", HELP, None, MetricType::Gauge)?;
        for dependency in &self.0.vitals.dependencies {
            let labels = [("dependency", dependency.name)];
            ConstGauge::new(i64::from(is_up(dependency))).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Dependencies")
    }
}
