//! Endpoints of the Service over time, all its slices merged.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::{Change, Evidence, Fact, Millis, ObjectKind};

/// The endpoints after one slice event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointCount {
    /// When.
    pub at: Millis,
    /// Endpoints with condition ready.
    pub ready: usize,
    /// Endpoints with condition terminating.
    pub terminating: usize,
    /// Line of the event.
    pub line: usize,
}

/// Whether the endpoint of one pod was ready, over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointLife {
    /// Changes: when, to what, on which line. Before the first one it is not ready.
    pub changes: Vec<(Millis, bool, usize)>,
}

impl EndpointLife {
    /// Whether it was ready at a moment.
    pub fn ready_at(&self, moment: Millis) -> bool {
        self.changes.iter().rfind(|(at, ..)| *at <= moment).is_some_and(|(_, ready, _)| *ready)
    }

    /// The first moment, from this one on, at which it was ready, or was not.
    pub fn first(&self, ready: bool, from: Millis) -> Option<Millis> {
        if self.ready_at(from) == ready {
            return Some(from);
        }
        self.changes.iter().find(|(at, is, _)| *at > from && *is == ready).map(|(at, ..)| *at)
    }
}

/// Endpoints of all slices, by slice.
type Slices = BTreeMap<String, Vec<Value>>;

pub(super) fn history(evidence: &Evidence) -> Vec<EndpointCount> {
    let mut history = Vec::new();
    each_change(evidence, |at, line, slices| {
        let (ready, terminating) = count(slices);
        history.push(EndpointCount { at, ready, terminating, line });
    });
    history
}

/// The same by name of the pod.
pub(super) fn lives(evidence: &Evidence) -> BTreeMap<String, EndpointLife> {
    let mut lives: BTreeMap<String, EndpointLife> = BTreeMap::new();
    each_change(evidence, |at, line, slices| {
        let mut now: BTreeMap<&str, bool> = BTreeMap::new();
        for endpoint in slices.values().flatten() {
            let Some(pod) = endpoint.pointer("/targetRef/name").and_then(Value::as_str) else { continue };
            let ready = endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
            *now.entry(pod).or_default() |= ready;
            lives.entry(pod.to_owned()).or_default();
        }
        for (pod, life) in &mut lives {
            let ready = now.get(pod.as_str()).copied().unwrap_or(false);
            if life.changes.last().is_some_and(|(_, is, _)| *is) != ready {
                life.changes.push((at, ready, line));
            }
        }
    });
    lives
}

fn each_change(evidence: &Evidence, mut told: impl FnMut(Millis, usize, &Slices)) {
    let mut slices = Slices::new();
    for (line, fact) in evidence.numbered() {
        let Fact::Object(fact) = fact else { continue };
        if fact.kind != ObjectKind::EndpointSlice {
            continue;
        }
        let name = fact.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        if fact.change == Change::Deleted {
            slices.remove(name);
        } else {
            let endpoints = fact.object["endpoints"].as_array().cloned().unwrap_or_default();
            slices.insert(name.to_owned(), endpoints);
        }
        told(fact.at, line, &slices);
    }
}

/// The same pod may stand in several slices (dual stack, moves between slices): it counts once.
fn count(slices: &Slices) -> (usize, usize) {
    let mut pods: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for endpoint in slices.values().flatten() {
        let identity = endpoint.pointer("/targetRef/uid").or_else(|| endpoint.pointer("/addresses/0"));
        let Some(identity) = identity.and_then(Value::as_str) else {
            continue;
        };
        let condition =
            |name: &str| endpoint.pointer(&format!("/conditions/{name}")).and_then(Value::as_bool);
        let entry = pods.entry(identity).or_default();
        // EndpointSlice API: an absent `ready` means true, an absent `terminating` false.
        entry.0 |= condition("ready").unwrap_or(true);
        entry.1 |= condition("terminating").unwrap_or(false);
    }
    let ready = pods.values().filter(|(ready, _)| *ready).count();
    let terminating = pods.values().filter(|(_, terminating)| *terminating).count();
    (ready, terminating)
}

impl super::Timeline<'_> {
    /// The fewest ready endpoints in a window.
    pub fn fewest_ready(&self, (begin, end): (Millis, Millis)) -> f64 {
        let before = self.endpoints.iter().rfind(|count| count.at < begin);
        let during = self.endpoints.iter().filter(|count| (begin..=end).contains(&count.at));
        before.into_iter().chain(during).map(|count| count.ready).min().unwrap_or(0) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::lives;
    use crate::evidence::{Change, Evidence, Fact, ObjectFact, ObjectKind};
    use crate::timeline::tests::header;
    use serde_json::json;

    fn slice(at: i64, ready: &[(&str, bool)]) -> Fact {
        let endpoints: Vec<_> = ready
            .iter()
            .map(|(pod, ready)| json!({ "targetRef": { "name": pod }, "conditions": { "ready": ready } }))
            .collect();
        let object = json!({ "metadata": { "name": "s" }, "endpoints": endpoints });
        Fact::Object(ObjectFact { at, kind: ObjectKind::EndpointSlice, change: Change::Modified, object })
    }

    #[test]
    fn an_endpoint_that_left_the_slice_is_not_ready() {
        let facts = vec![
            slice(1, &[("a", true), ("b", false)]),
            slice(5, &[("a", true), ("b", true)]),
            slice(9, &[("b", true)]),
        ];
        let lives = lives(&Evidence::new(header(), facts));
        assert_eq!(lives["a"].first(false, 2), Some(9));
        assert_eq!(lives["b"].first(true, 0), Some(5));
        assert!(!lives["b"].ready_at(4) && lives["b"].ready_at(20));
    }
}
