//! A target in a cluster, as the experiment sees it.

use k8s_openapi::api::core::v1::HostAlias;
use tokio::sync::watch;

use super::rollback::go_back;
use super::rollout::{Candidate, Rollout, delete_pod};
use super::site::Site;
use super::{Cluster, agents, collector, interposition};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::platform::Platform;
use crate::steer::{Agents, Back, Collector, Interposition, PodTable};

/// A deployment of a cluster; the caller holds the Lease of its namespace under the run's name.
pub struct InCluster<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Label selector of the target's pods.
    pub selector: &'a str,
    /// Its dependencies, and where agents can stand before them.
    pub sites: &'a [Site],
    /// What is rolled in.
    pub candidate: Candidate,
    /// Image of the agents.
    pub agent_image: &'a str,
}

impl Platform for InCluster<'_> {
    type Lead = Vec<HostAlias>;
    type Rollout = Rollout;

    async fn agents(&self, plan: &Plan) -> Result<Agents, Failure> {
        agents::deploy(self.cluster, plan, self.agent_image).await
    }

    async fn collect(&self, plan: &Plan) -> Result<Collector, Failure> {
        collector::collect(self.cluster, &plan.target, self.selector).await
    }

    async fn interpose(
        &self,
        plan: &Plan,
        pods: watch::Receiver<PodTable>,
    ) -> Result<(Interposition, Self::Lead), Failure> {
        interposition::interpose(self.cluster, plan, self.sites, self.agent_image, pods).await
    }

    async fn rollout(
        &self,
        plan: &Plan,
        lead: &Self::Lead,
        pods: watch::Receiver<PodTable>,
    ) -> Result<Rollout, Failure> {
        Rollout::prepare(self.cluster, &plan.target, &plan.run, &self.candidate, lead, pods).await
    }

    async fn delete(&self, pod: &str) -> Result<(), Failure> {
        delete_pod(self.cluster, pod).await
    }

    async fn go_back(&self, plan: &Plan, back: Back) -> Result<Option<String>, Failure> {
        go_back(self.cluster, &plan.target.deployment, back).await
    }
}
