use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::decide::{Decision, decide};
use super::super::known::Known;
use super::super::mode::Mode;
use super::{BARE, GOOD, OTHER, asked, days_after, deployment, rules, runs};
use crate::config::GoLivePolicy;

const PERSON: &str = "ann@example.com";

fn found_by(user: &str, after: &Value, before: Option<&Value>, days: i64) -> Decision {
    let (runs, rules, policy) = (runs(), rules(), GoLivePolicy::default());
    let known = Known { runs: &runs, policy: &policy, rules: &rules, now: days_after(days) };
    decide(&asked(after, before, user), &known)
}

fn found(after: &Value, before: Option<&Value>) -> Decision {
    found_by(PERSON, after, before, 3)
}

fn users(digest: &str) -> String {
    format!("mirror.example.com:5000/users@{digest}")
}

/// Why, and what would change it.
fn refused(decision: Decision) -> (String, String) {
    let Decision::Refused { mut refusals, .. } = decision else { panic!("{decision:?}") };
    assert_eq!(refusals.len(), 1);
    let refusal = refusals.remove(0);
    (refusal.why, refusal.remedy)
}

#[test]
fn an_image_comes_in_by_a_go_about_its_digest_and_by_nothing_else() {
    let go = found(&deployment(&[&users(GOOD)], ""), None);
    assert!(matches!(&go, Decision::Proven(told) if told[0].contains("GO by run")), "{go:?}");
    let (why, remedy) = refused(found(&deployment(&[&users(BARE)], ""), None));
    assert!(why.starts_with("NO-GO by run") && why.contains("GL-"), "{why}");
    assert!(remedy.starts_with("kubectl -n demo annotate golivecheck users golive.dev/run="), "{remedy}");
    let (why, remedy) = refused(found(&deployment(&[&users(OTHER)], ""), None));
    assert!(why.contains("none of 2 reports is about"), "{why}");
    assert_eq!(remedy, format!("kubectl -n demo set image deployment/NAME c0={}", users(OTHER)));
}

#[test]
fn a_go_that_is_too_old_lets_nobody_in() {
    let go = deployment(&[&users(GOOD)], "");
    assert!(matches!(found_by(PERSON, &go, None, 30), Decision::Proven(_)));
    let (why, remedy) = refused(found_by(PERSON, &go, None, 31));
    assert!(why.contains("was good until 2026-07-01"), "{why}");
    assert!(remedy.contains("annotate golivecheck users"), "{remedy}");
}

#[test]
fn a_tag_is_no_name_of_bits_and_the_digest_that_it_was_proven_by_is_told() {
    let (why, remedy) = refused(found(&deployment(&["shop/users:1.2"], ""), None));
    assert!(why.contains("a tag"), "{why}");
    assert_eq!(remedy, format!("kubectl -n shop set image deployment/users c0=shop/users@{GOOD}"));
    let (_, remedy) = refused(found(&deployment(&["registry:5000/users"], ""), None));
    assert!(remedy.ends_with("c0=registry:5000/users@sha256:..."), "{remedy}");
}

#[test]
fn every_container_needs_a_go_but_those_of_exempt_repositories() {
    let beside = |image: &str| found(&deployment(&[&users(GOOD), image], ""), None);
    for exempt in ["mesh/proxy:1", "registry:5000/side/car@sha256:12", "mesh/proxy"] {
        assert!(matches!(beside(exempt), Decision::Proven(told) if told.len() == 1), "{exempt}");
    }
    for other in ["mesh/proxy-of-mine:1", "registry:5000/sidecar", "x/mesh/proxy:1", &users(BARE)] {
        assert!(
            matches!(beside(other), Decision::Refused { refusals, .. } if refusals.len() == 1),
            "{other}"
        );
    }
    assert!(matches!(found(&deployment(&["mesh/proxy:1"], ""), None), Decision::Unasked(_)));
}

