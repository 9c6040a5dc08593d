use axum::Router;
use axum::routing::get;
use tokio::runtime::Handle;

/// The route that blocks every worker, the one that runs it included.
pub(crate) fn route() -> Router {
    Router::new().route("/flaw/stuck", get(block))
}

async fn block() {
    let runtime = Handle::current();
    // From outside, since the newest task of a worker waits in a slot from which no other worker takes it.
    std::thread::spawn(move || {
        for _ in 1..runtime.metrics().num_workers() {
            runtime.spawn(async { park() });
        }
    });
    park();
}

fn park() {
    loop {
        std::thread::park();
    }
}
