//! Mutations for the run's own checks.

use golive_validator::check::Outcome;
use golive_validator::evidence::{self, Edge, Fact, Fault, Gap, ObjectKind, Step, Trouble};
use serde_json::{Value, json};

use super::Mutation;
use super::change::{edge, faults, last_in_peace, objects, seconds, trouble};

pub(super) const RUN: &[Mutation] = &[
    ("GL-E101", Outcome::Inconclusive, |e| {
        for fact in &mut e.facts {
            if let Fact::Second(second) = fact {
                second.on_time /= 2;
            }
        }
    }),
    ("GL-E102", Outcome::Inconclusive, |e| {
        let at = e.header.started;
        let gap = Gap { at, since: at, kind: ObjectKind::Pod, reason: "410 Gone".into() };
        e.facts.push(Fact::Gap(gap));
    }),
    ("GL-E103", Outcome::Inconclusive, |e| {
        for fact in &mut e.facts {
            if let Fact::Agent(agent) = fact {
                agent.uncertainty_ms = 200.0;
            }
        }
    }),
    ("GL-E104", Outcome::Inconclusive, |e| {
        for fact in &mut e.facts {
            if let Fact::Second(second) = fact {
                second.node = "one".into();
            }
        }
    }),
    ("GL-E105", Outcome::Inconclusive, |e| {
        for fact in &mut e.facts {
            if let Fact::Second(second) = fact {
                second.outcomes = vec![(evidence::Outcome::Answered(500), second.due)];
            }
        }
    }),
    ("GL-E106", Outcome::Inconclusive, |e| {
        let deleted = |pod: &Value| pod.pointer("/metadata/deletionTimestamp").is_some();
        let last = last_in_peace(e, ObjectKind::Pod, deleted);
        let Fact::Object(object) = &e.facts[last] else { unreachable!() };
        let name = object.object["metadata"]["name"].clone();
        e.facts.retain(|f| !matches!(f, Fact::Object(o) if o.object["metadata"]["name"] == name));
    }),
    ("GL-E107", Outcome::Inconclusive, |e| {
        objects(e, ObjectKind::Pod, |pod| {
            if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
                conditions.push(json!({ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" }));
            }
        });
    }),
    ("GL-E108", Outcome::Inconclusive, |e| {
        e.facts.retain(|f| !matches!(f, Fact::Call(call) if call.dependency == "redis"));
    }),
    ("GL-E109", Outcome::Inconclusive, |e| {
        faults(e).filter(|f| f.fault == Fault::Hang).for_each(|f| f.first_hit = None);
    }),
    ("GL-E110", Outcome::Inconclusive, |e| {
        let quiet = (edge(e, Step::Quiet, Edge::Begin), edge(e, Step::Quiet, Edge::End));
        seconds(e, quiet).for_each(|s| (0..s.due * 2).for_each(|_| s.times.record(9.0)));
    }),
    ("GL-E111", Outcome::Inconclusive, |e| trouble(e, Trouble::FailedOpen)),
    ("GL-E105", Outcome::Inconclusive, |e| {
        let (begin, end) = (edge(e, Step::Baseline, Edge::Begin), edge(e, Step::Baseline, Edge::End));
        seconds(e, (begin, end)).for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(401), s.due)]);
    }),
    ("GL-E105", Outcome::Pass, |e| {
        // What the roll loses that begins in the last second.
        let end = edge(e, Step::Baseline, Edge::End);
        seconds(e, (end - 999, end))
            .for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(500), s.due)]);
    }),
    ("GL-E105", Outcome::Pass, |e| {
        // Refused, and it is what users get.
        let (begin, end) = (edge(e, Step::Baseline, Edge::Begin), edge(e, Step::Baseline, Edge::End));
        seconds(e, (begin - 1_000, end + 1_000))
            .for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(401), s.due)]);
        e.header.plan.traffic.requests.iter_mut().for_each(|r| r.expect = vec![200, 201, 401]);
    }),
];
