//! The target as this run has written it: whoever else changes its spec meanwhile is told by name.

use std::future::pending;
use std::pin::pin;

use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, ResourceExt};
use tokio::sync::Mutex;

use super::Cluster;
use super::patches::MANAGER;
use crate::failure::Failure;

/// Writes what follows from a change of the spec (its revision), and never is who made it.
const CONTROLLER: &str = "kube-controller-manager";

/// The spec that our last write has made, but for the replicas: how many there are is an autoscaler's matter, and no
/// reason to end a run. The API server counts the generation up with every change of the spec, and of nothing else.
pub(super) struct Written {
    cluster: Cluster,
    name: String,
    since: jiff::Timestamp,
    // Held for one write or one look, so that no look falls between a write and the knowledge of it.
    state: Mutex<State>,
}

struct State {
    generation: Option<i64>,
    spec: DeploymentSpec,
}

impl State {
    fn of(deployment: &Deployment) -> Self {
        let spec = deployment.spec.clone().unwrap_or_default();
        let generation = deployment.metadata.generation;
        Self { generation, spec: DeploymentSpec { replicas: None, ..spec } }
    }
}

impl Written {
    /// From this state of the deployment on.
    pub(super) fn since(cluster: &Cluster, found: &Deployment) -> Self {
        let state = Mutex::new(State::of(found));
        let since = jiff::Timestamp::now();
        Self { cluster: cluster.clone(), name: found.name_any(), since, state }
    }

    /// Writes, and knows what it has written.
    pub(super) async fn by(
        &self,
        write: impl Future<Output = Result<Deployment, Failure>>,
    ) -> Result<Deployment, Failure> {
        let mut state = self.state.lock().await;
        let written = write.await?;
        *state = State::of(&written);
        Ok(written)
    }

    /// Waits until somebody else has changed the spec or deleted the target, and says who and when. An API server that
    /// does not answer for a moment is no sign of it. It watches: who replaces an object without adding to it is named
    /// by it for a moment alone, until a controller writes over what was replaced.
    pub(super) async fn changed(&self) -> Failure {
        let api: Api<Deployment> = self.cluster.api();
        let mut versions = pin!(watch_object(api, &self.name).default_backoff());
        loop {
            match versions.next().await {
                Some(Ok(Some(found))) => {
                    if let Some(who) = self.seen(&found).await {
                        return foreign(&self.name, &format!("was changed by {who}"));
                    }
                }
                Some(Ok(None)) => return foreign(&self.name, &format!("was deleted before {}", now())),
                Some(Err(failure)) => tracing::warn!(%failure, "the target cannot be watched"),
                None => pending().await, // a watcher never ends
            }
        }
    }

    async fn seen(&self, found: &Deployment) -> Option<String> {
        let mut state = self.state.lock().await;
        let present = State::of(found);
        if present.generation <= state.generation {
            return None;
        }
        if present.spec != state.spec {
            return Some(who(found, self.since));
        }
        *state = present;
        None
    }
}

/// Whoever wrote last, but for us and the status, and when: as the field managers say (KEP-555). Of those that wrote in
/// the same second, whoever has something of the spec.
fn who(deployment: &Deployment, since: jiff::Timestamp) -> String {
    let ours = [Some(MANAGER), Some(CONTROLLER)];
    let entries = deployment.metadata.managed_fields.iter().flatten();
    let others = entries.filter(|e| e.subresource.is_none() && !ours.contains(&e.manager.as_deref()));
    // Times are of whole seconds there.
    let recent = others.filter_map(|entry| {
        let at = entry.time.as_ref()?.0;
        let of_spec = entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:spec").is_some());
        (at.as_second() >= since.as_second())
            .then(|| (at, of_spec, entry.manager.clone().unwrap_or_default()))
    });
    match recent.max() {
        Some((at, _, manager)) => format!("`{manager}` at {at}"),
        None => format!("somebody that no field manager names, before {}", now()),
    }
}

/// In the words of the API server's own times.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default()
}

fn foreign(deployment: &str, what: &str) -> Failure {
    Failure::environment(format!("deployment/{deployment} {what} while the run worked on it"))
        .hint("nothing of that was undone; run again when nobody else (a release, an autoscaler, Argo CD, Flux) changes it")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fake::Fake;
    use super::*;

    const PATH: &str = "/apis/apps/v1/namespaces/demo/deployments/users";

    fn deployment(generation: i64, fields: &Value) -> Value {
        let metadata = json!({ "name": "users", "generation": generation, "managedFields": fields });
        // Each is paused or not, so that one spec is not like the one before.
        let spec = json!({ "selector": {}, "template": {}, "paused": generation % 2 == 0, "replicas": 3 });
        json!({ "metadata": metadata, "spec": spec })
    }

    fn entry(manager: &str, time: &str, fields: &Value) -> Value {
        json!({ "manager": manager, "operation": "Update", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields })
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_else_is_named_and_we_ourselves_are_nobody_else() {
        let (fake, cluster) = Fake::start().await;
        let spec = json!({ "f:spec": { "f:replicas": {} } });
        let before = entry("helm", "2000-01-01T00:00:00Z", &spec);
        fake.put(PATH, deployment(3, &json!([before])));
        let api: Api<Deployment> = cluster.api();
        let written = Written::since(&cluster, &api.get("users").await.unwrap());
        assert_eq!(written.seen(&api.get("users").await.unwrap()).await, None);
        fake.put(PATH, deployment(4, &json!([before])));
        written.by(async { Ok(api.get("users").await.unwrap()) }).await.unwrap();
        assert_eq!(written.seen(&api.get("users").await.unwrap()).await, None, "that was us");
        let ours = entry(MANAGER, "2999-01-01T00:00:00Z", &spec);
        let status = entry("kube-controller-manager", "2999-01-01T00:00:00Z", &json!({ "f:status": {} }));
        let theirs = entry("kubectl-set", "2998-01-01T00:00:00Z", &spec);
        fake.put(PATH, deployment(5, &json!([before, theirs, status, ours])));
        let told = written.changed().await;
        assert_eq!(told.exit(), crate::exit::Exit::Inconclusive);
        assert!(told.to_string().contains("`kubectl-set` at 2998-01-01"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_autoscaler_ends_no_run() {
        let (fake, cluster) = Fake::start().await;
        fake.put(PATH, deployment(3, &json!([])));
        let api: Api<Deployment> = cluster.api();
        let written = Written::since(&cluster, &api.get("users").await.unwrap());
        let mut scaled = deployment(3, &json!([]));
        scaled["metadata"]["generation"] = json!(4);
        scaled["spec"]["replicas"] = json!(5);
        fake.put(PATH, scaled.clone());
        assert_eq!(written.seen(&api.get("users").await.unwrap()).await, None);
        scaled["metadata"]["generation"] = json!(5);
        scaled["spec"]["minReadySeconds"] = json!(7);
        fake.put(PATH, scaled);
        assert!(
            written.seen(&api.get("users").await.unwrap()).await.is_some(),
            "what comes after it is noticed"
        );
    }
}
