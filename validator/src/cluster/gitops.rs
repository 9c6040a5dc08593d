//! Tools that keep a deployment as it stands in a repository, known by what they write on it.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt};

use super::Cluster;
use crate::failure::Failure;

/// Labels and annotations, and whose they are: Argo CD's resource tracking, Flux's kustomize- and helm-controller.
const MARKS: &[(&str, &str)] = &[
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
];

/// Says who keeps the deployment, and what that means for a run.
///
/// # Errors
/// Exit 3 when it cannot be read.
pub async fn kept_by(cluster: &Cluster, name: &str) -> Result<Option<String>, Failure> {
    let api: Api<Deployment> = cluster.api();
    let found = cluster.call("read the deployment", api.get(name)).await?;
    Ok(keeper(&found).map(|(tool, what)| {
        format!("deployment/{name} is kept by {tool} ({what}): it keeps the fields that it declares, and ours are not among them")
    }))
}

fn keeper(deployment: &Deployment) -> Option<(&'static str, String)> {
    let of = |(mark, tool): &(&str, &'static str)| {
        let value = deployment.labels().get(*mark).or_else(|| deployment.annotations().get(*mark))?;
        Some((*tool, value.clone()))
    };
    MARKS.iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::keeper;

    #[test]
    fn argo_cd_and_flux_are_known_by_their_marks() {
        let of = |metadata| keeper(&from_value(json!({ "metadata": metadata })).unwrap());
        assert_eq!(of(json!({ "labels": { "app": "users" } })), None);
        let flux = json!({ "labels": { "kustomize.toolkit.fluxcd.io/name": "apps" } });
        assert_eq!(of(flux), Some(("Flux", "apps".to_owned())));
        let argo =
            json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:demo/users" } });
        assert_eq!(of(argo).unwrap().0, "Argo CD");
    }
}
