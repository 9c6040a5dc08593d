//! `validator judge`: the report of a saved evidence file.

use std::io::Write;

use super::publish::publish;
use super::saved;
use crate::checks::ALL;
use crate::cli::JudgeArgs;
use crate::evidence::read;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::{Difference, Report};

/// Judges a file.
pub(super) async fn judge(args: &JudgeArgs) -> Result<Exit, Failure> {
    let evidence = read(&args.file).map_err(|e| {
        Failure::usage(e.to_string()).hint("evidence is written by `validator run` to golive-out/")
    })?;
    let report = crate::judge::judge(&evidence, ALL);
    publish(&report, &args.report).await?;
    match &args.baseline {
        Some(file) => since(&saved::report(file)?, &report),
        None => Ok(report.verdict.exit()),
    }
}

/// What is new alone: for whoever begins with many failures, and takes them one by one. Told on stderr, since the report
/// says what it always says.
fn since(before: &Report, report: &Report) -> Result<Exit, Failure> {
    let difference = Difference::between(before, report);
    let (new, old) = (difference.regressions().count(), difference.still_failing.len());
    let run = &before.run;
    writeln!(anstream::stderr(), "since {run}: {new} that gate got worse, {old} failed before too")?;
    Ok(if new > 0 { Exit::NoGo } else { Exit::Success })
}
