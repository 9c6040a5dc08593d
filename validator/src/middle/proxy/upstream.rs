//! The connection to the dependency behind one client's connection.

use http::header::HOST;
use http::uri::Scheme;
use http::{Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, DuplexStream, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OnceCell};
use tokio_util::sync::CancellationToken;

use super::hops::{between, is_upgrade};
use super::{Body, Error, MAX_HEAD, WINDOW};

/// Open from the begin; the first request says which version is spoken.
pub(super) struct Upstream {
    // Held while the connection is looked at or taken.
    fresh: Mutex<Option<TcpStream>>,
    sender: OnceCell<Sender>,
    closed: CancellationToken,
}

enum Sender {
    // Requests of HTTP/1.1 come one after the other anyway.
    Http1(Mutex<http1::SendRequest<Body>>),
    Http2(http2::SendRequest<Body>),
}

/// Who speaks first on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FirstWord {
    /// The client, with this byte.
    Client(u8),
    /// The dependency, as none of HTTP does.
    Server,
    /// Nobody: one of them has closed it.
    None,
}

/// Length of the header of each frame of HTTP/2 (RFC 9113, 4.1).
const FRAME_HEADER: usize = 9;

/// Whether these first bytes may begin the SETTINGS that a server of HTTP/2 may send before the client has said anything
/// (RFC 9113, 3.4), as grpc-go does: a length below 64 KiB, type 4, no flags, stream 0.
fn is_settings(begin: &[u8]) -> bool {
    begin.first() == Some(&0) && begin.get(3..).is_none_or(|rest| [4, 0, 0, 0, 0, 0].starts_with(rest))
}

fn asked_first(length: usize, byte: u8) -> FirstWord {
    if length == 0 { FirstWord::None } else { FirstWord::Client(byte) }
}

impl Upstream {
    pub(super) fn new(server: TcpStream) -> Self {
        Self { fresh: Mutex::new(Some(server)), sender: OnceCell::new(), closed: CancellationToken::new() }
    }

    /// Waits until the dependency has ended the connection after a first request.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// The connection, if nothing was sent over it.
    pub(super) async fn take(&self) -> Option<TcpStream> {
        self.fresh.lock().await.take()
    }

    /// Waits until somebody says something.
    pub(super) async fn first_word(&self, client: &mut DuplexStream) -> std::io::Result<FirstWord> {
        let fresh = self.fresh.lock().await;
        let Some(server) = fresh.as_ref() else { return Ok(FirstWord::None) };
        let (mut asked, mut told) = ([0], [0; FRAME_HEADER]);
        let told_first = tokio::select! {
            biased;
            read = client.read(&mut asked) => return Ok(asked_first(read?, asked[0])),
            peeked = server.peek(&mut told) => peeked?,
        };
        match told_first {
            0 => Ok(FirstWord::None),
            length if is_settings(&told[..length]) => {
                Ok(asked_first(client.read(&mut asked).await?, asked[0]))
            }
            _ => Ok(FirstWord::Server),
        }
    }

    /// Sends a request on and gives its answer, with the fields that belong to one connection taken out of both.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let connect = request.method() == Method::CONNECT;
        let upgrade = is_upgrade(&request).then(|| hyper::upgrade::on(&mut request));
        between(request.headers_mut(), upgrade.is_some());
        let version = request.version();
        if version == Version::HTTP_2 {
            name_authority(&mut request);
        }
        let sender = self.sender.get_or_try_init(|| self.handshake(version)).await?;
        let mut response = match sender {
            Sender::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await?;
                let answer = sender.send_request(request);
                drop(sender);
                answer.await?
            }
            Sender::Http2(sender) => {
                let mut sender = sender.clone();
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let status = response.status();
        let upgraded = upgrade.filter(|_| status.as_u16() == 101 || (connect && status.is_success()));
        between(response.headers_mut(), upgraded.is_some());
        if let Some(client) = upgraded {
            tokio::spawn(pass_upgraded(client, hyper::upgrade::on(&mut response)));
        }
        Ok(response)
    }

    async fn handshake(&self, version: Version) -> Result<Sender, Error> {
        let server = TokioIo::new(self.take().await.ok_or("the connection is gone")?);
        let closed = self.closed.clone().drop_guard();
        if version == Version::HTTP_2 {
            let mut client = http2::Builder::new(TokioExecutor::new());
            client.max_header_list_size(MAX_HEAD).initial_stream_window_size(WINDOW);
            client.initial_connection_window_size(4 * WINDOW);
            let (sender, connection) = client.handshake(server).await?;
            tokio::spawn(async move {
                connection.await.ok(); // its requests say what went wrong
                drop(closed);
            });
            return Ok(Sender::Http2(sender));
        }
        let (sender, connection) = http1::Builder::new().preserve_header_case(true).handshake(server).await?;
        tokio::spawn(async move {
            connection.with_upgrades().await.ok(); // the same
            drop(closed);
        });
        Ok(Sender::Http1(Mutex::new(sender)))
    }
}

/// A client of HTTP/2 may name the authority by `Host` alone (RFC 9113, 8.3.1); the one that we send with may not.
fn name_authority(request: &mut Request<Body>) {
    if request.uri().authority().is_some() {
        return;
    }
    let mut parts = request.uri().clone().into_parts();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    (parts.scheme, parts.authority) = (Some(Scheme::HTTP), host.parse().ok());
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Behind an upgrade (RFC 9110, 7.8) and a tunnel (9.3.6) bytes are passed as they come.
async fn pass_upgraded(client: OnUpgrade, server: OnUpgrade) {
    if let (Ok(client), Ok(server)) = tokio::join!(client, server) {
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        copy_bidirectional(&mut client, &mut server).await.ok(); // its end is the end of both
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What is made of a connection on which the dependency says this at once, and the client a letter after it.
    async fn first_word(greeting: &[u8]) -> FirstWord {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut dependency, _) = listener.accept().await.unwrap();
        dependency.write_all(greeting).await.unwrap();
        server.readable().await.unwrap();
        let (mut ours, mut client) = tokio::io::duplex(64);
        let upstream = Upstream::new(server);
        let saying = async {
            tokio::task::yield_now().await;
            client.write_all(b"P").await.unwrap();
        };
        tokio::join!(upstream.first_word(&mut ours), saying).0.unwrap()
    }

    #[tokio::test]
    async fn a_server_of_http2_may_send_its_settings_before_the_client_speaks() {
        assert_eq!(
            first_word(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 64, 0]).await,
            FirstWord::Client(b'P')
        );
        assert_eq!(first_word(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await, FirstWord::Client(b'P'));
        assert_eq!(first_word(b"220 mail.example.com ESMTP\r\n").await, FirstWord::Server);
        assert_eq!(first_word(&[0, 0, 6, 1, 0, 0, 0, 0, 1]).await, FirstWord::Server);
    }
}
