//! The report as JUnit XML: a suite per area, a case per check.

use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::legible::legible;
use super::{CheckLine, Report};
use crate::check::{Area, Outcome};

pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut document = quick_junit::Report::new(format!("golive {}", report.deployment));
    document.set_time(Duration::from_secs_f64(report.duration.took_s.max(0.0)));
    for area in Area::ALL {
        let mut suite = TestSuite::new(format!("golive.{}", area.name()));
        suite.add_properties(properties(report));
        suite.add_test_cases(report.checks.iter().filter(|line| line.area == area).map(case));
        document.add_test_suite(suite);
    }
    let text = document.to_string().map_err(io::Error::other)?;
    writeln!(out, "{}", legible(&text))
}

fn properties(report: &Report) -> Vec<Property> {
    let identity = &report.identity;
    let mut properties = vec![
        Property::new("verdict", report.verdict.to_string()),
        Property::new("run", &report.run),
        Property::new("image", &identity.image),
        Property::new("policy", &identity.policy),
        Property::new("validator", &report.validator),
        Property::new("ended", &identity.ended),
    ];
    let waivers = report.waivers.iter();
    properties.extend(waivers.map(|line| {
        Property::new(format!("waiver {}", line.waiver.check), format!("{}: {}", line.state, line.told()))
    }));
    properties.extend(identity.digest.iter().map(|digest| Property::new("digest", digest)));
    properties.extend(identity.template_hash.iter().map(|hash| Property::new("template-hash", hash)));
    properties
}

/// As the verdict counts: a blocker without an answer is an error, any other check without one is skipped; a warning and a failed
/// minor are successes that say so, and what is waived is skipped. Else a CI system would call a GO unstable.
fn case(line: &CheckLine) -> TestCase {
    let finding = &line.finding;
    let mut status = match finding.outcome {
        Outcome::Fail if line.is_gating_failure() => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Pass | Outcome::Warn | Outcome::Fail => TestCaseStatus::success(),
        Outcome::Inconclusive if line.is_open_blocker() => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Inconclusive | Outcome::Skipped | Outcome::Waived => TestCaseStatus::skipped(),
    };
    status.set_message(&finding.summary).set_type(line.severity.to_string());
    if line.is_gating_failure() || line.is_open_blocker() {
        status.set_description(told(line));
    }
    let mut case = TestCase::new(format!("{} {}", line.id, line.slug), status);
    case.set_classname(format!("golive.{}", line.area.name()));
    case.set_system_out(told(line));
    case
}

fn told(line: &CheckLine) -> String {
    /// Cases that are told.
    const MAX_CASES: usize = 20;
    let finding = &line.finding;
    let mut lines = vec![format!("{}: {}", finding.outcome, finding.summary)];
    lines.extend(finding.cases.iter().take(MAX_CASES).map(|case| format!("- {}", case.text)));
    lines.extend(
        finding.struck.iter().take(MAX_CASES).map(|s| format!("- struck: {} ({})", s.case.text, s.by)),
    );
    lines.extend(finding.details.iter().map(|detail| format!("- {detail}")));
    if let (Some(measured), Some(limit)) = (&finding.measured, &finding.limit) {
        lines.push(format!("measured {measured}; limit {limit}"));
    }
    if finding.outcome == Outcome::Fail {
        lines.push(format!("-> {}", line.remedy));
    }
    lines.join("\n")
}
