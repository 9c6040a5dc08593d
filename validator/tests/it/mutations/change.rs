//! What is changed in evidence, and what is found in it to be changed.

use std::collections::{BTreeMap, BTreeSet};

use golive_validator::config::{Breaker, Need, Upstream};
use golive_validator::evidence::{
    self, CallFact, Change, Class, Edge, Evidence, Fact, Fault, FaultFact, MiddleTrouble, Millis, ObjectFact,
    ObjectKind, Outcome as Ended, ProbeFact, ProbeTarget, RequestFact, SecondFact, Step, StepFact, TrialEnd,
    Trouble,
};
use serde_json::{Value, json};

/// When a step began or ended.
pub(super) fn edge(evidence: &Evidence, step: Step, edge: Edge) -> Millis {
    let mut steps = evidence.facts.iter().filter_map(|f| if let Fact::Step(s) = f { Some(s) } else { None });
    steps.find(|fact| fact.step == step && fact.edge == edge).unwrap().at
}

pub(super) fn objects(evidence: &mut Evidence, kind: ObjectKind, change: impl Fn(&mut Value)) {
    for fact in &mut evidence.facts {
        if let Fact::Object(object) = fact
            && object.kind == kind
        {
            change(&mut object.object);
        }
    }
}

pub(super) fn template(evidence: &mut Evidence, change: impl Fn(&mut Value)) {
    objects(evidence, ObjectKind::Deployment, |object| change(&mut object["spec"]["template"]["spec"]));
}

/// Changes the first probe that was made of a pod after it was Ready and before its deletion.
pub(super) fn probes(evidence: &mut Evidence, target: ProbeTarget, answer: &Result<u16, String>) {
    for fact in &mut evidence.facts {
        if let Fact::Probe(probe) = fact
            && probe.target == target
            && probe.answer == Ok(200)
        {
            probe.answer.clone_from(answer);
        }
    }
}

