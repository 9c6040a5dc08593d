//! Finds the deployment, its Service and its endpoints, and reads what the static checks need.

mod deployment;
mod headers;
mod kind;
mod pace;
mod probes;
mod service;
mod spoken;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Container, Node, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::core::Selector;
use kube::{Api, ResourceExt};

use self::pace::Pace;
use super::Cluster;
use crate::config::{GoLiveCheck, Probe, Purpose, RequestSpec};
use crate::evidence::{Change, Fact, Millis, ObjectFact, ObjectKind};
use crate::failure::Failure;
use crate::plan::{ServedPort, TargetPlan};
use crate::steer::{Probes, Target};

pub use kind::deployment_name;
pub(crate) use probes::{declared as declared_probe, pre_stop as declared_pre_stop};

/// Reads the target's objects, for a run of this purpose. Gives the label selector of its pods as well.
///
/// # Errors
/// Exit 2 when the target or its Service does not exist or cannot be gated, exit 3 when it is not at rest.
pub async fn discover(
    cluster: &Cluster,
    check: &GoLiveCheck,
    purpose: Purpose,
    candidate: Option<&str>,
    now: Millis,
) -> Result<(Target, String), Failure> {
    let wanted = &check.spec.target;
    let deployment = deployment::find(cluster, &wanted.deployment).await?;
    if purpose.proves() {
        deployment::can_go_back(&deployment)?;
    }
    deployment::at_rest(&deployment)?;
    let service = service::find(cluster, &deployment, wanted.service.as_deref()).await?;
    let spec = deployment.spec.clone().unwrap_or_default();
    let pod = spec.template.spec.clone().unwrap_or_default();
    deployment::own_network(&deployment.name_any(), &pod)?;
    let serving = service::serving(&service, &pod.containers, wanted.port.as_ref())?;
    let (address, port, container) = (serving.address, serving.port, serving.container);
    let serves = (port, container);
    let probes = Probes {
        readiness: probes::of_serving(serves, &pod.containers, |c| c.readiness_probe.as_ref())?,
        liveness: probes::of_serving(serves, &pod.containers, |c| c.liveness_probe.as_ref())?,
    };
    let plan = plan(cluster, &deployment, &service, serves, &probes, candidate).await;
    let selector = selector(spec.clone())?;
    let pods: Api<Pod> = cluster.api();
    let pods = cluster.call("list pods", pods.list(&ListParams::default().labels(&selector))).await?;
    let pace = Pace::new(&spec, container, plan.pre_stop, &pods.items);
    let target = Target {
        address,
        host: format!("{}.{}.svc:{}", plan.service, plan.namespace, address.port()),
        ports: ports(&service, &pod.containers, &check.spec.traffic.requests)?,
        headers: headers::secret(cluster, &check.spec.traffic.requests).await?,
        probes,
        expected_roll: pace.expected_roll(),
        least_roll: pace.least_roll(),
        facts: static_facts(cluster, &service, now).await?,
        plan,
    };
    Ok((target, selector))
}

/// The ports that requests name, resolved.
fn ports(
    service: &Service,
    containers: &[Container],
    requests: &[RequestSpec],
) -> Result<BTreeMap<String, ServedPort>, Failure> {
    let named = requests.iter().filter_map(|request| request.port.as_ref());
    let resolved =
        named.map(|port| Ok((port.to_string(), service::serving(service, containers, Some(port))?.ports())));
    resolved.collect()
}

async fn plan(
    cluster: &Cluster,
    deployment: &Deployment,
    service: &Service,
    (port, container): (u16, &Container),
    probes: &Probes,
    candidate: Option<&str>,
) -> TargetPlan {
    let image = container.image.clone().unwrap_or_default();
    TargetPlan {
        namespace: cluster.namespace.clone(),
        deployment: deployment.name_any(),
        service: service.name_any(),
        version: deployment::version(candidate.unwrap_or(&image), deployment),
        candidate: candidate.map(str::to_owned),
        replicas: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
        port,
        container: container.name.clone(),
        readiness: probes.readiness.clone().map(Probe::redacted),
        liveness: probes.liveness.clone().map(Probe::redacted),
        assumed: Vec::new(),
        pre_stop: probes::pre_stop(container),
        nodes: schedulable_nodes(cluster).await,
        image,
    }
}

fn selector(spec: DeploymentSpec) -> Result<String, Failure> {
    let selector = Selector::try_from(spec.selector);
    let selector =
        selector.map_err(|error| Failure::environment(format!("the deployment's selector: {error}")))?;
    Ok(selector.to_string())
}

/// Nodes that take ordinary pods; 0 when we may not list nodes.
async fn schedulable_nodes(cluster: &Cluster) -> usize {
    let api: Api<Node> = Api::all(cluster.client.clone());
    let Ok(nodes) = cluster.call("list nodes", api.list(&ListParams::default())).await else {
        return 0;
    };
    let takes_pods = |node: &&Node| {
        let spec = node.spec.clone().unwrap_or_default();
        let taints = spec.taints.unwrap_or_default();
        !spec.unschedulable.unwrap_or(false) && !taints.iter().any(|t| t.effect != "PreferNoSchedule")
    };
    nodes.iter().filter(takes_pods).count()
}

async fn static_facts(cluster: &Cluster, service: &Service, now: Millis) -> Result<Vec<Fact>, Failure> {
    let api: Api<PodDisruptionBudget> = cluster.api();
    let budgets = cluster.call("list disruption budgets", api.list(&ListParams::default())).await?;
    let fact = |kind, object| Fact::Object(ObjectFact { at: now, kind, change: Change::Listed, object });
    let mut facts = vec![fact(ObjectKind::Service, super::watch::redacted(service))];
    for budget in &budgets {
        facts.push(fact(ObjectKind::PodDisruptionBudget, super::watch::redacted(budget)));
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DeploymentSpec;
    use serde_json::{from_value, json};

    #[test]
    fn a_selector_with_expressions_is_followed_whole() {
        let expressions = json!([{ "key": "tier", "operator": "In", "values": ["web"] }, { "key": "old", "operator": "DoesNotExist" }]);
        let selector = json!({ "matchLabels": { "app": "users" }, "matchExpressions": expressions });
        let spec: DeploymentSpec = from_value(json!({ "selector": selector, "template": {} })).unwrap();
        let text = super::selector(spec).unwrap();
        assert!(
            text.contains("app=users") && text.contains("tier in (web)") && text.contains("!old"),
            "{text}"
        );
    }
}
