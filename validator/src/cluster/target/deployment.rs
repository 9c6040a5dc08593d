//! The deployment itself: found, at rest, and such that its pods can be told apart.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodSpec;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::kind;
use crate::cluster::Cluster;
use crate::cluster::rollout::is_settled;
use crate::failure::Failure;

/// Reads it; the failure says which other kind has that name, else it lists the deployments that there are.
pub(super) async fn find(cluster: &Cluster, name: &str) -> Result<Deployment, Failure> {
    let api: Api<Deployment> = cluster.api();
    if let Some(found) = cluster.call("read the deployment", api.get_opt(name)).await? {
        Box::pin(kind::not_referenced(cluster, name)).await?;
        return Ok(found);
    }
    if let Some(other) = Box::pin(kind::other(cluster, name)).await {
        return Err(other);
    }
    let all = cluster.call("list deployments", api.list(&ListParams::default())).await?;
    let names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
    let missing = Failure::usage(format!("no deployment `{name}` in namespace `{}`", cluster.namespace));
    Err(if names.is_empty() {
        missing.hint("there is no deployment at all in that namespace; is `-n NAMESPACE` right?")
    } else {
        missing.hint(format!("deployments there: {}", names.join(", ")))
    })
}

/// A roll that is already under way would be measured as ours.
pub(super) fn at_rest(deployment: &Deployment) -> Result<(), Failure> {
    let name = deployment.name_any();
    let spec = deployment.spec.as_ref();
    let replicas = spec.and_then(|s| s.replicas).unwrap_or(1);
    if replicas == 0 {
        // Who scaled it down knows why: its pods may be somebody else's now, and a command of ours would bring them twice.
        return Err(Failure::usage(format!("deployment `{name}` has 0 replicas: there is nothing to gate")).hint(
            "scale it up if it is meant to serve; if something else runs its pods (an Argo Rollout by workloadRef) or \
             scales it to zero (KEDA, Knative), only a Deployment with pods of its own can be gated",
        ));
    }
    if spec.and_then(|s| s.paused).unwrap_or(false) {
        return Err(Failure::usage(format!("deployment `{name}` is paused"))
            .hint(format!("kubectl rollout resume deployment/{name}")));
    }
    if is_settled(deployment) {
        return Ok(());
    }
    let available = deployment.status.as_ref().and_then(|s| s.available_replicas).unwrap_or(0);
    Err(Failure::environment(format!(
        "deployment `{name}` is not at rest: {available} of {replicas} replicas are available"
    ))
    .hint(format!("kubectl rollout status deployment/{name}, then run again")))
}

/// Two rolls make two revisions: the one to go back to must outlive both. A run that rolls nothing needs none.
pub(super) fn can_go_back(deployment: &Deployment) -> Result<(), Failure> {
    let kept = deployment.spec.as_ref().and_then(|s| s.revision_history_limit).unwrap_or(10);
    if kept >= 2 {
        return Ok(());
    }
    let name = deployment.name_any();
    let told = format!("deployment `{name}` keeps no two old revisions: it could not be rolled back");
    Err(Failure::usage(told)
        .hint(format!("kubectl patch deployment {name} -p '{{\"spec\":{{\"revisionHistoryLimit\":5}}}}'")))
}

/// A pod is told by its address: on the network of its node it has none of its own, and a fault would meet whatever
/// else runs there.
pub(super) fn own_network(deployment: &str, pod: &PodSpec) -> Result<(), Failure> {
    if !pod.host_network.unwrap_or(false) {
        return Ok(());
    }
    Err(Failure::usage(format!("deployment `{deployment}` runs on the network of its nodes (hostNetwork)"))
        .hint(
            "its pods cannot be told from their nodes; give them addresses of their own to have them gated",
        ))
}

/// What to call the version of an image (`NAME[:TAG][@DIGEST]`): its tag, or the label of the deployment.
pub(super) fn version(image: &str, deployment: &Deployment) -> String {
    let named = image.split('@').next().unwrap_or_default();
    let tag = named.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    let label = deployment.labels().get("app.kubernetes.io/version").map(String::as_str);
    let text = tag.or(label).unwrap_or("unknown");
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    if digits { format!("v{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::{at_rest, own_network, version};

    #[test]
    fn a_version_is_the_tag_and_never_the_digest() {
        let label = json!({ "app.kubernetes.io/version": "2.1" });
        let deployment = from_value(json!({ "metadata": { "labels": label } })).unwrap();
        let digest = format!("sha256:{}", "0".repeat(64));
        for (image, told) in [
            ("host:5000/users:1.4".to_owned(), "v1.4"),
            (format!("users:1.4@{digest}"), "v1.4"),
            (format!("host:5000/users@{digest}"), "v2.1"),
            ("host:5000/users".to_owned(), "v2.1"),
        ] {
            assert_eq!(version(&image, &deployment), told, "{image}");
        }
    }

    #[test]
    fn pods_on_the_network_of_their_node_are_refused() {
        let pod = |host: bool| from_value(json!({ "containers": [], "hostNetwork": host })).unwrap();
        assert!(own_network("users", &pod(false)).is_ok());
        let refused = own_network("users", &pod(true)).unwrap_err();
        assert_eq!(refused.exit(), crate::exit::Exit::Usage);
    }

    #[test]
    fn nothing_is_said_that_would_scale_up_what_somebody_scaled_down() {
        let empty = from_value(
            json!({ "metadata": { "name": "users" }, "spec": { "replicas": 0, "selector": {}, "template": {} } }),
        );
        let refused = at_rest(&empty.unwrap()).unwrap_err();
        assert_eq!(refused.exit(), crate::exit::Exit::Usage);
        let text = refused.to_string();
        assert!(text.contains("workloadRef") && !text.contains("kubectl scale"), "{text}");
    }
}
