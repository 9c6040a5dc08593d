//! What the verdict is about: which bits, judged by what, when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Purpose;
use crate::evidence::{Fact, Millis, ObjectKind, Step};
use crate::timeline::Timeline;

/// A verdict holds for this candidate, judged by these rules, and for nothing else.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct Identity {
    /// Image of the container that serves, as the template names it.
    pub image: String,
    /// The same by its digest (`imageID` of the candidate's pods; of an observing run that of the pod that was created last); none
    /// where no pod of it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `pod-template-hash` of the candidate's pods: that of the roll out if it stayed there, since it has no agents in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_hash: Option<String>,
    /// Name of the policy: `default` is the one of this validator.
    pub policy: String,
    /// When the run began, RFC 3339.
    pub began: String,
    /// When its last step ended, or the last that is known of it, RFC 3339.
    pub ended: String,
}

impl Identity {
    pub(super) fn new(timeline: &Timeline) -> Self {
        let (plan, started) = (timeline.plan(), timeline.evidence.header.started);
        let ended = timeline.ended();
        let (digest, template_hash) = match plan.purpose {
            Purpose::Prove => candidate(timeline),
            Purpose::Observe => serving(timeline),
        };
        Self {
            image: plan.target.candidate.as_ref().unwrap_or(&plan.target.image).clone(),
            digest,
            template_hash,
            policy: plan.policy.metadata.name.clone(),
            began: rfc3339(started),
            ended: rfc3339(ended),
        }
    }
}

/// Digest and template hash of the candidate's pods that were created last, in the latest roll that brought some: the roll out
/// may have brought back what was there before.
fn candidate(timeline: &Timeline) -> (Option<String>, Option<String>) {
    let rolls = Step::ROLLS.iter().rev().filter_map(|roll| timeline.step(*roll));
    let brought = rolls.map(|roll| brought(timeline, roll.begin)).find(|pods| !pods.is_empty());
    let pods = brought.unwrap_or_default();
    let objects = timeline.evidence.facts.iter().rev().filter_map(|fact| match fact {
        Fact::Object(fact) if fact.kind == ObjectKind::Pod => Some(&fact.object),
        _ => None,
    });
    let mine =
        objects.filter(|pod| pod["metadata"]["name"].as_str().is_some_and(|name| pods.contains(&name)));
    let serving = &timeline.plan().target.container;
    let mut found = (None, None);
    for pod in mine {
        found.0 = found.0.or_else(|| digest(pod, serving));
        found.1 = found.1.or_else(|| text(&pod["metadata"]["labels"]["pod-template-hash"]));
    }
    found
}

/// Names of the candidate's pods that came since then.
fn brought<'t>(timeline: &'t Timeline, since: Millis) -> Vec<&'t str> {
    let came = timeline.pods.iter().filter(|pod| pod.first_seen >= since && timeline.is_judged(pod));
    came.map(|pod| pod.name.as_str()).collect()
}

/// The same of what serves: of the pod that was created last, since a tag that was moved shows there first.
fn serving(timeline: &Timeline) -> (Option<String>, Option<String>) {
    let objects = timeline.evidence.facts.iter().filter_map(|fact| match fact {
        Fact::Object(fact) if fact.kind == ObjectKind::Pod => Some(&fact.object),
        _ => None,
    });
    let container = &timeline.plan().target.container;
    let started = objects.filter(|pod| digest(pod, container).is_some());
    let created = |pod: &&Value| pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
    let Some(last) = started.max_by_key(created) else { return (None, None) };
    (digest(last, container), text(&last["metadata"]["labels"]["pod-template-hash"]))
}

fn digest(pod: &Value, serving: &str) -> Option<String> {
    let statuses = pod.pointer("/status/containerStatuses")?.as_array()?;
    text(&statuses.iter().find(|status| status["name"] == serving)?["imageID"])
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A moment as RFC 3339 in UTC, to the second.
pub(super) fn rfc3339(at: Millis) -> String {
    jiff::Timestamp::from_second(at.div_euclid(1000)).map_or_else(|_| at.to_string(), |at| at.to_string())
}
