use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{Answer, Mode, Service, World, get, seconds};

/// Lets a request wait for a database that hangs.
const PATIENT: [(&str, &str); 2] = [("DATABASE_ACQUIRE_TIMEOUT", "9s"), ("BREAKER_DEADLINE", "9s")];

/// The clock of the design, three times as fast.
const FAST: [(&str, &str); 4] = [
    ("SHUTDOWN_LAMEDUCK", "1s"),
    ("SHUTDOWN_DRAIN", "4s"),
    ("SHUTDOWN_FLUSH", "7s"),
    ("SHUTDOWN_FORCE", "8s"),
];

type Sender = http1::SendRequest<Empty<Bytes>>;

async fn keep_alive(service: &Service) -> Sender {
    let stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn ask(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).header("host", "users").body(Empty::new()).unwrap()
}

async fn exchange(sender: &mut Sender, path: &str) -> Option<Answer> {
    Answer::read(sender.send_request(ask(path)).await.ok()?).await.ok()
}

async fn seeded(world: &World, settings: &[(&str, &str)]) -> Service {
    world.ready(&[&FAST[..], &[("SEED_USERS", "5")], settings].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_is_gone_right_after_the_lameduck_with_exit_code_0() {
    let world = World::new().await;
    let mut service = world.ready(&[]).await;
    service.signal("TERM");
    let (status, after) = service.ended().await;
    assert_eq!(status.code(), Some(0), "{}", service.log());
    assert!((4.9..6.0).contains(&after.as_secs_f64()), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_lameduck_new_connections_are_served_and_told_to_close() {
    let world = World::new().await;
    let mut service = seeded(&world, &[]).await;
    assert_eq!(service.get("/api/users/1").await.header("connection"), None);
    service.signal("TERM");
    service.until_unready().await;
    let ready = service.readiness().await.unwrap();
    assert_eq!(
        (ready.json()["status"].as_str(), ready.header("connection")),
        (Some("draining"), Some("close"))
    );
    let user = service.get("/api/users/1").await;
    assert_eq!((user.status.as_u16(), user.header("connection")), (200, Some("close")));
    assert_eq!(service.get("/health").await.status, 200);
    assert_eq!(get(service.management, "/ready").await.unwrap().status, 503);
    assert!(service.metrics().await.contains("shutdown_draining 1"));
    assert_eq!(service.ended().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_keep_alive_connections_are_served_after_the_listener_closed() {
    let world = World::new().await;
    let mut service = seeded(&world, &[]).await;
    let mut fresh = keep_alive(&service).await;
    let mut used = keep_alive(&service).await;
    assert_eq!(exchange(&mut used, "/api/users/1").await.unwrap().status, 200);
    service.signal("TERM");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(TcpStream::connect(("127.0.0.1", service.port)).await.is_err(), "the listener is closed");
    assert_eq!(get(service.management, "/health").await.unwrap().status, 200);
    for sender in [&mut fresh, &mut used] {
        let answer = exchange(sender, "/api/users/1").await.expect("an answer");
        assert_eq!((answer.status.as_u16(), answer.header("connection")), (200, Some("close")));
    }
    let (status, after) = service.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(after < seconds(1), "nobody is left to wait for: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_stay_idle_are_closed_at_the_end_of_the_drain() {
    let world = World::new().await;
    let mut service = seeded(&world, &[]).await;
    let mut idle = keep_alive(&service).await;
    assert_eq!(exchange(&mut idle, "/api/users/1").await.unwrap().status, 200);
    service.signal("TERM");
    let (status, after) = service.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!((3.9..5.5).contains(&after.as_secs_f64()), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_finish() {
    let world = World::new().await;
    let mut service = seeded(&world, &PATIENT).await;
    world.postgres.set(Mode::Hang);
    let mut sender = keep_alive(&service).await;
    let pending = tokio::spawn(async move { exchange(&mut sender, "/api/users/1").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    service.signal("TERM");
    // Beyond the lameduck.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    world.postgres.set(Mode::Forward);
    let answer = pending.await.unwrap().expect("an answer");
    assert_eq!((answer.status.as_u16(), answer.header("connection")), (200, Some("close")));
    assert_eq!(service.ended().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_drain_new_requests_are_refused_and_those_in_flight_finish() {
    let world = World::new().await;
    let mut service = seeded(&world, &PATIENT).await;
    let stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(sender.clone().send_request(ask("http://users/api/users/1")).await.unwrap().status(), 200);
    world.postgres.set(Mode::Hang);
    let held = {
        let mut sender = sender.clone();
        tokio::spawn(async move { sender.send_request(ask("http://users/api/users/2")).await })
    };
    let mut half = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    half.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
    service.signal("TERM");
    tokio::time::sleep(Duration::from_millis(4_300)).await;
    // This one had begun its head before the drain ended, so it is still read, and refused.
    half.write_all(b"host: users\r\n\r\n").await.unwrap();
    let mut text = String::new();
    half.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("connection: close"), "{text}");
    world.postgres.set(Mode::Forward);
    assert_eq!(held.await.unwrap().unwrap().status(), StatusCode::OK, "in flight, so it may finish");
    assert_eq!(service.ended().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_gets_goaway_at_the_signal() {
    const GOAWAY: u8 = 7;
    let world = World::new().await;
    let mut service = seeded(&world, &[("SHUTDOWN_LAMEDUCK", "3s")]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // HEADERS on stream 1, complete, by the static table of HPACK: GET, http, path and authority as literals.
    stream.write_all(b"\0\0\x12\x01\x05\0\0\0\x01\x82\x86\x04\x07/health\x01\x05users").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    service.signal("TERM");
    let first_goaway = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("a frame before the end");
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            if head[3] == GOAWAY {
                return;
            }
        }
    };
    tokio::time::timeout(seconds(2), first_goaway).await.expect("GOAWAY well before the lameduck ends");
    drop(stream);
    assert_eq!(service.ended().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_streams_finish_and_then_the_connection_ends() {
    let world = World::new().await;
    let mut service = seeded(&world, &PATIENT).await;
    let stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let first = sender.send_request(ask("http://users/api/users/1")).await.unwrap();
    assert_eq!(first.status(), 200);
    world.postgres.set(Mode::Hang);
    let held = {
        let mut sender = sender.clone();
        tokio::spawn(async move { sender.send_request(ask("http://users/api/users/2")).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    service.signal("TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.postgres.set(Mode::Forward);
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
    // After the last stream the server ends the connection by itself.
    tokio::time::timeout(seconds(3), connection).await.expect("closed").unwrap().unwrap();
    assert_eq!(service.ended().await.0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_worker_stuck_the_exit_is_forced_with_code_1() {
    let world = World::new().await;
    let mut service = seeded(&world, &[("FLAW", "stuck")]).await;
    tokio::spawn(get(service.port, "/flaw/stuck"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    service.signal("TERM");
    let (status, after) = service.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!((7.7..8.8).contains(&after.as_secs_f64()), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_exits_at_once() {
    let world = World::new().await;
    let mut service = world.ready(&[]).await;
    service.signal("TERM");
    service.until_unready().await;
    let since = Instant::now();
    service.signal("INT");
    assert_eq!(service.ended().await.0.code(), Some(1));
    assert!(since.elapsed() < seconds(3), "the lameduck alone takes 5 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_or_half_a_head_are_closed_after_the_idle_timeout() {
    let world = World::new().await;
    let service = seeded(&world, &[("IDLE_TIMEOUT", "700ms")]).await;
    for said in
        ["", "PRI * HT", "GET /health HTTP/1.1\r\nhost:", "GET /health HTTP/1.1\r\nhost: users\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let since = Instant::now();
        let mut received = Vec::new();
        let end = stream.read_to_end(&mut received);
        tokio::time::timeout(seconds(5), end)
            .await
            .unwrap_or_else(|_| panic!("still open: {said:?}"))
            .unwrap();
        assert!(since.elapsed() > Duration::from_millis(600), "{said:?} {:?}", since.elapsed());
    }
}
