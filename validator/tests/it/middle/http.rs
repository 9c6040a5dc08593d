//! A dependency of HTTP/1.1 or HTTP/2: passed on with everything, and broken.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as Asked;
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use futures_util::stream;
use golive_validator::config::Protocol;
use golive_validator::evidence::{Fact, Failure, Fault, Trouble};
use http::Request;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::harness::{Before, H2, echo, failing, limits, web};

const LONG: Duration = Duration::from_secs(30);
const NOT_YET: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_mins(1);

/// Says what it was asked, with trailers behind it.
async fn mirror(asked: Asked) -> Response {
    let (head, body) = asked.into_parts();
    let heard = body.collect().await.unwrap();
    let field =
        |name: &str| head.headers.get(name).map_or("-".to_owned(), |v| v.to_str().unwrap().to_owned());
    let host = head.uri.authority().map_or_else(|| field("host"), ToString::to_string);
    let version = if head.version == Version::HTTP_2 { 2 } else { 1 };
    let fields = ["connection", "te", "x-mine", "date"].map(&field).join(" ");
    let text = format!(
        "{version} {} {host} {fields} {}",
        head.method,
        String::from_utf8(heard.to_bytes().to_vec()).unwrap()
    );
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Frame::data(Bytes::from(text)), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    let answer = Response::builder().header("trailer", "grpc-status").header("x-answer", "1");
    answer.body(Body::new(StreamBody::new(stream::iter(frames)))).unwrap()
}

async fn before_a_mirror() -> Before {
    Before::new(Protocol::Http, web(Router::new().fallback(any(mirror))).await, limits()).await
}

/// What is said on a connection of its own, to its end.
async fn raw(before: &Before, text: &str) -> String {
    let mut client = TcpStream::connect(before.address).await.unwrap();
    client.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn http_2_is_spoken_on_both_sides_and_trailers_come_through() {
    let before = before_a_mirror().await;
    let mut client = H2::connect(before.address).await;
    for n in 1..=3 {
        let answer = client.call("/orders.Orders/Get", "identity", false, b"abc").await.unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.starts_with("2 POST it:4317 - trailers - - "), "{text}");
        assert_eq!((answer.status, &answer.trailers["grpc-status"]), (StatusCode::OK, &"0".parse().unwrap()));
        assert!(answer.headers.contains_key("x-answer"));
        assert_eq!(before.counted().await, (n, 0, 1), "calls on one connection");
    }
}

#[tokio::test]
async fn http_1_keeps_its_host_its_trailers_and_loses_only_what_belongs_to_the_connection() {
    let before = before_a_mirror().await;
    let fields = "Host: orders.example\r\nTE: trailers\r\nX-Mine: 1\r\nConnection: close, X-Mine";
    let text =
        format!("POST / HTTP/1.1\r\n{fields}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let answer = raw(&before, &text).await;
    assert!(answer.contains("1 POST orders.example close trailers - - abc"), "{answer}");
    assert!(answer.ends_with("grpc-status: 0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let router = Router::new().route("/", post(|asked: Asked| async { Response::new(asked.into_body()) }));
    let before = Before::new(Protocol::Http, web(router).await, limits()).await;
    let mut client = TcpStream::connect(before.address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    for part in ["one", "two", "six"] {
        client.write_all(format!("3\r\n{part}\r\n").as_bytes()).await.unwrap();
        // Its echo comes before the next part is sent.
        while !String::from_utf8_lossy(&heard).contains(part) {
            assert!(timeout(PATIENCE, client.read_buf(&mut heard)).await.unwrap().unwrap() > 0);
        }
    }
}

#[tokio::test]
async fn an_upgrade_is_passed_through_and_one_to_http_2_is_declined() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut server, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            server.read_buf(&mut head).await.unwrap();
        }
        server
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
            .await
            .unwrap();
        let (mut from, mut to) = server.split();
        tokio::io::copy(&mut from, &mut to).await.unwrap();
    });
    let before = Before::new(Protocol::Http, port, limits()).await;
    let mut client = TcpStream::connect(before.address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: it\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        timeout(PATIENCE, client.read_buf(&mut heard)).await.unwrap().unwrap();
    }
    assert!(heard.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&heard));
    client.write_all(b"no HTTP").await.unwrap();
    let mut echo = [0; 7];
    timeout(PATIENCE, client.read_exact(&mut echo)).await.unwrap().unwrap();
    assert_eq!(&echo, b"no HTTP");

    let before = before_a_mirror().await;
    let offer = "GET / HTTP/1.1\r\nhost: it\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = raw(&before, offer).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("1 GET it close"), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_passes_as_it_is_and_is_told_once() {
    let before = Before::new(Protocol::Http, echo().await, limits()).await;
    let mut client = TcpStream::connect(before.address).await.unwrap();
    client.write_all(b"\x00\x01\x02").await.unwrap();
    let mut heard = [0; 3];
    timeout(PATIENCE, client.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, [0, 1, 2]);
    let told =
        before.until_told("it", |f| if let Fact::Trouble(t) = f { Some(t.trouble) } else { None }).await;
    assert!(matches!(told.as_slice(), [Trouble::Unread(why)] if why.contains("HTTP/2")), "{told:?}");
}

