//! Copies of the spans that pass on their way to the collector: those of our own traces.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as OtlpKind;
use prost::Message as _;
use tokio::sync::mpsc;

use crate::evidence::{Fact, Millis, Span, SpanKind, TraceFact};

/// Exports that may wait to be read; beyond that they are forwarded all the same and not copied.
const QUEUE: usize = 1_024;

/// Spans kept.
const MAX_SPANS: usize = 300_000;

/// The copies of one agent.
pub(super) struct Spans {
    queue: mpsc::Sender<(Millis, Vec<u8>)>,
    // Guards the copies; held while one export is added or all are told.
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    traces: BTreeMap<String, TraceFact>,
    spans: usize,
}

impl Spans {
    /// Starts the task that reads exports; it ends with the agent.
    pub(super) fn start(prefix: &str) -> Self {
        let (queue, mut exports) = mpsc::channel::<(Millis, Vec<u8>)>(QUEUE);
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (keep, prefix) = (Arc::clone(&kept), prefix.to_owned());
        tokio::spawn(async move {
            while let Some((at, body)) = exports.recv().await {
                if let Ok(export) = ExportTraceServiceRequest::decode(body.as_slice()) {
                    let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
                    export.resource_spans.iter().for_each(|spans| kept.add(at, spans, &prefix));
                }
            }
        });
        Self { queue, kept }
    }

    /// An export has passed.
    pub(super) fn export(&self, at: Millis, body: Vec<u8>) {
        if self.queue.try_send((at, body)).is_err() {
            tracing::warn!("an export of spans was not copied: the queue is full");
        }
    }

    /// All copies so far.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.traces.values().cloned().map(Fact::Trace).collect()
    }
}

impl Kept {
    fn add(&mut self, at: Millis, resource: &ResourceSpans, prefix: &str) {
        let attributes = resource.resource.as_ref().map(|r| r.attributes.as_slice()).unwrap_or_default();
        let service = text(attributes, "service.name").unwrap_or_default();
        let version = text(attributes, "service.version");
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let trace_id = hex(&span.trace_id);
            if !trace_id.starts_with(prefix) || self.spans >= MAX_SPANS {
                continue;
            }
            self.spans += 1;
            let trace = self.traces.entry(trace_id.clone());
            let trace = trace.or_insert_with(|| TraceFact { at, trace_id, spans: Vec::new() });
            let duration = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
            trace.spans.push(Span {
                id: hex(&span.span_id),
                parent: (!span.parent_span_id.is_empty()).then(|| hex(&span.parent_span_id)),
                name: span.name.clone(),
                kind: match span.kind() {
                    OtlpKind::Server => SpanKind::Server,
                    OtlpKind::Client => SpanKind::Client,
                    _ => SpanKind::Other,
                },
                service: service.clone(),
                version: version.clone(),
                start_us: (span.start_time_unix_nano / 1_000) as i64,
                duration_us: (duration / 1_000) as i64,
                server: text(&span.attributes, "server.address"),
                db_system: text(&span.attributes, "db.system.name")
                    .or_else(|| text(&span.attributes, "db.system")),
            });
        }
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").ok(); // a String takes everything
        text
    })
}
