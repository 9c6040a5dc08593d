//! `validator local`: the gate on this machine, on copies of a command.

mod asked;

use std::path::PathBuf;
use std::time::Duration;

use super::gated::gated;
use super::rules;
use super::target_file;
use crate::cli::{LocalArgs, LocalGuardianArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::MachineRun;
use crate::local::guard;

/// Runs the gate on this machine.
pub(super) async fn local(args: LocalArgs) -> Result<Exit, Failure> {
    let check = asked::read(&args)?;
    let run = MachineRun {
        rules: rules::read(&args.rules, &check.spec.policy)?,
        check,
        given: target_file::given(&args.traffic.header)?,
        seed: args.seed.clone(),
        output: PathBuf::from("golive-out"),
        parts: args.gate.parts.selected()?,
        timeout: Duration::from_secs_f64(args.gate.timeout.0),
    };
    gated(&args.gate, async |gate| gate.on_machine(&run).await).await
}

/// What the guardian of a run on this machine does.
pub(super) fn guardian(args: &LocalGuardianArgs) -> Result<Exit, Failure> {
    guard(&args.run).map(|()| Exit::Success)
}
