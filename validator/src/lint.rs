//! What a reviewer looks for in manifests, without a cluster: static checks of a run, and what only a manifest shows.
//!
//! Declared is not proven: which properties only a run can show stands in every report.

mod bundle;
mod declared;
mod manifest;
mod report;
mod rules;
mod waived;
mod workload;

use std::time::Instant;

use serde::Serialize;

use crate::check::Severity;
use crate::config::Day;
use crate::plan::Rules;
use crate::report::WaiverLine;

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
    /// Waivers of the policy for these workloads, of what manifests show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<WaiverLine>,
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
    /// The workload's namespace, if its manifest names one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The workload, as `KIND/NAME`.
    pub object: String,
    /// What was found.
    pub text: String,
    /// What to change.
    pub remedy: &'static str,
    /// By what waiver it may be so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
}

impl Hit {
    /// The workload's name without its kind.
    fn name(&self) -> &str {
        self.object.split_once('/').map_or(&self.object, |(_, name)| name)
    }
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
        self.findings.iter().any(|hit| hit.severity.gates() && hit.waived.is_none())
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

/// Looks at all manifests together, by these rules and on this day: a Service or a disruption budget may stand in another file
/// than its workload.
///
/// # Errors
/// A file that is no YAML, with its line.
pub fn lint(sources: &[Source], by: &Rules, today: Day) -> Result<Linted, ManifestError> {
    let started = Instant::now();
    let bundle = bundle::Bundle::read(sources)?;
    let mut findings: Vec<Hit> = Vec::new();
    for workload in &bundle.workloads {
        findings.extend(declared::hits(workload, &bundle, &by.policy));
        findings.extend(rules::hits(workload, &bundle, &by.policy));
    }
    let place = |workload: &workload::Workload| {
        (workload.manifest.namespace().to_owned(), workload.manifest.name().to_owned())
    };
    let places: Vec<(String, String)> = bundle.workloads.iter().map(place).collect();
    let waivers = waived::apply(by, today, &places, &mut findings);
    findings
        .sort_by(|a, b| (a.severity, &a.file, a.line, a.rule).cmp(&(b.severity, &b.file, b.line, b.rule)));
    Ok(Linted {
        schema: "golive.dev/lint/v1",
        workloads: bundle.workloads.iter().map(workload::Workload::name).collect(),
        findings,
        waivers,
        took_ms: started.elapsed().as_secs_f64() * 1000.0,
    })
}
