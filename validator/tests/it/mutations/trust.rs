//! What the gate itself did is never held against the target, and hides nothing that happened at another time.

use std::collections::{BTreeMap, BTreeSet};

use golive_validator::check::{Case, Check, Outcome};
use golive_validator::checks::{ALL, find};
use golive_validator::evidence::{
    self, Class, Edge, Evidence, Fact, Fault, Gap, Heartbeat, Histogram, MiddleTrouble, Millis, ObjectKind,
    RequestFact, SecondFact, Step, TrialEnd, Trouble, Who,
};
use golive_validator::judge::judge;
use golive_validator::plan::PreStop;
use golive_validator::report::{Report, Verdict};
use golive_validator::timeline::Kind;
use serde_json::json;

use super::change::{
    calls, closed_without_a_word, direct_request, edge, evict, fault, faults, is_trial, lost_while_leaving,
    ready_until_closed, restarted, seconds, terminated,
};
use super::{fixture, good, mutations, outcome};

/// A second in which an agent that is none of the fixture's had ten requests to send and sent none in time.
fn late_second(at: Millis) -> SecondFact {
    SecondFact {
        at,
        agent: "another".into(),
        node: "one".into(),
        class: Class::New,
        due: 10,
        on_time: 0,
        template: 0,
        outcomes: Vec::new(),
        open: 0,
        times: Histogram::default(),
        pod: None,
        without_retry_after: 0,
    }
}

/// A process stood still for a time, and its clock was set meanwhile.
fn beat(who: Who, (from, to): (Millis, Millis), stepped: Millis) -> Fact {
    let elapsed_ms = (to - from).max(3_000);
    Fact::Heartbeat(Heartbeat { at: to, since: to - elapsed_ms - stepped, elapsed_ms, who })
}

/// Facts of a disturbance of this kind that covers a case.
fn disturb(evidence: &mut Evidence, kind: Kind, case: &Case) {
    let (at, during) = (case.from, (case.from, case.to));
    let dependency = case.dependency.clone().unwrap_or_else(|| "postgres".into());
    let trouble = |trouble| {
        let at = at.clamp(0, Millis::MAX);
        Fact::Trouble(MiddleTrouble { at, dependency: dependency.clone(), trouble })
    };
    let fact = match kind {
        Kind::Watch => {
            Fact::Gap(Gap { at: case.to, since: at, kind: ObjectKind::Pod, reason: "410 Gone".into() })
        }
        Kind::Load => {
            let late = (at..=case.to).step_by(1_000).take(600).map(|at| Fact::Second(late_second(at)));
            return evidence.facts.extend(late);
        }
        Kind::Prober => beat(Who::Load("another".into()), during, 0),
        Kind::Agent => trouble(Trouble::Lost("its pod is gone".into())),
        Kind::Record => trouble(Trouble::Incomplete("more spans than are kept".into())),
        Kind::Content => trouble(Trouble::Encrypted),
        Kind::Validator => beat(Who::Validator, during, 0),
        Kind::Clock => beat(Who::Validator, during, 60_000),
        Kind::Target => return (at..=case.to).step_by(60_000).for_each(|at| scale(evidence, at - 1)),
        Kind::Dependency => {
            let sick = |at| MiddleTrouble {
                at,
                dependency: dependency.clone(),
                trouble: Trouble::Unreached("refused".into()),
            };
            let troubles = (at..=case.to).step_by(1_000).take(600).map(|at| Fact::Trouble(sick(at)));
            return evidence.facts.extend(troubles.collect::<Vec<_>>());
        }
    };
    evidence.facts.push(fact);
}

