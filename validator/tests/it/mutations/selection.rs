//! A run of which parts were not selected: what they would have shown is not there, and nothing is held against the target.

use std::collections::BTreeSet;

use golive_validator::check::Outcome;
use golive_validator::checks::{ALL, find};
use golive_validator::evidence::{Edge, Evidence, Fact, Failure, Fault, FaultFact, Millis, Step};
use golive_validator::judge::judge;
use golive_validator::plan::Part;
use golive_validator::report::{Report, Verdict};

use super::change::{edge, never_opens};
use super::{good, outcome};

const BREAKS: [Part; 6] = [
    Part::FailingCalls,
    Part::SlowCalls,
    Part::HangUps,
    Part::FailOver,
    Part::ConnectionLimit,
    Part::ReadOnlyCache,
];

/// What every pod met shows in these as well, and without its steps nothing explains it.
const LEFT_BEHIND: [&str; 5] = ["GL-T201", "GL-T202", "GL-H101", "GL-H102", "GL-H201"];

/// The part that a fault of one pod was made for, in a run that began to degrade dependencies at this time. Two parts make
/// calls slow.
fn part_of(fact: &FaultFact, degraded: Millis) -> Option<Part> {
    match &fact.fault {
        Fault::Stall if fact.began < degraded => Some(Part::Hiccups),
        Fault::Hang if fact.began >= degraded => Some(Part::HangUps),
        Fault::Fail { with: Failure::FailOver, .. } => Some(Part::FailOver),
        Fault::Fail { with: Failure::Startup(_), .. } => Some(Part::ConnectionLimit),
        Fault::Fail { with: Failure::ReadOnly, .. } => Some(Part::ReadOnlyCache),
        Fault::Fail { .. } => Some(Part::FailingCalls),
        _ => None,
    }
}

/// Whether a step is there when these parts are done.
fn is_done(step: Step, parts: &BTreeSet<Part>) -> bool {
    match step {
        Step::Hang => parts.contains(&Part::Hang),
        Step::Trials => parts.contains(&Part::Hang) || parts.contains(&Part::Collector),
        Step::Degraded => BREAKS.iter().any(|part| parts.contains(part)),
        Step::Loss | Step::Blackout | Step::Partial | Step::Recovery => parts.contains(&Part::Loss),
        _ => true,
    }
}

/// What every pod met leaves too much behind to be taken out: of those parts the steps alone are missing.
fn selected(mut evidence: Evidence, parts: BTreeSet<Part>) -> Evidence {
    let degraded = edge(&evidence, Step::Degraded, Edge::Begin);
    evidence.facts.retain(|fact| match fact {
        Fact::Fault(fault) => part_of(fault, degraded).is_none_or(|part| parts.contains(&part)),
        Fact::Step(step) => is_done(step.step, &parts),
        _ => true,
    });
    evidence.header.plan.parts = parts;
    evidence
}

fn told(report: &Report) -> Vec<String> {
    let noted = |outcome| !matches!(outcome, Outcome::Pass | Outcome::Skipped);
    let lines = report.checks.iter().filter(|line| noted(line.finding.outcome));
    lines.map(|line| format!("{} {}: {}", line.id, line.finding.outcome, line.finding.summary)).collect()
}

#[test]
fn without_a_part_no_check_fails_or_stays_open_and_the_verdict_is_no_plain_go() {
    let mut sets: Vec<BTreeSet<Part>> = vec![BTreeSet::new(), Part::QUICK.into()];
    for part in Part::ALL {
        sets.push(Part::ALL.into_iter().filter(|one| *one != part && one.follows() != Some(part)).collect());
        sets.push(part.follows().into_iter().chain([part]).collect());
    }
    for parts in sets {
        let report = judge(&selected(good(), parts.clone()), ALL);
        let mut told = told(&report);
        told.retain(|line| !LEFT_BEHIND.iter().any(|id| line.starts_with(id)));
        assert_eq!(told, [""; 0], "{parts:?}");
        if parts.is_superset(&Part::QUICK.into()) {
            assert_eq!(report.verdict, Verdict::GoInPart, "{parts:?}");
        }
        assert!(report.not_tested.left_out[0].starts_with("not selected: "), "{parts:?}");
    }
}

#[test]
fn what_fails_without_the_parts_that_are_missing_is_a_failure_all_the_same() {
    let mut evidence = selected(good(), [Part::Hang].into());
    never_opens(&mut evidence);
    let report = judge(&evidence, ALL);
    assert_eq!(report.verdict, Verdict::NoGo);
    let line = |id: &str| report.checks.iter().find(|line| line.id == id).unwrap();
    assert_eq!(line("GL-B201").finding.outcome, Outcome::Fail);
    assert_eq!(line("GL-H204").finding.summary, "not selected: it needs loss");
    assert_eq!(line("GL-H204").unselected, [Part::Loss]);
}

#[test]
fn a_pillar_of_which_a_part_is_missing_is_not_counted_as_passing() {
    let report = judge(&selected(good(), Part::QUICK.into()), ALL);
    let breaker = report.areas.iter().find(|line| line.area.name() == "breaker").unwrap();
    assert_eq!(breaker.outcome, Outcome::Skipped);
    assert!(breaker.reason.contains("checks were not selected"), "{}", breaker.reason);
    let mut text = Vec::new();
    report.print(golive_validator::report::Depth::Usual, &mut text).unwrap();
    let text = anstream::adapter::strip_str(std::str::from_utf8(&text).unwrap()).to_string();
    assert!(text.contains("STATUS: APPROVED IN PART (GO-IN-PART)"), "{text}");
    assert!(text.contains("[-] IN PART") && text.contains("VERDICT: GO-IN-PART ("), "{text}");
}

#[test]
fn a_part_that_nothing_is_declared_for_leaves_nothing_open() {
    let mut evidence = good();
    evidence.header.plan.dependencies.retain(|dependency| dependency.name == "traces");
    evidence.header.plan.parts = Part::QUICK.into();
    evidence.facts.retain(|fact| !matches!(fact, Fact::Fault(_)));
    let effect = find("GL-E109").unwrap();
    assert_eq!(outcome(&judge(&evidence, &[effect]), "GL-E109"), Outcome::Skipped);
}
