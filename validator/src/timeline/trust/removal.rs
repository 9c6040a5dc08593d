//! Pods of the target that somebody else removed: evicted, preempted, or gone with their node.

use super::disturbance::{Disturbance, Source};
use crate::evidence::Millis;
use crate::timeline::{Disruption, PodLife};

/// What comes of it may be seen before it is: each kind of object is watched by itself.
const BEFORE_MS: Millis = 1_000;

/// What it does to the others goes on for about so long, however soon another pod is there.
const AFTER_MS: Millis = 60_000;

pub(super) fn disturbances(pods: &[PodLife]) -> Vec<Disturbance> {
    pods.iter().flat_map(|pod| removal(pod, pods)).collect()
}

/// For the whole target until the next pod is Ready; for what is about the pod itself for ever.
fn removal(pod: &PodLife, pods: &[PodLife]) -> Vec<Disturbance> {
    let Some(Disruption { reason, at, .. }) = &pod.disruption else { return Vec::new() };
    let why = format!("somebody else removed the pod {} ({reason})", pod.name);
    let next = pods.iter().find(|other| other.first_seen >= *at && other.name != pod.name);
    let ready = next.map_or(*at, |next| next.became_ready().unwrap_or(Millis::MAX));
    let (from, to) = (at - BEFORE_MS, ready.max(at + AFTER_MS));
    vec![
        Disturbance { from, to, source: Source::Target, why: why.clone() },
        Disturbance { from, to: Millis::MAX, source: Source::Pod(pod.name.clone()), why },
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::evidence::{Change, Evidence, Fact, Millis, ObjectFact, ObjectKind};
    use crate::timeline::tests::header;
    use crate::timeline::{About, Kind, Timeline};

    /// A pod as it was seen, with one condition.
    fn seen(at: Millis, name: &str, condition: &str) -> Fact {
        let conditions = json!([{ "type": condition, "status": "True", "reason": "EvictionByEvictionAPI" }]);
        let object =
            json!({ "metadata": { "name": name, "uid": name }, "status": { "conditions": conditions } });
        Fact::Object(ObjectFact { at, kind: ObjectKind::Pod, change: Change::Modified, object })
    }

    /// Whether what is about a pod, or about the target, was disturbed at a moment.
    fn disturbed(facts: &[Fact], pod: Option<&str>, at: Millis) -> bool {
        let evidence = Evidence::new(header(), facts.to_vec());
        let trust = Timeline::new(&evidence).trust;
        let about = About { dependency: None, pod };
        trust.during(&[Kind::Target], about, (at, at)).next().is_some()
    }

    #[test]
    fn an_eviction_disturbs_the_target_until_the_next_pod_is_ready_and_what_is_about_the_pod_for_ever() {
        let mut facts =
            vec![seen(0, "a", "Ready"), seen(0, "b", "Ready"), seen(100_000, "a", "DisruptionTarget")];
        let at = |facts: &[Fact], at| disturbed(facts, None, at);
        assert!(!at(&facts, 98_000) && at(&facts, 99_500) && at(&facts, 160_000) && !at(&facts, 161_000));
        facts.extend([seen(101_000, "c", "PodScheduled"), seen(190_000, "c", "Ready")]);
        assert!(at(&facts, 189_000) && !at(&facts, 191_000));
        assert!(disturbed(&facts, Some("a"), 900_000) && !disturbed(&facts, Some("a"), 98_000));
        assert!(!disturbed(&facts, Some("b"), 900_000));
        facts.pop();
        assert!(at(&facts, 900_000), "none was ready in its place");
    }

    #[test]
    fn a_pod_that_is_deleted_without_an_eviction_is_no_disturbance() {
        let mut facts = vec![seen(0, "a", "Ready"), seen(100_000, "a", "Ready")];
        if let Some(Fact::Object(last)) = facts.last_mut() {
            last.object["metadata"]["deletionTimestamp"] = json!("2026-11-25T10:00:00Z");
        }
        assert!(!disturbed(&facts, None, 100_000), "as the rolls do, and the step without a collector");
    }
}
