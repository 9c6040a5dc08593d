//! A dependency that is gone: refused, reset, silent; and a network that stalls.

use std::time::Duration;

use golive_validator::config::Protocol;
use golive_validator::evidence::Fault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Before, Redis, from_elsewhere, limits, redis_port};

const LONG: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(2);
const NOT_YET: Duration = Duration::from_millis(300);

async fn before() -> Before {
    Before::new(Protocol::Redis, redis_port(), limits()).await
}

/// A new connection that says something: what it reads.
async fn knock(before: &Before) -> std::io::Result<usize> {
    let mut client = TcpStream::connect(before.address).await?;
    client.write_all(b"*1\r\n$4\r\nPING\r\n").await?;
    timeout(SOON, client.read(&mut [0; 16])).await?
}

#[tokio::test]
async fn refused_connections_end_at_once_and_new_ones_are_reset() {
    let before = before().await;
    let mut pod = TcpStream::connect(before.address).await.unwrap();
    let mut other = Redis::connect(from_elsewhere(before.address).await).await;
    before.until("it is connected", |pod| pod.open == 1).await;
    before.fault(Fault::Refuse, LONG).await;
    let error = timeout(SOON, pod.read(&mut [0; 16])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(knock(&before).await.is_err());
    assert_eq!(other.ask(&["PING"]).await.unwrap(), "+PONG\r\n");
    before.clear().await;
    assert_eq!(knock(&before).await.unwrap(), 7);
    assert!(before.only_fault().await.hits >= 2);
}

#[tokio::test]
async fn reset_connections_live_until_they_say_something() {
    let before = before().await;
    let mut pod = Redis::connect(before.address).await;
    assert!(pod.ask(&["PING"]).await.is_some());
    before.fault(Fault::Reset, LONG).await;
    tokio::time::sleep(NOT_YET).await;
    assert_eq!(before.pod().await.open, 1, "it said nothing yet");
    assert!(pod.ask(&["PING"]).await.is_none());
    assert!(knock(&before).await.is_err());
    before.clear().await;
    assert_eq!(knock(&before).await.unwrap(), 7);
}

#[tokio::test]
async fn a_silence_swallows_everything_and_ends_the_connection_when_it_is_over() {
    let before = before().await;
    let mut pod = Redis::connect(before.address).await;
    assert!(pod.ask(&["PING"]).await.is_some());
    before.fault(Fault::Silence, LONG).await;
    let question = pod.ask(&["SET", "silence", "1"]);
    tokio::pin!(question);
    assert!(timeout(NOT_YET, &mut question).await.is_err());
    let newcomer = knock(&before);
    tokio::pin!(newcomer);
    assert!(timeout(NOT_YET, &mut newcomer).await.is_err());
    before.clear().await;
    assert_eq!(question.await, None, "an answer is missing for ever: the connection cannot go on");
    assert!(newcomer.await.is_err());
    let mut direct = Redis::connect(([127, 0, 0, 1], redis_port()).into()).await;
    assert_eq!(direct.ask(&["EXISTS", "silence"]).await.unwrap(), ":0\r\n", "it never came through");
}

#[tokio::test]
async fn after_a_stall_everything_goes_on_as_if_nothing_had_been() {
    let before = before().await;
    let mut pod = Redis::connect(before.address).await;
    assert!(pod.ask(&["PING"]).await.is_some());
    before.fault(Fault::Stall, Duration::from_millis(600)).await;
    let question = pod.ask(&["SET", "stall", "1"]);
    tokio::pin!(question);
    assert!(timeout(NOT_YET, &mut question).await.is_err());
    assert_eq!(question.await.as_deref(), Some("+OK\r\n"), "the fault ran out by itself");
    let fault = before.only_fault().await;
    assert!((600..900).contains(&(fault.ended - fault.began)), "{fault:?}");
    assert!(fault.first_hit.is_some());
}
