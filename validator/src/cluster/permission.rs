//! The rights of a run: one list, which is asked for before anything is touched and printed as a Role.

use std::fmt::Write;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use super::{Cluster, lease};
use crate::failure::Failure;

/// One rule of the Role.
struct Rule {
    group: &'static str,
    resources: &'static [&'static str],
    /// The only object that it is about, where a Role may name one.
    name: Option<&'static str>,
    verbs: &'static [&'static str],
}

impl Rule {
    const fn of(
        group: &'static str,
        resources: &'static [&'static str],
        verbs: &'static [&'static str],
    ) -> Self {
        Self { group, resources, name: None, verbs }
    }
}

/// All that a run needs, in the target's namespace. Services are read; the ones that are created and deleted are the
/// run's own, which a Role cannot tell by a label.
const RULES: &[Rule] = &[
    Rule::of("apps", &["deployments"], &["get", "list", "watch", "create", "patch", "delete"]),
    Rule::of("apps", &["replicasets"], &["list", "watch", "delete"]),
    Rule::of("", &["pods"], &["get", "list", "watch", "create", "delete"]),
    Rule::of("", &["pods/portforward"], &["create", "get"]),
    Rule::of("", &["services"], &["get", "list", "create", "delete"]),
    Rule::of("", &["serviceaccounts"], &["list", "create", "delete"]),
    Rule::of("rbac.authorization.k8s.io", &["roles", "rolebindings"], &["list", "create", "delete"]),
    Rule::of("coordination.k8s.io", &["leases"], &["create"]),
    Rule {
        name: Some(lease::NAME),
        ..Rule::of("coordination.k8s.io", &["leases"], &["get", "patch", "delete"])
    },
    Rule::of("discovery.k8s.io", &["endpointslices"], &["list", "watch"]),
    Rule::of("policy", &["poddisruptionbudgets"], &["list"]),
];

/// The Role as YAML.
pub fn role() -> String {
    let mut text = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n\
                    metadata: { name: golive-validator }\nrules:\n"
        .to_owned();
    for Rule { group, resources, name, verbs } in RULES {
        let group = if group.is_empty() { "\"\"" } else { group };
        let name = name.map(|name| format!("resourceNames: [{name}], ")).unwrap_or_default();
        let (resources, verbs) = (resources.join(", "), verbs.join(", "));
        // Writing to a String cannot fail.
        writeln!(text, "  - {{ apiGroups: [{group}], resources: [{resources}], {name}verbs: [{verbs}] }}")
            .ok();
    }
    text
}

/// Fails with the list of missing rights, if any.
///
/// # Errors
/// Exit 3 with what is missing.
pub async fn preflight(cluster: &Cluster) -> Result<(), Failure> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let mut missing = Vec::new();
    for rule in RULES {
        for (resource, verb) in rule.resources.iter().flat_map(|r| rule.verbs.iter().map(move |v| (*r, *v))) {
            let (review, params) = (review(&cluster.namespace, rule, resource, verb), PostParams::default());
            let answer = cluster.call("review its own rights", reviews.create(&params, &review)).await?;
            if !answer.status.is_some_and(|status| status.allowed) {
                missing.push(format!("{verb} {resource}"));
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Failure::environment(format!("missing rights in namespace `{}`: {missing}", cluster.namespace))
        .hint("`validator rbac` prints the Role that a run needs"))
}

fn review(namespace: &str, rule: &Rule, resource: &str, verb: &str) -> SelfSubjectAccessReview {
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(r, s)| (r, Some(s)));
    let attributes = ResourceAttributes {
        namespace: Some(namespace.to_owned()),
        verb: Some(verb.to_owned()),
        group: Some(rule.group.to_owned()),
        resource: Some(resource.to_owned()),
        name: rule.name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        ..SelfSubjectAccessReviewSpec::default()
    };
    SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
}

#[cfg(test)]
mod tests {
    use super::{RULES, role};

    #[test]
    fn the_document_holds_the_role_that_a_run_asks_for() {
        let document = include_str!("../../../docs/permissions.md");
        assert!(document.contains(&role()), "docs/permissions.md: `validator rbac` prints\n{}", role());
    }

    #[test]
    fn no_service_but_our_own_can_be_changed() {
        let on_services = RULES.iter().filter(|rule| rule.resources.contains(&"services"));
        for verb in on_services.flat_map(|rule| rule.verbs) {
            assert!(["get", "list", "create", "delete"].contains(verb), "{verb}");
        }
    }
}
