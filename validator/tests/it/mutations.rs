//! Each check against evidence of a good run, and against the same evidence with one thing changed.
//!
//! Both fixtures were written by `make kind-test`. A check that would let its mutation pass proves nothing; a check
//! without a mutation fails a test.

mod breaker;
mod change;
mod degraded;
mod health;
mod limits;
mod lost;
mod observed;
mod release;
mod returned;
mod run;
mod selection;
mod shutdown;
mod tracing;
mod trust;

use std::collections::BTreeSet;
use std::path::Path;

use golive_validator::check::Outcome;
use golive_validator::checks::ALL;
use golive_validator::evidence::{
    self, Class, Edge, Evidence, ExportFact, Fact, Fault, FaultFact, Histogram, Refusal, Step, TrialEnd,
    Trouble,
};
use golive_validator::judge::judge;
use golive_validator::report::{Format, Report, Verdict};

use self::change::{blind, edge, faults};

type Mutation = (&'static str, Outcome, fn(&mut Evidence));

fn fixture(name: &str) -> Evidence {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    evidence::read(&path).unwrap()
}

/// A run of a service that keeps its promises, on a machine with time for it.
fn good() -> Evidence {
    let mut evidence = fixture("good.evidence.zst");
    change::in_time(&mut evidence);
    degraded::add(&mut evidence);
    release::add_policy(&mut evidence);
    evidence
}

/// Those of all areas.
fn mutations() -> impl Iterator<Item = &'static Mutation> {
    let breaker = [breaker::BREAKER, degraded::DEGRADED];
    [tracing::TRACING, health::HEALTH, shutdown::SHUTDOWN, release::RELEASE, run::RUN]
        .into_iter()
        .chain(breaker)
        .flatten()
}

fn outcome(report: &Report, id: &str) -> Outcome {
    report.checks.iter().find(|line| line.id == id).unwrap().finding.outcome
}

/// Everything that takes the belief in an agent's record away.
fn disbeliefs() -> [Trouble; 5] {
    let (lost, unread) = (Trouble::Lost("its pod is gone".into()), Trouble::Unread("it is HTTP/2".into()));
    let incomplete = Trouble::Incomplete("more spans than are kept".into());
    [lost, Trouble::FailedOpen, Trouble::Encrypted, unread, incomplete]
}

#[test]
fn a_read_that_nobody_made_was_not_made_to_miss() {
    let (good, mut read) = (good(), good());
    faults(&mut read).filter(|f| f.fault == Fault::Miss).for_each(|f| f.hits = 7);
    let told = |evidence: &Evidence| {
        let report = judge(evidence, ALL);
        report.checks.into_iter().find(|line| line.id == "GL-E109").unwrap().finding.summary
    };
    // What is degraded is looked at by the checks that rest on it.
    let degraded = edge(&good, Step::Degraded, Edge::Begin) - 500..edge(&good, Step::Loss, Edge::Begin) - 500;
    let is_looked_at = |f: &&Fact| matches!(f, Fact::Fault(f) if !degraded.contains(&f.began));
    let all = good.facts.iter().filter(is_looked_at).count();
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
    let others = report.checks.iter().filter(|line| line.finding.outcome != Outcome::Pass);
    let others: Vec<_> = others.map(|line| format!("{}: {}", line.id, line.finding.summary)).collect();
    assert_eq!(others, [""; 0]);
    assert_eq!(report.verdict, Verdict::Go);
    assert_eq!(report.passing(), 4);
}

