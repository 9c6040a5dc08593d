use std::time::Instant;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CONNECTION, UPGRADE};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, watch};

use super::super::{Config, Progress, Work};
use super::*;

/// Patience of a test, on a machine that has other things to do.
const PATIENT: Duration = Duration::from_secs(20);

/// A clock that no signal starts.
fn clock(config: Config) -> Shutdown {
    let (_, phase) = watch::channel(Progress { phase: Phase::Running, since: None });
    let (request, counts) = (Arc::new(Notify::new()), Arc::default());
    Shutdown { phase, request, config, counts, work: Work::default() }
}

async fn serving(app: Router, shutdown: &Shutdown) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let shutdown = shutdown.clone();
    tokio::spawn(async move { serve(listener, app, &shutdown).await });
    address
}

async fn ask(address: SocketAddr, fields: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("listens");
    let head = format!("GET / HTTP/1.1\r\nhost: us\r\n{fields}\r\n");
    // Whoever is turned away may have been before.
    let _ = stream.write_all(head.as_bytes()).await;
    stream
}

/// The status with which an answer begins; none if there is no answer.
async fn status(stream: &mut TcpStream) -> Option<String> {
    let mut line = [0; 12];
    timeout(PATIENT, stream.read_exact(&mut line)).await.expect("in time").ok()?;
    Some(String::from_utf8_lossy(&line[9..]).into_owned())
}

async fn eventually(condition: impl AsyncFn() -> bool, what: &str) {
    let since = Instant::now();
    while !condition().await {
        assert!(since.elapsed() < PATIENT, "not in time: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Gives back what it gets, once upgraded.
async fn echo(mut request: Request) -> Response {
    if !request.headers().contains_key(UPGRADE) {
        return StatusCode::OK.into_response();
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded.await.expect("upgraded")));
        tokio::io::copy(&mut from, &mut to).await
    });
    (StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, "echo")]).into_response()
}

#[tokio::test]
async fn a_connection_that_was_upgraded_keeps_its_place_until_it_ends() {
    let shutdown = clock(Config::default().max_connections(1));
    let address = serving(Router::new().route("/", get(echo)), &shutdown).await;
    let mut upgraded = ask(address, "connection: upgrade\r\nupgrade: echo\r\n").await;
    let mut head = [0; 4_096];
    let length = timeout(PATIENT, upgraded.read(&mut head)).await.expect("in time").expect("an answer");
    assert!(head[..length].starts_with(b"HTTP/1.1 101") && head[..length].ends_with(b"\r\n\r\n"));
    upgraded.write_all(b"x").await.expect("taken");
    timeout(PATIENT, upgraded.read_exact(&mut [0])).await.expect("in time").expect("given back");
    // The server has ended its own part by now.
    let is_turned_away =
        async || status(&mut ask(address, "connection: close\r\n").await).await != Some("200".into());
    assert!(is_turned_away().await);
    assert_eq!(shutdown.counts.open.load(Ordering::Relaxed), 1);
    drop(upgraded);
    eventually(async || !is_turned_away().await, "room again").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let shutdown = clock(Config::default().idle_timeout(Duration::from_millis(300)));
    let large = Router::new().route("/", get(async || vec![0; 64 << 20]));
    let mut client = ask(serving(large, &shutdown).await, "").await;
    assert_eq!(status(&mut client).await.as_deref(), Some("200"));
    eventually(async || shutdown.counts.open.load(Ordering::Relaxed) == 0, "its end").await;
}
