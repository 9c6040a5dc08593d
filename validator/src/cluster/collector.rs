//! Runs the watches, keeps their facts, and shows the present pods to whoever steers the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::owned::Owned;
use super::watch::Watched;
use super::{Cluster, aliases};
use crate::evidence::{Change, Fact, ObjectFact, ObjectKind};
use crate::failure::Failure;
use crate::middle::Origin;
use crate::plan::TargetPlan;
use crate::steer::{Collector, Facts, PodBrief, PodTable};

/// Facts that may wait for the collector; a roll of 100 pods makes about 2,000.
const QUEUE: usize = 10_000;

/// How long the first lists may take.
const FIRST_LISTS: Duration = Duration::from_mins(1);

/// Starts the watches of a target and waits until each has sent its first list.
pub(super) async fn collect(
    cluster: &Cluster,
    target: &TargetPlan,
    selector: &str,
) -> Result<Collector, Failure> {
    let (facts, received) = mpsc::channel(QUEUE);
    let (table, pods) = watch::channel(PodTable::new());
    let (kept, owned) = (Facts::default(), Owned::by(&target.deployment));
    let keeper = tokio::spawn(keep(received, owned, table, Arc::clone(&kept)));
    let mut watches = Watches { facts, running: JoinSet::new() };
    let mut shown = pods.clone();
    let complete = async {
        watches.start(cluster, target, selector).await;
        shown.wait_for(|pods| !pods.is_empty()).await.is_ok()
    };
    if tokio::time::timeout(FIRST_LISTS, complete).await != Ok(true) {
        return Err(Failure::environment("the watches on the target did not show its pods within 60 s"));
    }
    Ok(Collector::new(watches.running, Some(keeper), kept, pods))
}

/// The watches, each with its first list before the next one starts.
struct Watches {
    facts: mpsc::Sender<Fact>,
    running: JoinSet<()>,
}

impl Watches {
    /// Owners first: whose an object is, is known by what owns it.
    async fn start(&mut self, cluster: &Cluster, target: &TargetPlan, selector: &str) {
        let of_service = format!("kubernetes.io/service-name={}", target.service);
        let (labels, of_service) = (Some(selector), Some(of_service.as_str()));
        self.follow::<Deployment>(cluster.api(), ObjectKind::Deployment, None, Some(&target.deployment))
            .await;
        self.follow::<ReplicaSet>(cluster.api(), ObjectKind::ReplicaSet, labels, None).await;
        self.follow::<Pod>(cluster.api(), ObjectKind::Pod, labels, None).await;
        self.follow::<EndpointSlice>(cluster.api(), ObjectKind::EndpointSlice, of_service, None).await;
    }

    async fn follow<K>(&mut self, api: Api<K>, kind: ObjectKind, labels: Option<&str>, name: Option<&str>)
    where
        K: Resource<DynamicType: Default>
            + Clone
            + DeserializeOwned
            + Serialize
            + Debug
            + Send
            + Sync
            + 'static,
    {
        let (labels, name) = (labels.map(str::to_owned), name.map(str::to_owned));
        let (watched, listed) = (Watched { api, kind, labels, name }, Arc::new(Semaphore::new(0)));
        self.running.spawn(watched.follow(self.facts.clone(), Arc::clone(&listed)));
        listed.acquire().await.map(drop).ok(); // nobody closes it
    }
}

async fn keep(
    mut received: mpsc::Receiver<Fact>,
    mut owned: Owned,
    table: watch::Sender<PodTable>,
    facts: Facts,
) {
    let mut listed = BTreeSet::new();
    while let Some(fact) = received.recv().await {
        if matches!(&fact, Fact::Object(object) if !owned.has(object)) {
            continue;
        }
        table.send_if_modified(|pods| match &fact {
            Fact::Object(object) if object.kind == ObjectKind::Pod => update(pods, &mut listed, object),
            Fact::Gap(gap) if gap.kind == ObjectKind::Pod => forget(pods, &mut listed),
            _ => false,
        });
        facts.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
    }
}

/// After a gap, pods that a new list does not name are gone.
fn forget(pods: &mut PodTable, listed: &mut BTreeSet<String>) -> bool {
    let before = pods.len();
    if !listed.is_empty() {
        pods.retain(|name, _| listed.contains(name));
        listed.clear();
    }
    pods.len() != before
}

