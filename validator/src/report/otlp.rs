//! The run itself as an OpenTelemetry trace: steps and faults as spans below one span of the run, failures and waivers as
//! events.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::{CheckLine, Report, WaiverLine};

/// The trace of a run; the same run gives the same ids, so that sending it twice makes no second trace.
pub fn trace(report: &Report) -> ExportTraceServiceRequest {
    let made = Made { trace: id(&report.run, "trace"), started: report.course.started };
    let root = id(&report.run, "run")[..8].to_vec();
    let mut spans = vec![run(report, &made, root.clone())];
    spans.extend(report.steps.iter().enumerate().map(|(at, step)| {
        let told = [("golive.requests", step.requests.to_string()), ("golive.lost", step.lost.to_string())];
        let end = step.from_s + step.took_s;
        Span {
            attributes: told.map(attribute).to_vec(),
            ..made.span(&format!("step {at}"), &step.name, &root, (step.from_s, end))
        }
    }));
    for dependency in &report.course.dependencies {
        spans.extend(dependency.faults.iter().enumerate().map(|(at, fault)| {
            let told = [("golive.dependency", dependency.name.clone()), ("k8s.pod.name", fault.pod.clone())];
            let (name, stretch) = (format!("{} at {}", fault.kind, dependency.name), &fault.stretch);
            let key = format!("fault {} {at}", dependency.name);
            Span {
                attributes: told.map(attribute).to_vec(),
                ..made.span(&key, &name, &root, (stretch.from_s, stretch.to_s))
            }
        }));
    }
    let scope = InstrumentationScope {
        name: "golive".into(),
        version: report.validator.clone(),
        ..InstrumentationScope::default()
    };
    let resource = [
        ("service.name", "golive".to_owned()),
        ("service.version", report.validator.clone()),
        ("k8s.namespace.name", report.namespace.clone()),
        ("k8s.deployment.name", report.deployment.clone()),
    ];
    let resource = Resource { attributes: resource.map(attribute).to_vec(), ..Resource::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
    let all = ResourceSpans { resource: Some(resource), scope_spans, schema_url: String::new() };
    ExportTraceServiceRequest { resource_spans: vec![all] }
}

/// What all spans of a trace share.
struct Made {
    trace: Vec<u8>,
    started: i64,
}

impl Made {
    fn nanos(&self, seconds: f64) -> u64 {
        self.started.max(0) as u64 * 1_000_000 + (seconds.max(0.0) * 1e9) as u64
    }

    fn span(&self, key: &str, name: &str, parent: &[u8], (from, to): (f64, f64)) -> Span {
        Span {
            trace_id: self.trace.clone(),
            span_id: id(&format!("{:?}", self.trace), key)[..8].to_vec(),
            parent_span_id: parent.to_vec(),
            name: name.to_owned(),
            kind: SpanKind::Internal as i32,
            start_time_unix_nano: self.nanos(from),
            end_time_unix_nano: self.nanos(to.max(from)),
            ..Span::default()
        }
    }
}

fn run(report: &Report, made: &Made, id: Vec<u8>) -> Span {
    let told = [
        ("golive.verdict", report.verdict.to_string()),
        ("golive.run", report.run.clone()),
        ("container.image.name", report.identity.image.clone()),
    ];
    let failed = report.checks.iter().filter(|line| line.is_gating_failure());
    let event = |line: &CheckLine| Event {
        time_unix_nano: made.nanos(
            line.finding
                .cases
                .first()
                .map_or(report.duration.took_s, |case| (case.from - made.started) as f64 / 1000.0),
        ),
        name: format!("{} {}", line.id, line.slug),
        attributes: vec![attribute(("golive.summary", line.finding.summary.clone()))],
        dropped_attributes_count: 0,
    };
    let end = made.nanos(report.course.length_s);
    let code = if report.verdict.is_go() { StatusCode::Ok } else { StatusCode::Error };
    Span {
        span_id: id,
        attributes: told.map(attribute).to_vec(),
        events: failed.map(event).chain(report.waivers.iter().map(|line| waiver(line, end))).collect(),
        status: Some(Status { code: code as i32, message: report.verdict.to_string() }),
        ..made.span("run", &format!("gate {}", report.deployment), &[], (0.0, report.course.length_s))
    }
}

/// A waiver is about the whole run, so that its event stands at the end.
fn waiver(line: &WaiverLine, end: u64) -> Event {
    let waiver = &line.waiver;
    let told = [
        ("golive.waiver.check", waiver.check.to_string()),
        ("golive.waiver.state", line.state.to_string()),
        ("golive.waiver.reason", waiver.reason.to_string()),
        ("golive.waiver.scope", waiver.scope.to_string()),
        ("golive.waiver.owner", waiver.owner.to_string()),
        ("golive.waiver.approver", waiver.approver.to_string()),
        ("golive.waiver.until", waiver.until.to_string()),
    ];
    Event {
        time_unix_nano: end,
        name: format!("waiver {} {}", waiver.check, line.state),
        attributes: told.map(attribute).to_vec(),
        dropped_attributes_count: 0,
    }
}

fn attribute((key, value): (&str, String)) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value)) }),
        ..KeyValue::default()
    }
}

/// 16 bytes that are the same for the same words in every release, and never all zero: FNV-1a of 64 bits, twice. The standard
/// library's hasher may change.
fn id(of: &str, what: &str) -> Vec<u8> {
    let half = |salt: u8| {
        let words = [&[salt], of.as_bytes(), &[0], what.as_bytes()].concat();
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        words.iter().fold(0xcbf2_9ce4_8422_2325, step) | 1
    };
    [half(0).to_be_bytes(), half(1).to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn the_ids_of_a_run_are_those_of_the_last_release() {
        let hex: Vec<String> = id("run", "hang").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.concat(), "759df03bf33a6c213c70260a872a8a4f");
        assert_ne!(id("run", "hang"), id("run", "loss"));
    }
}
