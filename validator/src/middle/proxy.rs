//! A terminating proxy for HTTP/1.1 and for HTTP/2 by prior knowledge: each request of a client's connection goes on over
//! one connection to the dependency, in the version that the client speaks.
//!
//! Connection faults are no matter of this file: bytes come through [`Upward`](super::upward::Upward) and go through
//! [`Downward`](super::downward::Downward), as those of every protocol.

mod answers;
mod hops;
mod request;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, copy_bidirectional, join};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::request::{is_grpc, mark};
use self::upstream::{FirstWord, Upstream};
use super::agent::Agent;
use super::context::context;
use super::export::{Answer, Export, of_stream};
use super::in_force::{Ticket, Verdict};
use super::spans::Passed;
use super::upward::TLS_HANDSHAKE;
use super::waiting::Waiting;
use crate::config::Protocol;
use crate::evidence::Refusal;
use crate::middle::Origin;

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

pub(super) type Body = UnsyncBoxBody<Bytes, Error>;

/// Header fields of one request or answer, in bytes; more than any client that we know sends.
const MAX_HEAD: u32 = 256 * 1024;

/// What a stream of HTTP/2 may have under way; its default is so small that an agent far from a client would slow it down.
const WINDOW: u32 = 1024 * 1024;

/// An export whose sender has gone may take so long to be answered.
const LAST_ANSWER: Duration = Duration::from_secs(30);

/// One client's connection.
pub(super) struct Proxy {
    agent: Arc<Agent>,
    source: Origin,
    upstream: Upstream,
    opened: Instant,
    /// Cancelled when the client has closed its side.
    hung_up: CancellationToken,
}

impl Proxy {
    pub(super) fn new(
        agent: Arc<Agent>,
        source: Origin,
        server: TcpStream,
        hung_up: CancellationToken,
    ) -> Self {
        Self { agent, source, upstream: Upstream::new(server), opened: Instant::now(), hung_up }
    }

    /// Serves the client until it or the dependency ends the connection. Dropping it ends both.
    ///
    /// # Errors
    /// An answer is missing or incomplete: the client must not take the end of the connection for that of the answer.
    pub(super) async fn serve(self: Arc<Self>, mut client: DuplexStream) -> Result<(), Error> {
        let begin = match self.upstream.first_word(&mut client).await? {
            FirstWord::Client(byte) => Some(byte),
            FirstWord::Server => {
                self.agent.unread(self.source);
                None
            }
            FirstWord::None => None,
        };
        let (from, to) = tokio::io::split(client);
        let mut client = join(std::io::Cursor::new(Vec::from_iter(begin)).chain(from), to);
        if begin.is_some_and(begins_request) {
            return self.serve_http(client).await;
        }
        // Of encryption the agent knows already.
        if begin.is_some_and(|byte| byte != TLS_HANDSHAKE) {
            self.agent.unread(self.source);
        }
        let mut server = self.upstream.take().await.ok_or("it was taken before")?;
        copy_bidirectional(&mut client, &mut server).await?;
        Ok(())
    }

    async fn serve_http<I>(self: Arc<Self>, client: I) -> Result<(), Error>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let proxy = Arc::clone(&self);
        let service = service_fn(move |request| Arc::clone(&proxy).answer(request));
        let server = server();
        let serving = server.serve_connection_with_upgrades(TokioIo::new(client), service);
        tokio::pin!(serving);
        let served = tokio::select! {
            served = serving.as_mut() => served,
            () = self.upstream.closed() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        let unreadable = |error: &Error| error.downcast_ref().is_some_and(hyper::Error::is_parse);
        if served.as_ref().is_err_and(unreadable) {
            self.agent.unread(self.source);
        }
        served
    }

