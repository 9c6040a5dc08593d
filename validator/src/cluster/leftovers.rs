//! What a run leaves in the cluster while it works, and how it is taken away again.

use std::time::Duration;

use http::Method;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::api_link::ApiLink;
use super::manifest::ROLE_LABEL;
use super::{Cluster, rollback, selector};
use crate::failure::Failure;
use crate::middle::{MIDDLE_PORT, MiddleStatus};

/// Label of every object that a run creates; the value is the run's name.
pub const RUN_LABEL: &str = "golive.dev/run";

/// How long middle agents may take to end their connections.
const HAND_BACK_DEADLINE: Duration = Duration::from_secs(65);

/// Attempts to give a Service its selector back, and the time between two.
const ATTEMPTS: usize = 3;
const BETWEEN: Duration = Duration::from_secs(1);

/// Removes every object of earlier runs in the namespace, gives Services their selectors back and undoes unfinished
/// rolls. Returns what was done, in words. The caller holds the Lease.
///
/// While a Service still leads to an agent, all agents, their shadow Services and the guardian stay: without them the
/// Service would lead to no pod.
///
/// # Errors
/// The first one; everything else is done all the same.
pub async fn clean_up(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut work = Work { done: Vec::new(), failed: None };
    let led = give_back_selectors(cluster, &mut work).await;
    undo_rolls(cluster, &mut work).await;
    delete::<Pod>(cluster, "pod", "load", &mut work).await;
    if led {
        return work.end();
    }
    hand_back(cluster, &mut work).await;
    delete::<Deployment>(cluster, "deployment", "middle", &mut work).await;
    delete::<Service>(cluster, "service", "shadow", &mut work).await;
    delete::<Pod>(cluster, "pod", "middle", &mut work).await;
    delete::<Pod>(cluster, "pod", "guardian", &mut work).await;
    delete::<RoleBinding>(cluster, "rolebinding", "guardian", &mut work).await;
    delete::<Role>(cluster, "role", "guardian", &mut work).await;
    delete::<ServiceAccount>(cluster, "serviceaccount", "guardian", &mut work).await;
    work.end()
}

/// What a clean-up has done, and the first thing that it could not do.
struct Work {
    done: Vec<String>,
    failed: Option<Failure>,
}

impl Work {
    fn note(&mut self, result: Result<impl IntoIterator<Item = String>, Failure>) {
        match result {
            Ok(done) => self.done.extend(done),
            Err(failure) if self.failed.is_none() => self.failed = Some(failure),
            Err(failure) => tracing::warn!(%failure, "clean-up"),
        }
    }

    /// Gives what a call found; nothing, noted, when it failed.
    fn found<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.note(Err::<Vec<String>, _>(failure))).ok()
    }

    fn end(self) -> Result<Vec<String>, Failure> {
        self.failed.map_or(Ok(self.done), Err)
    }
}

/// A Service that could not be given back, or the list of them that could not be read.
struct Left {
    failure: Failure,
    /// Whether agents must stay for its sake; not to know is to leave what may be needed.
    led: bool,
}

/// Says whether a Service still leads to an agent.
async fn give_back_selectors(cluster: &Cluster, work: &mut Work) -> bool {
    for _ in 1..ATTEMPTS {
        if give_back_once(cluster, work).await.is_empty() {
            return false;
        }
        sleep(BETWEEN).await;
    }
    let left = give_back_once(cluster, work).await;
    let led = left.iter().any(|left| left.led);
    for Left { failure, .. } in left {
        work.note(Err::<Vec<String>, _>(failure));
    }
    led
}

/// Tries every Service, whatever becomes of the others.
async fn give_back_once(cluster: &Cluster, work: &mut Work) -> Vec<Left> {
    let services: Api<Service> = cluster.api();
    let found = match cluster.call("list services", services.list(&ListParams::default())).await {
        Ok(found) => found,
        Err(failure) => return vec![Left { failure, led: true }],
    };
    let mut left = Vec::new();
    for service in &found {
        let led = selector::is_led(service);
        match selector::give_back(cluster, service).await {
            Ok(None) if led => left.push(Left { failure: nameless(service), led }),
            Ok(done) => work.done.extend(done),
            Err(failure) => left.push(Left { failure, led }),
        }
    }
    left
}

fn nameless(service: &Service) -> Failure {
    let name = service.name_any();
    Failure::environment(format!(
        "service/{name} leads to a middle agent, and its own selector is noted nowhere"
    ))
    .hint(format!("give it its selector: kubectl edit service/{name}; then clean up again"))
}

async fn undo_rolls(cluster: &Cluster, work: &mut Work) {
    let deployments: Api<Deployment> = cluster.api();
    let all = cluster.call("list deployments", deployments.list(&ListParams::default())).await;
    for deployment in work.found(all).into_iter().flatten() {
        work.note(rollback::undo(cluster, &deployment).await);
    }
}

/// Has every middle agent end its connections when they are idle, before its pod is deleted with what is in flight.
/// An agent that does not answer has none that could be saved.
async fn hand_back(cluster: &Cluster, work: &mut Work) {
    let pods: Api<Pod> = cluster.api();
    let agents = ListParams::default().labels(&format!("{RUN_LABEL},{ROLE_LABEL}=middle"));
    let found = cluster.call("list middle agents", pods.list(&agents)).await;
    let deadline = Instant::now() + HAND_BACK_DEADLINE;
    let waiting = work.found(found).into_iter().flatten().map(|pod| {
        let link = ApiLink::new(pods.clone(), pod.name_any(), MIDDLE_PORT);
        async move { drained(&link, deadline).await }
    });
    futures_util::future::join_all(waiting).await;
}

