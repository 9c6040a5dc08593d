//! Answers without an end, and the way out of them: events, a WebSocket, a body larger than any buffer.
//! `cargo run --example streams`, then `curl localhost:8080/events` and Ctrl-C in here.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use clap::Parser as _;
use futures_util::stream::{self, Stream};
use golive_pillars::shutdown::{self, Phase, Shutdown};

#[derive(clap::Parser)]
struct Args {
    #[arg(long, env = "PORT", default_value = "8080")]
    port: u16,
    #[command(flatten)]
    shutdown: shutdown::Args,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let shutdown = Shutdown::install(args.shutdown.config())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let clock = shutdown.clone();
        let app = Router::new()
            .route("/events", get(async || Sse::new(ticks())))
            .route("/large", get(async || Body::from(vec![0; 64 << 20])))
            .route("/upload", post(async |body: String| body.len().to_string()))
            .route(
                "/ws",
                get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(|socket| echo(socket, clock))),
            );
        let listener = tokio::net::TcpListener::bind(("0.0.0.0", args.port)).await?;
        shutdown::serve(listener, app, &shutdown).await.finished().await;
        Ok(())
    })
}

/// A tick every 100 ms, for ever.
fn ticks() -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(0_u64, |number| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok(Event::default().data(number.to_string())), number + 1))
    })
}

/// A WebSocket is no request in flight for the server: whoever holds one looks at the clock, and says goodbye.
async fn echo(mut socket: WebSocket, clock: Shutdown) {
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            () = clock.reached(Phase::Lameduck) => {
                // The client may be gone already.
                let _ = socket.send(Message::Close(None)).await;
                return;
            }
        };
        let Some(Ok(message)) = message else { return };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
