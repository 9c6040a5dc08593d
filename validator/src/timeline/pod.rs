//! The life of one pod as the watch showed it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::{Change, Evidence, Fact, Millis, ObjectFact, ObjectKind};

/// One pod from its first sight to its end.
#[derive(Clone, Debug)]
pub struct PodLife {
    /// Name.
    pub name: String,
    /// Node it was bound to.
    pub node: Option<String>,
    /// When it was first seen.
    pub first_seen: Millis,
    /// Changes of its condition Ready: when, to what, on which line.
    pub ready: Vec<(Millis, bool, usize)>,
    /// Its deletion, if it was asked for.
    pub termination: Option<Termination>,
    /// Restarts of its containers, all together.
    pub restarts: i64,
    /// Line of that count.
    pub restarts_line: usize,
    /// Reason of condition DisruptionTarget, if it was set: somebody else removed the pod.
    pub disruption: Option<(String, usize)>,
}

/// The end of a pod.
#[derive(Clone, Debug)]
pub struct Termination {
    /// When the deletion was first seen.
    pub at: Millis,
    /// Grace period granted, in seconds.
    pub grace_s: i64,
    /// Exit code of its container (the worst of several) and when it was seen.
    pub exit: Option<ContainerExit>,
    /// When the object was gone.
    pub gone: Option<Millis>,
    /// Line of the deletion.
    pub line: usize,
}

/// How a container ended.
#[derive(Clone, Debug)]
pub struct ContainerExit {
    /// Exit code.
    pub code: i64,
    /// Reason the kubelet gives, such as `OOMKilled`.
    pub reason: String,
    /// When it was seen.
    pub at: Millis,
    /// When it happened, by the clock of its node and in whole seconds.
    pub finished: Option<Millis>,
    /// On which line.
    pub line: usize,
}

impl Termination {
    /// When its end was seen: that of its container, or else that of the object.
    pub fn ended(&self) -> Option<Millis> {
        self.exit.as_ref().map(|exit| exit.at).or(self.gone)
    }
}

impl PodLife {
    /// First time the pod was Ready.
    pub fn became_ready(&self) -> Option<Millis> {
        self.ready.iter().find(|(_, ready, _)| *ready).map(|(at, _, _)| *at)
    }

    /// Times the pod lost Ready before its deletion was asked for.
    pub fn flaps(&self) -> Vec<(Millis, usize)> {
        let end = self.termination.as_ref().map_or(Millis::MAX, |t| t.at);
        let after_ready = self.ready.iter().skip_while(|(_, ready, _)| !ready);
        after_ready.filter(|(at, ready, _)| !ready && *at < end).map(|(at, _, line)| (*at, *line)).collect()
    }
}

impl super::Timeline<'_> {
    /// Pods that were Ready before a window began and not told to stop before it ended.
    pub fn pods_ready_through(&self, (begin, end): (Millis, Millis)) -> Vec<&PodLife> {
        let ready = self.pods.iter().filter(|pod| pod.became_ready().is_some_and(|at| at <= begin));
        ready.filter(|pod| pod.termination.as_ref().is_none_or(|t| t.at >= end)).collect()
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
            first_seen: fact.at,
            ready: Vec::new(),
            termination: None,
            restarts: 0,
            restarts_line: line,
            disruption: None,
        });
        learn(life, fact, line);
    }
    let mut lives: Vec<PodLife> = lives.into_values().collect();
    lives.sort_by(|a, b| (a.first_seen, &a.name).cmp(&(b.first_seen, &b.name)));
    lives
}

fn learn(life: &mut PodLife, fact: &ObjectFact, line: usize) {
    let object = &fact.object;
    life.node = text(object, "/spec/nodeName").or(life.node.take());
    for condition in list(object, "/status/conditions") {
        let is_true = condition["status"] == "True";
        if condition["type"] == "Ready" && life.ready.last().is_none_or(|(_, ready, _)| *ready != is_true) {
            life.ready.push((fact.at, is_true, line));
        }
        // One that had been evicted before the run and was never deleted disturbs nothing.
        let before =
            fact.change == Change::Listed && object.pointer("/status/phase") == Some(&"Failed".into());
        if condition["type"] == "DisruptionTarget" && is_true && !before {
            let reason = condition["reason"].as_str().unwrap_or("unknown").to_owned();
            life.disruption.get_or_insert((reason, line));
        }
    }
    let containers = list(object, "/status/containerStatuses").iter();
    let restarts = containers.filter_map(|container| container["restartCount"].as_i64()).sum();
    if restarts > life.restarts {
        (life.restarts, life.restarts_line) = (restarts, line);
    }
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        let grace_s = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
        let termination = life.termination.get_or_insert_with(|| Termination {
            at: fact.at,
            grace_s: grace_s.unwrap_or_default(),
            exit: None,
            gone: None,
            line,
        });
        learn_exit(termination, fact, line);
        if fact.change == Change::Deleted {
            termination.gone = Some(fact.at);
        }
    }
}

fn learn_exit(termination: &mut Termination, fact: &ObjectFact, line: usize) {
    let containers = list(&fact.object, "/status/containerStatuses");
    let ended: Vec<&Value> = containers.iter().filter_map(|c| c.pointer("/state/terminated")).collect();
    if ended.is_empty() || ended.len() < containers.len() || termination.exit.is_some() {
        return;
    }
    let worst = ended.iter().max_by_key(|t| t["exitCode"].as_i64().unwrap_or(-1));
    termination.exit = worst.map(|t| ContainerExit {
        code: t["exitCode"].as_i64().unwrap_or(-1),
        reason: t["reason"].as_str().unwrap_or_default().to_owned(),
        at: fact.at,
        finished: text(t, "/finishedAt")
            .and_then(|at| at.parse::<jiff::Timestamp>().ok())
            .map(jiff::Timestamp::as_millisecond),
        line,
    });
}

fn text(object: &Value, pointer: &str) -> Option<String> {
    object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn list<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
