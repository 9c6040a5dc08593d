//! What a collector's answer says about the spans (OTLP specification, "OTLP/gRPC Response" and "OTLP/HTTP Response").

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{StatusCode, response};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use serde_json::Value;

use super::{Packing, field, message, unpacked};
use crate::evidence::Refusal;

/// An answer that has come to its end.
pub(in crate::middle) struct Answer {
    pub(in crate::middle) head: response::Parts,
    pub(in crate::middle) body: Bytes,
    pub(in crate::middle) trailers: Option<HeaderMap>,
}

/// The status stands in the trailers, or in the head when there is no message; status 0 may reject some spans all the same.
pub(super) fn of_grpc(answer: &Answer) -> Option<Refusal> {
    if answer.head.status != 200 {
        return Some(Refusal::Status(answer.head.status.as_u16()));
    }
    let trailers = answer.trailers.as_ref().into_iter();
    let status = trailers.chain([&answer.head.headers]).find_map(grpc_status);
    match status {
        Some(0) => {
            let framed = message(&answer.body).ok().filter(|(packed, _)| !packed);
            framed.and_then(|(_, message)| rejected(message))
        }
        Some(code) => Some(Refusal::Grpc(code)),
        None => Some(Refusal::NoEndpoint("it has no grpc-status".into())),
    }
}

/// The same of a stream, whose messages are not looked at: its head, or its trailers.
pub(in crate::middle) fn of_stream(status: StatusCode, fields: &HeaderMap) -> Option<Refusal> {
    if status != StatusCode::OK {
        return Some(Refusal::Status(status.as_u16()));
    }
    grpc_status(fields).filter(|code| *code != 0).map(Refusal::Grpc)
}

fn grpc_status(fields: &HeaderMap) -> Option<u32> {
    fields.get("grpc-status")?.to_str().ok()?.trim().parse().ok()
}

/// A page for people is no answer of OTLP, whatever its status; an empty answer is one of somebody who is content.
pub(super) fn of_http(answer: &Answer) -> Option<Refusal> {
    if !answer.head.status.is_success() {
        return Some(Refusal::Status(answer.head.status.as_u16()));
    }
    let kind = field(&answer.head.headers, &CONTENT_TYPE);
    let packing = match field(&answer.head.headers, &http::header::CONTENT_ENCODING).as_str() {
        "gzip" => Packing::Gzip,
        "zstd" => Packing::Zstd,
        _ => Packing::None,
    };
    let body = unpacked(&answer.body, packing).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim() {
        "text/html" => Some(Refusal::NoEndpoint("it is text/html".into())),
        "application/x-protobuf" => rejected(&body),
        "application/json" => rejected_in_json(&body),
        _ => None,
    }
}

fn rejected(message: &[u8]) -> Option<Refusal> {
    let partial = ExportTraceServiceResponse::decode(message).ok()?.partial_success?;
    (partial.rejected_spans > 0).then_some(Refusal::Rejected)
}

/// 64-bit numbers are texts in JSON, or not.
fn rejected_in_json(body: &[u8]) -> Option<Refusal> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let number = &answer["partialSuccess"]["rejectedSpans"];
    let number = number.as_i64().or_else(|| number.as_str()?.parse().ok())?;
    (number > 0).then_some(Refusal::Rejected)
}
