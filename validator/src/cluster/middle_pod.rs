//! Finds the pod of a middle agent that was just created, and connects to it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::middle_objects::MIDDLE_LABEL;
use crate::config::Dependency;
use crate::failure::Failure;
use crate::middle::MIDDLE_PORT;
use crate::steer::{Middle, Told};

/// How often it is looked for.
const PERIOD: Duration = Duration::from_millis(250);

/// Waits until the agent answers and reaches its dependency.
pub(super) async fn connect(
    cluster: &Cluster,
    dependency: &Dependency,
    object: &str,
    deadline: Instant,
) -> Result<Arc<Middle>, Failure> {
    let mut reason = "its pod does not run".to_owned();
    while Instant::now() < deadline {
        if let Some(pod) = running(cluster, object).await? {
            let hint = format!("kubectl logs deployment/{object} -n {}", cluster.namespace());
            let told = Told { name: object.to_owned(), hint };
            match Middle::connect(dependency, told, cluster.dial(pod, MIDDLE_PORT)).await {
                Ok(middle) => return Ok(middle),
                Err(error) => reason = error,
            }
        }
        sleep(PERIOD).await;
    }
    Err(Failure::environment(format!("middle agent {object} did not start: {reason}"))
        .hint(format!("kubectl describe deployment {object} -n {}", cluster.namespace())))
}

/// The running pod of an agent, if there is one.
async fn running(cluster: &Cluster, object: &str) -> Result<Option<String>, Failure> {
    let pods: Api<Pod> = cluster.api();
    let ours = ListParams::default().labels(&format!("{MIDDLE_LABEL}={object}"));
    let found = cluster.call("find a middle agent", pods.list(&ours)).await?;
    let phase = |pod: &Pod| pod.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default();
    let alive = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none() && phase(pod) == "Running";
    Ok(found.iter().find(alive).map(ResourceExt::name_any))
}
