use std::borrow::Cow;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use http::header::{HOST, USER_AGENT};
use http::{Method, Version};
use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};

use super::{Config, semconv};

/// What a span shows of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Query {
    /// All of it.
    Whole,
    /// Its names: values are what people typed, tokens and addresses among them.
    Names,
}

impl Query {
    pub(super) fn of(config: &Config) -> Self {
        if config.query_values { Self::Whole } else { Self::Names }
    }

    fn write(self, query: &str) -> String {
        match self {
            Self::Whole => query.to_owned(),
            Self::Names => query.split('&').map(name_of).collect::<Vec<_>>().join("&"),
        }
    }
}

/// `name=REDACTED`; what has no name may be a value as well.
fn name_of(pair: &str) -> Cow<'_, str> {
    match pair.split_once('=') {
        Some((name, _)) => Cow::Owned(format!("{name}=REDACTED")),
        None => Cow::Borrowed("REDACTED"),
    }
}

/// The server span of a request that is sampled.
pub(super) fn server_span(
    query: Query,
    request: &Request,
    method: &'static str,
    route: Option<&MatchedPath>,
) -> SpanBuilder {
    let verb = if method == OTHER { "HTTP" } else { method };
    let name = match route {
        Some(route) => Cow::Owned(format!("{verb} {}", route.as_str())),
        None => Cow::Borrowed(verb),
    };
    SpanBuilder::from_name(name)
        .with_kind(SpanKind::Server)
        .with_attributes(attributes(request, query, method, route))
}

fn attributes(
    request: &Request,
    shown: Query,
    method: &'static str,
    route: Option<&MatchedPath>,
) -> Vec<KeyValue> {
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
        attributes.push(KeyValue::new(semconv::URL_QUERY, shown.write(query)));
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

/// Ends the server span, if there is one.
pub(super) fn finish(context: &Context, status: http::StatusCode) {
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

/// The status of requests that their clients gave up, as nginx has it: no client ever sees it.
pub(super) const CLIENT_GONE: u16 = 499;

const OTHER: &str = "_OTHER";

/// The methods of the conventions; anything else a client makes up is one value, so that it cannot flood a metric.
pub(super) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER,
    }
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_shows_its_names_alone() {
        let query = "after=7&token=s3cr3t&s3cr3t&a=b=c";
        assert_eq!(Query::Names.write(query), "after=REDACTED&token=REDACTED&REDACTED&a=REDACTED");
        assert_eq!(Query::Whole.write(query), query);
    }
}
