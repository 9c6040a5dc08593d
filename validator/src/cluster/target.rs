//! Finds the deployment, its Service and its endpoints, and reads what the static checks need.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Node, PodSpec, Probe, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::core::Selector;
use kube::{Api, ResourceExt};

use super::Cluster;
use super::rollout::is_settled;
use crate::config::GoLiveCheck;
use crate::evidence::{Change, Fact, Millis, ObjectFact, ObjectKind};
use crate::failure::Failure;
use crate::plan::{Endpoint, TargetPlan};

/// What was found of the target.
#[derive(Clone, Debug)]
pub struct Target {
    /// What stands in the plan.
    pub plan: TargetPlan,
    /// Address of the Service.
    pub address: std::net::SocketAddr,
    /// Label selector of its pods.
    pub selector: String,
    /// Name of the container that serves.
    pub container: String,
    /// How long one roll may take, as far as the probes tell.
    pub expected_roll: std::time::Duration,
    /// How long one roll takes at least, however fast the pods are: declared delays, one pod after the other.
    pub least_roll: std::time::Duration,
    /// Service and disruption budgets, for the static checks.
    pub facts: Vec<Fact>,
}

/// Reads the target's objects.
///
/// # Errors
/// Exit 2 when the target or its Service does not exist or cannot be gated, exit 3 when it is not at rest.
pub async fn discover(
    cluster: &Cluster,
    check: &GoLiveCheck,
    candidate: Option<&str>,
    now: Millis,
) -> Result<Target, Failure> {
    let deployment = find_deployment(cluster, &check.spec.target.deployment).await?;
    at_rest(&deployment)?;
    let service = find_service(cluster, &deployment, check.spec.target.service.as_deref()).await?;
    let name = deployment.name_any();
    let spec = deployment.spec.clone().unwrap_or_default();
    let pod = spec.template.spec.clone().unwrap_or_default();
    own_network(&name, &pod)?;
    let (address, serving_port, container) = serving(&service, &pod.containers)?;
    let image = container.image.clone().unwrap_or_default();
    over_http(container)?;
    let plan = TargetPlan {
        namespace: cluster.namespace.clone(),
        service: service.name_any(),
        version: version(candidate.unwrap_or(&image), &deployment),
        candidate: candidate.map(str::to_owned),
        replicas: spec.replicas.unwrap_or(1),
        port: serving_port,
        readiness: endpoint(container.readiness_probe.as_ref(), container, "/ready", serving_port),
        liveness: endpoint(container.liveness_probe.as_ref(), container, "/health", serving_port),
        nodes: schedulable_nodes(cluster).await,
        deployment: name,
        image,
    };
    let selector = Selector::try_from(spec.selector.clone())
        .map_err(|error| Failure::environment(format!("the deployment's selector: {error}")))?
        .to_string();
    let facts = static_facts(cluster, &service, now).await?;
    let expected_roll = expected_roll(&plan, container.readiness_probe.as_ref());
    let ready_for = u64::try_from(spec.min_ready_seconds.unwrap_or(0)).unwrap_or(0);
    let least_roll = least_roll(&plan, container.readiness_probe.as_ref(), ready_for);
    let container = container.name.clone();
    Ok(Target { plan, address, selector, container, expected_roll, least_roll, facts })
}

