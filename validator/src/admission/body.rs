//! The body of a question: how long it may be, how long it may take, and how many long ones are in memory at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::asked::Review;

/// A review holds an object twice, as it is and as it would be, the API server takes none above 3 MiB, and writes `<`, `>`
/// and `&` as six bytes each (encoding/json): 36 MiB, rounded up. What were longer would be 413, and come in.
const MAX_BODY: usize = 40 * 1024 * 1024;

/// Up to here a body is read whatever the others do: nearly all are, and connections are counted. Who announces a long one
/// and does not send it holds up long ones alone.
const SHORT: u64 = 256 * 1024;

/// Longer ones at a time: the memory of the chart (256 MiB) has room for two beside the short ones.
const LONG_AT_A_TIME: usize = 2;

/// Longest time until a body is there. The API server waits for 30 s at most, and 3 s as the chart is shipped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room for long bodies. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

/// What is answered in place of a decision.
pub(super) type Unread = (StatusCode, String);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LONG_AT_A_TIME)))
    }

    /// Reads a question. What was read is gone before this returns, but for what is looked at.
    ///
    /// # Errors
    /// 408 for a body that is not there in time, 413 for one that is too long, 422 for one that is no review.
    pub(super) async fn read(&self, body: Body) -> Result<Review, Unread> {
        let too_late = || (StatusCode::REQUEST_TIMEOUT, format!("no whole body within {PATIENCE:?}"));
        timeout(PATIENCE, self.heard(body)).await.map_err(|_| too_late())?
    }

    async fn heard(&self, body: Body) -> Result<Review, Unread> {
        let is_short = body.size_hint().upper().is_some_and(|length| length <= SHORT);
        let _place = if is_short { None } else { self.0.acquire().await.ok() };
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(MAX_BODY);
        let mut body = Limited::new(body, MAX_BODY);
        // In one piece from the start, so that nothing is held twice.
        let mut whole = Vec::with_capacity(announced.min(MAX_BODY));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| (StatusCode::PAYLOAD_TOO_LARGE, e.to_string()))?;
            if let Some(data) = frame.data_ref() {
                whole.extend_from_slice(data);
            }
        }
        serde_json::from_slice(&whole).map_err(|e| {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("no AdmissionReview of a deployment: {e}"))
        })
    }
}
