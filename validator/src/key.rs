//! What agents on a shared machine know the validator by: others reach their ports as well.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

/// The header that it stands in.
pub(crate) const HEADER: &str = "x-golive-key";

/// A secret of one run.
#[derive(Clone)]
pub(crate) struct Key(String);

impl Key {
    /// One that nobody else has.
    pub(crate) fn new() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// The text of the header.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The same API for those alone who know the key; whoever does not is told nothing else.
    pub(crate) fn guards(self, api: Router) -> Router {
        api.layer(from_fn_with_state(self, known))
    }
}

async fn known(State(key): State<Key>, request: Request, next: Next) -> Response {
    let said = request.headers().get(HEADER);
    if said.is_some_and(|said| said.as_bytes() == key.0.as_bytes()) {
        return next.run(request).await;
    }
    StatusCode::FORBIDDEN.into_response()
}
