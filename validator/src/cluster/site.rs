//! Where a middle agent can stand: the Service of a dependency, with its selector and its ports.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::Cluster;
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
/// Exit 2 when a Service does not exist, stands for two dependencies, or is the target's own.
pub async fn find_sites(
    cluster: &Cluster,
    dependencies: &[Dependency],
    target: &str,
) -> Result<Vec<Site>, Failure> {
    let api: Api<Service> = cluster.api();
    let mut sites: Vec<Site> = Vec::new();
    for dependency in dependencies {
        let (name, service) = (&dependency.name, &dependency.service);
        if service == target {
            return Err(Failure::usage(format!(
                "dependency `{name}`: Service `{service}` is the target's own"
            ))
            .hint("a dependency is what the target calls: name the Service of the other side"));
        }
        if sites.iter().any(|site| site.dependency.service == *service) {
            return Err(Failure::usage(format!(
                "dependency `{name}`: Service `{service}` is declared twice"
            ))
            .hint("one Service is one dependency"));
        }
        let found = cluster.call("read a dependency's Service", api.get_opt(service)).await?;
        let Some(found) = found else {
            return Err(missing(cluster, &api, name, service).await?);
        };
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

async fn place(cluster: &Cluster, service: &Service) -> Result<Result<Place, String>, Failure> {
    let spec = service.spec.clone().unwrap_or_default();
    let selector = spec.selector.clone().unwrap_or_default();
    let reason = match (spec.type_.as_deref(), spec.cluster_ip.as_deref()) {
        (Some("ExternalName"), _) => {
            Some("its Service is an ExternalName: connections do not pass the cluster")
        }
        (_, Some("None")) => Some("its Service is headless: clients connect to pods by name"),
        _ if selector.is_empty() => {
            Some("its Service has no selector: its endpoints are kept by somebody else")
        }
        _ => None,
    };
    if let Some(reason) = reason {
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