async fn drained(link: &ApiLink, deadline: Instant) {
    let answer = Duration::from_secs(3);
    if timeout(answer * 2, link.send(Method::POST, "/hand-back", &())).await.is_ok_and(|told| told.is_err()) {
        return;
    }
    while Instant::now() < deadline {
        match link.ask::<MiddleStatus>("/status", answer).await {
            Ok(status) if status.connections + status.others > 0 => sleep(Duration::from_millis(250)).await,
            _ => return,
        }
    }
}

/// Deletes every object of one kind that carries our label and plays this part.
async fn delete<K>(cluster: &Cluster, kind: &str, role: &str, work: &mut Work)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = cluster.api();
    let ours = ListParams::default().labels(&format!("{RUN_LABEL},{ROLE_LABEL}={role}"));
    let found = cluster.call(&format!("list each {kind} of ours"), api.list(&ours)).await;
    let at_once = DeleteParams::background().grace_period(0);
    for name in work.found(found).into_iter().flatten().map(|object| object.name_any()) {
        let deleted = cluster.call(&format!("delete {kind}/{name}"), gone(&api, &name, &at_once)).await;
        // Its owner may have been faster.
        work.note(deleted.map(|deleted| deleted.then(|| format!("{kind}/{name} deleted"))));
    }
}

async fn gone<K>(api: &Api<K>, name: &str, params: &DeleteParams) -> Result<bool, kube::Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    match api.delete(name, params).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fake::Fake;
    use super::*;

    const CORE: &str = "/api/v1/namespaces/demo";

    fn led(name: &str) -> Value {
        let note = json!({ "golive.dev/original-selector": format!("{{\"app\":\"{name}\"}}") });
        let agent = format!("golive-users-a-{name}");
        let selector = json!({ "golive.dev/middle": agent });
        json!({ "metadata": { "name": name, "annotations": note }, "spec": { "selector": selector } })
    }

    fn ours(fake: &Fake, collection: &str, name: &str, role: &str) {
        let labels = json!({ RUN_LABEL: "golive-users-a", ROLE_LABEL: role });
        fake.put(&format!("{collection}/{name}"), json!({ "metadata": { "name": name, "labels": labels } }));
    }

    /// What a dead run leaves: two Services led to agents, and everything that stands behind them.
    async fn left_behind() -> (Fake, Cluster) {
        let (fake, cluster) = Fake::start().await;
        for name in ["postgres", "redis"] {
            fake.put(&format!("{CORE}/services/{name}"), led(name));
        }
        ours(&fake, "/apis/apps/v1/namespaces/demo/deployments", "agent", "middle");
        ours(&fake, &format!("{CORE}/services"), "shadow", "shadow");
        ours(&fake, &format!("{CORE}/pods"), "guardian", "guardian");
        ours(&fake, &format!("{CORE}/pods"), "load", "load");
        (fake, cluster)
    }

    fn leads_home(fake: &Fake, name: &str) -> bool {
        fake.get(&format!("{CORE}/services/{name}")).unwrap()["spec"]["selector"] == json!({ "app": name })
    }

    #[tokio::test]
    async fn what_one_service_needs_stays_until_it_has_its_selector_again() {
        let (fake, cluster) = left_behind().await;
        fake.refuse(&format!("{CORE}/services/postgres"), 1_000);
        clean_up(&cluster).await.unwrap_err();
        assert!(leads_home(&fake, "redis"), "one that fails keeps no other one from its selector");
        let left = fake.paths().join(" ");
        for needed in ["deployments/agent", "services/shadow", "pods/guardian"] {
            assert!(left.contains(needed), "{needed} is gone: {left}");
        }
        assert!(!left.contains("pods/load"), "nothing needs the load agents");
        fake.refuse(&format!("{CORE}/services/postgres"), 0);
        clean_up(&cluster).await.unwrap();
        assert!(leads_home(&fake, "postgres"));
        assert_eq!(fake.paths().len(), 2, "{:?}", fake.paths());
    }

    #[tokio::test]
    async fn a_service_that_cannot_be_patched_for_a_moment_is_tried_again() {
        let (fake, cluster) = left_behind().await;
        fake.refuse(&format!("{CORE}/services/postgres"), 2);
        let done = clean_up(&cluster).await.unwrap();
        assert!(leads_home(&fake, "postgres") && leads_home(&fake, "redis"), "{done:?}");
        assert_eq!(fake.paths().len(), 2);
    }

    #[tokio::test]
    async fn agents_stay_before_a_service_whose_own_selector_is_unknown() {
        let (fake, cluster) = left_behind().await;
        let mut service = led("redis");
        service["metadata"]["annotations"] = json!({});
        fake.put(&format!("{CORE}/services/redis"), service);
        let failure = clean_up(&cluster).await.unwrap_err().to_string();
        assert!(failure.contains("service/redis"), "{failure}");
        assert!(fake.paths().join(" ").contains("deployments/agent"));
    }
}
