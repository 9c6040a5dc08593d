//! `validator lint` by a policy.

use std::fs;
use std::path::Path;

use golive_validator::config::Day;
use golive_validator::lint::{Source, lint};
use golive_validator::plan::Rules;
use serde_json::{Value, json};

use super::{RULE, file, parsed, policy, scratch, validator};

/// A deployment without probes and with one copy, in the scope of the rules of these tests.
fn web(name: &str) -> String {
    scratch(
        name,
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: demo }\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers: [{ name: web, image: 'web:1' }]\n",
    )
}

#[test]
fn lint_weighs_and_waives_by_the_policy() {
    let manifest = web("lint-policy.yaml");
    let lint = |policy: Option<&str>| {
        let args = ["lint", &manifest, "--format", "json"];
        let more: Vec<&str> = policy.into_iter().flat_map(|file| ["--policy", file]).collect();
        serde_json::from_slice::<Value>(&validator(&[&args[..], &more].concat()).stdout).unwrap()
    };
    let found = |linted: &Value, rule: &str| {
        linted["findings"].as_array().unwrap().iter().find(|hit| hit["rule"] == rule).cloned()
    };
    assert!(found(&lint(None), "GL-R002").unwrap()["waived"].is_null());
    let waives =
        file("lint-waives.yaml", &format!("{{ check: GL-R002, {RULE}\n  severity: {{ GL-H002: info }}"));
    let linted = lint(Some(&waives));
    assert!(found(&linted, "GL-R002").unwrap()["waived"].as_str().unwrap().contains("by a"), "{linted}");
    assert_eq!(linted["waivers"][0]["state"], "used");
    assert_eq!(found(&linted, "GL-H002").unwrap()["severity"], "info");
}

/// Waivers of a rule that is broken, of one that is kept, and one that has ended.
const LINTED: [(&str, &str, &str, &str); 3] = [
    ("GL-R002", "used", "kiwi", "2099-12-31"),
    ("GL-S052", "unused", "plum", "2099-12-31"),
    ("GL-H002", "expired", "mango", "2020-12-31"),
];

/// A look at the deployment by a policy with these waivers.
fn look(more: &[&str]) -> String {
    let one = |(check, _, name, until): (&str, &str, &str, &str)| {
        format!(
            "{{ check: {check}, scope: {{ namespaces: [demo] }}, reason: {name} waits, owner: team-{name}, approver: sre-{name}, until: {until} }}"
        )
    };
    let name = format!("lint-told{}", more.concat());
    let policy = file(&format!("{name}.policy.yaml"), &LINTED.map(one).join("\n    - "));
    let manifest = web(&format!("{name}.yaml"));
    let output = validator(&[&["lint", &manifest, "--policy", &policy], more].concat());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn lint_tells_every_waiver_with_its_state_and_who_answers_for_it() {
    for ignored in [false, true] {
        let mut more = if ignored { vec!["--no-waivers"] } else { Vec::new() };
        let text = look(&more);
        more.extend(["--format", "sarif"]);
        let log = parsed(&look(&more));
        let run = &log["runs"][0];
        for (check, state, name, until) in LINTED {
            let state = if ignored { "ignored" } else { state };
            let words = format!(
                "waiver of {check}, {state}: {name} waits (for demo/* until {until}; owner team-{name}, approved by sre-{name})"
            );
            assert!(text.contains(&words), "{words} is not in {text}");
            let told = run["properties"]["waivers"].as_array().unwrap().iter().any(|one| {
                one["check"] == check && one["state"] == state && one["owner"] == format!("team-{name}")
            });
            assert!(told, "{check}: {run}");
        }
        let found = |rule: &str| {
            run["results"].as_array().unwrap().iter().find(|result| result["ruleId"] == rule).unwrap()
        };
        assert_eq!(found("GL-R002")["suppressions"].is_array(), !ignored);
        assert!(!found("GL-H002")["suppressions"].is_array(), "what has ended suppresses nothing");
    }
}

#[test]
fn lint_judges_by_the_limits_of_the_policy() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/good.yaml");
    let text = fs::read_to_string(manifest).unwrap();
    let found = |budget: u32| {
        let rules =
            Rules { policy: policy(&json!({ "limits": { "shutdownBudgetS": budget } })), ..Rules::default() };
        let source = Source { name: "good.yaml".into(), text: text.clone() };
        let linted = lint(&[source], &rules, Day::of(0)).unwrap();
        linted.findings.iter().map(|hit| hit.rule).collect::<Vec<_>>()
    };
    // Kubernetes gives 30 s where nothing is declared, and 2 s of it are the kubelet's.
    assert_eq!((found(28), found(29)), (vec![], vec!["GL-S001"]));
}
