//! The objects that `validator init` looks at.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;

use super::Cluster;
use crate::failure::Failure;
use crate::init::Objects;

/// A deployment and the Services of its namespace; no Secret is read.
///
/// # Errors
/// Exit 2 for a deployment that is not there, exit 3 where it may not be read.
pub async fn objects(cluster: &Cluster, deployment: &str) -> Result<Objects, Failure> {
    let found = cluster.call("read the deployment", cluster.api::<Deployment>().get_opt(deployment)).await?;
    let Some(found) = found else {
        let namespace = cluster.namespace();
        return Err(Failure::usage(format!("deployment/{deployment} is not in namespace {namespace}"))
            .hint(format!("kubectl get deployments -n {namespace}")));
    };
    let services =
        cluster.call("list the Services", cluster.api::<Service>().list(&ListParams::default())).await?;
    let services = services.items.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok(Objects { deployment: serde_json::to_value(&found)?, services })
}
