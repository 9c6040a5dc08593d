//! What a policy does to a verdict, and that every report tells of it. The evidence is that of real runs.

mod linted;
mod waivers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use golive_validator::check::{Outcome, Severity};
use golive_validator::checks::ALL;
use golive_validator::config::{Day, GoLivePolicy};
use golive_validator::evidence::{self, Evidence};
use golive_validator::judge::judge;
use golive_validator::plan::Waivers;
use golive_validator::report::{Report, Verdict, WaiverState};
use serde_json::{Value, from_value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn policy(spec: &Value) -> GoLivePolicy {
    let (api, kind) = ("golive.dev/v1alpha1", "GoLivePolicy");
    from_value(json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "acme" }, "spec": spec }))
        .unwrap()
}

/// One for the bare build.
fn waiver(check: &str, until: &str) -> Value {
    json!({
        "check": check, "scope": { "namespaces": ["demo"], "deployments": ["users-*"] },
        "reason": "replaced with <SHOP-1>", "owner": "team-shop", "approver": "sre", "until": until
    })
}

fn run(name: &str, spec: &Value) -> Evidence {
    let mut evidence = evidence::read(&fixture(name)).unwrap();
    evidence.header.plan.policy = policy(spec);
    evidence
}

/// So many days after the day of the bare run.
fn day(after: i64) -> String {
    let started = evidence::read(&fixture("bare.evidence.zst")).unwrap().header.started;
    Day::of(started + after * 86_400_000).to_string()
}

fn bare(spec: &Value) -> Report {
    judge(&run("bare.evidence.zst", spec), ALL)
}

fn good(spec: &Value) -> Report {
    judge(&run("good.evidence.zst", spec), ALL)
}

fn outcome(report: &Report, id: &str) -> Outcome {
    report.checks.iter().find(|line| line.id == id).unwrap().finding.outcome
}

fn states(report: &Report) -> Vec<WaiverState> {
    report.waivers.iter().map(|line| line.state).collect()
}

/// Waivers of everything that fails or is open in the bare run, but for what nobody may waive.
fn all_of_bare(until: &str) -> Vec<Value> {
    let report = bare(&json!({}));
    let failed = report.checks.iter().filter(|line| line.is_gating_failure() || line.is_open_blocker());
    failed.map(|line| waiver(&line.id, until)).collect()
}

#[test]
fn a_waiver_takes_one_failure_out_of_the_verdict_and_stays_visible() {
    let today = day(0);
    let report = bare(&json!({ "waivers": [waiver("GL-B201", &today)] }));
    assert_eq!((outcome(&report, "GL-B201"), states(&report)), (Outcome::Waived, vec![WaiverState::Used]));
    assert_eq!(report.verdict, Verdict::NoGo, "the others still fail");
    let line = report.checks.iter().find(|line| line.id == "GL-B201").unwrap();
    assert!(line.finding.details.iter().any(|told| told.contains(&format!("waived until {today} by sre"))));
    assert!(!line.finding.summary.is_empty(), "what was found stays");
}

#[test]
fn lost_requests_and_what_a_run_rests_on_fail_whatever_a_policy_says() {
    let report = bare(&json!({ "waivers": all_of_bare("2027-01-01") }));
    let fails: Vec<&str> =
        report.checks.iter().filter(|line| line.is_gating_failure()).map(|line| line.id.as_str()).collect();
    assert_eq!(fails, ["GL-S201"], "all others are waived");
    assert_eq!(report.verdict, Verdict::NoGo);
    let weighed = bare(&json!({ "severity": { "GL-S201": "info", "GL-E101": "info" } }));
    let severity = |id: &str| weighed.checks.iter().find(|line| line.id == id).unwrap().severity;
    assert_eq!(severity("GL-S201"), Severity::Blocker);
    let own = ALL.iter().find(|check| check.id == "GL-E101").unwrap();
    assert_eq!(severity("GL-E101") == Severity::Info, own.can_be_waived());
}

#[test]
fn with_everything_waived_the_verdict_is_a_warning_and_no_pillar_counts_as_proven() {
    let mut evidence = run("bare.evidence.zst", &json!({ "waivers": all_of_bare("2027-01-01") }));
    let checks: Vec<_> = ALL.iter().copied().filter(|check| check.can_be_waived()).collect();
    let report = judge(&evidence, &checks);
    assert_eq!((report.verdict, report.passing()), (Verdict::GoWithWarnings, 0));
    evidence.header.plan.waivers = Waivers::Ignored;
    let without = judge(&evidence, &checks);
    assert_eq!(without.verdict, Verdict::NoGo);
    assert!(states(&without).iter().all(|state| *state == WaiverState::Ignored));
}

