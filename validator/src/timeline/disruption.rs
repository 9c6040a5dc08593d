//! The removal of a pod by somebody else.

use serde_json::Value;

use super::container::list;
use crate::evidence::{Millis, ObjectFact};

/// Of a pod that says nothing else (`terminationGracePeriodSeconds`).
const DEFAULT_GRACE_S: i64 = 30;

/// From the end of a container until its kubelet has told.
const TOLD_MS: Millis = 5_000;

/// What a kubelet writes as the reason of a pod that it has ended by itself, in clusters from before the condition too: room for a
/// critical pod, the shutdown of its node.
const ENDED_BY_KUBELET: [&str; 2] = ["Preempting", "Terminated"];

/// How an eviction for want of something on the node begins. One for want of what the pod itself may take (ephemeral-storage, the
/// size of an emptyDir) has the same reason, another message, and is the pod's own doing (kubelet, eviction/helpers.go).
const WANT_OF_NODE: &str = "The node ";

/// A pod is removed by somebody else. The controller of a deployment and a plain deletion leave no such mark: what has one was
/// evicted, preempted, or ended with its node. A node that dies marks its pods only after minutes: until then they count as lost.
#[derive(Clone, Debug)]
pub struct Disruption {
    /// Why, in one word of the API.
    pub reason: String,
    /// When it was first seen; of a pod that its kubelet has ended, which says so afterwards, when it was Ready for the last time.
    pub at: Millis,
    /// On which line.
    pub line: usize,
}

impl Disruption {
    /// What a pod as it was seen says of it; `ready` is the last change of its condition Ready.
    pub(super) fn seen(
        fact: &ObjectFact,
        line: usize,
        ready: Option<&(Millis, bool, usize)>,
    ) -> Option<Self> {
        let reason = removed_for(&fact.object)?.to_owned();
        let lost = ready.filter(|(at, ready, _)| !ready && *at >= earliest(fact)).map(|(at, _, _)| *at);
        Some(Self { reason, at: lost.unwrap_or(fact.at), line })
    }
}

/// When a pod that its kubelet has ended may have lost Ready for that: with the signal, its grace period before it was told of.
fn earliest(fact: &ObjectFact) -> Millis {
    if fact.object.pointer("/status/phase") != Some(&"Failed".into()) {
        return fact.at;
    }
    let grace_s = fact.object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    fact.at - (grace_s.unwrap_or(DEFAULT_GRACE_S) * 1_000 + TOLD_MS)
}

/// Why somebody else removes this pod, if somebody does: by the condition that the API server (evictions), the scheduler, the
/// controllers of nodes and the kubelet set.
fn removed_for(pod: &Value) -> Option<&str> {
    let mut conditions = list(pod, "/status/conditions").iter();
    let condition = conditions.find(|one| one["type"] == "DisruptionTarget" && one["status"] == "True");
    let by_condition = condition.map(|condition| condition["reason"].as_str().unwrap_or("unknown"));
    let reason = pod.pointer("/status/reason").and_then(Value::as_str);
    let message = pod.pointer("/status/message").and_then(Value::as_str).unwrap_or_default();
    let is_theirs = |reason: &&str| {
        ENDED_BY_KUBELET.contains(reason) || *reason == "Evicted" && message.starts_with(WANT_OF_NODE)
    };
    by_condition.or(reason.filter(is_theirs))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::evidence::{Change, Evidence, Fact, ObjectFact, ObjectKind};
    use crate::timeline::pod::lives;
    use crate::timeline::tests::header;

    /// Why somebody else removed a pod of which these were seen, one after the other, and when that shows.
    fn removed(seen: &[(Change, &Value)]) -> Option<(String, i64)> {
        let fact = |(at, (change, status)): (usize, &(Change, &Value))| {
            let object = json!({ "metadata": { "name": "a", "uid": "1" }, "status": status });
            Fact::Object(ObjectFact { at: at as i64, kind: ObjectKind::Pod, change: *change, object })
        };
        let facts = seen.iter().enumerate().map(fact).collect();
        let life = lives(&Evidence::new(header(), facts)).remove(0);
        assert_eq!(life.left(), life.disruption.as_ref().map(|disruption| disruption.at));
        life.disruption.map(|disruption| (disruption.reason, disruption.at))
    }

    #[test]
    fn an_eviction_is_told_by_its_condition_or_by_what_the_kubelet_says() {
        let condition = |status: &str, reason: &str| {
            let one = json!({ "type": "DisruptionTarget", "status": status, "reason": reason });
            json!({ "conditions": [one] })
        };
        let ended = |reason: &str| {
            let message = "The node was low on resource: memory.";
            json!({ "phase": "Failed", "reason": reason, "message": message })
        };
        let runs = json!({ "phase": "Running" });
        let then = |status: &Value| removed(&[(Change::Listed, &runs), (Change::Modified, status)]);
        let by_api = then(&condition("True", "EvictionByEvictionAPI"));
        assert_eq!(by_api, Some(("EvictionByEvictionAPI".into(), 1)));
        assert_eq!(then(&ended("Evicted")), Some(("Evicted".into(), 1)));
        assert_eq!(then(&condition("False", "PreemptionByScheduler")), None, "not any more");
        assert_eq!(then(&ended("DeadlineExceeded")), None, "its own doing");
        let mut full = ended("Evicted");
        full["message"] =
            json!("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.");
        assert_eq!(then(&full), None, "it took more than it may");
        let evicted = ended("Evicted");
        let before = [(Change::Listed, &evicted), (Change::Deleted, &evicted)];
        assert_eq!(removed(&before), None, "that was before the run, and what is left of it goes");
        let in_a_gap = [(Change::Listed, &runs), (Change::Listed, &evicted)];
        assert_eq!(removed(&in_a_gap), Some(("Evicted".into(), 1)), "it was there before the gap");
    }

    #[test]
    fn a_pod_that_goes_with_its_node_was_ready_until_the_signal_and_has_no_flap() {
        let seen = |at, phase: &str, reason: &str, ready: &str| {
            let conditions = json!([{ "type": "Ready", "status": ready }]);
            let status = json!({ "phase": phase, "reason": reason, "conditions": conditions });
            let object = json!({ "metadata": { "name": "a", "uid": "1" }, "status": status });
            Fact::Object(ObjectFact { at, kind: ObjectKind::Pod, change: Change::Modified, object })
        };
        let life = |lost| {
            let ends = [seen(lost, "Running", "", "False"), seen(100_000, "Failed", "Terminated", "False")];
            let facts = [seen(0, "Running", "", "True")].into_iter().chain(ends).collect();
            lives(&Evidence::new(header(), facts)).remove(0)
        };
        let with_its_node = life(80_000);
        assert_eq!((with_its_node.left(), with_its_node.flaps().len()), (Some(80_000), 0));
        let long_before = life(40_000);
        assert_eq!((long_before.left(), long_before.flaps().len()), (Some(100_000), 1), "by itself");
    }
}
