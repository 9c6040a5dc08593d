use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};

const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
const VERSION: HeaderName = HeaderName::from_static("x-version");

/// Which process answers, for people who look at an answer; nothing may depend on it.
#[derive(Clone)]
pub struct Identity {
    served_by: HeaderValue,
    version: HeaderValue,
}

impl Identity {
    /// Takes the name of the instance and its version; what cannot stand in a header is left out.
    pub fn new(instance: &str, version: &str) -> Self {
        let header = |text| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"));
        Self { served_by: header(instance), version: header(version) }
    }
}

pub(super) async fn sign(State(identity): State<Identity>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(SERVED_BY, identity.served_by);
    response.headers_mut().insert(VERSION, identity.version);
    response
}
