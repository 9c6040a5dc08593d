//! Whether an image may go live, asked of reports of real runs, and of signed ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use golive_validator::check::Finding;
use golive_validator::checks::ALL;
use golive_validator::config::{GoLivePolicy, Purpose};
use golive_validator::evidence;
use golive_validator::judge::judge;
use golive_validator::report::{Format, Report, Verdict};
use golive_validator::verify::{self, Image, Proof, Standing};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, from_str, from_value, json};

const DAY: i64 = 86_400_000;

fn judged(name: &str, policy: &GoLivePolicy) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let mut evidence = evidence::read(&path).unwrap();
    evidence.header.plan.policy = policy.clone();
    judge(&evidence, ALL)
}

fn good() -> Report {
    judged("good.evidence.zst", &GoLivePolicy::default())
}

fn policy(spec: &Value) -> GoLivePolicy {
    let (api, kind) = ("golive.dev/v1alpha1", "GoLivePolicy");
    from_value(json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "acme" }, "spec": spec }))
        .unwrap()
}

fn waiver(until: &str) -> Value {
    json!({ "check": "GL-B201", "scope": {}, "reason": "r", "owner": "o", "approver": "a", "until": until })
}

/// The image that a report is about, by another name.
fn image(report: &Report) -> Image {
    let (_, digest) = report.identity.digest.as_ref().unwrap().rsplit_once('@').unwrap();
    format!("mirror.example.com/users@{digest}").parse().unwrap()
}

/// What is said of an image by reports.
fn verify(reports: &[Report], image: &Image, policy: &GoLivePolicy, now: i64) -> Standing {
    let proofs: Vec<Proof> = reports.iter().map(Proof::of).collect();
    verify::verify(&proofs, image, policy, now)
}

/// So many days after a report's run.
fn days_after(report: &Report, days: i64) -> i64 {
    report.identity.ended.parse::<jiff::Timestamp>().unwrap().as_millisecond() + days * DAY
}

/// The same run, in which one check found something else.
fn with(mut report: Report, id: &str, finding: Finding) -> Report {
    report.checks.iter_mut().find(|line| line.id == id).unwrap().finding = finding;
    report
}

/// The same run, with one check that failed.
fn failed(report: Report) -> Report {
    Report { verdict: Verdict::NoGo, ..with(report, "GL-B201", Finding::fail("it never opened")) }
}

#[test]
fn what_was_only_looked_at_proves_nothing_and_takes_no_go_back() {
    let (report, built_in) = (good(), GoLivePolicy::default());
    let (image, at) = (image(&report), |days| days_after(&report, days));
    let looked = |verdict| {
        let mut look = Report { purpose: Purpose::Observe, verdict, ..report.clone() };
        look.identity.ended = jiff::Timestamp::from_millisecond(at(1)).unwrap().to_string();
        look
    };
    for verdict in [Verdict::Go, Verdict::GoInPart, Verdict::NoGo] {
        let alone = verify(&[looked(verdict)], &image, &built_in, at(1));
        assert!(alone.to_string().contains("only observed"), "{verdict}: {alone}");
        assert!(matches!(alone, Standing::Unknown(_)), "{verdict}: {alone}");
        let failing = failed(looked(verdict));
        assert!(matches!(
            verify(std::slice::from_ref(&failing), &image, &built_in, at(1)),
            Standing::Unknown(_)
        ));
        let beside = verify(&[report.clone(), failing], &image, &built_in, at(1));
        assert!(matches!(beside, Standing::Proven { .. }), "{verdict}: {beside}");
    }
}

