use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::stream;
use http::{HeaderMap, HeaderValue};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Encrypted, eventually};

/// Receives OTLP over HTTP and keeps every span, with the resource it came from.
pub(crate) struct Collector {
    pub(crate) url: String,
    /// The same without a path.
    pub(crate) base: String,
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: format!("{base}/v1/traces"), base, received }
    }

    /// Speaks OTLP over HTTP and over gRPC, encrypted if it has a certificate.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) async fn of_every_protocol(servers: Option<&Encrypted>) -> Self {
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let app = Router::new()
            .route("/v1/traces", post(async |state: State<_>, body: Bytes| receive(state, body)))
            .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(receive_grpc))
            .with_state(Arc::clone(&received));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = match servers {
            None => {
                tokio::spawn(async move { axum::serve(listener, app).await });
                "http"
            }
            Some(servers) => {
                tokio::spawn(serve_encrypted(listener, acceptor(servers), app));
                "https"
            }
        };
        let base = format!("{scheme}://{address}");
        Self { url: format!("{base}/v1/traces"), base, received }
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

async fn serve_encrypted(listener: TcpListener, acceptor: TlsAcceptor, app: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let service = TowerToHyperService::new(app);
            Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
        });
    }
}

/// One message without compression in, an empty one and the status 0 out.
async fn receive_grpc(state: State<Arc<Mutex<Vec<Received>>>>, body: Bytes) -> Response {
    assert_eq!(body[0], 0, "compressed");
    receive(state, body.slice(5..));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)];
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
    ([("content-type", "application/grpc")], Body::new(body)).into_response()
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

/// For a collector with the certificate of these servers.
fn acceptor(servers: &Encrypted) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(servers.directory.join("server.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(servers.directory.join("server.key")).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}
