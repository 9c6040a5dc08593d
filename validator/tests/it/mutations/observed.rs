//! A run that only looked on: the begin of a good one, before anything was done to it.

use golive_validator::check::Outcome;
use golive_validator::checks::{ALL, find};
use golive_validator::config::Purpose;
use golive_validator::evidence::{
    Edge, Evidence, Fact, Millis, ObjectKind, Outcome as Ended, ProbeTarget, Step, StepFact,
};
use golive_validator::judge::judge;
use golive_validator::report::{Format, Report, Verdict};
use serde_json::json;

use super::change::{edge, evict, objects, probes, seconds};
use super::{good, outcome};

/// How much of its baseline is the baseline of the look.
const BASELINE_MS: Millis = 4_000;

fn look() -> Evidence {
    let good = good();
    let [begin, end] = [Edge::Begin, Edge::End].map(|side| edge(&good, Step::Baseline, side));
    let mut header = good.header.clone();
    (header.plan.purpose, header.plan.parts) = (Purpose::Observe, [].into());
    let step = |step, at, edge| Fact::Step(StepFact { at, step, edge, trouble: None, least_ms: None });
    let mut facts = vec![
        step(Step::Baseline, begin, Edge::Begin),
        step(Step::Baseline, begin + BASELINE_MS, Edge::End),
        step(Step::Observation, begin + BASELINE_MS, Edge::Begin),
        step(Step::Observation, end, Edge::End),
    ];
    facts.extend(good.facts.into_iter().filter_map(|fact| match fact {
        Fact::Step(_) => None,
        Fact::Agent(mut agent) => {
            agent.at = end;
            Some(Fact::Agent(agent))
        }
        Fact::Probe(mut probe) => {
            probe.to = probe.to.min(end);
            (probe.from < end).then_some(Fact::Probe(probe))
        }
        other => (other.at() < end).then_some(other),
    }));
    Evidence::new(header, facts)
}

/// What fails, is open or warns.
fn noted(report: &Report) -> Vec<&str> {
    let is_noted = |outcome| !matches!(outcome, Outcome::Pass | Outcome::Skipped);
    report.checks.iter().filter(|line| is_noted(line.finding.outcome)).map(|line| line.id.as_str()).collect()
}

/// The verdict, what is noted first, and the summary of a check.
fn judged(id: &str, change: impl FnOnce(&mut Evidence)) -> (Verdict, Outcome, String) {
    let mut evidence = look();
    change(&mut evidence);
    let report = judge(&evidence, ALL);
    let line = report.checks.iter().find(|line| line.id == id).unwrap();
    (report.verdict, line.finding.outcome, line.finding.summary.clone())
}

#[test]
fn a_look_at_a_good_service_passes_what_can_be_seen_and_skips_the_rest() {
    let report = judge(&look(), ALL);
    assert_eq!(noted(&report), [""; 0]);
    for line in &report.checks {
        let can_be_observed = find(&line.id).unwrap().needs.can_be_observed();
        let expected = if can_be_observed { Outcome::Pass } else { Outcome::Skipped };
        let told = &line.finding.summary;
        assert_eq!(
            (line.finding.outcome, line.unrolled),
            (expected, !can_be_observed),
            "{}: {told}",
            line.id
        );
        assert!(can_be_observed || told.contains("observe: nothing is rolled"), "{}: {told}", line.id);
    }
    assert_eq!(report.verdict, Verdict::GoInPart, "nothing was proven");
    assert_eq!(report.purpose, Purpose::Observe);
    assert!(
        report.identity.digest.is_some() && report.identity.template_hash.is_some(),
        "what serves is told"
    );
}

