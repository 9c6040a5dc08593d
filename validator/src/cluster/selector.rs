//! The selector of a dependency's Service: led to the middle agent, and given back.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::Cluster;
use super::patches::annotation;
use crate::failure::Failure;

/// Label of a middle agent's pods, and while it stands there the whole selector of the dependency's Service.
pub(super) const MIDDLE_LABEL: &str = "golive.dev/middle";

/// Annotation of a Service while a middle agent stands before it: its own selector, as JSON.
const ORIGINAL: &str = "golive.dev/original-selector";

/// Attempts when something else of the Service changes between the look and the patch.
const ATTEMPTS: usize = 3;

/// Leads the Service to the agent. A JSON Patch with a test: a merge patch would merge the two maps, and somebody
/// else's change in between would be overwritten. One that another run leads is refused: what stands there is not its
/// own selector.
pub(super) async fn lead(
    cluster: &Cluster,
    service: &str,
    original: &BTreeMap<String, String>,
    agent: &str,
) -> Result<(), Failure> {
    let api: Api<Service> = cluster.api();
    let mut failed = None;
    for _ in 0..ATTEMPTS {
        let present = cluster.call("read a dependency's Service", api.get(service)).await?;
        free(cluster, &present)?;
        match patch(cluster, service, leading(&present, original, agent)?).await {
            Ok(()) => return Ok(()),
            Err(failure) => failed = Some(failure),
        }
    }
    failed.map_or(Ok(()), Err)
}

fn leading(
    present: &Service,
    original: &BTreeMap<String, String>,
    agent: &str,
) -> Result<Vec<Value>, Failure> {
    let mut operations = vec![
        json!({ "op": "test", "path": "/metadata/resourceVersion", "value": present.resource_version() }),
        json!({ "op": "test", "path": "/spec/selector", "value": original }),
        json!({ "op": "replace", "path": "/spec/selector", "value": { MIDDLE_LABEL: agent } }),
    ];
    if present.metadata.annotations.is_none() {
        operations.push(json!({ "op": "add", "path": "/metadata/annotations", "value": {} }));
    }
    let note = serde_json::to_string(original)?;
    operations.push(json!({ "op": "add", "path": annotation(ORIGINAL), "value": note }));
    Ok(operations)
}

/// Refuses a Service that an agent stands before, or did: its true selector is not the one that can be seen.
pub(super) fn free(cluster: &Cluster, service: &Service) -> Result<(), Failure> {
    if !is_led(service) && !service.annotations().contains_key(ORIGINAL) {
        return Ok(());
    }
    let name = service.name_any();
    Err(Failure::environment(format!("Service `{name}` still bears the marks of another run's middle agent"))
        .hint(format!("{}; then run again", cluster.cleanup_command())))
}

/// Whether the Service leads to a middle agent, of whatever run.
pub(super) fn is_led(service: &Service) -> bool {
    service
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref())
        .is_some_and(|s| s.contains_key(MIDDLE_LABEL))
}

/// Gives the Service its own selector back, if one of ours stands there; says what was done.
pub(super) async fn give_back(cluster: &Cluster, service: &Service) -> Result<Option<String>, Failure> {
    let name = service.name_any();
    let Some(note) = service.annotations().get(ORIGINAL) else {
        return Ok(None);
    };
    let forget = json!({ "op": "remove", "path": annotation(ORIGINAL) });
    let present = service.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
    if !is_led(service) {
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

async fn patch(cluster: &Cluster, service: &str, operations: Vec<Value>) -> Result<(), Failure> {
    cluster.patch::<Service>("patch a dependency's Service", service, operations.into()).await
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const PATH: &str = "/api/v1/namespaces/demo/services/redis";

    #[tokio::test]
    async fn a_service_that_another_run_leads_is_not_led_again() {
        let (fake, cluster) = Fake::start().await;
        let own = BTreeMap::from([("app".to_owned(), "redis".to_owned())]);
        fake.put(PATH, json!({ "metadata": { "name": "redis" }, "spec": { "selector": own } }));
        lead(&cluster, "redis", &own, "golive-users-a-redis").await.unwrap();
        let foreign = BTreeMap::from([(MIDDLE_LABEL.to_owned(), "golive-users-a-redis".to_owned())]);
        let refused = lead(&cluster, "redis", &foreign, "golive-users-b-redis").await.unwrap_err();
        assert!(refused.to_string().contains("another run"), "{refused}");
        let api: Api<Service> = cluster.api();
        give_back(&cluster, &api.get("redis").await.unwrap()).await.unwrap();
        let service = fake.get(PATH).unwrap();
        assert_eq!(service["spec"]["selector"], json!({ "app": "redis" }));
        assert_eq!(service["metadata"]["annotations"], json!({}));
    }
}
