//! What a middle agent costs: one statement after the other, and as many as go through, each with and without it.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]

// The same Postgres and Redis as in the tests.
#[path = "../../service/tests/it/harness/backends.rs"]
mod backends;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use golive_validator::config::Protocol;
use golive_validator::middle::{Agent, Limits, MiddlePlan, PortPlan, listen, serve};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// Connections side by side, as three pods with a pool each have them.
const CONNECTIONS: u64 = 16;

const STATEMENT: &str = "SELECT 1";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An agent on a thread of its own, as in its pod, with this process as its target. It ends with the process.
fn before(protocol: Protocol, upstream: u16) -> u16 {
    let (port, api) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let at = api.local_addr().unwrap();
    let plan = PortPlan { listen: port, upstream: SocketAddr::from(([127, 0, 0, 1], upstream)).into() };
    std::thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let long = Duration::from_hours(1);
            let limits = Limits { fail_open: long };
            let trace_prefix = "0123abcd".to_owned();
            let agent = Agent::start(MiddlePlan { dependency: "it".into(), protocol, trace_prefix }, limits);
            api.set_nonblocking(true).unwrap();
            let api = tokio::net::TcpListener::from_std(api).unwrap();
            let ports = [plan];
            tokio::try_join!(serve(agent.clone(), api), listen(&agent, &ports)).unwrap();
        });
    });
    runtime().block_on(aim(at));
    port
}

async fn aim(api: SocketAddr) {
    let body = r#"{"127.0.0.1":"bench"}"#;
    let head = "host: agent\r\nconnection: close\r\ncontent-type: application/json";
    let request = format!("PUT /targets HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut api = TcpStream::connect(api).await.unwrap();
    api.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    api.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn connect(port: u16) -> PgConnection {
    let options = PgConnectOptions::new().host("127.0.0.1").port(port).username("postgres");
    options.database("postgres").ssl_mode(PgSslMode::Disable).connect().await.unwrap()
}

async fn get(redis: &mut TcpStream) {
    redis.write_all(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n").await.unwrap();
    let mut answer = [0; 5];
    redis.read_exact(&mut answer).await.unwrap();
}

/// `count` statements over all connections together.
async fn statements(port: u16, count: u64) -> Duration {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(connect(port).await);
    }
    let since = Instant::now();
    let mut running = JoinSet::new();
    for mut connection in connections {
        running.spawn(async move {
            for _ in 0..count.div_ceil(CONNECTIONS) {
                sqlx::query(STATEMENT).execute(&mut connection).await.unwrap();
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    since.elapsed()
}

/// A dependency of HTTP on a thread of its own; its port.
fn web() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, axum::Router::new().fallback(|| async { "ok" })).await.unwrap();
        });
    });
    port
}

/// One connection of HTTP/2, or of HTTP/1.1.
enum Http {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Http {
    async fn connect(port: u16, two: bool) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        if two {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            return Self::Two(sender);
        }
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::One(sender)
    }

    /// A request with a body of 1 kB and its answer.
    async fn ask(&mut self) {
        let request = Request::post("http://it/").header("host", "it");
        let request = request.body(Full::new(Bytes::from_static(&[b'x'; 1_024]))).unwrap();
        let answer = match self {
            Self::One(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await
            }
            Self::Two(sender) => sender.send_request(request).await,
        };
        assert_eq!(&answer.unwrap().into_body().collect().await.unwrap().to_bytes()[..], b"ok");
    }
}

/// The same requests to both ports, turn by turn, so that what else the machine does meets both: how long each took.
async fn turns(direct: u16, through: u16, two: bool) -> [Duration; 2] {
    const TURNS: u32 = 20_000;
    let mut each = [Http::connect(direct, two).await, Http::connect(through, two).await];
    let mut took = [Duration::ZERO; 2];
    for _ in 0..TURNS {
        for (http, took) in each.iter_mut().zip(&mut took) {
            let since = Instant::now();
            http.ask().await;
            *took += since.elapsed();
        }
    }
    took.map(|took| took / TURNS)
}

#[expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "it is what the bench is for, and no runtime waits here"
)]
fn proxy(_: &mut Criterion) {
    let direct = web();
    let through = before(Protocol::Http, direct);
    std::thread::sleep(Duration::from_millis(500)); // the listener may take a moment
    for (version, two) in [("HTTP/1.1", false), ("HTTP/2", true)] {
        let [direct, through] = runtime().block_on(turns(direct, through, two));
        let ratio = through.as_secs_f64() / direct.as_secs_f64();
        eprintln!("one request/{version}: direct {direct:?}, through an agent {through:?}, ratio {ratio:.2}");
    }
}

fn cost(criterion: &mut Criterion) {
    let (postgres, redis) = (backends::postgres_port(), backends::redis_port());
    let ways = [("direct", postgres, redis)];
    let agents = ("through an agent", before(Protocol::Postgres, postgres), before(Protocol::Redis, redis));
    let runtime = runtime();
    let mut group = criterion.benchmark_group("middle");
    for (way, postgres, redis) in ways.into_iter().chain([agents]) {
        // The listener may take a moment.
        let mut connection = runtime.block_on(async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            connect(postgres).await
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("one statement/{way}"), |b| {
            b.iter(|| runtime.block_on(connection.execute(sqlx::query(STATEMENT))).unwrap());
        });
        let mut connection = runtime.block_on(TcpStream::connect(("127.0.0.1", redis))).unwrap();
        connection.set_nodelay(true).unwrap();
        group.bench_function(format!("one Redis GET/{way}"), |b| {
            b.iter(|| runtime.block_on(get(&mut connection)));
        });
        group.bench_function(format!("{CONNECTIONS} connections/{way}"), |b| {
            b.iter_custom(|count| runtime.block_on(statements(postgres, count)));
        });
    }
    group.finish();
}

criterion_group!(benches, proxy, cost);
criterion_main!(benches);
