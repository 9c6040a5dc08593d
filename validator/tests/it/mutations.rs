//! Each check against real evidence of a good run, and against the same evidence with one thing changed.
//!
//! `fixtures/good.evidence.zst` was written by `make kind-test`. A check that would let its mutation pass
//! proves nothing; a check without a mutation fails the last test.

use std::collections::BTreeSet;
use std::path::Path;

use golive_validator::check::Outcome;
use golive_validator::checks::ALL;
use golive_validator::evidence::{
    self, Class, Edge, Evidence, Fact, Gap, ObjectKind, ProbeTarget, SpanKind, Step,
};
use golive_validator::judge::judge;
use golive_validator::report::{Format, Report, Verdict};
use serde_json::{Value, json};

type Mutation = (&'static str, Outcome, fn(&mut Evidence));

fn fixture(name: &str) -> Evidence {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    evidence::read(&path).unwrap()
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
        let last = e.facts.iter().rposition(|f| matches!(f, Fact::Object(o) if o.kind == ObjectKind::Pod && o.object.pointer("/metadata/deletionTimestamp").is_none() && o.object["status"]["conditions"].as_array().is_some_and(|c| c.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))));
        let Fact::Object(mut flap) = e.facts[last.unwrap()].clone() else { unreachable!() };
        for condition in flap.object["status"]["conditions"].as_array_mut().unwrap() {
            condition["status"] = json!("False");
        }
        e.facts.insert(last.unwrap() + 1, Fact::Object(flap));
    }),
    ("GL-H102", Outcome::Fail, |e| {
        let last = e.facts.iter().rposition(|f| matches!(f, Fact::Object(o) if o.kind == ObjectKind::Pod && o.object.pointer("/status/containerStatuses/0").is_some()));
        let Fact::Object(object) = &mut e.facts[last.unwrap()] else { unreachable!() };
        object.object["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    }),
    ("GL-H201", Outcome::Fail, |e| probes(e, ProbeTarget::Readiness, &Ok(404))),
    ("GL-H202", Outcome::Fail, |e| probes(e, ProbeTarget::Liveness, &Err("refused".into()))),
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
        let last =
            e.facts.iter().rposition(|f| matches!(f, Fact::Object(o) if o.kind == ObjectKind::EndpointSlice));
        let Fact::Object(slice) = &mut e.facts[last.unwrap()] else { unreachable!() };
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
        let last = e.facts.iter().rposition(|f| matches!(f, Fact::Object(o) if o.kind == ObjectKind::Pod && o.object.pointer("/metadata/deletionTimestamp").is_some()));
        let Fact::Object(object) = &e.facts[last.unwrap()] else { unreachable!() };
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
];

#[test]
fn a_good_run_passes_every_check_that_this_version_measures() {
    let report = judge(&fixture("good.evidence.zst"), ALL);
    for line in &report.checks {
        let expected = if line.id.starts_with("GL-B2") { Outcome::Inconclusive } else { Outcome::Pass };
        assert_eq!(line.finding.outcome, expected, "{}: {}", line.id, line.finding.summary);
    }
    assert_eq!(report.verdict, Verdict::Inconclusive, "an unmeasured breaker must keep the verdict open");
    assert_eq!(report.passing(), 3);
}

#[test]
fn the_bare_build_fails_for_its_own_reasons() {
    let report = judge(&fixture("bare.evidence.zst"), ALL);
    assert_eq!(report.verdict, Verdict::NoGo);
    assert_eq!(report.passing(), 0);
    for id in ["GL-T201", "GL-H001", "GL-H002", "GL-H201", "GL-S201", "GL-S202"] {
        assert_eq!(outcome(&report, id), Outcome::Fail, "{id}");
    }
}

#[test]
fn one_changed_thing_in_good_evidence_is_found_by_the_check_meant_for_it() {
    let good = fixture("good.evidence.zst");
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
    for check in ALL.iter().filter(|check| !check.id.starts_with("GL-B2")) {
        assert!(mutated.contains(check.id), "{} has no mutation", check.id);
    }
}

#[test]
fn the_terminal_report_fits_80_columns_and_a_saved_file_judges_the_same() {
    for name in ["good.evidence.zst", "bare.evidence.zst"] {
        let evidence = fixture(name);
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
