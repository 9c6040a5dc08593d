use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

type Body = Empty<Bytes>;

/// How a client treats its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// One connection a request.
    New,
    /// The next request follows at once, on the same connection.
    Busy,
    /// So does it here, after up to 15 s of thought.
    Idle,
    /// Several requests at a time on one HTTP/2 connection.
    H2c,
}

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::New, Self::Busy, Self::Idle, Self::H2c];

    /// Longest pause of a client before its next request; they are spread evenly below it.
    fn longest_pause(self, pace: Duration) -> Duration {
        if self == Self::Idle { Duration::from_secs(15) } else { 2 * pace }
    }
}

/// What came of the requests of one class.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: AtomicU64,
    /// What became of those that were sent, and not answered, or answered with an error of the server.
    pub(super) lost: Mutex<Vec<String>>,
}

/// Clients of every class at once, until stopped.
pub(super) struct Load {
    pub(super) tallies: Arc<[Tally; 4]>,
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    /// `clients` of each class, who each ask about once in `pace` (the idle ones less).
    pub(super) fn start(port: u16, path: &'static str, clients: usize, pace: Duration) -> Self {
        let (tallies, stop) = (Arc::<[Tally; 4]>::default(), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        for class in Class::ALL {
            for _ in 0..clients {
                let client = Client {
                    class,
                    port,
                    path,
                    pace,
                    tallies: Arc::clone(&tallies),
                    stop: Arc::clone(&stop),
                };
                tasks.spawn(client.run());
            }
        }
        Self { tallies, stop, clients: tasks }
    }

    /// Lets every client finish what it sent.
    pub(super) async fn stop(self) -> Arc<[Tally; 4]> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
        self.tallies
    }
}

struct Client {
    class: Class,
    port: u16,
    path: &'static str,
    pace: Duration,
    tallies: Arc<[Tally; 4]>,
    stop: Arc<AtomicBool>,
}

impl Client {
    async fn run(self) {
        let mut connection = None;
        while !self.stop.load(Ordering::Relaxed) {
            self.pause().await;
            let tally = &self.tallies[self.class as usize];
            match self.exchange(&mut connection).await {
                Ok(()) => drop(tally.answered.fetch_add(1, Ordering::Relaxed)),
                Err(error) => tally.lost.lock().unwrap().push(error),
            }
        }
    }

    /// In steps, so that a stop is noticed.
    async fn pause(&self) {
        let mut left = self.class.longest_pause(self.pace).mul_f64(fastrand::f64());
        while !left.is_zero() && !self.stop.load(Ordering::Relaxed) {
            let step = left.min(Duration::from_millis(200));
            sleep(step).await;
            left -= step;
        }
    }

    /// One request, on the connection there is if it is still good. Before anything is sent, a client may change the
    /// connection; afterwards the request is lost if there is no answer.
    async fn exchange(&self, connection: &mut Option<Connection>) -> Result<(), String> {
        if self.class == Class::New {
            *connection = None;
        }
        for _ in 0..3 {
            let mut used = match connection.take() {
                Some(kept) => kept,
                None => {
                    Connection::open(self.class, self.port).await.map_err(|error| format!("{error:?}"))?
                }
            };
            match used.send(self.path).await {
                Sent::Answered { again } => {
                    *connection = again.then_some(used);
                    return Ok(());
                }
                Sent::Not => {}
                Sent::Lost(error) => return Err(error),
            }
        }
        Err("three connections ended before anything was sent".to_owned())
    }
}

enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

enum Sent {
    /// Whether the server lets the connection be used again.
    Answered {
        again: bool,
    },
    /// The connection had ended before anything was sent.
    Not,
    Lost(String),
}

impl Connection {
    async fn open(class: Class, port: u16) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        if class == Class::H2c {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            return Ok(Self::Http2(sender));
        }
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self::Http1(sender))
    }

    async fn send(&mut self, path: &str) -> Sent {
        let authority = if matches!(self, Self::Http2(_)) { "http://users" } else { "" };
        let request = Request::get(format!("{authority}{path}")).header("host", "users");
        let request = request.body(Body::new()).unwrap();
        let sent = match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        };
        let response = match sent {
            Ok(response) => response,
            // hyper hands a request back exactly if it never left.
            Err(mut error) => {
                return match error.take_message() {
                    Some(_) => Sent::Not,
                    None if was_sent_back(error.error()) => Sent::Not,
                    None => Sent::Lost(format!("{:?}", error.into_error())),
                };
            }
        };
        let again = response.headers().get("connection").is_none_or(|value| value != "close");
        if response.status().is_server_error() {
            return Sent::Lost(response.status().to_string());
        }
        match response.into_body().collect().await {
            Ok(_) => Sent::Answered { again },
            Err(error) => Sent::Lost(format!("in the body: {error:?}")),
        }
    }
}

/// A GOAWAY without error names the last stream that was processed; clients send the later ones again, on another
/// connection (RFC 9113, 6.8). h2 reports it for those streams alone.
fn was_sent_back(error: &hyper::Error) -> bool {
    let h2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    h2.is_some_and(|h2| h2.is_go_away() && h2.is_remote() && h2.reason() == Some(h2::Reason::NO_ERROR))
}