#[test]
fn a_waiver_that_has_ended_waives_nothing_and_says_so() {
    let yesterday = day(-1);
    let report = bare(&json!({ "waivers": [waiver("GL-B201", &yesterday)] }));
    assert_eq!((outcome(&report, "GL-B201"), states(&report)), (Outcome::Fail, vec![WaiverState::Expired]));
    let line = report.checks.iter().find(|line| line.id == "GL-B201").unwrap();
    assert!(
        line.finding.details.iter().any(|told| told.contains(&format!("its waiver ended on {yesterday}")))
    );
}

#[test]
fn a_waiver_that_nobody_needs_is_a_warning_and_one_for_another_service_is_nothing() {
    assert_eq!(good(&json!({})).verdict, Verdict::Go);
    let mut unused = waiver("GL-B201", "2027-01-01");
    let other = good(&json!({ "waivers": [unused] }));
    assert_eq!(
        (other.verdict, states(&other)),
        (Verdict::Go, vec![]),
        "it is for users-*, and this is users"
    );
    unused["scope"] = json!({ "deployments": ["users"] });
    let report = good(&json!({ "waivers": [unused] }));
    assert_eq!((report.verdict, states(&report)), (Verdict::GoWithWarnings, vec![WaiverState::Unused]));
    unused["until"] = json!("2026-01-01");
    let report = good(&json!({ "waivers": [unused] }));
    assert_eq!((report.verdict, states(&report)), (Verdict::GoWithWarnings, vec![WaiverState::Expired]));
}

#[test]
fn a_policy_weighs_checks_and_sets_limits() {
    let asked = json!({ "questions": [{ "id": "runbook", "ask": "Which?", "validForDays": 30 }] });
    assert_eq!(
        (outcome(&good(&asked), "GL-R006"), good(&asked).verdict),
        (Outcome::Fail, Verdict::GoWithWarnings)
    );
    let mut weighed = asked.clone();
    weighed["severity"] = json!({ "GL-R006": "major" });
    assert_eq!(good(&weighed).verdict, Verdict::NoGo);
    weighed["severity"] = json!({ "GL-R006": "info" });
    assert_eq!(good(&weighed).verdict, Verdict::Go, "what is only told changes no verdict");
    let strict = good(&json!({ "limits": { "maxClockUncertaintyMs": 0.0 } }));
    assert_ne!(outcome(&strict, "GL-E103"), Outcome::Pass);
    assert_eq!(strict.identity.policy, "acme");
}

#[test]
fn settings_that_differ_from_the_defaults_are_told_and_change_no_verdict() {
    let breaker = |open_for: &str| {
        json!({
            "errorRate": 0.5, "window": "10s", "minCalls": 10, "deadline": "3s", "openFor": open_for, "trials": 1
        })
    };
    let as_declared = good(&json!({ "defaults": { "breaker": breaker("30s") } }));
    assert_eq!(outcome(&as_declared, "GL-R005"), Outcome::Pass);
    let defaults = json!({ "breaker": breaker("60s"), "readiness": { "periodSeconds": 10 } });
    let report = good(&json!({ "defaults": defaults }));
    let line = report.checks.iter().find(|line| line.id == "GL-R005").unwrap();
    assert_eq!((line.finding.outcome, report.verdict), (Outcome::Warn, Verdict::Go));
    let told = line.finding.details.join("; ");
    assert!(told.contains("breaker of postgres: openFor 30s, by default 60s"), "{told}");
    assert!(told.contains("readinessProbe: periodSeconds 5, by default 10"), "{told}");
}

