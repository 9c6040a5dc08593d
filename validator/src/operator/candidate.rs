//! What would serve: a pod template, without what a run lays on it.

use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::kinds::OURS;

/// What a run is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Images of its containers, in their order.
    pub(super) image: String,
    /// Hash of its template, with the images as it names them: a tag that is moved does not change it.
    pub(super) hash: String,
}

impl Candidate {
    /// That of a deployment.
    pub(super) fn of(deployment: &Value) -> Self {
        let mut template = deployment["spec"]["template"].clone();
        without_ours(&mut template);
        without_nulls(&mut template);
        let containers = template["spec"]["containers"].as_array();
        let images = containers.into_iter().flatten().filter_map(|container| container["image"].as_str());
        Self { image: images.collect::<Vec<_>>().join(","), hash: short(&[&template.to_string()]) }
    }
}

/// A run leads names to its agents and notes when it restarted: neither makes another candidate. Nor does a time that whoever
/// wrote the template left in it.
fn without_ours(template: &mut Value) {
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
    }
    if let Some(annotations) = template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !name.starts_with(OURS));
        if annotations.is_empty()
            && let Some(metadata) = template["metadata"].as_object_mut()
        {
            metadata.remove("annotations");
        }
    }
    let Some(spec) = template["spec"].as_object_mut() else { return };
    if let Some(aliases) = spec.get_mut("hostAliases").and_then(Value::as_array_mut) {
        let is_ours = |alias: &Value| alias["hostnames"].to_string().contains("agent.golive.invalid");
        aliases.retain(|alias| !is_ours(alias));
        if aliases.is_empty() {
            spec.remove("hostAliases");
        }
    }
}

/// Releases of the API server differ in whether they write that nothing is there, as in `creationTimestamp: null`: an upgrade of
/// the cluster makes no other candidate.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Whether all its pods are of this template and serve, as `kubectl rollout status` sees it.
pub(super) fn is_settled(deployment: &Value) -> bool {
    let number = |path: &str| deployment.pointer(path).and_then(Value::as_i64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    let status = |name: &str| number(&format!("/status/{name}")).unwrap_or(0);
    wanted > 0
        && status("observedGeneration") >= number("/metadata/generation").unwrap_or(0)
        && [status("updatedReplicas"), status("replicas"), status("availableReplicas")] == [wanted; 3]
}

/// Ten hex digits that stand for these texts.
pub(super) fn short(texts: &[&str]) -> String {
    let hash = digest(&SHA256, texts.join("\0").as_bytes());
    let begin = hash.as_ref().iter().take(5).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{begin:010x}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Candidate, is_settled};

    fn deployment(template: &Value) -> Value {
        let status =
            json!({ "observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3 });
        json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 3, "template": template }, "status": status })
    }

    #[test]
    fn what_a_run_lays_on_a_template_makes_no_other_candidate_and_anything_else_does() {
        let plain = json!({ "metadata": {}, "spec": { "containers": [{ "image": "users:1" }] } });
        let mut led = plain.clone();
        led["spec"]["hostAliases"] =
            json!([{ "ip": "10.0.0.1", "hostnames": ["agent.golive.invalid", "postgres"] }]);
        led["metadata"]["annotations"] = json!({ "golive.dev/restarted-at": "1" });
        let candidate = |template: &Value| Candidate::of(&deployment(template));
        assert_eq!(candidate(&plain), candidate(&led));
        let mut other = plain.clone();
        other["spec"]["containers"][0]["image"] = json!("users:2");
        assert_ne!(candidate(&plain).hash, candidate(&other).hash);
        let mut restarted = plain.clone();
        restarted["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/restartedAt": "1" });
        assert_ne!(candidate(&plain).hash, candidate(&restarted).hash, "a tag may have been moved");
        let mut named = led.clone();
        named["spec"]["hostAliases"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "ip": "1.1.1.1", "hostnames": ["x"] }));
        assert_ne!(candidate(&plain).hash, candidate(&named).hash);
    }

    #[test]
    fn what_an_api_server_writes_of_what_is_not_there_makes_no_other_candidate() {
        let hash = |template: &Value| Candidate::of(&deployment(template)).hash;
        let container = json!({ "image": "users:1", "env": [{ "name": "A", "value": "1" }] });
        let plain =
            json!({ "metadata": { "labels": { "app": "users" } }, "spec": { "containers": [container] } });
        let mut written = plain.clone();
        written["metadata"]["creationTimestamp"] = json!(null);
        written["spec"]["containers"][0]["env"][0]["valueFrom"] = json!(null);
        assert_eq!(hash(&plain), hash(&written));
        written["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(hash(&plain), hash(&written));
        written["metadata"]["labels"]["creationTimestamp"] = json!("now");
        assert_ne!(hash(&plain), hash(&written), "that is a label");
    }

    #[test]
    fn a_deployment_is_settled_when_its_controller_has_seen_it_and_all_pods_are_new_and_available() {
        let settled = deployment(&json!({}));
        assert!(is_settled(&settled));
        for (path, value) in [
            ("/status/observedGeneration", 1),
            ("/status/updatedReplicas", 2),
            ("/status/replicas", 4),
            ("/status/availableReplicas", 2),
            ("/spec/replicas", 0),
        ] {
            let mut moving = settled.clone();
            *moving.pointer_mut(path).unwrap() = json!(value);
            assert!(!is_settled(&moving), "{path}");
        }
    }
}
