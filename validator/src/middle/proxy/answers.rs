//! Answers that are given in the dependency's place, and answers that are read whole before they go on.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Collected, Full, Limited};

use hyper::body::Incoming;

use super::{Body, Error};
use crate::evidence::Failure;
use crate::middle::export::Answer;

/// Bytes that are held of one body; collectors take 4 to 20 MiB.
const MAX_WHOLE: usize = 64 * 1024 * 1024;

/// What a client is told, so that nobody looks for the fault elsewhere.
const ON_PURPOSE: &str = "golive: failed on purpose";

/// NOT_FOUND and UNAVAILABLE of gRPC (grpc/doc/statuscodes.md).
const NOT_FOUND: u16 = 5;
const UNAVAILABLE: u16 = 14;

/// The answer that a failure makes. A dependency may speak both: who asked in one is not answered in the other. One of
/// gRPC has no body and its status in the head ("gRPC over HTTP2": Trailers-Only).
pub(super) fn failed(failure: &Failure, grpc: bool) -> Response<Body> {
    match (failure, grpc) {
        (Failure::Grpc(code), true) => failed_call(*code),
        (Failure::Status(404), true) => failed_call(NOT_FOUND),
        (_, true) => failed_call(UNAVAILABLE),
        (Failure::Status(status), false) => {
            failed_request(StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE))
        }
        (Failure::Grpc(NOT_FOUND), false) => failed_request(StatusCode::NOT_FOUND),
        (_, false) => failed_request(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// Reads what nobody needs: over HTTP/1.1 an answer before the end of a body ends in a reset, which is another failure than
/// the one that was asked for. A call of gRPC may be a stream without an end, and is answered at once.
pub(super) async fn passed_over(body: Incoming, grpc: bool) {
    if !grpc {
        let mut body = Limited::new(body, MAX_WHOLE);
        while let Some(Ok(_)) = body.frame().await {}
    }
}

fn failed_call(code: u16) -> Response<Body> {
    let mut answer = Response::new(whole(Bytes::new(), None));
    let fields = answer.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    fields.insert("grpc-status", HeaderValue::from(code));
    fields.insert("grpc-message", HeaderValue::from_static(ON_PURPOSE));
    answer
}

fn failed_request(status: StatusCode) -> Response<Body> {
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

impl Answer {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_answered_in_what_it_speaks() {
        let request = |failure| failed(&failure, false).status().as_u16();
        assert_eq!((request(Failure::Grpc(NOT_FOUND)), request(Failure::Grpc(UNAVAILABLE))), (404, 503));
        assert_eq!((request(Failure::Status(404)), request(Failure::Status(502))), (404, 502));
        let call = |failure| {
            let answer = failed(&failure, true);
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/grpc");
            answer.headers()["grpc-status"].clone()
        };
        assert_eq!(
            (call(Failure::Status(404)), call(Failure::Status(503))),
            (NOT_FOUND.into(), UNAVAILABLE.into())
        );
        assert_eq!(call(Failure::Grpc(8)), HeaderValue::from(8_u16));
    }
}