#[test]
fn a_native_sidecar_serves_and_other_init_containers_do_not() {
    let with = |image: &str, policy: &str| {
        let mut object = deployment(&["mesh/proxy:1"], "");
        object["spec"]["template"]["spec"]["initContainers"] =
            json!([{ "name": "first", "image": image, "restartPolicy": policy }]);
        object
    };
    let sidecar = with(&users(BARE), "Always");
    assert!(matches!(found(&sidecar, None), Decision::Refused { .. }));
    assert!(matches!(found(&sidecar, Some(&with(&users(GOOD), "Always"))), Decision::Refused { .. }));
    assert!(matches!(found(&with(&users(GOOD), "Always"), None), Decision::Proven(_)));
    let mut once = with(&users(BARE), "Always");
    once["spec"]["template"]["spec"]["initContainers"][0].as_object_mut().unwrap().remove("restartPolicy");
    assert!(matches!(found(&once, None), Decision::Unasked(_)));
}

#[test]
fn what_runs_already_is_not_asked_about_and_a_new_image_beside_it_is() {
    let old = deployment(&[&users(BARE), &users(OTHER)], "");
    let mut scaled = old.clone();
    scaled["spec"]["replicas"] = json!(9);
    assert!(matches!(found(&scaled, Some(&old)), Decision::Unasked(_)));
    let fewer = deployment(&[&users(OTHER)], "");
    assert!(matches!(found(&fewer, Some(&old)), Decision::Unasked(_)));
    assert!(matches!(found(&old, Some(&fewer)), Decision::Refused { .. }));
    assert!(matches!(found(&old, None), Decision::Refused { .. }), "one that comes back is new");
}

#[test]
fn a_run_rolls_its_target_as_it_must_and_nobody_else_does_in_its_name() {
    let (new, old) = (deployment(&[&users(OTHER)], ""), deployment(&[&users(BARE)], ""));
    let mut rolled = old.clone();
    rolled["metadata"]["annotations"] =
        json!({ "golive.dev/rollback-to": "4", "golive.dev/run": "users-0123" });
    let by = |user: &str, before: &Value| found_by(user, &new, Some(before), 3);
    let run = "system:serviceaccount:shop:golive-validator";
    assert!(matches!(by(run, &old), Decision::Unasked(_)));
    let guardian = "system:serviceaccount:shop:users-0123-guardian";
    assert!(matches!(by(guardian, &rolled), Decision::Unasked(_)), "the way back of a run that died");
    assert!(matches!(by(guardian, &old), Decision::Refused { .. }));
    for stranger in [
        "system:serviceaccount:other:golive-validator",
        "system:serviceaccount:shop:deployer",
        "system:serviceaccount:shop:users-4567-guardian",
        "shop:golive-validator",
        "golive-validator",
        PERSON,
    ] {
        assert!(matches!(by(stranger, &rolled), Decision::Refused { .. }), "{stranger}");
    }
    assert!(matches!(found_by(run, &new, None, 3), Decision::Unasked(_)), "its agents");
    assert!(matches!(found_by(guardian, &new, None, 3), Decision::Refused { .. }));
}

#[test]
fn the_glass_is_broken_by_a_reason_and_each_time_by_another_one() {
    let broken = deployment(&[&users(BARE)], "  checkout is down, INC-7 ");
    let first = found(&broken, None);
    assert!(
        matches!(&first, Decision::BrokenGlass { reason, refusals } if reason == "checkout is down, INC-7" && refusals.len() == 1),
        "{first:?}"
    );
    let next = deployment(&[&users(OTHER)], "checkout is down, INC-7");
    let Decision::Refused { note: Some(note), .. } = found(&next, Some(&broken)) else { panic!() };
    assert!(note.contains("an earlier change"), "{note}");
    let other = deployment(&[&users(OTHER)], "INC-8");
    assert!(matches!(found(&other, Some(&broken)), Decision::BrokenGlass { .. }));
    assert!(matches!(found(&deployment(&[&users(BARE)], "  "), None), Decision::Refused { note: None, .. }));
    let needless = found(&deployment(&[&users(GOOD)], "why"), None);
    assert!(matches!(needless, Decision::Proven(_)), "nothing was broken");
}

