//! Exports of spans in every form, and collectors that do not take them.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use golive_validator::config::Protocol;
use golive_validator::evidence::{ExportFact, Fact, Refusal, Trouble};
use http::Request;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Before, H2, POD, limits, web};

const CALL: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const PATH: &str = "/v1/traces";

/// Two spans of a trace of ours.
fn export() -> ExportTraceServiceRequest {
    let trace_id = [0x01, 0x23, 0xab, 0xcd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].to_vec();
    let span = |id| Span { trace_id: trace_id.clone(), span_id: vec![id; 8], ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span(1), span(2)], ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

async fn before(collector: Router) -> Before {
    Before::new(Protocol::Otlp, web(collector).await, limits()).await
}

/// A collector that says this to everything.
async fn before_one_that_says<A>(answer: fn() -> A) -> Before
where
    A: IntoResponse + 'static,
{
    before(Router::new().fallback(any(move || async move { answer() }))).await
}

/// An answer of gRPC.
fn grpc(status: &'static str, message: &[u8]) -> Response {
    let framed = [&[0], (message.len() as u32).to_be_bytes().as_slice(), message].concat();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    let frames = [Frame::data(Bytes::from(framed)), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    let body = Body::new(StreamBody::new(stream::iter(frames)));
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn partial() -> ExportTraceServiceResponse {
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "no".into() };
    ExportTraceServiceResponse { partial_success: Some(partial) }
}

async fn post(before: &Before, path: &str, kind: &str, packing: &str, body: Vec<u8>) -> StatusCode {
    let request = Request::post(format!("http://it:4318{path}")).header("content-type", kind);
    let request = request.header("content-encoding", packing).body(Full::new(body.into())).unwrap();
    H2::connect(before.address).await.send(request).await.unwrap().status
}

/// How many spans of ours the collector took, and what it did not take; waits until something is known.
async fn told(before: &Before) -> (usize, Vec<ExportFact>) {
    let known = |f: &Fact| matches!(f, Fact::Trace(_) | Fact::Export(_) | Fact::Trouble(_));
    let facts = before.until_told("what became of the export", |f| known(&f).then_some(f)).await;
    let spans = facts.iter().map(|f| if let Fact::Trace(t) = f { t.spans.len() } else { 0 }).sum();
    assert!(!facts.iter().any(|f| matches!(f, Fact::Trouble(_))), "{facts:?}");
    (spans, facts.into_iter().filter_map(|f| if let Fact::Export(e) = f { Some(e) } else { None }).collect())
}

#[tokio::test]
async fn spans_are_copied_over_http_in_protobuf_and_json_packed_or_not() {
    let (protobuf, json) = (export().encode_to_vec(), serde_json::to_vec(&export()).unwrap());
    let (pb, js) = ("application/x-protobuf", "application/json");
    let cases = [
        (pb, "identity", protobuf.clone()),
        (pb, "gzip", gzip(&protobuf)),
        (pb, "zstd", zstd(&protobuf)),
        (js, "identity", json.clone()),
        (js, "gzip", gzip(&json)),
    ];
    for (kind, packing, body) in cases {
        let before = before_one_that_says(|| StatusCode::OK).await;
        assert_eq!(post(&before, PATH, kind, packing, body).await, StatusCode::OK);
        assert_eq!(told(&before).await, (2, Vec::new()), "{kind} {packing}");
    }
}

#[tokio::test]
async fn spans_are_copied_over_grpc_and_its_status_comes_through() {
    let protobuf = export().encode_to_vec();
    let cases = [
        ("identity", false, protobuf.clone()),
        ("gzip", true, gzip(&protobuf)),
        ("zstd", true, zstd(&protobuf)),
    ];
    for (encoding, packed, message) in cases {
        let before = before_one_that_says(|| grpc("0", b"")).await;
        let answer = H2::connect(before.address).await.call(CALL, encoding, packed, &message).await.unwrap();
        assert_eq!(answer.trailers["grpc-status"], "0");
        assert_eq!(told(&before).await, (2, Vec::new()), "{encoding}");
    }
}

#[tokio::test]
async fn what_a_collector_does_not_take_over_http_was_not_delivered_and_is_told_with_its_answer() {
    type Answers = fn() -> Response;
    let cases: [(&str, Answers, Refusal, &str); 6] = [
        (
            "/v1/tracesX",
            || StatusCode::NOT_FOUND.into_response(),
            Refusal::Status(404),
            "POST /v1/tracesX answered 404",
        ),
        (
            PATH,
            || StatusCode::TOO_MANY_REQUESTS.into_response(),
            Refusal::Status(429),
            "POST /v1/traces answered 429",
        ),
        (PATH, || StatusCode::BAD_GATEWAY.into_response(), Refusal::Status(502), "answered 502"),
        (
            PATH,
            || Html("<p>hello").into_response(),
            Refusal::NoEndpoint("it is text/html".into()),
            "not by OTLP",
        ),
        (
            PATH,
            || ([("content-type", "application/x-protobuf")], partial().encode_to_vec()).into_response(),
            Refusal::Rejected,
            "some spans are rejected",
        ),
        (
            PATH,
            || {
                ([("content-type", "application/json")], r#"{"partialSuccess":{"rejectedSpans":"1"}}"#)
                    .into_response()
            },
            Refusal::Rejected,
            "some spans are rejected",
        ),
    ];
    for (path, answer, refusal, text) in cases {
        let before = before_one_that_says(answer).await;
        post(&before, path, "application/x-protobuf", "identity", export().encode_to_vec()).await;
        let (spans, refused) = told(&before).await;
        assert_eq!((spans, refused.len()), (0, 1), "{text}");
        assert_eq!((&refused[0].refusal, refused[0].pod.as_str()), (&refusal, POD));
        assert!(refused[0].to_string().contains(text), "{}", refused[0]);
    }
}

#[tokio::test]
async fn what_a_collector_does_not_take_over_grpc_was_not_delivered() {
    type Answers = fn() -> Response;
    let cases: [(Answers, Refusal); 4] = [
        (|| grpc("8", b""), Refusal::Grpc(8)),
        (|| grpc("0", &partial().encode_to_vec()), Refusal::Rejected),
        (|| StatusCode::NOT_FOUND.into_response(), Refusal::Status(404)),
        (|| "hello".into_response(), Refusal::NoEndpoint("it has no grpc-status".into())),
    ];
    for (answer, refusal) in cases {
        let before = before_one_that_says(answer).await;
        let message = export().encode_to_vec();
        H2::connect(before.address).await.call(CALL, "identity", false, &message).await.unwrap();
        let (spans, refused) = told(&before).await;
        assert_eq!((spans, refused.len(), &refused[0].refusal), (0, 1, &refusal));
        assert_eq!(refused[0].request, format!("POST {CALL}"));
    }
}

#[tokio::test]
async fn spans_that_are_taken_at_the_second_attempt_are_delivered() {
    let attempts = Arc::new(AtomicU32::new(0));
    let answer = move || {
        let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        async move { if first { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK } }
    };
    let before = before(Router::new().fallback(any(answer))).await;
    for expected in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK] {
        let body = export().encode_to_vec();
        assert_eq!(post(&before, PATH, "application/x-protobuf", "identity", body).await, expected);
    }
    before.until_told("the trace", |f| matches!(f, Fact::Trace(_)).then_some(())).await;
    let (spans, refused) = told(&before).await;
    assert_eq!((spans, refused.len()), (2, 1));
    assert_eq!((refused[0].exports, refused[0].spans), (1, 2));
}

#[tokio::test]
async fn the_last_spans_of_a_process_that_does_not_wait_for_the_answer_arrive() {
    let before = before_one_that_says(|| StatusCode::OK).await;
    let body = export().encode_to_vec();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: it\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut client = std::net::TcpStream::connect(before.address).unwrap();
    client.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    drop(client);
    assert_eq!(told(&before).await, (2, Vec::new()));
}

#[tokio::test]
async fn a_stream_that_is_no_otlp_goes_on_without_an_end_and_its_status_is_told() {
    let before = before_one_that_says(|| grpc("12", b"")).await;
    let client = TokioIo::new(TcpStream::connect(before.address).await.unwrap());
    let (mut sender, connection) = handshake(TokioExecutor::new(), client).await.unwrap();
    tokio::spawn(connection);
    let first = Frame::data(Bytes::from_static(b"\0\0\0\0\0"));
    let endless = StreamBody::new(stream::iter([Ok::<_, Infallible>(first)]).chain(stream::pending()));
    let request = Request::post("http://it:4317/arrow.v1.ArrowTracesService/ArrowTraces");
    let request = request.header("content-type", "application/grpc").body(endless).unwrap();
    let sent = async { sender.send_request(request).await.unwrap().into_body().collect().await.unwrap() };
    let answer = timeout(Duration::from_mins(1), sent).await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "12");
    let refusal = |f| if let Fact::Export(e) = f { Some(e.refusal) } else { None };
    assert_eq!(before.until_told("its status", refusal).await, [Refusal::Grpc(12)]);
    let unread = |f: &Fact| matches!(f, Fact::Trouble(t) if matches!(t.trouble, Trouble::Unread(_)));
    assert!(before.facts().await.iter().any(unread), "its spans are not known");
}