    /// One request: it waits, fails or goes on, as the fault in force says.
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Error> {
        let grpc = is_grpc(request.headers());
        if grpc {
            self.agent.desk.spoke_grpc(self.source);
        }
        match self.agent.request(self.source, self.opened, mark(&request), context(request.headers())) {
            Verdict::Wait(ticket) => self.wait(&ticket).await?,
            Verdict::Fail(failure) => {
                answers::passed_over(request.into_body(), grpc).await;
                return Ok(answers::failed(&failure, grpc));
            }
            Verdict::Pass | Verdict::Miss => {}
        }
        let of_spans = self.agent.desk.plan.protocol == Protocol::Otlp;
        let export =
            of_spans.then(|| Export::of(request.method(), request.uri(), request.headers())).flatten();
        match export {
            Some(export) if grpc && export.is_unknown() => self.stream(request, export).await,
            // A process may end as soon as it has sent its last spans: they go on without it.
            Some(export) => tokio::spawn(self.export(request, export)).await?,
            None => Ok(self.upstream.send(request.map(streamed)).await?.map(streamed)),
        }
    }

    /// Waits with a request; an error when its client hangs up. Dropping it means the same.
    async fn wait(&self, ticket: &Ticket) -> Result<(), Error> {
        let desk = &self.agent.desk;
        let waiting = Waiting::new(desk, self.source, ticket);
        tokio::select! {
            () = desk.wait(self.source, ticket) => {
                waiting.over();
                Ok(())
            }
            () = self.hung_up.cancelled() => Err("the client has hung up".into()),
        }
    }

    /// An export of spans goes on whole, and comes back whole: what it held, and what became of it, is kept.
    async fn export(
        self: Arc<Self>,
        request: Request<Incoming>,
        export: Export,
    ) -> Result<Response<Body>, Error> {
        let at = self.agent.desk.now();
        let (head, body) = request.into_parts();
        let body = answers::read(body).await?.to_bytes();
        let forwarded = Request::from_parts(head, answers::whole(body.clone(), None));
        let answer = tokio::select! {
            answer = self.exchange(forwarded) => answer,
            () = self.long_gone() => Err("nobody waits for the answer".into()),
        };
        let end = export.end(answer.as_ref().ok());
        self.agent.export(Passed { at, source: self.source, export, body, end });
        Ok(answer?.into_response())
    }

    /// A stream of gRPC may have no end: it goes on as it comes, both ways. What it holds is not read; how it ends is kept.
    async fn stream(&self, request: Request<Incoming>, export: Export) -> Result<Response<Body>, Error> {
        let (agent, at, source) = (Arc::clone(&self.agent), self.agent.desk.now(), self.source);
        let tell = move |end| {
            agent.export(Passed { at, source, export: export.clone(), body: Bytes::new(), end });
        };
        tell(None);
        let sent = self.upstream.send(request.map(streamed)).await;
        let answer = sent.inspect_err(|_| tell(Some(Refusal::NoAnswer)))?;
        let status = answer.status();
        if let Some(refusal) = of_stream(status, answer.headers()) {
            tell(Some(refusal));
        }
        let body = move |body| {
            let watched = streamed(body).map_frame(move |frame| {
                if let Some(refusal) = frame.trailers_ref().and_then(|fields| of_stream(status, fields)) {
                    tell(Some(refusal));
                }
                frame
            });
            watched.boxed_unsync()
        };
        Ok(answer.map(body))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, Error> {
        Answer::of(self.upstream.send(request).await?).await
    }

    /// Waits until the client has hung up, and a while longer.
    async fn long_gone(&self) {
        self.hung_up.cancelled().await;
        sleep(LAST_ANSWER).await;
    }
}

fn streamed(body: Incoming) -> Body {
    body.map_err(Error::from).boxed_unsync()
}

/// A method is a token (RFC 9110, 9.1), and those in use begin with a letter; so does the preface of HTTP/2.
fn begins_request(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}

/// As little of its own as possible.
fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    // Who has said his last may still read; that he has hung up, the waits are told.
    server.http1().auto_date_header(false).preserve_header_case(true).half_close(true);
    server
        .http2()
        .auto_date_header(false)
        .max_header_list_size(MAX_HEAD)
        .max_concurrent_streams(None)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW);
    server
}