#[test]
fn a_refusal_denies_warns_or_is_noted_as_the_namespace_asks() {
    let object = deployment(&[&users(BARE)], "");
    let decision = found(&object, None);
    let answer = |mode| Answer::to(&asked(&object, None, PERSON), &decision, mode);
    let go = answer(Mode::Go);
    assert!(!go.allowed && go.warnings.is_empty());
    for told in
        ["namespace shop", "NO-GO by run", "GL-", "this would prove it: kubectl", "golive.dev/break-glass"]
    {
        assert!(go.message.contains(told), "{told}: {}", go.message);
    }
    let warn = answer(Mode::Warn);
    assert!(warn.allowed && warn.message.is_empty());
    assert!(
        warn.warnings[1].contains("NO-GO") && warn.warnings.iter().all(|line| line.chars().count() <= 250)
    );
    let audit = answer(Mode::Audit);
    assert!(audit.allowed && audit.warnings.is_empty());
    for answer in [go, warn, audit] {
        assert_eq!(answer.audit["decision"], "refused");
        assert!(answer.audit["why"].contains("NO-GO"));
    }
}

#[test]
fn a_broken_glass_comes_in_with_a_warning_and_its_reason_in_the_audit_log() {
    let object = deployment(&[&users(BARE)], "INC-7\u{1b}[2J");
    let decision = found(&object, None);
    let answer = Answer::to(&asked(&object, None, PERSON), &decision, Mode::Go);
    assert!(answer.allowed && answer.warnings[0].contains("recorded"));
    assert!(
        answer.audit["break-glass"].starts_with("INC-7") && !answer.audit["break-glass"].contains('\u{1b}')
    );
}

/// The patch in what somebody is told, as a shell hands it on.
fn patch_in(message: &str) -> Value {
    let (_, patch) = message.split_once("kubectl -n shop patch deployment users -p '").unwrap();
    let patch = patch.strip_suffix('\'').unwrap().replace(r"'\''", "'");
    serde_json::from_str(&patch).unwrap()
}

fn told(after: &Value, before: Option<&Value>) -> String {
    let asked = asked(after, before, PERSON);
    Answer::to(&asked, &found(after, before), Mode::Go).message
}

#[test]
fn a_refused_update_names_the_patch_that_would_bring_it_and_that_breaks_the_glass() {
    let before = deployment(&[&users(GOOD), "mesh/proxy:1"], "an emergency of last year");
    // As `kubectl rollout undo` does: the annotation of then comes back with the image.
    let undone = deployment(&[&users(BARE), "mesh/proxy:1"], "an emergency of last year");
    let message = told(&undone, Some(&before));
    assert!(message.contains("an earlier change"), "{message}");
    let patch = patch_in(&message);
    let containers = &patch["spec"]["template"]["spec"]["containers"];
    assert_eq!(*containers, json!([{ "name": "c0", "image": users(BARE) }]), "and the proxy stays as it is");
    let reason = patch["metadata"]["annotations"]["golive.dev/break-glass"].as_str().unwrap();
    let patched = deployment(&[containers[0]["image"].as_str().unwrap(), "mesh/proxy:1"], reason);
    assert!(matches!(found(&patched, Some(&before)), Decision::BrokenGlass { .. }));
    let quoted = deployment(&["it's:1", "mesh/proxy:1"], "");
    let patch = patch_in(&told(&quoted, Some(&before)));
    assert_eq!(patch["spec"]["template"]["spec"]["containers"][0]["image"], "it's:1");
}

#[test]
fn a_native_sidecar_is_patched_in_its_own_list() {
    let with = |image: &str| {
        let mut object = deployment(&["mesh/proxy:1"], "");
        object["spec"]["template"]["spec"]["initContainers"] =
            json!([{ "name": "side", "image": image, "restartPolicy": "Always" }]);
        object
    };
    let patch = patch_in(&told(&with(&users(BARE)), Some(&with(&users(GOOD)))));
    assert_eq!(
        patch["spec"]["template"]["spec"],
        json!({ "initContainers": [{ "name": "side", "image": users(BARE) }] })
    );
}

#[test]
fn what_a_patch_of_the_image_cannot_bring_is_told_without_one() {
    let (one, two) = (deployment(&[&users(GOOD)], ""), deployment(&[&users(GOOD), &users(BARE)], ""));
    for message in [told(&two, None), told(&two, Some(&one))] {
        assert!(message.contains("in the same request") && !message.contains("patch"), "{message}");
    }
}
