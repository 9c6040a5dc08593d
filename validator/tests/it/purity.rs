//! What judges must not be able to reach a cluster, a runtime or a clock.

use std::fs;
use std::path::{Path, PathBuf};

const PURE: &[&str] = &[
    "admission/answer.rs",
    "admission/asked.rs",
    "admission/decide.rs",
    "admission/known.rs",
    "admission/patch.rs",
    "check.rs",
    "check",
    "checks.rs",
    "checks",
    "judge.rs",
    "report.rs",
    "report",
    "timeline.rs",
    "verify.rs",
    "verify",
    "timeline",
];

const FORBIDDEN: &[&str] = &[
    "kube::",
    "tokio::",
    "k8s_openapi",
    "SystemTime",
    "Instant",
    "crate::cluster",
    "crate::moment",
    "crate::load",
];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), found);
        }
    } else {
        found.push(path.to_owned());
    }
}

#[test]
fn what_judges_imports_no_cluster_runtime_or_clock() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for path in PURE {
        sources(&source.join(path), &mut files);
    }
    assert!(files.len() > 40, "the list of pure files is out of date: {}", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for word in FORBIDDEN {
            assert!(!text.contains(word), "{} mentions {word}", file.display());
        }
    }
}

#[test]
fn every_check_file_is_in_the_list_once_and_codes_are_unique() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let checks = golive_validator::checks::ALL;
    assert_eq!(files.len(), checks.len());
    for (position, check) in checks.iter().enumerate() {
        let file = folder.join(check.slug.replace('-', "_")).with_extension("rs");
        assert!(file.exists(), "{} is not in {}", check.id, file.display());
        assert!(checks[position + 1..].iter().all(|other| other.id != check.id), "{} stands twice", check.id);
    }
}
