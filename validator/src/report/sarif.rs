//! The report as SARIF 2.1.0 (OASIS), for code scanning. What a run found is about an object of the cluster, so that its
//! results have logical locations; they point at the target file beside it, since GitHub refuses a log in which a result has no
//! physical location. `validator lint` names the manifest and its line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_sarif::sarif::{
    ArtifactLocation, Location, LogicalLocation, Message, MultiformatMessageString, PhysicalLocation,
    PropertyBag, Region, ReportingDescriptor, Result as Found, ResultKind, ResultLevel, Run, SCHEMA_URL,
    Sarif, Suppression, Tool, ToolComponent,
};

use serde_json::Value;

use super::{CheckLine, Report, WaiverLine, WaiverState};
use crate::check::{Outcome, Severity};
use crate::checks;

/// What declares the run, by its usual name: the report does not know how the file was called.
const TARGET_FILE: &str = "golive.yaml";

/// One rule.
pub(crate) struct Rule {
    /// Its code.
    pub(crate) id: &'static str,
    /// The property.
    pub(crate) name: &'static str,
    /// Why it matters.
    pub(crate) why: String,
    /// What to change.
    pub(crate) remedy: &'static str,
}

/// Where something was found.
pub(crate) enum Place {
    /// An object of a cluster.
    Object(String),
    /// A file, as a URI reference, and a line of it, from 1.
    File(String, usize),
}

pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rules = report.checks.iter().filter_map(|line| checks::find(&line.id)).map(|check| Rule {
        id: check.id,
        name: check.slug,
        why: check.why.to_owned(),
        remedy: check.remedy,
    });
    let place = || Place::Object(format!("{}/deployments/{}", report.namespace, report.deployment));
    let results = report.checks.iter().filter_map(|line| result(line, &report.waivers, place()));
    let waivers = serde_json::to_value(&report.waivers)?;
    write_log(&report.validator, rules.collect(), results.collect(), waivers, out)
}

fn result(line: &CheckLine, waivers: &[WaiverLine], place: Place) -> Option<Found> {
    let (kind, level) = match (line.finding.outcome, line.severity) {
        (Outcome::Waived, _) | (Outcome::Fail | Outcome::Warn, Severity::Info) => {
            (ResultKind::Fail, ResultLevel::Note)
        }
        (Outcome::Fail, Severity::Blocker | Severity::Major) => (ResultKind::Fail, ResultLevel::Error),
        (Outcome::Fail, Severity::Minor) | (Outcome::Warn, _) => (ResultKind::Fail, ResultLevel::Warning),
        (Outcome::Inconclusive, _) => (ResultKind::Open, ResultLevel::None),
        (Outcome::Pass | Outcome::Skipped, _) => return None,
    };
    let result = found(&line.id, kind, level, &line.finding.summary, place);
    let is_why = |one: &&WaiverLine| one.state == WaiverState::Used && one.waiver.check.as_str() == line.id;
    match waivers.iter().find(is_why) {
        Some(waiver) if line.finding.outcome == Outcome::Waived => Some(allowed(result, &waiver.told())),
        _ => Some(result),
    }
}

/// One result.
pub(crate) fn found(rule: &str, kind: ResultKind, level: ResultLevel, text: &str, place: Place) -> Found {
    let physical = |path: String, line: usize| {
        let file = ArtifactLocation::builder().uri(path).build();
        let region = Region::builder().start_line(line.max(1) as i64).build();
        PhysicalLocation::builder().artifact_location(file).region(region).build()
    };
    let location = match place {
        Place::Object(name) => {
            let object = LogicalLocation::builder().fully_qualified_name(name).kind("resource").build();
            let beside = physical(TARGET_FILE.to_owned(), 1);
            Location::builder().physical_location(beside).logical_locations(vec![object]).build()
        }
        Place::File(path, line) => Location::builder().physical_location(physical(path, line)).build(),
    };
    let message = Message::builder().text(text).build();
    Found::builder().rule_id(rule).kind(kind).level(level).message(message).locations(vec![location]).build()
}

/// The same, suppressed: it stays in the log, and code scanning shows it as closed.
pub(crate) fn allowed(result: Found, why: &str) -> Found {
    let suppression = Suppression::builder().kind("external").justification(why).build();
    Found { suppressions: Some(vec![suppression]), ..result }
}

/// Writes a log of one run of the validator; the audit of the waivers is a property of the run (SARIF 2.1.0, 3.8).
pub(crate) fn write_log(
    version: &str,
    rules: Vec<Rule>,
    results: Vec<Found>,
    waivers: Value,
    out: &mut dyn Write,
) -> io::Result<()> {
    let text = |text: &str| MultiformatMessageString::builder().text(text).build();
    let rules = rules.into_iter().map(|rule| {
        let descriptor = ReportingDescriptor::builder().id(rule.id).name(rule.name);
        descriptor
            .short_description(text(rule.name))
            .full_description(text(&rule.why))
            .help(text(rule.remedy))
            .build()
    });
    let driver =
        ToolComponent::builder().name("golive").version(version).rules(rules.collect::<Vec<_>>()).build();
    let tool = Tool::builder().driver(driver).build();
    let audit =
        PropertyBag::builder().additional_properties(BTreeMap::from([("waivers".into(), waivers)])).build();
    let run = Run::builder().tool(tool).results(results).properties(audit).build();
    let log = Sarif::builder().schema(SCHEMA_URL).version("2.1.0").runs(vec![run]).build();
    serde_json::to_writer_pretty(&mut *out, &log)?;
    out.write_all(b"\n")
}
