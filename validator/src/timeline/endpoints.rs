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

pub(super) fn history(evidence: &Evidence) -> Vec<EndpointCount> {
    let mut slices: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut history = Vec::new();
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
        let (ready, terminating) = count(&slices);
        history.push(EndpointCount { at: fact.at, ready, terminating, line });
    }
    history
}

/// The same pod may stand in several slices (dual stack, moves between slices): it counts once.
fn count(slices: &BTreeMap<String, Vec<Value>>) -> (usize, usize) {
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