#[test]
fn the_report_of_a_look_says_how_much_was_skipped() {
    let report = judge(&look(), ALL);
    let skipped = report.checks.iter().filter(|line| line.finding.outcome == Outcome::Skipped).count();
    assert!(skipped > ALL.len() / 2, "{skipped}");
    let told = format!("so that {skipped} of {} checks were skipped", ALL.len());
    assert!(report.not_tested.left_out.iter().any(|line| line.contains(&told)), "{:?}", report.not_tested);
    for format in [Format::Terminal, Format::Markdown, Format::Html, Format::Json] {
        let mut text = Vec::new();
        report.write(format, &mut text).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&text).unwrap()).to_string();
        assert!(text.contains("GO-IN-PART") && !text.contains("APPROVED"), "{format:?}");
        assert!(format == Format::Json || text.contains("OBSERVED, NOT PROVEN"), "{format:?}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&told), "{format:?}: {words}");
    }
    let again: Report = {
        let mut text = Vec::new();
        report.write(Format::Json, &mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    assert_eq!(again.purpose, Purpose::Observe);
}

#[test]
fn what_a_look_sees_going_wrong_fails() {
    let during = |evidence: &Evidence| {
        (edge(evidence, Step::Observation, Edge::Begin), edge(evidence, Step::Observation, Edge::End))
    };
    let (verdict, found, told) = judged("GL-H103", |e| {
        let window = during(e);
        seconds(e, window).for_each(|second| second.outcomes = vec![(Ended::Answered(503), second.due)]);
    });
    assert_eq!((verdict, found), (Verdict::NoGo, Outcome::Fail), "{told}");
    let (verdict, found, told) = judged("GL-H201", |e| {
        let readiness = e.header.plan.target.readiness.as_mut().unwrap();
        (readiness.period_s, readiness.failure_threshold) = (1, 2);
        probes(e, ProbeTarget::Readiness, &Ok(503));
    });
    assert_eq!((verdict, found), (Verdict::NoGo, Outcome::Fail), "{told}");
    let (verdict, found, told) = judged("GL-R202", |e| {
        objects(e, ObjectKind::EndpointSlice, |slice| {
            let endpoints = slice["endpoints"].as_array_mut();
            endpoints.into_iter().flatten().take(1).for_each(|one| one["conditions"]["ready"] = json!(false));
        });
    });
    assert_eq!((verdict, found), (Verdict::NoGo, Outcome::Fail), "{told}");
}

/// A pod leaves the Service in the middle of the look, since somebody evicts it or for no reason that shows.
fn one_leaves(evidence: &mut Evidence, evicted: bool) {
    let at = edge(evidence, Step::Observation, Edge::Begin) + 2_000;
    let last = evidence.facts.iter().rev().find_map(|fact| match fact {
        Fact::Object(o) if o.at < at && o.kind == ObjectKind::EndpointSlice => Some(o.clone()),
        _ => None,
    });
    let mut slice = last.unwrap();
    slice.at = at;
    let one = &mut slice.object["endpoints"][0];
    one["conditions"]["ready"] = json!(false);
    let pod = one["targetRef"]["name"].as_str().unwrap().to_owned();
    evidence.facts.push(Fact::Object(slice));
    evidence.facts.sort_by_key(Fact::at);
    if evicted {
        evict(evidence, &pod, at + 100);
    }
}

#[test]
fn a_pod_that_somebody_evicts_is_not_held_against_what_is_looked_at() {
    let (verdict, found, told) = judged("GL-R202", |e| one_leaves(e, false));
    assert_eq!((verdict, found), (Verdict::NoGo, Outcome::Fail), "{told}");
    let (verdict, found, told) = judged("GL-R202", |e| one_leaves(e, true));
    assert_eq!((verdict, found), (Verdict::Inconclusive, Outcome::Inconclusive), "{told}");
    let (_, found, told) = judged("GL-E107", |e| one_leaves(e, true));
    assert_eq!(found, Outcome::Inconclusive);
    assert!(told.starts_with("somebody else removed the pod ") && told.contains("Eviction"), "{told}");
}

#[test]
fn the_same_record_is_no_look_where_the_plan_was_to_prove() {
    let mut evidence = look();
    evidence.header.plan.purpose = Purpose::Prove;
    let report = judge(&evidence, ALL);
    assert_eq!(outcome(&report, "GL-R201"), Outcome::Inconclusive);
    assert_eq!(report.verdict, Verdict::Inconclusive);
}
