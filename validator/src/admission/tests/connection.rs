//! How long a connection lasts, by a clock that stands still while anybody has something to do.

use std::time::Duration;

use axum::http::header;
use golive_pillars::shutdown::Phase;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::client::TlsStream;

use super::super::certificate::Certificate;
use super::super::connection::{KEPT, STRANGER, connection};
use super::super::server::acceptor;
use super::tls::{Authority, Keeping, connect};
use super::{GOOD, app, deployment, review};

/// Longer than anything may last.
const EVER: Duration = Duration::from_hours(1);

/// A client behind its handshake.
struct Peer {
    stream: TlsStream<DuplexStream>,
    phase: watch::Sender<Phase>,
    served: JoinHandle<()>,
}

async fn peer(name: &str) -> Peer {
    let authority = Authority::new(name);
    let (_, _, app) = app().await;
    let (ours, theirs) = duplex(16 * 1024);
    let (sender, phase) = watch::channel(Phase::Running);
    let acceptor = acceptor(Certificate::read(&authority.0).unwrap());
    let served = tokio::spawn(connection(theirs, acceptor, app, phase));
    let stream = connect(ours, &authority.0).await.unwrap();
    Peer { stream, phase: sender, served }
}

/// How long the server still keeps a connection.
async fn lasts(served: JoinHandle<()>) -> Duration {
    let begin = Instant::now();
    timeout(EVER, served).await.expect("it is kept for ever").unwrap();
    begin.elapsed()
}

fn question() -> String {
    review(&deployment(&[&format!("users@{GOOD}")], ""), None, "ann").to_string()
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_says_nothing_is_gone_soon_and_so_is_one_who_says_half() {
    let silent = peer("silent").await;
    assert!(lasts(silent.served).await <= STRANGER);
    let mut half = peer("half").await;
    half.stream.write_all(b"POST /go HTTP/1.1\r\nhost: golive").await.unwrap();
    half.stream.flush().await.unwrap();
    assert!(lasts(half.served).await <= STRANGER);
}

#[tokio::test(start_paused = true)]
async fn who_has_asked_may_be_silent_for_longer_than_an_api_server_is() {
    let Peer { stream, served, phase: _phase } = peer("kept").await;
    let mut client = Keeping::over(stream).await;
    for _ in 0..3 {
        let answer = client.post("/go", question()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get(header::CONNECTION)), (200, None));
        sleep(Duration::from_secs(90)).await;
    }
    let left = lasts(served).await;
    assert!(left > Duration::from_secs(20) && left <= KEPT, "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn who_sends_half_a_question_or_does_not_read_his_answers_is_gone_in_time() {
    let mut half = peer("half-body").await;
    let head = "POST /go HTTP/1.1\r\nhost: golive\r\ncontent-length: 1000\r\n\r\n{";
    half.stream.write_all(head.as_bytes()).await.unwrap();
    half.stream.flush().await.unwrap();
    assert!(lasts(half.served).await <= KEPT);
    let mut deaf = peer("deaf").await;
    let body = question();
    let whole =
        format!("POST /audit HTTP/1.1\r\nhost: golive\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let asking = async { while deaf.stream.write_all(whole.as_bytes()).await.is_ok() {} };
    timeout(EVER, asking).await.expect("it waits for ever for somebody who does not read");
    assert!(lasts(deaf.served).await <= KEPT);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_tells_the_next_question_and_closes_no_connection_that_may_have_one_on_its_way()
{
    let Peer { stream, phase, mut served } = peer("told").await;
    let mut client = Keeping::over(stream).await;
    client.post("/go", question()).await.unwrap();
    phase.send_replace(Phase::Lameduck);
    sleep(Duration::from_secs(5)).await;
    phase.send_replace(Phase::Draining);
    assert!(timeout(Duration::from_secs(14), &mut served).await.is_err(), "idle, and kept");
    let answer = client.post("/go", question()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[header::CONNECTION]),
        (200, &"close".parse().unwrap())
    );
    assert!(lasts(served).await < STRANGER);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_with_the_drain() {
    let Peer { stream, phase, served } = peer("idle").await;
    let mut client = Keeping::over(stream).await;
    client.post("/go", question()).await.unwrap();
    phase.send_replace(Phase::Closing);
    assert!(lasts(served).await < STRANGER);
    assert!(client.post("/go", question()).await.is_err());
}
