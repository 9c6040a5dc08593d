//! One export of spans on its way to the collector: how they are written down, and whether the collector took them.

mod answer;

use std::io::Read;

use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use http::{Method, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message as _;

pub(super) use self::answer::{Answer, of_stream};
use crate::evidence::Refusal;

/// Bytes of one export that are read, unpacked.
const MAX_READ: usize = 16 * 1024 * 1024;

/// Where no spans go: OTLP over HTTP (and the signal of profiles that is still in development) and over gRPC.
const OTHER_SIGNALS: [&str; 6] = [
    "/v1/metrics",
    "/v1/logs",
    "/v1development/profiles",
    "MetricsService/Export",
    "LogsService/Export",
    "ProfilesService/Export",
];

/// An export, but for its body.
#[derive(Clone, Debug)]
pub(super) struct Export {
    /// Method and path.
    pub(super) request: String,
    form: Result<(Form, Packing), String>,
}

/// How spans are written down (OTLP specification 1.9: protobuf over gRPC, protobuf and JSON over HTTP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Grpc,
    Protobuf,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

/// Why the spans of an export are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// They came in a form that is not read.
    Unread(String),
    /// More came than is kept.
    TooMuch,
}

impl Export {
    /// What a request to the collector carries; nothing when it carries no spans.
    pub(super) fn of(method: &Method, uri: &Uri, fields: &HeaderMap) -> Option<Self> {
        let path = uri.path().trim_end_matches('/');
        let no_export = !matches!(*method, Method::POST | Method::PUT);
        if no_export || OTHER_SIGNALS.iter().any(|other| path.ends_with(other)) {
            return None;
        }
        let form = if path.ends_with("/v1/traces") || path.ends_with(".TraceService/Export") {
            form(fields)
        } else {
            Err(format!("{method} {path} is no path of OTLP"))
        };
        Some(Self { request: format!("{method} {path}"), form })
    }

    /// The spans.
    pub(super) fn read(&self, body: &[u8]) -> Result<Vec<ResourceSpans>, Unknown> {
        let (form, packing) = self.form.clone().map_err(Unknown::Unread)?;
        let body = match form {
            Form::Grpc => message(body).and_then(|(packed, message)| {
                unpacked(message, if packed { packing } else { Packing::None })
            }),
            Form::Protobuf | Form::Json => unpacked(body, packing),
        }?;
        let export = match form {
            Form::Grpc | Form::Protobuf => ExportTraceServiceRequest::decode(body.as_slice()).map_err(broken),
            Form::Json => serde_json::from_slice(&body).map_err(broken),
        };
        export.map(|export: ExportTraceServiceRequest| export.resource_spans)
    }

    /// Whether it is a call of something else than OTLP, which may be a stream without an end.
    pub(super) fn is_unknown(&self) -> bool {
        self.form.is_err()
    }

    /// Why the collector did not take it; nothing if it did. `None` is an answer that never came.
    pub(super) fn end(&self, answer: Option<&Answer>) -> Option<Refusal> {
        let Some(answer) = answer else { return Some(Refusal::NoAnswer) };
        match self.form {
            Ok((Form::Grpc, _)) => answer::of_grpc(answer),
            _ => answer::of_http(answer),
        }
    }
}

/// The only message of a unary call: a flag, a length, and that many bytes ("gRPC over HTTP2": Length-Prefixed-Message).
fn message(body: &[u8]) -> Result<(bool, &[u8]), Unknown> {
    let framed = body.split_first_chunk::<5>().and_then(|([packed, length @ ..], rest)| {
        Some((*packed == 1, rest.get(..u32::from_be_bytes(*length) as usize)?))
    });
    framed.ok_or_else(|| broken("its message is cut"))
}

fn unpacked(packed: &[u8], packing: Packing) -> Result<Vec<u8>, Unknown> {
    let reader: Box<dyn Read + '_> = match packing {
        Packing::None => Box::new(packed),
        Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Packing::Zstd => Box::new(zstd::Decoder::new(packed).map_err(broken)?),
    };
    let mut body = Vec::new();
    reader.take(MAX_READ as u64 + 1).read_to_end(&mut body).map_err(broken)?;
    if body.len() > MAX_READ { Err(Unknown::TooMuch) } else { Ok(body) }
}

fn broken(error: impl std::fmt::Display) -> Unknown {
    Unknown::Unread(format!("an export of spans is broken: {error}"))
}