#[test]
fn a_run_from_before_a_step_is_judged_without_it() {
    let mut evidence = fixture("good.evidence.zst");
    let is_step = |f: &&Fact| matches!(f, Fact::Step(s) if s.step == Step::Degraded);
    let times: Vec<_> = evidence.facts.iter().filter(is_step).map(Fact::at).collect();
    let within =
        |at| times.first().is_some_and(|begin| at >= *begin) && times.last().is_some_and(|end| at <= *end);
    evidence.facts.retain(|f| !(is_step(&f) || matches!(f, Fact::Fault(f) if within(f.began))));
    let report = judge(&evidence, ALL);
    for id in ["GL-B212", "GL-B213", "GL-B214", "GL-B216", "GL-B218", "GL-B220", "GL-E112"] {
        assert_eq!(outcome(&report, id), Outcome::Skipped, "{id}");
    }
    assert_eq!(report.verdict, Verdict::Go);
}

#[test]
fn requests_that_waited_and_stand_in_no_line_of_their_own_waited_all_the_same() {
    let mut evidence = good();
    let hang = change::hang(&mut evidence);
    let due = |fact: &Fact| match fact {
        Fact::Request(r) if r.pod.as_ref() == Some(&hang.pod) && r.took_ms > 900.0 => Some(r.due),
        _ => None,
    };
    let within = |due: &i64| (hang.began..hang.ended).contains(due);
    let last = evidence.facts.iter().filter_map(due).filter(within).max().unwrap();
    let before = evidence.facts.len();
    evidence.facts.retain(|fact| due(fact).filter(within).is_none_or(|due| due <= last - 1_500));
    assert!(evidence.facts.len() < before - 5, "the last of them are gone, the seconds still count them");
    assert_eq!(outcome(&judge(&evidence, ALL), "GL-B201"), Outcome::Pass);
}

#[test]
fn a_time_that_is_known_to_its_bucket_alone_is_held_against_the_end_of_it() {
    let judged = |took_ms: f64| {
        let mut evidence = good();
        let begin = edge(&evidence, Step::Blackout, Edge::Begin) + 10_000;
        let seconds = change::seconds(&mut evidence, (begin, begin + 20_000));
        for second in seconds.filter(|second| second.class == Class::Direct) {
            second.times = Histogram::default();
            (0..second.due).for_each(|_| second.times.record(took_ms));
        }
        outcome(&judge(&evidence, ALL), "GL-B211")
    };
    assert_eq!(judged(205.0), Outcome::Pass, "250 ms are allowed: it may have been less, or up to 500 ms");
    assert_eq!(judged(700.0), Outcome::Fail);
}

#[test]
fn what_the_next_fault_does_to_connections_is_no_stampede() {
    let mut evidence = good();
    let trial = change::fault(&mut evidence, |f| change::is_trial(f, TrialEnd::Forward));
    let (began, ended) = (trial.ended + 5_000, trial.ended + 6_000);
    change::calls(&mut evidence, &trial, (began, ended), |call| call.opened = 80);
    assert_eq!(outcome(&judge(&evidence, ALL), "GL-B209"), Outcome::Fail);
    evidence.facts.push(Fact::Fault(FaultFact { fault: Fault::Stall, began, ended, ..trial }));
    assert_eq!(outcome(&judge(&evidence, ALL), "GL-B209"), Outcome::Pass);
}

