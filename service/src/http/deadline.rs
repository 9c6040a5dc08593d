use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tokio::time::timeout;

use super::Problem;

/// Longest time for a request, its body included: what is in flight at the end of the lameduck is done well before the
/// drain is over.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// Longest time for its body, which is the client's to send.
const BODY_LIMIT: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(1);

pub(super) async fn limit(request: Request, next: Next) -> Response {
    // It is we who are late, so that is no 408.
    let late = |_| {
        let detail = format!("not finished within {REQUEST_LIMIT:?}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(SOON).into_response()
    };
    timeout(REQUEST_LIMIT, next.run(request)).await.unwrap_or_else(late)
}

/// The body of a request, if it comes in time and is not too long.
pub(super) async fn body(request: Request) -> Result<Bytes, Problem> {
    let late =
        |_| Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {BODY_LIMIT:?}"));
    let read = timeout(BODY_LIMIT, Bytes::from_request(request, &())).await.map_err(late)?;
    read.map_err(|error| Problem::new(error.status(), error.body_text()))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::{get, post};
    use futures_util::stream;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(request: http::request::Builder, body: Body) -> StatusCode {
        let app = Router::new()
            .route("/slow", get(async || pending::<()>().await))
            .route("/body", post(async |request: Request| super::body(request).await.map(|_| ())))
            .layer(from_fn(limit));
        app.oneshot(request.body(body).expect("valid")).await.expect("never fails").status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_handler_is_our_fault_and_a_slow_body_is_the_clients() {
        assert_eq!(status(Request::get("/slow"), Body::empty()).await, 503);
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(status(Request::post("/body"), endless).await, 408);
        assert_eq!(status(Request::post("/body"), Body::from("{}")).await, 200);
    }
}
