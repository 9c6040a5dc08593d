use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::harness::{Service, eventually};

/// A frame of gRPC without a message: "the whole server" as far as `HealthCheckRequest` goes.
const EMPTY: &[u8] = &[0; 5];
/// `HealthCheckResponse` with SERVING or NOT_SERVING, framed.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect(service: &Service) -> Option<Sender> {
    let stream = TcpStream::connect(("127.0.0.1", service.port)).await.ok()?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

fn call(method: &str) -> Request<Full<Bytes>> {
    Request::post(format!("http://greeter/grpc.health.v1.Health/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::from(EMPTY))
        .unwrap()
}

async fn says(service: &Service, expected: &[u8]) -> bool {
    let Some(mut sender) = connect(service).await else { return false };
    let Ok(answer) = sender.send_request(call("Check")).await else { return false };
    answer.into_body().collect().await.is_ok_and(|body| body.to_bytes() == expected)
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
    eventually("serving", async || says(&service, SERVING).await).await;
    let mut sender = connect(&service).await.expect("a connection");
    let mut watch = sender.send_request(call("Watch")).await.unwrap().into_body();
    let first = watch.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, SERVING);
    service.signal("TERM");
    // On the stream that is open, and to those who connect while it still listens.
    let second = watch.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(second, NOT_SERVING);
    assert!(says(&service, NOT_SERVING).await);
    let (status, _) = service.ended().await;
    assert_eq!(status.code(), Some(0), "a stream without an end is not waited for: {}", service.log());
}
