use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode, Uri};
use serde::Serialize;

use crate::users::{InvalidUser, OrdersError, StoreError};

/// An error body by RFC 9457. The only place where an error becomes a status.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

#[derive(Debug, Serialize)]
struct FieldError {
    field: String,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        // `about:blank`: the status says it all, by section 4.2.1 of the RFC.
        Self {
            kind: "about:blank",
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Bad input, with the field that is wrong.
    pub(super) fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        let mut problem = Self::new(StatusCode::BAD_REQUEST, format!("{field} {detail}"));
        problem.errors.push(FieldError { field, detail });
        problem
    }

    pub(super) fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("strings and numbers always encode");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(delay) = self.retry_after {
            headers.insert(RETRY_AFTER, jittered(whole_seconds(delay)).into());
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_after(retry_after)
            }
            StoreError::Duplicate => Self::new(StatusCode::CONFLICT, error.to_string()),
            StoreError::Refused(error) => {
                tracing::error!(%error, "a statement was refused");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be handled")
            }
        }
    }
}

impl From<OrdersError> for Problem {
    fn from(error: OrdersError) -> Self {
        let soon = Duration::from_secs(1);
        let detail = error.to_string();
        match error {
            OrdersError::Unknown => Self::new(StatusCode::NOT_FOUND, detail),
            OrdersError::Unavailable { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(retry_after.unwrap_or(soon))
            }
            OrdersError::Deadline(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(soon),
            OrdersError::Failed(_) => Self::new(StatusCode::BAD_GATEWAY, detail),
        }
    }
}

impl From<InvalidUser> for Problem {
    fn from(error: InvalidUser) -> Self {
        Self::field(error.field, error.expected)
    }
}

pub(super) async fn unknown_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

pub(super) async fn unknown_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

/// Rounded up and at least one, so that nobody comes back too early.
fn whole_seconds(delay: Duration) -> u64 {
    (delay.as_millis().div_ceil(1_000) as u64).max(1)
}

/// Up to a tenth more and at least up to a second, so that those who were refused together do not come back together.
fn jittered(seconds: u64) -> u64 {
    seconds.saturating_add(fastrand::u64(0..=(seconds / 10).max(1)))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn advice_is_rounded_up_to_whole_seconds() {
        let seconds = |milliseconds| whole_seconds(Duration::from_millis(milliseconds));
        assert_eq!([seconds(0), seconds(1), seconds(1_000), seconds(29_001)], [1, 1, 1, 30]);
    }

    #[test]
    fn advice_differs_between_those_who_get_it_together() {
        let given = |seconds| (0..1_000).map(|_| jittered(seconds)).collect::<BTreeSet<_>>();
        assert_eq!(given(1), BTreeSet::from([1, 2]));
        assert_eq!(given(9), BTreeSet::from([9, 10]));
        assert_eq!(given(30), BTreeSet::from([30, 31, 32, 33]));
    }
}
