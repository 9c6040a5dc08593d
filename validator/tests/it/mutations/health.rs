//! Mutations for the checks of health.

use golive_validator::check::Outcome;
use golive_validator::config::Handler;
use golive_validator::config::Need;
use golive_validator::evidence::{
    Class, Edge, Evidence, Fact, Fault, ObjectKind, Outcome as Ended, ProbeTarget, SecondFact, Step,
};
use serde_json::json;

use super::Mutation;
use super::change::{
    another_image, calls, edge, ended_long_before_it_was_seen, fault, hang, is_ready, last_in_peace,
    lost_while_leaving, needs_nothing, probes, ready_until_closed, restarted, said, seconds, template,
};

pub(super) const HEALTH: &[Mutation] = &[
    ("GL-H001", Outcome::Fail, |e| e.header.plan.target.readiness = None),
    ("GL-H001", Outcome::Inconclusive, |e| {
        // A helper beside the service has one.
        e.header.plan.target.readiness = None;
        let helper =
            json!({ "name": "helper", "readinessProbe": { "httpGet": { "path": "/", "port": 9000 } } });
        template(e, |t| t["containers"].as_array_mut().unwrap().push(helper.clone()));
    }),
    ("GL-H001", Outcome::Skipped, |e| e.header.plan.target.assumed = vec!["readinessProbe".into()]),
    ("GL-H002", Outcome::Skipped, |e| e.header.plan.target.assumed = vec!["livenessProbe".into()]),
    ("GL-H002", Outcome::Fail, |e| e.header.plan.target.liveness = None),
    ("GL-H003", Outcome::Fail, |e| e.header.plan.target.liveness.as_mut().unwrap().period_s = 1),
    ("GL-H003", Outcome::Warn, |e| {
        let target = &mut e.header.plan.target;
        target.liveness.as_mut().unwrap().handler = target.readiness.as_ref().unwrap().handler.clone();
    }),
    ("GL-H101", Outcome::Fail, |e| {
        let last = last_in_peace(e, ObjectKind::Pod, is_ready);
        let Fact::Object(mut flap) = e.facts[last].clone() else { unreachable!() };
        for condition in flap.object["status"]["conditions"].as_array_mut().unwrap() {
            condition["status"] = json!("False");
        }
        e.facts.insert(last + 1, Fact::Object(flap));
    }),
    // The candidate may be what repairs the version before.
    ("GL-H101", Outcome::Fail, flapped_before_the_roll_in),
    ("GL-H101", Outcome::Warn, |e| {
        another_image(e);
        flapped_before_the_roll_in(e);
    }),
    ("GL-H202", Outcome::Fail, |e| {
        // What an exec probe said shows in the restart alone.
        e.header.plan.target.liveness.as_mut().unwrap().handler = Handler::Exec;
        restarted(e);
    }),
    ("GL-H102", Outcome::Fail, restarted),
    ("GL-H103", Outcome::Fail, |e| in_baseline(e, |s| s.outcomes = vec![(Ended::Answered(500), s.due)])),
    ("GL-H103", Outcome::Warn, |e| {
        another_image(e);
        in_baseline(e, |s| s.outcomes = vec![(Ended::Answered(500), s.due)]);
    }),
    // One of many may be anybody's.
    ("GL-H103", Outcome::Pass, |e| {
        let mut first = true;
        in_baseline(e, |second| {
            second.outcomes.extend(first.then_some((Ended::Reset, 1)));
            first = false;
        });
    }),
    ("GL-H201", Outcome::Fail, |e| probes(e, ProbeTarget::Readiness, &Ok(404))),
    // A moment without an answer is nothing that the kubelet acts on.
    ("GL-H201", Outcome::Pass, |e| {
        let (pod, at) = (hang(e).pod, edge(e, Step::Quiet, Edge::Begin));
        said(e, &pod, ProbeTarget::Readiness, (at, at + 2_000), 503);
    }),
    ("GL-H202", Outcome::Fail, |e| probes(e, ProbeTarget::Liveness, &Ok(503))),
    // The kubelet found them alive: it is we who cannot ask.
    ("GL-H202", Outcome::Inconclusive, |e| probes(e, ProbeTarget::Liveness, &Err("refused".into()))),
    ("GL-H202", Outcome::Pass, ended_long_before_it_was_seen),
    // Nobody outside of the cluster would know, but nothing was lost.
    ("GL-H203", Outcome::Warn, ready_until_closed),
    ("GL-H203", Outcome::Fail, |e| {
        ready_until_closed(e);
        lost_while_leaving(e, Class::New);
    }),
    ("GL-H204", Outcome::Fail, |e| {
        // Ready again with one dependency still away.
        let pod = fault(e, |f| f.fault == Fault::Silence && f.dependency == "redis").pod;
        let at = edge(e, Step::Partial, Edge::Begin) + 3_000;
        said(e, &pod, ProbeTarget::Readiness, (at, at), 200);
    }),
    ("GL-H204", Outcome::Fail, |e| {
        let begin = edge(e, Step::Loss, Edge::Begin);
        e.facts
            .retain(|f| !matches!(f, Fact::Object(o) if o.kind == ObjectKind::EndpointSlice && o.at > begin));
    }),
    ("GL-H204", Outcome::Fail, |e| {
        let begin = edge(e, Step::Loss, Edge::Begin);
        for fact in &mut e.facts {
            if let Fact::Probe(probe) = fact
                && probe.from > begin
                && probe.target == ProbeTarget::Readiness
            {
                probe.answer = Ok(200);
            }
        }
    }),
    // Pods that leave, although they were declared to go on.
    ("GL-H204", Outcome::Fail, needs_nothing),
    ("GL-H205", Outcome::Fail, |e| {
        let begin = edge(e, Step::Recovery, Edge::Begin);
        e.facts
            .retain(|f| !matches!(f, Fact::Object(o) if o.kind == ObjectKind::EndpointSlice && o.at > begin));
    }),
    ("GL-H206", Outcome::Fail, |e| {
        let (pod, at) = (hang(e).pod, edge(e, Step::Blackout, Edge::Begin) + 3_000);
        said(e, &pod, ProbeTarget::Liveness, (at, at + 31_000), 503);
    }),
    ("GL-H206", Outcome::Pass, |e| {
        let (pod, at) = (hang(e).pod, edge(e, Step::Blackout, Edge::Begin) + 3_000);
        said(e, &pod, ProbeTarget::Liveness, (at, at + 4_000), 503);
    }),
    ("GL-H207", Outcome::Fail, |e| {
        let hang = hang(e);
        said(e, &hang.pod, ProbeTarget::Readiness, (hang.began + 3_000, hang.ended - 500), 503);
    }),
    ("GL-H207", Outcome::Inconclusive, |e| {
        let hang = hang(e);
        said(e, &hang.pod, ProbeTarget::Readiness, (hang.began + 3_000, hang.ended - 500), 503);
        calls(e, &hang, (hang.began - 1_000, hang.ended + 1_000), |call| call.pings = 0);
    }),
    ("GL-H204", Outcome::Fail, |e| {
        // A pod that leaves without Redis alone, which is declared as one that it can do without.
        e.header
            .plan
            .dependencies
            .iter_mut()
            .filter(|d| d.name == "redis")
            .for_each(|d| d.readiness = Need::Optional);
    }),
];

/// Changes what users met before anything was done.
fn in_baseline(evidence: &mut Evidence, change: impl FnMut(&mut SecondFact)) {
    let baseline = [Edge::Begin, Edge::End].map(|side| edge(evidence, Step::Baseline, side));
    seconds(evidence, baseline.into()).for_each(change);
}

/// A pod that is replaced in the roll in was not ready for a moment before it.
fn flapped_before_the_roll_in(evidence: &mut Evidence) {
    let begin = edge(evidence, Step::RollIn, Edge::Begin);
    let ready = |fact: &Fact| matches!(fact, Fact::Object(o) if o.at < begin && o.kind == ObjectKind::Pod && is_ready(&o.object));
    let at = evidence.facts.iter().position(ready).unwrap();
    let Fact::Object(mut flap) = evidence.facts[at].clone() else { unreachable!() };
    for condition in flap.object["status"]["conditions"].as_array_mut().unwrap() {
        condition["status"] = json!("False");
    }
    evidence.facts.insert(at + 1, Fact::Object(flap));
}
