//! Pods of the target that somebody else removed: evicted, preempted, or ended with their node.

use super::disturbance::{Disturbance, Source};
use crate::evidence::Millis;
use crate::timeline::{Disruption, PodLife};

/// What comes of it may be seen before it is: each kind of object is watched by itself.
const BEFORE_MS: Millis = 1_000;

/// What it does to the others goes on for about so long, however soon another pod is there.
const AFTER_MS: Millis = 60_000;

/// A pod that comes in its place may wait so long for a node and its image. After that it is held against the target.
const COMES_MS: Millis = 300_000;

/// Each removed pod has one that comes in its place: the first one that no other has.
pub(super) fn disturbances(pods: &[PodLife]) -> Vec<Disturbance> {
    let mut removed: Vec<_> = pods.iter().filter_map(|pod| Some((pod, pod.disruption.as_ref()?))).collect();
    removed.sort_by_key(|(_, disruption)| disruption.at);
    let mut others: Vec<&PodLife> = pods.iter().collect();
    let each = removed.into_iter().flat_map(|(pod, disruption)| {
        let next =
            others.iter().position(|other| other.first_seen >= disruption.at && other.name != pod.name);
        removal(pod, disruption, next.map(|next| others.remove(next)))
    });
    each.collect()
}

/// For the whole target until the pod in its place is there; for what is about the pod itself for ever.
fn removal(pod: &PodLife, removed: &Disruption, next: Option<&PodLife>) -> [Disturbance; 2] {
    let Disruption { reason, at, .. } = removed;
    let why = format!("somebody else removed the pod {} ({reason})", pod.name);
    let (from, to) = (at - BEFORE_MS, next.map_or(*at, there).max(at + AFTER_MS));
    [
        Disturbance { from, to, source: Source::Target, why: why.clone() },
        Disturbance { from, to: Millis::MAX, source: Source::Pod(pod.name.clone()), why },
    ]
}

/// When a pod is Ready; or fails by itself, which is no doing of whoever removed the one before.
fn there(pod: &PodLife) -> Millis {
    let (latest, failed) = (pod.first_seen + COMES_MS, pod.restarts.first().map(|restart| restart.at));
    pod.became_ready().into_iter().chain(failed).fold(latest, Millis::min)
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
        assert!(at(&facts, 400_000), "none was ready in its place");
        assert!(!at(&facts, 402_000), "and that is not for ever the doing of others");
    }

    #[test]
    fn each_removed_pod_has_one_in_its_place_and_one_that_fails_by_itself_ends_the_disturbance() {
        let evicted = |name| seen(100_000, name, "DisruptionTarget");
        let mut facts = vec![seen(0, "a", "Ready"), seen(0, "b", "Ready"), evicted("a"), evicted("b")];
        facts.extend([seen(101_000, "c", "Ready"), seen(101_000, "d", "PodScheduled")]);
        assert!(disturbed(&facts, None, 300_000), "the second one waits for a node");
        let restarts = |at, count: u8| {
            let mut fact = seen(at, "d", "PodScheduled");
            if let Fact::Object(last) = &mut fact {
                let status = json!({ "name": "d", "restartCount": count, "state": {} });
                last.object["status"]["containerStatuses"] = json!([status]);
            }
            fact
        };
        facts.extend([restarts(170_000, 0), restarts(200_000, 1)]);
        assert!(disturbed(&facts, None, 199_000) && !disturbed(&facts, None, 201_000));
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
