//! Runs the watches, keeps their facts, and shows the present pods to whoever steers the run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

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
const FIRST_LISTS: Duration = Duration::from_secs(20);

/// Starts the watches of a target and waits until each has sent its first list.
pub(super) async fn collect(
    cluster: &Cluster,
    target: &TargetPlan,
    selector: &str,
) -> Result<Collector, Failure> {
    let (facts, received) = mpsc::channel(QUEUE);
    let (table, pods) = watch::channel(PodTable::new());
    let mut watches = JoinSet::new();
    let listed = Arc::new(Semaphore::new(0));
    let (service, selector) = (&target.service, Some(selector.to_owned()));
    let deployment = Watched::<Deployment> {
        api: cluster.api(),
        kind: ObjectKind::Deployment,
        labels: None,
        name: Some(target.deployment.clone()),
    };
    let sets = Watched::<ReplicaSet> {
        api: cluster.api(),
        kind: ObjectKind::ReplicaSet,
        labels: selector.clone(),
        name: None,
    };
    let of_target =
        Watched::<Pod> { api: cluster.api(), kind: ObjectKind::Pod, labels: selector, name: None };
    let slices = Watched::<EndpointSlice> {
        api: cluster.api(),
        kind: ObjectKind::EndpointSlice,
        labels: Some(format!("kubernetes.io/service-name={service}")),
        name: None,
    };
    watches.spawn(deployment.follow(facts.clone(), Arc::clone(&listed)));
    watches.spawn(sets.follow(facts.clone(), Arc::clone(&listed)));
    watches.spawn(of_target.follow(facts.clone(), Arc::clone(&listed)));
    watches.spawn(slices.follow(facts, Arc::clone(&listed)));
    let kept = Facts::default();
    let keeper = tokio::spawn(keep(received, table, Arc::clone(&kept)));
    first_lists(&listed, &watches, pods.clone()).await?;
    Ok(Collector::new(watches, Some(keeper), kept, pods))
}

async fn first_lists(
    listed: &Semaphore,
    watches: &JoinSet<()>,
    mut pods: watch::Receiver<PodTable>,
) -> Result<(), Failure> {
    let all = u32::try_from(watches.len()).unwrap_or(u32::MAX);
    let pods = pods.wait_for(|pods| !pods.is_empty());
    let complete = async { listed.acquire_many(all).await.is_ok() && pods.await.is_ok() };
    if tokio::time::timeout(FIRST_LISTS, complete).await == Ok(true) {
        return Ok(());
    }
    Err(Failure::environment("the watches on the target showed no pod within 20 s"))
}

async fn keep(mut received: mpsc::Receiver<Fact>, table: watch::Sender<PodTable>, facts: Facts) {
    let mut listed = BTreeSet::new();
    while let Some(fact) = received.recv().await {
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

    use super::{Facts, PodTable, keep};
    use crate::evidence::{Change, Fact, Gap, ObjectFact, ObjectKind};

    fn pod(change: Change, name: &str) -> Fact {
        let object = json!({ "metadata": { "name": name } });
        Fact::Object(ObjectFact { at: 0, kind: ObjectKind::Pod, change, object })
    }

    #[tokio::test]
    async fn a_pod_that_has_failed_is_none_of_those_that_a_roll_waits_for() {
        let evicted = json!({ "metadata": { "name": "a" }, "status": { "phase": "Failed" } });
        let evicted = ObjectFact { at: 0, kind: ObjectKind::Pod, change: Change::Listed, object: evicted };
        assert_eq!(left([Fact::Object(evicted), pod(Change::Listed, "b")]).await, ["b"]);
    }

    fn gap() -> Fact {
        Fact::Gap(Gap { at: 0, since: 0, kind: ObjectKind::Pod, reason: String::new() })
    }

    async fn left(facts: impl IntoIterator<Item = Fact>) -> Vec<String> {
        let (sender, received) = mpsc::channel(20);
        let (table, pods) = watch::channel(PodTable::new());
        for fact in facts {
            sender.send(fact).await.unwrap();
        }
        drop(sender);
        keep(received, table, Facts::default()).await;
        pods.borrow().keys().cloned().collect()
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
