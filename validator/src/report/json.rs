//! The report as JSON: the model of [`Report`] with a schema version in front.

use std::io::{self, Write};

use serde::Serialize;

use super::Report;

/// Version of the JSON report; a reader may rely on fields staying within one version.
const SCHEMA: &str = "golive.dev/report/v1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    passing: usize,
    #[serde(flatten)]
    report: &'a Report,
}

pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let document = Document { schema: SCHEMA, passing: report.passing(), report };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}
