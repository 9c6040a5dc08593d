//! Runs the watches, keeps their facts, and shows the present pods to whoever steers the run.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::watch::Watched;
use super::{Cluster, Target};
use crate::evidence::{Change, Fact, ObjectFact, ObjectKind};
use crate::failure::Failure;

/// Facts that may wait for the collector; a roll of 100 pods makes about 2,000.
const QUEUE: usize = 10_000;

/// How long the first lists may take.
const FIRST_LISTS: Duration = Duration::from_secs(20);

/// The pods of the target by name, as the watch shows them.
pub type PodTable = BTreeMap<String, PodBrief>;

/// What steering a run needs to know of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodBrief {
    /// Its address, once it has one.
    pub ip: Option<IpAddr>,
    /// Hash of its template.
    pub hash: String,
    /// Whether its deletion was asked for.
    pub leaving: bool,
    /// Whether its condition Ready is true.
    pub ready: bool,
    /// Why a container waits, if one does.
    pub waiting: Option<String>,
}

/// The running watches of one target.
pub struct Collector {
    watches: JoinSet<()>,
    keeper: JoinHandle<Vec<Fact>>,
    pods: watch::Receiver<PodTable>,
}

impl Collector {
    /// Starts the watches and waits until each has sent its first list.
    pub async fn start(cluster: &Cluster, target: &Target) -> Result<Self, Failure> {
        let (facts, received) = mpsc::channel(QUEUE);
        let (table, pods) = watch::channel(PodTable::new());
        let mut watches = JoinSet::new();
        let (service, selector) = (&target.plan.service, Some(target.selector.clone()));
        watches.spawn(
            Watched::<Deployment> {
                api: cluster.api(),
                kind: ObjectKind::Deployment,
                labels: None,
                name: Some(target.plan.deployment.clone()),
            }
            .follow(facts.clone()),
        );
        watches.spawn(
            Watched::<ReplicaSet> {
                api: cluster.api(),
                kind: ObjectKind::ReplicaSet,
                labels: selector.clone(),
                name: None,
            }
            .follow(facts.clone()),
        );
        watches.spawn(
            Watched::<Pod> { api: cluster.api(), kind: ObjectKind::Pod, labels: selector, name: None }
                .follow(facts.clone()),
        );
        watches.spawn(
            Watched::<EndpointSlice> {
                api: cluster.api(),
                kind: ObjectKind::EndpointSlice,
                labels: Some(format!("kubernetes.io/service-name={service}")),
                name: None,
            }
            .follow(facts),
        );
        let keeper = tokio::spawn(keep(received, table));
        let mut collector = Self { watches, keeper, pods };
        collector.first_lists().await?;
        Ok(collector)
    }

    /// The present pods; the receiver is told of every change.
    pub fn pods(&self) -> watch::Receiver<PodTable> {
        self.pods.clone()
    }

    /// Ends the watches and hands over what they saw.
    pub async fn finish(mut self) -> Vec<Fact> {
        self.watches.shutdown().await;
        self.keeper.await.unwrap_or_default()
    }

    async fn first_lists(&mut self) -> Result<(), Failure> {
        let listed = self.pods.wait_for(|pods| !pods.is_empty());
        match tokio::time::timeout(FIRST_LISTS, listed).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Failure::environment("the watch on the target's pods showed none within 20 s")),
        }
    }
}

async fn keep(mut received: mpsc::Receiver<Fact>, table: watch::Sender<PodTable>) -> Vec<Fact> {
    let mut facts = Vec::new();
    while let Some(fact) = received.recv().await {
        if let Fact::Object(object) = &fact
            && object.kind == ObjectKind::Pod
        {
            table.send_if_modified(|pods| update(pods, object));
        }
        facts.push(fact);
    }
    facts
}

fn update(pods: &mut PodTable, fact: &ObjectFact) -> bool {
    let object = &fact.object;
    let text = |pointer: &str| object.pointer(pointer).and_then(|v| v.as_str()).map(str::to_owned);
    let Some(name) = text("/metadata/name") else {
        return false;
    };
    if fact.change == Change::Deleted {
        return pods.remove(&name).is_some();
    }
    let conditions = object.pointer("/status/conditions").and_then(|v| v.as_array());
    let containers = object.pointer("/status/containerStatuses").and_then(|v| v.as_array());
    let brief = PodBrief {
        ip: text("/status/podIP").and_then(|ip| ip.parse().ok()),
        hash: text("/metadata/labels/pod-template-hash").unwrap_or_default(),
        leaving: object.pointer("/metadata/deletionTimestamp").is_some(),
        ready: conditions
            .is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")),
        waiting: containers.and_then(|all| all.iter().find_map(|c| c.pointer("/state/waiting"))).map(|w| {
            format!("{}: {}", w["reason"].as_str().unwrap_or(""), w["message"].as_str().unwrap_or(""))
        }),
    };
    pods.insert(name, brief.clone()) != Some(brief)
}
