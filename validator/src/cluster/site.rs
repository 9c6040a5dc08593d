//! Where a middle agent can stand: the Service of a dependency, with its selector and its ports.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::{Cluster, selector};
use crate::config::Dependency;
use crate::failure::Failure;

/// A dependency, and where an agent can stand before it or why it cannot.
#[derive(Clone, Debug)]
pub struct Site {
    /// The dependency as declared.
    pub dependency: Dependency,
    /// The place, or the reason why there is none.
    pub(super) place: Result<Place, String>,
}

/// The Service as it was found.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) selector: BTreeMap<String, String>,
    pub(super) ports: Vec<PlacePort>,
}

/// One port of it.
#[derive(Clone, Debug)]
pub(super) struct PlacePort {
    pub(super) port: ServicePort,
    /// The port of the pods behind it.
    pub(super) number: u16,
}

/// Looks at the Service of every dependency.
///
/// # Errors
/// Exit 2 when a Service does not exist, stands for two dependencies, or is the target's own; exit 3 when another run's
/// agent stands there.
pub async fn find_sites(
    cluster: &Cluster,
    dependencies: &[Dependency],
    target: &str,
) -> Result<Vec<Site>, Failure> {
    let api: Api<Service> = cluster.api();
    let mut sites: Vec<Site> = Vec::new();
    for dependency in dependencies {
        let (name, service) = (&dependency.name, &dependency.upstream.to_string());
        if service == target {
            return Err(Failure::usage(format!(
                "dependency `{name}`: Service `{service}` is the target's own"
            ))
            .hint("a dependency is what the target calls: name the Service of the other side"));
        }
        if sites.iter().any(|site| site.dependency.upstream == dependency.upstream) {
            return Err(Failure::usage(format!(
                "dependency `{name}`: Service `{service}` is declared twice"
            ))
            .hint("one Service is one dependency"));
        }
        let found = cluster.call("read a dependency's Service", api.get_opt(service)).await?;
        let Some(found) = found else {
            return Err(missing(cluster, &api, name, service).await?);
        };
        selector::free(cluster, &found)?;
        let place = place(cluster, &found).await?;
        sites.push(Site { dependency: dependency.clone(), place });
    }
    Ok(sites)
}

async fn missing(
    cluster: &Cluster,
    api: &Api<Service>,
    dependency: &str,
    service: &str,
) -> Result<Failure, Failure> {
    let all = cluster.call("list services", api.list(&ListParams::default())).await?;
    let names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
    let namespace = cluster.namespace();
    Ok(Failure::usage(format!(
        "dependency `{dependency}`: no Service `{service}` in namespace `{namespace}`"
    ))
    .hint(format!("Services there: {}", names.join(", "))))
}

/// Why connections to this Service cannot be led to another pod.
fn out_of_reach(spec: &ServiceSpec) -> Option<&'static str> {
    if spec.type_.as_deref() == Some("ExternalName") {
        return Some("its Service is an ExternalName: connections do not pass the cluster");
    }
    if spec.cluster_ip.as_deref() == Some("None") {
        return Some("its Service is headless: clients connect to pods by name");
    }
    if spec.selector.as_ref().is_none_or(BTreeMap::is_empty) {
        return Some("its Service has no selector: its endpoints are kept by somebody else");
    }
    if spec.internal_traffic_policy.as_deref() == Some("Local") {
        return Some(
            "its Service keeps connections on their node (internalTrafficPolicy: Local); one agent stands on one node",
        );
    }
    None
}

async fn place(cluster: &Cluster, service: &Service) -> Result<Result<Place, String>, Failure> {
    let spec = service.spec.clone().unwrap_or_default();
    let selector = spec.selector.clone().unwrap_or_default();
    if let Some(reason) = out_of_reach(&spec) {
        return Ok(Err(reason.to_owned()));
    }
    let mut ports = Vec::new();
    for port in spec.ports.unwrap_or_default() {
        if port.protocol.as_deref().unwrap_or("TCP") != "TCP" {
            return Ok(Err(format!("port {} of its Service is not TCP", port.port)));
        }
        match number(cluster, &port, &selector).await? {
            Some(number) => ports.push(PlacePort { port, number }),
            None => {
                return Ok(Err(format!(
                    "no pod behind its Service names the port that {} targets",
                    port.port
                )));
            }
        }
    }
    Ok(Ok(Place { selector, ports }))
}

/// The number of a port of the pods: as declared, else what a pod behind the Service gives the name.
async fn number(
    cluster: &Cluster,
    port: &ServicePort,
    selector: &BTreeMap<String, String>,
) -> Result<Option<u16>, Failure> {
    let name = match port.target_port.clone().unwrap_or(IntOrString::Int(port.port)) {
        IntOrString::Int(number) => return Ok(u16::try_from(number).ok()),
        IntOrString::String(name) => name,
    };
    let pods: Api<Pod> = cluster.api();
    let labels = selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
    let params = ListParams::default().labels(&labels);
    let found = cluster.call("list a dependency's pods", pods.list(&params)).await?;
    let containers = found.iter().flat_map(|pod| pod.spec.iter().flat_map(|spec| &spec.containers));
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some(name.as_str()));
    Ok(port.and_then(|port| u16::try_from(port.container_port).ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fake::Fake;
    use super::*;

    async fn found(service: Value) -> Result<Vec<Site>, Failure> {
        let (fake, cluster) = Fake::start().await;
        fake.put("/api/v1/namespaces/demo/services/redis", service);
        let dependency = json!({ "name": "cache", "service": "redis", "protocol": "redis" });
        let dependency: Dependency = serde_json::from_value(dependency).unwrap();
        find_sites(&cluster, &[dependency], "users").await
    }

    fn redis(spec: &Value) -> Value {
        json!({ "metadata": { "name": "redis" }, "spec": spec })
    }

    #[tokio::test]
    async fn a_service_that_stays_on_its_node_is_no_place_for_an_agent() {
        let spec = |policy: &str| json!({ "clusterIP": "10.0.0.1", "selector": { "app": "redis" }, "internalTrafficPolicy": policy, "ports": [{ "port": 6379 }] });
        assert!(found(redis(&spec("Cluster"))).await.unwrap()[0].place.is_ok());
        let reason = found(redis(&spec("Local"))).await.unwrap().remove(0).place.unwrap_err();
        assert!(reason.contains("internalTrafficPolicy"), "{reason}");
    }

    #[tokio::test]
    async fn the_selector_of_another_runs_agent_is_never_taken_for_the_services_own() {
        let led = redis(&json!({ "selector": { "golive.dev/middle": "golive-users-a-redis" } }));
        let failure = found(led).await.unwrap_err();
        assert_eq!(failure.exit(), crate::exit::Exit::Inconclusive);
        let mut noted = redis(&json!({ "selector": { "app": "redis" } }));
        noted["metadata"]["annotations"] = json!({ "golive.dev/original-selector": "{}" });
        assert!(found(noted).await.is_err());
    }
}
