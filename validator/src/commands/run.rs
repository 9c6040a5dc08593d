//! `validator run`: the gate in a cluster.

use std::time::Duration;

use super::files::Files;
use super::rules;
use super::signals::cancelled_by_signals;
use super::target_file;
use crate::cli::RunArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::{ClusterRun, Gate};
use crate::progress::Progress;

/// Runs the gate.
pub(super) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    let check = target_file::read(&args.target)?;
    let run = ClusterRun {
        rules: rules::read(&args.target.rules, &check.spec.policy)?,
        check,
        given: target_file::given(&args.target.header)?,
        context: args.target.cluster.context.clone(),
        image: args.image.clone(),
        agent_image: args.agent_image.clone(),
        parts: args.parts.selected()?,
        timeout: Duration::from_secs_f64(args.timeout.0),
        keep: args.keep,
    };
    let files = Files::open(&args.report, args.evidence.as_deref())?;
    let (events, told) = Progress::listen(args.report.quiet);
    let gate = Gate { cancel: cancelled_by_signals()?, events, sink: &files };
    let ended = Box::pin(gate.in_cluster(&run)).await;
    drop(gate);
    told.await.ok(); // whoever tells of it has nothing to do with how it ended
    ended.map(|report| report.verdict.exit())
}
