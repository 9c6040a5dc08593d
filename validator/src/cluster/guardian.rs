//! The guardian: a pod that gives the Services their selectors back when the run that took them is dead.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::manifest::{labels, object_name, pod_spec};
use super::{Cluster, lease, selector};
use crate::failure::Failure;

/// How often the guardian looks at the Lease.
const PERIOD: Duration = Duration::from_secs(5);

/// Creates the guardian of a run. Its Role names the Services and the Lease, nothing else.
pub(super) async fn create(
    cluster: &Cluster,
    run: &str,
    image: &str,
    services: &[String],
) -> Result<(), Failure> {
    let name = object_name(run, "guardian");
    let metadata = json!({ "name": name, "labels": labels(run, "guardian") });
    let post = PostParams::default();
    let account: ServiceAccount = serde_json::from_value(json!({ "metadata": metadata }))?;
    let accounts: Api<ServiceAccount> = cluster.api();
    cluster.call("create the guardian's account", accounts.create(&post, &account)).await?;
    let role: Role = serde_json::from_value(json!({ "metadata": metadata, "rules": rules(run, services) }))?;
    let roles: Api<Role> = cluster.api();
    cluster.call("create the guardian's Role", roles.create(&post, &role)).await?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": cluster.namespace() }],
    }))?;
    let bindings: Api<RoleBinding> = cluster.api();
    cluster.call("create the guardian's RoleBinding", bindings.create(&post, &binding)).await?;
    let pods: Api<Pod> = cluster.api();
    let pod = pod(cluster, run, image, services, &metadata)?;
    cluster.call("create the guardian", pods.create(&post, &pod)).await.map(drop)
}

/// Waits until the guardian runs: without it nobody would undo what a dead run leaves.
pub(super) async fn awake(cluster: &Cluster, run: &str, deadline: Instant) -> Result<(), Failure> {
    let (pods, name): (Api<Pod>, _) = (cluster.api(), object_name(run, "guardian"));
    while Instant::now() < deadline {
        let pod = cluster.call("read the guardian", pods.get(&name)).await?;
        let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
        if statuses.iter().any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some())) {
            return Ok(());
        }
        sleep(Duration::from_millis(250)).await;
    }
    Err(Failure::environment(format!("the guardian {name} did not start within 90 s"))
        .hint(format!("kubectl describe pod {name} -n {}", cluster.namespace())))
}

fn rules(run: &str, services: &[String]) -> Value {
    json!([
        { "apiGroups": [""], "resources": ["services"], "resourceNames": services, "verbs": ["get", "patch"] },
        { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [run], "verbs": ["get"] },
    ])
}

fn pod(
    cluster: &Cluster,
    run: &str,
    image: &str,
    services: &[String],
    metadata: &Value,
) -> Result<Pod, Failure> {
    let mut args = vec!["guardian".to_owned(), "--namespace".to_owned(), cluster.namespace().to_owned()];
    args.extend(["--lease".to_owned(), run.to_owned()]);
    args.extend(services.iter().flat_map(|service| ["--service".to_owned(), service.clone()]));
    let mut spec = pod_spec("guardian", image, &args, &json!([]));
    spec["automountServiceAccountToken"] = json!(true);
    spec["serviceAccountName"] = metadata["name"].clone();
    spec["restartPolicy"] = json!("OnFailure");
    Ok(serde_json::from_value(json!({ "metadata": metadata, "spec": spec }))?)
}

/// What runs in the guardian's pod: waits until the Lease has not been renewed for [`lease::LAPSE`], by this pod's
/// own clock, then restores the selectors. Ends when that is done or the Lease is gone.
///
/// # Errors
/// Exit 3 when a selector could not be restored; the kubelet starts the pod again.
pub async fn guard(cluster: &Cluster, run: &str, services: &[String]) -> Result<(), Failure> {
    let mut seen = (String::new(), Instant::now());
    loop {
        match lease::renewed(cluster, run).await {
            Ok(None) => return Ok(()),
            Ok(Some(stamp)) if stamp != seen.0 => seen = (stamp, Instant::now()),
            Ok(Some(_)) => {}
            // Not to know is no proof that the run is dead; but if it is, nobody else restores.
            Err(failure) => tracing::warn!(%failure, "the Lease cannot be read"),
        }
        if seen.1.elapsed() >= lease::LAPSE {
            return restore(cluster, services).await;
        }
        sleep(PERIOD).await;
    }
}

async fn restore(cluster: &Cluster, services: &[String]) -> Result<(), Failure> {
    let api: Api<Service> = cluster.api();
    for name in services {
        if let Some(service) = cluster.call("read a Service", api.get_opt(name)).await?
            && let Some(done) = selector::give_back(cluster, &service).await?
        {
            tracing::warn!("{done}: the run has not renewed its Lease for 60 s");
        }
    }
    Ok(())
}