#[test]
fn each_timing_of_a_probe_is_held_against_its_default() {
    let target = evidence::read(&fixture("good.evidence.zst")).unwrap().header.plan.target;
    for (name, probe) in [("readiness", target.readiness.unwrap()), ("liveness", target.liveness.unwrap())] {
        let timings = [
            ("periodSeconds", probe.period_s),
            ("timeoutSeconds", probe.timeout_s),
            ("failureThreshold", probe.failure_threshold),
        ];
        for (key, is) in timings {
            let told = |usual: u32| {
                let report = good(&json!({ "defaults": { name: { key: usual } } }));
                let line = report.checks.into_iter().find(|line| line.id == "GL-R005").unwrap();
                (line.finding.outcome, line.finding.summary)
            };
            assert_eq!(told(is).0, Outcome::Pass, "{name}: {key}");
            let words = format!("{name}Probe: {key} {is}, by default {}", is + 1);
            assert_eq!(told(is + 1), (Outcome::Warn, words));
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn validator(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_validator"));
    command.args(args).env("KUBECONFIG", "/nonexistent/kubeconfig");
    command.env_remove("KUBERNETES_SERVICE_HOST").output().unwrap()
}

fn scratch(name: &str, text: &str) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// A policy file with one waiver.
fn file(name: &str, waiver: &str) -> String {
    let head =
        "apiVersion: golive.dev/v1alpha1\nkind: GoLivePolicy\nmetadata: { name: acme }\nspec:\n  waivers:\n";
    scratch(name, &format!("{head}    - {waiver}\n"))
}

const RULE: &str = "scope: { namespaces: [demo] }, reason: r, owner: o, approver: a, until: 2099-12-31 }";

#[test]
fn the_command_line_judges_by_a_policy_and_without_its_waivers() {
    let asks = "apiVersion: golive.dev/v1alpha1\nkind: GoLivePolicy\nmetadata: { name: asks }\nspec:\n  severity: { GL-R006: major }\n  questions: [{ id: a, ask: A, validForDays: 9 }]\n";
    let waived =
        format!("{asks}  waivers: [{{ check: GL-R006, {RULE}]\n").replace("name: asks", "name: waives");
    let (asks, waived) = (scratch("asks.yaml", asks), scratch("waives.yaml", &waived));
    let evidence = fixture("good.evidence.zst").display().to_string();
    let code = |args: &[&str]| validator(&[&["judge", &evidence, "-q"], args].concat()).status.code();
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--policy", &asks]), Some(1));
    assert_eq!(code(&["--policy", &waived]), Some(0));
    assert_eq!(code(&["--policy", &waived, "--no-waivers"]), Some(1));
}

#[test]
fn a_policy_is_refused_with_field_and_line_and_reviewed_with_an_exit_code() {
    let lost = validator(&["policy", "check", &file("lost.yaml", &format!("{{ check: GL-S201, {RULE}"))]);
    let told = String::from_utf8_lossy(&lost.stderr).into_owned();
    assert_eq!(lost.status.code(), Some(2), "{told}");
    assert!(told.contains("line 6: spec.waivers[0].check") && told.contains("cannot be waived"), "{told}");
    let valid = file("valid.yaml", &format!("{{ check: GL-B201, {RULE}"));
    assert_eq!(validator(&["policy", "check", &valid]).status.code(), Some(0));
    let ended = RULE.replace("2099", "2020");
    let ended = file("ended.yaml", &format!("{{ check: GL-B201, {ended}"));
    assert_eq!(validator(&["policy", "check", &ended]).status.code(), Some(0));
    let lint = validator(&["policy", "lint", &ended]);
    assert_eq!(lint.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&lint.stdout).contains("ended on 2020-12-31"));
}

#[test]
fn a_target_that_asks_for_another_policy_than_there_is_is_refused() {
    let target = include_str!("../../../golive.yaml").replace("policy: default", "policy: acme");
    let target = scratch("acme.golive.yaml", &target);
    let plan = |more: &[&str]| {
        let output = validator(&[&["plan", "-f", &target], more].concat());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(plan(&[]).contains("`acme` is not built in"), "{}", plan(&[]));
    let acme = file("acme.yaml", &format!("{{ check: GL-B201, {RULE}"));
    assert!(plan(&["--policy", &acme]).contains("no cluster"), "{}", plan(&["--policy", &acme]));
    let other = scratch("other.yaml", &fs::read_to_string(&acme).unwrap().replace("acme", "other"));
    assert!(plan(&["--policy", &other]).contains("asks for `acme`"), "{}", plan(&["--policy", &other]));
}

#[test]
fn the_published_schema_and_checklist_are_those_of_the_types() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let published: Value =
        serde_json::from_str(&fs::read_to_string(root.join("docs/policy.schema.json")).unwrap()).unwrap();
    assert_eq!(published, serde_json::to_value(GoLivePolicy::schema()).unwrap(), "run `make generate`");
    let example: Value =
        serde_saphyr::from_str(&fs::read_to_string(root.join("examples/policy.yaml")).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&published).unwrap();
    assert!(schema.is_valid(&example));
    let example = GoLivePolicy::read(&root.join("examples/policy.yaml")).unwrap();
    let checklist = fs::read_to_string(root.join("docs/org-checklist.md")).unwrap();
    assert_eq!(checklist, golive_validator::policy::checklist(&example), "run `make generate`");
}
