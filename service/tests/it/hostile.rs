//! Input that nobody sends by accident: a clear answer or a closed connection, never a panic, and bounded memory.

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{World, eventually, get, seconds};

#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_input_is_refused_with_a_4xx() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "5")]).await;
    let many = "x: y\r\n".repeat(200);
    let long = format!("x: {}\r\n", "y".repeat(600_000));
    let path = format!("/api/users/{}", "1".repeat(70_000));
    for (what, request) in [
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\r\n\r\n".to_vec()),
        ("no version", b"GET /api/users/1\r\n\r\n".to_vec()),
        ("a path that is not UTF-8", b"GET /api/users/\xff\xfe HTTP/1.1\r\nhost: u\r\n\r\n".to_vec()),
        ("an escape that is not UTF-8", b"GET /api/users/%ff HTTP/1.1\r\nhost: u\r\n\r\n".to_vec()),
        ("200 headers", format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes()),
        ("a header of 600 kB", format!("GET / HTTP/1.1\r\n{long}\r\n").into_bytes()),
        ("a header of 40 kB", format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(40_000)).into_bytes()),
        ("a path of 70 kB", format!("GET {path} HTTP/1.1\r\nhost: u\r\n\r\n").into_bytes()),
        ("two lengths", b"POST /api/users HTTP/1.1\r\nhost: u\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_vec()),
        ("a length that is no number", b"POST /api/users HTTP/1.1\r\nhost: u\r\ncontent-length: -1\r\n\r\n".to_vec()),
        ("a header name with a space", b"GET /api/users/1 HTTP/1.1\r\nho st: u\r\n\r\n".to_vec()),
        ("a body that is not UTF-8", b"POST /api/users HTTP/1.1\r\nhost: u\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n\"\xff\"".to_vec()),
        ("a body of 1 GB", b"POST /api/users HTTP/1.1\r\nhost: u\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n[".to_vec()),
    ] {
        let status = exchange(service.port, &request).await;
        assert!((400..500).contains(&status), "{what}: {status}");
    }
    assert_eq!(service.get("/api/users/1").await.status, 200);
    assert!(!service.log().contains("panicked"), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_40_kb_over_http2_is_refused_and_its_connection_serves_on() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "5")]).await;
    let stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (length, status) in [(20_000, 200), (40_000, 431), (20_000, 200)] {
        let request = Request::get("http://users/api/users/1").header("x", "y".repeat(length));
        let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await;
        assert_eq!(answer.expect("an answer").status(), status, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_390_kb_on_the_management_port_is_refused() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    for (length, status) in [(20_000, 200), (390_000, 431), (20_000, 200)] {
        let head = format!("GET /health HTTP/1.1\r\nhost: u\r\nx: {}\r\n\r\n", "y".repeat(length));
        assert_eq!(exchange(service.management, head.as_bytes()).await, status, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_on_the_management_port_make_way_for_probes() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    let mut silent = Vec::new();
    // Three times as many as there may be; every other one has half a head.
    for number in 0..192 {
        let mut stream = TcpStream::connect(("127.0.0.1", service.management)).await.unwrap();
        if number % 2 == 0 {
            let _ = stream.write_all(b"GET /health HTTP/1.1\r\nhost: ").await;
        }
        silent.push(stream);
    }
    for path in ["/health", "/ready", "/metrics"].repeat(3) {
        let answer = tokio::time::timeout(seconds(1), get(service.management, path)).await;
        assert_eq!(answer.expect("in time").expect("an answer").status, 200, "{path}");
    }
    for oldest in &mut silent[..128] {
        let read = tokio::time::timeout(seconds(5), oldest.read(&mut [0])).await.expect("closed");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
}

/// The status of the answer.
async fn exchange(port: u16, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // The server may have answered and hung up before all is sent.
    let _ = stream.write_all(request).await;
    let mut head = [0; 12];
    let read =
        tokio::time::timeout(seconds(15), stream.read_exact(&mut head)).await.expect("an answer in time");
    read.unwrap_or_else(|error| panic!("no answer: {error}"));
    String::from_utf8_lossy(&head[9..]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_idle_connections_cost_bounded_memory_and_probes_are_answered() {
    let memory = idle_connections(2_000, 1_000, 0).await;
    assert!(memory.grown_mib() < 40.0, "{memory:?}");
}

/// As many as `maxConnections` of charts/service, and its limit of memory; heads of 32 KiB would be refused.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs 15,000 file descriptors"]
async fn ten_thousand_idle_connections_cost_bounded_memory_and_probes_are_answered() {
    const HEAD: usize = 31_000;
    let memory = idle_connections(10_000, 1_024, HEAD).await;
    assert!(memory.grown_mib() > (1_024 * HEAD / 2) as f64 / MIB, "{memory:?}: were the heads read?");
    assert!(memory.after_mib < 128.0, "{memory:?}");
}

const MIB: f64 = 1024.0 * 1024.0;

/// Of the service, before there were connections and with them.
#[derive(Debug)]
struct Memory {
    before_mib: f64,
    after_mib: f64,
}

impl Memory {
    fn grown_mib(&self) -> f64 {
        self.after_mib - self.before_mib
    }
}

/// Opens so many, each with a head of more than `head` bytes that does not end; the service lets `most` in.
#[expect(clippy::print_stderr, reason = "the memory is a result, shown by --nocapture")]
async fn idle_connections(count: usize, most: u64, head: usize) -> Memory {
    let world = World::new().await;
    let service = world.ready(&[("MAX_CONNECTIONS", &most.to_string())]).await;
    let before_mib = service.resident_mib();
    let mut idle = Vec::new();
    let begun = format!("GET /api/users/1 HTTP/1.1\r\nhost: {}", "u".repeat(head));
    for _ in 0..count {
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
        // Half a head, so that each has a buffer; whoever was turned away has hung up.
        let _ = stream.write_all(begun.as_bytes()).await;
        idle.push(stream);
    }
    let all = async || service.metric("http_server_connections").await == most;
    eventually("as many as may be open", all).await;
    // The last ones are let in before their heads are read.
    tokio::time::sleep(seconds(2)).await;
    let memory = Memory { before_mib, after_mib: service.resident_mib() };
    eprintln!("{count} connections with more than {head} bytes each, {most} of them let in: {memory:?}");
    assert_eq!(get(service.management, "/health").await.unwrap().status, 200);
    assert_eq!(get(service.management, "/ready").await.unwrap().status, 200);
    memory
}
