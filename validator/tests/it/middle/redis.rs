//! Commands of Redis: counted, hung, answered as if nothing were there.

use std::time::Duration;

use golive_validator::config::Protocol;
use golive_validator::evidence::{Fact, Failure, Fault, Trouble};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Before, Redis, echo, failing, from_elsewhere, limits, redis_port};

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
async fn a_read_that_misses_is_refused_by_no_acl_and_what_the_server_refuses_passes() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut admin = Redis::connect(from_elsewhere(before.address).await).await;
    let user = ["ACL", "SETUSER", "app", "on", ">pw", "~users:*", "+@all"];
    assert_eq!(admin.ask(&user).await.unwrap(), "+OK\r\n");
    assert_eq!(admin.ask(&["MSET", "users:1", "a", "users:22", "b"]).await.unwrap(), "+OK\r\n");
    let mut pod = Redis::connect(before.address).await;
    assert_eq!(pod.ask(&["AUTH", "app", "pw"]).await.unwrap(), "+OK\r\n");
    before.fault(Fault::Miss, LONG).await;
    assert_eq!(pod.ask(&["GET", "users:1"]).await.unwrap(), "$-1\r\n");
    assert_eq!(pod.ask(&["MGET", "users:1", "users:22"]).await.unwrap(), "*2\r\n$-1\r\n$-1\r\n");
    assert!(pod.ask(&["GET", "others:1"]).await.unwrap().starts_with("-NOPERM"), "without us as well");
    assert_eq!(before.only_fault().await.hits, 2);
}

#[tokio::test]
async fn reads_miss_in_the_version_of_the_protocol_that_is_spoken_but_not_in_a_transaction() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut pod = Redis::connect(before.address).await;
    assert_eq!(pod.ask(&["HSET", "version", "field", "1"]).await.unwrap(), ":1\r\n");
    before.fault(Fault::Miss, LONG).await;
    assert_eq!(pod.ask(&["HGETALL", "version"]).await.unwrap(), "*0\r\n");
    assert!(pod.ask(&["HELLO", "3"]).await.unwrap().starts_with('%'));
    assert_eq!(pod.ask(&["HGETALL", "version"]).await.unwrap(), "%0\r\n");
    assert_eq!(pod.ask(&["HGET", "version", "field"]).await.unwrap(), "_\r\n");
    assert_eq!(pod.ask(&["EXISTS", "version"]).await.unwrap(), ":0\r\n");
    assert_eq!(pod.ask(&["MULTI"]).await.unwrap(), "+OK\r\n");
    assert_eq!(pod.ask(&["HGET", "version", "field"]).await.unwrap(), "+QUEUED\r\n");
    assert_eq!(pod.ask(&["EXEC"]).await.unwrap(), "*1\r\n$1\r\n1\r\n");
    assert_eq!(before.only_fault().await.hits, 4);
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

/// Says something and reads as much.
async fn heard(stream: &mut TcpStream, bytes: &[u8]) -> Option<Vec<u8>> {
    stream.write_all(bytes).await.unwrap();
    let mut heard = vec![0; bytes.len()];
    timeout(Duration::from_secs(2), stream.read_exact(&mut heard)).await.ok()?.ok()?;
    Some(heard)
}

/// What TLS begins with.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

fn encrypted(facts: &[Fact]) -> bool {
    facts.iter().any(|fact| matches!(fact, Fact::Trouble(t) if t.trouble == Trouble::Encrypted))
}

#[tokio::test]
async fn an_encrypted_connection_of_the_pod_goes_on_and_is_told() {
    let before = Before::new(Protocol::Redis, echo().await, limits()).await;
    let mut pod = TcpStream::connect(before.address).await.unwrap();
    assert_eq!(heard(&mut pod, HELLO).await.as_deref(), Some(HELLO));
    assert!(before.status().await.encrypted && encrypted(&before.facts().await));
}

