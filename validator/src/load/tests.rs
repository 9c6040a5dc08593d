//! The load against servers that misbehave on purpose.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::patience::Patience;
use super::pause::Pause;
use super::shooter::Shooter;
use super::{AgentClock, LoadPlan, Recorder, SecretHeaders, classes};
use crate::config::RequestSpec;
use crate::evidence::{Class, Fact, Outcome};
use crate::plan::ServedPort;

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
        ports: BTreeMap::new(),
        late_after_ms: 1000.0,
        trace_prefix: "a1b2c3d4".into(),
        at_most_s: 10.0,
    }
}

async fn load(misdeed: Misdeed) -> (Vec<Fact>, u32) {
    let (address, seen) = server(misdeed).await;
    (loaded(plan(address)).await, seen.load(Ordering::SeqCst))
}

async fn loaded(plan: LoadPlan) -> Vec<Fact> {
    let clock = AgentClock::start();
    let recorder = Recorder::new(clock, &plan);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    classes::start(
        &Arc::new(Shooter::new(plan, SecretHeaders::default(), Patience::default(), recorder.clone())),
        &Pause::default(),
        &stop,
        &tasks,
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    recorder.facts()
}

fn lost(facts: &[Fact]) -> Vec<Outcome> {
    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Request(request) if request.outcome.is_failure() => Some(request.outcome),
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
    let shooter =
        Shooter::new(plan(address), SecretHeaders::default(), Patience::default(), recorder.clone());
    let (aim, _) = shooter.at_service(Class::Idle).remove(0);
    let mut links = [None, None, None, None];
    for gap in [0, 1_300, 900] {
        tokio::time::sleep(Duration::from_millis(gap)).await;
        for link in &mut links {
            shooter.shoot(aim.turn(tokio::time::Instant::now()), link).await;
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

/// How many requests were on time, of one that left 200 ms after it was due.
async fn on_time(late_after_ms: f64) -> u32 {
    let (address, _) = server(Misdeed::AnnouncedClose).await;
    let plan = LoadPlan { late_after_ms, ..plan(address) };
    let recorder = Recorder::new(AgentClock::start(), &plan);
    let shooter = Shooter::new(plan, SecretHeaders::default(), Patience::default(), recorder.clone());
    let turn = shooter.at_service(Class::Busy)[0].0.turn(tokio::time::Instant::now());
    tokio::time::sleep(Duration::from_millis(200)).await;
    shooter.shoot(turn, &mut None).await;
    let facts = recorder.facts();
    facts.iter().map(|fact| if let Fact::Second(second) = fact { second.on_time } else { 0 }).sum()
}

#[tokio::test]
async fn a_request_is_late_when_it_leaves_later_than_the_plan_allows() {
    assert_eq!((on_time(50.0).await, on_time(10_000.0).await), (0, 1));
}

/// What becomes of a request on a link that ended while nobody looked, after it had carried so many requests.
async fn outcome_on_an_ended_link(carried: u32) -> (Outcome, u32) {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut link = Link::open(gone.local_addr().unwrap()).await.ok().unwrap();
    drop(gone.accept().await.unwrap());
    tokio::time::sleep(Duration::from_millis(100)).await;
    link.requests = carried;
    let (address, seen) = server(Misdeed::CloseWhileIdle).await;
    let shooter = Shooter::new(
        plan(address),
        SecretHeaders::default(),
        Patience::default(),
        Recorder::new(AgentClock::start(), &plan(address)),
    );
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let request = http::Request::new(http_body_util::Full::default());
    let turn = shooter.at_service(Class::Busy)[0].0.turn(tokio::time::Instant::now());
    let exchange = shooter.deliver(&turn, request, &mut Some(link), deadline).await;
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

/// One request as a server read it.
struct Heard {
    head: String,
    body: String,
}

/// A server that keeps what it hears and answers with the status that the path asks for.
async fn listener() -> (SocketAddr, Arc<Mutex<Vec<Heard>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(hear(stream, Arc::clone(&keep)));
        }
    });
    (address, heard)
}

async fn hear(mut stream: TcpStream, heard: Arc<Mutex<Vec<Heard>>>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut head)).unwrap().to_lowercase();
        let length = text
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let status = text.split("/status/").nth(1).map_or("200", |rest| &rest[..3]).to_owned();
        heard.lock().unwrap().push(Heard { head: text, body: String::from_utf8(body).unwrap() });
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What a load of these requests leaves behind, and what its server heard.
async fn load_of(requests: serde_json::Value, secrets: SecretHeaders) -> (Vec<Fact>, Arc<Mutex<Vec<Heard>>>) {
    let (address, heard) = listener().await;
    let requests = serde_json::from_value(requests).unwrap();
    let plan = LoadPlan { requests, ..plan(address) };
    let recorder = Recorder::new(AgentClock::start(), &plan);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let shooter = Arc::new(Shooter::new(plan, secrets, Patience::default(), recorder.clone()));
    classes::start(&shooter, &Pause::default(), &stop, &tasks);
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    (recorder.facts(), heard)
}

#[tokio::test]
async fn every_method_carries_its_headers_and_its_body() {
    let requests = json!([
        { "head": "/h", "headers": { "Accept": "text/html", "host": "shop.example.com" } },
        { "put": "/p", "form": { "a": "b c" } },
        { "patch": "/j", "json": { "n": "{4..4}" } },
        { "delete": "/d", "body": "plain", "headers": { "content-type": "text/x-mine" } },
    ]);
    let (facts, heard) = load_of(requests, SecretHeaders::default()).await;
    assert_eq!(lost(&facts), []);
    let heard = heard.lock().unwrap();
    let of = |start: &str| heard.iter().find(|one| one.head.starts_with(start)).unwrap();
    let head = &of("head /h ").head;
    assert!(head.contains("accept: text/html") && head.contains("host: shop.example.com"), "{head}");
    assert_eq!(head.matches("host:").count(), 1, "{head}");
    assert!(of("put /p ").head.contains("application/x-www-form-urlencoded"));
    assert_eq!(of("put /p ").body, "a=b+c");
    assert!(of("patch /j ").head.contains("application/json"));
    assert_eq!(of("patch /j ").body, r#"{"n":"4"}"#);
    assert!(of("delete /d ").head.contains("content-type: text/x-mine"));
    assert_eq!(of("delete /d ").body, "plain");
}

#[tokio::test]
async fn a_secret_reaches_the_server_and_nothing_that_is_kept() {
    let mut secrets = SecretHeaders::default();
    secrets.add(0, "authorization", "Bearer s3cret").unwrap();
    let reference = json!({ "authorization": { "secretKeyRef": { "name": "t", "key": "k" } } });
    let requests = json!([{ "get": "/", "headers": reference }, { "get": "/open" }]);
    let (facts, heard) = load_of(requests, secrets).await;
    for one in heard.lock().unwrap().iter() {
        assert_eq!(one.head.contains("bearer s3cret"), one.head.starts_with("get / "), "{}", one.head);
    }
    assert!(!serde_json::to_string(&facts).unwrap().contains("s3cret"));
}

#[tokio::test]
async fn what_was_not_expected_is_told_in_full_and_the_template_is_known() {
    let requests =
        json!([{ "get": "/status/404", "expect": [404] }, { "get": "/status/302", "expect": [200] }]);
    let (facts, heard) = load_of(requests, SecretHeaders::default()).await;
    let asked = heard.lock().unwrap().iter().filter(|one| one.head.starts_with("get /status/302")).count();
    let told = facts.iter().filter(|f| matches!(f, Fact::Request(r) if r.template == 1)).count();
    assert_eq!(told, asked, "every wrong answer stands in the evidence");
    for fact in &facts {
        if let Fact::Second(second) = fact {
            let right = if second.template == 0 { 404 } else { 302 };
            let other = second.outcomes.iter().find(|(outcome, _)| *outcome != Outcome::Answered(right));
            assert_eq!(other, None);
        }
    }
}

#[tokio::test]
async fn a_load_that_only_writes_has_every_class() {
    let (facts, _) = load_of(json!([{ "post": "/", "body": "x" }]), SecretHeaders::default()).await;
    for class in Class::ALL {
        assert!(facts.iter().any(|f| matches!(f, Fact::Second(s) if s.class == class)), "{class:?}");
    }
}

#[tokio::test]
async fn requests_with_a_port_of_their_own_go_there() {
    let ((one, at_one), (two, at_two)) = (listener().await, listener().await);
    let requests =
        serde_json::from_value(json!([{ "get": "/one" }, { "get": "/two", "port": "admin" }])).unwrap();
    let ports = BTreeMap::from([("admin".to_owned(), ServedPort { service: two.port(), pod: 1 })]);
    let plan = LoadPlan { requests, ports, ..plan(one) };
    let recorder = Recorder::new(AgentClock::start(), &plan);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let shooter = Arc::new(Shooter::new(plan, SecretHeaders::default(), Patience::default(), recorder));
    classes::start(&shooter, &Pause::default(), &stop, &tasks);
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.cancel();
    for (heard, path) in [(at_one, "get /one "), (at_two, "get /two ")] {
        let heard = heard.lock().unwrap();
        assert!(heard.len() > 10 && heard.iter().all(|one| one.head.starts_with(path)), "{path}");
    }
}

#[tokio::test]
async fn an_impatient_client_closes_its_connection_and_loses_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let closed = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let (mut buffer, mut requests) = (vec![0; 4_096], 0);
        // It never answers.
        while client.read(&mut buffer).await.is_ok_and(|length| length > 0) {
            requests += 1;
        }
        requests
    });
    let (recorder, patience) = (Recorder::new(AgentClock::start(), &plan(address)), Patience::default());
    patience.lose(Duration::from_millis(100), Duration::from_mins(1));
    let shooter = Shooter::new(plan(address), SecretHeaders::default(), patience, recorder.clone());
    let turn = shooter.at_service(Class::Busy)[0].0.turn(tokio::time::Instant::now());
    shooter.shoot(turn, &mut None).await;
    let closed = tokio::time::timeout(Duration::from_mins(1), closed).await.unwrap().unwrap();
    assert_eq!(closed, 1, "one request, and then the end of the connection");
    let told = recorder.facts().into_iter().find_map(|fact| match fact {
        Fact::Request(request) => Some(request.outcome),
        _ => None,
    });
    assert_eq!(told, Some(Outcome::GaveUp), "it is told in full");
    assert!(!Outcome::GaveUp.is_failure());
}

#[tokio::test]
async fn an_answer_without_the_declared_text_is_lost_and_its_connection_is_kept() {
    let answered = async |text: &str| {
        let mut plan = plan(server(Misdeed::ClosesAfterASecond).await.0);
        plan.requests[0].expect_body = Some(text.to_owned());
        let facts = loaded(plan).await;
        (lost(&facts), sent(&facts))
    };
    let (wrong, sent) = answered("email").await;
    assert_eq!(wrong.len() as u32, sent);
    assert!(wrong.iter().all(|outcome| *outcome == Outcome::OtherBody(200)), "{wrong:?}");
    let (wrong, sent) = answered("ok").await;
    assert!(wrong.is_empty() && sent > 50, "{wrong:?}");
}
