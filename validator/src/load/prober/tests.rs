//! The prober against servers of every kind that a probe may be declared for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_util::sync::CancellationToken;

use super::grpc::{HealthCheckRequest, HealthCheckResponse, framed};
use super::{asked, probe, question};
use crate::config::{Handler, Header, Probe, Scheme};
use crate::evidence::{Fact, ProbeTarget};
use crate::load::{AgentClock, LoadPlan, ProbedPod, Recorder};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn http_get(port: u16, path: &str, headers: &[(&str, &str)]) -> Handler {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: Some((*value).into()) };
    let (path, headers) = (path.to_owned(), headers.iter().map(header).collect());
    Handler::HttpGet { scheme: Scheme::Http, host: None, port, path, headers }
}

fn within(handler: Handler, timeout_s: u32) -> Probe {
    Probe { handler, timeout_s, period_s: 10, failure_threshold: 3, success_threshold: 1, initial_delay_s: 0 }
}

#[tokio::test]
async fn every_status_from_200_to_399_is_told_and_redirects_to_the_same_host_are_followed() {
    let nowhere = "http://golive.invalid/up";
    let router = Router::new()
        .route("/204", get(|| async { StatusCode::NO_CONTENT }))
        .route("/302", get(|| async { Redirect::to("/204") }))
        .route("/down", get(|| async { Redirect::temporary("503") }))
        .route("/503", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/304", get(|| async { StatusCode::NOT_MODIFIED }))
        .route("/elsewhere", get(move || async move { Redirect::temporary(nowhere) }))
        .route("/loop", get(|| async { Redirect::temporary("/loop") }));
    let port = serve(router).await;
    let answer = async |path| asked(LOCAL, &http_get(port, path, &[])).await;
    assert_eq!(answer("/204").await, Ok(204));
    assert_eq!(answer("/302").await, Ok(204));
    assert_eq!(answer("/down").await, Ok(503), "what counts is where the redirect ends");
    assert_eq!(answer("/304").await, Ok(304));
    assert_eq!(answer("/elsewhere").await, Ok(307), "another host is not asked");
    assert!(answer("/loop").await.unwrap_err().contains("redirects"));
}

#[tokio::test]
async fn declared_headers_are_sent_and_the_rest_is_as_the_kubelet_has_it() {
    async fn echo(headers: HeaderMap) -> Response {
        let of =
            |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap().to_owned());
        let (host, key) = (of("host"), of("x-key"));
        let usual = of("user-agent").is_some_and(|agent| agent.starts_with("kube-probe/"))
            && of("accept").as_deref() == Some("*/*")
            && of("connection").as_deref() == Some("close");
        match (host.as_deref(), key.as_deref(), usual) {
            (Some("users.example.com"), Some("s3cret"), true) => StatusCode::OK.into_response(),
            _ => (StatusCode::BAD_REQUEST, format!("{headers:?}")).into_response(),
        }
    }
    let port = serve(Router::new().route("/up", get(echo))).await;
    let declared = [("Host", "users.example.com"), ("X-Key", "s3cret")];
    assert_eq!(asked(LOCAL, &http_get(port, "/up", &declared)).await, Ok(200));
    assert_eq!(asked(LOCAL, &http_get(port, "/up", &declared[1..])).await, Ok(400));
}

#[tokio::test]
async fn an_answer_has_the_time_that_is_declared() {
    let slow = get(|| async {
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        "up"
    });
    let port = serve(Router::new().route("/slow", slow)).await;
    let clock = AgentClock::start();
    let asked = async |timeout_s| {
        let probe = within(http_get(port, "/slow", &[]), timeout_s);
        question(("a".into(), ProbeTarget::Readiness), LOCAL, probe, clock).await.1.unwrap().answer
    };
    assert_eq!(asked(60).await, Ok(200));
    assert_eq!(asked(1).await, Err("timeout".into()));
}

