//! What a reviewer looks for in manifests, without a cluster: static checks of a run, and what only a manifest shows.
//!
//! Declared is not proven: which properties only a run can show stands in every report.

mod bundle;
mod declared;
mod manifest;
mod report;
mod rules;
mod workload;

use std::time::Instant;

use serde::Serialize;

use crate::check::Severity;

pub use manifest::ManifestError;
pub use report::{Format, write};
pub(crate) use rules::{ALL as RULES, Rule};

/// What was found in a set of manifests.
#[derive(Debug, Serialize)]
pub struct Linted {
    /// Version of this format.
    pub schema: &'static str,
    /// Workloads that were looked at, as `KIND/NAME`.
    pub workloads: Vec<String>,
    /// What was found, the worst first.
    pub findings: Vec<Hit>,
    /// How long it took, in ms.
    pub took_ms: f64,
}

/// One thing that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// Code of the rule.
    pub rule: &'static str,
    /// Its property.
    pub slug: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The workload, as `KIND/NAME`.
    pub object: String,
    /// What was found.
    pub text: String,
    /// What to change.
    pub remedy: &'static str,
}

/// A file with manifests; the text of stdin has the name `-`.
#[derive(Debug)]
pub struct Source {
    /// Its name in reports.
    pub name: String,
    /// Its text: one or more YAML documents.
    pub text: String,
}

impl Linted {
    /// Whether anything was found that a run would not pass.
    pub fn gates(&self) -> bool {
        self.findings.iter().any(|hit| hit.severity != Severity::Minor)
    }
}

/// All objects of the manifests.
///
/// # Errors
/// A file that is no YAML, with its line.
pub fn objects_of(sources: &[Source]) -> Result<Vec<serde_json::Value>, ManifestError> {
    let mut objects = Vec::new();
    for source in sources {
        objects.extend(manifest::Manifest::read(source)?.into_iter().map(|manifest| manifest.value));
    }
    Ok(objects)
}

/// Looks at all manifests together: a Service or a disruption budget may stand in another file than its workload.
///
/// # Errors
/// A file that is no YAML, with its line.
pub fn lint(sources: &[Source]) -> Result<Linted, ManifestError> {
    let started = Instant::now();
    let bundle = bundle::Bundle::read(sources)?;
    let mut findings: Vec<Hit> = Vec::new();
    for workload in &bundle.workloads {
        findings.extend(declared::hits(workload, &bundle));
        findings.extend(rules::hits(workload, &bundle));
    }
    let rank = |severity| match severity {
        Severity::Blocker => 0,
        Severity::Major => 1,
        Severity::Minor => 2,
    };
    findings.sort_by(|a, b| {
        (rank(a.severity), &a.file, a.line, a.rule).cmp(&(rank(b.severity), &b.file, b.line, b.rule))
    });
    Ok(Linted {
        schema: "golive.dev/lint/v1",
        workloads: bundle.workloads.iter().map(workload::Workload::name).collect(),
        findings,
        took_ms: started.elapsed().as_secs_f64() * 1000.0,
    })
}
