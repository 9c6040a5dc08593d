//! One export of telemetry on its way to the collector: what kind it is, and its spans when they can be read.

mod json;

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message as _;

use super::http::field;

/// Bytes of one export that are copied, packed and unpacked.
const MAX_COPY: usize = 16 * 1024 * 1024;

/// Where no spans go (OTLP/HTTP, and the signal of profiles that is still in development).
const OTHER_SIGNALS: [&str; 3] = ["/v1/metrics", "/v1/logs", "/v1development/profiles"];

/// The body of an export, and how it is to be read.
#[derive(Debug)]
pub(super) struct Export {
    form: Result<Form, String>,
    packed: bool,
    body: Vec<u8>,
    /// Whether some of the body is missing.
    cut: bool,
}

/// How spans are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
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
    pub(super) fn of(method: &str, path: &str, fields: &[httparse::Header]) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
        if !matches!(method, "POST" | "PUT") || OTHER_SIGNALS.iter().any(|other| path.ends_with(other)) {
            return None;
        }
        let (form, packed) = if path.ends_with("/v1/traces") {
            form(fields)
        } else {
            (Err(format!("{method} {path} is no path of OTLP")), false)
        };
        Some(Self { form, packed, body: Vec::new(), cut: false })
    }

    /// A part of the body has come.
    pub(super) fn extend(&mut self, part: &[u8]) {
        if self.form.is_err() {
            return; // it is not going to be read
        }
        self.cut |= self.body.len() + part.len() > MAX_COPY;
        if !self.cut {
            self.body.extend_from_slice(part);
        }
    }

    /// The spans.
    pub(super) fn read(self) -> Result<Vec<ResourceSpans>, Unknown> {
        let form = self.form.map_err(Unknown::Unread)?;
        if self.cut {
            return Err(Unknown::TooMuch);
        }
        let body = if self.packed { unpacked(&self.body)? } else { self.body };
        match form {
            Form::Protobuf => ExportTraceServiceRequest::decode(body.as_slice())
                .map(|export| export.resource_spans)
                .map_err(broken),
            Form::Json => json::read(&body).map_err(broken),
        }
    }

    #[cfg(test)]
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Unknown> {
    let mut body = Vec::new();
    let mut all = MultiGzDecoder::new(packed).take(MAX_COPY as u64 + 1);
    all.read_to_end(&mut body).map_err(broken)?;
    if body.len() > MAX_COPY { Err(Unknown::TooMuch) } else { Ok(body) }
}

fn broken(error: impl std::fmt::Display) -> Unknown {
    Unknown::Unread(format!("an export of spans is broken: {error}"))
}

/// How the spans of a request are written down, and whether they are packed.
fn form(fields: &[httparse::Header]) -> (Result<Form, String>, bool) {
    let kind = field(fields, "content-type").unwrap_or_default().to_ascii_lowercase();
    let packing = field(fields, "content-encoding").unwrap_or("identity").to_ascii_lowercase();
    let form = match kind.split(';').next().unwrap_or_default().trim() {
        "application/x-protobuf" => Ok(Form::Protobuf),
        "application/json" => Ok(Form::Json),
        other => Err(format!("spans came as `{other}`, neither protobuf nor JSON")),
    };
    match packing.trim() {
        "identity" | "" => (form, false),
        "gzip" => (form, true),
        other => (Err(format!("spans came packed as `{other}`, not gzip")), true),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(path: &str, kind: &str, packing: &str, body: &[u8]) -> Option<Result<usize, Unknown>> {
        let fields = [("Content-Type", kind), ("Content-Encoding", packing)];
        let fields = fields.map(|(name, value)| httparse::Header { name, value: value.as_bytes() });
        let mut export = Export::of("POST", path, &fields)?;
        export.extend(body);
        Some(export.read().map(|spans| spans[0].scope_spans[0].spans.len()))
    }

    #[test]
    fn spans_are_read_in_every_form_of_the_protocol_over_http() {
        let json = json::tests::EXPORT.as_bytes();
        let resource_spans = json::read(json).unwrap();
        let protobuf = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&protobuf).unwrap();
        let packed = gzip.finish().unwrap();
        let path = "/v1/traces";
        assert_eq!(read(path, "application/x-protobuf", "identity", &protobuf), Some(Ok(1)));
        assert_eq!(read(path, "application/x-protobuf", "gzip", &packed), Some(Ok(1)));
        assert_eq!(read("/otlp/v1/traces/", "application/json; charset=utf-8", "", json), Some(Ok(1)));
    }

    #[test]
    fn what_is_not_read_says_why_and_what_is_no_trace_says_nothing() {
        let unread = |path, kind, packing, body: &[u8]| match read(path, kind, packing, body) {
            Some(Err(Unknown::Unread(why))) => why,
            other => panic!("{other:?}"),
        };
        assert!(unread("/v1/traces", "application/x-protobuf", "zstd", b"").contains("zstd"));
        assert!(unread("/v1/traces", "application/x-thrift", "", b"").contains("x-thrift"));
        assert!(unread("/v1/traces", "application/json", "", b"{").contains("export of spans"));
        assert!(unread("/v1/traces", "application/x-protobuf", "gzip", b"nonsense").contains("broken"));
        assert!(unread("/api/v2/spans", "application/json", "", b"[]").contains("/api/v2/spans"));
        assert!(read("/v1/metrics", "application/json", "", b"{}").is_none());
        let long = vec![0; MAX_COPY + 1];
        let cut = read("/v1/traces", "application/x-protobuf", "", &long).unwrap();
        assert_eq!(cut, Err(Unknown::TooMuch));
    }
}
