//! The life of one pod as the watch showed it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Disruption;
use super::container::{ContainerExit, Restart, exit, list, serves, statuses};
use crate::evidence::{Change, Evidence, Fact, Millis, ObjectFact, ObjectKind};

/// One pod from its first sight to its end.
#[derive(Clone, Debug)]
pub struct PodLife {
    /// Name.
    pub name: String,
    /// Node it was bound to.
    pub node: Option<String>,
    /// Which template it was made from: its `pod-template-hash`.
    pub template: Option<String>,
    /// When it was first seen.
    pub first_seen: Millis,
    /// Changes of its condition Ready: when, to what, on which line.
    pub ready: Vec<(Millis, bool, usize)>,
    /// Its deletion, if it was asked for.
    pub termination: Option<Termination>,
    /// Restarts of its containers since it was first seen.
    pub restarts: Vec<Restart>,
    /// Its removal by somebody else, if there was one.
    pub disruption: Option<Disruption>,
    /// Whether it had ended before the run: then nobody removes it in the run, though its object may go.
    was_over: bool,
    /// `restartCount` of each container when it was last seen.
    counts: BTreeMap<String, i64>,
}

/// The end of a pod.
#[derive(Clone, Debug)]
pub struct Termination {
    /// When the deletion was first seen.
    pub at: Millis,
    /// Grace period granted, in seconds.
    pub grace_s: i64,
    /// How the container that serves ended.
    pub exit: Option<ContainerExit>,
    /// How its other containers ended.
    pub others: Vec<ContainerExit>,
    /// When the object was gone.
    pub gone: Option<Millis>,
    /// Line of the deletion.
    pub line: usize,
}

impl Termination {
    /// When its end was seen: that of the container that serves, or else that of the object.
    pub fn ended(&self) -> Option<Millis> {
        self.exit.as_ref().map(|exit| exit.at).or(self.gone)
    }
}

impl PodLife {
    /// When its deletion was asked for, or somebody else began to remove it: a kubelet that evicts a pod ends it and deletes nothing.
    pub fn left(&self) -> Option<Millis> {
        let deleted = self.termination.as_ref().map(|termination| termination.at);
        let removed = self.disruption.as_ref().map(|disruption| disruption.at);
        deleted.into_iter().chain(removed).min()
    }

    /// First time the pod was Ready.
    pub fn became_ready(&self) -> Option<Millis> {
        self.ready.iter().find(|(_, ready, _)| *ready).map(|(at, _, _)| *at)
    }

    /// Times the pod lost Ready before its deletion was asked for, or somebody else removed it.
    pub fn flaps(&self) -> Vec<(Millis, usize)> {
        let end = self.left().unwrap_or(Millis::MAX);
        let after_ready = self.ready.iter().skip_while(|(_, ready, _)| !ready);
        after_ready.filter(|(at, ready, _)| !ready && *at < end).map(|(at, _, line)| (*at, *line)).collect()
    }
}

impl super::Timeline<'_> {
    /// Pods that were Ready before a window began and not told to stop before it ended.
    pub fn pods_ready_through(&self, (begin, end): (Millis, Millis)) -> Vec<&PodLife> {
        let ready = self.pods.iter().filter(|pod| pod.became_ready().is_some_and(|at| at <= begin));
        ready.filter(|pod| pod.left().is_none_or(|left| left >= end)).collect()
    }
}

pub(super) fn lives(evidence: &Evidence) -> Vec<PodLife> {
    let mut lives: BTreeMap<String, PodLife> = BTreeMap::new();
    for (line, fact) in evidence.numbered() {
        let Fact::Object(fact) = fact else { continue };
        if fact.kind != ObjectKind::Pod {
            continue;
        }
        let Some(uid) = fact.object.pointer("/metadata/uid").and_then(Value::as_str) else {
            continue;
        };
        let life = lives.entry(uid.to_owned()).or_insert_with(|| PodLife {
            name: text(&fact.object, "/metadata/name").unwrap_or_default(),
            node: None,
            template: text(&fact.object, "/metadata/labels/pod-template-hash"),
            first_seen: fact.at,
            ready: Vec::new(),
            termination: None,
            restarts: Vec::new(),
            disruption: None,
            was_over: fact.change == Change::Listed
                && text(&fact.object, "/status/phase").as_deref() == Some("Failed"),
            counts: BTreeMap::new(),
        });
        learn(life, fact, line, &evidence.plan().target.container);
    }
    let mut lives: Vec<PodLife> = lives.into_values().collect();
    lives.sort_by(|a, b| (a.first_seen, &a.name).cmp(&(b.first_seen, &b.name)));
    lives
}

