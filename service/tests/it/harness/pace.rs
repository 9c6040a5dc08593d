use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Far above every limit of the service: nothing waits for ever.
const LONGEST: Duration = Duration::from_secs(15);

/// An open loop: requests are due at a fixed rate, whatever becomes of the earlier ones.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) port: u16,
    /// Requests a second; infinite for a closed loop.
    pub(crate) rate: f64,
    /// Each has a connection of its own and one request at a time: the bound on what is under way.
    pub(crate) clients: usize,
    /// Makes the request with this number.
    pub(crate) ask: fn(u64) -> Request<Full<Bytes>>,
}

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) number: u64,
    /// When it was sent, counted from the start.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    /// None: the connection ended without an answer.
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: bool,
    pub(crate) stale: bool,
}

/// The load while it runs.
pub(crate) struct Paced {
    began: Instant,
    stop: Arc<AtomicBool>,
    clients: JoinSet<Vec<Sample>>,
}

struct Client {
    pace: Pace,
    began: Instant,
    next: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Pace {
    pub(crate) fn start(self) -> Paced {
        let (began, stop, next) = (Instant::now(), Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |_| {
            let (next, stop) = (Arc::clone(&next), Arc::clone(&stop));
            Client { pace: self, began, next, stop, sender: None }.run()
        };
        let clients = (0..self.clients).map(client).collect();
        Paced { began, stop, clients }
    }
}

impl Paced {
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Lets every client finish what it sent; the samples are in the order of their numbers.
    pub(crate) async fn stop(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        let mut samples = self.clients.join_all().await.concat();
        samples.sort_by_key(|sample| sample.number);
        samples
    }
}

impl Client {
    async fn run(mut self) -> Vec<Sample> {
        let mut samples = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs_f64(number as f64 / self.pace.rate);
            sleep_until(self.began + due).await;
            if self.stop.load(Ordering::Relaxed) {
                return samples;
            }
            samples.push(self.sample(number).await);
        }
    }

    async fn sample(&mut self, number: u64) -> Sample {
        let request = (self.pace.ask)(number);
        let sent = Instant::now();
        let answer = timeout(LONGEST, self.exchange(request)).await.ok().flatten();
        let took = sent.elapsed();
        let head = answer.as_ref();
        let value = |name| head.and_then(|head| head.headers.get(name));
        Sample {
            number,
            at: sent - self.began,
            took,
            status: head.map(|head| head.status),
            retry_after: value("retry-after").is_some(),
            stale: value("x-cache").is_some_and(|value| value == "stale"),
        }
    }

    /// `None` if the connection ends, or cannot be had.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Option<http::response::Parts> {
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(self.pace.port).await?,
        };
        sender.ready().await.ok()?;
        let (head, body) = sender.send_request(request).await.ok()?.into_parts();
        body.collect().await.ok()?;
        self.sender = Some(sender);
        Some(head)
    }
}

async fn connect(port: u16) -> Option<http1::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

/// The time that this share of them stays below.
pub(crate) fn quantile(share: f64, times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    assert!(!times.is_empty(), "nothing was measured");
    times.sort_unstable();
    times[((times.len() as f64 * share) as usize).min(times.len() - 1)]
}

/// A GET of one of the users 1 to 100.
pub(crate) fn read(number: u64) -> Request<Full<Bytes>> {
    let path = format!("/api/users/{}", number % 100 + 1);
    Request::get(path).header("host", "users").body(Full::default()).unwrap()
}
