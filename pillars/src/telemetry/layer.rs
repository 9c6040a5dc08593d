use std::pin::Pin;
use std::task::{Context as Wake, Poll, ready};

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::edge::Verdict;
use super::{Telemetry, http};

/// Takes the trace context in, decides, makes the server span and measures the duration.
///
/// Put on the routes of users with `Router::layer(TraceLayer::new(telemetry))`; routes added after it, such as probes,
/// are not traced. While the request is handled its context is the current one. A future and no `async` middleware,
/// since a request that is not sampled is to pay for as little as possible.
#[derive(Clone)]
pub struct TraceLayer {
    telemetry: Telemetry,
}

/// A service whose requests are traced; see [`TraceLayer`].
#[derive(Clone)]
pub struct TraceService<S> {
    inner: S,
    telemetry: Telemetry,
}

/// On a response: a failure that is told elsewhere, as by a counter, and is not to be a line in the log as well.
#[derive(Clone, Copy, Debug)]
pub struct NotLogged;

pin_project! {
    /// The answer of a [`TraceService`] service. Dropped before its end, it ends the span and is counted with the status 499;
    /// a panic is counted as the status 500, and goes on.
    pub struct TraceFuture<F> {
        #[pin]
        answer: F,
        exchange: Exchange,
    }
}

/// A request whose answer is not there yet.
struct Exchange {
    telemetry: Telemetry,
    context: Context,
    method: &'static str,
    route: Option<MatchedPath>,
    since: Instant,
    answered: bool,
}

impl TraceLayer {
    /// Traces with `telemetry`.
    pub fn new(telemetry: Telemetry) -> Self {
        Self { telemetry }
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> TraceService<S> {
        TraceService { inner, telemetry: self.telemetry.clone() }
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for TraceService<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, wake: &mut Wake<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(wake)
    }

    fn call(&mut self, request: Request) -> TraceFuture<S::Future> {
        let exchange = Exchange::begin(&self.telemetry, &request);
        TraceFuture { answer: self.inner.call(request), exchange }
    }
}

impl<F: Future<Output = Result<Response, E>>, E> Future for TraceFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, wake: &mut Wake<'_>) -> Poll<F::Output> {
        let this = self.project();
        let response = {
            let _current = this.exchange.context.clone().attach();
            let _panics = Panics(this.exchange);
            ready!(this.answer.poll(wake))?
        };
        this.exchange.finish(&response);
        Poll::Ready(Ok(response))
    }
}

impl Exchange {
    fn begin(telemetry: &Telemetry, request: &Request) -> Self {
        let since = Instant::now();
        let method = http::known_method(request.method());
        let route = request.extensions().get::<MatchedPath>().cloned();
        let traces = &telemetry.traces;
        let incoming = traces.propagators.extract(request.headers());
        let context = match telemetry.tracer() {
            // Without a recorder we are no part of the trace: what came in goes out as it is.
            None => incoming,
            Some(tracer) => match traces.edge.decide(incoming) {
                Verdict::PassOn(context) => context,
                Verdict::Record(origin) => {
                    let span = http::server_span(traces.query, request, method, route.as_ref());
                    origin.enter(tracer, span)
                }
            },
        };
        Self { telemetry: telemetry.clone(), context, method, route, since, answered: false }
    }

    fn finish(&mut self, response: &Response) {
        self.answered = true;
        let status = response.status();
        http::finish(&self.context, status);
        self.count(status.as_u16());
        if status.is_server_error() && response.extensions().get::<NotLogged>().is_none() {
            self.warn(status.as_u16());
        }
    }

    fn count(&self, status: u16) {
        let span = self.context.span();
        // What somebody else samples, and we do not record, is no trace with us in it.
        let is_ours = self.telemetry.tracer().is_some();
        let sampled = Some(span.span_context()).filter(|ids| is_ours && ids.is_sampled());
        let metrics = &self.telemetry.traces.metrics;
        metrics.request(self.method, self.route.as_ref(), status, self.since.elapsed(), sampled);
    }

    /// Once a second and route: a line for each would say no more, and leave less for those who are served.
    fn warn(&self, status: u16) {
        let route = self.route.as_ref().map_or("", MatchedPath::as_str);
        let Some(left_out) = self.telemetry.traces.warnings.due(route) else { return };
        // Attached so that the line carries the ids of the trace.
        let _current = self.context.clone().attach();
        tracing::warn!(method = self.method, route, status, left_out, "request failed");
    }
}

/// Ends a request whose handler panics while the panic passes by: whoever catches it further out has no answer to give.
struct Panics<'a>(&'a mut Exchange);

impl Drop for Panics<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let status = ::http::StatusCode::INTERNAL_SERVER_ERROR;
            self.0.answered = true;
            http::finish(&self.0.context, status);
            self.0.count(status.as_u16());
        }
    }
}

/// Ends the span of a request whose client went away, whoever else still holds the context, and counts it.
impl Drop for Exchange {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        self.context.span().end();
        self.count(http::CLIENT_GONE);
    }
}

#[cfg(test)]
mod tests;
