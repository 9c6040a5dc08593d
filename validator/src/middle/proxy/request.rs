//! What is looked at of a request to tell it apart.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::Request;
use http::header::{CONTENT_TYPE, HeaderMap};

/// Method and path, as a hash: they may hold values.
pub(super) fn mark<B>(request: &Request<B>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (request.method().as_str(), request.uri().path_and_query()).hash(&mut hasher);
    hasher.finish()
}

/// Whether a call of gRPC ("gRPC over HTTP2": the content type begins with application/grpc).
pub(super) fn is_grpc(fields: &HeaderMap) -> bool {
    fields.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