#[test]
fn a_go_holds_for_its_digest_and_for_as_long_as_the_policy_says() {
    let (report, built_in) = (good(), GoLivePolicy::default());
    let (image, at) = (image(&report), |days| days_after(&report, days));
    let asked = |now| verify(std::slice::from_ref(&report), &image, &built_in, now);
    assert!(matches!(asked(at(0)), Standing::Proven { .. }), "{}", asked(at(0)));
    assert!(matches!(asked(at(30)), Standing::Proven { .. }));
    assert!(asked(at(31)).to_string().contains("was good until"), "{}", asked(at(31)));
    assert!(asked(at(-2)).to_string().contains("still to come"), "{}", asked(at(-2)));
    let other: Image = format!("users@sha256:{}", "0".repeat(64)).parse().unwrap();
    let unknown = verify(std::slice::from_ref(&report), &other, &built_in, at(0));
    assert!(unknown.to_string().contains("none of 1 reports is about"), "{unknown}");
    let acme = verify(std::slice::from_ref(&report), &image, &policy(&json!({})), at(0));
    assert!(acme.to_string().contains("judged by the policy `default`, not by `acme`"), "{acme}");
    for wrong in ["users:1.0", "users@sha256:12", "users@md5:aa", "users"] {
        assert!(wrong.parse::<Image>().unwrap_err().contains("sha256"), "{wrong}");
    }
}

#[test]
fn a_go_is_good_for_as_many_days_as_the_policy_says() {
    for days in [1, 90] {
        let policy = policy(&json!({ "verdict": { "validForDays": days } }));
        let report = judged("good.evidence.zst", &policy);
        let asked = |after| {
            let now = days_after(&report, after);
            verify(std::slice::from_ref(&report), &image(&report), &policy, now)
        };
        assert!(matches!(asked(days), Standing::Proven { .. }), "{}", asked(days));
        assert!(asked(days + 1).to_string().contains("was good until"), "{}", asked(days + 1));
    }
}

#[test]
fn what_nobody_may_waive_or_lower_counts_whatever_the_policy_says() {
    // Lost requests, and a blocker of whether the run can be believed.
    for id in ["GL-S201", "GL-E102"] {
        let mut waives = waiver("2099-01-01");
        waives["check"] = json!(id);
        for spec in [json!({ "waivers": [waives] }), json!({ "severity": { id: "info" } })] {
            let asked = |finding: Finding| {
                let report = with(judged("good.evidence.zst", &policy(&spec)), id, finding);
                let now = days_after(&report, 1);
                verify(std::slice::from_ref(&report), &image(&report), &policy(&spec), now)
            };
            let failed = asked(Finding::fail("it does not hold"));
            assert!(matches!(failed, Standing::Refused { .. }), "{id}: {failed}");
            let open = asked(Finding::inconclusive("nobody can tell"));
            assert!(matches!(open, Standing::Unknown(_)), "{id}: {open}");
        }
    }
}

#[test]
fn a_later_no_go_about_the_same_digest_takes_a_go_back_and_an_earlier_one_does_not() {
    let (report, built_in) = (good(), GoLivePolicy::default());
    let mut no_go = failed(good());
    let ended = |days| jiff::Timestamp::from_millisecond(days_after(&report, days)).unwrap().to_string();
    let asked = |no_go: &Report| {
        verify(&[no_go.clone(), report.clone()], &image(&report), &built_in, days_after(&report, 5))
    };
    no_go.identity.ended = ended(2);
    assert!(asked(&no_go).to_string().contains("GL-B201 circuit-opens-as-declared: it never opened"));
    let soon = days_after(&report, 0) + 3_600_000;
    no_go.identity.ended = jiff::Timestamp::from_millisecond(soon).unwrap().to_string();
    assert!(matches!(asked(&no_go), Standing::Refused { .. }), "also an hour later on the same day");
    no_go.identity.ended = ended(-2);
    assert!(matches!(asked(&no_go), Standing::Proven { .. }));
}

