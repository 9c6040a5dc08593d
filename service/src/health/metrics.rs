use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Metric families of the health pillar. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    up: Family<DependencyLabel, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DependencyLabel {
    dependency: &'static str,
}

impl Metrics {
    /// Adds the families to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "health_dependency_up",
            "1 while the dependency is confirmed, else 0",
            self.up.clone(),
        );
    }

    pub(super) fn observe(&self, dependency: &'static str, up: bool) {
        self.up.get_or_create(&DependencyLabel { dependency }).set(i64::from(up));
    }
}
