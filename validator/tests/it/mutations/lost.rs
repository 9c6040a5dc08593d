//! What is asked of readiness when dependencies are lost: of which, and of which not.

use golive_validator::check::Outcome;
use golive_validator::checks::ALL;
use golive_validator::config::{Need, Protocol};
use golive_validator::evidence::{Edge, Evidence, Fact, Step};
use golive_validator::judge::judge;
use golive_validator::report::Report;

use super::change::edge;
use super::{good, outcome};

/// The cache is nothing that anybody reads, and readiness is declared so.
fn over_tcp(readiness: Need) -> Evidence {
    let mut evidence = good();
    let dependencies = evidence.header.plan.dependencies.iter_mut();
    for redis in dependencies.filter(|dependency| dependency.name == "redis") {
        (redis.protocol, redis.readiness, redis.breaker) = (Protocol::Tcp, readiness, None);
    }
    evidence
}

fn told(report: &Report, id: &str) -> Vec<String> {
    report.checks.iter().find(|line| line.id == id).unwrap().finding.details.clone()
}

#[test]
fn of_a_dependency_over_tcp_readiness_is_asked_what_the_file_says_and_nothing_else() {
    for (readiness, expected) in
        [(Need::Required, Outcome::Pass), (Need::Optional, Outcome::Fail), (Need::None, Outcome::Pass)]
    {
        let report = judge(&over_tcp(readiness), ALL);
        assert_eq!(outcome(&report, "GL-H204"), expected, "{readiness:?}");
        let unasked =
            report.not_tested.left_out.iter().any(|line| line.contains("no `readiness` is declared"));
        assert_eq!(unasked, readiness == Need::None, "{:?}", report.not_tested.left_out);
    }
}

#[test]
fn what_is_reached_past_its_agent_was_not_broken_and_is_not_judged() {
    let mut evidence = good();
    evidence.facts.retain(|fact| !matches!(fact, Fact::Call(call) if call.dependency == "redis"));
    let report = judge(&evidence, ALL);
    for id in ["GL-E108", "GL-H204", "GL-H205", "GL-H206"] {
        assert_eq!(outcome(&report, id), Outcome::Inconclusive, "{id}");
    }
}

#[test]
fn a_store_that_was_never_lost_alone_is_named() {
    let named = |evidence: &Evidence| told(&judge(evidence, ALL), "GL-H204").join("\n");
    let mut evidence = good();
    assert!(!named(&evidence).contains("only together"));
    let end = edge(&evidence, Step::Loss, Edge::End);
    let begin = edge(&evidence, Step::Loss, Edge::Begin) - 500;
    let alone = |fact: &Fact| matches!(fact, Fact::Fault(f) if f.dependency == "redis" && (begin..end).contains(&f.began));
    evidence.facts.retain(|fact| !alone(fact));
    assert!(named(&evidence).contains("redis was lost only together"), "{}", named(&evidence));
}
