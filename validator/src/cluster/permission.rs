//! Asks the API server, before anything is touched, whether the run has the rights it needs.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use super::{Cluster, lease};
use crate::failure::Failure;

/// Verb, API group, resource, subresource: the whole Role of a run (docs/permissions.md).
const RIGHTS: &[(&str, &str, &str, &str)] = &[
    ("create", "apps", "deployments", ""),
    ("delete", "apps", "deployments", ""),
    ("create", "", "services", ""),
    ("patch", "", "services", ""),
    ("delete", "", "services", ""),
    ("create", "", "serviceaccounts", ""),
    ("list", "", "serviceaccounts", ""),
    ("delete", "", "serviceaccounts", ""),
    ("create", "rbac.authorization.k8s.io", "roles", ""),
    ("list", "rbac.authorization.k8s.io", "roles", ""),
    ("delete", "rbac.authorization.k8s.io", "roles", ""),
    ("create", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("list", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("delete", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("create", "coordination.k8s.io", "leases", ""),
    ("get", "coordination.k8s.io", "leases", ""),
    ("patch", "coordination.k8s.io", "leases", ""),
    ("delete", "coordination.k8s.io", "leases", ""),
    ("get", "apps", "deployments", ""),
    ("list", "apps", "deployments", ""),
    ("watch", "apps", "deployments", ""),
    ("patch", "apps", "deployments", ""),
    ("list", "apps", "replicasets", ""),
    ("watch", "apps", "replicasets", ""),
    ("get", "", "pods", ""),
    ("list", "", "pods", ""),
    ("watch", "", "pods", ""),
    ("create", "", "pods", ""),
    ("delete", "", "pods", ""),
    ("create", "", "pods", "portforward"),
    ("get", "", "pods", "portforward"),
    ("get", "", "services", ""),
    ("list", "", "services", ""),
    ("list", "discovery.k8s.io", "endpointslices", ""),
    ("watch", "discovery.k8s.io", "endpointslices", ""),
    ("list", "policy", "poddisruptionbudgets", ""),
];

/// Fails with the list of missing rights, if any.
pub async fn preflight(cluster: &Cluster) -> Result<(), Failure> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let mut missing = Vec::new();
    for right @ (verb, _, resource, subresource) in RIGHTS {
        let (review, params) = (review(&cluster.namespace, right), PostParams::default());
        let answer = cluster.call("review its own rights", reviews.create(&params, &review)).await?;
        if !answer.status.is_some_and(|status| status.allowed) {
            let slash = if subresource.is_empty() { "" } else { "/" };
            missing.push(format!("{verb} {resource}{slash}{subresource}"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Failure::environment(format!("missing rights in namespace `{}`: {missing}", cluster.namespace))
        .hint("docs/permissions.md holds the Role that a run needs"))
}

fn review(
    namespace: &str,
    (verb, group, resource, subresource): &(&str, &str, &str, &str),
) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        namespace: Some(namespace.to_owned()),
        verb: Some((*verb).to_owned()),
        group: Some((*group).to_owned()),
        resource: Some((*resource).to_owned()),
        // One Lease is enough: a Role may name it.
        name: (*resource == "leases" && *verb != "create").then(|| lease::NAME.to_owned()),
        subresource: (!subresource.is_empty()).then(|| (*subresource).to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        ..SelfSubjectAccessReviewSpec::default()
    };
    SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
}