fn update(pods: &mut PodTable, listed: &mut BTreeSet<String>, fact: &ObjectFact) -> bool {
    let object = &fact.object;
    let text = |pointer: &str| object.pointer(pointer).and_then(|v| v.as_str()).map(str::to_owned);
    let Some(name) = text("/metadata/name") else {
        return false;
    };
    if fact.change == Change::Listed {
        listed.insert(name.clone());
    } else {
        listed.clear();
    }
    // One that has failed, as by an eviction, stays in the list until somebody deletes it.
    let over = matches!(text("/status/phase").as_deref(), Some("Failed" | "Succeeded"));
    if fact.change == Change::Deleted || over {
        return pods.remove(&name).is_some();
    }
    let conditions = object.pointer("/status/conditions").and_then(|v| v.as_array());
    let containers = object.pointer("/status/containerStatuses").and_then(|v| v.as_array());
    let ip: Option<IpAddr> = text("/status/podIP").and_then(|ip| ip.parse().ok());
    let brief = PodBrief {
        origins: ip.map(Origin::from).into_iter().collect(),
        ip,
        ports: BTreeMap::new(),
        hash: text("/metadata/labels/pod-template-hash").unwrap_or_default(),
        leaving: object.pointer("/metadata/deletionTimestamp").is_some(),
        led: is_led(object),
        ready: conditions
            .is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")),
        waiting: containers
            .and_then(|all| all.iter().find_map(|c| c.pointer("/state/waiting/reason")))
            .and_then(|reason| reason.as_str())
            .map(str::to_owned),
    };
    pods.insert(name, brief.clone()) != Some(brief)
}

fn is_led(pod: &Value) -> bool {
    let entries = pod.pointer("/spec/hostAliases").and_then(Value::as_array).into_iter().flatten();
    let names = |entry: &'_ Value| entry["hostnames"].as_array().cloned().unwrap_or_default();
    entries.map(names).any(|names| aliases::is_marked(names.iter().filter_map(Value::as_str)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::{mpsc, watch};

    use super::super::owned::tests::{self as facts, deployment, set};
    use super::{Facts, Owned, PodTable, keep};
    use crate::evidence::{Change, Fact, Gap, ObjectFact, ObjectKind};

    fn pod(change: Change, name: &str) -> Fact {
        Fact::Object(ObjectFact { change, ..facts::pod(name, "users-1") })
    }

    #[tokio::test]
    async fn a_pod_that_has_failed_is_none_of_those_that_a_roll_waits_for() {
        let mut evicted = facts::pod("a", "users-1");
        evicted.object["status"] = json!({ "phase": "Failed" });
        assert_eq!(left([Fact::Object(evicted), pod(Change::Listed, "b")]).await, ["b"]);
    }

    #[tokio::test]
    async fn what_another_deployment_with_the_same_labels_owns_is_neither_kept_nor_waited_for() {
        let own = [deployment("users"), set("users-1", "users"), facts::pod("a", "users-1")];
        let foreign = [set("canary-1", "canary"), facts::pod("b", "canary-1")];
        let (kept, pods) = collected(own.into_iter().chain(foreign).map(Fact::Object)).await;
        assert_eq!(pods, ["a"]);
        let names = kept.iter().filter_map(|fact| match fact {
            Fact::Object(object) => object.object["metadata"]["name"].as_str(),
            _ => None,
        });
        assert_eq!(names.collect::<Vec<_>>(), ["users", "users-1", "a"]);
    }

    fn gap() -> Fact {
        Fact::Gap(Gap { at: 0, since: 0, kind: ObjectKind::Pod, reason: String::new() })
    }

    async fn left(facts: impl IntoIterator<Item = Fact>) -> Vec<String> {
        collected(facts).await.1
    }

    /// The facts that are kept, and the pods that are there at last.
    async fn collected(facts: impl IntoIterator<Item = Fact>) -> (Vec<Fact>, Vec<String>) {
        let (sender, received) = mpsc::channel(20);
        let (table, pods) = watch::channel(PodTable::new());
        for fact in facts {
            sender.send(fact).await.unwrap();
        }
        drop(sender);
        let kept = Facts::default();
        keep(received, Owned::by("users"), table, kept.clone()).await;
        let (kept, pods) = (kept.lock().unwrap().clone(), pods.borrow().keys().cloned().collect());
        (kept, pods)
    }

    #[tokio::test]
    async fn pods_that_went_in_a_gap_are_forgotten() {
        use Change::{Added, Deleted, Listed};
        let seen = [pod(Listed, "a"), pod(Listed, "b"), pod(Added, "c")];
        assert_eq!(left(seen.clone()).await, ["a", "b", "c"]);
        let lost = seen.iter().cloned().chain([gap()]);
        assert_eq!(left(lost.clone()).await, ["a", "b", "c"], "a gap alone says nothing of them");
        let again = lost.chain([pod(Listed, "c"), pod(Listed, "d"), gap()]);
        assert_eq!(left(again.clone()).await, ["c", "d"]);
        assert_eq!(left(again.chain([pod(Deleted, "d")])).await, ["c"]);
    }
}
