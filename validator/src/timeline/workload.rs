//! The deployment: its settings as found, its status over time, its disruption budgets.

use serde_json::Value;

use super::replica_sets::{ReplicaSets, Sum};
use crate::evidence::{Evidence, Fact, Millis, ObjectFact, ObjectKind};

/// What the objects declare, and what the controller reported.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// The deployment as first listed.
    pub deployment: Value,
    /// Line of that list.
    pub line: usize,
    /// Disruption budgets of the namespace.
    pub budgets: Vec<(usize, Value)>,
    /// Replicas asked for, each time that they were another number than before.
    asked: Vec<(Millis, i64)>,
    sets: ReplicaSets,
}

/// A moment at which many pods were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// Pods that the replica sets were asked for together.
    pub pods: i64,
    /// How many were allowed then.
    pub allowed: i64,
    /// Line of the event that made them so many.
    pub line: usize,
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

    /// The moment at which the pods asked for went farthest beyond those allowed, or came nearest to it.
    pub fn peak(&self) -> Option<Peak> {
        let peak = |sum: &Sum| Peak { pods: sum.pods, allowed: self.allowed(sum), line: sum.line };
        let latest_first = self.sets.sums.iter().rev().map(peak);
        latest_first.max_by_key(|peak| (peak.pods - peak.allowed, peak.pods)) // the first of equal ones
    }

    /// The most replicas that somebody, such as an autoscaler, has asked for until then, and the surge of so many: when
    /// fewer are asked for, pods need time to go. The sets note what was asked for too, since theirs is another watch,
    /// which may tell of a change before that of the deployment does.
    fn allowed(&self, sum: &Sum) -> i64 {
        let asked = self.asked.iter().filter(|(since, _)| *since <= sum.at).map(|(_, asked)| *asked);
        let replicas = asked.fold(self.replicas().max(sum.desired), i64::max);
        replicas + self.rolling_of(replicas).1
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
    for (line, fact) in evidence.numbered() {
        let Fact::Object(fact) = fact else { continue };
        match fact.kind {
            ObjectKind::Deployment => workload.learn(fact, line),
            ObjectKind::ReplicaSet => workload.sets.learn(fact, line),
            ObjectKind::PodDisruptionBudget => workload.budgets.push((line, fact.object.clone())),
            _ => {}
        }
    }
    workload
}

#[cfg(test)]
mod tests {
    use super::{Peak, Workload, read, scaled};
    use crate::evidence::{Change, Evidence, Fact, Millis, ObjectFact, ObjectKind};
    use crate::timeline::tests::header;
    use serde_json::{Value, json};

    /// The deployment has so many replicas asked for, with a surge of a quarter.
    fn deployment(at: Millis, replicas: i64) -> ObjectFact {
        let limits = json!({ "maxUnavailable": 0, "maxSurge": "25%" });
        let spec = json!({ "replicas": replicas, "strategy": { "rollingUpdate": limits } });
        let (kind, change) = (ObjectKind::Deployment, Change::Modified);
        ObjectFact { at, kind, change, object: json!({ "spec": spec }) }
    }

    /// A replica set has so many pods asked for, while the deployment asked for so many.
    fn set(at: Millis, name: &str, pods: i64, desired: i64) -> ObjectFact {
        let noted = json!({ "deployment.kubernetes.io/desired-replicas": desired.to_string() });
        let metadata = json!({ "name": name, "annotations": noted });
        let (kind, change) = (ObjectKind::ReplicaSet, Change::Modified);
        ObjectFact { at, kind, change, object: json!({ "metadata": metadata, "spec": { "replicas": pods } }) }
    }

    /// Pods and those allowed where most stand against them, with the line.
    fn peak<const N: usize>(facts: [ObjectFact; N]) -> (i64, i64, usize) {
        let facts = facts.into_iter().map(Fact::Object).collect();
        let Peak { pods, allowed, line } = read(&Evidence::new(header(), facts)).peak().unwrap();
        (pods, allowed, line)
    }

    #[test]
    fn who_asks_for_more_replicas_allows_their_surge_too_from_then_on() {
        let before = [deployment(0, 3), set(1, "a", 3, 3)];
        let [found, old] = before.clone();
        assert_eq!(peak(before.clone()), (3, 4, 3));
        let scaled = [found.clone(), old.clone(), deployment(10, 10), set(11, "a", 10, 10)];
        let [_, _, ten, all] = scaled.clone();
        assert_eq!(peak(scaled), (3, 4, 3), "13 were allowed for the 10");
        let rolled = [found.clone(), old.clone(), ten.clone(), all.clone(), set(20, "b", 3, 10)];
        assert_eq!(peak(rolled), (13, 13, 6));
        let back = [found.clone(), old.clone(), ten, all, deployment(30, 3), set(31, "b", 3, 3)];
        assert_eq!(peak(back), (13, 13, 7), "those too many need time to go");
        let early = [found, old, set(11, "a", 10, 3), deployment(12, 10)];
        assert_eq!(peak(early), (10, 4, 4), "nobody had asked the deployment for them");
    }

    #[test]
    fn replica_sets_may_be_heard_of_before_the_deployment() {
        let scaled = [deployment(0, 3), set(1, "a", 3, 3), set(10, "a", 10, 10), deployment(11, 10)];
        assert_eq!(peak(scaled), (3, 4, 3), "the controller had heard of it");
        assert_eq!(peak([set(0, "a", 4, 3), deployment(1, 3)]), (4, 4, 2), "as it was first listed");
        let left = [deployment(0, 3), set(1, "old", 0, 50), set(2, "a", 5, 3)];
        assert_eq!(peak(left), (5, 4, 4), "what was asked for once, before the run, allows nothing");
    }

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