fn learn(life: &mut PodLife, fact: &ObjectFact, line: usize, serving: &str) {
    let object = &fact.object;
    life.node = text(object, "/spec/nodeName").or(life.node.take());
    for condition in list(object, "/status/conditions") {
        let is_true = condition["status"] == "True";
        if condition["type"] == "Ready" && life.ready.last().is_none_or(|(_, ready, _)| *ready != is_true) {
            life.ready.push((fact.at, is_true, line));
        }
    }
    if life.disruption.is_none() && !life.was_over {
        life.disruption = Disruption::seen(fact, line, life.ready.last());
    }
    for status in statuses(object) {
        learn_restart(life, fact, status, line, serving);
    }
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        let grace_s = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
        let termination = life.termination.get_or_insert_with(|| Termination {
            at: fact.at,
            grace_s: grace_s.unwrap_or_default(),
            exit: None,
            others: Vec::new(),
            gone: None,
            line,
        });
        learn_exits(termination, fact, line, serving);
        if fact.change == Change::Deleted {
            termination.gone = Some(fact.at);
        }
    }
}

/// Restarts from before the first sight are another story.
fn learn_restart(life: &mut PodLife, fact: &ObjectFact, status: &Value, line: usize, serving: &str) {
    let (Some(container), Some(count)) = (status["name"].as_str(), status["restartCount"].as_i64()) else {
        return;
    };
    let before = life.counts.insert(container.to_owned(), count).unwrap_or(count);
    if count > before {
        let (serves, times) = (serves(&fact.object, status, serving), count - before);
        life.restarts.push(Restart { container: container.to_owned(), serves, at: fact.at, times, line });
    }
}

/// Each container's end once, as it was first seen.
fn learn_exits(termination: &mut Termination, fact: &ObjectFact, line: usize, serving: &str) {
    for status in statuses(&fact.object) {
        let Some(exit) = exit(status, fact.at, line) else { continue };
        if serves(&fact.object, status, serving) {
            termination.exit.get_or_insert(exit);
        } else if !termination.others.iter().any(|other| other.container == exit.container) {
            termination.others.push(exit);
        }
    }
}

fn text(object: &Value, pointer: &str) -> Option<String> {
    object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::lives;
    use crate::evidence::{Change, Evidence, Fact, ObjectFact, ObjectKind};
    use crate::timeline::tests::header;
    use serde_json::{Value, json};

    fn pod(at: i64, deleted: bool, containers: &Value, sidecars: &Value) -> Fact {
        let mut metadata = json!({ "name": "a", "uid": "1" });
        if deleted {
            metadata["deletionTimestamp"] = json!("2026-11-25T10:00:00Z");
        }
        let init = json!([{ "name": "proxy", "restartPolicy": "Always" }, { "name": "migrate" }]);
        let status = json!({ "containerStatuses": containers, "initContainerStatuses": sidecars });
        let object = json!({ "metadata": metadata, "spec": { "initContainers": init }, "status": status });
        Fact::Object(ObjectFact { at, kind: ObjectKind::Pod, change: Change::Modified, object })
    }

    fn status(name: &str, restarts: i64, exit: Option<i64>) -> Value {
        let state = exit.map_or(json!({}), |code| json!({ "terminated": { "exitCode": code } }));
        json!({ "name": name, "restartCount": restarts, "state": state })
    }

    #[test]
    fn each_container_has_its_own_end_and_its_own_restarts() {
        let mut header = header();
        header.plan.target.container = "web".into();
        let running = json!([status("logs", 2, None), status("web", 0, None)]);
        let restarted = json!([status("logs", 3, None), status("web", 0, None)]);
        let first = json!([status("logs", 3, Some(143)), status("web", 0, None)]);
        let last = json!([status("logs", 3, Some(143)), status("web", 0, Some(0))]);
        let init = |exit| json!([status("proxy", 0, exit), status("migrate", 4, Some(0))]);
        let facts = vec![
            pod(1, false, &running, &init(None)),
            pod(2, false, &restarted, &init(None)),
            pod(3, true, &first, &init(None)),
            pod(4, true, &last, &init(None)),
            pod(5, true, &last, &init(Some(137))),
        ];
        let lives = lives(&Evidence::new(header, facts));
        let restarts: Vec<_> =
            lives[0].restarts.iter().map(|r| (r.container.as_str(), r.serves, r.times)).collect();
        assert_eq!(
            restarts,
            [("logs", false, 1)],
            "what had happened before, and init containers, do not count"
        );
        let end = lives[0].termination.as_ref().unwrap();
        let exit = end.exit.as_ref().unwrap();
        assert_eq!((exit.container.as_str(), exit.code, exit.at), ("web", 0, 4));
        let others: Vec<_> = end.others.iter().map(|o| (o.container.as_str(), o.code, o.at)).collect();
        assert_eq!(others, [("logs", 143, 3), ("proxy", 137, 5)]);
    }
}
