//! `validator lint` and `validator init` on manifests that are not ours.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use golive_validator::config::{Day, GoLiveCheck};
use golive_validator::lint::{Linted, Source, lint};
use golive_validator::plan::Rules;
use serde_json::{Value, from_slice, from_str};

fn manifests() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn linted(path: &Path) -> Linted {
    let (name, text) = (path.display().to_string(), fs::read_to_string(path).unwrap());
    lint(&[Source { name, text }], &Rules::default(), Day::of(0)).unwrap()
}

fn validator(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(args)
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("GOLIVE_CONTEXT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn each_manifest_gets_what_its_first_lines_say_and_nothing_else() {
    let all = manifests();
    assert!(all.len() >= 20, "{}", all.len());
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        let says = text.lines().find_map(|line| line.strip_prefix("# says:")).unwrap();
        let mut right: Vec<&str> = says.split_whitespace().collect();
        let linted = linted(&path);
        let mut found: Vec<&str> = linted.findings.iter().map(|hit| hit.rule).collect();
        right.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, right, "{}", path.display());
    }
}

#[test]
fn every_rule_is_met_by_a_manifest_and_points_at_a_line_of_its_workload() {
    let mut met = BTreeSet::new();
    for path in manifests() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        for hit in linted(&path).findings {
            assert!(hit.line > 2 && hit.line <= lines, "{} {}", path.display(), hit.line);
            met.insert(hit.rule);
        }
    }
    assert_eq!(met.len(), 22, "{met:?}");
    let secret = manifests().into_iter().find(|path| path.ends_with("secret-url.yaml")).unwrap();
    let hit = linted(&secret).findings.remove(0);
    let text = fs::read_to_string(&secret).unwrap();
    assert!(text.lines().nth(hit.line - 1).unwrap().contains("DATABASE_URL"), "{}", hit.line);
    assert!(!hit.text.contains("hunter2"), "{}", hit.text);
}

#[test]
fn lint_ends_with_1_for_what_gates_and_reads_rendered_charts_from_stdin() {
    let bad = fs::read_to_string(manifests().into_iter().find(|p| p.ends_with("shell-entry.yaml")).unwrap())
        .unwrap();
    let output = validator(&["lint", "-"], &bad);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("-:19: major GL-S052"), "{output:?}");
    let minor =
        fs::read_to_string(manifests().into_iter().find(|p| p.ends_with("latest.yaml")).unwrap()).unwrap();
    assert_eq!(validator(&["lint", "-"], &minor).status.code(), Some(0));
    for (wrong, told) in
        [("a: [", "line"), ("kind: ConfigMap\n", "no Deployment"), ("{{ if .Values.x }}\n", "helm template")]
    {
        let output = validator(&["lint", "-"], wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(told), "{output:?}");
    }
}

#[test]
fn what_is_wrong_with_a_manifest_is_told_without_the_secrets_beside_it() {
    for broken in ["  labels: [", "  a: b: c", "\tx: 1", "  password: hunter3-very-secret"] {
        let secret = format!("kind: Secret\nstringData:\n  password: hunter2-very-secret\n{broken}\n");
        let output = validator(&["lint", "-"], &secret);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("line ") && !told.contains("very-secret"), "{told}");
    }
}

#[test]
fn sarif_of_lint_keeps_to_its_schema_and_names_files_and_lines() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let output = validator(&["lint", folder.to_str().unwrap(), "--format", "sarif"], "");
    let value: Value = from_slice(&output.stdout).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sarif-2.1.0.schema.json");
    let schema: Value = from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let wrong: Vec<String> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let results = value["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() > 30);
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert!(Path::new(place["artifactLocation"]["uri"].as_str().unwrap()).exists());
        assert!(place["region"]["startLine"].as_u64().unwrap() > 2);
    }
}

#[test]
fn sarif_of_a_rendered_chart_names_the_file_that_stands_for_it() {
    let bad = fs::read_to_string(manifests().into_iter().find(|p| p.ends_with("shell-entry.yaml")).unwrap())
        .unwrap();
    let output =
        validator(&["lint", "-", "--name", "./charts/my service/values.yaml", "--format", "sarif"], &bad);
    let value: Value = from_slice(&output.stdout).unwrap();
    let place = &value["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "charts/my%20service/values.yaml");
}

#[test]
fn init_writes_a_file_that_plan_takes_without_an_edit() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("init");
    fs::create_dir_all(&folder).unwrap();
    for name in ["wordpress", "guestbook-redis", "secret-url", "otel-port", "good"] {
        let manifest = manifests().into_iter().find(|path| path.file_stem().unwrap() == name).unwrap();
        let file = folder.join(format!("{name}.yaml"));
        let args = ["init", "-f", manifest.to_str().unwrap(), "-o", file.to_str().unwrap(), "--force"];
        let output = validator(&args, "");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        GoLiveCheck::read(&file).unwrap();
        // There is no cluster here: that is all that it has to say of the file.
        let plan = validator(&["plan", "-f", file.to_str().unwrap()], "");
        assert!(String::from_utf8_lossy(&plan.stderr).starts_with("error: no cluster"), "{plan:?}");
        let again = validator(&args[..5], "");
        assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"), "{again:?}");
    }
    let text = fs::read_to_string(folder.join("secret-url.yaml")).unwrap();
    assert!(text.contains("service: db, protocol: postgres") && !text.contains("hunter2"), "{text}");
}
