//! What passes on its way to the collector is copied; what goes to another service shows whose trace it carries on.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use golive_validator::config::Protocol;
use golive_validator::evidence::{Fact, SpanKind};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as OtlpKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Before, POD, limits, web};

const OURS: &str = "0123abcd000000000000000000000001";

/// One request on a connection of its own; its status line.
async fn send(before: &Before, head: &str, body: &[u8]) -> String {
    let mut client = TcpStream::connect(before.address).await.unwrap();
    let length = body.len();
    let head = format!("{head}\r\nhost: it\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    client.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn span(trace_id: &str, id: u8, kind: OtlpKind) -> Span {
    let trace_id = (0..16).map(|at| u8::from_str_radix(&trace_id[2 * at..2 * at + 2], 16).unwrap()).collect();
    Span { trace_id, span_id: vec![id; 8], kind: kind.into(), name: "GET".into(), ..Span::default() }
}

#[tokio::test]
async fn spans_of_our_traces_are_copied_and_the_collector_gets_everything() {
    let collector = Router::new().route(
        "/v1/traces",
        post(|body: axum::body::Bytes| async move {
            let spans = ExportTraceServiceRequest::decode(body).map(|export| export.resource_spans.len());
            if spans == Ok(1) { StatusCode::OK } else { StatusCode::BAD_REQUEST }
        }),
    );
    let before = Before::new(Protocol::Otlp, web(collector).await, limits()).await;
    let foreign = "ffffffff000000000000000000000001";
    let spans = vec![
        span(OURS, 1, OtlpKind::Server),
        span(OURS, 2, OtlpKind::Client),
        span(foreign, 3, OtlpKind::Server),
    ];
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let export = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    };
    let head = "POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf";
    assert_eq!(send(&before, head, &export.encode_to_vec()).await, "HTTP/1.1 200 OK");

    let traces =
        before.until_told("the trace", |f| if let Fact::Trace(t) = f { Some(t) } else { None }).await;
    assert_eq!(traces.len(), 1, "{traces:?}");
    assert_eq!(traces[0].trace_id, OURS);
    let kinds: Vec<_> = traces[0].spans.iter().map(|span| (span.id.as_str(), span.kind)).collect();
    assert_eq!(kinds, [("0101010101010101", SpanKind::Server), ("0202020202020202", SpanKind::Client)]);
}

#[tokio::test]
async fn the_context_of_outgoing_requests_is_noted() {
    let orders = Router::new().route("/orders", get(|| async { "[]" }));
    let before = Before::new(Protocol::Http, web(orders).await, limits()).await;
    let with = format!("GET /orders HTTP/1.1\r\nTraceparent: 00-{OURS}-00000000000000aa-01");
    assert_eq!(send(&before, &with, b"").await, "HTTP/1.1 200 OK");
    assert_eq!(send(&before, "GET /orders HTTP/1.1", b"").await, "HTTP/1.1 200 OK");
    let seen: Vec<_> = before
        .facts()
        .await
        .into_iter()
        .filter_map(|f| if let Fact::Outgoing(o) = f { Some(o) } else { None })
        .collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|fact| fact.pod == POD));
    assert_eq!(seen[0].trace_id.as_deref(), Some(OURS));
    assert_eq!(seen[0].parent_id.as_deref(), Some("00000000000000aa"));
    assert_eq!(seen[1].trace_id, None);
    assert_eq!(before.counted().await.0, 2);
}

/// Why the agent says that its record is not to be believed.
async fn disbeliefs(before: &Before) -> Vec<String> {
    let facts = before.facts().await.into_iter();
    facts.filter_map(|f| if let Fact::Trouble(t) = f { t.trouble.disbelief() } else { None }).collect()
}

#[tokio::test]
async fn spans_that_came_in_another_form_are_told_of() {
    let collector = || Router::new().fallback(|| async { StatusCode::OK });
    let metrics = "POST /v1/metrics HTTP/1.1\r\ncontent-type: application/json";
    let zipkin = "POST /api/v2/spans HTTP/1.1\r\ncontent-type: application/json";
    let thrift = "POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-thrift";
    for (head, expected) in [(metrics, None), (zipkin, Some("/api/v2/spans")), (thrift, Some("thrift"))] {
        let before = Before::new(Protocol::Otlp, web(collector()).await, limits()).await;
        send(&before, head, b"[]").await;
        if expected.is_some() {
            before.until_told(head, |f| matches!(f, Fact::Trouble(_)).then_some(())).await;
        }
        let told = disbeliefs(&before).await;
        assert_eq!(told.len(), usize::from(expected.is_some()), "{head}: {told:?}");
        assert!(expected.is_none_or(|word| told[0].contains(word) && told[0].contains(POD)), "{told:?}");
    }
}

#[tokio::test]
async fn health_pings_and_unsampled_requests_are_no_outgoing_calls() {
    let other = Router::new().fallback(|| async { "ok" });
    let before = Before::new(Protocol::Http, web(other).await, limits()).await;
    let ping = "GET /health HTTP/1.1";
    send(&before, ping, b"").await;
    before.learn(true).await;
    send(&before, ping, b"").await;
    before.learn(false).await;
    send(&before, ping, b"").await;
    let unsampled = format!("GET /orders HTTP/1.1\r\ntraceparent: 00-{OURS}-00000000000000aa-00");
    send(&before, &unsampled, b"").await;
    for _ in 0..50 {
        send(&before, "GET /orders HTTP/1.1", b"").await;
    }
    let bare = |f: &Fact| matches!(f, Fact::Outgoing(o) if o.trace_id.is_none());
    let all = |f: &Fact| matches!(f, Fact::Outgoing(_));
    let facts = before.facts().await;
    let (bare, all) = (facts.iter().filter(|f| bare(f)).count(), facts.iter().filter(|f| all(f)).count());
    assert_eq!(bare, all, "an unsampled request leaves no span");
    assert!((15..=50).contains(&bare), "{bare} of 50: the more there are, the fewer are told");
}
