//! Which kinds of workload can be gated, and what else may stand behind a name.

use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, ResourceExt};

use crate::cluster::Cluster;
use crate::failure::Failure;

/// What is said of every other kind.
const ONLY: &str = "only a Deployment (apps/v1) can be gated: its rolls are what a run measures";

/// The name in `deployment/NAME`.
///
/// # Errors
/// Exit 2 for another kind, with the kinds that can be gated.
pub fn deployment_name(target: &str) -> Result<&str, Failure> {
    let (kind, name) = target.split_once('/').unwrap_or(("", target));
    match kind {
        "deployment" | "deployments" | "deploy" | "deployment.apps" | "deployments.apps"
            if !name.is_empty() =>
        {
            Ok(name)
        }
        "" => Err(Failure::usage(format!("`{target}`: expected deployment/NAME"))
            .hint(format!("validator run deployment/{target} -n NAMESPACE --get /PATH"))),
        _ => Err(Failure::usage(format!("`{target}`: a {kind} cannot be gated")).hint(advice(kind))),
    }
}

/// What to do with a workload of this kind instead.
fn advice(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    let why = match kind.split('.').next().unwrap_or_default() {
        "statefulset" | "statefulsets" | "sts" => {
            "a StatefulSet replaces its pods in place, one identity after the other"
        }
        "daemonset" | "daemonsets" | "ds" => {
            "a DaemonSet takes each node's pod away before it brings the next"
        }
        "rollout" | "rollouts" => {
            "an Argo Rollout brings its pods by steps of its own; its analysis can ask `validator judge`"
        }
        "job" | "jobs" | "cronjob" | "cronjobs" | "cj" => "a Job ends by itself and has no users who wait",
        "replicaset" | "replicasets" | "rs" | "pod" | "pods" | "po" => "name the Deployment that owns it",
        _ => return ONLY.to_owned(),
    };
    format!("{ONLY}; {why}")
}

/// Another kind that has the name a Deployment was looked for by. What may not be read is not there for us.
pub(super) async fn other(cluster: &Cluster, name: &str) -> Option<Failure> {
    let found = if has::<StatefulSet>(cluster, name).await {
        "StatefulSet"
    } else if has::<DaemonSet>(cluster, name).await {
        "DaemonSet"
    } else if has::<Job>(cluster, name).await {
        "Job"
    } else if rollouts(cluster).await.iter().any(|rollout| rollout.name_any() == name) {
        "Rollout"
    } else {
        return None;
    };
    let namespace = cluster.namespace();
    Some(Failure::usage(format!("`{name}` in namespace `{namespace}` is a {found}")).hint(advice(found)))
}

async fn has<K>(cluster: &Cluster, name: &str) -> bool
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + std::fmt::Debug,
    K: serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let api: Api<K> = cluster.api();
    let found = cluster.call("look for the name among other kinds", api.get_opt(name)).await;
    matches!(found, Ok(Some(_)))
}

/// Refuses a Deployment whose template an Argo Rollout runs (`workloadRef`): its pods are the Rollout's, and a change
/// of the template would start a release there.
pub(super) async fn not_referenced(cluster: &Cluster, deployment: &str) -> Result<(), Failure> {
    let refers = |rollout: &&DynamicObject| {
        let reference = &rollout.data["spec"]["workloadRef"];
        reference["kind"] == "Deployment" && reference["name"] == deployment
    };
    let Some(rollout) = rollouts(cluster).await.into_iter().find(|rollout| refers(&rollout)) else {
        return Ok(());
    };
    let name = rollout.name_any();
    Err(Failure::usage(format!(
        "deployment `{deployment}` is the template of the Argo Rollout `{name}` (workloadRef)"
    ))
    .hint(format!("its pods are the Rollout's, leave its replicas alone; {}", advice("rollout"))))
}

/// The Argo Rollouts of the namespace; none where there are none, or where they may not be read.
async fn rollouts(cluster: &Cluster) -> Vec<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"));
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), cluster.namespace(), &kind);
    let found = cluster.call("list the Rollouts", api.list(&ListParams::default())).await;
    found.map(|list| list.items).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::timeout;

    use super::{deployment_name, not_referenced, other};
    use crate::cluster::Cluster;
    use crate::cluster::fake::Fake;
    use crate::exit::Exit;

    #[test]
    fn only_deployments_are_taken_and_the_rest_is_told_what_can_be() {
        for same in ["deployment/users", "deploy/users", "deployments.apps/users"] {
            assert_eq!(deployment_name(same).unwrap(), "users");
        }
        for other in
            ["statefulset/users", "ds/users", "rollout/users", "job/users", "pod/users", "Thing/users"]
        {
            let refused = deployment_name(other).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage, "{other}");
            assert!(refused.to_string().contains("Deployment"), "{refused}");
        }
        let bare = deployment_name("users").unwrap_err().to_string();
        assert!(bare.contains("deployment/users"), "{bare}");
    }

    #[tokio::test]
    async fn a_name_of_another_kind_is_told_with_its_kind() {
        let (fake, cluster) = Fake::start().await;
        assert!(other(&cluster, "users").await.is_none());
        let path = "/apis/apps/v1/namespaces/demo/statefulsets/users";
        fake.put(path, json!({ "metadata": { "name": "users" }, "spec": { "selector": {}, "serviceName": "", "template": {} } }));
        let refused = other(&cluster, "users").await.unwrap();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.to_string().contains("is a StatefulSet"), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_not_waited_for() {
        let cluster = Cluster::over(Fake::silent(), "demo", "it".into());
        let found = timeout(Duration::from_mins(3), other(&cluster, "users")).await;
        assert!(found.expect("three kinds and the Rollouts, 30 s each").is_none());
    }

    #[tokio::test]
    async fn a_template_of_an_argo_rollout_is_refused_without_a_hint_that_would_scale_it() {
        let (fake, cluster) = Fake::start().await;
        assert!(not_referenced(&cluster, "users").await.is_ok());
        let reference = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "users" });
        let rollout = json!({ "metadata": { "name": "web" }, "spec": { "workloadRef": reference } });
        fake.put("/apis/argoproj.io/v1alpha1/namespaces/demo/rollouts/web", rollout);
        let refused = not_referenced(&cluster, "users").await.unwrap_err().to_string();
        assert!(refused.contains("Rollout `web`") && !refused.contains("kubectl scale"), "{refused}");
        assert!(not_referenced(&cluster, "orders").await.is_ok());
    }
}
