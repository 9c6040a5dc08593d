//! One HTTP/1.1 connection, used by one request at a time, without any retry.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::evidence::Outcome;

/// A well-made client gives up on a connection after this time.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);

/// So many bytes of a body are looked at for what is declared to be in it.
const LOOKED_AT: usize = 64 * 1_024;

/// An open connection.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<Instant>,
    pub(super) opened: Instant,
    /// When it last carried something.
    pub(super) used: Instant,
    pub(super) requests: u32,
    pub(super) announced: bool,
}

/// What became of a request that was handed to a link.
pub(super) struct Exchange {
    pub(super) outcome: Outcome,
    pub(super) error: Option<String>,
    /// Whether the answer said when to come back.
    pub(super) retry_after: bool,
}

/// A request that was never written: the connection had ended while it was idle.
pub(super) struct Untouched(pub(super) Box<Request<Full<Bytes>>>);

impl Exchange {
    fn answered(status: http::StatusCode, holds_text: bool, retry_after: bool) -> Self {
        let (code, error) = (status.as_u16(), None);
        if !holds_text && status.is_success() {
            return Self { outcome: Outcome::OtherBody(code), error, retry_after };
        }
        Self { outcome: Outcome::Answered(code), error, retry_after }
    }

    fn broken(error: &hyper::Error) -> Self {
        Self::failed(outcome_of(error), describe(error))
    }

    pub(super) fn failed(outcome: Outcome, error: impl Into<String>) -> Self {
        Self { outcome, error: Some(error.into()), retry_after: false }
    }
}

impl Link {
    /// Opens a connection; every failure is an outcome of the request that wanted it.
    pub(super) async fn open(address: SocketAddr) -> Result<Self, Exchange> {
        let stream = match timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await {
            Err(_) => {
                return Err(Exchange::failed(Outcome::ConnectTimeout, "no connection within 3 s"));
            }
            Ok(Err(error)) => return Err(Exchange::failed(connect_outcome(&error), error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        stream.set_nodelay(true).ok(); // an optimisation only: without it answers come later, not wrong
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Exchange::failed(outcome_of(&error), error.to_string()))?;
        let driver = tokio::spawn(async move {
            connection.await.ok(); // the error reaches the request that is affected
            Instant::now()
        });
        let now = Instant::now();
        Ok(Self { sender, driver, opened: now, used: now, requests: 0, announced: false })
    }

    /// Whether the next request may use it: the end of an idle connection is noticed here.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.driver.is_finished()
    }

    /// When the server ended the connection; nothing if it is still open and we end it now.
    pub(super) async fn end(self) -> Option<Instant> {
        let ended = self.driver.is_finished();
        drop(self.sender);
        if !ended {
            self.driver.abort();
            return None;
        }
        self.driver.await.ok()
    }

    /// Sends one request and reads its whole answer, in which the text is looked for, if one is given.
    ///
    /// # Errors
    /// [`Untouched`] when nothing was written, so that a fresh connection may carry the request.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        text: Option<&str>,
        deadline: Instant,
    ) -> Result<Exchange, Untouched> {
        timeout_at(deadline, self.exchange_unbounded(request, text))
            .await
            .unwrap_or_else(|_| Ok(Exchange::failed(Outcome::Timeout, "no complete answer in time")))
    }

    async fn exchange_unbounded(
        &mut self,
        request: Request<Full<Bytes>>,
        text: Option<&str>,
    ) -> Result<Exchange, Untouched> {
        if self.sender.ready().await.is_err() {
            return Err(Untouched(Box::new(request)));
        }
        self.requests += 1;
        let mut response = match self.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                let Some(request) = error.take_message() else {
                    return Ok(Exchange::broken(error.error()));
                };
                self.requests -= 1; // it carried nothing
                return Err(Untouched(Box::new(request)));
            }
        };
        self.announced |= says_close(&response);
        let mut read = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            match frame {
                Err(error) => return Ok(Exchange::broken(&error)),
                Ok(frame) if text.is_some() => keep(&mut read, frame.data_ref()),
                Ok(_) => {}
            }
        }
        self.used = Instant::now();
        let retry_after = response.headers().contains_key(header::RETRY_AFTER);
        let holds_text = text.is_none_or(|text| String::from_utf8_lossy(&read).contains(text));
        Ok(Exchange::answered(response.status(), holds_text, retry_after))
    }
}

/// Adds what is looked at.
fn keep(read: &mut Vec<u8>, data: Option<&Bytes>) {
    let room = LOOKED_AT - read.len();
    let data = data.map(Bytes::as_ref).unwrap_or_default();
    read.extend_from_slice(data.get(..room).unwrap_or(data));
}

fn says_close(response: &http::Response<hyper::body::Incoming>) -> bool {
    response
        .headers()
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// Only what the network answered says something of the service; no free port or file descriptor is our own trouble.
pub(super) fn connect_outcome(error: &std::io::Error) -> Outcome {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Outcome::Refused
        }
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Outcome::Reset,
        ErrorKind::TimedOut => Outcome::ConnectTimeout,
        _ => Outcome::Unsent,
    }
}

pub(super) fn outcome_of(error: &hyper::Error) -> Outcome {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => Outcome::Reset,
                std::io::ErrorKind::TimedOut => Outcome::Timeout,
                _ => Outcome::Closed,
            };
        }
        source = cause.source();
    }
    Outcome::Closed
}

fn describe(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::{Outcome, connect_outcome};

    #[test]
    fn only_what_the_network_answered_is_held_against_the_service() {
        let cases = [(111, Outcome::Refused), (113, Outcome::Refused), (104, Outcome::Reset)];
        let local = [99, 24, 23, 11].map(|code| (code, Outcome::Unsent)); // EADDRNOTAVAIL, EMFILE, ENFILE, EAGAIN
        for (code, expected) in cases.into_iter().chain(local) {
            assert_eq!(connect_outcome(&Error::from_raw_os_error(code)), expected, "errno {code}");
        }
    }
}
