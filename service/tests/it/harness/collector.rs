mod store;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::MetricsServiceServer;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceServiceServer;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::service::Routes;

use super::{Encrypted, eventually};
use store::Store;

/// Receives OTLP and keeps every span, with the resource it came from, and all metrics.
pub(crate) struct Collector {
    pub(crate) url: String,
    /// The same without a path.
    pub(crate) base: String,
    store: Store,
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
        let store = Store::default();
        let receive = async move |State(store): State<Store>, body: Bytes| {
            store.keep_spans(decoded(body));
            tokio::time::sleep(delay).await;
        };
        let app = Router::new().route("/v1/traces", post(receive)).with_state(store.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: format!("{base}/v1/traces"), base, store }
    }

    /// Speaks OTLP over HTTP and over gRPC, encrypted if it has a certificate.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) async fn of_every_protocol(servers: Option<&Encrypted>) -> Self {
        let store = Store::default();
        let traces = async |State(store): State<Store>, body: Bytes| store.keep_spans(decoded(body));
        let metrics = async |State(store): State<Store>, body: Bytes| store.keep_metrics(decoded(body));
        let grpc = Routes::new(TraceServiceServer::new(store.clone()));
        let app = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(store.clone())
            .merge(grpc.add_service(MetricsServiceServer::new(store.clone())).into_axum_router());
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
        Self { url: format!("{base}/v1/traces"), base, store }
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.store.spans()
    }

    /// What came last.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) fn metrics(&self) -> Vec<ResourceMetrics> {
        self.store.metrics()
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

fn decoded<M: Message + Default>(body: Bytes) -> M {
    M::decode(body).expect("OTLP")
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
