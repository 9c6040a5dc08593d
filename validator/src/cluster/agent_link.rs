//! Steers one load agent.

use std::time::Duration;

use http::Method;

use super::Cluster;
use super::api_link::{ApiLink, ClockOffset};
use crate::evidence::Fact;
use crate::load::{
    AGENT_PORT, AgentStatus, DirectPlan, ImpatiencePlan, LoadPlan, PausePlan, ProbedPod, SecretHeaders,
};

/// One agent.
#[derive(Clone)]
pub(super) struct AgentLink {
    api: ApiLink,
}

impl AgentLink {
    pub(super) fn new(cluster: &Cluster, pod: String) -> Self {
        Self { api: ApiLink::new(cluster, pod, AGENT_PORT) }
    }

    pub(super) fn pod(&self) -> &str {
        &self.api.pod
    }

    pub(super) async fn headers(&self, headers: &SecretHeaders) -> Result<(), String> {
        self.api.send(Method::PUT, "/headers", headers).await
    }

    pub(super) async fn start(&self, plan: &LoadPlan) -> Result<(), String> {
        self.api.send(Method::POST, "/start", plan).await
    }

    pub(super) async fn probes(&self, pods: &[ProbedPod]) -> Result<(), String> {
        self.api.send(Method::PUT, "/probes", &pods).await
    }

    pub(super) async fn direct(&self, plan: &DirectPlan) -> Result<(), String> {
        self.api.send(Method::PUT, "/direct", plan).await
    }

    pub(super) async fn pause(&self, plan: PausePlan) -> Result<(), String> {
        self.api.send(Method::POST, "/pause", &plan).await
    }

    pub(super) async fn impatience(&self, plan: ImpatiencePlan) -> Result<(), String> {
        self.api.send(Method::POST, "/impatience", &plan).await
    }

    pub(super) async fn stop(&self) -> Result<(), String> {
        self.api.send(Method::POST, "/stop", &()).await
    }

    pub(super) async fn evidence(&self) -> Result<Vec<Fact>, String> {
        self.api.evidence().await
    }

    /// Lets the agent hear that we are alive.
    pub(super) async fn word(&self) -> Result<(), String> {
        self.api.ask::<AgentStatus>("/status", Duration::from_secs(5)).await.map(drop)
    }

    pub(super) async fn clock(&self) -> Result<ClockOffset, String> {
        self.api.clock().await
    }
}
