//! The limits of a policy: each of them decides a check.

use golive_validator::checks::find;
use golive_validator::config::Limits;
use golive_validator::evidence::{Class, Edge, Evidence, Fact, Histogram, ObjectKind, Step};
use golive_validator::judge::judge;
use serde_json::{from_value, json, to_value};

use super::change::{edge, fault, seconds, silence};
use super::{degraded, good, mutations, outcome};

/// Each limit, and a check that is judged otherwise at one of its extremes.
const DECIDES: [(&str, &str); 26] = [
    ("kubeletMarginS", "GL-S001"),
    ("maxAgentLatencyMs", "GL-E110"),
    ("maxBeyondDeadlineS", "GL-B206"),
    ("maxBlindWindowS", "GL-S201"),
    ("maxClockUncertaintyMs", "GL-E103"),
    ("maxEndpointBackMarginS", "GL-H205"),
    ("maxEndpointOutMarginS", "GL-H204"),
    ("maxFallbackP99Ms", "GL-B205"),
    ("maxFaultEffectS", "GL-E109"),
    ("maxHiccupS", "GL-B208"),
    ("maxLostP99Ms", "GL-B211"),
    ("maxPoolBackS", "GL-B218"),
    ("maxReadinessReactionS", "GL-H204"),
    ("maxReadyAfterDeletionS", "GL-H203"),
    ("maxReconnectsPerS", "GL-B211"),
    ("maxRecoveryMarginS", "GL-B219"),
    ("maxSlowerFactor", "GL-T206"),
    ("maxSlowerMs", "GL-T206"),
    ("maxStampedeFactor", "GL-B209"),
    ("minBaselineShare", "GL-H103"),
    ("minOnTimeShare", "GL-E101"),
    ("minStampedeConnections", "GL-B209"),
    ("openingEarlyS", "GL-B201"),
    ("openingLateS", "GL-B201"),
    ("trialEarlyS", "GL-B202"),
    ("trialLateS", "GL-B203"),
];

/// Limits that no run shows once it is judged.
const ELSEWHERE: [&str; 2] = [
    // Load agents count by it while they shoot: `a_request_is_late_when_it_leaves_later_than_the_plan_allows`.
    "lateAfterMs",
    // It stands in for ends that nobody saw, as in manifests: `lint_judges_by_the_limits_of_the_policy`.
    "shutdownBudgetS",
];

/// A check, and how evidence is changed for it.
type Change = (&'static str, fn(&mut Evidence));

/// What the mutations of a check do not have: something that comes late, and nothing else.
const LATE: &[Change] = &[
    ("GL-B211", |e| {
        let begin = edge(e, Step::Blackout, Edge::Begin) + 10_000;
        let direct = seconds(e, (begin, begin + 20_000)).filter(|second| second.class == Class::Direct);
        direct.for_each(|second| {
            second.times = Histogram::default();
            (0..second.due).for_each(|_| second.times.record(700.0));
        });
    }),
    ("GL-B219", |e| {
        // A pod that loses nothing soon after.
        let limit = fault(e, degraded::limits);
        e.facts.retain(|f| !matches!(f, Fact::Step(s) if s.step == Step::Loss));
        e.facts.retain(|f| !matches!(f, Fact::Fault(f) if f.pod == limit.pod && f.began > limit.ended));
        silence(e, &limit, (limit.ended, limit.ended + 45_000));
    }),
    ("GL-H204", |e| endpoints_late(e, Step::Loss)),
    ("GL-H205", |e| endpoints_late(e, Step::Recovery)),
];

/// From a step on, endpoints change a minute after they had to.
fn endpoints_late(evidence: &mut Evidence, step: Step) {
    let begin = edge(evidence, step, Edge::Begin);
    for fact in &mut evidence.facts {
        if let Fact::Object(object) = fact
            && object.kind == ObjectKind::EndpointSlice
            && object.at > begin
        {
            object.at += 60_000;
        }
    }
    *evidence = Evidence::new(evidence.header.clone(), std::mem::take(&mut evidence.facts));
}

/// The built-in limits, but for one.
fn limits(limit: &str, figure: u32) -> Limits {
    let mut all = to_value(Limits::default()).unwrap();
    all[limit] = json!(figure);
    from_value(all).unwrap()
}

/// Whether a check is judged otherwise at one of the extremes of a limit.
fn turns(evidence: &mut Evidence, limit: &str, id: &str) -> bool {
    let check = [find(id).unwrap()];
    let extremes = if limit.ends_with("Share") { [0, 1] } else { [0, 1_000_000_000] };
    evidence.header.plan.policy.spec.limits = Limits::default();
    let usual = outcome(&judge(evidence, &check), id);
    extremes.into_iter().any(|figure| {
        evidence.header.plan.policy.spec.limits = limits(limit, figure);
        outcome(&judge(evidence, &check), id) != usual
    })
}

/// The same of good evidence, or of evidence in which one thing is wrong that the check is meant for.
fn decides(good: &Evidence, limit: &str, id: &str) -> bool {
    let unchanged: fn(&mut Evidence) = |_| {};
    let late = LATE.iter().filter(|(of, _)| *of == id).map(|(_, change)| *change);
    let wrong = mutations().filter(|(of, _, _)| *of == id).map(|(_, _, change)| *change);
    [unchanged].into_iter().chain(late).chain(wrong).any(|change| {
        let mut evidence = good.clone();
        change(&mut evidence);
        turns(&mut evidence, limit, id)
    })
}

#[test]
fn each_limit_of_a_policy_decides_a_check() {
    let good = good();
    let idle = DECIDES.iter().filter(|(limit, id)| !decides(&good, limit, id));
    let idle: Vec<&str> = idle.map(|(limit, _)| *limit).collect();
    assert_eq!(idle, [""; 0]);
}

#[test]
fn no_limit_is_without_a_test() {
    let mut all: Vec<String> = Limits::default().figures().into_iter().map(|(name, _)| name).collect();
    let mut known: Vec<&str> = DECIDES.iter().map(|(limit, _)| *limit).chain(ELSEWHERE).collect();
    all.sort_unstable();
    known.sort_unstable();
    assert_eq!(all, known);
}