/// How the spans of a request are written down, and whether they are packed.
fn form(fields: &HeaderMap) -> Result<(Form, Packing), String> {
    let kind = field(fields, &CONTENT_TYPE);
    let form = match kind.split([';', '+']).next().unwrap_or_default().trim() {
        "application/grpc" => Form::Grpc,
        "application/x-protobuf" => Form::Protobuf,
        "application/json" => Form::Json,
        other => return Err(format!("spans came as `{other}`, neither protobuf nor JSON")),
    };
    let packing =
        if form == Form::Grpc { &HeaderName::from_static("grpc-encoding") } else { &CONTENT_ENCODING };
    match field(fields, packing).trim() {
        "identity" | "" => Ok((form, Packing::None)),
        "gzip" => Ok((form, Packing::Gzip)),
        "zstd" => Ok((form, Packing::Zstd)),
        other => Err(format!("spans came packed as `{other}`, neither gzip nor zstd")),
    }
}

fn field(fields: &HeaderMap, name: &HeaderName) -> String {
    fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The example of the specification, shortened.
    const JSON: &str = r#"{ "resourceSpans": [ {
        "resource": { "attributes": [ { "key": "service.name", "value": { "stringValue": "users" } } ] },
        "scopeSpans": [ { "spans": [ {
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
            "parentSpanId": "EEE19B7EC3C1B173", "name": "I'm a server span", "kind": 2,
            "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": 1544712661000000000,
            "attributes": [ { "key": "db.system.name", "value": { "stringValue": "redis" } },
                            { "key": "n", "value": { "intValue": "1" } } ] } ] } ] } ] }"#;

    fn read(path: &str, fields: &[(&'static str, &str)], body: &[u8]) -> Option<Result<usize, Unknown>> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.insert(*name, value.parse().unwrap());
        }
        let export = Export::of(&Method::POST, &path.parse().unwrap(), &map)?;
        Some(export.read(body).map(|spans| spans[0].scope_spans[0].spans.len()))
    }

    fn framed(packed: bool, message: &[u8]) -> Vec<u8> {
        [&[u8::from(packed)], (message.len() as u32).to_be_bytes().as_slice(), message].concat()
    }

    #[test]
    fn spans_are_read_in_every_form_of_the_protocol() {
        let export: ExportTraceServiceRequest = serde_json::from_str(JSON).unwrap();
        let protobuf = export.encode_to_vec();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&protobuf).unwrap();
        let (gzip, zstd) = (gzip.finish().unwrap(), zstd::encode_all(protobuf.as_slice(), 1).unwrap());
        let (kind, packing) = ("content-type", "content-encoding");
        let protobufs = (kind, "application/x-protobuf");
        let http = "/v1/traces";
        assert_eq!(read(http, &[protobufs], &protobuf), Some(Ok(1)));
        assert_eq!(read(http, &[protobufs, (packing, "gzip")], &gzip), Some(Ok(1)));
        assert_eq!(read(http, &[protobufs, (packing, "zstd")], &zstd), Some(Ok(1)));
        assert_eq!(
            read("/otlp/v1/traces/", &[(kind, "application/json; charset=utf-8")], JSON.as_bytes()),
            Some(Ok(1))
        );
        let (grpc, call) =
            ((kind, "application/grpc+proto"), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        let packing = "grpc-encoding";
        assert_eq!(read(call, &[grpc], &framed(false, &protobuf)), Some(Ok(1)));
        assert_eq!(read(call, &[grpc, (packing, "gzip")], &framed(true, &gzip)), Some(Ok(1)));
        assert_eq!(read(call, &[grpc, (packing, "zstd")], &framed(true, &zstd)), Some(Ok(1)));
        assert_eq!(
            read(call, &[grpc, (packing, "gzip")], &framed(false, &protobuf)),
            Some(Ok(1)),
            "its flag says"
        );
    }

    #[test]
    fn what_is_not_read_says_why_and_what_is_no_trace_says_nothing() {
        let unread = |path, kind, packing, body: &[u8]| match read(
            path,
            &[("content-type", kind), ("content-encoding", packing)],
            body,
        ) {
            Some(Err(Unknown::Unread(why))) => why,
            other => panic!("{other:?}"),
        };
        assert!(unread("/v1/traces", "application/x-protobuf", "br", b"").contains("br"));
        assert!(unread("/v1/traces", "application/x-thrift", "", b"").contains("x-thrift"));
        assert!(unread("/v1/traces", "application/json", "", b"{").contains("export of spans"));
        assert!(unread("/v1/traces", "application/x-protobuf", "gzip", b"nonsense").contains("broken"));
        assert!(unread("/a.TraceService/Export", "application/grpc", "", b"\0\0\0\0\x09x").contains("cut"));
        assert!(unread("/api/v2/spans", "application/json", "", b"[]").contains("/api/v2/spans"));
        assert!(read("/v1/metrics", &[], b"{}").is_none());
        assert!(read("/a.b.LogsService/Export", &[], b"").is_none());
        let long = vec![0; MAX_READ + 1];
        let cut = read("/v1/traces", &[("content-type", "application/x-protobuf")], &long).unwrap();
        assert_eq!(cut, Err(Unknown::TooMuch));
    }
}
