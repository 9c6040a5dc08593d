use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use axum::extract::MatchedPath;
#[cfg(feature = "otlp-metrics")]
use opentelemetry::KeyValue;
#[cfg(feature = "otlp-metrics")]
use opentelemetry::metrics::Meter;
use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::http::CLIENT_GONE;
#[cfg(feature = "otlp-metrics")]
use crate::telemetry::semconv;

/// The bounds that semantic conventions give for `http.server.request.duration`.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

type Histogram = HistogramWithExemplars<Sampled>;

/// How long requests took, with a trace for each bucket that has one. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    durations: Family<RequestLabels, Histogram, fn() -> Histogram>,
    /// The same where metrics are sent; the histogram above cannot be read.
    #[cfg(feature = "otlp-metrics")]
    sent: Option<opentelemetry::metrics::Histogram<f64>>,
}

const HELP: &str = "Time from request head to response head";

/// The exemplar of a bucket: where its last sampled request is to be seen.
#[derive(Debug)]
struct Sampled {
    trace: TraceId,
    span: SpanId,
}

impl EncodeLabelSet for Sampled {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("trace_id", self.trace.to_string()).encode(encoder.encode_label())?;
        ("span_id", self.span.to_string()).encode(encoder.encode_label())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct RequestLabels {
    method: &'static str,
    route: Route,
    status: u16,
}

/// As semantic conventions name them. `error.type` is there only where something went wrong: the status of our own
/// failures, and what became of clients that got no answer.
impl EncodeLabelSet for RequestLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("http_request_method", self.method).encode(encoder.encode_label())?;
        ("http_route", self.route.as_str()).encode(encoder.encode_label())?;
        ("http_response_status_code", self.status).encode(encoder.encode_label())?;
        match self.error_type() {
            Some(kind) => ("error_type", kind).encode(encoder.encode_label()),
            None => Ok(()),
        }
    }
}

impl RequestLabels {
    fn error_type(&self) -> Option<Cow<'static, str>> {
        match self.status {
            CLIENT_GONE => Some(Cow::Borrowed("client_gone")),
            500.. => Some(Cow::Owned(self.status.to_string())),
            _ => None,
        }
    }

    /// For the API of OpenTelemetry, under the names of the conventions.
    #[cfg(feature = "otlp-metrics")]
    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new(semconv::HTTP_REQUEST_METHOD, self.method),
            KeyValue::new(semconv::URL_SCHEME, "http"),
            KeyValue::new(semconv::HTTP_RESPONSE_STATUS_CODE, i64::from(self.status)),
        ];
        let route = self.route.0.as_ref();
        attributes.extend(route.map(|route| KeyValue::new(semconv::HTTP_ROUTE, route.as_str().to_owned())));
        attributes
            .extend(self.error_type().map(|kind| KeyValue::new(semconv::ERROR_TYPE, kind.into_owned())));
        attributes
    }
}

/// The template of a route, shared with the router; nothing where no route matched.
#[derive(Clone, Debug)]
struct Route(Option<MatchedPath>);

impl Default for Requests {
    fn default() -> Self {
        Self {
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS.into_iter())),
            #[cfg(feature = "otlp-metrics")]
            sent: None,
        }
    }
}

impl Requests {
    /// Durations that `meter` sends as well, without exemplars, which the SDK does not have.
    #[cfg(feature = "otlp-metrics")]
    pub(super) fn sent_by(meter: &Meter) -> Self {
        let durations = meter.f64_histogram("http.server.request.duration").with_description(HELP);
        let durations = durations.with_unit("s").with_boundaries(SECONDS.to_vec()).build();
        Self { sent: Some(durations), ..Self::default() }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let durations = self.durations.clone();
        registry.register_with_unit("http_server_request_duration", HELP, Unit::Seconds, durations);
    }

    pub(super) fn observe(
        &self,
        method: &'static str,
        route: Option<&MatchedPath>,
        status: u16,
        duration: Duration,
        sampled: Option<&SpanContext>,
    ) {
        let labels = RequestLabels { method, route: Route(route.cloned()), status };
        let sampled = sampled.map(|span| Sampled { trace: span.trace_id(), span: span.span_id() });
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64(), sampled, None);
        #[cfg(feature = "otlp-metrics")]
        if let Some(sent) = &self.sent {
            sent.record(duration.as_secs_f64(), &labels.attributes());
        }
    }
}

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

/// One number, that tells most series apart; there are few, and comparison tells the rest. To hash the texts takes SipHash longer
/// than all else that a look-up does.
impl Hash for RequestLabels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let method = self.method.bytes().next().map_or(0, u64::from);
        let lengths = self.method.len() as u64 | (self.route.as_str().len() as u64) << 8;
        state.write_u64(method | lengths << 8 | u64::from(self.status) << 48);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceFlags, TraceState};
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn scrape(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).expect("encodes");
        text
    }

    #[test]
    fn the_bucket_of_a_sampled_request_leads_to_its_trace_and_no_other_does() {
        let (requests, mut registry) = (Requests::default(), Registry::default());
        requests.register(&mut registry);
        let (trace, span) = (TraceId::from(0xabc), SpanId::from(0xdef));
        let ids = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default());
        requests.observe("GET", None, 200, Duration::from_millis(60), Some(&ids));
        requests.observe("GET", None, 200, Duration::from_millis(600), None);
        let text = scrape(&registry);
        let exemplars: Vec<_> = text.lines().filter_map(|line| line.split_once(" # ")).collect();
        let [(bucket, exemplar)] = exemplars[..] else { panic!("{text}") };
        assert!(bucket.contains("le=\"0.075\"") && bucket.ends_with(" 1"), "{bucket}");
        assert_eq!(exemplar, format!("{{trace_id=\"{trace}\",span_id=\"{span}\"}} 0.06"));
    }

    #[test]
    fn what_went_wrong_has_an_error_type_and_what_went_well_has_none() {
        let (requests, mut registry) = (Requests::default(), Registry::default());
        requests.register(&mut registry);
        for status in [200, 404, 499, 503] {
            requests.observe("GET", None, status, Duration::ZERO, None);
        }
        let text = scrape(&registry);
        let labels = |status: u16| {
            let line =
                text.lines().find(|line| line.contains("_count{") && line.contains(&status.to_string()));
            line.and_then(|line| line.split_once("error_type=")).map(|(_, kind)| kind.to_owned())
        };
        assert_eq!((labels(200), labels(404)), (None, None));
        assert_eq!(labels(499).as_deref(), Some("\"client_gone\"} 1"));
        assert_eq!(labels(503).as_deref(), Some("\"503\"} 1"));
    }
}