/// Somebody scales the target at a moment, and back: by one pod, which excuses no more than its surge.
fn scale(evidence: &mut Evidence, at: Millis) {
    let deployment = |fact: &&Fact| matches!(fact, Fact::Object(o) if o.kind == ObjectKind::Deployment);
    let before = evidence.facts.iter().filter(deployment).rfind(|fact| fact.at() <= at);
    let Some(Fact::Object(found)) = before.or(evidence.facts.iter().find(deployment)).cloned() else {
        unreachable!("the fixture has a deployment")
    };
    let mut scaled = found.clone();
    scaled.at = at;
    scaled.object["spec"]["replicas"] = json!(4);
    let again = evidence::ObjectFact { at: at + 1, ..found };
    evidence.facts.extend([Fact::Object(scaled), Fact::Object(again)]);
}

fn sorted(evidence: Evidence) -> Evidence {
    Evidence::new(evidence.header, evidence.facts)
}

fn cases(report: &Report, id: &str) -> Vec<Case> {
    report.checks.iter().find(|line| line.id == id).unwrap().finding.cases.clone()
}

#[test]
fn a_mutation_that_a_disturbance_covers_is_never_a_failure() {
    let good = good();
    let mut tried = BTreeSet::new();
    for (id, _, mutate) in mutations().filter(|(_, expected, _)| *expected == Outcome::Fail) {
        let check: &Check = find(id).unwrap();
        let mut mutated = good.clone();
        mutate(&mut mutated);
        let undisturbed = judge(&mutated, &[check]);
        assert_eq!(outcome(&undisturbed, id), Outcome::Fail, "{id}");
        let cases = cases(&undisturbed, id);
        assert_eq!(cases.is_empty(), check.rests_on.is_empty(), "{id}: what rests on time names its cases");
        // Each kind once per check, and at least one for each further mutation of the same one.
        let untried = check.rests_on.iter().filter(|kind| !tried.contains(&(*id, format!("{kind:?}"))));
        let untried: Vec<Kind> = untried.copied().collect();
        let kinds = if untried.is_empty() { check.rests_on.get(..1).unwrap_or_default() } else { &untried };
        for kind in kinds {
            let mut disturbed = mutated.clone();
            for case in &cases {
                disturb(&mut disturbed, *kind, case);
            }
            let report = judge(&sorted(disturbed), &[check]);
            assert_ne!(outcome(&report, id), Outcome::Fail, "{id} with {kind:?}");
            assert_ne!(outcome(&report, id), Outcome::Pass, "{id} with {kind:?}");
            tried.insert((*id, format!("{kind:?}")));
        }
    }
    assert!(tried.len() > 100, "only {} were tried", tried.len());
}

#[test]
fn a_mutation_fails_as_before_when_the_disturbance_is_elsewhere() {
    let good = good();
    let before = good.header.started - 600_000;
    for (id, _, mutate) in mutations().filter(|(_, expected, _)| *expected == Outcome::Fail) {
        let mut mutated = good.clone();
        mutate(&mut mutated);
        mutated.facts.extend([Fact::Second(late_second(before)), beat(Who::Validator, (before, before), 0)]);
        mutated.facts.push(beat(Who::Load("another".into()), (before, before), 0));
        assert_eq!(outcome(&judge(&sorted(mutated), &[find(id).unwrap()]), id), Outcome::Fail, "{id}");
    }
}

/// Two requests get 503 after 3.1 s in one second of the roll in which both agents are late; the case that started it.
fn two_lost_in_a_late_second(evidence: &mut Evidence) -> Millis {
    let at = edge(evidence, Step::RollIn, Edge::Begin) + 5_000;
    let of = |second: &&mut SecondFact| second.class == Class::Busy;
    let second = seconds(evidence, (at, at + 2_500)).find(of).map(|second| {
        lose(second, 2);
        second.clone()
    });
    let second = second.expect("there is load in the roll");
    let mut agents = 0;
    for late in seconds(evidence, (second.at - 300, second.at + 1_300)) {
        late.on_time /= 2;
        agents += 1;
    }
    assert!(agents > 1);
    for due in [second.at + 300, second.at + 600] {
        evidence.facts.push(Fact::Request(lost(&second, due)));
    }
    second.at
}

