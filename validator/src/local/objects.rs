//! What a cluster would say of the copies: the raw facts that its watches bring.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::copy::{Copy, Phase};
use super::process::End;
use crate::evidence::{Change, Fact, Millis, ObjectFact, ObjectKind};
use crate::plan::TargetPlan;

/// Where all copies run.
pub(super) const NODE: &str = "this machine";

/// An object of a kind, seen now.
pub(super) fn seen(at: Millis, kind: ObjectKind, change: Change, object: Value) -> Fact {
    Fact::Object(ObjectFact { at, kind, change, object })
}

/// A pod.
pub(super) fn pod(target: &TargetPlan, name: &str, copy: &Copy) -> Value {
    let mut metadata = json!({ "name": name, "uid": copy.uid, "labels": { "pod-template-hash": copy.hash } });
    if let Some((at, grace_s)) = copy.leaving {
        metadata["deletionTimestamp"] = json!(time(at + grace_s * 1000));
        metadata["deletionGracePeriodSeconds"] = json!(grace_s);
    }
    let state = match &copy.phase {
        Phase::Running(since) => json!({ "running": { "startedAt": time(*since) } }),
        Phase::Waiting(reason) => json!({ "waiting": { "reason": reason } }),
        Phase::Ended(end) => json!({ "terminated": terminated(*end) }),
    };
    let last = copy.last.map_or_else(|| json!({}), |end| json!({ "terminated": terminated(end) }));
    let ready = if copy.ready { "True" } else { "False" };
    json!({
        "metadata": metadata,
        "spec": { "nodeName": NODE, "containers": [{ "name": target.container }] },
        "status": {
            "phase": "Running",
            "podIP": super::HOST.to_string(),
            "conditions": [{ "type": "Ready", "status": ready }],
            "containerStatuses": [{
                "name": target.container, "ready": copy.ready, "restartCount": copy.restarts, "state": state,
                "lastState": last,
            }],
        },
    })
}

fn terminated(end: End) -> Value {
    json!({ "exitCode": end.code, "reason": end.reason() })
}

/// The one EndpointSlice.
pub(super) fn slice<'c>(target: &TargetPlan, copies: impl Iterator<Item = (&'c String, &'c Copy)>) -> Value {
    let endpoint = |(name, copy): (&String, &Copy)| {
        let conditions = json!({
            "ready": copy.ready && copy.leaving.is_none(), "serving": copy.ready, "terminating": copy.leaving.is_some(),
        });
        json!({
            "addresses": [super::HOST.to_string()], "conditions": conditions,
            "targetRef": { "kind": "Pod", "name": name, "uid": copy.uid },
        })
    };
    let endpoints: Vec<Value> = copies.map(endpoint).collect();
    json!({ "metadata": { "name": target.service }, "endpoints": endpoints })
}

/// The deployment: what a check reads of its template stands in it.
pub(super) fn deployment(target: &TargetPlan, hash: &str, (grace_s, min_ready_s): (i64, i64)) -> Value {
    json!({
        "metadata": { "name": target.deployment },
        "spec": {
            "replicas": target.replicas,
            "minReadySeconds": min_ready_s,
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": {
                "metadata": { "annotations": { "golive.dev/template": hash } },
                "spec": {
                    "terminationGracePeriodSeconds": grace_s,
                    "containers": [{ "name": target.container, "readinessProbe": {}, "livenessProbe": {} }],
                },
            },
        },
    })
}

/// The replica set of a template.
pub(super) fn replica_set(target: &TargetPlan, hash: &str, replicas: usize) -> Value {
    json!({ "metadata": { "name": format!("{}-{hash}", target.deployment) }, "spec": { "replicas": replicas } })
}

fn time(at: Millis) -> String {
    Timestamp::from_millisecond(at).unwrap_or_default().to_string()
}
