//! `validator run`: the gate in a cluster.

use std::time::Duration;

use super::gated::gated;
use super::rules;
use super::target_file;
use crate::cli::RunArgs;
use crate::config::Purpose;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::ClusterRun;

/// Runs the gate.
pub(super) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    let check = target_file::read(&args.target)?;
    let run = ClusterRun {
        rules: rules::read(&args.target.rules, &check.spec.policy)?,
        check,
        purpose: if args.observe { Purpose::Observe } else { Purpose::Prove },
        given: target_file::given(&args.target.traffic.header)?,
        context: args.target.cluster.context.clone(),
        image: args.image.clone(),
        agent_image: args.agent_image.clone(),
        parts: args.gate.parts.selected()?,
        timeout: Duration::from_secs_f64(args.gate.timeout.0),
        keep: args.keep,
    };
    gated(&args.gate, async |gate| gate.in_cluster(&run).await).await
}
