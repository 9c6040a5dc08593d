//! Speaks to the API of one of our agents.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::dial::{Dial, Forward};
use crate::evidence::Fact;
use crate::moment::now_ms;

/// Attempts of a call whose forwarded connection broke. Every call of ours may be heard twice: it sets something
/// that is then set already, or it only reads.
const ATTEMPTS: usize = 4;

/// Round trips of one clock measurement; the shortest one counts.
const CLOCK_ROUNDS: usize = 8;

/// How the clock of an agent stands to ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockOffset {
    /// Agent minus validator, in ms.
    pub(super) offset_ms: f64,
    /// Half of the shortest round trip, in ms.
    pub(super) uncertainty_ms: f64,
}

/// One of our agents.
#[derive(Clone)]
pub(super) struct ApiLink {
    dial: Dial,
    // Held for one exchange: the forwarded connection carries one at a time.
    forward: Arc<Mutex<Option<Forward>>>,
}

impl ApiLink {
    pub(super) fn new(dial: Dial) -> Self {
        Self { dial, forward: Arc::default() }
    }

    /// Asks once, within a deadline.
    pub(super) async fn ask<T: DeserializeOwned>(&self, path: &str, within: Duration) -> Result<T, String> {
        let asked = timeout(within, self.exchange(&Method::GET, path, None)).await;
        let (status, body) = asked.map_err(|_| format!("{path}: no answer within {within:?}"))??;
        if !status.is_success() {
            return Err(format!("{path}: {status}"));
        }
        serde_json::from_slice(&body).map_err(|e| format!("{path}: {e}"))
    }

    /// Sends a value, again when the forwarded connection breaks.
    pub(super) async fn send(&self, method: Method, path: &str, body: &impl Serialize) -> Result<(), String> {
        let body = serde_json::to_vec(body).map_err(|e| e.to_string())?;
        self.call(&method, path, Some(body)).await.map(drop)
    }

    /// Fetches the facts that the agent kept.
    pub(super) async fn evidence(&self) -> Result<Vec<Fact>, String> {
        let body = self.call(&Method::GET, "/evidence", None).await?;
        body.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|e| e.to_string()))
            .collect()
    }

    /// Measures the agent's clock by `now_ms` of its status.
    pub(super) async fn clock(&self) -> Result<ClockOffset, String> {
        let mut best = ClockOffset { offset_ms: 0.0, uncertainty_ms: f64::INFINITY };
        for _ in 0..CLOCK_ROUNDS {
            let asked = now_ms();
            let status: serde_json::Value = self.ask("/status", Duration::from_secs(5)).await?;
            let heard = now_ms();
            let there = status["now_ms"].as_f64().ok_or("/status: no now_ms")?;
            let uncertainty_ms = (heard - asked) / 2.0;
            if uncertainty_ms < best.uncertainty_ms {
                best = ClockOffset { offset_ms: there - f64::midpoint(asked, heard), uncertainty_ms };
            }
        }
        Ok(best)
    }

    async fn call(&self, method: &Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.exchange(method, path, body.clone()).await {
                Ok((status, answer)) if status.is_success() => return Ok(answer),
                // A start whose answer was lost on the way has been heard.
                Ok((StatusCode::CONFLICT, _)) if path == "/start" && !last.is_empty() => {
                    return Ok(Vec::new());
                }
                Ok((status, answer)) => {
                    return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&answer)));
                }
                Err(error) => last = error,
            }
            sleep(Duration::from_millis(500)).await;
        }
        Err(format!("{path}: {last}"))
    }

    /// Takes the forwarded connection out while it is used: a call that is dropped or fails leaves none behind.
    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let mut slot = self.forward.lock().await;
        let mut forward = match slot.take() {
            Some(forward) => forward,
            None => Forward::open(&self.dial).await?,
        };
        let (status, body) = forward.exchange(method.clone(), path, body).await?;
        *slot = Some(forward);
        Ok((status, body.to_vec()))
    }
}
