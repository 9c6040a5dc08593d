//! `validator judge`: the report of a saved evidence file.

use super::publish::publish;
use crate::checks::ALL;
use crate::cli::JudgeArgs;
use crate::evidence::read;
use crate::exit::Exit;
use crate::failure::Failure;

/// Judges a file.
pub(super) async fn judge(args: &JudgeArgs) -> Result<Exit, Failure> {
    let evidence = read(&args.file).map_err(|e| {
        Failure::usage(e.to_string()).hint("evidence is written by `validator run` to golive-out/")
    })?;
    let report = crate::judge::judge(&evidence, ALL);
    publish(&report, &args.report).await?;
    Ok(report.verdict.exit())
}
