//! The objects of one agent: its own Service, to whose address names are led, and its Deployment.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::manifest::{labels, object_name, pod_spec};
use super::site::Place;
use super::{Cluster, RUN_LABEL};
use crate::config::Dependency;
use crate::failure::Failure;
use crate::plan::Plan;

/// Label of an agent's pods; the value is the name of its objects.
pub(super) const MIDDLE_LABEL: &str = "golive.dev/middle";

/// Name of both objects: that of a Service is a DNS label, that of a dependency is any text.
pub(super) fn name(run: &str, dependency: &Dependency) -> String {
    let label = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let part: String = dependency.name.chars().map(label).collect();
    object_name(run, part.trim_matches('-'))
}

/// Creates them and gives the address of the Service.
pub(super) async fn create(
    cluster: &Cluster,
    plan: &Plan,
    dependency: &Dependency,
    place: &Place,
    image: &str,
) -> Result<String, Failure> {
    let object = name(&plan.run, dependency);
    let (post, services): (_, Api<Service>) = (PostParams::default(), cluster.api());
    let service = service(plan, &object, place)?;
    let created = cluster.call("create the Service of an agent", services.create(&post, &service)).await?;
    let address = created.spec.and_then(|spec| spec.cluster_ip).unwrap_or_default();
    let deployments: Api<Deployment> = cluster.api();
    let deployment = agent(plan, dependency, &object, place, image)?;
    cluster.call("create a middle agent", deployments.create(&post, &deployment)).await?;
    Ok(address)
}

fn service(plan: &Plan, object: &str, place: &Place) -> Result<Service, Failure> {
    let number = |p: &super::site::PlacePort| p.number;
    let port = |number| json!({ "name": format!("p{number}"), "port": number, "targetPort": number });
    let ports: Vec<Value> = place.ports.iter().map(number).map(port).collect();
    Ok(serde_json::from_value(json!({
        "metadata": { "name": object, "labels": labels(&plan.run, "middle") },
        "spec": { "selector": { MIDDLE_LABEL: object }, "ports": ports },
    }))?)
}

fn agent(
    plan: &Plan,
    dependency: &Dependency,
    object: &str,
    place: &Place,
    image: &str,
) -> Result<Deployment, Failure> {
    let ports: Vec<Value> = place.ports.iter().map(|port| json!({ "containerPort": port.number })).collect();
    let mut labels = labels(&plan.run, "middle");
    labels[MIDDLE_LABEL] = json!(object);
    Ok(serde_json::from_value(json!({
        "metadata": { "name": object, "labels": labels },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { MIDDLE_LABEL: object, RUN_LABEL: plan.run } },
            "template": {
                "metadata": { "labels": labels },
                "spec": pod_spec("middle", image, &arguments(plan, dependency, place), &json!(ports)),
            },
        },
    }))?)
}

fn arguments(plan: &Plan, dependency: &Dependency, place: &Place) -> Vec<String> {
    let (name, protocol) = (dependency.name.as_str(), dependency.protocol.name());
    let fixed =
        ["middle", "--dependency", name, "--protocol", protocol, "--trace-prefix", &plan.trace_prefix];
    let ports =
        place.ports.iter().flat_map(|p| ["--port".to_owned(), format!("{}={}", p.number, p.upstream)]);
    fixed.map(str::to_owned).into_iter().chain(ports).collect()
}