#[test]
fn before_the_roll_out_nothing_fails_for_want_of_it() {
    let mut evidence = good();
    evidence.facts.retain(|f| !matches!(f, Fact::Step(s) if matches!(s.step, Step::RollOut | Step::Tail)));
    let report = judge(&evidence, ALL);
    let failed = report.checks.iter().find(|line| line.is_gating_failure());
    assert_eq!(failed.map(|line| (&line.id, &line.finding.summary)), None);
    assert_eq!(report.verdict, Verdict::Inconclusive);
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
fn spans_that_the_collector_refused_are_told_with_its_answer() {
    let mut evidence = good();
    let at = edge(&evidence, Step::Quiet, Edge::Begin);
    evidence.facts.retain(|fact| !matches!(fact, Fact::Trace(_)));
    let refused = |request: &str, refusal, exports| {
        let (dependency, pod, request) = ("traces".to_owned(), "users-1".to_owned(), request.to_owned());
        Fact::Export(ExportFact { at, dependency, pod, request, refusal, exports, spans: 0 })
    };
    evidence.facts.push(refused("POST /v1/traces", Refusal::Status(429), 1));
    evidence.facts.extend((0..3).map(|_| refused("POST /v1/tracesX", Refusal::Status(404), 2)));
    let report = judge(&evidence, ALL);
    let told = &report.checks.iter().find(|line| line.id == "GL-T201").unwrap().finding;
    assert_eq!(told.outcome, Outcome::Fail);
    assert!(told.summary.ends_with("POST /v1/tracesX answered 404 (6 exports)"), "{}", told.summary);
}

#[test]
fn the_bare_build_fails_for_its_own_reasons() {
    let report = judge(&fixture("bare.evidence.zst"), ALL);
    assert_eq!(report.verdict, Verdict::NoGo);
    assert_eq!(report.passing(), 0);
    for id in ["GL-T201", "GL-H001", "GL-H002", "GL-S201", "GL-S202", "GL-B201", "GL-B206"] {
        assert_eq!(outcome(&report, id), Outcome::Fail, "{id}");
    }
}

#[test]
fn one_changed_thing_in_good_evidence_is_found_by_the_check_meant_for_it() {
    let good = good();
    let before = judge(&good, ALL);
    let mut wrong = Vec::new();
    for (number, (id, expected, mutate)) in mutations().enumerate() {
        if outcome(&before, id) != Outcome::Pass {
            wrong.push(format!("{id} must pass before the mutation"));
            continue;
        }
        let mut mutated = good.clone();
        mutate(&mut mutated);
        let report = judge(&mutated, ALL);
        let found = outcome(&report, id);
        if found != *expected {
            let told = &report.checks.iter().find(|line| line.id == *id).unwrap().finding.summary;
            wrong.push(format!("{id}, mutation {number}: {found} instead of {expected}: {told}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_measured_check_has_a_mutation() {
    let mutated: BTreeSet<&str> = mutations().map(|(id, _, _)| *id).collect();
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

#[test]
fn what_is_called_and_not_declared_keeps_a_warning_and_stands_in_the_report() {
    let mut evidence = good();
    let span = evidence.facts.iter_mut().find_map(|f| match f {
        Fact::Trace(trace) => trace.spans.iter_mut().find(|span| span.db_system.is_some()),
        _ => None,
    });
    let span = span.unwrap();
    let mut other = span.clone();
    (other.id, other.server) = ("00000000000000ff".into(), Some("ledger-db".into()));
    let trace = evidence.facts.iter_mut().find_map(|f| if let Fact::Trace(t) = f { Some(t) } else { None });
    trace.unwrap().spans.push(other);
    let report = judge(&evidence, ALL);
    assert_eq!(report.verdict, Verdict::GoWithWarnings);
    for format in [Format::Terminal, Format::Json] {
        let mut text = Vec::new();
        report.write(format, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("postgresql at ledger-db"), "{text}");
    }
    let mut text = Vec::new();
    report.write(Format::Terminal, &mut text).unwrap();
    let text = anstream::adapter::strip_str(std::str::from_utf8(&text).unwrap()).to_string();
    let lines: Vec<&str> = text.lines().collect();
    let line = lines.iter().position(|line| line.contains("NOT TESTED")).unwrap();
    assert!(lines[..line].iter().any(|line| line.contains(" run ")), "it comes after the line of the run");
}

#[test]
fn further_trials_that_fit_processes_are_told_so() {
    let mut evidence = good();
    faults(&mut evidence).for_each(|f| f.others = 3 * u64::from(matches!(f.fault, Fault::Trial { .. })));
    let report = judge(&evidence, ALL);
    let line = report.checks.iter().find(|line| line.id == "GL-B202").unwrap();
    assert!(line.finding.details.iter().any(|text| text.contains("perProcess: 4")), "{:?}", line.finding);
}
