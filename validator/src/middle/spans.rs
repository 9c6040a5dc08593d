//! Copies of the spans that the collector took: those of our own traces.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as OtlpKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span as OtlpSpan};
use tokio::sync::mpsc;

use super::credentials;
use super::desk::Desk;
use super::export::{Export, Unknown};
use crate::evidence::{ExportFact, Fact, Millis, Refusal, Span, SpanKind, TraceFact};
use crate::middle::Origin;

/// Exports that may wait to be read; beyond that they are forwarded all the same and not copied.
const QUEUE: usize = 1_024;

/// Spans kept.
const MAX_SPANS: usize = 300_000;

/// Seconds kept in which exports were not taken: what is beyond says nothing new.
const MAX_REFUSED: usize = 10_000;

/// The copies of one agent.
pub(super) struct Spans {
    queue: mpsc::Sender<Passed>,
    // Guards the copies; held while one export is added or all are told.
    kept: Arc<Mutex<Kept>>,
}

/// An export that has passed.
pub(super) struct Passed {
    pub(super) at: Millis,
    pub(super) source: Origin,
    pub(super) export: Export,
    pub(super) body: Bytes,
    /// Why it was not delivered; nothing if it was.
    pub(super) end: Option<Refusal>,
}

#[derive(Default)]
struct Kept {
    traces: BTreeMap<String, TraceFact>,
    spans: usize,
    refused: Vec<(Origin, ExportFact)>,
}

impl Spans {
    /// Starts the task that reads exports; it ends with the agent. The desk is told of what could not be copied.
    pub(super) fn start(desk: Arc<Desk>) -> Self {
        let (queue, mut exports) = mpsc::channel::<Passed>(QUEUE);
        let kept = Arc::new(Mutex::new(Kept::default()));
        let keep = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Some(passed) = exports.recv().await {
                let read = passed.export.read(&passed.body);
                let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
                match (&passed.end, read) {
                    (Some(refusal), read) => {
                        kept.refuse(&passed, refusal, read.as_deref().unwrap_or_default(), &desk)
                    }
                    (None, Ok(resources)) => {
                        for spans in &resources {
                            kept.add(passed.at, spans, &desk);
                        }
                    }
                    (None, Err(Unknown::Unread(why))) => desk.unread(passed.source, why),
                    (None, Err(Unknown::TooMuch)) => {
                        desk.incomplete("an export of spans was longer than is copied")
                    }
                }
            }
        });
        Self { queue, kept }
    }

    /// An export has passed.
    pub(super) fn export(&self, desk: &Desk, passed: Passed) {
        if self.queue.try_send(passed).is_err() {
            desk.incomplete("exports of spans came faster than they could be copied");
        }
    }

    /// All copies so far, and what the collector did not take.
    pub(super) fn facts(&self, desk: &Desk) -> Vec<Fact> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = kept.refused.iter().filter_map(|(source, fact)| {
            let pod = desk.pod_of(*source, fact.at)?;
            Some(Fact::Export(ExportFact { pod, ..fact.clone() }))
        });
        kept.traces.values().cloned().map(Fact::Trace).chain(refused).collect()
    }
}

impl Kept {
    /// The collector did not take it: its spans are kept only as a number.
    fn refuse(&mut self, passed: &Passed, refusal: &Refusal, resources: &[ResourceSpans], desk: &Desk) {
        let scopes = resources.iter().flat_map(|resource| &resource.scope_spans);
        let spans = scopes.map(|scope| scope.spans.len() as u64).sum();
        let second = passed.at - passed.at.rem_euclid(1_000);
        let like = |(source, fact): &&mut (Origin, ExportFact)| {
            *source == passed.source && fact.request == passed.export.request && fact.refusal == *refusal
        };
        let recent = self.refused.iter_mut().rev().take_while(|(_, fact)| fact.at >= second);
        if let Some((_, fact)) = recent.into_iter().find(like) {
            fact.exports += 1;
            fact.spans += spans;
        } else if self.refused.len() < MAX_REFUSED {
            let (dependency, request) = (desk.plan.dependency.clone(), passed.export.request.clone());
            let (pod, refusal) = (String::new(), refusal.clone()); // whose it was may be told later
            let fact = ExportFact { at: passed.at, dependency, pod, request, refusal, exports: 1, spans };
            self.refused.push((passed.source, fact));
        }
    }

    fn add(&mut self, at: Millis, resource: &ResourceSpans, desk: &Desk) {
        let attributes = resource.resource.as_ref().map(|r| r.attributes.as_slice()).unwrap_or_default();
        let service = text(attributes, "service.name").unwrap_or_default();
        let version = text(attributes, "service.version");
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let trace_id = hex(&span.trace_id);
            if !trace_id.starts_with(&desk.plan.trace_prefix) {
                continue;
            }
            if self.spans >= MAX_SPANS {
                return desk.incomplete("more spans than are kept");
            }
            self.spans += 1;
            let trace = self.traces.entry(trace_id.clone());
            let trace = trace.or_insert_with(|| TraceFact { at, trace_id, spans: Vec::new() });
            trace.spans.push(reduced(span, &service, version.as_ref()));
        }
    }
}

/// What checks need of a span.
fn reduced(span: &OtlpSpan, service: &str, version: Option<&String>) -> Span {
    let duration = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
    Span {
        id: hex(&span.span_id),
        parent: (!span.parent_span_id.is_empty()).then(|| hex(&span.parent_span_id)),
        name: span.name.clone(),
        kind: match span.kind() {
            OtlpKind::Server => SpanKind::Server,
            OtlpKind::Client => SpanKind::Client,
            _ => SpanKind::Other,
        },
        service: service.to_owned(),
        version: version.cloned(),
        start_us: (span.start_time_unix_nano / 1_000) as i64,
        duration_us: (duration / 1_000) as i64,
        server: text(&span.attributes, "server.address"),
        peer: text(&span.attributes, "peer.service"),
        db_system: text(&span.attributes, "db.system.name").or_else(|| text(&span.attributes, "db.system")),
        credentials: credentials::exposed(&span.attributes),
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
