//! The ReplicaSets of the deployment: how many pods they were asked for together.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::{Change, Millis, ObjectFact};

/// Annotation in which the deployment controller notes, with the number of a set, how many replicas the deployment asked for.
const DESIRED: &str = "/metadata/annotations/deployment.kubernetes.io~1desired-replicas";

/// What they were asked for, event by event. Their status would not do: the deployment sums it up from sets seen at
/// different moments.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplicaSets {
    /// Pods asked for, by name of the set.
    asked: BTreeMap<String, i64>,
    /// Most replicas of the deployment that any of them was given its number for.
    desired: i64,
    pub(super) sums: Vec<Sum>,
}

/// What all sets together were asked for from a moment on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    pub(super) at: Millis,
    /// Line of the event.
    pub(super) line: usize,
    pub(super) pods: i64,
    /// Most replicas of the deployment that were noted until then.
    pub(super) desired: i64,
}

impl ReplicaSets {
    pub(super) fn learn(&mut self, fact: &ObjectFact, line: usize) {
        let text = |pointer: &str| fact.object.pointer(pointer).and_then(Value::as_str);
        let asked = fact.object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
        let asked = if fact.change == Change::Deleted { 0 } else { asked };
        self.asked.insert(text("/metadata/name").unwrap_or_default().to_owned(), asked);
        // One without pods keeps the note of the day when it lost them.
        let desired = text(DESIRED).and_then(|noted| noted.parse().ok()).filter(|_| asked > 0);
        self.desired = self.desired.max(desired.unwrap_or(0));
        let pods = self.asked.values().sum();
        self.sums.push(Sum { at: fact.at, line, pods, desired: self.desired });
    }
}
