//! What a check claims, why, how it is found out and what to change, with code where the remedy is code.

use std::fmt::Write;

use crate::check::{Area, Check};
use crate::lint::Rule;
use crate::plan::Needs;
use crate::report::wrap;

/// The languages in which remedies are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// JavaScript and TypeScript on Node
    Node,
    /// Python
    Python,
    /// Java and Kotlin
    Java,
    /// Go
    Go,
    /// Rust
    Rust,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Node, Self::Python, Self::Java, Self::Go, Self::Rust];

    /// Its name, as the snippets are headed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Java => "java",
            Self::Go => "go",
            Self::Rust => "rust",
        }
    }
}

/// All there is to say of a rule of `validator lint`, as text.
pub(crate) fn explain_rule(rule: &Rule) -> String {
    let Rule { id, slug, severity, why, remedy, .. } = rule;
    let claim =
        format!("{}; `validator lint` reads it from manifests, no run judges it", slug.replace('-', " "));
    let told = [("claim:", claim.as_str()), ("why:", why), ("remedy:", remedy)];
    let lines = told.map(|(name, told)| wrap(&format!("{name:<8}"), told, 8));
    format!("{id} {slug} (lint, {severity})\n\n{}\n", lines.join("\n"))
}

/// All there is to say of a check, as text.
pub fn explain(check: &Check, languages: &[Language]) -> String {
    let Check { id, slug, area, severity, why, how, remedy, rests_on, needs, .. } = check;
    let mut text = format!("{id} {slug} ({}, {severity})\n\n", area.name());
    let struck: Vec<&str> = rests_on.iter().map(|kind| kind.name()).collect();
    let kind = match (id.as_bytes().get(4), needs) {
        (Some(b'0'), _) => "reads declarations",
        (_, Needs::Observation) => "observes the run",
        _ => "needs an experiment",
    };
    let mut line = |name: &str, told: &str| {
        let _ = writeln!(text, "{}", wrap(&format!("{name:<8}"), told, 8));
    };
    line("claim:", &format!("{}; it {kind}", slug.replace('-', " ")));
    line("why:", why);
    line("how:", how);
    line("remedy:", remedy);
    match needs {
        Needs::Observation => line("needs:", "no roll (validator run --observe)"),
        Needs::Rolls => line("needs:", "the rolls, which every run does that proves"),
        Needs::Parts(parts) => {
            let last = parts.last().map_or("full", |part| part.name());
            line("needs:", &format!("{} (validator run --part {last})", needs.names().join(", ")));
        }
    }
    if !struck.is_empty() {
        line(
            "struck:",
            &format!(
                "what falls into a disturbance of {} is not held against the service",
                struck.join(", ")
            ),
        );
    }
    line("more:", &format!("docs/checks.md, {id}"));
    for language in languages {
        if let Some(code) = snippet(check, *language) {
            let _ = writeln!(text, "\n{}:\n{}", language.name(), code.trim_end());
        }
    }
    text
}

/// Code that gives a service what the check asks for, if code does.
fn snippet(check: &Check, language: Language) -> Option<&'static str> {
    let all = match (check.area, check.id) {
        (Area::Tracing, _) => include_str!("explain/tracing.md"),
        (Area::Health, "GL-H001" | "GL-H002" | "GL-H003") | (Area::Release | Area::Run, _) => return None,
        (Area::Health, _) => include_str!("explain/health.md"),
        (Area::Shutdown, _) => include_str!("explain/shutdown.md"),
        (Area::Breaker, _) => include_str!("explain/breaker.md"),
    };
    let (_, mine) = all.split_once(&format!("# {}\n", language.name()))?;
    Some(mine.split("\n# ").next().unwrap_or(mine).trim_start_matches('\n'))
        .filter(|code| code.starts_with("```"))
}

#[cfg(test)]
mod tests {
    use super::{Language, explain, snippet};
    use crate::check::Area;
    use crate::checks::{ALL, find};

    #[test]
    fn remedies_that_are_code_are_shown_in_every_language() {
        for check in ALL.iter().filter(|check| check.id.as_bytes()[4] != b'0') {
            let shown = Language::ALL.iter().filter(|language| snippet(check, **language).is_some()).count();
            let is_code = check.area.is_pillar();
            assert_eq!(shown, if is_code { 5 } else { 0 }, "{}", check.id);
        }
        let text = explain(find("GL-S201").unwrap(), &[Language::Go]);
        assert!(text.contains("server.Shutdown") && !text.contains("axum"), "{text}");
        assert_eq!(text.matches("```").count(), 2, "{text}");
        assert_eq!(find("GL-S201").unwrap().area, Area::Shutdown);
    }
}
