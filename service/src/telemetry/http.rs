use std::borrow::Cow;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, USER_AGENT};
use http::{Method, Version};
use opentelemetry::trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::trace::SdkTracer;
use tokio::time::Instant;

use super::edge::Verdict;
use super::{Telemetry, semconv};

/// Middleware: takes the trace context in, decides, makes the server span and measures the duration.
///
/// Put on the routes of users with `Router::layer(middleware::from_fn_with_state(telemetry, trace_requests))`; routes
/// added after it, such as probes, are not traced. While the request is handled its context is the current one.
pub async fn trace_requests(State(telemetry): State<Telemetry>, request: Request, next: Next) -> Response {
    let since = Instant::now();
    let traces = &telemetry.traces;
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let context = server_context(&telemetry, &request, method, route.as_ref());
    let response = next.run(request).with_context(context.clone()).await;
    let status = response.status();
    finish(&context, status);
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    traces.metrics.request(method, route, status.as_u16(), since.elapsed());
    if status.is_server_error() {
        // Attached so that the line carries the ids of the trace.
        let _current = context.attach();
        tracing::warn!(method, route, status = status.as_u16(), "request failed");
    }
    response
}

fn server_context(
    telemetry: &Telemetry,
    request: &Request,
    method: &'static str,
    route: Option<&MatchedPath>,
) -> Context {
    let traces = &telemetry.traces;
    let incoming = traces.propagators.extract(&HeaderExtractor(request.headers()));
    // Without a recorder we are no part of the trace: what came in goes out as it is.
    let Some(tracer) = telemetry.tracer() else {
        return incoming;
    };
    match traces.edge.decide(incoming) {
        Verdict::PassOn(context) => context,
        Verdict::Record(parent) => start(tracer, &parent, request, method, route),
    }
}

fn start(
    tracer: &SdkTracer,
    parent: &Context,
    request: &Request,
    method: &'static str,
    route: Option<&MatchedPath>,
) -> Context {
    let verb = if method == OTHER { "HTTP" } else { method };
    let name = match route {
        Some(route) => Cow::Owned(format!("{verb} {}", route.as_str())),
        None => Cow::Borrowed(verb),
    };
    let builder = tracer
        .span_builder(name)
        .with_kind(SpanKind::Server)
        .with_attributes(attributes(request, method, route));
    parent.with_span(tracer.build_with_context(builder, parent))
}

fn attributes(request: &Request, method: &'static str, route: Option<&MatchedPath>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new(semconv::HTTP_REQUEST_METHOD, method),
        KeyValue::new(semconv::URL_PATH, request.uri().path().to_owned()),
        KeyValue::new(semconv::URL_SCHEME, "http"),
        KeyValue::new(semconv::NETWORK_PROTOCOL_VERSION, protocol_version(request.version())),
    ];
    if method == OTHER {
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD_ORIGINAL, request.method().to_string()));
    }
    if let Some(route) = route {
        attributes.push(KeyValue::new(semconv::HTTP_ROUTE, route.as_str().to_owned()));
    }
    if let Some(query) = request.uri().query() {
        attributes.push(KeyValue::new(semconv::URL_QUERY, query.to_owned()));
    }
    if let Some(agent) = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()) {
        attributes.push(KeyValue::new(semconv::USER_AGENT_ORIGINAL, agent.to_owned()));
    }
    if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        attributes.push(KeyValue::new(semconv::CLIENT_ADDRESS, address.ip().to_string()));
        attributes.push(KeyValue::new(semconv::NETWORK_PEER_ADDRESS, address.ip().to_string()));
        attributes.push(KeyValue::new(semconv::NETWORK_PEER_PORT, i64::from(address.port())));
    }
    attributes.extend(server_address(request));
    attributes
}

fn server_address(request: &Request) -> Vec<KeyValue> {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let authority = request.uri().authority().map(ToString::to_string).or(host);
    let Some(Ok(authority)) = authority.map(|text| text.parse::<http::uri::Authority>()) else {
        return Vec::new();
    };
    let mut attributes = vec![KeyValue::new(semconv::SERVER_ADDRESS, authority.host().to_owned())];
    attributes.extend(authority.port_u16().map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port))));
    attributes
}

fn finish(context: &Context, status: http::StatusCode) {
    let span = context.span();
    if !span.is_recording() {
        return;
    }
    span.set_attribute(KeyValue::new(semconv::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, status.as_str().to_owned()));
        span.set_status(Status::error(""));
    }
    // The end of the request, whoever else still holds the context.
    span.end();
}

const OTHER: &str = "_OTHER";

/// The methods of the conventions; anything else a client makes up is one value, so that it cannot flood a metric.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER)
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests;
