use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One connection of HTTP/2 by prior knowledge, as clients of gRPC have it.
#[derive(Clone)]
pub(crate) struct H2(SendRequest<Full<Bytes>>);

/// An answer with what came behind it.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl H2 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        let sent = timeout(Duration::from_mins(1), self.0.send_request(request)).await.unwrap();
        let (head, body) = sent?.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers })
    }

    /// One unary call of gRPC.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        encoding: &str,
        packed: bool,
        message: &[u8],
    ) -> Result<Answer, hyper::Error> {
        let length = (message.len() as u32).to_be_bytes();
        let body = [&[u8::from(packed)], length.as_slice(), message].concat();
        let request =
            Request::post(format!("http://it:4317{path}")).header("content-type", "application/grpc");
        let request = request.header("te", "trailers").header("grpc-encoding", encoding);
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }
}