/// Containers that ended 6 s before that was seen, as on a busy machine, and were still asked in between.
pub(super) fn ended_long_before_it_was_seen(evidence: &mut Evidence) {
    let mut asked = Vec::new();
    for fact in &mut evidence.facts {
        let Fact::Object(object) = fact else { continue };
        let pod = object.object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
        let Some(state) = object.object.pointer_mut("/status/containerStatuses/0/state/terminated") else {
            continue;
        };
        let finished = jiff::Timestamp::from_millisecond(object.at - 6_000).unwrap();
        state["finishedAt"] = json!(finished.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let (from, to) = (object.at - 5_500, object.at - 3_000);
        let answer = Err("refused".to_owned());
        let probe =
            ProbeFact { from, to, pod: pod.unwrap(), target: ProbeTarget::Liveness, answer, samples: 10 };
        asked.push(Fact::Probe(probe));
    }
    assert!(!asked.is_empty());
    evidence.facts.extend(asked);
}

pub(super) fn terminated(evidence: &mut Evidence, change: impl Fn(&mut Value)) {
    objects(evidence, ObjectKind::Pod, |pod| {
        if let Some(state) = pod.pointer_mut("/status/containerStatuses/0/state/terminated") {
            change(state);
        }
    });
}

pub(super) fn drop_spans(evidence: &mut Evidence, which: impl Fn(&evidence::Span) -> bool) {
    for fact in &mut evidence.facts {
        if let Fact::Trace(trace) = fact {
            trace.spans.retain(|span| !which(span));
        }
    }
}

/// Changes every span that was kept.
pub(super) fn each_span(evidence: &mut Evidence, change: impl Fn(&mut evidence::Span)) {
    for fact in &mut evidence.facts {
        if let Fact::Trace(trace) = fact {
            trace.spans.iter_mut().for_each(&change);
        }
    }
}

/// No server span of the requests past the Service that each pod answered so many ms before its last one.
pub(super) fn unserved(evidence: &mut Evidence, from: Millis, to: Millis) {
    forget(evidence, |_, age| (to..=from).contains(&age));
}

/// No server span for one of four of the same requests, however long before the end of their pod.
pub(super) fn one_of_four_unserved(evidence: &mut Evidence) {
    forget(evidence, |number, _| number % 4 == 0);
}

/// Drops the server spans of answered requests past the Service, by their number and how long they were before the last
/// one of their pod.
fn forget(evidence: &mut Evidence, wanted: impl Fn(usize, Millis) -> bool) {
    let requests =
        evidence.facts.iter().filter_map(|f| if let Fact::Request(r) = f { Some(r) } else { None });
    let asked: Vec<RequestFact> = requests
        .filter(|r| r.pod.is_some() && r.parent_id.is_some() && matches!(r.outcome, Ended::Answered(_)))
        .cloned()
        .collect();
    let mut last: BTreeMap<&str, Millis> = BTreeMap::new();
    for request in &asked {
        let due = last.entry(request.pod.as_deref().unwrap()).or_default();
        *due = request.due.max(*due);
    }
    let age = |r: &RequestFact| last[r.pod.as_deref().unwrap()] - r.due;
    let chosen = asked.iter().enumerate().filter(|(number, r)| wanted(*number, age(r)));
    let parents: BTreeSet<&str> = chosen.filter_map(|(_, r)| r.parent_id.as_deref()).collect();
    drop_spans(evidence, |span| span.parent.as_deref().is_some_and(|parent| parents.contains(parent)));
}

/// The last object of a kind before dependencies are broken on purpose.
pub(super) fn last_in_peace(evidence: &Evidence, kind: ObjectKind, wanted: impl Fn(&Value) -> bool) -> usize {
    let end = edge(evidence, Step::Tail, Edge::End);
    let matches =
        |fact: &Fact| matches!(fact, Fact::Object(o) if o.at < end && o.kind == kind && wanted(&o.object));
    evidence.facts.iter().rposition(matches).unwrap()
}

pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

pub(super) fn faults(evidence: &mut Evidence) -> impl Iterator<Item = &mut FaultFact> {
    evidence.facts.iter_mut().filter_map(|fact| if let Fact::Fault(f) = fact { Some(f) } else { None })
}

pub(super) fn fault(evidence: &mut Evidence, wanted: impl Fn(&FaultFact) -> bool) -> FaultFact {
    faults(evidence).find(|fault| wanted(fault)).unwrap().clone()
}

pub(super) fn hang(evidence: &mut Evidence) -> FaultFact {
    fault(evidence, |f| f.fault == Fault::Hang)
}

pub(super) fn is_trial(fault: &FaultFact, wanted: TrialEnd) -> bool {
    matches!(fault.fault, Fault::Trial { end, .. } if end == wanted)
}

pub(super) fn seconds(
    evidence: &mut Evidence,
    (from, to): (Millis, Millis),
) -> impl Iterator<Item = &mut SecondFact> {
    evidence.facts.iter_mut().filter_map(move |fact| match fact {
        Fact::Second(s) if s.at >= from && s.at + 1_000 <= to => Some(s),
        _ => None,
    })
}

/// A few requests of the recorded run left late: what falls into such a second is no failure, and what is changed in the
/// evidence is to be the only thing that is wrong.
pub(super) fn in_time(evidence: &mut Evidence) {
    seconds(evidence, (0, Millis::MAX)).for_each(|second| second.on_time = second.due);
}

/// A pod-direct request that waited while every call hung.
pub(super) fn slow_request(evidence: &mut Evidence) -> RequestFact {
    let hang = hang(evidence);
    let hung = |at: Millis| (hang.began..hang.ended).contains(&at);
    let found = evidence.facts.iter().find_map(|fact| match fact {
        Fact::Request(r) if r.class == Class::Direct && hung(r.due) && r.took_ms > 1_000.0 => Some(r.clone()),
        _ => None,
    });
    found.unwrap()
}

/// A slow sampled answer of the pod while the fault was in force.
pub(super) fn direct_request(evidence: &Evidence, fault: &FaultFact) -> RequestFact {
    let mut requests =
        evidence.facts.iter().filter_map(|f| if let Fact::Request(r) = f { Some(r) } else { None });
    let mut like = requests.find(|r| r.class == Class::Direct).unwrap().clone();
    (like.pod, like.due, like.took_ms) = (Some(fault.pod.clone()), fault.began + 2_000, 900.0);
    like.trace_id = Some("0".repeat(32));
    like
}

/// No calls of one pod at one dependency in a window.
pub(super) fn silence(evidence: &mut Evidence, like: &FaultFact, (from, to): (Millis, Millis)) {
    let inside = |c: &CallFact| {
        c.pod == like.pod && c.dependency == like.dependency && c.at + 999 >= from && c.at < to
    };
    evidence.facts.retain(|fact| !matches!(fact, Fact::Call(call) if inside(call)));
}

/// Changes the seconds of one pod at one dependency in a window.
pub(super) fn calls(
    evidence: &mut Evidence,
    like: &FaultFact,
    (from, to): (Millis, Millis),
    change: impl Fn(&mut CallFact),
) {
    for fact in &mut evidence.facts {
        if let Fact::Call(call) = fact
            && (call.pod == like.pod && call.dependency == like.dependency)
            && (from..to).contains(&call.at)
        {
            change(call);
        }
    }
}

pub(super) fn said(
    evidence: &mut Evidence,
    pod: &str,
    target: ProbeTarget,
    (from, to): (Millis, Millis),
    status: u16,
) {
    let (pod, answer, samples) = (pod.to_owned(), Ok(status), (to - from) as u64 / 250 + 1);
    evidence.facts.push(Fact::Probe(ProbeFact { from, to, pod, target, answer, samples }));
    evidence.facts.sort_by_key(Fact::at);
}

/// Pods that go on saying ready until their listener is closed.
pub(super) fn ready_until_closed(evidence: &mut Evidence) {
    for fact in &mut evidence.facts {
        if let Fact::Probe(probe) = fact
            && probe.target == ProbeTarget::Readiness
            && probe.answer == Ok(503)
        {
            probe.answer = Ok(200);
        }
    }
}

/// Kept connections that the server ends as if nobody had been told.
pub(super) fn closed_without_a_word(evidence: &mut Evidence) {
    for fact in &mut evidence.facts {
        if let Fact::Connection(connection) = fact {
            (connection.announced, connection.by_server) = (false, true);
        }
    }
}

/// A request that was lost with its connection while each pod was on its way out.
pub(super) fn lost_while_leaving(evidence: &mut Evidence, class: Class) {
    let like = RequestFact {
        class,
        outcome: evidence::Outcome::Closed,
        pod: None,
        took_ms: 3.0,
        ..slow_request(evidence)
    };
    let gone = |fact: &Fact| match fact {
        Fact::Object(o) if o.object.pointer("/metadata/deletionTimestamp").is_some() => Some(o.at),
        _ => None,
    };
    let times: Vec<Millis> = evidence.facts.iter().filter_map(gone).collect();
    evidence
        .facts
        .extend(times.into_iter().map(|due| Fact::Request(RequestFact { due, sent: due, ..like.clone() })));
    evidence.facts.sort_by_key(Fact::at);
}

/// The container of the pod that was seen last in peace, before its deletion, was started again.
pub(super) fn restarted(evidence: &mut Evidence) {
    let running = |pod: &Value| pod.pointer("/status/containerStatuses/0").is_some() && is_ready(pod);
    let last = last_in_peace(evidence, ObjectKind::Pod, running);
    let Fact::Object(mut object) = evidence.facts[last].clone() else { unreachable!() };
    object.object["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    evidence.facts.insert(last + 1, Fact::Object(object));
}

/// A pod is evicted at a moment, as a drain of its node does it.
pub(super) fn evict(evidence: &mut Evidence, pod: &str, at: Millis) {
    let last = evidence.facts.iter().rev().find_map(|fact| match fact {
        Fact::Object(o) if o.at < at && o.kind == ObjectKind::Pod && o.object["metadata"]["name"] == pod => {
            Some(o.clone())
        }
        _ => None,
    });
    let mut evicted = ObjectFact { at, change: Change::Modified, ..last.expect("the pod was seen") };
    let condition =
        json!({ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" });
    evicted.object["status"]["conditions"].as_array_mut().unwrap().push(condition);
    evidence.facts.push(Fact::Object(evicted));
    evidence.facts.sort_by_key(Fact::at);
}

/// The candidate is another image than the one that serves.
pub(super) fn another_image(evidence: &mut Evidence) {
    evidence.header.plan.target.candidate = Some("users:repaired".into());
}

/// With another image: a request is lost so in the second in which the first pod of a roll is told to stop.
pub(super) fn lost_with(evidence: &mut Evidence, roll: Step, outcome: evidence::Outcome) {
    another_image(evidence);
    let from = edge(evidence, roll, Edge::Begin);
    let deleted = evidence.facts.iter().find(|fact| {
        matches!(fact, Fact::Object(o) if o.at >= from && o.object.pointer("/metadata/deletionTimestamp").is_some())
    });
    let at = deleted.unwrap().at();
    let mut during = seconds(evidence, (at, at + 3_000)).filter(|s| s.class == Class::New);
    during.next().unwrap().outcomes.push((outcome, 1));
}

/// Containers that ended in the roll in ended so.
pub(super) fn terminated_before_the_roll_out(evidence: &mut Evidence, code: i64) {
    let out = edge(evidence, Step::RollOut, Edge::Begin);
    for fact in evidence.facts.iter_mut().filter(|fact| fact.at() < out) {
        let Fact::Object(object) = fact else { continue };
        if let Some(state) = object.object.pointer_mut("/status/containerStatuses/0/state/terminated") {
            state["exitCode"] = json!(code);
        }
    }
}

pub(super) fn trouble(evidence: &mut Evidence, trouble: Trouble) {
    let quiet = edge(evidence, Step::Quiet, Edge::Begin);
    at(evidence, "postgres", trouble, quiet);
}

pub(super) fn at(evidence: &mut Evidence, dependency: &str, trouble: Trouble, at: Millis) {
    evidence.facts.push(Fact::Trouble(MiddleTrouble { at, dependency: dependency.into(), trouble }));
}

/// What the agent before a dependency saw from a moment on is missing, and it says why.
pub(super) fn blind(evidence: &mut Evidence, dependency: &str, trouble: Trouble, from: Millis) {
    evidence.facts.retain(|fact| match fact {
        Fact::Call(f) => f.dependency != dependency || f.at < from,
        Fact::Outgoing(f) => f.dependency != dependency || f.at < from,
        Fact::Fault(f) => f.dependency != dependency || f.began < from,
        Fact::Trace(f) => dependency != "traces" || f.at < from,
        _ => true,
    });
    at(evidence, dependency, trouble, from);
}

pub(super) fn never_opens(evidence: &mut Evidence) {
    let hang = hang(evidence);
    let request = RequestFact { due: hang.ended - 500, pod: Some(hang.pod), ..slow_request(evidence) };
    evidence.facts.push(Fact::Request(request));
}

pub(super) fn breaker(evidence: &mut Evidence) -> &mut Breaker {
    evidence.header.plan.dependencies[0].breaker.as_mut().unwrap()
}

/// Some traces show the cache in place of the database.
pub(super) fn spans_of_redis(evidence: &mut Evidence, which: impl Fn(usize) -> bool) {
    let traces =
        evidence.facts.iter_mut().filter_map(|f| if let Fact::Trace(t) = f { Some(t) } else { None });
    for (_, trace) in traces.enumerate().filter(|(number, _)| which(*number)) {
        let stores = trace.spans.iter_mut().filter(|span| span.db_system.is_some());
        stores.for_each(|span| span.db_system = Some("redis".into()));
    }
}

/// A second database with a breaker that hangs once the first one is through its trials: what happened in those steps
/// happens again, and everything after it is that much later.
pub(super) fn second_breaker(evidence: &mut Evidence) {
    let mut ledger = evidence.header.plan.dependencies[0].clone();
    (ledger.name, ledger.upstream) =
        ("ledger".into(), Upstream::Service { name: "ledger".into(), namespace: None });
    evidence.header.plan.dependencies.push(ledger);
    let (from, to) =
        (edge(evidence, Step::Hang, Edge::Begin) - 500, edge(evidence, Step::Trials, Edge::End) + 500);
    let later = (to - from) / 1_000 * 1_000 + 1_000;
    let mut again = Vec::new();
    for fact in &mut evidence.facts {
        let at = fact.at();
        let mine = matches!(fact, Fact::Fault(f) if f.dependency == "postgres")
            || matches!(fact, Fact::Step(_) | Fact::Second(_) | Fact::Request(_));
        if mine && (from..to).contains(&at) {
            again.push(moved(fact, later));
        } else if at >= to {
            *fact = moved(fact, later);
        }
    }
    let standing = evidence.facts.iter().find_map(|f| match f {
        Fact::Middle(m) if m.dependency == "postgres" => Some(m.clone()),
        _ => None,
    });
    again.extend(standing.map(Fact::Middle));
    for fact in &mut again {
        match fact {
            Fact::Fault(f) => f.dependency = "ledger".into(),
            Fact::Middle(f) => f.dependency = "ledger".into(),
            _ => {}
        }
    }
    let counted =
        evidence.facts.iter().filter_map(|f| if let Fact::Call(c) = f { Some(c.clone()) } else { None });
    let ledgers =
        counted.filter(|c| c.dependency == "postgres").map(|c| CallFact { dependency: "ledger".into(), ..c });
    again.extend(ledgers.map(Fact::Call));
    let step = (edge(evidence, Step::Degraded, Edge::Begin), edge(evidence, Step::Degraded, Edge::End));
    let degraded =
        faults(evidence).filter(|f| f.dependency == "postgres" && (step.0..=step.1).contains(&f.began));
    let beside = degraded.map(|f| FaultFact { dependency: "ledger".into(), ..f.clone() });
    again.extend(beside.map(Fact::Fault).collect::<Vec<_>>());
    evidence.facts.extend(again);
    *evidence = Evidence::new(evidence.header.clone(), std::mem::take(&mut evidence.facts));
}

pub(super) fn moved(fact: &Fact, later: Millis) -> Fact {
    match fact.clone() {
        Fact::Step(f) => Fact::Step(StepFact { at: f.at + later, ..f }),
        Fact::Object(f) => Fact::Object(ObjectFact { at: f.at + later, ..f }),
        other => other.shifted(-later),
    }
}

/// Declares every dependency as one that readiness can do without.
pub(super) fn needs_nothing(evidence: &mut Evidence) {
    evidence.header.plan.dependencies.iter_mut().for_each(|d| d.readiness = Need::Optional);
}

/// Declares that pods stay in the Service without a dependency, for which they are watched longer.
pub(super) fn degraded_ok(evidence: &mut Evidence) {
    needs_nothing(evidence);
    let end = edge(evidence, Step::Blackout, Edge::End);
    let steps = evidence.facts.iter_mut().filter_map(|f| if let Fact::Step(s) = f { Some(s) } else { None });
    steps.filter(|s| s.step == Step::Loss && s.edge == Edge::End).for_each(|s| s.at = end);
}

/// The requests of one class are those of the second template, and take so long in a window.
pub(super) fn by_design(evidence: &mut Evidence, window: (Millis, Millis), took_ms: f64) {
    for second in seconds(evidence, window).filter(|s| s.class == Class::New) {
        (second.template, second.times) = (1, evidence::Histogram::default());
        (0..second.due).for_each(|_| second.times.record(took_ms));
    }
}

/// The trace of every n-th sampled request shows no store; every second one is of a template of its own.
pub(super) fn from_memory(evidence: &mut Evidence, every: usize) {
    let mut bare = Vec::new();
    let mut number = 0;
    for fact in &mut evidence.facts {
        let Fact::Request(request) = fact else { continue };
        let Some(id) = request.trace_id.clone() else { continue };
        number += 1;
        if number % every == 0 {
            request.template = if every == 2 { 1 } else { request.template };
            bare.push(id);
        }
    }
    for fact in &mut evidence.facts {
        if let Fact::Trace(trace) = fact
            && bare.contains(&trace.trace_id)
        {
            trace.spans.retain(|span| span.db_system.is_none());
        }
    }
}
