//! HTTP to one port of one pod through the API server's port-forward.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// No single exchange may take longer: stopping an agent waits for its last requests.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(25);

/// How our own pods are reached.
#[derive(Clone)]
pub(crate) enum Dial {
    /// Through the API server.
    PortForward,
    /// The pods of a test, by the port that they are asked at.
    #[cfg(test)]
    Sockets(std::collections::BTreeMap<u16, std::net::SocketAddr>),
}

/// One forwarded connection.
pub(super) struct Forward {
    sender: SendRequest<Full<Bytes>>,
    // Ends the forwarding when dropped.
    _forwarder: Option<kube::api::Portforwarder>,
}

impl Forward {
    /// Opens a connection to the port of the pod.
    pub(super) async fn open(dial: &Dial, pods: &Api<Pod>, pod: &str, port: u16) -> Result<Self, String> {
        let open = async {
            match dial {
                Dial::PortForward => {
                    let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|e| e.to_string())?;
                    let stream = forwarder.take_stream(port).ok_or("the port was not forwarded")?;
                    Self::over(stream, Some(forwarder)).await
                }
                #[cfg(test)]
                Dial::Sockets(ports) => {
                    let stream = tokio::net::TcpStream::connect(ports[&port]).await;
                    Self::over(stream.map_err(|e| e.to_string())?, None).await
                }
            }
        };
        timeout(EXCHANGE_DEADLINE, open).await.map_err(|_| "no connection within 25 s".to_owned())?
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        forwarder: Option<kube::api::Portforwarder>,
    ) -> Result<Self, String> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        Ok(Self { sender, _forwarder: forwarder })
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
