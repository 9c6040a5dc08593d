//! `validator local`: the gate on this machine, on copies of a command.

mod asked;

use std::path::PathBuf;
use std::time::Duration;

use super::files::Files;
use super::rules;
use super::signals::cancelled_by_signals;
use super::target_file;
use crate::cli::{LocalArgs, LocalGuardianArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::{Gate, MachineRun};
use crate::local::guard;
use crate::progress::Progress;

/// Runs the gate on this machine.
pub(super) async fn local(args: LocalArgs) -> Result<Exit, Failure> {
    let check = asked::read(&args)?;
    let run = MachineRun {
        rules: rules::read(&args.rules, &check.spec.policy)?,
        check,
        given: target_file::given(&args.header)?,
        seed: args.seed.clone(),
        output: PathBuf::from("golive-out"),
        parts: args.parts.selected()?,
        timeout: Duration::from_secs_f64(args.timeout.0),
    };
    let files = Files::open(&args.report, args.evidence.as_deref())?;
    let (events, told) = Progress::listen(args.report.quiet);
    let gate = Gate { cancel: cancelled_by_signals()?, events, sink: &files };
    let ended = Box::pin(gate.on_machine(&run)).await;
    drop(gate);
    told.await.ok(); // whoever tells of it has nothing to do with how it ended
    ended.map(|report| report.verdict.exit())
}

/// What the guardian of a run on this machine does.
pub(super) fn guardian(args: &LocalGuardianArgs) -> Result<Exit, Failure> {
    guard(&args.run).map(|()| Exit::Success)
}