fn lose(second: &mut SecondFact, count: u32) {
    second.outcomes.push((evidence::Outcome::Answered(503), count));
}

fn lost(second: &SecondFact, due: Millis) -> RequestFact {
    RequestFact {
        due,
        sent: due + 400,
        took_ms: 3_100.0,
        agent: second.agent.clone(),
        node: second.node.clone(),
        class: second.class,
        template: second.template,
        request: "GET /api/users/1".into(),
        outcome: evidence::Outcome::Answered(503),
        error: None,
        trace_id: None,
        parent_id: None,
        pod: None,
    }
}

#[test]
fn two_requests_lost_in_a_second_in_which_the_agents_were_late_are_no_verdict() {
    let mut evidence = good();
    two_lost_in_a_late_second(&mut evidence);
    let report = judge(&sorted(evidence), ALL);
    assert_eq!(outcome(&report, "GL-S201"), Outcome::Inconclusive);
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let told = &report.checks.iter().find(|line| line.id == "GL-S201").unwrap().finding;
    assert!(told.summary.starts_with("2 of ") && told.summary.contains("left late"), "{}", told.summary);
    let rate = report.checks.iter().find(|line| line.id == "GL-E101").unwrap();
    assert_eq!(rate.finding.outcome, Outcome::Pass, "{}", rate.finding.summary);
    assert!(rate.finding.details.iter().any(|line| line.contains("was late in second")));
}

#[test]
fn a_late_second_hides_nothing_that_was_lost_at_another_time() {
    let mut evidence = good();
    let at = two_lost_in_a_late_second(&mut evidence);
    let other = seconds(&mut evidence, (at + 5_000, Millis::MAX)).find(|second| second.class == Class::Busy);
    lose(other.unwrap(), 50);
    let report = judge(&sorted(evidence), ALL);
    assert_eq!(report.verdict, Verdict::NoGo);
    let told = &report.checks.iter().find(|line| line.id == "GL-S201").unwrap().finding;
    assert!(told.summary.starts_with("50 of "), "{}", told.summary);
    assert_eq!((told.cases.len(), told.struck.len()), (1, 1));
}

#[test]
fn a_few_late_seconds_do_no_harm_to_a_good_run() {
    let mut evidence = good();
    let from = edge(&evidence, Step::RollIn, Edge::Begin);
    for late in seconds(&mut evidence, (from + 3_000, from + 6_000)) {
        late.on_time /= 2;
    }
    assert_eq!(judge(&evidence, ALL).verdict, Verdict::Go);
}

/// Seconds of a roll in which one agent sent less than 95 % in time, and others, as a run on a machine without a free core
/// recorded them: each the first row of its agent.
fn late_and_timely(evidence: &mut Evidence) -> (SecondFact, SecondFact) {
    let (begin, end) = (edge(evidence, Step::RollIn, Edge::Begin), edge(evidence, Step::RollIn, Edge::End));
    let mut sums = BTreeMap::new();
    let all: Vec<SecondFact> = seconds(evidence, (begin + 5_000, end)).map(|second| second.clone()).collect();
    for second in &all {
        let (due, on_time) = sums.entry((second.at, &second.agent)).or_insert((0, 0));
        (*due, *on_time) = (*due + second.due, *on_time + second.on_time);
    }
    let is_late = |second: &&SecondFact| {
        let (due, on_time) = sums[&(second.at, &second.agent)];
        f64::from(on_time) < 0.95 * f64::from(due)
    };
    let late = all.iter().find(is_late).expect("the machine was busy");
    let timely = all.iter().find(|second| (second.at - late.at).abs() > 5_000 && !is_late(second));
    (late.clone(), timely.unwrap().clone())
}

