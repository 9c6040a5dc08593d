use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::StatusCode;

use super::Problem;
use golive_pillars::telemetry::NotLogged;

/// A handler that panics answers 500 like any other that cannot go on; what it panicked about is told by the hook of
/// the process, once, and for a client it is none of his business.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        let detail = "the request could not be handled";
        let mut response = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
        response.extensions_mut().insert(NotLogged);
        response
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_answers_with_a_problem() {
        let handler = async || -> &'static str { panic!("on purpose") };
        let app = Router::new().route("/", get(handler)).layer(from_fn(answer));
        let response = app.oneshot(Request::get("/").body(Body::empty()).expect("valid")).await;
        let response = response.expect("never fails");
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
