//! The target as this run has written it: whoever else changes its spec meanwhile is told by name.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{Api, ResourceExt};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::Cluster;
use super::patches::MANAGER;
use crate::failure::Failure;

/// How often the deployment is looked at.
const LOOK: Duration = Duration::from_secs(2);

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

    /// Waits until somebody else has changed the spec, and says who and when. An API server that does not answer for a
    /// moment is no sign of it.
    pub(super) async fn changed(&self) -> Failure {
        loop {
            sleep(LOOK).await;
            match self.look().await {
                Ok(Some(who)) => return foreign(&self.name, &who),
                Ok(None) => {}
                Err(failure) => tracing::warn!(%failure, "the target cannot be looked at"),
            }
        }
    }

    async fn look(&self) -> Result<Option<String>, Failure> {
        let mut state = self.state.lock().await;
        let api: Api<Deployment> = self.cluster.api();
        let found = self.cluster.call("read the deployment", api.get(&self.name)).await?;
        let present = State::of(&found);
        if present.generation > state.generation && present.spec == state.spec {
            *state = present;
            return Ok(None);
        }
        Ok((present.generation > state.generation).then(|| who(&found, self.since)))
    }
}

/// Whoever wrote into the spec last, but for us, and when: as the field managers say (KEP-555).
fn who(deployment: &Deployment, since: jiff::Timestamp) -> String {
    let in_spec = |entry: &&ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:spec").is_some())
    };
    let entries = deployment.metadata.managed_fields.iter().flatten();
    let others = entries.filter(|entry| entry.manager.as_deref() != Some(MANAGER)).filter(in_spec);
    // Times are of whole seconds there.
    let recent = others.filter_map(|entry| {
        let at = entry.time.as_ref()?.0;
        (at.as_second() >= since.as_second()).then(|| (at, entry.manager.clone().unwrap_or_default()))
    });
    match recent.max() {
        Some((at, manager)) => format!("`{manager}` at {at}"),
        None => "somebody that no field manager names".to_owned(),
    }
}

fn foreign(deployment: &str, who: &str) -> Failure {
    Failure::environment(format!("deployment/{deployment} was changed by {who} while the run worked on it"))
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
        assert_eq!(written.look().await.unwrap(), None);
        fake.put(PATH, deployment(4, &json!([before])));
        written.by(async { Ok(api.get("users").await.unwrap()) }).await.unwrap();
        assert_eq!(written.look().await.unwrap(), None, "that was us");
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
        assert_eq!(written.look().await.unwrap(), None);
        scaled["metadata"]["generation"] = json!(5);
        scaled["spec"]["minReadySeconds"] = json!(7);
        fake.put(PATH, scaled);
        assert!(written.look().await.unwrap().is_some(), "what comes after it is noticed");
    }
}
