//! `validator checks` and `validator explain`.

use std::io::Write;

use crate::checks::{ALL, find};
use crate::cli::{ChecksArgs, ExplainArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::catalogue;

/// Lists all checks.
pub(super) fn list(args: &ChecksArgs) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    if args.markdown {
        out.write_all(catalogue(ALL).as_bytes())?;
        return Ok(Exit::Success);
    }
    for check in ALL {
        writeln!(out, "{} {:<7} {:<8} {}", check.id, check.severity, check.area.name(), check.slug)?;
    }
    Ok(Exit::Success)
}

/// Explains one check.
pub(super) fn explain(args: &ExplainArgs) -> Result<Exit, Failure> {
    let check = find(&args.check).ok_or_else(|| {
        Failure::usage(format!("no check `{}`", args.check)).hint("`validator checks` lists all of them")
    })?;
    let mut out = anstream::stdout().lock();
    writeln!(out, "{} {} ({}, {})\n", check.id, check.slug, check.area.name(), check.severity)?;
    writeln!(out, "why:    {}\nhow:    {}\nremedy: {}", check.why, check.how, check.remedy)?;
    Ok(Exit::Success)
}