#[test]
fn a_later_run_without_a_verdict_takes_nothing_back() {
    let (report, built_in) = (good(), GoLivePolicy::default());
    let mut open = Report { verdict: Verdict::Inconclusive, ..good() };
    let later = days_after(&report, 2);
    open.identity.ended = jiff::Timestamp::from_millisecond(later).unwrap().to_string();
    let asked = |all: &[Report]| verify(all, &image(&report), &built_in, days_after(&report, 3));
    assert!(matches!(asked(&[report.clone(), open.clone()]), Standing::Proven { .. }));
    assert!(matches!(asked(&[failed(good()), open.clone()]), Standing::Refused { .. }));
    assert!(matches!(asked(&[open]), Standing::Unknown(_)), "where there is no other");
}

#[test]
fn a_waiver_counts_while_it_holds_and_not_because_it_once_did() {
    let report = failed(judged("good.evidence.zst", &policy(&json!({}))));
    let (about, now) = (image(&report), days_after(&report, 3));
    let asked = |spec: &Value| verify(std::slice::from_ref(&report), &about, &policy(spec), now);
    assert!(matches!(asked(&json!({})), Standing::Refused { .. }));
    assert!(matches!(asked(&json!({ "waivers": [waiver("2099-01-01")] })), Standing::Proven { .. }));
    assert!(matches!(asked(&json!({ "waivers": [waiver("2020-01-01")] })), Standing::Refused { .. }));
    assert!(matches!(asked(&json!({ "severity": { "GL-B201": "minor" } })), Standing::Proven { .. }));
    let bare = judged("bare.evidence.zst", &policy(&json!({ "waivers": [waiver("2099-01-01")] })));
    let after = verify(std::slice::from_ref(&bare), &image(&bare), &policy(&json!({})), days_after(&bare, 1));
    assert!(after.to_string().contains("GL-B201"), "what was waived in the run fails again: {after}");
}

#[test]
fn a_report_without_a_blockers_answer_proves_nothing() {
    let mut report = good();
    let line = report.checks.iter_mut().find(|line| line.id == "GL-B201").unwrap();
    line.finding = Finding::inconclusive("too few calls");
    let (image, now) = (image(&report), days_after(&report, 0));
    let asked = |report: &Report| verify(std::slice::from_ref(report), &image, &GoLivePolicy::default(), now);
    assert!(asked(&report).to_string().contains("GL-B201 too few calls"), "{}", asked(&report));
    report.checks.clear();
    assert!(matches!(asked(&report), Standing::Unknown(_)), "a verdict alone is none");
}

fn scratch(name: &str, text: &[u8]) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verify").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn validator(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_validator")).args(args).output().unwrap()
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}

