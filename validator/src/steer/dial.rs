//! HTTP to the API of one agent, on a connection that is kept: through the API server's port-forward, or to a socket.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::key::{HEADER, Key};

/// No single exchange may take longer: stopping an agent waits for its last requests.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(25);

/// How an agent is reached.
#[derive(Clone)]
pub(crate) enum Dial {
    /// A port of a pod, through the API server.
    PortForward(Box<Api<Pod>>, String, u16),
    /// On this machine, where the agent hears nobody without the key, if it has one.
    Socket(SocketAddr, Option<Key>),
}

/// One connection.
pub(super) struct Forward {
    sender: SendRequest<Full<Bytes>>,
    key: Option<Key>,
    // Ends the forwarding when dropped.
    _forwarder: Option<kube::api::Portforwarder>,
}

impl Forward {
    /// Opens one.
    pub(super) async fn open(dial: &Dial) -> Result<Self, String> {
        let open = async {
            match dial {
                Dial::PortForward(pods, pod, port) => {
                    let mut forwarder = pods.portforward(pod, &[*port]).await.map_err(|e| e.to_string())?;
                    let stream = forwarder.take_stream(*port).ok_or("the port was not forwarded")?;
                    Self::over(stream, Some(forwarder), None).await
                }
                Dial::Socket(address, key) => {
                    let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
                    Self::over(stream, None, key.clone()).await
                }
            }
        };
        timeout(EXCHANGE_DEADLINE, open).await.map_err(|_| "no connection within 25 s".to_owned())?
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        forwarder: Option<kube::api::Portforwarder>,
        key: Option<Key>,
    ) -> Result<Self, String> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        Ok(Self { sender, key, _forwarder: forwarder })
    }

    /// One request and its whole answer.
    pub(super) async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), String> {
        let mut builder = Request::builder().method(method).uri(path).header(header::HOST, "forwarded");
        if body.is_some() {
            builder = builder.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &self.key {
            builder = builder.header(HEADER, key.text());
        }
        let request = builder.body(Full::from(body.unwrap_or_default())).map_err(|e| e.to_string())?;
        let exchange = async {
            self.sender.ready().await.map_err(|e| e.to_string())?;
            let response: Response<_> = self.sender.send_request(request).await.map_err(|e| e.to_string())?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|e| e.to_string())?;
            Ok((status, body.to_bytes()))
        };
        timeout(EXCHANGE_DEADLINE, exchange).await.map_err(|_| "no answer within 25 s".to_owned())?
    }
}
