//! Metrics in the text format of Prometheus.
//!
//! `prometheus-client`, because the pillars then share plain atomics with an explicit registry. With `otlp-metrics` a
//! collector gets what the same atomics say.

#[cfg(feature = "axum")]
mod routes;

#[cfg(feature = "axum")]
pub use routes::routes;

/// The crate of the registry: families of an application have to come from this version of it.
pub use prometheus_client;
