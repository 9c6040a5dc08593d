//! The foreign cases can be read before a cluster is: their target files, and the checks that they speak of.

use std::fs;
use std::path::{Path, PathBuf};

use golive_validator::checks::ALL;
use golive_validator::config::GoLiveCheck;

fn foreign() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(foreign().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 30, "cases are missing: {}", cases.len());
    cases
}

#[test]
fn every_target_file_of_a_foreign_case_is_read() {
    let own = cases().into_iter().map(|case| case.join("golive.yaml")).filter(|file| file.exists());
    for file in own.chain([foreign().join("base/golive.yaml")]) {
        if let Err(failure) = GoLiveCheck::read(&file) {
            panic!("{failure}");
        }
    }
}

#[test]
fn every_line_that_a_foreign_case_expects_can_come_true() {
    for case in cases() {
        let text = fs::read_to_string(case.join("expect")).unwrap();
        let (why, lines) = text.split_once('\n').unwrap();
        assert!(why.starts_with("# "), "{}: the first line says what the case is", case.display());
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            assert!(can_be(line), "{}: {line}", case.display());
        }
    }
}

fn can_be(line: &str) -> bool {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let all = |known: &[&str]| !rest.is_empty() && rest.split(' ').all(|word| known.contains(&word));
    let is_check = |id: &str| ALL.iter().any(|check| check.id == id);
    match word {
        "exit" => all(&["0", "1", "2", "3"]),
        "verdict" => all(&["GO", "GO-WITH-WARNINGS", "NO-GO", "INCONCLUSIVE"]),
        "passing" => all(&["0", "1", "2", "3", "4"]),
        "say" => !rest.is_empty(),
        "may" => is_check(rest),
        id => is_check(id) && all(&["pass", "fail", "warn", "inconclusive", "skipped"]),
    }
}
