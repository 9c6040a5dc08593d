//! Commands of Redis: counted, hung, led to nothing.

use std::time::Duration;

use golive_validator::config::Protocol;
use golive_validator::evidence::Fault;
use tokio::time::timeout;

use crate::harness::{Before, Redis, from_elsewhere, limits, redis_port};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn reads_miss_while_writes_go_on_and_others_see_what_is_there() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut pod = Redis::connect(before.address).await;
    let mut other = Redis::connect(from_elsewhere(before.address).await).await;
    assert_eq!(pod.ask(&["SET", "miss", "1"]).await.unwrap(), "+OK\r\n");
    before.fault(Fault::Miss, LONG).await;
    assert_eq!(pod.ask(&["GET", "miss"]).await.unwrap(), "$-1\r\n");
    assert_eq!(pod.ask(&["MGET", "miss", "miss"]).await.unwrap(), "*2\r\n$-1\r\n$-1\r\n");
    assert_eq!(pod.ask(&["SET", "miss", "2"]).await.unwrap(), "+OK\r\n");
    assert_eq!(other.ask(&["GET", "miss"]).await.unwrap(), "$1\r\n2\r\n");
    before.clear().await;
    assert_eq!(pod.ask(&["GET", "miss"]).await.unwrap(), "$1\r\n2\r\n");
    assert_eq!(before.only_fault().await.hits, 2);
    assert_eq!(before.counted().await, (5, 0, 1));
}

#[tokio::test]
async fn commands_hang_while_learned_pings_are_answered() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut ping = Redis::connect(before.address).await;
    let mut pod = Redis::connect(before.address).await;
    before.learn(true).await;
    ping.ask(&["PING"]).await.unwrap();
    before.learn(false).await;
    before.fault(Fault::Hang, LONG).await;
    let question = pod.ask(&["SET", "hang", "1"]);
    tokio::pin!(question);
    assert!(timeout(Duration::from_millis(300), &mut question).await.is_err());
    assert_eq!(ping.ask(&["PING"]).await.unwrap(), "+PONG\r\n");
    before.clear().await;
    assert_eq!(question.await.unwrap(), "+OK\r\n");
}
