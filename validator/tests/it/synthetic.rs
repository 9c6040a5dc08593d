//! A good run with the middle agents, built on the recorded run without them: the second half of the evidence is
//! what a service that keeps its promises would leave.

use golive_validator::evidence::{
    CallFact, Change, Class, Edge, Evidence, Fact, Fault, FaultFact, Held, Histogram, MiddleClock,
    MiddleFact, Millis, ObjectFact, ObjectKind, Outcome, OutgoingFact, ProbeFact, ProbeTarget, RequestFact,
    SecondFact, Span, SpanKind, Step, StepFact, TrialEnd,
};
use golive_validator::timeline::Timeline;
use serde_json::{Value, json};

/// Learning and quiet phase, put in before the second roll.
const PAUSE: Millis = 6_000;
const QUIET: Millis = 10_000;

/// Moments after the begin of the hanging, in order.
const OPENED: Millis = 6_400;
const HANG_ENDS: Millis = 34_400;
const TRIAL: Millis = 36_450;
const SECOND_TRIAL: Millis = 69_500;
const DELETION: Millis = 60_000;
const LOSS: Millis = 100_000;
const BLACKOUT: Millis = 117_000;
const PARTIAL: Millis = 157_000;
const RECOVERY: Millis = 169_000;
const HAND_BACK: Millis = 210_000;
const END: Millis = 215_000;

const NEW_POD: &str = "users-replacement";

struct Run {
    facts: Vec<Fact>,
    /// Begin of the hanging.
    hang: Millis,
    /// The pods of the faults, and at last the one that replaces the third.
    pods: [String; 4],
}

/// Adds what the middle agents and the faults would have left.
pub(crate) fn with_faults(mut evidence: Evidence) -> Evidence {
    let orders = json!({ "name": "orders", "service": "orders", "protocol": "http" });
    evidence.header.plan.dependencies.push(serde_json::from_value(orders).unwrap());
    insert_quiet_phase(&mut evidence);
    let tail = edge(&evidence, Step::Tail, Edge::End);
    let hang = (tail + 11_000) / 1_000 * 1_000;
    let slice = last(&evidence, ObjectKind::EndpointSlice, |_| true);
    let names: Vec<String> =
        slice["endpoints"].as_array().unwrap().iter().map(|e| text(&e["targetRef"]["name"])).collect();
    let pods = [names[0].clone(), names[1].clone(), names[2].clone(), NEW_POD.to_owned()];
    let mut run = Run { facts: Vec::new(), hang, pods };
    run.steps();
    run.objects(&evidence, &slice);
    run.probes(tail);
    run.load(&evidence, tail);
    run.faults(&evidence);
    run.calls(&evidence);
    run.middle(&mut evidence);
    evidence.facts.extend(run.facts);
    Evidence::new(evidence.header, evidence.facts)
}

