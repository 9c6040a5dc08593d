//! `validator judge`: the report of a saved evidence file.

use std::io::Write;
use std::path::Path;

use super::publish::publish;
use super::{rules, saved};
use crate::checks::ALL;
use crate::cli::JudgeArgs;
use crate::evidence::read;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy;
use crate::report::{Difference, Expected, Report};

/// Judges a file.
pub(super) async fn judge(args: &JudgeArgs) -> Result<Exit, Failure> {
    args.report.check()?;
    let mut evidence = read(&args.file).map_err(|e| {
        Failure::usage(e.to_string()).hint("evidence is written by `validator run` to golive-out/")
    })?;
    let plan = &mut evidence.header.plan;
    if let Some(file) = &args.rules.policy {
        plan.policy = policy::read(file)?;
    }
    if args.rules.no_waivers {
        plan.waivers = rules::waivers(&args.rules);
    }
    let report = crate::judge::judge(&evidence, ALL);
    let baseline = args.baseline.as_deref().map(saved::report).transpose()?;
    let expected = args.expect.as_deref().map(expected).transpose()?;
    let undelivered = publish(&report, &args.report).await;
    let verdict = match (&baseline, &expected) {
        (Some(before), _) => since(before, &report)?,
        (None, Some(expected)) => as_expected(expected, &report)?,
        (None, None) => report.verdict.exit(),
    };
    told(verdict, undelivered)
}

/// Nothing hangs on this exit code but what reads it: a report that did not arrive is told by it, unless it has worse to say.
fn told(verdict: Exit, undelivered: Vec<Failure>) -> Result<Exit, Failure> {
    let mut undelivered = undelivered.into_iter();
    let first = if verdict == Exit::Success { undelivered.next() } else { None };
    for failure in undelivered {
        writeln!(anstream::stderr(), "{failure}").ok();
    }
    first.map_or(Ok(verdict), Err)
}

fn expected(file: &Path) -> Result<Expected, Failure> {
    let named = |why: String| Failure::usage(format!("--expect {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| named(e.to_string()))?;
    text.parse().map_err(named)
}

/// For whoever proves the gate: what it said is right if it is what was known before. Told on stderr, as below.
fn as_expected(expected: &Expected, report: &Report) -> Result<Exit, Failure> {
    let wrongs = expected.wrongs(report);
    let mut out = anstream::stderr().lock();
    for wrong in &wrongs {
        writeln!(out, "wrong: {wrong}")?;
    }
    if wrongs.is_empty() {
        writeln!(out, "as expected")?;
    }
    Ok(if wrongs.is_empty() { Exit::Success } else { Exit::NoGo })
}

/// What is new alone: for whoever begins with many failures, and takes them one by one. Told on stderr, since the report
/// says what it always says.
fn since(before: &Report, report: &Report) -> Result<Exit, Failure> {
    saved::of_one_target(before, report)?;
    let difference = Difference::between(before, report);
    let (new, old) = (difference.regressions().count(), difference.still_failing.len());
    let never = match difference.never_accepted.as_slice() {
        [] => String::new(),
        lost => format!("; {} fails, and no baseline accepts lost requests", lost.join(" ")),
    };
    let run = &before.run;
    writeln!(anstream::stderr(), "since {run}: {new} that gate got worse, {old} failed before too{never}")?;
    Ok(if difference.is_accepted() { Exit::Success } else { Exit::NoGo })
}
