//! A collector that takes every span and keeps none: the agent before it has read them.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// What a gRPC message that says nothing looks like: not compressed, no bytes (gRPC over HTTP/2, Length-Prefixed-Message).
const EMPTY: &[u8] = &[0, 0, 0, 0, 0];

/// A running one; it ends with this value.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Sink {
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
        Ok(Self { address, _task: AbortOnDropHandle::new(task) })
    }
}

/// Every export is taken whole, in the protocol in which it came.
async fn answer(request: Request) -> Response {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .cloned()
        .unwrap_or(HeaderValue::from_static("application/x-protobuf"));
    let grpc = kind.as_bytes().starts_with(b"application/grpc");
    let json = kind.as_bytes().starts_with(b"application/json");
    request.into_body().collect().await.ok(); // a client that is gone wants no answer
    let body = if grpc { said() } else { Body::from(if json { "{}" } else { "" }) };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn said() -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from_static(EMPTY)), Frame::trailers(trailers)];
    Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>))))
}
