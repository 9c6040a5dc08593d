//! `grpc.health.v1.Health/Check` over HTTP/2 without TLS, as the kubelet asks it (KEP-2727).

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;

use super::{USER_AGENT, connect};
use crate::evidence::Outcome;

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub(super) service: String,
}

/// `grpc.health.v1.HealthCheckResponse`; 1 is SERVING.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    pub(super) status: i32,
}

/// gRPC puts a flag for compression and the length before each message.
const PREFIX: usize = 5;

/// 200 if the service says SERVING, else what it said.
pub(super) async fn check(address: SocketAddr, service: &str) -> Result<u16, String> {
    let stream = connect(&address.ip().to_string(), address.port()).await?;
    let closed = |_: hyper::Error| Outcome::Closed.name();
    let (mut sender, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(closed)?;
    tokio::spawn(connection); // ends when the sender is dropped
    let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, USER_AGENT)
        .body(Full::new(framed(&HealthCheckRequest { service: service.to_owned() })))
        .map_err(|error| error.to_string())?;
    let (head, body) = sender.send_request(request).await.map_err(closed)?.into_parts();
    let body = body.collect().await.map_err(closed)?;
    // A call that fails at once has its status in the head.
    let status = body.trailers().and_then(status_of).or_else(|| status_of(&head.headers));
    match status {
        Some(0) => said(&body.to_bytes()),
        Some(12) => Err("gRPC: UNIMPLEMENTED, there is no health service".to_owned()),
        Some(other) => Err(format!("gRPC status {other}")),
        None => Err(format!("HTTP status {} without a gRPC status", head.status.as_u16())),
    }
}

/// A message with its prefix.
pub(super) fn framed(message: &impl Message) -> Bytes {
    let bytes = message.encode_to_vec();
    let mut framed = BytesMut::with_capacity(PREFIX + bytes.len());
    framed.put_u8(0);
    framed.put_u32(bytes.len() as u32);
    framed.put_slice(&bytes);
    framed.freeze()
}

fn status_of(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn said(body: &[u8]) -> Result<u16, String> {
    let message = body.get(PREFIX..).unwrap_or_default();
    match HealthCheckResponse::decode(message).map(|answer| answer.status) {
        Ok(1) => Ok(200),
        Ok(2) => Err("NOT_SERVING".to_owned()),
        Ok(3) => Err("SERVICE_UNKNOWN".to_owned()),
        Ok(other) => Err(format!("serving status {other}")),
        Err(error) => Err(error.to_string()),
    }
}
