//! The deployment: its settings as found, its status over time, its disruption budgets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::{Change, Evidence, Fact, Millis, ObjectFact, ObjectKind};

/// What the objects declare, and what the controller reported.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// The deployment as first listed.
    pub deployment: Value,
    /// Line of that list.
    pub line: usize,
    /// Most pods that the replica sets were asked for together, and on which line. Their status would not do:
    /// the deployment sums it up from sets seen at different moments.
    pub most_pods: Option<(i64, usize)>,
    /// Disruption budgets of the namespace.
    pub budgets: Vec<(usize, Value)>,
    /// Replicas asked for, each time that they were another number than before.
    asked: Vec<(Millis, i64)>,
}

impl Workload {
    /// A value of the deployment by JSON pointer.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.deployment.pointer(pointer)
    }

    /// A whole number of the deployment by JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.get(pointer).and_then(Value::as_i64)
    }

    /// The pod template's containers.
    pub fn containers(&self) -> &[Value] {
        let containers = self.get("/spec/template/spec/containers").and_then(Value::as_array);
        containers.map(Vec::as_slice).unwrap_or_default()
    }

    /// The name of the first container that declares this, but for one.
    pub fn other_with(&self, field: &str, but: &str) -> Option<&str> {
        let declaring = self.containers().iter().filter(|container| container.get(field).is_some());
        declaring.filter_map(|container| container.get("name")?.as_str()).find(|name| *name != but)
    }

    /// Replicas asked for.
    pub fn replicas(&self) -> i64 {
        self.number("/spec/replicas").unwrap_or(1)
    }

    /// How many pods serve at least at a moment: of those asked for at first all but `maxUnavailable`, or of the fewest that
    /// somebody has asked for until then. More of them need time, and a node, before they serve.
    pub fn promised(&self, at: Millis) -> i64 {
        let asked = self.asked.iter().filter(|(since, _)| *since <= at).map(|(_, asked)| *asked);
        let replicas = asked.fold(self.replicas(), i64::min);
        replicas - self.rolling_of(replicas).0
    }

    /// `maxUnavailable` and `maxSurge` in pods, rounded as the deployment controller rounds:
    /// unavailable down, surge up; both default to 25 %.
    pub fn rolling(&self) -> (i64, i64) {
        self.rolling_of(self.replicas())
    }

    fn rolling_of(&self, replicas: i64) -> (i64, i64) {
        let of = |name: &str, up: bool| {
            let value = self.get(&format!("/spec/strategy/rollingUpdate/{name}"));
            scaled(value.unwrap_or(&Value::from("25%")), replicas, up)
        };
        match (of("maxUnavailable", false), of("maxSurge", true)) {
            // Nothing could move: the controller lets one go (ResolveFenceposts).
            (0, 0) => (1, 0),
            limits => limits,
        }
    }

    /// Settings are those that were found; how many pods are asked for is followed.
    fn learn(&mut self, fact: &ObjectFact, line: usize) {
        if self.deployment.is_null() {
            (self.deployment, self.line) = (fact.object.clone(), line);
        }
        let asked = fact.object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        if self.asked.last().is_none_or(|(_, before)| *before != asked) {
            self.asked.push((fact.at, asked));
        }
    }
}

fn scaled(value: &Value, of: i64, up: bool) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent: i64 = value.as_str().and_then(|t| t.trim_end_matches('%').parse().ok()).unwrap_or(0);
    (of * percent + if up { 99 } else { 0 }) / 100
}

pub(super) fn read(evidence: &Evidence) -> Workload {
    let mut workload = Workload::default();
    let mut sets: BTreeMap<&str, i64> = BTreeMap::new();
    for (line, fact) in evidence.numbered() {
        let Fact::Object(fact) = fact else { continue };
        match fact.kind {
            ObjectKind::Deployment => workload.learn(fact, line),
            ObjectKind::ReplicaSet => {
                let name = fact.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                let asked = fact.object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
                sets.insert(name, if fact.change == Change::Deleted { 0 } else { asked });
                let pods = sets.values().sum();
                if workload.most_pods.is_none_or(|(most, _)| pods > most) {
                    workload.most_pods = Some((pods, line));
                }
            }
            ObjectKind::PodDisruptionBudget => workload.budgets.push((line, fact.object.clone())),
            _ => {}
        }
    }
    workload
}

#[cfg(test)]
mod tests {
    use super::{Workload, scaled};
    use crate::evidence::{Change, ObjectFact, ObjectKind};
    use serde_json::{Value, json};

    #[test]
    fn no_more_pods_are_promised_than_the_fewest_that_were_asked_for() {
        let mut workload = Workload::default();
        for (at, replicas) in [(0, 4), (10, 4), (20, 2), (30, 9)] {
            let limits = json!({ "maxUnavailable": "25%", "maxSurge": 1 });
            let spec = json!({ "replicas": replicas, "strategy": { "rollingUpdate": limits } });
            let (kind, change) = (ObjectKind::Deployment, Change::Modified);
            workload.learn(&ObjectFact { at, kind, change, object: json!({ "spec": spec }) }, 2);
        }
        assert_eq!([-5, 10, 19].map(|at| workload.promised(at)), [3; 3]);
        assert_eq!([20, 29].map(|at| workload.promised(at)), [2; 2], "a quarter of two is none");
        assert_eq!(workload.promised(30), 2, "what is asked for beyond that is not there yet");
    }

    #[test]
    fn percentages_round_as_the_deployment_controller_does() {
        assert_eq!(scaled(&Value::from("25%"), 3, false), 0);
        assert_eq!(scaled(&Value::from("25%"), 3, true), 1);
        assert_eq!(scaled(&Value::from("100%"), 3, true), 3);
        assert_eq!(scaled(&Value::from(2), 3, true), 2);
        let strategy = |unavailable: &str, surge: &str| {
            let limits = json!({ "maxUnavailable": unavailable, "maxSurge": surge });
            let deployment = json!({ "spec": { "replicas": 3, "strategy": { "rollingUpdate": limits } } });
            Workload { deployment, ..Workload::default() }.rolling()
        };
        assert_eq!(strategy("25%", "25%"), (0, 1));
        assert_eq!(strategy("25%", "0%"), (1, 0), "something has to move");
    }
}