pub(crate) fn edge(evidence: &Evidence, step: Step, edge: Edge) -> Millis {
    let found = evidence.facts.iter().find_map(|fact| match fact {
        Fact::Step(s) if s.step == step && s.edge == edge => Some(s.at),
        _ => None,
    });
    found.unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn last(evidence: &Evidence, kind: ObjectKind, wanted: impl Fn(&Value) -> bool) -> Value {
    let found = evidence.facts.iter().rev().find_map(|fact| match fact {
        Fact::Object(o) if o.kind == kind && wanted(&o.object) => Some(o.object.clone()),
        _ => None,
    });
    found.unwrap()
}

fn step(step: Step, begin: Millis, end: Millis) -> [Fact; 2] {
    let of = |at, edge| Fact::Step(StepFact { at, step, edge, trouble: None, least_ms: None });
    [of(begin, Edge::Begin), of(end, Edge::End)]
}

fn insert_quiet_phase(evidence: &mut Evidence) {
    let from = edge(evidence, Step::Roll2, Edge::Begin);
    let begin = edge(evidence, Step::Baseline, Edge::Begin);
    let moved = (from + PAUSE - begin + 999) / 1_000 * 1_000;
    let quiet: Vec<Fact> =
        seconds(evidence, begin, begin + QUIET).map(|s| Fact::Second(at(s, s.at + moved))).collect();
    for fact in &mut evidence.facts {
        shift(fact, from, PAUSE + QUIET);
    }
    evidence.facts.extend(quiet);
    evidence.facts.extend(step(Step::Learning, from, from + PAUSE));
    evidence.facts.extend(step(Step::Quiet, from + PAUSE, from + PAUSE + QUIET));
}

fn seconds(evidence: &Evidence, begin: Millis, end: Millis) -> impl Iterator<Item = &SecondFact> {
    evidence.facts.iter().filter_map(move |fact| match fact {
        Fact::Second(s) if s.at >= begin && s.at + 1_000 <= end => Some(s),
        _ => None,
    })
}

fn at(second: &SecondFact, at: Millis) -> SecondFact {
    SecondFact { at, ..second.clone() }
}

fn shift(fact: &mut Fact, from: Millis, by: Millis) {
    let later = |at: &mut Millis| *at += if *at >= from { by } else { 0 };
    match fact {
        Fact::Step(f) if matches!(f.step, Step::Roll2 | Step::Tail) => f.at += by,
        Fact::Object(f) => later(&mut f.at),
        Fact::Agent(f) => later(&mut f.at),
        Fact::Second(f) => later(&mut f.at),
        Fact::Trace(f) => later(&mut f.at),
        Fact::Request(f) => [&mut f.due, &mut f.sent].into_iter().for_each(later),
        Fact::Connection(f) => [&mut f.opened, &mut f.ended].into_iter().for_each(later),
        Fact::Probe(f) => [&mut f.from, &mut f.to].into_iter().for_each(later),
        _ => {}
    }
}

impl Run {
    fn at(&self, after: Millis) -> Millis {
        self.hang + after
    }

    fn steps(&mut self) {
        let steps = [
            (Step::Hang, 0, HANG_ENDS),
            (Step::Trials, HANG_ENDS, LOSS),
            (Step::Loss, LOSS, BLACKOUT),
            (Step::Blackout, BLACKOUT, PARTIAL),
            (Step::Partial, PARTIAL, RECOVERY),
            (Step::Recovery, RECOVERY, HAND_BACK),
            (Step::HandBack, HAND_BACK, END),
        ];
        for (name, begin, end) in steps {
            let facts = step(name, self.at(begin), self.at(end));
            self.facts.extend(facts);
        }
    }

    fn object(&mut self, after: Millis, kind: ObjectKind, change: Change, object: Value) {
        let at = self.at(after);
        self.facts.push(Fact::Object(ObjectFact { at, kind, change, object }));
    }

    fn objects(&mut self, evidence: &Evidence, slice: &Value) {
        let named = |name: &str| last(evidence, ObjectKind::Pod, |pod| pod["metadata"]["name"] == *name);
        let mut leaving = named(&self.pods[2]);
        let mut new = leaving.clone();
        new["metadata"]["name"] = json!(NEW_POD);
        new["metadata"]["uid"] = json!(NEW_POD);
        leaving["metadata"]["deletionTimestamp"] = json!("later");
        leaving["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        let pod = ObjectKind::Pod;
        self.object(DELETION, pod, Change::Modified, leaving.clone());
        self.object(DELETION + 100, pod, Change::Added, with_ready(new.clone(), false));
        self.object(DELETION + 12_000, pod, Change::Modified, with_ready(new.clone(), true));
        leaving["status"]["containerStatuses"][0]["state"] =
            json!({ "terminated": { "exitCode": 0, "reason": "Completed" } });
        self.object(DELETION + 15_400, pod, Change::Modified, leaving.clone());
        self.object(DELETION + 15_500, pod, Change::Deleted, leaving);
        for object in [named(&self.pods[0]), named(&self.pods[1]), new] {
            self.object(LOSS + 11_000, pod, Change::Modified, with_ready(object.clone(), false));
            self.object(RECOVERY + 6_000, pod, Change::Modified, with_ready(object, true));
        }
        let mut slice = slice.clone();
        let all = ObjectKind::EndpointSlice;
        slice["endpoints"].as_array_mut().unwrap().remove(2);
        self.object(DELETION + 100, all, Change::Modified, slice.clone());
        let mut added = slice["endpoints"][0].clone();
        added["targetRef"]["name"] = json!(NEW_POD);
        added["targetRef"]["uid"] = json!(NEW_POD);
        slice["endpoints"].as_array_mut().unwrap().push(added);
        for (after, ready) in [(DELETION + 12_000, true), (LOSS + 11_000, false), (RECOVERY + 6_000, true)] {
            for endpoint in slice["endpoints"].as_array_mut().unwrap() {
                endpoint["conditions"]["ready"] = json!(ready);
            }
            self.object(after, all, Change::Modified, slice.clone());
        }
    }

    fn probe(
        &mut self,
        pod: usize,
        target: ProbeTarget,
        (from, to): (Millis, Millis),
        answer: Result<u16, String>,
    ) {
        let samples = ((to - from) / 250) as u64 + 1;
        let (pod, from, to) = (self.pods[pod].clone(), self.at(from), self.at(to));
        self.facts.push(Fact::Probe(ProbeFact { from, to, pod, target, answer, samples }));
    }

    fn probes(&mut self, tail: Millis) {
        let tail = tail - self.hang;
        let (ready, live) = (ProbeTarget::Readiness, ProbeTarget::Liveness);
        for pod in [0, 1, 3] {
            let begin = if pod == 3 { DELETION + 11_000 } else { tail };
            self.probe(pod, ready, (begin, LOSS + 900), Ok(200));
            self.probe(pod, ready, (LOSS + 1_000, RECOVERY + 900), Ok(503));
            self.probe(pod, ready, (RECOVERY + 1_000, HAND_BACK), Ok(200));
            self.probe(pod, live, (begin, HAND_BACK), Ok(200));
        }
        self.probe(2, ready, (tail, DELETION), Ok(200));
        self.probe(2, ready, (DELETION + 100, DELETION + 5_000), Ok(503));
        self.probe(2, live, (tail, DELETION + 15_000), Ok(200));
    }

    /// The classes through the Service go on; requests to each pod alone come on top.
    fn load(&mut self, evidence: &Evidence, tail: Millis) {
        let begin = edge(evidence, Step::Baseline, Edge::Begin);
        let models: Vec<&SecondFact> = seconds(evidence, begin, begin + 10_000).collect();
        let first = models[0].at;
        for round in 0..30 {
            for model in &models {
                let mut second = at(model, tail / 1_000 * 1_000 + round * 9_000 + (model.at - first) % 9_000);
                if second.at >= self.at(LOSS + 11_000) && second.at < self.at(RECOVERY + 6_000) {
                    second.outcomes = vec![(Outcome::Refused, second.due)];
                    (second.lost, second.times) = (second.due, Histogram::default());
                }
                if second.at > tail && second.at < self.at(END) {
                    self.facts.push(Fact::Second(second));
                }
            }
        }
        for pod in 0..4 {
            let there = if pod == 2 {
                0..DELETION
            } else if pod == 3 {
                DELETION + 13_000..HAND_BACK
            } else {
                0..HAND_BACK
            };
            for second in (there.start..there.end).step_by(1_000) {
                self.direct(pod, second);
            }
        }
    }

    fn direct(&mut self, pod: usize, second: Millis) {
        let mut times = Histogram::default();
        for due in (second..second + 1_000).step_by(100) {
            let took_ms = took_ms(pod, due);
            times.record(took_ms);
            if took_ms > 1_000.0 {
                let (due, pod) = (self.at(due), Some(self.pods[pod].clone()));
                let request = RequestFact {
                    due,
                    sent: due,
                    took_ms,
                    agent: "load-1".into(),
                    node: "golive-worker".into(),
                    class: Class::Direct,
                    request: "GET /api/users/1".into(),
                    outcome: Outcome::Answered(503),
                    error: None,
                    trace_id: None,
                    parent_id: None,
                    pod,
                };
                self.facts.push(Fact::Request(request));
            }
        }
        self.facts.push(Fact::Second(SecondFact {
            at: self.at(second),
            agent: "load-1".into(),
            node: "golive-worker".into(),
            class: Class::Direct,
            due: 10,
            on_time: 10,
            lost: 0,
            outcomes: vec![(Outcome::Answered(200), 10)],
            open: 0,
            times,
            pod: Some(self.pods[pod].clone()),
            without_retry_after: 0,
        }));
    }

    fn fault(
        &mut self,
        pod: usize,
        dependency: &str,
        (began, ended): (Millis, Millis),
        fault: Fault,
        held: &[(Millis, Millis, bool)],
    ) {
        let of = |(from, to, given_up): &(Millis, Millis, bool)| Held {
            from: self.at(*from),
            to: self.at(*to),
            given_up: *given_up,
        };
        let held: Vec<Held> = held.iter().map(of).collect();
        let first_hit = Some(held.first().map_or(self.at(began) + 50, |held| held.from));
        let (began, ended, pod) = (self.at(began), self.at(ended), self.pods[pod].clone());
        let dependency = dependency.to_owned();
        self.facts.push(Fact::Fault(FaultFact {
            began,
            ended,
            dependency,
            pod,
            fault,
            first_hit,
            hits: 9,
            held,
            others: 0,
        }));
    }

    fn faults(&mut self, evidence: &Evidence) {
        self.holds(evidence);
        let trial = |end| Fault::Trial { hold_ms: 500, end };
        for pod in 0..3 {
            self.fault(pod, "postgres", (0, HANG_ENDS), Fault::Hang, &[]);
        }
        self.fault(
            0,
            "postgres",
            (HANG_ENDS, 67_400),
            trial(TrialEnd::GiveUp),
            &[(TRIAL, TRIAL + 3_000, true)],
        );
        let second = (SECOND_TRIAL, SECOND_TRIAL + 500, false);
        self.fault(0, "postgres", (67_400, SECOND_TRIAL + 500), trial(TrialEnd::Forward), &[second]);
        for pod in [1, 2] {
            self.fault(
                pod,
                "postgres",
                (HANG_ENDS, TRIAL + 500),
                trial(TrialEnd::Forward),
                &[(TRIAL, TRIAL + 500, false)],
            );
        }
        self.fault(0, "postgres", (85_000, 87_000), Fault::Refuse, &[]);
        for (began, lasts) in [(50_000, 1_000), (64_000, 2_000), (80_000, 5_000)] {
            self.fault(1, "postgres", (began, began + lasts), Fault::Stall, &[]);
        }
        self.fault(2, "traces", (45_000, 90_000), Fault::Refuse, &[]);
        self.fault(0, "postgres", (LOSS, PARTIAL), Fault::Refuse, &[]);
        self.fault(1, "postgres", (LOSS, PARTIAL), Fault::Reset, &[]);
        self.fault(3, "redis", (LOSS, PARTIAL), Fault::Silence, &[]);
        self.fault(0, "redis", (BLACKOUT, RECOVERY), Fault::Reset, &[]);
        self.fault(1, "redis", (BLACKOUT, RECOVERY), Fault::Silence, &[]);
        self.fault(3, "postgres", (BLACKOUT, RECOVERY), Fault::Silence, &[]);
    }

    fn holds(&mut self, evidence: &Evidence) {
        let began = edge(evidence, Step::Roll2, Edge::Begin);
        let timeline = Timeline::new(evidence);
        for (pod, termination) in timeline.terminations().into_iter().filter(|(_, t)| t.at > began) {
            let held = Held { from: termination.at - 500, to: termination.at + 1_500, given_up: false };
            self.facts.push(Fact::Fault(FaultFact {
                began,
                ended: termination.gone.unwrap(),
                dependency: "postgres".into(),
                pod: pod.name.clone(),
                fault: Fault::Hold { hold_ms: 2_000, at_most: 2 },
                first_hit: Some(began + 50),
                hits: 40,
                held: vec![held],
                others: 0,
            }));
        }
    }

    /// Sixty calls per second while a pod serves and nothing is open.
    fn calls(&mut self, evidence: &Evidence) {
        let timeline = Timeline::new(evidence);
        let began = edge(evidence, Step::Roll1, Edge::Begin);
        let paused = edge(evidence, Step::Learning, Edge::Begin)..edge(evidence, Step::Learning, Edge::End);
        let mut lives: Vec<(String, Millis, Millis)> = timeline
            .pods
            .iter()
            .filter(|pod| pod.first_seen > began && pod.name != self.pods[2])
            .map(|pod| {
                let end = pod.termination.as_ref().map_or(self.at(END), |t| t.at + 4_900);
                (pod.name.clone(), pod.became_ready().unwrap() + 1_000, end)
            })
            .collect();
        let third =
            timeline.pods.iter().find(|pod| pod.name == self.pods[2]).unwrap().became_ready().unwrap();
        lives.push((self.pods[2].clone(), third + 1_000, self.at(DELETION + 5_000)));
        lives.push((NEW_POD.to_owned(), self.at(DELETION + 13_000), self.at(END)));
        for (pod, from, to) in lives {
            let number = self.pods.iter().position(|name| *name == pod);
            for at in (from / 1_000 * 1_000..to).step_by(1_000) {
                for (dependency, rate) in [("postgres", 6), ("redis", 6), ("traces", 1), ("orders", 1)] {
                    let mut calls = [0; 10];
                    for (tenth, calls) in (at..).step_by(100).zip(&mut calls) {
                        let open = dependency == "postgres"
                            && number.is_some_and(|pod| is_open(pod, tenth - self.hang));
                        let trial = (dependency, number == Some(0), tenth - self.hang)
                            == ("postgres", true, SECOND_TRIAL);
                        let serves = (from..to).contains(&tenth) && !paused.contains(&tenth);
                        *calls = if trial {
                            1
                        } else if open || !serves {
                            0
                        } else {
                            rate
                        };
                    }
                    let (pod, dependency) = (pod.clone(), dependency.to_owned());
                    self.facts.push(Fact::Call(CallFact {
                        at,
                        dependency,
                        pod,
                        calls,
                        pings: 1,
                        opened: 0,
                        open: 5,
                    }));
                }
            }
        }
    }

    /// Agents before every dependency; every tenth sampled request asks `orders`.
    fn middle(&mut self, evidence: &mut Evidence) {
        let at = edge(evidence, Step::Baseline, Edge::End);
        for dependency in &evidence.header.plan.dependencies {
            self.facts.push(Fact::Middle(MiddleFact {
                at,
                dependency: dependency.name.clone(),
                service: dependency.service.clone(),
                protocol: dependency.protocol,
                standing: Ok(MiddleClock { offset_ms: 0.1, uncertainty_ms: 0.2 }),
            }));
        }
        let traces = evidence.facts.iter_mut().filter_map(|fact| match fact {
            Fact::Trace(trace) if trace.spans.len() > 1 => Some(trace),
            _ => None,
        });
        for (number, trace) in traces.enumerate().filter(|(number, _)| number % 10 == 0) {
            let server = trace.spans.iter().find(|span| span.kind == SpanKind::Server).unwrap().clone();
            let id = format!("{number:016x}");
            let call = Span {
                id: id.clone(),
                parent: Some(server.id.clone()),
                kind: SpanKind::Client,
                ..server.clone()
            };
            let there = Span {
                id: format!("{number:015x}f"),
                parent: Some(id.clone()),
                service: "orders".into(),
                ..server
            };
            // The exporter got no answer and sent the span again.
            trace.spans.extend([call.clone(), call, there]);
            self.facts.push(Fact::Outgoing(OutgoingFact {
                at: trace.at,
                dependency: "orders".into(),
                pod: self.pods[0].clone(),
                trace_id: Some(trace.trace_id.clone()),
                parent_id: Some(id),
            }));
        }
    }
}

fn with_ready(mut pod: Value, ready: bool) -> Value {
    for condition in pod["status"]["conditions"].as_array_mut().unwrap() {
        if condition["type"] == "Ready" {
            condition["status"] = json!(if ready { "True" } else { "False" });
        }
    }
    pod
}

/// When the circuit of a pod lets nothing through.
fn is_open(pod: usize, after: Millis) -> bool {
    let open: &[(Millis, Millis)] = match pod {
        0 => &[(OPENED + 100, TRIAL - 50), (TRIAL + 50, SECOND_TRIAL + 500), (LOSS + 600, PARTIAL + 3_500)],
        1 => &[(OPENED + 100, TRIAL - 50), (TRIAL + 50, TRIAL + 500), (LOSS + 600, PARTIAL + 3_500)],
        2 => &[(OPENED + 100, TRIAL - 50), (TRIAL + 50, TRIAL + 500)],
        _ => &[(BLACKOUT + 6_500, RECOVERY + 17_400)],
    };
    open.iter().any(|(from, to)| (*from..*to).contains(&after))
}

fn took_ms(pod: usize, due: Millis) -> f64 {
    let waits = match pod {
        0..=2 => (0..=OPENED).contains(&due),
        _ => (BLACKOUT..=BLACKOUT + OPENED).contains(&due),
    };
    if waits { 3_000.0 } else { 2.0 }
}