/// Files with a new private key and its public one.
fn keys(name: &str) -> (String, String) {
    /// A public key on P-256 up to its point (RFC 5480).
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let (how, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let der = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(how, der.as_ref(), &random).unwrap();
    let public = [&HEAD[..], pair.public_key().as_ref()].concat();
    let private = scratch(&format!("{name}.key"), pem("PRIVATE KEY", der.as_ref()).as_bytes());
    (private, scratch(&format!("{name}.pub"), pem("PUBLIC KEY", &public).as_bytes()))
}

/// A run that ended today, as a file: the command asks the clock.
fn saved(name: &str, mut report: Report) -> String {
    report.identity.ended = jiff::Timestamp::now().to_string();
    let mut out = Vec::new();
    report.write(Format::Json, &mut out).unwrap();
    scratch(name, &out)
}

#[test]
fn the_command_ends_as_the_reports_say() {
    let image = image(&good()).name;
    let code = |file: &str| validator(&["verify", &image, "--report", file]).status.code();
    assert_eq!(code(&saved("good.json", good())), Some(0));
    assert_eq!(code(&saved("failed.json", failed(good()))), Some(1));
    let other = format!("users@sha256:{}", "0".repeat(64));
    let output = validator(&["verify", &other, "--report", &saved("other.json", good())]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("validator run"), "the next step is told");
    assert_eq!(validator(&["verify", "users:1.0", "--report", "x"]).status.code(), Some(2));
}

#[test]
fn a_signed_report_is_believed_and_a_changed_or_foreign_one_is_not() {
    let (image, (private, public), (_, stranger)) = (image(&good()).name, keys("ours"), keys("stranger"));
    let report = saved("signed.json", good());
    let envelope = scratch("signed.intoto.json", b"");
    let attest = validator(&["attest", &report, "--key", &private, "-o", &envelope]);
    assert_eq!(attest.status.code(), Some(0), "{}", String::from_utf8_lossy(&attest.stderr));
    let asked = |envelope: &str, key: &str| {
        let output = validator(&["verify", &image, "--attestation", envelope, "--key", key]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(asked(&envelope, &public).0, Some(0), "{}", asked(&envelope, &public).1);
    assert_eq!(asked(&envelope, &stranger).0, Some(3));
    let whole: Value = from_str(&fs::read_to_string(&envelope).unwrap()).unwrap();
    let statement: Value =
        serde_json::from_slice(&STANDARD.decode(whole["payload"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert!(image.ends_with(statement["subject"][0]["digest"]["sha256"].as_str().unwrap()));
    let changed = |change: &dyn Fn(&mut Value)| {
        let (mut envelope, mut statement) = (whole.clone(), statement.clone());
        change(&mut statement);
        envelope["payload"] = json!(STANDARD.encode(statement.to_string()));
        scratch("changed.intoto.json", envelope.to_string().as_bytes())
    };
    let (code, told) = asked(&changed(&|s| s["predicate"]["run"] = json!("x")), &public);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("not signed by this key"), "{told}");
    assert_eq!(
        validator(&["attest", &report, "--key", &public]).status.code(),
        Some(2),
        "that is no private key"
    );
}

#[test]
fn a_statement_as_cosign_writes_it_is_read_and_one_of_another_type_is_named() {
    use golive_validator::attestation::Statement;
    let mut written = Vec::new();
    good().write(Format::Json, &mut written).unwrap();
    let ours = Statement::about(&good(), serde_json::from_slice(&written).unwrap()).unwrap();
    let ours = serde_json::to_value(&ours).unwrap();
    let read = |field: &str, word: &str| {
        let mut statement = ours.clone();
        statement[field] = json!(word);
        from_value::<Statement>(statement).unwrap().report()
    };
    assert_eq!(ours["_type"], "https://in-toto.io/Statement/v1");
    for kind in ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"] {
        assert_eq!(read("_type", kind).unwrap().run, good().run, "{kind}");
    }
    let other = read("_type", "https://in-toto.io/Statement/v2").unwrap_err();
    assert!(other.starts_with("its statement is https://in-toto.io/Statement/v2, expected"), "{other}");
    let other = read("predicateType", "https://slsa.dev/provenance/v1").unwrap_err();
    assert!(other.starts_with("its predicate is https://slsa.dev/provenance/v1, expected"), "{other}");
}

#[test]
fn a_statement_about_one_image_with_the_report_of_another_proves_nothing() {
    use golive_validator::attestation::{Envelope, SigningKey, Statement, VerifyingKey};
    let (private, public) = keys("swapped");
    let (private, public) = (fs::read(private).unwrap(), fs::read(public).unwrap());
    let mut other = good();
    other.identity.digest = Some(format!("users@sha256:{}", "0".repeat(64)));
    let mut json = Vec::new();
    good().write(Format::Json, &mut json).unwrap();
    let swapped = Statement::about(&other, serde_json::from_slice(&json).unwrap()).unwrap();
    let envelope = Envelope::sign(&swapped, &SigningKey::from_pem(&private).unwrap()).unwrap();
    let opened = envelope.open(&VerifyingKey::from_pem(&public).unwrap()).unwrap();
    assert!(opened.report().unwrap_err().contains("another image"));
    other.identity.digest = None;
    assert!(Statement::about(&other, json!({})).unwrap_err().contains("no digest"));
}
