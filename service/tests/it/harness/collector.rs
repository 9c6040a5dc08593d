use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::eventually;

/// Receives OTLP over HTTP and keeps every span, with the resource it came from.
pub(crate) struct Collector {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) span: Span,
    resource: Vec<KeyValue>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::slow(Duration::ZERO).await
    }

    /// Answers so long after it has received.
    pub(crate) async fn slow(delay: Duration) -> Self {
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let receive = async move |state: State<_>, body: Bytes| {
            receive(state, body);
            tokio::time::sleep(delay).await;
        };
        let app = Router::new().route("/v1/traces", post(receive)).with_state(Arc::clone(&received));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, received }
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The spans of one trace, once there are at least `count`.
    pub(crate) async fn trace(&self, id: &str, count: usize) -> Vec<Received> {
        let of_trace = || {
            let all = self.all();
            all.into_iter().filter(|each| hex(&each.span.trace_id) == id).collect::<Vec<_>>()
        };
        eventually(&format!("{count} spans of {id}"), async || of_trace().len() >= count).await;
        of_trace()
    }
}

fn receive(State(received): State<Arc<Mutex<Vec<Received>>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    for spans in request.resource_spans {
        let resource = spans.resource.unwrap_or_default().attributes;
        let spans = spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let spans = spans.map(|span| Received { span, resource: resource.clone() });
        received.lock().unwrap().extend(spans);
    }
}

impl Received {
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        text(&self.span.attributes, key)
    }

    /// An attribute that must be an integer on the wire.
    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        match find(&self.span.attributes, key)? {
            Value::IntValue(value) => Some(value),
            other => panic!("{key} is {other:?}"),
        }
    }

    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        text(&self.resource, key)
    }

    pub(crate) fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }
}

fn find(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    attribute.value.clone().and_then(|AnyValue { value }| value)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    match find(attributes, key)? {
        Value::StringValue(value) => Some(value),
        other => panic!("{key} is {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
