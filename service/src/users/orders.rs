mod args;

use std::time::Duration;

use bytes::Bytes;
use golive_pillars::breaker::{Breaker, CallError, Class, Classify};
use http::header::{ACCEPT, RETRY_AFTER};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry::KeyValue;
use tokio::time::timeout;

pub use args::Args;
use golive_pillars::telemetry::{ClientSpan, Telemetry, semconv};

const BODY_LIMIT: usize = 1024 * 1024;
/// Shorter than any server keeps an idle connection, so that we never use one that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest time for which users are sent away because the orders service says so: its mistake is not to be theirs.
const LONGEST_ADVICE: Duration = Duration::from_hours(1);

/// The orders service, asked over HTTP.
///
/// hyper's client, since one GET needs neither cookies nor redirects nor TLS inside of a cluster; its retries are off,
/// because a retry that nobody sees makes an overload worse and a trace untrue.
#[derive(Clone)]
pub struct Orders {
    base: String,
    host: String,
    port: i64,
    deadline: Duration,
    breaker: Breaker,
    client: Client<HttpConnector, Empty<Bytes>>,
    telemetry: Telemetry,
}

/// Why there are no orders.
#[derive(Debug, thiserror::Error)]
pub enum OrdersError {
    /// The service does not know the user.
    #[error("the orders service does not know this user")]
    Unknown,
    /// The service says that it cannot answer now.
    #[error("the orders service is not available")]
    Unavailable {
        /// Its own advice when to ask again, if it was a number of seconds.
        retry_after: Option<Duration>,
    },
    /// No answer within the deadline.
    #[error("the orders service did not answer within {0:?}")]
    Deadline(Duration),
    /// No connection, or an answer that is none.
    #[error("the orders service failed: {0}")]
    Failed(&'static str),
}

impl Orders {
    /// Prepares a client for the service at `base`; connects when first used.
    pub fn new(base: &Uri, deadline: Duration, breaker: Breaker, telemetry: Telemetry) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .retry_canceled_requests(false)
            .build(connector);
        Self {
            base: base.to_string().trim_end_matches('/').to_owned(),
            host: base.host().unwrap_or_default().to_owned(),
            port: base.port_u16().map_or(80, i64::from),
            deadline,
            breaker,
            client,
            telemetry,
        }
    }

    /// The body that the service has for this user, as it is.
    pub async fn of_user(&self, id: i64) -> Result<Bytes, OrdersError> {
        self.breaker.call(self.ask(id)).await.map_err(|error| match error {
            CallError::NotPermitted { retry_after } => {
                OrdersError::Unavailable { retry_after: Some(retry_after) }
            }
            CallError::Deadline(limit) => OrdersError::Deadline(limit),
            CallError::Inner(error) => error,
            _ => OrdersError::Unavailable { retry_after: None },
        })
    }

    async fn ask(&self, id: i64) -> Result<Bytes, OrdersError> {
        let url = format!("{}/api/users/{id}/orders", self.base);
        let span = self.telemetry.client_span("GET", || self.attributes(&url));
        timeout(self.deadline, self.exchange(&url, &span)).await.unwrap_or_else(|_| {
            span.fail("timeout");
            Err(OrdersError::Deadline(self.deadline))
        })
    }

    async fn exchange(&self, url: &str, span: &ClientSpan) -> Result<Bytes, OrdersError> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(url)
            .header(ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|_| failed(span, "invalid_url"))?;
        self.telemetry.inject(span, request.headers_mut());
        let response = self.client.request(request).await.map_err(|error| {
            tracing::debug!(%error, "no answer from the orders service");
            failed(span, if error.is_connect() { "connect" } else { "io" })
        })?;
        let status = response.status();
        span.set(semconv::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        if !status.is_success() {
            span.fail(status.as_str());
            return Err(refusal(status, response.headers().get(RETRY_AFTER)));
        }
        let body = Limited::new(response.into_body(), BODY_LIMIT).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|_| failed(span, "body"))
    }

    fn attributes(&self, url: &str) -> Vec<KeyValue> {
        vec![
            KeyValue::new(semconv::HTTP_REQUEST_METHOD, "GET"),
            KeyValue::new(semconv::SERVER_ADDRESS, self.host.clone()),
            KeyValue::new(semconv::SERVER_PORT, self.port),
            KeyValue::new(semconv::URL_FULL, url.to_owned()),
        ]
    }
}

impl Classify for OrdersError {
    fn class(&self) -> Class {
        match self {
            Self::Unknown => Class::Success,
            Self::Unavailable { .. } | Self::Deadline(_) | Self::Failed(_) => Class::Failure,
        }
    }
}

fn failed(span: &ClientSpan, reason: &'static str) -> OrdersError {
    span.fail(reason);
    OrdersError::Failed(reason)
}

fn refusal(status: StatusCode, retry_after: Option<&HeaderValue>) -> OrdersError {
    match status {
        StatusCode::NOT_FOUND => OrdersError::Unknown,
        StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
            let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_ADVICE));
            OrdersError::Unavailable { retry_after }
        }
        _ => OrdersError::Failed("unexpected status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_beyond_an_hour_is_not_passed_on() {
        let advice =
            |value| match refusal(StatusCode::SERVICE_UNAVAILABLE, Some(&HeaderValue::from_static(value))) {
                OrdersError::Unavailable { retry_after } => retry_after,
                other => panic!("{other}"),
            };
        assert_eq!(advice("7"), Some(Duration::from_secs(7)));
        assert_eq!(advice("18446744073709551615"), Some(LONGEST_ADVICE));
        assert_eq!(advice("Fri, 27 Nov 2026 13:00:00 GMT"), None);
    }
}
