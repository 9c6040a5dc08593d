mod limit;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};

use super::Error;
use super::metrics::{DropReason, Metrics};
use super::transport::{Destination, Lifeline, Transport};
use limit::Limit;

/// Spans that may wait for the export thread, as in the SDK; `OTEL_BSP_MAX_QUEUE_SIZE` changes it.
const DEFAULT_QUEUE: usize = 2_048;

/// OTLP behind a bounded queue whose losses are counted.
pub(super) fn pipeline(to: Destination<'_>, metrics: &Metrics) -> Result<impl SpanProcessor + use<>, Error> {
    let queue_size = from_env("OTEL_BSP_MAX_QUEUE_SIZE").unwrap_or(DEFAULT_QUEUE).max(1);
    let Transport { otlp, lifeline } = Transport::of_spans(to)?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let exporter =
        Counted { otlp, waiting: Arc::clone(&waiting), metrics: metrics.clone(), _lifeline: lifeline };
    let config = BatchConfigBuilder::default().with_max_queue_size(queue_size).build();
    let batch = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Ok(Bounded { batch, queue_size, waiting, limit: Limit::from_env(), metrics: metrics.clone() })
}

fn from_env(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.trim().parse().ok()
}

/// Refuses spans while the queue is full. The SDK does so too, but tells nobody how often.
#[derive(Debug)]
struct Bounded {
    batch: BatchSpanProcessor,
    queue_size: usize,
    waiting: Arc<AtomicUsize>,
    limit: Limit,
    metrics: Metrics,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batch.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) < self.queue_size {
            self.limit.keep(&mut span);
            self.batch.on_end(span);
        } else {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.metrics.drop_spans(DropReason::queue_full, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batch.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batch.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batch.set_resource(resource);
    }
}

/// Takes spans off the count of those waiting, and counts those that could not be sent.
#[derive(Debug)]
struct Counted {
    otlp: OtlpExporter,
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
    _lifeline: Lifeline,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.waiting.fetch_sub(count, Ordering::AcqRel);
        let result = self.otlp.export(batch).await;
        if let Err(error) = &result {
            self.metrics.drop_spans(DropReason::export_failed, count as u64);
            tracing::warn!(%error, spans = count, "spans not exported");
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