async fn find_deployment(cluster: &Cluster, name: &str) -> Result<Deployment, Failure> {
    let api: Api<Deployment> = cluster.api();
    if let Some(found) = cluster.call("read the deployment", api.get_opt(name)).await? {
        return Ok(found);
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
fn at_rest(deployment: &Deployment) -> Result<(), Failure> {
    let name = deployment.name_any();
    let spec = deployment.spec.as_ref();
    let replicas = spec.and_then(|s| s.replicas).unwrap_or(1);
    if replicas == 0 {
        return Err(Failure::usage(format!("deployment `{name}` has 0 replicas"))
            .hint(format!("kubectl scale deployment/{name} --replicas 3")));
    }
    if spec.and_then(|s| s.paused).unwrap_or(false) {
        return Err(Failure::usage(format!("deployment `{name}` is paused"))
            .hint(format!("kubectl rollout resume deployment/{name}")));
    }
    // Two rolls make two revisions: the one to go back to must outlive both.
    if spec.and_then(|s| s.revision_history_limit).unwrap_or(10) < 2 {
        return Err(Failure::usage(format!(
            "deployment `{name}` keeps no two old revisions: it could not be rolled back"
        ))
        .hint(format!("kubectl patch deployment {name} -p '{{\"spec\":{{\"revisionHistoryLimit\":5}}}}'")));
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

async fn find_service(
    cluster: &Cluster,
    deployment: &Deployment,
    named: Option<&str>,
) -> Result<Service, Failure> {
    let api: Api<Service> = cluster.api();
    let labels = deployment
        .spec
        .as_ref()
        .and_then(|s| s.template.metadata.as_ref())
        .and_then(|m| m.labels.clone())
        .unwrap_or_default();
    let all = cluster.call("list services", api.list(&ListParams::default())).await?;
    let selects = |service: &Service| {
        let selector = service.spec.as_ref().and_then(|s| s.selector.clone()).unwrap_or_default();
        !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k) == Some(v))
    };
    let name = deployment.name_any();
    if let Some(named) = named {
        let Some(service) = all.iter().find(|s| s.name_any() == named) else {
            return Err(Failure::usage(format!("no Service `{named}` in namespace `{}`", cluster.namespace))
                .hint("set spec.target.service, or leave it out to have it found by its selector"));
        };
        if !selects(service) {
            return Err(Failure::usage(format!("Service `{named}` does not select the pods of `{name}`"))
                .hint("compare the Service's selector with the labels of the pod template"));
        }
        return Ok(service.clone());
    }
    let found: Vec<&Service> = all.iter().filter(|s| selects(s)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::usage(format!("no Service selects the pods of deployment `{name}`"))
            .hint(format!("users reach a service through a Service: kubectl expose deployment/{name}"))),
        several => Err(Failure::usage(format!(
            "several Services select the pods of `{name}`: {}",
            several.iter().map(|s| s.name_any()).collect::<Vec<_>>().join(", ")
        ))
        .hint("name one: --service NAME, or spec.target.service")),
    }
}

fn serving<'a>(
    service: &Service,
    containers: &'a [Container],
) -> Result<(std::net::SocketAddr, u16, &'a Container), Failure> {
    let name = service.name_any();
    let spec = service.spec.clone().unwrap_or_default();
    let ip = spec.cluster_ip.as_deref().and_then(|ip| ip.parse().ok()).ok_or_else(|| {
        Failure::usage(format!("Service `{name}` has no cluster address (headless or external)"))
            .hint("name a Service with a ClusterIP: --service NAME")
    })?;
    let ports = spec.ports.unwrap_or_default();
    let port = ports
        .iter()
        .find(|p| p.name.as_deref() == Some("http"))
        .or_else(|| ports.first())
        .ok_or_else(|| Failure::usage(format!("Service `{name}` has no port")))?;
    let wanted = port.target_port.clone().unwrap_or(IntOrString::Int(port.port));
    let serving = containers.iter().find_map(|c| Some((resolve(&wanted, c)?, c)));
    let first = || match (&wanted, containers.first()) {
        (IntOrString::Int(number), Some(c)) => Some((u16::try_from(*number).ok()?, c)),
        _ => None,
    };
    let (target, container) = serving.or_else(first).ok_or_else(|| {
        Failure::usage(format!("Service `{name}`: no container has the port it targets"))
            .hint("compare the Service's targetPort with the container's ports")
    })?;
    let number = u16::try_from(port.port).unwrap_or_default();
    Ok((std::net::SocketAddr::new(ip, number), target, container))
}

/// The number of a port of this container, if it declares it.
fn resolve(port: &IntOrString, container: &Container) -> Option<u16> {
    let ports = container.ports.as_deref().unwrap_or_default();
    let found = ports.iter().find(|p| match port {
        IntOrString::Int(number) => p.container_port == *number,
        IntOrString::String(name) => p.name.as_deref() == Some(name),
    })?;
    u16::try_from(found.container_port).ok()
}

/// A pod is told by its address: on the network of its node it has none of its own, and a fault would meet whatever
/// else runs there.
fn own_network(deployment: &str, pod: &PodSpec) -> Result<(), Failure> {
    if !pod.host_network.unwrap_or(false) {
        return Ok(());
    }
    Err(Failure::usage(format!("deployment `{deployment}` runs on the network of its nodes (hostNetwork)"))
        .hint(
            "its pods cannot be told from their nodes; give them addresses of their own to have them gated",
        ))
}

