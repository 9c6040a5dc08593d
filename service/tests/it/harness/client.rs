use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn read(response: hyper::Response<hyper::body::Incoming>) -> hyper::Result<Self> {
        let (head, body) = response.into_parts();
        Ok(Self { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether it advises to come back after a second, give or take what keeps clients apart.
    #[allow(dead_code, reason = "not for the benchmarks")]
    pub(crate) fn says_soon(&self) -> bool {
        matches!(self.header("retry-after"), Some("1" | "2"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A GET over a connection of its own; `None` if there is no answer.
pub(crate) async fn get(port: u16, path: &str) -> Option<Answer> {
    request(port, Method::GET, path, "", &[]).await
}

/// One request over a connection of its own; `None` if there is no answer.
pub(crate) async fn request(
    port: u16,
    method: Method,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Option<Answer> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let mut builder = Request::builder().method(method).uri(path).header("host", format!("127.0.0.1:{port}"));
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let response =
        sender.send_request(builder.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await.ok()?;
    Answer::read(response).await.ok()
}

/// Sends `requests` for users 1 to 100 over 16 kept connections, each asking again at once; every answer must be 200.
pub(crate) async fn flood(port: u16, requests: usize) {
    const CONNECTIONS: usize = 16;
    let clients = (0..CONNECTIONS).map(|client| async move {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        for number in 0..requests / CONNECTIONS {
            let path = format!("/api/users/{}", (client + number * CONNECTIONS) % 100 + 1);
            let request = Request::get(path).header("host", "users").body(Empty::<Bytes>::new()).unwrap();
            sender.ready().await.unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200, "{:?}", response.headers());
            response.into_body().collect().await.unwrap();
        }
    });
    join_all(clients).await;
}
