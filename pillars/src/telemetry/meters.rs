use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};

use super::signal::Signal;
use super::transport::{Destination, Lifeline, Transport};
use super::{Config, Error, resource};

/// Metrics on their way to a collector: read and sent by a thread of their own, every minute and at the end.
pub(super) struct Meters(SdkMeterProvider);

impl Meters {
    /// Starts the thread, if there is somewhere to send to.
    pub(super) fn start(config: &Config) -> Result<Option<Self>, Error> {
        let Some((endpoint, protocol)) = &config.metrics else { return Ok(None) };
        let to = Destination { signal: Signal::Metrics, endpoint, protocol: *protocol };
        let Transport { otlp, lifeline } = Transport::of_metrics(to)?;
        let provider = SdkMeterProvider::builder()
            .with_resource(resource::describe(config))
            .with_periodic_exporter(Told { otlp, _lifeline: lifeline })
            .build();
        Ok(Some(Self(provider)))
    }

    pub(super) fn meter(&self) -> Meter {
        self.0.meter(env!("CARGO_PKG_NAME"))
    }

    /// Begins to send what there is for the last time; received is how that went. On a thread of its own, since the SDK gives it
    /// five seconds whatever it is asked for.
    pub(super) fn end(&self) -> Receiver<OTelSdkResult> {
        let (sender, ended) = channel();
        let provider = self.0.clone();
        let spawned = std::thread::Builder::new().name("metrics-end".to_owned()).spawn(move || {
            // Whoever waited may have given up.
            let _ = sender.send(provider.shutdown());
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the last metrics");
        }
        ended
    }
}

/// OTLP whose failures are told: the SDK tells them nobody.
struct Told {
    otlp: MetricExporter,
    _lifeline: Lifeline,
}

impl PushMetricExporter for Told {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.otlp.export(metrics).await;
        result.inspect_err(|error| tracing::warn!(%error, "metrics not exported"))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.otlp.temporality()
    }
}
