//! Every command that the READMEs and the pages of docs name is one.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use golive_validator::cli::Cli;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("validator/README.md")];
    for folder in ["docs", "docs/pipelines"] {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(files.filter(|path| path.extension().is_some_and(|ext| ext == "md")));
    }
    pages
}

/// Lines of fenced blocks of shell, without comments, prompts and what follows a pipe or a redirection.
fn commands(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let lines = blocks.flat_map(str::lines).flat_map(|line| line.split(" | ")).map(|line| {
        let line = line.split(" #").next().unwrap().split(" > ").next().unwrap();
        line.split(" && ").next().unwrap().trim().to_owned()
    });
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_command_of_the_validator_in_a_page_is_understood() {
    let mut seen = 0;
    for page in pages() {
        for line in commands(&page).into_iter().filter(|line| line.starts_with("validator ")) {
            let words = line.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
            Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{}: {line}: {e}", page.display()));
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn every_target_of_make_in_a_page_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for page in pages() {
        let named =
            commands(&page).into_iter().filter_map(|line| Some(line.strip_prefix("make ")?.to_owned()));
        for target in named.flat_map(|targets| targets.split(' ').map(str::to_owned).collect::<Vec<_>>()) {
            let known = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(known || target.contains('='), "{}: make {target}", page.display());
        }
    }
}

#[test]
fn the_readme_is_short_and_shows_what_the_program_says() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150);
    let shown = readme.split("```\n").find(|block| block.starts_with("DEPLOY REQUEST")).unwrap();
    let evidence = root().join("validator/tests/fixtures/bare.evidence.zst");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_validator"))
        .arg("judge")
        .arg(evidence)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with(shown), "the README shows something else");
}

#[test]
fn every_file_that_a_page_leads_to_exists() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for part in text.split("](").skip(1) {
            let link = part.split(')').next().unwrap().split('#').next().unwrap();
            if !link.is_empty() && !link.contains("://") {
                assert!(page.parent().unwrap().join(link).exists(), "{}: {link}", page.display());
            }
        }
    }
}
