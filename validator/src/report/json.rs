//! The report as JSON: the model of [`Report`] with a schema version in front.

use std::io::{self, Write};

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use super::Report;
use crate::check::Finding;

/// Version of the JSON report; a reader may rely on fields staying within one version.
pub const SCHEMA: &str = "golive.dev/report/v1";

/// The report of one run of the gate.
#[derive(JsonSchema, Serialize)]
#[schemars(title = "Golive report")]
struct Document<'a> {
    /// Version of this format.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// Pillars that pass, of four.
    passing: usize,
    #[serde(flatten)]
    report: &'a Report,
}

/// The JSON Schema of the JSON report, for docs/report.schema.json.
pub fn schema() -> Schema {
    schema_for!(Document)
}

/// Cases of one check that stand in the report; all of them are in the evidence.
const MAX_CASES: usize = 100;

pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut report = report.clone();
    report.checks.iter_mut().for_each(|line| bound(&mut line.finding));
    let document = Document { schema: SCHEMA, passing: report.passing(), report: &report };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// A service that is down for minutes fails thousands of requests, each alike.
fn bound(finding: &mut Finding) {
    let beyond = |len: usize| len.checked_sub(MAX_CASES).filter(|more| *more > 0);
    let cases = beyond(finding.cases.len()).map(|more| format!("{more} more cases are in the evidence"));
    let struck = beyond(finding.struck.len()).map(|more| format!("{more} more that were struck, too"));
    finding.details.extend(cases.into_iter().chain(struck));
    finding.cases.truncate(MAX_CASES);
    finding.struck.truncate(MAX_CASES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Case;

    #[test]
    fn a_report_holds_the_first_cases_and_says_how_many_there_are() {
        let cases = (0..250).map(|at| Case::at(at, format!("lost at {at}"), 1));
        let mut finding = Finding::unless(cases, "none").counted("were lost");
        bound(&mut finding);
        assert_eq!((finding.cases.len(), finding.summary.as_str()), (MAX_CASES, "250 were lost"));
        assert_eq!(finding.details, ["150 more cases are in the evidence"]);
    }
}
