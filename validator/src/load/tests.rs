//! The load against servers that misbehave on purpose.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::pause::Pause;
use super::shooter::Shooter;
use super::{AgentClock, LoadPlan, Recorder, classes};
use crate::config::RequestSpec;
use crate::evidence::{Class, Fact, Outcome};

#[derive(Clone, Copy, PartialEq)]
enum Misdeed {
    /// The fifth request gets the connection closed after its first byte was read.
    CloseAfterFirstByte,
    /// Every connection is closed after its answer, without a word, while it is idle.
    CloseWhileIdle,
    /// Every answer says `Connection: close` and the connection is closed.
    AnnouncedClose,
    /// A connection that nobody uses for a second is closed, without a word.
    ClosesAfterASecond,
}

async fn server(misdeed: Misdeed) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, misdeed, Arc::clone(&counter)));
        }
    });
    (address, seen)
}

async fn connection(mut stream: TcpStream, misdeed: Misdeed, seen: Arc<AtomicU32>) {
    let mut first = [0_u8; 1];
    let patience = if misdeed == Misdeed::ClosesAfterASecond { 1 } else { 60 };
    let patience = Duration::from_secs(patience);
    while tokio::time::timeout(patience, stream.read_exact(&mut first)).await.is_ok_and(|read| read.is_ok()) {
        let number = seen.fetch_add(1, Ordering::SeqCst) + 1;
        if misdeed == Misdeed::CloseAfterFirstByte && number == 5 {
            return; // unread bytes are waiting, so the client sees a reset
        }
        let mut head = vec![first[0]];
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0_u8; 1];
            if stream.read_exact(&mut byte).await.is_err() {
                return;
            }
            head.push(byte[0]);
        }
        let close = if misdeed == Misdeed::AnnouncedClose { "connection: close\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\n{close}content-length: 2\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await.unwrap();
        if matches!(misdeed, Misdeed::CloseWhileIdle | Misdeed::AnnouncedClose) {
            return;
        }
    }
}

fn plan(address: SocketAddr) -> LoadPlan {
    LoadPlan {
        agent: "a".into(),
        node: "n".into(),
        address,
        host: "test".into(),
        rate: 100.0,
        sampled: 10.0,
        requests: vec![RequestSpec::get("/{1..9}".parse().unwrap()).unwrap()],
        late_after_ms: 1000.0,
        trace_prefix: "a1b2c3d4".into(),
        at_most_s: 10.0,
    }
}

async fn load(misdeed: Misdeed) -> (Vec<Fact>, u32) {
    let (address, seen) = server(misdeed).await;
    let plan = plan(address);
    let clock = AgentClock::start();
    let recorder = Recorder::new(clock, &plan);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    classes::start(&Arc::new(Shooter::new(plan, recorder.clone())), &Pause::default(), &stop, &tasks);
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    (recorder.facts(), seen.load(Ordering::SeqCst))
}

fn lost(facts: &[Fact]) -> Vec<Outcome> {
    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Request(request) if request.outcome.is_lost() => Some(request.outcome),
            _ => None,
        })
        .collect()
}

fn sent(facts: &[Fact]) -> u32 {
    facts
        .iter()
        .map(|fact| match fact {
            Fact::Second(second) => second.outcomes.iter().map(|(_, n)| n).sum(),
            _ => 0,
        })
        .sum()
}

#[tokio::test]
async fn a_connection_closed_after_the_first_byte_loses_exactly_that_request() {
    let (facts, seen) = load(Misdeed::CloseAfterFirstByte).await;
    let lost = lost(&facts);
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(matches!(lost[0], Outcome::Reset | Outcome::Closed));
    assert!(seen > 100);
    assert_eq!(seen, sent(&facts), "every request reached the server once: no hidden retry");
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_noticed_before_the_next_use() {
    let (facts, seen) = load(Misdeed::CloseWhileIdle).await;
    assert_eq!(lost(&facts), []);
    assert_eq!(seen, sent(&facts));
    let unannounced =
        facts.iter().filter(|f| matches!(f, Fact::Connection(c) if c.by_server && !c.announced));
    assert!(unannounced.count() > 10, "the report must tell of connections closed without a word");
}

#[tokio::test]
async fn a_pool_learns_when_its_server_closes_and_is_the_first_to_close() {
    let (address, _) = server(Misdeed::ClosesAfterASecond).await;
    let recorder = Recorder::new(AgentClock::start(), &plan(address));
    let shooter = Shooter::new(plan(address), recorder.clone());
    let aim = shooter.at_service(Class::Idle);
    let mut links = [None, None, None, None];
    for gap in [0, 1_300, 900] {
        tokio::time::sleep(Duration::from_millis(gap)).await;
        for link in &mut links {
            shooter.shoot(&aim, tokio::time::Instant::now(), link).await;
        }
    }
    let ends: Vec<_> = recorder
        .facts()
        .into_iter()
        .filter_map(|fact| {
            if let Fact::Connection(end) = fact { Some((end.by_server, end.timed_out)) } else { None }
        })
        .collect();
    let (first, second) = ends.split_at(4);
    assert_eq!(
        first,
        [(true, false), (true, false), (true, true), (true, true)],
        "learned from the third on"
    );
    assert_eq!(second, [(false, false); 4], "given up by us after 0.9 s of 1");
}

/// What becomes of a request on a link that ended while nobody looked, after it had carried so many requests.
async fn outcome_on_an_ended_link(carried: u32) -> (Outcome, u32) {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut link = Link::open(gone.local_addr().unwrap()).await.ok().unwrap();
    drop(gone.accept().await.unwrap());
    tokio::time::sleep(Duration::from_millis(100)).await;
    link.requests = carried;
    let (address, seen) = server(Misdeed::CloseWhileIdle).await;
    let shooter = Shooter::new(plan(address), Recorder::new(AgentClock::start(), &plan(address)));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let request = http::Request::new(http_body_util::Full::default());
    let exchange =
        shooter.deliver(&shooter.at_service(Class::Busy), request, &mut Some(link), deadline).await;
    (exchange.outcome, seen.load(Ordering::SeqCst))
}

#[tokio::test]
async fn only_a_link_that_was_used_before_is_replaced_without_a_word() {
    assert_eq!(outcome_on_an_ended_link(1).await, (Outcome::Answered(200), 1));
    assert_eq!(outcome_on_an_ended_link(0).await, (Outcome::Closed, 0));
}

#[tokio::test]
async fn an_announced_close_is_told_apart() {
    let (facts, seen) = load(Misdeed::AnnouncedClose).await;
    assert_eq!(lost(&facts), []);
    assert_eq!(seen, sent(&facts));
    assert!(facts.iter().any(|f| matches!(f, Fact::Connection(c) if c.announced)));
    assert!(!facts.iter().any(|f| matches!(f, Fact::Connection(c) if c.by_server && !c.announced)));
}

#[tokio::test]
async fn sampled_requests_keep_their_share_and_are_told_in_full() {
    let (facts, seen) = load(Misdeed::CloseAfterFirstByte).await;
    let sampled = facts.iter().filter(|f| matches!(f, Fact::Request(r) if r.trace_id.is_some())).count();
    let expected = f64::from(seen) / 10.0;
    // The idle class draws its gaps at random.
    assert!((sampled as f64 - expected).abs() <= 0.3 * expected, "{sampled} of {seen}");
    assert!(facts.iter().any(|f| matches!(f, Fact::Second(s) if s.class == Class::Idle)));
}
