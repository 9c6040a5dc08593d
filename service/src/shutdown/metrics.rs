use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Metric families of the shutdown pillar. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    pub(super) draining: Gauge,
    pub(super) connections: Gauge,
    pub(super) refused: Counter,
}

impl Metrics {
    /// Adds the families to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("shutdown_draining", "1 from the signal on, else 0", self.draining.clone());
        registry.register("http_server_connections", "Open connections", self.connections.clone());
        let help = "Connections closed at once because too many were open";
        registry.register("http_server_connections_refused", help, self.refused.clone());
    }
}