/// What is asked past the Service is asked over HTTP.
fn over_http(container: &Container) -> Result<(), Failure> {
    let probes = [&container.readiness_probe, &container.liveness_probe];
    let mut gets = probes.into_iter().flatten().filter_map(|probe| probe.http_get.as_ref());
    if gets.all(|get| get.scheme.as_deref().unwrap_or("HTTP") == "HTTP") {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "container `{}` has a probe over HTTPS, which cannot be asked yet",
        container.name
    ))
    .hint("declare the probes on a port that speaks HTTP, such as a management port"))
}

fn endpoint(probe: Option<&Probe>, container: &Container, usual: &str, serving: u16) -> Endpoint {
    let declared = probe.and_then(|p| p.http_get.as_ref()).and_then(|get| {
        let HTTPGetAction { path, port, .. } = get;
        let port = match port {
            IntOrString::Int(number) => u16::try_from(*number).ok(),
            IntOrString::String(_) => resolve(port, container),
        }?;
        Some(Endpoint { port, path: path.clone().unwrap_or_else(|| "/".into()), declared: true })
    });
    declared.unwrap_or_else(|| Endpoint { port: serving, path: usual.to_owned(), declared: false })
}

/// One pod after the other becomes ready, then the last old one drains.
fn expected_roll(plan: &TargetPlan, readiness: Option<&Probe>) -> std::time::Duration {
    let of = |value: Option<i32>, default| u64::try_from(value.unwrap_or(default)).unwrap_or(0);
    let delay = of(readiness.and_then(|p| p.initial_delay_seconds), 0);
    let period = of(readiness.and_then(|p| p.period_seconds), 10);
    let replicas = u64::try_from(plan.replicas).unwrap_or(1);
    std::time::Duration::from_secs(replicas * (delay + period / 2 + 2) + 20)
}

/// Every pod waits for its first probe and then stays ready for the declared time.
fn least_roll(plan: &TargetPlan, readiness: Option<&Probe>, ready_for: u64) -> std::time::Duration {
    let delay = readiness.and_then(|p| p.initial_delay_seconds).unwrap_or(0);
    let replicas = u64::try_from(plan.replicas).unwrap_or(1);
    std::time::Duration::from_secs(replicas * (u64::try_from(delay).unwrap_or(0) + ready_for))
}

fn version(image: &str, deployment: &Deployment) -> String {
    let tag = image.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    let label = deployment.labels().get("app.kubernetes.io/version").map(String::as_str);
    let text = tag.or(label).unwrap_or("unknown");
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    if digits { format!("v{text}") } else { text.to_owned() }
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
    use k8s_openapi::api::core::v1::Container;
    use kube::core::Selector;
    use serde_json::{from_value, json};

    use super::{over_http, own_network};

    #[test]
    fn a_selector_with_expressions_is_followed_whole() {
        let expressions = json!([{ "key": "tier", "operator": "In", "values": ["web"] }, { "key": "old", "operator": "DoesNotExist" }]);
        let selector = json!({ "matchLabels": { "app": "users" }, "matchExpressions": expressions });
        let selector: Selector =
            from_value::<k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>(selector)
                .unwrap()
                .try_into()
                .unwrap();
        let text = selector.to_string();
        assert!(
            text.contains("app=users") && text.contains("tier in (web)") && text.contains("!old"),
            "{text}"
        );
    }

    #[test]
    fn pods_on_the_network_of_their_node_are_refused() {
        let pod = |host: bool| from_value(json!({ "containers": [], "hostNetwork": host })).unwrap();
        assert!(own_network("users", &pod(false)).is_ok());
        let refused = own_network("users", &pod(true)).unwrap_err();
        assert_eq!(refused.exit(), crate::exit::Exit::Usage);
    }

    #[test]
    fn probes_over_https_are_refused() {
        let container = |scheme: &str| {
            let get = json!({ "port": 8443, "scheme": scheme });
            from_value::<Container>(json!({ "name": "web", "readinessProbe": { "httpGet": get } })).unwrap()
        };
        assert!(over_http(&container("HTTP")).is_ok());
        assert!(over_http(&container("HTTPS")).unwrap_err().to_string().contains("HTTPS"));
    }
}
