use serde_json::{Value, from_value, json};

use super::{Remark, checklist, review, wrong};
use crate::config::{Day, GoLivePolicy};
use crate::severity::Severity;

fn policy(spec: &Value) -> GoLivePolicy {
    let (api, kind) = ("golive.dev/v1alpha1", "GoLivePolicy");
    from_value(json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "p" }, "spec": spec })).unwrap()
}

fn waiver(check: &str, owner: &str, approver: &str, until: &str) -> Value {
    let scope = json!({ "namespaces": ["demo"] });
    json!({ "check": check, "scope": scope, "reason": "r", "owner": owner, "approver": approver, "until": until })
}

fn refused(spec: &Value) -> String {
    wrong(&policy(spec)).map(|wrong| format!("{}: {}", wrong.field, wrong.why)).unwrap_or_default()
}

#[test]
fn a_policy_may_not_decide_what_nobody_may() {
    let waived = |code: &str| refused(&json!({ "waivers": [waiver(code, "o", "a", "2027-01-01")] }));
    assert_eq!(waived("GL-B201"), "");
    assert!(waived("GL-S201").contains("no-request-lost-during-rollout cannot be waived"));
    assert!(waived("GL-E102").contains("cannot be waived"), "a run that cannot be believed is no GO");
    assert!(
        waived("GL-B999").starts_with("spec.waivers[0].check: there is no check GL-B999; did you mean GL-B")
    );
    let weighs = |code: &str, severity: &str| refused(&json!({ "severity": { code: severity } }));
    assert_eq!((weighs("GL-R003", "blocker").as_str(), weighs("GL-T053", "major").as_str()), ("", ""));
    assert!(weighs("GL-S201", "info").contains("is a blocker for everybody"));
    assert!(weighs("GL-E102", "minor").contains("is a blocker for everybody"));
    let mut built_in = policy(&json!({}));
    built_in.metadata.name = GoLivePolicy::BUILT_IN.into();
    assert!(wrong(&built_in).unwrap().why.contains("the built-in policy"));
    built_in.metadata.name = "Ac me".into();
    assert!(wrong(&built_in).is_some());
}

#[test]
fn a_reviewer_tells_waivers_that_have_ended_and_what_is_no_exception() {
    let today = Day::try_from("2026-06-15".to_owned()).unwrap();
    let told = |spec: Value| -> Vec<(Severity, String)> {
        review(&policy(&spec), today)
            .into_iter()
            .map(|Remark { severity, field, .. }| (severity, field))
            .collect()
    };
    let of = |owner: &str, until: &str| told(json!({ "waivers": [waiver("GL-B201", owner, "a", until)] }));
    let until = |severity| vec![(severity, "spec.waivers[0].until".to_owned())];
    assert_eq!(of("o", "2026-06-14"), until(Severity::Major));
    assert_eq!(of("o", "2026-06-15"), until(Severity::Minor), "it holds today, and ends soon");
    assert_eq!(of("o", "2026-12-31"), []);
    assert_eq!(of("o", "2028-01-01"), until(Severity::Minor));
    assert_eq!(of("A", "2026-12-31"), [(Severity::Minor, "spec.waivers[0].approver".to_owned())]);
    let one = waiver("GL-B201", "o", "a", "2026-12-31");
    assert_eq!(told(json!({ "waivers": [one, one] })), [(Severity::Minor, "spec.waivers[1]".to_owned())]);
    let mut everybody = one.clone();
    everybody["scope"] = json!({});
    assert_eq!(
        told(json!({ "waivers": [everybody] })),
        [(Severity::Minor, "spec.waivers[0].scope".to_owned())]
    );
    let lowered = json!({ "severity": { "GL-B201": "minor", "GL-R003": "blocker" } });
    assert_eq!(told(lowered), [(Severity::Minor, "spec.severity.GL-B201".to_owned())]);
    let limits = json!({ "limits": { "maxHiccupS": 9.0 } });
    assert_eq!(told(limits), [(Severity::Info, "spec.limits.maxHiccupS".to_owned())]);
}

#[test]
fn the_checklist_weighs_as_the_policy_does_and_asks_what_it_asks() {
    let spec = json!({
        "severity": { "GL-R003": "blocker" },
        "waivers": [waiver("GL-B201", "a|b", "c", "2026-12-31")],
        "questions": [{ "id": "runbook", "ask": "Which one?", "validForDays": 90 }]
    });
    let text = checklist(&policy(&spec));
    for told in [
        "(`GL-R003`, blocker)",
        "**runbook**: Which one? An answer is valid for 90 days.",
        "| `GL-B201` | demo/\\* | r | a\\|b | c | 2026-12-31 |",
    ] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
    for check in crate::checks::ALL.iter().filter(|check| !["GL-R005", "GL-R006"].contains(&check.id)) {
        assert_eq!(text.matches(&format!("(`{}`, ", check.id)).count(), 1, "{}", check.id);
    }
}
