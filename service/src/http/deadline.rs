use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tokio::time::timeout;

use super::Problem;

/// Longest time for a request, slow bodies included: what is in flight at the end of the lameduck is done well before
/// the drain is over.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn limit(request: Request, next: Next) -> Response {
    let late = |_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, format!("not finished within {LIMIT:?}")).into_response()
    };
    timeout(LIMIT, next.run(request)).await.unwrap_or_else(late)
}
