//! Calls that take no trace along.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use bytes::Bytes;
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use http::Uri;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::Ended;

/// The orders service, and who asks it.
#[derive(Clone)]
struct Plain {
    client: Client<HttpConnector, Empty<Bytes>>,
    base: String,
}

/// The orders service is asked a second time, by a client that nobody has told of traces.
pub(crate) fn calls(settings: &mut Settings) -> Ended {
    let base = settings.orders.as_ref().map(Uri::to_string).unwrap_or_default();
    let base = base.trim_end_matches('/').to_owned();
    app::run_with(settings, |wiring| {
        let plain = Plain { client: Client::builder(TokioExecutor::new()).build_http(), base };
        Wiring { router: wiring.router.layer(from_fn_with_state(plain, ask)), ..wiring }
    })
}

/// Beside the call that the handler makes.
async fn ask(State(Plain { client, base }): State<Plain>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let uri = path.ends_with("/orders").then(|| format!("{base}{path}").parse().ok()).flatten();
    let answer = next.run(request).await;
    if let Some(uri) = uri {
        client.get(uri).await.ok(); // nobody waits for what it says
    }
    answer
}
