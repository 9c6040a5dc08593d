//! The command line: exit codes, streams, messages.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn validator(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(args)
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("GOLIVE_CONTEXT")
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn scratch(name: &str, content: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, content).unwrap();
    file
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    assert_eq!(validator(&["run"]).status.code(), Some(2));
    assert_eq!(validator(&["frobnicate"]).status.code(), Some(2));
    let help = validator(&["run", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:"));
}

#[test]
fn a_missing_cluster_ends_with_2_and_names_the_next_command() {
    let output = validator(&["run", "deployment/users", "--get", "/"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(stderr(&output).contains("make kind-up"), "{}", stderr(&output));
}

#[test]
fn a_clean_up_needs_a_namespace_that_somebody_named() {
    let output = validator(&["cleanup"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--file"), "{}", stderr(&output));
    let file = scratch("named.yaml", include_bytes!("../../../golive.yaml"));
    let output = validator(&["cleanup", "-f", file.to_str().unwrap()]);
    assert!(stderr(&output).contains("no cluster"), "{}", stderr(&output));
}

#[test]
fn a_target_without_its_kind_is_refused_with_the_right_spelling() {
    let output = validator(&["run", "users", "--get", "/"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("deployment/users"), "{}", stderr(&output));
}

#[test]
fn a_wrong_key_in_the_target_file_is_named_with_its_line() {
    let file =
        scratch("wrong.yaml", include_str!("../../../golive.yaml").replace("rate:", "rait:").as_bytes());
    let output = validator(&["run", "-f", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("rait") && text.contains("line"), "{text}");
}

#[test]
fn evidence_that_is_no_evidence_is_refused_with_2() {
    for (name, content) in [("empty.zst", &b""[..]), ("text.zst", b"not zstd at all")] {
        let output = validator(&["judge", scratch(name, content).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
    }
    assert_eq!(validator(&["judge", "/nonexistent"]).status.code(), Some(2));
}

#[test]
fn a_reader_that_has_seen_enough_changes_neither_the_exit_code_nor_the_report_file() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bare.evidence.zst");
    let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("closed-stdout.json");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["judge", file, "--report", &format!("json={}", report.display())])
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1), "the verdict of the bare build is NO-GO");
    assert!(fs::read_to_string(report).unwrap().contains("NO-GO"));
}

#[test]
fn a_wrong_report_format_is_refused_before_anything_runs() {
    let output = validator(&["judge", "x", "--report", "pdf=x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("one of terminal, html"), "{}", stderr(&output));
}

#[test]
fn every_check_can_be_explained() {
    let list = validator(&["checks"]);
    assert_eq!(list.status.code(), Some(0));
    for line in String::from_utf8_lossy(&list.stdout).lines() {
        let code = line.split(' ').next().unwrap();
        let explained = validator(&["explain", code]);
        assert_eq!(explained.status.code(), Some(0), "{code}");
        assert!(String::from_utf8_lossy(&explained.stdout).contains("remedy:"), "{code}");
    }
    assert_eq!(validator(&["explain", "GL-X999"]).status.code(), Some(2));
}

#[test]
fn every_rule_of_lint_that_the_docs_list_can_be_explained_as_they_list_it() {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lint.md")).unwrap();
    let rows = docs.lines().filter(|line| line.starts_with("| GL-"));
    let mut listed = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let explained = validator(&["explain", cells[0]]);
        let text = String::from_utf8_lossy(&explained.stdout).into_owned();
        assert!(text.contains(&format!("(lint, {})", cells[2])) && text.contains("remedy:"), "{row}: {text}");
        listed += 1;
    }
    assert_eq!(listed, 15);
}

#[test]
fn a_check_that_does_not_exist_leads_to_the_nearest_one() {
    let output = validator(&["explain", "no-restarts"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("GL-H102 no-restart"), "{}", stderr(&output));
}

#[test]
fn completions_and_the_manual_page_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = validator(&["completions", shell]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("cleanup") && text.contains("lint"), "{shell}");
    }
    let man = String::from_utf8_lossy(&validator(&["man"]).stdout).into_owned();
    assert!(man.contains(".TH validator") && man.contains("validator\\-lint"), "{man}");
}

fn evidence(name: &str) -> String {
    format!("{}/tests/fixtures/{name}.evidence.zst", env!("CARGO_MANIFEST_DIR"))
}

/// The JSON report of a fixture as one of deployment `users`, after a change.
fn saved(fixture: &str, name: &str, change: impl Fn(&mut Value)) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    validator(&["judge", &evidence(fixture), "-q", "--report", &format!("json={}", file.display())]);
    let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    value["deployment"] = "users".into();
    change(&mut value);
    fs::write(&file, value.to_string()).unwrap();
    file.display().to_string()
}

fn line<'a>(report: &'a mut Value, id: &str) -> &'a mut Value {
    report["checks"].as_array_mut().unwrap().iter_mut().find(|line| line["id"] == id).unwrap()
}

#[test]
fn diff_ends_with_1_for_what_got_worse_and_reads_reports_as_well_as_evidence() {
    let bare = saved("bare", "diff-bare.json", |_| {});
    let worse = validator(&["diff", &evidence("good"), &bare]);
    assert_eq!(worse.status.code(), Some(1), "{}", stderr(&worse));
    let text = String::from_utf8_lossy(&worse.stdout).into_owned();
    assert!(text.starts_with("GO -> NO-GO") && text.contains("GL-S201 pass -> fail"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(validator(&["diff", &bare, &evidence("good")]).status.code(), Some(0));
    assert_eq!(validator(&["diff", &bare, &bare]).status.code(), Some(0));
}

#[test]
fn diff_sees_what_got_worse_though_no_outcome_changed() {
    let good = saved("good", "same-good.json", |_| {});
    let fell = saved("good", "same-fell.json", |report| report["verdict"] = "NO-GO".into());
    let told = validator(&["diff", &good, &fell]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("the verdict fell"), "{told:?}");
    let lost = |name: &str, requests: &str| {
        saved("bare", name, |report| line(report, "GL-S201")["measured"] = requests.into())
    };
    let more = validator(&["diff", &lost("same-few.json", "1"), &lost("same-more.json", "9000")]);
    assert_eq!(more.status.code(), Some(1), "{}", String::from_utf8_lossy(&more.stdout));
}

#[test]
fn diff_compares_nothing_that_cannot_be_compared() {
    let neither = scratch("neither.json", b"{}").display().to_string();
    let newer = saved("good", "newer.json", |report| report["schema"] = "golive.dev/report/v99".into());
    let other = saved("good", "other.json", |report| report["deployment"] = "orders".into());
    let look = saved("good", "look.json", |report| report["purpose"] = "observe".into());
    for (file, told) in
        [(neither, "schema"), (newer, "v99"), (other, "two deployments"), (look, "only observed")]
    {
        let output = validator(&["diff", &evidence("good"), &file]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}

#[test]
fn several_reports_come_from_one_run_and_one_of_them_may_take_stdout() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/good.evidence.zst");
    let page = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("several.html");
    let output =
        validator(&["judge", file, "--report", "junit=-", "--report", &format!("html={}", page.display())]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(b"<?xml"), "the terminal report makes room");
    assert!(fs::read_to_string(page).unwrap().starts_with("<!DOCTYPE html>"));
}

#[test]
fn two_reports_on_stdout_are_refused_and_the_terminal_report_obeys_its_depth() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/good.evidence.zst");
    let two = validator(&["judge", file, "--report", "json=-", "--report", "junit=-"]);
    assert_eq!((two.status.code(), two.stdout.len()), (Some(2), 0), "{}", stderr(&two));
    let all = validator(&["judge", file, "--all", "--report", "terminal=-"]);
    assert!(!String::from_utf8_lossy(&all.stdout).contains("--all shows them"));
}

#[test]
fn an_output_that_cannot_be_written_is_found_out_before_anything_is_asked_of_a_cluster() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("full");
    fs::create_dir_all(&folder).unwrap();
    // A file stands where the folder for the evidence would be: not even root can write there.
    fs::write(folder.join("golive-out"), "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["run", "deployment/users", "--get", "/"])
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot write golive-out/"), "{}", stderr(&output));
}

#[test]
fn a_wrong_target_file_is_shown_at_the_line() {
    let text = include_str!("../../../golive.yaml").replace("rate:", "rait:");
    let file = scratch("shown.yaml", text.as_bytes());
    let told = stderr(&validator(&["plan", "-f", file.to_str().unwrap()]));
    assert!(
        told.contains("shown.yaml:7:5") && told.contains("rait: 200") && told.contains("mean `rate`"),
        "{told}"
    );
    assert!(!told.contains("<input>") && told.matches("error:").count() == 1, "{told}");
}

#[test]
fn a_run_is_sent_to_a_collector_and_one_that_does_not_take_it_is_told_of() {
    use std::io::{Read, Write};
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/good.evidence.zst");
    for (answer, code) in [("200 OK", 0), ("429 Too Many Requests", 3)] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("otlp=http://{}", listener.local_addr().unwrap());
        let collector = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut begin = [0; 4096];
            let read = stream.read(&mut begin).unwrap();
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
            // The rest is taken too, so that the answer is not lost to a reset.
            std::io::copy(&mut stream, &mut std::io::sink()).ok();
            String::from_utf8_lossy(&begin[..read]).into_owned()
        });
        let json = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("beside-{code}.json"));
        let beside = format!("json={}", json.display());
        let output = validator(&["judge", file, "-q", "--report", &url, "--report", &beside]);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(json.exists() && !output.stdout.is_empty(), "no report waits for the collector");
        let request = collector.join().unwrap();
        assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
        assert!(request.contains("application/x-protobuf"), "{request}");
    }
}

#[test]
fn with_a_baseline_only_what_is_new_fails_and_lost_requests_always() {
    let judged =
        |name: &str, baseline: &str| validator(&["judge", &evidence(name), "-q", "--baseline", baseline]);
    // The foreign service fails in tracing and loses nothing.
    let same = judged("foreign", &evidence("foreign"));
    assert_eq!(same.status.code(), Some(0), "{}", stderr(&same));
    assert!(String::from_utf8_lossy(&same.stdout).contains("BLOCKED (NO-GO)"), "the report stays whole");
    assert!(stderr(&same).contains("0 that gate got worse, "), "{}", stderr(&same));
    let lost = judged("bare", &evidence("bare"));
    assert_eq!(lost.status.code(), Some(1));
    assert!(stderr(&lost).contains("no baseline accepts lost requests"), "{}", stderr(&lost));
    let clean = saved("foreign", "clean.json", |report| {
        report["deployment"] = "foreign".into();
        line(report, "GL-T201")["outcome"] = "pass".into();
    });
    let new = judged("foreign", &clean);
    assert_eq!(new.status.code(), Some(1), "{}", stderr(&new));
}
