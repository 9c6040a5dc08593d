//! Whether the pod of a Job has begun, in the time that it has for it: pure.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::Value;

/// What cannot be had for so long (an image, room on a node, a volume) blocks the namespace no longer.
const PATIENCE: Duration = Duration::from_mins(5);

/// Whether a Job has had that time; `now` is in Unix milliseconds.
pub(super) fn is_due(job: &Value, now: i64) -> bool {
    let created = job.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    let created = created.and_then(|at| at.parse::<Timestamp>().ok());
    created.is_some_and(|at| i128::from(now - at.as_millisecond()) >= PATIENCE.as_millis() as i128)
}

/// Why none of the pods of a Job that is due has begun, if none has.
pub(super) fn hindrance(pods: &[DynamicObject]) -> Option<String> {
    let has_begun = |pod: &DynamicObject| pod.data["status"]["phase"] != "Pending";
    if pods.iter().any(has_begun) {
        return None;
    }
    let why = pods.iter().find_map(hindered).unwrap_or("nobody has made one: see the Events of the Job");
    Some(format!("no pod of it has begun within {} minutes: {why}", PATIENCE.as_secs() / 60))
}

/// What the kubelet or the scheduler says of a pod that waits.
fn hindered(pod: &DynamicObject) -> Option<&str> {
    let status = &pod.data["status"];
    let waiting = status.pointer("/containerStatuses/0/state/waiting");
    let told = |field: &str| waiting?[field].as_str();
    let unscheduled = || {
        let conditions = status["conditions"].as_array()?;
        conditions.iter().find(|one| one["type"] == "PodScheduled" && one["status"] == "False")?["message"]
            .as_str()
    };
    told("message").or_else(|| told("reason")).or_else(unscheduled)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn told(seconds: i64, pods: &[Value]) -> Option<String> {
        let job = json!({ "metadata": { "creationTimestamp": "1970-01-01T00:00:00Z" } });
        let pods: Vec<_> = pods.iter().map(|pod| from_value(pod.clone()).unwrap()).collect();
        if is_due(&job, seconds * 1_000) { hindrance(&pods) } else { None }
    }

    fn pod(status: &Value) -> Value {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "status": status })
    }

    #[test]
    fn a_pod_has_five_minutes_to_begin_and_then_it_is_told_why_it_has_not() {
        let waiting = json!({ "reason": "ImagePullBackOff", "message": "Back-off pulling image v:9" });
        let waits =
            pod(&json!({ "phase": "Pending", "containerStatuses": [{ "state": { "waiting": waiting } }] }));
        assert_eq!(told(299, std::slice::from_ref(&waits)), None);
        assert!(
            told(300, std::slice::from_ref(&waits))
                .unwrap()
                .ends_with("5 minutes: Back-off pulling image v:9")
        );
        let scheduled =
            json!({ "type": "PodScheduled", "status": "False", "message": "0/3 nodes are available" });
        let nowhere = pod(&json!({ "phase": "Pending", "conditions": [scheduled] }));
        assert!(told(300, &[nowhere]).unwrap().ends_with("0/3 nodes are available"));
        assert!(told(300, &[]).unwrap().contains("Events of the Job"));
        assert_eq!(told(3_000, &[waits, pod(&json!({ "phase": "Running" }))]), None);
    }
}
