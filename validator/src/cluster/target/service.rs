//! The Service that users reach the target by.

use std::net::SocketAddr;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::spoken::{Spoken, by_name, plain_http};
use crate::cluster::Cluster;
use crate::failure::Failure;

/// The Service of that name, or the only one that selects the pods of the deployment.
pub(super) async fn find(
    cluster: &Cluster,
    deployment: &Deployment,
    named: Option<&str>,
) -> Result<Service, Failure> {
    let api: Api<Service> = cluster.api();
    let all = cluster.call("list services", api.list(&ListParams::default())).await?.items;
    let name = deployment.name_any();
    let Some(named) = named else {
        return only(all.into_iter().filter(|service| selects(service, deployment)).collect(), &name);
    };
    let Some(service) = all.into_iter().find(|service| service.name_any() == named) else {
        return Err(Failure::usage(format!("no Service `{named}` in namespace `{}`", cluster.namespace()))
            .hint("set spec.target.service, or leave it out to have it found by its selector"));
    };
    if selects(&service, deployment) {
        return Ok(service);
    }
    Err(Failure::usage(format!("Service `{named}` does not select the pods of `{name}`"))
        .hint("compare the Service's selector with the labels of the pod template"))
}

fn selects(service: &Service, deployment: &Deployment) -> bool {
    let metadata = deployment.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
    let labels = metadata.and_then(|metadata| metadata.labels.as_ref());
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let (Some(labels), Some(selector)) = (labels, selector) else { return false };
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn only(mut found: Vec<Service>, deployment: &str) -> Result<Service, Failure> {
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(ResourceExt::name_any).collect();
        let several = format!("several Services select the pods of `{deployment}`: {}", names.join(", "));
        return Err(Failure::usage(several).hint("name one: --service NAME, or spec.target.service"));
    }
    found.pop().ok_or_else(|| {
        Failure::usage(format!("no Service selects the pods of deployment `{deployment}`"))
            .hint(format!("users reach a service through a Service: kubectl expose deployment/{deployment}"))
    })
}

/// Its address, the port that the pods serve on, and the container that does.
///
/// # Errors
/// Exit 2 for a Service that no request of ours could reach, or whose port speaks something else than plain HTTP.
pub(super) fn serving<'a>(
    service: &Service,
    containers: &'a [Container],
) -> Result<(SocketAddr, u16, &'a Container), Failure> {
    let name = service.name_any();
    let spec = service.spec.clone().unwrap_or_default();
    let ip = spec.cluster_ip.as_deref().and_then(|ip| ip.parse().ok()).ok_or_else(|| {
        Failure::usage(format!("Service `{name}` has no cluster address (headless or external)"))
            .hint("name a Service with a ClusterIP: --service NAME")
    })?;
    let ports = spec.ports.unwrap_or_default();
    let named = ports.iter().find(|p| p.name.as_deref() == Some("http"));
    let http = || ports.iter().find(|p| matches!(by_name(p), None | Some(Spoken::Http)));
    let port = named
        .or_else(http)
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
    plain_http(port, target, container)?;
    let number = u16::try_from(port.port).unwrap_or_default();
    Ok((SocketAddr::new(ip, number), target, container))
}

/// The number of a port of this container, if it declares it.
pub(super) fn resolve(port: &IntOrString, container: &Container) -> Option<u16> {
    let ports = container.ports.as_deref().unwrap_or_default();
    let found = ports.iter().find(|p| match port {
        IntOrString::Int(number) => p.container_port == *number,
        IntOrString::String(name) => p.name.as_deref() == Some(name),
    })?;
    u16::try_from(found.container_port).ok()
}