#[tokio::test]
async fn a_request_hangs_and_who_hangs_up_never_reaches_the_dependency() {
    let before = before_a_mirror().await;
    let mut h2 = H2::connect(before.address).await;
    before.fault(Fault::Hang, LONG).await;
    let mut h1 = TcpStream::connect(before.address).await.unwrap();
    // A body that nobody reads stands before the end of the connection.
    h1.write_all(b"POST / HTTP/1.1\r\nhost: it\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
    before.until("it waits", |pod| pod.calls == 1).await;
    drop(h1);
    let call = h2.call("/o.O/Get", "identity", false, b"given up");
    assert!(timeout(NOT_YET, call).await.is_err());
    before.until("the first is gone", |pod| pod.open == 1).await;
    let mut patient = h2.clone();
    let waiting = tokio::spawn(async move { patient.call("/o.O/Get", "identity", false, b"patient").await });
    before.until("the third waits", |pod| pod.calls == 3).await;
    before.clear().await;
    assert!(waiting.await.unwrap().unwrap().body.ends_with(b"patient"));
    let fault = before.only_fault().await;
    let given_up: Vec<bool> = fault.held.iter().map(|held| held.given_up).collect();
    assert_eq!((fault.hits, given_up), (3, vec![true, true]), "{fault:?}");
}

#[tokio::test]
async fn a_share_of_the_requests_is_answered_with_a_status_and_the_rest_goes_on() {
    let before = before_a_mirror().await;
    let mut client = H2::connect(before.address).await;
    let get = || Request::get("http://it/").body(Full::default()).unwrap();
    before.fault(Fault::Fail { with: Failure::Status(503), share_percent: 40 }, LONG).await;
    let mut failed = 0;
    for _ in 0..100 {
        failed += u64::from(client.send(get()).await.unwrap().status == 503);
    }
    before.clear().await;
    assert_eq!(client.send(get()).await.unwrap().status, 200);
    let fault = before.only_fault().await;
    assert_eq!((fault.hits, fault.met), (failed, 100));
    assert!((38..=42).contains(&failed), "{failed} of 100");
}

#[tokio::test]
async fn a_request_with_a_large_body_reads_its_failure_and_keeps_its_connection() {
    let before = before_a_mirror().await;
    before.fault(failing(Failure::Status(404)), LONG).await;
    let mut client = TcpStream::connect(before.address).await.unwrap();
    let body = vec![7; 1024 * 1024];
    for last in ["keep-alive", "close"] {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: it\r\nconnection: {last}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&body).await.unwrap();
    }
    let mut answers = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answers)).await.unwrap().unwrap();
    assert_eq!(answers.matches("HTTP/1.1 404").count(), 2, "{answers}");
}

#[tokio::test]
async fn a_call_of_grpc_fails_with_its_own_status() {
    let before = before_a_mirror().await;
    before.fault(failing(Failure::Grpc(14)), LONG).await;
    let mut client = H2::connect(before.address).await;
    let answer = client.call("/o.O/Get", "identity", false, b"").await.unwrap();
    assert_eq!((answer.status, &answer.headers["grpc-status"]), (StatusCode::OK, &"14".parse().unwrap()));
    let text = raw(&before, "GET / HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
}

#[tokio::test]
async fn faults_of_the_connection_meet_http_2_as_they_meet_all_others() {
    let before = before_a_mirror().await;
    let mut client = H2::connect(before.address).await;
    assert!(client.call("/", "identity", false, b"").await.is_ok());
    before.fault(Fault::Stall, LONG).await;
    let mut stalled = client.clone();
    let waiting = tokio::spawn(async move { stalled.call("/", "identity", false, b"").await });
    tokio::time::sleep(NOT_YET).await;
    assert!(!waiting.is_finished());
    before.clear().await;
    assert!(waiting.await.unwrap().is_ok());
    before.fault(Fault::Reset, LONG).await;
    assert!(client.call("/", "identity", false, b"").await.is_err());
    before.until("it is gone", |pod| pod.open == 0).await;
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_whole_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut server, _) = listener.accept().await.unwrap();
        server.read_buf(&mut Vec::new()).await.unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await.unwrap();
    });
    let before = Before::new(Protocol::Http, port, limits()).await;
    let mut client = TcpStream::connect(before.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: it\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let end = timeout(PATIENCE, client.read_to_end(&mut heard)).await.unwrap();
    assert!(end.is_err(), "it ended well: {}", String::from_utf8_lossy(&heard));
}

#[tokio::test]
async fn a_connection_that_the_dependency_closes_is_closed() {
    let router = Router::new().route("/", get(|| async { ([("connection", "close")], "ok") }));
    let before = Before::new(Protocol::Http, web(router).await, limits()).await;
    let answer = raw(&before, "GET / HTTP/1.1\r\nhost: it\r\n\r\n").await;
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_slow_dependency_answers_late() {
    let before = before_a_mirror().await;
    before.fault(Fault::Slow { delay_ms: 300 }, LONG).await;
    let since = std::time::Instant::now();
    raw(&before, "GET / HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n").await;
    assert!(since.elapsed() >= NOT_YET);
    before.clear().await;
    assert_eq!(before.only_fault().await.hits, 1);
}
