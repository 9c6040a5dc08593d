use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};

const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
const VERSION: HeaderName = HeaderName::from_static("x-version");

/// What answers say beyond HTTP's own headers, for people who look at them; nothing may depend on it.
#[derive(Clone)]
pub enum Identity {
    /// Which process answers, beside what its handlers say.
    Shown {
        /// Name of the instance.
        served_by: HeaderValue,
        /// Its version.
        version: HeaderValue,
    },
    /// No `x-` header at all.
    Hidden,
}

impl Identity {
    /// Takes the name of the instance and its version; what cannot stand in a header is left out.
    pub fn new(instance: &str, version: &str) -> Self {
        let header = |text| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"));
        Self::Shown { served_by: header(instance), version: header(version) }
    }
}

pub(super) async fn sign(State(identity): State<Identity>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    match identity {
        Identity::Shown { served_by, version } => {
            headers.insert(SERVED_BY, served_by);
            headers.insert(VERSION, version);
        }
        Identity::Hidden => strip(headers),
    }
    response
}

/// By prefix, so that a header that a handler adds one day is covered too.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-")).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}