#[test]
fn on_a_machine_without_a_free_core_a_loss_counts_by_the_second_it_falls_into() {
    let noise = fixture("noise.evidence.zst");
    assert_eq!(judge(&noise, ALL).verdict, Verdict::Go);
    let judged = |at: &SecondFact| {
        let mut evidence = noise.clone();
        let mine = |second: &&mut SecondFact| second.agent == at.agent && second.class == at.class;
        lose(seconds(&mut evidence, (at.at, at.at + 1_000)).find(mine).unwrap(), 1);
        outcome(&judge(&evidence, ALL), "GL-S201")
    };
    let (late, timely) = late_and_timely(&mut noise.clone());
    assert_eq!(judged(&late), Outcome::Inconclusive);
    assert_eq!(judged(&timely), Outcome::Fail);
}

#[test]
fn noise_is_no_comfort_to_a_bare_build() {
    for every in [2, 3, 10] {
        let mut evidence = fixture("bare.evidence.zst");
        for late in seconds(&mut evidence, (0, Millis::MAX)).filter(|second| second.at / 1_000 % every == 0) {
            late.on_time /= 2;
        }
        let verdict = judge(&evidence, ALL).verdict;
        assert!(!verdict.is_go(), "{verdict} with every {every}th second late");
    }
}

#[test]
fn noise_through_a_whole_good_run_is_no_verdict() {
    let mut evidence = good();
    for late in seconds(&mut evidence, (0, Millis::MAX)).filter(|second| second.at / 1_000 % 3 == 0) {
        late.on_time /= 2;
    }
    assert_eq!(judge(&evidence, ALL).verdict, Verdict::Inconclusive);
}

/// Every second from the begin of the roll in on is one in which an agent sends late.
fn late_throughout(evidence: &mut Evidence) {
    let from = edge(evidence, Step::RollIn, Edge::Begin) - 1_000;
    let to = edge(evidence, Step::Tail, Edge::End);
    evidence.facts.extend((from..to).step_by(1_000).map(|at| Fact::Second(late_second(at))));
}

#[test]
fn losses_of_a_disturbed_run_convict_no_end_of_a_pod() {
    let judged = |check: &str, mutate: &dyn Fn(&mut Evidence), disturb: bool| {
        let mut evidence = good();
        mutate(&mut evidence);
        if disturb {
            late_throughout(&mut evidence);
        }
        // As if the check itself rested on nothing: what the losses say is asked, not what is struck of its own.
        let check = Check { rests_on: &[], ..copy(find(check).unwrap()) };
        outcome(&judge(&sorted(evidence), &[&check]), check.id)
    };
    let by_signal = |e: &mut Evidence| {
        terminated(e, |state| state["exitCode"] = json!(143));
        lost_while_leaving(e, Class::New);
    };
    assert_eq!(judged("GL-S202", &by_signal, false), Outcome::Fail);
    assert_eq!(judged("GL-S202", &by_signal, true), Outcome::Inconclusive);
    let silent = |e: &mut Evidence| {
        closed_without_a_word(e);
        lost_while_leaving(e, Class::Idle);
    };
    assert_eq!(judged("GL-S203", &silent, false), Outcome::Fail);
    assert_eq!(judged("GL-S203", &silent, true), Outcome::Warn);
    let ready = |e: &mut Evidence| {
        ready_until_closed(e);
        e.header.plan.policy.spec.limits.max_ready_after_deletion_s = 0.0;
        lost_while_leaving(e, Class::New);
    };
    assert_eq!(judged("GL-H203", &ready, false), Outcome::Fail);
    assert_eq!(judged("GL-H203", &ready, true), Outcome::Warn);
}

fn copy(check: &Check) -> Check {
    let Check { id, slug, area, severity, why, how, remedy, rests_on, needs, judge } = *check;
    Check { id, slug, area, severity, why, how, remedy, rests_on, needs, judge }
}