#[tokio::test]
async fn a_command_typed_by_hand_is_answered() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut pod = TcpStream::connect(before.address).await.unwrap();
    pod.write_all(b"PING\n").await.unwrap();
    let mut answer = [0; 7];
    timeout(Duration::from_secs(2), pod.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[tokio::test]
async fn who_gives_up_is_noticed_behind_all_that_he_has_sent() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    before.fault(Fault::Hang, LONG).await;
    let mut pod = TcpStream::connect(before.address).await.unwrap();
    let many = b"*1\r\n$4\r\nPING\r\n".repeat(330_000);
    timeout(Duration::from_secs(10), pod.write_all(&many)).await.unwrap().unwrap();
    before.until("the first one waits", |pod| pod.calls == 1).await;
    drop(pod);
    before.until("it is gone", |pod| pod.open == 0).await;
    assert!(before.only_fault().await.held[0].given_up);
}

#[tokio::test]
async fn writes_are_refused_as_by_a_replica_and_reads_go_on() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut pod = Redis::connect(before.address).await;
    assert_eq!(pod.ask(&["SET", "replica", "1"]).await.unwrap(), "+OK\r\n");
    before.fault(failing(Failure::ReadOnly), LONG).await;
    let long = "x".repeat(300_000);
    for write in [["SET", "replica", "2"], ["SET", "replica", &long]] {
        let answer = pod.ask(&write).await.unwrap();
        assert_eq!(answer, "-READONLY You can't write against a read only replica.\r\n");
    }
    assert_eq!(pod.ask(&["GET", "replica"]).await.unwrap(), "$1\r\n1\r\n");
    assert!(pod.ask(&["NOSUCH"]).await.unwrap().starts_with("-ERR unknown command 'NOSUCH'"));
    let mut new = Redis::connect(before.address).await;
    assert_eq!(new.ask(&["SET", "replica", "2"]).await.unwrap(), "+OK\r\n", "it leads to the new primary");
    before.clear().await;
    assert_eq!(pod.ask(&["SET", "replica", "3"]).await.unwrap(), "+OK\r\n");
    let fault = before.only_fault().await;
    assert_eq!((fault.hits, fault.met), (2, 2));
}

#[tokio::test]
async fn commands_that_share_a_connection_are_slow_beside_each_other() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut pod = TcpStream::connect(before.address).await.unwrap();
    let delay_ms = 200;
    before.fault(Fault::Slow { delay_ms }, LONG).await;
    pod.write_all("*2\r\n$3\r\nGET\r\n$4\r\nslow\r\n".repeat(5).as_bytes()).await.unwrap();
    let mut heard = [0; 25];
    timeout(Duration::from_mins(1), pod.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, "$-1\r\n".repeat(5).as_bytes());
    before.clear().await;
    let held = before.only_fault().await.held;
    assert_eq!(held.len(), 5);
    for one in &held {
        assert_eq!(one.from, held[0].from, "they came at the same time, so that each is late by the same");
        assert!(one.to - one.from >= delay_ms as i64);
    }
}

#[tokio::test]
async fn a_long_answer_comes_through_while_writes_are_refused() {
    let before = Before::new(Protocol::Redis, redis_port(), limits()).await;
    let mut pod = TcpStream::connect(before.address).await.unwrap();
    let long = "y".repeat(1_000_000);
    let set = format!("*3\r\n$3\r\nSET\r\n$4\r\nlong\r\n${}\r\n{long}\r\n", long.len());
    pod.write_all(set.as_bytes()).await.unwrap();
    pod.read_exact(&mut [0; 5]).await.unwrap();
    before.fault(failing(Failure::ReadOnly), LONG).await;
    // Three at once: the answer that is ours stands between two that are not.
    let (get, set) = ("*2\r\n$3\r\nGET\r\n$4\r\nlong\r\n", "*3\r\n$3\r\nSET\r\n$4\r\nlong\r\n$1\r\nz\r\n");
    pod.write_all([get, set, get].concat().as_bytes()).await.unwrap();
    let whole = format!("${}\r\n{long}\r\n", long.len());
    let expected = format!("{whole}-READONLY You can't write against a read only replica.\r\n{whole}");
    let mut heard = vec![0; expected.len()];
    timeout(Duration::from_mins(1), pod.read_exact(&mut heard)).await.unwrap().unwrap();
    assert!(heard == expected.as_bytes(), "it is another answer");
}
