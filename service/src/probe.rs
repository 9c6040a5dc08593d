//! One GET, for images that have no shell and no curl.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(3);

/// Why a URL did not answer well.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Another status than 2xx.
    #[error("answered {0}")]
    Status(StatusCode),
    /// No answer within 3 s.
    #[error("no answer within {DEADLINE:?}")]
    Deadline,
    /// No connection.
    #[error("no answer: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// The system refuses a runtime.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Asks `url` once and returns the status if it is 2xx.
pub fn probe(url: Uri) -> Result<StatusCode, ProbeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = timeout(DEADLINE, client.get(url)).await.map_err(|_| ProbeError::Deadline)??;
        let status = response.status();
        if status.is_success() { Ok(status) } else { Err(ProbeError::Status(status)) }
    })
}
