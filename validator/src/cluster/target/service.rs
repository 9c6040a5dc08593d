//! The Service that users reach the target by.

use std::net::SocketAddr;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::spoken::{Spoken, by_name, plain_http};
use crate::cluster::Cluster;
use crate::config::PortRef;
use crate::failure::Failure;
use crate::plan::ServedPort;

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

/// Where users come to, and where that leads.
pub(super) struct Serving<'a> {
    pub(super) address: SocketAddr,
    /// The port that the pods serve on.
    pub(super) port: u16,
    /// The container that does.
    pub(super) container: &'a Container,
}

impl Serving<'_> {
    pub(super) fn ports(&self) -> ServedPort {
        ServedPort { service: self.address.port(), pod: self.port }
    }
}

/// What stands behind a port of the Service; behind the one named `http`, else the first that may speak it, when
/// none is named.
///
/// # Errors
/// Exit 2 for a Service that no request of ours could reach, or whose port speaks something else than plain HTTP.
pub(super) fn serving<'a>(
    service: &Service,
    containers: &'a [Container],
    named: Option<&PortRef>,
) -> Result<Serving<'a>, Failure> {
    let name = service.name_any();
    let spec = service.spec.clone().unwrap_or_default();
    let ip = spec.cluster_ip.as_deref().and_then(|ip| ip.parse().ok()).ok_or_else(|| {
        Failure::usage(format!("Service `{name}` has no cluster address (headless or external)"))
            .hint("name a Service with a ClusterIP: --service NAME")
    })?;
    let ports = spec.ports.unwrap_or_default();
    let port = service_port(&name, &ports, named)?;
    let wanted = port.target_port.clone().unwrap_or(IntOrString::Int(port.port));
    let declaring = containers.iter().find_map(|c| Some((resolve(&wanted, c)?, c)));
    let (target, container) = declaring.or_else(|| undeclared(&wanted, containers)).ok_or_else(|| {
        Failure::usage(format!("Service `{name}`: no container is known to have the port it targets ({})", text(&wanted)))
            .hint("declare it as containerPort of the container that serves, or compare the Service's targetPort with those that are declared; ports of init containers (native sidecars) cannot be gated: name another Service with --service")
    })?;
    plain_http(port, target, container)?;
    let number = u16::try_from(port.port).unwrap_or_default();
    Ok(Serving { address: SocketAddr::new(ip, number), port: target, container })
}

/// A port may be served without being declared (core/v1, Container.ports): by the only container, else by the one whose probe
/// asks it. Any other would be a guess, and a candidate's image would go to a helper.
fn undeclared<'a>(wanted: &IntOrString, containers: &'a [Container]) -> Option<(u16, &'a Container)> {
    let IntOrString::Int(number) = wanted else { return None };
    let port = u16::try_from(*number).ok()?;
    let [only] = containers else {
        let mut asked = containers.iter().filter(|container| is_asked(container, wanted));
        return asked.next().filter(|_| asked.next().is_none()).map(|container| (port, container));
    };
    Some((port, only))
}

/// Whether one of its own probes asks that port.
fn is_asked(container: &Container, port: &IntOrString) -> bool {
    let probes = [&container.readiness_probe, &container.liveness_probe, &container.startup_probe];
    probes.into_iter().flatten().any(|probe| {
        let http = probe.http_get.as_ref().is_some_and(|get| get.port == *port);
        let tcp = probe.tcp_socket.as_ref().is_some_and(|socket| socket.port == *port);
        http || tcp || probe.grpc.as_ref().is_some_and(|grpc| IntOrString::Int(grpc.port) == *port)
    })
}

/// A port as it is written in an object: its number or its name.
pub(super) fn text(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

fn service_port<'a>(
    service: &str,
    ports: &'a [ServicePort],
    named: Option<&PortRef>,
) -> Result<&'a ServicePort, Failure> {
    let is = |port: &&ServicePort, wanted: &PortRef| match wanted {
        PortRef::Number(number) => port.port == i32::from(*number),
        PortRef::Name(name) => port.name.as_ref() == Some(name),
    };
    let Some(named) = named else {
        let http = |port: &&ServicePort| matches!(by_name(port), None | Some(Spoken::Http));
        let named = ports.iter().find(|port| port.name.as_deref() == Some("http"));
        let usual = named.or_else(|| ports.iter().find(http)).or(ports.first());
        return usual.ok_or_else(|| Failure::usage(format!("Service `{service}` has no port")));
    };
    ports.iter().find(|port| is(port, named)).ok_or_else(|| {
        let told =
            |p: &ServicePort| p.name.as_ref().map_or(p.port.to_string(), |n| format!("{n} ({})", p.port));
        let there: Vec<String> = ports.iter().map(told).collect();
        Failure::usage(format!("Service `{service}` has no port `{named}`"))
            .hint(format!("its ports: {}; set `port` in spec.target or in the request", there.join(", ")))
    })
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

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, Service};
    use serde_json::{Value, from_value, json};

    use super::serving;
    use crate::exit::Exit;

    fn serves(containers: Value) -> Result<String, Exit> {
        let spec = json!({ "clusterIP": "10.0.0.1", "ports": [{ "port": 80, "targetPort": 8080 }] });
        let service: Service = from_value(json!({ "metadata": { "name": "web" }, "spec": spec })).unwrap();
        let containers: Vec<Container> = from_value(containers).unwrap();
        let served = serving(&service, &containers, None);
        served.map(|serving| serving.container.name.clone()).map_err(|failure| failure.exit())
    }

    #[test]
    fn a_port_that_nobody_declares_is_that_of_the_only_container_or_of_the_one_that_is_probed_there() {
        let proxy = json!({ "name": "proxy", "ports": [{ "containerPort": 9000 }] });
        let web = json!({ "name": "web" });
        let probed = |name: &str, probe: Value| json!({ "name": name, "readinessProbe": probe });
        let get = json!({ "httpGet": { "port": 8080, "path": "/ready" } });
        assert_eq!(serves(json!([web])), Ok("web".to_owned()));
        assert_eq!(serves(json!([proxy, web])), Err(Exit::Usage), "either may be the one");
        assert_eq!(serves(json!([proxy, probed("web", get.clone())])), Ok("web".to_owned()));
        let grpc = probed("web", json!({ "tcpSocket": { "port": 8080 } }));
        assert_eq!(
            serves(json!([probed("proxy", json!({ "tcpSocket": { "port": 9000 } })), grpc])),
            Ok("web".to_owned())
        );
        assert_eq!(serves(json!([probed("a", get.clone()), probed("b", get)])), Err(Exit::Usage));
        let declared = json!({ "name": "web", "ports": [{ "containerPort": 8080 }] });
        assert_eq!(serves(json!([proxy, declared])), Ok("web".to_owned()));
    }
}
