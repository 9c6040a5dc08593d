//! What is right for services that declare their probes and their end in the usual ways: evidence of a roll of three
//! pods that end as declared, and the outcome of the checks that read it.

mod roll;

use golive_validator::check::Outcome;
use golive_validator::checks::find;
use golive_validator::config::Handler;
use golive_validator::judge::judge;
use golive_validator::plan::PreStop;
use serde_json::json;

use self::roll::{Drain, Event, Roll, get};

/// The checks that read probes and ends.
const ENDS: [&str; 9] =
    ["GL-H101", "GL-H102", "GL-H201", "GL-H202", "GL-H203", "GL-S001", "GL-S201", "GL-S202", "GL-S205"];

fn outcomes(roll: Roll, ids: &[&str]) -> Vec<(String, Outcome, String)> {
    let checks: Vec<_> = ids.iter().map(|id| find(id).unwrap()).collect();
    let report = judge(&roll.evidence(), &checks);
    let of = report.checks.into_iter();
    of.map(|line| (line.id, line.finding.outcome, line.finding.summary)).collect()
}

/// Every one of these checks passes, or has nothing to say.
fn all_right(roll: Roll) {
    let found = outcomes(roll, &ENDS);
    let wrong: Vec<_> =
        found.iter().filter(|(_, outcome, _)| !matches!(outcome, Outcome::Pass | Outcome::Skipped)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn one(roll: Roll, id: &str) -> (Outcome, String) {
    let (_, outcome, summary) = outcomes(roll, &[id]).remove(0);
    (outcome, summary)
}

#[test]
fn a_service_that_serves_on_through_its_pre_stop_sleep_is_right() {
    let long = Drain { ready_s: 15.0, closed_s: 21.0, ended_s: 22.0, ..Drain::default() };
    all_right(Roll { pre_stop: PreStop::Sleep(15), grace_s: 60, drain: long, ..Roll::default() });
    let short = Drain { ready_s: 5.5, closed_s: 12.0, ended_s: 13.0, ..Drain::default() };
    all_right(Roll { pre_stop: PreStop::Sleep(5), grace_s: 40, drain: short.clone(), ..Roll::default() });
    let (outcome, summary) = one(Roll { drain: short, grace_s: 40, ..Roll::default() }, "GL-H203");
    assert_eq!(outcome, Outcome::Warn, "without the hook it says ready for too long: {summary}");
}

#[test]
fn a_listener_closed_at_the_end_of_a_clean_drain_is_no_fault() {
    let drain = Drain { ready_s: 0.3, closed_s: 12.0, ended_s: 16.0, ..Drain::default() };
    all_right(Roll { drain, ..Roll::default() });
}

#[test]
fn a_quick_service_needs_no_long_grace_period() {
    let quick = Drain { ready_s: 0.0, closed_s: 1.5, ended_s: 2.0, ..Drain::default() };
    all_right(Roll { grace_s: 10, drain: quick.clone(), ..Roll::default() });
    assert_eq!(one(Roll { grace_s: 3, drain: quick, ..Roll::default() }, "GL-S001").0, Outcome::Fail);
}

#[test]
fn a_hook_longer_than_the_grace_period_is_named() {
    let killed = Drain { ready_s: 30.0, closed_s: 30.0, ended_s: 30.5, code: 137, ..Drain::default() };
    let roll = || Roll { pre_stop: PreStop::Sleep(35), drain: killed.clone(), ..Roll::default() };
    assert_eq!(one(roll(), "GL-S001").0, Outcome::Fail);
    assert_eq!(one(roll(), "GL-S202").0, Outcome::Fail);
}

#[test]
fn where_nobody_declares_when_sigterm_came_nobody_is_blamed() {
    let drain = Drain { ready_s: 8.0, closed_s: 12.0, ended_s: 13.0, ..Drain::default() };
    let (outcome, summary) = one(Roll { pre_stop: PreStop::Unknown, drain, ..Roll::default() }, "GL-H203");
    assert_eq!(outcome, Outcome::Inconclusive, "{summary}");
}

#[test]
fn what_a_jvm_exits_with_after_a_clean_drain_is_a_warning() {
    let jvm = Drain { code: 143, ..Drain::default() };
    let (outcome, summary) = one(Roll { drain: jvm.clone(), ..Roll::default() }, "GL-S202");
    assert_eq!(outcome, Outcome::Warn);
    assert!(summary.contains("container `web`") && summary.contains("143"), "{summary}");
    let lost = Roll { drain: jvm.clone(), event: Some(Event::Lost), ..Roll::default() };
    assert_eq!(one(lost, "GL-S202").0, Outcome::Fail, "a lost request proves that it did not drain");
    let idle = Roll { drain: jvm, rate: 0, ..Roll::default() };
    assert_eq!(one(idle, "GL-S202").0, Outcome::Inconclusive, "nobody asked meanwhile");
}

#[test]
fn a_sidecar_that_ends_otherwise_is_named_and_no_more() {
    for code in [143, 137] {
        let drain = Drain { sidecar: Some(code), ..Drain::default() };
        let (outcome, summary) = one(Roll { drain: drain.clone(), ..Roll::default() }, "GL-S202");
        assert_eq!(outcome, Outcome::Warn);
        assert!(summary.contains("container `logs`"), "{summary}");
        let lost = Roll { drain, event: Some(Event::Lost), ..Roll::default() };
        assert_eq!(one(lost, "GL-S202").0, Outcome::Fail);
    }
}

#[test]
fn what_the_kubelet_takes_for_a_success_is_one() {
    for status in [204, 302] {
        all_right(Roll { success: Ok(status), ..Roll::default() });
    }
    let (outcome, summary) = one(Roll { success: Ok(400), ..Roll::default() }, "GL-H201");
    assert_eq!(outcome, Outcome::Fail, "{summary}");
}

#[test]
fn one_slow_answer_is_not_held_against_the_service() {
    all_right(Roll { event: Some(Event::Slow), ..Roll::default() });
}

#[test]
fn an_exec_probe_is_judged_by_the_conditions_of_the_pods() {
    let exec = || Roll { probe: Handler::Exec, ..Roll::default() };
    all_right(exec());
    assert_eq!(one(Roll { event: Some(Event::Flap), ..exec() }, "GL-H201").0, Outcome::Fail);
    assert_eq!(one(Roll { restarts: Some("web"), ..exec() }, "GL-H202").0, Outcome::Fail);
}

#[test]
fn a_restart_of_a_sidecar_is_told_with_its_name() {
    let drain = Drain { sidecar: Some(0), ..Drain::default() };
    let sidecar = Roll { restarts: Some("logs"), drain: drain.clone(), ..Roll::default() };
    let (outcome, summary) = one(sidecar, "GL-H102");
    assert_eq!(outcome, Outcome::Warn);
    assert!(summary.contains("`logs`"), "{summary}");
    let serving = Roll { restarts: Some("web"), drain, ..Roll::default() };
    assert_eq!(one(serving, "GL-H102").0, Outcome::Fail);
}

#[test]
fn a_service_that_declares_no_probe_promised_none() {
    let none = || Roll { declares: false, ..Roll::default() };
    for id in ["GL-H201", "GL-H202", "GL-H203"] {
        assert_eq!(one(none(), id).0, Outcome::Skipped, "{id}");
    }
    for id in ["GL-H001", "GL-H002"] {
        let (outcome, summary) = one(none(), id);
        assert_eq!(outcome, Outcome::Fail, "{id}");
        assert!(summary.contains("container `web`"), "it is the one that serves: {summary}");
    }
}

#[test]
fn an_agent_that_no_pod_answers_does_not_know_better_than_the_kubelet() {
    let walled = || Roll { success: Err("connect timeout"), ..Roll::default() };
    for id in ["GL-H201", "GL-H202"] {
        assert_eq!(one(walled(), id).0, Outcome::Inconclusive, "{id}");
    }
}

#[test]
fn one_endpoint_for_both_probes_is_a_warning() {
    assert_eq!(one(Roll::default(), "GL-H003").0, Outcome::Warn);
    let apart = Roll { liveness: get(8081, "/health"), ..Roll::default() };
    assert_eq!(one(apart, "GL-H003").0, Outcome::Pass);
}

#[test]
fn connections_that_the_server_times_out_need_no_announcement() {
    let ends = |timed_out: bool| {
        let ended = json!({ "fact": "connection", "opened": 5_000, "ended": 22_000, "agent": "a", "class": "idle",
            "requests": 2, "announced": false, "by_server": true, "timed_out": timed_out });
        Roll { more: vec![ended], ..Roll::default() }
    };
    assert_eq!(one(ends(true), "GL-S203").0, Outcome::Pass);
    assert_eq!(one(ends(false), "GL-S203").0, Outcome::Warn, "nothing was lost by it");
    let lost = Roll { event: Some(Event::Lost), ..ends(false) };
    assert_eq!(one(lost, "GL-S203").0, Outcome::Fail);
}