#[tokio::test]
async fn a_slow_pod_is_asked_one_question_at_a_time_and_keeps_nobody_waiting() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (asked, peak) = (Arc::clone(&now), Arc::clone(&most));
    let handler = get(move |Path(name): Path<String>| async move {
        if name == "slow" {
            peak.fetch_max(asked.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(2)).await;
            asked.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let port = serve(Router::new().route("/{name}", handler)).await;
    let pod = |name: &str| ProbedPod {
        pod: name.into(),
        ip: LOCAL,
        readiness: Some(within(http_get(port, &format!("/{name}"), &[]), 60)),
        liveness: Some(within(Handler::Exec, 1)),
    };
    let (_pods, listed) = watch::channel(vec![pod("slow"), pod("quick")]);
    let address = SocketAddr::new(LOCAL, port);
    let plan = serde_json::json!({
        "agent": "a", "node": "n", "address": address, "host": "h", "rate": 1.0, "sampled": 0.0, "requests": [], "ports": {},
        "late_after_ms": 1.0, "at_most_s": 60.0, "trace_prefix": "a1b2c3d4"
    });
    let plan: LoadPlan = serde_json::from_value(plan).unwrap();
    let (clock, stop) = (AgentClock::start(), CancellationToken::new());
    let recorder = Recorder::new(clock, &plan);
    let asking = tokio::spawn(probe(listed, recorder.clone(), clock, stop.clone()));
    let samples = |name: &str| {
        let facts = recorder.facts().into_iter();
        let of = facts.filter_map(|fact| if let Fact::Probe(p) = fact { Some(p) } else { None });
        let of: Vec<_> = of.filter(|p| p.pod == name).collect();
        assert!(of.iter().all(|p| p.target == ProbeTarget::Readiness), "an exec probe is never asked");
        of.iter().map(|p| p.samples).sum::<u64>()
    };
    for _ in 0..240 {
        if samples("slow") >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    stop.cancel();
    asking.await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 1);
    assert!(samples("quick") > samples("slow"), "{} and {}", samples("quick"), samples("slow"));
}

#[tokio::test]
async fn a_connection_that_opens_is_all_that_a_tcp_probe_asks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = Handler::TcpSocket { host: None, port };
    assert_eq!(asked(LOCAL, &tcp).await, Ok(200));
    drop(listener);
    assert_eq!(asked(LOCAL, &tcp).await, Err("refused".into()));
}

/// Says SERVING of the service `users` and NOT_SERVING of every other.
async fn health(body: Bytes) -> Response {
    let asked = HealthCheckRequest::decode(&body[5..]).unwrap();
    let status = if asked.service == "users" { 1 } else { 2 };
    let answer = Full::new(framed(&HealthCheckResponse { status }));
    let trailers =
        HeaderMap::from_iter([(header::HeaderName::from_static("grpc-status"), "0".parse().unwrap())]);
    let body = answer.with_trailers(async move { Some(Ok(trailers)) });
    ([(header::CONTENT_TYPE, "application/grpc")], Body::new(body)).into_response()
}

#[tokio::test]
async fn a_grpc_probe_succeeds_when_the_service_serves() {
    let port = serve(Router::new().route("/grpc.health.v1.Health/Check", post(health))).await;
    let grpc = |port, service: &str| Handler::Grpc { port, service: service.into() };
    assert_eq!(asked(LOCAL, &grpc(port, "users")).await, Ok(200));
    assert_eq!(asked(LOCAL, &grpc(port, "")).await, Err("NOT_SERVING".into()));
    let unimplemented = || async { ([("grpc-status", "12"), ("content-type", "application/grpc")], "") };
    let without = serve(Router::new().fallback(unimplemented)).await;
    assert!(asked(LOCAL, &grpc(without, "")).await.unwrap_err().contains("UNIMPLEMENTED"));
    let plain = serve(Router::new()).await;
    assert!(asked(LOCAL, &grpc(plain, "")).await.unwrap_err().contains("404"));
}

#[tokio::test]
async fn over_https_any_certificate_will_do() {
    let certificate = CertificateDer::from(&include_bytes!("../../../tests/fixtures/somebody.crt.der")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("../../../tests/fixtures/somebody.key.der")[..]);
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key.into()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = vec![0; 4096];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    let (path, headers) = ("/up".to_owned(), Vec::new());
    let https = Handler::HttpGet { scheme: Scheme::Https, host: None, port, path, headers };
    assert_eq!(asked(LOCAL, &https).await, Ok(200));
    assert!(asked(LOCAL, &http_get(port, "/up", &[])).await.is_err(), "plain HTTP is none to a TLS port");
}
