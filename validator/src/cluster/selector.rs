//! The selector of a dependency's Service: led to the middle agent, and given back.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::Cluster;
use crate::failure::Failure;

/// Label of a middle agent's pods, and while it stands there the whole selector of the dependency's Service.
pub(super) const MIDDLE_LABEL: &str = "golive.dev/middle";

/// Annotation of a Service while a middle agent stands before it: its own selector, as JSON.
const ORIGINAL: &str = "golive.dev/original-selector";

/// Leads the Service to the agent. A JSON Patch with a test: a merge patch would merge the two maps, and somebody
/// else's change in between would be overwritten.
pub(super) async fn lead(
    cluster: &Cluster,
    service: &str,
    original: &BTreeMap<String, String>,
    agent: &str,
) -> Result<(), Failure> {
    let api: Api<Service> = cluster.api();
    let present = cluster.call("read a dependency's Service", api.get(service)).await?;
    let mut operations = vec![
        json!({ "op": "test", "path": "/spec/selector", "value": original }),
        json!({ "op": "replace", "path": "/spec/selector", "value": { MIDDLE_LABEL: agent } }),
    ];
    if present.metadata.annotations.is_none() {
        operations.push(json!({ "op": "add", "path": "/metadata/annotations", "value": {} }));
    }
    let note = serde_json::to_string(original)?;
    operations.push(json!({ "op": "add", "path": pointer(), "value": note }));
    patch(cluster, service, operations).await
}

/// Gives the Service its own selector back, if one of ours stands there; says what was done.
pub(super) async fn give_back(cluster: &Cluster, service: &Service) -> Result<Option<String>, Failure> {
    let name = service.name_any();
    let Some(note) = service.annotations().get(ORIGINAL) else {
        return Ok(None);
    };
    let forget = json!({ "op": "remove", "path": pointer() });
    let present = service.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
    if !present.contains_key(MIDDLE_LABEL) {
        patch(cluster, &name, vec![forget]).await?;
        return Ok(Some(format!("service/{name} had been given another selector meanwhile; it stays")));
    }
    let original: Value = serde_json::from_str(note)?;
    let operations = vec![
        json!({ "op": "test", "path": "/spec/selector", "value": present }),
        json!({ "op": "replace", "path": "/spec/selector", "value": original }),
        forget,
    ];
    patch(cluster, &name, operations).await?;
    Ok(Some(format!("service/{name} has its own selector again")))
}

/// Whether the Service leads to this agent.
pub(super) fn leads_to(service: &Service, agent: &str) -> bool {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|s| s.len() == 1 && s.get(MIDDLE_LABEL).map(String::as_str) == Some(agent))
}

fn pointer() -> String {
    format!("/metadata/annotations/{}", ORIGINAL.replace('/', "~1"))
}

async fn patch(cluster: &Cluster, service: &str, operations: Vec<Value>) -> Result<(), Failure> {
    let api: Api<Service> = cluster.api();
    let operations: json_patch::Patch = serde_json::from_value(operations.into())?;
    let (params, patch) = (PatchParams::default(), Patch::Json::<()>(operations));
    cluster.call("patch a dependency's Service", api.patch(service, &params, &patch)).await.map(drop)
}
