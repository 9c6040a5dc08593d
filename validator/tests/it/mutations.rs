//! Each check against evidence of a good run, and against the same evidence with one thing changed.
//!
//! Both fixtures were written by `make kind-test`. A check that would let its mutation pass proves nothing; a check
//! without a mutation fails a test.

use std::collections::BTreeSet;
use std::path::Path;

use golive_validator::check::Outcome;
use golive_validator::checks::ALL;
use golive_validator::config::{Breaker, Readiness, Seconds};
use golive_validator::evidence::{
    self, CallFact, Class, Edge, Evidence, Fact, Fault, FaultFact, Gap, Held, MiddleTrouble, Millis,
    ObjectFact, ObjectKind, ProbeFact, ProbeTarget, RequestFact, SecondFact, SpanKind, Step, StepFact,
    TrialEnd, Trouble,
};
use golive_validator::judge::judge;
use golive_validator::report::{Format, Report, Verdict};
use serde_json::{Value, json};

type Mutation = (&'static str, Outcome, fn(&mut Evidence));

fn fixture(name: &str) -> Evidence {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    evidence::read(&path).unwrap()
}

/// A run of a service that keeps its promises.
fn good() -> Evidence {
    fixture("good.evidence.zst")
}

/// When a step began or ended.
fn edge(evidence: &Evidence, step: Step, edge: Edge) -> Millis {
    let mut steps = evidence.facts.iter().filter_map(|f| if let Fact::Step(s) = f { Some(s) } else { None });
    steps.find(|fact| fact.step == step && fact.edge == edge).unwrap().at
}

fn outcome(report: &Report, id: &str) -> Outcome {
    report.checks.iter().find(|line| line.id == id).unwrap().finding.outcome
}

fn objects(evidence: &mut Evidence, kind: ObjectKind, change: impl Fn(&mut Value)) {
    for fact in &mut evidence.facts {
        if let Fact::Object(object) = fact
            && object.kind == kind
        {
            change(&mut object.object);
        }
    }
}

fn template(evidence: &mut Evidence, change: impl Fn(&mut Value)) {
    objects(evidence, ObjectKind::Deployment, |object| change(&mut object["spec"]["template"]["spec"]));
}

fn first_container(evidence: &mut Evidence, change: impl Fn(&mut Value)) {
    template(evidence, |spec| change(&mut spec["containers"][0]));
}

/// Changes the first probe that was made of a pod after it was Ready and before its deletion.
fn probes(evidence: &mut Evidence, target: ProbeTarget, answer: &Result<u16, String>) {
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
fn ended_long_before_it_was_seen(evidence: &mut Evidence) {
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

fn terminated(evidence: &mut Evidence, change: impl Fn(&mut Value)) {
    objects(evidence, ObjectKind::Pod, |pod| {
        if let Some(state) = pod.pointer_mut("/status/containerStatuses/0/state/terminated") {
            change(state);
        }
    });
}

fn drop_spans(evidence: &mut Evidence, which: impl Fn(&evidence::Span) -> bool) {
    for fact in &mut evidence.facts {
        if let Fact::Trace(trace) = fact {
            trace.spans.retain(|span| !which(span));
        }
    }
}

/// The last object of a kind before dependencies are broken on purpose.
fn last_in_peace(evidence: &Evidence, kind: ObjectKind, wanted: impl Fn(&Value) -> bool) -> usize {
    let end = edge(evidence, Step::Tail, Edge::End);
    let matches =
        |fact: &Fact| matches!(fact, Fact::Object(o) if o.at < end && o.kind == kind && wanted(&o.object));
    evidence.facts.iter().rposition(matches).unwrap()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

fn faults(evidence: &mut Evidence) -> impl Iterator<Item = &mut FaultFact> {
    evidence.facts.iter_mut().filter_map(|fact| if let Fact::Fault(f) = fact { Some(f) } else { None })
}

fn fault(evidence: &mut Evidence, wanted: impl Fn(&FaultFact) -> bool) -> FaultFact {
    faults(evidence).find(|fault| wanted(fault)).unwrap().clone()
}

fn hang(evidence: &mut Evidence) -> FaultFact {
    fault(evidence, |f| f.fault == Fault::Hang)
}

fn is_trial(fault: &FaultFact, wanted: TrialEnd) -> bool {
    matches!(fault.fault, Fault::Trial { end, .. } if end == wanted)
}

fn seconds(evidence: &mut Evidence, (from, to): (Millis, Millis)) -> impl Iterator<Item = &mut SecondFact> {
    evidence.facts.iter_mut().filter_map(move |fact| match fact {
        Fact::Second(s) if s.at >= from && s.at + 1_000 <= to => Some(s),
        _ => None,
    })
}

/// A pod-direct request that waited while every call hung.
fn slow_request(evidence: &mut Evidence) -> RequestFact {
    let hang = hang(evidence);
    let hung = |at: Millis| (hang.began..hang.ended).contains(&at);
    let found = evidence.facts.iter().find_map(|fact| match fact {
        Fact::Request(r) if r.class == Class::Direct && hung(r.due) && r.took_ms > 1_000.0 => Some(r.clone()),
        _ => None,
    });
    found.unwrap()
}

/// A slow sampled answer of the pod while the fault was in force.
fn direct_request(evidence: &Evidence, fault: &FaultFact) -> RequestFact {
    let mut requests =
        evidence.facts.iter().filter_map(|f| if let Fact::Request(r) = f { Some(r) } else { None });
    let mut like = requests.find(|r| r.class == Class::Direct).unwrap().clone();
    (like.pod, like.due, like.took_ms) = (Some(fault.pod.clone()), fault.began + 2_000, 900.0);
    like.trace_id = Some("0".repeat(32));
    like
}

/// No calls of one pod at one dependency in a window.
fn silence(evidence: &mut Evidence, like: &FaultFact, (from, to): (Millis, Millis)) {
    let inside = |c: &CallFact| {
        c.pod == like.pod && c.dependency == like.dependency && c.at + 999 >= from && c.at < to
    };
    evidence.facts.retain(|fact| !matches!(fact, Fact::Call(call) if inside(call)));
}

/// Changes the seconds of one pod at one dependency in a window.
fn calls(
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

fn said(evidence: &mut Evidence, pod: &str, target: ProbeTarget, at: Millis, status: u16) {
    let (pod, answer) = (pod.to_owned(), Ok(status));
    evidence.facts.push(Fact::Probe(ProbeFact { from: at, to: at, pod, target, answer, samples: 1 }));
}

fn trouble(evidence: &mut Evidence, trouble: Trouble) {
    let quiet = edge(evidence, Step::Quiet, Edge::Begin);
    at(evidence, "postgres", trouble, quiet);
}

fn at(evidence: &mut Evidence, dependency: &str, trouble: Trouble, at: Millis) {
    evidence.facts.push(Fact::Trouble(MiddleTrouble { at, dependency: dependency.into(), trouble }));
}

/// What the agent before a dependency saw from a moment on is missing, and it says why.
fn blind(evidence: &mut Evidence, dependency: &str, trouble: Trouble, from: Millis) {
    evidence.facts.retain(|fact| match fact {
        Fact::Call(f) => f.dependency != dependency || f.at < from,
        Fact::Outgoing(f) => f.dependency != dependency || f.at < from,
        Fact::Fault(f) => f.dependency != dependency || f.began < from,
        Fact::Trace(f) => dependency != "traces" || f.at < from,
        _ => true,
    });
    at(evidence, dependency, trouble, from);
}

fn never_opens(evidence: &mut Evidence) {
    let hang = hang(evidence);
    let request = RequestFact { due: hang.ended - 500, pod: Some(hang.pod), ..slow_request(evidence) };
    evidence.facts.push(Fact::Request(request));
}

fn breaker(evidence: &mut Evidence) -> &mut Breaker {
    evidence.header.plan.dependencies[0].breaker.as_mut().unwrap()
}

/// Some traces show the cache in place of the database.
fn spans_of_redis(evidence: &mut Evidence, which: impl Fn(usize) -> bool) {
    let traces =
        evidence.facts.iter_mut().filter_map(|f| if let Fact::Trace(t) = f { Some(t) } else { None });
    for (_, trace) in traces.enumerate().filter(|(number, _)| which(*number)) {
        let stores = trace.spans.iter_mut().filter(|span| span.db_system.is_some());
        stores.for_each(|span| span.db_system = Some("redis".into()));
    }
}

/// A second database with a breaker that hangs once the first one is through its trials: what happened in those steps
/// happens again, and everything after it is that much later.
fn second_breaker(evidence: &mut Evidence) {
    let mut ledger = evidence.header.plan.dependencies[0].clone();
    (ledger.name, ledger.service) = ("ledger".into(), "ledger".into());
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
    evidence.facts.extend(again);
    *evidence = Evidence::new(evidence.header.clone(), std::mem::take(&mut evidence.facts));
}

fn moved(fact: &Fact, later: Millis) -> Fact {
    match fact.clone() {
        Fact::Step(f) => Fact::Step(StepFact { at: f.at + later, ..f }),
        Fact::Object(f) => Fact::Object(ObjectFact { at: f.at + later, ..f }),
        other => other.shifted(-later),
    }
}

const MUTATIONS: &[Mutation] = &[
    ("GL-T201", Outcome::Fail, |e| drop_spans(e, |span| span.kind == SpanKind::Server)),
    ("GL-T202", Outcome::Fail, |e| drop_spans(e, |span| span.db_system.as_deref() == Some("postgresql"))),
    ("GL-T203", Outcome::Fail, |e| drop_spans(e, |span| span.kind == SpanKind::Server)),
    ("GL-T203", Outcome::Inconclusive, |e| e.facts.retain(|fact| !matches!(fact, Fact::Trace(_)))),
    ("GL-T101", Outcome::Fail, |e| {
        for fact in &mut e.facts {
            if let Fact::Trace(trace) = fact {
                trace.spans.iter_mut().for_each(|span| span.version = None);
            }
        }
    }),
    ("GL-H001", Outcome::Fail, |e| {
        first_container(e, |c| drop(c.as_object_mut().unwrap().remove("readinessProbe")))
    }),
    ("GL-H002", Outcome::Fail, |e| {
        first_container(e, |c| drop(c.as_object_mut().unwrap().remove("livenessProbe")))
    }),
    ("GL-H003", Outcome::Fail, |e| first_container(e, |c| c["livenessProbe"]["periodSeconds"] = json!(1))),
    ("GL-H101", Outcome::Fail, |e| {
        let last = last_in_peace(e, ObjectKind::Pod, is_ready);
        let Fact::Object(mut flap) = e.facts[last].clone() else { unreachable!() };
        for condition in flap.object["status"]["conditions"].as_array_mut().unwrap() {
            condition["status"] = json!("False");
        }
        e.facts.insert(last + 1, Fact::Object(flap));
    }),
    ("GL-H102", Outcome::Fail, |e| {
        let last = e.facts.iter().rposition(|f| matches!(f, Fact::Object(o) if o.kind == ObjectKind::Pod && o.object.pointer("/status/containerStatuses/0").is_some()));
        let Fact::Object(object) = &mut e.facts[last.unwrap()] else { unreachable!() };
        object.object["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    }),
    ("GL-H201", Outcome::Fail, |e| probes(e, ProbeTarget::Readiness, &Ok(404))),
    ("GL-H202", Outcome::Fail, |e| probes(e, ProbeTarget::Liveness, &Err("refused".into()))),
    ("GL-H202", Outcome::Pass, ended_long_before_it_was_seen),
    ("GL-H203", Outcome::Fail, |e| {
        for fact in &mut e.facts {
            if let Fact::Probe(probe) = fact
                && probe.target == ProbeTarget::Readiness
                && probe.answer == Ok(503)
            {
                probe.answer = Ok(200);
            }
        }
    }),
    ("GL-S001", Outcome::Fail, |e| template(e, |spec| spec["terminationGracePeriodSeconds"] = json!(20))),
    ("GL-S201", Outcome::Fail, |e| {
        let begin = e.facts.iter().find_map(|f| match f {
            Fact::Step(s) if s.step == Step::Roll1 && s.edge == Edge::Begin => Some(s.at),
            _ => None,
        });
        let second = e.facts.iter_mut().find_map(|f| match f {
            Fact::Second(s) if s.class == Class::New && Some(s.at) > begin => Some(s),
            _ => None,
        });
        let second = second.unwrap();
        second.lost += 1;
        second.outcomes.push((evidence::Outcome::Reset, 1));
    }),
    ("GL-S201", Outcome::Inconclusive, |e| {
        // A class with hardly any requests: its zero has no power.
        for fact in &mut e.facts {
            if let Fact::Second(second) = fact
                && second.class == Class::Post
            {
                let keep = u32::from(second.at / 1000 % 20 == 0);
                second.outcomes.iter_mut().for_each(|(_, n)| *n = keep);
            }
        }
    }),
    ("GL-S202", Outcome::Fail, |e| terminated(e, |state| state["exitCode"] = json!(137))),
    ("GL-S202", Outcome::Inconclusive, |e| {
        objects(e, ObjectKind::Pod, |pod| {
            if let Some(state) = pod.pointer_mut("/status/containerStatuses/0/state") {
                state.as_object_mut().unwrap().remove("terminated");
            }
        });
    }),
    ("GL-S203", Outcome::Fail, |e| {
        for fact in &mut e.facts {
            if let Fact::Connection(connection) = fact {
                (connection.announced, connection.by_server) = (false, true);
            }
        }
    }),
    ("GL-B001", Outcome::Fail, |e| e.header.plan.dependencies.iter_mut().for_each(|d| d.breaker = None)),
    ("GL-R001", Outcome::Fail, |e| {
        objects(e, ObjectKind::Deployment, |d| {
            d["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = json!(1)
        });
    }),
    ("GL-R002", Outcome::Fail, |e| objects(e, ObjectKind::Deployment, |d| d["spec"]["replicas"] = json!(1))),
    ("GL-R003", Outcome::Fail, |e| {
        e.facts.retain(|f| !matches!(f, Fact::Object(o) if o.kind == ObjectKind::PodDisruptionBudget));
    }),
    ("GL-R004", Outcome::Fail, |e| objects(e, ObjectKind::Pod, |pod| pod["spec"]["nodeName"] = json!("one"))),
    ("GL-R201", Outcome::Fail, |e| {
        for fact in &mut e.facts {
            if let Fact::Step(step) = fact
                && step.step == Step::Roll2
                && step.edge == Edge::End
            {
                step.trouble = Some("new pod x: CrashLoopBackOff".into());
            }
        }
    }),
    ("GL-R202", Outcome::Fail, |e| {
        let last = last_in_peace(e, ObjectKind::EndpointSlice, |_| true);
        let Fact::Object(slice) = &mut e.facts[last] else { unreachable!() };
        for endpoint in slice.object["endpoints"].as_array_mut().unwrap() {
            endpoint["conditions"]["ready"] = json!(false);
        }
    }),
    ("GL-R203", Outcome::Fail, |e| {
        objects(e, ObjectKind::ReplicaSet, |set| set["spec"]["replicas"] = json!(9));
    }),
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
                second.lost = second.due;
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
    ("GL-T204", Outcome::Fail, |e| e.facts.retain(|fact| !matches!(fact, Fact::Outgoing(_)))),
    ("GL-T205", Outcome::Fail, |e| {
        for fact in &mut e.facts {
            if let Fact::Trace(trace) = fact {
                let inner = trace.spans.iter_mut().filter(|span| span.db_system.is_some());
                inner.for_each(|span| span.parent = Some("0123456789abcdef".into()));
            }
        }
    }),
    ("GL-T206", Outcome::Fail, |e| {
        let away = fault(e, |f| f.dependency == "traces");
        let mine = seconds(e, (away.began, away.ended)).filter(|s| s.pod.as_ref() == Some(&away.pod));
        mine.for_each(|s| (0..s.due).for_each(|_| s.times.record(400.0)));
    }),
    ("GL-T206", Outcome::Fail, |e| {
        // Only what is sampled waits for the collector.
        let away = fault(e, |f| f.dependency == "traces");
        let mine = seconds(e, (away.began, away.ended)).filter(|s| s.pod.as_ref() == Some(&away.pod));
        mine.take(8).for_each(|s| s.times.record(1_000.0));
    }),
    ("GL-T206", Outcome::Fail, |e| {
        // The same, where hardly any request is sampled.
        let away = fault(e, |f| f.dependency == "traces");
        let like = direct_request(e, &away);
        e.facts.extend((0..8).map(|_| Fact::Request(like.clone())));
    }),
    ("GL-T206", Outcome::Pass, |e| {
        // The machine stopped for a fifth of a second.
        let away = fault(e, |f| f.dependency == "traces");
        let mut mine = seconds(e, (away.began, away.ended)).filter(|s| s.pod.as_ref() == Some(&away.pod));
        let second = mine.next().unwrap();
        (0..2).for_each(|_| second.times.record(200.0));
    }),
    ("GL-H204", Outcome::Fail, |e| {
        // Ready again with one dependency still away.
        let pod = fault(e, |f| f.fault == Fault::Silence && f.dependency == "redis").pod;
        let at = edge(e, Step::Partial, Edge::Begin) + 3_000;
        said(e, &pod, ProbeTarget::Readiness, at, 200);
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
    ("GL-H204", Outcome::Fail, |e| e.header.plan.readiness_policy = Readiness::DegradedOk),
    ("GL-H205", Outcome::Fail, |e| {
        let begin = edge(e, Step::Recovery, Edge::Begin);
        e.facts
            .retain(|f| !matches!(f, Fact::Object(o) if o.kind == ObjectKind::EndpointSlice && o.at > begin));
    }),
    ("GL-H206", Outcome::Fail, |e| {
        let (pod, at) = (hang(e).pod, edge(e, Step::Blackout, Edge::Begin) + 3_000);
        said(e, &pod, ProbeTarget::Liveness, at, 503);
    }),
    ("GL-H207", Outcome::Fail, |e| {
        let hang = hang(e);
        said(e, &hang.pod, ProbeTarget::Readiness, hang.began + 9_000, 503);
    }),
    ("GL-S204", Outcome::Fail, |e| {
        let holds = faults(e).filter(|f| matches!(f.fault, Fault::Hold { .. }));
        holds.for_each(|f| f.held.iter_mut().for_each(|held| held.given_up = true));
    }),
    ("GL-S205", Outcome::Fail, |e| {
        let deleted =
            last_in_peace(e, ObjectKind::Pod, |p| p.pointer("/metadata/deletionTimestamp").is_some());
        let due = e.facts[deleted].at() - 1_000;
        let request = RequestFact {
            due,
            class: Class::New,
            outcome: evidence::Outcome::Refused,
            pod: None,
            ..slow_request(e)
        };
        e.facts.push(Fact::Request(request));
    }),
    ("GL-S206", Outcome::Fail, |e| terminated(e, |state| state["exitCode"] = json!(1))),
    ("GL-B201", Outcome::Fail, never_opens),
    ("GL-B201", Outcome::Fail, |e| {
        // Only what was due in the first two seconds waited: it opened too soon.
        let soon = hang(e).began + 2_000;
        e.facts.retain(|f| !matches!(f, Fact::Request(r) if r.class == Class::Direct && r.due > soon));
        let window = (soon, soon + 10_000);
        seconds(e, window)
            .filter(|s| s.class == Class::Direct)
            .for_each(|s| s.times = evidence::Histogram::default());
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        for fact in &mut e.facts {
            if let Fact::Middle(middle) = fact {
                middle.standing = Err("its Service has no selector".into());
            }
        }
    }),
    ("GL-B202", Outcome::Fail, |e| {
        faults(e).for_each(|f| f.others = u64::from(is_trial(f, TrialEnd::Forward)))
    }),
    ("GL-B202", Outcome::Fail, |e| {
        let trial = fault(e, |f| is_trial(f, TrialEnd::GiveUp));
        let over = trial.held[0].to;
        calls(e, &trial, (over + 5_000, over + 9_000), |call| call.calls = [1; 10]);
    }),
    ("GL-B202", Outcome::Fail, |e| {
        let trial = fault(e, |f| is_trial(f, TrialEnd::Forward));
        silence(e, &trial, (trial.held[0].to, trial.held[0].to + 3_000));
    }),
    ("GL-B202", Outcome::Inconclusive, never_opens),
    ("GL-B203", Outcome::Fail, |e| {
        let trials = faults(e).filter(|f| is_trial(f, TrialEnd::Forward));
        trials.for_each(|f| f.first_hit = f.first_hit.map(|at| at + 5_000));
    }),
    ("GL-B204", Outcome::Fail, |e| {
        let hang = hang(e);
        calls(e, &hang, (hang.ended - 6_000, hang.ended - 4_000), |call| call.calls[3] = 1);
    }),
    ("GL-B205", Outcome::Fail, |e| {
        let hang = hang(e);
        let second = seconds(e, (hang.ended - 9_000, hang.ended)).find(|s| s.class == Class::New);
        second.unwrap().without_retry_after = 1;
    }),
    ("GL-B206", Outcome::Fail, |e| {
        let slow = RequestFact { took_ms: 9_000.0, ..slow_request(e) };
        e.facts.push(Fact::Request(slow));
    }),
    ("GL-B207", Outcome::Fail, |e| {
        let (hang, end) = (hang(e), edge(e, Step::Tail, Edge::End));
        silence(e, &hang, (end - 4_000, end));
    }),
    ("GL-B208", Outcome::Fail, |e| {
        let stall = fault(e, |f| f.fault == Fault::Stall);
        silence(e, &stall, (stall.ended, stall.ended + 9_000));
    }),
    ("GL-B209", Outcome::Fail, |e| {
        let trial = fault(e, |f| is_trial(f, TrialEnd::Forward));
        calls(e, &trial, (trial.ended, trial.ended + 3_000), |call| call.opened = 80);
    }),
    ("GL-B210", Outcome::Fail, |e| {
        let (hang, begin) = (hang(e), edge(e, Step::Recovery, Edge::Begin));
        silence(e, &hang, (begin, Millis::MAX));
    }),
    ("GL-B211", Outcome::Fail, |e| {
        let begin = edge(e, Step::Blackout, Edge::Begin) + 10_000;
        let direct = seconds(e, (begin, begin + 5_000)).filter(|s| s.class == Class::Direct);
        direct.for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(500), s.due)]);
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
    ("GL-E111", Outcome::Inconclusive, |e| trouble(e, Trouble::SelectorChanged)),
    ("GL-E111", Outcome::Pass, |e| trouble(e, Trouble::Cut(2))),
    ("GL-T201", Outcome::Inconclusive, |e| {
        // The agent could not be asked for what it had seen.
        blind(e, "traces", Trouble::Lost("connection refused".into()), edge(e, Step::Baseline, Edge::Begin));
    }),
    ("GL-T202", Outcome::Inconclusive, |e| {
        // Its pod was replaced after the tail: what it had copied is gone.
        blind(e, "traces", Trouble::Lost("its pod is gone".into()), edge(e, Step::Roll2, Edge::Begin));
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        let hang = hang(e);
        never_opens(e);
        faults(e).filter(|f| f.fault == Fault::Hang).for_each(|f| f.ended = f.began + 2_000);
        at(e, "postgres", Trouble::FailedOpen, hang.began + 2_000);
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        let hang = hang(e);
        never_opens(e);
        at(e, "postgres", Trouble::SelectorChanged, hang.began + 2_000);
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        // A rate at which the declared circuit has no right to open.
        never_opens(e);
        breaker(e).min_calls = 5_000;
    }),
    ("GL-T202", Outcome::Pass, |e| spans_of_redis(e, |number| number % 2 == 0)),
    ("GL-T202", Outcome::Fail, |e| spans_of_redis(e, |_| true)),
    ("GL-H207", Outcome::Inconclusive, |e| {
        let hang = hang(e);
        said(e, &hang.pod, ProbeTarget::Readiness, hang.began + 9_000, 503);
        calls(e, &hang, (hang.began - 1_000, hang.ended + 1_000), |call| call.pings = 0);
    }),
    ("GL-S204", Outcome::Fail, |e| {
        // A request that the pod took on while it was draining.
        let hold = faults(e).filter(|f| matches!(f.fault, Fault::Hold { .. })).last().unwrap();
        let (from, to) = (hold.ended - 2_000, hold.ended - 1_000);
        hold.held.push(Held { from, to, given_up: true });
    }),
    ("GL-B205", Outcome::Pass, second_breaker),
    ("GL-B207", Outcome::Fail, |e| {
        breaker(e).open_for = Seconds(2.0);
        let (hang, end) = (hang(e), edge(e, Step::Tail, Edge::End));
        // Two whole seconds: longer than 80 % of the open time, shorter than the 3 s of a long one.
        silence(e, &hang, (end - 3_000, end - 2_000));
    }),
    ("GL-B207", Outcome::Inconclusive, |e| {
        let quiet = edge(e, Step::Quiet, Edge::Begin);
        let pod = hang(e);
        let old = fault(e, |f| matches!(f.fault, Fault::Hold { .. }));
        for pod in [pod, old] {
            calls(e, &pod, (quiet, quiet + 10_000), |call| call.calls = [0; 10]);
        }
    }),
    ("GL-B208", Outcome::Fail, |e| {
        breaker(e).open_for = Seconds(2.0);
        let stall = fault(e, |f| f.fault == Fault::Stall);
        silence(e, &stall, (stall.ended, stall.ended + 2_000));
    }),
    // Endpoints that leave are no answer when the service promised to stay.
    ("GL-B211", Outcome::Fail, degraded_ok),
    ("GL-B211", Outcome::Pass, |e| {
        degraded_ok(e);
        let window = (edge(e, Step::Loss, Edge::Begin), edge(e, Step::Loss, Edge::End));
        e.facts.retain(|f| !matches!(f, Fact::Request(r) if r.class != Class::Direct && (window.0..window.1).contains(&r.due)));
        for second in seconds(e, window).filter(|s| s.class != Class::Direct) {
            second.outcomes = vec![(evidence::Outcome::Answered(200), second.due)];
            (second.without_retry_after, second.times) = (0, evidence::Histogram::default());
            (0..second.due).for_each(|_| second.times.record(3.0));
        }
    }),
    ("GL-B211", Outcome::Warn, |e| {
        faults(e).filter(|f| f.fault == Fault::Refuse).for_each(|f| f.hits = 5_000);
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        // The run ended while the calls hung.
        never_opens(e);
        e.facts.retain(|f| !matches!(f, Fact::Step(s) if s.step == Step::Hang && s.edge == Edge::End));
    }),
];

/// Declares that pods stay in the Service without a dependency, for which they are watched longer.
fn degraded_ok(evidence: &mut Evidence) {
    evidence.header.plan.readiness_policy = Readiness::DegradedOk;
    let end = edge(evidence, Step::Blackout, Edge::End);
    let steps = evidence.facts.iter_mut().filter_map(|f| if let Fact::Step(s) = f { Some(s) } else { None });
    steps.filter(|s| s.step == Step::Loss && s.edge == Edge::End).for_each(|s| s.at = end);
}

/// Everything that takes the belief in an agent's record away.
fn disbeliefs() -> [Trouble; 6] {
    let (lost, unread) = (Trouble::Lost("its pod is gone".into()), Trouble::Unread("it is HTTP/2".into()));
    let incomplete = Trouble::Incomplete("more spans than are kept".into());
    [Trouble::SelectorChanged, lost, Trouble::FailedOpen, Trouble::Encrypted, unread, incomplete]
}

#[test]
fn a_read_that_nobody_made_was_not_made_to_miss() {
    let (good, mut read) = (good(), good());
    faults(&mut read).filter(|f| f.fault == Fault::Miss).for_each(|f| f.hits = 7);
    let told = |evidence: &Evidence| {
        let report = judge(evidence, ALL);
        report.checks.into_iter().find(|line| line.id == "GL-E109").unwrap().finding.summary
    };
    let all = good.facts.iter().filter(|f| matches!(f, Fact::Fault(_))).count();
    let missed = good.facts.iter().filter(|f| matches!(f, Fact::Fault(f) if f.fault == Fault::Miss)).count();
    assert_eq!(told(&good), format!("{} faults took effect", all - missed));
    assert_eq!(told(&read), format!("{all} faults took effect"));
}

#[test]
fn what_an_agent_did_not_see_is_never_held_against_the_target() {
    let good = good();
    let names: Vec<String> = good.plan().dependencies.iter().map(|d| d.name.clone()).collect();
    let since =
        [Step::Baseline, Step::Quiet, Step::Hang, Step::Blackout].map(|s| edge(&good, s, Edge::Begin));
    for (turn, dependency) in names.iter().enumerate() {
        for (trouble, from) in disbeliefs().into_iter().zip(since.iter().cycle().skip(turn)) {
            let mut mutated = good.clone();
            blind(&mut mutated, dependency, trouble.clone(), *from);
            let report = judge(&mutated, ALL);
            let failed = report.checks.iter().find(|line| line.finding.outcome == Outcome::Fail);
            let told = failed.map(|line| (&line.id, &line.finding.summary));
            assert_eq!(told, None, "{dependency}: {trouble:?} from {from}");
            assert_eq!(report.verdict, Verdict::Inconclusive, "{dependency}: {trouble:?} from {from}");
        }
    }
}

#[test]
fn a_good_run_passes_every_check() {
    let report = judge(&good(), ALL);
    for line in &report.checks {
        assert_eq!(line.finding.outcome, Outcome::Pass, "{}: {}", line.id, line.finding.summary);
    }
    assert_eq!(report.verdict, Verdict::Go);
    assert_eq!(report.passing(), 4);
}

#[test]
fn without_the_middle_agents_the_verdict_stays_open() {
    let mut evidence = good();
    let of_agents = |fact: &Fact| {
        matches!(fact, Fact::Middle(_) | Fact::Call(_) | Fact::Fault(_) | Fact::Trace(_) | Fact::Outgoing(_))
    };
    evidence.facts.retain(|fact| !of_agents(fact));
    let report = judge(&evidence, ALL);
    assert_eq!(outcome(&report, "GL-B201"), Outcome::Inconclusive);
    assert_eq!(report.verdict, Verdict::Inconclusive, "an unmeasured breaker must keep the verdict open");
}

#[test]
fn the_bare_build_fails_for_its_own_reasons() {
    let report = judge(&fixture("bare.evidence.zst"), ALL);
    assert_eq!(report.verdict, Verdict::NoGo);
    assert_eq!(report.passing(), 0);
    for id in ["GL-T201", "GL-H001", "GL-H002", "GL-H201", "GL-S201", "GL-S202", "GL-B201", "GL-B206"] {
        assert_eq!(outcome(&report, id), Outcome::Fail, "{id}");
    }
}

#[test]
fn one_changed_thing_in_good_evidence_is_found_by_the_check_meant_for_it() {
    let good = good();
    let before = judge(&good, ALL);
    for (id, expected, mutate) in MUTATIONS {
        assert_eq!(outcome(&before, id), Outcome::Pass, "{id} must pass before the mutation");
        let mut mutated = good.clone();
        mutate(&mut mutated);
        assert_eq!(outcome(&judge(&mutated, ALL), id), *expected, "{id}");
    }
}

#[test]
fn every_measured_check_has_a_mutation() {
    let mutated: BTreeSet<&str> = MUTATIONS.iter().map(|(id, _, _)| *id).collect();
    for check in ALL {
        assert!(mutated.contains(check.id), "{} has no mutation", check.id);
    }
}

#[test]
fn the_terminal_report_fits_80_columns_and_a_saved_file_judges_the_same() {
    let recorded = ["good.evidence.zst", "bare.evidence.zst"].map(|name| (name, fixture(name)));
    for (name, evidence) in recorded {
        let mut text = Vec::new();
        judge(&evidence, ALL).write(Format::Terminal, &mut text).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&text).unwrap()).to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        evidence::write(&copy, &evidence).unwrap();
        let (again, first) = (judge(&evidence::read(&copy).unwrap(), ALL), judge(&evidence, ALL));
        assert_eq!(again, first);
    }
}
