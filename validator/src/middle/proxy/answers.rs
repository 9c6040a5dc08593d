//! Answers that are given in the dependency's place, and answers that are read whole before they go on.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode, response};
use http_body_util::{BodyExt as _, Collected, Full, Limited};

use hyper::body::Incoming;

use super::{Body, Error};
use crate::evidence::Failure;

/// Bytes that are held of one body; collectors take 4 to 20 MiB.
const MAX_WHOLE: usize = 64 * 1024 * 1024;

/// What a client is told, so that nobody looks for the fault elsewhere.
const ON_PURPOSE: &str = "golive: failed on purpose";

/// The answer that a failure makes. One of gRPC has no body and its status in the head ("gRPC over HTTP2": Trailers-Only).
pub(super) fn failed(failure: &Failure, grpc: bool) -> Response<Body> {
    let status = match failure {
        Failure::Grpc(code) if grpc => {
            let mut answer = Response::new(whole(Bytes::new(), None));
            let fields = answer.headers_mut();
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            fields.insert("grpc-status", HeaderValue::from(*code));
            fields.insert("grpc-message", HeaderValue::from_static(ON_PURPOSE));
            return answer;
        }
        Failure::Status(status) => StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut answer = Response::new(whole(Bytes::from_static(ON_PURPOSE.as_bytes()), None));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

/// A body that is there, with the trailers behind it.
pub(super) fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Body {
    let body = Full::new(bytes).map_err(|never| match never {});
    match trailers {
        Some(trailers) => body.with_trailers(async move { Some(Ok(trailers)) }).boxed_unsync(),
        None => body.boxed_unsync(),
    }
}

/// Reads a body to its end.
///
/// # Errors
/// It breaks off, or is longer than any collector takes.
pub(super) async fn read(body: Incoming) -> Result<Collected<Bytes>, Error> {
    Limited::new(body, MAX_WHOLE).collect().await
}

/// An answer that has come to its end.
pub(in crate::middle) struct Read {
    pub(in crate::middle) head: response::Parts,
    pub(in crate::middle) body: Bytes,
    pub(in crate::middle) trailers: Option<HeaderMap>,
}

impl Read {
    /// Reads it to its end.
    pub(super) async fn of(answer: Response<Incoming>) -> Result<Self, Error> {
        let (head, body) = answer.into_parts();
        let read = read(body).await?;
        let trailers = read.trailers().cloned();
        Ok(Self { head, body: read.to_bytes(), trailers })
    }

    pub(super) fn into_response(self) -> Response<Body> {
        Response::from_parts(self.head, whole(self.body, self.trailers))
    }
}
