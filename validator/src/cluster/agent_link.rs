//! Steers one load agent through a port-forward.

use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde::Serialize;

use super::forward::Forward;
use crate::evidence::Fact;
use crate::load::{AGENT_PORT, AgentStatus, LoadPlan, ProbedPod};
use crate::moment::now_ms;

/// Round trips of one clock measurement; the shortest one counts.
const CLOCK_ROUNDS: usize = 8;

/// Attempts of a call whose forwarded connection broke. Calls are safe to repeat: a second start is
/// refused by the agent, the rest change nothing twice.
const ATTEMPTS: usize = 4;

/// How an agent's clock stands to ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockOffset {
    /// Agent minus validator, in ms.
    pub(super) offset_ms: f64,
    /// Half of the shortest round trip, in ms.
    pub(super) uncertainty_ms: f64,
}

/// One agent.
#[derive(Clone)]
pub(super) struct AgentLink {
    pods: Api<Pod>,
    pub(super) pod: String,
}

impl AgentLink {
    pub(super) fn new(pods: Api<Pod>, pod: String) -> Self {
        Self { pods, pod }
    }

    pub(super) async fn start(&self, plan: &LoadPlan) -> Result<(), String> {
        self.send(Method::POST, "/start", plan).await
    }

    pub(super) async fn probes(&self, pods: &[ProbedPod]) -> Result<(), String> {
        self.send(Method::PUT, "/probes", &pods).await
    }

    pub(super) async fn stop(&self) -> Result<(), String> {
        self.send(Method::POST, "/stop", &()).await
    }

    pub(super) async fn evidence(&self) -> Result<Vec<Fact>, String> {
        let body = self.call(Method::GET, "/evidence", None).await?;
        body.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|e| e.to_string()))
            .collect()
    }

    pub(super) async fn clock(&self) -> Result<ClockOffset, String> {
        let mut forward = Forward::open(&self.pods, &self.pod, AGENT_PORT).await?;
        let mut best = ClockOffset { offset_ms: 0.0, uncertainty_ms: f64::INFINITY };
        for _ in 0..CLOCK_ROUNDS {
            let asked = now_ms();
            let (_, body) = forward.exchange(Method::GET, "/status", None).await?;
            let heard = now_ms();
            let status: AgentStatus = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
            let uncertainty_ms = (heard - asked) / 2.0;
            if uncertainty_ms < best.uncertainty_ms {
                best = ClockOffset { offset_ms: status.now_ms - f64::midpoint(asked, heard), uncertainty_ms };
            }
        }
        Ok(best)
    }

    async fn send(&self, method: Method, path: &str, body: &impl Serialize) -> Result<(), String> {
        let body = serde_json::to_vec(body).map_err(|e| e.to_string())?;
        self.call(method, path, Some(body)).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let attempt = async {
                let mut forward = Forward::open(&self.pods, &self.pod, AGENT_PORT).await?;
                forward.exchange(method.clone(), path, body.clone()).await
            };
            match attempt.await {
                Ok((status, answer)) if status.is_success() => return Ok(answer.to_vec()),
                // A start whose answer was lost on the way has been heard.
                Ok((StatusCode::CONFLICT, _)) if path == "/start" && !last.is_empty() => {
                    return Ok(Vec::new());
                }
                Ok((status, answer)) => {
                    return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&answer)));
                }
                Err(error) => last = error,
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        Err(format!("{path}: {last}"))
    }
}
