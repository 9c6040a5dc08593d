use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::harness::{Service, eventually, seconds};

/// A frame of gRPC without a message: "the whole server" as far as `HealthCheckRequest` goes.
const EMPTY: &[u8] = &[0; 5];
/// `HealthCheckResponse` with SERVING or NOT_SERVING, framed.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect(service: &Service) -> Option<Sender> {
    connection(service).await.map(|(sender, _)| sender)
}

/// A connection, and a task that ends with it.
async fn connection(service: &Service) -> Option<(Sender, JoinHandle<hyper::Result<()>>)> {
    let stream = TcpStream::connect(("127.0.0.1", service.port)).await.ok()?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
    Some((sender, tokio::spawn(connection)))
}

fn call(method: &str) -> Request<Full<Bytes>> {
    Request::post(format!("http://greeter/grpc.health.v1.Health/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::from(EMPTY))
        .unwrap()
}

async fn check(service: &Service) -> Result<Bytes, String> {
    check_over(&mut connect(service).await.ok_or("no connection")?).await
}

async fn check_over(sender: &mut Sender) -> Result<Bytes, String> {
    let answer = sender.send_request(call("Check")).await.map_err(|error| format!("{error:?}"))?;
    answer.into_body().collect().await.map(Collected::to_bytes).map_err(|error| format!("{error:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_service_says_that_it_leaves_and_ends_with_a_watcher_on_it() {
    let fast = [
        ("SHUTDOWN_LAMEDUCK", "3s"),
        ("SHUTDOWN_DRAIN", "5s"),
        ("SHUTDOWN_FLUSH", "8s"),
        ("SHUTDOWN_FORCE", "30s"),
    ];
    let mut service = Service::example("grpc", Vec::new(), &fast);
    eventually("serving", async || check(&service).await.is_ok_and(|answer| answer == SERVING)).await;
    let mut sender = connect(&service).await.expect("a connection");
    let mut watch = sender.send_request(call("Watch")).await.unwrap().into_body();
    let first = watch.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, SERVING);
    service.signal("TERM");
    // On the stream that is open, and to those who connect while it still listens.
    let told = async { while watch.frame().await.unwrap().unwrap().into_data().unwrap() != NOT_SERVING {} };
    tokio::time::timeout(seconds(2), told).await.expect("told that it leaves");
    assert_eq!(check(&service).await.as_deref(), Ok(NOT_SERVING));
    let (status, _) = service.ended().await;
    assert_eq!(status.code(), Some(0), "a stream without an end is not waited for: {}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_stream_is_closed_after_its_idle_time_and_one_with_a_stream_is_not() {
    let service = Service::example("grpc", Vec::new(), &[("IDLE_TIMEOUT", "1s")]);
    eventually("serving", async || check(&service).await.is_ok_and(|answer| answer == SERVING)).await;
    let (mut busy, watching) = connection(&service).await.expect("a connection");
    let mut watch = busy.send_request(call("Watch")).await.unwrap().into_body();
    assert_eq!(watch.frame().await.unwrap().unwrap().into_data().unwrap(), SERVING);
    let (mut idle, idling) = connection(&service).await.expect("a connection");
    assert_eq!(check_over(&mut idle).await.as_deref(), Ok(SERVING));
    let closed = tokio::time::timeout(seconds(60), idling).await.expect("closed by the service");
    assert!(closed.unwrap().is_ok(), "in order, by GOAWAY");
    // Several idle times on, whatever the machine is doing.
    tokio::time::sleep(seconds(4)).await;
    assert!(!watching.is_finished());
    assert_eq!(check_over(&mut busy).await.as_deref(), Ok(SERVING));
}
