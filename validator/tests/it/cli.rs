//! The command line: exit codes, streams, messages.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

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
    assert!(stderr(&output).contains("terminal or json"), "{}", stderr(&output));
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
