//! A gate of the command line: it ends with a signal, tells of itself on the terminal, and leaves files.

use super::files::Files;
use super::signals::cancelled_by_signals;
use crate::cli::GateArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::Gate;
use crate::progress::Progress;
use crate::report::Report;

/// Opens the files, does the work of the gate, and gives the exit code of its verdict.
pub(super) async fn gated(
    args: &GateArgs,
    work: impl AsyncFnOnce(&Gate<'_, Files>) -> Result<Report, Failure>,
) -> Result<Exit, Failure> {
    let files = Files::open(&args.report, args.evidence.as_deref())?;
    let (events, told) = Progress::listen(args.report.quiet);
    let gate = Gate { cancel: cancelled_by_signals()?, events, sink: &files };
    let ended = Box::pin(work(&gate)).await;
    drop(gate);
    told.await.ok(); // whoever tells of it has nothing to do with how it ended
    ended.map(|report| report.verdict.exit())
}
