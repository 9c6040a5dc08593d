//! OTLP in JSON, as far as checks need it (OTLP specification, "JSON Protobuf Encoding": lowerCamelCase, ids in hex,
//! 64-bit numbers as text or not).

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use serde_json::Value;

/// The spans of one export.
pub(super) fn read(body: &[u8]) -> Result<Vec<ResourceSpans>, String> {
    let export: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let resources = list(&export["resourceSpans"]).iter();
    resources
        .map(|of| {
            let attributes = attributes(&of["resource"]["attributes"]);
            let spans = list(&of["scopeSpans"]).iter().flat_map(|scope| list(&scope["spans"]));
            let spans = spans.map(span).collect::<Result<_, _>>()?;
            Ok(ResourceSpans {
                resource: Some(Resource { attributes, ..Resource::default() }),
                scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            })
        })
        .collect()
}

fn span(span: &Value) -> Result<Span, String> {
    let id = |name: &str| bytes(span[name].as_str().unwrap_or_default());
    Ok(Span {
        trace_id: id("traceId")?,
        span_id: id("spanId")?,
        parent_span_id: id("parentSpanId")?,
        name: span["name"].as_str().unwrap_or_default().to_owned(),
        kind: kind(&span["kind"]),
        start_time_unix_nano: number(&span["startTimeUnixNano"]),
        end_time_unix_nano: number(&span["endTimeUnixNano"]),
        attributes: attributes(&span["attributes"]),
        ..Span::default()
    })
}

/// A number by the specification; some libraries write the name.
fn kind(value: &Value) -> i32 {
    match value.as_str() {
        Some("SPAN_KIND_SERVER") => 2,
        Some("SPAN_KIND_CLIENT") => 3,
        _ => i32::try_from(number(value)).unwrap_or_default(),
    }
}

fn attributes(all: &Value) -> Vec<KeyValue> {
    let texts = list(all).iter().filter_map(|attribute| {
        let text = attribute["value"]["stringValue"].as_str()?.to_owned();
        let value = Some(AnyValue { value: Some(Any::StringValue(text)) });
        Some(KeyValue { key: attribute["key"].as_str()?.to_owned(), value, ..KeyValue::default() })
    });
    texts.collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{hex}` is no id in hex");
    if !hex.is_ascii() || hex.len() % 2 == 1 {
        return Err(wrong());
    }
    let pairs = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().map_err(|_| wrong())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The example of the specification, shortened.
    pub(in crate::middle::export) const EXPORT: &str = r#"{ "resourceSpans": [ {
        "resource": { "attributes": [ { "key": "service.name", "value": { "stringValue": "users" } } ] },
        "scopeSpans": [ { "spans": [ {
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
            "parentSpanId": "EEE19B7EC3C1B173", "name": "I'm a server span", "kind": 2,
            "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": 1544712661000000000,
            "attributes": [ { "key": "db.system.name", "value": { "stringValue": "redis" } },
                            { "key": "n", "value": { "intValue": "1" } } ] } ] } ] } ] }"#;

    #[test]
    fn the_example_of_the_specification_is_read() {
        let spans = read(EXPORT.as_bytes()).unwrap();
        assert_eq!(spans[0].resource.as_ref().unwrap().attributes[0].key, "service.name");
        let span = &spans[0].scope_spans[0].spans[0];
        assert_eq!((span.trace_id[0], span.span_id[0], span.parent_span_id[7]), (0x5b, 0xee, 0x73));
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_000_000_000);
        assert_eq!((span.kind, span.attributes.len()), (2, 1));
    }

    #[test]
    fn what_is_no_id_is_no_span() {
        assert!(read(EXPORT.replace("EEE1", "XYZ1").as_bytes()).unwrap_err().contains("XYZ1"));
        assert!(read(b"no").is_err());
        assert_eq!(read(b"{}"), Ok(Vec::new()));
    }
}
