//! The objects of one middle agent: a shadow Service that leads to the dependency, and the agent's Deployment.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::manifest::{labels, object_name, pod_spec};
use super::selector::MIDDLE_LABEL;
use super::site::{Place, PlacePort};
use super::{Cluster, RUN_LABEL};
use crate::config::Dependency;
use crate::failure::Failure;
use crate::plan::Plan;

/// Name of both objects.
pub(super) fn name(run: &str, dependency: &Dependency) -> String {
    object_name(run, &dependency.upstream.to_string())
}

/// Creates them.
pub(super) async fn create(
    cluster: &Cluster,
    plan: &Plan,
    dependency: &Dependency,
    place: &Place,
    image: &str,
) -> Result<(), Failure> {
    let object = name(&plan.run, dependency);
    let services: Api<Service> = cluster.api();
    let shadow = shadow(plan, &object, place)?;
    let post = PostParams::default();
    let shadow = cluster.call("create a shadow Service", services.create(&post, &shadow)).await?;
    let address = shadow.spec.and_then(|spec| spec.cluster_ip).unwrap_or_default();
    let deployments: Api<Deployment> = cluster.api();
    let deployment = agent(plan, dependency, &object, place, &address, image)?;
    cluster.call("create a middle agent", deployments.create(&post, &deployment)).await.map(drop)
}

fn shadow(plan: &Plan, object: &str, place: &Place) -> Result<Service, Failure> {
    let ports: Vec<Value> = place
        .ports
        .iter()
        .map(|p| json!({ "name": p.port.name, "port": p.port.port, "targetPort": p.port.target_port }))
        .collect();
    Ok(serde_json::from_value(json!({
        "metadata": { "name": object, "labels": labels(&plan.run, "shadow") },
        "spec": { "selector": place.selector, "ports": ports },
    }))?)
}

/// The agent listens where the dependency's pods do, under the same names: whatever the Service targets, it finds.
fn agent(
    plan: &Plan,
    dependency: &Dependency,
    object: &str,
    place: &Place,
    address: &str,
    image: &str,
) -> Result<Deployment, Failure> {
    let args = arguments(plan, dependency, place, address);
    let ports: Vec<Value> = place.ports.iter().map(container_port).collect();
    let mut labels = labels(&plan.run, "middle");
    labels[MIDDLE_LABEL] = json!(object);
    Ok(serde_json::from_value(json!({
        "metadata": { "name": object, "labels": labels },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { MIDDLE_LABEL: object, RUN_LABEL: plan.run } },
            "template": {
                "metadata": { "labels": labels },
                "spec": pod_spec("middle", image, &args, &json!(ports)),
            },
        },
    }))?)
}

fn arguments(plan: &Plan, dependency: &Dependency, place: &Place, address: &str) -> Vec<String> {
    let (name, protocol) = (dependency.name.as_str(), dependency.protocol.name());
    let fixed =
        ["middle", "--dependency", name, "--protocol", protocol, "--trace-prefix", &plan.trace_prefix];
    let ports = place.ports.iter().flat_map(|port| {
        ["--port".to_owned(), format!("{}={}", port.number, upstream(address, port.port.port))]
    });
    fixed.map(str::to_owned).into_iter().chain(ports).collect()
}

fn container_port(place: &PlacePort) -> Value {
    match &place.port.target_port {
        Some(IntOrString::String(name)) => json!({ "name": name, "containerPort": place.number }),
        _ => json!({ "containerPort": place.number }),
    }
}

fn upstream(address: &str, port: i32) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