#[test]
fn a_trial_that_a_pod_does_not_send_since_somebody_evicted_it_is_not_held_against_the_target() {
    let mut evidence = good();
    let trial = fault(&mut evidence, |f| is_trial(f, TrialEnd::Forward));
    calls(&mut evidence, &trial, (trial.began, trial.ended), |call| call.calls = Default::default());
    for one in faults(&mut evidence).filter(|f| f.pod == trial.pod && f.began == trial.began) {
        (one.first_hit, one.ended) = (None, one.ended + 60_000);
        one.held.clear();
    }
    let judged = |evidence: &Evidence| {
        let report = judge(evidence, ALL);
        ["GL-B202", "GL-B203", "GL-E107"].map(|id| outcome(&report, id))
    };
    assert_eq!(judged(&evidence), [Outcome::Fail, Outcome::Fail, Outcome::Pass]);
    evict(&mut evidence, &trial.pod, trial.began + 1_000);
    assert_eq!(judged(&evidence), [Outcome::Inconclusive; 3]);
}

#[test]
fn what_made_the_kubelet_act_lies_before_the_act_and_strikes_it() {
    let mut evidence = good();
    restarted(&mut evidence);
    let check = find("GL-H102").unwrap();
    let case = cases(&judge(&evidence, &[check]), check.id).remove(0);
    let probe = evidence.plan().target.liveness.clone().unwrap();
    assert!(case.to - case.from > Millis::from(probe.gives_up_after_s()) * 1_000 + 5_000, "and time to end");
    // It stood still while the probes failed, and no more once the container was started again.
    let half = (case.to - case.from) / 2;
    evidence.facts.push(beat(Who::Validator, (case.from, case.from + half), 0));
    let report = judge(&sorted(evidence), &[check]);
    assert_eq!(outcome(&report, check.id), Outcome::Inconclusive);
}

#[test]
fn a_drain_is_counted_from_sigterm() {
    let judged = |hook| {
        let mut evidence = good();
        evidence.header.plan.target.pre_stop = hook;
        let report = judge(&evidence, &[find("GL-S205").unwrap()]);
        report.checks[0].finding.measured.clone().unwrap()
    };
    let seconds = |told: String| told.rsplit(' ').nth(1).unwrap().parse::<f64>().unwrap();
    let (plain, after) = (seconds(judged(PreStop::None)), seconds(judged(PreStop::Sleep(2))));
    assert!((plain - after - 2.0).abs() < 0.11, "{plain} {after}");
}

#[test]
fn a_slow_service_may_vary_by_a_tenth_of_itself() {
    let mut evidence = good();
    let quiet = (edge(&evidence, Step::Quiet, Edge::Begin), edge(&evidence, Step::Quiet, Edge::End));
    let baseline = (edge(&evidence, Step::Baseline, Edge::Begin), edge(&evidence, Step::Baseline, Edge::End));
    for (window, ms) in [(baseline, 200.0), (quiet, 210.0)] {
        seconds(&mut evidence, window).for_each(|s| {
            s.times = Histogram::default();
            (0..s.due).for_each(|_| s.times.record(ms));
        });
    }
    let report = judge(&evidence, &[find("GL-E110").unwrap()]);
    assert_eq!(outcome(&report, "GL-E110"), Outcome::Pass, "{:?}", report.checks[0].finding.measured);
}

#[test]
fn an_answer_in_a_late_second_is_not_held_against_a_pod_without_its_database() {
    let mut evidence = good();
    let begin = edge(&evidence, Step::Blackout, Edge::Begin) + 10_000;
    let refused = fault(&mut evidence, |f| f.fault == Fault::Refuse && (f.began..f.ended).contains(&begin));
    let mut slow = direct_request(&evidence, &refused);
    (slow.due, slow.sent, slow.took_ms) = (begin, begin, 1_200.0);
    evidence.facts.push(Fact::Request(slow));
    let check = find("GL-B211").unwrap();
    assert_eq!(outcome(&judge(&evidence, &[check]), "GL-B211"), Outcome::Fail);
    evidence.facts.push(Fact::Second(late_second(begin)));
    assert_ne!(outcome(&judge(&evidence, &[check]), "GL-B211"), Outcome::Fail);
}
