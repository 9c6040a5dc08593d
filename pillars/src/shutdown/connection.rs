use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as Wake, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::sleep;
use tower_service::Service as _;

use super::wire::Wire;
use super::{Phase, Shutdown};

/// One accepted connection and what the shutdown clock needs to know of it.
pub(super) struct Connection {
    peer: SocketAddr,
    app: Router,
    shutdown: Shutdown,
    protocol: Arc<Protocol>,
}

/// What the requests so far have shown. Until the first one a connection may be anything.
#[derive(Default)]
struct Protocol {
    /// Requests begun and streams ended so far.
    events: AtomicUsize,
    /// Streams of HTTP/2 whose answer has not ended yet.
    streams: AtomicUsize,
    is_h2: AtomicBool,
    became_h2: Notify,
    /// Requests whose response head is not there yet.
    handling: AtomicUsize,
    handled: Notify,
}

/// One request being handled, for as long as it lives.
struct Handling(Arc<Protocol>);

impl Handling {
    fn begin(protocol: &Arc<Protocol>) -> Self {
        protocol.handling.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(protocol))
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        if self.0.handling.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.handled.notify_one();
        }
    }
}

/// One stream of HTTP/2, until its answer has been sent or dropped.
struct Stream(Arc<Protocol>);

impl Stream {
    fn begin(protocol: &Arc<Protocol>) -> Self {
        protocol.streams.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(protocol))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.events.fetch_add(1, Ordering::AcqRel);
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

pin_project! {
    /// The body of an answer, which keeps its stream in the books.
    struct Streamed {
        #[pin]
        body: Body,
        _stream: Option<Stream>,
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        wake: &mut Wake<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.poll_frame(wake)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, app: Router, shutdown: Shutdown) -> Self {
        Self { peer, app, shutdown, protocol: Arc::default() }
    }

    /// Serves requests until the connection ends.
    ///
    /// hyper's own graceful shutdown closes an idle HTTP/1 connection at once, even with a request on its way. So
    /// HTTP/1 learns of the end through `Connection: close` on its next answer; only HTTP/2, where GOAWAY says which
    /// streams still count, is told by hyper at the signal.
    pub(super) async fn drive<P>(self, builder: &Builder<TokioExecutor>, wire: Wire<TcpStream, P>)
    where
        P: Send + Unpin + 'static,
    {
        let Self { peer, app, shutdown, protocol } = self;
        let service = {
            let (shutdown, protocol) = (shutdown.clone(), Arc::clone(&protocol));
            service_fn(move |request| {
                respond(request, peer, app.clone(), shutdown.clone(), Arc::clone(&protocol))
            })
        };
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(wire), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = retired(&shutdown, &protocol) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = abandoned(&shutdown, &protocol) => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}

async fn retired(shutdown: &Shutdown, protocol: &Protocol) {
    let going_away = async {
        shutdown.reached(Phase::Lameduck).await;
        loop {
            let next = protocol.became_h2.notified();
            if protocol.is_h2.load(Ordering::Acquire) {
                return;
            }
            next.await;
        }
    };
    tokio::select! {
        () = going_away => {}
        () = shutdown.reached(Phase::Closing) => {}
        () = idle(shutdown.config.idle_timeout, protocol) => {}
    }
}

/// Nothing at all for so long: a connection of HTTP/2 that has no stream, or one of either kind that never had a request.
/// hyper's own timer is for heads of HTTP/1, and only starts once the first bytes have told the protocol.
async fn idle(limit: Duration, protocol: &Protocol) {
    loop {
        let before = protocol.events.load(Ordering::Acquire);
        sleep(limit).await;
        let now = protocol.events.load(Ordering::Acquire);
        if now > 0 && !protocol.is_h2.load(Ordering::Acquire) {
            return pending().await;
        }
        if now == before && protocol.streams.load(Ordering::Acquire) == 0 {
            return;
        }
    }
}

/// The end of the time for requests in flight, once none is being handled: what is left then waits for the client, who
/// does not finish a head, does not read, or reads a stream without end.
async fn abandoned(shutdown: &Shutdown, protocol: &Protocol) {
    shutdown.reached(Phase::Closing).await;
    sleep(shutdown.closing_grace()).await;
    loop {
        let next = protocol.handled.notified();
        if protocol.handling.load(Ordering::Acquire) == 0 {
            return;
        }
        next.await;
    }
}

async fn respond(
    request: Request<Incoming>,
    peer: SocketAddr,
    app: Router,
    shutdown: Shutdown,
    protocol: Arc<Protocol>,
) -> Result<Response, Infallible> {
    protocol.events.fetch_add(1, Ordering::AcqRel);
    let _handling = Handling::begin(&protocol);
    let is_h2 = request.version() == Version::HTTP_2;
    let stream = is_h2.then(|| Stream::begin(&protocol));
    if is_h2 && !protocol.is_h2.swap(true, Ordering::AcqRel) {
        protocol.became_h2.notify_one();
    }
    let mut response = if shutdown.phase() == Phase::Closing {
        refusal()
    } else {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        answer(app, request).await
    };
    if is_h2 {
        response = response.map(|body| Body::new(Streamed { body, _stream: stream }));
    } else if shutdown.phase() != Phase::Running {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn refusal() -> Response {
    const PROBLEM: &str = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"this instance is shutting down"}"#;
    let mut response = Response::new(Body::from(PROBLEM));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    // Another instance can answer right away.
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Hands one request to the router; axum's routers never fail and are always ready.
async fn answer(mut app: Router, request: Request<Body>) -> Response {
    app.call(request).await.unwrap_or_else(|never: Infallible| match never {})
}
